"""Places: what killed processes left is undone by whoever comes next, and never while somebody is at work."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from retrial.errors import DiskError, StoreError
from retrial.store import stages
from retrial.store.files import cannot_write
from retrial.store.places import Place, sweep


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, Path("fit") / "abc")


def made(place: Place, text: str) -> None:
    (place.empty() / "x").write_text(text)
    place.put()


def test_put_replaces_and_leaves_nothing_beside(place: Place) -> None:
    for text in ("first", "second"):
        with place.held():
            made(place, text)
    assert (place.final / "x").read_text() == "second"
    assert not [path for path in (place.root / ".unfinished").rglob("*") if path.is_file()]


def test_what_was_killed_is_swept(place: Place) -> None:
    with place.held():
        made(place, "first")
    killed = Place(place.root, Path("fit") / "def")
    with killed.held():
        pass
    (killed.empty() / "x").write_text("half")  # made, and its process gone
    between = place.root / ".unfinished" / "fit" / "abc.earlier"
    place.final.rename(between)  # killed between the two renames
    sweep(place.root, 2)
    assert not killed.work.exists()
    assert not between.exists()
    assert (place.final / "x").read_text() == "first"


def test_what_somebody_is_at_is_not_swept(place: Place) -> None:
    with place.held():
        (place.empty() / "x").write_text("half")
        sweep(place.root, 2)
        assert (place.work / "x").is_file()
    assert not place.work.exists()


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), DiskError, 1),
        (OSError("12 requested and 3 written"), DiskError, 1),  # as numpy says it
        (PermissionError(errno.EACCES, "Permission denied", "/there"), StoreError, 2),
    ],
)
def test_a_full_disk_is_nobodys_fault(error: OSError, kind: type[StoreError], status: int) -> None:
    told = cannot_write(Path("/here"), error)
    assert type(told) is kind
    assert told.exit_status == status
    assert ("make room" in str(told)) == (status == 1)


def test_a_disk_that_is_full_while_arrays_are_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    """HDF5 itself would end the process."""
    with pytest.raises(OSError, match="No space left"):
        stages._write_netcdf(xr.Dataset({"x": ("i", np.arange(1000.0))}), Path("/dev/full"))


def test_a_place_on_another_disk_is_refused_before_the_work(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.final.parent.mkdir(parents=True)
    own = Path.stat

    def elsewhere(self: Path, **more: bool) -> object:
        found = own(self, **more)
        return SimpleNamespace(st_dev=found.st_dev + (self == place.final.parent), st_mode=found.st_mode)

    with place.held():
        monkeypatch.setattr(Path, "stat", elsewhere)
        with pytest.raises(StoreError, match="is on another disk"):
            place.empty()
        monkeypatch.undo()
