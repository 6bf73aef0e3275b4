"""Study files for tests: written to a folder with the data files that they name, then loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from retrial.errors import StudyError
from retrial.study.loader import load_study
from retrial.study.study import Study

HERE = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study folder with a patient and a curve file beside the study."""
    study = tmp_path / "mine" / "study"
    (study / "curves").mkdir(parents=True)
    (study / "patients.csv").write_text("time,event,arm\n1,1,control\n2,0,experimental\n")
    (study / "curves" / "os.csv").write_text("arm,time,survival\ncontrol,0,1\n")
    return study


@pytest.fixture
def load(folder: Path) -> Callable[[str | bytes], Study]:
    """Load a study from its text."""

    def _load(text: str | bytes) -> Study:
        path = folder / "study.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_study(path)

    return _load


@pytest.fixture
def problems(load: Callable[[str | bytes], Study]) -> Callable[[str | bytes], list[str]]:
    """The problems of a text that must be refused."""

    def _problems(text: str | bytes) -> list[str]:
        with pytest.raises(StudyError) as caught:
            load(text)
        assert caught.value.exit_status == 2
        assert caught.value.problems
        return list(caught.value.problems)

    return _problems


@pytest.fixture(scope="session")
def full_text() -> str:
    """A study that uses every key."""
    return (HERE / "full.yaml").read_text(encoding="utf-8")
