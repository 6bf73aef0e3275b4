"""Simulation-based calibration of survival models: parameters from the prior, patients from the parameters, ranks from the fit.

Talts, Betancourt, Simpson, Vehtari, Gelman 2018 (arXiv 1804.06788): if the model and the sampler are right, the rank of the true value among
posterior draws is uniform.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from retrial.fit.engine import Job
from retrial.fit.levels import fit_group
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import Hazard, SurvivalData, survival_data
from retrial.models import (
    cure,
    exponential,
    generalised_gamma,
    gompertz,
    loglogistic,
    lognormal,
    piecewise_exponential,
    spline,
    weibull,
    weibull_nonproportional,
)
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

PATIENTS = 80
FOLLOW_UP = (6.0, 24.0)
"""Months of administrative follow-up, uniform between these."""
RANKS = 100
"""Ranks 0 to 99, from 99 draws thinned out of each posterior."""
BINS = 20
WIDTH, INTERVALS = 4.0, 5
_BISECTIONS = 60


@dataclass(frozen=True)
class Case:
    """A model under calibration: how to build it, its hazard, its priors, and vectors of standard normal steps (`length` each)."""

    build: Callable[..., Any]
    hazard: Hazard
    priors: PriorSet
    steps: tuple[str, ...] = ()
    prepare: Callable[[SurvivalData], Any] = lambda data: data
    length: int = INTERVALS - 1
    target_accept: float = 0.8


def _priors(**own: Prior) -> PriorSet:
    return PriorSet("calibration", {"log_hazard_ratio": Prior("normal", (0.0, 0.5)), **own})


_MEDIAN, _SHAPE = Prior("lognormal", (2.5, 0.5)), Prior("lognormal", (0.0, 0.3))
_BASE, _WALK = Prior("normal", (-2.85, 0.5)), Prior("half_normal", (0.4,))
_CUTS = tuple(WIDTH * j for j in range(1, INTERVALS))
_PIECEWISE = partial(piecewise_exponential.hazard, cuts=_CUTS)
_COUNTS = partial(interval_counts, cuts=_CUTS)
CASES: dict[str, Case] = {
    "weibull": Case(weibull.build, weibull.hazard, _priors(control_median=_MEDIAN, shape=_SHAPE)),
    "weibull_nonproportional": Case(
        weibull_nonproportional.build,
        weibull_nonproportional.hazard,
        _priors(control_median=_MEDIAN, shape=_SHAPE, log_shape_ratio=Prior("normal", (0.0, 0.35))),
    ),
    "piecewise_exponential": Case(
        piecewise_exponential.build, _PIECEWISE, _priors(log_baseline_hazard=_BASE, walk_scale=_WALK), ("walk_steps",), _COUNTS
    ),
    "piecewise_exponential_varying": Case(
        partial(piecewise_exponential.build, varying=True),
        _PIECEWISE,
        _priors(log_baseline_hazard=_BASE, walk_scale=_WALK, effect_walk_scale=Prior("half_normal", (0.3,))),
        ("walk_steps", "effect_walk_steps"),
        _COUNTS,
    ),
    "exponential": Case(exponential.build, exponential.hazard, _priors(control_median=_MEDIAN)),
    "gompertz": Case(gompertz.build, gompertz.hazard, _priors(control_median=_MEDIAN, hazard_rise=Prior("normal", (0.0, 0.6)))),
    "lognormal": Case(lognormal.build, lognormal.hazard, _priors(control_median=_MEDIAN, shape=_SHAPE)),
    "loglogistic": Case(loglogistic.build, loglogistic.hazard, _priors(control_median=_MEDIAN, shape=_SHAPE)),
    "generalised_gamma": Case(
        generalised_gamma.build,
        generalised_gamma.hazard,
        _priors(control_median=_MEDIAN, shape=_SHAPE, family_shape=Prior("normal", (0.5, 0.75))),
        target_accept=0.95,
    ),
    "cure": Case(
        cure.build,
        cure.hazard,
        _priors(
            uncured_median=_MEDIAN,
            shape=_SHAPE,
            control_cure_logit=Prior("normal", (-1.0, 1.0)),
            log_cure_odds_ratio=Prior("normal", (0.0, 0.7)),
        ),
        target_accept=0.95,
    ),
    "spline": Case(
        spline.build,
        partial(spline.hazard, cuts=_CUTS),
        _priors(control_median=_MEDIAN, walk_scale=_WALK),
        ("walk_steps",),
        partial(spline.prepare, cuts=_CUTS),
        length=INTERVALS + 1,
    ),
}


def truth(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Parameters drawn from the prior."""
    values = {name: np.asarray(prior.distribution.rvs(size=1, random_state=rng))[0] for name, prior in case.priors.priors.items()}
    return values | {name: rng.standard_normal(case.length) for name in case.steps}


def cohort(case: Case, parameters: dict[str, np.ndarray], rng: np.random.Generator) -> SurvivalData:
    """Patients with exact times from the model's own cumulative hazard, by inversion."""
    experimental = (np.arange(PATIENTS) % 2 == 1).astype(float)
    target = rng.exponential(size=PATIENTS)
    columns = {name: np.asarray(value)[None][..., None, None] for name, value in parameters.items()}
    low, high = np.full(PATIENTS, -20.0), np.full(PATIENTS, 20.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        both = case.hazard(np.exp(middle), np.array([[0.0], [1.0]]), columns, np)[1][0]
        above = np.where(experimental > 0, both[1], both[0]) > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    time, limit = np.exp((low + high) / 2), rng.uniform(*FOLLOW_UP, PATIENTS)
    table = LifeTable.from_patients(np.maximum(np.minimum(time, limit), 1e-6), time <= limit, experimental)
    return survival_data(table)


def ranks(name: str, simulations: int, seed: int, factor: float = 1.0, method: Method = Method.NUTS) -> dict[str, np.ndarray]:
    """Rank of the truth among 99 thinned draws, per parameter. `factor` spoils the likelihood: every patient counts that often."""
    case = CASES[name]
    rng = np.random.default_rng(seed)
    settings = SamplerSettings(method=method, tune=500, threads=2, target_accept=case.target_accept)
    truths = [truth(case, rng) for _ in range(simulations)]
    data = [cohort(case, parameters, rng) for parameters in truths]
    spoiled = [dataclasses.replace(item, counts=item.counts * factor) for item in data]
    jobs = [Job(case.prepare(item), case.priors, seed + i) for i, item in enumerate(spoiled)]
    fits = [draws for draws, _ in fit_group(case.build, jobs, settings, DiagnosticLimits(), 500, None)]
    found: dict[str, list[int]] = {}
    for parameters, fit in zip(truths, fits, strict=True):
        for key, value in parameters.items():
            draws = fit.values[key].reshape(-1, *fit.values[key].shape[2:])
            thinned = draws[np.linspace(0, draws.shape[0] - 1, RANKS - 1).astype(int)]
            for index, element in enumerate(np.atleast_1d(value)):
                column = thinned if thinned.ndim == 1 else thinned[:, index]
                label = key if np.ndim(value) == 0 else f"{key}_{index + 1}"
                found.setdefault(label, []).append(int((column < element).sum()))
    return {key: np.array(values) for key, values in found.items()}


def uniformity(values: np.ndarray, bins: int = BINS) -> float:
    """p of the χ² test that ranks are uniform."""
    counts = np.bincount(values * bins // RANKS, minlength=bins)
    return float(stats.chisquare(counts).pvalue)


def off(values: np.ndarray) -> float:
    """p that ranks are uniform by three tests (least p times 3): χ² of 20 bins, their mean, and their share in the central half.

    χ² sees any departure a little; a shifted posterior shows in the mean, one too narrow or too wide in the share.
    """
    n = values.size
    mean = (values.mean() - (RANKS - 1) / 2) / np.sqrt((RANKS**2 - 1) / 12 / n)
    central = int(((values >= RANKS // 4) & (values < 3 * RANKS // 4)).sum())
    return 3 * min(uniformity(values), 2 * float(stats.norm.sf(abs(mean))), float(stats.binomtest(central, n, 0.5).pvalue))
