"""Stacking weights: against ArviZ on the same patients, and what must hold for any scores."""

from __future__ import annotations

import arviz as az
import numpy as np
import pytest
from criticism_factory import arviz_tree
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.criticism.stacking import stacking_weights


def log_score(weights: np.ndarray, elpd: np.ndarray, counts: np.ndarray) -> float:
    return float(counts @ np.log(np.exp(elpd) @ weights))


def test_against_arviz_on_repeated_patients() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 5, 30).astype(float)
    places = rng.normal(0, 1.3, 30)
    # three normal models, none right: too narrow, too wide, off centre; their draws move a little
    models = {
        name: -0.5 * ((places - mu - 0.05 * rng.normal(size=(600, 1))) / sd) ** 2 - np.log(sd)
        for name, mu, sd in (("narrow", 0.0, 0.6), ("wide", 0.0, 3.0), ("off", 1.0, 1.0))
    }
    rows = np.repeat(np.arange(30), counts.astype(int))
    found = {name: az.loo(arviz_tree(values[:, rows]), pointwise=True, reff=1.0) for name, values in models.items()}
    theirs = az.compare(found, method="stacking", round_to="none")["weight"]
    first = np.concatenate([[0], np.cumsum(counts.astype(int))[:-1]])
    elpd = np.column_stack([found[name].elpd_i.to_numpy().ravel()[first] for name in models])
    mine = stacking_weights(elpd, counts)
    other = np.array([theirs[name] for name in models])
    assert mine == pytest.approx(other, abs=2e-3)
    assert log_score(mine, elpd, counts) >= log_score(other, elpd, counts) - 1e-9
    assert mine.min() < 1e-3 or (mine > 0.05).all()


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    models=st.integers(2, 5),
    cells=st.integers(3, 40),
    spread=st.floats(1e-4, 5.0),
    seed=st.integers(0, 10_000),
)
def test_no_other_weights_score_better(models: int, cells: int, spread: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    elpd = rng.normal(-3, 1, (cells, 1)) + rng.normal(0, spread, (cells, models))
    counts = rng.integers(1, 9, cells).astype(float)
    weights = stacking_weights(elpd, counts)
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1.0)
    others = [*np.eye(models), *rng.dirichlet(np.ones(models), 50)]
    best = max(log_score(other, elpd, counts) for other in others)
    assert log_score(weights, elpd, counts) >= best - 1e-4


def test_one_model_has_all_the_weight() -> None:
    assert stacking_weights(np.array([[-1.0], [-2.0]]), np.ones(2)).tolist() == [1.0]


def test_a_model_that_is_best_for_everybody_has_all_the_weight() -> None:
    elpd = np.column_stack([np.full(20, -1.0), np.full(20, -3.0)])
    assert stacking_weights(elpd, np.ones(20)) == pytest.approx([1.0, 0.0], abs=1e-6)


def test_counts_are_patients() -> None:
    rng = np.random.default_rng(2)
    elpd, counts = rng.normal(-2, 1, (12, 3)), rng.integers(1, 6, 12).astype(float)
    repeated = np.repeat(elpd, counts.astype(int), axis=0)
    assert stacking_weights(elpd, counts) == pytest.approx(stacking_weights(repeated, np.ones(len(repeated))), abs=1e-5)
