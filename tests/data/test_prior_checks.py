"""The stage that says what the priors of a run imply and which fight the data, on the paper's numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_module
from scipy import stats

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.audit.check import Verdict
from retrial.audit.run import run_audit
from retrial.cells import log_likelihood
from retrial.data.adverse_events import graded_of, left_out
from retrial.data.categories import IN_NO_CATEGORY, categories_of
from retrial.data.chains import NONE, category_counts
from retrial.data.prior_checks import CHAINS, DRAWS
from retrial.data.two_arms import two_arms
from retrial.errors import DataError
from retrial.pipeline.priors import power_scaling_table, prior_predictive
from retrial.priors.implied.power_scaling import sensitivity
from retrial.run_config import RunConfig
from retrial.study.study import Study


@pytest.fixture(scope="module")
def run(root: Path) -> RunConfig:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("reanalyse"))
    return run_config(raw, "reanalyse", root / "conf/study/yao2025.yaml", {"prior": "flat"})


def only(run: RunConfig, *names: str) -> RunConfig:
    return dataclasses.replace(run, models={name: run.models[name] for name in names})


@pytest.fixture(scope="module")
def scaling(run: RunConfig, yao2025: Study) -> pd.DataFrame:
    # there is no sampled posterior: models that are sampled are left out
    return power_scaling_table(run, yao2025, {})


def test_closed_forms_are_scaled_without_a_fit(scaling: pd.DataFrame) -> None:
    assert set(scaling["model"]) == {"log_hazard_ratio", "response_binomial", "response_borrowing"}
    unadjusted = (scaling["contrast"] == "experimental / control") & (scaling["adjusted_for"] == "")
    os = scaling[(scaling["endpoint"] == "os") & unadjusted].set_index("prior")
    # printed HR 0.470 (0.252-0.879): a vague prior moves nothing, belief in a harm most of all normal ones
    assert os.loc["flat", "psense_prior"] < 0.001
    assert os.loc["pessimistic", "psense_prior"] > os.loc["sceptical", "psense_prior"] > os.loc["optimistic", "psense_prior"]
    assert os.loc["pessimistic", "diagnosis"] == "potential prior-data conflict"
    assert (scaling["pareto_k"] < 0.7).all()


def test_simulation_error_of_a_sensitivity() -> None:
    """From as many independent draws as a sampled posterior gives, its SD is below 0.01 (0.05 is the threshold)."""
    rng = np.random.default_rng(1)
    # a printed log hazard ratio of -0.75 (SE 0.32) under the sceptical prior: the largest sensitivities of the sets used
    estimate, se, prior_sd = -0.75, 0.32, 0.355
    precision = se**-2 + prior_sd**-2
    found = []
    for _ in range(40):
        draws = rng.normal(estimate / se**2 / precision, precision**-0.5, (CHAINS, DRAWS))
        scaled = sensitivity(draws, stats.norm.logpdf(draws, 0, prior_sd), stats.norm.logpdf(estimate, draws, se))
        found.append((scaled.prior, scaled.likelihood))
    assert np.std(found, axis=0).max() < 0.01


def test_a_ratio_and_its_difference_are_moved_alike(scaling: pd.DataFrame) -> None:
    orr = scaling[(scaling["endpoint"] == "ORR") & (scaling["model"] == "response_binomial")]
    wide = orr.pivot_table(index="prior", columns="quantity", values="psense_prior")
    np.testing.assert_allclose(wide["log_odds_ratio"], wide["risk_difference"], atol=0.02)
    # evidence on one outcome is scaled there and nowhere else
    assert "class_effect" in set(orr["prior"])
    assert "class_effect" not in set(scaling[scaling["endpoint"] == "DCR"]["prior"])


def test_the_chains_likelihood_is_the_multinomial() -> None:
    data = category_counts(["CR", "PR", "PD"], [3, 14, 32], [4, 0, 39])
    p = np.random.default_rng(1).dirichlet([1, 2, 3], (5, 2))
    exact = sum(stats.multinomial.logpmf(data.counts[arm], data.counts[arm].sum(), p[:, arm]) for arm in range(2))
    found = log_likelihood(np.log(p), data.counts)
    np.testing.assert_allclose(found - found[0], exact - exact[0], atol=1e-9)


def test_what_the_priors_expect_of_the_response(run: RunConfig, yao2025: Study) -> None:
    frame = prior_predictive(only(run, "response_hierarchical", "response_borrowing", "response_binomial"), yao2025, [], [])
    rows = frame.set_index(["model", "prior", "endpoint", "quantity", "contrast"])
    for prior in ("flat", "sceptical"):
        control = rows.loc["response_hierarchical", prior, "ORR", "proportion", "control"]
        # two of four categories that are about equally probable before the data
        assert control["median"] == pytest.approx(0.5, abs=0.04)
    cohorts = rows.loc["response_borrowing", "flat", "ORR", "proportion", "control"]
    assert 0.4 < cohorts["median"] < 0.55
    assert cohorts["lower"] > 0.1
    # a prior on a benefit raises the rate, its mirror lowers it
    medians = [
        rows.loc["response_hierarchical", prior, "ORR", "proportion", "experimental"]["median"]
        for prior in ("pessimistic", "sceptical", "optimistic")
    ]
    assert medians == sorted(medians)


def test_adverse_events_turn_the_belief_in_a_benefit(run: RunConfig, yao2025: Study) -> None:
    frame = prior_predictive(only(run, "adverse_events_hierarchical"), yao2025, [], [])
    difference = frame[frame["quantity"] == "risk_difference"].groupby("prior")["median"].mean()
    assert difference["optimistic"] < 0 < difference["pessimistic"]


def changed(study: Study, **sections: Any) -> Study:
    return Study.model_validate({"title": "t", "arms": {"control": {"n": "49"}, "experimental": {"n": "43"}}, **sections})


def test_patients_in_no_category_stay_in_the_denominator(yao2025: Study) -> None:
    rows = {"CR": {"control": "3", "experimental": "4"}, "PD": {"control": "20", "experimental": "39"}}
    data = categories_of(changed(yao2025, response={"categories": rows}))
    assert data is not None
    assert data.names == ("CR", "PD", IN_NO_CATEGORY)
    assert data.counts.tolist() == [[3, 20, 26], [4, 39, 0]]
    rows["PD"]["control"] = "47"
    with pytest.raises(DataError, match=r"got 50 patients over the categories of the control arm"):
        categories_of(changed(yao2025, response={"categories": rows}))


def test_evaluable_patients_are_the_denominator_and_all_patients_the_other_analysis(yao2025: Study) -> None:
    rows = {"CR": {"control": "3", "experimental": "4"}, "PD": {"control": "20", "experimental": "35"}}
    study = changed(yao2025, response={"categories": rows, "evaluable": {"control": "23", "experimental": "40"}})
    data, every = categories_of(study), categories_of(study, everybody=True)
    assert data is not None
    assert every is not None
    assert data.counts.tolist() == [[3, 20, 0], [4, 35, 1]]
    assert every.counts.tolist() == [[3, 20, 26], [4, 35, 4]]
    assert (two_arms(study, "response.categories.CR").n, two_arms(study, "response.categories.CR", everybody=True).n) == (
        (23, 40),
        (49, 43),
    )
    rows["CR"]["evaluable"] = {"control": "22"}  # type: ignore[assignment]
    with pytest.raises(DataError, match=r"categories of 22, 23 patients in the control arm"):
        categories_of(changed(yao2025, response={"categories": rows, "evaluable": {"control": "23"}}))


def test_terms_of_their_own_patients(yao2025: Study) -> None:
    grades = {"any": {"control": "5", "experimental": "9"}}
    terms: dict[str, Any] = {"rash": {"grades": grades}, "anaemia": {"grades": grades, "evaluable": {"control": "40"}}}
    data = graded_of(changed(yao2025, adverse_events={"terms": terms, "evaluable": {"control": "47", "experimental": "50"}}))
    assert data is not None
    assert data.n.tolist() == [[47, 40], [50, 50]]
    assert data.patients.sel(grade=NONE).to_numpy().tolist() == [[42, 35], [41, 41]]
    grades["3"] = {"control": "1", "experimental": "1", "evaluable": {"control": "39"}}  # type: ignore[dict-item]
    with pytest.raises(DataError, match=r"terms.anaemia: got grades of 39, 40 patients in the control arm"):
        graded_of(changed(yao2025, adverse_events={"terms": {"anaemia": terms["anaemia"]}}))


def test_terms_without_grades_and_terms_with_some(yao2025: Study) -> None:
    plain_terms = {"rash": {"grades": {"any": {"control": "5", "experimental": "9"}}}}
    data = graded_of(changed(yao2025, adverse_events={"terms": plain_terms}))
    assert data is not None
    assert (data.grades, data.counts.tolist()) == (("any",), [[[5]], [[9]]])
    graded = {"1-2": {"control": "5", "experimental": "9"}, "3-4": {"control": "0", "experimental": "1"}}
    mixed = changed(yao2025, adverse_events={"terms": {**plain_terms, "fever": {"grades": graded}}})
    data = graded_of(mixed)
    assert data is not None
    # the term without grades is a cell of its own
    assert (data.terms, data.grades) == (("rash", "fever"), ("3-4", "1-2", "any"))
    assert data.known.tolist() == [[False, False, True], [True, True, False]]
    assert data.events.tolist() == [[5, 0, 5], [9, 1, 9]]
    assert data.at_risk.tolist() == [[49, 49, 49], [43, 43, 42]]
    assert left_out(mixed, data) == ""


@pytest.mark.parametrize(
    ("printed", "cells"),
    [
        # the one group that is missing follows from any grade
        ({"3-4": (1, 2), "any": (6, 9)}, {"3-4": (1, 2), "1-2": (5, 7)}),
        ({"1-2": (5, 7), "any": (6, 9)}, {"3-4": (1, 2), "1-2": (5, 7)}),
        ({"3-4": (1, 2)}, {"3-4": (1, 2)}),
        # any grade that is smaller than its parts says nothing
        ({"3-4": (7, 2), "any": (6, 9)}, {"3-4": (7, 2)}),
    ],
)
def test_any_grade_beside_some_of_the_grades(
    yao2025: Study, printed: dict[str, tuple[int, int]], cells: dict[str, tuple[int, int]]
) -> None:
    def grades(counts: dict[str, tuple[int, int]]) -> dict[str, Any]:
        return {"grades": {key: {"control": str(c), "experimental": str(e)} for key, (c, e) in counts.items()}}

    terms = {"rash": grades(printed), "fever": grades({"1-2": (5, 9), "3-4": (0, 1)})}
    study = changed(yao2025, adverse_events={"terms": terms})
    data = graded_of(study)
    assert data is not None
    assert {g: tuple(data.counts[:, 0, i]) for i, g in enumerate(data.grades) if data.known[0, i]} == cells
    assert ["any" in sums for sums in data.sums] == [len(cells) == 2, True]
    assert bool(left_out(study, data)) == (len(cells) == 1 and "any" in printed)


def test_one_printed_grade_group_is_not_all_grades(yao2025: Study) -> None:
    """Grade 3-4 and any grade, as papers often print: the others are a group of their own, and any grade their sum."""
    counts = {"3-4": {"control": "1", "experimental": "2"}, "any": {"control": "6", "experimental": "9"}}
    study = changed(yao2025, adverse_events={"terms": {"rash": {"grades": counts}}})
    data = graded_of(study)
    assert data is not None
    assert (data.grades, data.counts.tolist()) == (("3-4", "other"), [[[1, 5]], [[2, 7]]])
    assert data.sums == ({"3-4": (0,), "any": (0, 1)},)
    assert not [check for check in run_audit(study) if check.verdict is Verdict.INCONSISTENT]


def _graded(yao2025: Study, printed: dict[str, tuple[int, int]]) -> Any:
    counts = {key: {"control": str(c), "experimental": str(e)} for key, (c, e) in printed.items()}
    return graded_of(changed(yao2025, adverse_events={"terms": {"rash": {"grades": counts}}}))


@pytest.mark.parametrize(
    ("printed", "groups", "sums"),
    [
        # the commonest layout of oncology: any grade is more than what is printed of it
        (
            {"any": (31, 40), "3": (4, 5), "4": (0, 1)},
            {"4": (0, 1), "3": (4, 5), "other": (27, 34)},
            {"any": {"3", "4", "other"}},
        ),
        ({"3": (4, 5), "4": (0, 1)}, {"4": (0, 1), "3": (4, 5)}, {}),
        ({">=3": (5, 7), "3": (4, 5)}, {"3": (4, 5), "other >=3": (1, 2)}, {">=3": {"3", "other >=3"}}),
        (
            {"any": (20, 30), ">=3": (5, 7), "3": (4, 5), "4": (1, 2)},
            {"4": (1, 2), "3": (4, 5), "other": (15, 23)},
            {"any": {"3", "4", "other"}, ">=3": {"3", "4"}},
        ),
        ({"1-2": (5, 6), ">=3": (1, 2)}, {">=3": (1, 2), "1-2": (5, 6)}, {"any": {"1-2", ">=3"}}),
        ({"2-3": (5, 6), "3-4": (4, 5)}, {"2-3": (5, 6)}, {}),
    ],
)
def test_layouts_of_grades(
    yao2025: Study, printed: dict[str, tuple[int, int]], groups: dict[str, tuple[int, int]], sums: dict[str, set[str]]
) -> None:
    data = _graded(yao2025, printed)
    assert {grade: tuple(data.counts[:, 0, i]) for i, grade in enumerate(data.grades)} == groups
    told = {key: {data.grades[i] for i in places} for key, places in data.sums[0].items()}
    kept = {key: {key} for key in printed if key in groups}
    assert told == {**kept, **sums}
    for key, places in data.sums[0].items():
        if key in printed:
            assert tuple(data.counts[:, 0, list(places)].sum(axis=1)) == printed[key]
