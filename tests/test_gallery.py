"""Published trials of `docs/gallery`: each is read and audited, and the audit calls inconsistent what was confirmed by hand, no more and no less."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrial.audit.all_arms import checks_of_all_arms, named_check
from retrial.audit.check import Check, Verdict
from retrial.audit.run import run_audit
from retrial.study.arms.many import MultiArmStudy
from retrial.study.loader import load_study

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
FILES = sorted(path.stem for path in GALLERY.glob("*.yaml"))
# path -> what was confirmed: the printed numbers recomputed by hand, with the source looked up again
MISPRINTS = {
    "javelin_renal_101": {"endpoints.os.events.experimental.percent"},
    "keynote_426": {"effects.os.hazard_ratio"},
}
# path -> what is consistent under a reading only, each confirmed by hand (docs/gallery/README.md)
READINGS = {
    "checkmate_026": {"adverse_events.evaluable.control", "adverse_events.evaluable.experimental"},
    "javelin_renal_101": {"effects.response.odds_ratio"},
    "keynote_006": {"effects.os_q3w.p", "effects.os_q2w.p"},
    "keynote_045": {"effects.pfs", "effects.pfs.p"},
    "keynote_426": {"effects.os.p", "effects.pfs.p"},
    "life_hf": {"effects.stroke.p", "effects.hypotension", "effects.kidney", "effects.hyperkalemia"},
}


def _audit(name: str) -> list[Check]:
    study = load_study(GALLERY / f"{name}.yaml")
    of_all = checks_of_all_arms(study) if isinstance(study, MultiArmStudy) else []
    pairs = [named_check(check, pair.names) for pair in study.comparisons() for check in run_audit(pair)]
    return [*of_all, *pairs]


def test_there_are_fifteen_trials_and_each_is_in_the_note() -> None:
    note = (GALLERY / "README.md").read_text(encoding="utf-8")
    assert len(FILES) > 15
    assert [name for name in FILES if f"({name}.yaml)" not in note] == []


@pytest.mark.parametrize("name", FILES)
def test_each_file_says_where_its_numbers_are_from(name: str) -> None:
    head = (GALLERY / f"{name}.yaml").read_text(encoding="utf-8").split("title:")[0]
    assert name == "drug_c" or "# Source:" in head


@pytest.mark.parametrize("name", FILES)
def test_the_audit_finds_what_was_confirmed_and_nothing_else(name: str) -> None:
    checks = _audit(name)
    assert any(check.verdict is Verdict.CONSISTENT for check in checks)
    assert {check.path for check in checks if check.verdict is Verdict.INCONSISTENT} == MISPRINTS.get(name, set())
    assert {check.path for check in checks if check.verdict is Verdict.CONSISTENT_ONLY_IF} == READINGS.get(name, set())


@pytest.mark.parametrize(
    ("name", "path", "reading"),
    [
        ("keynote_045", "effects.pfs.p", "one-sided"),
        ("keynote_045", "effects.pfs", "the curves cross"),
        ("keynote_006", "effects.os_q3w.p", "Wald, one-sided"),
        ("life_hf", "effects.stroke.p", "mid-p exact"),
        ("life_hf", "effects.kidney", "stratified, adjusted, or of other patients"),
    ],
)
def test_the_reading_is_the_one_that_was_confirmed(name: str, path: str, reading: str) -> None:
    assert [reading in check.reading for check in _audit(name) if check.path == path and check.reading] == [True]


@pytest.mark.parametrize("name", ["keynote_426"])
def test_a_ratio_printed_wrongly_in_one_place_is_used_from_the_other(name: str) -> None:
    decisions = [check.decision for check in _audit(name) if check.path == "effects.os.hazard_ratio"]
    assert any(decision is not None and "0.53" in str(decision) for decision in decisions)
