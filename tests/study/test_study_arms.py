"""Studies of one, two, three and four arms, of any names: what of the file each comparison holds, and what is refused."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from retrial.errors import StudyError
from retrial.study.arms.many import MultiArmStudy
from retrial.study.arms.names import ArmNames
from retrial.study.arms.schema import arm_positions, reserved
from retrial.study.study import Study

Load = Callable[[str], Any]
Problems = Callable[[str], list[str]]

THREE = """
title: Two doses against chemotherapy
arms:
  control: {label: chemotherapy, n: 179}
  experimental: {label: drug 2 mg/kg, n: 180}
  experimental_2: {label: drug 10 mg/kg, n: 181}
endpoints:
  pfs:
    events: {control: 155, experimental: 129, experimental_2: 126, total: 410}
    median: {control: {value: 2.7}, experimental: {value: 2.9}, experimental_2: {value: 2.9, ci: [2.8, 4.7]}}
    at_risk: {times: [0, 3], control: [179, 73], experimental: [180, 87], experimental_2: [181, 90]}
    test: {p: 0.001}
effects:
  pfs2: {endpoint: pfs, hazard_ratio: 0.57, ci: [0.45, 0.73]}
  pfs10: {endpoint: pfs, hazard_ratio: 0.50, ci: [0.39, 0.64]}
  doses: {endpoint: pfs, hazard_ratio: 0.91, ci: [0.71, 1.16], numerator: experimental_2, denominator: experimental}
  stage: {endpoint: pfs, hazard_ratio: 1.5, ci: [1.1, 2.0], numerator: stage 3, denominator: stage 2}
"""
FOUR = """
title: Three doses against placebo
arms: {low: {n: 40}, mid: {label: 10 mg, n: 41}, high: {n: 39}, control: {label: placebo, n: 40}}
total: {n: 160}
baseline:
  variables:
    sex: {levels: {male: {low: 20, mid: 21, high: 19, control: 25}, female: {low: 20, mid: 20, high: 20, control: 15}}, p: 0.55}
    age: {low: 60.1 ± 9.3, mid: 60.0 ± 9.0, high: 59.0 ± 8.8, control: 61.2 ± 9.9, p: 0.72}
binary:
  response: {low: 12, mid: 16, high: {n: 20, percent: 51.3}, control: 8, total: 56, p: 0.03}
  relapse: {low: 10, mid: 8, high: 6, control: 15, p: {low / control: 0.24, high vs control: 0.03}}
adverse_events:
  terms:
    nausea: {grades: {any: {low: 5, mid: 6, high: 12, control: 4}}}
    rash: {grades: {any: {low: 2, high: 3, p: 0.60}}}
  rankings: [{arm: high, grade: any, terms: [nausea]}]
"""
ONE = """
title: A phase 2 trial
arms: {drug: {label: drug D, n: 60}}
endpoints: {os: {events: {drug: 38}, median: {drug: {value: 14}}, at_risk: {times: [0, 12], drug: [60, 33]}}}
response: {categories: {CR: {drug: 4}, PR: {drug: 56}}, composites: {ORR: {of: [CR, PR], drug: {n: 60, percent: 100}}}}
baseline: {variables: {sex: {levels: {male: {drug: 40}, female: {drug: 20}}}, age: {drug: 60.1 ± 9.3}}}
adverse_events: {terms: {rash: {grades: {any: {drug: {n: 15, percent: 25}}, 3-4: {drug: 3}}}}}
"""


def pairs_of(study: MultiArmStudy) -> dict[str, Study]:
    return {pair.names.words: pair for pair in study.comparisons()}


def test_every_pair_of_three_arms_is_a_comparison_with_its_own_effects(load: Load) -> None:
    pairs = pairs_of(load(THREE))
    effects = {words: {key: item.estimate.text for key, item in pair.effects.items()} for words, pair in pairs.items()}
    assert effects == {
        "experimental / control": {"pfs2": "0.57", "stage": "1.5"},
        "experimental_2 / control": {"pfs10": "0.50"},
        "experimental_2 / experimental": {"doses": "0.91"},
    }
    doses = pairs["experimental_2 / experimental"]
    assert (doses.n("control"), doses.n("experimental"), doses.arm("control").label) == (180, 181, "drug 2 mg/kg")
    endpoint = doses.endpoints["pfs"]
    assert endpoint.median.control is not None
    assert endpoint.at_risk is not None
    assert endpoint.at_risk.control is not None
    assert [int(count) for count in endpoint.at_risk.control] == [180, 87]
    # a test or a total of three arms is not of two
    assert endpoint.events.total is None
    assert endpoint.test is None or endpoint.test.p is None


def test_four_arms_with_baseline_and_adverse_events(load: Load) -> None:
    pairs = pairs_of(load(FOUR))
    assert len(pairs) == 6
    assert next(iter(pairs)) == "low / control", "control is the reference wherever it stands"
    low, high = pairs["low / control"], pairs["high / control"]
    assert low.binary["response"].p is None
    assert (str(low.binary["relapse"].p), str(high.binary["relapse"].p)) == ("0.24", "0.03")
    assert pairs["mid / control"].binary["relapse"].p is None
    assert low.baseline is not None
    assert low.baseline.variables["sex"].p is None
    assert str(low.baseline.variables["age"].experimental and low.baseline.variables["age"].experimental.mean) == "60.1"
    assert low.n("total") == 80
    with_rash = [words for words, pair in pairs.items() if pair.adverse_events and "rash" in pair.adverse_events.terms]
    assert with_rash == ["high / low"], "of two arms that a row has, its p is theirs"
    rash = pairs["high / low"].count_rows()["adverse_events.terms.rash.grades.any"]
    assert str(rash.p) == "0.60"
    assert high.adverse_events is not None
    assert [ranking.arm for ranking in high.adverse_events.rankings] == ["experimental"]


def test_comparisons_can_be_chosen_and_turned(load: Load) -> None:
    study = load(f"{THREE}comparisons: [[experimental, experimental_2], [experimental, control]]\n")
    pairs = pairs_of(study)
    assert list(pairs) == ["experimental / control", "experimental / experimental_2"]
    doses = pairs["experimental / experimental_2"].effects["doses"]
    assert (doses.numerator, doses.denominator) == ("control", "experimental"), "the file's ratio, told from the other side"
    assert pairs["experimental / experimental_2"].n("control") == 181


def test_two_arms_of_other_names_are_one_study(load: Load) -> None:
    text = """
title: t
arms: {placebo: {n: 50}, drug: {label: drug B, n: 52}}
effects: {os: {hazard_ratio: 0.67}, turned: {hazard_ratio: 1.49, numerator: placebo, denominator: drug}}
binary: {response: {placebo: 10, drug: {n: 20, percent: 38.5}, total: 30, p: 0.04}}
"""
    study = load(text)
    assert isinstance(study, Study)
    assert (study.names.words, study.names.key) == ("drug / placebo", "drug_vs_placebo")
    assert (study.arm("control").label, study.arm("experimental").label) == ("placebo", "drug B")
    assert (study.effects["os"].numerator, study.effects["turned"].numerator) == ("experimental", "control")
    assert str(study.binary["response"].p) == "0.04"
    assert study.binary["response"].total is not None


def test_one_arm_is_a_study_with_nobody_in_the_other(load: Load) -> None:
    study = load(ONE)
    assert isinstance(study, Study)
    assert study.one_arm
    assert (study.n("control"), study.n("experimental"), study.n("total")) == (60, 0, 60)
    assert study.endpoints["os"].median.experimental is None
    assert study.baseline is not None
    assert list(study.baseline.variables) == ["sex"], "a mean is not compared with nobody's"
    assert int(study.count_rows()["response.composites.ORR"].control) == 60


@pytest.mark.parametrize("name", ["control", "experimental"])
def test_a_role_alone_is_one_arm_only_where_nothing_is_said_of_the_other(load: Load, name: str) -> None:
    other = {"control": "experimental", "experimental": "control"}[name]
    assert load(ONE.replace("drug:", f"{name}:")).one_arm
    assert not load(f"title: t\narms: {{{name}: {{n: 4}}}}\n").one_arm
    assert not load(f"title: t\narms: {{{name}: {{n: 4}}}}\neffects: {{os: {{hazard_ratio: 0.7}}}}\n").one_arm
    both = f"title: t\narms: {{{name}: {{n: 4}}}}\nendpoints: {{os: {{median: {{{other}: {{value: 3}}}}}}}}\n"
    assert not load(both).one_arm


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            THREE.replace("numerator: experimental_2, ", "numerator: experimental_3, "),
            "effects.doses.numerator: got 'experimental_3'",
        ),
        (THREE.replace("pfs2: ", "first: "), "effects.first.numerator: missing; in a study of 3 arms an effect names its two"),
        (FOUR.replace("low: 12, mid", "low: 12, hgh: 3, mid"), "binary.response.hgh: got an unknown key; allowed here are"),
        (FOUR.replace("low: 12, mid", "low: 12, experimental: 3, mid"), "binary.response.experimental: got an unknown key"),
        (FOUR.replace("high: {n: 20, percent: 51.3}", "high: 50"), "binary.response.high: got 50 of 39 patients"),
        (FOUR.replace("low / control: 0.24", "low / placebo: 0.24"), "binary.relapse.p.low / placebo: got 'low / placebo'"),
        (FOUR.replace("mid: {label", "p: {label"), "arms.p: got 'p', a key of other things"),
        (FOUR.replace("mid: {label", "'10 mg': {label"), "arms.10 mg: got an arm called '10 mg'"),
        (
            f"{THREE}comparisons: [[experimental, placebo]]\n",
            "comparisons.0: got [experimental, placebo]; allowed is a list of pairs",
        ),
        (f"{THREE}comparisons: all\n", "comparisons: got 'all'; allowed is a list of pairs"),
        (f"{ONE}effects: {{os: {{hazard_ratio: 0.7}}}}\n", "effects.os: got an effect of the treatment in a study of one arm"),
        (ONE.replace("{drug: 38}", "{drug: 38, control: 3}"), "endpoints.os.events.control: got an unknown key"),
        (FOUR.replace("high: 12, control: 4", "high: 12, control: x"), "nausea.grades.any.control: got 'x'"),
        (
            "title: t\narms: {placebo: {n: 5}, drug: {n: 5}}\nbinary: {a: {placebo: 6, drug: 2}}",
            "binary.a.placebo: got 6 of 5 patients; allowed is at most arms.placebo.n",
        ),
        (
            "title: t\narms: {placebo: {n: 5}, drug: {n: 5}}\neffects: {os: {hazard_ratio: 2, numerator: experimental,"
            " denominator: control}}",
            "effects.os.numerator: got 'experimental', which is no arm of the study",
        ),
    ],
)
def test_what_is_wrong_is_said_with_the_names_of_the_file(problems: Problems, text: str, message: str) -> None:
    found = problems(text)
    assert any(message in problem for problem in found), found


def test_a_problem_of_an_arm_that_several_comparisons_share_is_told_once(problems: Problems) -> None:
    found = problems(FOUR.replace("control: 8,", "control: 80,"))
    assert [line for line in found if line.startswith("binary.response.control")] == [
        "binary.response.control: got 80 of 40 patients; allowed is at most arms.control.n"
    ]


def test_words_that_could_mean_two_arms_are_not_taken(problems: Problems) -> None:
    # "2" is the dose of one arm and the number of another
    text = THREE.replace("pfs10: ", "late: ")
    assert any("effects.pfs2.numerator: missing" in line for line in problems(text))


NAMES = ArmNames("experimental", "experimental_2", ("control",), ("Disease control rate", "arm experimental"))


@pytest.mark.parametrize(
    ("told", "named"),
    [
        ("10 v 20 (control v experimental)", "10 v 20 (experimental v experimental_2)"),
        (
            "no event in the control arm: the result leans on the prior",
            "no event in the experimental arm: the result leans on the prior",
        ),
        ("Disease control rate: 8 of 40", "Disease control rate: 8 of 40"),
        ("median.control = 8 is above longest", "median.experimental = 8 is above longest"),
        ("control_median, historical controls", "control_median, historical controls"),
    ],
)
def test_texts_call_the_arms_by_name_and_leave_the_papers_words(told: str, named: str) -> None:
    assert NAMES.prose(told) == named


def test_key_paths_are_those_of_the_file() -> None:
    assert NAMES.path("endpoints.control.median.control.ci") == "endpoints.control.median.experimental.ci"
    assert NAMES.path("adverse_events.terms.experimental.grades.any.experimental") == (
        "adverse_events.terms.experimental.grades.any.experimental_2"
    )
    assert arm_positions(["arms", "control", "n"]) == {1}
    assert {"total", "label", "where", "p", "levels", "times"} <= reserved()


@pytest.mark.parametrize("wrong", ["[a]", "{a: 1}", "true", "5", "x", "[[a], b]", "[[[a], b]]", "null"])
@pytest.mark.parametrize(
    "key", ["endpoints", "effects", "comparisons", "binary", "arms", "effects.os.numerator", "arms.low", "arms.a_b.c"]
)
def test_what_is_of_another_kind_is_refused_in_a_study_of_any_arms(load: Load, key: str, wrong: str) -> None:
    """Arms are found in the tree as it is typed, before anything of it was checked."""
    for others in (
        "{low: {n: 5}, high: {n: 6}, control: {n: 7}}",
        "{drug: {n: 5}}",
        "{experimental: {n: 5}}",
        "{a: {n: 5}, b: {n: 5}}",
    ):
        whole = {"arms": others, "effects": "{os: {hazard_ratio: 0.5, ci: [0.2, 0.9], numerator: low, denominator: control}}"}
        if "." not in key:
            whole[key] = wrong
        elif key == "arms.a_b.c":
            whole["arms"] = f"{{low: {{n: 5}}, '': {wrong}, _x_: {wrong}, 'a b': {{n: 7}}}}"
        elif key == "arms.low":
            whole["arms"] = f"{{low: {wrong}, high: {{n: 6}}, control: {{n: 7}}}}"
        else:
            whole["effects"] = f"{{os: {{hazard_ratio: 0.5, ci: [0.2, 0.9], numerator: {wrong}, denominator: control}}}}"
        text = "title: t\n" + "".join(f"{name}: {text}\n" for name, text in whole.items())
        # an empty section says nothing, and a word may be an arm's name; all else is an error in words
        with contextlib.suppress(StudyError):
            load(text)
