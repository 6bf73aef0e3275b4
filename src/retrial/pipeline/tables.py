"""Life tables of a run's endpoints: patients where there are some, tables that carry the printed numbers where there are not."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from retrial.audit.check import Check
from retrial.dims import ARMS, MONTHS_PER_UNIT
from retrial.errors import ConfigError, DataError, ReconstructionError
from retrial.run_config import RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter
from retrial.store.stages import Stages
from retrial.study.arms.names import ArmNames
from retrial.study.sections import PatientFile
from retrial.study.study import Study
from retrial.tables.endpoint import FROM_PATIENTS, EndpointTables
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.findings.checks import joint_checks
from retrial.tables.findings.joint import of_the_paper
from retrial.tables.findings.patients import beside_print, first_event_time, patients_in_words
from retrial.tables.findings.probes import left_out
from retrial.tables.findings.spread import unsettled
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import Patients, read_patients
from retrial.tables.printed.agreement import fidelity
from retrial.tables.printed.digitised import Curve, read_curve
from retrial.tables.printed.from_study import is_adjusted, targets_from_study, treatment_effect
from retrial.tables.printed.targets import Targets
from retrial.tables.recorded import IN_WORDS
from retrial.tables.sample.cost import seconds_of
from retrial.tables.sample.engine import reconstruct

log = logging.getLogger("retrial")
PERCENT = 100
MINUTE = 60.0
LONG = 4 * MINUTE
"""CPU seconds of an endpoint's tables above which it is worth a word before the start."""
MOST_TIMES = 20_000
"""Different times of patients that survival models are fitted to: two minutes and 0.5 GB a fit with its criticism."""
LATE_ENTRY = "no tables are reconstructed of patients with late entry; a file of patients with its column of entries is analysed"


def chosen_endpoints(run: RunConfig, study: Study) -> list[str]:
    """Endpoints of a run, all of the study's where none is named. Raises `ConfigError` for one that the study lacks."""
    unknown = [name for name in run.endpoints if name not in study.endpoints]
    if unknown:
        raise ConfigError("cannot use the configuration", [f"endpoints: got {unknown}; allowed are {sorted(study.endpoints)}"])
    return list(run.endpoints or study.endpoints)


def check_inputs(run: RunConfig, study: Study) -> None:
    """Refuse unknown endpoints, and files of patients and curves that cannot be read, before anything is computed or written.

    Raises `DataError` with the faults of all files at once.
    """
    found: list[DataError] = []
    for key in chosen_endpoints(run, study):
        for read in (_patients_said if study.endpoints[key].patients else None, _curve):
            try:
                if read is not None:
                    read(run, study, key)
            except DataError as error:
                found.append(error)
    if len(found) > 1:
        raise DataError("cannot use the data files of the study", [line for error in found for line in str(error).splitlines()])
    if found:
        raise found[0]


def _patients_said(run: RunConfig, study: Study, key: str) -> None:
    for words in _from_patients(run, study, key).notes:
        log.info("%s: %s", key, words)


def refuse_too_many_times(run: RunConfig, study: Study) -> None:
    """Raises `DataError` where survival models would take too long: their work grows with the different times, not with the patients."""
    fitted = any(spec.kind.from_tables for spec in run.models.values())
    found = [_too_many_times(run, study, key) for key in chosen_endpoints(run, study) if fitted and study.endpoints[key].patients]
    if wrong := [line for line in found if line]:
        raise DataError("too many different times", wrong)


def _too_many_times(run: RunConfig, study: Study, key: str) -> str:
    times = patients_of(run, study, key).table.times / MONTHS_PER_UNIT[study.time_unit]
    if times.size <= MOST_TIMES:
        return ""
    least = float(times[-1]) / MOST_TIMES
    unit = next(step for step in (k * 10.0 ** math.floor(math.log10(least)) for k in (1, 2, 5, 10)) if step >= least)
    name = study.endpoints[key].data_files["patients"]
    told = f"endpoints.{key}.patients: got {times.size} different times in {name}; allowed are {MOST_TIMES}, at which a fit takes minutes"
    remedy = f"round the times in the file to whole {unit:g} {study.time_unit}"
    return f"{told}; {remedy}"


@dataclass(frozen=True, eq=False)
class Reconstructions:
    """Tables of the endpoints that have some, the "joint" family of the audit, the endpoints that no table fits, and what others lack."""

    tables: list[EndpointTables]
    checks: list[Check]
    failures: list[str]
    lacking: dict[str, str] = field(default_factory=dict)


def refused(study: Study, checks: Iterable[Check]) -> dict[str, tuple[str, ...]]:
    """What the audit leaves out of or changes in the survival numbers of each endpoint, and why; `study` as printed."""
    found: dict[str, list[str]] = {}
    for check in checks:
        if check.decision is None:
            continue
        section, name, *_ = check.decision.path.split(".")
        effect = study.effects.get(name) if section == "effects" else None
        if effect is not None and effect.is_treatment and not effect.adjusted_for:
            name = effect.endpoint
        elif section != "endpoints":
            continue
        done = check.decision.consequence.value.removeprefix("used as ")
        found.setdefault(name, []).append(f"{check.decision.path} {done}: {check.note}")
    return {name: tuple(texts) for name, texts in found.items()}


def endpoint_tables(
    run: RunConfig, study: Study, left_out_before: Mapping[str, tuple[str, ...]], stages: Stages
) -> Reconstructions:
    """Tables of every chosen endpoint that has patients or enough printed numbers; the others are named on stderr.

    `study` as the audit leaves it, `left_out_before` what it left out (`refused`).
    """
    given: dict[str, EndpointTables] = {}
    lacking: dict[str, str] = {}
    targets: dict[str, Targets] = {}
    outcomes: dict[str, Ensemble | ReconstructionError] = {}
    for key in chosen_endpoints(run, study):
        if study.endpoints[key].patients:
            given[key] = _from_patients(run, study, key)
            continue
        if missing := missing_of(study, key):
            lacking[key] = missing
            log.info("%s: no life tables, no survival model: %s", key, missing)
            continue
        targets[key] = dataclasses.replace(_targets(run, study, key), left_out=left_out_before.get(key, ()))
    left_out(run.probes, targets)  # refuses names that no endpoint prints, before the long part
    for key, known in targets.items():
        seed = integer_seed(run.seed, run.study_file.stem, key, "reconstruct")
        outcomes[key] = stages.run(f"tables.{key}", sampled, known, run.reconstruction, seed)
    whole = {key: item for key, item in outcomes.items() if isinstance(item, Ensemble) and not item.relaxed}
    outcomes |= of_the_paper(whole, targets, run.reading_rules, run.reconstruction, study.software)
    found = {key: _from_ensemble(study, targets[key], item) for key, item in outcomes.items() if isinstance(item, Ensemble)}
    tables = [(given | found)[key] for key in chosen_endpoints(run, study) if key in given or key in found]
    checks = joint_checks(targets, outcomes, each_reading=False)
    failures = [f"{key}: {outcome}" for key, outcome in outcomes.items() if isinstance(outcome, ReconstructionError)]
    return Reconstructions(tables, checks, failures, lacking)


def patients_of(run: RunConfig, study: Study, key: str) -> Patients:
    """An endpoint's file of patients. Raises `DataError` where it cannot be used."""
    endpoint = study.endpoints[key]
    layout = endpoint.patients
    if layout is None:
        raise DataError(f"endpoints.{key} has no patients")
    labels = tuple((study.arm(arm).label, arm) for arm in study.names.roles.values() if study.arm(arm).label)
    path = run.study_file.parent / layout.file
    told = path.stat() if path.is_file() else None
    stamp = None if told is None else (told.st_mtime_ns, told.st_size)
    patients = _read(path, stamp, study.time_unit, layout.model_dump_json(), labels, study.names)
    if endpoint.late_entry and patients.table.late is None:
        problem = f"endpoints.{key}.late_entry: got true, but nobody in {layout.file} enters after time 0"
        raise DataError(
            problem, [f"name the column with the times of entry in endpoints.{key}.patients.entry, or leave late_entry out"]
        )
    return patients


@functools.lru_cache(maxsize=4)
def _read(path: Path, _stamp: object, unit: str, layout: str, labels: tuple[tuple[str, str], ...], names: ArmNames) -> Patients:
    """A file of patients, read once by a command that needs it for its checks, its audit and its models."""
    return read_patients(path, unit, PatientFile.model_validate_json(layout), dict(labels), names)


def patient_checks(run: RunConfig, study: Study) -> list[Check]:
    """What the files of patients say of the numbers printed beside them; `study` as printed."""
    keys = [key for key in chosen_endpoints(run, study) if study.endpoints[key].patients is not None]
    return [check for key in keys for check in beside_print(study, key, patients_of(run, study, key).table)]


def _from_patients(run: RunConfig, study: Study, key: str) -> EndpointTables:
    endpoint, patients = study.endpoints[key], patients_of(run, study, key)
    unit = None if endpoint.recording_unit is None else endpoint.recording_unit.value * MONTHS_PER_UNIT[study.time_unit]
    if endpoint.reading != "exact":
        at_zero = unit or MONTHS_PER_UNIT[(endpoint.patients and endpoint.patients.time_unit) or study.time_unit]
        table = patients.table.on_recording_grid(at_zero, endpoint.reading)
    else:
        at_zero = first_event_time(patients, f"endpoints.{key}", unit)
        table = patients.table.with_first_events_at(at_zero)
    about = patients_in_words(patients.table, at_zero, endpoint.reading)
    source = f"{FROM_PATIENTS}: {endpoint.data_files['patients']}, {patients.size} rows"
    source += IN_WORDS[endpoint.reading]
    if patients.table.late is not None:
        source += f", {int(patients.table.late.count.sum())} with late entry"
    return EndpointTables(key, table, np.ones(1), endpoint.reading, source, notes=tuple(about))


def as_recorded(table: LifeTable, study: Study, key: str) -> LifeTable:
    """With a row for every recording unit where events are known to their unit."""
    endpoint = study.endpoints[key]
    unit = 1.0 if endpoint.recording_unit is None else endpoint.recording_unit.value
    if endpoint.reading == "exact":
        return table
    return table.on_recording_grid(unit * MONTHS_PER_UNIT[study.time_unit], endpoint.reading)


def _targets(run: RunConfig, study: Study, key: str) -> Targets:
    """What is printed, on its grid; says the grid, and what to do where tables take long."""
    targets = targets_from_study(study, key, curve=_curve(run, study, key))
    for note in targets.notes:
        log.info("%s: %s", key, note)
    n_patients = targets.n_control + targets.n_experimental
    slow = seconds_of(n_patients, run.reconstruction)
    if slow > LONG:
        quick = seconds_of(n_patients, ReconstructionSettings(effort="quick"))
        log.warning(
            "%s: %d patients: the tables take about %.0f minutes of one core; reconstruction.effort=quick about %.1f",
            *(key, n_patients, slow / MINUTE, quick / MINUTE),
        )
    return targets


def _curve(run: RunConfig, study: Study, key: str) -> Curve | None:
    file = study.endpoints[key].curve
    return read_curve(run.study_file.parent / file, study.names) if file else None


def sampled(targets: Targets, settings: ReconstructionSettings, seed: int) -> Ensemble | ReconstructionError:
    """Stage: tables that carry the printed numbers, or why there are none."""
    with counter(f"reconstructing {targets.endpoint}", PERCENT, "percent") as advance:
        try:
            return reconstruct(targets, settings, seed, percent(advance))
        except ReconstructionError as error:
            return error


def _from_ensemble(study: Study, targets: Targets, ensemble: Ensemble) -> EndpointTables:
    agrees = "the closest tables found, NOT in agreement with" if ensemble.relaxed else "tables that carry"
    source = f"{ensemble.table.n_reconstructions} {agrees} the printed numbers"
    recorded = study.endpoints[targets.endpoint].reading
    source += IN_WORDS[recorded]
    table = as_recorded(ensemble.table, study, targets.endpoint)
    doubts = tuple(unsettled(ensemble))
    for doubt in doubts:
        log.warning("%s: %s", targets.endpoint, doubt)
    return EndpointTables(
        targets.endpoint, table, ensemble.weights, recorded, source, _fidelity(ensemble, targets), ensemble, targets, doubts
    )


def _fidelity(ensemble: Ensemble, targets: Targets) -> pd.DataFrame:
    """Printed against reconstructed, in the columns of a report."""
    frame = fidelity(ensemble, targets)
    names = {
        "median": "reconstructed",
        "min": "minimum",
        "max": "maximum",
        "share_default": "agreement",
        "share_strict": "strict_agreement",
    }
    frame["statistic"] = [
        name if np.isnan(time) else f"{name} at {time:g}" for name, time in zip(frame["statistic"], frame["time"], strict=True)
    ]
    return frame.drop(columns="time").rename(columns=names)


def missing_of(study: Study, key: str) -> str:
    """What a reconstruction lacks; empty where it can be tried."""
    endpoint = study.endpoints[key]
    if endpoint.late_entry:
        return LATE_ENTRY
    without_n = [f"arms.{arm}.n" for arm in ARMS if study.n(arm) is None]
    if without_n:
        return f"{' and '.join(without_n)} missing"
    medians = (endpoint.median.control, endpoint.median.experimental, endpoint.median.total)
    compared = endpoint.test is not None or treatment_effect(study, key) is not None
    if any((*medians, endpoint.at_risk, endpoint.landmarks, endpoint.curve, compared and endpoint.longest)):
        return ""
    adjusted = [name for name, effect in study.effects.items() if is_adjusted(effect, key)]
    if adjusted:
        of = ", ".join(f"effects.{name}" for name in adjusted)
        return (
            f"the only ratio is adjusted ({of}) and is not used for the tables, which hold one arm against the other without covariates;"
            " an unadjusted ratio or test beside the longest time, medians, numbers at risk, percentages or a curve are needed"
        )
    return (
        "no median, no numbers at risk, no percentage, no curve, and no longest time beside a hazard ratio or a test of the arms"
    )


def percent(advance: Callable[[int], None]) -> Callable[[float, str], None]:
    """Turn a share done into steps of a counter."""
    shown = [0]

    def report(done: float, _message: str) -> None:
        percent = max(int(PERCENT * done), shown[0])
        advance(percent - shown[0])
        shown[0] = percent

    return report
