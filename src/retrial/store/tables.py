"""The one way to write and to read a table of a run: its columns and their types are those of `artefacts`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from retrial.errors import StoreError
from retrial.store.artefacts import ARTEFACTS, TEXT


def write_table(folder: Path, name: str, frame: pd.DataFrame) -> None:
    """Write a table; nothing where it has no rows. A column that it lacks stays empty; raises `StoreError` for one that is not listed."""
    artefact = ARTEFACTS[name]
    if frame.empty:
        return
    if unknown := [column for column in frame.columns if column not in artefact.columns]:
        raise StoreError(
            f"{artefact.pattern} has no columns {', '.join(map(str, unknown))}; list them in retrial.store.artefacts"
        )
    complete = frame.reindex(columns=list(artefact.columns))
    complete.to_csv(folder / artefact.pattern, index=False, float_format=artefact.digits, lineterminator="\n")


def read_table(folder: Path, name: str) -> pd.DataFrame | None:
    """A table as it was written: text as text, an empty one where there is none; None where the run has no such table.

    Raises `StoreError` where it is none of this program's.
    """
    artefact = ARTEFACTS[name]
    path = folder / artefact.pattern
    if not path.is_file():
        return None
    text = [column for column in artefact.columns if column in TEXT]
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
    if list(frame.columns) != list(artefact.columns):
        raise StoreError(f"{path} has other columns than this version writes: run it again")
    return frame
