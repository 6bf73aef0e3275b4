"""Covariates of patients: columns of their file as the columns of a design matrix, and everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.dims import ARMS, EXPERIMENTAL, MONTHS_PER_UNIT
from retrial.errors import DataError
from retrial.study.arms.names import ArmNames
from retrial.study.sections import PatientCovariate, PatientFile
from retrial.study.study import Study
from retrial.tables.patients import PatientReader, numbers

MOST_LEVELS = 20
"""Levels of a categorical covariate: a column with more is mostly an identifier, or a number with a slip."""
MOST_COLUMNS = 40
"""Columns of all covariates together."""
LARGEST = 1e12
"""Largest size of a number."""
_DEPENDENT = 1e-6
"""Share of a column's length that the others must leave of it."""
_SHOWN = 10
_SHOWN_CHARACTERS = 20
NUMERIC, CATEGORICAL = "numeric", "categorical"
_EMPTY = frozenset({"", "na", "n/a", "nan", ".", "?"})
"""Cells that hold no value, in small letters. "none", "null" and "-" may be levels (no ascites, a negative marker)."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the design matrix: (x - `centre`) / `scale` of a numeric covariate, or 1 for a `level` and 0 for all others.

    `reference` is the level that it is compared with; both are empty of a numeric covariate. `label` is the covariate in words.
    """

    covariate: str
    label: str
    level: str = ""
    reference: str = ""
    centre: float = 0.0
    scale: float = 1.0

    @property
    def contrast(self) -> str:
        """ "celltype large / celltype squamous", "age, one SD more"."""
        if self.level:
            return f"{self.covariate} {self.level} / {self.covariate} {self.reference}"
        return f"{self.covariate}, one SD more"

    @property
    def of_a_unit(self) -> str:
        """ "age, one unit more", of a numeric covariate."""
        return f"{self.covariate}, one unit more"

    @property
    def words(self) -> str:
        """How the column was made."""
        if self.level:
            return f"{self.label}: {self.level} against {self.reference}"
        return f"{self.label}: mean {self.centre:.6g}, SD {self.scale:.6g}"


@dataclass(frozen=True, eq=False)
class CovariateRows:
    """The patients of a file who have every covariate, one row each; times in months.

    time, event (0, 1), experimental (0, 1), entry (0 from the start)   (patient,)
    values   (patient, column) of `columns`, numeric ones with mean 0 and SD 1 over these patients
    covariates   names in the order of the study file;  left_out: patients without a value of one or more;  missing: how many of each
    """

    covariates: tuple[str, ...]
    columns: tuple[Column, ...]
    time: np.ndarray
    event: np.ndarray
    experimental: np.ndarray
    entry: np.ndarray
    values: np.ndarray
    left_out: int
    missing: Mapping[str, int]

    @property
    def names(self) -> str:
        """The covariates as `adjusted_for` has them."""
        return ", ".join(self.covariates)

    @property
    def words(self) -> list[str]:
        """Sentences: how each column was made, and who is left out."""
        told = [f"covariates: {'; '.join(column.words for column in self.columns)}"]
        if self.left_out:
            of = ", ".join(f"{name} {count}" for name, count in self.missing.items() if count)
            told.append(f"{self.left_out} of {self.left_out + self.time.size} patients are left out for a missing value ({of})")
        return told


def covariates_of(study: Study, folder: Path, key: str) -> CovariateRows | None:
    """Patients of an endpoint with their covariates, from the file that lies in or below `folder`; None where the study file names none.

    Raises `DataError` as `read_covariates` does.
    """
    endpoint = study.endpoints[key]
    layout, asked = endpoint.patients, endpoint.adjusts_for
    if layout is None or not asked:
        return None
    labels = {study.arm(arm).label: arm for arm in study.names.roles.values() if study.arm(arm).label}
    where = f"endpoints.{key}.covariates" if endpoint.covariates else f"endpoints.{key}.patients.covariates"
    return read_covariates(folder / layout.file, study.time_unit, layout, asked, where, labels, study.names)


def read_covariates(
    path: Path,
    time_unit: str,
    layout: PatientFile,
    asked: Mapping[str, PatientCovariate],
    key: str,
    labels: Mapping[str, str] | None = None,
    names: ArmNames = ArmNames(),  # noqa: B008 - frozen
) -> CovariateRows:
    """Patients of both arms with their covariates, those with a missing value left out.

    `asked` maps columns of the file to how they are read, `key` is where the study file has them ("endpoints.os.covariates"); other arguments
    are those of `read_patients`. Raises `DataError` for a column that is missing, constant, of too many levels, of numbers and texts mixed, told
    by the arm or by other covariates, and where an arm has nobody left: all covariates at once.
    """
    reader = PatientReader(path, layout, {**(labels or {}), **names.roles}, names)
    time, event, arm, entry, mine = reader.columns()
    texts = _texts(reader, asked, key, mine)
    columns, values, problems = list[Column](), list[np.ndarray](), list[str]()
    gone = {name: np.array([_is_empty(text) for text in texts[name]], dtype=bool) for name in asked}
    kept = ~np.logical_or.reduce(list(gone.values()))
    experimental = (arm == ARMS.index(EXPERIMENTAL)).astype(np.int64)
    problems += _who_is_left(kept, event, experimental, gone, names, key)
    for name, how in asked.items() if not problems else ():
        try:
            found = _columns(name, how, np.array(texts[name])[kept], layout.decimal, f"{key}.{name}")
        except DataError as error:
            problems += error.problems
        else:
            columns += [column for column, _ in found]
            values += [value for _, value in found]
    if not problems:
        problems = list(_dependent(columns, values, experimental[kept], key))
    if problems:
        raise DataError(f"cannot use the covariates in {path}", problems)
    months = MONTHS_PER_UNIT[layout.time_unit or time_unit]
    return CovariateRows(
        tuple(asked),
        tuple(columns),
        time[kept] * months,
        event[kept].astype(np.int64),
        experimental[kept],
        np.zeros(int(kept.sum())) if entry is None else entry[kept] * months,
        np.stack(values, axis=1),
        int((~kept).sum()),
        {name: int(mask.sum()) for name, mask in gone.items()},
    )


def _texts(reader: PatientReader, asked: Mapping[str, PatientCovariate], key: str, mine: np.ndarray) -> pd.DataFrame:
    """The columns of the covariates as texts, of the patients `mine`."""
    delimiter, header = reader.header()
    absent = [name for name in asked if name not in header]
    if absent:
        known = {reader.layout.time, reader.layout.event, reader.layout.arm, reader.layout.entry}
        others = [name for name in header if name not in known]
        raise DataError(
            f"cannot use the covariates in {reader.path}",
            [f"{key}: got {', '.join(absent)}, no column of the file; allowed are {_listed(others) or 'none: it has no others'}"],
        )
    frame = pd.read_csv(
        reader.path,
        sep=delimiter,
        names=header,
        header=0,
        index_col=False,
        usecols=list(asked),
        dtype=str,
        na_filter=False,
        encoding="utf-8-sig",
        skipinitialspace=delimiter != "\t",
    )
    return frame[mine].apply(lambda column: column.str.strip())


def _who_is_left(
    kept: np.ndarray, event: np.ndarray, experimental: np.ndarray, gone: Mapping[str, np.ndarray], names: ArmNames, key: str
) -> Iterator[str]:
    """An arm without patients or events after those with missing values are left out."""
    by_role = {role: name for name, role in names.roles.items()}
    most = max(gone, key=lambda name: int(gone[name].sum()))
    remedy = f"fill in the cells, or take the covariate with most of them missing, {most} ({int(gone[most].sum())}), out of {key}"
    for place, role in enumerate(ARMS):
        left = kept & (experimental == place)
        if role in by_role and not left.any():
            yield f"{key}: got nobody in {by_role[role]} with a value of every covariate; {remedy}"
    if kept.any() and not event[kept].any():
        yield f"{key}: got no event among the {int(kept.sum())} patients with a value of every covariate; {remedy}"


def _columns(
    name: str, how: PatientCovariate, texts: np.ndarray, decimal: str | None, key: str
) -> list[tuple[Column, np.ndarray]]:
    """Design columns of one covariate without missing values."""
    levels, codes, counts = np.unique(texts, return_inverse=True, return_counts=True)
    if levels.size == 1:
        problem = f"{key}: got one value, {levels[0][:_SHOWN_CHARACTERS]!r}, in all {texts.size} patients; allowed is a column that varies"
        raise DataError("", [f"{problem}: take it out of covariates"])
    if how.kind != CATEGORICAL:
        values, why = numbers(list(levels), decimal)
        bad = [str(level) for level in levels[np.isnan(values)]]
        if not bad:
            return [_numeric(name, how, values[codes], key)]
        if how.kind == NUMERIC or len(bad) < levels.size:
            shown = _listed([repr(text[:_SHOWN_CHARACTERS]) for text in bad])
            remedy = "correct or empty the cells (patients with an empty one are left out)"
            if how.kind is None:
                remedy += f", or write kind: {CATEGORICAL} for {key}"
            raise DataError("", [f"{key}: {why or f'got {shown} among numbers; allowed are numbers alone'}; {remedy}"])
    return _categorical(name, how, levels, codes, counts, key)


def _numeric(name: str, how: PatientCovariate, values: np.ndarray, key: str) -> tuple[Column, np.ndarray]:
    if np.abs(values).max() > LARGEST:
        raise DataError("", [f"{key}: got {values[np.abs(values).argmax()]:g}; allowed are numbers of a size up to {LARGEST:g}"])
    centre, scale = float(values.mean()), float(values.std(ddof=1))
    if not scale > 1e-9 * np.abs(values).max():
        raise DataError(
            "", [f"{key}: got values that differ by {np.ptp(values):.2g} about {centre:g}; allowed is a column that varies"]
        )
    return Column(name, how.label or name, centre=centre, scale=scale), (values - centre) / scale


def _categorical(
    name: str, how: PatientCovariate, levels: np.ndarray, codes: np.ndarray, counts: np.ndarray, key: str
) -> list[tuple[Column, np.ndarray]]:
    if levels.size > MOST_LEVELS:
        problem = f"{key}: got {levels.size} levels ({_listed(list(levels))}); allowed are up to {MOST_LEVELS}"
        raise DataError("", [f"{problem}: group them in the file, or take it out of covariates"])
    known = {str(level).casefold(): place for place, level in enumerate(levels)}
    reference = int(counts.argmax())
    if how.reference:
        place = known.get(how.reference.strip().casefold())
        if place is None:
            raise DataError("", [f"{key}.reference: got {how.reference!r}; allowed are the levels {_listed(list(levels))}"])
        reference = place
    against = str(levels[reference])
    return [
        (Column(name, how.label or name, str(level), against), (codes == place).astype(float))
        for place, level in enumerate(levels)
        if place != reference
    ]


def _dependent(columns: Sequence[Column], values: Sequence[np.ndarray], experimental: np.ndarray, key: str) -> Iterator[str]:
    """Columns that the arm and the columns before them tell, and more columns than patients can tell."""
    size = experimental.size
    if len(columns) > MOST_COLUMNS or len(columns) + 2 >= size:
        yield f"{key}: got {len(columns)} columns of all covariates for {size} patients; allowed are up to {min(MOST_COLUMNS, size - 3)}"
        return
    of_arms = [np.ones(size), experimental.astype(float)] if np.ptp(experimental) else [np.ones(size)]
    basis = np.linalg.qr(np.stack(of_arms, axis=1))[0]
    for place, (column, value) in enumerate(zip(columns, values, strict=True)):
        length = np.linalg.norm(value - value.mean())
        left = value - basis @ (basis.T @ value)
        left -= basis @ (basis.T @ left)
        if np.linalg.norm(left) > _DEPENDENT * length:
            basis = np.column_stack([basis, left / np.linalg.norm(left)])
            continue
        named = column.covariate + (f" ({column.level})" if column.level else "")
        of_arm = abs(np.corrcoef(value, experimental)[0, 1]) > 1 - _DEPENDENT
        earlier = list(dict.fromkeys(item.covariate for item in columns[:place]))
        told = "the arm" if of_arm else f"the arm and {', '.join(earlier)}"
        yield (
            f"{key}: got {named}, which {told} {'tells' if of_arm else 'together tell'} without error, so that its effect cannot be told"
            f" from theirs; take {column.covariate} out of covariates"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(str(name)[:_SHOWN_CHARACTERS] for name in names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


def _is_empty(text: object) -> bool:
    return str(text).strip().casefold() in _EMPTY
