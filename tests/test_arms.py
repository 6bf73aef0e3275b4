"""From a study file of one, two or three arms to one run folder: what is in it, and under which names."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

import retrial
from retrial import cli
from retrial.audit.all_arms import checks_of_all_arms, is_of_pair
from retrial.audit.run import run_audit
from retrial.errors import DataError
from retrial.store.artefacts import artefact_of
from retrial.study.arms.many import MultiArmStudy

SMALL = {
    "reconstruction": {"n_tables": 3, "islands": 2, "particles": 50, "rounds": 1, "choices": False},
    "sampler": {"pooled_draws": 2000},
}
THREE = """
title: Two doses against placebo
randomised: true
arms: {control: {label: placebo, n: 40}, experimental: {label: drug 2 mg, n: 40}, experimental_2: {label: drug 10 mg, n: 41}}
effects:
  os2: {hazard_ratio: 0.75, ci: [0.44, 1.28]}
  os10: {hazard_ratio: 0.60, ci: [0.35, 1.04]}
  doses: {hazard_ratio: 0.80, ci: [0.45, 1.42], numerator: experimental_2, denominator: experimental}
  stage: {hazard_ratio: 1.50, ci: [1.02, 2.21], numerator: stage 3, denominator: stage 2}
binary: {control_rate: {label: Disease control, control: 8, experimental: 12, experimental_2: {n: 20, percent: 48.8}, p: 0.02}}
adverse_events: {terms: {rash: {grades: {any: {control: 5, experimental: 9, experimental_2: 12}}}}}
"""
TWO = """
title: Drug against placebo
arms: {placebo: {n: 50}, drug: {label: drug B, n: 52}}
binary: {control_rate: {label: Disease control, placebo: 0, drug: 20}}
"""
ONE = """
title: A phase 2 trial
arms: {drug: {label: drug D, n: 60}}
endpoints:
  os:
    events: {drug: 38}
    longest: 36
    median: {drug: {value: 14, ci: [11, 19]}}
    at_risk: {times: [0, 12, 24], drug: [60, 33, 10]}
response: {categories: {CR: {drug: 4}, PR: {drug: 14}, PD: {drug: 42}}, composites: {ORR: {of: [CR, PR], drug: 18}}}
baseline: {variables: {sex: {levels: {male: {drug: 40}, female: {drug: 20}}}, age: {drug: 60.1 ± 9.3}}}
adverse_events: {terms: {rash: {grades: {any: {drug: {n: 15, percent: 25}}, 3-4: {drug: 3}}}}}
"""
COMPARED = re.compile(r"ratio|difference|number_needed|chi_square|p_value")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine") / "study"
    folder.mkdir()
    for name, text in (("three", THREE), ("two", TWO), ("one", ONE)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder.parent


def study(mine: Path, name: str) -> retrial.app.api.Study:  # type: ignore[name-defined]
    return retrial.load_study(mine / "study" / f"{name}.yaml")


QUICK = {"models": dict.fromkeys(("adverse_events_hierarchical", "response_hierarchical", "response_binomial"))}


@pytest.fixture(scope="module")
def three(mine: Path) -> retrial.Results:
    return retrial.reanalyse(study(mine, "three"), output_dir=mine / "out", **QUICK)


@pytest.fixture(scope="module")
def one(mine: Path) -> retrial.Results:
    models = {"piecewise_exponential": None}
    return retrial.reanalyse(study(mine, "one"), models=models, **{"models.weibull.prior_sets": ["flat"]}, **SMALL)


def ratios(frame: pd.DataFrame, **wanted: str) -> pd.DataFrame:
    chosen = (frame["quantity"] == "hazard_ratio") & (frame["statistic"] == "value")
    for column, value in wanted.items():
        chosen &= frame[column] == value
    return frame[chosen]


def test_every_comparison_is_in_one_table_that_says_its_two_arms(three: retrial.Results) -> None:
    found = ratios(three.estimates, method="bayes", prior="flat")
    assert dict(zip(found["comparison"] + "|" + found["contrast"], found["point"].round(2), strict=True)) == {
        "experimental / control|experimental / control": 0.75,
        "experimental_2 / control|experimental_2 / control": 0.60,
        "experimental_2 / experimental|experimental_2 / experimental": 0.80,
        "|stage 3 / stage 2": 1.50,
    }
    assert not three.failures
    rash = three.estimates[
        (three.estimates["endpoint"] == "adverse_events.rash.any") & (three.estimates["quantity"] == "proportion")
    ]
    assert sorted(zip(rash["contrast"], rash["point"].round(3), strict=True)) == [
        ("control", 0.125),
        ("experimental", 0.225),
        ("experimental_2", 0.293),
    ], "an arm's own number stands once"


def test_that_comparisons_share_an_arm_is_said(three: retrial.Results) -> None:
    found = ratios(three.estimates, method="bayes", prior="flat", comparison="experimental / control")
    assert "shares the arm control with experimental_2 / control: not independent" in found["note"].iloc[0]
    assert "share the arm control: they are not independent, and no joint probability is formed of them" in three.report


def test_a_test_of_three_arms_is_held_against_three_arms(three: retrial.Results) -> None:
    tests = three.audit[three.audit["family"] == "count_tests"]
    assert tests["comparison"].tolist() == [""]
    assert tests["claim"].tolist() == ["Disease control: 8 (control) v 12 (experimental) v 20 (experimental_2), all arms"]
    assert tests["verdict"].tolist() == ["consistent"]
    assert "Pearson χ² 7.831 p 0.0199" in tests["recomputed"].iloc[0]
    percentages = three.audit[three.audit["family"] == "percentages"]
    assert percentages["path"].tolist() == ["binary.control_rate.experimental_2.percent"], (
        "once, though two comparisons have the arm"
    )
    assert (three.audit["claim"] == "effects.os10 is experimental_2 / control").sum() == 1


def test_percentages_of_three_arms_are_told_as_the_models_read_them(tmp_path: Path) -> None:
    related = "{chemo: {n: 45, percent: 26.3}, low: {n: 24, percent: 13.5}, high: {n: 30, percent: 16.8}}"
    arms = "arms: {chemo: {n: 179}, low: {n: 180}, high: {n: 181}}"
    file = tmp_path / "fewer.yaml"
    file.write_text(f"title: t\n{arms}\nadverse_events: {{terms: {{related: {{grades: {{3-5: {related}}}}}}}}}", encoding="utf-8")
    whole = retrial.load_study(file)
    assert isinstance(whole, MultiArmStudy)
    own = [check for check in checks_of_all_arms(whole) if check.family == "percentages"]
    assert [check.verdict.value for check in own] == ["consistent"] * 3
    assert all(check.path.endswith(".percent") for check in own), "how many patients they are of is told of each pair"
    told = {
        pair.names.words: [check.recomputed for check in run_audit(pair) if is_of_pair(check)] for pair in whole.comparisons()
    }
    assert set(told["low / chemo"]) == {"171 v 178"}
    assert set(told["high / chemo"]) == {"171 v 179"}


@pytest.mark.parametrize("layer", ["report", "supplement"])
def test_one_page_holds_all_comparisons_under_addresses_of_their_own(three: retrial.Results, layer: str) -> None:
    assert three.folder is not None
    page = (three.folder / f"{layer}.html").read_text(encoding="utf-8")
    addresses = re.findall(r' id="([^"]+)"', page)
    assert len(addresses) == len(set(addresses))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(addresses)
    assert {"experimental_vs_control", "experimental_2_vs_control", "experimental_2_vs_experimental"} <= set(addresses)
    assert ("Disease control" in page) == (layer == "supplement"), "a check that finds nothing is in the supplement"
    paths = [path.relative_to(three.folder).as_posix() for path in three.folder.rglob("*") if path.is_file()]
    assert [path for path in paths if artefact_of(path) is None] == []
    assert sum(path.endswith(f"{layer}.html") for path in paths) == 1


def test_a_comparison_without_a_ratio_says_so(mine: Path) -> None:
    """A ratio of two of three arms, and no counts: the other pairs have nothing."""
    only = "title: t\narms: {a: {n: 40}, b: {n: 41}, c: {n: 42}}\neffects: {x: {hazard_ratio: 0.75, ci: [0.4, 1.3], numerator: b, denominator: a}}\n"
    (mine / "study" / "sparse.yaml").write_text(only, encoding="utf-8")
    page = retrial.reanalyse(study(mine, "sparse"), output_dir=mine / "out").report
    assert page.count("no ratio: none is printed, and no model gives one") == 2


def test_the_page_alone_is_found_again(mine: Path, three: retrial.Results) -> None:
    again = retrial.report(study(mine, "three"), output_dir=mine / "out", **QUICK)
    assert again.report == three.report


def test_the_command_line_gives_the_same(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["fit", "--config-dir", str(mine), "study=three", "model=log_hazard_ratio", f"output_dir={mine / 'out'}"]
    assert cli.run(asked) == 0
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    same = retrial.fit(study(mine, "three"), model="log_hazard_ratio")
    assert (folder / "estimates.csv").read_text(encoding="utf-8") == same.estimates.to_csv(index=False)


def test_a_prior_and_one_model_for_every_comparison(mine: Path) -> None:
    fits = retrial.fit(study(mine, "three"), model="log_hazard_ratio", prior="sceptical")
    found = ratios(fits.estimates, method="bayes")
    assert found["comparison"].tolist() == [
        "experimental / control",
        "",
        "experimental_2 / control",
        "experimental_2 / experimental",
    ]
    assert (found["point"].iloc[[0, 2, 3]] > [0.75, 0.60, 0.80]).all(), "drawn to 1"
    challenged = retrial.sensitivity(study(mine, "three"), output_dir=mine / "out", **QUICK)  # of the same fits
    assert set(challenged.estimates["comparison"]) >= {"experimental_2 / experimental"}


def test_where_no_comparison_has_anything_it_is_an_error(mine: Path) -> None:
    with pytest.raises(DataError, match="nothing to reconstruct"):
        retrial.reconstruct(study(mine, "three"))


def test_two_arms_of_other_names_are_called_so_in_every_file(mine: Path) -> None:
    fits = retrial.fit(study(mine, "two"), model="response_binomial", prior="flat")
    assert "comparison" not in fits.estimates
    assert {"placebo", "drug", "drug / placebo", "drug - placebo"} == set(fits.estimates["contrast"])
    assert set(fits.estimates["note"]) == {"no event in the placebo arm: the result leans on the prior"}


def test_one_arm_has_its_own_answers_and_no_comparison(one: retrial.Results) -> None:
    rows = one.estimates
    assert not one.failures
    assert set(rows["contrast"]) == {"drug"}
    assert not rows["quantity"].str.contains(COMPARED).any()
    assert (rows["status"] == "ok").all()
    assert not rows["note"].str.contains("prior|arm").any()
    bayes = rows[(rows["method"] == "bayes") & (rows["statistic"] == "value")]
    assert {"median_survival", "rmst", "survival", "proportion"} <= set(bayes["quantity"])
    rash = rows[(rows["endpoint"] == "adverse_events.rash.any") & (rows["model"] == "wilson")].iloc[0]
    assert (rash["point"], rash["lower"]) == (pytest.approx(0.25), pytest.approx(0.158, abs=0.001))


def test_tables_of_one_arm_carry_what_is_printed(one: retrial.Results) -> None:
    fidelity = one.tables["fidelity"]
    assert set(fidelity["arm"]) == {"drug", "total"}
    assert (fidelity["agreement"] == 1).all()
    assert {"events", "median", "median_lower", "median_upper", "at_risk at 12"} <= set(fidelity["statistic"])
    events = one.arrays["reconstruction_os"]["events"]
    assert (events.sel(arm="control").sum("time") == 38).all()
    assert (events.sel(arm="experimental") == 0).all(), "nobody is in the other arm"


def test_the_posterior_of_one_arm_is_near_its_kaplan_meier_curve(one: retrial.Results) -> None:
    at = one.estimates[
        (one.estimates["quantity"] == "survival") & (one.estimates["time"] == 12) & (one.estimates["statistic"] == "value")
    ]
    weibull, observed = (at[at["model"] == model].iloc[0] for model in ("weibull", "kaplan_meier"))
    assert weibull["point"] == pytest.approx(observed["point"], abs=0.05)
    assert weibull["lower"] < observed["point"] < weibull["upper"]
    width = (weibull["upper"] - weibull["lower"]) / (observed["upper"] - observed["lower"])
    assert 0.6 < width < 1.1, "as sure as 60 patients make it"


def test_the_page_of_one_arm_shows_no_comparison(one: retrial.Results) -> None:
    page = re.sub(r"<style>.*?</style>|<details.*?</details>", "", one.report, flags=re.DOTALL)
    assert "What compares arms is not run: one arm." in page
    assert "hazard ratio below 1 favours" not in page
    assert "experimental" not in re.sub(r"<[^>]+>", " ", page)


def test_models_that_compare_arms_are_not_run_of_one(mine: Path) -> None:
    fits = retrial.fit(study(mine, "one"), model="log_hazard_ratio", prior="flat")
    assert fits.estimates.empty
    assert not fits.failures
    assert retrial.sensitivity(study(mine, "one")).estimates.empty
