"""A two-arm count with historical controls: the data, the control arm's prior that they make by quadrature, and what follows from it."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import xarray as xr
from numpy.polynomial.hermite_e import hermegauss
from scipy.interpolate import CubicSpline

from retrial.answers.notes import empty_arms, joined
from retrial.answers.rows import Subject
from retrial.cells import COUNTS, binomial_counts
from retrial.data.kind import Fits, Kind, Place, Row, Values, failed_in_words, refused
from retrial.data.prior_checks import PREDICTIONS, Before
from retrial.data.two_arms import (
    EFFECT,
    TwoArms,
    answered,
    complete_counts,
    effects,
    is_main,
    predicted_counts,
    scaled_counts,
    two_arms,
)
from retrial.errors import DataError, PriorError
from retrial.estimate import Estimate
from retrial.frequentist.counts import benefit_sign, outcome_key, patients_note, source_of
from retrial.frequentist.rows import DIFFERENCE
from retrial.priors.historical import HistoricalControls, parse_historical
from retrial.priors.prior import Prior
from retrial.priors.prior_set import TOGETHER, PriorSet
from retrial.priors.two_level import binomial_studies
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

log = logging.getLogger("retrial")
COHORT, COHORT_COUNTS = "cohort", "cohort_counts"
_LOGITS = np.linspace(-15.0, 15.0, 1501)
"""Logits at which the predictive density is tabulated; a cubic spline of its logarithm lies between."""
_FINE_LOGITS = np.linspace(-15.0, 15.0, 6001)
"""Logits at which the control arm's prior is cumulated for draws of it."""
_OFFSET_NODES = 11
"""Gauss-Hermite nodes for the criteria's log odds ratio."""


@dataclass(frozen=True)
class BorrowedCounts:
    """Both arms' counts, earlier cohorts' counts, and by what multiple of the criteria's log odds ratio each cohort is shifted."""

    arms: TwoArms
    events: tuple[int, ...]
    n: tuple[int, ...]
    offsets: tuple[float, ...]
    robust_weight: float

    @property
    def structure(self) -> tuple[object, ...]:
        return ()

    def updates(self) -> dict[str, np.ndarray]:
        return {COUNTS: self.arms.counts, COHORT_COUNTS: self.cohort_counts, **self.settings()}

    def settings(self) -> dict[str, np.ndarray]:
        """What is no count."""
        return {"offsets": np.array(self.offsets, dtype=float), "robust_weight": np.array(self.robust_weight)}

    @property
    def cohort_counts(self) -> np.ndarray:
        """(outcome, cohort) patients of the earlier cohorts."""
        return binomial_counts(self.events, self.n)


@dataclass(frozen=True, eq=False)
class Predictive:
    """Meta-analytic predictive distribution of the control arm's logit; `log_density` is its logarithm at any logit."""

    log_density: Callable[[np.ndarray], np.ndarray]
    between: tuple[float, float]
    """Posterior mean and SD of the between-cohort SD."""

    def probability(self, q: float) -> float:
        """Quantile of the control arm's response probability."""
        density = np.exp(self.log_density(_LOGITS))
        cumulative = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
        return float(1 / (1 + np.exp(-np.interp(q, cumulative / cumulative[-1], _LOGITS))))


@lru_cache(maxsize=64)
def predictive(
    events: tuple[int, ...], n: tuple[int, ...], offsets: tuple[float, ...], mean: Prior, sd: Prior, criteria: Prior
) -> Predictive:
    """Density of the next control arm's logit under logit π_h = θ_h + δ d_h, θ_h ~ N(μ, τ²), δ ~ `criteria` (normal).

    δ by Gauss-Hermite quadrature, each node weighted by the cohorts' marginal likelihood there; (μ, τ) on a grid.
    """
    nodes, weights = hermegauss(_OFFSET_NODES) if any(offsets) else (np.zeros(1), np.ones(1))
    parts, between, log_evidence = [], [], []
    for node in nodes:
        delta = criteria.number("mu") + criteria.number("sigma") * node
        fit = binomial_studies(events, n, sd, mean, shift=tuple(delta * d for d in offsets))
        parts.append(fit.pdf_next(_LOGITS))
        between.append(fit.moments_tau())
        log_evidence.append(fit.log_evidence)
    share = weights * np.exp(np.array(log_evidence) - max(log_evidence))
    share /= share.sum()
    means, sds = np.array(between).T
    tau = float(share @ means)
    spline = CubicSpline(_LOGITS, np.log(np.maximum(share @ np.array(parts), np.finfo(float).tiny)))
    return Predictive(spline, (tau, float(np.sqrt(share @ (sds**2 + means**2) - tau**2))))


def settings(raw: Mapping[str, Any], key: str) -> HistoricalControls:
    """The earlier cohorts of a model, and how far it may borrow from them."""
    controls = parse_historical(raw, key)
    if controls is None:
        raise PriorError(f"cannot use {key}", [f"{key}.historical: missing; needed for data: {KIND.name}"])
    return controls


def borrowing_data(study: Study, path: str, controls: HistoricalControls) -> BorrowedCounts:
    """Both arms' counts of an outcome beside the cohorts', shifted by their criteria."""
    criteria = study.response.criteria if study.response is not None and path.startswith("response.") else ""
    arms = two_arms(study, path)
    return BorrowedCounts(arms, controls.events, controls.n, controls.offsets(criteria), controls.robust_weight)


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of the outcome that the historical controls speak of, under every prior set."""
    controls: HistoricalControls = spec.settings
    outcomes = {outcome_key(path): path for path in study.count_rows() if not path.startswith("adverse_events")}
    if controls.outcome not in outcomes:
        if outcomes:
            said = f"models.{spec.name}.historical.outcome: got {controls.outcome}"
            log.info("%s: %s; the study has %s", spec.name, said, ", ".join(outcomes))
        return Fits()
    try:
        with step(f"{spec.name}: quadrature"):
            rows = list(_borrowed(run, spec, study, outcomes[controls.outcome]))
    except DataError as error:
        return refused(spec, error)
    return Fits(rows, failures=failed_in_words(rows))


def _borrowed(run: RunConfig, spec: ModelSpec, study: Study, path: str) -> Iterator[Estimate]:
    controls: HistoricalControls = spec.settings
    data, sign = borrowing_data(study, path, controls), benefit_sign(study, path)
    source = f"{source_of(study, path, study.count_rows()[path])}; control borrows from {', '.join(controls.labels)}"
    note = joined(empty_arms(data.arms.events, data.arms.n), patients_note(study, path))
    for name, given in run.sets_for(spec).items():
        priors = given.for_endpoint(controls.outcome)
        if EFFECT not in priors.priors and not {*TOGETHER} <= set(priors.priors):
            continue
        subject = Subject(controls.outcome, DIFFERENCE, spec.name, name, source, note=note)
        complete = priors.over(spec.priors)
        joint = spec.closed_form(data, complete)
        rows = answered(subject, joint, run.questions, sign)
        yield from rows
        if not rows[0].failed:
            weight = spec.given("robust_weight")(data, complete, joint)
            yield dataclasses.replace(subject, contrast="control").limit("posterior_weight_robust", "probability", weight)


def scale(run: RunConfig, spec: ModelSpec, study: Study, _posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """As of two counts by themselves; the control arm's prior, which the earlier cohorts made, is scaled with the set's."""
    controls: HistoricalControls = spec.settings
    for path in study.count_rows():
        key, sign = outcome_key(path), benefit_sign(study, path)
        if not is_main(study, path) or controls.outcome != key:
            continue
        data = borrowing_data(study, path, controls)
        for name, given in run.sets_for(spec).items():
            priors = complete_counts(spec, given.for_endpoint(key), sign)
            if priors is not None:
                named, complete = {"endpoint": key, "model": spec.name, "prior": name}, priors.over(spec.priors)
                control = spec.given("control_log_prior")(data, complete)
                yield from scaled_counts(run, named, data.arms, priors, spec.closed_form(data, complete), control)


def predict(before: Before, spec: ModelSpec, given: PriorSet) -> Values:
    """The outcome of the cohorts."""
    controls: HistoricalControls = spec.settings
    for path in before.study.count_rows():
        key = outcome_key(path)
        if path.startswith(("response.composites.", "binary.")) and controls.outcome == key:

            def control_logit(priors: PriorSet, rng: np.random.Generator, path: str = path) -> np.ndarray:
                return _control_logit(spec, before.study, path, priors, rng)

            yield from predicted_counts(before, spec, given.for_endpoint(key).over(spec.priors), path, key, control_logit)


def _control_logit(spec: ModelSpec, study: Study, path: str, priors: PriorSet, rng: np.random.Generator) -> np.ndarray:
    """Draws of the control arm's logit from what the earlier cohorts promise."""
    try:
        density = spec.given("control_log_prior")(borrowing_data(study, path, spec.settings), priors)
    except DataError:
        return np.full(PREDICTIONS, np.nan)
    mass = np.cumsum(np.exp(density(_FINE_LOGITS)))
    return np.interp(rng.uniform(size=PREDICTIONS), mass / mass[-1], _FINE_LOGITS)


KIND = Kind(
    "cohorts",
    needed=("posterior", "robust_weight", "control_log_prior"),
    reads=("historical", "evidence"),
    effects=effects,
    fit=fit,
    settings=settings,
    predict=predict,
    scale=scale,
)
