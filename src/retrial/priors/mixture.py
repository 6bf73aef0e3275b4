"""A finite mixture with the methods of a frozen SciPy distribution that this program uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import logsumexp

_EDGE = 1e-15
"""Component tail probability that brackets every quantile asked for."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Σ w_j f_j, with weights adding to 1 and frozen SciPy distributions f_j."""

    weights: np.ndarray
    components: Sequence[Any]

    def logpdf(self, x: np.ndarray | float) -> np.ndarray:
        return logsumexp([component.logpdf(x) for component in self.components], b=self._columns(x), axis=0)

    def pdf(self, x: np.ndarray | float) -> np.ndarray:
        return np.exp(self.logpdf(x))

    def cdf(self, x: np.ndarray | float) -> np.ndarray:
        return np.sum([w * component.cdf(x) for w, component in zip(self.weights, self.components, strict=True)], axis=0)

    def ppf(self, q: np.ndarray | float) -> np.ndarray:
        low = min(float(component.ppf(_EDGE)) for component in self.components)
        high = max(float(component.isf(_EDGE)) for component in self.components)
        flat = [optimize.brentq(lambda x, p=p: float(self.cdf(x)) - p, low, high, xtol=1e-13) for p in np.ravel(q)]
        return np.reshape(flat, np.shape(q))

    def mean(self) -> float:
        return float(sum(w * component.mean() for w, component in zip(self.weights, self.components, strict=True)))

    def std(self) -> float:
        squares = sum(
            w * (component.var() + component.mean() ** 2) for w, component in zip(self.weights, self.components, strict=True)
        )
        return float(np.sqrt(squares - self.mean() ** 2))

    def rvs(self, size: int, random_state: np.random.Generator) -> np.ndarray:
        chosen = random_state.choice(self.weights.size, size=size, p=self.weights / self.weights.sum())
        draws = np.stack([component.rvs(size=size, random_state=random_state) for component in self.components])
        return draws[chosen, np.arange(size)]

    def _columns(self, x: np.ndarray | float) -> np.ndarray:
        return self.weights.reshape((-1,) + (1,) * np.ndim(x))
