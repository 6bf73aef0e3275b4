"""Run folders named by what was asked: a finished one is returned at once, a half-written one is redone."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from retrial.errors import StoreError

MANIFEST = "manifest.json"
_HASH_LENGTH = 12
"""Hexadecimal digits of a folder's name: 48 bits, no accidental collision among any number of runs a person makes."""


def fingerprint(asked: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """Hash of the configuration, the program's source and the content of the data files that it reads."""
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
    digest.update(source_digest().encode())
    for name in sorted(files):
        digest.update(name.encode())
        digest.update(_file_digest(files[name]).encode())
    return digest.hexdigest()[:_HASH_LENGTH]


def source_digest() -> str:
    """Hash of the package's own files: another version of the program is another question."""
    digest = hashlib.sha256()
    for package in ("retrial", "retrial.models", "retrial.experiments"):
        root = Path(str(resources.files(package)))
        for file in sorted(path for path in root.rglob("*") if path.suffix in (".py", ".j2", ".css")):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_finished(folder: Path) -> bool:
    """Whether a folder has its manifest, and every file that the manifest lists with its size: a damaged folder is redone."""
    if not (folder / MANIFEST).is_file():
        return False
    try:
        listed = read_manifest(folder).get("files", {})
        return all((folder / name).stat().st_size == size for name, size in listed.items())
    except (OSError, StoreError):
        return False


@contextmanager
def open_run(folder: Path, force: bool) -> Iterator[bool]:
    """Hold a run folder: yields True when there is work to do (the folder is then empty), False when it is finished.

    A lock beside the folder makes a second process wait. If the work fails, what it wrote is removed.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = (folder.parent / f".{folder.name}.lock").open("w")
    except OSError as error:
        raise StoreError(f"cannot write to {folder.parent}: {error.strerror}; change output_dir") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_finished(folder) and not force:
            yield False
            return
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            yield True
        finally:
            if not is_finished(folder):
                shutil.rmtree(folder, ignore_errors=True)
                _remove_empty(folder.parent)


def _remove_empty(folder: Path) -> None:
    """Leave no empty folders of a failed run behind (the lock file goes with them)."""
    others = [item for item in folder.iterdir() if not item.name.endswith(".lock")]
    if not others:
        shutil.rmtree(folder, ignore_errors=True)


def finish(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest last, by rename: its presence says that everything else is there."""
    temporary = folder / f".{MANIFEST}.tmp"
    temporary.write_text(json.dumps(manifest, indent=2, sort_keys=True, default=str, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Manifest of a finished run folder. Raises `StoreError` where there is none to be read."""
    try:
        return json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} is not a finished run folder: no readable {MANIFEST}") from error
