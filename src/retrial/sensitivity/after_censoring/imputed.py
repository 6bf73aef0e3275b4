"""The hazard ratio of completed tables: patients censored are given event times under e^δ times the hazard, and Cox's regression is run.

A draw of a model on a table gives each patient of arm a censored at t the time T at which H_a(T) = H_a(t) + E / e^δ, E ~ Exp(1), recorded at the
table's first time from T on; whoever has none by the end of the follow-up is censored there. Each completed table has the Cox estimate b_m with
its SE s_m (Efron's ties), and the posteriors under the prior π that the draws are under are pooled, as p(β | seen) = E p(β | completed):

    p(β) = mean over m of π(β) N(β; b_m, s_m²) / ∫ π N

Under a flat prior its mean and variance are those of Rubin's rules but for the factor 1 + 1/M of the variance between. E is the same at every δ,
so that rows differ by the assumption alone. Source: Jackson et al. 2014, Stat Med 33:4681 (δ-adjusted hazards after censoring in Cox's
model by multiple imputation); Rubin 1987, Multiple Imputation for Nonresponse in Surveys, chapter 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.special import ndtr

from retrial.answers.follow_up import FollowUp
from retrial.data.life_table import on
from retrial.dims import PRIOR
from retrial.fit.ensemble import EFFECT
from retrial.fit.posterior_file import WEIGHT, by_number
from retrial.priors.prior import Prior
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.sensitivity.after_censoring.means import Cumulative, flat_draws, hazard_of_arm
from retrial.sensitivity.any_prior.likelihood import crossing, distribution_of
from retrial.study.study import Study
from retrial.tables.kernel.comparison import BETA_LIMIT, EFRON, cox
from retrial.tables.kernel.compiled import compiled
from retrial.tables.life_table import LifeTable

IMPUTATIONS = 400
"""Completed tables of each pair of hazards: the mean of the log ratio is right to a twentieth of its SD between them."""
_REACH, _POINTS = 5.0, 401
"""SEs beyond all estimates, and points, of the grid of β."""
_FAR = 9.0
"""SDs of a normal beyond which nothing of it lies."""
_FREE = BETA_LIMIT / 2
"""|b| from which on Cox's likelihood has no maximum."""


@dataclass(frozen=True, eq=False)
class Imputed:
    """Cox's log hazard ratio and its SE, (control ratio, experimental ratio, imputation); SE infinite where an arm has no events.

    `horizon`: months until which tables were completed; `prior` of β.
    """

    log_ratio: np.ndarray
    se: np.ndarray
    horizon: float
    prior: Prior


@dataclass(frozen=True, eq=False)
class Pooled:
    """Posterior of β of every pair of hazards, (control ratio, experimental ratio): P(β < 0) with its Monte Carlo error, limits, median.

    `failed`: completed tables that have no estimate.
    """

    below: np.ndarray
    error: np.ndarray
    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray
    failed: np.ndarray


def imputed_times(
    times: np.ndarray,
    events: np.ndarray,
    censored: np.ndarray,
    cumulative: Cumulative,
    ratios: np.ndarray,
    horizon: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Completed tables of one arm with counts (time,): events and everybody who leaves, (ratio, draw, time); `ratios` (ratio,) are e^δ.

    Whoever is censored at the horizon or later stays so.
    """
    hazards = cumulative(times)
    draws, size = hazards.shape
    last = int(np.searchsorted(times, horizon + 1e-9, side="right")) - 1
    early = np.repeat(np.arange(last), censored[:last])
    late = np.concatenate([np.zeros(last, int), censored[last:]])
    waits = rng.exponential(size=(draws, early.size))
    found = np.broadcast_to(events, (ratios.size, draws, size)).astype(np.int64)
    leaving = found + late
    for draw in range(draws):
        after = hazards[draw, early] + waits[draw] / ratios[:, None]
        place = np.maximum(np.searchsorted(hazards[draw, : last + 1], after), early + 1)
        for number in range(ratios.size):
            hit = place[number]
            own = np.bincount(hit[hit <= last], minlength=size)
            found[number, draw] += own
            leaving[number, draw] += own
            leaving[number, draw, last] += int((hit > last).sum())
    return found, leaving


@compiled
def cox_of_pairs(
    control: np.ndarray, control_leaving: np.ndarray, treated: np.ndarray, treated_leaving: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard ratio and SE (i, j, m) of every pair of completed arms: events and everybody who leaves, (i, m, time) and (j, m, time)."""
    rows, draws, size = control.shape
    columns = treated.shape[0]
    estimate, error = np.empty((rows, columns, draws)), np.empty((rows, columns, draws))
    d, r = np.zeros((3, size), np.int64), np.zeros((3, size + 1), np.int64)
    for m in range(draws):
        for i in range(rows):
            start = 0.0
            for j in range(columns):
                filled, first, second = size, 0, 0
                for t in range(size - 1, -1, -1):
                    first += control_leaving[i, m, t]
                    second += treated_leaving[j, m, t]
                    if control[i, m, t] + treated[j, m, t] > 0:
                        filled -= 1
                        d[0, filled], d[1, filled] = control[i, m, t], treated[j, m, t]
                        d[2, filled] = d[0, filled] + d[1, filled]
                        r[0, filled], r[1, filled], r[2, filled] = first, second, first + second
                beta, information = cox(d[:, filled:], r[:, filled:], EFRON, start)
                estimate[i, j, m], error[i, j, m] = beta, 1.0 / math.sqrt(information)
                start = beta if abs(beta) < 3.0 else 0.0
    return estimate, error


def imputed_ratios(
    run: RunConfig, spec: ModelSpec, study: Study, endpoint: str, tree: xr.DataTree, prior: tuple[str, Prior]
) -> Imputed | None:
    """Of a model's draws under one prior, tables by their weights; None with patients who entered late."""
    posterior, observed = by_number(tree)
    table, weights = LifeTable(observed.drop_vars(WEIGHT)), observed[WEIGHT].to_numpy()
    if table.late is not None:
        return None
    hazard = on(spec, table, weights, study.endpoints[endpoint].reading).hazard_of()
    horizon = FollowUp.of(table, weights / weights.sum()).months
    name, own = prior
    values = {str(key): flat_draws(item) for key, item in posterior.sel({PRIOR: name}).data_vars.items()}
    rng = np.random.default_rng(seed_sequence(run.seed, "imputed", endpoint, spec.name))
    tables, drawn = spread_draws(values[EFFECT], weights, rng)
    ratios = np.array(run.sensitivity.hazard_after_censoring)
    parts: list[tuple[np.ndarray, ...]] = []
    for index in np.unique(tables):
        draws = {key: value[index][drawn[tables == index]] for key, value in values.items()}
        arms = [
            imputed_times(table.times, events, censored, hazard_of_arm(hazard, draws, arm), ratios, horizon, rng)
            for arm, (events, censored) in enumerate(zip(*table.counts(int(index)), strict=True))
        ]
        parts.append((*arms[0], *arms[1]))
    estimate, error = cox_of_pairs(*(np.concatenate([part[which] for part in parts], axis=1) for which in range(4)))
    return Imputed(estimate, error, horizon, own)


def spread_draws(beta: np.ndarray, weights: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Tables and draws of each imputation: evenly spaced in the posterior of β (table, draw), tables by their weights, from a random start."""
    each = np.repeat(weights / weights.sum() / beta.shape[1], beta.shape[1])
    order = np.argsort(beta.ravel(), kind="stable")
    at = (np.arange(IMPUTATIONS) + rng.uniform()) / IMPUTATIONS
    chosen = order[np.minimum(np.searchsorted(np.cumsum(each[order]), at), order.size - 1)]
    return chosen // beta.shape[1], chosen % beta.shape[1]


def pooled(found: Imputed, tail: float) -> Pooled:
    """The mixture of the completed tables' posteriors; limits with the probability `tail` beyond each. NaN where an imputation has no estimate."""
    usable = np.isfinite(found.se) & (np.abs(found.log_ratio) < _FREE)
    failed = (~usable).sum(axis=-1)
    b, s = (np.where(failed[..., None] == 0, value, 1.0) for value in (found.log_ratio, found.se))
    of = _normal if found.prior.family == "normal" else _any
    each, limits = of(b, s, found.prior, (tail, 0.5, 1 - tail))
    error = each.std(axis=-1, ddof=1) / math.sqrt(each.shape[-1])
    below, spread, low, median, high = (np.where(failed == 0, value, np.nan) for value in (each.mean(axis=-1), error, *limits))
    return Pooled(below, spread, low, median, high, failed)


def moments(found: Imputed) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of β of each completed table's posterior under the prior, like the estimates; NaN where a table has no estimate."""
    usable = np.isfinite(found.se) & (np.abs(found.log_ratio) < _FREE)
    b, s = (np.where(usable, value, 1.0) for value in (found.log_ratio, found.se))
    if found.prior.family == "normal":
        mean, variance = _of_normals(b, s, found.prior)
    else:
        mean, variance = np.empty(b.shape), np.empty(b.shape)
        for place in np.ndindex(*b.shape[:-1]):
            beta, cdf = _on_grid(b[place], s[place], found.prior)
            middle, mass = (beta[1:] + beta[:-1]) / 2, np.diff(cdf, axis=1)
            mean[place] = mass @ middle
            variance[place] = mass @ middle**2 - mean[place] ** 2
    return np.where(usable, mean, np.nan), np.where(usable, variance, np.nan)


def _of_normals(b: np.ndarray, s: np.ndarray, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of N(b, s²) times a normal prior."""
    mu, sigma = prior.number("mu"), prior.number("sigma")
    variance = 1 / (1 / s**2 + 1 / sigma**2)
    return variance * (b / s**2 + mu / sigma**2), variance


def _normal(b: np.ndarray, s: np.ndarray, prior: Prior, levels: tuple[float, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """P(β < 0) of each imputation (..., imputation), and quantiles (...) of the mixture by bisection; each posterior is normal."""
    mean, variance = _of_normals(b, s, prior)
    sd = np.sqrt(variance)

    def cdf(x: np.ndarray) -> np.ndarray:
        return np.asarray(ndtr((x[..., None] - mean) / sd).mean(axis=-1))

    low, high = (mean - _FAR * sd).min(axis=-1), (mean + _FAR * sd).max(axis=-1)
    return ndtr(-mean / sd), [crossing(cdf, level, low, high) for level in levels]


def _any(b: np.ndarray, s: np.ndarray, prior: Prior, levels: tuple[float, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same under any prior, on a grid of β that holds its median."""
    each, limits = np.empty(b.shape), np.empty((len(levels), *b.shape[:-1]))
    for place in np.ndindex(*b.shape[:-1]):
        beta, cdf = _on_grid(b[place], s[place], prior)
        each[place] = [np.interp(0.0, beta, row) for row in cdf]
        limits[(slice(None), *place)] = np.interp(levels, cdf.mean(axis=0), beta)
    return each, list(limits)


def _on_grid(b: np.ndarray, s: np.ndarray, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Points of β (point,) and each posterior's distribution there, (imputation, point)."""
    middle, one, error = float(distribution_of(prior).ppf(0.5)), b[:, None], s[:, None]
    beta = np.linspace(min((one - _REACH * error).min(), middle), max((one + _REACH * error).max(), middle), _POINTS)
    return beta, _cdf(beta, one, error, prior)


def _cdf(beta: np.ndarray, b: np.ndarray, s: np.ndarray, prior: Prior) -> np.ndarray:
    """Of each imputation's posterior, (imputation, point): mass of N(b, s²) between points, weighed by the prior in their middle."""
    mass = np.diff(ndtr((beta - b) / s), axis=1)
    density = np.asarray(distribution_of(prior).logpdf((beta[1:] + beta[:-1]) / 2))
    weighed = np.pad(mass * np.exp(density - density.max()), ((0, 0), (1, 0)))
    cumulated = np.cumsum(weighed, axis=1)
    return np.asarray(cumulated / cumulated[:, -1:])
