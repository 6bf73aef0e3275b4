"""A model with its data in one vector is the same model, and takes other data and priors as before."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from retrial.errors import FitError
from retrial.fit.engine import PACKED, packed, parameters_of
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import survival_data
from retrial.models import piecewise_exponential
from retrial.priors import pymc_priors
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

PRIORS = {
    "log_baseline_hazard": Prior("normal", (-2.0, 1.0)),
    "walk_scale": Prior("half_normal", (0.5,)),
    "effect_walk_scale": Prior("half_normal", (0.2,)),
    "log_hazard_ratio": Prior("student_t", (0.1, 0.3, 4.0)),
}
OTHER = {**PRIORS, "log_hazard_ratio": Prior("normal_mixture", ((0.3, 0.7), (-0.4, 0.0), (0.2, 1.0)))}
BUILD = partial(piecewise_exponential.build, varying=True)


def counts(seed: int):
    rng = np.random.default_rng(seed)
    table = LifeTable.from_counts(np.arange(1.0, 10.0), rng.integers(0, 4, (2, 9)), rng.integers(0, 3, (2, 9)))
    return interval_counts(survival_data(table), (3.0, 6.0))


def points(model) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(3)
    return [{name: rng.normal(size=value.shape) for name, value in model.initial_point().items()} for _ in range(3)]


def test_the_density_is_the_same_before_and_after_new_data_and_priors() -> None:
    plain, one = BUILD(counts(1), PriorSet("p", PRIORS)), packed(BUILD(counts(1), PriorSet("p", PRIORS)))
    assert [variable.name for variable in plain.free_RVs] == [variable.name for variable in one.model.free_RVs]
    assert {variable.name for variable in parameters_of(plain)} == {variable.name for variable in parameters_of(one.model)}
    density, packed_density = plain.compile_logp(), one.model.compile_logp()
    for point in points(plain):
        assert float(packed_density(point)) == pytest.approx(float(density(point)), abs=1e-9)
    other = BUILD(counts(2), PriorSet("o", OTHER))
    updates = {
        **counts(2).updates(),
        **{key: value for name, prior in OTHER.items() for key, value in pymc_priors.updates(name, prior).items()},
    }
    vector = next(shared for shared in packed_density.f.get_shared() if shared.name == PACKED)
    vector.set_value(one.values(updates))
    expected = other.compile_logp()
    for point in points(other):
        assert float(packed_density(point)) == pytest.approx(float(expected(point)), abs=1e-9)


def test_data_of_another_shape_are_refused() -> None:
    one = packed(BUILD(counts(1), PriorSet("p", PRIORS)))
    with pytest.raises(FitError, match="data counts"):
        one.values({"counts": np.zeros((2, 2, 4))})


def test_data_that_the_model_does_not_use_are_left_out() -> None:
    one = packed(BUILD(counts(1), PriorSet("p", PRIORS)))
    np.testing.assert_array_equal(one.values({"something": np.zeros(3)}), one.initial)
