"""Numbers as journals print them: every form reads as the plain one, or is refused with what to type."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.study.fields import Interval, OneLimit
from retrial.study.reported import Quantity, Reported, plain
from retrial.study.study import Study

Load = Callable[[str], Study]
Problems = Callable[[str], list[str]]
SETTINGS = settings(derandomize=True, max_examples=200, deadline=None)
WHOLE = st.integers(0, 9_999_999)
FRACTION = st.one_of(st.none(), st.text("0123456789", min_size=1, max_size=4))
MIDDLE_DOTS = "·∙⋅‧・"
SPACES = " \u00a0\u2009\u202f\u2007"
COMMA, POINT = ",", "."


def grouped(whole: int, separator: str) -> str:
    return f"{whole:,}".replace(",", separator)


def digits(whole: int, fraction: str | None, mark: str, separator: str = "") -> str:
    return (grouped(whole, separator) if separator else str(whole)) + ("" if fraction is None else mark + fraction)


@SETTINGS
@given(
    WHOLE, FRACTION, st.sampled_from(MIDDLE_DOTS), st.sampled_from(["", *SPACES, "'", "’"]), st.sampled_from(["", COMMA, POINT])
)
def test_middle_dots_and_spaces_read_as_the_plain_number(
    whole: int, fraction: str | None, dot: str, space: str, decimal: str
) -> None:
    expected = Quantity((Reported(digits(whole, fraction, POINT)),))
    assert Quantity.parse(digits(whole, fraction, dot, space), decimal) == expected


@SETTINGS
@given(WHOLE, FRACTION, st.sampled_from([(POINT, COMMA), (COMMA, POINT)]), st.booleans(), st.sampled_from(["<", ">", "", "≤"]))
def test_a_declared_mark_reads_as_the_plain_number(
    whole: int, fraction: str | None, marks: tuple[str, str], is_grouped: bool, relation: str
) -> None:
    mark, separator = marks
    value = digits(whole, fraction, POINT)
    if relation in ("<", "≤") and float(value) == 0:
        return
    text = relation + digits(whole, fraction, mark, separator if is_grouped else "")
    is_open = is_grouped and fraction is None and 1_000 <= whole < 1_000_000
    if is_open:  # 1,234 could be 1.234
        with pytest.raises(ValueError, match=f"allowed is .*{whole}"):
            Quantity.parse(text, mark)
        assert Quantity.parse(text, mark, whole=True).value == whole
    else:
        assert Quantity.parse(text, mark) == Quantity((Reported(relation + value),))


@SETTINGS
@given(WHOLE, st.text("0123456789", min_size=1, max_size=4), st.sampled_from([("", COMMA), (POINT, COMMA), (COMMA, POINT)]))
def test_the_mark_that_is_not_the_files_is_never_a_decimal_mark(whole: int, fraction: str, marks: tuple[str, str]) -> None:
    declared, used = marks
    right = COMMA if declared == COMMA else POINT
    with pytest.raises(ValueError, match="allowed is") as caught:
        plain(f"{whole}{used}{fraction}", declared)
    assert f"{whole}{right}{fraction}" in str(caught.value)


@SETTINGS
@given(st.text("0123456789", min_size=1, max_size=5), st.sampled_from(["", COMMA, POINT]))
def test_a_lost_mark_is_told(rest: str, decimal: str) -> None:
    with pytest.raises(ValueError, match="lost its decimal mark"):
        Quantity.parse(f"0{rest}", decimal, whole=True)


@pytest.mark.parametrize("text", ["NR", "NE", "NA", "n.r.", "N/A", "not reached", "Not estimable", "not yet reached"])
def test_what_was_not_reached_is_beyond_everything(text: str) -> None:
    printed = Reported(text)
    assert (printed.low, printed.relation, printed.is_reached) == (float("inf"), ">", False)


def test_a_plus_is_a_bound() -> None:
    assert (Reported("30+").low, Reported("30+").relation) == (Reported(">30").low, ">")
    with pytest.raises(ValueError, match="allowed"):
        Reported("<30+")


@pytest.mark.parametrize(
    "text",
    [
        *("0.37 to 0.76", "0.37–0.76", "0.37-0.76", "0·37-0·76", "(0.37, 0.76)", "[0.37; 0.76]", "0.37 — 0.76", "(0.37,0.76)"),
        *("0.37\u2009–\u20090.76", "0.37 bis 0.76", "{0.37 ~ 0.76}"),
    ],
)
def test_intervals_as_text(text: str) -> None:
    expected = Interval.parse(["0.37", "0.76"])
    assert Interval.parse(text) == expected
    assert Interval.parse([text]) == expected


@pytest.mark.parametrize("text", ["1,234", "0.37", "0.37 0.76", "a to b", "0,37–0,76", "0.76 to 0.37", "to", "[0.1, 0.2, 0.3]"])
def test_what_is_no_interval(text: str) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Interval.parse(text)


EFFECT = "title: t\neffects:\n  os: {}\n"


def effect(text: str, top: str = "") -> str:
    return top + EFFECT.format(text)


COMMAS = 'decimal: ","\n'


@pytest.mark.parametrize(
    "text",
    [
        "{hazard_ratio: 0,621, ci: [0,468, 0,823], p: 0,0013}",
        '{hazard_ratio: "0,621", ci: ["0,468", "0,823"], p: "0,0013"}',
        "{hazard_ratio: 0,621, ci: 0,468–0,823, p: 0,0013}",
        "{hazard_ratio: 0,621, ci: (0,468, 0,823), p: 0,0013}",
        "{hazard_ratio: 0,621, ci: [0,468–0,823], p: 0,0013}",
        "{hazard_ratio: 0·621, ci: [0·468, 0·823], p: 0·0013}",
        "\n    hazard_ratio: 0,621\n    ci: [0,468, 0,823]\n    p: 0,0013",
    ],
)
def test_decimal_commas_quoted_or_not(load: Load, problems: Problems, text: str) -> None:
    expected = load(effect("{hazard_ratio: 0.621, ci: [0.468, 0.823], p: 0.0013}"))
    assert load(effect(text, COMMAS)).effects == expected.effects
    if "·" in text:
        assert load(effect(text)).effects == expected.effects
    else:
        told = "\n".join(problems(effect(text)))
        assert all(number in told for number in ("0.621", "0.0013"))
        assert all(number in told for number in ("0.468", "0.823")) or "got a list of 3" in told


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{hazard_ratio: 0.621, ci: [0,468, 0,823]}", "effects.os.hazard_ratio"),
        ("{hazard_ratio: 0,621, ci: [0,468,0,823]}", "effects.os.ci"),
        ("{hazard_ratio: 0,621, ci: [0,468, 0823]}", "effects.os.ci"),
        ("{hazard_ratio: 1.234, ci: [0,468, 3,2]}", "effects.os.hazard_ratio"),
    ],
)
def test_what_decimal_commas_do_not_tell_is_refused(problems: Problems, text: str, path: str) -> None:
    (problem,) = problems(effect(text, COMMAS))
    assert problem.startswith(f"{path}: got ")


def test_a_list_of_counts_stays_a_list(load: Load) -> None:
    text = "title: t\narms: {control: {n: 1,234}, experimental: {n: 1\u2009200}}\n"
    text += "endpoints: {os: {at_risk: {times: [0,12,24], control: [1234,66,25]}}}\n"
    study = load(text)
    assert (study.n("control"), study.n("experimental")) == (1234, 1200)
    at_risk = study.endpoints["os"].at_risk
    assert at_risk is not None
    assert [int(count) for count in at_risk.control or []] == [1234, 66, 25]


MEDIAN = "title: t\narms: {control: {n: 9}, experimental: {n: 9}}\nendpoints:\n  os:\n    median:\n      control: "


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("{value: 12.1, ci: [9.3, NE]}", 9.3, "NE"),
        ("{value: 12.1, ci: [9.3, ]}", 9.3, "NR"),
        ("{value: 12.1, ci: [9.3, null]}", 9.3, "NR"),
        ("{value: 12.1, ci: 9.3 to not reached}", 9.3, "not reached"),
        ("{value: 12.1, ci: [9.3, >30]}", 9.3, ">30"),
        ('{value: 12.1, ci: [9.3, ">30"]}', 9.3, ">30"),
        ("{value: 12.1, ci: [9.3, 30+]}", 9.3, "30+"),
        ("{value: NR, ci: [12.1, NE]}", 12.1, "NE"),
        ("\n        value: >30\n        ci: [12.1, NE]", 12.1, "NE"),
    ],
)
def test_limits_that_were_not_reached(load: Load, text: str, lower: float, upper: str) -> None:
    median = load(MEDIAN + text + "\n").endpoints["os"].median.control
    assert median is not None
    assert median.ci is not None
    assert (median.ci.lower.value, median.ci.upper.text, median.ci.upper.is_bound) == (lower, upper, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{value: , ci: [9.3, 12]}", "NR (also NE, NA, not reached)"),
        ("{value: <5}", "NR (also NE, NA, not reached)"),
        ("{value: NR, ci: [9.3, 12]}", "but the median is NR"),
        ("{value: 12.1, ci: [ , ]}", "at least one"),
        ("{value: 12.1, ci: [NE, 30]}", "allowed is an interval around it"),
    ],
)
def test_medians_that_cannot_be(problems: Problems, text: str, words: str) -> None:
    assert any(words in problem for problem in problems(MEDIAN + text + "\n"))


def test_one_limit_needs_its_level(load: Load, problems: Problems) -> None:
    (problem,) = problems(effect("{hazard_ratio: 0.62, ci: [ , 0.98]}"))
    assert "one-sided level: 97.5%" in problem
    printed = load(effect("{hazard_ratio: 0.62, ci: [ , 0.98], level: 97.5%}")).effects["os"]
    assert isinstance(printed.ci, OneLimit)
    assert printed.interval is not None
    assert (printed.ci.is_upper, printed.interval_level) == (True, pytest.approx(0.95))
    assert printed.interval.lower.value == pytest.approx(0.62**2 / 0.98)
    (problem,) = problems(effect("{hazard_ratio: 0.62, ci: [0.98, ], level: 97.5%}"))
    assert "allowed is a limit below it" in problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{hazard_ratio: 0.62, ci: [0.51, NE]}", "allowed are numbers"),
        ("{log_hazard_ratio: -0.34, ci: [-0.58, -0.10]}", "allowed is se"),
        ("{log_hazard_ratio: -0.34, hazard_ratio: 0.71}", "allowed is exactly one"),
        ("{hazard_ratio: 0.62, ci: [0.51, 0.75], sides: 1}", "beside a one-sided p"),
        ("{hazard_ratio: 0.62, p: 0.02, sides: 3}", "effects.os.sides"),
        ("{log_hazard_ratio: -0.34, se: 0}", "above 0"),
    ],
)
def test_effects_that_cannot_be(problems: Problems, text: str, words: str) -> None:
    assert any(words in problem for problem in problems(effect(text)))


@pytest.mark.parametrize(
    ("key", "label", "is_adjusted"),
    [
        ("os_stratified", "", True),
        ("os", "Stratified hazard ratio", True),
        ("os", "unstratified", False),
        ("os", "Non-stratified", False),
        ("os", "not stratified", False),
        ("os_unstratified", "", False),
        ("os", "", False),
    ],
)
def test_stratified_ratios_are_none_of_a_plain_table(load: Load, key: str, label: str, is_adjusted: bool) -> None:
    text = f'title: t\neffects: {{{key}: {{hazard_ratio: 0.74, ci: [0.62, 0.88], label: "{label}"}}}}\n'
    assert bool(load(text).effects[key].adjusted_for) == is_adjusted


def test_several_decimal_marks_are_no_number(problems: Problems) -> None:
    (problem,) = problems(f"{COMMAS}title: t\nendpoints: {{os: {{at_risk: {{times: [0,12,24]}}}}}}\n")
    assert "a space after each comma makes it several: [0, 12, 24]" in problem
    with pytest.raises(ValueError, match="allowed is one decimal mark"):
        plain("1.234.567")
    assert Quantity.parse("1.234.567", COMMA).value == 1_234_567


def test_mean_and_sd_with_decimal_commas(load: Load, problems: Problems) -> None:
    text = "title: t\narms: {control: {n: 40}, experimental: {n: 40}}\n"
    text += "baseline: {variables: {age: {control: 54,5 ± 12,7, experimental: 55,1 +/- 11,9}}}\n"
    baseline = load(COMMAS + text).baseline
    assert baseline is not None
    age = baseline.variables["age"]
    assert age.control is not None
    assert (age.control.mean.value, age.control.sd.value) == (54.5, 12.7)
    assert len(problems(text)) == 2
