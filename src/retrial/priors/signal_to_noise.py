"""Shrinkage priors: what the signal-to-noise ratio of an effect has been in many trials, in units of the estimate's own standard error.

    β / s = σ_j z with probability w_j, z ~ N(0, 1)        s the standard error of the estimate that the prior is used on

Source: van Zwet, Schwab, Senn 2021, Stat Med 40:6107.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize, stats

from retrial.errors import PriorError
from retrial.priors.prior import Prior
from retrial.priors.scales import LOG_HAZARD_RATIO, LOG_ODDS_RATIO

SIGNAL_TO_NOISE = "signal_to_noise"
"""Key of a statement in standard errors: {signal_to_noise: {weights: [..], sigma: [..]}, source: ..}."""
PARAMETERS = (LOG_HAZARD_RATIO.name, LOG_ODDS_RATIO.name)
SCALE = "ratio whose log has a standard error of 1"
_LARGEST = 50.0
"""Signal-to-noise ratio that no quantile of a power needs."""


def parse_signal_to_noise(value: Mapping[str, Any], parameter: str, key: str) -> Prior:
    """Prior of β / s, a mixture of normals about 0. Raises `PriorError` with what is admitted."""
    title, said = f"cannot use the prior {key}", value[SIGNAL_TO_NOISE]
    problems = [
        f"{key}.{name}: unknown; allowed are {SIGNAL_TO_NOISE}, source"
        for name in value
        if name not in (SIGNAL_TO_NOISE, "source")
    ]
    if parameter not in PARAMETERS:
        problems.append(f"{key}.{SIGNAL_TO_NOISE}: got one of {parameter}; allowed are those of {', '.join(PARAMETERS)}")
    if not isinstance(said, Mapping) or {*said} != {"weights", "sigma"} or not isinstance(said["sigma"], Sequence):
        problems.append(f"{key}.{SIGNAL_TO_NOISE}: got {said!r}; allowed is {{weights: [..], sigma: [..]}}")
    if problems:
        raise PriorError(title, problems)
    raw = {"family": "normal_mixture", **said, "mu": [0.0] * len(said["sigma"]), "source": value.get("source")}
    return Prior.parse(raw, f"{key}.{SIGNAL_TO_NOISE}")


def in_units(ratio: Prior, se: float, of: str) -> Prior:
    """The prior of β where the estimate that it is used on has the standard error `se`; `of` says whose that is."""
    mu, sigma = (tuple(se * value for value in np.atleast_1d(ratio[name])) for name in ("mu", "sigma"))
    return Prior(ratio.family, (ratio["weights"], mu, sigma), f"{ratio.source}; in units of the standard error {se:.4g} of {of}")


def power(ratio: float, alpha: float = 0.05) -> float:
    """Probability that a two-sided test at level alpha of an effect with signal-to-noise ratio β / s is significant."""
    limit = stats.norm.isf(alpha / 2)
    return float(stats.norm.sf(limit - abs(ratio)) + stats.norm.cdf(-limit - abs(ratio)))


def power_quantile(ratio: Prior, q: float) -> float:
    """Quantile of the power over a prior of β / s: that of |β / s|, as power increases with it."""
    cdf = ratio.distribution.cdf
    size = optimize.brentq(lambda x: float(cdf(x) - cdf(-x)) - q, 0.0, _LARGEST)
    return power(float(size))
