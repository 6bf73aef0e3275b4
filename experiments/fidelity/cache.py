"""Where studies that are stopped find their finished parts again."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path


def cache_of(folder: Path) -> Path:
    """A study's folder for its parts; another one as soon as the reconstruction or the studies' own code changes."""
    packages = ("retrial.tables", "retrial.experiments.fidelity", "retrial.experiments.coverage")
    files = [file for package in packages for file in sorted(Path(str(resources.files(package))).rglob("*.py"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    parts = folder / "parts" / digest
    parts.mkdir(parents=True, exist_ok=True)
    return parts
