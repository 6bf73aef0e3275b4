"""Moments over an ensemble: variance within and between readings, Monte Carlo errors, comparison of two ensembles, what is left out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retrial.dims import TOTAL
from retrial.errors import ConfigError
from retrial.tables.ensemble import Ensemble, ReadingResult
from retrial.tables.findings.probes import ALL, Probes, every_statistic, left_out, parts_of, plain_probes
from retrial.tables.findings.spread import (
    AGREE,
    DIFFER,
    UNKNOWN,
    against,
    compare_values,
    matched_weights,
    monte_carlo_error,
    split,
    spread,
    summary,
    table_answers,
)
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading, Reading
from retrial.tables.printed.targets import Targets
from tests.tables.toy import number, row_of, toy_targets

ONE, TWO = (Reading(ratio, None, None) for ratio in (RatioReading.COX_EFRON, RatioReading.MANTEL_HAENSZEL))


def made(counts: tuple[int, int], share: float = 0.5, **numbers: float) -> Ensemble:
    """Tables of two readings; their contents do not matter here."""
    readings = (ONE,) * counts[0] + (TWO,) * counts[1]
    weights = np.repeat([share / max(counts[0], 1), (1 - share) / max(counts[1], 1)], counts)
    table = LifeTable.from_counts([1.0, 2.0], *(np.ones((len(readings), 2, 2), int),) * 2)
    numbers = {"effective_tables": 4.0, "islands": 4, "share_se": 0.1} | numbers
    results = tuple(ReadingResult(item, "attained", 0.0, 0.3, part, **numbers) for item, part in ((ONE, share), (TWO, 1 - share)))  # type: ignore[arg-type]
    islands = np.arange(len(readings)) % 4
    return Ensemble("os", table, readings, weights / weights.sum(), results, 1, islands=islands)


def test_variance_is_within_plus_between_readings() -> None:
    ensemble, values = made((30, 20), 0.7), np.random.default_rng(1).normal(size=50)
    mean = float(ensemble.weights @ values)
    within, between = split(values, ensemble)
    assert within + between == pytest.approx(float(ensemble.weights @ (values - mean) ** 2), abs=1e-12)
    levels = np.where(np.arange(50) < 30, 1.0, 3.0)
    assert split(levels, ensemble) == pytest.approx((0.0, 0.7 * 0.3 * 4.0), abs=1e-12)
    assert summary(levels, ensemble)["between_readings"] == pytest.approx(1.0)
    assert np.isnan(summary(np.ones(50), ensemble)["between_readings"])


def test_an_infinite_ratio_keeps_its_quantiles_and_has_no_moments() -> None:
    values = np.array([-np.inf, -1.0, -0.5, 0.2])
    found = summary(values, made((2, 2)))
    assert (found["lower"], found["median"], found["upper"]) == (-np.inf, -1.0, 0.2)
    assert all(np.isnan(found[name]) for name in ("mean", "sd", "within_readings", "between_readings", "monte_carlo_error"))


def test_monte_carlo_error_in_closed_form() -> None:
    """Equal samplers: the standard error of the mean of their means; unequal ones: the jackknife by hand."""
    values, islands = np.array([-1.0, 1.0, 2.0, 4.0, 0.0, 6.0]), np.array([0, 0, 1, 1, 2, 2])
    equal = np.full(6, 1 / 6)
    assert monte_carlo_error(values, equal, islands) == pytest.approx(np.std([0.0, 3.0, 3.0], ddof=1) / np.sqrt(3), abs=1e-12)
    weights = np.array([0.4, 0.4, 0.05, 0.05, 0.05, 0.05])
    without = np.array([3.0, 0.1 * 3 / 0.9, 0.1 * 3 / 0.9])
    by_hand = np.sqrt(2 / 3 * ((without - without.mean()) ** 2).sum())
    assert monte_carlo_error(values, weights, islands) == pytest.approx(by_hand, abs=1e-12)
    assert np.isnan(monte_carlo_error(values, equal, np.zeros(6, int)))
    assert np.isnan(monte_carlo_error(values, equal, np.zeros(0, int)))


def test_monte_carlo_error_is_that_of_repeated_ensembles() -> None:
    """Samplers whose tables share an offset of SD 1 beside their own SD 1: the error of a mean over 8 of them, by repetition."""
    rng = np.random.default_rng(7)
    islands, weights = np.repeat(np.arange(8), 12), np.full(96, 1 / 96)
    drawn = [rng.normal(size=8)[islands] + rng.normal(size=96) for _ in range(400)]
    claimed = np.sqrt(np.mean([monte_carlo_error(values, weights, islands) ** 2 for values in drawn]))
    # √(1/8 + 1/96) = 0.368; 400 means know their SD to 3.5 %
    assert claimed == pytest.approx(np.sqrt(1 / 8 + 1 / 96), rel=0.05)
    assert np.std([values.mean() for values in drawn]) == pytest.approx(claimed, rel=0.12)


def test_readings_are_matched_before_ensembles_are_compared() -> None:
    default, strict = made((10, 10), 0.8), made((3, 27), 0.1)
    weights = matched_weights(default, strict)
    assert weights is not None
    assert weights[1][:3].sum() == pytest.approx(0.8)
    only = matched_weights(default, made((6, 0), 1.0))
    assert only is not None
    assert only[0][10:].sum() == 0
    assert matched_weights(made((4, 0), 1.0), made((0, 4), 0.0)) is None


def test_comparison_finds_a_difference_and_no_other() -> None:
    rng = np.random.default_rng(2)
    default, strict = made((60, 40), effective_tables=50.0), made((45, 45))
    rmst, events = ("rmst", 18.0, TOTAL), ("events", None, TOTAL)
    same = {rmst: rng.normal(size=100), events: np.full(100, 44.0)}
    other = {rmst: rng.normal(size=90), events: np.full(90, 44.0)}
    frame = compare_values(same, other, default, strict)
    assert list(frame["verdict"]) == [AGREE, AGREE]
    weights = matched_weights(default, strict)
    assert weights is not None
    variance = max(split(same[rmst], default)[0], split(other[rmst], strict)[0])
    # half the weight in each of two readings, four samplers each
    errors = monte_carlo_error(same[rmst], weights[0], default.islands), np.sqrt(variance * 2 * 0.25 / 4)
    assert frame["monte_carlo_error"][0] == pytest.approx(np.hypot(*errors), abs=1e-12)
    assert frame["monte_carlo_error"][1] == 0
    moved = compare_values(same, {**other, rmst: other[rmst] + 3.0}, default, strict)
    assert list(moved["verdict"]) == [DIFFER, AGREE]
    one = dataclasses.replace(default, islands=np.zeros(100, int))
    assert list(compare_values(same, other, one, strict)["verdict"]) == [UNKNOWN, AGREE]
    alone = dataclasses.replace(strict, islands=np.zeros(90, int))
    wide = compare_values(same, other, default, alone)["monte_carlo_error"][0]
    assert wide == pytest.approx(np.hypot(errors[0], np.sqrt(variance * 2 * 0.25)), abs=1e-12)


def small() -> tuple[Ensemble, Targets]:
    """Four random tables of 20 patients an arm on three months, two of each reading, and the grid that they are on."""
    rng = np.random.default_rng(3)
    cells = rng.multinomial(20, np.full(6, 1 / 6), size=(4, 2)).reshape(4, 2, 2, 3)
    table = LifeTable.from_counts([1.0, 2.0, 3.0], cells[:, :, 0], cells[:, :, 1])
    return dataclasses.replace(made((2, 2)), table=table), toy_targets((20, 20), 3, [])


def test_quantities_are_in_months_whatever_the_unit() -> None:
    ensemble, targets = small()
    months = spread(ensemble, targets, 3.0, (2.0,))
    longer = table_answers(ensemble.table, dataclasses.replace(targets, time_unit="years"), 36.0, (24.0,))
    assert float(ensemble.weights @ longer["rmst", 36.0, "control"]) == pytest.approx(
        12 * row_of(months, "rmst", "control")["mean"]
    )
    assert float(ensemble.weights @ longer["survival", 24.0, "control"]) == pytest.approx(
        row_of(months, "survival", "control", 2)["mean"]
    )
    assert (months["within_readings"].dropna() + months["between_readings"].dropna()).to_numpy() == pytest.approx(1.0)


def test_shift_and_widening() -> None:
    ensemble, targets = small()
    base = spread(ensemble, targets, 3.0, (2.0,))
    found = against(base.assign(mean=base["mean"] + 1, sd=2 * base["sd"]), base)
    assert found["shift"].to_numpy() == pytest.approx(1.0)
    error = np.sqrt(2) * row_of(base, "rmst", "control")["monte_carlo_error"]
    assert row_of(found, "rmst", "control")["standardised"] == pytest.approx(1 / error)
    assert row_of(found, "rmst", "control")["sd_ratio"] == pytest.approx(2.0)


def test_what_is_left_out() -> None:
    targets = toy_targets(
        (6, 6), 3, [number("median", "2", "control"), number("median_lower", "1", "control"), number("hazard_ratio", "0.5")]
    )
    with_test = dataclasses.replace(targets, targets=(*targets.targets, number("chi_square", "5.1")))
    assert parts_of("median.control", targets) == ("median.control", "median_ci.control")
    assert every_statistic(with_test)[-1] == "hazard_ratio.total + chi_square.total"
    both = {"os": with_test, "pfs": targets}
    everything = left_out(Probes(leave_one_out=(ALL,)), both)
    assert set(everything["os"]) - set(everything["pfs"]) == {"chi_square.total", "hazard_ratio.total + chi_square.total"}
    assert left_out(Probes(leave_one_out=("chi_square.total",)), both) == {"os": ("chi_square.total",), "pfs": ()}
    assert left_out(Probes(), both) == {"os": (), "pfs": ()}
    with pytest.raises(
        ConfigError, match=r"reconstruction.leave_one_out: got \['median.total'\]; allowed is true, false or a list of"
    ):
        left_out(Probes(leave_one_out=("median.total",)), both)


def test_the_switch_as_it_is_typed() -> None:
    assert plain_probes({"leave_one_out": True}) == {"leave_one_out": [ALL]}
    assert plain_probes({"leave_one_out": False, "threads": 2}) == {"leave_one_out": [], "threads": 2}
    assert plain_probes({"leave_one_out": "median.control"}) == {"leave_one_out": ["median.control"]}
    assert plain_probes({}) == {}


def test_survival_beyond_some_tables_is_of_the_others() -> None:
    """Arm sizes 2 and 2 on three months: the control arm of the first two tables is followed to month 2 only."""
    events, censored = np.zeros((2, 4, 2, 3), int)
    events[:, :, 0] = 1
    censored[:2, :, 1] = 1
    censored[2:, 0, 1], censored[2:, 1, 2] = 1, 1
    ensemble = dataclasses.replace(made((2, 2), 0.7), table=LifeTable.from_counts([1.0, 2.0, 3.0], events, censored))
    frame = spread(ensemble, toy_targets((2, 2), 3, []), 2.0, (2.0, 3.0))
    assert row_of(frame, "survival", "control", 3)["tables"] == 0
    assert np.isnan(row_of(frame, "survival", "control", 3)["mean"])
    assert row_of(frame, "survival", "experimental", 3)["tables"] == pytest.approx(0.3)
    assert row_of(frame, "survival", "experimental", 3)["mean"] == pytest.approx(0.5)
    assert row_of(frame, "survival", "control", 2)["tables"] == pytest.approx(1.0)
    assert row_of(frame, "events", TOTAL)["sd"] == 0
    same = table_answers(ensemble.table, toy_targets((2, 2), 3, []), 2.0, (3.0,))
    assert "survival" not in set(compare_values(same, same, ensemble, ensemble)["quantity"])


def test_a_curve_that_falls_to_zero_is_known_ever_after() -> None:
    events, censored = np.array([[[2, 0, 0], [0, 1, 0]]]), np.array([[[0, 0, 0], [0, 1, 0]]])
    ensemble = dataclasses.replace(made((1, 0), 1.0), table=LifeTable.from_counts([1.0, 2.0, 3.0], events, censored))
    values = table_answers(ensemble.table, toy_targets((2, 2), 3, []), 1.0, (3.0,))
    assert values["survival", 3.0, "control"] == pytest.approx([0.0])
    assert np.isnan(values["survival", 3.0, "experimental"]).all()
