"""Published regressions with covariates: maxima of our likelihood, and Cox's by lifelines, from the patients' files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from goldens.maximum import Maximum, maximum
from lifelines import datasets

from retrial.answers.follow_up import FollowUp
from retrial.data.covariates import Adjustment
from retrial.data.covariates.cox import cox_rows
from retrial.fit.survival.likelihood import COVARIATE_EFFECTS
from retrial.fit.survival.patients import patient_data
from retrial.frequentist.kernels import COX_EFRON
from retrial.frequentist.library import Library
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.study.sections import PatientCovariate, PatientFile
from retrial.tables.covariates import CovariateRows, read_covariates
from retrial.tables.life_table import LifeTable

PRIORS = PriorSet(
    "no part",
    {
        **dict.fromkeys(("log_hazard_ratio", COVARIATE_EFFECTS), Prior("normal", (0.0, 1.0))),
        **dict.fromkeys(("control_median", "shape"), Prior("lognormal", (0.0, 1.0))),
    },
)


def read(folder: Path, frame: pd.DataFrame, arms: dict[str, str], *names: str) -> CovariateRows:
    frame.to_csv(folder / "p.csv", index=False)
    layout = PatientFile.model_validate({"file": "p.csv", "arms": arms, "events": ["1"], "censored": ["0"]})
    return read_covariates(folder / "p.csv", "months", layout, {name: PatientCovariate() for name in names}, "covariates")


def rossi(folder: Path) -> CovariateRows:
    frame = datasets.load_rossi().rename(columns={"week": "time", "arrest": "event", "fin": "arm"})
    return read(folder, frame, {"0": "control", "1": "experimental"}, "age", "race", "wexp", "mar", "paro", "prio")


def lung(folder: Path) -> CovariateRows:
    frame = datasets.load_lung().rename(columns={"status": "event", "sex": "arm"})
    return read(folder, frame, {"1": "control", "2": "experimental"}, "ph.ecog", "age")


def table(rows: CovariateRows) -> LifeTable:
    return LifeTable.from_patients(rows.time, rows.event, rows.experimental)


def fitted(rows: CovariateRows) -> Maximum:
    model = weibull.build(patient_data(rows, table(rows), "exact"), PRIORS)
    return maximum(model, start={"control_median_log__": float(np.log(np.median(rows.time) * 2))})


def accelerated(found: Maximum, rows: CovariateRows) -> list[float]:
    """Coefficients of log time a unit of each covariate: -β / k."""
    scales = np.array([column.scale for column in rows.columns])
    log_ratios = np.append(found.value("log_hazard_ratio"), found.x[found.place[COVARIATE_EFFECTS]] / scales)
    return [float(value) for value in -log_ratios / np.exp(found.value("shape_log__"))]


def test_rossi_by_weibull(tmp_path: Path) -> None:
    # lifelines' documentation, WeibullAFTFitter on rossi: fin .272, age .041, race -.225, wexp .107, mar .311, paro .059, prio -.066,
    # rho intercept .339, log-likelihood -679.917.
    rows = rossi(tmp_path)
    found = fitted(rows)
    assert [round(value, 3) for value in accelerated(found, rows)] == [0.272, 0.041, -0.225, 0.107, 0.311, 0.059, -0.066]
    assert round(found.value("shape_log__"), 3) == 0.339
    assert found.log_likelihood == pytest.approx(-679.917, abs=5e-4)


def test_lung_by_weibull_without_the_patient_whose_status_is_missing(tmp_path: Path) -> None:
    # R's survival, survreg(Surv(time, status) ~ ph.ecog + age + sex, lung): sex .40109, ph.ecog -.33964, age -.00748, log(scale) -.31319,
    # 227 of 228 patients.
    rows = lung(tmp_path)
    assert (rows.left_out, dict(rows.missing)) == (1, {"ph.ecog": 1, "age": 0})
    found = fitted(rows)
    assert [round(value, 5) for value in accelerated(found, rows)] == [0.40109, -0.33964, -0.00748]
    assert round(-found.value("shape_log__"), 5) == -0.31319


def test_rossi_by_cox(tmp_path: Path) -> None:
    # Fox and Weisberg, Cox Proportional-Hazards Regression in R (appendix to An R Companion to Applied Regression), table of mod.allison:
    # fin -.3794 (.1914), age -.0574 (.0220), race .3139 (.3080), wexp -.1498 (.2122), mar -.4337 (.3819), paro -.0849 (.1958), prio .0915 (.0286).
    rows = rossi(tmp_path)
    patients = table(rows)
    given = Adjustment("arrest", rows, patients, "exact", "patients", FollowUp.of(patients, np.ones(1)))
    found = [row for row in cox_rows(given, 0.95) if row.quantity == "log_hazard_ratio" and row.adjusted_for == rows.names]
    told = {row.contrast: (round(row.point, 4), round(row.sd, 4)) for row in found}
    assert told["experimental / control"] == (-0.3794, 0.1914)
    printed = {
        **{"age": (-0.0574, 0.0220), "race": (0.3139, 0.3080), "wexp": (-0.1498, 0.2122)},
        **{"mar": (-0.4337, 0.3819), "paro": (-0.0849, 0.1958), "prio": (0.0915, 0.0286)},
    }
    assert {name: told[f"{name}, one unit more"] for name in printed} == printed
    shift = next(row for row in cox_rows(given, 0.95) if row.quantity == "adjustment_shift" and row.variant == "from unadjusted")
    alone, _ = Library(patients, 0, 0.95).log_hazard_ratio(COX_EFRON)
    assert shift.point == pytest.approx(told["experimental / control"][0] - alone, abs=1e-4)
