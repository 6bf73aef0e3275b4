"""What a process finds itself in: streams that may be closed, of few letters or full; a home or a working folder that is of no use."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from retrial.errors import InputError

_STREAMS = ("stdin", "stdout", "stderr")
_IN_HOME = (".", ".pytensor", ".cache", ".config")
"""Where compiled code and caches of the libraries go."""
_LONGEST = 200
"""Characters of a path that are shown."""
_OF_HOME: list[str] = []
"""What was said of the home folder."""
_LOST: list[OSError] = []
"""Why stdout could not be written."""


def settle() -> None:
    """Streams that take every text, and somewhere to be. Raises `InputError` where the working folder was deleted."""
    for number, name in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            # the next file that is opened would get the number, and what is meant for the stream would go into it
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise InputError("the working folder was deleted; change to another one") from error


def say(text: str) -> None:
    """Print; where nobody reads on (`| head`) or the disk is full the run goes on, and `lost` tells of it."""
    try:
        print(text, flush=True)
    except OSError as error:
        _LOST.append(OSError(error.errno, error.strerror, "cannot write to stdout"))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell(text: str) -> None:
    """Print to stderr; where that cannot be written there is nobody to tell, and the run goes on."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def lost() -> OSError | None:
    """Why something that was said has not arrived, where that is so; asked once."""
    return _LOST.pop(0) if _LOST else None


def of_the_system(error: OSError | MemoryError) -> str:
    """What went wrong outside the program: a full disk, a file that may not be read, too little memory."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    where = str(error.filename)
    shown = where if len(where) <= _LONGEST else f"{where[:_LONGEST]}..."
    return f"{error.strerror or error}" if error.filename is None else f"{shown}: {error.strerror}"


def home_problem() -> str:
    """Why the home folder can keep no compiled code, in words; empty where it can."""
    try:
        home = Path.home()
    except RuntimeError:
        return "there is no home folder"
    if not home.is_dir():
        return f"the home folder {home} is not there"
    bad = [home / name for name in _IN_HOME if (home / name).exists() and not os.access(home / name, os.W_OK | os.X_OK)]
    return f"{bad[0]} cannot be written" if bad else ""


def with_home() -> str:
    """Have a home folder that the libraries can write to, for this process and those that it starts; what is said of it, or "".

    The temporary one is of this process alone: compiled code in a folder that others can write would be theirs to change.
    """
    problem = home_problem()
    if not problem:
        _keep_sources()
        return ""
    folder = tempfile.mkdtemp(prefix="retrial-home-")
    os.environ["HOME"] = folder
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        os.environ.pop(name, None)
    atexit.register(_remove, folder, os.getpid())
    _keep_sources()
    said = f"{problem}: compiled code is kept until the end of this run only, so each run compiles again; set HOME to a folder of yours"
    _OF_HOME.append(said)
    return said


def of_home() -> str:
    """What was last said of the home folder, or ""."""
    return _OF_HOME[-1] if _OF_HOME else ""


def _keep_sources() -> None:
    """Have PyTensor keep what it writes before it compiles in a folder that it tidies; else each file stays in TMPDIR for ever."""
    flags, folder = os.environ.get("PYTENSOR_FLAGS", ""), Path.home() / ".pytensor" / "sources"
    if "generated_src_dir" not in flags and "," not in str(folder):
        os.environ["PYTENSOR_FLAGS"] = ",".join(part for part in (flags, f"generated_src_dir={folder}") if part)


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)
