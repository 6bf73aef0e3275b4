"""Statistics of a life table against lifelines, statsmodels and published values."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.statistics import logrank_test
from lifelines.utils import restricted_mean_survival_time
from scipy import optimize
from statsmodels.duration.hazard_regression import PHReg

from retrial.errors import DataError
from retrial.tables.printed.readings import MedianReading, RatioReading, TestReading
from retrial.tables.printed.statistics import Table

TIMES = np.arange(1.0, 25.0)
GROUPS = {"control": 0, "experimental": 1}


def random_table(seed: int, n: int = 92, scale: float = 9.0) -> Table:
    """Monthly table with heavy ties and, on the longer side, empty months."""
    random = np.random.default_rng(seed)
    arm = np.arange(n) % 2
    time = np.ceil(random.weibull(1.3, n) * scale * np.where(arm, 1.5, 1.0)).clip(1, TIMES.size).astype(int)
    event = random.random(n) < 0.6
    counts = np.zeros((2, 2, TIMES.size), dtype=int)
    np.add.at(counts, (event.astype(int), arm, time - 1), 1)
    return Table(TIMES, counts[1], counts[0])


TABLES = [random_table(seed, n, scale) for seed, n, scale in [(1, 92, 9), (2, 40, 3), (3, 300, 20), (4, 24, 6), (5, 60, 1.2)]]


def patients(table: Table) -> pd.DataFrame:
    rows = []
    for arm in (0, 1):
        leaving = table.r[arm, :-1] - table.r[arm, 1:]
        for t, (d, left) in enumerate(zip(table.d[arm], leaving, strict=True)):
            rows += [(table.times[t], 1, arm)] * d + [(table.times[t], 0, arm)] * (left - d)
    return pd.DataFrame(rows, columns=["time", "event", "arm"])


@pytest.mark.parametrize("table", TABLES)
def test_kaplan_meier_median_and_rmst_are_lifelines(table: Table) -> None:
    data = patients(table)
    for group in ("control", "experimental", "total"):
        part = data if group == "total" else data[data.arm == GROUPS[group]]
        fitted = KaplanMeierFitter().fit(part.time, part.event)
        expected = fitted.survival_function_at_times(table.times).to_numpy()
        np.testing.assert_allclose(table.survival(group), expected, atol=1e-12)
        assert table.median(group, MedianReading.GREENWOOD_DENSITY).value == fitted.median_survival_time_
        np.testing.assert_allclose(table.rmst(group, 9.5), restricted_mean_survival_time(fitted, 9.5), rtol=1e-10)


@pytest.mark.parametrize("table", TABLES)
def test_log_rank_is_lifelines(table: Table) -> None:
    data = patients(table)
    control, experimental = (data[data.arm == arm] for arm in (0, 1))
    expected = logrank_test(control.time, experimental.time, control.event, experimental.event).test_statistic
    assert table.chi_square(TestReading.LOG_RANK) == pytest.approx(expected, rel=1e-9)
    assert table.hazard_ratio(RatioReading.MANTEL_HAENSZEL).chi_square == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("ties", ["breslow", "efron"])
def test_cox_is_statsmodels(table: Table, ties: str) -> None:
    data = patients(table)
    model = PHReg(data.time, data[["arm"]].astype(float), status=data.event, ties=ties)
    fitted = model.fit(disp=0)
    ratio = table.hazard_ratio(RatioReading(f"cox_{ties}"))
    assert ratio.log_hazard_ratio == pytest.approx(fitted.params[0], abs=1e-6)
    assert ratio.se == pytest.approx(fitted.bse[0], rel=1e-6)
    null, best = (model.loglike(np.array([beta])) for beta in (0.0, ratio.log_hazard_ratio))
    score, information = model.score(np.zeros(1))[0], -model.hessian(np.zeros(1))[0, 0]
    assert table.chi_square(TestReading(f"cox_likelihood_ratio_{ties}")) == pytest.approx(2 * (best - null), rel=1e-8)
    assert table.chi_square(TestReading(f"cox_score_{ties}")) == pytest.approx(score**2 / information, rel=1e-8)
    assert table.chi_square(TestReading(f"cox_wald_{ties}")) == pytest.approx((ratio.log_hazard_ratio / ratio.se) ** 2, rel=1e-8)
    # The reported maximum is a maximum: the score there is 0 (closed form at 1e-8).
    assert model.score(np.array([ratio.log_hazard_ratio]))[0] == pytest.approx(0.0, abs=1e-7)


def test_cox_efron_is_lifelines() -> None:
    fitted = CoxPHFitter().fit(patients(TABLES[0]), "time", "event")
    ratio = TABLES[0].hazard_ratio(RatioReading.COX_EFRON)
    assert ratio.log_hazard_ratio == pytest.approx(fitted.params_["arm"], abs=1e-5)
    assert ratio.se == pytest.approx(fitted.standard_errors_["arm"], rel=1e-4)


@pytest.mark.parametrize(("n", "scale"), [(4_000, 9.0), (1_500, 1.0)])
def test_efron_with_hundreds_of_tied_events_in_closed_form(n: int, scale: float) -> None:
    table = random_table(8, n, scale)
    assert table.d.max() > 100
    d, r, beta = table.d, table.r, table.hazard_ratio(RatioReading.COX_EFRON)
    score, information, ratio, gain = 0.0, 0.0, math.exp(beta.log_hazard_ratio), 0.0
    for t in range(table.times.size):
        gone = np.arange(d[2, t]) / max(d[2, t], 1)
        weight, other = (r[1, t] - gone * d[1, t]) * ratio, r[0, t] - gone * d[0, t]
        share = weight / (weight + other)
        score += d[1, t] - share.sum()
        information += (share * (1 - share)).sum()
        gain += d[1, t] * beta.log_hazard_ratio - np.log((weight + other) / (weight / ratio + other)).sum()
    assert score == pytest.approx(0.0, abs=1e-6)
    assert beta.se == pytest.approx(1 / math.sqrt(information), rel=1e-9)
    assert table.chi_square(TestReading.LIKELIHOOD_RATIO_EFRON) == pytest.approx(2 * gain, rel=1e-8)


def test_gehan_leukaemia_published_values() -> None:
    # Freireich 6-MP data. Log-rank χ² 16.79 and Cox β (Breslow) 1.509, SE 0.410; (Efron) 1.572, SE 0.412, as printed in
    # Collett, Modelling Survival Data, and the SAS PHREG and R survival documentation. O/E ratio: 9/19.25 and 21/10.75 (Peto 1977).
    treated = [6, 6, 6, 7, 10, 13, 16, 22, 23], [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]
    times = np.arange(1.0, 36.0)
    events = np.stack([np.bincount(placebo, minlength=36)[1:], np.bincount(treated[0], minlength=36)[1:]])
    censored = np.stack([np.zeros(35, int), np.bincount(treated[1], minlength=36)[1:]])
    table = Table(times, events, censored)
    assert table.chi_square(TestReading.LOG_RANK) == pytest.approx(16.79, abs=0.005)
    assert -table.hazard_ratio(RatioReading.COX_BRESLOW).log_hazard_ratio == pytest.approx(1.509, abs=0.0005)
    assert table.hazard_ratio(RatioReading.COX_BRESLOW).se == pytest.approx(0.4096, abs=0.0005)
    assert -table.hazard_ratio(RatioReading.COX_EFRON).log_hazard_ratio == pytest.approx(1.572, abs=0.0005)
    assert table.hazard_ratio(RatioReading.COX_EFRON).se == pytest.approx(0.4124, abs=0.0005)
    expected = (9 / 19.25) / (21 / 10.75)
    assert table.hazard_ratio(RatioReading.OBSERVED_EXPECTED).hazard_ratio == pytest.approx(expected, rel=0.001)
    assert table.hazard_ratio(RatioReading.OBSERVED_EXPECTED).se == pytest.approx(math.sqrt(1 / 19.25 + 1 / 10.75), rel=0.001)
    assert table.median("experimental", MedianReading.GREENWOOD_DENSITY).value == 23


def test_density_interval_of_the_median_published_value() -> None:
    # Collett, Modelling Survival Data in Medical Research, example on the time to discontinuation of an IUD (18 women):
    # median 93 weeks, Ŝ(93) = 0.4662 with SE 0.1452, û = 75, l̂ = 97, f̂ = 0.0085, SE of the median 17.13, interval 59 to 127.
    event_times = [10, 19, 30, 36, 59, 75, 93, 97, 107]
    censored_times = [13, 18, 23, 38, 54, 56, 104, 107, 107]
    times = np.arange(1.0, 108.0)
    events = np.stack([np.bincount(event_times, minlength=108)[1:]] * 2)
    censored = np.stack([np.bincount(censored_times, minlength=108)[1:]] * 2)
    interval = Table(times, events, censored).median("control", MedianReading.GREENWOOD_DENSITY)
    assert interval.value == 93
    assert (interval.upper - 93) / 1.959964 == pytest.approx(17.13, abs=0.02)
    assert (round(interval.lower), round(interval.upper)) == (59, 127)


@pytest.mark.parametrize("table", TABLES[:3])
@pytest.mark.parametrize("reading", list(MedianReading)[1:])
def test_brookmeyer_crowley_is_the_crossing_of_the_pointwise_bands(table: Table, reading: MedianReading) -> None:
    z = 1.959963984540054
    for row, group in enumerate(("control", "experimental", "total")):
        survival = table.survival(group)
        r, d = table.r[row, :-1].astype(float), table.d[row]
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.sqrt(np.cumsum(np.where(d > 0, d / (r * (r - d)), 0.0)))
            bands = {
                "brookmeyer_crowley_plain": (survival - z * survival * relative, survival + z * survival * relative),
                "brookmeyer_crowley_log": (survival * np.exp(-z * relative), survival * np.exp(z * relative)),
                "brookmeyer_crowley_log_log": tuple(survival ** np.exp(s * z * relative / np.log(survival)) for s in (-1, 1)),
            }[reading]
        expected = [
            next((t for t, b, s in zip(table.times, band, survival, strict=True) if s < 1 and (b <= 0.5 or s == 0)), math.inf)
            for band in bands
        ]
        found = table.median(group, reading)
        assert [found.lower, found.upper] == expected, group


def test_brookmeyer_crowley_log_log_is_lifelines() -> None:
    from lifelines.utils import median_survival_times

    data = patients(TABLES[2])
    fitted = KaplanMeierFitter().fit(data.time, data.event)
    limits = median_survival_times(fitted.confidence_interval_).iloc[0].tolist()
    found = TABLES[2].median("total", MedianReading.CROWLEY_LOG_LOG)
    assert [found.lower, found.upper] == limits


def test_counts_extremes_and_numbers_at_risk() -> None:
    events, censored = np.zeros((2, 6), int), np.zeros((2, 6), int)
    events[0, 2], events[1, 3], censored[0, 4], censored[1, 3] = 2, 1, 1, 2
    table = Table(np.arange(1.0, 7.0), events, censored)
    assert (table.shortest(), table.longest()) == (3, 5)
    assert (table.events("control"), table.events("experimental"), table.events("total")) == (2, 1, 3)
    assert [table.at_risk("control", time) for time in (0, 3, 3.5, 4, 5, 6, 60)] == [3, 3, 1, 1, 1, 0, 0]
    assert table.at_risk("total", 4) == 4
    assert table.survival_at("control", 2.9) == 1.0
    assert table.survival_at("control", 3) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("empty", "expected"), [(0, math.inf), (1, -math.inf)])
def test_arm_without_events(empty: int, expected: float) -> None:
    events, censored = np.zeros((2, 8), int), np.zeros((2, 8), int)
    events[1 - empty, 1:5], censored[empty, 5], censored[1 - empty, 7] = 2, 9, 3
    table = Table(np.arange(1.0, 9.0), events, censored)
    for reading in (RatioReading.COX_BRESLOW, RatioReading.COX_EFRON):
        ratio = table.hazard_ratio(reading)
        assert ratio.log_hazard_ratio == expected
        assert (ratio.lower, ratio.upper) == (0.0, math.inf)
    assert np.isfinite(table.hazard_ratio(RatioReading.MANTEL_HAENSZEL).log_hazard_ratio)
    assert np.isfinite(table.chi_square(TestReading.LOG_RANK))
    group = ("control", "experimental")[empty]
    assert table.median(group, MedianReading.GREENWOOD_DENSITY).value == math.inf
    assert math.isnan(table.median(group, MedianReading.GREENWOOD_DENSITY).lower)
    assert table.median(group, MedianReading.CROWLEY_LOG).lower == math.inf


def test_median_at_exactly_one_half_is_reached() -> None:
    # 0.5 as the product 5/7 · 7/10 is 0.49999... or 0.5000...1 in binary: both must count as one half.
    events = np.array([[3, 2, 0, 0], [3, 2, 0, 0]])
    censored = np.array([[0, 0, 0, 5], [0, 0, 0, 5]])
    table = Table(np.arange(1.0, 5.0), events, censored)
    assert table.median("total", MedianReading.GREENWOOD_DENSITY).value == 2.0


def test_breslow_maximum_by_brent() -> None:
    table = TABLES[1]
    d, r = table.d, table.r[:, :-1]

    def negative(beta: float) -> float:
        risk = r[1] * math.exp(beta) + r[0]
        return -float((d[1] * beta - np.where(d[2] > 0, d[2] * np.log(np.where(risk > 0, risk, 1)), 0)).sum())

    best = optimize.minimize_scalar(negative, bracket=(-1, 1), tol=1e-12).x
    assert table.hazard_ratio(RatioReading.COX_BRESLOW).log_hazard_ratio == pytest.approx(best, abs=1e-6)


def test_table_refuses_wrong_shapes() -> None:
    with pytest.raises(DataError, match="2 arms"):
        Table(np.arange(3.0), np.zeros((2, 4)), np.zeros((2, 4)))
