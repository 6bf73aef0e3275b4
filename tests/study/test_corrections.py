"""Problems of a study file have their lines, and where it can be told the line to write instead: one that the loader takes."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from retrial.errors import StudyError
from retrial.study.loader import load_study
from retrial.study.study import Study

Load = Callable[[str | bytes], Study]
RIGHT = """title: t
time_unit: months
arms:
  control: {label: a, n: 1200}
  experimental: {label: b, n: 1180}
endpoints:
  os:
    label: overall survival
    events: {control: 71, experimental: 58}
    longest: 36.2
    median:
      control: {value: 14.0, ci: [11.2, 17.9]}
    at_risk:
      times: [0, 12, 24, 36]
      control: [1200, 66, 25, 0]
    test: {p: 0.02}
effects:
  os:
    endpoint: os
    hazard_ratio: 0.67
    ci: [0.47, 0.94]
    p: 0.023
binary:
  response: {control: 27, experimental: 42, p: 0.026}
response:
  categories:
    CR: {control: 3, experimental: 9}
    PR: {control: 24, experimental: 33}
  composites:
    ORR: {of: [CR, PR], control: 27, experimental: 42}
timeline:
  cut_off: 2020-01
"""


def refused(load: Load, text: str) -> StudyError:
    with pytest.raises(StudyError) as caught:
        load(text)
    return caught.value


def instead(error: StudyError) -> dict[int, str]:
    """Line number of the file -> what to write there."""
    found = {}
    for item in error.told:
        head, _, rest = item.partition("\n    write: ")
        if rest:
            found[int(head.removeprefix("line ").split(":")[0].split(",")[0])] = rest.replace("\n           ", "\n")
    return found


def mended(text: str, error: StudyError) -> str:
    """The file with the proposed lines pasted in."""
    lines = text.split("\n")
    for number, line in instead(error).items():
        lines[number - 1] = line
    return "\n".join(lines)


SLIPS = [
    # keys
    ("time_unit: months", "Time unit: months", "time_unit: months"),
    ("    longest: 36.2", "    longst: 36.2", "    longest: 36.2"),
    ("    longest: 36.2", "    follow-up: 36.2", "    longest: 36.2"),
    ("    hazard_ratio: 0.67", "    HR: 0.67", "    hazard_ratio: 0.67"),
    ("    hazard_ratio: 0.67", "    Hazard Ratio: 0.67", "    hazard_ratio: 0.67"),
    ("    ci: [0.47, 0.94]", "    95% CI: [0.47, 0.94]", "    ci: [0.47, 0.94]"),
    ("    p: 0.023", "    p-value: 0.023", "    p: 0.023"),
    ("  os:\n    label", "  overall survival:\n    label", "  overall_survival:"),
    ("{label: b, n: 1180}", "{label: b, N: 1180}", "  experimental: {label: b, n: 1180}"),
    ("{label: b, n: 1180}", "{label: b, n:1180}", "  experimental: {label: b, n: 1180}"),
    # decimal marks and thousands
    ("    ci: [0.47, 0.94]", "    ci: [0,47, 0,94]", "    ci: [0.47, 0.94]"),
    # intervals
    ("    ci: [0.47, 0.94]", "    ci: [0.94, 0.47]", "    ci: [0.47, 0.94]"),
    ("    ci: [0.47, 0.94]", "    ci: 95% CI 0.47-0.94", "    ci: [0.47, 0.94]"),
    ("    ci: [0.47, 0.94]", "    ci: [0.47 0.94]", "    ci: [0.47, 0.94]"),
    (
        "    hazard_ratio: 0.67\n    ci: [0.47, 0.94]",
        "    hazard_ratio: 0.67 (0.47–0.94)",
        "    hazard_ratio: 0.67\n    ci: [0.47, 0.94]",
    ),
    ("control: {value: 14.0, ci: [11.2, 17.9]}", "control: 14.0 (11.2–17.9)", "      control: {value: 14.0, ci: [11.2, 17.9]}"),
    ("control: {value: 14.0, ci: [11.2, 17.9]}", "control: 14.0 months", "      control: {value: 14.0}"),
    # counts, percentages, p-values, units, marks
    ("{control: 71,", "{control: 71 (5.9%),", "    events: {control: {n: 71, percent: 5.9}, experimental: 58}"),
    (
        "{control: 27, experimental: 42, p",
        "{control: 2.3% (27), experimental: 42, p",
        "  response: {control: {n: 27, percent: 2.3}, experimental: 42, p: 0.026}",
    ),
    ("    p: 0.023", "    p: P = 0.023*", "    p: 0.023"),
    ("    p: 0.023", "    p: 2.3e-2", "    p: 0.023"),
    ("    longest: 36.2", "    longest: 36.2 months", "    longest: 36.2"),
    ("    test: {p: 0.02}", "    test: 0.02", "    test: {p: 0.02}"),
    ("    p: 0.023", "    p: 0.023 for superiority", "    p: 0.023"),
    (
        "    hazard_ratio: 0.67\n    ci: [0.47, 0.94]",
        "    hazard_ratio: 0.67 (96% CI, 0.47 to 0.94)",
        "    hazard_ratio: 0.67\n    ci: [0.47, 0.94]\n    level: 96%",
    ),
    # lists, words, dates, names
    ("times: [0, 12, 24, 36]", "times: 0, 12, 24, 36", "      times: [0, 12, 24, 36]"),
    ("control: [1200, 66, 25, 0]", "control: 1200 66 25 0", "      control: [1200, 66, 25, 0]"),
    ("time_unit: months", "time_unit: month", "time_unit: months"),
    ("  cut_off: 2020-01", "  cut_off: Jan 2020", "  cut_off: 2020-01"),
    ("  cut_off: 2020-01", "  cut_off: 31.01.2020", "  cut_off: 2020-01-31"),
    ("    endpoint: os", "    endpoint: OS", "    endpoint: os"),
    ("of: [CR, PR]", "of: [CR, Pr]", "    ORR: {of: [CR, PR], control: 27, experimental: 42}"),
    # no YAML
    ("title: t", "title: A trial: drug A", 'title: "A trial: drug A"'),
    ("title: t", "title: 'It's a trial'", 'title: "It\'s a trial"'),
    ("    longest: 36.2", "\tlongest: 36.2", "    longest: 36.2"),
    ("    longest: 36.2", "     longest: 36.2", "    longest: 36.2"),
    ("    longest: 36.2", "    longest 36.2", "    longest: 36.2"),
    ("arms:", "arms", "arms:"),
    ("{label: b, n: 1180}", "{label: b, n: 1180", "  experimental: {label: b, n: 1180}"),
    ("{label: b, n: 1180}", "{label: b n: 1180}", "  experimental: {label: b, n: 1180}"),
    ("    ci: [0.47, 0.94]", "    ci: [0.47, 0.94", "    ci: [0.47, 0.94]"),
    ("label: overall survival", "label: @ overall", '    label: "@ overall"'),
]


def numbers_of(study: Study) -> list[float]:
    effect, events = study.effects["os"], study.endpoints["os"].events.control
    assert effect.ci is not None
    assert events is not None
    return [
        effect.estimate.value,
        effect.ci.lower.value,
        effect.ci.upper.value,
        float(study.n("control") or 0),
        float(int(events)),
    ]


READ_OR_CORRECTED = [
    ("    hazard_ratio: 0.67", "    hazard_ratio: 0,67", "    hazard_ratio: 0.67"),
    ("{label: a, n: 1200}", "{label: a, n: '1 200'}", "  control: {label: a, n: 1200}"),
    ("{label: a, n: 1200}", "{label: a, n: 1,200}", "  control: {label: a, n: 1200}"),
    ("{control: 71,", "{control: '1,071',", "    events: {control: 1071, experimental: 58}"),
    ("    ci: [0.47, 0.94]", "    ci: 0.47–0.94", "    ci: [0.47, 0.94]"),
    ("    ci: [0.47, 0.94]", "    ci: 0.47 to 0.94", "    ci: [0.47, 0.94]"),
    ("    ci: [0.47, 0.94]", "    ci: (0.47 - 0.94)", "    ci: [0.47, 0.94]"),
    ("    ci: [0.47, 0.94]", "    ci: [0·47, 0·94]", "    ci: [0.47, 0.94]"),
]


@pytest.mark.parametrize(("right", "wrong", "line"), READ_OR_CORRECTED, ids=[wrong[:30] for _, wrong, _ in READ_OR_CORRECTED])
def test_other_ways_to_print_a_number_are_read_or_corrected(load: Load, right: str, wrong: str, line: str) -> None:
    text = RIGHT.replace(right, wrong, 1)
    refusal = None
    try:
        study = load(text)
    except StudyError as error:
        refusal = error
        study = load(mended(text, error))
    assert refusal is None or list(instead(refusal).values()) == [line], str(refusal)
    same = load(RIGHT.replace(next(item for item in RIGHT.split("\n") if right.strip() in item), line, 1))
    assert numbers_of(study) == numbers_of(same)


@pytest.mark.parametrize(("right", "wrong", "line"), SLIPS, ids=[wrong[:30] for _, wrong, _ in SLIPS])
def test_a_slip_is_told_at_its_line_with_the_line_to_write(load: Load, right: str, wrong: str, line: str) -> None:
    assert RIGHT.count(right) >= 1
    text = RIGHT.replace(right, wrong, 1)
    error = refused(load, text)
    at = (
        RIGHT.split("\n").index(
            RIGHT[: RIGHT.index(right)].split("\n")[-1]
            + right.split("\n")[0]
            + RIGHT[RIGHT.index(right) + len(right.split("\n")[0]) :].split("\n")[0]
        )
        + 1
    )
    assert instead(error).get(at) == line, str(error)
    if "overall survival" not in wrong:
        load(mended(text, error))


def test_several_slips_of_one_line_are_all_in_the_line_to_write(load: Load) -> None:
    text = "title: t\neffects:\n  os: {HR: 0,67, CI: [0,94, 0,47], p value: P < 0.001}\n"
    error = refused(load, text)
    assert instead(error) == {3: "  os: {hazard_ratio: 0.67, ci: [0.47, 0.94], p: < 0.001}"}
    load(mended(text, error))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("median:\n  control: 3\nendpoints:\n  os: {longest: 3}", 2, "median belongs below endpoints.os"),
        ("hazard_ratio: 0.5", 2, "hazard_ratio belongs below effects.NAME"),
        ("binary:\n  a: {control: 1, experimental: 2}\n  a: {control: 1, experimental: 2}", 3, "(again on line 4)"),
        ("effects:\n  os:\n    hazard_ratio: half", 4, "got 'half'"),
        ("effects:\n  os:\n    ci: [0.2, 0.4]", 3, "got none of hazard_ratio"),
    ],
)
def test_what_cannot_be_corrected_is_told_at_its_line(load: Load, text: str, line: int, words: str) -> None:
    told = [item for item in refused(load, f"title: t\n{text}\n").told if words in item]
    assert len(told) == 1, told
    assert told[0].startswith(f"line {line}")


def test_a_problem_that_only_follows_from_another_one_is_not_told(load: Load) -> None:
    error = refused(load, "title: t\neffects:\n  os:\n    HR: 0.5\n")
    assert len(error.told) == 1
    assert "effects.os.HR" in error.told[0]


def test_problems_come_in_the_order_of_the_lines(load: Load) -> None:
    error = refused(load, RIGHT.replace("0.94", "0.14").replace("title: t", "title: t\nfoo: 1").replace("2020-01", "never"))
    lines = [int(item.removeprefix("line ").split(":")[0].split(",")[0]) for item in error.told]
    assert lines == sorted(lines)
    assert len(lines) == 3


def test_no_wrong_number_is_proposed(load: Load) -> None:
    for wrong in (
        "hazard_ratio: 6700",
        "ci: [0.8, 0.94]",
        "events: {control: 1300, experimental: 58}",
        "longest: 14 weeks",
        "p: 12",
        "p: 0.02 (one-sided)",
        "p: 0.02 for interaction",
        "ci: 90% CI 0.47-0.94",
        "p: NS",
    ):
        key = wrong.split(":")[0]
        line = next(item for item in RIGHT.split("\n") if item.strip().startswith(f"{key}:"))
        error = refused(load, RIGHT.replace(line, f"    {wrong}", 1))
        assert instead(error) == {}, wrong


def test_an_error_with_corrections_can_be_sent_to_another_process(load: Load) -> None:
    error = refused(load, RIGHT.replace("hazard_ratio", "HR"))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems, again.exit_status) == (str(error), error.problems, 2)


def test_a_file_full_of_slips_is_told_in_a_second(load: Load) -> None:
    rows = "".join(f"  r{number}: {{control: {number},5 (12%), experimental: x, P: 2}}\n" for number in range(120))
    error = refused(load, f"title: t\nbinary:\n{rows}")
    started = time.process_time()
    assert len(error.told) == 101
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"%PDF-1.7 ...", "a PDF"),
        (b"PK\x03\x04....", "Word, Excel"),
        ("title: t".encode("utf-16"), "UTF-16; save the file as UTF-8"),
        ("title: t\ndesign: caf\u00e9".encode("latin-1"), "line 2: got a byte that is not UTF-8"),
    ],
)
def test_other_files_are_named(load: Load, content: bytes, words: str) -> None:
    assert words in str(refused(load, content))  # type: ignore[arg-type]


def test_a_json_file_is_a_study_file(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text('{"title": "t",\n\t"effects": {"os": {"hazard_ratio": "0.7", "ci": ["0.5", "0.9"]}}}')
    assert load_study(path).effects["os"].estimate.text == "0.7"


def test_a_point_in_a_file_of_decimal_commas_becomes_a_comma(load: Load) -> None:
    """Never 53 for 0.53."""
    with pytest.raises(StudyError) as caught:
        load('title: t\ndecimal: ","\neffects:\n  os:\n    hazard_ratio: 0.53\n    ci: [0.37, 0.76]\n    p: <0.001\n')
    text = str(caught.value)
    assert "write:     hazard_ratio: 0,53" in text
    assert "write:     ci: [0,37, 0,76]" in text
    assert "write:     p: <0,001" in text
