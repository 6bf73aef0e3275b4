"""The study file of Yao et al. 2025 against the paper's tables, extracted by another route (`yao2025_tables.csv`)."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from retrial.dims import ARMS, TOTAL
from retrial.study.loader import load_study
from retrial.study.reported import Quantity
from retrial.study.study import Study

HERE = Path(__file__).parent
Key = tuple[str, str, str]


@pytest.fixture(scope="module")
def study() -> Study:
    return load_study(HERE.parents[1] / "conf" / "study" / "yao2025.yaml")


def name(label: str) -> str:
    """A row's label without case and spaces, which the text of the paper sets in several ways."""
    return "".join(label.lower().split())


def table_1(study: Study) -> Iterator[tuple[Key, str]]:
    assert study.baseline is not None
    for variable in study.baseline.variables.values():
        assert variable.p is not None
        yield ("1", name(variable.label), "p"), variable.p.text
        for arm in (*ARMS, TOTAL):
            for level in (variable.levels or {}).values():
                yield ("1", name(f"{variable.label} / {level.label}"), arm), getattr(level, arm).n.text
            if variable.levels is None:
                both = getattr(variable, arm)
                yield ("1", name(variable.label), arm), f"{both.mean} ± {both.sd}"


def table_2(study: Study) -> Iterator[tuple[Key, str]]:
    assert study.response is not None
    for key, row in {**study.response.categories, **study.response.composites}.items():
        for arm in (*ARMS, TOTAL):
            yield ("2", name(key), f"{arm} n"), getattr(row, arm).n.text
            yield ("2", name(key), f"{arm} %"), getattr(row, arm).percent.text
        yield ("2", name(key), "chi2"), str(row.chi_square)
        yield ("2", name(key), "p"), str(row.p)


def table_3(study: Study) -> Iterator[tuple[Key, str]]:
    for row in study.tests["univariate"].rows.values():
        for endpoint, result in row.results.items():
            yield ("3", name(row.label), f"{endpoint} chi2"), str(result.chi_square)
            yield ("3", name(row.label), f"{endpoint} p"), str(result.p)


def tables_4_and_5(study: Study) -> Iterator[tuple[Key, str]]:
    for effect in study.effects.values():
        if effect.where.startswith("Table"):
            table, row = effect.where.removeprefix("Table "), name(effect.label)
            assert effect.ci is not None
            yield (table, row, "hr"), effect.estimate.text
            yield (table, row, "lower"), effect.ci.lower.text
            yield (table, row, "upper"), effect.ci.upper.text
            yield (table, row, "p"), str(effect.p)


def table_6(study: Study) -> Iterator[tuple[Key, str]]:
    assert study.adverse_events is not None
    for term in study.adverse_events.terms.values():
        for grade, row in term.grades.items():
            for arm in ARMS:
                yield ("6", name(term.label), f"{grade} {arm}"), getattr(row, arm).n.text
            if row.p is not None:
                yield ("6", name(term.label), f"{grade} p"), row.p.text


def test_every_number_of_the_six_tables_is_in_the_file(study: Study) -> None:
    with (HERE / "yao2025_tables.csv").open(encoding="utf-8", newline="") as file:
        printed = {(row["table"], name(row["row"]), row["column"]): row["text"] for row in csv.DictReader(file)}
    in_file: dict[Key, str] = {}
    for read in (table_1, table_2, table_3, tables_4_and_5, table_6):
        in_file |= dict(read(study))
    assert Counter(table for table, _, _ in printed) == {"1": 118, "2": 48, "3": 84, "4": 28, "5": 12, "6": 125}
    assert in_file == printed


def prints(node: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(place, text) of every printed number."""
    if isinstance(node, Quantity):
        yield from ((printed.where or where, printed.text) for printed in node.prints)
    elif isinstance(node, BaseModel):
        for key in type(node).model_fields:
            yield from prints(getattr(node, key), getattr(node, "where", "") or where)
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from prints(item, where)
    elif dataclasses.is_dataclass(node):
        for field in dataclasses.fields(node):
            yield from prints(getattr(node, field.name), where)


def test_every_number_has_a_place(study: Study) -> None:
    places = Counter(place.split(" (")[0].split(",")[0] for place, _ in prints(study))
    assert set(places) == {
        *(f"Table {number}" for number in range(1, 7)),
        *("Abstract", "Results", "Discussion", "Methods"),
        "Figure 1",
        "Figure 2",
    }
    assert places.total() > 600


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        # numbers of the running text, read from the paper by eye
        ("endpoints.os.events.total.n", "44"),
        ("endpoints.os.events.total.percent", "47.8"),
        ("endpoints.os.shortest", "3.0"),
        ("endpoints.os.longest", "23.0"),
        ("endpoints.os.median.total.ci.lower", "10.587"),
        ("endpoints.os.median.total.ci.upper", "15.413"),
        ("endpoints.os.median.control.ci.lower", "7.142"),
        ("endpoints.os.median.control.ci.upper", "14.858"),
        ("endpoints.os.median.experimental.ci.lower", "13.767"),
        ("endpoints.os.median.experimental.ci.upper", "18.233"),
        ("endpoints.pfs.events.total.n", "68"),
        ("endpoints.pfs.events.total.percent", "73.9"),
        ("endpoints.pfs.median.total.ci.lower", "3.721"),
        ("endpoints.pfs.median.total.ci.upper", "6.279"),
        ("endpoints.pfs.median.control.ci.lower", "2.766"),
        ("endpoints.pfs.median.control.ci.upper", "5.234"),
        ("endpoints.pfs.median.experimental.ci.lower", "3.229"),
        ("endpoints.pfs.median.experimental.ci.upper", "10.771"),
        ("effects.os_unadjusted.hazard_ratio", "0.470"),
        ("effects.os_unadjusted.ci.lower", "0.252"),
        ("effects.os_unadjusted.ci.upper", "0.879"),
        ("effects.os_unadjusted.p", "0.018"),
        ("effects.pfs_unadjusted.hazard_ratio", "0.482"),
        ("effects.pfs_unadjusted.ci.lower", "0.286"),
        ("effects.pfs_unadjusted.ci.upper", "0.814"),
        ("effects.pfs_unadjusted.p", "0.006"),
        ("adverse_events.terms.alt_elevation.grades.any.total.percent", "45"),
        ("baseline.variables.ecog.levels.score_1.total.percent", "65.2"),
    ],
)
def test_numbers_of_the_text(study: Study, path: str, expected: str) -> None:
    node: Any = study
    for part in path.split("."):
        node = node[part] if isinstance(node, dict) else getattr(node, part)
    assert str(node) == expected


def test_what_the_paper_prints_twice_is_kept_twice(study: Study) -> None:
    regimen = study.effects["pfs_adjusted_regimen"].hazard_ratio
    assert regimen is not None
    assert [(printed.where, printed.text) for printed in regimen.prints] == [
        ("Table 5", "0.467"),
        ("Results (Prognostic factors)", "0.567"),
        ("Discussion", "0.567"),
    ]
    assert study.endpoints["os"].median.control is not None
    assert [printed.text for printed in study.endpoints["os"].median.control.value.prints] == ["11.0", "11", "11.0"]


def test_the_regimen_rows_run_against_their_label(study: Study) -> None:
    for key in ("os_adjusted_regimen", "pfs_adjusted_regimen"):
        effect = study.effects[key]
        assert (effect.label, effect.label_direction) == ("Therapeutic regimen (control vs. experimental)", "reversed")
        assert (effect.numerator, effect.denominator) == ("experimental", "control")


def test_numbers_at_risk_follow_the_arms(study: Study) -> None:
    at_risk = study.endpoints["pfs"].at_risk
    assert at_risk is not None
    assert [int(count) for count in at_risk.control or []] == [49, 18, 1, 1, 0]
    assert [int(count) for count in at_risk.experimental or []] == [43, 25, 9, 1, 0]
    assert at_risk.times_assumed
