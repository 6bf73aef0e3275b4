"""Survival functions on the log scale, right in both tails and near their limits, for numpy and PyTensor alike.

A hazard of `models/` is written once: `xp` is `numpy` or `pytensor.tensor`. In PyTensor both branches of a `where` have a gradient, so
that arguments are kept within what each branch can compute.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from scipy import special

_SMALL = 1e-2
"""Below it a power series stands for a difference that cancels; its error is below 1e-15."""
_LARGEST = 200.0
"""Exponents beyond which cubes, as derivatives have them, overflow a float."""
_HALF_LOG_2_PI = float(0.5 * np.log(2.0 * np.pi))
_ROOT_2 = float(np.sqrt(2.0))


def softplus(x: Any, xp: Any) -> Any:
    """log(1 + e^x)."""
    return np.logaddexp(0.0, x) if xp is np else pt.softplus(x)


def log_relative_expm1(x: Any, xp: Any) -> Any:
    """log((e^x - 1) / x), 0 at x = 0: x/2 + log(sinh(x/2) / (x/2))."""
    half = abs(x) / 2
    large = xp.maximum(half, _SMALL)
    near = half**2 / 6 - half**4 / 180 + half**6 / 2835
    return x / 2 + xp.where(half < _SMALL, near, large + xp.log(-xp.expm1(-2 * large)) - xp.log(2 * large))


def log1mexp(x: Any, xp: Any) -> Any:
    """log(1 - e^x) for x < 0."""
    split = -np.log(2.0)
    return xp.where(x > split, xp.log(-xp.expm1(xp.maximum(x, split))), xp.log1p(-xp.exp(xp.minimum(x, split))))


def log_normal_survival(z: Any, xp: Any) -> Any:
    """log P(Z > z) of a standard normal Z."""
    if xp is np:
        return special.log_ndtr(-np.asarray(z))
    upper, lower = pt.maximum(z, 0.0), pt.minimum(z, 0.0)
    far = pt.log(pt.erfcx(upper / _ROOT_2) / 2) - upper**2 / 2
    return pt.where(z > 0, far, pt.log1p(-pt.erfc(-lower / _ROOT_2) / 2))


def log_normal_density(z: Any) -> Any:
    """log of the standard normal density."""
    return -(z**2) / 2 - _HALF_LOG_2_PI


def log_mixture_survival(logit: Any, cumulative: Any, xp: Any) -> Any:
    """log(π + (1 - π) e^-H), logit π = `logit`, H = `cumulative`: of small H by what is lost, of large H by what is left."""
    log_share, log_rest = -softplus(-logit, xp), -softplus(logit, xp)
    few = xp.minimum(cumulative, 0.5)
    lost = xp.log1p(xp.exp(log_rest) * xp.expm1(-few))
    many = xp.maximum(cumulative, 0.5)
    larger, smaller = xp.maximum(log_share, log_rest - many), xp.minimum(log_share, log_rest - many)
    return xp.where(cumulative < 0.5, lost, larger + xp.log1p(xp.exp(smaller - larger)))


def log_gamma_curves(w: Any, q: Any, xp: Any) -> tuple[Any, Any]:
    """Log hazard and log survival of the standardised log-gamma distribution of Prentice (1974, Biometrika 61:539).

    w = log(Q² G) / Q with G ~ Gamma(Q^-2, 1); Q = 1 is the logarithm of a standard exponential time, Q = 0 a standard normal, Q = -1
    minus the first. Its log density c(Q) - w² ψ(Qw), ψ(y) = (e^y - 1 - y) / y², has its maximum and curvature -1 at w = 0 for every Q.
    With v = |w| and R = Q sign(w), the tail beyond w is the density times ∫_0^∞ exp(-s A φ(Rs) - s² ψ(Rs)) ds, φ(y) = (e^y - 1) / y,
    A = v φ(Rv): of positive terms alone, so that logarithms keep their digits in both tails and at Q = 0, where the incomplete gamma
    function has none left.
    """
    away, turned = abs(w), xp.where(w < 0, -q, q)
    product = xp.clip(turned * away, -_LARGEST, _LARGEST)
    log_density = _log_peak(q, xp) - away**2 * _second(product, xp)
    log_mills = _log_mills(away * _first(product, xp), turned, xp)
    log_tail = log_density + log_mills
    log_survival = xp.where(w < 0, log1mexp(xp.minimum(log_tail, -1e-300), xp), log_tail)
    return xp.where(w < 0, log_density - log_survival, -log_mills), log_survival


def log_gamma_median(q: Any, xp: Any) -> Any:
    """The median of w: odd in Q. a polynomial of Q² / (1 + Q²) up to |Q| = 4, beyond it the gamma distribution near 0."""
    squared = q**2
    inside = xp.minimum(squared, _FAR**2)
    place = inside / (1 + inside)
    near: Any = 0.0
    for coefficient in reversed(_MEDIAN):
        near = near * (2 * place / _PLACE_OF_FAR - 1) + coefficient
    outside = xp.maximum(squared, _FAR**2)
    log_x = outside * (_log_gamma(1 + 1 / outside, xp) - np.log(2.0))
    beyond = (log_x + xp.exp(log_x) / (1 + 1 / outside) + xp.log(outside)) / outside
    return q * xp.where(squared <= _FAR**2, near, beyond)


def log_gamma_density(w: Any, q: Any, xp: Any) -> Any:
    """Log density of the same distribution."""
    return _log_peak(q, xp) - w**2 * _second(q * w, xp)


def _log_gamma(x: Any, xp: Any) -> Any:
    return special.gammaln(x) if xp is np else pt.gammaln(x)


def _log_peak(q: Any, xp: Any) -> Any:
    """c(Q) = log|Q| - log Γ(k) + k log k - k, k = Q^-2; by Stirling's series near Q = 0, where it is -log √(2π)."""
    squared = q**2
    small = xp.minimum(squared, _STIRLING)
    k = 1 / xp.maximum(squared, _STIRLING)
    series = -_HALF_LOG_2_PI - small / 12 + small**3 / 360 - small**5 / 1260 + small**7 / 1680
    return xp.where(squared < _STIRLING, series, -0.5 * xp.log(k) - _log_gamma(k, xp) + k * xp.log(k) - k)


_STIRLING = 0.08
"""Q² below which Stirling's series is right to 1e-13."""


def _first(y: Any, xp: Any) -> Any:
    """φ(y) = (e^y - 1) / y, 1 at 0."""
    small = abs(y) < _TINY
    large = xp.where(small, 1.0, y)
    return xp.where(small, 1.0 + y / 2, xp.expm1(large) / large)


_TINY = 1e-8
"""Below it φ is 1 + y/2 to the last digit."""


def _second(y: Any, xp: Any) -> Any:
    """ψ(y) = (e^y - 1 - y) / y², 1/2 at 0."""
    small = abs(y) < _SERIES
    inside, large = xp.where(small, y, 0.0), xp.where(small, 1.0, y)
    series: Any = 0.0
    for coefficient in _SERIES_COEFFICIENTS:
        series = series * inside + coefficient
    return xp.where(small, series, (xp.expm1(large) - large) / large**2)


_SERIES = 0.02
_SERIES_COEFFICIENTS = [1 / float(special.factorial(k + 2)) for k in range(5, -1, -1)]
"""Of ψ, to 1e-15 below `_SERIES`, above which the difference keeps 14 digits."""


def _log_mills(slope: Any, q: Any, xp: Any) -> Any:
    """log ∫_0^∞ exp(-s A φ(Qs) - s² ψ(Qs)) ds, A = `slope` >= 0, by Gauss-Legendre in x, s = core (e^(c x) - 1).

    The exponent is at least (A s + s²/2) / (1 + r s), r = max(-Q, 0), which is `_EXPONENT` at the upper end; `core` is the width of the
    peak, so that the nodes are dense there however long the tail is.
    """
    left, right = xp.maximum(-q, 0.0), xp.maximum(q, _SMALL)
    reach = slope - _EXPONENT * left
    end = 2 * _EXPONENT / (reach + xp.sqrt(reach**2 + 2 * _EXPONENT))
    end = xp.where(q > 0, xp.minimum(end, xp.log1p((2 * _EXPONENT) ** 0.5 * right + _EXPONENT * right**2) / right), end)
    core = 9.0 / xp.sqrt(1.0 + slope**2 / 16 + 9 * left**2)
    c = xp.log1p(end / core)

    def integrand(node: Any, weight: Any, core: Any = core, c: Any = c, slope: Any = slope, q: Any = q) -> Any:
        s = core * xp.expm1(c * node)
        y = xp.clip(q * s, -_LARGEST, _LARGEST)
        return weight * xp.exp(c * node - slope * s * _first(y, xp) - s**2 * _second(y, xp))

    if xp is np:
        # node by node: an axis more would take as many times the memory
        total = sum(integrand(node, weight) for node, weight in zip(_NODES, _WEIGHTS, strict=True))
    else:
        total = integrand(_NODES, _WEIGHTS, *(pt.as_tensor(item)[..., None] for item in (core, c, slope, q))).sum(axis=-1)
    return xp.log(core * c) + xp.log(total)


_EXPONENT = 36.0
"""The integrand beyond e^-36 of its largest value is left out."""


def _legendre(count: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


_NODES, _WEIGHTS = _legendre(24)
_FAR = 4.0
_PLACE_OF_FAR = _FAR**2 / (1 + _FAR**2)


def _exact_median(place: np.ndarray) -> np.ndarray:
    """Median of w over Q by the inverse of the incomplete gamma function, at Q² / (1 + Q²) above 0."""
    squared = place / (1 - place)
    return np.log(special.gammaincinv(1 / squared, 0.5) * squared) / squared


_POINTS = np.polynomial.chebyshev.chebpts1(25)
_FITTED = np.polynomial.chebyshev.chebfit(_POINTS, _exact_median((_POINTS + 1) / 2 * _PLACE_OF_FAR), 24)
_MEDIAN = [float(coefficient) for coefficient in np.polynomial.chebyshev.cheb2poly(_FITTED)]
"""Powers of 2 Q² / (1 + Q²) / `_PLACE_OF_FAR` - 1 that give the median over Q, to 3e-9 of a standard deviation."""
