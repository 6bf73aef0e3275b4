"""What nutpie calls of a model, kept on the disk as machine code: a model that was compiled once is loaded, not compiled again.

nutpie wraps PyTensor's functions (which are kept) into callbacks of C, which numba cannot keep since they hold addresses, and optimises all of a
model again in each: 4 to 9 s of processor time a model and process. These have no addresses in them: the data, one vector (`engine.packed`), are
found where nutpie says. Models with other data are left to nutpie; so is all that is not the wrapping.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np
from nutpie import compile_pymc
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS, compile_numba_function_src

_DATA = "carray(address_as_void_pointer(carray(user_data, (1,), uintp)[0]), ({size},), float64)"
"""The vector of data: its address is the first word of what nutpie passes on."""
_LOGP = """
def logp_of_model(dim, at, out, logp, user_data):
    if dim != {dim}:
        return -1
    try:
        found, slope, value = carray(logp, ()), carray(out, ({dim},)), inner({arguments})
        found[()] = value[0]
        slope[...] = value[1]
        if not np.all(np.isfinite(slope)):
            return 3
        if not np.isfinite(found[()]):
            return 4
    except Exception:
        return 1
    return 0
"""
_EXPAND = """
def expand_of_model(dim, expanded, at, out, user_data):
    if dim != {dim} or expanded != {expanded}:
        return -1
    try:
        carray(out, ({expanded},))[...] = inner({arguments})[0]
    except Exception:
        return -2
    return 0
"""
_NUTPIES = compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func
_LOCK = threading.Lock()


@contextmanager
def kept() -> Iterator[dict[str, bool]]:
    """While this is open nutpie's callbacks are these; to be compiled with the arguments that it yields."""
    with _LOCK:
        compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func = _logp, _expand
        try:
            yield {"cache": True}
        finally:
            compile_pymc._make_c_logp_func, compile_pymc._make_c_expand_func = _NUTPIES


def _logp(n_dim: int, function: Any, user_data: Any, keys: list[str], data: dict[str, np.ndarray]) -> tuple[Any, Any]:
    made = _made(_LOGP, "logp_of_model", function, keys, data, dim=n_dim)
    signature = numba.types.int64(numba.types.uint64, *[_NUMBERS] * 3, numba.types.voidptr)
    return _NUTPIES[0](n_dim, function, user_data, keys, data) if made is None else (made, signature)


def _expand(
    n_dim: int, n_expanded: int, function: Any, user_data: Any, keys: list[str], data: dict[str, np.ndarray]
) -> tuple[Any, Any]:
    made = _made(_EXPAND, "expand_of_model", function, keys, data, dim=n_dim, expanded=n_expanded)
    signature = numba.types.int64(numba.types.uint64, numba.types.uint64, *[_NUMBERS] * 2, numba.types.voidptr)
    return _NUTPIES[1](n_dim, n_expanded, function, user_data, keys, data) if made is None else (made, signature)


_NUMBERS = numba.types.CPointer(numba.types.double)


def _made(
    source: str, name: str, function: Any, keys: list[str], data: dict[str, np.ndarray], **sizes: int
) -> Callable[..., int] | None:
    """A callback whose machine code numba keeps under the hash of all that it is made of; None where that cannot be."""
    inner = CACHED_SRC_FUNCTIONS.get(function.py_func)
    vectors = [value for value in data.values() if value.ndim == 1 and value.dtype == np.float64]
    if inner is None or len(data) != 1 or len(vectors) != 1:
        return None
    place = f"carray(at, ({sizes['dim']},))"
    arguments = f"{place}, {_DATA.format(size=vectors[0].size)}" if keys else place
    text = source.format(arguments=arguments, **sizes)
    known = {
        "__name__": __name__,  # numba imports it when it loads the code
        "np": np,
        "carray": numba.carray,
        "uintp": np.uintp,
        "float64": np.float64,
        "inner": function,
        "address_as_void_pointer": compile_pymc.address_as_void_pointer,
    }
    key = hashlib.sha256(f"{__name__} {inner} {text} {numba.__version__}".encode()).hexdigest()
    made: Callable[..., int] = compile_numba_function_src(text, name, known, cache_key=key)
    return made
