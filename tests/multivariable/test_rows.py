"""Another study by its YAML alone: rows of fit and sensitivity, the report's section, bad settings."""

from __future__ import annotations

import html
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from multivariable_factory import alone, covariance, tree
from scipy import stats

from retrial import cli
from retrial.report.manuscript import word

B = (-0.6, 0.5, -0.4)
R = np.array([[1.0, 0.3, -0.2], [0.3, 1.0, 0.25], [-0.2, 0.25, 1.0]])
V = covariance(R, (0.30, 0.32, 0.35))
SMALL = ("model.matrices.islands=2", "model.matrices.particles=300")


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "study").mkdir()
    raw = tree(B, V)
    raw["multivariable"]["os"]["collinear_with"] = ["stage"]
    (folder / "study" / "other.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return folder


def run(mine: Path, verb: str, *more: str) -> int:
    return cli.run([verb, "--config-dir", str(mine), "study=other", f"output_dir={mine / 'out'}", *more])


def rows(mine: Path, verb: str) -> pd.DataFrame:
    """The newest run's estimates."""
    paths = sorted((mine / "out" / verb).rglob("estimates.csv"), key=lambda path: path.stat().st_mtime)
    return pd.read_csv(paths[-1])


@pytest.fixture(scope="module")
def estimates(mine: Path) -> pd.DataFrame:
    assert run(mine, "fit", "model=multivariable_normal", "prior=flat", *SMALL) == 0
    found = rows(mine, "fit")
    return found[found["method"] == "bayes"]


def value(found: pd.DataFrame, quantity: str, variant: str = "", adjusted_for: str = "stage, marker") -> pd.Series:
    same = (found["quantity"] == quantity) & (found["statistic"] == "value") & (found["contrast"] == "experimental / control")
    same &= (found["variant"].fillna("") == variant) & (found["adjusted_for"].fillna("") == adjusted_for)
    assert same.sum() == 1
    return found[same].iloc[0]


def test_the_treatment_and_what_adjustment_moves(estimates: pd.DataFrame) -> None:
    """The unadjusted effect is the printed one, and the shift has the SD of a difference of nested estimates, √(V - 1 / I)."""
    assert (estimates["status"] == "ok").all()
    b, s = alone(np.array(B), V, 0)
    unadjusted = value(estimates, "log_hazard_ratio", adjusted_for="")
    # the factors' N(0, 1) priors and the treatment's N(0, 10) move it a little
    assert unadjusted["point"] == pytest.approx(b, abs=0.05)
    assert unadjusted["sd"] == pytest.approx(s, rel=0.06)
    shift = value(estimates, "adjustment_shift", "from unadjusted")
    assert shift["sd"] == pytest.approx(np.sqrt(V[0, 0] - s**2), rel=0.15)
    assert shift["point"] == pytest.approx(B[0] - b, abs=0.05)


def test_more_confounding_moves_the_effect_towards_none(estimates: pd.DataFrame) -> None:
    full = value(estimates, "hazard_ratio")["point"]
    strongest = value(estimates, "hazard_ratio", "one more confounder, as strong as the strongest measured")["point"]
    assert full < strongest < 1


def test_factors_shrink_together(estimates: pd.DataFrame) -> None:
    mine = estimates[(estimates["quantity"] == "log_hazard_ratio") & (estimates["contrast"] == "stage high / stage low")]
    assert set(mine["variant"].fillna("")) == {"", "factors hierarchical", "factors horseshoe"}
    assert (mine["point"].between(0, B[1])).all()
    assert (mine["mcse_point"] > 0).all()
    # a factor's rows are named after its own prior, not after the treatment's
    assert set(mine["prior"]) == {"factors independent", "factors hierarchical", "factors horseshoe"}
    assert mine["note"].str.contains("of the treatment: flat").all()
    treatment = estimates[estimates["contrast"] == "experimental / control"]
    assert treatment["note"].str.contains("prior of the prognostic factors: ").all()
    assert "normal(0, 1) each" in value(estimates, "hazard_ratio")["note"]


def test_a_sceptical_prior_holds_for_the_treatment_alone(mine: Path, estimates: pd.DataFrame) -> None:
    assert run(mine, "fit", "model=multivariable_normal", "prior=sceptical", *SMALL) == 0
    found = rows(mine, "fit")
    sceptical = found[found["method"] == "bayes"]
    assert value(sceptical, "hazard_ratio")["point"] > value(estimates, "hazard_ratio")["point"]
    conjugate = stats.norm(B[0] / 0.3**2 / (1 / 0.3**2 + 1 / 0.355**2), (1 / 0.3**2 + 1 / 0.355**2) ** -0.5)
    assert value(sceptical, "log_hazard_ratio")["sd"] == pytest.approx(conjugate.std(), rel=0.1)


def test_covariates_have_a_table(mine: Path, estimates: pd.DataFrame) -> None:
    assert len(estimates)
    frame = pd.read_csv(next((mine / "out" / "fit").rglob("multivariable.csv")))
    assert list(frame["covariate"]) == ["arm", "stage", "marker"]
    assert (frame["within"] == "yes").all()
    truth = V[0, 0] / alone(np.array(B), V, 0)[1] ** 2
    assert frame["inflation"][0] == pytest.approx(truth, rel=0.03)


def test_the_report_has_its_section(mine: Path) -> None:
    """One run of everything for this study: the section's tables and figure."""
    small = tuple(f"models.multivariable_normal.{item.removeprefix('model.')}" for item in SMALL)
    others = ("weibull", "weibull_nonproportional", "piecewise_exponential", "response_hierarchical", "response_borrowing")
    left_out = (*(f"models.{name}=null" for name in others), "models.adverse_events_hierarchical=null")
    assert run(mine, "reanalyse", *small, *left_out) == 0
    page = next((mine / "out" / "reanalyse").rglob("supplement.html"))
    assert 'id="multivariable"' in page.read_text(encoding="utf-8")
    first = html.unescape((page.parent / "report.html").read_text(encoding="utf-8"))
    assert 'id="multivariable"' in first
    kit = page.parent / "manuscript"
    results = (kit / "results.md").read_text(encoding="utf-8")
    frame = pd.read_csv(page.parent / "multivariable.csv")
    for text in (first, results):
        assert f"multiplies the variance of the treatment's log ratio by {frame['variance_ratio'][0]:.2f}" in text
        assert f"{frame['inflation'][0]:.2f} (" in text
        assert "The paper speaks of multicollinearity of the treatment with stage." in text
        assert "The printed tables are against it" in text
        assert "With the prognostic factors' ratios shrunken together the treatment's is" in text
    for name in ("tables/multivariable_shrunken_os.tex", "tables/multivariable_covariates.tex"):
        assert (kit / name).is_file()
    if word.can_write():
        with zipfile.ZipFile(kit / "tables.docx") as archive:
            assert "coefficients shrunken together" in archive.read("word/document.xml").decode()
    for ending in ("pdf", "svg", "png"):
        assert (kit / f"figures/forest_multivariable_os.{ending}").is_file()
    assert "tables/multivariable_shrunken_os" in (kit / "results.tex").read_text(encoding="utf-8")
    tables = page.parent / "tables"
    shrunken = pd.read_csv(tables / "page_multivariable_shrunken_os.csv")
    assert list(shrunken["Covariate"]) == ["Treatment", "stage high / stage low", "marker high / marker low"]
    assert shrunken["Published"].str.contains(" to ").all()
    assert list(shrunken.columns[1:]) == ["Published", "Factors independent", "Factors hierarchical", "Factors horseshoe"]
    moved = pd.read_csv(tables / "page_multivariable_adjusted_os.csv")
    assert list(moved["Adjusted for"][:4]) == ["all covariates", "unadjusted", "stage", "marker"]
    assert (page.parent / "figures" / "forest_multivariable_os.svg").is_file()


def test_sensitivity_says_how_strong_a_confounder_must_be(mine: Path) -> None:
    assert run(mine, "sensitivity") == 0
    found = rows(mine, "sensitivity").set_index("quantity")["point"]
    assert 0 <= found["confounding_to_hold_no_effect"] < found["confounding_to_no_effect"]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("model.matrices.islands=1", "model.matrices.islands: got 1; allowed is from 2 to 64"),
        ("model.structures=[lasso]", "got 'lasso'; allowed are independent, hierarchical, horseshoe"),
        ("model.matrices.correlation_scale=1.5", "correlation_scale: got 1.5; allowed is above 0, at most 1"),
    ],
)
def test_bad_settings_are_refused(mine: Path, setting: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "fit", "model=multivariable_normal", "prior=flat", setting) == 2
    assert words in capsys.readouterr().err


def checked(mine: Path, raw: dict[str, Any]) -> int:
    (mine / "study" / "checked.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return cli.run(["check", "--config-dir", str(mine), "study=checked"])


def test_check_says_what_a_multivariable_model_has(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(mine, tree(B, V)) == 0
    said = capsys.readouterr().out
    assert "multivariable_normal" in said
    assert "multivariable model os: 3 covariates, 3 with a univariable test or ratio, 60 events" in said


def test_check_says_which_ratio_keeps_a_model_from_being_analysed(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tree(B, V)
    raw["effects"]["stage_adjusted"].pop("ci")
    assert checked(mine, raw) == 0
    said = capsys.readouterr().out
    assert "multivariable model os: cannot be analysed as a whole: effects.stage_adjusted.ci: missing" in said
    assert "multivariable_normal" not in said


LEVELS = {"high": {"control": "20", "experimental": "32"}, "low": {"control": "40", "experimental": "28"}}
NOBODY = {**LEVELS, "none": {"control": "0", "experimental": "0"}}
WRONG = {
    "the adjusted ratio itself": (
        {"arm": {"unadjusted": "arm_adjusted"}},
        "arm.unadjusted: got 'arm_adjusted', the adjusted ratio itself; allowed is",
    ),
    "a ratio of other groups": (
        {"stage": {"unadjusted": "arm_alone"}},
        "stage.unadjusted: got a ratio of experimental / control; allowed is one of",
    ),
    "everybody": (
        {"stage": {"baseline": "stage", "levels": ["high", "low", "none"]}},
        "stage.levels: got all levels of stage, high, low, none; allowed are some",
    ),
    "all who are counted": (
        {"stage": {"baseline": "stage", "levels": ["high", "low"]}},
        "stage.levels: got high, low, which all 120 patients have; allowed are some",
    ),
    "nobody": (
        {"stage": {"baseline": "stage", "levels": ["none"]}},
        "stage.levels: got none, which nobody has; allowed are some of high, low, none",
    ),
    "a level twice": (
        {"stage": {"baseline": "stage", "levels": ["high", "high"]}},
        "stage.levels: got high, high; allowed is each level once",
    ),
    "one group twice": (
        {"stage": {"baseline": "stage", "levels": ["high"]}, "marker": {"baseline": "stage", "levels": ["high"]}},
        "marker.levels: got 'stage: high', that of stage too; allowed is each for one covariate",
    ),
    "one test twice": (
        {"marker": {"test": "stage"}},
        "marker.test: got 'stage', that of stage too; allowed is each for one covariate",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_no_model_can_be_is_refused(mine: Path, what: str, capsys: pytest.CaptureFixture[str]) -> None:
    changes, words = WRONG[what]
    raw = tree(B, V)
    raw["baseline"] = {"variables": {"stage": {"levels": NOBODY}}}
    for name, change in changes.items():
        raw["multivariable"]["os"]["covariates"][name] |= change
    assert checked(mine, raw) == 2
    assert f"multivariable.os.covariates.{words}" in capsys.readouterr().err


def test_a_multivariable_ratio_says_what_it_is_adjusted_for(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tree(B, V)
    raw["effects"]["arm_adjusted"].pop("adjusted_for")
    assert checked(mine, raw) == 2
    words = "effects.arm_adjusted.adjusted_for: missing, so that it reads as unadjusted; multivariable.os says: [stage, marker]"
    assert words in capsys.readouterr().err


def test_a_univariable_ratio_is_adjusted_for_nothing(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tree(B, V)
    raw["effects"]["arm_alone"]["adjusted_for"] = ["stage"]
    raw["multivariable"]["os"]["collinear_with"] = ["arm"]
    assert checked(mine, raw) == 2
    said = capsys.readouterr().err
    assert "arm.unadjusted: got 'arm_alone', which is adjusted for stage; allowed is a ratio adjusted for nothing" in said
    assert "multivariable.os.collinear_with: got 'arm'; allowed are stage, marker" in said


def test_rows_of_tables_that_contradict_each_other_are_failed(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tree(B, V)
    raw["tests"]["univariable"]["rows"]["marker"]["results"]["os"]["chi_square"] = "400"
    (mine / "study" / "contradictory.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    asked = ["fit", "--config-dir", str(mine), "study=contradictory", f"output_dir={mine / 'out'}", "model=multivariable_normal"]
    assert cli.run([*asked, "prior=flat", *SMALL]) == 1
    told = capsys.readouterr().err
    assert told.count("tests.univariable.rows.marker.results.os.chi_square: √χ² of the univariable test of marker 20") == 1
    found = rows(mine, "fit")
    mine_alone = found[found["method"] == "bayes"]
    # told once, in the failure, the audit and the table of covariates; rows refer to it
    assert set(mine_alone["status"]) == {"failed: contradictory print (see the multivariable model)"}
    assert not mine_alone["note"].str.contains("nearest matrix").any()
    frame = pd.read_csv(sorted((mine / "out" / "fit").rglob("multivariable.csv"), key=lambda path: path.stat().st_mtime)[-1])
    assert list(frame["within"]) == ["yes", "yes", "no"]
    assert "marker 20" in frame["contradiction"][2]


def test_a_covariate_that_the_file_lacks_is_named(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = tree(B, V)
    raw["multivariable"]["os"]["covariates"]["stage"] |= {"effect": "stge_adjusted", "baseline": "stage", "levels": ["high"]}
    (mine / "study" / "bad.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    assert cli.run(["check", "--config-dir", str(mine), "study=bad"]) == 2
    told = capsys.readouterr()
    text = told.out + told.err
    assert "multivariable.os.covariates.stage.effect: got 'stge_adjusted'; allowed are arm_adjusted" in text
    assert "multivariable.os.covariates.stage.baseline: got 'stage'; allowed are none" in text


def test_a_model_of_three_arms_is_left_to_its_ratios(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two of its coefficients are of arms: neither pair has the model, and nothing else is wrong."""
    sides = {"low": ("low", "placebo"), "high": ("high", "placebo"), "stage": ("stage III", "stage II")}
    effects = {
        name: {"endpoint": "os", "numerator": one, "denominator": other, "hazard_ratio": "0.80", "ci": ["0.50", "1.28"]}
        for name, (one, other) in sides.items()
    }
    raw = {
        "title": "three arms",
        "arms": {name: {"n": "50"} for name in ("placebo", "low", "high")},
        "endpoints": {"os": {"label": "overall survival"}},
        "effects": {name: {**one, "adjusted_for": ["others"]} for name, one in effects.items()},
        "multivariable": {"os": {"endpoint": "os", "covariates": {name: {"effect": name} for name in sides}}},
    }
    (mine / "study" / "three.yaml").write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    assert cli.run(["audit", "--config-dir", str(mine), "study=three", f"output_dir={mine / 'out'}"]) == 0
    assert "multivariable" not in capsys.readouterr().out
