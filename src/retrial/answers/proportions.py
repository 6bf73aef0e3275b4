"""Answers of an outcome's probabilities in both arms, from posterior draws: differences, ratios, numbers needed to treat."""

from __future__ import annotations

import dataclasses

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.estimate import Estimate
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.frequentist.two_by_two import NUMBERS_NEEDED, number_needed_to_treat, through_infinity

_TINY = np.finfo(float).tiny
"""Probabilities that underflow to 0 are taken as this in ratios."""


def proportion_rows(
    subject: Subject, control: np.ndarray, experimental: np.ndarray, questions: Questions, benefit: int = 0
) -> list[Estimate]:
    """Rows of draws (draw,) of both probabilities: proportions, risk difference, risk and odds ratio, their probabilities at the
    thresholds, P(experimental > control), and (benefit +1 or -1) numbers needed to treat.
    """
    difference = dataclasses.replace(subject, contrast=DIFFERENCE)
    ratio = dataclasses.replace(subject, contrast=RATIO)
    log_risk, log_odds = _log_ratios(control, experimental)
    ordered = np.sort(log_odds)
    spread = difference.from_draws("risk_difference", "probability", experimental - control, questions)
    return [
        dataclasses.replace(subject, contrast=CONTROL).from_draws("proportion", "probability", control, questions),
        dataclasses.replace(subject, contrast=EXPERIMENTAL).from_draws("proportion", "probability", experimental, questions),
        spread,
        difference.probability("p_risk_difference_above_0", float((experimental > control).mean())),
        ratio.from_draws("risk_ratio", "ratio", np.exp(log_risk), questions),
        ratio.from_draws("odds_ratio", "ratio", np.exp(log_odds), questions),
        ratio.from_draws("log_odds_ratio", "log ratio", log_odds, questions),
        *ratio.ratio_probabilities("odds_ratio", lambda x: float(np.searchsorted(ordered, x) / ordered.size), questions),
        *numbers_needed_rows(ratio, spread.point, spread.lower, spread.upper, questions, benefit),
    ]


def _log_ratios(control: np.ndarray, experimental: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log risk ratio and log odds ratio."""
    c, e = np.maximum(control, _TINY), np.maximum(experimental, _TINY)
    none_c, none_e = np.maximum(1 - c, _TINY), np.maximum(1 - e, _TINY)
    log_risk = np.log(e) - np.log(c)
    return log_risk, log_risk - np.log(none_e) + np.log(none_c)


def with_numbers_needed(rows: list[Estimate], subject: Subject, questions: Questions, benefit: int) -> list[Estimate]:
    """Rows of one outcome, and the numbers needed to treat that their risk difference implies."""
    spread = next(row for row in rows if row.quantity == "risk_difference")
    about = dataclasses.replace(subject, contrast=RATIO)
    return [*rows, *numbers_needed_rows(about, spread.point, spread.lower, spread.upper, questions, benefit)]


def numbers_needed_rows(
    subject: Subject, point: float, lower: float, upper: float, questions: Questions, benefit: int
) -> list[Estimate]:
    """The number needed to treat on the side of the point, and where an interval through infinity ends (Altman 1998, BMJ 317:1309).

    1/RD jumps from +infinity to -infinity at 0: an interval of the risk difference that holds 0 is "to benefit L to infinity, to harm M to
    infinity". The row of the side that holds the point has the limits L and infinity; the other side has no point, so its row is the limit M
    alone (`..._limit`). `benefit` is +1 where the outcome is good, -1 where it is a harm, 0 where there is no such number.
    """
    if not benefit:
        return []
    low, high = sorted((benefit * lower, benefit * upper))
    halves = number_needed_to_treat(benefit * point, low, high)
    through = through_infinity(*halves)
    about = dataclasses.replace(subject, source="; ".join(filter(None, (subject.source, through))))
    return [
        about.limit(f"{quantity}_limit", "patients", half.lower)
        if np.isnan(half.point)
        else about.row(quantity, "patients", half.point, questions, (half.lower, half.upper))
        for quantity, half in zip(NUMBERS_NEEDED, halves, strict=True)
        if half is not None
    ]
