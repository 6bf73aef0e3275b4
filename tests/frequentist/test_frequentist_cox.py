from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi
from lifelines.statistics import logrank_test
from statsmodels.duration.hazard_regression import PHReg

from retrial.errors import DataError
from retrial.frequentist.cox import Ties, cox
from retrial.frequentist.log_rank import log_rank, mantel_haenszel, observed_expected
from retrial.frequentist.risk_sets import RiskSets, risk_sets
from retrial.tables.life_table import LifeTable

TIES: tuple[Ties, ...] = ("breslow", "efron")
LIFELINES = 3e-4
"""lifelines stops when its log-likelihood is right to about 1e-8, and so its coefficient to about the root of that."""


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


def brute_force(risk: RiskSets, ties: Ties, beta: float) -> tuple[float, float, float]:
    """Partial log-likelihood, score and information by loops over the deaths."""
    value = score = information = 0.0
    for (d_c, d_e), (r_c, r_e) in zip(risk.events.T, risk.at_risk.T, strict=True):
        deaths = int(d_c + d_e)
        value, score = value + beta * d_e, score + d_e
        for death in range(deaths):
            gone = death / deaths if ties == "efron" else 0.0
            control, experimental = r_c - gone * d_c, (r_e - gone * d_e) * math.exp(beta)
            share = experimental / (control + experimental)
            value -= math.log(control + experimental)
            score -= share
            information += share * (1 - share)
    return value, score, information


def test_leukaemia_by_breslow_as_stata_prints_it(leukaemia: LifeTable) -> None:
    # Rodriguez, Princeton, "Cox's proportional hazards model": stcox on the Gehan data, hazard ratio .2210887 (.0905501),
    # .0990706 to .4933877, log-likelihood -86.379622, LR chi2 15.21. Kleinbaum and Klein print the coefficient 1.509 (0.410).
    fit = cox(risk_sets(leukaemia), "breslow")
    ratio = math.exp(fit.log_hazard_ratio)
    assert ratio == pytest.approx(0.2210887, abs=5.1e-8)
    assert ratio * fit.se == pytest.approx(0.0905501, abs=5.1e-8)
    assert math.exp(fit.log_hazard_ratio - 1.959963984540054 * fit.se) == pytest.approx(0.0990706, abs=5.1e-8)
    assert fit.log_likelihood == pytest.approx(-86.379622, abs=5.1e-7)
    assert fit.log_likelihood_null == pytest.approx(-93.98505, abs=5.1e-6)
    assert fit.likelihood_ratio_test == pytest.approx(15.21, abs=5.1e-3)


def test_leukaemia_by_efron_as_r_prints_it(leukaemia: LifeTable, aml: LifeTable) -> None:
    # coxph(Surv(time, cens) ~ treat, gehan): 1.572 (0.412), exp 4.82; coxph(Surv(time, status) ~ x, aml): 0.916 (0.512), z 1.79.
    fit = cox(risk_sets(leukaemia), "efron")
    assert (fit.log_hazard_ratio, fit.se) == pytest.approx((-1.572, 0.412), abs=5.1e-4)
    assert math.exp(-fit.log_hazard_ratio) == pytest.approx(4.82, abs=5.1e-3)
    fit = cox(risk_sets(aml), "efron")
    assert (fit.log_hazard_ratio, fit.se) == pytest.approx((-0.916, 0.512), abs=5.1e-4)
    assert math.sqrt(fit.wald_test) == pytest.approx(1.79, abs=5.1e-3)


def test_rossi_by_cox_as_published() -> None:
    # METHODS 11 (recidivism data, all seven covariates, Efron): fin -0.38 (0.19). The library's fit; ours has only the arm.
    frame = load_rossi()
    fit = CoxPHFitter().fit(frame, "week", "arrest")
    assert (fit.params_["fin"], fit.standard_errors_["fin"]) == pytest.approx((-0.38, 0.19), abs=5.1e-3)
    alone = CoxPHFitter().fit(frame[["week", "arrest", "fin"]], "week", "arrest")
    table = LifeTable.from_patients(frame["week"].to_numpy(), frame["arrest"].to_numpy(), frame["fin"].to_numpy())
    ours = cox(risk_sets(table), "efron")
    assert (ours.log_hazard_ratio, ours.se) == pytest.approx((alone.params_["fin"], alone.standard_errors_["fin"]), abs=LIFELINES)
    assert ours.log_likelihood == pytest.approx(alone.log_likelihood_, abs=1e-8)


def test_log_rank_of_leukaemia_as_published(leukaemia: LifeTable, aml: LifeTable) -> None:
    # Kleinbaum and Klein, Survival Analysis: log-rank 16.79, O 9 v E 19.25 and 21 v 10.75; aml in R: 3.4.
    test = log_rank(risk_sets(leukaemia))
    assert test.chi_square == pytest.approx(16.79, abs=5.1e-3)
    assert test.observed == (21, 9)
    assert test.expected == pytest.approx((10.75, 19.25), abs=5.1e-3)
    assert log_rank(risk_sets(aml)).chi_square == pytest.approx(3.4, abs=0.051)


def finite(table: LifeTable) -> RiskSets:
    """Risk sets of a table whose hazard ratio is neither 0 nor infinite, or the example is dropped."""
    risk = risk_sets(table)
    together = (risk.at_risk > 0).all(axis=0)
    assume((risk.events[:, together].sum(axis=1) > 0).all())
    return risk


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_agrees_with_statsmodels(table: LifeTable) -> None:
    risk, patients = finite(table), table.patients()
    for ties in TIES:
        fit = cox(risk, ties)
        assume(abs(fit.log_hazard_ratio) < 5)  # beyond it statsmodels' optimiser stops early
        model = PHReg(patients["time"], patients["experimental"][:, None].astype(float), status=patients["event"], ties=ties)
        beta = np.array([fit.log_hazard_ratio])
        assert float(model.score(beta)[0]) == pytest.approx(0, abs=1e-7)
        gain = float(model.loglike(beta) - model.loglike(np.zeros(1)))
        assert fit.likelihood_ratio_test == pytest.approx(2 * gain, abs=1e-8)
        assert fit.se == pytest.approx(float(1 / np.sqrt(-np.asarray(model.hessian(beta)).item())), rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_lifelines(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time, arm = np.ceil(rng.exponential(8, 90)), rng.integers(0, 2, 90)
    table = LifeTable.from_patients(time, rng.random(90) < 0.7, arm)
    fit = cox(risk_sets(table), "efron")
    other = CoxPHFitter().fit(pd.DataFrame(table.patients()), "time", "event")
    assert fit.log_hazard_ratio == pytest.approx(other.params_["experimental"], abs=LIFELINES)
    assert fit.se == pytest.approx(other.standard_errors_["experimental"], abs=LIFELINES)
    assert fit.log_likelihood == pytest.approx(other.log_likelihood_, abs=1e-6)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(tied_tables(), st.sampled_from([1, 7, 50]))
def test_closed_sums_are_the_loops_over_the_deaths(table: LifeTable, factor: int) -> None:
    events, censored = table.counts()
    risk = finite(LifeTable.from_counts(table.times, events * factor, censored * factor))
    for ties in TIES:
        fit = cox(risk, ties)
        value, score, information = brute_force(risk, ties, fit.log_hazard_ratio)
        assert score == pytest.approx(0, abs=1e-7 * factor)
        assert fit.se == pytest.approx(1 / math.sqrt(information), rel=1e-8)
        assert fit.likelihood_ratio_test == pytest.approx(2 * (value - brute_force(risk, ties, 0.0)[0]), abs=1e-7 * factor)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_swapping_arms_flips_every_log_hazard_ratio(table: LifeTable) -> None:
    risk, other = finite(table), risk_sets(swapped(table))
    for ties in TIES:
        one, two = cox(risk, ties), cox(other, ties)
        assert two.log_hazard_ratio == pytest.approx(-one.log_hazard_ratio, abs=1e-8)
        assert (two.se, two.score_test) == pytest.approx((one.se, one.score_test), rel=1e-8)
    for estimate in (mantel_haenszel, observed_expected):
        try:
            (log_ratio, se), (log_other, se_other) = estimate(risk), estimate(other)
        except DataError:
            continue
        assert (log_other, se_other) == pytest.approx((-log_ratio, se), abs=1e-9)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(tied_tables())
def test_log_rank_agrees_with_lifelines(table: LifeTable) -> None:
    patients = table.patients()
    arm = patients["experimental"] == 1
    try:
        test = log_rank(risk_sets(table))
    except DataError:
        return
    other = logrank_test(patients["time"][arm], patients["time"][~arm], patients["event"][arm], patients["event"][~arm])
    assert test.chi_square == pytest.approx(other.test_statistic, abs=1e-8)
    assert test.p == pytest.approx(other.p_value, abs=1e-8)
    assert sum(test.observed) == pytest.approx(sum(test.expected), abs=1e-9)


def test_without_ties_score_test_breslow_efron_and_log_rank_are_one() -> None:
    rng = np.random.default_rng(7)
    table = LifeTable.from_patients(rng.exponential(10, 60), rng.integers(0, 2, 60), rng.integers(0, 2, 60))
    risk = risk_sets(table)
    breslow, efron = cox(risk, "breslow"), cox(risk, "efron")
    assert efron.log_hazard_ratio == pytest.approx(breslow.log_hazard_ratio, abs=1e-10)
    assert efron.log_likelihood == pytest.approx(breslow.log_likelihood, abs=1e-9)
    assert breslow.score_test == pytest.approx(log_rank(risk).chi_square, abs=1e-9)


def test_hazard_ratios_of_observed_and_expected_are_their_formulas(leukaemia: LifeTable) -> None:
    risk = risk_sets(leukaemia)
    test = log_rank(risk)
    assert mantel_haenszel(risk) == pytest.approx((test.excess / test.variance, test.variance**-0.5), abs=1e-12)
    (o_c, o_e), (e_c, e_e) = test.observed, test.expected
    expected = (math.log((o_e / e_e) / (o_c / e_c)), math.sqrt(1 / e_e + 1 / e_c))
    assert observed_expected(risk) == pytest.approx(expected, abs=1e-12)


def test_copies_of_every_patient_leave_breslow_where_it_is(leukaemia: LifeTable) -> None:
    events, censored = leukaemia.counts()
    one = cox(risk_sets(leukaemia), "breslow")
    many = cox(risk_sets(LifeTable.from_counts(leukaemia.times, events * 250_000, censored * 250_000)), "breslow")
    assert many.log_hazard_ratio == pytest.approx(one.log_hazard_ratio, abs=1e-10)
    assert many.se == pytest.approx(one.se / 500, rel=1e-10)


def test_efron_on_ten_million_patients_is_the_integral_over_the_ties(leukaemia: LifeTable) -> None:
    # With D deaths at once, Efron's sum tends to D times the integral over the share already dead.
    events, censored = leukaemia.counts()
    copies = 250_000
    risk = risk_sets(LifeTable.from_counts(leukaemia.times, events * copies, censored * copies))
    fit = cox(risk, "efron")
    share_gone = (np.arange(20_000) + 0.5) / 20_000
    score = 0.0
    for (d_c, d_e), (r_c, r_e) in zip(risk.events.T / copies, risk.at_risk.T / copies, strict=True):
        at_risk = (r_e - share_gone * d_e) * math.exp(fit.log_hazard_ratio)
        score += d_e - (d_c + d_e) * np.mean(at_risk / (r_c - share_gone * d_c + at_risk))
    assert score == pytest.approx(0, abs=1e-4)


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
def test_infinite_or_unknown_hazard_ratios_say_why(events: list[list[int]], censored: list[list[int]], message: str) -> None:
    risk = risk_sets(LifeTable.from_counts([1.0, 2.0], np.array(events), np.array(censored)))
    for ties in TIES:
        with pytest.raises(DataError, match=message):
            cox(risk, ties)


def test_one_time_for_everybody() -> None:
    risk = risk_sets(LifeTable.from_counts([5.0], np.array([[3], [2]]), np.array([[2], [4]])))
    assert cox(risk, "breslow").log_hazard_ratio == pytest.approx(one_time(risk), abs=1e-9)
    everybody = risk_sets(LifeTable.from_counts([5.0], np.array([[3], [2]]), np.array([[0], [0]])))
    with pytest.raises(DataError, match="log-rank variance is 0"):
        log_rank(everybody)


def one_time(risk: RiskSets) -> float:
    """Breslow at one event time: d_e / D = r_e e^beta / (r_c + r_e e^beta)."""
    (d_c,), (d_e,) = risk.events
    (r_c,), (r_e,) = risk.at_risk
    return math.log(d_e / d_c * r_c / r_e)


def test_a_lonely_patient_against_a_million_does_not_overflow() -> None:
    events = np.array([[200_000, 200_000], [1, 0]])
    censored = np.array([[100_000, 500_000], [0, 1]])
    risk = risk_sets(LifeTable.from_counts([1.0, 2.0], events, censored))
    for ties in TIES:
        fit = cox(risk, ties)
        assert abs(fit.log_hazard_ratio) < 5
        assert 0.5 < fit.se < 3


def test_observed_expected_needs_events_in_both_arms() -> None:
    risk = risk_sets(LifeTable.from_counts([1.0, 2.0], np.array([[1, 1], [0, 0]]), np.array([[2, 2], [2, 2]])))
    with pytest.raises(DataError, match="no events in the experimental arm"):
        observed_expected(risk)
    assert mantel_haenszel(risk)[0] < 0
