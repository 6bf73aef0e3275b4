"""Response categories as a chain of binomials: likelihood, limits, calibration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.answers.proportions import proportion_rows
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.data.chains import at_risk, category_counts, chain_probabilities
from retrial.data.two_arms import TwoArms
from retrial.dims import RAW
from retrial.errors import DataError
from retrial.experiments.calibration.counts import count_ranks
from retrial.experiments.calibration.survival import uniformity
from retrial.fit.diagnostics import diagnose
from retrial.fit.engine import Fitter, Job, fit_many, fitter_for
from retrial.fit.settings import DiagnosticLimits, SamplerSettings
from retrial.models import response_binomial, response_hierarchical
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

# mRECIST categories of a two-arm study of 49 and 43 patients
COUNTS = category_counts(["CR", "PR", "SD", "PD"], [3, 14, 12, 20], [4, 20, 9, 10])
PRIORS = PriorSet(
    "p",
    {
        "baseline_logit": Prior("normal", (0.0, 1.5)),
        "log_odds_ratio": Prior("normal", (0.0, 1.0)),
        "effect_sd": Prior("half_normal", (0.5,)),
    },
)
SETTINGS = SamplerSettings(tune=300, chains=4, target_accept=0.95)


def unpooled(data, priors):  # type: ignore[no-untyped-def]
    return response_hierarchical.build(data, priors, pooled=False)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 60), min_size=2, max_size=7), st.integers(0, 10_000))
def test_the_chain_of_binomials_is_the_multinomial(counts: list[int], seed: int) -> None:
    y = np.array(counts) + (np.arange(len(counts)) == 0)
    logit = np.random.default_rng(seed).normal(0, 2, y.size - 1)
    chain = stats.binom.logpmf(y[:-1], at_risk(y).astype(int), 1 / (1 + np.exp(-logit))).sum()
    p = chain_probabilities(logit)
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    assert chain == pytest.approx(stats.multinomial.logpmf(y, y.sum(), p), abs=1e-10)


def test_model_log_density_is_prior_plus_that_of_every_patient() -> None:
    model = response_hierarchical.build(COUNTS, PRIORS)
    baseline, mean, sd, z = np.array([-2.5, -0.7, -0.4]), 0.5, 0.4, np.array([0.3, -1.0, 0.8])
    # τ = 0.5 Φ⁻¹((1 + Φ(x)) / 2) is half-normal where x is standard normal
    score = stats.norm.ppf(2 * stats.norm.cdf(sd / 0.5) - 1)
    point = {"baseline_logit": baseline, "log_odds_ratio": np.array(mean), f"effect_sd{RAW}": score, "standard_effect": z}
    draws = {
        "baseline_logit": baseline[None],
        "log_odds_ratio": np.array([mean]),
        "effect_sd": np.array([sd]),
        "standard_effect": z[None],
    }
    p = response_hierarchical.probabilities(draws)[0]
    # patients one by one: without the number of orders in which they may come
    expected = (COUNTS.counts * np.log(p)).sum()
    expected += stats.norm.logpdf(baseline, 0, 1.5).sum() + stats.norm.logpdf(mean) + stats.norm.logpdf(score)
    expected += stats.norm.logpdf(z).sum()
    assert float(model.compile_logp(jacobian=False)(point)) == pytest.approx(expected, abs=1e-10)


@pytest.fixture(scope="module")
def pooled_fitter() -> Fitter:
    return fitter_for(response_hierarchical.build, [Job(COUNTS, PRIORS, 1)], SETTINGS)


def test_with_pooling_off_each_step_is_the_grid_answer() -> None:
    job = Job(COUNTS, PRIORS, 5)
    draws = fit_many(fitter_for(unpooled, [job], SETTINGS), [job], 4000, 400, 1)[0]
    effect = draws.values["log_odds_ratio"].reshape(-1, 3)
    for k in range(3):
        events, n = COUNTS.events[:, k].astype(int), COUNTS.at_risk[:, k].astype(int)
        own = {"control_logit": Prior("normal", (float(response_hierarchical.centre(3)[k]), 1.5))}
        priors = PriorSet("step", {**own, "log_odds_ratio": PRIORS["log_odds_ratio"]})
        grid = response_binomial.posterior(TwoArms((events[0], events[1]), (n[0], n[1])), priors)
        mean, sd = grid.moments("odds_ratio")
        # 16,000 draws of an effective size of some thousands
        assert effect[:, k].mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(4000))
        assert effect[:, k].std() == pytest.approx(sd, rel=0.05)


def test_pooling_is_between_one_common_effect_and_none(pooled_fitter: Fitter) -> None:
    wide = PriorSet("w", {**PRIORS.priors, "effect_sd": Prior("half_normal", (5.0,))})
    narrow = PriorSet("n", {**PRIORS.priors, "effect_sd": Prior("half_normal", (0.01,))})
    fits = fit_many(pooled_fitter, [Job(COUNTS, narrow, 3), Job(COUNTS, PRIORS, 3), Job(COUNTS, wide, 3)], 1500, 400, 1)
    flat = [{name: value.reshape(-1, *value.shape[2:]) for name, value in fit.values.items()} for fit in fits]
    spread = [float(np.ptp(response_hierarchical.step_effects(draws).mean(axis=0))) for draws in flat]
    assert spread[0] < 0.02
    assert spread[0] < spread[1] < spread[2]
    # one common continuation-ratio effect: logistic regression over the three steps, flat prior nearly
    assert diagnose(fits[1:2], DiagnosticLimits(divergences=20))[0].rhat_max < 1.02


def test_ranks_are_uniform(pooled_fitter: Fitter) -> None:
    # quick simulation-based calibration, as of the survival models in test_calibration.py
    found = count_ranks("response_hierarchical", 40, seed=21, fitter=pooled_fitter, draws=100, tune=200)
    assert min(uniformity(values, 5) for values in found.values()) > 1e-3, found


def test_before_the_data_no_category_is_favoured() -> None:
    # Beta(1, K - k) at each step is the uniform distribution over K categories; the normal prior has its centre
    x = np.random.default_rng(2).beta(1.0, 4.0 - np.arange(1, 4), (400_000, 3))
    np.testing.assert_allclose(np.log(x / (1 - x)).mean(axis=0), response_hierarchical.centre(3), atol=0.01)
    draws = {"baseline_logit": np.random.default_rng(1).normal(0, 1.5, (100_000, 3))}
    draws |= {"log_odds_ratio": np.zeros((100_000, 3))}
    p = response_hierarchical.probabilities(draws)[:, 0].mean(axis=0)
    assert p.min() > 0.2
    assert p.max() < 0.3


def test_composites_are_nested_and_numbers_needed_have_two_halves() -> None:
    rng = np.random.default_rng(4)
    control, experimental = rng.beta(18, 33, 20_000), rng.beta(21, 30, 20_000)
    rows = {
        (row.quantity, row.statistic): row
        for row in proportion_rows(Subject("ORR", "", "m", "p", ""), control, experimental, Questions(), 1)
    }
    difference = rows["risk_difference", "value"]
    to_benefit = rows["number_needed_to_treat_to_benefit", "value"]
    limit = rows["number_needed_to_treat_to_harm", "far_limit"]
    assert difference.lower < 0 < difference.point < difference.upper
    assert to_benefit.point == pytest.approx(1 / difference.point)
    assert (to_benefit.lower, to_benefit.upper) == pytest.approx((1 / difference.upper, np.inf))
    # Altman 1998: the interval goes on through infinity; its far end is a number without an interval, never a row without a number
    assert limit.point == pytest.approx(-1 / difference.lower)
    assert limit.interval_kind == "none"
    assert "to infinity to NNTH" in to_benefit.source
    assert ("number_needed_to_treat_to_harm", "value") not in rows
    assert all(np.isfinite(row.point) for row in rows.values())
    assert rows["risk_difference", "probability"].point == pytest.approx((experimental > control).mean())


def test_no_patients_are_refused() -> None:
    with pytest.raises(DataError, match="two or more categories"):
        category_counts(["CR"], [3], [4])
    with pytest.raises(DataError, match="a patient in each arm"):
        category_counts(["CR", "PD"], [0, 0], [4, 1])
