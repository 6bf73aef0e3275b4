"""Family `ratio_ci_p`: verdicts and what the models then use."""

from __future__ import annotations

import math
from typing import Any

import pytest
from audit_factory import effect, only, study
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.ratios import arithmetic as ratios
from retrial.audit.ratios.checks import checks
from retrial.audit.ratios.misprint import printed_ratio
from retrial.audit.run import apply_decisions, audited, run_audit
from retrial.frequentist.ratios import log_ratio
from retrial.study.study import Study

ESTIMATE, P = "effects.e.hazard_ratio", "effects.e.p"


def made(item: dict[str, Any], **more: Any) -> Study:
    return study(effects={"e": item}, **more)


def of(item: dict[str, Any], path: str = ESTIMATE, **more: Any) -> Check:
    return only(list(checks(made(item, **more))), path)


def test_consistent() -> None:
    """log 0.470 / [log(0.879/0.252) / 3.92] = -2.369, p 0.0178."""
    found = list(checks(made(effect("0.470", "0.252", "0.879", "0.018"))))
    assert [(check.verdict, check.note) for check in found] == [(Verdict.CONSISTENT, "")] * 2
    assert [check.reading for check in found] == ["", "Wald"]


def test_other_print_fits() -> None:
    item = effect("0.567", "0.340", "0.945", "0.029") | {"hazard_ratio": {"Table 5": "0.467", "Results": "0.567"}}
    check = of(item)
    assert (check.verdict, check.consequence, check.reading) == (Verdict.INCONSISTENT, Consequence.CORRECTED, "estimate 0.567")
    assert "Wald p 0.0035 with the one, 0.0296 with the other, printed 0.029" in check.note
    used = apply_decisions(made(item), [check]).effects["e"]
    assert [print_.text for print_ in used.estimate.prints] == ["0.567"]
    assert of(item, P).verdict is Verdict.CONSISTENT


def test_other_print_of_a_limit_fits() -> None:
    item = effect("0.567", "0.340", "0.945") | {"ci": [{"Table": "0.430", "Text": "0.340"}, "0.945"]}
    check = of(item)
    assert check.decision is not None
    assert check.decision.path == "effects.e.ci.lower"
    used = apply_decisions(made(item), [check]).effects["e"]
    assert used.ci is not None
    assert used.ci.lower.text == "0.340"


@pytest.mark.parametrize(
    ("item", "path", "value"),
    [
        (("0.467", "0.340", "0.945", "0.029"), "effects.e.hazard_ratio", 0.567),
        (("0.567", "0.430", "0.945", "0.029"), "effects.e.ci.lower", 0.340),
        (("0.567", "0.340", "0.795", "0.029"), "effects.e.ci.upper", 0.945),
    ],
)
def test_single_misprint_is_found_with_the_help_of_p(item: tuple[str, ...], path: str, value: float) -> None:
    """True numbers: 0.567 (0.340 to 0.945), p 0.029."""
    check = of(effect(*item))
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.CORRECTED)
    assert check.decision is not None
    assert check.decision.path == path
    assert float(check.decision.value) == pytest.approx(value, abs=0.002)


def test_widened_where_nothing_tells_which_is_wrong() -> None:
    """Without p: sides log(0.945/0.467) = 0.705 and log(0.467/0.340) = 0.317; SE = 0.705 / 1.96 = 0.3596."""
    item = effect("0.467", "0.340", "0.945")
    check = of(item)
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.WIDENED)
    used = printed_ratio(apply_decisions(made(item), [check]).effects["e"])
    assert used is not None
    assert used.standard_error == pytest.approx(math.log(0.945 / 0.467) / 1.959964, abs=1e-5)
    assert ratios.is_symmetric(used)


def test_mild_asymmetry_is_another_kind_of_interval() -> None:
    """Profile likelihood: 0.47 (0.26, 0.89), middle 0.481: 0.07 SE away."""
    check = of(effect("0.470", "0.260", "0.890", "0.018"))
    assert (check.verdict, check.consequence) == (Verdict.CONSISTENT_ONLY_IF, Consequence.WIDENED)
    assert check.reading.startswith("an interval of another kind")


def test_left_out_where_no_two_numbers_agree_with_p() -> None:
    item = effect("0.467", "0.340", "0.945", "0.500")
    check = of(item)
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.EXCLUDED)
    assert apply_decisions(made(item), [check]).effects == {}


def test_truncated_numbers() -> None:
    """exp of -0.5106, -0.8965, -0.1247: 0.6001, 0.4080, 0.8828 cut to one decimal less would be 0.60, 0.40, 0.88."""
    check = of(effect("0.60", "0.40", "0.88"))
    assert check.verdict in (Verdict.CONSISTENT, Verdict.CONSISTENT_ONLY_IF)
    assert of(effect("0.6", "0.3", "0.9")).verdict is not Verdict.INCONSISTENT


def test_p_of_another_test() -> None:
    """Wald 0.0178; 0.024 is 0.11 in z away."""
    check = of(effect("0.470", "0.252", "0.879", "0.024"), P)
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading.startswith("p from another test than Wald")


def test_p_is_that_of_the_log_rank_test() -> None:
    endpoints = {"os": {"test": {"name": "log_rank", "chi_square": "5.116", "p": "0.024"}}}
    check = of(effect("0.470", "0.252", "0.879", "0.024", endpoint="os"), P, endpoints=endpoints)
    assert check.reading == "p is the log-rank test's, not Wald's"


def test_p_of_no_test() -> None:
    """z 2.37 against 0.67 (p 0.5)."""
    check = of(effect("0.470", "0.252", "0.879", "0.500"), P)
    assert check.verdict is Verdict.INCONSISTENT
    assert "other side of 0.05" in check.note


def test_no_interval() -> None:
    check = of({"hazard_ratio": "0.47", "p": "0.018"}, "effects.e")
    assert (check.verdict, check.consequence) == (Verdict.NOT_CHECKABLE, Consequence.AS_PRINTED)


def events(**counts: str) -> dict[str, Any]:
    return {"os": {"events": counts}}


def test_standard_error_against_the_events() -> None:
    """SE 0.3187 for 44 events: at least 2/sqrt(44) = 0.3015."""
    item = effect("0.470", "0.252", "0.879", endpoint="os")
    check = of(item, "effects.e.ci", endpoints=events(total="44"))
    assert check.verdict is Verdict.CONSISTENT
    assert "15 to 29 events" in check.recomputed
    check = of(item, "effects.e.ci", endpoints=events(total="38"))
    assert (check.verdict, check.consequence) == (Verdict.INCONSISTENT, Consequence.AS_PRINTED)


def test_standard_error_against_a_known_split() -> None:
    """12 + 32 events: sqrt(1/12 + 1/32) = 0.3385 > 0.3187 >= 2/sqrt(44)."""
    item = effect("0.470", "0.252", "0.879", endpoint="os")
    check = of(item, "effects.e.ci", endpoints=events(control="32", experimental="12"))
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert "not a Cox estimate" in check.reading


def test_standard_error_of_a_quantity_is_not_bounded() -> None:
    item = effect("1.020", "1.010", "1.030", endpoint="os", numerator="age + 1", denominator="age")
    check = of(item, "effects.e.ci", endpoints=events(total="44"))
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    assert check.reading == "a ratio per unit of a quantity, not of two groups"


def test_odds_ratio_is_not_bounded_by_events() -> None:
    item = {"odds_ratio": "2.38", "ci": ["1.03", "5.50"], "p": "0.043", "endpoint": "os"}
    found = list(checks(study(effects={"e": item}, endpoints=events(total="10"))))
    assert {check.path for check in found} == {"effects.e.odds_ratio", "effects.e.p"}


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.floats(0.3, 3), st.floats(0.12, 0.5), st.floats(1.1, 1.6), st.booleans(), st.booleans())
def test_decisions_leave_nothing_to_decide(value: float, error: float, factor: float, up: bool, with_p: bool) -> None:
    """Whatever one misprinted estimate leads to, the study that models use holds together."""
    z = abs(math.log(value)) / error
    wrong = value * factor if up else value / factor
    lower, upper = value * math.exp(-1.96 * error), value * math.exp(1.96 * error)
    assume(lower + 0.001 < wrong < upper - 0.001)
    p = f"{math.erfc(z / math.sqrt(2)):.4f}" if with_p else None
    item = made(effect(f"{wrong:.4f}", f"{lower:.4f}", f"{upper:.4f}", p))
    found = run_audit(item)
    assert any(check.decision is not None for check in found)
    again = run_audit(apply_decisions(item, found))
    assert [check.decision for check in again if check.decision is not None] == []


def test_log_ratio_with_its_se_and_p() -> None:
    item = {"log_hazard_ratio": "-0.340", "se": "0.120"}
    (check,) = checks(made(item | {"p": "0.0046"}))
    assert (check.path, check.verdict) == (P, Verdict.CONSISTENT)
    assert of(item | {"p": "0.31"}, P).verdict is Verdict.INCONSISTENT


def test_one_sided_p_is_said() -> None:
    item = effect("0.470", "0.252", "0.879", "0.009")
    assert of(item | {"sides": 1}, P).verdict is Verdict.CONSISTENT
    assert of(item, P).reading != "Wald"


def test_single_limit_and_its_p() -> None:
    item = {"hazard_ratio": "0.620", "ci": [None, "0.980"], "level": 0.975, "p": "0.041"}
    (check,) = checks(made(item))
    assert (check.path, check.verdict) == (P, Verdict.CONSISTENT)


def test_a_rounded_p_is_on_no_side_of_the_level() -> None:
    """p 0.05 stands for 0.045 to 0.055: Wald's 0.0455 is not "on the other side"."""
    assert "other side" not in of(effect("0.70", "0.49", "0.99", "0.05"), P).note


@pytest.mark.parametrize("level", [0.80, 0.90, 0.99])
def test_level_of_the_interval_counts(level: float) -> None:
    z = -float(stats.norm.ppf((1 - level) / 2))
    lower, upper = (f"{0.47 * math.exp(sign * z * 0.319):.3f}" for sign in (-1, 1))
    found = list(checks(made(effect("0.470", lower, upper, "0.018", level=level))))
    assert [check.verdict for check in found] == [Verdict.CONSISTENT] * 2


@pytest.mark.parametrize(
    ("estimate", "ci"),
    [
        ("0.5", ("0.000000000001", "0.98")),
        ("0.5", ("0.2", "999999999999")),
        ("0.0004", ("0.0001", "999999999999")),
        ("0.000000000002", ("0.000000000001", "0.5")),
        ("900000000000", ("1.1", "999999999999")),
        ("1", ("0.000000000001", "999999999999")),
    ],
)
@pytest.mark.parametrize("more", [{}, {"adjusted_for": ["age"]}, {"p": "0.04"}, {"p": "0.5"}, {"p": "<0.001"}])
def test_a_ratio_of_any_size_is_audited_and_what_is_used_of_it_can_be_computed_with(
    estimate: str, ci: tuple[str, str], more: dict[str, object]
) -> None:
    """A limit that the audit writes is above 0 and within the digits of a number, however far it is from the others."""
    raw = {"title": "t", "effects": {"x": {"endpoint": "os", "hazard_ratio": estimate, "ci": list(ci), **more}}}
    raw["effects"]["y"] = {"endpoint": "os", "hazard_ratio": "0.5", "ci": ["0.2", "0.9"]}  # type: ignore[index]
    _, used = audited(Study.model_validate(raw))
    for item in used.effects.values():
        found = log_ratio(item)
        assert math.isfinite(found.estimate)
        assert 0 < found.se < math.inf
