"""Hazard ratios and χ² of a two-arm integer life table (compiled).

d[a, t] events and r[a, t] patients at risk, a = 0 control, 1 experimental, 2 both; β = log hazard ratio experimental / control.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import uncounted

BRESLOW, EFRON, MANTEL_HAENSZEL, OBSERVED_EXPECTED = 0, 1, 2, 3
"""Codes of the hazard ratio's estimator."""
LOG_RANK, SCORE_BRESLOW, SCORE_EFRON, WALD_BRESLOW, WALD_EFRON, RATIO_BRESLOW, RATIO_EFRON = 0, 1, 2, 3, 4, 5, 6
"""Codes of the χ² statistic."""
BETA_LIMIT = 20.0
"""|β| beyond which the partial likelihood is taken as monotone (one arm without events, or without patients at risk)."""
MANY, FAR = 12, 20.0
"""Tied events beyond which sums over them are taken in closed form, where the series' argument is at least `FAR` (error below 1e-12)."""
_STEP_LIMIT = 1.5
_STEP_END = 1e-9
_MAX_STEPS = 60


def inverses(n: int) -> np.ndarray:
    """0, 1, 1/2, ..., 1/n: divisions by counts as look-ups. The 0 lets terms without patients at risk vanish."""
    return np.concatenate([[0.0], 1.0 / np.arange(1.0, n + 1)])


@uncounted
def log_rank_sums(d: np.ndarray, r: np.ndarray, inverse: np.ndarray) -> tuple[float, float, float, float, float]:
    """O_e, E_e, E_c, hypergeometric variance V and its form without tie correction V_b (Breslow's information at β = 0).

    E_e = Σ d r_e/r, V_b = Σ d (r_e/r)(r_c/r), V = Σ d (r_e/r)(r_c/r)(r - d)/(r - 1) (Mantel 1966). `inverse` holds 1/n, see
    `inverses`.
    """
    observed, expected, total, variance, untied = 0, 0.0, 0, 0.0, 0.0
    for t in range(d.shape[1]):
        events, at_risk = d[2, t], r[2, t]
        if at_risk == 0:
            break
        share = r[1, t] * inverse[at_risk]
        observed += d[1, t]
        total += events
        expected += events * share
        spread = events * share * (1.0 - share)
        untied += spread
        variance += spread * (at_risk - events) * inverse[max(at_risk - 1, 0)]
    return 1.0 * observed, expected, total - expected, variance, untied


@uncounted
def breslow_score(d: np.ndarray, r: np.ndarray, beta: float) -> tuple[float, float]:
    """U(β) and I(β) of the Cox partial likelihood, Breslow's ties."""
    observed, expected, information, ratio = 0, 0.0, 0.0, math.exp(beta)
    for t in range(d.shape[1]):
        if r[2, t] == 0:
            break
        events = d[2, t]
        if events == 0:
            continue
        weight = r[1, t] * ratio
        share = weight / (weight + r[0, t])
        observed += d[1, t]
        expected += events * share
        information += events * share * (1.0 - share)
    return observed - expected, information


@uncounted
def harmonic_sums(top: float, n: int) -> tuple[float, float]:
    """Σ 1/(top - j) and Σ 1/(top - j)² for j = 0, ..., n - 1, top - n >= `FAR`: differences of ψ and ψ' by their asymptotic series.

    ψ(x) = log x - 1/2x - 1/12x² + 1/120x⁴ - 1/252x⁶, ψ'(x) = 1/x + 1/2x² + 1/6x³ - 1/30x⁵ + 1/42x⁷ (Abramowitz and Stegun 6.3.18, 6.4.12).
    """
    first, second = 0.0, 0.0
    for end in range(2):
        x = top + 1.0 - end * n
        sign = 1.0 if end == 0 else -1.0
        y = 1.0 / x
        z = y * y
        first += sign * (math.log(x) - 0.5 * y - z * (1.0 / 12.0 - z * (1.0 / 120.0 - z / 252.0)))
        second -= sign * (y + 0.5 * z + y * z * (1.0 / 6.0 - z * (1.0 / 30.0 - z / 42.0)))
    return first, second


@uncounted
def efron_score(d: np.ndarray, r: np.ndarray, beta: float) -> tuple[float, float]:
    """U(β) and I(β) of the Cox partial likelihood, Efron's ties: the j-th of d tied events sees j/d of the tied removed.

    The share of risk (A - j a)/(B - j b) is a/b + (A/b - a B/b²)/(B/b - j): beyond `MANY` ties its sums over j are harmonic sums.
    """
    score, information, ratio = 0.0, 0.0, math.exp(beta)
    for t in range(d.shape[1]):
        if r[2, t] == 0:
            break
        events = d[2, t]
        if events == 0:
            continue
        score += d[1, t]
        weight, other = r[1, t] * ratio, r[0, t] * 1.0
        weight_step, other_step = d[1, t] * ratio / events, d[0, t] / (1.0 * events)
        step = weight_step + other_step
        if events > MANY and (weight + other) / step - events >= FAR:
            top, level = (weight + other) / step, weight_step / step
            slope = weight / step - level * top
            first, second = harmonic_sums(top, events)
            shares = events * level + slope * first
            score -= shares
            information += shares - events * level * level - 2.0 * level * slope * first - slope * slope * second
            continue
        for _ in range(events):
            share = weight / (weight + other)
            score -= share
            information += share * (1.0 - share)
            weight -= weight_step
            other -= other_step
    return score, information


@uncounted
def cox(d: np.ndarray, r: np.ndarray, ties: int, start: float) -> tuple[float, float]:
    """β̂ and I(β̂) by Newton's method from `start`; |β̂| = `BETA_LIMIT` where the likelihood has no maximum.

    U falls in β, so each step's sign brackets the root; a step out of the bracket is replaced by bisection.
    """
    low, high, beta, information = -BETA_LIMIT, BETA_LIMIT, start, 0.0
    for _ in range(_MAX_STEPS):
        score, information = breslow_score(d, r, beta) if ties == BRESLOW else efron_score(d, r, beta)
        if score > 0.0:
            low = beta
        else:
            high = beta
        if score == 0.0 and information == 0.0:
            return 0.0, 0.0
        step = score / information
        if not abs(step) < _STEP_LIMIT:
            step = _STEP_LIMIT if score > 0.0 else -_STEP_LIMIT
        beta += step
        if not low <= beta <= high:
            beta = 0.5 * (low + high)
        elif abs(step) < _STEP_END:
            break
    return beta, information


@uncounted
def log_factors(top: float, step: float, n: int) -> float:
    """Σ log(top - j step) for j = 0, ..., n - 1, beyond `MANY` by log Γ."""
    if n > MANY and top / step - n >= FAR:
        return n * math.log(step) + math.lgamma(top / step + 1.0) - math.lgamma(top / step - n + 1.0)
    total = 0.0
    for j in range(n):
        total += math.log(top - j * step)
    return total


@uncounted
def likelihood_ratio(d: np.ndarray, r: np.ndarray, ties: int, beta: float) -> float:
    """χ² = 2 (l(β̂) - l(0)) of the Cox partial likelihood."""
    gain, ratio = 0.0, math.exp(beta)
    for t in range(d.shape[1]):
        if r[2, t] == 0:
            break
        events = d[2, t]
        if events == 0:
            continue
        weight, other = r[1, t] * ratio, r[0, t] * 1.0
        if ties == BRESLOW:
            gain += d[1, t] * beta - events * math.log((weight + other) / (r[0, t] + r[1, t]))
            continue
        step, step_null = (d[1, t] * ratio + d[0, t]) / events, 1.0
        gain += (
            d[1, t] * beta - log_factors(weight + other, step, events) + log_factors(1.0 * (r[0, t] + r[1, t]), step_null, events)
        )
    return 2.0 * gain


@uncounted
def hazard_ratio(d: np.ndarray, r: np.ndarray, inverse: np.ndarray, estimator: int, start: float) -> tuple[float, float]:
    """β̂ and its SE.

    Cox: 1/√I(β̂). Mantel-Haenszel (Peto, one step): (O - E)/V, 1/√V. Observed/expected: log((O_e/E_e)/(O_c/E_c)), √(1/E_e +
    1/E_c).
    """
    if estimator in (BRESLOW, EFRON):
        beta, information = cox(d, r, estimator, start)
        return beta, 1.0 / math.sqrt(information)
    observed, expected, expected_control, variance, _ = log_rank_sums(d, r, inverse)
    if estimator == MANTEL_HAENSZEL:
        return (observed - expected) / variance, 1.0 / math.sqrt(variance)
    observed_control = expected + expected_control - observed
    if expected == 0.0 or expected_control == 0.0:
        return np.nan, np.inf
    ratio = (observed / expected) / (observed_control / expected_control)
    se = math.sqrt(1.0 / expected + 1.0 / expected_control)
    if observed == 0.0:
        return -np.inf, se
    return math.log(ratio), se


@uncounted
def chi_square(d: np.ndarray, r: np.ndarray, inverse: np.ndarray, test: int, start: float) -> float:
    """χ² (1 df) of the log-rank test or of Cox's score, Wald or likelihood-ratio test."""
    if test in (LOG_RANK, SCORE_BRESLOW):
        observed, expected, _, variance, untied = log_rank_sums(d, r, inverse)
        return (observed - expected) ** 2 / (variance if test == LOG_RANK else untied)
    if test == SCORE_EFRON:
        score, information = efron_score(d, r, 0.0)
        return score * score / information
    ties = BRESLOW if test in (WALD_BRESLOW, RATIO_BRESLOW) else EFRON
    beta, information = cox(d, r, ties, start)
    if test in (WALD_BRESLOW, WALD_EFRON):
        return beta * beta * information
    return likelihood_ratio(d, r, ties, beta)
