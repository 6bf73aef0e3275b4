"""Beliefs of stated strength about an expected ratio: the grid of Zampieri et al. 2021 (Am J Respir Crit Care Med 203:543).

optimistic, pessimistic     N(± log r, τ²) with P(on the other side of no effect) = 0.30 (weak), 0.15 (moderate), 0.05 (strong)
sceptical                   N(0, τ²) with τ = 5, 0.355 (95 % of the ratios within 1/2 to 2), 0.205 (2/3 to 3/2)
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from scipy import stats

from retrial.errors import PriorError
from retrial.priors.prior import Prior
from retrial.validate import is_number

BELIEF = "belief"
"""Key of a statement by an expected ratio and a strength: {belief: {expected: 0.8, strength: moderate}}."""
CROSSING = {"weak": 0.30, "moderate": 0.15, "strong": 0.05}
"""Strength -> probability that the effect is on the other side of none."""
SCEPTICAL = {"weak": 5.0, "moderate": 0.355, "strong": 0.205}
"""Strength -> SD of a sceptical belief."""
_RATIOS = (0.01, 100.0)


def belief(expected: float, strength: str) -> Prior:
    """N(log r, τ²) with P(log ratio beyond 0) as `CROSSING` has it: τ = |log r| / z."""
    mu, crossing = math.log(expected), CROSSING[strength]
    source = f"{strength} belief in a ratio of {expected:g}: {100 * crossing:g} % for the other side of 1 (Zampieri et al. 2021)"
    return Prior("normal", (mu, abs(mu) / float(stats.norm.isf(crossing))), source)


def belief_grid(expected: float) -> dict[str, Prior]:
    """Nine priors of a log ratio whose benefit is a ratio below 1, by "optimistic, weak" and so on."""
    sources = {name: f"no effect expected, SD {sd:g} (Zampieri et al. 2021)" for name, sd in SCEPTICAL.items()}
    sceptical = {f"sceptical, {name}": Prior("normal", (0.0, sd), sources[name]) for name, sd in SCEPTICAL.items()}
    optimistic = {f"optimistic, {name}": belief(expected, name) for name in CROSSING}
    pessimistic = {f"pessimistic, {name}": belief(1 / expected, name) for name in CROSSING}
    return {**optimistic, **sceptical, **pessimistic}


def stated_belief(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A statement {belief: {expected, strength}} as {family, parameters, source}. Raises `PriorError` with what is admitted."""
    said = value[BELIEF]
    problems = [
        f"{key}.{name}: got beside {BELIEF}; allowed is one or the other" for name in value if name not in (BELIEF, "source")
    ]
    if not isinstance(said, Mapping) or {*said} != {"expected", "strength"}:
        problems.append(
            f"{key}.{BELIEF}: got {said!r}; allowed is {{expected: a ratio other than 1, strength: {' | '.join(CROSSING)}}}"
        )
        raise PriorError(f"cannot use the prior {key}", problems)
    expected, strength = said["expected"], said["strength"]
    if not is_number(expected) or not _RATIOS[0] <= expected <= _RATIOS[1] or expected == 1:
        problems.append(
            f"{key}.{BELIEF}.expected: got {expected!r}; allowed is a ratio from {_RATIOS[0]:g} to {_RATIOS[1]:g} other than 1"
        )
    if not isinstance(strength, str) or strength not in CROSSING:
        problems.append(f"{key}.{BELIEF}.strength: got {strength!r}; allowed are {', '.join(CROSSING)}")
    if problems:
        raise PriorError(f"cannot use the prior {key}", problems)
    made = belief(float(expected), strength)
    return {"family": made.family, "mu": made["mu"], "sigma": made["sigma"], "source": value.get("source") or made.source}
