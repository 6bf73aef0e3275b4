"""Which models, prior sets and parameters of a run a study had anything for: the report speaks of no others."""

from __future__ import annotations

from collections.abc import Sequence

from retrial.estimate import Estimate
from retrial.priors.prior import Prior
from retrial.priors.prior_set import TOGETHER, PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study

OWN = "own"
"""Name of the set of a model's own priors."""
_COUNTS = ("log_odds_ratio", *TOGETHER)
_EFFECTS = {
    "life_table": ("log_hazard_ratio",),
    "counts": _COUNTS,
    "historical_counts": _COUNTS,
    "categories": ("log_odds_ratio",),
    "adverse_events": ("log_odds_ratio",),
}
"""Parameters of a named set that a model speaks of."""
_RATIOS = ("log_hazard_ratio", "log_odds_ratio")


def missing_effects(run: RunConfig, study: Study) -> list[str]:
    """One line for every model whose main prior says nothing of its effect, on no endpoint: the keys that it needs."""
    if not run.priors:
        return []
    main, lines = run.priors[run.main_prior], []
    for spec in run.models.values():
        printed = {
            "log_hazard_ratio" if effect.measure == "hazard_ratio" else "log_odds_ratio" for effect in study.effects.values()
        }
        needed = [
            name for name in (sorted(printed) or _RATIOS if spec.data == "ratio" else _EFFECTS[spec.data]) if name not in TOGETHER
        ]
        arms = f" (or {' and '.join(f'prior.{name}' for name in TOGETHER)})" if TOGETHER[0] in _EFFECTS.get(spec.data, ()) else ""
        if not any(main.speaks_of(name) for name in (*needed, *(TOGETHER if arms else ()))):
            lines.append(f"{' or '.join(f'prior.{name}' for name in needed)}: missing; needed by the model {spec.name}{arms}")
    return lines


def used_models(run: RunConfig, estimates: Sequence[Estimate]) -> list[ModelSpec]:
    """Models of the run that gave a row."""
    named = {row.model for row in estimates if row.method == "bayes"}
    return [spec for spec in run.models.values() if spec.name in named]


def used_sets(run: RunConfig, estimates: Sequence[Estimate]) -> list[PriorSet]:
    """Prior sets that some model was fitted under, with the parameters that these models have; then the models' own priors."""
    rows = [row for row in estimates if row.method == "bayes"]
    models = used_models(run, estimates)
    parameters = {name for spec in models for name in _effects(spec, rows)}
    endpoints = {row.endpoint for row in rows}
    fitted = {row.prior for row in rows}

    def kept(priors: dict[str, Prior]) -> dict[str, Prior]:
        return {name: prior for name, prior in priors.items() if name in parameters}

    sets = [
        PriorSet(
            value.name,
            kept(dict(value.priors)),
            value.description,
            {key: kept(dict(priors)) for key, priors in value.by_endpoint.items() if key in endpoints},
        )
        for name, value in run.priors.items()
        if name in fitted
    ]
    return [*sets, *(PriorSet(OWN, _own(run, spec, rows), model=spec.name) for spec in models)]


def _own(run: RunConfig, spec: ModelSpec, rows: Sequence[Estimate]) -> dict[str, Prior]:
    """A model's own priors that some fit of it used: those that every one of its prior sets decides are left out."""
    mine = [row for row in rows if row.model == spec.name]
    places = dict.fromkeys((row.prior, row.endpoint) for row in mine if row.prior in run.priors)
    sets = [run.priors[prior].for_endpoint(endpoint) for prior, endpoint in places]
    return {name: prior for name, prior in spec.priors.items() if not sets or not all(one.decides(name) for one in sets)}


def _effects(spec: ModelSpec, rows: Sequence[Estimate]) -> tuple[str, ...]:
    """Effects of a model; of printed ratios the log hazard or log odds ratio, as they are printed."""
    if spec.data != "ratio":
        return (*_EFFECTS[spec.data], *spec.priors)
    printed = {row.quantity for row in rows if row.model == spec.name}
    odds = any(name in printed for name in ("odds_ratio", "risk_ratio"))
    return ("log_hazard_ratio",) * ("hazard_ratio" in printed) + ("log_odds_ratio",) * odds
