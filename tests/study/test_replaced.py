"""`replaced`: a study with one value changed, the original untouched."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from retrial.errors import ConfigError
from retrial.study.fields import Interval
from retrial.study.reported import Quantity
from retrial.study.study import Study, replaced


@pytest.fixture
def study(load: Callable[[str], Study], full_text: str) -> Study:
    return load(full_text)


def test_a_nested_value_is_replaced_in_a_copy(study: Study) -> None:
    changed = replaced(study, "effects.os_treatment.hazard_ratio", Quantity.parse("0.6"))
    assert changed.effects["os_treatment"].estimate.text == "0.6"
    assert study.effects["os_treatment"].estimate.text == "0.52"
    assert changed.effects["os_sex"] is study.effects["os_sex"]
    assert changed.endpoints is study.endpoints


def test_a_limit_inside_an_interval_is_replaced(study: Study) -> None:
    changed = replaced(study, "effects.os_treatment.ci.upper", Quantity.parse("0.99"))
    interval = changed.effects["os_treatment"].ci
    assert interval == Interval(Quantity.parse("0.29"), Quantity.parse("0.99"))


def test_none_removes_an_entry_of_a_mapping_and_empties_a_key(study: Study) -> None:
    assert list(replaced(study, "effects.os_sex", None).effects) == [name for name in study.effects if name != "os_sex"]
    assert replaced(study, "effects.os_treatment.ci", None).effects["os_treatment"].ci is None
    assert replaced(study, "timeline", None).timeline is None


def test_count_rows_see_the_change(study: Study) -> None:
    changed = replaced(study, "binary.stopped.control.n", Quantity.parse("7"))
    assert changed.count_rows()["binary.stopped"].control.n.value == 7


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("effects.gone", "allowed here are os_treatment, os_log, response_log"),
        ("colour", "allowed here are title,"),
        ("effects.os_treatment.ci.middle", "allowed here are lower, upper"),
        ("response.categories.CR.chi_square.value", "nothing below it"),
        ("title.x", "nothing below it"),
        ("", "allowed here are title,"),
    ],
)
def test_a_path_that_leads_nowhere_is_an_error_that_names_the_keys(study: Study, path: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as caught:
        replaced(study, path, None)
    assert allowed in str(caught.value)
