"""Folders that several processes may want: held by one at a time, made elsewhere, and put in place whole."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from retrial.errors import StoreError
from retrial.store.files import sync, write_through
from retrial.store.locks import held, held_if_free

LOCKS, UNFINISHED = ".locks", ".unfinished"
"""Folders of a root: lock files, which stay, and what is being made, which is of no use to anybody once its process is gone."""
_EARLIER = ".earlier"


@dataclass(frozen=True)
class Place:
    """A folder, by its path inside a root."""

    root: Path
    inside: Path

    @property
    def final(self) -> Path:
        """Where it is once it is whole."""
        return self.root / self.inside

    @property
    def work(self) -> Path:
        """Where it is made; of the same name, in a folder of the same name."""
        return self.root / UNFINISHED / self.inside

    @property
    def _earlier(self) -> Path:
        return self.work.with_name(f"{self.inside.name}{_EARLIER}")

    @property
    def _lock(self) -> Path:
        return self.root / LOCKS / f"{'.'.join(self.inside.parts)}.lock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other processes out; what an interrupted one has left here is undone. Nothing half-made is left on the way out."""
        with held(self._lock, str(self.inside)):
            self._tidy()
            try:
                yield
            finally:
                self._tidy()

    def empty(self) -> Path:
        """The folder `work`, made anew. Raises `StoreError` where it could not be renamed to `final`."""
        remove(self.work)
        self.work.mkdir(parents=True)
        around = self.final.parent
        if around.exists() and around.stat().st_dev != self.work.stat().st_dev:
            problem = f"{around} is on another disk than {self.root}, so that results cannot be put there whole"
            raise StoreError(f"{problem}; change output_dir to a folder whose subfolders are all on one disk")
        return self.work

    def put(self) -> None:
        """Have `work` on the disk, and rename it to `final`; what was there stays until the new one is there.

        Where that is interrupted between the two renames, whoever holds the place next brings the earlier one back.
        """
        write_through(self.work)
        self.final.parent.mkdir(parents=True, exist_ok=True)
        if self.final.is_symlink() or self.final.is_file():
            self.final.unlink()  # no result of ours
        elif self.final.exists():
            self.final.rename(self._earlier)
        self.work.rename(self.final)
        sync(self.final.parent)

    def _tidy(self) -> None:
        if self._earlier.is_dir() and not self.final.exists():
            self._earlier.rename(self.final)
        for path in (self.work, self._earlier):
            remove(path)


def remove(path: Path) -> None:
    """Whatever is there, a folder with all that is in it, of a link the link."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def sweep(root: Path, depth: int) -> None:
    """Undo what killed processes have left below a root whose places are `depth` folders deep."""
    for path in (root / UNFINISHED).glob("/".join(["*"] * depth)):
        inside = path.relative_to(root / UNFINISHED)
        place = Place(root, inside.with_name(inside.name.removesuffix(_EARLIER)))
        with held_if_free(place._lock) as free:
            if free:
                place._tidy()
