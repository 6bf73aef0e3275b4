"""Where studies that are stopped find their finished parts again."""

from __future__ import annotations

import hashlib
from pathlib import Path

import retrial

OUTPUTS = Path(__file__).parents[2] / "outputs" / "validation"


def cache_of(study: str) -> Path:
    """Folder for one study's parts; another folder as soon as the reconstruction or the study's own code changes."""
    source = Path(retrial.__file__).parent / "reconstruct"
    files = [*sorted(source.glob("*.py")), *sorted(Path(__file__).parent.glob("*.py"))]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
    folder = OUTPUTS / study / digest
    folder.mkdir(parents=True, exist_ok=True)
    return folder
