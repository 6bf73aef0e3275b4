"""Survival models: simulated life tables fitted as the study's own are (METHODS 12), every named prior of the effect a weight of these fits."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import numpy as np

from retrial.data import life_table
from retrial.data.direction import good_endpoints
from retrial.data.life_table import on
from retrial.dims import ARM, RECONSTRUCTION, TIME
from retrial.errors import ConfigError, DataError
from retrial.fit.ensemble import EFFECT, Question, fit_ensemble
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.sensitivity.any_prior.marginal import OfTables, marginal_likelihood
from retrial.sensitivity.any_prior.on_tables import complete_sets, outermost
from retrial.sensitivity.operating.design import Design, design_of
from retrial.sensitivity.operating.rules import Row, Simulated, characteristic_rows, in_words, thresholds
from retrial.sensitivity.prior_grid import LEAST_SIZE
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.life_table import LifeTable

log = logging.getLogger("retrial")
_AT_ONCE = 50
"""Tables whose draws are collected together: some 30 MB."""


def fitted_rows(
    run: RunConfig, spec: ModelSpec, study: Study, item: EndpointTables, true_ratio: float, control_hazard: float
) -> list[Row]:
    """Rows of one scenario, a row a prior and rule; columns of operating.csv. `true_ratio` is of a bad event."""
    good = item.endpoint in good_endpoints(study)
    truth = -float(np.log(true_ratio)) if good else float(np.log(true_ratio))
    about: Row = {"endpoint": item.endpoint, "model": spec.name, "adjusted_for": "", "true_ratio": float(np.exp(truth))}
    about["control_hazard"] = control_hazard
    sets = complete_sets(run, spec, study, item.endpoint)
    try:
        design = design_of(item)
        table = _simulated(run, design, item.endpoint, float(np.exp(truth)), control_hazard)
    except DataError as error:
        words = "; ".join([str(error).splitlines()[0], *error.problems[:1]])
        told = [
            {"prior": name, "rule": in_words(x, p, good), "status": f"failed: {words}"}
            for name in sets
            for x, p in run.operating.rules
        ]
        return [about | row for row in told]
    about["events"] = float(table.events.sum([ARM, TIME]).mean(RECONSTRUCTION))
    found = _posteriors(run, spec, item, table, sets, good)
    return [
        about | {"prior": name} | row
        for name, one in found.items()
        for row in characteristic_rows(one, truth, run.operating.rules, good)
    ]


def _simulated(run: RunConfig, design: Design, endpoint: str, ratio: float, control_hazard: float) -> LifeTable:
    seed = seed_sequence(run.seed, "operating", endpoint, repr(ratio), repr(control_hazard))
    return design.simulated(ratio, control_hazard, run.operating.studies, np.random.default_rng(seed))


def _posteriors(
    run: RunConfig, spec: ModelSpec, item: EndpointTables, table: LifeTable, sets: Mapping[str, PriorSet], good: bool
) -> dict[str, Simulated]:
    """Every study's posterior under every set.

    The tables are fitted under the main set, the narrowest, and those of the lowest and highest mean; so long as a set has studies with too few
    effective draws, it is fitted too.
    """
    priors = {name: value.for_endpoint(item.endpoint)[EFFECT] for name, value in sets.items()}
    asked = list(outermost(priors))
    lent: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    while True:
        lent |= _fits(run, spec, item, table, {name: sets[name] for name in dict.fromkeys(asked)})
        found = {name: _under(run, prior, lent, priors, good) for name, prior in priors.items()}
        poor = {name: int((~one.known).sum()) for name, one in found.items() if name not in lent and not one.known.all()}
        if not poor:
            return found
        asked = [max(poor, key=lambda name: poor[name])]
        log.info("%s, %s: fitting the simulated studies under %s too", item.endpoint, spec.name, asked[0])


def _fits(
    run: RunConfig, spec: ModelSpec, item: EndpointTables, table: LifeTable, sets: Mapping[str, PriorSet]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Draws of the effect (table, draw) under each set, and which fits passed (table,)."""
    weights = np.full(table.n_reconstructions, 1 / table.n_reconstructions)
    own = on(spec, item.table, item.weights, item.recorded)
    question = Question(item.endpoint, table, weights, item.recorded, own.prepare)
    content = (run.seed, "operating")
    (fitted,) = fit_ensemble(spec.name, own.build, [question], sets, run.sampler_for(spec), run.limits, content)
    return {
        name: (
            np.stack([fit.values[EFFECT].ravel() for fit in fits]),
            np.array([health.status == "ok" for health in fitted.diagnostics[name]]),
        )
        for name, fits in fitted.draws.items()
    }


def _under(
    run: RunConfig,
    prior: Prior,
    lent: Mapping[str, tuple[np.ndarray, np.ndarray]],
    priors: Mapping[str, Prior],
    good: bool,
) -> Simulated:
    """Posteriors under one prior from the draws of all sets that were fitted."""
    passed = np.all([ok for _, ok in lent.values()], axis=0)
    draws = np.stack([values for values, _ in lent.values()])
    at, half = np.concatenate(thresholds(run.operating.rules, good)), len(run.operating.rules)
    parts: list[OfTables] = []
    for start in range(0, draws.shape[1], _AT_ONCE):
        some = draws[:, start : start + _AT_ONCE]
        likelihood = marginal_likelihood(some, np.zeros(some.shape, int), [priors[name] for name in lent], np.ones(some.shape[1]))
        parts.append(likelihood.of_tables(prior, at, run.questions.tail))
    lower, median, upper, below, size = (
        np.concatenate([getattr(part, name) for part in parts], axis=-1) for name in ("lower", "median", "upper", "below", "size")
    )
    first, second = below[:half], below[half:]
    benefit, harm = (1 - first, second) if good else (first, 1 - second)
    return Simulated(lower, median, upper, benefit, harm, passed & (size >= LEAST_SIZE))


def known_models(run: RunConfig) -> list[ModelSpec]:
    """Models that are fitted to life tables: those that `operating.models` may name."""
    return [spec for spec in run.models.values() if spec.kind is life_table.KIND]


def models_of(run: RunConfig) -> list[ModelSpec]:
    """Those that are named, or the first. Raises `ConfigError` for a name that is none of them."""
    known = known_models(run)
    names = [spec.name for spec in known]
    if unknown := [name for name in run.operating.models if name not in names]:
        problem = f"operating.models: got {', '.join(unknown)}; allowed are {', '.join(names) or 'none in this run'}"
        raise ConfigError("cannot use the configuration", [problem])
    return [spec for spec in known if spec.name in run.operating.models] if run.operating.models else known[:1]


def scenarios(run: RunConfig) -> Iterator[tuple[float, float]]:
    """True ratios with every factor of the control arm's hazard."""
    return ((ratio, hazard) for hazard in run.operating.control_hazards for ratio in run.operating.true_ratios)
