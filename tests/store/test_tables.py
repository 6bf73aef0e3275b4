"""CSV files of a run: what a spreadsheet would take for a formula, and what comes back."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from retrial.store.tables import as_said, read_table, spelled_out, write_table

FORMULAS = ("=1+1", "@SUM(A1)", "+cmd|' /C calc'!A0", "-2+3+cmd|x", "\t=1", "'=1", "''=1", "=", "+x", "-x", "@")
BLANKS = (" ", "\u00a0", "\u2003", "\u3000", " \t", "\u200b", "\ufeff", "\n")
FORMULAS = (*FORMULAS, *(f"{blank}{text}" for blank in BLANKS for text in ("=1+1", "@x")), "'\u00a0=1")
PLAIN = (
    "",
    "a",
    "-",
    "+",
    "-0.5",
    "+1",
    "-0.2 (-0.4 to 0.1)",
    "−0.3",
    "'a",
    "it's",
    "a=b",
    "-12.5 %",
    "-1 ± 2",
    " a",
    "\u00a0",
    " -0.5",
)


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_begins_as_a_formula_does(text: str) -> None:
    frame = pd.DataFrame({"a": [text, "x"], "b": [1.0, -2.0]})
    told = spelled_out(frame)
    assert told["a"][0] == f"'{text}"
    assert as_said(told).equals(frame)


@pytest.mark.parametrize("text", PLAIN)
def test_other_cells_stay_as_they_are(text: str) -> None:
    frame = pd.DataFrame({"a": [text, "x"], "b": [-1, 2]})
    assert spelled_out(frame).equals(frame)
    assert as_said(frame).equals(frame)


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    texts = [*FORMULAS, *PLAIN]
    frame = pd.DataFrame({"prior": texts, "source": texts, "implied_median": [-0.5] * len(texts)})
    write_table(tmp_path, "priors", frame)
    with (tmp_path / "priors.csv").open(encoding="utf-8", newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not any(cell.startswith(("=", "@", "\t", "\r", "+c", "+x", "-x")) for cell in cells)
    back = read_table(tmp_path, "priors")
    assert back is not None
    assert list(back["source"]) == texts
    assert list(back["implied_median"]) == [-0.5] * len(texts)
