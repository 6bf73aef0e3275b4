"""Posteriors without sampling: one parameter on a grid, and two arms' logits on a grid."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import optimize
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.special import expit

from retrial.errors import FitError

DROP = 45.0
"""A log density this far below its maximum (factor 3e-20) is left off a grid."""
POINTS = 4001
"""Points of a one-parameter grid: with cubic splines the error of a probability is below 1e-10 (tested)."""
ARM_POINTS = 601
"""Points a logit of a two-arm grid: the trapezoidal rule converges geometrically here, error below 1e-9 (tested)."""
_SEARCH_POINTS = 20_001
"""Points of the search for where a density is."""
_EDGE_DENSITY = 1e-8
"""Largest density at a grid's edge, relative to its maximum, that loses nothing visible."""
_SAME_SUMS = 1e-4
"""Largest difference between the sums over even and over odd points, line by line along both axes, relative to the integral. The
trapezoidal rule's error over all points is its fourth power where a ridge of normal shape is just resolved; the cubic splines of the
cumulated density, the coarser part, are then right to 1e-6 (tested)."""
_STEP_OF_PART = 2.0
"""Widest step beside a part of a mixture, in distances between its quartiles: a normal part then has a point within 1.4 SD."""
_BRACKET = 1e-12
_TAIL = 1e-15
"""Prior probability of θ on either side that a grid over θ may leave out."""
_LARGEST = math.log(np.finfo(float).max)
"""Logarithm of the largest float."""
LogDensity = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class GridDistribution:
    """A density on an even grid, normalised; cdf by integrating its cubic spline."""

    x: np.ndarray
    density: np.ndarray

    @cached_property
    def _cumulative(self) -> CubicHermiteSpline:
        rough = CubicSpline(self.x, self.density).antiderivative()
        return CubicHermiteSpline(self.x, rough(self.x) / rough(self.x[-1]), self.density / rough(self.x[-1]))

    def cdf(self, value: np.ndarray | float) -> np.ndarray:
        return np.clip(self._cumulative(np.clip(value, self.x[0], self.x[-1])), 0.0, 1.0)

    def ppf(self, q: np.ndarray | float) -> np.ndarray:
        flat = [optimize.brentq(lambda x, p=p: float(self.cdf(x)) - p, self.x[0], self.x[-1], xtol=_BRACKET) for p in np.ravel(q)]
        return np.reshape(flat, np.shape(q))


@dataclass(frozen=True, eq=False)
class Axis:
    """Points x = center + scale sinh(u), u even: dense where the density is, sparse in its tails."""

    center: float
    scale: float
    u: np.ndarray

    @classmethod
    def over(cls, log_density: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> Axis:
        """Axis over the part of [low, high] where `log_density` is within `DROP` of its maximum."""
        x = np.linspace(low, high, _SEARCH_POINTS)
        for _ in range(2):
            values = log_density(x)
            kept = np.flatnonzero(values > values.max() - DROP)
            x = np.linspace(x[max(kept[0] - 1, 0)], x[min(kept[-1] + 1, x.size - 1)], _SEARCH_POINTS)
        values = log_density(x)
        center = float(x[values.argmax()])
        core = x[values > values.max() - 0.5]
        scale = max(float(core[-1] - core[0]) / 2, float(x[1] - x[0]))
        return cls(
            center, scale, np.linspace(np.arcsinh((x[0] - center) / scale), np.arcsinh((x[-1] - center) / scale), ARM_POINTS)
        )

    @classmethod
    def about(cls, distribution: Any, reach: float) -> Axis:
        """Axis over a distribution with ppf, dense between its quartiles, no further than `reach` from its median."""
        low, first, center, third, high = (float(distribution.ppf(q)) for q in (_TAIL, 0.25, 0.5, 0.75, 1 - _TAIL))
        scale, span = (third - first) / 2, min(max(high - center, center - low), reach)
        return cls(center, scale, np.linspace(-np.arcsinh(span / scale), np.arcsinh(span / scale), ARM_POINTS))

    def sees(self, distribution: Any, shift: float = 0.0, of: Callable[[float], float] = float) -> bool:
        """Whether points lie close enough that no part of a mixture, shifted, falls between them; `of` turns its values to the axis's.

        Where a part has one or more points, even and odd ones tell whether they are enough.
        """
        step = float(self.u[1] - self.u[0])
        for part, weight in zip(getattr(distribution, "components", ()), getattr(distribution, "weights", ()), strict=True):
            low, middle, high = (float(of(float(part.ppf(q)))) + shift for q in (0.25, 0.5, 0.75))
            wide = _STEP_OF_PART * (high - low) < step * np.hypot(self.scale, middle - self.center)
            if weight > 0 and self.x[0] < middle < self.x[-1] and wide:
                return False
        return True

    @cached_property
    def x(self) -> np.ndarray:
        return self.center + self.scale * np.sinh(self.u)

    @cached_property
    def slope(self) -> np.ndarray:
        """dx/du, the weight of a point in an integral over u."""
        return self.scale * np.cosh(self.u)

    def u_of(self, x: np.ndarray) -> np.ndarray:
        return np.clip(np.arcsinh((x - self.center) / self.scale), self.u[0], self.u[-1])


@dataclass(frozen=True, eq=False)
class TwoArmPosterior:
    """Joint posterior of two arms' logits (control α_c, experimental α_e) on a grid over α_c and either α_e or θ = α_e - α_c.

    `log_density` has shape (control, other). A contrast g is monotone in α_e, so
    P(g <= x) = ∫ P(α_e <= e(x, α_c), α_c) dα_c, where e inverts g.
    """

    control: Axis
    other: Axis
    log_density: np.ndarray
    relative: bool = False
    sees_priors: bool = True
    """Whether no narrow part of a prior lies between the points (`Axis.sees`)."""

    @classmethod
    def of_effect(
        cls, control: LogDensity, experimental: LogDensity, effect: Any, reach: float, alpha: Any = None
    ) -> TwoArmPosterior:
        """Posterior from the log posterior of the control logit alone, the experimental arm's log likelihood (both of a logit within
        ± `reach`), and the prior of θ (a distribution with logpdf and ppf); `alpha` is the control logit's own, where there is one.

        Over (α_c, α_e); over (α_c, θ) where the prior of θ is narrower than points of the former lie apart.
        """
        axis, centre = Axis.over(control, -reach, reach), float(effect.ppf(0.5))
        margin, seen = control(axis.x)[:, None], axis.sees(alpha)

        def at_best(x: np.ndarray) -> np.ndarray:
            # the most that the prior of θ can allow at x, over the control logits that matter
            return experimental(x) + effect.logpdf(x - np.clip(x - centre, axis.x[0], axis.x[-1]))

        direct = Axis.over(at_best, -reach, reach)
        joint = cls(
            axis,
            direct,
            margin + experimental(direct.x) + effect.logpdf(direct.x - axis.x[:, None]),
            sees_priors=seen and direct.sees(effect, axis.center),
        )
        if joint.is_resolved:
            return joint
        own = Axis.about(effect, 2 * reach)
        return cls(
            axis,
            own,
            margin + experimental(axis.x[:, None] + own.x) + effect.logpdf(own.x),
            relative=True,
            sees_priors=seen and own.sees(effect),
        )

    @property
    def experimental(self) -> np.ndarray:
        """α_e at every point, (control, other)."""
        return self.other.x + (self.control.x[:, None] if self.relative else np.zeros((self.control.x.size, 1)))

    @cached_property
    def _density(self) -> np.ndarray:
        """Density over (u_c, u), not normalised."""
        return np.exp(self.log_density - self.log_density.max()) * self.control.slope[:, None] * self.other.slope

    @cached_property
    def is_resolved(self) -> bool:
        """Whether no ridge falls between the points: along both axes, line by line, even and odd points give the same sums."""
        if not self.sees_priors:
            return False
        even_odd = [abs(2 * part[..., 1::2].sum(-1) - part.sum(-1)).sum() for part in (self._density, self._density.T)]
        return max(even_odd) <= _SAME_SUMS * self._density.sum()

    @cached_property
    def joint_density(self) -> np.ndarray:
        """Density over (u_c, u_e), normalised."""
        density = self._density
        edge = max(density[[0, -1]].max(), density[:, [0, -1]].max()) / density.max()
        if edge > _EDGE_DENSITY and self.relative and self.other.scale < 1:
            raise FitError(
                "the prior and the counts contradict each other so far that their posterior lies off its grid: use a wider prior"
                " (a larger prior.log_odds_ratio.sigma)"
            )
        if edge > _EDGE_DENSITY:
            raise FitError(
                "the posterior of two probabilities is wider than its grid: use a tighter prior (a smaller prior.log_odds_ratio.sigma)"
            )
        if not self.is_resolved:
            raise FitError(
                "the posterior of two probabilities is narrower than the points of its grid lie apart: use a wider prior"
                " (a larger prior.log_odds_ratio.sigma)"
            )
        return density / self._integral_of(density)

    def _integral_of(self, values: np.ndarray) -> float:
        return float(np.trapezoid(np.trapezoid(values, self.other.u, axis=1), self.control.u))

    @cached_property
    def _cumulative(self) -> CubicHermiteSpline:
        """Joint density cumulated along the other axis, one column a control point."""
        density = self.joint_density.T
        rough = CubicSpline(self.other.u, density).antiderivative()
        return CubicHermiteSpline(self.other.u, rough(self.other.u), density)

    def _below(self, experimental: np.ndarray) -> float:
        """P(α_e <= experimental[c]) with one bound a control point."""
        u = self.other.u
        bound = self.other.u_of(experimental - self.control.x if self.relative else experimental)
        cell = np.clip(np.searchsorted(u, bound) - 1, 0, u.size - 2)
        step = bound - u[cell]
        c = self._cumulative.c[:, cell, np.arange(bound.size)]
        total = float(np.trapezoid(((c[0] * step + c[1]) * step + c[2]) * step + c[3], self.control.u))
        return min(max(total, 0.0), 1.0)

    def cdf(self, contrast: str, value: float) -> float:
        """P(contrast <= value) for control, experimental, risk_difference, risk_ratio, odds_ratio."""
        probability = expit(self.control.x)
        match contrast:
            case "odds_ratio" | "risk_ratio":
                return self._cdf_of_log(contrast, math.log(value) if value > 0 else -math.inf)
            case "experimental":
                return self._below(np.full_like(probability, _logit(np.array(value))))
            case "risk_difference":
                return self._below(_logit(probability + value))
        return float(self._control.cdf(self.control.u_of(_logit(np.array(value)))))

    def _cdf_of_log(self, contrast: str, value: float) -> float:
        """P(log of a ratio <= value): no ratio is too large or too small for it."""
        if contrast == "odds_ratio":
            return self._below(self.control.x + value)
        return self._below(_logit_of_log(_log_expit(self.control.x) + value))

    @cached_property
    def _control(self) -> GridDistribution:
        return GridDistribution(self.control.u, np.trapezoid(self.joint_density, self.other.u, axis=1))

    def ppf(self, contrast: str, q: float) -> float:
        """Quantile of a contrast."""
        if contrast in ("risk_ratio", "odds_ratio"):
            return _exp(self.log_ppf(contrast, q))
        low = -1.0 if contrast == "risk_difference" else 0.0
        return float(optimize.brentq(lambda x: self.cdf(contrast, x) - q, low, 1.0, xtol=_BRACKET))

    def log_ppf(self, contrast: str, q: float) -> float:
        """Quantile of the log of a risk or odds ratio."""
        span = self.experimental - self.control.x[:, None]
        # a risk ratio lies between 1 and the odds ratio
        low, high = min(float(span.min()), 0.0), max(float(span.max()), 0.0)
        return float(optimize.brentq(lambda x: self._cdf_of_log(contrast, x) - q, low, high, xtol=_BRACKET))

    def moments(self, contrast: str) -> tuple[float, float]:
        """Mean and SD of a difference or probability, or of the log of a ratio."""
        c, e = self.control.x[:, None], self.experimental
        match contrast:
            case "control":
                values = expit(c)
            case "experimental":
                values = expit(e)
            case "risk_difference":
                values = expit(e) - expit(c)
            case "risk_ratio":
                values = _log_expit(e) - _log_expit(c)
            case _:
                values = e - c
        mean = self._integral_of(values * self.joint_density)
        return mean, float(np.sqrt(self._integral_of((values - mean) ** 2 * self.joint_density)))


def _logit(p: np.ndarray) -> np.ndarray:
    """Logit with 0 and below at -inf, 1 and above at +inf."""
    clipped = np.clip(p, 0.0, 1.0)
    with np.errstate(divide="ignore"):
        return np.log(clipped) - np.log1p(-clipped)


def _exp(x: float) -> float:
    """e^x, infinite where no float is large enough."""
    return math.exp(x) if x < _LARGEST else math.inf


def _log_expit(x: np.ndarray) -> np.ndarray:
    """log of the logistic function, finite where the function itself is 0 to the last bit."""
    return -np.logaddexp(0.0, -x)


def _logit_of_log(log_p: np.ndarray) -> np.ndarray:
    """Logit of exp(log_p); +inf from log_p = 0 on."""
    below = np.minimum(log_p, 0.0)
    with np.errstate(divide="ignore"):
        return below - np.log(-np.expm1(below))
