"""Files of many arms, which are read once for each pair: few corrections are tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from retrial.errors import StudyError
from retrial.study import loader

ENOUGH = 16
"""Reads of such a file."""


@pytest.mark.parametrize("slip", ["", "oops: [1, 2\n"])
def test_few_corrections_are_tried_of_many_arms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slip: str) -> None:
    arms = "".join(f"  arm{number}: {{n: 40}}\n" for number in range(12))
    wrong = "".join(f"  e{number}: {{lable: x, wher: y, hazard_ratios: 0.5}}\n" for number in range(10))
    path = tmp_path / "study.yaml"
    path.write_text(f"title: Many\narms:\n{arms}effects:\n{wrong}{slip}")
    reads, plain = [], loader._read

    def counted(text: str, folder: Path) -> loader._Read:
        reads.append(text)
        return plain(text, folder)

    monkeypatch.setattr(loader, "_read", counted)
    with pytest.raises(StudyError) as caught:
        loader.load_study(path)
    assert "hazard_ratio" in str(caught.value)
    assert len(reads) < ENOUGH
