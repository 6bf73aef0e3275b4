"""Keys in sentences for readers."""

from __future__ import annotations

import pytest

from retrial.study.text.keys import KeyNames

NAMES = KeyNames(
    {
        "os": "overall survival",
        "pfs": "progression-free survival",
        "os_adjusted": "overall survival, adjusted for stage",
        "afp": "AFP",
        "stage": "Stage of disease",
        "hazard_ratio": "hazard ratio",
    },
    frozenset({"endpoints", "effects"}),
    frozenset({"os", "pfs"}),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("os: 18 numbers (hazard_ratio 0.47)", "overall survival: 18 numbers (hazard ratio 0.47)"),
        ("os, afp: the test", "overall survival; AFP: the test"),
        ("stage (B against C)", "Stage of disease (B against C)"),
        ("they contradict each other (stage): none", "they contradict each other (Stage of disease): none"),
        ("9 of os; 6 of pfs.", "9 of overall survival; 6 of progression-free survival."),
        ("os_adjusted is used", "overall survival, adjusted for stage is used"),
        ("effects.os_adjusted.hazard_ratio", "overall survival, adjusted for stage, hazard ratio"),
        ("endpoints.pfs.at_risk: five", "progression-free survival, at risk: five"),
    ],
)
def test_keys_are_named(text: str, shown: str) -> None:
    assert NAMES.prose(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "the stage of the disease",
        "stage, treatment: both",
        "tables/prior_os.csv and estimates.csv",
        "conf/study/os.yaml, posterior_os_weibull.nc",
        "TNF_alpha 2.5",
        "https://example.org/hazard_ratio/os",
        "e.g. this; doi 10.1002/sim.os",
        "",
    ],
)
def test_words_files_and_strangers_stay(text: str) -> None:
    assert NAMES.prose(text) == text


def test_without_names_nothing_changes() -> None:
    assert KeyNames().prose("os: endpoints.os.median") == "os: endpoints.os.median"
