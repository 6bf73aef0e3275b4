"""Kaplan-Meier median of one group and the rules by which programs print its confidence interval (compiled).

A group is (d, r) over the grid's times: events d[g, t] and patients at risk r[g, t] (recorded time >= t). Ŝ(t) = Π (1 - d/r).
The median is the first t with Ŝ(t) <= 1/2. Comparisons of Ŝ with a level leave `TOLERANCE` for rounding of the products.
"""

from __future__ import annotations

import math

import numpy as np

from retrial.tables.kernel.compiled import compiled, uncounted

TOLERANCE = 1e-12
"""Two survival probabilities closer than this are the same number: a product of 1,000 factors errs by less."""
DENSITY_BAND = 0.05
"""Half-width ε of the band around 1/2 over which the density at the median is estimated (Collett, section 2.4)."""
GREENWOOD_DENSITY, PLAIN, LOG, LOG_LOG = 0, 1, 2, 3
"""Codes of the rules for a median's interval."""


@compiled
def survival(d: np.ndarray, r: np.ndarray, g: int) -> np.ndarray:
    """Ŝ(t) at every grid time."""
    out = np.empty(d.shape[1])
    s = 1.0
    for t in range(d.shape[1]):
        if d[g, t] > 0:
            s *= 1.0 - d[g, t] / r[g, t]
        out[t] = s
    return out


@compiled
def median_index(d: np.ndarray, r: np.ndarray, g: int) -> int:
    """Index of the first time with Ŝ <= 1/2; -1 where Ŝ stays above."""
    s = 1.0
    for t in range(d.shape[1]):
        if d[g, t] > 0:
            s *= 1.0 - d[g, t] / r[g, t]
            if s <= 0.5 + TOLERANCE:
                return t
    return -1


@compiled
def median_density_se(d: np.ndarray, r: np.ndarray, g: int, times: np.ndarray) -> float:
    """SE of the median: √(Greenwood variance of Ŝ at the median) / f̂; NaN where it does not exist.

    f̂ = (Ŝ(u) - Ŝ(l)) / (l - u) with u the last event time with Ŝ >= 0.55 (time 0 where there is none) and l the first
    with Ŝ <= 0.45 (Collett, Modelling Survival Data in Medical Research, 2.4; the rule of SPSS).
    """
    s, greenwood, se_at_median = 1.0, 0.0, -1.0
    upper_time, upper_survival = 0.0, 1.0
    for t in range(d.shape[1]):
        if d[g, t] == 0:
            continue
        s *= 1.0 - d[g, t] / r[g, t]
        greenwood += d[g, t] / (r[g, t] * (1.0 * r[g, t] - d[g, t]))
        if s >= 0.5 + DENSITY_BAND - TOLERANCE:
            upper_time, upper_survival = times[t], s
        if se_at_median < 0.0 and s <= 0.5 + TOLERANCE:
            se_at_median = s * math.sqrt(greenwood)
        if s <= 0.5 - DENSITY_BAND + TOLERANCE:
            return se_at_median * (times[t] - upper_time) / (upper_survival - s)
    return np.nan


@uncounted
def distance_from_half(s: float, greenwood: float, rule: int) -> float:
    """(g(Ŝ) - g(1/2)) / SE(g(Ŝ)), by which Brookmeyer and Crowley (1982) test S(t) = 1/2; g plain, log or log(-log).

    SE by the delta method from the Greenwood sum Σ d / (r (r - d)) = (SE(Ŝ) / Ŝ)². ±inf where Ŝ is 1 or 0. Falls in t.
    """
    if s >= 1.0 - TOLERANCE:
        return np.inf
    if s <= TOLERANCE or greenwood == np.inf:
        return -np.inf
    relative = math.sqrt(greenwood)
    if rule == PLAIN:
        return (s - 0.5) / (s * relative)
    if rule == LOG:
        return (math.log(s) + math.log(2.0)) / relative
    log_s = math.log(s)
    return (math.log(math.log(2.0)) - math.log(-log_s)) * -log_s / relative


@compiled
def brookmeyer_crowley(d: np.ndarray, r: np.ndarray, g: int, z: float, rule: int) -> tuple[int, int]:
    """Indices of the interval's limits: first times at which the lower and the upper band of S reach 1/2 (-1: never)."""
    s, greenwood, lower, upper = 1.0, 0.0, -1, -1
    for t in range(d.shape[1]):
        if d[g, t] == 0:
            continue
        s *= 1.0 - d[g, t] / r[g, t]
        greenwood += d[g, t] / (r[g, t] * (1.0 * r[g, t] - d[g, t]))
        distance = distance_from_half(s, greenwood, rule)
        if lower < 0 and distance <= z + TOLERANCE:
            lower = t
        if distance <= -z + TOLERANCE:
            upper = t
            break
    return lower, upper
