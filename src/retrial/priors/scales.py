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
        """Clinical value of a parameter's value."""
        return np.exp(parameter) if self.kind == LOG else expit(parameter) if self.kind == LOGIT else np.asarray(parameter)

    def parameter(self, clinical: Any) -> Any:
        """Parameter's value of a clinical value (a ratio above 0, a probability between 0 and 1)."""
        return np.log(clinical) if self.kind == LOG else logit(clinical) if self.kind == LOGIT else np.asarray(clinical)


PROBABILITIES = ("control_logit", "control_probability", "experimental_probability")
"""Parameters that are an outcome's probability in one arm. Other logits (a step's, a mean of cohorts) are of no one outcome."""

_SCALES: dict[str, Scale] = {
    "log_hazard_ratio": Scale("hazard ratio", LOG),
    "log_odds_ratio": Scale("odds ratio", LOG),
    "log_shape_ratio": Scale("ratio of shapes", LOG),
    "control_median": Scale("months"),
    "shape": Scale("Weibull shape"),
    "control_logit": Scale("control probability", LOGIT),
    "control_probability": Scale("control probability"),
    "experimental_probability": Scale("experimental probability"),
    "baseline_logit": Scale("logit"),
    "historical_mean": Scale("logit"),
    "baseline_mean": Scale("logit"),
    "historical_sd": Scale("SD of logits"),
    "baseline_sd": Scale("SD of logits"),
    "criteria_log_odds": Scale("log odds ratio"),
    "grade_effect": Scale("log odds ratio"),
    "effect_sd": Scale("SD of log odds ratios"),
    "log_baseline_hazard": Scale("events per patient-month", LOG),
    "walk_scale": Scale("SD of steps of the log hazard"),
    "effect_walk_scale": Scale("SD of steps of the log hazard ratio"),
}


def scale_of(parameter: str) -> Scale:
    """The scale on which a parameter's quantiles are given, shown and drawn."""
    unknown = Scale("its exponential", LOG) if parameter.startswith("log_") else Scale("its own scale")
    return _SCALES.get(parameter, unknown)
