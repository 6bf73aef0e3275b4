"""Runs a verb as a Hydra application: study and config checked, run folder opened, work done, manifest written last."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from retrial.app.composed import CUSTOM, plain, question
from retrial.app.door import command_line
from retrial.app.door.command_line import CommandLine
from retrial.app.door.own_folder import searched_first
from retrial.app.door.values import key_problems, section_problems
from retrial.app.find import find_study, folders_of
from retrial.app.process.jobs import Jobs, jobs, leave_with
from retrial.app.process.surroundings import of_the_system, say, tell
from retrial.errors import ConfigError, FitError, InputError, RetrialError
from retrial.store import interrupts
from retrial.store.folders import MANIFEST, fingerprint, is_finished, open_run, read_manifest
from retrial.study.arms.many import MultiArmStudy
from retrial.study.loader import load_study
from retrial.study.study import Study

if TYPE_CHECKING:
    from retrial.run_config import RunConfig

log = logging.getLogger("retrial")
CONFIG_OF = {"report": "reanalyse", "plan": "reanalyse"}
"""Verbs that are asked the same as another."""
_TRIES = 3

Work = Callable[["RunConfig", "Study | MultiArmStudy", Path], Sequence[str]]
"""A verb: does its work in the run folder and returns what failed, in words."""


def launch(verb: str, arguments: Sequence[str]) -> int:
    """Run a verb under Hydra and return the exit status."""
    try:
        return run_jobs(verb, command_line.read(arguments))[0]
    except InputError as error:
        tell(f"error: {error}")
        return error.exit_status


def run_jobs(verb: str, line: CommandLine) -> tuple[int, list[Path]]:
    """Run a verb under Hydra; the exit status, and the finished run folders (several in a multirun)."""
    sys.argv = [f"retrial {verb}", *line.arguments]
    with jobs() as told, searched_first(line.own):
        status = _hydra(verb, folders_of(line.own), told)
        return max(status, told.status), told.folders


def _hydra(verb: str, folders: Sequence[Path], told: Jobs) -> int:
    def task(config: DictConfig) -> None:
        interrupts.check()
        leave_with(told.parent)
        told.tell(0)
        try:
            folder = _run(verb, config, folders)
            told.tell(folder)
            _conclude(folder)
        except RetrialError as error:
            # not raised further: Hydra would end a multirun with the first one, and add lines of its own
            log.error("error: %s", error)
            told.tell(error.exit_status)
        except (OSError, MemoryError) as error:
            log.error("error: %s", of_the_system(error))
            told.tell(RetrialError.exit_status)

    try:
        _again_after_kills(
            hydra.main(version_base="1.3", config_path="pkg://retrial.conf", config_name=CONFIG_OF.get(verb, verb))(task), told
        )
    except RetrialError as error:
        tell(f"error: {error}")
        return error.exit_status
    except NOT_COMPOSED as error:
        if told.begun and not isinstance(error, (HydraException, OmegaConfBaseException)):
            raise
        tell(f"error: {ConfigError('cannot use the configuration', [first_lines(error)])}")
        return InputError.exit_status
    return 0


def _again_after_kills(call: Callable[[], None], told: Jobs) -> None:
    """Call; where a process among several is killed (memory, most often) all of them end, and what is not finished is begun again.

    Raises `FitError` where that happens `_TRIES` times without a job that comes to its end.
    """
    tries, finished = 0, 0
    while True:
        try:
            return call()
        except BrokenProcessPool as error:
            interrupts.check()
            tries, finished = (tries + 1, finished) if len(told.folders) == finished else (0, len(told.folders))
            if tries == _TRIES:
                raise FitError("processes of the run are killed, most often for want of memory; take fewer at a time") from error
            tell("a process of the run was killed; what is not finished is begun again")


NOT_COMPOSED = (
    HydraException,
    OmegaConfBaseException,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    AssertionError,
    RecursionError,
)
"""What Hydra and OmegaConf raise where the parts of a configuration do not go together, such as a key below a list."""
_NO_SUCH_KEY = re.compile(r"Could not override '(?P<key>[^']+)'")


def first_lines(error: Exception) -> str:
    """Hydra's words, but for a key that is not there: most often misspelt, and adding it would not help."""
    words = " ".join(str(error).split())[:600]
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return f"got keys or values that do not go together, such as a key below a list ({words})"
    found = _NO_SUCH_KEY.search(words)
    if found is None:
        return words
    # imported here: a finished run needs no SciPy
    from retrial.priors.prior import FAMILIES

    key = found["key"]
    families = "; ".join(f"{family}: {', '.join(names)}" for family, names in FAMILIES.items())
    allowed = f" (a prior takes family, source, and the numbers of its family: {families})" if key.startswith("prior.") else ""
    return f"{key}: got a key that is not in the configuration; allowed are those that --cfg job shows{allowed}; +{key}=VALUE adds one"


def _run(verb: str, config: DictConfig, folders: Sequence[Path]) -> Path:
    """Do what is asked, where it is not done; returns the run folder."""
    composed = HydraConfig.get()
    asked = Asked(plain(config), composed.runtime.choices, composed.overrides.task, folders)
    _refuse_other_verbs(verb, config)
    return carried_out(verb, asked)


def _refuse_other_verbs(verb: str, config: DictConfig) -> None:
    """An experiment says which verb answers it; under another one part of it would be without effect."""
    experiment = config.get("experiment")
    of = experiment.get("verb") if isinstance(experiment, DictConfig) else None
    if of not in (None, verb, CONFIG_OF.get(verb)):
        raise ConfigError(
            "cannot use the configuration", [f"experiment: got one of `retrial {of}`; allowed is one of `retrial {verb}`"]
        )


@dataclass(frozen=True)
class Asked:
    """A composed configuration as plain data, the files chosen of its groups, the overrides, and the folders it was composed from."""

    config: Mapping[str, Any]
    choices: Mapping[str, Any]
    overrides: Sequence[str]
    folders: Sequence[Path]

    @property
    def study_file(self) -> Path:
        """File of the study that is asked about. Raises `StudyError`."""
        return find_study(str(self.config["study"]["name"]), self.folders)


def carried_out(verb: str, asked: Asked, study: Study | MultiArmStudy | None = None) -> Path:
    """Finished run folder of what is asked; the work is done where it is not there yet. `study` where it was read before."""
    if wrong := list(section_problems(asked.config)):
        raise ConfigError("cannot use the configuration", wrong)
    study_file = asked.study_file
    study = load_study(study_file) if study is None else study
    if any(key_problems(asked.config)):
        _configured(verb, asked)  # says it, and all else that is wrong
    experiment = asked.choices.get("experiment")
    label = experiment if experiment not in (None, "none") else study_file.stem
    named = fingerprint(question(dict(asked.config)), _files(study_file, study))
    folder = Path(str(asked.config["output_dir"])) / verb / str(label) / named
    if asked.config["force"] is True or not is_finished(folder):
        _work(verb, asked, study, folder)
    return folder


def _configured(verb: str, asked: Asked) -> RunConfig:
    """The configuration as frozen values. Raises `ConfigError`."""
    from retrial.app.config import run_config  # brings PyMC

    return run_config(asked.config, verb, asked.study_file, _names(asked))


def _work(verb: str, asked: Asked, study: Study | MultiArmStudy, folder: Path) -> None:
    """Check the configuration, and do the verb's work in its folder."""
    # imported here: they bring PyMC, and a finished run needs none of it
    from retrial.pipeline.adjusted import check_covariates
    from retrial.pipeline.priors import check_stated
    from retrial.pipeline.tables import check_inputs
    from retrial.store.crate import finish_run
    from retrial.store.manifest import describe

    run = _configured(verb, asked)
    for pair in study.comparisons():
        check_inputs(run, pair)
        check_covariates(run, pair)
    check_stated(run, study.comparisons())
    started = time.monotonic()
    with open_run(folder, run.force) as place:
        if place is not None:
            work: Work = import_module(f"retrial.pipeline.{verb}").work
            with redirect_stdout(io.StringIO()) as words:
                failures = list(work(run, study, place))
            finish_run(place, describe(run, study, failures, time.monotonic() - started))
    # not before: what stdout cannot take must not undo what is done
    if place is not None and words.getvalue():
        say(words.getvalue().removesuffix("\n"))


def _conclude(folder: Path) -> None:
    """Print the folder as the last line, and fail when something in it failed."""
    failures = read_manifest(folder)["failures"]
    for name in ("report.html", MANIFEST):
        if (folder / name).exists():
            log.info("%s: %s", name, folder / name)
    with suppress(OSError):
        sys.stderr.flush()
    say(str(folder))
    if failures:
        raise FitError("\n  - ".join([f"{len(failures)} result(s) failed and are shown as failed:", *failures]))


def _names(asked: Asked) -> dict[str, str]:
    """What the main prior and model are called: the chosen file, or "custom" when the command line changed it."""
    changed = [override.lstrip("+~").split("=")[0] for override in asked.overrides]
    names = {}
    for group in ("prior", "model"):
        if asked.choices.get(group):
            names[group] = CUSTOM if any(key.startswith(f"{group}.") for key in changed) else str(asked.choices[group])
    names["prior_changed"] = ",".join(sorted({key.split(".")[1] for key in changed if key.startswith("prior.")}))
    return names


def _files(study_file: Path, study: Study | MultiArmStudy) -> dict[str, Path]:
    """Every file whose content the results depend on."""
    files = {"study": study_file}
    for key, endpoint in study.endpoints.items():
        files |= {f"{key}.{kind}": study_file.parent / name for kind, name in endpoint.data_files.items()}
    return files
