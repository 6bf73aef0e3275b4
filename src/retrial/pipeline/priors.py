"""What a run says of its priors beside the posteriors: which ones a study has data for, what they expect, and which fight the data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from retrial.data import kinds
from retrial.data.kind import Asked, Place
from retrial.data.prior_checks import Before
from retrial.errors import PriorError
from retrial.estimate import Estimate
from retrial.priors.implied.conflict import CONFLICT, LEANING, NONE_SEEN
from retrial.priors.implied.densities import density_rows
from retrial.priors.prior import Prior
from retrial.priors.prior_set import TOGETHER, PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

PREDICTED = (
    "model",
    "prior",
    "endpoint",
    "quantity",
    "time",
    "contrast",
    "median",
    "lower",
    "upper",
    "observed",
    "share_below",
    "unit",
)
SCALED = (
    *("endpoint", "quantity", "contrast", "adjusted_for", "model", "prior"),
    *("psense_prior", "psense_likelihood", "pareto_k", "diagnosis"),
)
OWN = "own"
"""Name of the set of a model's own priors."""


def prior_checks(
    run: RunConfig,
    study: Study,
    tables: Sequence[EndpointTables],
    estimates: Sequence[Estimate],
    posteriors: Mapping[Place, xr.DataTree],
) -> dict[str, pd.DataFrame]:
    """The tables prior_densities, prior_predictive, conflict and power_scaling, as far as they have rows."""
    sets = used_sets(run, study, estimates)
    frames = {
        "prior_densities": pd.DataFrame([row for prior_set in sets for row in density_rows(prior_set)]),
        "prior_predictive": prior_predictive(run, study, tables, estimates),
        "conflict": conflict_table(run, study),
        "power_scaling": power_scaling_table(run, study, posteriors),
    }
    return {name: frame for name, frame in frames.items() if not frame.empty}


def prior_predictive(
    run: RunConfig, study: Study, tables: Sequence[EndpointTables], estimates: Sequence[Estimate]
) -> pd.DataFrame:
    """Medians, survival, proportions and effects that a model implies before the data, under every prior set; columns `PREDICTED`.

    `observed` is the printed or else the frequentist number, and `share_below` the prior probability of less than it: near 0 or 1, the prior
    did not expect what was seen.
    """
    seen, before, tail = _seen(estimates), Before(run, study, tables), run.questions.tail
    rows = []
    for spec in run.models.values():
        if (predict := spec.kind.predict) is None:
            continue
        for name, given in run.sets_for(spec).items():
            for asked, unit, draws in predict(before, spec, given):
                low, middle, high = (float(value) for value in np.quantile(draws, [tail, 0.5, 1 - tail]))
                observed = seen.get(asked, math.nan)
                below = float((draws < observed).mean()) if math.isfinite(observed) else math.nan
                rows.append((spec.name, name, *asked, middle, low, high, observed, below, unit))
    return pd.DataFrame(rows, columns=list(PREDICTED))


def _seen(estimates: Sequence[Estimate]) -> dict[Asked, float]:
    """Printed numbers, and frequentist ones where none is printed, unadjusted."""
    found: dict[Asked, float] = {}
    for method in ("published", "frequentist"):
        for row in estimates:
            usable = row.statistic == "value" and not (row.failed or row.adjusted_for) and math.isfinite(row.point)
            if row.method == method and usable:
                found.setdefault(row.subject[:4], row.point)
    return found


def conflict_table(run: RunConfig, study: Study) -> pd.DataFrame:
    """Rows (endpoint, contrast, adjusted_for, orientation, measure, prior, estimate, se, prior_median, box_p, vague weights and Bayes factor,
    verdict).

    Conflicts come first, and within a verdict the smallest p; whatever models the run has.
    """
    rows = [row for kind in kinds().values() if kind.conflict is not None for row in kind.conflict(run, study)]
    rows.sort(key=lambda row: ((CONFLICT, LEANING, NONE_SEEN).index(row["verdict"]), row["box_p"]))
    return pd.DataFrame(rows)


def power_scaling_table(run: RunConfig, study: Study, posteriors: Mapping[Place, xr.DataTree]) -> pd.DataFrame:
    """One row a treatment effect, model and prior set; columns `SCALED`.

    Scaled are the likelihood of this study's data, and the priors that a named set states: of the effect (of both arms where the set has one
    for each), and what earlier cohorts make of the control arm's. Priors of nuisance parameters are never scaled.
    """
    rows = [
        row
        for spec in run.models.values()
        if spec.kind.scale is not None
        for row in spec.kind.scale(run, spec, study, posteriors)
    ]
    return pd.DataFrame(rows, columns=list(SCALED))


def effects_of(spec: ModelSpec, study: Study) -> tuple[str, ...]:
    """Parameters of a named set that a model has in a study; of one arm only that arm's probability."""
    effects = spec.kind.effects(study)
    return tuple(name for name in effects if name == TOGETHER[0]) if study.one_arm else effects


def missing_effects(run: RunConfig, study: Study) -> list[str]:
    """One line for every model whose main prior says nothing of its effect, on no endpoint: the keys that it needs."""
    if not run.priors or study.one_arm:
        return []
    main, lines = run.priors[run.main_prior], []
    for spec in run.models.values():
        effects = effects_of(spec, study)
        if not effects:
            continue  # nothing of the kind is printed
        needed = [name for name in effects if name not in TOGETHER]
        arms = f" (or {' and '.join(f'prior.{name}' for name in TOGETHER)})" if {*TOGETHER} <= {*effects} else ""
        if not any(main.speaks_of(name) for name in effects):
            lines.append(f"{' or '.join(f'prior.{name}' for name in needed)}: missing; needed by the model {spec.name}{arms}")
    return lines


def check_stated(run: RunConfig, studies: Sequence[Study]) -> None:
    """Refuse a prior that was stated for a parameter which no model of the run has in any of the comparisons: it would change nothing."""
    of_models = [
        (effects, spec.priors) for spec in run.models.values() for study in studies if (effects := effects_of(spec, study))
    ]
    usable = {name for effects, own in of_models for name in (*effects, *own)}
    unused = [name for name in run.stated if name not in usable]
    if run.models and unused:
        allowed = ", ".join(f"prior.{name}" for name in sorted(usable))
        words = [
            f"prior.{name}: stated, but no model that this study has data for uses it; allowed are {allowed}" for name in unused
        ]
        raise PriorError("a prior would change nothing", words)


def used_models(run: RunConfig, estimates: Sequence[Estimate]) -> list[ModelSpec]:
    """Models of the run that gave a row."""
    named = {row.model for row in estimates if row.method == "bayes"}
    return [spec for spec in run.models.values() if spec.name in named]


def used_sets(run: RunConfig, study: Study, estimates: Sequence[Estimate]) -> list[PriorSet]:
    """Prior sets that some model was fitted under, with the parameters that these models have; then the models' own priors."""
    rows = [row for row in estimates if row.method == "bayes"]
    models = used_models(run, estimates)
    parameters = {name for spec in models for name in (*effects_of(spec, study), *spec.priors)}
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
