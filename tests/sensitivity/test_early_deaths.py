"""Early deaths that are missing: tables by hand, the product-limit estimate, Cox, shares, and where a conclusion tips."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from retrial.answers import curves
from retrial.answers.curves import kaplan_meier
from retrial.answers.questions import Questions
from retrial.data import life_table
from retrial.dims import PRIOR, RECONSTRUCTION
from retrial.fit.posterior_file import WEIGHT
from retrial.frequentist.kernels import COX_EFRON, Kernels
from retrial.frequentist.ratios import LogRatio
from retrial.models import weibull
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.run_config import Assumptions, ModelSpec
from retrial.sensitivity.after_censoring.imputed import Imputed, pooled
from retrial.sensitivity.analysis import _usable
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.conclusions import conclusion_rows
from retrial.sensitivity.of_design.early import (
    EarlyDeaths,
    copies_of,
    cox_of_early,
    early_deaths,
    early_times,
    missing_until,
    numbers_of,
    rmst_with_missing,
    shares,
    survival_with_missing,
    with_early_deaths,
)
from retrial.sensitivity.of_design.rows import MEANS, early_rows, early_tipping, early_variance, least_below
from retrial.study.reported import Quantity
from retrial.tables.life_table import LifeTable

TIMES = np.arange(3.0, 9.0)
EVENTS = np.array([[2, 1, 0, 3, 1, 0], [1, 0, 2, 1, 0, 1]])
CENSORED = np.array([[0, 2, 1, 0, 4, 2], [1, 1, 0, 2, 5, 3]])
TABLE = LifeTable.from_counts(TIMES, EVENTS, CENSORED)
FLAT = Prior("normal", (0.0, 10.0))


def test_early_deaths_are_spread_evenly_and_recorded_at_the_end_of_their_unit() -> None:
    assert early_times(0, 6.0, 1.0).tolist() == []
    assert early_times(1, 6.0, 1.0).tolist() == [3.0]
    assert early_times(3, 6.0, 1.0).tolist() == [1.0, 3.0, 5.0]
    assert early_times(6, 6.0, 1.0).tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert early_times(4, 2.5, 0.1) == pytest.approx([0.4, 1.0, 1.6, 2.2])


def test_the_product_limit_estimate_is_that_of_the_table_times_who_survived_early() -> None:
    """n / (n + k) from then on, where nobody left before."""
    numbers = np.array([0, 1, 4])
    grid, events, leaving = with_early_deaths(TIMES, EVENTS[:1], (CENSORED)[:1], numbers, 2.0)
    n = int((EVENTS + CENSORED)[0].sum())
    plain = kaplan_meier(TABLE)[0, 0]
    assert grid.tolist() == [1.0, 2.0, *TIMES]
    for row, k in enumerate(numbers):
        both = np.stack([events[row, 0], events[row, 0]]), np.stack([leaving[row, 0] - events[row, 0]] * 2)
        found = kaplan_meier(LifeTable.from_counts(grid, *both))[0, 0]
        assert found[2:] == pytest.approx(plain * n / (n + k), abs=1e-12)
        assert events[row, 0, :2].sum() == k
    mixture = survival_with_missing(plain[None], np.array([[4 / (n + 4)]]), TIMES, 2.0)
    assert mixture[0, :, 0] == pytest.approx(plain * n / (n + 4), abs=1e-12)


def test_early_deaths_stand_among_the_tables_own() -> None:
    """Where patients left before too, by hand: one more event at 4, with everybody at risk and one more."""
    grid, events, leaving = with_early_deaths(TIMES, EVENTS[:1], CENSORED[:1], np.array([0, 1]), 8.0)
    assert grid.tolist() == TIMES.tolist()
    assert (events[1, 0] - EVENTS[0]).tolist() == [0, 1, 0, 0, 0, 0]
    assert (leaving[1, 0] - (EVENTS + CENSORED)[0]).tolist() == [0, 1, 0, 0, 0, 0]


def test_cox_is_that_of_the_patients_with_them() -> None:
    numbers = np.array([0, 2]), np.array([0, 1, 3])
    found = cox_of_early(TABLE, np.ones(1), numbers, 2.0, FLAT)
    assert found.log_ratio.shape == (2, 3, 2)
    patients = TABLE.patients()
    for i, j in ((0, 0), (1, 2), (0, 2)):
        early = [early_times(int(numbers[arm][k]), 2.0, 1.0) for arm, k in ((0, i), (1, j))]
        whole = LifeTable.from_patients(
            np.concatenate([patients["time"], *early]),
            np.concatenate([patients["event"], np.ones(sum(map(len, early)), int)]),
            np.concatenate([patients["experimental"], np.zeros(early[0].size, int), np.ones(early[1].size, int)]),
        )
        ratio, se = Kernels(whole, 0, 0.95).log_hazard_ratio(COX_EFRON)
        assert (found.log_ratio[i, j, 0], found.se[i, j, 0]) == (pytest.approx(ratio, abs=1e-8), pytest.approx(se, abs=1e-8))


def test_the_share_that_is_missing() -> None:
    """Beta(k, n), growing with k in every draw, and 0 without any."""
    omega = shares(np.array([0, 1, 5]), 43, 40_000, np.random.default_rng(1))
    assert (omega[0] == 0).all()
    assert (np.diff(omega, axis=0) > 0).all()
    assert omega.mean(axis=1) == pytest.approx([0, 1 / 44, 5 / 48], abs=9e-4)  # 4 standard errors
    assert omega[2].std() == pytest.approx(math.sqrt(5 * 43 / (48**2 * 49)), rel=0.03)


def test_restricted_mean_and_survival_with_missing_deaths() -> None:
    """Deaths uniform over (0, E]: by quadrature, before and after E; none missing gives the base answer back."""
    rate, until, horizon = 0.1, 4.0, 10.0
    fine = np.linspace(0, horizon, 200_001)
    for w in (0.0, 0.2):
        curve = (1 - w) * np.exp(-rate * fine) + w * np.maximum(0, 1 - fine / until)
        asked = np.array([2.0, 4.0, 9.0])
        mean = np.array([(1 - math.exp(-rate * horizon)) / rate])
        survival = survival_with_missing(np.exp(-rate * asked)[None], np.array([[w]]), asked, until)
        rmst = rmst_with_missing(mean, np.array([[w]]), horizon, until)
        assert survival[0, :, 0] == pytest.approx(np.interp(asked, fine, curve), abs=1e-8)
        assert rmst[0, 0] == pytest.approx(np.trapezoid(curve, fine), abs=1e-6)
    short = rmst_with_missing(np.array([3.0]), np.array([[1.0]]), 3.0, until)
    assert short[0, 0] == pytest.approx(3.0 - 9 / 8)


def posterior_of(table: LifeTable, draws: int) -> xr.DataTree:
    """Made-up draws of a Weibull model of two tables under one prior, as `retrial fit` keeps them."""
    rng, numbers = np.random.default_rng(3), np.arange(table.n_reconstructions)
    named = {"control_median": (6.0, 0.5), "shape": (1.2, 0.05), "log_hazard_ratio": (-0.5, 0.3)}
    dims, shape = (PRIOR, RECONSTRUCTION, "chain", "draw"), (1, numbers.size, 2, draws)
    values = {name: (dims, rng.normal(*moments, shape)) for name, moments in named.items()}
    coords = {PRIOR: ["flat"], RECONSTRUCTION: numbers, WEIGHT: (RECONSTRUCTION, np.array([0.75, 0.25]))}
    observed = table.data.assign_coords({name: coords[name] for name in (RECONSTRUCTION, WEIGHT)})
    return xr.DataTree.from_dict({"posterior": xr.Dataset(values, coords=coords), "observed_data": observed})


def test_a_posterior_with_early_deaths() -> None:
    """From its draws to its rows: none missing is the posterior itself, and ω = k / (n + k) of the mean for each number, whatever is asked."""
    both = LifeTable.from_counts(TIMES, np.stack([EVENTS, EVENTS[::-1]]), np.stack([CENSORED, CENSORED[::-1]]))
    tree, until = posterior_of(both, 500), 2.0
    questions = Questions(survival_months=(4.0, 5.0, 6.0), rmst_months=6.0)
    own = {"control_median": FLAT, "shape": FLAT}
    spec = ModelSpec("weibull", life_table.KIND, weibull.build, {"hazard": weibull.hazard}, own)
    run: Any = SimpleNamespace(questions=questions, sensitivity=Assumptions(early_deaths=0.2), seed=1)
    endpoint = SimpleNamespace(reading="exact", shortest_of=lambda _: Quantity.parse("3"))
    study: Any = SimpleNamespace(endpoints={"os": endpoint}, randomised=False, time_unit="months", timeline=None)
    found = early_deaths(run, spec, study, "os", tree, ("flat", FLAT))
    assert found is not None
    assert (found.until, found.tables, found.times.tolist()) == (until, 2, [4.0, 5.0, 6.0])
    size = found.rmst_difference(0, 0).size
    assert [numbers.tolist() for numbers in found.numbers] == [[0, 1, 2, 3], [0, 1, 2, 3]]
    assert [part.shape for part in found.survival] == [(4, 3, size)] * 2
    assert [part.shape for part in found.rmst] == [(4, size)] * 2
    values = {str(name): item.to_numpy().reshape(2, -1) for name, item in tree["posterior"].data_vars.items()}
    means = [curves.rmst(weibull.hazard, {name: item[table] for name, item in values.items()}, 6.0) for table in (0, 1)]
    expected = 0.75 * means[0].mean(axis=0) + 0.25 * means[1].mean(axis=0)
    lost = until / 2
    for arm, n in enumerate(found.sizes):
        assert found.rmst[arm][0].mean() == pytest.approx(expected[arm], abs=0.03)
        assert found.rmst[arm][3].mean() == pytest.approx((n * found.rmst[arm][0].mean() + 3 * lost) / (n + 3), abs=0.05)
    rows = list(early_rows({"endpoint": "os"}, found, 0.025))
    assert len(rows) == 16 * 5
    assert {row["status"] for row in rows} == {"ok"}
    assert all(row["lower"] <= row["median"] <= row["upper"] for row in rows)
    tipping = list(early_tipping({}, found, (0.9,), -1))
    assert len(tipping) == 4
    assert len(list(early_variance({"endpoint": "os", "model": "weibull"}, found))) == 4


def test_numbers_that_are_tried() -> None:
    assert numbers_of(43, 0.1).tolist() == [0, 1, 2, 3, 4]
    assert numbers_of(49, 0.1).tolist() == [0, 1, 2, 3, 4, 5]
    assert numbers_of(4, 0.1).tolist() == [0, 1]
    assert (numbers_of(1000, 0.1).size, numbers_of(1000, 0.1)[-1]) == (11, 100)


def study(excluded: str | None = None, shortest: str | None = None, randomised: bool | None = False) -> Any:
    timeline = SimpleNamespace(excluded_follow_up_up_to=excluded and Quantity.parse(excluded))
    endpoint = SimpleNamespace(shortest_of=lambda _: shortest and Quantity.parse(shortest))
    return SimpleNamespace(endpoints={"os": endpoint}, randomised=randomised, timeline=timeline, time_unit="months")


def test_up_to_when_patients_can_be_missing() -> None:
    """The follow-up that was a ground to be left out; else before the shortest time, of arms that were not assigned at random."""
    assert missing_until(study("6", "3"), "os", TABLE) == 6.0
    assert missing_until(study("6", None, randomised=True), "os", TABLE) == 6.0
    assert missing_until(study(None, "3"), "os", TABLE) == 2.0
    assert math.isnan(missing_until(study(None, "3", randomised=True), "os", TABLE))
    assert math.isnan(missing_until(study(None, None), "os", TABLE))
    assert math.isnan(missing_until(study("8", None), "os", TABLE))
    assert math.isnan(missing_until(study(None, "1"), "os", LifeTable.from_counts(TIMES - 2, EVENTS, CENSORED)))


def every_tried(arm: int, numbers: np.ndarray) -> np.ndarray:
    raise AssertionError(f"{numbers} of arm {arm} were tried before")


def found_at(log_ratio: np.ndarray, se: float = 0.3, prior: Prior = FLAT) -> EarlyDeaths:
    """Ratios of every pair of numbers 0 to 2, of two copies of one table, and restricted means that shrink by 1 month a death."""
    cox = Imputed(np.repeat(log_ratio[..., None], 2, axis=-1), np.full((3, 3, 2), se), 8.0, prior)
    noise = np.random.default_rng(3).normal(size=20_000)
    rmst = tuple(np.stack([base + noise * side - 2 * k for k in range(3)]) for base, side in ((5.0, 0.0), (7.5, 1.0)))
    numbers = np.arange(3), np.arange(3)
    nothing = np.empty((3, 0, 20_000))
    return EarlyDeaths(
        "flat", 2.0, numbers, (40, 40), rmst, (nothing, nothing), np.empty(0), 8.0, cox, pooled(cox, 0.025), 1, every_tried
    )


def test_where_early_deaths_tip_a_conclusion() -> None:
    """P = 0.999, 0.977, 0.85 at 0, 1 and 2 deaths in the experimental arm: 0.975 is lost at the second; no number in the control arm loses it."""
    experimental = np.array([-0.93, -0.6, -0.31])
    found = found_at(experimental[None] - 0.1 * np.arange(3)[:, None])
    rows = {(row["challenge"], row["criterion"]): row["value"] for row in early_tipping({}, found, (0.95, 0.975), -1)}
    assert rows["early deaths, experimental arm", 0.975] == 2
    assert math.isnan(rows["early deaths, control arm", 0.975])
    # 2.5 ± 1 months, 2 less a death: P(longer) is 0.994 and 0.69
    assert rows["early deaths, experimental arm" + MEANS, 0.95] == 1
    weak = found_at(np.full((3, 3), -0.2))
    assert all(math.isnan(row["value"]) for row in early_tipping({}, weak, (0.975,), -1) if MEANS not in row["challenge"])


def test_of_many_patients_the_least_number_is_told() -> None:
    """Of 300 patients 0, 3, 6, ... 30 are tried; P(claim) = 1 - number / 100 is below 0.9295 from 8 on, and below 0.905 from 10 on. Of 30,000
    patients steps are of 300.
    """
    asked: list[int] = []

    def held(numbers: np.ndarray) -> np.ndarray:
        asked.extend(numbers.tolist())
        return 1 - numbers / 100

    assert least_below(numbers_of(300, 0.1), held, 0.9295) == 8
    assert least_below(numbers_of(300, 0.1), held, 0.905) == 10
    assert math.isnan(least_below(numbers_of(300, 0.1), held, 0.5))
    asked.clear()
    assert least_below(numbers_of(30_000, 0.1), lambda numbers: held(numbers / 100), 0.92955) == 705
    assert len(asked) < 40


def test_tipping_numbers_of_a_large_table_are_the_least() -> None:
    """Against Cox of every number up to a tenth of 240 and 220 patients."""
    events, censored = np.repeat(EVENTS, 2, axis=1) * 4, np.repeat(CENSORED, 2, axis=1) * 5
    table = LifeTable.from_counts(np.arange(3.0, 15.0), events + np.array([[6], [0]]), censored)
    sizes = table.n.to_numpy()[0].astype(int)
    numbers = numbers_of(int(sizes[0]), 0.1), numbers_of(int(sizes[1]), 0.1)
    assert max(np.diff(numbers[1])) > 1

    def chance(arm: int, some: np.ndarray) -> np.ndarray:
        none = np.zeros(1, int)
        return pooled(cox_of_early(table, np.ones(1), (none, some) if arm else (some, none), 2.0, FLAT), 0.025).below.ravel()

    every = chance(1, np.arange(numbers[1][-1] + 1))
    cox = cox_of_early(table, np.ones(1), numbers, 2.0, FLAT)
    rmst = tuple(
        np.zeros((int(k[-1]) + 1, 100)) + side - 0.07 * np.arange(k[-1] + 1)[:, None]
        for k, side in zip(numbers, (0, 1), strict=True)
    )
    nothing = (np.empty((0, 0, 0)), np.empty((0, 0, 0)))
    found = EarlyDeaths(
        "flat", 2.0, numbers, (int(sizes[0]), int(sizes[1])), rmst, nothing, np.empty(0), 8.0, cox, pooled(cox, 0.025), 1, chance
    )
    levels = tuple(float(every[k] + every[k + 1]) / 2 for k in (4, 7, 12))
    rows = {(row["challenge"], row["criterion"]): row["value"] for row in early_tipping({}, found, levels, -1)}
    assert [rows["early deaths, experimental arm", level] for level in levels] == [5, 8, 13]
    assert rows["early deaths, experimental arm" + MEANS, levels[0]] == 15


def test_rows_of_every_pair() -> None:
    found = found_at(np.full((3, 3), -0.5))
    rows = list(early_rows({"endpoint": "os"}, found, 0.025))
    assert len(rows) == 9 * 2
    assert {(row["control_missing"], row["experimental_missing"]) for row in rows} == {(i, j) for i in range(3) for j in range(3)}
    ratio = next(row for row in rows if row["quantity"] == "hazard_ratio")
    assert ratio["median"] == pytest.approx(math.exp(-0.5), rel=1e-3)
    assert ratio["lower"] == pytest.approx(math.exp(-0.5 - 1.96 * 0.3), rel=1e-2)


def test_a_failed_regression_fails_its_pair() -> None:
    ratios = np.full((3, 3), -0.5)
    ratios[0, 2] = 30.0
    found = found_at(ratios)
    assert found.status(0, 2).startswith("failed")
    assert found.status(0, 1) == "ok"
    rows = {row["challenge"]: row["value"] for row in early_tipping({}, found, (0.9,), -1)}
    assert math.isnan(rows["early deaths, control arm"])


def test_the_share_of_an_arm_is_checked() -> None:
    assert not Assumptions(early_deaths=0.0).problems()
    assert "early_deaths" in Assumptions(early_deaths=0.7).problems()[0]


def test_lines_of_the_variance_are_of_the_most_deaths_in_one_arm() -> None:
    ratios = -0.5 + 0.1 * np.arange(3)[None] - 0.05 * np.arange(3)[:, None]
    rows = {(row["design"], row["quantity"]): row for row in early_variance({"endpoint": "os", "model": "m"}, found_at(ratios))}
    row = rows["early deaths, experimental arm: 2", "log_hazard_ratio"]
    assert (row["shift"], row["total_sd"], row["within_share"]) == (
        pytest.approx(0.2, rel=2e-3),
        pytest.approx(0.3, rel=1e-3),
        pytest.approx(1.0),
    )
    assert {row["tables"] for row in rows.values()} == {1}
    assert rows["early deaths, control arm: 2", "log_hazard_ratio"]["shift"] == pytest.approx(-0.1, rel=2e-3)
    assert rows["early deaths, control arm: 2", "rmst_difference"]["shift"] == pytest.approx(4.0)


@pytest.mark.parametrize("family", ["normal", "student_t"])
def test_lines_of_the_variance_are_under_the_prior_that_they_are_named_after(family: str) -> None:
    """Of N(0, 0.2²) in closed form, of a t prior with so many degrees of freedom that it is nearly the same by quadrature: variance
    1 / (1 / 0.3² + 1 / 0.2²), shift its share of 0.2; the SD is that of the row of early_deaths.csv.
    """
    prior = Prior("normal", (0.0, 0.2)) if family == "normal" else Prior("student_t", (0.0, 0.2, 1e6))
    found = found_at(-0.5 + 0.1 * np.arange(3)[None] - 0.05 * np.arange(3)[:, None], prior=prior)
    rows = {(row["design"], row["quantity"]): row for row in early_variance({"endpoint": "os", "model": "m"}, found)}
    row, variance = rows["early deaths, experimental arm: 2", "log_hazard_ratio"], 1 / (1 / 0.3**2 + 1 / 0.2**2)
    assert row["total_sd"] == pytest.approx(math.sqrt(variance), rel=2e-3)
    assert row["shift"] == pytest.approx(0.2 * variance / 0.3**2, rel=2e-3)
    told = next(
        row for row in early_rows({}, found, 0.025) if (row["experimental_missing"], row["quantity"]) == (2, "hazard_ratio")
    )
    assert row["total_sd"] == pytest.approx(math.log(told["upper"] / told["lower"]) / (2 * 1.96), rel=5e-3)


def test_tables_are_counted_and_not_their_copies() -> None:
    assert ((copies_of(np.ones(1)) > 0).sum(), copies_of(np.ones(1)).sum()) == (1, 2)
    assert ((copies_of(np.full(20, 0.05)) > 0).sum(), copies_of(np.full(20, 0.05)).sum()) == (20, 400)


def test_a_conclusion_is_held_against_the_most_deaths_in_the_arm_that_would_lose_by_them() -> None:
    """Of ratios -0.8 and 0.2 more a death of the experimental arm: at 2 of 40, P(ratio < 1) is Φ(0.4 / 0.3)."""
    ratios = -0.8 + 0.2 * np.arange(3)[None] - 0.1 * np.arange(3)[:, None]
    data = LogRatio("hazard_ratio", "experimental / control", "", -0.8, 0.3, 0.95, "made up")
    effect = Effect("os", "weibull", "", "hazard_ratio", NormalLikelihood(data, posterior), {"flat": FLAT}, 44.0, False)
    rows = [
        row for row in conclusion_rows(effect, Assumptions(), 0.025, None, found_at(ratios)) if row["challenge"] == "early deaths"
    ]
    (row,) = rows
    assert row["what"].startswith("2 more patients of the experimental arm (5 % of it)")
    assert row["probability"] == pytest.approx(norm.cdf(0.4 / 0.3), abs=1e-3)
    assert not row["holds"]


def test_nothing_is_made_of_draws_of_a_failed_main_fit() -> None:
    """Their restricted means would be said to be ok."""
    one: Any = SimpleNamespace(endpoint="os", model="weibull", printed=None, priors={"flat": FLAT, "sceptical": FLAT})
    row = {"endpoint": "os", "model": "weibull", "variant": "", "status": "failed: rhat 1.2"}
    assert not _usable([one], ("os", "weibull"), [row | {"prior": "flat"}])
    assert _usable([one], ("os", "weibull"), [row | {"prior": "sceptical"}, row | {"prior": "flat", "status": "ok"}])
