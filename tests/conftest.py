"""Shared fixtures: folders of the project and the first study."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrial.study.loader import load_study
from retrial.study.study import Study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def yao2025() -> Study:
    return load_study(ROOT / "conf" / "study" / "yao2025.yaml")
