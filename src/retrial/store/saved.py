"""Values of the program as one JSON document and one file of arrays, and back: no pickle, and nothing built that is not ours.

Plain values stand for themselves; everything else is an object with one key, its kind: {"tuple": [...]}, {"dict": [[key, value], ...]},
{"array": i} (the i-th of the file of arrays), {"retrial.estimate:Estimate": [...]} (the fields of a dataclass, in order). Floats, strings,
dtypes and the order of mappings come back exactly.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import math
import re
import types
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path, PurePath
from typing import Any, BinaryIO

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import BaseModel

from retrial.errors import RetrialError, StoreError

IN_KEY = "in_key"
"""Metadata of a dataclass's field, read by `digest` alone: False leaves it out (it changes no result), a function says what counts of it."""
_OURS = re.compile(r"(retrial(?:\.[A-Za-z_][A-Za-z0-9_]*)+):([A-Za-z_][A-Za-z0-9_]*)")
_SCALARS = (
    "bool",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float16",
    "float32",
    "float64",
    "str",
)
_KINDS = "biufU"
"""Kinds of arrays that are stored as they are; an array of objects is stored item by item."""


@dataclass(frozen=True)
class TreeFile:
    """The file that a tree was read from, and its hash."""

    tree: weakref.ref[xr.DataTree]
    path: Path
    sha256: str


_FILES: list[TreeFile] = []


def remember(tree: xr.DataTree, path: Path, sha256: str) -> None:
    """This very tree is what the file holds: it need not be stored or hashed again."""
    _FILES[:] = [known for known in _FILES if known.tree() is not None]
    _FILES.append(TreeFile(weakref.ref(tree), path, sha256))


def file_of(tree: object) -> TreeFile | None:
    """File of a tree that is remembered; a copy of the tree is not."""
    return next((known for known in _FILES if known.tree() is tree), None)


@dataclass(eq=False)
class Encoder:
    """Turns values into plain data; collects the arrays, and the trees that are to become files of their own."""

    for_key: bool = False
    arrays: list[np.ndarray] = field(default_factory=list)
    trees: list[xr.DataTree] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    """Of the functions met."""

    def plain(self, value: Any) -> Any:
        """A value as data for JSON. Raises `TypeError` for one that no other process could build."""
        kind = type(value)
        if value is None or kind in (bool, int, str):
            return value
        if kind is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if kind in (list, tuple, frozenset):
            items = [self.plain(item) for item in value]
            if kind is list:
                return items
            return {kind.__name__: sorted(items, key=json.dumps) if kind is frozenset else items}
        if kind in (dict, types.MappingProxyType):
            return {kind.__name__: [[self.plain(key), self.plain(item)] for key, item in value.items()]}
        if kind is np.ndarray:
            return self._array(value)
        if isinstance(value, np.generic):
            return self._scalar(value)
        for known, encoded in _LIBRARY.items():
            if kind is known:
                return {known.__name__: encoded(self, value)}
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, np.ufunc, functools.partial, type)):
            return self._function(value)
        if self.for_key and isinstance(value, PurePath):
            return {"path": value.as_posix()}
        return self._ours(value)

    def _array(self, value: np.ndarray) -> Any:
        if value.dtype.kind in _KINDS:
            self.arrays.append(value)
            return {"array": len(self.arrays) - 1}
        if value.dtype == object:
            return {"objects": [list(value.shape), [self.plain(item) for item in value.ravel()]]}
        raise TypeError(f"cannot store an array of {value.dtype}")

    def _scalar(self, value: np.generic) -> Any:
        name = value.dtype.type.__name__.rstrip("_")
        if name not in _SCALARS:
            raise TypeError(f"cannot store a {name}")
        return {"scalar": [name, self.plain(value.item())]}

    def _function(self, value: Any) -> Any:
        """A function by its name, for keys: it is never called back to life."""
        if not self.for_key:
            raise TypeError(f"cannot store the function {value}")
        if isinstance(value, functools.partial):
            return {"partial": [self.plain(value.func), self.plain(value.args), self.plain(value.keywords)]}
        module, name = getattr(value, "__module__", None) or "", getattr(value, "__qualname__", value.__name__)
        self.modules.add(module)
        if isinstance(value, types.FunctionType) and "<" in name:
            # a function in a function: where it stands, what it does, and what it holds
            code = value.__code__
            constants = [repr(item) for item in code.co_consts if not isinstance(item, types.CodeType)]
            held = [self.plain(cell.cell_contents) for cell in value.__closure__ or ()]
            return {
                "function": [f"{module}:{name}", code.co_firstlineno, code.co_code.hex(), list(code.co_names), constants, held]
            }
        return {"function": f"{module}:{name}"}

    def _ours(self, value: Any) -> Any:
        kind = type(value)
        name = f"{kind.__module__}:{kind.__qualname__}"
        if not _OURS.fullmatch(name):
            raise TypeError(f"cannot store a {name}")
        if isinstance(value, Enum):
            return {name: value.name}
        if isinstance(value, BaseModel):
            fields = {key: self.plain(getattr(value, key)) for key in kind.model_fields}
            return {name: [sorted(value.model_fields_set), *fields.values()]}
        if isinstance(value, RetrialError):
            return {name: self.plain(list(value.args))}
        if isinstance(value, tuple):
            return {name: [self.plain(item) for item in value]}
        if not dataclasses.is_dataclass(kind):
            raise TypeError(f"cannot store a {name}")
        return {name: [self._field(one, getattr(value, one.name)) for one in dataclasses.fields(kind) if one.init]}

    def _field(self, one: dataclasses.Field[Any], value: Any) -> Any:
        counts = one.metadata.get(IN_KEY, True) if self.for_key else True
        return self.plain(counts(value) if callable(counts) else value if counts else None)

    def _index(self, value: pd.Index) -> Any:
        if type(value) is pd.RangeIndex:
            return [self.plain(value.name), [value.start, value.stop, value.step]]
        if type(value) is not pd.Index:
            raise TypeError(f"cannot store a {type(value).__name__}")
        return [self.plain(value.name), self.plain(value.to_numpy())]

    def _frame(self, value: pd.DataFrame) -> Any:
        columns = [value.iloc[:, place].array for place in range(value.shape[1])]
        plain = [self.plain(column.to_numpy()) for column in columns if isinstance(column, pd.arrays.NumpyExtensionArray)]
        if len(plain) < len(columns):
            raise TypeError(f"cannot store columns of {[str(column.dtype) for column in columns]}")
        return [self._index(value.index), self._index(value.columns), plain]

    def _variable(self, value: xr.Variable) -> Any:
        return [list(value.dims), self.plain(value.to_numpy()), self.plain(dict(value.attrs))]

    def _dataset(self, value: xr.Dataset) -> Any:
        if len(value.xindexes) != len([name for name in value.coords if value.coords[name].dims == (name,)]):
            raise TypeError("cannot store a Dataset with other indexes than its coordinates")
        parts = [
            [[self.plain(name), self._variable(item.variable)] for name, item in part.items()]
            for part in (value.data_vars, value.coords)
        ]
        return [*parts, self.plain(dict(value.attrs))]

    def _data_array(self, value: xr.DataArray) -> Any:
        return [self.plain(value.name), self._dataset(value.to_dataset(name="value", promote_attrs=False))]

    def _tree(self, value: xr.DataTree) -> Any:
        if not self.for_key:
            self.trees.append(value)
            return len(self.trees) - 1
        known = file_of(value)
        return (
            known.sha256
            if known is not None
            else [[node.path, self._dataset(node.to_dataset(inherit=False))] for node in value.subtree]
        )


_LIBRARY: dict[type, Callable[[Encoder, Any], Any]] = {
    pd.DataFrame: Encoder._frame,
    xr.Dataset: Encoder._dataset,
    xr.DataArray: Encoder._data_array,
    xr.DataTree: Encoder._tree,
}


def document(plain: Any) -> str:
    """The one text of plain data."""
    return json.dumps(plain, allow_nan=False, separators=(",", ":"))


def write_all(arrays: Sequence[np.ndarray], stream: BinaryIO) -> None:
    """Arrays one after the other, each as in a .npy file: the same arrays give the same bytes."""
    for array in arrays:
        np.save(stream, array, allow_pickle=False)


def read_all(stream: BinaryIO) -> list[np.ndarray]:
    """All arrays of a file that `write_all` wrote. Raises `StoreError` where it ends too early."""
    size, found = stream.seek(0, io.SEEK_END), []
    stream.seek(0)
    try:
        while stream.tell() < size:
            found.append(np.load(stream, allow_pickle=False))
    except (ValueError, EOFError, OSError) as error:
        raise StoreError(f"not a file of arrays: {error}") from error
    return found


def digest(value: Any) -> tuple[str, set[str]]:
    """Hash of all that a result can depend on in a value, and the modules of the functions in it.

    The order of a mapping counts: the first prior set is the main one.
    """
    encoder = Encoder(for_key=True)
    found = hashlib.sha256(document(encoder.plain(value)).encode())
    stream = io.BytesIO()
    for array in encoder.arrays:
        write_all([array], stream)
        found.update(stream.getbuffer())
        stream = io.BytesIO()
    return found.hexdigest(), encoder.modules


@dataclass(frozen=True, eq=False)
class Decoder:
    """Builds values from plain data, the arrays and the trees beside it."""

    arrays: Sequence[np.ndarray] = ()
    trees: Sequence[xr.DataTree] = ()

    def value(self, plain: Any) -> Any:
        """Raises `StoreError` for plain data that `Encoder` did not write."""
        try:
            return self._value(plain)
        except (LookupError, TypeError, ValueError, AttributeError, ImportError, RetrialError) as error:
            raise StoreError(f"not a stored value: {error}") from error

    def _value(self, plain: Any) -> Any:
        if isinstance(plain, list):
            return [self._value(item) for item in plain]
        if not isinstance(plain, dict):
            return plain
        ((kind, content),) = plain.items()
        if ":" in kind:
            return self._ours(kind, content)
        return _BUILDERS[kind](self, content)

    def _ours(self, name: str, content: Any) -> Any:
        found = _OURS.fullmatch(name)
        if found is None:
            raise TypeError(f"{name} is not ours")
        kind: Any = getattr(import_module(found[1]), found[2])
        if not isinstance(kind, type) or kind.__module__ != found[1]:
            raise TypeError(f"{name} is no class of its module")
        if issubclass(kind, Enum):
            return kind[content]
        values = [self._value(item) for item in content]
        if issubclass(kind, BaseModel):
            names = list(kind.model_fields)
            return kind.model_construct(set(values[0]), **dict(zip(names, values[1:], strict=True)))
        if issubclass(kind, RetrialError):
            return kind(*values)
        if issubclass(kind, tuple) and hasattr(kind, "_fields"):
            return kind(*values)
        if not dataclasses.is_dataclass(kind):
            raise TypeError(f"{name} is no dataclass")
        names = [one.name for one in dataclasses.fields(kind) if one.init]
        return kind(**dict(zip(names, values, strict=True)))

    def _objects(self, content: Any) -> np.ndarray:
        shape, items = content
        flat = np.empty(len(items), dtype=object)
        for place, item in enumerate(items):
            flat[place] = self._value(item)
        return flat.reshape(shape)

    def _scalar(self, content: Any) -> Any:
        name, item = content
        if name not in _SCALARS:
            raise TypeError(f"{name} is no scalar")
        return np.dtype(name).type(self._value(item))

    def _index(self, content: Any) -> pd.Index:
        name, values = content
        if isinstance(values, list):
            start, stop, step = values
            return pd.RangeIndex(start, stop, step, name=self._value(name))
        array = self._value(values)
        return pd.Index(array, dtype=array.dtype, name=self._value(name))

    def _frame(self, content: Any) -> pd.DataFrame:
        index, names, columns = content
        frame = pd.DataFrame({place: self._value(column) for place, column in enumerate(columns)}, index=self._index(index))
        frame.columns = self._index(names)
        return frame

    def _dataset(self, content: Any) -> xr.Dataset:
        variables, coordinates, attributes = content
        values, places = (
            {self._value(name): (dims, self._value(data), self._value(about)) for name, (dims, data, about) in part}
            for part in (variables, coordinates)
        )
        return xr.Dataset(values, places, self._value(attributes))

    def _data_array(self, content: Any) -> xr.DataArray:
        name, dataset = content
        return self._dataset(dataset)["value"].rename(self._value(name))


_BUILDERS: dict[str, Callable[[Decoder, Any], Any]] = {
    "float": lambda _, content: {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content],
    "tuple": lambda decoder, content: tuple(decoder._value(item) for item in content),
    "frozenset": lambda decoder, content: frozenset(decoder._value(item) for item in content),
    "dict": lambda decoder, content: {decoder._value(key): decoder._value(item) for key, item in content},
    "mappingproxy": lambda decoder, content: types.MappingProxyType(
        {decoder._value(key): decoder._value(item) for key, item in content}
    ),
    "array": lambda decoder, content: decoder.arrays[content],
    "objects": Decoder._objects,
    "scalar": Decoder._scalar,
    "DataFrame": Decoder._frame,
    "Dataset": Decoder._dataset,
    "DataArray": Decoder._data_array,
    "DataTree": lambda decoder, content: decoder.trees[content],
}
