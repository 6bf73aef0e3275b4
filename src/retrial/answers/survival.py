"""Answers of a survival model: hazard ratio, medians, restricted means, survival, and their differences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from retrial.answers import curves
from retrial.answers.comparison.shared import SharedAnswers, shared_answers
from retrial.answers.follow_up import FollowUp
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.dims import ARMS
from retrial.estimate import NAN, Estimate
from retrial.fit.survival.likelihood import Hazard
from retrial.frequentist.rows import DIFFERENCE, RATIO

BEYOND = "beyond the follow-up of {months:.3g} months: the model's extrapolation"
"""Note of a median that the data do not reach."""
WITHOUT = "no median in {share:.1%} of the draws, whose curve stays above 1/2"
"""Note of a median that does not exist in some draws."""


def survival_rows(
    subject: Subject,
    hazard: Hazard,
    draws: Mapping[str, np.ndarray],
    questions: Questions,
    follow_up: FollowUp,
    proportional: bool = True,
    shared: SharedAnswers | None = None,
) -> list[Estimate]:
    """Rows from pooled draws of a survival model's parameters; differences are experimental - control.

    Where hazards are not proportional there is no one hazard ratio: HR(t) is given at the times of S(t), and its average over the horizon.
    What is said of a time is said by the tables that are followed until then, `subject.origin.table` their rows of `follow_up`. `shared` are
    answers of the same draws, where they are known.
    """
    ratio = dataclasses.replace(subject, contrast=RATIO)
    times, horizon = follow_up.times(questions), follow_up.horizon(questions)
    known = shared_answers(hazard, draws, horizon, times, proportional) if shared is None else shared
    rows: list[Estimate] = []
    if proportional:
        rows += ratio.ratio_from_draws("hazard_ratio", draws["log_hazard_ratio"], questions)
    else:
        varying = curves.log_hazard_ratio(hazard, draws, np.array(times))
        for index, time in enumerate(times):
            about, kept = reaching(ratio, follow_up, time)
            rows += about.ratio_from_draws("hazard_ratio", varying[kept, index], questions, time)
        about, kept = reaching(ratio, follow_up, horizon)
        rows += about.ratio_from_draws("average_hazard_ratio", known.log_ratio[kept], questions, horizon)
    rows += _noted(_medians(subject, curves.median_survival(hazard, draws), questions), follow_up.of_arms)
    about, kept = reaching(subject, follow_up, horizon)
    rows += by_arm(about, ("rmst", "rmst_difference"), "months", known.rmst[kept], questions, horizon)
    for index, time in enumerate(times):
        about, kept = reaching(subject, follow_up, time)
        values = known.survival[kept, :, index]
        rows += by_arm(about, ("survival", "survival_difference"), "probability", values, questions, time)
    return rows


def reaching(subject: Subject, follow_up: FollowUp, time: float) -> tuple[Subject, np.ndarray | slice]:
    """The subject and the rows of its draws of the tables that are followed to a time, with a note where that is not all of them."""
    reach = follow_up.reaching(time)
    if reach.all() or subject.origin is None:
        return subject, slice(None)
    rows = np.flatnonzero(reach[subject.origin.table])
    note = "; ".join(filter(None, (follow_up.note(time), subject.note)))
    return dataclasses.replace(subject, note=note, origin=subject.origin.rows(rows)), rows


def _medians(subject: Subject, values: np.ndarray, questions: Questions) -> list[Estimate]:
    """Rows of medians (draw, arm). One that does not exist in some draws counts as later than all others: limits and point may be infinite.

    The difference is infinite in draws in which one arm has no median, and has no value in those in which neither has one: these count as
    no difference, and there are no rows of it where they are more than lie beyond a limit.
    """
    names, without = ("median_survival", "median_difference"), np.isinf(values)
    if not without.any():
        return by_arm(subject, names, "months", values, questions)
    end = float(values[~without].max(initial=1.0)) * _BEYOND_ALL
    rows = by_arm(subject, names, "months", np.where(without, end, values), questions)
    shares = {**dict(zip(ARMS, without.mean(axis=0), strict=True)), DIFFERENCE: without.any(axis=1).mean()}
    neither = float(without.all(axis=1).mean())
    kept = [row for row in rows if row.contrast != DIFFERENCE or neither < questions.tail]
    return [_open_ended(row, end, float(shares[row.contrast])) for row in kept]


_BEYOND_ALL = 1e3
"""A median that does not exist counts as so many times the largest that does, so that differences keep their order."""


def _open_ended(row: Estimate, end: float, share: float) -> Estimate:
    """The row of a quantity that is infinite in a share of its draws, where values beyond half of `end` stand for infinite ones."""
    if share == 0:
        return row
    note = "; ".join(filter(None, (row.note, WITHOUT.format(share=share))))
    if row.statistic != "value":
        return dataclasses.replace(row, note=note)
    changed: dict[str, Any] = {}
    for name in ("point", "lower", "upper"):
        value = getattr(row, name)
        if abs(value) > end / 2:
            changed |= {name: math.copysign(math.inf, value), f"mcse_{name}": NAN}
    return dataclasses.replace(row, note=note, sd=NAN, **changed)


def _noted(medians: Sequence[Estimate], follow_ups: Sequence[float]) -> list[Estimate]:
    """Medians later than the follow-up of their own arm, and their difference, with a note that they are extrapolated."""
    ends = dict(zip(ARMS, follow_ups, strict=True))
    late = {row.contrast: ends[row.contrast] for row in medians if row.contrast in ARMS and row.point > ends[row.contrast]}
    words = {arm: BEYOND.format(months=end) for arm, end in late.items()}
    either = BEYOND.format(months=min(late.values(), default=0.0)) if late else ""
    said = [words.get(row.contrast, "") if row.contrast in ARMS else either for row in medians]
    return [
        dataclasses.replace(row, note="; ".join(filter(None, (row.note, note)))) for row, note in zip(medians, said, strict=True)
    ]


def by_arm(
    subject: Subject, names: tuple[str, str], unit: str, values: np.ndarray, questions: Questions, time: float = NAN
) -> list[Estimate]:
    """A row an arm for values (draw, arm), one for their difference, and P(difference > 0)."""
    name, of_difference = names
    arms = [
        dataclasses.replace(subject, contrast=arm).from_draws(name, unit, values[:, i], questions, time)
        for i, arm in enumerate(ARMS)
    ]
    difference = values[:, 1] - values[:, 0]
    about = dataclasses.replace(subject, contrast=DIFFERENCE)
    return [
        *arms,
        about.from_draws(of_difference, unit, difference, questions, time),
        about.above_zero(of_difference, difference, time),
    ]
