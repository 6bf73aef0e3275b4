"""The manifest of a run: what was asked, of which program, and what came out."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrial.store.folders import source_digest

if TYPE_CHECKING:
    from retrial.run_config import RunConfig
    from retrial.study.arms.many import MultiArmStudy
    from retrial.study.study import Study

PROGRAM = "retrial-bayes"
"""Name of the distribution that this is."""
SOFTWARE = (
    PROGRAM,
    "pymc",
    "nutpie",
    "arviz",
    "hydra-core",
    "lifelines",
    "statsmodels",
    "scipy",
    "numpy",
    "numba",
    "xarray",
    "pandas",
)
"""Packages whose versions a report states."""


def describe(run: RunConfig, study: Study | MultiArmStudy, failures: Sequence[str], wall_seconds: float) -> dict[str, Any]:
    """Manifest of a finished run as plain data."""
    return {
        "verb": run.verb,
        "study": run.study_file.stem,
        "title": study.title,
        "config": run.asked,
        "seed": run.seed,
        "versions": versions(),
        "commit": commit(),
        "source_sha256": source_digest(),
        "wall_seconds": round(wall_seconds, 1),
        "failures": list(failures),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a report states."""
    found = {"python": platform.python_version()}
    for name in SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """Commit of the checkout that the program runs from, "-dirty" with uncommitted changes; empty outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12"],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
