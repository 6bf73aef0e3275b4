"""Answers of a survival model: hazard ratio, medians, restricted means, survival, and their differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.compare.estimate import Estimate
from retrial.dims import ARMS
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.survival import curves
from retrial.survival.life_table import LifeTable
from retrial.survival.observed import Hazard


def horizon_of(table: LifeTable, questions: Questions) -> float:
    """Horizon of the restricted mean: the configured one, else the longest time that every table has in both arms."""
    present = (table.events + table.censored).to_numpy() > 0
    last = np.where(present, table.times, 0.0).max(axis=-1)
    shared = float(last.min())
    return shared if questions.rmst_months is None else min(questions.rmst_months, shared)


def survival_rows(
    subject: Subject,
    hazard: Hazard,
    draws: Mapping[str, np.ndarray],
    horizon: float,
    questions: Questions,
    proportional: bool = True,
) -> list[Estimate]:
    """Rows from pooled draws of a survival model's parameters; differences are experimental - control.

    Where hazards are not proportional there is no one hazard ratio: HR(t) is given at the times of `questions.survival_months`.
    """
    ratio = dataclasses.replace(subject, contrast=RATIO)
    times = [time for time in questions.survival_months if time <= horizon]
    if proportional:
        ratios = _hazard_ratio_rows(ratio, "hazard_ratio", draws["log_hazard_ratio"], questions)
    else:
        varying = curves.log_hazard_ratio(hazard, draws, np.array(times)) if times else np.empty((0, 0))
        ratios = [
            row
            for i, time in enumerate(times)
            for row in _hazard_ratio_rows(ratio, f"hazard_ratio_at_{time:g}", varying[:, i], questions)
        ]
    medians = ("median_survival", "median_difference")
    return [
        *ratios,
        *_by_arm(subject, medians, "months", curves.median_survival(hazard, draws), questions),
        *_by_arm(subject, _names("rmst", horizon), "months", curves.rmst(hazard, draws, horizon), questions),
        *_survival_at(subject, hazard, draws, times, questions),
    ]


def _hazard_ratio_rows(subject: Subject, name: str, log_ratio: np.ndarray, questions: Questions) -> list[Estimate]:
    ordered = np.sort(log_ratio)
    return [
        subject.from_draws(name, "ratio", np.exp(log_ratio), questions),
        subject.from_draws(f"log_{name}", "log ratio", log_ratio, questions),
        *subject.ratio_probabilities(name, lambda x: float(np.searchsorted(ordered, x) / ordered.size), questions),
    ]


def _survival_at(
    subject: Subject, hazard: Hazard, draws: Mapping[str, np.ndarray], times: Sequence[float], questions: Questions
) -> list[Estimate]:
    if not times:
        return []
    values = curves.survival(hazard, draws, np.array(times))
    return [
        row
        for index, time in enumerate(times)
        for row in _by_arm(subject, _names("survival", time), "probability", values[..., index], questions)
    ]


def _names(quantity: str, time: float) -> tuple[str, str]:
    """Names of a quantity at a time (months), and of its difference."""
    return f"{quantity}_at_{time:g}", f"{quantity}_difference_at_{time:g}"


def _by_arm(subject: Subject, names: tuple[str, str], unit: str, values: np.ndarray, questions: Questions) -> list[Estimate]:
    """A row an arm for values (draw, arm), one for their difference, and P(difference > 0)."""
    name, of_difference = names
    arms = [
        dataclasses.replace(subject, contrast=arm).from_draws(name, unit, values[:, i], questions) for i, arm in enumerate(ARMS)
    ]
    difference = values[:, 1] - values[:, 0]
    about = dataclasses.replace(subject, contrast=DIFFERENCE)
    return [
        *arms,
        about.from_draws(of_difference, unit, difference, questions),
        about.probability(f"p_{of_difference}_above_0", float((difference > 0).mean())),
    ]
