"""Maximum of the likelihood that a PyMC model states: no prior takes part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor
from scipy import optimize

_STEP = 1e-4
"""Step of the central differences of the gradient: second derivatives to about 1e-7 of themselves."""
_NEWTON_STEPS = 2
_FLAT = 1e-7
"""Largest slope at what counts as a maximum."""


class LogLikelihood:
    """Log-likelihood and its gradient over the model's variables as one vector; variables `aside` stay at 0.

    Variables have PyMC's names: the logarithm of a positive parameter ends in `_log__`.
    """

    def __init__(self, model: pm.Model, aside: tuple[str, ...] = ()) -> None:
        start = model.initial_point()
        variables = [variable for variable in model.continuous_value_vars if variable.name not in aside]
        constants = [variable for variable in model.continuous_value_vars if variable.name in aside]
        self._shapes = {str(variable.name): np.shape(start[variable.name]) for variable in variables}
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes.values()])
        self.place = {
            name: slice(end - int(np.prod(shape)), end) for (name, shape), end in zip(self._shapes.items(), ends, strict=True)
        }
        self.size = int(ends[-1])
        log_likelihood = model.logp(vars=model.observed_RVs)
        outputs = [log_likelihood, *pytensor.grad(log_likelihood, variables)]
        # FAST_COMPILE: made in a tenth of a second, and a call takes a millisecond
        self._function = model.compile_fn(outputs, inputs=[*variables, *constants], mode="FAST_COMPILE", point_fn=False)
        self._zeros = [np.zeros(()) for _ in constants]

    def __call__(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        parts = [x[self.place[name]].reshape(shape) for name, shape in self._shapes.items()]
        value, *gradient = self._function(*parts, *self._zeros)
        return float(value), np.concatenate([np.ravel(part) for part in gradient])

    def information(self, x: np.ndarray) -> np.ndarray:
        """Minus the second derivatives, by central differences of the gradient."""
        rows = np.array([(self(x - step)[1] - self(x + step)[1]) / (2 * _STEP) for step in _STEP * np.eye(self.size)])
        return (rows + rows.T) / 2


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a log-likelihood is largest: its value, the variables `x`, the gradient, the inverse of the observed information."""

    log_likelihood: float
    x: np.ndarray
    gradient: np.ndarray
    covariance: np.ndarray
    place: dict[str, slice]

    def value(self, name: str) -> float:
        """Of a scalar variable."""
        return float(self.x[self.place[name]].item())

    def slope(self, name: str) -> float:
        """Derivative of the log-likelihood by a scalar variable: not 0 where that one is held."""
        return float(self.gradient[self.place[name]].item())

    def variance(self, name: str) -> float:
        """Of a scalar variable."""
        return float(self.covariance[self.place[name], self.place[name]].item())


def maximum(
    model: pm.Model, held: tuple[str, ...] = (), aside: tuple[str, ...] = (), start: Mapping[str, float] | None = None
) -> Maximum:
    """Maximise over all variables but those `held` at 0 and those `aside`, which the covariance does not know either.

    The search begins at `start`, 0 where that says nothing.
    """
    log_likelihood = LogLikelihood(model, aside)
    free = np.ones(log_likelihood.size, dtype=bool)
    for name in held:
        free[log_likelihood.place[name]] = False
    origin = np.zeros(free.size)
    for name, value in (start or {}).items():
        origin[log_likelihood.place[name]] = value

    def whole(part: np.ndarray) -> np.ndarray:
        x = np.zeros(free.size)
        x[free] = part
        return x

    def objective(part: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_likelihood(whole(part))
        return -value, -gradient[free]

    def curvature(part: np.ndarray) -> np.ndarray:
        return log_likelihood.information(whole(part))[np.ix_(free, free)]

    # a difference of function values is blind to a slope below about 1e-6: the last steps are Newton's, on the gradient alone
    found = optimize.minimize(objective, origin[free], jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-3})
    part = found.x
    for _ in range(_NEWTON_STEPS):
        part = part - np.linalg.solve(curvature(part), objective(part)[1])
    x = whole(part)
    value, gradient = log_likelihood(x)
    assert np.abs(gradient[free]).max() < _FLAT, found.message
    return Maximum(value, x, gradient, np.linalg.inv(log_likelihood.information(x)), log_likelihood.place)
