"""An experiment: a question, the runs that answer it, which of their numbers are the answer, and the page that says so."""

from __future__ import annotations

import fnmatch
import itertools
import math
import string
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from retrial.app.door.command_line import MOST_RUNS
from retrial.app.door.own_folder import EXPERIMENT as GROUP
from retrial.app.door.own_folder import NO_EXPERIMENT, is_name, read_own
from retrial.errors import ConfigError, StoreError
from retrial.report.format import probability as shown_probability
from retrial.report.format import ratio as shown
from retrial.store.files import write_whole
from retrial.store.tables import as_said, spelled_out
from retrial.validate import is_number

PROGRAMS = "retrial.experiments"
ANSWER, PAGE = "answer.csv", "README.md"
CELL = "run"
"""Column of an answer: what was chosen for the run that a number is of; empty where there is one run."""
NUMBERS = ("point", "lower", "upper", "probability")
WORKERS = "workers"
"""Setting of a program: how many processes it starts."""
STATUS = "status"
OK = "ok"
NOT_RUN, OUTDATED = "Not run yet.", "Of an earlier version of the question: run it again."
_FORMS = ("least", "most", "count")
_DIGITS = "%.6g"
_ROWS_SHOWN = 60
_BEGIN, _END = "<!-- written by `{command}` from here -->", "<!-- to here; what stands outside is kept -->"


class Selection(BaseModel):
    """Which rows of a table are part of the answer.

    file         a table of the run folder; with * the tables of that pattern, one below the other
    where        column -> values that a row may have in it
    columns      columns that say what a row is of
    values       point, lower, upper, status -> the table's column, where that is called otherwise
    probability  column -> values of the row that holds the probability of a row of the answer, where other than in `where`
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    file: str = Field(default="estimates.csv", pattern=r"^[A-Za-z0-9_*][A-Za-z0-9_.*-]*\.csv$")
    where: dict[str, list[Any]] = Field(default_factory=dict)
    columns: list[str] = ["endpoint", "quantity", "time", "contrast", "adjusted_for", "model", "prior", "variant"]
    values: dict[str, str] = Field(default_factory=dict)
    probability: dict[str, list[Any]] = Field(default_factory=dict)

    @field_validator("columns")
    @classmethod
    def _each_once(cls, columns: list[str]) -> list[str]:
        if len(set(columns)) < len(columns) or {*columns} & {CELL, *NUMBERS, STATUS}:
            raise ValueError(f"allowed are columns of the table, each once, but {', '.join((CELL, *NUMBERS, STATUS))}")
        return columns


class Experiment(BaseModel):
    """One file of the experiment group, under its key `experiment`.

    question  what is asked
    verb      which verb answers it, or `program`: a module of retrial.experiments with main(folder, **settings) -> failures
    choices   key -> values; every combination is a run
    answer    the rows that are the answer
    sentence  the answer in words; {os hazard_ratio prior=flat} stands for the row that has these cells, as "point (lower to upper)",
              {...:probability} for one of its numbers, {...:least}, {...:most} and {...:count} for all such rows. In a cell's name
              _ is a space and * anything; "variant=" is an empty cell
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    question: str
    verb: Literal["", "reanalyse", "audit", "reconstruct", "fit", "sensitivity"] = ""
    program: str = Field(default="", pattern=r"^(retrial\.experiments\.[a-z_]+\.study)?$")
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    choices: dict[str, list[Any]] = Field(default_factory=dict)
    answer: list[Selection]
    sentence: str

    @property
    def command(self) -> str:
        return f"retrial experiment {self.name}"

    def runs(self) -> list[dict[str, str]]:
        """Overrides of every run, as Hydra writes them."""
        combined = itertools.product(*self.choices.values())
        return [dict(zip(self.choices, map(_hydra_value, values), strict=True)) for values in combined]


def _hydra_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_hydra_value, value))}]"
    return "null" if value is None else str(value)


def _package() -> Path:
    return Path(str(resources.files("retrial.conf")))


def experiment_files(own: Path | None = None) -> dict[str, Path]:
    """Files of the built-in group and of a folder of one's own, which comes first, by name."""
    folders = [_package(), *([own] if own is not None else [])]
    files = {path.stem: path for folder in folders for path in sorted(folder.glob(f"{GROUP}/*.yaml"))}
    return {name: path for name, path in sorted(files.items()) if name != NO_EXPERIMENT and is_name(name)}


def read_experiment(path: Path) -> Experiment:
    """One experiment. Raises `ConfigError` with all its problems."""
    title = f"cannot use the experiment {path}"
    section = read_own(path, GROUP, path.parents[1]).get(GROUP)
    if not isinstance(section, dict):
        raise ConfigError(title, [f"{GROUP}: missing; needed are question, verb (or program), answer, sentence"])
    try:
        found = Experiment.model_validate({**section, "name": path.stem})
    except ValidationError as error:
        problems = [f"{GROUP}.{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(title, problems) from error
    wrong = list(_sentence_problems(found.sentence))
    if WORKERS in found.settings and not path.resolve().is_relative_to(_package().resolve()):
        wrong.append(f"{GROUP}.settings.{WORKERS}: got it in a file of --config-dir; allowed on the command line alone")
    if (runs := math.prod(map(len, found.choices.values()))) > MOST_RUNS:
        wrong.append(f"{GROUP}.choices: got {runs:.3g} combinations; allowed are {MOST_RUNS}")
    if wrong:
        raise ConfigError(title, wrong)
    if bool(found.verb) == bool(found.program):
        raise ConfigError(title, [f"{GROUP}.verb: got {found.verb!r} and the program {found.program!r}; allowed is one of them"])
    if found.program and not resources.files(PROGRAMS).joinpath(found.program.split(".")[-2], "study.py").is_file():
        raise ConfigError(title, [f"{GROUP}.program: got {found.program!r}; there is no such file in experiments/"])
    return found


def _sentence_problems(text: str) -> Iterator[str]:
    allowed = ", ".join((*NUMBERS, *_FORMS))
    try:
        forms = [form for _, field, form, _ in string.Formatter().parse(text) if field is not None]
    except ValueError as error:
        yield f"{GROUP}.sentence: {error}; allowed are {{cells}} and {{cells:FORM}}, with a FORM of {allowed}"
        return
    for form in forms:
        if form and form not in (*NUMBERS, *_FORMS):
            yield f"{GROUP}.sentence: got the form {form!r}; allowed are {allowed}"


def select(selection: Selection, folder: Path, cell: str = "") -> pd.DataFrame:
    """Rows of a run folder that are the answer: the run, what each row is of, point, lower, upper, probability, status.

    Raises `StoreError` where the folder has no such table, column or row.
    """
    paths = sorted(folder.glob(selection.file))
    if not paths:
        raise StoreError(f"{folder}: no {selection.file}, in which the answer would be")
    table = pd.concat([_read(path) for path in paths], ignore_index=True)
    needed = {*selection.where, *selection.probability, *selection.columns, *selection.values.values()}
    if unknown := sorted(needed - set(table.columns)):
        known = ", ".join(map(str, table.columns))
        raise StoreError(f"{folder}: {selection.file} has no column {', '.join(unknown)}; it has {known}")
    chosen = _rows(table, selection.where)
    if chosen.empty:
        raise StoreError(f"{folder}: no row of {selection.file} has {selection.where}")
    found = chosen[selection.columns].copy()
    found.insert(0, CELL, cell)
    for name in NUMBERS:
        column = selection.values.get(name, name)
        try:
            found[name] = pd.to_numeric(chosen[column]) if column in chosen else float("nan")
        except ValueError as error:
            raise StoreError(f"{folder}: the column {column} of {selection.file} holds no numbers") from error
    found[STATUS] = chosen.get(selection.values.get(STATUS, STATUS), OK)
    if selection.probability:
        found["probability"] = _probabilities(table, chosen, selection)
    return found


def _read(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    text = [name for name in frame if frame[name].isna().all() or not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.assign(**{str(name): frame[name].astype(object).where(frame[name].notna(), "") for name in text})


def _rows(table: pd.DataFrame, where: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    kept = pd.Series(True, index=table.index)
    for column, allowed in where.items():
        values = table[column]
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        kept &= (
            values.isin([float(item) for item in allowed if is_number(item)])
            if number
            else values.astype(str).isin(list(map(str, allowed)))
        )
    return table[kept]


def _probabilities(table: pd.DataFrame, chosen: pd.DataFrame, selection: Selection) -> pd.Series:
    """The point of the row that differs from each row of the answer only in the columns of `probability`."""
    keys = [name for name in selection.columns if name not in selection.probability]
    others = _rows(table, {**selection.where, **selection.probability})[[*keys, "point"]]
    if others.duplicated(keys).any():
        raise StoreError(f"several rows of {selection.file} have {selection.probability} for one row of the answer")
    return chosen[keys].merge(others, on=keys, how="left")["point"].set_axis(chosen.index)


def write_answer(frame: pd.DataFrame, path: Path) -> None:
    """An answer as CSV, numbers to the digits that a reader compares."""
    write_whole(path, spelled_out(frame).to_csv(index=False, float_format=_DIGITS, lineterminator="\n"))


def read_answer(path: Path) -> pd.DataFrame:
    """An answer: numbers as such, all else as the text that stands there."""
    frame = as_said(pd.read_csv(path, dtype=str, keep_default_na=False))
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in NUMBERS})


def sentence(experiment: Experiment, answer: pd.DataFrame) -> str:
    """The answer in words. Raises `ConfigError` where a place in the sentence is not one row's."""
    parts: list[str] = []
    for literal, field, form, _ in string.Formatter().parse(experiment.sentence):
        parts.append(literal)
        if field is not None:
            parts.append(_number(field, form or "", answer, experiment.name))
    failed = int((answer[STATUS] != OK).sum())
    return "".join([*parts, f" ({failed} of {len(answer)} rows failed.)" if failed else ""])


def _number(field: str, form: str, answer: pd.DataFrame, name: str) -> str:
    rows = [row for row in answer.to_dict("records") if all(fnmatch.filter(_cells(row), token) for token in field.split())]
    if form == "count":
        return str(len(rows))
    if form in ("least", "most") and rows:
        return shown((min if form == "least" else max)(row["point"] for row in rows))
    if len(rows) != 1:
        raise ConfigError(
            f"experiment {name}",
            [f"sentence: {{{field}}} is {len(rows)} rows of the answer; allowed is a choice of cells of one row"],
        )
    return _interval(rows[0]) if not form else _formatted(form, rows[0][form])


def _cells(row: Mapping[Any, Any]) -> list[str]:
    """What a row is of, as "value" and "column=value", and each choice of its run; a space is written _."""
    named = [(str(key), str(value)) for key, value in row.items() if key not in (*NUMBERS, CELL)]
    cells = [*(value for _, value in named), *(f"{key}={value}" for key, value in named), *str(row[CELL]).split("; ")]
    return [cell.replace(" ", "_") for cell in cells if cell]


def _formatted(name: str, value: float) -> str:
    return shown_probability(value) if name == "probability" else shown(value)


def _interval(row: Mapping[Any, Any]) -> str:
    if pd.isna(row["lower"]):
        return shown(row["point"])
    return f"{shown(row['point'])} ({shown(row['lower'])} to {shown(row['upper'])})"


def page(experiment: Experiment, answer: pd.DataFrame | None, before: str) -> str:
    """An experiment's page: question, command, answer, table (None: not run yet); what else stands in the page `before` is kept."""
    lines = [
        f"**Question.** {experiment.question}",
        "",
        f"**Command.** `{experiment.command}`" + _same_as(experiment),
        "",
        *([NOT_RUN] if answer is None else [f"**Answer.** {sentence(experiment, answer)}", "", *_table(answer, experiment)]),
    ]
    return _between(before or f"# {experiment.name}\n", experiment.command, lines)


def _same_as(experiment: Experiment) -> str:
    if experiment.program:
        return f": runs `{experiment.program}`, whose tables are in `results/`."
    keys = "".join(f" {key}=..." for key in experiment.choices)
    times = f" for each of {len(runs)} choices" if len(runs := experiment.runs()) > 1 else ""
    return f": runs `retrial {experiment.verb} experiment={experiment.name}{keys}`{times}."


def _headers(experiment: Experiment) -> dict[str, str]:
    """What a number is called at the head of a table: with the name of the file's column, where it has another."""
    told = {name: [item.values[name] for item in experiment.answer if name in item.values] for name in NUMBERS}
    return {name: f"{name} ({', '.join(dict.fromkeys(others))})" if others else name for name, others in told.items()}


def _probability_told(experiment: Experiment) -> str:
    """Which probability stands beside which quantity."""
    told = [(item.where.get("quantity", [""]), item.probability) for item in experiment.answer if item.probability]
    words = [
        f"{_joined(of)} ({', '.join(f'{k} {_joined(v)}' for k, v in row.items() if v != ['probability'])})" for of, row in told
    ]
    return f" The probability beside {'; '.join(words)}." if words else ""


def _joined(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values))


def _table(answer: pd.DataFrame, experiment: Experiment) -> list[str]:
    """Columns that differ between rows, as Markdown; what all rows have in common stands above it."""
    names = [str(name) for name in answer if name not in NUMBERS]
    common = {name: answer[name].iloc[0] for name in names if answer[name].nunique() == 1}
    kept = [name for name in names if name not in common]
    numbers = [name for name in NUMBERS if answer[name].notna().any()]
    told = ", ".join(f"{name} {value}" for name, value in common.items() if value)
    rows = [
        [*(str(row[name]) for name in kept), *(_formatted(name, row[name]) for name in numbers)]
        for row in answer.head(_ROWS_SHOWN).to_dict("records")
    ]
    more = [f"The first {_ROWS_SHOWN} of {len(answer)} rows; `{ANSWER}` has all.", ""] if len(answer) > _ROWS_SHOWN else []
    headers = _headers(experiment)
    header = [*kept, *(headers[name] for name in numbers)]
    return [f"All rows: {told}.{_probability_told(experiment)}", "", *more, *_markdown(header, rows)]


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[text.replace("|", "\\|") for text in row] for row in [header, ["---"] * len(header), *rows]]
    return [f"| {' | '.join(row)} |" for row in cells]


def index(experiments: Sequence[Experiment], catalogue: Path, before: str) -> str:
    """The catalogue's page: one row an experiment."""
    rows = [
        [f"[{item.name}]({item.name}/{PAGE})", item.question, f"`{item.command}`", _words(item, catalogue)]
        for item in experiments
    ]
    lines = _markdown(["experiment", "question", "command", "answer"], rows)
    return _between(before or "# Experiments\n", "retrial experiment", lines)


def _words(experiment: Experiment, catalogue: Path) -> str:
    """An answer in words; that of an earlier version of the question may lack rows of which the sentence speaks."""
    path = catalogue / experiment.name / ANSWER
    try:
        return sentence(experiment, read_answer(path)) if path.is_file() else NOT_RUN
    except ConfigError:
        return OUTDATED


def _between(before: str, command: str, lines: Sequence[str]) -> str:
    """The text with the lines between the marks; at its end where it has no marks."""
    begin = _BEGIN.format(command=command)
    head, found, rest = before.partition(begin)
    tail = rest.partition(_END)[2] if found else ""
    return "\n".join([head.rstrip("\n"), "", begin, "", *lines, "", _END, *(["", tail.strip("\n")] if tail.strip() else []), ""])
