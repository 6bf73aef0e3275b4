"""One way to compile a kernel, and the random numbers used inside kernels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

_DOUBLE_STEP = 2.0**-53
"""Spacing of 53-bit fractions in [0, 1)."""
STATE_WORDS = 4
"""64-bit words in the state of xoshiro256++."""


def forget_stale(kernels: Path, package: Path) -> int:
    """Delete compiled kernels of `package` that are older than any source in `kernels`; returns how many files.

    Numba looks at a kernel's own file only: a caller would go on with the old code of what was compiled into it. Caches that numba keeps
    in a user's folder, where the package's is not writable, are not touched.
    """
    newest = max((path.stat().st_mtime for path in kernels.glob("*.py")), default=0.0)
    stale = []
    for path in package.rglob("__pycache__/*.nb[ic]"):
        try:
            if path.stat().st_mtime < newest:
                path.unlink()
                stale.append(path)
        except OSError:  # another process was first, or the folder is read-only
            continue
    return len(stale)


_KERNELS = Path(__file__).parent
forget_stale(_KERNELS, _KERNELS.parents[1])


def compiled(function: Callable[..., Any]) -> Any:
    """Compile to machine code once: kept on disk, without the interpreter lock, division by zero giving inf or NaN.

    The cache lies beside the installed file where that is writable, otherwise in the user's cache folder (numba's rule).
    """
    return numba.njit(cache=True, nogil=True, error_model="numpy")(function)


def uncounted(function: Callable[..., Any]) -> Any:
    """Compile a kernel that makes no array: as `compiled`, without counting references to the arrays it is given.

    Counting is atomic, and costs more than the arithmetic where a call takes a hundred nanoseconds.
    """
    options = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}  # its types know no _nrt
    return numba.njit(**options)(function)  # type: ignore[call-overload]


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
