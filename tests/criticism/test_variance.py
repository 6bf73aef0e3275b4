"""The split of a pooled posterior's variance, on draws whose moments are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.criticism.variance import split_of_models, variance_split


def two_points(mean: float, sd: float) -> np.ndarray:
    """Draws with exactly this mean and SD."""
    return np.array([mean - sd, mean + sd])


def test_closed_form_of_two_readings() -> None:
    # reading a: means 0 and 2 (weights .25 each), reading b: 5 (.5); SDs 1, 1, 2
    draws = [two_points(0, 1), two_points(2, 1), two_points(5, 2)]
    split = variance_split(draws, np.array([0.25, 0.25, 0.5]), ["a", "a", "b"])
    within, tables, readings = 0.5 * 1 + 0.5 * 4, 0.5 * 1, 0.5 * 4 + 0.5 * 4
    total = within + tables + readings
    assert split.total_sd == pytest.approx(np.sqrt(total), abs=1e-12)
    assert (split.within, split.between_tables, split.between_readings) == pytest.approx(
        (within / total, tables / total, readings / total), abs=1e-12
    )


def test_designs_stand_above_the_readings() -> None:
    # design x: readings a (0) and b (2); design y: reading a (5) of half of the weight
    draws = [two_points(0, 1), two_points(2, 1), two_points(5, 1)]
    split = variance_split(draws, np.array([0.25, 0.25, 0.5]), ["a", "b", "a"], ["x", "x", "y"])
    within, readings, designs = 1.0, 0.5, 0.5 * 4 + 0.5 * 4
    total = within + readings + designs
    found = (split.within, split.between_tables, split.between_readings, split.between_designs)
    assert found == pytest.approx((within / total, 0, readings / total, designs / total), abs=1e-12)


def test_models_stand_below_the_tables() -> None:
    # table 1: models of means 0 and 2, probabilities 1/4 and 3/4; table 2: 5 and 5; a third without weight
    means = np.array([[0.0, 5.0, 90.0], [2.0, 5.0, 70.0]])
    variances = np.array([[1.0, 2.0, 3.0], [4.0, 2.0, 3.0]])
    weights = np.array([[0.25, 0.5, 0.0], [0.75, 0.5, 0.0]]) * np.array([0.4, 0.6, 0.0])
    split = split_of_models(means, variances, weights, ["a", "b", "a"])
    within, models = 0.4 * (0.25 * 1 + 0.75 * 4) + 0.6 * 2, 0.4 * 0.25 * 0.75 * 4
    readings = 0.4 * 0.6 * (5 - 1.5) ** 2
    total = within + models + readings
    assert split.total_sd == pytest.approx(np.sqrt(total), abs=1e-12)
    assert list(split.shares.values()) == pytest.approx([within / total, models / total, 0, readings / total, 0], abs=1e-12)
    assert list(split.shares) == [
        f"{name}_share" for name in ("within", *(f"between_{n}" for n in ("models", "tables", "readings", "designs")))
    ]


def test_one_table_is_all_within() -> None:
    split = variance_split([two_points(3, 0.7)], np.ones(1), [""])
    assert (split.total_sd, split.within, split.between_tables, split.between_readings) == pytest.approx(
        (0.7, 1, 0, 0), abs=1e-12
    )


def test_a_constant_has_no_spread() -> None:
    assert variance_split([np.ones(4)] * 2, np.array([0.5, 0.5]), ["", ""]).total_sd == 0


@settings(derandomize=True, max_examples=60)
@given(
    st.lists(
        st.tuples(st.floats(-3, 3), st.floats(0.1, 2), st.floats(0.05, 1), st.sampled_from(["a", "b", "c"])),
        min_size=1,
        max_size=8,
    )
)
def test_total_is_the_variance_of_the_mixture(tables: list[tuple[float, float, float, str]]) -> None:
    weights = np.array([weight for _, _, weight, _ in tables])
    draws = [two_points(mean, sd) for mean, sd, _, _ in tables]
    split = variance_split(draws, weights, [reading for *_, reading in tables])
    share = np.repeat(weights / weights.sum() / 2, 2)
    values = np.concatenate(draws)
    assert split.total_sd**2 == pytest.approx(share @ (values - share @ values) ** 2, rel=1e-10)
    assert split.within + split.between_tables + split.between_readings == pytest.approx(1)
