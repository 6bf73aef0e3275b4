"""Answers of a two-arm count: probabilities, difference, ratios, and how probable a benefit is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.estimate import Estimate
from retrial.fit.grid import TwoArmPosterior
from retrial.frequentist.rows import DIFFERENCE, RATIO

_CONTRASTS = {
    "control": ("proportion", "probability"),
    "experimental": ("proportion", "probability"),
    "risk_difference": ("risk_difference", "probability"),
    "risk_ratio": ("risk_ratio", "ratio"),
    "odds_ratio": ("odds_ratio", "ratio"),
}
_COMPARISON = {"risk_difference": DIFFERENCE, "risk_ratio": RATIO, "odds_ratio": RATIO}


def response_rows(subject: Subject, posterior: TwoArmPosterior, questions: Questions) -> list[Estimate]:
    """Rows of both probabilities, risk difference, risk ratio, odds ratio, and P(experimental > control)."""
    rows = []
    for contrast, (quantity, unit) in _CONTRASTS.items():
        about = dataclasses.replace(subject, contrast=_COMPARISON.get(contrast, contrast))
        low, middle, high = (posterior.ppf(contrast, q) for q in (questions.tail, 0.5, 1 - questions.tail))
        sd = posterior.moments(contrast)[1] if unit == "probability" else np.nan
        rows.append(about.row(quantity, unit, middle, questions, (low, high), sd))
    ratio = dataclasses.replace(subject, contrast=_COMPARISON["odds_ratio"])
    sd = posterior.moments("odds_ratio")[1]
    low, middle, high = (posterior.log_ppf("odds_ratio", q) for q in (questions.tail, 0.5, 1 - questions.tail))
    rows.append(ratio.row("log_odds_ratio", "log ratio", middle, questions, (low, high), sd))
    difference = dataclasses.replace(subject, contrast=_COMPARISON["risk_difference"])
    rows.append(difference.probability("risk_difference", "above", (0.0,), 1 - posterior.cdf("risk_difference", 0.0)))
    rows += list(ratio.ratio_probabilities("odds_ratio", lambda x: posterior.cdf("odds_ratio", math.exp(x)), questions))
    return rows
