"""All speeds, as ratios against plain alternatives in the same run where there is one."""

from __future__ import annotations

from pathlib import Path

from retrial.experiments.benchmarks import patients, posteriors, reconstruction


def main(folder: Path) -> list[str]:
    """Write the tables of the three benchmarks; returns which bounds are broken, in words."""
    return [words for part in (reconstruction, posteriors, patients) for words in part.main(folder)]
