"""Printed numbers: what their text stands for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.study.fields import Section
from retrial.study.reported import FIELDS_NOT_PLACES, Quantity, Reported

SETTINGS = settings(derandomize=True, max_examples=300, deadline=None)
DECIMALS = st.decimals(min_value=-10_000, max_value=10_000, allow_nan=False, allow_infinity=False, places=6)


@pytest.mark.parametrize(
    ("text", "value", "decimals", "low", "high"),
    [
        ("0.470", 0.470, 3, 0.4695, 0.4705),
        ("13", 13.0, 0, 12.5, 13.5),
        ("13.0", 13.0, 1, 12.95, 13.05),
        (".042", 0.042, 3, 0.0415, 0.0425),
        ("-0.38", -0.38, 2, -0.385, -0.375),
        ("−0.38", -0.38, 2, -0.385, -0.375),
        ("–0.38", -0.38, 2, -0.385, -0.375),
        ("0", 0.0, 0, -0.5, 0.5),
        ("47.8%", 47.8, 1, 47.75, 47.85),
        ("47.8 %", 47.8, 1, 47.75, 47.85),
        (" 0.470 ", 0.470, 3, 0.4695, 0.4705),
        ("<0.001", 0.001, 3, 0.0, 0.001),
        ("< 0.001", 0.001, 3, 0.0, 0.001),
        ("≤0.001", 0.001, 3, 0.0, 0.001),
        (">24", 24.0, 0, 24.0, math.inf),
        ("≥ 24", 24.0, 0, 24.0, math.inf),
        ("999999999999.999999999999", 999999999999.999999999999, 12, None, None),
    ],
)
def test_what_a_printed_number_stands_for(text: str, value: float, decimals: int, low: float | None, high: float | None) -> None:
    printed = Reported(text)
    assert printed.text == text.strip()
    assert printed.value == pytest.approx(value, abs=1e-12)
    assert printed.decimals == decimals
    if low is not None:
        assert (printed.low, printed.high) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "abc",
            "1e5",
            "1E-3",
            "nan",
            "NaN",
            "inf",
            "-inf",
            "∞",
            "1,234",
            "0,47",
            "1 2",
            "0.4 70",
            "5.",
            ".",
            "-",
            "--1",
        ),
        *("+1", "0x10", "1_000", "1/2", "4-6", "10–18", "0.47*", "<", "<<1", "<0", "<-3", "=0.05", "~5", "٣", "１２", "1" * 13),
        *("0." + "1" * 13, "5%%", "%", "1\x002", "1\n2", "0.470 months"),
    ],
)
def test_what_is_no_printed_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"got .*; allowed"):
        Reported(text)


def test_relation_and_percent_are_kept() -> None:
    assert (Reported("<0.05").relation, Reported("≥2").relation, Reported("2").relation) == ("<", ">", "")
    assert Reported("5%").percent
    assert not Reported("5").percent
    assert Reported("5").is_integer
    assert not Reported("5.0").is_integer
    assert not Reported("<5").is_integer


@SETTINGS
@given(number=DECIMALS, places=st.integers(0, 5))
def test_a_number_rounds_to_its_own_print(number: Decimal, places: int) -> None:
    text = str(number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP))
    printed = Reported(text)
    assert printed.rounds_to(float(number))
    assert printed.meets(float(number), float(number))
    assert printed.unit_in_last_place == pytest.approx(10.0**-places)
    assert not printed.rounds_to(float(number) + 1.01 * printed.unit_in_last_place)


@SETTINGS
@given(number=DECIMALS, places=st.integers(0, 5))
def test_a_number_truncates_to_its_own_print(number: Decimal, places: int) -> None:
    text = str(number.quantize(Decimal(1).scaleb(-places), ROUND_DOWN))
    if Decimal(text) == 0 and number < 0:
        return  # "-0.00": the sign of a cut-off number is lost, whichever way it is printed
    assert Reported(text).truncates_to(float(number))


def test_rounding_and_truncation_differ_where_they_should() -> None:
    # 34/92 = 36.956...%: 37.0 when rounded, 36.9 when cut off
    share = 100 * 34 / 92
    assert Reported("37.0").rounds_to(share)
    assert not Reported("36.9").rounds_to(share)
    assert Reported("36.9").truncates_to(share)
    assert not Reported("37.0").truncates_to(share)
    assert not Reported("<37.0").truncates_to(share)
    assert Reported("-1.2").truncates_to(-1.29)
    assert not Reported("-1.2").truncates_to(-1.3)


def test_rounds_to_holds_both_ends_and_forgives_binary_fractions() -> None:
    assert Reported("0.470").rounds_to(0.4695)
    assert Reported("0.470").rounds_to(0.4705)
    assert Reported("2.68").rounds_to(2.675)  # 2.675 is 2.67499999... in binary
    assert not Reported("0.470").rounds_to(0.47051)
    assert Reported("<0.001").rounds_to(0.0004)
    assert not Reported("<0.001").rounds_to(0.0011)


def test_meets_is_about_intervals() -> None:
    assert Reported("0.47").meets(0.474, 0.6)
    assert not Reported("0.47").meets(0.476, 0.6)
    assert Reported("<0.05").meets(0.049, 0.3)
    assert not Reported("<0.05").meets(0.0501, 0.3)


@pytest.mark.parametrize("key", sorted(FIELDS_NOT_PLACES))
def test_a_field_is_no_place(key: str) -> None:
    with pytest.raises(ValueError, match=f"got '{key}', a key that does not belong here"):
        Quantity.parse({"Table 2": "155", key: "87"})


def test_fields_that_are_no_places_are_fields() -> None:
    def below(kind: type[Section]) -> Iterator[type[Section]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    assert {name for section in below(Section) for name in section.model_fields} >= FIELDS_NOT_PLACES


def test_a_quantity_keeps_every_place_in_order() -> None:
    quantity = Quantity.parse({"Table 5": "0.467", "Abstract": "0.567"})
    assert [(printed.where, printed.text) for printed in quantity.prints] == [("Table 5", "0.467"), ("Abstract", "0.567")]
    assert (quantity.value, quantity.text, str(quantity), float(quantity)) == (0.467, "0.467", "0.467", 0.467)
    assert quantity.where() == "Table 5"
    assert Quantity.parse("0.47").where("Table 9") == "Table 9"
    assert Quantity.parse(quantity) is quantity
    assert int(Quantity.parse("44")) == 44


@pytest.mark.parametrize(
    "raw", [None, True, 0.47, 5, [], ["0.4"], {}, {"": "0.4"}, {" ": "0.4"}, {"Table 1": None}, {"Table 1": ["1"]}]
)
def test_what_is_no_quantity(raw: object) -> None:
    with pytest.raises(ValueError, match=r"got .*; allowed"):
        Quantity.parse(raw)
