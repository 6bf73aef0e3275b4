"""Files that are whole or not there: checksums, writing through to the disk, one file put in another's place."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import shutil
from pathlib import Path

from retrial.errors import DiskError, StoreError

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_MINE, _UNFINISHED = f".{platform.node()}-", ".unfinished"
"""Around a process's number: names of files that are being written on this machine."""


def checksums(folder: Path, without: tuple[str, ...] = ()) -> dict[str, str]:
    """SHA-256 of every file below a folder, by relative path."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: file_digest(path) for name, path in files.items() if name not in without}


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_through(folder: Path) -> None:
    """Have all files below a folder, and the folder itself, on the disk before anything says that they are there."""
    for path in [*folder.rglob("*"), folder]:
        sync(path)


def sync(path: Path) -> None:
    """Have a file's content, or a folder's names, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: str | bytes, *, new: bool = False) -> None:
    """Write a file that lies in no run folder: all of it, or none where that fails, and what was there before stays.

    Raises `OSError`; `new`: `FileExistsError` where there is one.
    """
    beside = path.with_name(f"{_MINE}{os.getpid()}{_UNFINISHED}")
    tidy(path.parent)
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        sync(beside)
        if new:
            link(beside, path, new=True)
        else:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def tidy(folder: Path) -> None:
    """Remove what processes that were killed have left of `write_whole`."""
    for path in folder.glob(f"{_MINE}*{_UNFINISHED}"):
        if not alive(path.name.removeprefix(_MINE).removesuffix(_UNFINISHED)):
            path.unlink(missing_ok=True)


def alive(process: str) -> bool:
    """Whether a process of this machine, by its number, is at work."""
    try:
        os.kill(int(process), 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except PermissionError:
        return True
    return True


def link(source: Path, target: Path, *, new: bool = False) -> None:
    """A second name for the same file, or a copy where the file system has no such thing; `new`: raises where the name is taken."""
    if not new:
        target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def cannot_write(folder: Path, error: OSError) -> StoreError:
    """What to tell of a folder, or of a file of ours elsewhere, that cannot be written."""
    where = folder if error.filename is None else error.filename
    # numpy says of a full disk how many items it wrote, and no number of an error
    if error.errno in _DISK or error.errno is None:
        return DiskError(
            f"cannot write to {where}: {error.strerror or error}; make room, or change output_dir. Finished stages are kept"
        )
    return StoreError(f"cannot write to {where}: {error.strerror}; change output_dir")
