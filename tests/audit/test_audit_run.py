"""Runner, decisions, summary and table, on whole, partial and broken studies."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from audit_factory import effect, row, study
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from retrial.audit.check import COLUMNS, FAMILIES, Check, Consequence, Decision, Verdict, to_frame
from retrial.audit.run import apply_decisions, iterate_audit, numbers_recomputed, run_audit, summary
from retrial.audit.table import render
from retrial.study.study import Study
from retrial.study.yaml_text import read_yaml_text


@pytest.mark.parametrize(
    "sections",
    [
        {},
        {"arms": {}},
        {"arms": {}, "effects": {"e": effect("0.5", "0.3", "0.8")}},
        {"arms": {}, "effects": {"e": {"odds_ratio": "2.0"}}},
        {"binary": {"x": row(3, 4, p="0.7")}},
        {"arms": {}, "endpoints": {"os": {"patients": "patients.csv"}}},
        {"endpoints": {"os": {"events": {"control": "20"}, "median": {"control": {"value": "11"}}}}},
        {"endpoints": {"os": {"longest": "20", "test": {}}}},
        {"timeline": {"accrual_start": "2020-01"}},
        {"tests": {"t": {"rows": {"r": {"results": {"os": {}}}}}}},
        {"response": {"categories": {"CR": row(1, 2)}}},
        {"baseline": {"variables": {"v": {"levels": {"only": row(1, 2)}, "p": "0.5"}}}},
        {"adverse_events": {"terms": {"a": {"grades": {"any": row(1, 2)}}}}},
    ],
)
def test_partial_studies(sections: dict[str, Any]) -> None:
    made = study(**sections)
    checks = run_audit(made)
    assert all(check.note for check in checks if check.verdict is Verdict.NOT_CHECKABLE)
    assert isinstance(apply_decisions(made, checks), Study)
    assert render(checks)


def test_one_effect_alone_is_audited() -> None:
    (check,) = run_audit(study(arms={}, effects={"e": effect("0.5", "0.3", "0.9")}))
    assert check.family == "ratio_ci_p"


RAW = read_yaml_text(Path(__file__).resolve().parents[2] / "conf" / "study" / "yao2025.yaml")


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every key path of a raw study file, branches included."""
    if isinstance(node, dict):
        return [found for key, item in node.items() for found in [(*path, key), *leaves(item, (*path, key))]]
    return []


PATHS = [path for path in leaves(RAW) if path[0] not in ("title", "citation")]


@settings(max_examples=15, derandomize=True, deadline=None)
@given(
    st.lists(st.sampled_from(PATHS), min_size=1, max_size=12), st.sets(st.sampled_from(sorted({p[0] for p in PATHS})), max_size=6)
)
def test_no_crash_on_whatever_is_missing(removed: list[tuple[Any, ...]], sections: set[str]) -> None:
    raw = copy.deepcopy(RAW)
    for path in [*removed, *((name,) for name in sections)]:
        node = raw
        for key in path[:-1]:
            node = node.get(key, {}) if isinstance(node, dict) else {}
        if isinstance(node, dict):
            node.pop(path[-1], None)
    try:
        made = Study.model_validate(raw)
    except ValidationError:
        return
    checks = run_audit(made)
    assert isinstance(apply_decisions(made, checks), Study)
    assert render(checks)


def decided(path: str, consequence: Consequence, value: Any) -> Check:
    decision = Decision(path, consequence, value, "test")
    return Check("counts", "", "", path, "", "", Verdict.INCONSISTENT, consequence=consequence, decision=decision)


def test_the_stronger_decision_holds() -> None:
    made = study(effects={"e": effect("0.5", "0.3", "0.9")})
    other = study(effects={"e": effect("0.6", "0.3", "0.9")}).effects["e"].hazard_ratio
    corrected = decided("effects.e.hazard_ratio", Consequence.CORRECTED, other)
    excluded = decided("effects.e", Consequence.EXCLUDED, None)
    assert apply_decisions(made, [corrected]).effects["e"].estimate.text == "0.6"
    for order in ([corrected, excluded], [excluded, corrected]):
        assert apply_decisions(made, order).effects == {}
    widened = decided("effects.e.hazard_ratio", Consequence.WIDENED, None)
    for order in ([corrected, widened], [widened, corrected]):
        assert apply_decisions(made, order).effects["e"].hazard_ratio is None


def test_the_study_itself_is_not_changed() -> None:
    made = study(effects={"e": effect("0.467", "0.340", "0.945")})
    before = made.model_copy(deep=True)
    apply_decisions(made, run_audit(made))
    assert made == before


@pytest.fixture(scope="module")
def audit(yao2025: Study) -> list[Check]:
    return run_audit(yao2025)


def test_summary_adds_up(audit: list[Check]) -> None:
    rows = summary(audit)
    assert [item.family for item in rows] == [name for name in FAMILIES if name not in ("patients", "joint")]
    assert sum(item.numbers for item in rows) == numbers_recomputed(audit)
    total = sum(item.consistent + item.consistent_only_if + item.inconsistent + item.not_checkable for item in rows)
    assert total == len(audit)


def test_checks_come_family_by_family(audit: list[Check]) -> None:
    order = [FAMILIES.index(check.family) for check in audit]
    assert order == sorted(order)


def test_the_same_study_has_the_same_audit(yao2025: Study, audit: list[Check]) -> None:
    assert list(iterate_audit(yao2025)) == audit


def test_frame_has_the_fields_of_check(audit: list[Check]) -> None:
    frame = to_frame(audit)
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame["verdict"]) == {str(verdict) for verdict in Verdict}
    assert not frame["claim"].eq("").any()


def test_table_shows_findings_first(audit: list[Check]) -> None:
    text = render(audit, width=150)
    order = [
        text.index(title)
        for title in ("Inconsistent (7)", "Consistent only if (23)", "Not checkable (2)", "Consistent, with a remark")
    ]
    assert order == sorted(order)
    assert f"{len(audit)} checks, {numbers_recomputed(audit)} printed numbers recomputed" in text
    assert max(map(len, text.splitlines())) <= 150
    assert "\x1b[" not in text
    assert "\x1b[" in render(audit, color=True)


def test_table_of_nothing() -> None:
    assert "nothing to recompute" in render([])


def test_markup_in_a_label_is_text() -> None:
    label = "[bold]x[/bold] <script>"
    text = render(run_audit(study(binary={"x": row(17, 24, p="0.9", label=label)})), width=200)
    assert "[bold]x[/bold] <script>" in " ".join(text.split())
