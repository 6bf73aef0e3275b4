"""The analysis plan: written before any fit, named by the manifest of a run, and what a run does otherwise is in its report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from retrial import cli
from retrial.app.api import _composed, load_study
from retrial.app.application import _configured
from retrial.pipeline.plan import _differences as differences
from retrial.pipeline.plan import planned
from retrial.run_config import RunConfig
from retrial.store.manifest import plan_digest

STUDY = "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    (tmp_path / "mine" / "study").mkdir(parents=True)
    (tmp_path / "mine" / "study" / "hr.yaml").write_text(STUDY, encoding="utf-8")
    return tmp_path / "mine"


def run(mine: Path, verb: str, capsys: pytest.CaptureFixture[str], *more: str) -> Path:
    assert cli.run([verb, "--config-dir", str(mine), "study=hr", f"output_dir={mine / 'out'}", *more]) == 0
    return Path(capsys.readouterr().out.strip().splitlines()[-1])


def test_a_run_is_held_against_the_plan_that_was_written_before(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(mine, "plan", capsys)
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    words = (folder / "plan.md").read_text(encoding="utf-8")
    settings = {key: value for key, value in plan.items() if key not in ("written", "plan_sha256")}
    assert plan["plan_sha256"] == plan_digest(settings)
    for part in ("Success rule", "0.975 or more on one side", "below 1, 0.9 and 0.8", "strongly sceptical", plan["plan_sha256"]):
        assert part in words
    assert "0.75" not in words.partition("## Models")[0], "a plan holds no result"
    as_planned = run(mine, "reanalyse", capsys)
    assert json.loads((as_planned / "manifest.json").read_text(encoding="utf-8"))["plan_sha256"] == plan["plan_sha256"]
    page = (as_planned / "supplement.html").read_text(encoding="utf-8")
    assert f"(SHA-256 {plan['plan_sha256']}). This run is as planned." in page
    found = planned(configured(mine, answers={"below": [1.0, 0.7]}))
    assert found is not None
    assert found.digest == plan["plan_sha256"]
    assert found.differences == ("settings.answers.below: planned [1.0, 0.9, 0.8], in this run [1.0, 0.7]",)


def test_without_a_plan_there_is_none(mine: Path) -> None:
    assert planned(configured(mine)) is None


def configured(mine: Path, **keys: Any) -> RunConfig:
    """A re-analysis as configured, not run."""
    study = load_study(mine / "study" / "hr.yaml")
    return _configured("reanalyse", _composed("reanalyse", study, {**keys, "output_dir": str(mine / "out")}, mine))


def test_every_difference_is_listed_by_its_key() -> None:
    old = {"a": 1, "b": {"c": [1, 2], "d": "x"}}
    new = {"a": 1, "b": {"c": [1, 3], "e": None}}
    assert list(differences(old, new)) == [
        "b.c: planned [1, 2], in this run [1, 3]",
        "b.d: planned, not in this run",
        "b.e: not planned, in this run",
    ]
    assert list(differences(old, old)) == []
