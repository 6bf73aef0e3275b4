"""Survival curves, medians and RMST from draws of any hazard: everything derives from its cumulative hazard."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import special

from retrial.fit.survival.likelihood import EXPERIMENTAL_INDICATOR, Hazard
from retrial.tables.life_table import LifeTable

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(48)
"""Gauss-Legendre rule on [-1, 1]; with t = h x², RMST of a Weibull with shape 0.3 to 8 is right to 1e-8, of a piecewise
constant hazard to 1e-3 months (both tested)."""
_FINE_NODES, _FINE_WEIGHTS = np.polynomial.legendre.leggauss(64)
"""The same for averages of hazards, with t = h x⁴: a ratio to 1e-4 of itself for Weibull shapes 0.3 to 8 (tested)."""
_EXACT, _MOST_STEPS = 1e-13, 200
"""Log months within which a step ends the search for a median, and how many there are at most: halvings alone need 50."""
_LOG_TIME_RANGE, _END = (-30.0, 30.0), 1e-6
"""Log months searched for a median, and how near to the last one no median is told from its end."""
_LOG_2 = float(np.log(2.0))


def cumulative_hazard(hazard: Hazard, draws: Mapping[str, np.ndarray], times: np.ndarray) -> np.ndarray:
    """H(t) of shape (draw, arm, time) for parameters of shape (draw,) or (draw, k), at times above 0."""
    # beyond any float nobody is left: infinite is the right value
    with np.errstate(over="ignore"):
        return hazard(np.asarray(times, dtype=float), EXPERIMENTAL_INDICATOR, _columns(draws), np)[1]


def survival(hazard: Hazard, draws: Mapping[str, np.ndarray], times: np.ndarray) -> np.ndarray:
    """S(t) = exp(-H(t)), shape (draw, arm, time); S(0) = 1."""
    times = np.asarray(times, dtype=float)
    values = np.exp(-cumulative_hazard(hazard, draws, np.maximum(times, np.exp(_LOG_TIME_RANGE[0]))))
    return np.where(times > 0, values, 1.0)


def log_hazard_ratio(hazard: Hazard, draws: Mapping[str, np.ndarray], times: np.ndarray) -> np.ndarray:
    """log h_e(t) - log h_c(t), shape (draw, time), at times above 0."""
    log_hazard = hazard(np.asarray(times, dtype=float), EXPERIMENTAL_INDICATOR, _columns(draws), np)[0]
    return log_hazard[:, 1] - log_hazard[:, 0]


def median_survival(hazard: Hazard, draws: Mapping[str, np.ndarray]) -> np.ndarray:
    """Time at which H = log 2, shape (draw, arm), months; infinite where H stays below (a plateau).

    By Newton's steps of log H in log t, d log H / d log t = t h / H, which end at once where hazards are powers of time; what is left of the
    range is halved instead where a step leaves it, or is more than half of the one before (kinks of a piecewise constant hazard).
    """
    size = next(iter(draws.values())).shape[0]
    found, rows = np.full((size, 2), np.inf), np.arange(size)
    low, high = (np.full((size, 2, 1), end) for end in _LOG_TIME_RANGE)
    x, last = np.zeros((size, 2, 1)), np.full((size, 2, 1), np.inf)
    for _ in range(_MOST_STEPS):
        columns = _columns({name: values[rows] for name, values in draws.items()})
        with np.errstate(all="ignore"):
            log_hazard, cumulative = hazard(np.exp(x), EXPERIMENTAL_INDICATOR, columns, np)
            step = np.log(_LOG_2 / cumulative) * cumulative * np.exp(-log_hazard - x)
        above = cumulative > _LOG_2
        low, high = np.where(above, low, x), np.where(above, x, high)
        inside = (x + step > low) & (x + step < high) & (2 * np.abs(step) <= last)
        new = np.where(inside | (np.abs(step) <= _EXACT), x + step, (low + high) / 2)
        last = np.abs(new - x)
        moved = last > _EXACT
        # the search of a median that does not exist ends at the end of the range
        found[rows] = np.where(new < _LOG_TIME_RANGE[1] - _END, np.exp(new), np.inf)[..., 0]
        kept = moved.any(axis=(1, 2))
        if not kept.any():
            break
        rows, low, high, x, last = (part[kept] for part in (rows, low, high, new, last))
    return found


def log_average_hazard_ratio(hazard: Hazard, draws: Mapping[str, np.ndarray], horizon: float) -> np.ndarray:
    """log of ∫ S_c S_e h_e dt / ∫ S_c S_e h_c dt from 0 to the horizon, shape (draw,).

    The hazard ratio averaged over the events: the odds that, of a patient of each arm, the one of the experimental arm has the event
    first, of those pairs of which one has it by the horizon. The hazard ratio itself where it is constant. Kalbfleisch, Prentice 1981,
    Biometrika 68:105, with the survival of both arms as weight.
    """
    times, weights = events_rule(horizon)
    log_hazard, cumulative = hazard(times, EXPERIMENTAL_INDICATOR, _columns(draws), np)
    with np.errstate(over="ignore", under="ignore"):
        log_density = log_hazard - cumulative.sum(axis=1, keepdims=True) + np.log(weights)
    parts = special.logsumexp(log_density, axis=-1)
    return parts[:, 1] - parts[:, 0]


def rmst(hazard: Hazard, draws: Mapping[str, np.ndarray], horizon: float) -> np.ndarray:
    """Restricted mean survival time ∫_0^horizon S(t) dt, shape (draw, arm), months."""
    times, weights = mean_rule(horizon)
    return np.asarray((survival(hazard, draws, times) * weights).sum(-1))


def mean_rule(horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (months) and weights of ∫_0^horizon S(t) dt."""
    x = (_NODES + 1) / 2
    return horizon * x**2, _WEIGHTS * x * horizon


def events_rule(horizon: float) -> tuple[np.ndarray, np.ndarray]:
    """Times (months) of an integral from 0 to the horizon, and weights proportional to those of it."""
    x = (_FINE_NODES + 1) / 2
    return horizon * x**4, _FINE_WEIGHTS * x**3


def kaplan_meier(table: LifeTable) -> np.ndarray:
    """Product-limit estimate after the events at each time, shape (reconstruction, arm, time)."""
    events, at_risk = table.events.to_numpy(), table.at_risk.to_numpy()
    hazard = np.divide(events, at_risk, out=np.zeros(events.shape), where=at_risk > 0)
    return np.cumprod(1.0 - hazard, axis=-1)


def _columns(draws: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Parameters with two trailing axes, to broadcast against (arm, time)."""
    return {name: values[..., None, None] for name, values in draws.items()}
