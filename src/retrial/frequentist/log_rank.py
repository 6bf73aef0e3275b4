"""Log-rank test, and the hazard ratios made of its observed and expected events."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from retrial.errors import DataError
from retrial.frequentist.risk_sets import RiskSets, needs_both_arms


@dataclass(frozen=True, slots=True)
class LogRank:
    """Observed and expected events (control, experimental), and the hypergeometric variance V of O - E."""

    observed: tuple[float, float]
    expected: tuple[float, float]
    variance: float

    @property
    def excess(self) -> float:
        """O - E of the experimental arm."""
        return self.observed[1] - self.expected[1]

    @property
    def chi_square(self) -> float:
        return self.excess**2 / self.variance

    @property
    def p(self) -> float:
        return float(chi2.sf(self.chi_square, 1))


def log_rank(risk: RiskSets) -> LogRank:
    """Mantel's log-rank test (1966): at each event time E_a = D r_a / R and V = D (R - D) r_c r_e / (R^2 (R - 1)), summed.

    Raises `DataError` where no event happens while both arms are at risk.
    """
    needs_both_arms(risk)
    events, at_risk = risk.events, risk.at_risk
    d, r = events.sum(axis=0), at_risk.sum(axis=0)
    used = d > 0
    d, r, arms = d[used], r[used], at_risk[:, used]
    expected = (d * arms / r).sum(axis=1)
    others = np.maximum(r - 1, 1)  # one patient at risk has no variance: R - D is 0 there
    variance = float(np.sum(d * (r - d) / others * (arms[0] / r) * (arms[1] / r)))
    observed = events.sum(axis=1)
    if variance <= 0:
        raise DataError("everybody at risk has the event at every event time: the log-rank variance is 0")
    return LogRank((float(observed[0]), float(observed[1])), (float(expected[0]), float(expected[1])), variance)


def mantel_haenszel(risk: RiskSets) -> tuple[float, float]:
    """One-step (Peto) log hazard ratio (O - E) / V of experimental over control, and its SE 1 / sqrt(V) (Yusuf et al. 1985)."""
    test = log_rank(risk)
    return test.excess / test.variance, 1 / math.sqrt(test.variance)


def observed_expected(risk: RiskSets) -> tuple[float, float]:
    """Log of (O_e / E_e) / (O_c / E_c), and its SE sqrt(1/E_e + 1/E_c) (Berry, Kitchin and Mock 1991).

    Raises `DataError` where an arm has no events: the ratio is 0 or infinite.
    """
    test = log_rank(risk)
    for arm, observed in zip(("control", "experimental"), test.observed, strict=True):
        if observed == 0:
            raise DataError(f"no events in the {arm} arm")
    (o_c, o_e), (e_c, e_e) = test.observed, test.expected
    return math.log(o_e) - math.log(e_e) - math.log(o_c) + math.log(e_c), math.sqrt(1 / e_e + 1 / e_c)
