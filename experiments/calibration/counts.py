"""Simulation-based calibration of the models of counts: parameters from the prior, patients from the parameters, ranks from the posterior.

Talts et al. 2018 (arXiv 1804.06788). `response_borrowing` has its posterior by quadrature: the posterior CDF at the truth takes the place of a rank.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from retrial.data.chains import category_counts, graded_events
from retrial.data.cohorts import BorrowedCounts
from retrial.data.two_arms import TwoArms
from retrial.experiments.calibration.survival import RANKS
from retrial.fit.engine import Fitter, Job, fit_many, fitter_for
from retrial.fit.settings import SamplerSettings
from retrial.models import adverse_events_hierarchical, response_borrowing, response_hierarchical
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

N = (49, 43)
CATEGORIES = ("CR", "PR", "SD", "PD")
TERMS, GRADES = tuple("abcde"), ("3-4", "1-2")
COHORTS = (36, 117, 44, 100)
OFFSETS = (-1.0, -0.5, -1.0, 0.0)
"""Criteria of the cohorts against the study's: stricter, unknown, stricter, the same."""
ROBUST = 0.3
_EFFECT = Prior("normal", (0.0, 1.0))
RESPONSE = PriorSet(
    "c", {"baseline_logit": Prior("normal", (0.0, 1.5)), "log_odds_ratio": _EFFECT, "effect_sd": Prior("half_normal", (0.5,))}
)
ADVERSE = PriorSet(
    "c",
    {
        "baseline_mean": Prior("normal", (-2.0, 2.0)),
        "baseline_sd": Prior("half_normal", (1.0,)),
        "grade_effect": Prior("normal", (0.0, 0.5)),
        "log_odds_ratio": _EFFECT,
        "effect_sd": Prior("half_normal", (0.5,)),
    },
)
BORROWING = PriorSet(
    "c",
    {
        "control_logit": Prior("normal", (0.0, 1.5)),
        "historical_mean": Prior("normal", (0.0, 1.0)),
        "historical_sd": Prior("half_normal", (0.5,)),
        "criteria_log_odds": Prior("normal", (0.6, 0.35)),
        "log_odds_ratio": _EFFECT,
    },
)
Draws = Mapping[str, np.ndarray]


def _drawn(priors: PriorSet, sizes: Mapping[str, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """One draw (1, ...) of every parameter; `sizes` holds the vectors'."""
    values = {name: prior.distribution.rvs(size=sizes.get(name, 1), random_state=rng) for name, prior in priors.priors.items()}
    return {name: value[None] if name in sizes else value for name, value in values.items()}


def _response(rng: np.random.Generator) -> tuple[Any, dict[str, np.ndarray]]:
    truth = _drawn(RESPONSE, {"baseline_logit": 3}, rng) | {"standard_effect": rng.normal(size=(1, 3))}
    p = response_hierarchical.probabilities(truth)[0]
    control, experimental = (rng.multinomial(n, p[arm] / p[arm].sum()).tolist() for arm, n in enumerate(N))
    return category_counts(CATEGORIES, control, experimental), truth


def _response_series(draws: Draws, _data: Any) -> dict[str, np.ndarray]:
    p = response_hierarchical.probabilities(draws)[..., :2].sum(axis=-1)
    named = {
        f"effect_{name}": value for name, value in zip(CATEGORIES, response_hierarchical.step_effects(draws).T, strict=False)
    }
    return {
        "log_odds_ratio": draws["log_odds_ratio"],
        "effect_sd": draws["effect_sd"],
        **named,
        "orr_control": p[:, 0],
        "orr_difference": p[:, 1] - p[:, 0],
    }


def _adverse(rng: np.random.Generator) -> tuple[Any, dict[str, np.ndarray]]:
    cells = len(TERMS) * len(GRADES)
    truth = _drawn(ADVERSE, {"baseline_mean": 2, "grade_effect": 2}, rng)
    truth |= {name: rng.normal(size=(1, cells)) for name in ("standard_effect", "standard_baseline")}
    blank = graded_events(TERMS, GRADES, np.zeros((2, len(TERMS), len(GRADES))), N)
    p = adverse_events_hierarchical.probabilities(truth, blank)[0]
    counts = [[rng.multinomial(n, q / q.sum())[:-1] for q in p[arm]] for arm, n in enumerate(N)]
    return graded_events(TERMS, GRADES, counts, N), truth


def _adverse_series(draws: Draws, data: Any) -> dict[str, np.ndarray]:
    effect = adverse_events_hierarchical.cell_effects(draws, data)
    p = adverse_events_hierarchical.probabilities(draws, data)
    return {
        "log_odds_ratio": draws["log_odds_ratio"],
        "effect_sd": draws["effect_sd"],
        "baseline_sd": draws["baseline_sd"],
        "effect_a_3-4": effect[:, 0],
        "effect_b_1-2": effect[:, 3],
        "any_a_control": 1 - p[:, 0, 0, -1],
        "any_a_difference": p[:, 0, 0, -1] - p[:, 1, 0, -1],
    }


_SAMPLED: dict[str, tuple[Callable[..., Any], PriorSet, Callable[..., Any], Callable[..., Any], SamplerSettings]] = {
    "response_hierarchical": (
        response_hierarchical.build,
        RESPONSE,
        _response,
        _response_series,
        SamplerSettings(tune=400, threads=2, target_accept=0.95),
    ),
    "adverse_events_hierarchical": (
        adverse_events_hierarchical.build,
        ADVERSE,
        _adverse,
        _adverse_series,
        SamplerSettings(tune=400, threads=2, target_accept=0.95),
    ),
}
DRAWS = 200
"""Draws a chain, thinned to 99 in all."""


def count_ranks(
    name: str, simulations: int, seed: int, fitter: Fitter | None = None, draws: int = DRAWS, tune: int | None = None
) -> dict[str, np.ndarray]:
    """Rank (0 to 99) of the truth in its posterior, (simulation,) per parameter; by a `fitter` that was compiled before, if there is one."""
    if name == "response_borrowing":
        return borrowing_ranks(simulations, seed)
    build, priors, simulate, series, settings = _SAMPLED[name]
    rng = np.random.default_rng(seed)
    made = [simulate(rng) for _ in range(simulations)]
    jobs = [Job(data, priors, seed + i) for i, (data, _) in enumerate(made)]
    fits = fit_many(fitter or fitter_for(build, jobs, settings), jobs, draws, tune or settings.tune, settings.threads)
    found: dict[str, list[int]] = {}
    for (data, truth), fit in zip(made, fits, strict=True):
        flat = {key: value.reshape(-1, *value.shape[2:]) for key, value in fit.values.items()}
        rows = np.linspace(0, 4 * draws - 1, RANKS - 1).astype(int)
        thinned, true = series({key: value[rows] for key, value in flat.items()}, data), series(truth, data)
        for key, value in true.items():
            found.setdefault(key, []).append(int((thinned[key] < value[0]).sum()))
    return {key: np.array(values) for key, values in found.items()}


def borrowing_ranks(simulations: int, seed: int, weight: float = ROBUST) -> dict[str, np.ndarray]:
    """100 x the posterior CDF at the truth, rounded down. `weight` is the robust weight that the posterior is computed with."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(simulations):
        data, truth = _borrowing(rng)
        joint = response_borrowing.posterior(dataclasses.replace(data, robust_weight=weight), BORROWING)
        found.append({key: joint.cdf(key, value) for key, value in truth.items()})
    return {
        {"odds_ratio": "log_odds_ratio"}.get(key, key): np.array([min(int(RANKS * item[key]), RANKS - 1) for item in found])
        for key in found[0]
    }


def _borrowing(rng: np.random.Generator) -> tuple[BorrowedCounts, dict[str, float]]:
    drawn = {name: float(prior.distribution.rvs(size=1, random_state=rng)[0]) for name, prior in BORROWING.priors.items()}
    mean, sd = drawn["historical_mean"], drawn["historical_sd"]
    logits = rng.normal(mean, sd, len(COHORTS)) + drawn["criteria_log_odds"] * np.array(OFFSETS)
    cohorts = rng.binomial(COHORTS, expit(logits))
    control = drawn["control_logit"] if rng.uniform() < ROBUST else rng.normal(mean, sd)
    arms = expit([control, control + drawn["log_odds_ratio"]])
    events = rng.binomial(N, arms)
    data = BorrowedCounts(
        TwoArms((int(events[0]), int(events[1])), N), tuple(int(count) for count in cohorts), COHORTS, OFFSETS, ROBUST
    )
    truth = {
        "control": float(arms[0]),
        "experimental": float(arms[1]),
        "risk_difference": float(arms[1] - arms[0]),
        "odds_ratio": float(np.exp(drawn["log_odds_ratio"])),
    }
    return data, truth
