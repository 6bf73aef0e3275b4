"""Priors that are counted in standard errors, once these are known; and every prior's own probabilities at the thresholds."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from retrial.data.direction import is_good
from retrial.data.ratio import chosen, prior_of
from retrial.data.two_arms import EFFECT as OF_COUNTS
from retrial.errors import DataError
from retrial.frequentist.counts import benefit_sign, outcome_key, two_by_two
from retrial.frequentist.ratios import LogRatio, effect_endpoint, log_ratio
from retrial.frequentist.rows import CONFIDENCE_LEVEL
from retrial.frequentist.two_by_two import odds_ratio
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import LOG_HAZARD_RATIO
from retrial.priors.signal_to_noise import in_units
from retrial.run_config import RunConfig
from retrial.study.study import Study

log = logging.getLogger("retrial")
Row = dict[str, Any]
AS_STATED, MIRRORED, IN_ERRORS = "as stated", "mirrored", "in standard errors"
_COUNTED = ("response.", "binary.")


def in_standard_errors(run: RunConfig, study: Study) -> RunConfig:
    """The run with priors of signal-to-noise ratios turned into priors of the effects, endpoint by endpoint.

    An endpoint's standard error is that of its printed unadjusted ratio, else √(1/d_c + 1/d_e) of its deaths; an outcome's that of its odds
    ratio. A set says nothing of an endpoint without one. `study` as the audit lets it be used.
    """
    if study.one_arm or not any(given.signal_to_noise for given in run.priors.values()):
        return run
    errors = {LOG_HAZARD_RATIO.name: _of_endpoints(study), OF_COUNTS: _of_outcomes(study)}
    return dataclasses.replace(run, priors={name: _turned(given, errors) for name, given in run.priors.items()})


def _turned(given: PriorSet, errors: Mapping[str, Mapping[str, tuple[float, str]]]) -> PriorSet:
    own: dict[str, dict[str, Prior]] = {key: dict(priors) for key, priors in given.by_endpoint.items()}
    for parameter, ratio in given.signal_to_noise.items():
        for key, (se, of) in errors[parameter].items():
            own.setdefault(key, {})[parameter] = in_units(ratio, se, of)
    return dataclasses.replace(given, by_endpoint=MappingProxyType(own))


def _of_endpoints(study: Study) -> dict[str, tuple[float, str]]:
    """Standard error of each endpoint's log hazard ratio, and whose it is."""
    found: dict[str, tuple[float, str]] = {}
    for key, endpoint in study.endpoints.items():
        deaths = (endpoint.events.control, endpoint.events.experimental)
        if all(deaths) and all(int(count) > 0 for count in deaths if count is not None):
            found[key] = math.sqrt(sum(1 / int(count) for count in deaths if count is not None)), f"the events of {key}"
    for name, effect in study.effects.items():
        if (
            effect.is_treatment
            and effect.measure == "hazard_ratio"
            and not effect.adjusted_for
            and effect.endpoint in study.endpoints
        ):
            try:
                found[effect.endpoint] = log_ratio(effect, name).se, f"effects.{name}"
            except DataError:
                continue
    for key in study.endpoints:
        if key not in found:
            log.info("endpoints.%s: no standard error is printed; priors in standard errors say nothing of it", key)
    return found


def _of_outcomes(study: Study) -> dict[str, tuple[float, str]]:
    """Standard error of each outcome's log odds ratio; 0.5 is added to each cell where one is empty."""
    found = {}
    for path, row in study.count_rows().items():
        if path.startswith(_COUNTED):
            try:
                found[outcome_key(path)] = odds_ratio(two_by_two(study, path, row), CONFIDENCE_LEVEL).se_log, path
            except DataError:
                continue  # nobody or everybody has the outcome
    return found


def prior_probabilities(run: RunConfig, study: Study) -> list[Row]:
    """Rows of every prior on every treatment ratio and outcome that it is used on; columns of prior_probabilities.csv."""
    return [*_of_ratios(run, study), *_of_counts(run, study)]


def _of_ratios(run: RunConfig, study: Study) -> Iterator[Row]:
    for key, effect, data in chosen(run, study):
        if not effect.is_treatment:
            continue
        for name, given in run.priors.items():
            prior = prior_of(given, study, key)
            if prior is not None:
                stated = given.for_endpoint(effect.endpoint or "").priors.get(_parameter(data))
                about = {
                    "endpoint": effect_endpoint(effect, key),
                    "adjusted_for": data.adjusted_for,
                    "measure": data.measure,
                    "direction": _direction(is_good(study, key)),
                    "prior": name,
                    "used": _used(given, _parameter(data), prior, stated),
                }
                yield from _thresholds(run, about, prior)


def _parameter(data: LogRatio) -> str:
    return LOG_HAZARD_RATIO.name if data.measure == "hazard_ratio" else OF_COUNTS


def _of_counts(run: RunConfig, study: Study) -> Iterator[Row]:
    for path in study.count_rows() if not study.one_arm else ():
        if not path.startswith(_COUNTED):
            continue
        key, sign = outcome_key(path), benefit_sign(study, path)
        for name, given in run.priors.items():
            stated = given.for_endpoint(key).priors.get(OF_COUNTS)
            if stated is None or (sign == 0 and not stated.is_symmetric):
                continue
            prior = stated if sign >= 0 or stated.is_symmetric else stated.mirrored
            about = {
                "endpoint": key,
                "adjusted_for": "",
                "measure": "odds_ratio",
                "direction": _direction(None if sign == 0 else sign > 0),
                "prior": name,
                "used": _used(given, OF_COUNTS, prior, stated),
            }
            yield from _thresholds(run, about, prior)


def _direction(good: bool | None) -> str:
    return "" if good is None else "good" if good else "bad"


def _used(given: PriorSet, parameter: str, prior: Prior, stated: Prior | None) -> str:
    return IN_ERRORS if parameter in given.signal_to_noise else AS_STATED if prior == stated else MIRRORED


def _thresholds(run: RunConfig, about: Row, prior: Prior) -> Iterator[Row]:
    questions, distribution = run.questions, prior.distribution
    moments = {"mean": float(distribution.mean()), "sd": float(distribution.std())}
    below = {edge: float(distribution.cdf(math.log(edge))) for edge in (*questions.below, *questions.above)}
    asked = [
        *(("below", edge, math.nan, below[edge]) for edge in questions.below),
        *(("above", edge, math.nan, 1 - below[edge]) for edge in questions.above),
        *(
            ("between", *pair, float(distribution.cdf(math.log(pair[1])) - distribution.cdf(math.log(pair[0]))))
            for pair in questions.between
        ),
    ]
    for event, low, high, chance in asked:
        yield {**about, **moments, "event": event, "threshold": low, "threshold_upper": high, "probability": chance}
