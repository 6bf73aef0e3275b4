"""All faults of a file are reported at once, each at its key, and nothing that only follows from another fault."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_yaml import at, write_tree

from retrial.errors import StudyError
from retrial.study.loader import load_study
from retrial.study.study import Study
from retrial.study.yaml_text import read_yaml_text

Problems = Callable[[str | bytes], list[str]]

EVERYTHING_WRONG = """
title: 'Survival <script>alert("x")</script>'
time_unit: fortnights
colour: blue
_target_: os.system
arms:
  control: {n: 40}
endpoints:
  os:
    events: {control: 44, experimental: 12}
    median: {control: {value: eleven}}
    at_risk: {times: [0, 5], control: [x, 3], experimental: [-1, b]}
    patients: ../../../etc/passwd
effects:
  upside_down: {hazard_ratio: 0.5, ci: [0.9, 0.3]}
  outside: {hazard_ratio: 1.5, ci: [0.3, 0.9], endpoint: pfs, p: {Table 1: {_target_: builtins.eval}}}
  object: !!python/object/apply:os.system {args: [ls]}
  aliased: {hazard_ratio: &anchor 0.5, p: *anchor}
binary:
  response: {control: five, experimental: 3}
  toxicity: {control: 50}
  toxicity: {control: 5, experimental: 6}
"""


def test_all_faults_of_one_file_are_listed_with_their_keys(problems: Problems) -> None:
    found = problems(EVERYTHING_WRONG)
    expected = {
        "title: got markup ('<script>",
        "time_unit: got 'fortnights'",
        "colour: got an unknown key",
        "_target_: got the key '_target_'",
        "arms.experimental.n: missing",
        "endpoints.os.events.control: got 44 events of 40 patients",
        "endpoints.os.median.control.value: got 'eleven'",
        "endpoints.os.at_risk.control.0: got 'x'",
        "endpoints.os.at_risk.experimental.0: got '-1'",
        "endpoints.os.at_risk.experimental.1: got 'b'",
        "endpoints.os.patients: got '../../../etc/passwd'",
        "effects.upside_down.ci: got the interval 0.9 to 0.3, upside down",
        "effects.outside.ci: got 0.3 to 0.9, but the hazard_ratio is 1.5",
        "effects.outside.endpoint: got 'pfs'; allowed are os",
        "effects.outside.p.Table 1._target_: got the key '_target_'",
        "effects.object: got the tag 'tag:yaml.org,2002:python/object/apply:os.system' on line 17",
        "effects.aliased.hazard_ratio: got the anchor &anchor",
        "effects.aliased.p: got the alias *anchor",
        "binary.response.control: got 'five'",
        "binary.toxicity.experimental: missing",
        "binary.toxicity.control: got 50 of 40 patients",
        "binary.toxicity: got this key twice",
    }
    assert all(
        any(problem.startswith(start) for problem in found)
        for start in expected
        - {
            # the second of two equal keys makes the first one doubtful: what it holds is not judged
            "binary.toxicity.experimental: missing",
            "binary.toxicity.control: got 50 of 40 patients",
        }
    ), found
    assert len(found) == len(expected) - 2
    assert not any("Traceback" in problem for problem in found)


FAULTS: dict[tuple[str | int, ...], tuple[Any, str]] = {
    ("title",): ("a <b>bold</b> title", "title"),
    ("time_unit",): ("hours", "time_unit"),
    ("randomised",): ("perhaps", "randomised"),
    ("extra",): ("1", "extra"),
    ("_target_",): ("os.system", "_target_"),
    ("arms", "experimental", "n"): ("many", "arms.experimental.n"),
    ("arms", "control", "size"): ("3", "arms.control.size"),
    ("total", "n"): ("84.5", "total.n"),
    ("timeline", "cut_off"): ("2019-01", "timeline.cut_off"),
    ("baseline", "variables", "age", "control"): ("60", "baseline.variables.age.control"),
    ("baseline", "variables", "sex", "p"): ("2", "baseline.variables.sex.p"),
    ("baseline", "variables", "sex", "levels", "female", "control"): ("41", "baseline.variables.sex.levels.female.control"),
    ("endpoints", "os", "events", "control"): ("41", "endpoints.os.events.control"),
    ("endpoints", "os", "shortest"): ("121", "endpoints.os.shortest"),
    ("endpoints", "os", "median", "control", "value"): ("forty", "endpoints.os.median.control.value"),
    ("endpoints", "os", "median", "experimental", "ci"): (["75.0", "48.2"], "endpoints.os.median.experimental.ci"),
    ("endpoints", "os", "at_risk", "control", 1): ("44", "endpoints.os.at_risk.control"),
    ("endpoints", "os", "patients"): ("gone.csv", "endpoints.os.patients"),
    ("endpoints", "os", "curve"): ("/etc/passwd", "endpoints.os.curve"),
    ("effects", "os_treatment", "ci"): (["0.95", "0.29"], "effects.os_treatment.ci"),
    ("effects", "os_treatment", "endpoint"): ("pfs", "effects.os_treatment.endpoint"),
    ("effects", "os_treatment", "level"): ("95", "effects.os_treatment.level"),
    ("effects", "response_treatment", "odds_ratio"): ("9.1", "effects.response_treatment.ci"),
    ("effects", "os_sex", "denominator"): ("control", "effects.os_sex.numerator"),
    ("tests", "univariable", "rows", "sex", "groups"): ("one", "tests.univariable.rows.sex.groups"),
    ("tests", "univariable", "rows", "arm", "results", "pfs"): ({"p": "0.1"}, "tests.univariable.rows.arm.results"),
    ("response", "categories", "PR", "control"): ("-8", "response.categories.PR.control"),
    ("response", "categories", "CR", "experimental"): ("45", "response.categories.CR.experimental"),
    ("response", "composites", "ORR", "of", 1): ("SD", "response.composites.ORR.of"),
    ("binary", "stopped", "control"): ({"${oc.env:HOME}": "3"}, "binary.stopped.control.${oc.env:HOME}"),
    ("adverse_events", "terms", "rash", "grades", "any", "p"): ("1e-5", "adverse_events.terms.rash.grades.any.p"),
    ("adverse_events", "rankings", 0, "terms", 0): ("cough", "adverse_events.rankings.0.terms"),
}


@pytest.fixture(scope="module")
def full_tree(full_text: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("full") / "full.yaml"
    path.write_text(full_text)
    return read_yaml_text(path)


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("studies")
    (folder / "curves").mkdir()
    for name in ("patients.csv", "curves/os.csv"):
        (folder / name).write_text("")
    return folder


def with_faults(tree: dict[str, Any], faults: set[tuple[str | int, ...]]) -> dict[str, Any]:
    wrong = copy.deepcopy(tree)
    for path in faults:
        at(wrong, path[:-1])[path[-1]] = FAULTS[path][0]
    return wrong


def test_the_full_file_without_faults_loads(full_tree: dict[str, Any], study_folder: Path) -> None:
    assert isinstance(load_study(write_tree(study_folder, full_tree)), Study)


@settings(derandomize=True, max_examples=250, deadline=None)
@given(faults=st.sets(st.sampled_from(sorted(FAULTS, key=str)), min_size=1))
def test_any_set_of_faults_gives_exactly_its_problems(
    full_tree: dict[str, Any], study_folder: Path, faults: set[tuple[str | int, ...]]
) -> None:
    path = write_tree(study_folder, with_faults(full_tree, faults))
    with pytest.raises(StudyError) as caught:
        load_study(path)
    named = [problem.split(": ", 1)[0] for problem in caught.value.problems]
    assert sorted(named) == sorted(FAULTS[fault][1] for fault in faults)


def test_an_endless_list_of_faults_is_cut(problems: Problems) -> None:
    found = problems("title: t\n" + "\n".join(f"key_{number}: {number}" for number in range(3_000)))
    assert len(found) == 101
    assert found[-1] == "... and 2900 more"


def test_keys_and_values_are_shown_without_control_characters(problems: Problems) -> None:
    found = problems('title: "red \\e[31m text"\n"\\e[31m key": 1\ntime_unit: "\\e[31m"\n')
    assert len(found) == 3
    assert all(problem.isprintable() for problem in found)
