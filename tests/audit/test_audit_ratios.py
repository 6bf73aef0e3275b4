"""Arithmetic of ratio, interval and p."""

from __future__ import annotations

import math

import numpy as np
import pytest
from audit_factory import Z, printed
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.arithmetic import Ratio
from retrial.multivariable.events import smallest_standard_error, split_standard_error
from retrial.study.reported import Reported


def ratio(estimate: str, lower: str, upper: str, level: float = 0.95) -> Ratio:
    return Ratio(Reported(estimate), Reported(lower), Reported(upper), level)


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.floats(-1.5, 1.5), st.floats(0.08, 0.7), st.integers(2, 5), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_a_rounded_wald_interval_is_symmetric_and_holds_its_p(beta: float, error: float, decimals: int, level: float) -> None:
    quantile = float(stats.norm.isf((1 - level) / 2))
    texts = [printed(math.exp(beta + sign * quantile * error), decimals) for sign in (0, -1, 1)]
    assume(float(texts[1]) > 0)
    made = ratio(*texts, level)
    assert ratios.is_symmetric(made)
    found = ratios.wald_p(made)
    assert found is not None
    p = float(2 * stats.norm.sf(abs(beta / error)))
    assert found.low - 1e-9 <= p <= found.high + 1e-9
    low, high = ratios.standard_error_range(made)
    assert low - 1e-9 <= error <= high + 1e-9


def test_wald_range_is_that_of_a_fine_grid() -> None:
    """All (L, U) on a grid within rounding whose geometric mean rounds to the estimate."""
    made = ratio("0.470", "0.252", "0.879")
    values = []
    for lower in np.linspace(0.2515, 0.2525, 201):
        for upper in np.linspace(0.8785, 0.8795, 201):
            if 0.4695 <= math.sqrt(lower * upper) <= 0.4705:
                z = abs(math.log(lower * upper) / 2) / (math.log(upper / lower) / (2 * Z))
                values.append(2 * stats.norm.sf(z))
    found = ratios.wald_p(made)
    assert found is not None
    assert found == pytest.approx((min(values), max(values)), abs=2e-6)


def test_estimate_far_from_the_middle() -> None:
    made = ratio("0.467", "0.340", "0.945")
    assert ratios.wald_p(made) is None
    assert not ratios.is_symmetric(made, truncated=True)
    assert ratios.geometric_mean(made) == pytest.approx((math.sqrt(0.3395 * 0.9445), math.sqrt(0.3405 * 0.9455)))
    error = math.log(0.945 / 0.340) / (2 * Z)
    assert ratios.asymmetry(made) == pytest.approx(math.log(math.sqrt(0.34 * 0.945) / 0.467) / error, abs=1e-10)
    assert ratios.wald_z(made) == pytest.approx(math.log(0.467) / error, abs=1e-10)


def test_ratio_of_one_has_p_up_to_one() -> None:
    found = ratios.wald_p(ratio("1.00", "0.50", "2.00"))
    assert found is not None
    assert found.high == 1.0


def test_p_without_one_number() -> None:
    """With exact numbers each pair gives the same p."""
    beta, error = math.log(0.6), 0.2
    texts = [printed(math.exp(beta + sign * Z * error), 9) for sign in (0, -1, 1)]
    p = float(2 * stats.norm.sf(abs(beta) / error))
    for part in ratios.PARTS:
        assert ratios.p_without(ratio(*texts), part) == pytest.approx((p, p), abs=1e-7)
    hull = ratios.p_of_any_two(ratio(*texts))
    assert hull == pytest.approx((p, p), abs=1e-7)


@pytest.mark.parametrize("events", [4, 44, 68])
def test_smallest_standard_error(events: int) -> None:
    assert smallest_standard_error(events) == pytest.approx(split_standard_error(events // 2, events // 2))


def test_cox_standard_error_keeps_the_bounds() -> None:
    """A Cox fit's SE is at least sqrt(1/d1 + 1/d2) >= 2/sqrt(d): the information at the estimate, by bisection on the score."""
    rng = np.random.default_rng(8)
    for _ in range(20):
        group = rng.integers(0, 2, 60)
        time, event = rng.exponential(1 + group), rng.random(60) < 0.7
        risks = [(group[time >= moment].sum(), (1 - group[time >= moment]).sum(), group[index])
                 for index, moment in enumerate(time) if event[index]]  # fmt: skip
        low, high = -8.0, 8.0
        for _ in range(80):
            beta = (low + high) / 2
            shares = [one * math.exp(beta) / (one * math.exp(beta) + two) for one, two, _ in risks]
            low, high = (beta, high) if sum(own for *_, own in risks) > sum(shares) else (low, beta)
        error = 1 / math.sqrt(sum(share * (1 - share) for share in shares))
        first = int(group[event].sum())
        bound = split_standard_error(first, int(event.sum()) - first)
        assert error >= bound - 1e-9 >= smallest_standard_error(int(event.sum())) - 2e-9


def test_possible_splits() -> None:
    """44 events, SE 0.3187: d1 (44 - d1) >= 44 / 0.3187^2 = 433.2, so 15 to 29."""
    assert ratios.possible_splits(44, 0.3187) == (15, 29)
    assert ratios.possible_splits(44, 0.30) is None
