"""A new kind of data costs one file: this one holds a kind and its model, and every stage takes them as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from retrial.answers.rows import Subject
from retrial.data import kinds
from retrial.data.kind import Fits, Kind, Row, Values, failed_in_words
from retrial.data.prior_checks import CHAINS, DRAWS, Before, scaled_row, scaling_seed
from retrial.estimate import Estimate
from retrial.pipeline import fit as verb
from retrial.pipeline.priors import missing_effects, prior_checks, used_models, used_sets
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.store.stages import stages_of
from retrial.study.study import Study

EFFECT = "log_odds_ratio"


def build(data: tuple[float, float], prior: Prior) -> pm.Model:
    """The model: y ~ N(β, s²), β ~ N(μ, σ²)."""
    with pm.Model() as model:
        beta = pm.Normal("beta", prior.number("mu"), prior.number("sigma"))
        pm.Normal("y", beta, data[1], observed=data[0])
    return model


def posterior(data: tuple[float, float], prior: Prior) -> Any:
    precision = data[1] ** -2 + prior.number("sigma") ** -2
    return stats.norm((data[0] * data[1] ** -2 + prior.number("mu") * prior.number("sigma") ** -2) / precision, precision**-0.5)


def arms_of(study: Study) -> tuple[float, float]:
    """The kind's data: log ratio of the arms' sizes, and its standard error."""
    control, experimental = (float(study.n(arm) or 1) for arm in ("control", "experimental"))
    return float(np.log(experimental / control)), float(np.sqrt(1 / control + 1 / experimental))


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[Any]) -> Fits:
    rows: list[Estimate] = []
    for name, priors in run.sets_for(spec).items():
        found = spec.closed_form(arms_of(study), priors[EFFECT])
        subject = Subject("allocation", "experimental / control", spec.name, name, "arms")
        rows.append(subject.probability("odds_ratio", "below", (1.0,), float(found.cdf(0.0))))
    return Fits(rows, failures=failed_in_words(rows))


def predict(before: Before, spec: ModelSpec, given: PriorSet) -> Values:
    rng = np.random.default_rng(before.seed(spec.name, "allocation"))
    draws = np.exp(given[EFFECT].distribution.rvs(500, random_state=rng))
    yield ("allocation", "odds_ratio", None, "experimental / control"), "ratio", draws


def scale(run: RunConfig, spec: ModelSpec, study: Study, _posteriors: Mapping[Any, Any]) -> Iterator[Row]:
    for name, priors in run.sets_for(spec).items():
        y, s = arms_of(study)
        draws = posterior((y, s), priors[EFFECT]).rvs(CHAINS * DRAWS, random_state=scaling_seed(run, spec.name, name))
        named = {"endpoint": "allocation", "quantity": EFFECT, "contrast": "", "model": spec.name, "prior": name}
        yield scaled_row(named, draws, priors[EFFECT].distribution.logpdf(draws), stats.norm.logpdf(y, draws, s))


KIND = Kind("allocation", ("posterior",), lambda _: (EFFECT,), fit, predict=predict, scale=scale)


@pytest.fixture
def run(tmp_path: Path) -> RunConfig:
    priors = {name: PriorSet(name, {EFFECT: Prior("normal", (0.0, sd))}) for name, sd in (("wide", 10.0), ("narrow", 0.1))}
    models = {"toy": ModelSpec("toy", KIND, build, {"posterior": posterior})}
    return RunConfig("fit", Path("mine.yaml"), 1, tmp_path / "out", False, {}, priors=priors, models=models)


@pytest.fixture
def study() -> Study:
    return Study.model_validate({"title": "t", "arms": {"control": {"n": "49"}, "experimental": {"n": "43"}}})


def test_its_posteriors_go_into_the_files_of_a_run(run: RunConfig, study: Study, tmp_path: Path) -> None:
    assert list(verb.work(run, study, tmp_path)) == []
    rows = (tmp_path / "estimates.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in rows[1:]] == ["allocation", "allocation"]
    assert {"audit.csv", "estimates.csv", "priors.csv"} <= {path.name for path in tmp_path.iterdir()}


def test_its_priors_are_checked(run: RunConfig, study: Study) -> None:
    estimates = verb.posteriors(run, study, [], stages_of(run)).estimates
    assert [spec.name for spec in used_models(run, estimates)] == ["toy"]
    assert [item.name for item in used_sets(run, study, estimates)][:2] == ["wide", "narrow"]
    frames = prior_checks(run, study, [], estimates, {})
    assert frames["prior_predictive"]["median"].between(0.5, 2).all()
    sensitive = frames["power_scaling"].set_index("prior")["psense_prior"]
    assert sensitive["narrow"] > 0.05 > sensitive["wide"]


def test_a_prior_that_says_nothing_of_it_is_missed(run: RunConfig, study: Study) -> None:
    run.priors["wide"].priors.pop(EFFECT)  # type: ignore[attr-defined]
    assert missing_effects(run, study) == ["prior.log_odds_ratio: missing; needed by the model toy"]


def test_the_kinds_of_the_folder_are_found_and_lack_what_they_lack() -> None:
    assert list(kinds()) == [
        "adverse_events",
        "categories",
        "cohorts",
        "counts",
        "life_table",
        "multivariable",
        "ratio",
        "sampled_hazards",
    ]
    assert kinds()["ratio"].predict is None
    assert {name for name, kind in kinds().items() if kind.from_tables} == {"life_table", "sampled_hazards"}
    assert {name for name, kind in kinds().items() if kind.conflict is not None} == {"ratio", "counts"}
