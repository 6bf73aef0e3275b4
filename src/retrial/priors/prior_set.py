"""`PriorSet`: a named set of priors, one a parameter, and what it implies on the clinical scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from retrial.errors import PriorError
from retrial.priors.prior import Prior

PARAMETER_SUPPORT: dict[str, str] = {
    "log_hazard_ratio": "real",
    "log_odds_ratio": "real",
    "control_median": "positive",
    "shape": "positive",
    "control_logit": "real",
    "control_probability": "probability",
    "experimental_probability": "probability",
}
"""Parameters that models have, and where they live; a prior of another support is refused."""

CLINICAL_SCALE: dict[str, str] = {
    "log_hazard_ratio": "hazard ratio",
    "log_odds_ratio": "odds ratio",
    "control_median": "months",
    "shape": "Weibull shape",
    "control_logit": "control probability",
    "control_probability": "control probability",
    "experimental_probability": "experimental probability",
}


@dataclass(frozen=True)
class PriorSet:
    """Priors by parameter. `log_odds_ratio` is that of a benefit: for a harm its mirror is used."""

    name: str
    priors: Mapping[str, Prior]
    description: str = ""

    def __getitem__(self, parameter: str) -> Prior:
        if parameter not in self.priors:
            raise PriorError(f"the prior set {self.name!r}", [f"prior.{parameter}: missing; needed by the model"])
        return self.priors[parameter]

    def over(self, defaults: Mapping[str, Prior]) -> PriorSet:
        """This set, with a model's own priors for the parameters that it does not mention."""
        return PriorSet(self.name, MappingProxyType({**defaults, **self.priors}), self.description)


def parse_priors(raw: Mapping[str, Any], key: str) -> Mapping[str, Prior]:
    """Read {parameter: {family: ...}} and refuse unknown parameters and supports that do not fit; all problems at once."""
    priors, problems = {}, []
    for parameter, value in raw.items():
        if parameter not in PARAMETER_SUPPORT:
            problems.append(f"{key}.{parameter}: unknown parameter; allowed are {', '.join(PARAMETER_SUPPORT)}")
        elif not isinstance(value, Mapping):
            problems.append(f"{key}.{parameter}: got {value!r}; allowed is a mapping with a family and its parameters")
        else:
            try:
                prior = Prior.parse(value, f"{key}.{parameter}")
            except PriorError as error:
                problems += error.problems
                continue
            if prior.support != PARAMETER_SUPPORT[parameter]:
                allowed = PARAMETER_SUPPORT[parameter]
                problems.append(
                    f"{key}.{parameter}.family: got {prior.family} ({prior.support}); allowed is a family on {allowed} values"
                )
            priors[parameter] = prior
    if problems:
        raise PriorError(f"cannot use the priors {key}", problems)
    return MappingProxyType(priors)


def on_clinical_scale(parameter: str, value: np.ndarray | float) -> np.ndarray:
    """A parameter's value in the unit of `CLINICAL_SCALE`."""
    if parameter.startswith("log_"):
        return np.exp(value)
    if parameter == "control_logit":
        return 1.0 / (1.0 + np.exp(-np.asarray(value)))
    return np.asarray(value)


def implied(prior_set: PriorSet, level: float = 0.95) -> list[dict[str, Any]]:
    """Rows for the report: per parameter the prior's median and equal-tailed interval on the clinical scale."""
    rows = []
    tail = (1 - level) / 2
    for parameter, prior in prior_set.priors.items():
        low, middle, high = on_clinical_scale(parameter, prior.distribution.ppf(np.array([tail, 0.5, 1 - tail])))
        rows.append(
            {
                "prior": prior_set.name,
                "parameter": parameter,
                "distribution": str(prior),
                "source": prior.source,
                "implied_median": float(middle),
                "implied_lower": float(low),
                "implied_upper": float(high),
                "scale": CLINICAL_SCALE[parameter],
            }
        )
    return rows
