"""One way to compile a kernel, and the random numbers used inside kernels."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

_DOUBLE_STEP = 2.0**-53
"""Spacing of 53-bit fractions in [0, 1)."""
STATE_WORDS = 4
"""64-bit words in the state of xoshiro256++."""


@functools.cache
def kept_in() -> Path:
    """Folder of the machine code of this state of the kernels: beside them where that is writable, otherwise in the user's cache folder.

    numba asks only whether the file of a function itself has changed, not the kernels and constants that were compiled into it: after an
    update it would run the old ones. So the folder is named by the contents of all of them.
    """
    here = Path(__file__).parent
    contents = hashlib.sha256()
    for file in sorted(here.rglob("*.py")):
        contents.update(f"{file.name} {file.stat().st_size} ".encode() + file.read_bytes())
    beside = here / "__pycache__"
    base = beside if os.access(beside if beside.exists() else here, os.W_OK) else Path.home() / ".cache" / "retrial"
    return base / f"kernels-{contents.hexdigest()[:16]}"


def _kept(function: Callable[..., Any], **options: Any) -> Any:
    """Compile to machine code once, kept on disk in `kept_in`; in this process alone where nothing can be written."""
    settings: Any = numba.config  # its stubs know few of its settings
    before, settings.CACHE_DIR = settings.CACHE_DIR, str(kept_in())
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy", **options)(function)
    except RuntimeError:  # no folder to keep it in
        return numba.njit(nogil=True, error_model="numpy", **options)(function)
    finally:
        settings.CACHE_DIR = before


def compiled(function: Callable[..., Any]) -> Any:
    """Compile to machine code: without the interpreter lock, division by zero giving inf or NaN."""
    return _kept(function)


def uncounted(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no array: as `compiled`, without counting references to the arrays it is given.

    Counting is atomic, and costs more than the arithmetic where a call takes a hundred nanoseconds.
    """
    return _kept(function, _nrt=False)  # numba's types know no _nrt


def inlined(function: Callable[..., Any]) -> Any:
    """Compile into every caller: for small parts of the innermost loop."""
    return numba.njit(nogil=True, error_model="numpy", inline="always")(function)


def random_state(seed: np.random.SeedSequence) -> np.ndarray:
    """State of the generator for one island of the sampler, from a seed sequence: 4 words of 64 bits, never all zero."""
    return seed.generate_state(STATE_WORDS, dtype=np.uint64)


@inlined
def next_bits(state: np.ndarray) -> np.uint64:
    """Next 64 random bits by xoshiro256++ (Blackman and Vigna 2021, ACM Transactions on Mathematical Software 47:36)."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    total = s0 + s3
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    s2 ^= s0
    s3 ^= s1
    state[1] = s1 ^ s2
    state[0] = s0 ^ s3
    state[2] = s2 ^ (s1 << np.uint64(17))
    state[3] = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return result


@inlined
def uniform(state: np.ndarray) -> float:
    """A number from [0, 1)."""
    return np.float64(next_bits(state) >> np.uint64(11)) * _DOUBLE_STEP
