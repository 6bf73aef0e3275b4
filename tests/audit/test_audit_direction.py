"""Family `direction`."""

from __future__ import annotations

from typing import Any

import pytest
from audit_factory import effect, only, study

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.ratios.direction import checks

MEDIANS = {"os": {"median": {"control": {"value": "11.0"}, "experimental": {"value": "16.0"}}}}
UNADJUSTED = effect("0.470", "0.252", "0.879", endpoint="os")


def of(effects: dict[str, dict[str, Any]], path: str, endpoints: dict[str, Any] | None = None) -> Check:
    return only(list(checks(study(effects=effects, endpoints=MEDIANS if endpoints is None else endpoints))), path)


@pytest.mark.parametrize(
    ("ratio", "numerator", "verdict"),
    [
        (("0.470", "0.252", "0.879"), "experimental", Verdict.CONSISTENT),
        (("2.128", "1.138", "3.968"), "control", Verdict.CONSISTENT),
        (("2.128", "1.138", "3.968"), "experimental", Verdict.CONSISTENT_ONLY_IF),
        (("0.470", "0.252", "0.879"), "control", Verdict.CONSISTENT_ONLY_IF),
    ],
)
def test_against_the_medians(ratio: tuple[str, str, str], numerator: str, verdict: Verdict) -> None:
    """The longer median in the experimental arm asks for experimental / control below 1."""
    other = "control" if numerator == "experimental" else "experimental"
    check = of({"e": effect(*ratio, endpoint="os", numerator=numerator, denominator=other)}, "effects.e")
    assert check.verdict is verdict


def reversed_label(ratio: tuple[str, str, str]) -> dict[str, Any]:
    return effect(*ratio, endpoint="os", label="control vs. experimental", label_direction="reversed", adjusted_for=["stage"])


def test_reversed_label_that_the_numbers_support() -> None:
    """|log 0.567 - log 0.470| = 0.188 and |-log 0.567 - log 0.470| = 1.322, SE 0.3187: 0.59 and 4.15."""
    check = of({"u": UNADJUSTED, "a": reversed_label(("0.567", "0.288", "1.117"))}, "effects.a")
    assert (check.verdict, check.consequence) == (Verdict.CONSISTENT_ONLY_IF, Consequence.AS_PRINTED)
    assert check.reading == "numerator is experimental, denominator control"
    assert check.note.endswith("0.59 SE from the unadjusted estimate as read, 4.15 SE the other way")


def test_reversed_label_that_the_numbers_refute() -> None:
    assert of({"u": UNADJUSTED, "a": reversed_label(("1.764", "0.895", "3.472"))}, "effects.a").verdict is Verdict.INCONSISTENT


def test_unmarked_ratio_that_runs_the_other_way() -> None:
    upside_down = effect("1.764", "0.895", "3.472", endpoint="os", adjusted_for=["stage"])
    check = of({"u": UNADJUSTED, "a": upside_down}, "effects.a")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT_ONLY_IF, "numerator is control, denominator experimental")
    plain = effect("0.567", "0.288", "1.117", endpoint="os", adjusted_for=["stage"])
    assert of({"u": UNADJUSTED, "a": plain}, "effects.a").verdict is Verdict.CONSISTENT


def test_the_ratio_that_fits_its_interval_is_used() -> None:
    item = reversed_label(("0.567", "0.340", "0.945")) | {"hazard_ratio": {"Table": "0.467", "Text": "0.567"}}
    assert "0.567 as read" in of({"u": UNADJUSTED, "a": item}, "effects.a").recomputed


def test_reversed_label_without_anything_to_compare() -> None:
    check = of({"a": reversed_label(("0.567", "0.288", "1.117"))}, "effects.a", endpoints={"os": {}})
    assert check.verdict is Verdict.NOT_CHECKABLE
    assert "medians of both arms" in check.note


def test_reversed_label_against_medians_alone() -> None:
    assert of({"a": reversed_label(("0.567", "0.288", "1.117"))}, "effects.a").verdict is Verdict.CONSISTENT


def test_covariates_have_no_treatment_direction() -> None:
    item = effect("0.366", "0.143", "0.934", endpoint="os", numerator="B", denominator="C")
    assert list(checks(study(effects={"e": item}, endpoints=MEDIANS))) == []


@pytest.mark.parametrize(
    ("control", "experimental", "verdict"),
    [
        ("12.0", "NR", Verdict.CONSISTENT),
        ("NR", "12.0", Verdict.CONSISTENT_ONLY_IF),
        ("NR", "NR", Verdict.NOT_CHECKABLE),
        ("12.0", ">30", Verdict.CONSISTENT),
        ("34.0", ">30", Verdict.NOT_CHECKABLE),
    ],
)
def test_medians_that_were_not_reached(control: str, experimental: str, verdict: Verdict) -> None:
    medians = {"os": {"median": {"control": {"value": control}, "experimental": {"value": experimental}}}}
    item = {"endpoint": "os", "hazard_ratio": "0.50", "ci": ["0.30", "0.83"]}
    assert of({"e": item}, "effects.e", medians).verdict is verdict


@pytest.mark.parametrize(
    ("control", "experimental", "ratio", "verdict"),
    [
        ("6.8", "6.7", ("0.91", "0.78", "1.06"), Verdict.CONSISTENT),  # IMpower150, PFS: 6.8 / 6.7 = 1.01
        ("13.2", "14.4", ("1.02", "0.80", "1.30"), Verdict.CONSISTENT),  # CheckMate 026, OS: 0.92
        ("3.3", "2.1", ("0.96", "0.79", "1.16"), Verdict.CONSISTENT_ONLY_IF),  # KEYNOTE-045, PFS: 1.57, the curves cross
        ("4.0", "2.8", ("0.95", "0.82", "1.10"), Verdict.CONSISTENT_ONLY_IF),  # OAK, PFS: 1.43
        ("11.6", "10.0", ("0.95", "0.82", "1.10"), Verdict.CONSISTENT_ONLY_IF),  # 1.16, at least 1.149
        ("11.1", "10.0", ("0.95", "0.82", "1.10"), Verdict.CONSISTENT),  # 1.11, over the rounding 1.099 to 1.121
        ("NE", "54.0", ("0.81", "0.42", "1.56"), Verdict.CONSISTENT),  # LAURA, OS: above 1
        ("NE", "54.0", ("0.51", "0.32", "0.86"), Verdict.CONSISTENT_ONLY_IF),
        (">60", "30.0", ("0.81", "0.42", "1.56"), Verdict.CONSISTENT_ONLY_IF),  # above 2
        ("24.0", "NR", ("1.10", "0.90", "1.30"), Verdict.CONSISTENT),
        ("24.0", "NR", ("1.40", "1.10", "1.80"), Verdict.CONSISTENT_ONLY_IF),
    ],
)
def test_medians_the_other_way_are_named_only_outside_the_interval(
    control: str, experimental: str, ratio: tuple[str, str, str], verdict: Verdict
) -> None:
    medians = {"os": {"median": {"control": {"value": control}, "experimental": {"value": experimental}}}}
    check = of({"e": effect(*ratio, endpoint="os")}, "effects.e", medians)
    assert check.verdict is verdict
    turned = [f"{1 / float(value):.4f}" for value in (ratio[0], ratio[2], ratio[1])]
    other = effect(turned[0], turned[1], turned[2], endpoint="os", numerator="control", denominator="experimental")
    if "11.1" not in control:
        assert of({"e": other}, "effects.e", medians).verdict is verdict
