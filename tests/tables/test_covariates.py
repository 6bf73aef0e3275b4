"""Covariates of patients: columns of strangers, what is made of them and what is said of those that cannot be used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from retrial.errors import DataError
from retrial.study.endpoints import Endpoint
from retrial.tables.covariates import CovariateRows, read_covariates

HEAD = "time,event,arm,age,stage,site\n"
GOOD = HEAD + (
    "1,1,control,50,II,a\n2,0,control,60,I,b\n3,1,control,70,II,a\n4,1,control,55,III,b\n"
    "5,1,experimental,52,II,b\n6,0,experimental,61,I,a\n7,1,experimental,NA,II,a\n8,1,experimental,64,III,b\n"
)
Read = Callable[..., CovariateRows]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def _read(text: str, covariates: object, **layout: object) -> CovariateRows:
        (tmp_path / "p.csv").write_text(text, encoding="utf-8")
        endpoint = Endpoint.model_validate({"patients": {"file": "p.csv", **layout}, "covariates": covariates})
        assert endpoint.patients is not None
        return read_covariates(tmp_path / "p.csv", "months", endpoint.patients, endpoint.adjusts_for, "endpoints.os.covariates")

    return _read


def test_numbers_are_standardised_over_those_who_stay_and_texts_are_levels(read: Read) -> None:
    rows = read(GOOD, ["age", "stage"])
    age = np.array([50, 60, 70, 55, 52, 61, 64.0])
    assert (rows.left_out, dict(rows.missing), rows.time.tolist()) == (1, {"age": 1, "stage": 0}, [1, 2, 3, 4, 5, 6, 8])
    np.testing.assert_allclose(rows.values[:, 0], (age - age.mean()) / age.std(ddof=1), rtol=1e-12)
    assert [column.contrast for column in rows.columns] == ["age, one SD more", "stage I / stage II", "stage III / stage II"]
    assert rows.values[:, 1:].tolist() == [[0, 0], [1, 0], [0, 0], [0, 1], [0, 0], [1, 0], [0, 1]]
    assert any("1 of 8 patients are left out for a missing value (age 1)" in words for words in rows.words)


def test_kind_reference_and_label_are_the_study_files(read: Read) -> None:
    rows = read(
        GOOD.replace("II", "2").replace("2I", "3").replace(",I,", ",1,"), {"stage": {"kind": "categorical", "reference": "1"}}
    )
    assert [column.contrast for column in rows.columns] == ["stage 2 / stage 1", "stage 3 / stage 1"]
    assert read(GOOD, {"age": {"label": "Age, years"}}).words[0].startswith("covariates: Age, years: mean 58.8571, SD ")


def test_separators_decimals_units_and_other_columns(read: Read) -> None:
    text = GOOD.replace(",", ";").replace("50;", "50,5;").replace("time", "days")
    rows = read(text, "age", time="days", time_unit="days", decimal=",")
    assert rows.time[-1] == pytest.approx(8 * 12 / 365.25)
    assert rows.values[0, 0] * rows.columns[0].scale + rows.columns[0].centre == pytest.approx(50.5)


def changed(column: str, values: str) -> str:
    """The file with other cells in one column, a letter or word a patient."""
    place, lines = HEAD.strip().split(",").index(column), GOOD.splitlines()
    cells = [line.split(",") for line in lines[1:]]
    for row, value in zip(cells, values.split(), strict=True):
        row[place] = "" if value == "_" else value
    return "\n".join([lines[0], *(",".join(row) for row in cells)]) + "\n"


def test_none_is_a_level_and_no_number(read: Read) -> None:
    text = changed("stage", "none mild none mild - none - none")
    rows = read(text, "stage")
    assert rows.left_out == 0
    assert {column.contrast for column in rows.columns} == {"stage mild / stage none", "stage - / stage none"}
    with pytest.raises(DataError, match="age"):
        read(changed("age", "50 none 70 55 52 61 63 64"), "age")


@pytest.mark.parametrize(
    ("text", "covariates", "said"),
    [
        (GOOD, ["karno"], "endpoints.os.covariates: got karno, no column of the file; allowed are age, stage, site"),
        (changed("age", "5 5 5 5 5 5 5 5"), ["age"], "endpoints.os.covariates.age: got one value, '5', in all 8 patients"),
        (changed("stage", "I I I I I I I _"), ["stage"], "got one value, 'I', in all 7 patients"),
        (changed("age", "5 6 7 8 5 6 young 9"), ["age"], "got 'young' among numbers; allowed are numbers alone"),
        (GOOD, {"stage": {"kind": "numeric"}}, "got 'I', 'II', 'III' among numbers"),
        (changed("age", "5 6 7 8 5 6 1e13 9"), ["age"], "allowed are numbers of a size up to 1e+12"),
        (changed("age", "inf 6 7 8 5 6 1 9"), ["age"], "got 'inf' among numbers"),
        (
            GOOD,
            {"stage": {"reference": "IV"}},
            "endpoints.os.covariates.stage.reference: got 'IV'; allowed are the levels I, II, III",
        ),
        (changed("site", "a a a a b b b b"), ["site"], "got site (b), which the arm tells without error"),
        (changed("age", "1 1 1 1 2 2 2 2"), ["age"], "got age, which the arm tells without error"),
        (
            changed("site", "y x y z y x y z"),
            ["stage", "site"],
            "which the arm and stage together tell without error",
        ),
        (changed("age", "_ _ _ _ 5 6 7 8"), ["age"], "got nobody in control with a value of every covariate"),
        (changed("age", "_ 1 _ _ _ 2 _ _"), ["age"], "got no event among the 2 patients"),
        (changed("site", "a b c d e f g h"), ["site", "age"], "columns of all covariates for 7 patients; allowed are up to 4"),
        (
            HEAD + "".join(f"{i},1,{'control' if i % 2 else 'experimental'},1,I,p{i}\n" for i in range(1, 60)),
            ["site"],
            "got 59 levels",
        ),
    ],
)
def test_what_cannot_be_used_is_said(read: Read, text: str, covariates: object, said: str) -> None:
    with pytest.raises(DataError) as caught:
        read(text, covariates)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"patients": "p.csv", "covariates": ["age", "age"]}, "got age twice"),
        ({"patients": "p.csv", "covariates": ["arm"]}, "got arm, which is the column of the arm"),
        ({"covariates": ["age"]}, "without patients"),
        ({"patients": {"file": "p.csv", "covariates": ["age"]}, "covariates": ["sex"]}, "got covariates here and in patients"),
        ({"patients": "p.csv", "covariates": {"age": {"kind": "numeric", "reference": "5"}}}, "of a numeric covariate"),
        ({"patients": "p.csv", "covariates": {"age": {"knots": 3}}}, "knots"),
    ],
)
def test_what_a_study_file_may_not_say(section: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Endpoint.model_validate(section)
