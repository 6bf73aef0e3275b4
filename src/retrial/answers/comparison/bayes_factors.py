"""Bayes factors for an effect against none (β = 0), and the prior odds of an effect that they leave to be wanted."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from retrial.answers import curves
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.estimate import NAN, Estimate
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.evidence import LEAST_SHARE
from retrial.fit.survival.likelihood import Hazard
from retrial.priors.prior import Prior

FACTOR, AGAINST, ODDS = "bayes_factor_for_effect", "bayes_factor_against_effect", "prior_odds_needed"
WIDEST = 3.0
"""SD of a prior of a log ratio (by its quartiles) beyond which the factor says how wide the prior is, not what the data say."""
_LOOKED_AT = 20
"""Draws at which the curves of both arms are compared."""
_QUARTILES = 1.3489795
"""Distance between the quartiles of a standard normal distribution."""


def says_something(prior: Prior) -> bool:
    """Whether a prior of an effect is narrow enough for a Bayes factor to be about the data."""
    low, high = (float(prior.distribution.ppf(q)) for q in (0.25, 0.75))
    return (high - low) / _QUARTILES <= WIDEST


def is_no_difference(hazard: Hazard, draws: Mapping[str, np.ndarray], effect: str, months: float) -> bool:
    """Whether both arms have the same curve wherever the effect is 0, so that this is what a Bayes factor may be against."""
    some = {name: value[:_LOOKED_AT] for name, value in draws.items()}
    some[effect] = np.zeros_like(some[effect])
    control, experimental = curves.cumulative_hazard(hazard, some, months * np.array([0.1, 0.3, 1.0])).transpose(1, 0, 2)
    return bool(np.allclose(control, experimental))


def fitted_factor_rows(
    subject: Subject, healths: Sequence[Diagnostics], weights: np.ndarray, questions: Questions
) -> list[Estimate]:
    """Rows from the fits of all tables (table,); those without an evidence, or that did not pass, take no part, and fewer than half say nothing."""
    log_factors = np.array([one.log_evidence - one.log_evidence_null if one.status == "ok" else NAN for one in healths])
    errors = np.array([math.hypot(one.log_evidence_se, one.log_evidence_null_se) for one in healths])
    used = np.isfinite(log_factors)
    share = float(weights[used].sum())
    if share < LEAST_SHARE:
        return []
    said = "" if used.all() else f"of {int(used.sum())} of {used.size} tables ({share:.0%} by weight)"
    # the subject's own status is of all fits: those that did not pass take no part here
    about = dataclasses.replace(subject, status="ok", note="; ".join(filter(None, (subject.note, said))))
    return list(factor_rows(about, log_factors[used], weights[used], questions, errors[used], healths[0].draws))


def factor_rows(
    subject: Subject,
    log_factors: np.ndarray,
    weights: np.ndarray,
    questions: Questions,
    errors: np.ndarray | None = None,
    draws: int = 0,
) -> Iterator[Estimate]:
    """Rows of log Bayes factors (table,) for an effect against none, with their Monte Carlo errors; of several tables median and range.

    The prior odds of an effect that are needed for its posterior probability to be `level`: level / (1 - level) / factor.
    """
    odds = math.log(questions.level / (1 - questions.level))
    for name, sign, unit, shift in ((FACTOR, 1.0, "ratio", 0.0), (AGAINST, -1.0, "ratio", 0.0), (ODDS, -1.0, "odds", odds)):
        values = sign * log_factors + shift
        order = np.argsort(values)
        place = order[np.searchsorted(np.cumsum(weights[order]), 0.5 * weights.sum())]
        with np.errstate(over="ignore"):
            middle, low, high = (float(np.exp(value)) for value in (values[place], values.min(), values.max()))
        row = subject.limit(name, unit, middle, "value" if values.size == 1 else "range")
        if values.size > 1:
            row = dataclasses.replace(row, lower=low, upper=high)
        if errors is not None and draws:
            row = dataclasses.replace(row, draws=draws, mcse_point=middle * float(errors[place]))
        yield row
