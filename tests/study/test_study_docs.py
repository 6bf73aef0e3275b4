"""docs/study_file.md, and the worked file of the README: every file in it loads, every key of the schema is in it, what it says is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from test_study_schema import schema_keys

from retrial.errors import StudyError
from retrial.study.loader import load_study
from retrial.tables.patients import read_patients

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "study_file.md"
SECTION_OF_MODEL = {
    "Study": "Top of the file",
    "Citation": "Top of the file",
    "Total": "Top of the file",
    "Arms": "`arms`",
    "Arm": "`arms`",
    "Timeline": "`timeline`",
    "CountRow": "A row of counts",
    "Cell": "A row of counts",
    "Evaluable": "A row of counts",
    "Baseline": "`baseline`",
    "BaselineVariable": "`baseline`",
    "Endpoint": "`endpoints`",
    "Events": "`endpoints`",
    "Medians": "`endpoints`",
    "Median": "`endpoints`",
    "AtRisk": "`endpoints`",
    "Censored": "`endpoints`",
    "Landmarks": "`endpoints`",
    "Landmark": "`endpoints`",
    "UnadjustedTest": "`endpoints`",
    "PatientCovariate": "`endpoints`",
    "PatientFile": "`endpoints`",
    "Effect": "`effects`",
    "TestTable": "`tests`",
    "TestRow": "`tests`",
    "TestResult": "`tests`",
    "Multivariable": "`multivariable`",
    "Covariate": "`multivariable`",
    "Response": "`response`",
    "Composite": "`response`",
    "BinaryOutcome": "`binary`",
    "AdverseEvents": "`adverse_events`",
    "AdverseEventTerm": "`adverse_events`",
    "Ranking": "`adverse_events`",
}


def blocks(language: str, page: Path = PAGE) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """The folder that the page has its reader make, with the CSV of the page in it."""
    study = tmp_path / "mine" / "study"
    study.mkdir(parents=True)
    (study / "patients.csv").write_text(blocks("csv")[0], encoding="utf-8")
    registry = "drug,enrolled,days,status\nA,0,30,2\nA,61,122,1\nB,0,244,1\nB,10,400,2\n"
    (study / "registry.csv").write_text(registry, encoding="utf-8")
    return study


def test_every_file_of_the_page_and_of_the_readme_loads(mine: Path) -> None:
    files = [*blocks("yaml"), *blocks("yaml", ROOT / "README.md")]
    assert len(files) == 7
    for text in files:
        (mine / "mytrial.yaml").write_text(text, encoding="utf-8")
        for study in load_study(mine / "mytrial.yaml").comparisons():
            assert study.effects or study.binary or study.endpoints


def test_the_patients_of_the_page_are_read(mine: Path) -> None:
    assert read_patients(mine / "patients.csv", "months").table.n.to_numpy().tolist() == [[2, 2]]


def test_the_registry_of_the_page_is_read_as_its_file_says(mine: Path) -> None:
    (mine / "mytrial.yaml").write_text(blocks("yaml")[3], encoding="utf-8")
    layout = load_study(mine / "mytrial.yaml").endpoints["os"].patients
    assert layout is not None
    table = read_patients(mine / layout.file, "months", layout).table
    assert table.n.to_numpy().tolist() == [[2, 2]]
    assert table.patients()["entry"].tolist() == pytest.approx([0, 0, 61 * 12 / 365.25, 10 * 12 / 365.25])


def test_the_error_of_the_page_is_what_such_a_file_gives(mine: Path) -> None:
    text = blocks("yaml")[4].replace("control: {label: drug B, n: 120}", "control: {label: drug B, n: 120, size: 120}")
    text = text.replace("hazard_ratio: 0.67, ci: [0.47, 0.94]", "hazard_ratio: 0.67, ci: [0.98, 0.51]").replace(
        "control: 71", "control: 144"
    )
    (mine / "mytrial.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(mine / "mytrial.yaml")
    shown = blocks("text")[0].strip().split("\n")
    assert shown[1:] == str(caught.value).split("\n")[1:]


def test_every_key_of_the_schema_is_in_its_table() -> None:
    parts = re.split(r"^### (.*)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    tables = dict(zip(parts[1::2], parts[2::2], strict=True))
    keys = set(schema_keys())
    assert {model for model, _ in keys} == set(SECTION_OF_MODEL)
    inherited = {(model, key) for model in ("Composite", "BinaryOutcome") for _, key in keys if ("CountRow", key) in keys}
    missing = [
        f"{model}.{key}"
        for model, key in sorted(keys - inherited)
        if not re.search(rf"`(?:control\.)?{key}`", tables[SECTION_OF_MODEL[model]])
    ]
    assert not missing


def test_needed_keys_are_bold_and_others_are_not() -> None:
    bold = set(re.findall(r"\*\*`(\w+)`\*\*", PAGE.read_text(encoding="utf-8")))
    assert bold == {
        "title",
        "control",
        "experimental",
        "variables",
        "value",
        "file",
        "times",
        "rows",
        "results",
        "categories",
        "of",
        "terms",
        "grades",
        "covariates",
        "effect",
    }


@pytest.mark.parametrize(
    ("text", "is_number"),
    [
        (text, True)
        for text in (
            "0.470",
            ".042",
            "13",
            "−0.3",
            "<0.001",
            "≤0.001",
            ">0.05",
            "0·47",
            "1 234",
            "1,234,567",
            "1,234.5",
            "NR",
            "30+",
        )
    ]
    + [(text, False) for text in ("1e-5", "1,234", "0,47", "0823", "5 months", "0.05*", "1" * 13)],
)
def test_the_notation_is_as_told(text: str, is_number: bool) -> None:
    from retrial.study.reported import Reported

    reading: Callable[[str], object] = Reported
    if is_number:
        reading(text)
    else:
        with pytest.raises(ValueError, match="allowed is"):
            reading(text)
