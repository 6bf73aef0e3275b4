"""Answers of a survival model: hazard ratio, medians, restricted means, survival, and their differences."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from retrial.answers import curves
from retrial.answers.comparison.shared import SharedAnswers, shared_answers
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.dims import ARMS
from retrial.estimate import NAN, Estimate
from retrial.fit.survival.likelihood import Hazard
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.tables.life_table import LifeTable

BEYOND = "beyond the follow-up of {months:.3g} months: the model's extrapolation"
"""Note of a median that the data do not reach."""
WITHOUT = "no median in {share:.1%} of the draws, whose curve stays above 1/2"
"""Note of a median that does not exist in some draws."""


def follow_up_of(table: LifeTable) -> float:
    """The longest time that every table has in both arms, or in the only one that has patients (months)."""
    return min(follow_ups_of(table))


def follow_ups_of(table: LifeTable) -> tuple[float, ...]:
    """The longest time that every table has in each arm (months)."""
    present = (table.events + table.censored).to_numpy() > 0
    longest = np.where(present, table.times, 0.0).max(axis=-1)
    ends = longest.reshape(-1, len(ARMS)).min(axis=0)
    alone = ends[present.reshape(-1, len(ARMS), present.shape[-1]).any(axis=(0, 2))]
    # an arm of nobody is followed as long as the other: nothing is told of it
    return tuple(float(value) if value > 0 or not alone.size else float(alone.min()) for value in ends)


def horizon_of(table: LifeTable, questions: Questions) -> float:
    """Horizon of the restricted mean: the follow-up, or less where so configured."""
    shared = follow_up_of(table)
    return shared if questions.rmst_months is None else min(questions.rmst_months, shared)


def times_within(questions: Questions, follow_up: float) -> list[float]:
    """Times of S(t) and HR(t): those asked for that lie within the follow-up; where none does, half of it."""
    return [time for time in questions.survival_months if time <= follow_up] or [round(follow_up / 2, 2)]


def survival_rows(
    subject: Subject,
    hazard: Hazard,
    draws: Mapping[str, np.ndarray],
    horizon: float,
    questions: Questions,
    proportional: bool = True,
    follow_ups: Sequence[float] = (),
    shared: SharedAnswers | None = None,
) -> list[Estimate]:
    """Rows from pooled draws of a survival model's parameters; differences are experimental - control.

    Where hazards are not proportional there is no one hazard ratio: HR(t) is given at the times of S(t), and its average over the horizon.
    `follow_ups` (months) are those of the arms, the horizon where they are not given; `shared` are answers of the same draws, where they are known.
    """
    ratio = dataclasses.replace(subject, contrast=RATIO)
    follow_ups = follow_ups or (horizon,) * len(ARMS)
    times = times_within(questions, min(follow_ups))
    known = shared_answers(hazard, draws, horizon, times, proportional) if shared is None else shared
    if proportional:
        ratios = ratio.ratio_from_draws("hazard_ratio", draws["log_hazard_ratio"], questions)
    else:
        varying = curves.log_hazard_ratio(hazard, draws, np.array(times))
        ratios = [
            row for i, time in enumerate(times) for row in ratio.ratio_from_draws("hazard_ratio", varying[:, i], questions, time)
        ]
        ratios += ratio.ratio_from_draws("average_hazard_ratio", known.log_ratio, questions, horizon)
    return [
        *ratios,
        *_noted(_medians(subject, curves.median_survival(hazard, draws), questions), follow_ups),
        *_by_arm(subject, ("rmst", "rmst_difference"), "months", known.rmst, questions, horizon),
        *_survival_at(subject, known, questions),
    ]


def _medians(subject: Subject, values: np.ndarray, questions: Questions) -> list[Estimate]:
    """Rows of medians (draw, arm). One that does not exist in some draws counts as later than all others: limits and point may be infinite.

    The difference is infinite in draws in which one arm has no median, and has no value in those in which neither has one: these count as
    no difference, and there are no rows of it where they are more than lie beyond a limit.
    """
    names, without = ("median_survival", "median_difference"), np.isinf(values)
    if not without.any():
        return _by_arm(subject, names, "months", values, questions)
    end = float(values[~without].max(initial=1.0)) * _BEYOND_ALL
    rows = _by_arm(subject, names, "months", np.where(without, end, values), questions)
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


def _survival_at(subject: Subject, shared: SharedAnswers, questions: Questions) -> list[Estimate]:
    names = ("survival", "survival_difference")
    return [
        row
        for index, time in enumerate(shared.times)
        for row in _by_arm(subject, names, "probability", shared.survival[..., index], questions, time)
    ]


def _by_arm(
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
