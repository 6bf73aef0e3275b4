"""The studies' building blocks, and the committed result tables against what is claimed of them."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrial.experiments.coverage.study import FOLLOW_UP, PATIENTS, Truth, on_months, patients, truth_of
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


def test_simulated_studies_have_their_truth() -> None:
    truth = truth_of(0)
    table = patients(truth)
    assert (table.n("control"), table.n("experimental")) == PATIENTS
    d, c = on_months(table)
    assert d.sum() + c.sum() == sum(PATIENTS)
    assert d.shape == (2, FOLLOW_UP[1])
    # Exponential, equal arms but for the rate: ∫ exp(-λt) dt = (1 - exp(-λ 12)) / λ.
    exponential = dataclasses.replace(truth, shape=1.0)
    rates = np.log(2) / 12 * np.array([1.0, exponential.hazard_ratio])
    expected = np.diff(-np.expm1(-12 * rates) / rates)[0]
    assert exponential.rmst_difference() == pytest.approx(expected, abs=1e-8)
    assert Truth(1, 1.0, 1.3).rmst_difference() == 0.0


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
    frame = pd.read_csv(COVERAGE / "coverage.csv")
    whole = frame[frame["data"] == "reconstructed"]
    assert len(whole) >= 200
    for name in ("log_hazard_ratio", "rmst_difference"):
        assert 0.92 <= whole[f"{name}_covered"].mean() <= 0.98
        # The model on the patients themselves is the check of the simulation: its coverage is the nominal within chance.
        patients_covered = frame.loc[frame["data"] == "patients", f"{name}_covered"]
        assert stats.binomtest(int(patients_covered.sum()), len(patients_covered), 0.95).pvalue > 0.001
