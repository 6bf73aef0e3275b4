"""Reverse-Bayes on the normal model: the prior that would just undo a finding, and whether the finding withstands it.

Log scale throughout: an estimate b with standard error s and z = b / s, N(b, s^2); the interval's quantile is q (1.96 for 95 %).
"""

from __future__ import annotations

import math
from typing import Literal

from scipy.stats import norm

from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import LogRatio, contrast_of, covariates_of, effect_endpoint, log_ratio, printed_limits
from retrial.frequentist.rows import RowMaker, exp, z_quantile
from retrial.study.sections import Effect
from retrial.study.study import Study

Kind = Literal["held", "matthews"]
KINDS: tuple[Kind, ...] = ("held", "matthews")
GOLDEN_RATIO = (1 + math.sqrt(5)) / 2
MODEL = "analysis_of_credibility"


def sceptical_prior_sd(estimate: float, se: float, level: float = 0.95) -> float:
    """SD of the prior N(0, tau^2) under which the posterior's interval just touches 0: tau = s / sqrt(z^2 / q^2 - 1).

    The posterior is N(b tau^2 / (tau^2 + s^2), s^2 tau^2 / (tau^2 + s^2)) (Matthews 2001; Held 2019). A narrower prior undoes
    the finding. Raises `DataError` where the estimate's own interval holds 0: there is nothing to undo.
    """
    _needs_se(se)
    excess = (estimate / (se * z_quantile(level))) ** 2 - 1
    if excess <= 0:
        raise DataError(f"the {100 * level:g} % interval holds no effect already: no sceptical prior is needed to undo it")
    return se / math.sqrt(excess)


def sceptical_limit(lower: float, upper: float) -> float:
    """Matthews' scepticism limit of a ratio with limits (lower, upper): exp((U - L)^2 / (4 sqrt(U L))), L and U their logs.

    The critical sceptical prior puts its interval, at the same level, on (1 / limit, limit): limit = exp(q tau) with tau of
    `sceptical_prior_sd` (Matthews 2018, R Soc Open Sci 5:171047). Raises `DataError` unless both limits are on one side of 1.
    """
    low, high = _logs(lower, upper)
    if low * high <= 0:
        raise DataError(f"the interval {lower:g} to {upper:g} holds 1: no sceptical prior is needed to undo it")
    return exp((high - low) ** 2 / (4 * math.sqrt(low * high)))


def advocacy_limit(lower: float, upper: float) -> float:
    """Matthews' advocacy limit of a ratio whose interval holds 1: exp(-(U + L)(U - L)^2 / (2 U L)), L and U the limits' logs.

    A prior with its interval, at the same level, on 1 to this limit makes the posterior's interval just exclude 1: a claim of
    effect needs prior support up to it (Matthews 2018). Raises `DataError` where the interval does not hold 1, or lies
    symmetrically about it.
    """
    low, high = _logs(lower, upper)
    if low * high >= 0:
        raise DataError(f"the interval {lower:g} to {upper:g} does not hold 1 inside: no advocacy prior is needed")
    if low + high == 0:
        raise DataError("the estimate is 1: no advocacy prior favours either side")
    return exp(-(high + low) * (high - low) ** 2 / (2 * low * high))


def intrinsic_threshold(alpha: float, kind: Kind = "held") -> float:
    """Largest two-sided p of an intrinsically credible finding at level alpha: 2 (1 - Phi(q c)), q the quantile of alpha.

    c^2 = 2 after Held (2019, R Soc Open Sci 6:181534), the golden ratio after Matthews (2018): for 5 %, p = .0055746 and
    .0126629.
    """
    return float(2 * norm.sf(norm.isf(_probability(alpha, "alpha") / 2) * _factor(kind)))


def intrinsic_p(p: float, kind: Kind = "held") -> float:
    """p-value of intrinsic credibility of a two-sided p: 2 (1 - Phi(|z| / c)), c as in `intrinsic_threshold` (Held 2019)."""
    return _intrinsic_p_of_z(float(norm.isf(_probability(p, "p") / 2)), kind)


def _intrinsic_p_of_z(z: float, kind: Kind) -> float:
    return float(2 * norm.sf(abs(z) / _factor(kind)))


def credibility_estimates(study: Study) -> list[Estimate]:
    """Rows for each treatment effect of a study that has an SE (printed interval, or p).

    Where its interval excludes 1: the sceptical prior's SD (log scale, from the printed ratio and its SE) and the scepticism
    limit (from the printed limits, so that it may differ from exp(q SD) by their rounding); where it holds 1: the advocacy
    limit. Always: the p-value of intrinsic credibility after Held and after Matthews, from Wald's z. An effect without an SE
    gives one row with a failed status.
    """
    rows: list[Estimate] = []
    for key, effect in study.effects.items():
        if effect.is_treatment:
            rows += _rows(effect, key)
    return rows


def _rows(effect: Effect, key: str) -> list[Estimate]:
    endpoint = effect_endpoint(effect, key)
    try:
        log = log_ratio(effect, key)
    except DataError as error:
        why = "; ".join([error.title, *error.problems])
        return [
            RowMaker(endpoint, level=effect.level, adjusted_for=covariates_of(effect)).failed(
                "sceptical_prior_sd", contrast_of(effect), MODEL, why, "log ratio"
            )
        ]
    maker = RowMaker(endpoint, "; ".join(part for part in (log.source, log.note) if part), log.level, log.adjusted_for)
    lower, upper = printed_limits(effect) or tuple(math.exp(limit) for limit in log.limits())
    intrinsic = [
        maker.row("intrinsic_credibility_p_value", log.contrast, kind, _intrinsic_p_of_z(log.z, kind), unit="p-value")
        for kind in KINDS
    ]
    return [*_limit_rows(log, lower, upper, maker), *intrinsic]


def _limit_rows(log: LogRatio, lower: float, upper: float, maker: RowMaker) -> list[Estimate]:
    rows = []
    if abs(log.z) > z_quantile(log.level) and not log.note:
        sd = sceptical_prior_sd(log.estimate, log.se, log.level)
        rows.append(maker.row("sceptical_prior_sd", log.contrast, MODEL, sd, unit="log ratio"))
    if lower > 1 or upper < 1:
        rows.append(maker.row("sceptical_limit", log.contrast, MODEL, sceptical_limit(lower, upper), unit="ratio"))
    elif lower < 1 < upper and lower * upper != 1:
        rows.append(maker.row("advocacy_limit", log.contrast, MODEL, advocacy_limit(lower, upper), unit="ratio"))
    return rows


def _factor(kind: Kind) -> float:
    if kind not in KINDS:
        raise DataError(f"got the kind {kind!r} of intrinsic credibility; allowed are {', '.join(KINDS)}")
    return math.sqrt(2.0 if kind == "held" else GOLDEN_RATIO)


def _probability(value: float, name: str) -> float:
    if not 0 < value <= 1:
        raise DataError(f"got {name} = {value}; allowed is a number above 0 and at most 1")
    return value


def _needs_se(se: float) -> None:
    if not 0 < se < math.inf:
        raise DataError(f"got the standard error {se}; allowed is a number above 0")


def _logs(lower: float, upper: float) -> tuple[float, float]:
    if not 0 < lower < upper < math.inf:
        raise DataError(f"got the limits {lower} and {upper} of a ratio; allowed is 0 < lower < upper")
    return math.log(lower), math.log(upper)
