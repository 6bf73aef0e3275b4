"""Answers of an outcome's probabilities in both arms, from posterior draws or on a grid: differences, ratios, numbers needed to treat."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.estimate import Estimate
from retrial.fit.grid import TwoArmPosterior
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.frequentist.two_by_two import NUMBERS_NEEDED, NumberNeeded, number_needed_to_treat, through_infinity

_TINY = np.finfo(float).tiny
"""Probabilities that underflow to 0 are taken as this in ratios."""
_CONTRASTS = {
    "control": ("proportion", "probability"),
    "experimental": ("proportion", "probability"),
    "risk_difference": ("risk_difference", "probability"),
    "risk_ratio": ("risk_ratio", "ratio"),
    "odds_ratio": ("odds_ratio", "ratio"),
}
_COMPARISON = {"risk_difference": DIFFERENCE, "risk_ratio": RATIO, "odds_ratio": RATIO}


def proportion_rows(
    subject: Subject, control: np.ndarray, experimental: np.ndarray, questions: Questions, benefit: int = 0
) -> list[Estimate]:
    """Rows of draws (draw,) of both probabilities: proportions, risk difference, risk and odds ratio, their probabilities at the
    thresholds, P(experimental > control), and (benefit +1 or -1) numbers needed to treat.
    """
    difference = dataclasses.replace(subject, contrast=DIFFERENCE)
    ratio = dataclasses.replace(subject, contrast=RATIO)
    log_risk, log_odds = _log_ratios(control, experimental)
    spread = difference.from_draws("risk_difference", "probability", experimental - control, questions)
    return [
        dataclasses.replace(subject, contrast=CONTROL).from_draws("proportion", "probability", control, questions),
        dataclasses.replace(subject, contrast=EXPERIMENTAL).from_draws("proportion", "probability", experimental, questions),
        spread,
        difference.above_zero("risk_difference", experimental - control),
        ratio.from_draws("risk_ratio", "ratio", np.exp(log_risk), questions),
        *ratio.ratio_from_draws("odds_ratio", log_odds, questions),
        *numbers_needed_rows(ratio, spread, questions, benefit),
    ]


def _log_ratios(control: np.ndarray, experimental: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log risk ratio and log odds ratio."""
    c, e = np.maximum(control, _TINY), np.maximum(experimental, _TINY)
    none_c, none_e = np.maximum(1 - c, _TINY), np.maximum(1 - e, _TINY)
    log_risk = np.log(e) - np.log(c)
    return log_risk, log_risk - np.log(none_e) + np.log(none_c)


def with_numbers_needed(rows: list[Estimate], subject: Subject, questions: Questions, benefit: int) -> list[Estimate]:
    """Rows of one outcome, and the numbers needed to treat that their risk difference implies."""
    spread = next(row for row in rows if row.quantity == "risk_difference" and row.statistic == "value")
    about = dataclasses.replace(subject, contrast=RATIO)
    return [*rows, *numbers_needed_rows(about, spread, questions, benefit)]


def numbers_needed_rows(subject: Subject, difference: Estimate, questions: Questions, benefit: int) -> list[Estimate]:
    """The number needed to treat on the side of the point, and where an interval through infinity ends (Altman 1998, BMJ 317:1309).

    1/RD jumps from +infinity to -infinity at 0: an interval of the risk difference that holds 0 is "to benefit L to infinity, to harm M to
    infinity". The row of the side that holds the point has the limits L and infinity; the other side has no point, so its row is the limit
    M alone (`far_limit`). Monte Carlo errors are n² times those of the risk difference 1 / n. `benefit` is +1 where the outcome is good,
    -1 where it is a harm, 0 where there is no such number.
    """
    if not benefit:
        return []
    low, high = sorted((benefit * difference.lower, benefit * difference.upper))
    halves = number_needed_to_treat(benefit * difference.point, low, high)
    through = through_infinity(*halves)
    about = dataclasses.replace(subject, source="; ".join(filter(None, (subject.source, through))))
    errors = (difference.mcse_lower, difference.mcse_upper)
    near_low, near_high = errors if benefit > 0 else errors[::-1]
    return [
        _number_needed(about, quantity, half, questions, difference, ends)
        for quantity, half, ends in zip(NUMBERS_NEEDED, halves, ((near_high, near_low), (near_low, near_high)), strict=True)
        if half is not None
    ]


def _number_needed(
    about: Subject,
    quantity: str,
    half: NumberNeeded,
    questions: Questions,
    difference: Estimate,
    ends: tuple[float, float],
) -> Estimate:
    """The row of one half; `ends` are the Monte Carlo errors of the risk differences that its lower and upper limits are of."""
    if np.isnan(half.point):
        row, errors = about.limit(quantity, "patients", half.lower, "far_limit"), {"point": ends[0]}
    else:
        row = about.row(quantity, "patients", half.point, questions, (half.lower, half.upper))
        errors = {"point": difference.mcse_point, "lower": ends[0], "upper": ends[1]}
    if not difference.draws:
        return row
    found = {f"mcse_{name}": error * getattr(row, name) ** 2 for name, error in errors.items() if np.isfinite(getattr(row, name))}
    return dataclasses.replace(row, draws=difference.draws, **found)


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
