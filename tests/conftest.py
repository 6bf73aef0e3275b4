"""Shared fixtures: folders of the project and the first study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from retrial.store import beside
from retrial.study.loader import load_study
from retrial.study.study import Study

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def _one_process() -> Iterator[None]:
    """A test that changes the program would not see what a copy of the process does (`tests/store/test_beside.py` makes copies)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(beside, "possible", lambda: False)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def yao2025() -> Study:
    return load_study(ROOT / "conf" / "study" / "yao2025.yaml")
