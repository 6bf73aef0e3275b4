"""Prior densities as points for a picture, on the clinical scale of each parameter."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import LOG, LOGIT, scale_of

POINTS = 241
"""Points of a curve: finer than a figure's pixels at print size."""
_TAIL = 0.002
"""Probability left off at either end of a curve."""
_WIDEST_LOG_RATIO = np.log(100.0)
"""A ratio beyond 1/100 to 100 needs no picture: a prior wider than that looks flat in between."""


def density_rows(prior_set: PriorSet) -> list[dict[str, Any]]:
    """Rows (model, prior, parameter, endpoint, scale, per, value, density) of every prior of a set.

    `value` is on the clinical scale. `density` is per unit of the logarithm for log ratios and positive parameters (`per` says "log unit"),
    so that a symmetric belief looks symmetric on a logarithmic axis; per unit of the value (a probability, a step's logit) elsewhere.
    """
    groups = [("", prior_set.priors), *prior_set.by_endpoint.items()]
    return [
        {"model": prior_set.model, "prior": prior_set.name, "parameter": parameter, "endpoint": endpoint, **point}
        for endpoint, priors in groups
        for parameter, prior in priors.items()
        for point in _points(parameter, prior)
    ]


def _points(parameter: str, prior: Prior) -> list[dict[str, Any]]:
    value, density, per = curve(parameter, prior)
    scale = scale_of(parameter, prior.scale).name
    return [{"scale": scale, "per": per, "value": float(v), "density": float(d)} for v, d in zip(value, density, strict=True)]


def curve(parameter: str, prior: Prior) -> tuple[np.ndarray, np.ndarray, str]:
    """Clinical values (point,), densities (point,), and what the densities are per."""
    distribution, scale = prior.distribution, scale_of(parameter, prior.scale)
    low, high = (float(distribution.ppf(q)) for q in (_TAIL, 1 - _TAIL))
    if scale.kind == LOG:
        x = np.linspace(max(low, -_WIDEST_LOG_RATIO), min(high, _WIDEST_LOG_RATIO), POINTS)
        return np.exp(x), np.asarray(distribution.pdf(x)), "log unit"
    if prior.support == "positive":
        x = np.geomspace(max(low, high * 1e-4), high, POINTS)
        return x, np.asarray(distribution.pdf(x)) * x, "log unit"
    if scale.kind == LOGIT:
        p = (np.arange(POINTS) + 0.5) / POINTS
        return p, np.asarray(distribution.pdf(scale.parameter(p))) / (p * (1 - p)), "unit"
    x = (
        np.linspace(max(low, 1e-3), min(high, 1 - 1e-3), POINTS)
        if prior.support == "probability"
        else np.linspace(low, high, POINTS)
    )
    return x, np.asarray(distribution.pdf(x)), "unit"
