"""Numbers to text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.estimate import Estimate
from retrial.report import format as fmt


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.47, "0.470"),
        (1.1174, "1.117"),
        (0.0004, "<0.001"),
        (0.0006, "0.001"),
        (12.345, "12.35"),
        (345.6, "346"),
        (12345.6, "12,346"),
        (3.25e8, "3×10⁸"),
        (4e12, "4×10¹²"),
        (math.inf, "∞"),
        (math.nan, "–"),
    ],
)
def test_ratio(value: float, text: str) -> None:
    assert fmt.ratio(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "<0.001"), (0.00099, "<0.001"), (0.001, "0.001"), (0.0424, "0.042"), (0.9995, ">0.999"), (1.0, "1.000")],
)
def test_p_value(value: float, text: str) -> None:
    assert fmt.p_value(value) == text


def test_a_posterior_probability_is_never_certain() -> None:
    assert (fmt.probability(0.0), fmt.probability(1.0), fmt.probability(0.9765)) == ("<0.001", ">0.999", "0.977")


@pytest.mark.parametrize(("value", "text"), [(-0.211, "−0.211"), (-0.0001, "0.000"), (0.0, "0.000"), (-math.inf, "−∞")])
def test_decimal_has_a_true_minus_and_no_negative_zero(value: float, text: str) -> None:
    assert fmt.decimal(value, 3) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("0.470", "0.470"), (None, "–"), (11.0, "11"), (0.46774, "0.46774"), (18.1881, "18.188"), (4, "4"), (1e5, "100,000")],
)
def test_general(value: object, text: str) -> None:
    assert fmt.general(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.0, "100 %"), (0.9999, ">99 %"), (0.83, "83 %"), (0.001, "<1 %"), (0.0, "0 %")])
def test_share_is_all_or_nothing_only_where_exact(value: float, text: str) -> None:
    assert fmt.share(value) == text.replace(" ", fmt.NBSP)


def test_estimate_text_by_unit() -> None:
    def text(quantity: str, point: float, lower: float = math.nan, upper: float = math.nan, **more: Any) -> str:
        shared = {"endpoint": "os", "contrast": "c", "method": "frequentist"}
        return fmt.estimate_text(Estimate(quantity=quantity, point=point, lower=lower, upper=upper, **shared, **more))

    interval = {"level": 0.95, "interval_kind": "confidence"}
    assert text("hazard_ratio", 0.4702, 0.2519, 0.8793, unit="ratio", **interval) == "0.470 (0.252 to 0.879)"
    assert text("median_survival", 11.0, 7.1, math.inf, unit="months", **interval) == "11.0 (7.1 to ∞)"
    assert text("hazard_ratio", 0.47, 0.461, 0.482, unit="ratio", statistic="range") == "0.470 (range 0.461 to 0.482)"
    assert text("chi_square", 4.13512) == "4.135"
    assert text("p_value", 0.00002, unit="p-value") == "<0.001"
    event = {"statistic": "probability", "event": "above", "threshold": 0.0}
    assert text("risk_difference", 1.0, unit="probability", **event) == ">0.999"


@settings(derandomize=True, max_examples=300)
@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from([fmt.ratio, fmt.months, fmt.percent, fmt.share, fmt.count, fmt.general]),
)
def test_every_float_has_a_text_without_exponent_letters(value: float, write: fmt.Formatter) -> None:
    text = write(value)
    assert text
    assert "nan" not in text
    assert "inf" not in text
    assert "e+" not in text
