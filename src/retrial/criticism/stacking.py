"""Stacking: the mixture of models that predicts left-out patients best, within one reconstruction."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from retrial.errors import FitError

_PRECISION = 1e-14
"""Change of the mean log score at which the search ends."""
_SHORTFALL = 1e-4
"""Log score, in total, that the weights found may lack of the best ones: nothing beside its standard error."""
_STEPS = 1000


def stacking_weights(elpd: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Weights w (model,), 0 or more and adding to 1, that maximise Σ_i c_i log Σ_m w_m p(y_i | y_-i, model m).

    `elpd` (cell, model) are log p(y_i | y_-i, m) of one patient of each cell, `counts` (cell,) its patients. A concave problem,
    solved by sequential quadratic programming from equal weights. Bayesian Analysis 13:917 (2018).
    Raises `FitError` where the search does not end at the maximum.
    """
    scores = np.exp(elpd - elpd.max(axis=1, keepdims=True))
    shares = counts / counts.sum()
    models = elpd.shape[1]
    if models == 1:
        return np.ones(1)

    def loss(weights: np.ndarray) -> float:
        return -float(shares @ np.log(scores @ weights))

    def slope(weights: np.ndarray) -> np.ndarray:
        return -(scores.T @ (shares / (scores @ weights)))

    found = optimize.minimize(
        loss,
        np.full(models, 1.0 / models),
        jac=slope,
        method="SLSQP",
        bounds=optimize.Bounds(np.zeros(models), np.ones(models)),
        constraints=optimize.LinearConstraint(np.ones((1, models)), 1.0, 1.0),
        options={"ftol": _PRECISION, "maxiter": _STEPS},
    )
    weights = np.clip(found.x, 0.0, 1.0)
    weights /= weights.sum()
    # concavity: no weights score better than these by more than n (largest gradient - 1)
    shortfall = counts.sum() * (float(np.max(-slope(weights))) - 1.0)
    if not shortfall <= _SHORTFALL:
        raise FitError(f"stacking: the weights found may lack {shortfall:.2g} of the best log score; allowed is {_SHORTFALL:g}")
    return weights
