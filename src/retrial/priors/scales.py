"""On which scale a parameter is read and stated: ratios for logarithms, probabilities for an arm's logit, its own for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

LOG, LOGIT, OWN = "log", "logit", "own"
"""How a parameter follows from its clinical value: log of a ratio, logit of a probability, or as it is."""


@dataclass(frozen=True, slots=True)
class Scale:
    """`name` of the clinical scale, and the transformation to the parameter."""

    name: str
    kind: str = OWN

    def clinical(self, parameter: Any) -> Any:
        """Clinical value of a parameter's value; a ratio too large for a float is infinite."""
        with np.errstate(over="ignore"):
            return np.exp(parameter) if self.kind == LOG else expit(parameter) if self.kind == LOGIT else np.asarray(parameter)

    def parameter(self, clinical: Any) -> Any:
        """Parameter's value of a clinical value (a ratio above 0, a probability between 0 and 1)."""
        return np.log(clinical) if self.kind == LOG else logit(clinical) if self.kind == LOGIT else np.asarray(clinical)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, declared once.

    name     in the model, its priors and its draws;  symbol: in the model's equations
    support  real, positive or probability: where it lives
    scale    the scale on which it is read and stated
    label    what it is, with its unit, as a reader calls it
    families of priors that the model's quadrature knows; any on the support where it is empty
    unless   argument of the model's `build` that must not be false for the model to have it
    """

    name: str
    symbol: str
    support: str
    scale: Scale
    label: str
    families: tuple[str, ...] = ()
    unless: str = ""


LOG_HAZARD_RATIO = Parameter("log_hazard_ratio", "β", "real", Scale("hazard ratio", LOG), "Hazard ratio, experimental / control")
LOG_ODDS_RATIO = Parameter("log_odds_ratio", "θ", "real", Scale("odds ratio", LOG), "Odds ratio of a benefit")
CONTROL_LOGIT = Parameter("control_logit", "α", "real", Scale("control probability", LOGIT), "Control arm's probability")
ARMS_PROBABILITIES: tuple[Parameter, ...] = (
    Parameter("control_probability", "π_c", "probability", Scale("control probability"), "Control arm's probability"),
    Parameter(
        "experimental_probability", "π_e", "probability", Scale("experimental probability"), "Experimental arm's probability"
    ),
)
COMMON: dict[str, Parameter] = {
    item.name: item for item in (LOG_HAZARD_RATIO, LOG_ODDS_RATIO, CONTROL_LOGIT, *ARMS_PROBABILITIES)
}
"""Parameters of effects and of an outcome's probability, which any prior set may mention. All others are declared by their models."""


def scale_of(parameter: str, declared: Scale | None = None) -> Scale:
    """The scale on which a parameter's quantiles are given, shown and drawn: as declared, or that of a common parameter."""
    if declared is not None or parameter in COMMON:
        return declared or COMMON[parameter].scale
    return Scale("its exponential", LOG) if parameter.startswith("log_") else Scale("its own scale")
