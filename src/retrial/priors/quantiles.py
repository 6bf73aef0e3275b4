"""Priors said by quantiles ("hazard ratio: median 1, 97.5 % below 2"), solved to the parameters of their family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import optimize, stats

from retrial.errors import PriorError
from retrial.priors.scales import LOG, LOGIT, Scale, scale_of
from retrial.validate import as_text, is_number

QUANTILES = "quantiles"
"""Key of a statement by quantiles: a list of pairs [probability, value]."""
SOLVED: dict[str, int] = {"normal": 2, "student_t": 2, "lognormal": 2, "gamma": 2, "beta": 2, "half_normal": 1}
"""Families that quantiles can determine, and how many quantiles each needs."""
_SOLVED_TO = 1e-8
"""Largest miss of a probability that counts as solved."""
_LOG_RANGE = (-12.0, 18.0)
"""Logarithms of shape parameters searched: from e^-12 (all mass at the ends) to e^18 (a point)."""
_SHAPES_OF_LOG = 60
"""Points of the first search for a sign change over that range."""

Pairs = Sequence[tuple[float, float]]


def solved(raw: Mapping[str, Any], parameter: str, key: str, declared: Scale | None = None) -> dict[str, Any]:
    """{family, quantiles: [[p, value], ...], ...} with `quantiles` replaced by the family's parameters.

    Values are on the clinical scale (`scale_of`): ratios for a `log_...` parameter, probabilities for a `control_logit`, months for a median.
    A normal or t prior of such a parameter is solved on the log (logit) scale: x_i = μ + σ F⁻¹(p_i). Raises `PriorError` for quantiles that
    no member of the family has.
    """
    family = raw.get("family")
    if not isinstance(family, str) or family not in SOLVED:
        raise _refused(key, f"{key}.family: got {family!r}; quantiles determine {', '.join(SOLVED)}")
    wrong: list[str] = []
    stated = as_text(raw.get("source"), f"{key}.source", wrong)
    if wrong:
        raise _refused(key, *wrong)
    beside = [name for name in raw if name not in ("family", "source", QUANTILES, "nu")]
    if beside:
        raise _refused(
            key,
            *(
                f"{key}.{name}: got beside {QUANTILES}; allowed is one or the other (on the command line: prior=stated)"
                for name in beside
            ),
        )
    pairs = _pairs(raw[QUANTILES], SOLVED[family], f"{key}.{QUANTILES}")
    points = [(p, _on_model_scale(parameter, scale_of(parameter, declared), value, f"{key}.{QUANTILES}")) for p, value in pairs]
    found = _SOLVERS[family](points, raw, key)
    said = ", ".join(f"{100 * p:g} % at {value:g}" for p, value in pairs)
    source = "; ".join(part for part in (stated, f"stated by quantiles: {said}") if part)
    return {"family": family, **found, "source": source}


def _refused(key: str, *problems: str) -> PriorError:
    return PriorError(f"cannot use the prior {key}", problems)


def _pairs(raw: Any, needed: int, key: str) -> list[tuple[float, float]]:
    """Probabilities and values, in increasing order of both."""
    example = "[[0.5, 1], [0.975, 2]]" if needed > 1 else "[[0.95, 1]]"
    shaped = isinstance(raw, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in raw)
    if not shaped or len(raw) != needed:
        raise _refused(key, f"{key}: got {raw!r}; allowed are {needed} pairs [probability, value], such as {example}")
    numbers = [item for pair in raw for item in pair]
    if any(isinstance(item, bool) or not isinstance(item, (int, float)) or not np.isfinite(item) for item in numbers):
        raise _refused(key, f"{key}: got {raw!r}; allowed are finite numbers, such as {example}")
    pairs = sorted((float(p), float(value)) for p, value in raw)
    if not all(0 < p < 1 for p, _ in pairs):
        raise _refused(key, f"{key}: got {raw!r}; a probability is above 0 and below 1 (97.5 % is 0.975)")
    if any(a[0] >= b[0] or a[1] >= b[1] for a, b in pairwise(pairs)):
        raise _refused(key, f"{key}: got {raw!r}; impossible: a larger probability needs a larger value")
    return pairs


def _on_model_scale(parameter: str, scale: Scale, value: float, key: str) -> float:
    """From the clinical scale to the parameter's own."""
    if scale.kind == LOG and value <= 0:
        raise _refused(key, f"{key}: got {value:g}; allowed is a ratio above 0 ({parameter} is said as a ratio)")
    if scale.kind == LOGIT and not 0 < value < 1:
        raise _refused(key, f"{key}: got {value:g}; allowed is a probability between 0 and 1 ({parameter} is said as one)")
    return float(scale.parameter(value))


def _location_scale(standard: Any, points: Pairs) -> dict[str, float]:
    (p, x), (q, y) = points
    low, high = standard.ppf([p, q])
    sigma = (y - x) / (high - low)
    return {"mu": float(x - low * sigma), "sigma": float(sigma)}


def _normal(points: Pairs, _raw: Mapping[str, Any], _key: str) -> dict[str, float]:
    return _location_scale(stats.norm, points)


def _student_t(points: Pairs, raw: Mapping[str, Any], key: str) -> dict[str, float]:
    nu: Any = raw.get("nu")
    if not is_number(nu) or not 0.1 <= nu <= 1e6:
        raise _refused(key, f"{key}.nu: got {nu!r}; allowed is a number from 0.1 to 1e6 (the quantiles determine mu and sigma)")
    return {**_location_scale(stats.t(nu), points), "nu": float(nu)}


def _lognormal(points: Pairs, _raw: Mapping[str, Any], key: str) -> dict[str, float]:
    _positive(points, key)
    return _location_scale(stats.norm, [(p, float(np.log(value))) for p, value in points])


def _half_normal(points: Pairs, _raw: Mapping[str, Any], key: str) -> dict[str, float]:
    _positive(points, key)
    return {"sigma": points[0][1] / float(stats.halfnorm.ppf(points[0][0]))}


def _gamma(points: Pairs, _raw: Mapping[str, Any], key: str) -> dict[str, float]:
    """The ratio of two quantiles depends on α alone and falls with it."""
    _positive(points, key)
    (p, x), (q, y) = points

    def miss(log_alpha: float) -> float:
        alpha = np.exp(log_alpha)
        # the upper quantile's probability where the lower one is met; a rate of 0 has underflowed
        rate = stats.gamma.ppf(p, alpha) / x
        return float(stats.gamma.cdf(y * rate, alpha) - q)

    alpha = float(np.exp(_root(miss, key)))
    return {"alpha": alpha, "rate": float(stats.gamma.ppf(p, alpha) / x)}


def _beta(points: Pairs, _raw: Mapping[str, Any], key: str) -> dict[str, float]:
    """For each α, the β that meets the first quantile; then the α that meets the second."""
    (p, x), (q, y) = points
    if not (x > 0 and y < 1):
        raise _refused(key, f"{key}.{QUANTILES}: got {x:g} and {y:g}; allowed are probabilities between 0 and 1")

    def log_b(log_a: float) -> float:
        low, high = _LOG_RANGE[0], _LOG_RANGE[1] + 5.0

        def miss(value: float) -> float:
            return float(stats.beta.cdf(x, np.exp(log_a), np.exp(value)) - p)

        # the probability below x rises with β; where the range does not reach p, its nearer end is as close as it gets
        if miss(low) > 0 or miss(high) < 0:
            return low if miss(low) > 0 else high
        return float(optimize.brentq(miss, low, high, xtol=1e-13))

    def miss_second(log_a: float) -> float:
        return float(stats.beta.cdf(y, np.exp(log_a), np.exp(log_b(log_a))) - q)

    log_a = _root(miss_second, key)
    return {"alpha": float(np.exp(log_a)), "beta": float(np.exp(log_b(log_a)))}


def _positive(points: Pairs, key: str) -> None:
    bad = [value for _, value in points if value <= 0]
    if bad:
        raise _refused(key, f"{key}.{QUANTILES}: got the value {bad[0]:g}; allowed is above 0 for this family")


def _root(miss: Callable[[float], float], key: str) -> float:
    """Zero of a function of a log shape; `PriorError` where no member of the family has the quantiles."""
    grid = np.linspace(*_LOG_RANGE, _SHAPES_OF_LOG)
    values = np.array([miss(point) for point in grid])
    change = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)
    for start in change:
        found = float(optimize.brentq(miss, grid[start], grid[start + 1], xtol=1e-14))
        if abs(miss(found)) < _SOLVED_TO:
            return found
    raise _refused(key, f"{key}.{QUANTILES}: no member of the family has these quantiles; use another family or others")


_SOLVERS: dict[str, Callable[[Pairs, Mapping[str, Any], str], dict[str, float]]] = {
    "normal": _normal,
    "student_t": _student_t,
    "lognormal": _lognormal,
    "gamma": _gamma,
    "beta": _beta,
    "half_normal": _half_normal,
}
