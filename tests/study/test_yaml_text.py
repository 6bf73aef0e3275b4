"""Reading YAML as text: what is no plain YAML is refused, what is plain stays as written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from retrial.errors import StudyError
from retrial.study import yaml_text
from retrial.study.loader import load_study
from retrial.study.study import Study
from retrial.study.text.files import MAX_BYTES
from retrial.study.yaml_text import MAX_DEPTH, parse_yaml_text, read_yaml_text

Load = Callable[[str | bytes], Study]
Problems = Callable[[str | bytes], list[str]]


@pytest.fixture(params=["c", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both parsers of the YAML library: the one in C, and the one that serves where it is missing."""
    monkeypatch.setattr(yaml_text, "_PARSER", yaml.CSafeLoader if request.param == "c" else yaml.SafeLoader)
    return str(request.param)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a: 0.470", {"a": "0.470"}),
        (
            "a: 010\nb: 1e5\nc: .inf\nd: 0x1F\ne: 1_000\nf: 12:30:45",
            {"a": "010", "b": "1e5", "c": ".inf", "d": "0x1F", "e": "1_000", "f": "12:30:45"},
        ),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: yes\nb: No\nc: on\nd: Off\ne: y", {"a": "yes", "b": "No", "c": "on", "d": "Off", "e": "y"}),
        ("a: true\nb: False\nc: 'true'", {"a": True, "b": False, "c": "true"}),
        ("a:\nb: ~\nc: null\nd: ''\ne: 'null'", {"a": None, "b": None, "c": None, "d": "", "e": "null"}),
        ("true: 1\nnull: 2\n1: 3", {"true": "1", "null": "2", "1": "3"}),
        ("a: [1, [2, {b: 3}], ]", {"a": ["1", ["2", {"b": "3"}]]}),
        ("a: {}\nb: []", {"a": {}, "b": []}),
        ("a: |\n  two\n  lines\nb: >-\n  one\n  line", {"a": "two\nlines\n", "b": "one line"}),
        ("a: 1\r\nb: 2\r\n", {"a": "1", "b": "2"}),
        ("--- \na: 1\n...\n", {"a": "1"}),
        ("%YAML 1.1\n---\na: 1\n", {"a": "1"}),
        ("# only a comment\n", None),
        ("", None),
        ("- 1\n- 2", ["1", "2"]),
        ("5", "5"),
        ("Table 1, row <0.05>: 3", {"Table 1, row <0.05>": "3"}),
    ],
)
def test_scalars_stay_text(text: str, tree: Any) -> None:
    assert parse_yaml_text(text) == (tree, [])


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: !!python/object/apply:os.system [ls]", "a: got the tag 'tag:yaml.org,2002:python/object/apply:os.system' on line 1"),
        ("b: 1\na: !!python/name:os.system", "a: got the tag 'tag:yaml.org,2002:python/name:os.system' on line 2"),
        ("a: {b: [1, !!python/object:os.Thing {c: 1}]}", "a.b.1: got the tag"),
        ("!!python/object/new:dict {a: 1}", "(top level): got the tag"),
        ("? !!python/object/apply:os.system x\n: 1", "x: got the tag"),
        ("a: !custom 5", "a: got the tag '!custom'"),
        ("a: !!str 5", "a: got the tag 'tag:yaml.org,2002:str'"),
        ("a: !!int 5", "a: got the tag"),
        ("a: ! 5", "a: got the tag '!'"),
        ("a: !!binary aGVsbG8=", "a: got the tag"),
        ("a: !!set {x, y}", "a: got the tag"),
        ("a: &x 1", "a: got the anchor &x on line 1"),
        ("a: {b: &x [1]}", "a.b: got the anchor &x"),
        ("a: 1\na: 2", "a: got this key twice (again on line 2)"),
        ("a: {b: 1, c: 2, b: 3}", "a.b: got this key twice"),
        ("a: {<<: {b: 1}}", "a.<<: got a merge key on line 1"),
    ],
)
def test_what_is_not_plain_is_noted_with_its_key_and_line(text: str, problem: str) -> None:
    _, problems = parse_yaml_text(text)
    assert len(problems) == 1
    assert str(problems[0]).startswith(problem)


@pytest.mark.usefixtures("parser")
def test_aliases_are_noted_and_never_followed() -> None:
    bomb = "a: &a [1, 1]\n" + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9))
    tree, problems = parse_yaml_text(bomb)
    assert tree["j"] == [None] * 9 or tree["j"] == [""] * 9
    assert sum("alias" in problem.message for problem in problems) == 81
    _, problems = parse_yaml_text("a: &a [*a]")
    assert len(problems) == 2


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1", "not plain YAML"),
        ("a: b: c", "not plain YAML"),
        ("a: 'x", "not plain YAML"),
        ("a:\n\t- tab\n", "not plain YAML"),
        ("a: *missing", "alias"),
        ("? [a, b]\n: 1", "a key that is not plain text on line 1"),
        ("{a: 1}: 2", "a key that is not plain text"),
        ("a: 1\n---\nb: 2", "a second document (---) on line 2"),
        ("a: " + "[" * (MAX_DEPTH + 1), f"more than {MAX_DEPTH} levels"),
        ("[" * 100_000, f"more than {MAX_DEPTH} levels"),
        ("{a: " * 100_000, f"more than {MAX_DEPTH} levels"),
        ("\n".join(" " * depth + "a:" for depth in range(100)), f"more than {MAX_DEPTH} levels"),
        ('a: "\\U99999999"', "not plain YAML"),
        ('a: "\\xZZ"', "not plain YAML"),
        ("a: \x00", "not plain YAML"),
        ("a: \x1b[31m", "not plain YAML"),
        ("@a: 1", "not plain YAML"),
        ("", "empty file"),
        ("# nothing\n", "empty file"),
        ("~", "empty file"),
        ("- title: t", "a list of 1 at the top"),
        ("just text", "'just text' at the top"),
        (b"title: \xff\xfe", "UTF-8"),
        ("title: t".encode("utf-16"), "UTF-8"),
        (b"title: \xed\xa0\x80", "UTF-8"),
        (b"#" * (MAX_BYTES + 1), f"more than {MAX_BYTES} bytes"),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_cannot_be_read_ends_in_words(problems: Problems, text: str | bytes, words: str) -> None:
    found = problems(text)
    assert any(words in problem for problem in found), found


def test_a_byte_order_mark_and_windows_line_ends_are_fine(load: Load) -> None:
    assert load(b"\xef\xbb\xbftitle: t\r\ndesign: d\r\n").design == "d"


def test_a_full_size_comment_is_fine(load: Load) -> None:
    text = "title: t\n#"
    assert load(text + "x" * (MAX_BYTES - len(text))).title == "t"


def test_no_object_is_built(problems: Problems, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    for tag in ("apply:os.system", "new:os.system", "apply:builtins.exec"):
        problems(f"title: t\ndesign: !!python/object/{tag} ['touch {flag}']\n")
    problems(f"title: t\nlabel: {{_target_: os.system, command: 'touch {flag}'}}\n")
    assert not flag.exists()


def test_two_faults_of_one_kind_are_both_told(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("a: !x 1\nb: !y 2\n")
    with pytest.raises(StudyError) as caught:
        read_yaml_text(path)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("name", ["missing.yaml", "missing/study.yaml", "x" * 300 + ".yaml", "null\0byte.yaml", "."])
def test_a_path_without_a_file_is_a_study_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(tmp_path / name)
    assert caught.value.problems[0]


def test_a_device_is_no_study_file() -> None:
    with pytest.raises(StudyError, match="a folder or a device"):
        load_study(Path("/dev/zero"))


def test_a_file_that_may_not_be_read_is_a_study_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("title: t")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(StudyError, match="Permission denied"):
        load_study(path)


def test_the_loader_pulls_in_no_heavy_library() -> None:
    # Import time is what `--help` and `audit` wait for: 0.3 s as it is, 2 s with pandas
    code = (
        "import sys, retrial.study.loader; print([name for name in ('pandas', 'numpy', 'scipy', 'pymc') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
