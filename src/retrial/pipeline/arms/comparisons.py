"""A verb on a study of whatever arms: one comparison after the other, their tables joined, one page."""

from __future__ import annotations

import functools
import itertools
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retrial.audit.all_arms import checks_of_all_arms, is_of_pair, named_check
from retrial.audit.check import Check, to_frame
from retrial.audit.run import audited
from retrial.dims import TOTAL
from retrial.errors import DataError, PriorError
from retrial.estimate import Estimate
from retrial.pipeline.results import audit_files
from retrial.pipeline.tables import patient_checks
from retrial.report.comparisons import Comparison, write_joint_report
from retrial.report.labels import models_called
from retrial.report.page import LAYERS
from retrial.run_config import RunConfig
from retrial.store.artefacts import COMPARISON, TABLES, path_of
from retrial.store.manifest import describe
from retrial.store.tables import read_rows, read_table, write_table
from retrial.study.arms.many import MultiArmStudy
from retrial.study.arms.names import ArmNames
from retrial.study.study import Study

log = logging.getLogger("retrial")
Work = Callable[[RunConfig, Study, Path], Sequence[str]]
_AS_THEY_ARE = (
    *("endpoint", "quantity", "model", "prior", "parameter", "unit", "statistic", "method", "interval_kind", "event", "variant"),
    *("where", "family", "measure", "per", "distribution", "hazard_ratio", "chi_square", "median_ci"),
)
"""Columns of text in which no arm is named."""


def each_comparison(work: Work) -> Callable[[RunConfig, Study | MultiArmStudy, Path], Sequence[str]]:
    """The verb for a study of whatever arms; its files call the arms as the study file does."""

    @functools.wraps(work)
    def of_all_arms(run: RunConfig, study: Study | MultiArmStudy, folder: Path) -> Sequence[str]:
        if isinstance(study, MultiArmStudy):
            return _one_after_the_other(work, run, study, folder)
        failures = list(work(run, study, folder))
        for name in TABLES if not study.names.are_roles else ():
            for place in (folder, folder / "tables"):
                if (frame := read_table(place, name)) is not None:
                    write_table(place, name, named(frame, study.names))
        return failures

    return of_all_arms


def _one_after_the_other(work: Work, run: RunConfig, study: MultiArmStudy, folder: Path) -> list[str]:
    """Every comparison in a folder of its own, whose tables and page then go up, joined. Raises where none can be done."""
    failures, refused, done = [], [], []
    for words in not_independent(study):
        log.info("%s", words)
    for pair in study.comparisons():
        names = pair.names
        place = folder / names.key
        place.mkdir()
        log.info("%s", names.words)
        try:
            failures += [f"{names.words}: {names.prose(line)}" for line in work(run, pair, place)]
            done.append(pair)
        except (DataError, PriorError) as error:
            log.info("%s: not done: %s", names.words, names.prose(str(error)))
            refused.append(error)
    if not done:
        raise refused[0]
    pages = [_page(pair, folder / pair.names.key) for pair in done]
    checks = checks_of_all_arms(study)
    if all(page.pages for page in pages):
        with models_called({name: spec.label for name, spec in run.models.items()}):
            write_joint_report(study, joined_checks(checks, pages), pages, not_independent(study), described(run, study), folder)
    _join_audits(checks, pages, folder)
    _join_tables(study, done, folder)
    return failures


def described(run: RunConfig, study: MultiArmStudy) -> dict[str, Any]:
    """The manifest as the page shows it: as of a study of two arms."""
    manifest = describe(run, study.whole, [], 0.0)
    manifest.pop("wall_seconds")
    return manifest


def not_independent(study: MultiArmStudy) -> list[str]:
    """One sentence for every arm that several comparisons share."""
    found = []
    for arm in study.arms:
        sharing = [pair.names.words for pair in study.comparisons() if arm in pair.names.roles]
        if len(sharing) > 1:
            listed = f"{', '.join(sharing[:-1])} and {sharing[-1]}"
            found.append(
                f"The comparisons {listed} share the arm {arm}: they are not independent, and no joint probability is formed of them."
            )
    return found


def _page(pair: Study, place: Path) -> Comparison:
    """What the joint pages take from a comparison's folder."""
    paths = {layer: path_of(place, layer) for layer in LAYERS}
    written = {layer: path.read_text(encoding="utf-8") for layer, path in paths.items() if path.is_file()}
    for path in paths.values():
        path.unlink(missing_ok=True)
    estimates = read_rows(place, "estimates", Estimate) if path_of(place, "estimates").is_file() else []
    checks = read_rows(place, "audit", Check) if path_of(place, "audit").is_file() else []
    return Comparison(pair, written, estimates, [named_check(check, pair.names) for check in checks if is_of_pair(check)])


def joined_checks(checks: Sequence[Check], pages: Sequence[Comparison]) -> list[Check]:
    """Checks of all arms together, then those of the comparisons, each once: an arm's own are the same in all of its comparisons."""
    return list(dict.fromkeys([*checks, *itertools.chain.from_iterable(page.checks for page in pages)]))


def _join_audits(checks: Sequence[Check], pages: Sequence[Comparison], folder: Path) -> None:
    """audit.csv: what is of all arms or of one, then what is of two."""
    if not any(path_of(folder / page.key, "audit").is_file() for page in pages):
        return
    parts = [to_frame(checks).assign(**{COMPARISON: ""})]
    parts += [to_frame(page.checks).assign(**{COMPARISON: page.study.names.words}) for page in pages]
    write_table(folder, "audit", _once(pd.concat(parts, ignore_index=True)))
    for page in pages:
        path_of(folder / page.key, "audit").unlink()


def _join_tables(study: MultiArmStudy, pairs: Sequence[Study], folder: Path) -> None:
    """Each table of the comparisons as one, with a column that says which; rows that several have (an arm's own) once, without it."""
    for name in TABLES:
        parts: list[pd.DataFrame] = []
        for pair in pairs:
            place = folder / pair.names.key
            if (frame := read_table(place, name)) is not None:
                frame = named(frame, pair.names)
                write_table(place / "tables", name, frame) if (place / "tables").is_dir() else None
                parts.append(_of_pair(_with_note(frame, pair.names, study), pair.names))
                path_of(place, name).unlink()
        if parts:
            write_table(folder, name, _once(pd.concat(parts, ignore_index=True)))


def _of_pair(frame: pd.DataFrame, names: ArmNames) -> pd.DataFrame:
    """With the comparison, but for numbers of a covariate's groups, which are of no arms."""
    if "contrast" not in frame.columns:
        return frame.assign(**{COMPARISON: names.words})
    of_arms = {*names.roles, TOTAL, names.words, names.words.replace(" / ", " - ")}
    return frame.assign(**{COMPARISON: [names.words if one in of_arms else "" for one in frame["contrast"]]})


def _once(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows that are the same in several comparisons once, and of no comparison."""
    about = [column for column in frame.columns if column != COMPARISON]
    shared = frame.duplicated(about, keep=False)
    kept = frame.assign(**{COMPARISON: frame[COMPARISON].where(~shared, "")})
    return kept[~frame.duplicated(about)]


def _with_note(frame: pd.DataFrame, names: ArmNames, study: MultiArmStudy) -> pd.DataFrame:
    """Comparisons of the arms with the note that another comparison shares one."""
    if not {"contrast", "note", "quantity"} <= set(frame.columns):
        return frame
    others = [one.names for one in study.comparisons() if one.names.words != names.words]
    shared = {arm: [one.words for one in others if arm in one.roles] for arm in names.roles}
    words = "; ".join(f"shares the arm {arm} with {', '.join(found)}: not independent" for arm, found in shared.items() if found)
    if not words:
        return frame
    compared = frame["contrast"].isin([names.words, names.words.replace(" / ", " - ")])
    return frame.assign(note=frame["note"].where(~compared, [f"{note}; {words}" if note else words for note in frame["note"]]))


def named(frame: pd.DataFrame, names: ArmNames) -> pd.DataFrame:
    """A table of a run with the arms called as the study file calls them."""
    if names.are_roles:
        return frame
    changed = {}
    for column in frame.columns:
        of = {"contrast": names.contrast, "arm": names.of, "path": names.path}.get(str(column), names.prose)
        if column not in _AS_THEY_ARE and (
            pd.api.types.is_object_dtype(frame[column]) or pd.api.types.is_string_dtype(frame[column])
        ):
            changed[column] = [of(value) if isinstance(value, str) else value for value in frame[column]]
    return frame.assign(**changed)


@each_comparison
def write_audit(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """audit.csv alone."""
    audit_files([*audited(study)[0], *patient_checks(run, study)]).write(folder)
    return []
