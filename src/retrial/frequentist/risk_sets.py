"""Risk sets of one life table: events and numbers at risk per arm and time, all that the tests and estimators need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.errors import DataError
from retrial.tables.life_table import LifeTable


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Times (T,) in months; events d, censorings c, numbers at risk r (patients with time >= t), each (2 arms, T) of floats.

    Arms are control, experimental. Counts far above 2^53 aside, floats hold them exactly. The cost of everything made from a
    risk set depends on the number of distinct times, not on the number of patients.
    """

    times: np.ndarray
    events: np.ndarray
    censored: np.ndarray
    at_risk: np.ndarray

    def arm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Events and numbers at risk of "control", "experimental" or "total" (both arms pooled), each (T,)."""
        if name == TOTAL:
            return self.events.sum(axis=0), self.at_risk.sum(axis=0)
        if name not in ARMS:
            raise DataError(f"got the arm {name!r}; allowed are {', '.join((*ARMS, TOTAL))}")
        index = ARMS.index(name)
        return self.events[index], self.at_risk[index]

    def last_time(self, name: str) -> float:
        """Longest recorded time of an arm, event or censoring; `DataError` where it has no patients."""
        _, at_risk = self.arm(name)
        present = self.times[at_risk > 0]
        if present.size == 0:
            raise DataError(f"no patients in the {name} arm" if name != TOTAL else "no patients")
        return float(present[-1])


def risk_sets(table: LifeTable, reconstruction: int = 0) -> RiskSets:
    """Risk sets of one table. Raises `DataError` for a reconstruction that does not exist."""
    if not 0 <= reconstruction < table.n_reconstructions:
        raise DataError(f"got reconstruction {reconstruction}; allowed are 0 to {table.n_reconstructions - 1}")
    events, censored = (counts.astype(float) for counts in table.counts(reconstruction))
    leaving = events + censored
    at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    return RiskSets(table.times, events, censored, at_risk)


def needs_both_arms(risk: RiskSets) -> None:
    """Raise `DataError` unless both arms have patients and at some event time both are at risk."""
    for arm in (CONTROL, EXPERIMENTAL):
        risk.last_time(arm)
    if not ((risk.at_risk > 0).all(axis=0) & (risk.events.sum(axis=0) > 0)).any():
        raise DataError("no event happens while both arms are at risk")
