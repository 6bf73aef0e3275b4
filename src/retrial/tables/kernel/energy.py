"""Distance of a life table from agreement with everything printed (compiled); 0 if and only if it agrees.

Statistics read columns (`retrial.tables.kernel.entries`): grid index t, events d and patients at risk r at the times with events.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.comparison import (
    BRESLOW,
    EFRON,
    LOG_RANK,
    MANTEL_HAENSZEL,
    OBSERVED_EXPECTED,
    RATIO_BRESLOW,
    SCORE_BRESLOW,
    SCORE_EFRON,
    WALD_BRESLOW,
    WALD_EFRON,
    cox,
    efron_score,
    likelihood_ratio,
    log_rank_sums,
)
from retrial.tables.kernel.compiled import inlined, uncounted
from retrial.tables.kernel.kaplan_meier import DENSITY_BAND, GREENWOOD_DENSITY, LOG_LOG, TOLERANCE, distance_from_half
from retrial.tables.kernel.problem import (
    BETA,
    CHI_SQUARE,
    CURVE_SCALE,
    ESTIMATOR,
    LIMITS,
    MEDIAN,
    MEDIAN_SE,
    RULE,
    SCALARS,
    START,
    TEST,
    Z_MEDIAN,
    Z_RATIO,
)

UPPER_LEVEL, LOWER_LEVEL = 0.5 + DENSITY_BAND - TOLERANCE, 0.5 - DENSITY_BAND + TOLERANCE
SURVIVAL_SCALE = 0.02
"""Distance of Ŝ from 1/2 that weighs like one tolerance of a printed number: about one patient of fifty."""
NORMAL_SCALE = 0.1
"""The same for a Brookmeyer-Crowley distance, in standard errors."""
MISSED = 0.25
"""Added to a violated median: Ŝ may stand at exactly 1/2 one event time too early."""
UNDEFINED = 10.0
"""Energy of a statistic that the table does not have (no density at the median, no finite hazard ratio)."""


@inlined
def penalty(distance: float) -> float:
    """√distance: no scale of its own, so that all printed numbers are approached together as the temperature falls. (A logarithm
    gives up far ones first and freezes; a straight line needs more levels.)
    """
    return math.sqrt(distance)


@uncounted
def excess(value: float, real: np.ndarray, row: int) -> float:
    """√ of the distance from the interval of one row, in tolerances."""
    if value < real[row, 0]:
        return penalty((real[row, 0] - value) / real[row, 2])
    if value > real[row, 1]:
        return penalty((value - real[row, 1]) / real[row, 2])
    if value != value and real[row, 0] == real[row, 0]:
        return UNDEFINED
    return 0.0


@uncounted
def crossing_energy(before: float, at: float) -> float:
    """Energy of a median: Ŝ must be above 1/2 before it and at most 1/2 at it."""
    energy = 0.0
    if at > 0.5 + TOLERANCE:
        energy += penalty(MISSED + (at - 0.5) / SURVIVAL_SCALE)
    if before <= 0.5 + TOLERANCE:
        energy += penalty(MISSED + (0.5 - before) / SURVIVAL_SCALE)
    return energy


@uncounted
def density_energy(
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
    times: np.ndarray,
    inverse: np.ndarray,
    median: int,
    real: np.ndarray,
) -> float:
    """Energy of a median and its SE by the density rule (the SE taken at the printed median, right or not)."""
    s, greenwood, before, at, greenwood_at = 1.0, 0.0, 1.0, 1.0, 0.0
    upper_time, upper_survival, lower_time, lower_survival = 0.0, 1.0, -1.0, 0.0
    for i in range(k):
        if t[g, i] > median and lower_time >= 0.0:
            break
        events, at_risk = d[g, i], r[g, i]
        s *= 1.0 - events * inverse[at_risk]
        greenwood += events * inverse[at_risk] * inverse[at_risk - events]
        if s >= UPPER_LEVEL:
            upper_time, upper_survival = times[t[g, i]], s
        if lower_time < 0.0 and s <= LOWER_LEVEL:
            lower_time, lower_survival = times[t[g, i]], s
        if t[g, i] < median:
            before = s
        if t[g, i] <= median:
            at, greenwood_at = s, greenwood
    energy = crossing_energy(before, at)
    if math.isnan(real[MEDIAN_SE + g, 0]):
        return energy
    if lower_time < 0.0 or at <= TOLERANCE:
        return energy + UNDEFINED + penalty(max(s - LOWER_LEVEL, 0.0) / SURVIVAL_SCALE)
    se = at * math.sqrt(greenwood_at) * (lower_time - upper_time) / (upper_survival - lower_survival)
    return energy + excess(se, real, MEDIAN_SE + g)


@uncounted
def crowley_energy(
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
    n_times: int,
    inverse: np.ndarray,
    median: int,
    whole: np.ndarray,
    z: float,
) -> float:
    """Energy of a median and its Brookmeyer-Crowley limits.

    The distance of Ŝ from 1/2 in standard errors is computed where it can decide. Above 1/2 it falls from event to event under the plain
    and the logarithmic rule, so that its least value before the lower limit is the last; and it is above 0, and so above -z, as long as Ŝ is.
    """
    s, greenwood, before, at = 1.0, 0.0, 1.0, 1.0
    rule, first, last = whole[RULE], whole[LIMITS + 2 * g], whole[LIMITS + 2 * g + 1]
    end = max(median, first, last)
    least_low, least_high, last_low, last_high = np.inf, np.inf, np.inf, np.inf
    for i in range(k):
        time, events, at_risk = t[g, i], d[g, i], r[g, i]
        if time > end:
            break
        s *= 1.0 - events * inverse[at_risk]
        greenwood += events * inverse[at_risk] * inverse[at_risk - events]
        if time < median:
            before = s
        if time <= median:
            at = s
        following = t[g, i + 1] if i + 1 < k else n_times
        low = s < 0.5
        towards_first = time <= first and (rule == LOG_LOG or following >= first)
        if not (low or towards_first or (time <= last < following)):
            continue
        distance = distance_from_half(s, greenwood, rule)
        if time < first:
            least_low = min(least_low, distance)
        if time <= first:
            last_low = distance
        if time < last:
            least_high = min(least_high, distance)
        if time <= last:
            last_high = distance
    energy = crossing_energy(before, at)
    energy += limit_energy(first, least_low, last_low, z, n_times)
    return energy + limit_energy(last, least_high, last_high, -z, n_times)


@uncounted
def limit_energy(limit: int, least_before: float, last_at: float, edge: float, n_times: int) -> float:
    """Energy of one Brookmeyer-Crowley limit: the distance of Ŝ from 1/2 must be above `edge` before it and at most `edge` at it."""
    energy = 0.0
    if limit < 0:
        return energy
    if least_before <= edge + TOLERANCE:
        energy += penalty(MISSED + min((edge - least_before) / NORMAL_SCALE, 60.0))
    if limit < n_times and last_at > edge + TOLERANCE:
        energy += penalty(MISSED + min((last_at - edge) / NORMAL_SCALE, 60.0))
    return energy


@uncounted
def curve_energy(
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
    curve: np.ndarray,
    inverse: np.ndarray,
    scale: float,
    limit: float,
) -> float:
    """Energy of Ŝ(t) against readings of a curve (2, P, 3), each a grid index and limits: the sum of its distances in tolerances; may
    stop early with any value above `limit`. No root, under which one step far off is cheap: few at risk, and a curve that falls at
    its end, trapped the sampler.
    """
    s, energy, i = 1.0, 0.0, 0
    for p in range(curve.shape[1]):
        while i < k and t[g, i] <= curve[g, p, 0]:
            s *= 1.0 - d[g, i] * inverse[r[g, i]]
            i += 1
        if s < curve[g, p, 1]:
            energy += (curve[g, p, 1] - s) / scale
        elif s > curve[g, p, 2]:
            energy += (s - curve[g, p, 2]) / scale
        if energy > limit:
            break
    return energy


LARGEST_BETA, LARGEST_SE = 15.0, 1e6
"""Beyond these a log hazard ratio or its SE is taken as infinite."""


@uncounted
def group_energy(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
    limit: float,
) -> float:
    """Energy of what one arm (0, 1) or both together (2) print alone, from row g of k columns; may stop early with any value above
    `limit`.
    """
    energy, median = 0.0, whole[MEDIAN + g]
    if median >= 0:
        if whole[RULE] == GREENWOOD_DENSITY:
            energy += density_energy(t, d, r, g, k, times, inverse, median, real)
        else:
            energy += crowley_energy(t, d, r, g, k, times.size, inverse, median, whole, real[Z_MEDIAN, g])
    if g < 2 and real[SCALARS, CURVE_SCALE] > 0.0:
        energy += curve_energy(t, d, r, g, k, curve, inverse, real[SCALARS, CURVE_SCALE], limit - energy)
    return energy


@uncounted
def ratio_energy(real: np.ndarray, beta: float, se: float) -> float:
    """Energy of β, its limits and z²: the largest, because they move together."""
    if not abs(beta) < LARGEST_BETA or not se < LARGEST_SE:
        return UNDEFINED + excess(0.0, real, BETA)
    spread = real[SCALARS, Z_RATIO] * se
    energy = max(
        excess(beta, real, BETA),
        excess(beta - spread, real, BETA + 1),
    )
    energy = max(energy, excess(beta + spread, real, BETA + 2))
    return max(energy, excess((beta / se) ** 2, real, BETA + 3))


@uncounted
def sums_energy(whole: np.ndarray, real: np.ndarray, inverse: np.ndarray, d: np.ndarray, r: np.ndarray) -> float:
    """Energy of what follows from the log-rank sums alone."""
    estimator, test, energy = whole[ESTIMATOR], whole[TEST], 0.0
    observed, expected, expected_control, variance, untied = log_rank_sums(d, r, inverse)
    if test == LOG_RANK:
        energy += excess((observed - expected) ** 2 / variance, real, CHI_SQUARE)
    elif test == SCORE_BRESLOW:
        energy += excess((observed - expected) ** 2 / untied, real, CHI_SQUARE)
    if estimator == MANTEL_HAENSZEL:
        energy += ratio_energy(real, (observed - expected) / variance, 1.0 / math.sqrt(variance))
    elif estimator == OBSERVED_EXPECTED:
        control = expected + expected_control - observed
        beta = math.log(observed * expected_control / (control * expected)) if observed * control > 0.0 else np.inf
        energy += ratio_energy(real, beta, math.sqrt(1.0 / expected + 1.0 / expected_control))
    return energy


@uncounted
def joint_energy(whole: np.ndarray, real: np.ndarray, inverse: np.ndarray, d: np.ndarray, r: np.ndarray, limit: float) -> float:
    """Energy of the hazard ratio and χ²; may stop early with any value above `limit`."""
    estimator, test, energy, start = whole[ESTIMATOR], whole[TEST], 0.0, real[SCALARS, START]
    if test in (LOG_RANK, SCORE_BRESLOW) or estimator >= MANTEL_HAENSZEL:
        energy += sums_energy(whole, real, inverse, d, r)
    if test == SCORE_EFRON:
        score, information = efron_score(d, r, 0.0)
        energy += excess(score * score / information, real, CHI_SQUARE)
    if energy > limit or (estimator != BRESLOW and estimator != EFRON and test <= SCORE_EFRON):
        return energy
    beta, information = 0.0, 0.0
    if estimator in (BRESLOW, EFRON):
        beta, information = cox(d, r, estimator, start)
        energy += ratio_energy(real, beta, 1.0 / math.sqrt(information))
    if energy > limit or test <= SCORE_EFRON:
        return energy
    ties = (test - WALD_BRESLOW) % 2
    if estimator != ties:
        beta, information = cox(d, r, ties, start)
    wald = test in (WALD_BRESLOW, WALD_EFRON)
    return energy + excess(beta * beta * information if wald else likelihood_ratio(d, r, ties, beta), real, CHI_SQUARE)


N_ESTIMATORS, N_PARTS = 4, 11
"""Estimators of the hazard ratio; these and tests."""


@uncounted
def joint_parts(real: np.ndarray, inverse: np.ndarray, d: np.ndarray, r: np.ndarray, out: np.ndarray) -> None:
    """(11,) energies of the hazard ratio by each estimator, then of the χ² by each test: `joint_energy` of every reading is a sum of two."""
    start = real[SCALARS, START]
    observed, expected, expected_control, variance, untied = log_rank_sums(d, r, inverse)
    control = expected + expected_control - observed
    score, information = efron_score(d, r, 0.0)
    out[N_ESTIMATORS + LOG_RANK] = excess((observed - expected) ** 2 / variance, real, CHI_SQUARE)
    out[N_ESTIMATORS + SCORE_BRESLOW] = excess((observed - expected) ** 2 / untied, real, CHI_SQUARE)
    out[N_ESTIMATORS + SCORE_EFRON] = excess(score * score / information, real, CHI_SQUARE)
    out[MANTEL_HAENSZEL] = ratio_energy(real, (observed - expected) / variance, 1.0 / math.sqrt(variance))
    beta = math.log(observed * expected_control / (control * expected)) if observed * control > 0.0 else np.inf
    out[OBSERVED_EXPECTED] = ratio_energy(real, beta, math.sqrt(1.0 / expected + 1.0 / expected_control))
    for ties in (BRESLOW, EFRON):
        beta, information = cox(d, r, ties, start)
        out[ties] = ratio_energy(real, beta, 1.0 / math.sqrt(information))
        out[N_ESTIMATORS + WALD_BRESLOW + ties] = excess(beta * beta * information, real, CHI_SQUARE)
        out[N_ESTIMATORS + RATIO_BRESLOW + ties] = excess(likelihood_ratio(d, r, ties, beta), real, CHI_SQUARE)
