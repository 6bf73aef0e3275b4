"""The table of a run's files: every table comes back as it was written, and nothing is written that is not listed."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.pandas import column, data_frames

from retrial.audit import check
from retrial.docstrings import told
from retrial.errors import StoreError
from retrial.estimate import COLUMNS
from retrial.store.artefacts import ARTEFACTS, artefact_of, path_of
from retrial.store.tables import TEXT, read_table, write_table

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")))
"""Without control characters, which the reader of study files refuses."""
TABLES = [name for name, artefact in ARTEFACTS.items() if artefact.columns]


def test_columns_of_estimates_and_checks_are_their_fields() -> None:
    assert tuple(ARTEFACTS["estimates"].columns) == COLUMNS
    assert list(ARTEFACTS["audit"].columns) == list(check.to_frame([]).columns)


def test_text_columns_are_those_of_text_fields() -> None:
    from retrial.estimate import Estimate

    for field in dataclasses.fields(Estimate):
        assert (field.name in TEXT) == (str(field.type) not in ("float", "int")), field.name


@pytest.mark.parametrize("name", ARTEFACTS)
def test_everything_is_said_of_a_file(name: str) -> None:
    artefact = ARTEFACTS[name]
    assert artefact.holds
    assert artefact.verbs
    assert artefact.reader
    assert all(artefact.columns.values())
    path = artefact.pattern.format(endpoint="os", model="weibull", name="forest_os", path="tables/os.tex")
    assert artefact_of(path) in (name, "estimates")


def test_names_of_files() -> None:
    folder = Path("run")
    assert path_of(folder, "posterior", "os", "weibull") == folder / "posterior_os_weibull.nc"
    assert artefact_of("posterior_os_weibull.nc") == "posterior"
    assert artefact_of("figures/a.svg") == "figures"
    assert artefact_of("tables/page_a.csv") == "tables"
    for foreign in ("x.csv", "figures/deep/a.svg", "posterior_os.txt", "estimates.csv.tmp"):
        assert artefact_of(foreign) is None


@pytest.mark.parametrize("name", TABLES)
def test_a_table_comes_back_as_it_was_written(name: str, tmp_path: Path) -> None:
    columns = ARTEFACTS[name].columns
    texts = ["", "nan", "None", 'a "b", c', "0.470", "=1+1\nx", " α "]
    numbers = [0.1, math.nan, math.inf, 1e-300, -2.0, 1 / 3, 5.0]
    if ARTEFACTS[name].digits:
        numbers = [0.5, math.nan, math.inf, 1e-30, -2.0, 0.125, 5.0]
    frame = pd.DataFrame({key: texts if key in TEXT else numbers for key in columns})
    write_table(tmp_path, name, frame)
    found = read_table(tmp_path, name)
    assert found is not None
    pd.testing.assert_frame_equal(found, frame, check_exact=True)
    first = (tmp_path / ARTEFACTS[name].pattern).read_bytes()
    write_table(tmp_path, name, found)
    assert (tmp_path / ARTEFACTS[name].pattern).read_bytes() == first


@given(
    data_frames(
        [
            column("value", elements=st.floats()),
            column("density", elements=st.floats(width=64)),
            column("prior", elements=TEXTS, dtype=object),
        ]
    )
)
@settings(deadline=None, max_examples=60)
def test_numbers_and_text_are_exact(frame: pd.DataFrame) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder), "prior_densities", frame)
        found = read_table(Path(folder), "prior_densities")
    assert found is not None
    for name in ("value", "density"):
        np.testing.assert_array_equal(found[name].to_numpy(float), frame[name].to_numpy(float))
    assert found["prior"].tolist() == frame["prior"].tolist()
    assert (found["scale"] == "").all()


def test_true_and_false_come_back(tmp_path: Path) -> None:
    columns = ARTEFACTS["agreement"].columns
    frame = pd.DataFrame({name: ["x", "y"] if name in TEXT else [True, False] for name in columns})
    write_table(tmp_path, "agreement", frame)
    found = read_table(tmp_path, "agreement")
    assert found is not None
    assert found["covered"].dtype == bool


def test_a_column_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="has no columns surprise"):
        write_table(tmp_path, "spread", pd.DataFrame({"endpoint": ["os"], "surprise": [1]}))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "\x00\x01", '"'])
def test_a_file_that_is_no_table_of_ours_is_a_named_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "spread.csv").write_text(text)
    with pytest.raises(StoreError, match="spread.csv"):
        read_table(tmp_path, "spread")
    assert read_table(tmp_path, "variance") is None


def test_docstrings_are_read() -> None:
    text = """Sentence.

    one, two   what they
               are
    three

    Not this one.
    """
    assert list(told(text)) == [(("one", "two"), "what they are"), (("three",), "")]
