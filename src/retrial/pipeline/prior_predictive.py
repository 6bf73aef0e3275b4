"""What the priors of a run imply before the data: prior predictive distributions beside what the paper saw."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from retrial.answers import curves
from retrial.criticism.predictive import prior_draws
from retrial.data.counted import EFFECT, borrowing_data, categories_of, graded_of
from retrial.dims import ARMS
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.fit.survival_likelihood import survival_data
from retrial.frequentist.counts import benefit_sign, outcome_key
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.models.response_borrowing import control_log_prior
from retrial.pipeline.tables import EndpointTables
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.study.study import Study

DRAWS = 2000
"""Draws behind a prior predictive interval: its limits are right to about a twentieth of its width."""
COLUMNS = (
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
LOG_HAZARD_RATIO = "log_hazard_ratio"
Key = tuple[str, str, float | None, str]
"""Endpoint, quantity, time and contrast, as in `Estimate.subject`."""
Values = Iterator[tuple[Key, str, np.ndarray]]
"""Key, unit and draws."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """What the values are of; `nuisance` keeps the draws of parameters that several prior sets share."""

    run: RunConfig
    study: Study
    tables: Sequence[EndpointTables]
    nuisance: dict[tuple[object, ...], dict[str, np.ndarray]]


def prior_predictive(
    run: RunConfig, study: Study, tables: Sequence[EndpointTables], estimates: Sequence[Estimate]
) -> pd.DataFrame:
    """Medians, survival, proportions and effects that a model implies before the data, under every prior set; columns `COLUMNS`.

    `observed` is the printed or else the frequentist number, and `share_below` the prior probability of less than it: near 0 or 1, the prior
    did not expect what was seen.
    """
    seen, stage = _seen(estimates), _Stage(run, study, tables, {})
    rows = []
    for spec in run.models.values():
        for name, given in run.sets_for(spec).items():
            for (endpoint, quantity, time, contrast), unit, draws in _values(stage, spec, given):
                tail = run.questions.tail
                low, middle, high = (float(value) for value in np.quantile(draws, [tail, 0.5, 1 - tail]))
                observed = seen.get((endpoint, quantity, time, contrast), math.nan)
                below = float((draws < observed).mean()) if math.isfinite(observed) else math.nan
                rows.append((spec.name, name, endpoint, quantity, time, contrast, middle, low, high, observed, below, unit))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _seen(estimates: Sequence[Estimate]) -> dict[Key, float]:
    """Printed numbers, and frequentist ones where none is printed, unadjusted."""
    found: dict[Key, float] = {}
    for method in ("published", "frequentist"):
        for row in estimates:
            usable = row.statistic == "value" and not (row.failed or row.adjusted_for) and math.isfinite(row.point)
            if row.method == method and usable:
                found.setdefault(row.subject[:4], row.point)
    return found


def _values(stage: _Stage, spec: ModelSpec, given: PriorSet) -> Values:
    if spec.data == "life_table":
        yield from _survival(stage, spec, given)
    elif spec.data in ("counts", "historical_counts"):
        yield from _two_arms(stage, spec, given)
    elif spec.data == "categories":
        yield from _categories(stage, spec, given)
    elif spec.data == "adverse_events":
        yield from _adverse_events(stage, spec, given)


def _survival(stage: _Stage, general: ModelSpec, given: PriorSet) -> Values:
    for item in stage.tables:
        spec = general.on(item.table, item.weights)
        mine = given.over(spec.priors).for_endpoint(item.endpoint)
        if LOG_HAZARD_RATIO not in mine.priors:
            continue
        data = spec.prepare(survival_data(item.table, 0, item.recorded))
        draws = _drawn(stage, spec, data, mine, LOG_HAZARD_RATIO)
        medians = curves.median_survival(spec.hazard_of(), draws)
        months = [time for time in stage.run.questions.survival_months if time <= float(item.table.times[-1])]
        survival = curves.survival(spec.hazard_of(), draws, np.array(months))
        for index, arm in enumerate(ARMS):
            yield (item.endpoint, "median_survival", None, arm), "months", medians[:, index]
            for column, time in enumerate(months):
                yield (item.endpoint, "survival", time, arm), "probability", survival[:, index, column]
        yield (item.endpoint, "hazard_ratio", None, RATIO), "ratio", np.exp(draws[LOG_HAZARD_RATIO])


def _drawn(stage: _Stage, spec: ModelSpec, data: Any, priors: PriorSet, effect: str) -> dict[str, np.ndarray]:
    """Prior draws of a model; of sets that differ in the effect's prior only, the other parameters are the same draws."""
    own = {name: prior for name, prior in priors.priors.items() if name in spec.priors}
    stand_in = PriorSet("", {**own, effect: Prior("normal", (0.0, 1.0))})
    key = (spec.name, stage.run.seed, tuple(sorted((name, str(prior)) for name, prior in own.items())))
    if key not in stage.nuisance:
        seed = integer_seed(stage.run.seed, "prior_predictive", spec.name, "nuisance")
        stage.nuisance[key] = prior_draws(spec.build(data, stand_in), stand_in, DRAWS, np.random.default_rng(seed))
    draws = dict(stage.nuisance[key])
    rng = np.random.default_rng(integer_seed(stage.run.seed, "prior_predictive", spec.name, effect))
    values = np.asarray(priors[effect].distribution.rvs(size=draws[effect].size, random_state=rng))
    return {**draws, effect: values.reshape(draws[effect].shape)}


def _printed(read: Callable[[Study], Any], study: Study) -> Any:
    """What a model is fitted to; None where the printed counts cannot be (the fits say so)."""
    try:
        return read(study)
    except DataError:
        return None


def _both(endpoint: str, control: np.ndarray, experimental: np.ndarray) -> Values:
    yield (endpoint, "proportion", None, "control"), "probability", control
    yield (endpoint, "proportion", None, "experimental"), "probability", experimental
    yield (endpoint, "risk_difference", None, DIFFERENCE), "probability", experimental - control


def _categories(stage: _Stage, spec: ModelSpec, given: PriorSet) -> Values:
    data = _printed(categories_of, stage.study)
    if data is None or EFFECT not in given.priors or stage.study.response is None:
        return
    draws = _drawn(stage, spec, data, given.over(spec.priors), EFFECT)
    table, names = spec.probabilities_of(draws, None), list(stage.study.response.categories)
    inside = {key: [names.index(name) for name in item.of] for key, item in stage.study.response.composites.items()}
    for key, columns in {**inside, **{name: [index] for index, name in enumerate(names)}}.items():
        value = table[..., columns].sum(axis=-1)
        yield from _both(key, value[:, 0], value[:, 1])


def _adverse_events(stage: _Stage, spec: ModelSpec, given: PriorSet) -> Values:
    events = _printed(graded_of, stage.study)
    if events is None or EFFECT not in given.priors:
        return
    priors = given.over(spec.priors)
    mirrored = PriorSet(priors.name, {**priors.priors, EFFECT: priors[EFFECT].mirrored})
    table = spec.probabilities_of(_drawn(stage, spec, events, mirrored, EFFECT), events)
    # terms are exchangeable: before the data one says what all say
    for index, grade in enumerate(events.grades):
        term = int(events.known[:, index].argmax())
        yield from _both(f"adverse_events: a term, {grade}", table[:, 0, term, index], table[:, 1, term, index])


def _two_arms(stage: _Stage, spec: ModelSpec, given: PriorSet) -> Values:
    for path in stage.study.count_rows():
        key = outcome_key(path)
        main = path.startswith(("response.composites.", "binary."))
        if not main or (spec.historical is not None and spec.historical.outcome != key):
            continue
        priors = given.for_endpoint(key).over(spec.priors)
        rng = np.random.default_rng(integer_seed(stage.run.seed, "prior_predictive", spec.name, key))
        control = _control_logit(spec, stage.study, path, priors, rng)
        if "experimental_probability" in priors.priors:
            experimental = np.asarray(priors["experimental_probability"].distribution.rvs(size=DRAWS, random_state=rng))
        elif EFFECT in priors.priors:
            effect = priors[EFFECT] if benefit_sign(stage.study, path) >= 0 else priors[EFFECT].mirrored
            experimental = expit(control + np.asarray(effect.distribution.rvs(size=DRAWS, random_state=rng)))
        else:
            continue
        yield from _both(key, expit(control), experimental)


_LOGITS = np.linspace(-15.0, 15.0, 6001)


def _control_logit(spec: ModelSpec, study: Study, path: str, priors: PriorSet, rng: np.random.Generator) -> np.ndarray:
    """Draws of the control arm's logit: from its prior, or from what the earlier cohorts promise."""
    if spec.historical is not None:
        try:
            density = control_log_prior(borrowing_data(study, path, spec.historical), priors)
        except DataError:
            return np.full(DRAWS, math.nan)
        mass = np.cumsum(np.exp(density(_LOGITS)))
        return np.interp(rng.uniform(size=DRAWS), mass / mass[-1], _LOGITS)
    if "control_probability" in priors.priors:
        p = np.clip(priors["control_probability"].distribution.rvs(size=DRAWS, random_state=rng), 1e-300, 1 - 1e-16)
        return np.log(p) - np.log1p(-p)
    return np.asarray(priors["control_logit"].distribution.rvs(size=DRAWS, random_state=rng))
