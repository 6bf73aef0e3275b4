"""`PriorSet`: a named set of priors, one a parameter, and what it implies on the clinical scale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from retrial.errors import PriorError
from retrial.priors.implied.effective_size import effective_size
from retrial.priors.prior import SUPPORT, Prior
from retrial.priors.scales import ARMS_PROBABILITIES, COMMON, CONTROL_LOGIT, LOG_ODDS_RATIO, Parameter, scale_of
from retrial.priors.signal_to_noise import SCALE

TOGETHER = tuple(item.name for item in ARMS_PROBABILITIES)
"""Independent arms: a set states both or none."""

REPLACED: dict[str, str] = dict.fromkeys((LOG_ODDS_RATIO.name, CONTROL_LOGIT.name), TOGETHER[0])
"""Parameters that play no part where both arms' probabilities have priors of their own."""

BY_ENDPOINT = "by_endpoint"
"""Key of a prior that differs by endpoint, {by_endpoint: {os: ..., pfs: ...}}."""


@dataclass(frozen=True)
class PriorSet:
    """Priors by parameter, and those that hold for one endpoint only (`by_endpoint`: endpoint -> parameter -> prior).

    `log_odds_ratio` is that of a benefit: for a harm its mirror is used. `variant` says how a set differs from the one of its name;
    `model` is the model whose own priors these are, empty for a set that all models share. `signal_to_noise` are priors of effects in units of
    their standard errors, parameter -> prior of β / s: they say something of an endpoint once its standard error is known (`by_endpoint` then
    has it).
    """

    name: str
    priors: Mapping[str, Prior]
    description: str = ""
    by_endpoint: Mapping[str, Mapping[str, Prior]] = MappingProxyType({})
    variant: str = ""
    model: str = ""
    signal_to_noise: Mapping[str, Prior] = MappingProxyType({})

    def speaks_of(self, parameter: str, endpoint: str | None = None) -> bool:
        """Whether the set has a prior of a parameter: for an endpoint, or (with None) for any."""
        if endpoint is not None:
            return parameter in self.priors or parameter in self.by_endpoint.get(endpoint, {})
        return parameter in {**self.priors, **self.signal_to_noise} or any(parameter in own for own in self.by_endpoint.values())

    def same_as(self, other: PriorSet) -> bool:
        """Whether another set states the same priors, whatever its name."""
        mine, theirs = ((one.priors, one.by_endpoint, one.signal_to_noise) for one in (self, other))
        return mine == theirs

    def for_endpoint(self, endpoint: str) -> PriorSet:
        """The priors that hold for one endpoint: its own before the general ones, and before those that they replace."""
        own = self.by_endpoint.get(endpoint, {})
        rivals = {*TOGETHER} if LOG_ODDS_RATIO.name in own else {name for name, other in REPLACED.items() if other in own}
        general = {name: prior for name, prior in self.priors.items() if name not in rivals}
        return PriorSet(self.name, MappingProxyType({**general, **own}), self.description)

    def decides(self, parameter: str) -> bool:
        """Whether a model takes nothing from its own prior of a parameter under this set: it is stated here, or plays no part."""
        return parameter in self.priors or REPLACED.get(parameter) in self.priors

    def __getitem__(self, parameter: str) -> Prior:
        if parameter not in self.priors:
            raise PriorError(f"the prior set {self.name!r}", [f"prior.{parameter}: missing; needed by the model"])
        return self.priors[parameter]

    def over(self, defaults: Mapping[str, Prior]) -> PriorSet:
        """This set, with a model's own priors for the parameters that it does not mention."""
        return PriorSet(self.name, MappingProxyType({**defaults, **self.priors}), self.description, self.by_endpoint)


def parse_priors(
    raw: Mapping[str, Any], key: str, declared: Mapping[str, Parameter] | None = None, named: Collection[str] | None = None
) -> Mapping[str, Prior]:
    """Read {parameter: {family: ...}}; all problems at once.

    `named` are the parameters that are stated, those among them that cannot be read too (`raw` where it is None). `declared` says which
    parameters there are and where they live: others are refused, and families that do not fit. None admits any parameter.
    """
    priors, problems = {}, []
    for parameter, value in raw.items():
        known_as = (declared or COMMON).get(parameter)
        if declared is not None and known_as is None:
            problems.append(f"{key}.{parameter}: unknown parameter; allowed are {', '.join(declared)}")
        elif not isinstance(value, Mapping):
            problems.append(f"{key}.{parameter}: got {value!r}; allowed is a mapping with a family and its parameters")
        else:
            try:
                prior = Prior.parse(value, f"{key}.{parameter}", known_as.scale if known_as else None)
            except PriorError as error:
                problems += error.problems
                continue
            allowed = known_as.support if known_as else prior.support
            if prior.support != allowed:
                fitting = ", ".join(name for name, support in SUPPORT.items() if support == allowed)
                problems.append(
                    f"{key}.{parameter}.family: got {prior.family} ({prior.support}); allowed is a family on {allowed} values:"
                    f" {fitting}"
                )
            families = (known_as.families if known_as else ()) or (prior.family,)
            if prior.family not in families:
                problems.append(f"{key}.{parameter}.family: got {prior.family}; allowed is {', '.join(families)}")
            priors[parameter] = prior
    known = raw if named is None else named
    stated = [name for name in TOGETHER if name in known]
    if len(stated) == 1:
        missing = next(name for name in TOGETHER if name not in known)
        problems.append(
            f"{key}.{missing}: missing; needed beside {stated[0]} (independent arms), or state log_odds_ratio instead of both"
        )
    problems += [
        f"{key}.{name}: got beside {' and '.join(stated)}; allowed is it or them (independent arms have no common effect)"
        for name in REPLACED
        if name in known and len(stated) == len(TOGETHER)
    ]
    if problems:
        raise PriorError(f"cannot use the priors {key}", problems)
    return MappingProxyType(priors)


def implied(prior_set: PriorSet, level: float = 0.95) -> list[dict[str, Any]]:
    """Rows for the report: per parameter the prior's median and equal-tailed interval on the clinical scale, and its size in data.

    `endpoint` is empty for a prior that holds everywhere; `effective_size` in `effective_unit` (see `effective_size`).
    """
    groups = [("", prior_set.priors), *prior_set.by_endpoint.items()]
    unknown = {name: prior for name, prior in prior_set.signal_to_noise.items() if not any(name in own for _, own in groups)}
    rows = [_implied_row(prior_set, name, prior, "", level) for name, prior in unknown.items()]
    return [
        *({**row, "scale": SCALE, "effective_size": float("nan"), "effective_unit": ""} for row in rows),
        *(
            _implied_row(prior_set, parameter, prior, endpoint, level)
            for endpoint, priors in groups
            for parameter, prior in priors.items()
        ),
    ]


def _implied_row(prior_set: PriorSet, parameter: str, prior: Prior, endpoint: str, level: float) -> dict[str, Any]:
    tail = (1 - level) / 2
    scale = scale_of(parameter, prior.scale)
    low, middle, high = scale.clinical(prior.distribution.ppf(np.array([tail, 0.5, 1 - tail])))
    size, unit = effective_size(parameter, prior)
    return {
        "model": prior_set.model,
        "prior": prior_set.name,
        "parameter": parameter,
        "endpoint": endpoint,
        "distribution": str(prior),
        "source": prior.source,
        "implied_median": float(middle),
        "implied_lower": float(low),
        "implied_upper": float(high),
        "scale": scale.name,
        "effective_size": size,
        "effective_unit": unit,
    }
