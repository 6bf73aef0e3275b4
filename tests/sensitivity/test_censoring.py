"""Hazards after censoring: the base answer at 1, the Kaplan-Meier estimate's own consistency, a known truth, and tipping values."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import optimize, stats

from retrial.frequentist.ratios import LogRatio
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.after_censoring.imputed import Imputed, pooled
from retrial.sensitivity.after_censoring.means import Completed, censoring_survival, completed
from retrial.sensitivity.after_censoring.rows import MEANS, AfterCensoring, censoring_rows, censoring_tipping
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.conclusions import conclusion_rows

TIMES = np.arange(1.0, 13.0)
EVENTS = np.array([2, 1, 3, 2, 1, 1, 2, 1, 0, 1, 0, 1])
CENSORED = np.array([1, 2, 0, 3, 1, 2, 0, 4, 3, 2, 1, 2])
RATIOS = (0.5, 1.0, 2.0)


def weibull(scales: np.ndarray, shape: float = 1.3):
    return lambda times: (times / scales[:, None]) ** shape


def test_the_same_hazard_gives_the_base_answer_draw_by_draw() -> None:
    cumulative = weibull(np.array([6.0, 9.0, 14.0]))
    asked = np.array([3.0, 6.0, 11.0])
    rmst, survival = completed(TIMES, EVENTS, CENSORED, cumulative, np.array([1.0]), asked, 12.0)
    assert pytest.approx(np.exp(-cumulative(asked)), abs=1e-12) == survival[0].T
    fine = np.linspace(0, 12, 100_001)
    assert rmst[0] == pytest.approx(np.trapezoid(np.exp(-cumulative(fine)), fine, axis=1), rel=1e-5)


def test_a_hazard_is_worked_out_by_hand() -> None:
    """Constant hazard h, everybody censored at c: S*(u) = exp(-h c - ρ h (u - c)) beyond it."""
    h, c, ratio = 0.1, 4.0, 2.5
    rmst, survival = completed(
        np.array([c]),
        np.array([0]),
        np.array([20]),
        lambda t: np.atleast_2d(h * t),
        np.array([ratio]),
        np.array([2.0, 8.0]),
        10.0,
    )
    assert survival[0, :, 0] == pytest.approx([math.exp(-h * 2), math.exp(-h * c - ratio * h * 4)], abs=1e-12)
    exact = (1 - math.exp(-h * c)) / h + math.exp(-h * c) * (1 - math.exp(-ratio * h * 6)) / (ratio * h)
    assert rmst[0, 0] == pytest.approx(exact, rel=1e-5)


def test_events_and_censorings_swap_roles_in_the_product_limit() -> None:
    """At every time the two product-limit estimates multiply to the share still followed (no ties are lost: censorings leave after events)."""
    staying, drops = censoring_survival(EVENTS, CENSORED)
    at_risk = (EVENTS + CENSORED)[::-1].cumsum()[::-1]
    alive = np.cumprod(1 - EVENTS / at_risk)
    followed = np.append(at_risk[1:], 0) / at_risk[0]
    assert staying * alive == pytest.approx(followed, abs=1e-12)
    assert drops.sum() + staying[-1] == pytest.approx(1.0)


def test_a_planted_hazard_after_censoring_is_recovered() -> None:
    """Patients whose hazard doubles when they are lost: with the ratio 2 the curve is that of their completed times."""
    rng, n, h, ratio = np.random.default_rng(3), 400_000, 0.12, 2.0
    latent, lost = rng.exponential(1 / h, n), np.ceil(rng.exponential(9.0, n))
    after = lost + (latent - lost) / ratio
    true_time = np.where(latent <= lost, latent, after)
    grid = np.arange(1.0, 61.0)
    observed, event = np.minimum(np.ceil(latent), lost), latent <= lost
    events, censored = (np.array([((observed == t) & (event == kind)).sum() for t in grid]) for kind in (True, False))
    asked = np.array([4.0, 8.0, 12.0])
    _, found = completed(grid, events, censored, lambda t: np.atleast_2d(h * t), np.array([1.0, ratio]), asked, 12.0)
    truth = np.array([(true_time > t).mean() for t in asked])
    assert found[1, :, 0] == pytest.approx(truth, abs=3 * 0.5 / math.sqrt(n) + 1e-3)
    assert (found[0, :, 0] - truth > 0.01).all()


def shifted(log_ratio: float = -0.9, se: float = 0.3) -> AfterCensoring:
    """Restricted means that fall by the log of the ratio, and log hazard ratios that rise by it; estimates without spread."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=(2, 40_000)) * 0.3
    log_ratios = np.log(np.array(RATIOS))
    rmst = np.stack([np.stack([noise[0] - shift, 1.0 + noise[1] - shift]) for shift in log_ratios])
    estimates = np.repeat((log_ratio + log_ratios[None, :] - log_ratios[:, None])[..., None], 50, axis=2)
    imputed = Imputed(estimates, np.full(estimates.shape, se), 12.0, Prior("normal", (0.0, 1000.0)))
    return AfterCensoring.of("flat", RATIOS, Completed(rmst, np.empty((3, 2, 0, 40_000)), np.empty(0), 12.0), imputed, 0.025)


def test_rows_and_tipping_values() -> None:
    """A difference in restricted means tips where 1 - δ is 1.645 of its SDs, a log ratio of -0.9 where δ is 1.645 SEs short of 0.9."""
    found = shifted()
    rows = list(censoring_rows({"endpoint": "os"}, found, 0.025))
    assert len(rows) == 18
    base = {row["quantity"]: row for row in rows if row["control_ratio"] == row["experimental_ratio"] == 1.0}
    assert base["rmst_difference"]["median"] == pytest.approx(1.0, abs=0.01)
    assert base["hazard_ratio"]["median"] == pytest.approx(math.exp(-0.9), abs=1e-4)
    assert base["hazard_ratio"]["upper"] == pytest.approx(math.exp(-0.9 + 1.959964 * 0.3), rel=1e-3)
    tips = {row["challenge"]: row["value"] for row in censoring_tipping({}, found, (0.95,), -1)}
    exact = math.exp(1.0 - 1.6449 * 0.3 * math.sqrt(2))
    assert tips["censoring, experimental arm" + MEANS] == pytest.approx(exact, rel=0.02)
    assert tips["censoring, control arm" + MEANS] == pytest.approx(1 / exact, rel=0.02)
    exact = math.exp(0.9 - 1.6449 * 0.3)
    assert tips["censoring, experimental arm"] == pytest.approx(exact, rel=1e-3)
    assert tips["censoring, control arm"] == pytest.approx(1 / exact, rel=1e-3)


def test_a_claim_above_1_tips_the_other_way() -> None:
    tips = {row["challenge"]: row["value"] for row in censoring_tipping({}, shifted(0.9), (0.95,), 1)}
    exact = math.exp(0.9 - 1.6449 * 0.3)
    assert tips["censoring, experimental arm"] == pytest.approx(1 / exact, rel=1e-3)
    assert tips["censoring, control arm"] == pytest.approx(exact, rel=1e-3)


def test_a_completed_table_without_an_estimate_is_a_failed_row_and_never_a_tipping_value() -> None:
    found = shifted()
    found.hazard_ratios.se[1, 2, 7] = np.inf
    found = AfterCensoring.of("flat", RATIOS, found.means, found.hazard_ratios, 0.025)
    row = next(
        row
        for row in censoring_rows({}, found, 0.025)
        if (row["quantity"], row["control_ratio"], row["experimental_ratio"]) == ("hazard_ratio", 1.0, 2.0)
    )
    assert row["status"] == "failed: no estimate in 1 of 50 completed tables"
    assert math.isnan(row["median"])
    tips = {row["challenge"]: row["value"] for row in censoring_tipping({}, found, (0.95,), -1)}
    assert math.isnan(tips["censoring, experimental arm"])
    assert not math.isnan(tips["censoring, control arm"])


MIXTURE = Prior("normal_mixture", ((0.3, 0.7), (-0.5, 0.2), (0.3, 0.9)))


def exact_of_mixture(b: np.ndarray, s: np.ndarray) -> tuple[Callable[[float], float], float, list[float]]:
    """The pooled posterior's distribution function under `MIXTURE`, of normals for every imputation; P(β < 0)'s Monte Carlo error; limits."""
    share, mu, sigma = (np.array(part)[:, None] for part in (MIXTURE["weights"], MIXTURE["mu"], MIXTURE["sigma"]))
    evidence = share * stats.norm.pdf(b, mu, np.hypot(s, sigma))
    sd = 1 / np.sqrt(1 / s**2 + 1 / sigma**2)
    mean, weight = sd**2 * (b / s**2 + mu / sigma**2), evidence / evidence.sum(axis=0)
    each = (weight * stats.norm.cdf(0.0, mean, sd)).sum(axis=0)

    def cdf(x: float, level: float = 0.0) -> float:
        return float((weight * stats.norm.cdf(x, mean, sd)).sum(axis=0).mean()) - level

    return cdf, float(each.std(ddof=1) / math.sqrt(b.size)), [optimize.brentq(cdf, -5, 5, level) for level in (0.025, 0.5, 0.975)]


def test_imputed_tables_under_a_prior_that_is_not_normal_have_the_posterior_worked_out_by_hand() -> None:
    rng = np.random.default_rng(17)
    b, s = rng.normal(-0.6, 0.15, (2, 2, 60)), rng.uniform(0.2, 0.4, (2, 2, 60))
    found = pooled(Imputed(b, s, 12.0, MIXTURE), 0.025)
    for place in np.ndindex(2, 2):
        cdf, error, limits = exact_of_mixture(b[place], s[place])
        assert found.below[place] == pytest.approx(cdf(0.0), abs=1e-4)  # of the grid; the Monte Carlo error is 30 times that
        assert found.error[place] == pytest.approx(error, abs=1e-4)
        assert [found.lower[place], found.median[place], found.upper[place]] == pytest.approx(limits, abs=1e-3)
    assert not found.failed.any()


def test_a_normal_prior_has_one_answer_whichever_way_it_is_written() -> None:
    rng = np.random.default_rng(18)
    b, s = rng.normal(0.4, 0.2, (1, 1, 40)), rng.uniform(0.2, 0.4, (1, 1, 40))
    s[0, 0, 3] = np.inf
    b, s = np.concatenate([b, b]), np.concatenate([s, np.full_like(s, 0.3)])
    one, same = (
        pooled(Imputed(b, s, 12.0, prior), 0.025)
        for prior in (Prior("normal", (0.1, 0.5)), Prior("normal_mixture", ((0.5, 0.5), (0.1, 0.1), (0.5, 0.5))))
    )
    for name in ("below", "error", "lower", "median", "upper"):
        assert getattr(same, name) == pytest.approx(getattr(one, name), abs=1e-3, nan_ok=True)
        assert np.isnan(getattr(same, name)[0]).all()  # one imputation has no estimate
    assert same.failed.ravel().tolist() == [1, 0]


@pytest.mark.parametrize(("log_ratio", "claim", "arm"), [(-0.9, "below 1", "experimental"), (0.9, "above 1", "control")])
def test_a_conclusion_is_held_against_worse_outcomes_of_those_censored_in_the_better_arm(
    log_ratio: float, claim: str, arm: str
) -> None:
    """Twice the hazard takes log 2 of the log ratio, whichever side of 1 the claim is on; a pair without an estimate is no verdict."""
    found = shifted(log_ratio)
    data = LogRatio("hazard_ratio", "experimental / control", "", log_ratio, 0.3, 0.95, "made up")
    effect = Effect("os", "m", "", "hazard_ratio", NormalLikelihood(data, posterior), {"flat": found.hazard_ratios.prior}, 50.0)
    row = list(conclusion_rows(effect, Assumptions(), 0.025, found))[-1]
    assert (row["challenge"], row["claim"], row["status"]) == ("censoring", claim, "ok")
    assert row["what"] == f"2 times the hazard after censoring in the {arm} arm"
    assert row["probability"] == pytest.approx(stats.norm.cdf((0.9 - math.log(2)) / 0.3), abs=1e-4)
    assert not row["holds"]
    found.hazard_ratios.se[(1, 2) if log_ratio < 0 else (2, 1)] = np.inf
    failed = AfterCensoring.of("flat", RATIOS, found.means, found.hazard_ratios, 0.025)
    row = list(conclusion_rows(effect, Assumptions(), 0.025, failed))[-1]
    assert row["status"] != "ok"
    assert not row["holds"]
