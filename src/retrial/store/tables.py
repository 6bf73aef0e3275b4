"""The one way to write and to read a table of a run, its columns and their types those of `artefacts`; and to read its arrays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import xarray as xr

from retrial.errors import StoreError
from retrial.store.artefacts import ARTEFACTS, COMPARISON, path_of

TEXT = {
    *("endpoint", "quantity", "contrast", "arm", "model", "prior", "parameter", "statistic", "method", "interval_kind", "unit"),
    *(
        "adjusted_for",
        "event",
        "variant",
        "converted",
        "basis",
        "orientation",
        "printed",
        "source",
        "status",
        "note",
        "where",
        "path",
        "family",
    ),
    *("claim", "recomputed", "verdict", "reading", "consequence", "distribution", "scale", "effective_unit", "per", "measure"),
    *("diagnosis", "hazard_ratio", "chi_square", "median_ci", "design", "violated", "reason", "left_out"),
    *("setting", "base", "other", "base_status", "other_status"),
}
"""Columns of text; every other column holds numbers, or True and False."""


def write_table(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write a table; one without columns has nothing to say, not even that there is no row.

    A column that it lacks stays empty; raises `StoreError` for one that is not listed.
    """
    artefact = ARTEFACTS[name]
    if not len(frame.columns):
        return
    columns = _columns(name, frame.columns)
    if unknown := [column for column in frame.columns if column not in columns]:
        raise StoreError(
            f"{artefact.pattern} has no columns {', '.join(map(str, unknown))}; list them in retrial.store.artefacts"
        )
    complete = spelled_out(frame.reindex(columns=columns))
    complete.to_csv(folder / artefact.pattern, index=False, float_format=artefact.digits, lineterminator="\n")


_FORMULA = re.compile(r"'*(?:[\s\u200b-\u200f\u2060\ufeff]*[=+\-@]|\t)")
_NUMBERS = re.compile(r"[+\-]?(?:[0-9.,()%\s±–−-]|to)*")


def spelled_out(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with an apostrophe before each text that a spreadsheet would take for a formula: `=1+1`, `+x`, ` @x`, not `-0.2 to 0.1`."""
    return _each_text(frame, lambda text: f"'{text}" if _FORMULA.match(text) and not _NUMBERS.fullmatch(text) else text)


def as_said(frame: pd.DataFrame) -> pd.DataFrame:
    """A table that was spelled out, as it was before."""
    return _each_text(frame, lambda text: text[1:] if text.startswith("'") and _FORMULA.match(text) else text)


def _each_text(frame: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    changed = frame.copy()
    for position, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_bool_dtype(kind)):
            texts = frame.iloc[:, position].map(lambda item: change(item) if isinstance(item, str) else item)
            changed.isetitem(position, texts.astype(kind).array)
    return changed


def _columns(name: str, given: Iterable[str]) -> list[str]:
    """Columns of a table; of a study of three or more arms the comparison stands before them."""
    return [*([COMPARISON] if COMPARISON in given else []), *ARTEFACTS[name].columns]


def read_table(folder: Path, name: str) -> pd.DataFrame | None:
    """A table as it was written: text as text, an empty one where there is none; None where the run has no such table.

    Raises `StoreError` where it is none of this program's.
    """
    artefact = ARTEFACTS[name]
    path = folder / artefact.pattern
    if not path.is_file():
        return None
    text = [*(column for column in artefact.columns if column in TEXT), COMPARISON]
    try:
        frame = pd.read_csv(
            path,
            dtype=dict.fromkeys(text, str),
            keep_default_na=False,
            na_values={column: ["", "nan"] for column in artefact.columns if column not in TEXT},
            float_precision="round_trip",
        )
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read {path}: {error}") from error
    if list(frame.columns) != _columns(name, frame.columns):
        raise StoreError(f"{path} has other columns than this version writes: run it again")
    return as_said(frame)


def read_rows[T](folder: Path, name: str, kind: type[T]) -> list[T]:
    """A table whose columns are the fields of a dataclass, as its rows (without the comparison). Raises `StoreError` where there is no such table."""
    frame = read_table(folder, name)
    if frame is None:
        raise StoreError(f"no {ARTEFACTS[name].pattern} in {folder}")
    hints = get_type_hints(kind)
    frame = frame.drop(columns=COMPARISON, errors="ignore")
    for column in frame.columns:
        if isinstance(hints[column], type) and issubclass(hints[column], Enum):
            frame[column] = [hints[column](value) for value in frame[column]]
    build: Any = kind
    return [build(**{str(key): value for key, value in row.items()}) for row in frame.to_dict("records")]


def read_arrays(folder: Path, name: str, *keys: str) -> xr.Dataset | None:
    """Arrays of a run in memory; None where it has none."""
    path = path_of(folder, name, *keys)
    if not path.is_file():
        return None
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        return stored.load()
