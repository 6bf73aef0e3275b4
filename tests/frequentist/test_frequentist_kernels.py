"""Compiled kernels, lifelines and statsmodels on the same tables, and each on published numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from lifelines.statistics import logrank_test
from scipy.stats import chi2
from statsmodels.duration.hazard_regression import PHReg

from retrial.errors import DataError
from retrial.frequentist import library
from retrial.frequentist.kernels import COX_BRESLOW, COX_EFRON, LOG_RANK, WEIBULL, Kernels
from retrial.frequentist.library import Library, voice
from retrial.frequentist.survival import survival_estimates
from retrial.tables.kernel.comparison import log_rank_sums
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading, TestReading

TIES = (COX_BRESLOW, COX_EFRON)
LIKELIHOOD_RATIO = {COX_BRESLOW: TestReading.LIKELIHOOD_RATIO_BRESLOW, COX_EFRON: TestReading.LIKELIHOOD_RATIO_EFRON}
SCORE = {COX_BRESLOW: TestReading.SCORE_BRESLOW, COX_EFRON: TestReading.SCORE_EFRON}
SPEAKERS = (Kernels, Library)


def said(table: LifeTable, speaker: type[Kernels] = Kernels) -> Kernels:
    return speaker(table, 0, 0.95)


@st.composite
def tied_tables(draw: st.DrawFn) -> LifeTable:
    """Two arms on a grid of a few months, with heavy ties."""
    size = draw(st.integers(2, 6))
    cells = st.lists(st.integers(0, 5), min_size=2 * size, max_size=2 * size)
    events, censored = (np.array(draw(cells)).reshape(2, size) for _ in range(2))
    assume(((events + censored).sum(axis=1) > 0).all())
    return LifeTable.from_counts(np.arange(1, size + 1), events, censored)


def swapped(table: LifeTable) -> LifeTable:
    events, censored = table.counts()
    return LifeTable.from_counts(table.times, events[::-1], censored[::-1])


def brute_force(table: LifeTable, ties: str, beta: float) -> tuple[float, float, float]:
    """Partial log-likelihood, score and information by loops over the deaths."""
    value = score = information = 0.0
    events, at_risk = table.counts()[0], table.at_risk[0].to_numpy()
    for (d_c, d_e), (r_c, r_e) in zip(events.T, at_risk.T, strict=True):
        deaths = int(d_c + d_e)
        value, score = value + beta * d_e, score + d_e
        for death in range(deaths):
            gone = death / deaths if ties == COX_EFRON else 0.0
            control, experimental = r_c - gone * d_c, (r_e - gone * d_e) * math.exp(beta)
            share = experimental / (control + experimental)
            value -= math.log(control + experimental)
            score -= share
            information += share * (1 - share)
    return value, score, information


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_leukaemia_by_breslow_as_stata_prints_it(leukaemia: LifeTable, speaker: type[Kernels]) -> None:
    # Rodriguez, Princeton, "Cox's proportional hazards model": stcox on the Gehan data, hazard ratio .2210887 (.0905501),
    # .0990706 to .4933877, log-likelihood -86.379622, LR chi2 15.21. Kleinbaum and Klein print the coefficient 1.509 (0.410).
    beta, se = said(leukaemia, speaker).log_hazard_ratio(COX_BRESLOW)
    ratio = math.exp(beta)
    assert ratio == pytest.approx(0.2210887, abs=5.1e-8)
    assert ratio * se == pytest.approx(0.0905501, abs=5.1e-8)
    assert math.exp(beta - 1.959963984540054 * se) == pytest.approx(0.0990706, abs=5.1e-8)
    assert brute_force(leukaemia, COX_BRESLOW, beta)[0] == pytest.approx(-86.379622, abs=5.1e-7)
    assert brute_force(leukaemia, COX_BRESLOW, 0.0)[0] == pytest.approx(-93.98505, abs=5.1e-6)
    assert said(leukaemia).counts.chi_square(TestReading.LIKELIHOOD_RATIO_BRESLOW) == pytest.approx(15.21, abs=5.1e-3)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_leukaemia_by_efron_as_r_prints_it(leukaemia: LifeTable, aml: LifeTable, speaker: type[Kernels]) -> None:
    # coxph(Surv(time, cens) ~ treat, gehan): 1.572 (0.412), exp 4.82; coxph(Surv(time, status) ~ x, aml): 0.916 (0.512), z 1.79.
    beta, se = said(leukaemia, speaker).log_hazard_ratio(COX_EFRON)
    assert (beta, se) == pytest.approx((-1.572, 0.412), abs=5.1e-4)
    assert math.exp(-beta) == pytest.approx(4.82, abs=5.1e-3)
    beta, se = said(aml, speaker).log_hazard_ratio(COX_EFRON)
    assert (beta, se) == pytest.approx((-0.916, 0.512), abs=5.1e-4)
    assert -beta / se == pytest.approx(1.79, abs=5.1e-3)


def test_rossi_by_cox_as_published(rossi: LifeTable) -> None:
    # METHODS 11 (recidivism data, all seven covariates, Efron): fin -0.38 (0.19). The library's fit; ours has only the arm.
    fit = CoxPHFitter().fit(load_rossi(), "week", "arrest")
    assert (fit.params_["fin"], fit.standard_errors_["fin"]) == pytest.approx((-0.38, 0.19), abs=5.1e-3)
    alone = CoxPHFitter().fit(load_rossi()[["week", "arrest", "fin"]], "week", "arrest")
    beta, se = said(rossi, Library).log_hazard_ratio(COX_EFRON)
    assert (beta, se) == pytest.approx((alone.params_["fin"], alone.standard_errors_["fin"]), abs=3e-4)  # its default stops early
    assert brute_force(rossi, COX_EFRON, beta)[0] == pytest.approx(alone.log_likelihood_, abs=1e-8)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_log_rank_of_leukaemia_as_published(leukaemia: LifeTable, aml: LifeTable, speaker: type[Kernels]) -> None:
    # Kleinbaum and Klein, Survival Analysis: log-rank 16.79, O 9 v E 19.25 and 21 v 10.75; aml in R: 3.4.
    assert said(leukaemia, speaker).log_rank()[0] == pytest.approx(16.79, abs=5.1e-3)
    counts = said(leukaemia).counts
    observed, expected, expected_control, *_ = log_rank_sums(counts.d, counts.r, counts.inverse)
    assert (observed, expected, expected_control) == pytest.approx((9, 19.25, 10.75), abs=5.1e-3)
    assert said(aml, speaker).log_rank()[0] == pytest.approx(3.4, abs=0.051)


@pytest.mark.parametrize("name", ["leukaemia", "aml", "rossi", "waltons"])
def test_kernels_are_lifelines_and_statsmodels(name: str, request: pytest.FixtureRequest) -> None:
    """On data with ties: Cox with both ties and the log-rank test to 1e-9, by fits that go on to the maximum."""
    table: LifeTable = request.getfixturevalue(name)
    assert table.events.sum("arm").max() > 1
    ours, other = said(table), said(table, Library)
    for ties in TIES:
        assert other.log_hazard_ratio(ties) == pytest.approx(ours.log_hazard_ratio(ties), rel=1e-9)
    assert other.log_rank() == pytest.approx(ours.log_rank(), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_kernels_are_lifelines_and_statsmodels_on_simulated_patients(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time, arm = np.ceil(rng.exponential(8, 90)), rng.integers(0, 2, 90)
    table = LifeTable.from_patients(time, rng.random(90) < 0.7, arm)
    for model in RatioReading:
        assert said(table, Library).log_hazard_ratio(model) == pytest.approx(said(table).log_hazard_ratio(model), rel=1e-9)


def test_a_table_too_large_for_the_libraries_is_left_to_the_kernels(
    leukaemia: LifeTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(voice(leukaemia, 0, 0.95), Library)
    by_library = survival_estimates(leukaemia, "x")
    monkeypatch.setattr(library, "LARGEST", 41)
    assert not isinstance(voice(leukaemia, 0, 0.95), Library)
    by_kernels = survival_estimates(leukaemia, "x")
    assert [row.point for row in by_kernels] == pytest.approx([row.point for row in by_library], rel=1e-6)
    assert {row.source for row in by_kernels} == {""}
    assert {row.source for row in by_library if row.model == LOG_RANK} == {"lifelines"}


def finite(table: LifeTable) -> LifeTable:
    """A table whose hazard ratio is neither 0 nor infinite, or the example is dropped."""
    together = (table.at_risk[0] > 0).all("arm").to_numpy()
    assume((table.counts()[0][:, together].sum(axis=1) > 0).all())
    return table


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_agrees_with_the_likelihood_of_statsmodels(table: LifeTable) -> None:
    counts, patients = said(finite(table)).counts, table.patients()
    for ties in TIES:
        estimate, se = said(table).log_hazard_ratio(ties)
        assume(abs(estimate) < 5)
        name = ties.removeprefix("cox_")
        model = PHReg(patients["time"], patients["experimental"][:, None].astype(float), status=patients["event"], ties=name)
        beta = np.array([estimate])
        assert float(model.score(beta)[0]) == pytest.approx(0, abs=1e-7)
        gain = float(model.loglike(beta) - model.loglike(np.zeros(1)))
        assert counts.chi_square(LIKELIHOOD_RATIO[ties]) == pytest.approx(2 * gain, abs=1e-8)
        assert se == pytest.approx(float(1 / np.sqrt(-np.asarray(model.hessian(beta)).item())), rel=1e-8)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(tied_tables(), st.sampled_from([1, 7, 50]))
def test_closed_sums_are_the_loops_over_the_deaths(table: LifeTable, factor: int) -> None:
    events, censored = table.counts()
    many = finite(LifeTable.from_counts(table.times, events * factor, censored * factor))
    for ties in TIES:
        beta, se = said(many).log_hazard_ratio(ties)
        value, score, information = brute_force(many, ties, beta)
        assert score == pytest.approx(0, abs=1e-7 * factor)
        assert se == pytest.approx(1 / math.sqrt(information), rel=1e-8)
        gain = value - brute_force(many, ties, 0.0)[0]
        assert said(many).counts.chi_square(LIKELIHOOD_RATIO[ties]) == pytest.approx(2 * gain, abs=1e-7 * factor)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_swapping_arms_flips_every_log_hazard_ratio(table: LifeTable) -> None:
    one, two = said(finite(table)), said(swapped(table))
    for model in RatioReading:
        try:
            (log_ratio, se), (log_other, se_other) = one.log_hazard_ratio(model), two.log_hazard_ratio(model)
        except DataError:
            continue
        assert (log_other, se_other) == pytest.approx((-log_ratio, se), abs=1e-8)
    for test in SCORE.values():
        assert two.counts.chi_square(test) == pytest.approx(one.counts.chi_square(test), rel=1e-8)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_log_rank_agrees_with_lifelines(table: LifeTable) -> None:
    patients = table.patients()
    arm = patients["experimental"] == 1
    try:
        statistic, p = said(table).log_rank()
    except DataError:
        return
    other = logrank_test(patients["time"][arm], patients["time"][~arm], patients["event"][arm], patients["event"][~arm])
    assert statistic == pytest.approx(other.test_statistic, abs=1e-8)
    assert p == pytest.approx(other.p_value, abs=1e-8)
    assert p == float(chi2.sf(statistic, 1))


def test_without_ties_score_test_breslow_efron_and_log_rank_are_one() -> None:
    rng = np.random.default_rng(7)
    table = said(LifeTable.from_patients(rng.exponential(10, 60), rng.integers(0, 2, 60), rng.integers(0, 2, 60)))
    assert table.log_hazard_ratio(COX_EFRON) == pytest.approx(table.log_hazard_ratio(COX_BRESLOW), abs=1e-10)
    likelihoods = [table.counts.chi_square(LIKELIHOOD_RATIO[ties]) for ties in TIES]
    assert likelihoods[0] == pytest.approx(likelihoods[1], abs=1e-9)
    assert table.counts.chi_square(TestReading.SCORE_BRESLOW) == pytest.approx(table.log_rank()[0], abs=1e-9)


def test_hazard_ratios_of_observed_and_expected_are_their_formulas(leukaemia: LifeTable) -> None:
    counts = said(leukaemia).counts
    observed, expected, expected_control, variance, _ = log_rank_sums(counts.d, counts.r, counts.inverse)
    one_step = ((observed - expected) / variance, variance**-0.5)
    assert said(leukaemia).log_hazard_ratio("mantel_haenszel") == pytest.approx(one_step, abs=1e-12)
    ratio = math.log((9 / expected) / (21 / expected_control))
    by_ratio = (ratio, math.sqrt(1 / expected + 1 / expected_control))
    assert said(leukaemia).log_hazard_ratio("observed_expected") == pytest.approx(by_ratio, abs=1e-12)


def test_copies_of_every_patient_leave_breslow_where_it_is(leukaemia: LifeTable) -> None:
    events, censored = leukaemia.counts()
    one = said(leukaemia).log_hazard_ratio(COX_BRESLOW)
    many = LifeTable.from_counts(leukaemia.times, events * 250_000, censored * 250_000)
    assert said(many).log_hazard_ratio(COX_BRESLOW) == pytest.approx((one[0], one[1] / 500), rel=1e-9)


def test_efron_on_ten_million_patients_is_the_integral_over_the_ties(leukaemia: LifeTable) -> None:
    # With D deaths at once, Efron's sum tends to D times the integral over the share already dead.
    events, censored = leukaemia.counts()
    many = LifeTable.from_counts(leukaemia.times, events * 250_000, censored * 250_000)
    beta, _ = said(many).log_hazard_ratio(COX_EFRON)
    share_gone = (np.arange(20_000) + 0.5) / 20_000
    score = 0.0
    for (d_c, d_e), (r_c, r_e) in zip(events.T, leukaemia.at_risk[0].to_numpy().T, strict=True):
        at_risk = (r_e - share_gone * d_e) * math.exp(beta)
        score += d_e - (d_c + d_e) * np.mean(at_risk / (r_c - share_gone * d_c + at_risk))
    assert score == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("speaker", SPEAKERS)
@pytest.mark.parametrize(
    ("events", "censored", "message"),
    [
        ([[0, 0], [1, 1]], [[2, 2], [2, 2]], "no events in the control arm while both arms are at risk"),
        ([[1, 1], [0, 0]], [[2, 2], [2, 2]], "no events in the experimental arm while both arms are at risk"),
        ([[0, 0], [0, 0]], [[2, 2], [2, 2]], "no event happens while both arms are at risk"),
        ([[2, 0], [0, 2]], [[0, 0], [0, 0]], "no events in the experimental arm while both arms are at risk"),
        ([[0, 0], [1, 1]], [[0, 0], [2, 2]], "no patients in the control arm"),
    ],
)
def test_infinite_or_unknown_hazard_ratios_say_why(
    events: list[list[int]], censored: list[list[int]], message: str, speaker: type[Kernels]
) -> None:
    table = said(LifeTable.from_counts([1.0, 2.0], np.array(events), np.array(censored)), speaker)
    for ties in TIES:
        with pytest.raises(DataError, match=message):
            table.log_hazard_ratio(ties)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_one_time_for_everybody(speaker: type[Kernels]) -> None:
    # Breslow at one event time: d_e / D = r_e e^beta / (r_c + r_e e^beta).
    table = LifeTable.from_counts([5.0], np.array([[3], [2]]), np.array([[2], [4]]))
    assert said(table, speaker).log_hazard_ratio(COX_BRESLOW)[0] == pytest.approx(math.log(2 / 3 * 5 / 6), abs=1e-9)
    everybody = said(LifeTable.from_counts([5.0], np.array([[3], [2]]), np.array([[0], [0]])), speaker)
    for test in (everybody.log_rank, lambda: everybody.log_hazard_ratio("mantel_haenszel")):
        with pytest.raises(DataError, match="log-rank variance is 0"):
            test()


def test_a_lonely_patient_against_a_million_does_not_overflow() -> None:
    events = np.array([[200_000, 200_000], [1, 0]])
    censored = np.array([[100_000, 500_000], [0, 1]])
    table = LifeTable.from_counts([1.0, 2.0], events, censored)
    for ties in TIES:
        beta, se = said(table).log_hazard_ratio(ties)
        assert abs(beta) < 5
        assert 0.5 < se < 3


def test_the_libraries_reach_the_maximum_with_a_lonely_patient() -> None:
    events, censored = np.array([[400, 400], [1, 0]]), np.array([[200, 1_000], [0, 1]])
    table = LifeTable.from_counts([1.0, 2.0], events, censored)
    for ties in TIES:
        assert said(table, Library).log_hazard_ratio(ties) == pytest.approx(said(table).log_hazard_ratio(ties), rel=1e-8)


def test_a_fit_that_stops_short_of_the_maximum_is_a_failed_row(leukaemia: LifeTable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_COX_STEPS", {"max_steps": 1})
    monkeypatch.setattr(library, "_WEIBULL_STEPS", {"maxiter": 1})
    failed = {row.model: row.status for row in survival_estimates(leukaemia, "x") if row.failed}
    assert set(failed) == {COX_EFRON, WEIBULL}
    assert all(status.startswith("failed: the regression did not converge: ") for status in failed.values())


def test_observed_expected_needs_events_in_both_arms() -> None:
    table = said(LifeTable.from_counts([1.0, 2.0], np.array([[1, 1], [0, 0]]), np.array([[2, 2], [2, 2]])))
    with pytest.raises(DataError, match="no events in the experimental arm"):
        table.log_hazard_ratio("observed_expected")
    assert table.log_hazard_ratio("mantel_haenszel")[0] < 0
