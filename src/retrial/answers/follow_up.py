"""How long the tables of an endpoint are followed, and which answers that allows.

Times are asked for beforehand (`Questions`), and no single light table shortens or removes one: a time is answered where tables of at least
half of the weight are followed until then in both arms, and by those that are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.answers.questions import Questions
from retrial.dims import ARMS
from retrial.tables.life_table import LifeTable

ENOUGH = 0.5
"""Weight of the tables from which on a time is within the follow-up."""
_ROUND_OFF = 1e-9
"""Of weights and of months."""


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Ends (M, arms), the longest time of each table and arm in months, and weights (M,) of the tables, adding to 1; `end` where the follow-up
    of both arms is that of other weights.
    """

    ends: np.ndarray
    weights: np.ndarray
    end: float | None = None

    @classmethod
    def of(cls, table: LifeTable, weights: np.ndarray) -> FollowUp:
        """Of life tables. An arm of nobody is followed as long as the other: nothing is told of it."""
        present = ((table.events + table.censored).to_numpy() > 0).reshape(-1, len(ARMS), table.times.size)
        ends = np.where(present, table.times, -np.inf).max(axis=-1)
        known = np.isfinite(ends)
        other = np.where(known, ends, np.inf).min(axis=1, keepdims=True)
        return cls(np.where(known, ends, np.where(np.isfinite(other), other, 0.0)), np.asarray(weights, dtype=float))

    @classmethod
    def one(cls, ends: tuple[float, ...]) -> FollowUp:
        """Of one table, or of an answer that all tables give together."""
        return cls(np.array([ends], dtype=float), np.ones(1))

    @property
    def of_arms(self) -> tuple[float, ...]:
        """The longest time that tables of enough weight have, arm by arm (months)."""
        return tuple(self._longest(self.ends[:, arm]) for arm in range(self.ends.shape[1]))

    @property
    def months(self) -> float:
        """The longest time that tables of enough weight have in both arms."""
        return self._longest(self.ends.min(axis=1)) if self.end is None else self.end

    def weighted(self, weights: np.ndarray) -> FollowUp:
        """The same tables, times and horizon with other weights."""
        return FollowUp(self.ends, weights, self.months)

    def _longest(self, ends: np.ndarray) -> float:
        order = np.argsort(-ends, kind="stable")
        heavy = np.cumsum(self.weights[order]) >= ENOUGH - _ROUND_OFF
        return float(ends[order[int(np.argmax(heavy))]])

    def reaching(self, time: float) -> np.ndarray:
        """(M,) whether both arms of a table are followed until a time."""
        return np.asarray(self.ends.min(axis=1) >= time - _ROUND_OFF)

    def weight(self, time: float) -> float:
        """Weight of the tables that reach a time."""
        return float(self.weights[self.reaching(time)].sum())

    def horizon(self, questions: Questions) -> float:
        """Horizon of the restricted mean: that asked for, or the follow-up where it is shorter or none is asked for."""
        return self.months if questions.rmst_months is None else min(questions.rmst_months, self.months)

    def times(self, questions: Questions) -> list[float]:
        """Times of S(t) and HR(t): those asked for within the follow-up; where none is, half of it."""
        end = self.months
        return [time for time in questions.survival_months if time <= end + _ROUND_OFF] or [round(end / 2, 2)]

    def note(self, time: float) -> str:
        """What an answer at a time says of the tables that it averages over."""
        share = self.weight(time)
        return (
            ""
            if share > 1.0 - _ROUND_OFF
            else f"over the {share:.1%} of the tables, by weight, that are followed to {time:g} months"
        )
