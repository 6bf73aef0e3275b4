"""E-values: how strong unmeasured confounding must be to explain an effect away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import (
    contrast_of,
    covariates_of,
    effect_endpoint,
    effect_source,
    is_inverted,
    log_ratio,
    printed_limits,
)
from retrial.frequentist.rows import RowMaker
from retrial.study.sections import Effect
from retrial.study.study import Study

Measure = Literal["risk_ratio", "odds_ratio", "hazard_ratio"]
COMMON_OUTCOME = 0.15
"""Outcomes of more than 15 % by the end of follow-up are common: an odds or hazard ratio is then not close to a risk ratio."""
MODEL = "e_value"


@dataclass(frozen=True, slots=True)
class EValue:
    """E-value of an estimate, and of its confidence limit nearest to 1: 1 where the interval holds 1, NaN where there is none."""

    point: float
    limit: float


def as_risk_ratio(ratio: float, measure: Measure, common: bool) -> float:
    """Approximate risk ratio of a ratio (VanderWeele and Ding 2017, Ann Intern Med 167:268, table 2).

    A risk ratio is itself. For a rare outcome odds and hazard ratios are taken as they are; for a common one an odds ratio
    becomes sqrt(OR), and a hazard ratio (1 - 0.5^sqrt(HR)) / (1 - 0.5^sqrt(1/HR)). Raises `DataError` unless the ratio is
    above 0 and finite.
    """
    if not 0 < ratio < math.inf:
        raise DataError(f"got the ratio {ratio}; allowed is a number above 0")
    if measure == "risk_ratio" or not common:
        return ratio
    if measure == "odds_ratio":
        return math.sqrt(ratio)
    return math.expm1(-math.sqrt(ratio) * math.log(2)) / math.expm1(-math.sqrt(1 / ratio) * math.log(2))


def e_value(risk_ratio: float) -> float:
    """E = RR + sqrt(RR (RR - 1)), with 1/RR for a ratio below 1 (VanderWeele and Ding 2017).

    Least risk ratio that an unmeasured confounder must have with both treatment and outcome, given the measured covariates, to
    produce the observed ratio without an effect. Raises `DataError` unless the ratio is above 0 and finite.
    """
    if not 0 < risk_ratio < math.inf:
        raise DataError(f"got the risk ratio {risk_ratio}; allowed is a number above 0")
    away = max(risk_ratio, 1 / risk_ratio)
    return away + math.sqrt(away * (away - 1))


def e_values(
    estimate: float, lower: float = math.nan, upper: float = math.nan, measure: Measure = "risk_ratio", common: bool = True
) -> EValue:
    """E-values of a ratio and of its interval (lower, upper), converted by `as_risk_ratio` first.

    Raises `DataError` for ratios that are not above 0 or limits upside down.
    """
    point = e_value(as_risk_ratio(estimate, measure, common))
    if math.isnan(lower) or math.isnan(upper):
        return EValue(point, math.nan)
    if lower > upper:
        raise DataError(f"got the limits {lower} and {upper}; allowed is lower <= upper")
    if lower <= 1 <= upper:
        return EValue(point, 1.0)
    return EValue(point, e_value(as_risk_ratio(lower if lower > 1 else upper, measure, common)))


def outcome_is_common(study: Study, effect: Effect) -> bool | None:
    """Whether more than 15 % of all patients had the effect's endpoint; None where the study file does not say."""
    endpoint = study.endpoints.get(effect.endpoint)
    n = study.n("total")
    if endpoint is None or n is None:
        return None
    events = endpoint.events
    if events.total is not None:
        return int(events.total.n) > COMMON_OUTCOME * n
    if events.control is not None and events.experimental is not None:
        return int(events.control) + int(events.experimental) > COMMON_OUTCOME * n
    return None


def e_value_estimates(study: Study, common: bool | None = None) -> list[Estimate]:
    """Two rows for each treatment effect of a study: the E-value of the printed ratio, and that of its limit nearest 1.

    `common` says whether the outcome is common; where None, the study's event counts decide, and without them it is taken as
    common, which gives the smaller E-value. Limits are the printed ones, or those that the printed p implies; without either,
    only the first row.
    """
    rows = []
    for key, effect in study.effects.items():
        if effect.is_treatment:
            decided = outcome_is_common(study, effect) if common is None else common
            rows += _rows(effect, key, decided)
    return rows


def _rows(effect: Effect, key: str, common: bool | None) -> list[Estimate]:
    point, lower, upper = _oriented(effect, key)
    values = e_values(point, lower, upper, effect.measure, common is not False)
    source = "; ".join([effect_source(effect, key), _scale(effect, common)])
    maker = RowMaker(effect_endpoint(effect, key), source, effect.level, covariates_of(effect))
    contrast = contrast_of(effect)
    rows = [maker.row("e_value", contrast, MODEL, values.point, unit="ratio")]
    if not math.isnan(values.limit):
        rows.append(maker.row("e_value_of_confidence_limit", contrast, MODEL, values.limit, unit="ratio"))
    return rows


def _oriented(effect: Effect, key: str) -> tuple[float, float, float]:
    """The ratio and its limits, experimental / control; limits NaN where nothing implies them."""
    point = 1 / effect.estimate.value if is_inverted(effect) else effect.estimate.value
    limits = printed_limits(effect)
    try:
        log = log_ratio(effect, key)
    except DataError:
        return point, math.nan, math.nan
    lower, upper = limits if limits is not None else tuple(math.exp(limit) for limit in log.limits())
    return point, lower, upper


def _scale(effect: Effect, common: bool | None) -> str:
    if effect.measure == "risk_ratio":
        return "risk ratio"
    kind = "common" if common else "rare" if common is not None else "outcome's frequency unknown, taken as common"
    return f"{effect.measure.replace('_', ' ')} as an approximate risk ratio, {kind}{' outcome' if common is not None else ''}"
