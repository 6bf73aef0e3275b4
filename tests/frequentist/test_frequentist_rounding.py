"""Rounding of the print carried into a log ratio and its SE; logarithms, single limits, one-sided p."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from retrial.errors import DataError
from retrial.frequentist.ratios import log_ratio, published_effect
from retrial.study.sections import Effect

Z = float(stats.norm.isf(0.025))


def effect(**keys: Any) -> Effect:
    return Effect.model_validate(keys)


def accepted(ratio: str, lower: str, upper: str, n: int = 400_000) -> tuple[np.ndarray, np.ndarray]:
    """(y, s) drawn evenly from the logs that round to the limits, kept where y rounds to the ratio: by rejection, without the polygon."""
    printed = effect(hazard_ratio=ratio, ci=[lower, upper])
    random, interval = np.random.default_rng(1), printed.interval
    assert interval is not None
    ends = [random.uniform(math.log(end.low), math.log(end.high), n) for end in (interval.lower, interval.upper)]
    y, s = (ends[0] + ends[1]) / 2, (ends[1] - ends[0]) / (2 * Z)
    kept = (y >= math.log(printed.estimate.low)) & (y <= math.log(printed.estimate.high))
    return y[kept], s[kept]


@pytest.mark.parametrize(
    ("ratio", "lower", "upper"), [("0.7", "0.5", "1.0"), ("0.8", "0.6", "1.0"), ("1.5", "1.1", "2.2"), ("0.91", "0.86", "0.97")]
)
def test_a_coarse_print_is_all_that_rounds_to_it(ratio: str, lower: str, upper: str) -> None:
    log = log_ratio(effect(hazard_ratio=ratio, ci=[lower, upper]))
    y, s = accepted(ratio, lower, upper)
    assert log.estimate == pytest.approx(y.mean(), abs=4e-4)
    assert log.se == pytest.approx(math.sqrt((s**2).mean() + y.var()), rel=2e-3)
    assert "over all values that round to the print" in log.source


def test_one_decimal_does_not_exclude_one() -> None:
    log = log_ratio(effect(hazard_ratio="0.7", ci=["0.5", "1.0"]))
    assert log.limits(0.95)[1] > 0
    assert "limit 1.0 stands for 0.95 to 1.05" in log.note


def test_two_decimals_are_as_before_and_say_what_rounding_decides() -> None:
    log = log_ratio(effect(hazard_ratio="0.74", ci=["0.55", "1.00"]))
    assert (log.estimate, log.se) == pytest.approx((math.log(0.74), math.log(1 / 0.55) / (2 * Z)), abs=1e-12)
    assert "rounding decides whether the printed interval excludes 1" in log.note
    assert not log_ratio(effect(hazard_ratio="0.74", ci=["0.55", "0.99"])).note


def test_more_digits_move_nothing() -> None:
    """The same ratio to more decimals: coarse prints come to the fine one's estimate and SE as their rounding shrinks."""
    fine = log_ratio(effect(hazard_ratio="0.7100", ci=["0.5100", "0.9884"]))
    for decimals, room in ((2, 0.06), (3, 0.006)):
        texts = [f"{value:.{decimals}f}" for value in (0.71, 0.51, 0.9884)]
        log = log_ratio(effect(hazard_ratio=texts[0], ci=texts[1:]))
        assert abs(log.estimate - fine.estimate) < room * fine.se
        assert abs(log.se - fine.se) < room * fine.se


def test_log_ratio_with_its_se() -> None:
    printed = effect(log_hazard_ratio="-0.34", se="0.12")
    log = log_ratio(printed)
    assert (log.measure, log.estimate, log.se) == ("hazard_ratio", pytest.approx(-0.34), pytest.approx(0.12))
    (row,) = published_effect(printed, "os")
    assert row.printed == "-0.34 (SE 0.12)"
    assert (row.point, row.upper) == pytest.approx((math.exp(-0.34), math.exp(-0.34 + Z * 0.12)))
    turned = log_ratio(effect(log_hazard_ratio="-0.34", se="0.12", numerator="control", denominator="experimental"))
    assert (turned.estimate, turned.se) == pytest.approx((0.34, 0.12))


def test_single_limits_take_their_one_sided_level() -> None:
    upper = log_ratio(effect(hazard_ratio="0.620", ci=[None, "0.980"], level=0.975))
    assert upper.se == pytest.approx(math.log(0.98 / 0.62) / Z)
    lower = log_ratio(effect(hazard_ratio="0.620", ci=["0.392", None], level=0.95))
    assert lower.se == pytest.approx(math.log(0.62 / 0.392) / stats.norm.isf(0.05))
    assert (upper.level, lower.level) == pytest.approx((0.95, 0.90))


def test_one_sided_p_is_half_of_the_two_sided() -> None:
    one, two = (log_ratio(effect(hazard_ratio="0.620", p=p, sides=sides)) for p, sides in (("0.0120", 1), ("0.0240", 2)))
    assert one.se == pytest.approx(two.se)
    against = effect(hazard_ratio="1.20", p="0.9", sides=1).two_sided_p
    assert against is not None
    assert (against.low, against.value, against.high) == pytest.approx((0.1, 0.2, 0.3))


@pytest.mark.parametrize("ratio", ["1", "1.0", "1.00"])
def test_a_ratio_that_may_be_one_and_a_p_have_no_se(ratio: str) -> None:
    with pytest.raises(DataError, match="say nothing of the SE; give ci or se"):
        log_ratio(effect(hazard_ratio=ratio, p="0.8"))


def test_a_p_on_the_edge_of_its_rounding_is_said() -> None:
    assert "p 0.05 stands for 0.045 to 0.055" in log_ratio(effect(hazard_ratio="0.62", p="0.05")).note
    assert not log_ratio(effect(hazard_ratio="0.62", p="0.04")).note
