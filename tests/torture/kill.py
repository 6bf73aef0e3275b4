"""Ends runs by signals at many moments, one to four at a time on one question, and compares with a run that nothing disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.torture.runs import Asked, Ended, contents, run_folders, stages, start, wrong_folders

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TABLES = (
    "reconstruction.n_tables=4",
    "reconstruction.islands=2",
    "reconstruction.particles=60",
    "reconstruction.rounds=1",
    "reconstruction.choices=false",
)
YAO = (*TABLES, "sampler.pooled_draws=2000")
JOBLIB = ("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=1,2,3")
FAST = ("sampler.pooled_draws=400", "sampler.tune=100", "sampler.min_draws=100")


@dataclass(frozen=True)
class Case:
    """A command, and how many processes give it at once; `moments` of a signal in the long form, `short` in the short one."""

    name: str
    arguments: tuple[str, ...]
    processes: int = 1
    moments: int = 40
    short: int = 0
    within: float = 120.0

    @property
    def command(self) -> tuple[str, ...]:
        """With the folder that results go to; `new` has none."""
        return self.arguments if self.arguments[0] == "new" else (*self.arguments, "output_dir=out")

    @property
    def forced(self) -> bool:
        """Whether it is done again though there is a result."""
        return "force=true" in self.arguments


def _mine(verb: str, study: str, *more: str) -> tuple[str, ...]:
    return (verb, "--config-dir", "mine", f"study={study}", *more)


CASES = (
    Case("audit", ("audit", "study=yao2025")),
    Case("audit, four processes", _mine("audit", "counts"), processes=4, moments=10, short=1),
    Case("sensitivity", _mine("sensitivity", "hr")),
    Case("sensitivity, two processes", _mine("sensitivity", "hr"), processes=2, moments=10),
    Case("multiverse", _mine("multiverse", "hr"), moments=10),
    Case("multiverse, two processes", _mine("multiverse", "hr"), processes=2, moments=10),
    Case("reconstruct, patients", _mine("reconstruct", "pat")),
    Case("fit, closed form, three processes", _mine("fit", "hr", "model=log_hazard_ratio"), processes=3, moments=20),
    Case("fit, sampled", _mine("fit", "pat", *FAST), moments=10),
    Case("reanalyse", _mine("reanalyse", "counts")),
    Case("reanalyse, force, an earlier result there", _mine("reanalyse", "hr", "force=true"), moments=20),
    Case("sensitivity, force, an earlier result there", _mine("sensitivity", "hr", "force=true"), short=1),
    Case("reanalyse, two processes", _mine("reanalyse", "counts"), processes=2, moments=10),
    Case("report", _mine("report", "hr")),
    Case("experiment", ("experiment", "scepticism", "catalogue=catalogue"), moments=20),
    Case("new", ("new", "study=mytrial", "kind=patients", "--config-dir", "out"), short=1),
    Case("several, one after the other", _mine("audit", "hr,counts", "-m")),
    Case("several, joblib", _mine("fit", "hr", "model=log_hazard_ratio", *JOBLIB), moments=13, within=240),
    Case("several, joblib, two processes", _mine("audit", "counts", *JOBLIB), processes=2, moments=4, within=240),
    Case("reconstruct, sampled", ("reconstruct", "study=yao2025", "endpoints=[os]", *YAO), moments=4, within=600),
)


def tortured(folder: Path, rng: random.Random, asked: Asked) -> Iterator[str]:
    """Lines on each case: how many kills, then what was wrong, each begun with "WRONG"."""
    for case in asked.among(CASES):
        moments = min(case.short if asked.short else case.moments, asked.most)
        if moments:
            yield from _case(folder, case, moments, rng)
    for case in (
        [] if asked.short else [case for case in asked.among(CASES) if JOBLIB[1] in case.arguments and case.processes == 1]
    ):
        yield from _workers(folder, case, min(case.moments, asked.most), rng)


def _case(folder: Path, case: Case, moments: int, rng: random.Random) -> Iterator[str]:
    _clear(folder)
    if moments != case.short:  # the first one may compile what later ones load
        start(folder, case.command).end(600)
        _clear(folder)
    first = start(folder, case.command).end(600)
    expected, known = contents(folder / "out"), set(stages(folder / "out"))
    wrong = [] if first.status in (0, 1) and expected else [f"the run itself fails: {first.err[-500:]}"]
    for number in SIGNALS:
        if not case.forced:
            _clear(folder)
        for step in range(moments):
            wrong += _killed(folder, case, number, first.seconds * (step + rng.random()) / moments, expected)
            if not case.forced and contents(folder / "out").keys() >= expected.keys():
                wrong += _to_the_end(folder, case, first, expected, known)
                _clear(folder)
        wrong += _to_the_end(folder, case, first, expected, known)
    yield f"{case.name}: {moments * len(SIGNALS)} moments within {first.seconds:.2f} s, {len(wrong)} wrong"
    yield from (f"WRONG {case.name}: {line}" for line in dict.fromkeys(wrong))


def _clear(folder: Path) -> None:
    for name in ("out", "catalogue"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _killed(folder: Path, case: Case, number: int, wait: float, expected: dict[str, bytes]) -> Iterator[str]:
    """Start, signal, look at what is left; what is wrong, in words."""
    at = f"signal {number} after {wait:.2f} s"
    before = stages(folder / "out")
    runs = [start(folder, case.command) for _ in range(case.processes)]
    time.sleep(wait)
    runs[0].send(number)  # the others go on, and do the work
    ended = [run.end(case.within) for run in runs]
    yield from (f"{at}: {line}" for line in wrong_folders(folder / "out"))
    after = stages(folder / "out")
    if not case.forced:
        yield from (f"{at}: {name} was done again" for name, stamp in before.items() if after.get(name) != stamp)
    yield from (f"{at}: {line}" for run in ended for line in _said(run, number))
    found = contents(folder / "out")
    yield from (f"{at}: {name} differs" for name in found if name in expected and found[name] != expected[name])
    if case.forced and not run_folders(folder / "out"):
        yield f"{at}: the earlier result is gone"
    if number == signal.SIGKILL:  # nothing can be tidied by what is killed so
        shutil.rmtree(folder / "tmp")
        (folder / "tmp").mkdir()
    yield from (f"{at}: TMPDIR holds {path.name}" for path in (folder / "tmp").iterdir())


def _said(run: Ended, number: int) -> Iterator[str]:
    if run.status not in (0, 1, 130, -number):
        yield f"exit status {run.status}: {run.err[-1000:]}"
    if "Traceback" in run.err:
        yield f"a traceback: {run.err[-1500:]}"
    if run.status == 1 and "error" in run.err:
        yield f"an error: {run.err[-1000:]}"


def _to_the_end(folder: Path, case: Case, first: Ended, expected: dict[str, bytes], known: set[str]) -> Iterator[str]:
    """What differs, once the same command has come to its end."""
    last = start(folder, case.command).end(case.within * 5)
    found = contents(folder / "out")
    yield from (f"resumed: {name} differs" for name in sorted({*expected, *found}) if expected.get(name) != found.get(name))
    yield from (f"resumed: TMPDIR holds {path.name}" for path in (folder / "tmp").iterdir())
    if known != set(stages(folder / "out")):
        yield "resumed: other stages than of an undisturbed run"
    if last.status != first.status and case.arguments[0] != "new":
        yield f"resumed: exit status {last.status}, undisturbed {first.status}: {last.err[-500:]}"


def _workers(folder: Path, case: Case, moments: int, rng: random.Random) -> Iterator[str]:
    """One of the processes that do the jobs is killed, as for want of memory: no job may be lost."""
    _clear(folder)
    first = start(folder, case.command).end(case.within)
    expected, wrong, killed = contents(folder / "out"), [], 0
    for _ in range(moments):
        _clear(folder)
        run = start(folder, case.command)
        time.sleep(first.seconds * rng.uniform(0.2, 0.9))
        found = Path(f"/proc/{run.process}/task/{run.process}/children").read_text().split()
        workers = [int(one) for one in found if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes()]
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            killed += 1
        ended = run.end(case.within)
        if ended.status != first.status or "Traceback" in ended.err or contents(folder / "out") != expected:
            wrong.append(f"a worker killed: exit status {ended.status}: {ended.err[-800:]}")
    yield f"{case.name}: {killed} workers killed, {len(wrong)} wrong"
    yield from (f"WRONG {case.name}: {line}" for line in wrong)
