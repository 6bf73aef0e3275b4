"""Prior of a life table: independent beta-binomial events and censorings, hazards free to vary over time.

Given r at risk: d ~ BetaBin(r, a_d, b_d), c | d ~ BetaBin(r - d, a_c, b_c), independently over times and arms; at the last
grid time everybody who is left leaves. BetaBin(k; n, a, b) = C(n, k) B(k + a, n - k + b) / B(a, b), that is, each time has its
own hazard with a Beta(a, b) prior, integrated out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from retrial.errors import ConfigError
from retrial.reconstruct.compiled import inlined

HALF = 0.5


@dataclass(frozen=True, slots=True)
class TablePrior:
    """Hyper-parameters of the beta-binomial prior.

    event_mean, censoring_mean  mean hazard per grid step; None: the constant hazard that leaves half of the patients at half
    of the grid
                                (events), and the same for censoring
    event_shape, censoring_shape  a of Beta(a, b); 1 is weakly informative: the hazard's SD is about its mean
    """

    event_mean: float | None = None
    event_shape: float = 1.0
    censoring_mean: float | None = None
    censoring_shape: float = 1.0

    def __post_init__(self) -> None:
        problems = [
            f"reconstruction.prior.{name}: got {value}; allowed is above 0 and below 1"
            for name, value in (("event_mean", self.event_mean), ("censoring_mean", self.censoring_mean))
            if value is not None and not 0 < value < 1
        ] + [
            f"reconstruction.prior.{name}: got {value}; allowed is above 0"
            for name, value in (("event_shape", self.event_shape), ("censoring_shape", self.censoring_shape))
            if not value > 0
        ]
        if problems:
            raise ConfigError("cannot use the prior of the life tables", problems)

    def parameters(self, n_times: int) -> tuple[float, float, float, float]:
        """a_d, b_d, a_c, b_c on a grid of `n_times`."""
        default = 1.0 - HALF ** (2.0 / max(n_times, 3))
        event, censoring = self.event_mean or default, self.censoring_mean or default
        return (
            self.event_shape,
            self.event_shape * (1 - event) / event,
            self.censoring_shape,
            self.censoring_shape * (1 - censoring) / censoring,
        )


def prior_factors(prior: TablePrior, n_times: int, n_patients: int) -> np.ndarray:
    """(6, n + 1) factors: log BetaBin(k; m) = F[k] + G[m - k] + N[m], rows F, G, N of events, then of censorings."""
    a_d, b_d, a_c, b_c = prior.parameters(n_times)
    return np.concatenate([_factors(a_d, b_d, n_patients), _factors(a_c, b_c, n_patients)])


def _factors(a: float, b: float, n: int) -> np.ndarray:
    k = np.arange(n + 1.0)
    return np.array(
        [
            gammaln(k + a) - gammaln(k + 1) - gammaln(a),
            gammaln(k + b) - gammaln(k + 1) - gammaln(b),
            gammaln(k + 1) - gammaln(k + a + b) + gammaln(a + b),
        ]
    )


@inlined
def log_prior_at(factors: np.ndarray, d: np.ndarray, r: np.ndarray, arm: int, t: int) -> float:
    """Log prior probability of what happens in one arm at one time; r has a further column of 0 after the last time."""
    at_risk, events = r[arm, t], d[arm, t]
    staying = at_risk - events
    total = factors[0, events] + factors[1, staying] + factors[2, at_risk]
    if t == d.shape[1] - 1:
        return total
    censored = staying - r[arm, t + 1]
    return total + factors[3, censored] + factors[4, staying - censored] + factors[5, staying]
