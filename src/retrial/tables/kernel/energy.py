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
from retrial.tables.kernel.entries import Arms
from retrial.tables.kernel.kaplan_meier import DENSITY_BAND, GREENWOOD_DENSITY, LOG_LOG, TOLERANCE, distance_from_half
from retrial.tables.kernel.problem import (
    BETA,
    CHI_SQUARE,
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
FARTHEST = 600.0
"""Largest distance of a median's limit, in `NORMAL_SCALE`: beyond what arms of a thousand patients have, below that of an Ŝ without variance."""
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
    n_times: int,
    times: np.ndarray,
    inverse: np.ndarray,
    first: int,
    last: int,
    real: np.ndarray,
) -> float:
    """Energy of a median printed for the times first to last and its SE by the density rule (the SE taken at the table's median, or at the
    nearest of these times where it is none of them; T: not reached).
    """
    s, greenwood, before, at, median, se_at, greenwood_at = 1.0, 0.0, 1.0, 1.0 if last < n_times else 0.0, -1, 0.0, 0.0
    upper_time, upper_survival, lower_time, lower_survival = 0.0, 1.0, -1.0, 0.0
    for i in range(k):
        time, events, at_risk = t[g, i], d[g, i], r[g, i]
        if median < 0 and time > first and (s <= 0.5 + TOLERANCE or time > last):
            median, se_at, greenwood_at = first if s <= 0.5 + TOLERANCE else last, s, greenwood
        if time > last and lower_time >= 0.0:
            break
        s *= 1.0 - events * inverse[at_risk]
        greenwood += events * inverse[at_risk] * inverse[at_risk - events]
        if s >= UPPER_LEVEL:
            upper_time, upper_survival = times[time], s
        if lower_time < 0.0 and s <= LOWER_LEVEL:
            lower_time, lower_survival = times[time], s
        if time < first:
            before = s
        if time <= last and last < n_times:
            at = s
        if median < 0 and first <= time <= last and s <= 0.5 + TOLERANCE:
            median, se_at, greenwood_at = time, s, greenwood
    if median < 0 and (s <= 0.5 + TOLERANCE or last < n_times):
        median, se_at, greenwood_at = first if s <= 0.5 + TOLERANCE else last, s, greenwood
    energy = crossing_energy(before, at)
    lower, upper = MEDIAN_SE + 2 * g, MEDIAN_SE + 2 * g + 1
    if math.isnan(real[lower, 0]) and math.isnan(real[upper, 0]):
        return energy
    if lower_time < 0.0 or se_at <= TOLERANCE:
        return energy + UNDEFINED + penalty(max(s - LOWER_LEVEL, 0.0) / SURVIVAL_SCALE)
    se = se_at * math.sqrt(greenwood_at) * (lower_time - upper_time) / (upper_survival - lower_survival)
    moved = (times[median] - times[first]) / real[Z_MEDIAN, g] if median > first else 0.0
    return energy + max(excess(se - moved, real, lower), excess(se + moved, real, upper))


@uncounted
def crowley_energy(
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
    n_times: int,
    inverse: np.ndarray,
    whole: np.ndarray,
    z: float,
) -> float:
    """Energy of a median and its Brookmeyer-Crowley limits, each printed for one grid time or several.

    The distance of Ŝ from 1/2 in standard errors is computed where it can decide. Above 1/2 it falls from event to event under the plain
    and the logarithmic rule, so that its least value before the lower limit is the last; and it is above 0, and so above -z, as long as Ŝ is.
    """
    s, greenwood, before, at, rule = 1.0, 0.0, 1.0, 1.0, whole[RULE]
    first, last = whole[MEDIAN + 2 * g], whole[MEDIAN + 2 * g + 1]
    low, low_last = whole[LIMITS + 4 * g], whole[LIMITS + 4 * g + 1]
    high, high_last = whole[LIMITS + 4 * g + 2], whole[LIMITS + 4 * g + 3]
    end = max(last, low_last, high_last)
    least_low, least_high, last_low, last_high = np.inf, np.inf, np.inf, np.inf
    for i in range(k):
        time, events, at_risk = t[g, i], d[g, i], r[g, i]
        if time > end:
            break
        s *= 1.0 - events * inverse[at_risk]
        greenwood += events * inverse[at_risk] * inverse[at_risk - events]
        if time < first:
            before = s
        if time <= last:
            at = s
        following = t[g, i + 1] if i + 1 < k else n_times
        decides = s < 0.5 or (rule == LOG_LOG and time < low) or time < low <= following
        if not (decides or time <= low_last < following or time <= high_last < following):
            continue
        distance = distance_from_half(s, greenwood, rule)
        if time < low:
            least_low = min(least_low, distance)
        if time <= low_last:
            last_low = distance
        if time < high:
            least_high = min(least_high, distance)
        if time <= high_last:
            last_high = distance
    energy = crossing_energy(before, at if last < n_times else 0.0)
    energy += limit_energy(low, low_last, least_low, last_low, z, n_times)
    return energy + limit_energy(high, high_last, least_high, last_high, -z, n_times)


@uncounted
def limit_energy(first: int, last: int, least_before: float, last_at: float, edge: float, n_times: int) -> float:
    """Energy of one Brookmeyer-Crowley limit: the distance of Ŝ from 1/2 must be above `edge` before `first` and at most `edge` at `last`."""
    energy = 0.0
    if first < 0:
        return energy
    if least_before <= edge + TOLERANCE:
        energy += penalty(MISSED + min((edge - least_before) / NORMAL_SCALE, FARTHEST))
    if last < n_times and last_at > edge + TOLERANCE:
        energy += penalty(MISSED + min((last_at - edge) / NORMAL_SCALE, FARTHEST))
    return energy


@uncounted
def curve_energy(arms: Arms, a: int, curve: np.ndarray, inverse: np.ndarray, limit: float) -> float:
    """Energy of Ŝ(t) against a digitised curve and printed percentages, and of the numbers censored, from an arm's entries: the sum of the
    distances in tolerances (in patients); may stop early with any value above `limit`. No root, under which one step far off is cheap: few
    at risk, and a curve that falls at its end, trapped the sampler.
    """
    t, d, c, m = arms.t, arms.d, arms.c, arms.m[a]
    s, energy, i, at_risk, censored = 1.0, 0.0, 0, arms.n[a], 0
    for p in range(curve.shape[1]):
        while i < m and t[a, i] <= curve[a, p, 0]:
            s *= 1.0 - d[a, i] * inverse[at_risk]
            at_risk -= d[a, i] + c[a, i]
            censored += c[a, i]
            i += 1
        if s < curve[a, p, 1]:
            energy += (curve[a, p, 1] - s) / curve[a, p, 3]
        elif s > curve[a, p, 2]:
            energy += (s - curve[a, p, 2]) / curve[a, p, 3]
        if curve[a, p, 4] >= 0.0:
            energy += max(curve[a, p, 4] - censored, censored - curve[a, p, 5], 0.0)
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
    t: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    k: int,
) -> float:
    """Energy of the median and its limits of one arm (0, 1) or of both together (2), from row g of k columns."""
    median = whole[MEDIAN + 2 * g]
    if median < 0:
        return 0.0
    if whole[RULE] == GREENWOOD_DENSITY:
        return density_energy(t, d, r, g, k, times.size, times, inverse, median, whole[MEDIAN + 2 * g + 1], real)
    return crowley_energy(t, d, r, g, k, times.size, inverse, whole, real[Z_MEDIAN, g])


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
