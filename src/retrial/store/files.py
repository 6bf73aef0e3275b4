"""Folders that are whole or not there: checksums, writing through to the disk, and one folder put in another's place."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path


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
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def empty_folder(folder: Path) -> Path:
    """The folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def put_in_place(new: Path, place: Path) -> None:
    """Rename a folder to its place; what is there stays, under another name, until the new one is there.

    Where that is interrupted between the two renames, `recover` brings the earlier one back.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    earlier = _earlier(place)
    shutil.rmtree(earlier, ignore_errors=True)
    if place.exists():
        place.rename(earlier)
    new.rename(place)
    shutil.rmtree(earlier, ignore_errors=True)


def recover(place: Path) -> None:
    """Undo a `put_in_place` that was interrupted."""
    earlier = _earlier(place)
    if earlier.is_dir() and not place.exists():
        earlier.rename(place)


def _earlier(place: Path) -> Path:
    return place.with_name(f".{place.name}.earlier")


def link(source: Path, target: Path) -> None:
    """A second name for the same file, or a copy where the file system has no such thing."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
