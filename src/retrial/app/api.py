"""The verbs as Python functions: what `retrial VERB` does, with the same keys and the same numbers.

Every verb takes a study and, as keywords, the keys of the command line:

    study = retrial.load_study("my.yaml")
    retrial.fit(study, prior="sceptical", endpoints=["os"], sampler={"tune": 300})

is `retrial fit study=my.yaml prior=sceptical endpoints=[os] sampler.tune=300`. A mapping sets the keys below it; keys with dots or a
plus sign are given by `**{"+prior.log_hazard_ratio": {...}}`. Three keywords are the functions' own:

    config_dir   a folder of your own (study/, prior/, evidence/, model/, experiment/), as --config-dir
    output_dir   where the run folder goes, named as the command line names it, so that either finds what the other has finished;
                 None: nothing is kept on disk
    force        run again although the folder is finished

Errors are those of `retrial.errors`: `InputError` (a study, key or prior that cannot be used, all problems listed) before anything is computed,
`ReconstructionError` and `StoreError`. A fit that fails its diagnostics raises nothing: it is in `Results.failures`, its rows say so in `status`.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from retrial.app.application import Asked
    from retrial.study.arms.many import MultiArmStudy
    from retrial.study.study import Study

# imported in the functions: `import retrial` and `retrial --help` need none of it
_OWN_CONF = "retrial.conf"
"""Columns whose digits are the paper's."""


@dataclass(frozen=True, eq=False)
class Results:
    """What a verb gives.

    verb      "audit", "fit", ...
    study     as printed
    tables    every CSV file of the run by name without ending ("estimates", "audit", "diagnostics", ...); columns: docs/outputs.md; months
    arrays    every NetCDF file by name without ending ("reconstruction_os": events and censorings (reconstruction, arm, time), `weight`;
              "posterior_ENDPOINT_MODEL": draws); of three or more arms by comparison too ("experimental_2_vs_control/reconstruction_os")
    report    the HTML page; empty where the verb makes none
    failures  fits and reconstructions that failed, in words; empty: none
    folder    where the files are; None where nothing was kept
    """

    verb: str
    study: Study | MultiArmStudy
    tables: Mapping[str, pd.DataFrame]
    arrays: Mapping[str, xr.DataTree]
    report: str
    failures: tuple[str, ...]
    folder: Path | None

    @property
    def estimates(self) -> pd.DataFrame:
        """Published, frequentist and Bayesian numbers, a row each (fields of `retrial.estimate.Estimate`); empty where there are none."""
        return self._table("estimates")

    @property
    def audit(self) -> pd.DataFrame:
        """Checks of printed numbers, a row each (fields of `retrial.audit.check.Check`); empty where there are none."""
        return self._table("audit")

    def _table(self, name: str) -> pd.DataFrame:
        import pandas as pd

        return self.tables.get(name, pd.DataFrame())


def load_study(name: str | Path, config_dir: str | Path | None = None) -> Study | MultiArmStudy:
    """Study of a YAML file, or of a name in the study/ folder of `config_dir` or of the package.

    Times are in the study's `time_unit`, as printed. Raises `StudyError` that lists every problem with its key.
    """
    from retrial.app.find import find_study
    from retrial.study.loader import load_study as read

    return read(find_study(str(name), _folders(config_dir)))


def audit(study: Study | MultiArmStudy | str | Path, **keys: Any) -> Results:
    """Recompute every printed number that can be recomputed; `Results.audit` has a row a check."""
    return _run("audit", study, keys)


def reconstruct(study: Study | MultiArmStudy | str | Path, **keys: Any) -> Results:
    """Life tables that carry the printed survival numbers (METHODS 4); `Results.arrays["reconstruction_ENDPOINT"]`, times in months.

    Keys: `endpoints`, `reconstruction`. Raises `DataError` where no endpoint prints enough.
    """
    return _run("reconstruct", study, keys)


def fit(study: Study | MultiArmStudy | str | Path, **keys: Any) -> Results:
    """One model under one prior; keys: `model`, `prior` (names), `endpoints`, `sampler`, `reconstruction`, `answers`.

    Raises `PriorError` where the prior says nothing of what the model needs, `DataError` where the study has no data for it.
    """
    return _run("fit", study, keys)


def sensitivity(study: Study | MultiArmStudy | str | Path, **keys: Any) -> Results:
    """Which other assumptions the conclusions survive (METHODS 9): reverse-Bayes and E-values as `Results.estimates`, the tables in its folder.

    Keys: those of `reanalyse`, whose fits are taken where they were made with the same settings, and `sensitivity`.
    """
    return _run("sensitivity", study, keys)


def reanalyse(study: Study | MultiArmStudy | str | Path, **keys: Any) -> Results:
    """All of it, from the audit to the report; keys: `prior`, `models`, `priors`, `endpoints`, `sampler`, `reconstruction`, `answers`,
    `sensitivity`.
    """
    return _run("reanalyse", study, keys)


def report(study: Study | MultiArmStudy | str | Path, output_dir: str | Path = "outputs", **keys: Any) -> Results:
    """Lay out again the report of the re-analysis that was asked the same under `output_dir` (run first where there is none)."""
    return _run("report", study, {**keys, "output_dir": output_dir})


def _run(verb: str, study: Study | MultiArmStudy | str | Path, keys: Mapping[str, Any]) -> Results:
    keys = dict(keys)
    config_dir, output_dir, force = keys.pop("config_dir", None), keys.pop("output_dir", None), keys.pop("force", False)
    read = load_study(study, config_dir) if isinstance(study, (str, Path)) else study
    _refuse_study_key(read, keys, kept=output_dir is not None)
    if output_dir is not None:
        return _carried_out(verb, read, {**keys, "output_dir": str(output_dir), "force": force}, config_dir, kept=True)
    with tempfile.TemporaryDirectory(prefix="retrial-") as scratch:
        return _carried_out(verb, read, {**keys, "output_dir": scratch}, config_dir, kept=False)


def _carried_out(
    verb: str, study: Study | MultiArmStudy, keys: Mapping[str, Any], config_dir: str | Path | None, kept: bool
) -> Results:
    from retrial.app.application import carried_out
    from retrial.app.process.surroundings import with_home

    if said := with_home():
        logging.getLogger("retrial").warning("%s", said)
    asked = _composed(verb, study, keys, config_dir)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        folder = carried_out(verb, asked, study)
    return _read(verb, study, folder, kept)


def _refuse_study_key(study: Study | MultiArmStudy, keys: Mapping[str, Any], kept: bool) -> None:
    """A study that its file does not hold has no run folder: the folder is named by the file's content."""
    from retrial.errors import ConfigError, StudyError
    from retrial.study.loader import load_study as read

    if any(name.partition(".")[0] == "study" for name in keys):
        raise ConfigError("cannot use the configuration", ["study: got it as a key; the study is the first argument"])
    if study.file is None:
        raise StudyError("cannot use the study", ["got one that was not read from a file; load_study reads one"])
    if kept and read(study.file) != study:
        told = f"got one that was changed since {study.file} was read; write it to a file of its own, or leave output_dir out"
        raise StudyError("cannot keep results of the study", [told])


def _folders(config_dir: str | Path | None) -> list[Path]:
    from retrial.app.find import folders_of

    return folders_of(config_dir)


def _composed(verb: str, study: Study | MultiArmStudy, keys: Mapping[str, Any], config_dir: str | Path | None) -> Asked:
    """The verb's configuration with the keys set, as `retrial VERB` composes it. Raises `ConfigError`."""
    from hydra import compose
    from omegaconf import open_dict

    from retrial.app.application import CONFIG_OF, NOT_COMPOSED, Asked, first_lines
    from retrial.app.composed import plain
    from retrial.app.door.command_line import override_problems
    from retrial.app.door.own_folder import searched_first
    from retrial.errors import ConfigError

    folders = _folders(config_dir)
    overrides = [f"study.name={_written(_name_of(study, folders))}", *_overrides(keys)]
    if wrong := override_problems(overrides, multirun=False):
        raise ConfigError("cannot use the keys", wrong)
    try:
        with searched_first(None if config_dir is None else folders[0]), _hydra():
            config = compose(CONFIG_OF.get(verb, verb), overrides, return_hydra_config=True)
    except NOT_COMPOSED as error:
        raise ConfigError("cannot use the configuration", [first_lines(error)]) from error
    choices, told = dict(config.hydra.runtime.choices), list(config.hydra.overrides.task)
    with open_dict(config):
        config.pop("hydra")
    return Asked(plain(config), choices, told, folders)


@contextmanager
def _hydra() -> Iterator[None]:
    """Hydra's globals for one composition, as they were before afterwards."""
    from hydra import initialize_config_module
    from hydra.core.global_hydra import GlobalHydra
    from hydra.version import VersionBase

    world, version = GlobalHydra.instance(), VersionBase.instance()
    theirs, base = world.hydra, version.version_base
    world.clear()
    try:
        with initialize_config_module(_OWN_CONF, version_base="1.3"):
            yield
    finally:
        GlobalHydra.set_instance(world)
        world.hydra, version.version_base = theirs, base


def _name_of(study: Study | MultiArmStudy, folders: list[Path]) -> str:
    """What the command line would call the study: its name where the search path finds this file by it, else its path."""
    file = Path(str(study.file))
    for folder in folders:
        named = folder / "study" / file.name
        if named.is_file():
            return file.stem if named.resolve() == file.resolve() else str(file)
    return str(file)


def _overrides(keys: Mapping[str, Any], above: str = "") -> list[str]:
    """Keywords as overrides of the command line: the entries of a mapping are keys below it, unless its key has a plus sign."""
    found = []
    for name, value in keys.items():
        key = f"{above}{name}"
        if isinstance(value, Mapping) and not key.startswith("+"):
            found += _overrides(value, f"{key}.")
        else:
            found.append(f"{key}={_written(value)}")
    return found


def _written(value: Any) -> str:
    """A value in Hydra's grammar of overrides."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{name}:{_written(item)}' for name, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(_written(item) for item in value)}]"
    if isinstance(value, (str, Path)):
        text = str(value).replace("\\", "\\\\") if str(value).endswith("\\") else str(value)
        return "'{}'".format(text.replace("'", "\\'"))
    return repr(value.item() if hasattr(value, "item") else value)


def _read(verb: str, study: Study | MultiArmStudy, folder: Path, kept: bool) -> Results:
    """The files of a run, in memory."""
    import xarray as xr

    from retrial.store.artefacts import ARTEFACTS, TABLES
    from retrial.store.folders import FILES, read_manifest
    from retrial.store.tables import read_table

    # what the manifest lists, which was checked: not what somebody has put beside it
    manifest, arrays = read_manifest(folder), {}
    for name in sorted(name for name in manifest[FILES] if name.endswith(".nc")):
        with xr.open_datatree(folder / name, engine="h5netcdf") as stored:
            arrays[name.removesuffix(".nc")] = stored.load()
    page = folder / "report.html"
    return Results(
        verb=verb,
        study=study,
        tables={
            name: table
            for name in TABLES
            if ARTEFACTS[name].pattern in manifest[FILES] and (table := read_table(folder, name)) is not None
        },
        arrays=arrays,
        report=page.read_text(encoding="utf-8") if page.is_file() else "",
        failures=tuple(manifest["failures"]),
        folder=folder if kept else None,
    )
