"""Printed ratios with their intervals: a normal likelihood of the log ratio, for adjusted ratios the only data that anybody outside has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from retrial.answers.rows import Subject, ratio_rows
from retrial.data.kind import Fits, Kind, Place, Row, failed_in_words
from retrial.data.prior_checks import CHAINS, DRAWS, scaled_row, scaling_seed
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import LogRatio, contrast_of, effect_endpoint, log_ratio
from retrial.frequentist.rows import RATIO
from retrial.priors.implied.conflict import conflict
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.progress import step
from retrial.study.effects import Effect
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

HAZARD_RATIO = "hazard_ratio"
_GRID, _TAIL = 8001, 1e-6
"""Points of a posterior's CDF, and the probability left off at either end."""


def parameter_of(effect: Effect) -> str:
    """The parameter whose prior speaks of a printed ratio: risk ratios take that of odds ratios."""
    return LOG_HAZARD_RATIO.name if effect.measure == HAZARD_RATIO else LOG_ODDS_RATIO.name


def effects(study: Study) -> tuple[str, ...]:
    """Of the ratios that the study prints; of both where it prints none."""
    printed = sorted({parameter_of(effect) for effect in study.effects.values()})
    return tuple(printed) or (LOG_HAZARD_RATIO.name, LOG_ODDS_RATIO.name)


def chosen(run: RunConfig, study: Study) -> Iterator[tuple[str, Effect, LogRatio]]:
    """Key, effect and log ratio of what a run asks for; without those that have no interval and no p: nothing to update there."""
    for key, effect in study.effects.items():
        if run.endpoints and effect.endpoint and effect.endpoint not in run.endpoints:
            continue
        try:
            yield key, effect, log_ratio(effect, key)
        except DataError:
            continue  # the frequentist rows say so with the missing key


def prior_of(priors: PriorSet, effect: Effect) -> Prior | None:
    """A set's prior of a printed ratio; a belief in the treatment's benefit says nothing of a prognostic factor."""
    given = priors.for_endpoint(effect.endpoint or "").priors.get(parameter_of(effect))
    of_treatment = contrast_of(effect).startswith(RATIO)
    return given if given is not None and (of_treatment or given.is_symmetric) else None


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of every printed ratio under every prior set."""
    with step(f"{spec.name}: closed form"):
        rows = [row for key, effect, data in chosen(run, study) for row in _ratio(run, spec, key, effect, data)]
    return Fits(rows, failures=failed_in_words(rows))


def _ratio(run: RunConfig, spec: ModelSpec, key: str, effect: Effect, data: LogRatio) -> Iterator[Estimate]:
    for name, priors in run.sets_for(spec).items():
        if (prior := prior_of(priors, effect)) is not None:
            subject = Subject(effect_endpoint(effect, key), contrast_of(effect), spec.name, name, data.source)
            yield from ratio_rows(subject, effect.measure, spec.closed_form(data, prior), run.questions)


def scale(run: RunConfig, spec: ModelSpec, study: Study, _posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """Printed ratios of the treatment: evenly spaced quantiles of the posterior in random order."""
    for key, effect, data in chosen(run, study):
        if not contrast_of(effect).startswith(RATIO):
            continue
        for name, priors in run.sets_for(spec).items():
            if (prior := prior_of(priors, effect)) is None:
                continue
            draws = _quantiles(spec.closed_form(data, prior), scaling_seed(run, key, name))
            named = {
                "endpoint": effect_endpoint(effect, key),
                "quantity": f"log_{effect.measure}",
                "contrast": contrast_of(effect),
            }
            likelihood = -0.5 * ((draws - data.estimate) / data.se) ** 2
            yield scaled_row({**named, "model": spec.name, "prior": name}, draws, prior.distribution.logpdf(draws), likelihood)


def _quantiles(posterior: Any, seed: int) -> np.ndarray:
    """Evenly spaced quantiles, (draw,), by inverting the CDF on a grid."""
    low, high = (float(posterior.ppf(q)) for q in (_TAIL, 1 - _TAIL))
    x = np.linspace(low, high, _GRID)
    q = (np.arange(CHAINS * DRAWS) + 0.5) / (CHAINS * DRAWS)
    return np.random.default_rng(seed).permutation(np.interp(q, posterior.cdf(x), x))


def conflicts(run: RunConfig, study: Study) -> Iterator[Row]:
    """Printed hazard ratios against every prior set."""
    for key, effect, data in chosen(run, study):
        if effect.measure != HAZARD_RATIO:
            continue
        named = {"endpoint": effect_endpoint(effect, key), "contrast": contrast_of(effect), "measure": LOG_HAZARD_RATIO.name}
        for name, priors in run.priors.items():
            if (prior := prior_of(priors, effect)) is not None:
                yield {**named, "prior": name, **conflict(prior, data.estimate, data.se)}


KIND = Kind("ratio", needed=("posterior",), effects=effects, fit=fit, scale=scale, conflict=conflicts)
