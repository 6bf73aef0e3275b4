"""Errors of the quadratic form by the weight of what is left out, and collinear pairs, which a narrow ridge of matrices carries."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import yaml
from multivariable_factory import covariance, known, study, tree

from retrial.errors import StudyError
from retrial.multivariable.carried import largest_inflation, within
from retrial.multivariable.posterior import posterior
from retrial.multivariable.printed import printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.statistics import ERROR_GROWTH, LEAST_ERROR, MOST_LEFT_OUT, between_tests, quadratic_scale
from retrial.multivariable.summary import samplers_apart
from retrial.study.loader import load_study

B, SE = (-0.6, 0.9, -0.1), (0.30, 0.30, 0.30)
V = covariance(np.eye(3), SE)


def test_the_weight_of_a_covariate_is_its_squared_z_over_the_root_of_the_events() -> None:
    model = printed_model(study(B, V, events=64), "os")
    assert model.weight == pytest.approx([4 / 8, 9 / 8, (1 / 9) / 8], rel=0.01)
    assert model.left_out == pytest.approx([model.weight[[1, 2]].sum(), model.weight[[0, 2]].sum(), model.weight[[0, 1]].sum()])


def test_scales_grow_with_the_weight_and_end_where_nothing_was_measured() -> None:
    assert quadratic_scale(0.0) == LEAST_ERROR
    assert quadratic_scale(2.0) == pytest.approx(LEAST_ERROR + 2 * ERROR_GROWTH)
    assert quadratic_scale(100.0) == quadratic_scale(MOST_LEFT_OUT)
    # Wald, score and likelihood-ratio tests agree where |z| is small
    assert between_tests(0.1) < 0.001 < between_tests(2.0)


def test_a_known_error_is_taken_whole_where_all_is_left_out_and_not_at_all_where_nothing_of_weight_is() -> None:
    found = posterior(known(B, V), np.zeros((1, 3)), np.full((1, 3), np.inf))
    found = dataclasses.replace(found, error=np.full((1, 3), 0.05), error_sd=np.zeros((1, 3)))
    mean, sd = found.subset_error(0, ())
    assert (mean[0], sd[0]) == (0.05, 0.0)
    mean, sd = found.subset_error(0, (1,))  # the weightless one is left out
    assert mean[0] < 0.001
    assert sd[0] == pytest.approx(quadratic_scale(float(found.weight[2])) * SE[0], rel=0.01)
    unknown = posterior(known(B, V), np.zeros((1, 3)), np.full((1, 3), np.inf))
    assert unknown.subset_error(0, ())[1][0] == pytest.approx(quadratic_scale(float(found.weight[1:].sum())) * SE[0])


def test_weightless_covariates_are_left_out_by_their_number() -> None:
    """Where no other covariate has any weight all of an error is known where all are left out, else nothing of it."""
    found = posterior(known((-0.6, 0.0, 0.0), V), np.zeros((1, 3)), np.full((1, 3), np.inf))
    assert (found.part_left_out(0, ()), found.part_left_out(0, (1,))) == (1.0, 0.0)


def test_a_collinear_pair_is_found() -> None:
    """Two covariates whose estimates have the correlation -0.93, univariable ratios printed: their inflation, about 7.4, is in the 90 % limits, and
    the print carries 5."""
    r = np.array([[1.0, 0.1, 0.0], [0.1, 1.0, -0.93], [0.0, -0.93, 1.0]])
    v = covariance(r, (0.30, 0.78, 0.80))
    model = printed_model(study((-0.6, 1.3, -0.6), v, ratios=(0, 1, 2)), "os")
    truth = np.diag(v) * np.diag(np.linalg.inv(v))
    found = sample(model, MatrixSettings(islands=2, particles=400), 5).inflation
    low, high = np.quantile(found, [0.05, 0.95], axis=0)
    assert (low <= 1.02 * truth).all()
    assert (high >= 0.98 * truth).all()
    assert largest_inflation(model)[1:].min() == 5.0


def test_samplers_that_differ_are_said() -> None:
    random, island = np.random.default_rng(1), np.repeat([0, 1], 200)
    alike = np.exp(random.normal(0.3, 0.2, 400))
    assert not samplers_apart(alike, island)
    assert samplers_apart(np.where(island == 1, 3 * alike, alike), island).startswith("samplers differ, 1.3")
    # by little, or within what each of them leaves open
    assert not samplers_apart(np.where(island == 1, 1.1, 1.0) * np.exp(random.normal(0, 0.01, 400)), island)
    assert not samplers_apart(np.where(island == 1, 1.2, 1.0) * np.exp(random.normal(0, 2.0, 400)), island)


def test_more_numbers_may_be_further_away_together() -> None:
    assert within(1) == pytest.approx(2.13, abs=0.01)
    assert within(13) > 4


def test_a_group_of_everybody_is_one_problem(tmp_path: Path) -> None:
    """What it shares with another covariate does not make it a level of it, with problems of its own."""
    raw = tree(B, V)
    levels = {"yes": {"control": 20, "experimental": 25}, "no": {"control": 40, "experimental": 35}}
    raw["baseline"] = {"variables": {"stage": {"levels": levels}}}
    covariates = raw["multivariable"]["os"]["covariates"]
    covariates["stage"] |= {"baseline": "stage", "levels": ["yes"]}
    covariates["marker"] |= {"baseline": "stage", "levels": ["yes", "no"]}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert len(caught.value.problems) == 1
    assert "got all levels of stage" in caught.value.problems[0]
