"""The studies' building blocks, and the committed result tables against what is claimed of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrial.answers import curves
from retrial.experiments.coverage.simulated import (
    ANSWERS,
    EXCLUDED,
    FOLLOW_UP,
    HAZARD_RATIOS,
    HAZARDS,
    HORIZON,
    LOSSES,
    PATIENTS,
    Truth,
    deaths,
    given,
    patients,
    truth_of,
)
from retrial.experiments.coverage.study import CUT, FROM_PATIENTS, JOINT, PRINTED, on_months
from retrial.experiments.coverage.study import RESULTS as COVERAGE
from retrial.experiments.fidelity.cases import SOURCES, thinned
from retrial.experiments.fidelity.paper import MEDIAN, RATIO, TEST, Given, on_grid, targets_of
from retrial.experiments.fidelity.summary import cases, summary
from retrial.tables.printed.agreement import violated
from retrial.tables.printed.readings import Reading

HIDDEN = Reading(RATIO, TEST, MEDIAN)
KINDS = ("summaries", "at_risk")
"""What is printed beside the curve's kind, growing."""
CURVE = "curve"
PUBLISHED_CURVE_ERROR = 0.24
"""Months: mean absolute error of an arm's RMST by methods that read curves, as published (0.19 to 0.24)."""


@pytest.mark.parametrize("source", ["lung", "senators", "waltons"])
@pytest.mark.parametrize("given", [Given(), Given(at_risk=(3, 9)), Given(curve_seed=1)], ids=[*KINDS, CURVE])
def test_the_hidden_table_agrees_with_what_its_paper_prints(source: str, given: Given, tmp_path: Path) -> None:
    hidden = thinned(SOURCES[source](), 40, 5)
    targets = targets_of(hidden, "months", given, tmp_path)
    assert violated(on_grid(hidden, targets), targets, HIDDEN) == ()
    assert len(targets.all("at_risk")) == (4 if given.at_risk else 0)


def test_thinnings_are_real_patients_and_differ() -> None:
    data = SOURCES["lung"]()
    one, other = thinned(data, 40, 1), thinned(data, 40, 2)
    assert one.n("control") == other.n("control") == 40
    assert not np.array_equal(one.d, other.d)
    assert np.array_equal(one.d, thinned(data, 40, 1).d)


@pytest.mark.parametrize("losses", LOSSES)
def test_simulated_studies_have_their_patients(losses: str) -> None:
    truth = Truth(3, "weibull", 0.7, losses)
    table = patients(truth)
    assert (table.n("control"), table.n("experimental")) == PATIENTS
    d, c = on_months(table)
    assert d.sum() + c.sum() == sum(PATIENTS)
    assert d.shape == (2, FOLLOW_UP)
    if losses in ("administrative", "exclusion"):
        assert not c[:, :EXCLUDED].any()
    assert np.isfinite(given(truth).excluded) == (losses == "exclusion")


def test_simulated_studies_have_their_truth() -> None:
    """Of the Weibull family in closed form: the ratio itself, and S and its integral, (incomplete gamma) by the trapezoidal rule."""
    found = Truth(1, "weibull", 0.5, LOSSES[0]).answers()
    months = np.linspace(0.0, HORIZON, 200_001)
    survival = [np.exp(-np.log(2) * ratio * (months / 12) ** 1.2) for ratio in (1.0, 0.5)]
    assert found["log_hazard_ratio"] == pytest.approx(np.log(0.5), abs=1e-8)
    assert found["survival_difference"] == pytest.approx(2**-0.5 - 0.5, abs=1e-12)
    assert found["rmst_difference"] == pytest.approx(np.trapezoid(survival[1] - survival[0], months), abs=1e-8)
    assert set(Truth(1, "lognormal", 1.0, LOSSES[0]).answers().values()) == {0.0}


@pytest.mark.parametrize("family", HAZARDS)
def test_simulated_deaths_follow_their_truth(family: str) -> None:
    """A Kolmogorov-Smirnov test of 4,000 times of death in units of the cumulative hazard, which is exponential."""
    truth = Truth(5, family, 0.5, LOSSES[0])
    times = deaths(truth, 1, 4_000, np.random.default_rng(7))
    hazard = curves.cumulative_hazard(HAZARDS[family], truth.parameters, times)[0, 1]
    assert stats.kstest(hazard, "expon").pvalue > 0.01


def test_every_cell_of_the_design_is_simulated() -> None:
    cells = {(truth.family, truth.hazard_ratio, truth.losses) for truth in map(truth_of, range(24))}
    assert len(cells) == 24 == len(HAZARDS) * len(HAZARD_RATIOS) * len(LOSSES)


@pytest.mark.parametrize("kind", KINDS)
def test_fidelity_is_what_is_claimed(kind: str) -> None:
    found = summary(kind)
    assert found["cases"] >= 60
    assert cases(kind)["source"].nunique() >= 8
    assert found["agreed_percent"] >= 95
    assert found["rmst_difference_error_percent_of_horizon"] <= 2.5
    assert 80 <= found["rmst_difference_covered_percent"] <= 97
    assert 80 <= found["survival_covered_percent"] <= 97


def test_with_a_curve_the_error_is_at_most_the_published_one() -> None:
    found = summary(CURVE)
    assert found["cases"] >= 60
    assert found["agreed_percent"] >= 95
    assert found["rmst_arm_error_months"] <= PUBLISHED_CURVE_ERROR


def test_errors_shrink_as_more_is_printed() -> None:
    found = [summary(kind) for kind in (*KINDS, CURVE)]
    for name in ("rmst_difference_error_percent_of_horizon", "rmst_arm_error_months", "survival_error"):
        values = [item[name] for item in found]
        assert values == sorted(values, reverse=True)


def test_intervals_of_the_whole_path_cover() -> None:
    """Of all studies nearly the nominal share; where censoring says nothing of the hazard and the model is the truth's that share within chance,
    from the patients and from print.
    """
    frame = pd.read_csv(COVERAGE / "coverage.csv")
    assert frame["number"].nunique() >= 200
    for kind in (PRINTED, CUT, JOINT):
        mine = frame[(frame["data"] == kind) & (frame["status"] == "ok")]
        for name in ANSWERS:
            assert 0.92 <= mine[f"{name}_covered"].astype(bool).mean() <= 0.98, (kind, name)
    fair = frame[(frame["truth"] == "weibull") & (frame["losses"] != "informative") & (frame["status"] == "ok")]
    for kind in (FROM_PATIENTS, PRINTED, CUT, JOINT):
        mine = fair[fair["data"] == kind]
        for name in ANSWERS:
            covered = mine[f"{name}_covered"].astype(bool)
            assert stats.binomtest(int(covered.sum()), len(covered), 0.95).pvalue > 0.001, (kind, name)
