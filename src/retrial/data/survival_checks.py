"""What is said of fitted survival models beside their answers: leave-one-out scores, predictive bands, and what the tables leave open."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.criticism.ensemble import (
    PREDICTIVE_DRAWS,
    QUANTILES,
    ModelCriticism,
    criticise,
    mean_pit,
    posterior_studies,
    prior_studies,
)
from retrial.criticism.predictive import prior_draws, scheme_of
from retrial.criticism.summary import pit_rows
from retrial.criticism.variance import variance_split
from retrial.data.kind import Row
from retrial.dims import ARMS, PREDICTIVES
from retrial.fit.engine import Draws
from retrial.fit.ensemble import EFFECT, Fitted, Question
from retrial.fit.survival.likelihood import survival_data
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.tables.endpoint import EndpointTables

_CURVE_DRAWS, _ALL_CURVE_DRAWS = 400, 8000
"""Draws a table behind its mean restricted survival: their Monte Carlo error adds a quarter of a percent to the share between tables;
and of all tables together at least, so that the total SD is right to a percent where there is one table."""


@dataclasses.dataclass(frozen=True, eq=False)
class Criticised:
    """What is kept of one endpoint's fits by one model: scores table by table, LOO-PIT rows, bands (predictive, arm, quantile, time)."""

    criticism: ModelCriticism
    pit: list[dict[str, object]]
    bands: np.ndarray
    times: np.ndarray
    status: str


def main_prior(run: RunConfig, fitted: Fitted) -> str:
    """The main prior; the first fitted one where it does not speak of this endpoint."""
    return run.main_prior if run.main_prior in fitted.draws else next(iter(fitted.draws))


def criticised(
    run: RunConfig, complete: Mapping[str, PriorSet], spec: ModelSpec, fitted: Fitted, question: Question
) -> Criticised:
    """Criticise one model under the main prior (the first fitted one, where the main prior does not speak of this endpoint)."""
    prior = main_prior(run, fitted)
    hazard = spec.hazard_of()
    criticism = criticise(hazard, fitted, prior, question)
    priors = complete[prior].for_endpoint(question.endpoint)
    # the model is built, never compiled: it only names its parameters
    model = spec.build(spec.prepare(survival_data(question.table, 0, question.recorded)), priors)
    content = (run.study_file.stem, question.endpoint, spec.name, prior)
    before, after = (np.random.default_rng(seed_sequence(run.seed, *content, name)) for name in PREDICTIVES)
    studies = [
        prior_studies(hazard, prior_draws(model, priors, PREDICTIVE_DRAWS, before), question, before),
        posterior_studies(hazard, fitted, prior, question, after),
    ]
    times = scheme_of(question.table, question.recorded).times
    nothing = np.full((len(QUANTILES), len(ARMS), times.size), np.nan)
    bands = np.stack([nothing if found is None else np.quantile(found, QUANTILES, axis=0) for found in studies])
    pit = pit_rows(criticism, mean_pit(criticism, question.recorded))
    return Criticised(criticism, pit, bands, times, fitted.status(prior))


def variance_rows(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables) -> list[Row]:
    """Splits of the log hazard ratio under every prior set, and of the difference in restricted means under the main one.

    Where hazards are not proportional the ratio is that at the middle one of `answers.survival_months` within the follow-up. What is said of
    a time is said of the tables that are followed until then.
    """
    readings, designs = item.hypotheses
    main = main_prior(run, fitted)
    follow_up = FollowUp.of(item.table, item.weights)
    times, horizon = follow_up.times(run.questions), follow_up.horizon(run.questions)
    rows = []
    for prior, fits in fitted.draws.items():
        values: dict[tuple[str, float], list[np.ndarray]] = {}
        if spec.proportional:
            values[EFFECT, math.nan] = [fit.values[EFFECT].ravel() for fit in fits]
        else:
            at = times[len(times) // 2]
            values[EFFECT, at] = [_log_hazard_ratio(spec, _some_draws(fit, len(fits)), at) for fit in fits]
        if prior == main:
            values["rmst_difference", horizon] = [_rmst_difference(spec, _some_draws(fit, len(fits)), horizon) for fit in fits]
        for (quantity, time), draws in values.items():
            kept = np.flatnonzero(follow_up.reaching(0.0 if math.isnan(time) else time))
            split = variance_split(
                [draws[i] for i in kept], item.weights[kept], [readings[i] for i in kept], [designs[i] for i in kept]
            )
            named = {"endpoint": item.endpoint, "model": spec.name, "prior": prior, "quantity": quantity, "time": time}
            numbers = {"total_sd": split.total_sd, **split.shares}
            about = {"tables": len(kept), "status": fitted.status(prior), "design": "", "shift": math.nan}
            rows.append({**named, **numbers, **about})
    return rows


def _rmst_difference(spec: ModelSpec, draws: dict[str, np.ndarray], horizon: float) -> np.ndarray:
    means = curves.rmst(spec.hazard_of(), draws, horizon)
    return means[:, 1] - means[:, 0]


def _log_hazard_ratio(spec: ModelSpec, draws: dict[str, np.ndarray], time: float) -> np.ndarray:
    return curves.log_hazard_ratio(spec.hazard_of(), draws, np.array([time]))[:, 0]


def _some_draws(fit: Draws, tables: int) -> dict[str, np.ndarray]:
    size = fit.diverging.size
    kept = np.linspace(0, size - 1, min(size, max(_CURVE_DRAWS, _ALL_CURVE_DRAWS // tables))).round().astype(int)
    return {name: value.reshape(-1, *value.shape[2:])[kept] for name, value in fit.values.items()}
