"""The stage that fits the hierarchical models to a study: what it asks, and the rows it gives (draws are made up here)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra import compose, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.data import chains
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.engine import Draws, Job
from retrial.frequentist.counts import EVERYBODY
from retrial.pipeline.fit import posteriors
from retrial.pipeline.priors import conflict_table
from retrial.run_config import RunConfig
from retrial.store.stages import Stages
from retrial.study.fields import Evaluable
from retrial.study.reported import Quantity
from retrial.study.study import Study, replaced

MODELS = ("response_hierarchical", "adverse_events_hierarchical", "response_borrowing")
GRADES, TERMS = 2, 14
SHAPES = {
    "baseline_logit": (3,),
    "log_odds_ratio": (),
    "effect_sd": (),
    "baseline_mean": (GRADES,),
    "baseline_sd": (),
    "grade_effect": (GRADES,),
}


@pytest.fixture(scope="module")
def run(root: Path) -> RunConfig:
    overrides = ["+prior@priors.mine=historical", "+prior@priors.robust=robust_historical"]
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("reanalyse", overrides))
    made = run_config(raw, "reanalyse", root / "conf/study/yao2025.yaml", {"prior": "flat"})
    return dataclasses.replace(made, models={name: made.models[name] for name in MODELS})


@pytest.fixture
def stages(tmp_path: Path) -> Stages:
    return Stages(tmp_path / "stages")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Jobs that would have been fitted; the fits are draws near the null."""
    jobs: list[Job] = []

    def fits(_build: Any, batch: Sequence[Job], *_: Any) -> list[tuple[Draws, Diagnostics]]:
        jobs.extend(batch)
        rng = np.random.default_rng(1)
        found = []
        for number, job in enumerate(batch):
            cells = GRADES * TERMS if "baseline_mean" in job.priors.priors else 3
            shapes = {name: SHAPES[name] for name in job.priors.priors} | {"standard_effect": (cells,)}
            if cells > 3:
                shapes["standard_baseline"] = (cells,)
            values = {name: rng.normal(0, 0.1, (2, 50, *shape)) for name, shape in shapes.items()}
            status = "ok" if number else "failed: R-hat 1.2 > 1.01"
            found.append((Draws(values, np.zeros((2, 50), dtype=bool)), Diagnostics(1.0, 500.0, 500.0, 0, 100, status)))
        return found

    monkeypatch.setattr(chains, "fit_group", fits)
    return jobs


def test_rows_of_every_category_term_and_grade(run: RunConfig, yao2025: Study, asked: list[Job], stages: Stages) -> None:
    results = posteriors(run, yao2025, [], stages)
    endpoints = {row.endpoint for row in results.estimates}
    assert {"CR", "PR", "SD", "PD", "ORR", "DCR", "response", "adverse_events"} <= endpoints
    assert sum(name.startswith("adverse_events.") for name in endpoints) == 14 * 3
    mine = [row for row in results.estimates if row.endpoint == "ORR" and row.model == "response_hierarchical"]
    assert {"risk_difference", "risk_ratio", "odds_ratio"} <= {row.quantity for row in mine if row.statistic == "value"}
    assert ("risk_difference", "above", 0.0) in {(row.quantity, row.event, row.threshold) for row in mine}
    assert all(row.draws == 100 and row.mcse_point >= 0 for row in mine)
    assert set(results.posteriors) == {
        ("response", "response_hierarchical"),
        ("adverse_events", "adverse_events_hierarchical"),
    }
    assert [text.split(":")[0] for text in results.failures] == [
        "response, response_hierarchical, prior flat",
        "adverse_events, adverse_events_hierarchical, prior flat",
    ]
    assert list(results.diagnostics[0])[:5] == ["endpoint", "model", "prior", "variant", "reconstruction"]
    # the pooling scale's prior is varied under the main prior
    varied = {(row.prior, row.variant) for row in results.estimates if row.variant}
    assert varied == {("flat", "pooling scale x 0.5"), ("flat", "pooling scale x 2")}
    assert {row.quantity for row in mine if row.variant} == {"odds_ratio", "risk_difference"}


def test_both_analyses_of_evaluable_patients(run: RunConfig, yao2025: Study, asked: list[Job], stages: Stages) -> None:
    """Evaluable patients are the main analysis (named in the note), all patients a variant without pooling variants or posterior of its own."""
    fewer = Evaluable.model_validate({"control": "49", "experimental": "43"})
    study = replaced(replaced(yao2025, "response.evaluable", fewer), "arms.control.n", Quantity.parse("52"))
    results = posteriors(run, study, [], stages)
    mine = [
        row for row in results.estimates if row.endpoint == "ORR" and row.model == "response_hierarchical" and row.prior == "flat"
    ]
    assert {row.variant for row in mine} == {"", EVERYBODY, "pooling scale x 0.5", "pooling scale x 2"}
    assert {"of 49 v 43 evaluable" in row.note for row in mine if not row.variant} == {True}
    assert not any("evaluable patients (" in row.note for row in mine if row.variant == EVERYBODY)
    assert {row["variant"] for row in results.diagnostics} == {"", EVERYBODY, "pooling scale x 0.5", "pooling scale x 2"}
    assert len(results.posteriors) == 2
    totals = {int(job.data.counts.sum()) for job in asked if hasattr(job.data, "names")}
    assert totals == {92, 95}


def test_a_harm_takes_the_mirror_of_a_prior_on_a_benefit(
    run: RunConfig, yao2025: Study, asked: list[Job], stages: Stages
) -> None:
    posteriors(run, yao2025, [], stages)
    means = {
        ("baseline_mean" in job.priors.priors): job.priors["log_odds_ratio"].number("mu")
        for job in asked
        if job.priors.name == "optimistic"
    }
    assert means[False] == pytest.approx(-means[True])
    assert means[False] > 0


def test_the_arms_of_the_paper_borrow_from_the_cohorts(run: RunConfig, yao2025: Study, asked: list[Job], stages: Stages) -> None:
    only = dataclasses.replace(
        run, models={"response_borrowing": run.models["response_borrowing"]}, priors={"flat": run.priors["flat"]}
    )
    values = [row for row in posteriors(only, yao2025, [], stages).estimates if row.statistic == "value"]
    rows = {(row.quantity, row.contrast): row for row in values}
    control = rows["proportion", "control"]
    # 17 of 49 is 0.347; the cohorts promise 0.49 (0.21 to 0.75) by mRECIST
    assert 0.347 < control.point < 0.49
    assert 0 < rows["posterior_weight_robust", "control"].point < 0.2
    assert (
        rows["risk_difference", "experimental - control"].lower
        < 0
        < rows["number_needed_to_treat_to_benefit", "experimental / control"].point
    )


def test_the_conflict_table_names_the_fighting_priors_first(run: RunConfig, yao2025: Study) -> None:
    table = conflict_table(run, yao2025)
    assert table["box_p"].is_monotonic_increasing
    os = table[(table["endpoint"] == "os") & (table["contrast"] == "experimental / control")].set_index("prior")
    # printed HR 0.470 (0.252-0.879)
    assert os.loc["sceptical", "estimate"].min() == pytest.approx(np.log(0.470), abs=0.01)
    assert (os.loc["pessimistic", "box_p"].min()) < 0.05
    assert (os.loc["optimistic", "box_p"].max()) > 0.5
    robust = os.loc["robust", "vague_weight_posterior"]
    assert np.all(np.asarray(robust) < 0.5)
