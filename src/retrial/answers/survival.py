"""Answers of a survival model: hazard ratio, medians, restricted means, survival, and their differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

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
    subject: Subject, hazard: Hazard, draws: Mapping[str, np.ndarray], horizon: float, questions: Questions
) -> list[Estimate]:
    """Rows from pooled draws (draw,) of a proportional-hazards model's parameters; differences are experimental - control."""
    return [
        *_hazard_ratio_rows(dataclasses.replace(subject, contrast=RATIO), draws["log_hazard_ratio"], questions),
        *_by_arm(subject, ("median_survival", "median_difference"), "months", curves.median_survival(hazard, draws), questions),
        *_by_arm(subject, _names("rmst", horizon), "months", curves.rmst(hazard, draws, horizon), questions),
        *_survival_at(subject, hazard, draws, horizon, questions),
    ]


def _hazard_ratio_rows(subject: Subject, beta: np.ndarray, questions: Questions) -> list[Estimate]:
    ordered = np.sort(beta)
    return [
        subject.from_draws("hazard_ratio", "ratio", np.exp(beta), questions),
        subject.from_draws("log_hazard_ratio", "log ratio", beta, questions),
        *subject.ratio_probabilities("hazard_ratio", lambda x: float(np.searchsorted(ordered, x) / ordered.size), questions),
    ]


def _survival_at(
    subject: Subject, hazard: Hazard, draws: Mapping[str, np.ndarray], horizon: float, questions: Questions
) -> list[Estimate]:
    times = [time for time in questions.survival_months if time <= horizon]
    values = curves.survival(hazard, draws, np.array(times)) if times else None
    rows = []
    for index, time in enumerate(times):
        rows += _by_arm(subject, _names("survival", time), "probability", values[..., index], questions)  # type: ignore[index]
    return rows


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
