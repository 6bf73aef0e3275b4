"""Compiled callbacks of nutpie: loaded the second time, with the density of the PyMC model, for any data of the shape."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import numpy as np
import nutpie
import pytest
from pytensor.link.numba.cache import CACHED_SRC_FUNCTIONS

from retrial.experiments.benchmarks.posteriors import cohort, jobs_of
from retrial.fit import callbacks
from retrial.fit.engine import PACKED, PackedModel, packed
from retrial.models import weibull


def compiled(model: PackedModel) -> Any:
    with callbacks.kept() as how:
        return nutpie.compile_pymc_model(model.model, **how)


def density(found: Any, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By the address that nutpie's sampler calls."""
    pointer = ctypes.c_void_p
    call = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, pointer, pointer, pointer, pointer)(found.compiled_logp_func.address)
    values, slopes = np.empty(len(points)), np.empty(points.shape)
    for row, point in enumerate(np.ascontiguousarray(points)):
        args = point.ctypes.data, slopes[row].ctypes.data, values[row:].ctypes.data, found.user_data.ctypes.data
        assert call(point.size, *args) == 0
    return values, slopes


def test_callbacks_are_kept_and_have_the_models_density_and_slope() -> None:
    one, other = (jobs_of("weibull", [cohort(size, seed)])[0] for size, seed in ((92, 0), (300, 4)))
    model = packed(weibull.build(one.data, one.priors))
    compiled(model)
    again = compiled(model)
    assert (again.compiled_logp_func.cache_hits, again.compiled_expand_func.cache_hits) == (1, 1)
    points = np.random.default_rng(3).normal([2.4, 0.0, 0.0], 0.3, (5, 3))
    exact = model.model.compile_logp()
    names = [str(value.name) for value in model.model.value_vars]
    for job in (one, other):
        vector = model.values(job.data.updates())
        values, slopes = density(again.with_data(**{PACKED: vector}), points)
        (shared,) = [item for item in exact.f.get_shared() if item.name == PACKED]
        shared.set_value(vector)
        by_pymc = [float(exact(dict(zip(names, point, strict=True)))) for point in points]
        np.testing.assert_allclose(values, by_pymc, rtol=1e-10)
        step = 1e-5 * np.eye(3)
        ends = [
            [float(exact(dict(zip(names, point + sign * side, strict=True)))) for sign in (1, -1)]
            for point in points
            for side in step
        ]
        np.testing.assert_allclose(slopes.ravel(), np.diff(ends)[:, 0] / -2e-5, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("data", [{}, {"a": np.ones(3), "b": np.ones(2)}, {"a": np.ones((2, 2))}, {"a": np.ones(2, dtype=int)}])
def test_other_data_than_one_vector_are_left_to_nutpie(data: dict[str, np.ndarray]) -> None:
    function = SimpleNamespace(py_func=abs_of)
    CACHED_SRC_FUNCTIONS[abs_of] = "key"
    assert callbacks._made("", "", function, list(data), data, dim=1) is None


def test_a_function_that_pytensor_does_not_keep_is_left_to_nutpie() -> None:
    assert callbacks._made("", "", SimpleNamespace(py_func=density), ["a"], {"a": np.ones(2)}, dim=1) is None


def abs_of(x: float) -> float:
    return abs(x)
