"""Whether more of a ratio's event is better: what the file says, else names and measures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import retrial
from retrial.data.direction import good_endpoints, is_good
from retrial.data.life_table import turned
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.study.study import Study


def direction(key: str, measure: str, endpoints: dict[str, Any] | None = None, **more: Any) -> bool | None:
    study = {
        "title": "made up",
        "effects": {key: {measure: "0.60", "ci": ["0.40", "0.90"], **more}},
        "endpoints": endpoints or {},
    }
    return is_good(Study.model_validate(study), key)


@pytest.mark.parametrize(
    ("key", "measure", "more", "good"),
    [
        ("os", "hazard_ratio", {}, False),
        ("anything", "hazard_ratio", {}, False),
        ("recovery", "hazard_ratio", {}, True),
        ("h1", "hazard_ratio", {"label": "time to hospital discharge"}, True),
        ("dor", "hazard_ratio", {"label": "duration of response"}, False),
        ("relapse_after_remission", "hazard_ratio", {}, False),
        ("os", "hazard_ratio", {"label": "overall survival"}, False),
        ("recovery", "hazard_ratio", {"good": False}, False),
        ("death", "odds_ratio", {}, False),
        ("mortality_28_days", "risk_ratio", {}, False),
        ("response", "risk_ratio", {}, True),
        ("orr", "odds_ratio", {"label": "objective response rate"}, True),
        ("survival_30_days", "odds_ratio", {}, True),
        ("pfs6", "odds_ratio", {"label": "progression-free survival at 6 months"}, True),
        ("treatment_failure", "risk_ratio", {}, False),
        ("oxygen_stop", "hazard_ratio", {"label": "discontinuation of supplemental oxygen"}, True),
        ("weaning", "hazard_ratio", {"label": "weaning from mechanical ventilation"}, True),
        ("extubation", "hazard_ratio", {}, True),
        ("oxygen", "odds_ratio", {"label": "off oxygen at day 28"}, True),
        ("discontinuation", "hazard_ratio", {"label": "discontinuation of treatment"}, False),
        ("ventilation", "hazard_ratio", {"label": "mechanical ventilation or death"}, False),
        ("vfd", "hazard_ratio", {"label": "extubation or death"}, False),
        ("lack_of_improvement", "hazard_ratio", {}, False),
        ("lack_of_improvement", "odds_ratio", {}, None),
        ("no_recurrence", "odds_ratio", {}, None),
        ("intubation_free", "risk_ratio", {}, None),
        ("non_fatal_stroke", "odds_ratio", {}, False),
        ("something", "odds_ratio", {}, None),
        ("something", "odds_ratio", {"good": True}, True),
    ],
)
def test_directions(key: str, measure: str, more: dict[str, Any], good: bool | None) -> None:
    assert direction(key, measure, **more) is good


def test_an_outcome_of_the_same_name_tells() -> None:
    binary = {"x": {"good": False, "control": "3", "experimental": "4"}}
    study = {"title": "t", "effects": {"x": {"odds_ratio": "0.60", "ci": ["0.40", "0.90"]}}, "binary": binary}
    assert is_good(Study.model_validate(study), "x") is False


def test_endpoints_of_good_events_are_named_once() -> None:
    ratio = {"hazard_ratio": "1.08", "ci": ["0.81", "1.43"]}
    effects = {
        "discharge": ratio,
        "discharge_adjusted": {**ratio, "endpoint": "discharge"},
        "death": ratio,
        "response": {"odds_ratio": "2", "ci": ["1", "4"]},
    }
    assert good_endpoints(Study.model_validate({"title": "t", "effects": effects, "endpoints": {"discharge": {}}})) == [
        "discharge"
    ]


def test_an_endpoint_without_a_printed_ratio_is_read_by_its_own_name() -> None:
    endpoints = {
        "recovery": {},
        "ttd": {"label": "Time to hospital discharge"},
        "weaned": {"label": "Weaned off mechanical ventilation"},
        "os": {"label": "Overall survival"},
        "duration": {"label": "Duration of response"},
        "relapse": {"label": "relapse after remission"},
        "cure": {"label": "cure"},
        "healing": {"label": "healing"},
    }
    effects = {"cure": {"hazard_ratio": "1.08", "ci": ["0.81", "1.43"], "endpoint": "cure", "good": False}}
    study = Study.model_validate({"title": "t", "effects": effects, "endpoints": endpoints})
    assert good_endpoints(study) == ["recovery", "ttd", "weaned", "healing"]


def test_priors_of_survival_models_turn_with_a_good_event() -> None:
    ratio = {"hazard_ratio": "1.08", "ci": ["0.81", "1.43"]}
    effects = {"discharge": {**ratio, "endpoint": "discharge"}, "os": {**ratio, "endpoint": "os"}}
    study = Study.model_validate({"title": "t", "effects": effects, "endpoints": {"discharge": {}, "os": {}}})
    given = PriorSet("optimistic", {"log_hazard_ratio": Prior("normal", (-0.5, 0.35))})
    means = {key: turned(given, study).for_endpoint(key)["log_hazard_ratio"].distribution.mean() for key in ("discharge", "os")}
    assert means == {"discharge": 0.5, "os": -0.5}


@pytest.mark.parametrize(
    ("effect", "prior", "words"),
    [
        ("thing: {odds_ratio: 0.60, ci: [0.40, 0.90]}", "optimistic", r"effects\.thing\.good: missing"),
        ("os: {hazard_ratio: 0.60, p: <0.0001}", "flat", r"effects\.os\.p: got <0\.0001"),
    ],
)
def test_a_refused_fit_names_the_key_that_it_lacks(tmp_path: Path, effect: str, prior: str, words: str) -> None:
    (tmp_path / "t.yaml").write_text(f"title: t\neffects: {{{effect}}}\n", encoding="utf-8")
    with pytest.raises(retrial.errors.InputError, match=words):
        retrial.fit(retrial.load_study(str(tmp_path / "t.yaml")), model="log_hazard_ratio", prior=prior)


def test_counts_say_which_way_a_prior_of_a_benefit_was_used(tmp_path: Path) -> None:
    arms = "arms: {control: {n: 294}, experimental: {n: 268}}\n"
    rows = "binary: {death: {good: false, control: 149, experimental: 131}, response: {control: 149, experimental: 131}}\n"
    (tmp_path / "t.yaml").write_text(f"title: t\n{arms}{rows}", encoding="utf-8")
    study = retrial.load_study(str(tmp_path / "t.yaml"))
    for prior, said in (("optimistic", "prior of a benefit, for a bad event"), ("sceptical", "")):
        found = retrial.fit(study, model="response_binomial", prior=prior, output_dir=str(tmp_path / "out")).estimates
        notes = found[found["prior"] == prior].fillna("").groupby("endpoint")["note"].first()
        assert (notes["death"], notes["response"]) == (said, "")
