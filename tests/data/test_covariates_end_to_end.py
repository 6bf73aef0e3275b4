"""A file of patients with covariates by the command line: rows, what is left out, another file is another stage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter

from retrial import cli
from retrial.answers.follow_up import FollowUp
from retrial.data.covariates import Adjustment
from retrial.data.covariates.cox import cox_rows, failures_of
from retrial.estimate import Estimate
from retrial.store.stages import stage_key
from retrial.study.sections import PatientCovariate, PatientFile
from retrial.tables.covariates import read_covariates
from retrial.tables.life_table import LifeTable

STUDY = """
title: t
endpoints:
  os: {patients: p.csv, covariates: [age, stage]}
"""


def patients(path: Path, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, arm, size = np.round(rng.normal(60, 10, 60)), rng.integers(0, 2, 60), 60
    time = np.round(rng.exponential(10 * np.exp(0.05 * (60 - age) + 0.4 * arm)) + 0.1, 1)
    frame = pd.DataFrame({"time": time, "event": (time < 20).astype(int), "arm": np.where(arm == 1, "experimental", "control")})
    frame = frame.assign(time=np.minimum(time, 20), age=age.astype(int).astype(str), stage=rng.choice(["I", "II"], size))
    frame.loc[[0, 1], "age"] = "NA"
    frame.to_csv(path, index=False)
    return frame


def fitted(folder: Path, capfd: pytest.CaptureFixture[str]) -> pd.DataFrame:
    # two prior sets of one model: the exponential takes two seconds
    asked = ["model=exponential", "prior=flat", "sampler.method=importance", "sampler.pooled_draws=3000", "covariates.draws=500"]
    line = ["fit", "--config-dir", str(folder), "study=trial", f"output_dir={folder / 'out'}", *asked]
    status = cli.run(line)
    said = capfd.readouterr()
    assert status == 0, said.err
    assert "os: 2 of 60 patients are left out for a missing value (age 2)" in said.err
    return pd.read_csv(Path(said.out.strip().splitlines()[-1]) / "estimates.csv", keep_default_na=False)


def test_rows_of_every_kind(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "trial.yaml").write_text(STUDY, encoding="utf-8")
    patients(tmp_path / "study" / "p.csv")
    rows = fitted(tmp_path, capfd)
    assert set(rows["status"]) == {"ok"}
    adjusted = rows[rows["adjusted_for"] == "age, stage"]
    conditional, marginal = (adjusted[adjusted["variant"].str.startswith(name)] for name in ("conditional", "standardised"))
    assert set(conditional[conditional["method"] == "bayes"]["contrast"]) == {
        *("experimental / control", "age, one SD more", "age, one unit more"),
        next(name for name in ("stage I / stage II", "stage II / stage I") if name in set(conditional["contrast"])),
    }
    assert {"rmst_difference", "survival_difference", "average_hazard_ratio"} <= set(marginal["quantity"])
    assert "unadjusted, patients with every covariate" in set(rows["variant"])
    value = conditional.query("method == 'bayes' and quantity == 'log_hazard_ratio' and statistic == 'value'").set_index(
        "contrast"
    )
    per_year = float(value.loc["age, one unit more", "point"])
    assert per_year == pytest.approx(0.05, abs=4 * float(value.loc["age, one unit more", "sd"]))
    cox = conditional.query("method == 'frequentist' and quantity == 'log_hazard_ratio' and contrast == 'age, one unit more'")
    assert per_year == pytest.approx(float(cox["point"].iloc[0]), abs=0.02)


def test_another_file_is_another_stage(tmp_path: Path) -> None:
    keys = []
    for seed in (3, 3, 8):
        patients(tmp_path / "p.csv", seed)
        layout = PatientFile.model_validate("p.csv")
        rows = read_covariates(tmp_path / "p.csv", "months", layout, {"age": PatientCovariate()}, "covariates")
        table = LifeTable.from_patients(rows.time, rows.event, rows.experimental)
        given = Adjustment("os", rows, table, "exact", "patients", FollowUp.of(table, np.ones(1)))
        keys.append(stage_key("cox.os", cox_rows, given, 0.95))
    assert keys[0] == keys[1] != keys[2]


def test_a_covariate_that_cannot_be_used_ends_before_anything_is_computed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "trial.yaml").write_text(STUDY.replace("stage]", "karno]"), encoding="utf-8")
    patients(tmp_path / "study" / "p.csv")
    for verb in ("check", "fit"):
        line = [
            verb,
            "--config-dir",
            str(tmp_path),
            "study=trial",
            *([f"output_dir={tmp_path / 'out'}"] if verb == "fit" else []),
        ]
        assert cli.run(line) == 2
        assert "got karno, no column of the file; allowed are age, stage" in "".join(capfd.readouterr())


def cox_of(folder: Path, columns: dict[str, np.ndarray], seed: int = 3) -> list[Estimate]:
    frame = patients(folder / "p.csv", seed).assign(**columns)
    frame.to_csv(folder / "p.csv", index=False)
    asked = {name: PatientCovariate() for name in columns}
    rows = read_covariates(folder / "p.csv", "months", PatientFile.model_validate("p.csv"), asked, "covariates")
    table = LifeTable.from_patients(rows.time, rows.event, rows.experimental)
    return cox_rows(Adjustment("os", rows, table, "exact", "patients", FollowUp.of(table, np.ones(1))), 0.95)


def test_of_a_complete_file_the_unadjusted_regression_has_its_rows_too(tmp_path: Path) -> None:
    """And the treatment's variance inflation is V_11 I_11 of the full model, beside the ratio of two variances."""
    x = np.random.default_rng(1).normal(size=60)
    found = {
        (row.quantity, row.adjusted_for): row for row in cox_of(tmp_path, {"x": x}) if row.contrast == "experimental / control"
    }
    alone, full = found["log_hazard_ratio", ""], found["log_hazard_ratio", "x"]
    assert alone.variant == "unadjusted, patients with every covariate"
    assert found["variance_ratio", "x"].point == pytest.approx((full.sd / alone.sd) ** 2, rel=1e-9)
    frame = pd.read_csv(tmp_path / "p.csv").assign(experimental=lambda f: (f["arm"] == "experimental").astype(float))
    fitted = CoxPHFitter().fit(frame[["time", "event", "experimental", "x"]], "time", "event")
    v = fitted.variance_matrix_.to_numpy()
    assert found["variance_inflation", "x"].point == pytest.approx(v[0, 0] * np.linalg.inv(v)[0, 0], rel=1e-4)


def test_a_covariate_that_is_nearly_the_arm_fails_with_its_reason(tmp_path: Path) -> None:
    arm = (patients(tmp_path / "p.csv")["arm"] == "experimental").to_numpy(dtype=float)
    found = cox_of(tmp_path, {"k": arm + 1e-4 * np.random.default_rng(1).normal(size=60)})
    failed = [row for row in found if np.isnan(row.point)]
    assert failed
    assert all("k is told by the arm (correlation 1.000000) but for" in row.status for row in failed)
    assert [line for line in failures_of(found) if line.startswith("os, cox_efron, adjusted for k: failed: ")] == failures_of(
        found
    )
