"""Stages for tests: pure functions at the top of a module, as the store wants them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from retrial.store.stages import Stages


def counted(log: str, value: Any) -> dict[str, Any]:
    """Writes a line to `log` each time it is computed."""
    with Path(log).open("a") as stream:
        stream.write("computed\n")
    return {"value": value, "array": np.arange(1000) / 7, "nan": float("nan")}


def slow(log: str, seconds: float) -> dict[str, Any]:
    time.sleep(seconds)
    return counted(log, seconds)


def posterior(size: int) -> tuple[xr.DataTree, int, np.ndarray]:
    values = xr.Dataset({"x": (("draw",), np.random.default_rng(1).normal(size=size))})
    return xr.DataTree.from_dict({"posterior": values, "sample_stats": values > 0}), size, np.arange(size)


def killed(log: str) -> None:
    counted(log, 1)
    os.kill(os.getpid(), 9)


def failing(log: str) -> None:
    counted(log, 1)
    raise ZeroDivisionError


def want(folder: Path, log: Path) -> None:
    Stages(folder).run("slow", slow, str(log), 0.5)


def die(folder: Path, log: Path) -> None:
    Stages(folder).run("killed", killed, str(log))


def by_whom(log: str, number: int, seconds: float) -> dict[str, Any]:
    """Notes which process computes it."""
    time.sleep(seconds)
    with Path(log).open("a") as stream:
        stream.write(f"{os.getpid()}\n")
    return {"number": number, "array": np.random.default_rng(number).normal(size=20)}
