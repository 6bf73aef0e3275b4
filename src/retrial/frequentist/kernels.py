"""`Kernels`: what one life table says, by the compiled kernels: for every table of an ensemble."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import chi2

from retrial.dims import ARMS, TOTAL
from retrial.errors import DataError
from retrial.frequentist.kaplan_meier import Curve, log_log_limits
from retrial.frequentist.weibull import WeibullFit, weibull
from retrial.tables.kernel.comparison import log_rank_sums
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading, TestReading
from retrial.tables.printed.statistics import GROUP_ROWS, Table

LOG_RANK, KAPLAN_MEIER, WEIBULL = "log_rank", "kaplan_meier", "weibull_ml"
COX_BRESLOW, COX_EFRON, OBSERVED_EXPECTED = RatioReading.COX_BRESLOW, RatioReading.COX_EFRON, RatioReading.OBSERVED_EXPECTED


class Kernels:
    """Estimates of one table by the compiled kernels of the reconstruction, and by `WeibullFit`.

    lifelines and statsmodels give the same numbers to 1e-6 (tested) in 0.2 s a table; this takes 3 ms.
    Raises `DataError` for a reconstruction that does not exist; the methods raise it where the table does not determine the number.
    """

    said: Mapping[str, str] = {}
    """By model, what an estimate's source says about the software; nothing here."""

    def __init__(self, table: LifeTable, reconstruction: int, level: float) -> None:
        if not 0 <= reconstruction < table.n_reconstructions:
            raise DataError(f"got reconstruction {reconstruction}; allowed are 0 to {table.n_reconstructions - 1}")
        self.level = level
        self.counts = Table(table.times, *table.counts(reconstruction), table.entered.to_numpy())

    def curve(self, arm: str) -> Curve:
        """Kaplan-Meier curve of "control", "experimental" or "total" with log-log limits; `DataError` for an empty arm."""
        row = GROUP_ROWS[arm]
        d, r = self.counts.d[row].astype(float), self.counts.r[row, :-1].astype(float)
        present = r > 0
        if not present.any():
            raise DataError("no patients" if arm == TOTAL else f"no patients in the {arm} arm")
        d, r, survivors = d[present], r[present], (r - d)[present]
        terms = np.full_like(d, np.inf)
        np.divide(d, r * survivors, out=terms, where=survivors > 0)
        survival, greenwood = np.cumprod(survivors / r), np.cumsum(terms)
        return Curve(self.counts.times[present], survival, greenwood, *log_log_limits(survival, greenwood, self.level))

    def log_rank(self) -> tuple[float, float]:
        """Chi-square (1 df) and p of Mantel's log-rank test (1966)."""
        self._needs_variance()
        statistic = self.counts.chi_square(TestReading.LOG_RANK)
        return statistic, float(chi2.sf(statistic, 1))

    def log_hazard_ratio(self, model: str) -> tuple[float, float]:
        """Log hazard ratio (experimental / control) and its SE, by one of `RatioReading`: Cox, one-step Mantel-Haenszel, O/E."""
        if model in (COX_BRESLOW, COX_EFRON):
            self._needs_events(self._together(), " while both arms are at risk")
        else:
            self._needs_variance()
        if model == OBSERVED_EXPECTED:
            self._needs_events(np.full(self.counts.times.size, True), "")
        ratio = self.counts.hazard_ratio(RatioReading(model))
        if not np.isfinite(ratio.log_hazard_ratio):
            raise DataError("the hazard ratio runs to 0 or infinity")
        return ratio.log_hazard_ratio, ratio.se

    def weibull(self) -> WeibullFit:
        """Weibull proportional hazards by maximum likelihood."""
        return weibull(self.counts.times, self.counts.d[:2], -np.diff(self.counts.r[:2]))

    def _together(self) -> np.ndarray:
        """Times (T,) with both arms at risk; `DataError` unless both have patients and somebody then has the event."""
        for arm in ARMS:
            if self.counts.n(arm) == 0:
                raise DataError(f"no patients in the {arm} arm")
        together: np.ndarray = (self.counts.r[:2, :-1] > 0).all(axis=0)
        if not self.counts.d[2, together].any():
            raise DataError("no event happens while both arms are at risk")
        return together

    def _needs_events(self, times: np.ndarray, when: str) -> None:
        """Both arms must have events at the chosen times: the ratio is 0 or infinite otherwise."""
        for arm in ARMS:
            if not self.counts.d[GROUP_ROWS[arm], times].any():
                raise DataError(f"no events in the {arm} arm{when}")

    def _needs_variance(self) -> None:
        self._together()
        *_, variance, _ = log_rank_sums(self.counts.d, self.counts.r, self.counts.inverse)
        if variance <= 0:
            raise DataError("everybody at risk has the event at every event time: the log-rank variance is 0")
