"""`Stages`: results of pure functions, kept under the hash of their inputs, settings and code, so that none is computed twice."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from retrial.errors import StoreError
from retrial.store import beside, interrupts
from retrial.store.code import code_digest
from retrial.store.files import cannot_write, checksums, link
from retrial.store.folders import STAGES
from retrial.store.manifest import PROGRAM, versions
from retrial.store.places import Place
from retrial.store.saved import Decoder, Encoder, digest, document, file_of, read_all, remember, write_all

if TYPE_CHECKING:
    from retrial.run_config import RunConfig

log = logging.getLogger("retrial")
VALUE, ARRAYS, SUMS = "value.json", "arrays.npy", "SHA256SUMS"
"""Files of a stage, the last one written last; trees of arrays are `tree_0.nc`, ... beside them."""
_KEY_LENGTH = 32
"""Hexadecimal digits of a stage's key."""


Asked = tuple[Any, ...]
"""Name, function and arguments of a stage, as `Stages.run` takes them."""


class Stages:
    """The stages below one folder, NAME/KEY each; `force` computes those anew that this object has not computed itself.

    Whoever wants a stage that another process is computing waits for it. A stage that is damaged is computed again. The folder may be
    deleted whenever no run is at work.
    """

    def __init__(self, folder: Path, force: bool = False) -> None:
        self._folder, self._force = folder, force
        self._fresh: set[Place] = set()

    def all_of(self, asked: Sequence[Asked], processors: int = 1) -> list[Any]:
        """Results of stages none of which needs another's, in their order; on two processors those that are not there yet are shared by two
        processes, in the order in which they are asked for. What the second one leaves, for whatever reason, is computed here.
        """
        places = [self._place(*one) for one in asked]
        missing = [row for row, place in enumerate(places) if not self._is_kept(place)]
        if processors > 1 and 1 < len(missing) <= beside.MOST and beside.possible():
            interrupts.check()
            found = beside.shared(len(missing), lambda number: self._kept(places[missing[number]], *asked[missing[number]]))
            self._fresh |= {places[missing[number]] for number in found}
        return [self._at(place, *one) for place, one in zip(places, asked, strict=True)]

    def run[T](self, name: str, function: Callable[..., T], *args: Any) -> T:
        """`function(*args)`, read from the folder where an earlier run has left it.

        A function of ours, pure: its result depends on its arguments, the modules that it and the functions among its arguments import,
        and the libraries. What comes back was always stored and read again, so that a resumed run cannot differ from another. Raises what
        the function raises, which is not kept.
        """
        return self._at(self._place(name, function, *args), name, function, *args)

    def _at[T](self, place: Place, name: str, function: Callable[..., T], *args: Any) -> T:
        """`run`, with the place that the arguments name: finding it reads all of them."""
        interrupts.check()
        with place.held():
            if self._is_kept(place):
                try:
                    value = self._read(place)
                except StoreError as error:
                    log.warning("%s: the stored result is damaged (%s); computing it again", name, error)
                else:
                    if place not in self._fresh:
                        log.info("%s: taken from an earlier run", name)
                    return value
            self._compute(place, function, *args)
            return self._read(place)

    def _place(self, name: str, function: Callable[..., Any], *args: Any) -> Place:
        return Place(self._folder, Path(name) / stage_key(name, function, *args))

    def _is_kept(self, place: Place) -> bool:
        return (place in self._fresh or not self._force) and place.final.is_dir()

    def _kept(self, place: Place, _name: str, function: Callable[..., Any], *args: Any) -> None:
        """Compute a stage where nobody has meanwhile."""
        interrupts.check()
        with place.held():
            if not self._is_kept(place):
                self._compute(place, function, *args)

    def _compute(self, place: Place, function: Callable[..., Any], *args: Any) -> None:
        value = function(*args)
        interrupts.check()
        self._write(place, value)
        self._fresh.add(place)

    def has(self, name: str, function: Callable[..., Any], *args: Any) -> bool:
        """Whether the result of `run` with the same arguments is there; it is not looked at."""
        return self._place(name, function, *args).final.is_dir()

    def _write(self, place: Place, value: Any) -> None:
        encoder = Encoder()
        plain = encoder.plain(value)
        try:
            folder = place.empty()
            (folder / VALUE).write_text(document(plain), encoding="utf-8")
            with (folder / ARRAYS).open("wb") as stream:
                write_all(encoder.arrays, stream)
            for number, tree in enumerate(encoder.trees):
                _write_netcdf(tree, folder / f"tree_{number}.nc")
            (folder / SUMS).write_text(_text(place, checksums(folder)), encoding="utf-8")
            place.put()
        except OSError as error:
            raise cannot_write(self._folder, error) from error

    def _read(self, place: Place) -> Any:
        """Raises `StoreError` where a file is missing, other than it was written, or of another stage."""
        folder = place.final
        try:
            sums = checksums(folder, without=(SUMS,))
            if (folder / SUMS).read_text(encoding="utf-8") != _text(place, sums):
                raise StoreError("a file has other content than was written, or is of another stage")
            plain = json.loads((folder / VALUE).read_text(encoding="utf-8"))
            with (folder / ARRAYS).open("rb") as stream:
                arrays = read_all(stream)
            paths = [folder / f"tree_{number}.nc" for number in range(len(list(folder.glob("tree_*.nc"))))]
            # opened, not loaded: most of a posterior is asked for by nobody
            trees = [xr.open_datatree(path, engine="h5netcdf") for path in paths]
        except (OSError, ValueError) as error:
            raise StoreError(str(error)) from error
        for tree, path in zip(trees, paths, strict=True):
            remember(tree, path, sums[path.name])
        return Decoder(arrays, trees).value(plain)


def write_arrays(arrays: xr.Dataset | xr.DataTree, path: Path) -> None:
    """Write arrays as NetCDF; a tree that was read from a stage is not stored twice, but its file gets a second name."""
    known = file_of(arrays)
    if known is not None and known.path.is_file():
        link(known.path, path)
    else:
        _write_netcdf(arrays, path)


def _write_netcdf(arrays: xr.Dataset | xr.DataTree, path: Path) -> None:
    """By way of memory: HDF5 that cannot write to a disk ends the process, or leaves what looks whole."""
    path.write_bytes(arrays.to_netcdf(engine="h5netcdf"))


def stages_of(run: RunConfig) -> Stages:
    """The stages that all runs with the same output folder share."""
    return Stages(run.output_dir / STAGES, run.force)


def stage_key(name: str, function: Callable[..., Any], *args: Any) -> str:
    """Hash of a stage's name, code and arguments."""
    given, modules = digest((function, args))
    # the store's own code: another way of storing is another stage
    code = code_digest({*modules, "retrial.store.saved"})
    libraries = {library: version for library, version in versions().items() if library != PROGRAM}
    parts = {"name": name, "given": given, "code": code, "versions": libraries}
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:_KEY_LENGTH]


def _text(place: Place, sums: Mapping[str, str]) -> str:
    """Whose files they are, and their sums as `sha256sum` prints and checks them (`#` begins a comment)."""
    return f"# {place.inside.as_posix()}\n" + "".join(f"{value}  {name}\n" for name, value in sums.items())
