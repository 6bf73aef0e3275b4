"""Distance of a life table from agreement with everything printed (compiled); 0 if and only if it agrees.

Tables are (d, r): d (3, T) events and r (3, T + 1) at risk of control, experimental and both, r[:, T] = 0.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.reconstruct.comparison import (
    BRESLOW,
    EFRON,
    LOG_RANK,
    MANTEL_HAENSZEL,
    OBSERVED_EXPECTED,
    SCORE_BRESLOW,
    SCORE_EFRON,
    WALD_BRESLOW,
    WALD_EFRON,
    cox,
    efron_score,
    likelihood_ratio,
    log_rank_sums,
)
from retrial.reconstruct.compiled import uncounted
from retrial.reconstruct.energy_parts import UNDEFINED, crowley_energy, curve_energy, density_energy, excess
from retrial.reconstruct.kaplan_meier import GREENWOOD_DENSITY
from retrial.reconstruct.problem import (
    BETA,
    CHI_SQUARE,
    CURVE_SCALE,
    ESTIMATOR,
    MEDIAN,
    RULE,
    SCALARS,
    START,
    TEST,
    Z_MEDIAN,
    Z_RATIO,
)

LARGEST_BETA, LARGEST_SE = 15.0, 1e6
"""Beyond these a log hazard ratio or its SE is taken as infinite."""


@uncounted
def group_energy(
    whole: np.ndarray,
    real: np.ndarray,
    times: np.ndarray,
    inverse: np.ndarray,
    curve: np.ndarray,
    d: np.ndarray,
    r: np.ndarray,
    g: int,
    limit: float,
) -> float:
    """Energy of what one arm (0, 1) or both together (2) print alone; may stop early with any value above `limit`."""
    energy, median = 0.0, whole[MEDIAN + g]
    if median >= 0:
        if whole[RULE] == GREENWOOD_DENSITY:
            energy += density_energy(d, r, g, times, inverse, median, real)
        else:
            energy += crowley_energy(d, r, g, median, whole, real[Z_MEDIAN, g])
    if g < 2 and real[SCALARS, CURVE_SCALE] > 0.0:
        energy += curve_energy(d, r, g, curve, inverse, real[SCALARS, CURVE_SCALE], limit - energy)
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
