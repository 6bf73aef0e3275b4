"""The command line as a user meets it: own studies, own priors, bad input, failed fits, finished folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrial import cli
from retrial.store.artefacts import ARTEFACTS, artefact_of

HAZARD_RATIO = """
title: A trial that prints one hazard ratio
effects:
  death:
    where: Abstract
    hazard_ratio: 0.75
    ci: [0.60, 0.94]
"""
COUNTS = """
title: Two counts
arms:
  control: {n: 49}
  experimental: {n: 43}
binary:
  response: {control: 17, experimental: 24, p: 0.042}
"""
PATIENTS = """
title: Patients in a file
time_unit: weeks
endpoints:
  relapse: {label: relapse, patients: patients.csv}
"""
FAST = ("sampler.pooled_draws=4000", "sampler.tune=300")


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    folder = tmp_path / "mine" / "study"
    folder.mkdir(parents=True)
    for name, text in (("hr", HAZARD_RATIO), ("counts", COUNTS), ("patients", PATIENTS)):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    rng = np.random.default_rng(11)
    arm = np.repeat(["control", "experimental"], 40)
    weeks = np.ceil(rng.exponential(np.where(arm == "control", 20, 40)))
    frame = pd.DataFrame({"time": np.minimum(weeks, 52), "event": (weeks <= 52).astype(int), "arm": arm})
    frame.to_csv(folder / "patients.csv", index=False)
    return tmp_path / "mine"


def run(mine: Path, verb: str, study: str, *more: str) -> int:
    return cli.run([verb, "--config-dir", str(mine), f"study={study}", f"output_dir={mine / 'out'}", *more])


def folder_of(captured: str) -> Path:
    """The run folder: the last line printed. Its files are those that are listed, with the columns that are listed."""
    folder = Path(captured.strip().splitlines()[-1])
    for path in folder.rglob("*") if folder.is_dir() else ():
        name = artefact_of(path.relative_to(folder).as_posix()) if path.is_file() else "a folder"
        assert name is not None, path
        if columns := ARTEFACTS[name].columns if name in ARTEFACTS else {}:
            assert list(pd.read_csv(path, nrows=0).columns) == list(columns)
    return folder


def estimates(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "estimates.csv")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from retrial import cli; cli.run(['--help']); cli.run(['audit', '--help']);"
        "print([m for m in ('hydra', 'pymc', 'pandas', 'numpy', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_usage_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    assert cli.run(["analyse"]) == 2
    assert "allowed are reanalyse, audit" in capsys.readouterr().err
    assert cli.run(["--version"]) == 0


def test_hazard_ratio_only_with_a_prior_of_ones_own(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ("prior.log_hazard_ratio.mu=-0.1", "prior.log_hazard_ratio.sigma=0.2")
    assert run(mine, "reanalyse", "hr", *own) == 0
    folder = folder_of(capsys.readouterr().out)
    rows = estimates(folder)
    found = rows.query("prior == 'custom' and quantity == 'log_hazard_ratio'").iloc[0]
    se = np.log(0.94 / 0.60) / (2 * stats.norm.ppf(0.975))
    precision = 1 / se**2 + 1 / 0.2**2
    assert found["point"] == pytest.approx((np.log(0.75) / se**2 - 0.1 / 0.2**2) / precision, abs=1e-8)
    assert found["sd"] == pytest.approx(precision**-0.5, abs=1e-8)
    assert (folder / "report.html").is_file()
    assert {"manifest.json", "audit.csv", "estimates.csv", "priors.csv"} <= {path.name for path in folder.iterdir()}


def test_two_counts(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "reanalyse", "counts") == 0
    rows = estimates(folder_of(capsys.readouterr().out))
    jeffreys = rows.query("prior == 'jeffreys' and quantity == 'proportion' and contrast == 'control'").iloc[0]
    assert jeffreys["point"] == pytest.approx(stats.beta(17.5, 32.5).ppf(0.5), abs=1e-8)
    assert {"published", "frequentist", "bayes"} <= set(rows["method"])


def test_patients_and_a_second_run_at_once(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = (f"models.{name}.prior_sets=[flat,sceptical]" for name in ("weibull", "weibull_nonproportional"))
    few = (*FAST, *two, "models.piecewise_exponential=null")
    assert run(mine, "reanalyse", "patients", *few) == 0
    first = folder_of(capsys.readouterr().out)
    rows = estimates(first)
    bayes = rows.query("model == 'weibull' and prior == 'flat' and quantity == 'log_hazard_ratio'").iloc[0]
    cox = rows.query("model == 'cox_efron' and quantity == 'log_hazard_ratio'").iloc[0]
    assert bayes["status"] == "ok"
    # two estimators of one effect on the same 80 patients: within half a standard error
    assert abs(bayes["point"] - cox["point"]) < 0.5 * cox["sd"]
    assert (first / "posterior_relapse_weibull.nc").is_file()
    before = (first / "manifest.json").stat().st_mtime_ns
    assert run(mine, "reanalyse", "patients", *few) == 0
    assert folder_of(capsys.readouterr().out) == first
    assert (first / "manifest.json").stat().st_mtime_ns == before
    assert run(mine, "report", "patients", *few) == 0
    assert (folder_of(capsys.readouterr().out) / "report.html").is_file()


def test_failed_fits_are_shown_as_failed(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = ("sampler.pooled_draws=40", "sampler.min_draws=10", "sampler.tune=20")
    assert run(mine, "fit", "patients", *tiny) == 1
    captured = capsys.readouterr()
    rows = estimates(folder_of(captured.out))
    assert rows["status"].str.startswith("failed: 1 of 1 fits").all()
    assert run(mine, "fit", "patients", *tiny) == 1, "a finished folder with failures still says so"


def test_multirun(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "audit", "hr,counts", "-m") == 0
    folders = [line for line in capsys.readouterr().out.splitlines() if line.startswith(str(mine / "out"))]
    assert len(folders) == 2


def test_sensitivity(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "sensitivity", "hr") == 0
    assert not estimates(folder_of(capsys.readouterr().out)).empty


BAD = {
    "upside_down": ("effects: {a: {hazard_ratio: 0.5, ci: [0.8, 0.3]}}", "upside down"),
    "outside": ("effects: {a: {hazard_ratio: 1.5, ci: [0.3, 0.8]}}", "allowed is an interval around it"),
    "events": (
        "arms: {control: {n: 4}, experimental: {n: 4}}\nbinary: {r: {control: 5, experimental: 1}}",
        "at most arms.control.n",
    ),
    "text": ("effects: {a: {hazard_ratio: half}}", "a number as printed"),
    "unknown": ("effectz: {}", "unknown key"),
    "arm": ("binary: {r: {control: 5, experimental: 1}}", "arms.control.n: missing"),
    "tag": ("effects: !!python/object/apply:os.system ['true']", "tag"),
    "target": ("effects: {a: {_target_: os.system, hazard_ratio: 0.5}}", "_target_"),
    "list": ("- a\n- b", "at the top"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_studies_exit_with_2_and_leave_no_folder(name: str, mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, said = BAD[name]
    header = "" if name == "list" else "title: bad\n"
    (mine / "study" / "bad.yaml").write_text(header + text, encoding="utf-8")
    assert run(mine, "reanalyse", "bad") == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert not (mine / "out").exists()


def test_script_in_a_title_is_refused(mine: Path) -> None:
    (mine / "study" / "bad.yaml").write_text("title: <script>alert(1)</script>", encoding="utf-8")
    assert run(mine, "audit", "bad") == 2
    assert not (mine / "out").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("study=nothing",), "no study 'nothing'"),
        (("study=../../etc/passwd",), "allowed is a name"),
        (("prior.log_hazard_ratio.sigma=-1",), "prior.log_hazard_ratio.sigma: got -1; allowed is above 0"),
        (("prior=stated", "prior.log_hazard_ratio.quantiles=[[0.5,2],[0.975,1]]"), "a larger probability needs a larger value"),
        (
            ("+prior.log_hazard_ratio={family:normal_mixture,weights:[.5,.4],mu:[0,0],sigma:[1,1]}",),
            "weights of 0 or more that add to 1",
        ),
        (("+prior.control_median={family:normal,mu:12,sigma:3}",), "allowed is a family on positive values"),
        (("prior=nothing",), "nothing"),
        (("sampler.engine=stan",), "allowed are nutpie"),
        (("nokey=1",), "nokey"),
        (("endpoints=[nope]",), "nope"),
        (("prior.log_hazard_ratio.mu=",), "log_hazard_ratio.mu"),
    ],
)
def test_bad_configurations_exit_with_2(
    overrides: tuple[str, ...], said: str, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study = () if any(item.startswith("study=") for item in overrides) else ("study=patients",)
    assert cli.run(["reanalyse", "--config-dir", str(mine), f"output_dir={mine / 'out'}", *study, *overrides]) == 2
    assert said in capsys.readouterr().err
    assert not list((mine / "out").rglob("*.csv")) if (mine / "out").exists() else True


def test_unwritable_output_is_said(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "out").write_text("a file, not a folder")
    assert run(mine, "audit", "hr") == 2
    assert "change output_dir" in capsys.readouterr().err


def test_listing_and_doctor(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "--config-dir", str(mine)]) == 0
    out = capsys.readouterr().out
    for name in ("yao2025", "counts", "weibull", "sceptical", "os_weibull"):
        assert name in out
    assert cli.run(["list", "priors"]) == 0
    assert "yao2025" not in capsys.readouterr().out


def test_no_traces_in_the_working_folder(mine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    assert run(mine, "audit", "hr") == 0
    assert os.listdir(empty) == []


def test_a_fit_that_failed_exits_with_1_and_says_what_helps(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    narrow = ("prior.log_odds_ratio.mu=50", "prior.log_odds_ratio.sigma=1e-9")
    assert run(mine, "fit", "counts", "model=response_binomial", *narrow) == 1
    assert "use a wider prior" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("study", "parameter", "allowed"),
    [("counts", "log_hazard_ratio", "prior.log_odds_ratio"), ("hr", "log_odds_ratio", "prior.log_hazard_ratio")],
)
@pytest.mark.parametrize("verb", ["fit", "reanalyse"])
def test_a_prior_that_would_change_nothing_is_refused(
    mine: Path, capsys: pytest.CaptureFixture[str], verb: str, study: str, parameter: str, allowed: str
) -> None:
    model = {"counts": "response_binomial", "hr": "log_hazard_ratio"}[study]
    stated = (f"prior.{parameter}.mu=0", f"prior.{parameter}.sigma=0.05")
    assert run(mine, verb, study, *stated, *([f"model={model}"] if verb == "fit" else [])) == 2
    said = capsys.readouterr().err
    assert f"prior.{parameter}: stated, but no model that this study has data for uses it" in said
    assert allowed in said


def test_a_prior_that_says_nothing_of_the_effect_is_named(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "prior").mkdir()
    (mine / "prior/only_hr.yaml").write_text("log_hazard_ratio: {family: normal, mu: 0, sigma: 1}\n", encoding="utf-8")
    assert run(mine, "fit", "counts", "model=response_binomial", "prior=only_hr") == 2
    assert "prior.log_odds_ratio: missing; needed by the model response_binomial" in capsys.readouterr().err


def test_an_empty_arm_is_said_on_the_console_and_in_the_table(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = COUNTS.replace("control: 17, experimental: 24, p: 0.042", "control: 0, experimental: 0")
    (mine / "study/none.yaml").write_text(text, encoding="utf-8")
    assert run(mine, "fit", "none", "model=response_binomial", "prior=jeffreys") == 0
    out = capsys.readouterr().out
    said = "no event in either arm: the prior decides, not the data"
    assert f"prior jeffreys  ok; {said}" in out
    frame = estimates(folder_of(out))
    # the numbers are kept
    assert set(frame["note"]) == {said}
    assert frame["point"].notna().all()
    priors = pd.read_csv(folder_of(out) / "priors.csv")
    assert set(priors["parameter"]) == {"control_probability", "experimental_probability"}


def test_a_misspelt_key_is_not_to_be_added(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(mine, "fit", "counts", "model=response_binomial", "prior.log_odds_ratio.sgima=1") == 2
    err = capsys.readouterr().err
    assert "prior.log_odds_ratio.sgima: got a key that is not in the configuration" in err
    assert "normal: mu, sigma;" in err


def test_shards_of_a_multiverse_are_collected_to_the_table_of_one_run(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def table(verb: str, *more: str, status: int = 0) -> pd.DataFrame:
        assert run(mine, verb, "hr", *more) == status
        return pd.read_csv(folder_of(capsys.readouterr().out) / "multiverse.csv")

    assert run(mine, "multiverse", "hr", "dry_run=true") == 0
    assert "done already 0" in capsys.readouterr().out
    first = table("multiverse", "shards=2", "shard=0")
    half = table("collect", status=1)  # says that blocks are missing
    pd.testing.assert_frame_equal(half, first)
    table("multiverse", "shards=2", "shard=1")
    assert run(mine, "multiverse", "hr", "dry_run=true", "force=true") == 0
    capsys.readouterr()
    assert run(mine, "multiverse", "hr", "dry_run=true", "shards=1", "answers.below=[1.0]") == 0
    out = capsys.readouterr().out
    total = out.split(" cells in ", 1)[0].rsplit(maxsplit=1)[-1]
    assert f"done already {total}" in out
    whole, collected = table("multiverse"), table("collect", "answers.below=[1.0]")
    assert len(whole) == int(total)
    pd.testing.assert_frame_equal(collected, whole)
    assert run(mine, "multiverse", "hr", "shards=2", "shard=2") == 2
    assert "shard: got 2; allowed is from 0 to 1" in capsys.readouterr().err
