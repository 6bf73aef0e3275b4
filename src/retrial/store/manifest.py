"""The manifest of a run: what was asked, of which program, and what came out."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrial.store.files import file_digest
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
    plan, cited = plan_of(run), study.comparisons()[0].citation
    return {
        "verb": run.verb,
        "study": run.study_file.stem,
        "title": study.title,
        "citation": {"text": cited.text, "doi": cited.doi, "licence": cited.licence},
        "config": run.asked,
        "seed": run.seed,
        "versions": versions(),
        "commit": commit(),
        "source_sha256": source_digest(),
        "study_sha256": plan["study_sha256"],
        "plan_sha256": plan_digest(plan),
        "wall_seconds": round(wall_seconds, 1),
        "failures": list(failures),
    }


def plan_of(run: RunConfig) -> dict[str, Any]:
    """What a run is held against: the study's file, the program and the settings, as plain data."""
    file = run.study_file
    return {
        "study": file.stem,
        "study_sha256": file_digest(file) if file.is_file() else "",
        "program_sha256": source_digest(),
        "settings": run.asked,
    }


def plan_digest(plan: Mapping[str, Any]) -> str:
    """SHA-256 of a plan, by which a manifest names it."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True, default=str).encode()).hexdigest()


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
