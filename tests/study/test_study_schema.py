"""What a study file may hold, value by value; the file that uses every key loads as written."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from retrial.study.study import Study

Load = Callable[[str | bytes], Study]


def schema_keys(kind: Any = Study) -> Iterator[tuple[str, str]]:
    """(model, key) of every key of the schema, found by walking its types."""
    if typing.get_origin(kind) is typing.Annotated:
        yield from schema_keys(typing.get_args(kind)[0])
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            yield kind.__name__, name
            yield from schema_keys(field.annotation)
    elif isinstance(kind, types.UnionType) or typing.get_origin(kind) in (dict, list, typing.Union):
        for option in typing.get_args(kind):
            yield from schema_keys(option)


def used_keys(value: Any) -> Iterator[tuple[str, str]]:
    """(model, key) of every key that a loaded study was given."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            yield type(value).__name__, name
            yield from used_keys(getattr(value, name))
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from used_keys(item)


def test_the_full_file_uses_every_key_of_the_schema(load: Load, full_text: str) -> None:
    assert set(schema_keys()) - set(used_keys(load(full_text))) == {
        ("Composite", "where"),
        ("Composite", "chi_square"),
        ("Composite", "p"),
        ("Composite", "sides"),
        ("Composite", "evaluable"),
    } | {
        ("BinaryOutcome", "sides"),
        ("BinaryOutcome", "evaluable"),
        ("BinaryOutcome", "total"),
        ("BinaryOutcome", "chi_square"),
    }, "keys that every count row has are shown on CountRow"


def test_the_full_file_is_read_as_written(load: Load, full_text: str) -> None:
    study = load(full_text)
    assert study.title == "Drug A added to drug B in disease C (p < 0.05, BMI <25)"
    assert (study.n("control"), study.n("experimental"), study.n("total")) == (40, 44, 84)
    assert study.randomised is False
    assert study.arm("experimental").label == "drug A + drug B"
    assert study.timeline is not None
    assert (study.timeline.accrual_start, study.timeline.cut_off) == ("2020-02", "2021-06")
    assert study.baseline is not None
    age = study.baseline.variables["age"]
    assert age.control is not None
    assert (age.control.mean.text, age.control.sd.text) == ("60.1", "9.5")
    assert age.total is not None
    assert [printed.where for printed in age.total.sd.prints] == ["Table 1", "Text"]
    os = study.endpoints["os"]
    assert os.events.total is not None
    assert os.events.total.percent is not None
    assert os.events.total.percent.value == 53.6
    assert os.median.control is not None
    assert os.median.control.level == 0.95
    assert os.at_risk is not None
    assert os.at_risk.experimental is not None
    assert [int(count) for count in os.at_risk.experimental] == [44, 30, 8]
    effect = study.effects["os_treatment"]
    assert (effect.measure, effect.estimate.text, effect.is_treatment) == ("hazard_ratio", "0.52", True)
    assert not study.effects["os_sex"].is_treatment
    assert study.tests["univariable"].rows["sex"].results["os"].df == 1
    assert list(study.count_rows()) == [
        *(f"response.categories.{name}" for name in ("CR", "PR", "none")),
        "response.composites.ORR",
        "binary.stopped",
        *(f"adverse_events.terms.rash.grades.{grade}" for grade in ("1-2", "3-4", "any")),
        "adverse_events.terms.fever.grades.any",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "title: only a title\n",
        "title: an HR\neffects: {os: {hazard_ratio: 0.7, ci: [0.5, 0.98]}}\n",
        "title: counts\narms: {control: {n: 40}, experimental: {n: 38}}\nbinary: {response: {control: 10, experimental: 19}}\n",
        "title: patients\nendpoints: {os: {patients: patients.csv}}\n",
        "title: medians only\nendpoints: {os: {median: {control: {value: 9.1}}}}\n",
        "title: empty keys count as left out\nadverse_events:\nresponse: ~\ntimeline: null\n",
        "title: an effect of an endpoint without a section\neffects: {os: {endpoint: os, hazard_ratio: 0.7}}",
        "title: tests of one\ntests: {t: {rows: {r: {results: {os: {p: 0.1}}}}}}",
    ],
)
def test_every_section_but_the_title_is_optional(load: Load, text: str) -> None:
    assert load(text).title


def test_the_answer_of_n_follows_what_is_printed(load: Load) -> None:
    study = load("title: t\narms: {control: {n: 4}, experimental: {n: 5}}\n")
    assert study.n("total") == 9
    study = load("title: t\narms: {control: {n: 4}}\n")
    assert (study.n("experimental"), study.n("total")) == (None, None)
    study = load("title: t\ntotal: {n: 12}\n")
    assert study.n("total") == 12


def test_yes_no_and_digits_stay_text_in_labels(load: Load) -> None:
    study = load(
        "title: 2020\narms: {control: {label: No, n: 4}, experimental: {label: 'null', n: 3}}\n"
        "binary: {a: {label: yes, control: 1, experimental: 2}, b: {label: 010, control: 1, experimental: 2}}\n"
    )
    assert (study.title, study.arms.control.label, study.arms.experimental.label) == ("2020", "No", "null")
    assert [row.label for row in study.binary.values()] == ["yes", "010"]


@pytest.mark.parametrize(("text", "value"), [("0.95", 0.95), ("95%", 0.95), ("90 %", 0.90), ("0.9", 0.9)])
def test_levels(load: Load, text: str, value: float) -> None:
    study = load(f"title: t\neffects: {{e: {{hazard_ratio: 0.5, ci: [0.4, 0.6], level: {text}}}}}\n")
    assert study.effects["e"].level == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    "label", ["> 40", "≤ 20 vs. > 22", "< 65 years", "<65 years", "p<0.05", "a < b", "x <- y", "A & B", '"quoted"', "it's"]
)
def test_labels_that_are_no_markup(load: Load, label: str) -> None:
    text = yaml.safe_dump({"title": label, "arms": {"control": {"label": label}}}, allow_unicode=True)
    assert load(text).arms.control.label == label


@pytest.mark.parametrize("place", ["patients.csv", "./patients.csv", "curves/os.csv", "../study/patients.csv"])
def test_data_files_beside_or_near_the_study(load: Load, place: str) -> None:
    assert load(f"title: t\nendpoints: {{os: {{patients: {place}}}}}\n").endpoints["os"].data_files == {"patients": place}
