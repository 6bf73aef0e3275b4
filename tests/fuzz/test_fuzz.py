"""A short seeded run of every fuzzer; `make fuzz` runs them in earnest."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.changes import changed_bytes, changed_tree
from tests.fuzz.guard import fault_of
from tests.fuzz.run import faults
from tests.fuzz.targets import TARGETS

SHORT = {"studies": 120, "csvs": 300, "groups": 150, "configurations": 25, "command_lines": 40}


@pytest.fixture(scope="module", autouse=True)
def _warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The first call of all imports and compiles; no case is to be blamed for it."""
    for name in TARGETS:
        list(faults(name, range(3), 0, tmp_path_factory.mktemp("warm")))


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_answers_and_errors_in_words(name: str, tmp_path: Path) -> None:
    found = [(number, wrong) for number, wrong in faults(name, range(SHORT[name]), 14, tmp_path) if wrong]
    assert found == []


def test_the_guard_sees_what_it_is_for(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()

    def fails() -> None:
        raise KeyError("x")

    def busy() -> None:
        sum(range(3_000_000))

    def starts() -> None:
        import subprocess
        import sys

        subprocess.run([sys.executable, "-c", ""], check=True)

    for call, said in (
        (fails, "KeyError"),
        (busy, "took"),
        (starts, "subprocess.Popen"),
        (lambda: (tmp_path / "outside").write_text("x"), "writes"),
        ((inside / ".." / "outside").read_text, "reads"),
        ((tmp_path / "folder").mkdir, "writes"),
        ((tmp_path / "outside").unlink, "writes"),
    ):
        assert said in fault_of(call, inside, 0.01), said
    assert fault_of(lambda: (inside / "x").write_text("x"), inside, 1.0) == ""


def test_changes_are_of_the_seed_and_change() -> None:
    raw, tree = b"a: 1\nb: [1, 2]\n", {"a": 1, "b": [1, {"c": "x"}]}
    assert [changed_bytes(raw, Random(i)) for i in range(50)] == [changed_bytes(raw, Random(i)) for i in range(50)]
    assert sum(changed_bytes(raw, Random(i)) != raw for i in range(200)) > 150
    assert sum(repr(changed_tree(tree, Random(i))) != repr(tree) for i in range(200)) > 150
