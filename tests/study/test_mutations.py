"""Whatever is done to a study file, the loader answers with a study or with a `StudyError` in words: never a traceback."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_yaml import write_tree

from retrial.errors import StudyError
from retrial.study.loader import load_study
from retrial.study.study import Study
from retrial.study.yaml_text import read_yaml_text
from tests.fuzz.changes import entries

YAO = Path(__file__).parents[2] / "conf" / "study" / "yao2025.yaml"
SCALARS = (
    *("", "0", "-1", "5", "99999999999", "0.5", "1e5", "nan", "inf", "<0.001", ">2", "50%", "5 ± 2", "1,5", "2020-01", "true"),
    *("control", "experimental", "total", "os", "any", "CR", "n", "percent", "a.b", "[key]", "x" * 5_000, "±", "٣"),
    *("_target_", "${x}", "<script>", "\x00", "\x1b[2J", "\u202e", "../x", "/etc/passwd", "patients.csv"),
    *("[", "{", "!!python/name:os.system", "&a", "*a", "<<"),
)
NAMES = st.sampled_from(SCALARS) | st.text(max_size=6)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
OPERATIONS = st.sampled_from(("drop", "replace", "rename", "copy", "wrap", "add", "swap"))
POSITIONS = st.integers(0, 10_000)
MUTATIONS = st.lists(st.tuples(OPERATIONS, POSITIONS, POSITIONS, NAMES, JUNK), min_size=1, max_size=5)


def answer(path: Path) -> Study | StudyError:
    """What the loader makes of a file; anything but a study or an error in words is a failure of the test."""
    try:
        study = load_study(path)
    except StudyError as refused:
        error = refused
    else:
        assert isinstance(study, Study)
        return study
    assert error.problems, "an error without a problem"
    assert all(problem.strip() and len(problem) < 2_000 and problem.isprintable() for problem in error.problems), error.problems
    return error


def mutated(tree: Any, mutations: list[tuple[str, int, int, str, Any]]) -> Any:
    """A copy of a tree with mutations applied one after another."""
    tree = copy.deepcopy(tree)
    for operation, first, second, name, junk in mutations:
        places = entries(tree)
        if not places:
            return junk
        node, key = places[first % len(places)]
        other, other_key = places[second % len(places)]
        if operation == "drop":
            del node[key]
        elif operation == "replace":
            node[key] = junk
        elif operation == "rename" and isinstance(node, dict):
            node[name] = node.pop(key)
        elif operation == "copy":
            node[key] = copy.deepcopy(other[other_key])
        elif operation == "wrap":
            node[key] = [node[key]] if second % 2 else {name: node[key]}
        elif operation == "add" and isinstance(node, dict):
            node[name] = junk
        elif operation == "swap":
            node[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(node[key])
    return tree


@pytest.fixture(scope="module")
def study_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mutations")
    (folder / "curves").mkdir()
    for name in ("patients.csv", "curves/os.csv"):
        (folder / name).write_text("")
    return folder


@pytest.fixture(scope="module")
def full_tree(full_text: str, study_folder: Path) -> Any:
    path = study_folder / "full.yaml"
    path.write_text(full_text)
    return read_yaml_text(path)


@settings(derandomize=True, max_examples=700, deadline=None)
@given(mutations=MUTATIONS)
def test_any_change_of_the_structure(full_tree: Any, study_folder: Path, mutations: list[tuple[str, int, int, str, Any]]) -> None:
    answer(write_tree(study_folder, mutated(full_tree, mutations)))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(junk=JUNK)
def test_any_tree(study_folder: Path, junk: Any) -> None:
    answer(write_tree(study_folder, junk))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(study_folder: Path, raw: bytes) -> None:
    path = study_folder / "study.yaml"
    path.write_bytes(raw)
    answer(path)


TOKENS = (
    *(b"\n", b": ", b"- ", b", ", b"{", b"}", b"[", b"]", b"'", b'"', b"#", b"\t", b"\r", b"|\n", b"? ", b"---\n", b"...\n"),
    *(b"!", b"&a ", b"*a", b"%", b"\xff", b"\x00"),
)


def byte_mutated(raw: bytes, rng: random.Random) -> bytes:
    """Bytes with up to four cuts, insertions or repetitions."""
    for _ in range(rng.randint(1, 4)):
        start = rng.randrange(len(raw) + 1)
        end = min(len(raw), start + rng.choice((0, 1, 1, 2, 5, 40, 400)))
        junk = rng.choice((rng.randbytes(rng.randint(1, 4)), rng.choice(SCALARS).encode(), rng.choice(TOKENS)))
        raw = raw[:start] + rng.choice((b"", raw[start:end] * 2, junk)) + raw[end:]
    return raw


@pytest.mark.parametrize("seed", range(3))
def test_any_damage_to_the_bytes(full_text: str, study_folder: Path, seed: int) -> None:
    rng = random.Random(seed)
    path = study_folder / "study.yaml"
    kinds = set()
    for _ in range(500):
        path.write_bytes(byte_mutated(full_text.encode(), rng))
        kinds.add(type(answer(path)))
    assert kinds == {Study, StudyError}, "the damage is too small or too great to test anything"


def test_any_damage_to_the_paper_of_record(study_folder: Path) -> None:
    rng = random.Random(2025)
    raw, path = YAO.read_bytes(), study_folder / "study.yaml"
    for _ in range(150):
        path.write_bytes(byte_mutated(raw, rng))
        answer(path)


def test_every_prefix_of_a_file(full_text: str, study_folder: Path) -> None:
    raw, path = full_text.encode(), study_folder / "study.yaml"
    for length in range(0, len(raw), 7):
        path.write_bytes(raw[:length])
        answer(path)


def test_every_entry_taken_away(full_tree: Any, study_folder: Path) -> None:
    for position in range(len(entries(full_tree))):
        tree = copy.deepcopy(full_tree)
        node, key = entries(tree)[position]
        del node[key]
        answer(write_tree(study_folder, tree))


@pytest.mark.parametrize("value", [None, True, "x", "5", [], {}, {"n": None}, [[["5"]]]], ids=json.dumps)
def test_every_entry_made_something_else(full_tree: Any, study_folder: Path, value: Any) -> None:
    for position in range(len(entries(full_tree))):
        tree = copy.deepcopy(full_tree)
        node, key = entries(tree)[position]
        node[key] = value
        answer(write_tree(study_folder, tree))


@pytest.mark.parametrize("seed", range(40))
def test_whatever_stands_in_a_file_its_problems_can_be_shown(seed: int, full_text: str, tmp_path: Path) -> None:
    """Characters put in, taken out, lines exchanged: an error in words with lines of the file, in a moment."""
    chosen = random.Random(seed)
    text = full_text
    for _ in range(chosen.randint(1, 5)):
        place, done = chosen.randrange(len(text) + 1), chosen.random()
        if done < 0.5:
            text = text[:place] + chosen.choice("{}[]:,'\"#%@>|-*&!\t\n \\\u00a0é0.±–") + text[place:]
        elif done < 0.8:
            text = text[:place] + text[place + chosen.randint(1, 6) :]
        else:
            text = text[:place]
    path = tmp_path / "study.yaml"
    path.write_text(text or "x", encoding="utf-8")
    error = answer(path)
    if isinstance(error, StudyError):
        assert str(error).startswith("cannot use the study file")
        lines = [int(item.split(":")[0].split(",")[0].removeprefix("line ")) for item in error.told if item.startswith("line ")]
        assert lines == sorted(lines)
        assert all(1 <= line <= text.count("\n") + 1 for line in lines)
