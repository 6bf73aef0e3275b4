"""Run folders named by what was asked: a finished one is returned at once, one that is not whole is never there."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from retrial.errors import StoreError
from retrial.store import interrupts
from retrial.store.files import cannot_write, checksums, file_digest
from retrial.store.places import Place, sweep

log = logging.getLogger("retrial")
MANIFEST = "manifest.json"
FILES, CHECKSUM, FOLDER = "files", "manifest_sha256", "folder"
"""Keys of the manifest: SHA-256 of every other file, and of the manifest's own content without this line; VERB/STUDY/HASH, the question."""
_HASH_LENGTH = 12
"""Hexadecimal digits of a folder's name: 48 bits, no accidental collision among any number of runs a person makes."""
STAGES = "stages"
"""Folder beside the runs' where stages are kept."""
_DEPTH, STAGE_DEPTH = 3, 2
"""Folders of a run below the output folder, VERB/STUDY/HASH; and of a stage below its own, NAME/KEY."""


def fingerprint(asked: Mapping[str, Any], files: Mapping[str, Path]) -> str:
    """Hash of the configuration, the program's source and the content of the data files that it reads."""
    digest = hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode())
    digest.update(source_digest().encode())
    for name in sorted(files):
        digest.update(name.encode())
        digest.update(file_digest(files[name]).encode())
    return digest.hexdigest()[:_HASH_LENGTH]


def source_digest() -> str:
    """Hash of the package's own files: another version of the program is another question."""
    roots = [
        Path(str(resources.files(package))) for package in ("retrial", "retrial.conf", "retrial.models", "retrial.experiments")
    ]
    digest = hashlib.sha256()
    for root in roots:
        # installed, the other packages lie in the first one; in a checkout, beside it
        inner = [other for other in roots if root in other.parents]
        files = [
            path
            for path in root.rglob("*")
            if path.suffix in (".py", ".j2", ".css", ".js") and not set(inner) & set(path.parents)
        ]
        for name, file in sorted((path.relative_to(root).as_posix(), path) for path in files):
            digest.update(f"{name} {file.stat().st_size} ".encode() + file.read_bytes())
    return digest.hexdigest()


def is_finished(folder: Path) -> bool:
    """Whether a run folder has its manifest, and every file that the manifest lists as it was written."""
    return folder.is_dir() and not _wrong(folder)


def _question(folder: Path) -> str:
    """VERB/STUDY/HASH of the run folder that was asked for."""
    return "/".join(folder.parts[-_DEPTH:])


def _wrong(folder: Path) -> str:
    """Why a run folder does not answer the question that it is named by, in words; empty where it does."""
    if wrong := damage(folder):
        return wrong
    other = read_manifest(folder).get(FOLDER)
    return "" if other == _question(folder) else f"it holds what was asked as {other}"


def damage(folder: Path) -> str:
    """What is wrong with a run folder, in words; empty where it is whole."""
    try:
        manifest = read_manifest(folder)
        listed = manifest[FILES]
        if manifest[CHECKSUM] != _own_checksum(manifest):
            return f"{MANIFEST} has other content than was written"
        found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        if missing := sorted(set(listed) - set(found)):
            return f"no longer there: {', '.join(missing)}"
        changed = [name for name, value in listed.items() if file_digest(found[name]) != value]
    except KeyError as error:
        return f"{MANIFEST} has no {error}"
    except StoreError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return f"other content than was written: {', '.join(changed)}" if changed else ""


def _own_checksum(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text({key: value for key, value in manifest.items() if key != CHECKSUM}).encode()).hexdigest()


@contextmanager
def open_run(folder: Path, force: bool) -> Iterator[Path | None]:
    """Hold a run folder: yields an empty folder to work in, or None when the run is finished.

    The work's folder becomes the run's once `finish` has been called and the block is left; until then an earlier one stays. It has the same
    name, and that of the folder around it. Another process that asks the same waits. Raises `StoreError` where something cannot be written.
    """
    root = folder.parents[_DEPTH - 1]
    place = Place(root, folder.relative_to(root))
    with place.held():
        for around, depth in ((root, _DEPTH), (root / STAGES, STAGE_DEPTH)):
            sweep(around, depth)
        if folder.is_dir() and (wrong := _wrong(folder)):
            log.warning("%s: %s; doing it again", folder, wrong)
        elif folder.is_dir() and not force:
            yield None
            return
        try:
            work = place.empty()
            yield work
            interrupts.check()
            if (work / MANIFEST).is_file():
                place.put()
        except OSError as error:
            raise cannot_write(root, error) from error


def finish(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, with the checksums of all files: nothing is written after it."""
    full = {**manifest, FOLDER: _question(folder), FILES: checksums(folder)}
    (folder / MANIFEST).write_text(_text({**full, CHECKSUM: _own_checksum(json.loads(_text(full)))}), encoding="utf-8")


def _text(manifest: Mapping[str, Any]) -> str:
    return json.dumps(manifest, indent=2, sort_keys=True, default=str, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, Any]:
    """Manifest of a finished run folder. Raises `StoreError` where there is none, or none that a run wrote."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} is not a finished run folder: no readable {MANIFEST}") from error
    if not isinstance(found, dict) or not isinstance(found.get(FILES), dict):
        raise StoreError(f"{folder} is not a finished run folder: {MANIFEST} lists no {FILES}")
    return found
