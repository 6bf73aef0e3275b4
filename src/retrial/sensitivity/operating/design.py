"""Studies of a given study's size and follow-up with a known hazard ratio, as life tables.

Control arm: H_c(t) = h log 2 (t / m)^k, m and k by maximum likelihood from the study's own tables, h a factor of the scenario. Experimental arm:
H_e = R H_c, R the true ratio. A patient at risk before grid time t has the event at it with probability 1 - exp(H(t-) - H(t)), and is else
censored with the tables' own share of those who stay (accrual and losses as they were, by arm); whoever is left at an arm's last time is
censored there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retrial.dims import ARM, RECONSTRUCTION, TIME
from retrial.errors import DataError
from retrial.frequentist.weibull import weibull
from retrial.tables.endpoint import EndpointTables
from retrial.tables.life_table import LifeTable


@dataclass(frozen=True, eq=False)
class Design:
    """`times` (time,) months; `n` (arm,) patients; `leaving` (arm, time) chance of being censored at a time for who has no event up to it."""

    times: np.ndarray
    n: np.ndarray
    leaving: np.ndarray
    control_median: float
    shape: float

    def hazards(self, ratio: float, factor: float) -> np.ndarray:
        """Chance of an event at each time for who is at risk, (arm, time)."""
        control = factor * math.log(2) * (self.times / self.control_median) ** self.shape
        cumulative = np.stack([control, ratio * control])
        return np.asarray(-np.expm1(-np.diff(cumulative, axis=1, prepend=0.0)))

    def simulated(self, ratio: float, factor: float, studies: int, rng: np.random.Generator) -> LifeTable:
        """So many independent studies, each a table. Raises `DataError` for a ratio or factor that is not above 0."""
        if not (ratio > 0 and factor > 0):
            raise DataError(f"got the true ratio {ratio} and the factor {factor}; allowed are numbers above 0")
        hazards, size = self.hazards(ratio, factor), self.times.size
        events, censored = (np.zeros((studies, self.n.size, size), np.int64) for _ in range(2))
        for arm, n in enumerate(self.n):
            left = np.full(studies, n)
            for time in range(size):
                events[:, arm, time] = rng.binomial(left, hazards[arm, time])
                left = left - events[:, arm, time]
                censored[:, arm, time] = rng.binomial(left, self.leaving[arm, time])
                left = left - censored[:, arm, time]
        return LifeTable.from_counts(self.times, events, censored)


def design_of(item: EndpointTables) -> Design:
    """The design of an endpoint's tables, means over them by their weights. Raises `DataError` where patients entered late, or where the
    tables do not determine a Weibull curve.
    """
    if item.table.late is not None:
        raise DataError("patients entered late: studies with late entries are not simulated")
    events, censored = (
        np.tensordot(item.weights, counts.transpose(RECONSTRUCTION, ARM, TIME).to_numpy(), axes=1)
        for counts in (item.table.events, item.table.censored)
    )
    times = item.table.times
    leaving = events + censored
    staying = leaving[:, ::-1].cumsum(axis=1)[:, ::-1] - events
    # nobody is left after an arm's last time: whoever is simulated longer is censored there
    chance = np.divide(censored, staying, out=np.ones(staying.shape), where=staying > 1e-9)
    later = times > 0
    fit = weibull(times[later], events[:, later], leaving[:, later])
    n = np.rint(leaving.sum(axis=1)).astype(int)
    return Design(times, n, np.clip(chance, 0.0, 1.0), fit.medians[0], fit.shape)
