"""Runs of the command line that start at once: forked from a process that has imported the program, otherwise as a user starts them."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from retrial import cli
from retrial.app.process.surroundings import with_home
from retrial.store.folders import CHECKSUM, MANIFEST, damage

HEAVY = ("app.application", "app.config", "app.experiment", "app.check", "app.new", "app.information")
VERBS = ("audit", "reconstruct", "fit", "sensitivity", "reanalyse", "report")
STUDIES = {
    "hr": "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n",
    "counts": "title: Two counts\narms: {control: {n: 49}, experimental: {n: 43}}\nbinary: {response: {control: 17, experimental: 24}}\n",
    "pat": "title: Patients\ntime_unit: weeks\nendpoints: {relapse: {label: relapse, patients: patients.csv}}\n",
}
NOT_SHARED = ("wall_seconds", CHECKSUM)
"""Lines of the manifest that no two runs share."""
BROKEN = 70
"""Exit status of a run that ended with an exception that the program does not know."""


@dataclass(frozen=True)
class Asked:
    """The short form, or the long one: at most so many moments or sizes, and of the cases those that have the word."""

    short: bool
    most: int
    word: str = ""

    def among[T](self, cases: Sequence[T]) -> list[T]:
        """Those that are asked for."""
        return [case for case in cases if self.word in str(case)]


def prepare(folder: Path) -> None:
    """Import what runs need, its surroundings set before as a run does it, and write the studies that they are about."""
    with_home()
    for name in (*HEAVY, *(f"pipeline.{verb}" for verb in VERBS)):
        import_module(f"retrial.{name}")
    (folder / "mine" / "study").mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    for name, text in STUDIES.items():
        (folder / "mine" / "study" / f"{name}.yaml").write_text(text, encoding="utf-8")
    rows = [f"{1 + (7 * i) % 40},{int(i % 4 > 0)},{'control' if i % 2 else 'experimental'}" for i in range(60)]
    (folder / "mine" / "study" / "patients.csv").write_text("\n".join(["time,event,arm", *rows]) + "\n", encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """Exit status (negative: the signal that ended it), what it said, seconds."""

    status: int
    err: str
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run at work, and the file of what it says."""

    process: int
    said: Path
    started: float

    def send(self, number: int) -> None:
        """A signal; none where it has ended."""
        if os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            os.kill(self.process, number)

    def end(self, within: float = 120.0) -> Ended:
        """Wait for it. Raises `SystemExit` where it goes on for too long."""
        limit = time.monotonic() + within
        while (found := os.waitpid(self.process, os.WNOHANG))[0] == 0:
            if time.monotonic() > limit:
                os.kill(self.process, signal.SIGKILL)
                os.waitpid(self.process, 0)
                raise SystemExit(f"a run goes on for more than {within:.0f} s: {self.said.read_text()[-2000:]}")
            time.sleep(0.005)
        seconds = time.monotonic() - self.started
        words = self.said.read_text(encoding="utf-8", errors="replace")
        self.said.unlink()
        return Ended(os.waitstatus_to_exitcode(found[1]), words, seconds)


def start(folder: Path, arguments: Sequence[str], around: Callable[[], None] | None = None) -> Run:
    """Begin `retrial ARGUMENTS` in a folder, with a TMPDIR of its own; `around` makes the process's surroundings worse first."""
    descriptor, said = tempfile.mkstemp(prefix="said-", dir=folder)
    started = time.monotonic()
    process = os.fork()
    if process == 0:
        _be(folder, descriptor, arguments, around)
    os.close(descriptor)
    return Run(process, Path(said), started)


def _be(folder: Path, said: int, arguments: Sequence[str], around: Callable[[], None] | None) -> None:
    """What the fork does instead of starting Python."""
    status = BROKEN
    try:
        # as a shell starts its children, whatever this process was given
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(said, 2)
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")
        if around is not None:
            around()
        cli.main(arguments)
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        status = 130
    except BaseException:  # noqa: BLE001 - as Python itself ends
        sys.excepthook(*sys.exc_info())
    finally:
        # as the interpreter ends: pools first, which the threads' own exit functions close
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        os._exit(status)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that runs leave below an output folder but locks and stages; manifests without what no two runs share."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name.startswith((".locks/", "stages/.locks/", "multirun/")) or (
            name.startswith("stages/") and ".unfinished" not in name
        ):
            continue
        found[name] = path.read_bytes()
        if path.name == MANIFEST:
            plain = json.loads(found[name])
            found[name] = json.dumps({key: value for key, value in plain.items() if key not in NOT_SHARED}).encode()
    return found


def stages(output: Path) -> dict[str, tuple[int, int]]:
    """Finished stages: when they were written, and as which file."""
    found = (output / "stages").glob("[!.]*/*/SHA256SUMS")
    return {str(path.parent.relative_to(output)): (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def run_folders(output: Path) -> list[Path]:
    """Run folders that are served to whoever asks."""
    return [path for verb in VERBS for path in (output / verb).glob("*/*")]


def wrong_folders(output: Path) -> list[str]:
    """Run folders that are not whole."""
    return [f"{path}: {wrong}" for path in run_folders(output) if (wrong := damage(path))]
