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
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.bias import bias_tipping, one_bias
from retrial.sensitivity.censoring import Completed, censoring_tipping, completed

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
    for _ in range(100):
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


def test_a_planted_hazard_after_censoring_is_where_the_conclusion_tips() -> None:
    """Arms whose true restricted means are the same, one of them only because those lost from it fare worse: half of the posterior is on
    either side at the planted ratio. Patients are simulated; all that the analysis sees is when they were lost."""
    rng, n, horizon, hazard, lost, planted = np.random.default_rng(8), 2000, 12.0, 0.06, 0.05, 2.2
    worse = restricted_mean(hazard, lost, planted, horizon)
    control = optimize.brentq(lambda h: -math.expm1(-h * horizon) / h - worse, 0.01, 1.0)
    ratios = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0)
    grid, edges, found = np.arange(1, 241) * 0.05, np.arange(0, 241) * 0.05, []
    for _ in range(30):
        areas = []
        for rate in (control, hazard):
            event, leaves = rng.exponential(1 / rate, n), np.minimum(rng.exponential(1 / lost, n), horizon)
            counts = [np.histogram(times, edges)[0] for times in (event[event <= leaves], leaves[event > leaves])]
            draws = rng.gamma(counts[0].sum(), 1 / np.minimum(event, leaves).sum(), 200)
            cumulative = lambda t, draws=draws: draws[:, None] * t  # noqa: E731
            areas.append(completed(grid, *counts, cumulative, np.array(ratios), np.array([6.0]), horizon)[0])
        whole = Completed(np.stack(areas, axis=1), np.empty((len(ratios), 2, 0, 200)), np.empty(0), horizon)
        rows = {row["challenge"]: row["value"] for row in censoring_tipping({}, "flat", ratios, whole, (0.5,))}
        found.append(math.log(rows["censoring, experimental arm"]))
    error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(math.log(planted), abs=3 * error)
    assert math.log(planted) > 10 * error
