"""Printed ratios with their intervals: a normal likelihood of the log ratio, for adjusted ratios the only data that anybody outside has."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from retrial.answers.comparison.bayes_factors import factor_rows, says_something
from retrial.answers.rows import Subject, ratio_rows
from retrial.data.direction import is_good
from retrial.data.kind import Fits, Kind, Place, Row, failed_in_words
from retrial.data.prior_checks import CHAINS, DRAWS, scaled_row, scaling_seed
from retrial.errors import DataError, FitError
from retrial.estimate import Estimate
from retrial.fit.evidence import log_normal_evidence
from retrial.frequentist.ratios import LogRatio, effect_endpoint, log_ratio
from retrial.priors.implied.conflict import conflict
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO
from retrial.priors.signal_to_noise import in_units
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.effects import Effect
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

log = logging.getLogger("retrial")
HAZARD_RATIO = "hazard_ratio"
_GRID, _TAIL = 8001, 1e-6
"""Points of a posterior's CDF, and the probability left off at either end."""
_CELL = 0.01
"""Most probability between two of these points; a spike beside wide tails gets more points."""


def parameter_of(effect: Effect) -> str:
    """The parameter whose prior speaks of a printed ratio: risk ratios take that of odds ratios."""
    return LOG_HAZARD_RATIO.name if effect.measure == HAZARD_RATIO else LOG_ODDS_RATIO.name


def effects(study: Study) -> tuple[str, ...]:
    """Of the ratios that the study prints."""
    return tuple(sorted({parameter_of(effect) for effect in study.effects.values()}))


def chosen(run: RunConfig, study: Study) -> Iterator[tuple[str, Effect, LogRatio]]:
    """Key, effect and log ratio of what a run asks for; without those that have no interval and no p: nothing to update there."""
    for key, effect in study.effects.items():
        if run.endpoints and effect.endpoint and effect.endpoint not in run.endpoints:
            continue
        try:
            yield key, effect, log_ratio(effect, key)
        except DataError:
            continue  # the frequentist rows say so with the missing key


def prior_of(priors: PriorSet, study: Study, key: str) -> Prior | None:
    """A set's prior of a printed ratio, turned to its event: priors of hazard ratios speak of a bad event, of odds ratios of a good one.

    A belief in the treatment's benefit says nothing of a prognostic factor, and nothing of an event that may be good or bad; what treatments
    have done in other trials, in standard errors, says nothing of a prognostic factor either. Raises `DataError` where the ratio has no SE.
    """
    effect = study.effects[key]
    ratio = priors.signal_to_noise.get(parameter_of(effect))
    if ratio is not None:
        return in_units(ratio, log_ratio(effect, key).se, f"effects.{key}") if effect.is_treatment else None
    given = priors.for_endpoint(effect.endpoint or "").priors.get(parameter_of(effect))
    if given is None or given.is_symmetric:
        return given
    good = is_good(study, key)
    if good is None or not effect.is_treatment:
        return None
    return given if good == (effect.measure != HAZARD_RATIO) else given.mirrored


def direction_note(priors: PriorSet, study: Study, key: str) -> str:
    """Which way a prior that favours an arm was used, where the file does not say `good` and the measure alone does not tell."""
    effect = study.effects[key]
    given, good = priors.for_endpoint(effect.endpoint or "").priors.get(parameter_of(effect)), is_good(study, key)
    if given is None or given.is_symmetric or good is None or (effect.measure == HAZARD_RATIO and not good):
        return ""
    return f"prior of a benefit, for {'a good' if good else 'a bad'} event" + ("" if effect.good is not None else " by its name")


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of every printed ratio under every prior set; ratios of which nothing says whether more is better are named."""
    undirected = [key for key, effect, _ in chosen(run, study) if effect.is_treatment and is_good(study, key) is None]
    for name, priors in run.sets_for(spec).items() if undirected else ():
        if any((prior := priors.priors.get(parameter_of(study.effects[key]))) and not prior.is_symmetric for key in undirected):
            keys = ", ".join(f"effects.{key}.good" for key in undirected)
            log.info("%s: missing (true or false); not analysed under the prior %s, which favours an arm", keys, name)
    with step(f"{spec.name}: closed form"):
        rows = [row for key, _, data in chosen(run, study) for row in _ratio(run, spec, study, key, data)]
    return Fits(rows, failures=failed_in_words(rows))


def lacking_of(run: RunConfig, spec: ModelSpec, study: Study) -> Iterator[str]:
    """What a printed ratio lacks for its posterior, by key: a precision, or which way its event is good under a prior that favours an arm."""
    for key, effect in study.effects.items():
        try:
            log_ratio(effect, key)
        except DataError as error:
            yield from error.problems
            continue
        for name, priors in run.sets_for(spec).items():
            if effect.is_treatment and priors.speaks_of(parameter_of(effect)) and prior_of(priors, study, key) is None:
                yield f"effects.{key}.good: missing; needed is true or false under the prior {name}, which favours an arm"


def _ratio(run: RunConfig, spec: ModelSpec, study: Study, key: str, data: LogRatio) -> Iterator[Estimate]:
    effect = study.effects[key]
    for name, priors in run.sets_for(spec).items():
        if (prior := prior_of(priors, study, key)) is not None:
            endpoint = effect_endpoint(effect, key)
            note = "; ".join(part for part in (direction_note(priors, study, key), data.note) if part)
            subject = Subject(endpoint, data.contrast, spec.name, name, data.source, note=note, adjusted_for=data.adjusted_for)
            try:
                yield from ratio_rows(subject, effect.measure, spec.closed_form(data, prior), run.questions)
                if effect.is_treatment and says_something(prior):
                    yield from _factors(run, subject, data, prior)
            except FitError as error:
                failed = dataclasses.replace(subject, status=f"failed: {error}")
                yield failed.row(effect.measure, "ratio", math.nan, run.questions, (math.nan, math.nan))


def _factors(run: RunConfig, subject: Subject, data: LogRatio, prior: Prior) -> Iterator[Estimate]:
    """Bayes factors for an effect against none, in closed form: N(y; 0, s²) is the evidence of none."""
    log_factor = log_normal_evidence(prior, data.estimate, data.se) - stats.norm.logpdf(data.estimate, 0.0, data.se)
    yield from factor_rows(subject, np.array([log_factor]), np.ones(1), run.questions)


def scale(run: RunConfig, spec: ModelSpec, study: Study, _posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """Printed ratios of the treatment: evenly spaced quantiles of the posterior in random order."""
    for key, effect, data in chosen(run, study):
        if not effect.is_treatment:
            continue
        for name, priors in run.sets_for(spec).items():
            if (prior := prior_of(priors, study, key)) is None:
                continue
            try:
                posterior = spec.closed_form(data, prior)
            except FitError:
                continue  # the estimates name the posterior that does not fit on its grid
            draws = _quantiles(posterior, scaling_seed(run, key, name))
            named = {
                "endpoint": effect_endpoint(effect, key),
                "quantity": f"log_{effect.measure}",
                "contrast": data.contrast,
                "adjusted_for": data.adjusted_for,
            }
            likelihood = -0.5 * ((draws - data.estimate) / data.se) ** 2
            yield scaled_row({**named, "model": spec.name, "prior": name}, draws, prior.distribution.logpdf(draws), likelihood)


def _quantiles(posterior: Any, seed: int) -> np.ndarray:
    """Evenly spaced quantiles, (draw,), by inverting the CDF on a grid."""
    low, high = (float(posterior.ppf(q)) for q in (_TAIL, 1 - _TAIL))
    x = np.linspace(low, high, _GRID)
    cdf = posterior.cdf(x)
    while (full := np.flatnonzero((np.diff(cdf) > _CELL) & (np.diff(x) > 4 * np.spacing(np.abs(x[1:]))))).size:
        x = np.union1d(x, np.linspace(x[full], x[full + 1], _GRID // 100))
        cdf = posterior.cdf(x)
    q = (np.arange(CHAINS * DRAWS) + 0.5) / (CHAINS * DRAWS)
    return np.random.default_rng(seed).permutation(np.interp(q, cdf, x))


def conflicts(run: RunConfig, study: Study) -> Iterator[Row]:
    """Printed hazard ratios against every prior set."""
    for key, effect, data in chosen(run, study):
        if effect.measure != HAZARD_RATIO:
            continue
        named = {
            "endpoint": effect_endpoint(effect, key),
            "contrast": data.contrast,
            "adjusted_for": data.adjusted_for,
            "orientation": "",
            "measure": LOG_HAZARD_RATIO.name,
        }
        for name, priors in run.priors.items():
            if (prior := prior_of(priors, study, key)) is not None:
                yield {**named, "prior": name, **conflict(prior, data.estimate, data.se)}


KIND = Kind("ratio", needed=("posterior",), effects=effects, fit=fit, scale=scale, conflict=conflicts, lacks=lacking_of)
