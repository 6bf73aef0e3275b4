"""Every operation of a model's functions works on arrays: one that loops over elements in Python is hundreds of times slower."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.tensor.elemwise import Elemwise
from scipy.special import expit

from retrial.fit.importance.array_mode import ARRAYS

X = np.linspace(-700.0, 700.0, 2001)
BELOW = np.concatenate([-np.geomspace(1e-12, 700.0, 2001), [-np.log(2.0)]])
VARIADIC = ("Add", "Mul", "Maximum", "Minimum")
"""PyTensor reduces these over their inputs with NumPy's function of two."""


def log1mexp(x: np.ndarray) -> np.ndarray:
    return np.where(x > -0.5, np.log(-np.expm1(np.maximum(x, -0.5))), np.log1p(-np.exp(x)))


def slope_of_log1mexp(x: np.ndarray) -> np.ndarray:
    return -1 / np.expm1(-x)


CASES: dict[str, Any] = {
    "softplus": (pt.softplus, X, lambda x: np.logaddexp(0.0, x), expit),
    "log(1 + exp)": (lambda x: pt.log1p(pt.exp(x)), X, lambda x: np.logaddexp(0.0, x), expit),
    "log(1 - exp)": (pt.log1mexp, BELOW, log1mexp, slope_of_log1mexp),
    "log of -expm1": (lambda x: pt.log(-pt.expm1(x)), BELOW, log1mexp, slope_of_log1mexp),
    "powers": (lambda x: x**4 + x**6 - x**3, X / 100, lambda x: x**4 + x**6 - x**3, lambda x: 4 * x**3 + 6 * x**5 - 3 * x**2),
    "clip": (lambda x: pt.clip(x, -3.0, 5.0), X, lambda x: np.clip(x, -3.0, 5.0), lambda x: ((x > -3.0) & (x < 5.0)) * 1.0),
}


@pytest.mark.parametrize("name", list(CASES))
def test_operations_are_written_out_and_the_same(name: str) -> None:
    operation, values, expected, derivative = CASES[name]
    x = pt.vector("x")
    total = operation(x)
    function = pytensor.function([x], [total, pytensor.grad(pt.sum(total), x)], mode=ARRAYS)
    for node in function.maker.fgraph.apply_nodes:
        if isinstance(node.op, Elemwise):
            scalar = node.op.scalar_op
            assert getattr(scalar, "nfunc_spec", None) is not None, scalar
            assert len(node.inputs) == scalar.nfunc_spec[1] or type(scalar).__name__ in VARIADIC, scalar
    found, slope = function(values)
    np.testing.assert_allclose(found, expected(values), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(slope, derivative(values), rtol=1e-10, atol=1e-300)
