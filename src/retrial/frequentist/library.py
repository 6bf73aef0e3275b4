"""`Library`: what patients or one life table say, by lifelines, and by statsmodels for Breslow's ties."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter, KaplanMeierFitter, WeibullAFTFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.statistics import logrank_test
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.tools import sm_exceptions

from retrial.dims import ARMS, TOTAL
from retrial.errors import DataError
from retrial.frequentist.kaplan_meier import Curve
from retrial.frequentist.kernels import COX_BRESLOW, COX_EFRON, KAPLAN_MEIER, LOG_RANK, WEIBULL, Kernels
from retrial.frequentist.weibull import WeibullFit
from retrial.tables.life_table import LifeTable

LARGEST = 20_000
"""Patients that the libraries are given: at 20,000 distinct times they take 2 s, at 200,000 half a minute."""
_COX_STEPS = {"precision": 1e-20, "r_precision": 0.0}
"""lifelines stops when half its Newton decrement is below `precision`: 1e-20 puts the coefficient right to 1e-9, its 1e-7 to 3e-4."""
_WEIBULL_STEPS = {"ftol": 1e-15}
"""Tolerance of the log-likelihood: the coefficient is right to 1e-7, with lifelines' 1e-10 to 1e-5."""
_AFT = [("lambda_", "Intercept"), ("lambda_", "experimental"), ("rho_", "Intercept")]


class Library(Kernels):
    """Estimates of one table by lifelines and statsmodels; one-step Mantel-Haenszel and O/E ratio, which they lack, by the kernels.

    The table is given as patients, one row each, so that ties and variances are those of patients and not of weighted rows.
    With late entry the kernels speak where the libraries cannot: lifelines' log-rank test takes no entry, and statsmodels has whoever
    enters at t at risk at t.
    """

    said: Mapping[str, str] = {
        KAPLAN_MEIER: "Kaplan-Meier curve and log(-log) limits by lifelines",
        LOG_RANK: "lifelines",
        COX_EFRON: "lifelines",
        COX_BRESLOW: "statsmodels",
        WEIBULL: "lifelines, converted from accelerated failure time",
    }

    def __init__(self, table: LifeTable, reconstruction: int, level: float) -> None:
        super().__init__(table, reconstruction, level)
        self.patients = pd.DataFrame(table.patients(reconstruction))
        self.entry = "entry" if "entry" in self.patients else None
        if self.entry is not None:
            self.said = {model: words for model, words in self.said.items() if model not in (LOG_RANK, COX_BRESLOW)}

    def curve(self, arm: str) -> Curve:
        """As `Kernels.curve`: S and its limits by `KaplanMeierFitter`, Greenwood's sum from the counts."""
        counted = super().curve(arm)
        mine = self.patients if arm == TOTAL else self.patients[self.patients["experimental"] == ARMS.index(arm)]
        with np.errstate():  # lifelines changes numpy's settings for good
            fitted = KaplanMeierFitter(alpha=1 - self.level).fit(mine["time"], mine["event"], entry=mine.get("entry"))
        survival = fitted.survival_function_at_times(counted.times).to_numpy()
        limits = fitted.confidence_interval_.reindex(counted.times, method="ffill").to_numpy().T
        lower, upper = np.where((survival > 0) & (survival < 1), limits, np.nan)
        return dataclasses.replace(counted, survival=survival, lower=lower, upper=upper)

    def log_rank(self) -> tuple[float, float]:
        """Chi-square and p by `logrank_test`; with late entry by the kernels."""
        if self.entry is not None:
            return super().log_rank()
        self._needs_variance()
        control, experimental = (self.patients[self.patients["experimental"] == arm] for arm in range(len(ARMS)))
        test = logrank_test(control["time"], experimental["time"], control["event"], experimental["event"])
        return float(test.test_statistic), float(test.p_value)

    def log_hazard_ratio(self, model: str) -> tuple[float, float]:
        """Efron's ties by `CoxPHFitter`, Breslow's, which it lacks, by `PHReg`; other models by the kernels."""
        counted = super().log_hazard_ratio(model)
        if model == COX_EFRON:
            with _converging():
                efron = CoxPHFitter().fit(self.patients, "time", "event", entry_col=self.entry, fit_options=_COX_STEPS)
            return float(efron.params_["experimental"]), float(efron.standard_errors_["experimental"])
        if model == COX_BRESLOW and self.entry is None:
            arm = self.patients[["experimental"]].astype(float)
            with _converging():
                breslow = PHReg(self.patients["time"], arm, status=self.patients["event"], ties="breslow").fit()
            return float(breslow.params[0]), float(breslow.bse[0])
        return counted

    def weibull(self) -> WeibullFit:
        """By `WeibullAFTFitter`; patients censored at 0, who say nothing, are left out, because lifelines refuses them."""
        super().weibull()  # says why where there is no maximum
        patients = self.patients[self.patients["time"] > 0]
        with _converging():
            fitted = WeibullAFTFitter().fit(patients, "time", "event", entry_col=self.entry, fit_options=_WEIBULL_STEPS)
        return WeibullFit.from_accelerated(fitted.params_[_AFT].to_numpy(), fitted.variance_matrix_.loc[_AFT, _AFT].to_numpy())


def cox_with_covariates(
    time: np.ndarray, event: np.ndarray, entry: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard ratios (column,) of the columns (patient, column), with Efron's ties, and their covariance (column, column), by `CoxPHFitter`.

    Patients who are censored at time 0 say nothing and are left out. Raises `DataError` where the partial likelihood has no maximum.
    """
    frame = pd.DataFrame(columns, columns=[f"x{place}" for place in range(columns.shape[1])])
    frame = frame.assign(time=time, event=event, entry=entry)[time > 0]
    late = bool((frame["entry"] > 0).any())
    frame = frame if late else frame.drop(columns="entry")
    with _converging(), np.errstate():
        fitted = CoxPHFitter().fit(frame, "time", "event", entry_col="entry" if late else None, fit_options=_COX_STEPS)
    return fitted.params_.to_numpy(), fitted.variance_matrix_.to_numpy()


@contextmanager
def _converging() -> Iterator[None]:
    """Turn what the libraries warn of or raise, where they do not reach the maximum, into a `DataError`."""
    with warnings.catch_warnings():
        for category in (ConvergenceWarning, sm_exceptions.ConvergenceWarning):
            warnings.simplefilter("error", category)
        try:
            yield
        except (ConvergenceError, ConvergenceWarning, sm_exceptions.ConvergenceWarning) as error:
            said = str(error).strip().splitlines()[0].split(" Please see")[0].rstrip(".")
            raise DataError(f"the regression did not converge: {said}") from error


def voice(table: LifeTable, reconstruction: int, level: float) -> Kernels:
    """The libraries on a table of up to `LARGEST` patients; the kernels, whose numbers are the same, on a larger one."""
    kernels = Kernels(table, reconstruction, level)
    return Library(table, reconstruction, level) if kernels.counts.n(TOTAL) <= LARGEST else kernels
