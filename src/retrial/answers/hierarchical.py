"""Answers of the hierarchical count models: categories and their sums, adverse events by term and grade, and how far they pool."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from retrial.answers.notes import empty_arms, joined
from retrial.answers.proportions import proportion_rows
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.estimate import Estimate
from retrial.study.study import Study

if TYPE_CHECKING:
    from retrial.data.chains import GradedEvents


def category_rows(
    subject: Subject, study: Study, path: str, table: np.ndarray, questions: Questions, benefit: int
) -> list[Estimate]:
    """Rows of one category or composite from category probabilities (draw, arm, category)."""
    if study.response is None:
        return []
    names, key = list(study.response.categories), path.split(".")[-1]
    inside = [key] if ".categories." in path else study.response.composites[key].of
    value = table[..., [names.index(name) for name in inside]].sum(axis=-1)
    return proportion_rows(subject, value[:, 0], value[:, 1], questions, benefit)


def adverse_event_rows(
    subject: Subject,
    events: GradedEvents,
    table: np.ndarray,
    questions: Questions,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> list[Estimate]:
    """Rows of every term and grade group that it is printed in, and of any grade, from P(worst grade) (draw, arm, term, grade + 1).

    `notes` say of a term what else there is to know.
    """
    rows = []
    for index, term in enumerate(events.terms):
        values = {
            grade: (table[..., index, list(groups)].sum(axis=-1), events.counts[:, index, list(groups)].sum(axis=-1))
            for grade, groups in events.sums[index].items()
        }
        for grade, (value, counts) in values.items():
            about = dataclasses.replace(
                subject,
                endpoint=f"{subject.endpoint}.{term}.{grade}",
                source=", ".join(filter(None, (subject.source, term, grade))),
                note=joined(empty_arms(counts, events.n[:, index]), notes.get(term, "")),
            )
            rows += proportion_rows(about, value[:, 0], value[:, 1], questions, benefit=-1)
    return rows


def pooling_rows(subject: Subject, draws: Mapping[str, np.ndarray], questions: Questions) -> list[Estimate]:
    """The common log odds ratio and the SD about it, where the model pools."""
    if "effect_sd" not in draws:
        return []
    mean = draws["log_odds_ratio"]
    return [
        subject.from_draws("common_log_odds_ratio", "log ratio", mean, questions),
        subject.from_draws("common_odds_ratio", "ratio", np.exp(mean), questions),
        subject.probability("common_odds_ratio", "above", (1.0,), float((mean > 0).mean()), happens=mean > 0),
        subject.from_draws("effect_sd", "log ratio", draws["effect_sd"], questions),
    ]
