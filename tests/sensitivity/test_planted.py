"""Patients with a confounder, and patients whose hazard changes when they are lost, of known strength: tipping values find it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, optimize

from retrial.frequentist.ratios import LogRatio
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.after_censoring.imputed import Imputed, cox_of_pairs, imputed_times
from retrial.sensitivity.after_censoring.means import Completed, completed
from retrial.sensitivity.after_censoring.rows import MEANS, AfterCensoring, censoring_tipping
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.bias import bias_tipping, one_bias

STUDIES = 400
FLAT = {"flat": Prior("normal", (0.0, 1000.0))}


def confounded(rng: np.random.Generator, effect: float, strength: float, shares: tuple[float, float]) -> tuple[float, float]:
    """Log ratio of rates and its SE in 30,000 patients an arm, of whom `shares` have what multiplies the hazard by exp(strength)."""
    events, months = [], []
    for arm, share in enumerate(shares):
        hazard = 0.02 * np.exp(effect * arm + strength * (rng.uniform(size=30_000) < share))
        time = rng.exponential(1 / hazard)
        events.append((time <= 1.0).sum())
        months.append(np.minimum(time, 1.0).sum())
    return math.log(events[1] / months[1] * months[0] / events[0]), math.sqrt(1 / events[0] + 1 / events[1])


def of(y: float, s: float) -> Effect:
    data = LogRatio("hazard_ratio", "experimental / control", "", y, s, 0.95, "simulated")
    return Effect("os", "normal", "", "hazard_ratio", NormalLikelihood(data, posterior), FLAT, 600.0, False, data)


def test_a_planted_confounder_is_the_bias_that_tips_and_its_removal_gives_the_true_effect() -> None:
    """Events are rare, so that the bias is that of Lin, Psaty and Kronmal 1998: log of the ratio of the arms' mean exp(γ u)."""
    rng, strength, shares, effect = np.random.default_rng(12), math.log(3), (0.7, 0.2), -0.25
    bias = math.log((1 + shares[1] * (math.exp(strength) - 1)) / (1 + shares[0] * (math.exp(strength) - 1)))
    adjusted, tips = [], []
    for _ in range(STUDIES):
        adjusted.append(one_bias(of(*confounded(rng, effect, strength, shares)), bias, 0.0, 0.025).median[0])
        y, s = confounded(rng, 0.0, strength, shares)
        row = next(iter(bias_tipping(of(y, s), Assumptions(bias_sds=(0.0,)), 0.025)))
        # at this bias 0.95 of the posterior are left on the side of a benefit, and at one 1.645 SE further half of it
        tips.append(math.log(row["value"]) - 1.644854 * s)
    for found, truth in ((adjusted, effect), (tips, bias)):
        error = np.std(found, ddof=1) / math.sqrt(len(found))
        assert np.mean(found) == pytest.approx(truth, abs=3 * error)
        assert abs(bias) > 20 * error  # it would be seen if it were not taken out


def restricted_mean(hazard: float, lost: float, ratio: float, horizon: float) -> float:
    """Of patients lost at a constant rate, whose hazard is then multiplied."""

    def survival(u: float) -> float:
        rate = hazard + lost - ratio * hazard
        return math.exp(-(hazard + lost) * u) + lost * math.exp(-ratio * hazard * u) * -math.expm1(-rate * u) / rate

    return float(integrate.quad(survival, 0, horizon)[0])


N, HORIZON, HAZARD, LOST, PLANTED = 1500, 12.0, 0.06, 0.05, 2.2
RATIOS = (1.0, 1.5, 2.0, 2.7, 4.0, 6.0)
WIDE = (0.25, 0.5, *RATIOS, 10.0, 16.0)
"""For values of single studies that lie as far from the planted one as four standard deviations."""
EDGES = np.arange(0, 241) * 0.05
GRID = EDGES[1:]
DRAWS = 100


def counts_of(times: np.ndarray, event: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Events and censorings at the times of the grid."""
    return np.histogram(times[event], EDGES)[0], np.histogram(times[~event], EDGES)[0]


def patients(rng: np.random.Generator, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Recorded times, up to the horizon, of patients who are lost at a constant rate, and who has the event."""
    event, leaves = rng.exponential(1 / rate, N), np.minimum(rng.exponential(1 / LOST, N), HORIZON)
    return np.minimum(event, leaves), event <= leaves


def draws_of(rng: np.random.Generator, times: np.ndarray, event: np.ndarray):
    """The posterior of a constant hazard, as draws of its cumulative."""
    draws = rng.gamma(event.sum(), 1 / times.sum(), DRAWS)
    return lambda t: draws[:, None] * t


def test_a_planted_hazard_after_censoring_is_where_the_conclusion_tips() -> None:
    """Arms whose true restricted means are the same, one of them only because those lost from it fare worse: half of the posterior is on
    either side at the planted ratio. Patients are simulated; all that the analysis sees is when they were lost."""
    rng, found = np.random.default_rng(8), []
    worse = restricted_mean(HAZARD, LOST, PLANTED, HORIZON)
    control = optimize.brentq(lambda h: -math.expm1(-h * HORIZON) / h - worse, 0.01, 1.0)
    for _ in range(STUDIES):
        areas = []
        for rate in (control, HAZARD):
            seen = patients(rng, rate)
            areas.append(completed(GRID, *counts_of(*seen), draws_of(rng, *seen), np.array(WIDE), np.array([6.0]), HORIZON)[0])
        whole = Completed(np.stack(areas, axis=1), np.empty((len(WIDE), 2, 0, DRAWS)), np.empty(0), HORIZON)
        none = np.zeros((len(WIDE), len(WIDE), 2))
        after = AfterCensoring.of("flat", WIDE, whole, Imputed(none, none + 1, HORIZON, FLAT["flat"]), 0.025)
        rows = {row["challenge"]: row["value"] for row in censoring_tipping({}, after, (0.5,), -1)}
        found.append(math.log(rows["censoring, experimental arm" + MEANS]))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(math.log(PLANTED), abs=3 * error)
    assert math.log(PLANTED) > 10 * error


def score_of_no_effect(control: float) -> float:
    """Mean of the log-rank score at a ratio of 1: nobody lost from the control arm, those lost from the other have the planted hazard."""
    u = np.linspace(0.0, HORIZON, 4001)
    rate = HAZARD + LOST - PLANTED * HAZARD
    stay = np.exp(-(HAZARD + LOST) * u)
    gone = LOST * np.exp(-PLANTED * HAZARD * u) * -np.expm1(-rate * u) / rate
    treated, others = stay + gone, np.exp(-control * u)
    events = HAZARD * stay + PLANTED * HAZARD * gone
    return float(np.trapezoid((events * others - control * others * treated) / (treated + others), u))


def imputed(rng: np.random.Generator, control: float) -> tuple[Imputed, float]:
    """What the engine makes of patients of both arms with the hazards seen, and Cox's log ratio of the tables as they are."""
    seen = [patients(rng, rate) for rate in (control, HAZARD)]
    counts = [counts_of(*arm) for arm in seen]
    arms = [
        imputed_times(GRID, *count, draws_of(rng, *arm), np.array(RATIOS), HORIZON, rng)
        for arm, count in zip(seen, counts, strict=True)
    ]
    as_seen = [(events[None, None], (events + censored)[None, None]) for events, censored in counts]
    base = float(cox_of_pairs(*as_seen[0], *as_seen[1])[0][0, 0, 0])
    return Imputed(*cox_of_pairs(*arms[0], *arms[1]), HORIZON, FLAT["flat"]), base


@pytest.mark.parametrize("studies", [30, pytest.param(STUDIES, marks=pytest.mark.slow)])
def test_a_planted_hazard_after_censoring_is_where_the_imputed_hazard_ratio_tips(studies: int) -> None:
    """Cox's regression of all patients' own times has a mean score of 0 at no effect; the tables that are seen have a ratio far below 1.
    With δ = 0 these come back, in the mean and in the variance of Rubin's rules."""
    control = optimize.brentq(score_of_no_effect, 0.01, 1.0)
    rng, tips, shifts, spreads = np.random.default_rng(21), [], [], []
    means = Completed(np.zeros((len(RATIOS), 2, 1)), np.empty((len(RATIOS), 2, 0, 1)), np.empty(0), HORIZON)
    for _ in range(studies):
        found, base = imputed(rng, control)
        after = AfterCensoring.of("flat", RATIOS, means, found, 0.025)
        rows = {row["challenge"]: row["value"] for row in censoring_tipping({}, after, (0.5,), -1)}
        tips.append(math.log(rows["censoring, experimental arm"]))
        at = RATIOS.index(1.0)
        b, variance = found.log_ratio[at, at], found.se[at, at] ** 2
        shifts.append(b.mean() - base)
        spreads.append(math.sqrt(variance.mean() + b.var(ddof=1)))
        pooled = after.pooled
        assert pooled.median[at, at] == pytest.approx(b.mean(), abs=0.1 * spreads[-1])
        assert (pooled.upper - pooled.lower)[at, at] == pytest.approx(2 * 1.959964 * spreads[-1], rel=0.05)
    for values, truth in ((tips, math.log(PLANTED)), (shifts, 0.0)):
        error = np.std(values, ddof=1) / math.sqrt(len(values))
        assert np.mean(values) == pytest.approx(truth, abs=3 * error)
    assert math.log(PLANTED) > 10 * np.std(tips, ddof=1) / math.sqrt(len(tips))
    assert abs(np.mean(shifts)) < 0.1 * np.mean(spreads)
