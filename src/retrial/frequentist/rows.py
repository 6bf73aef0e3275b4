"""`RowMaker`: `Estimate` rows of one endpoint that share their source and confidence level."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

from scipy.stats import norm

from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.errors import DataError
from retrial.estimate import NAN, Estimate, Statistic

RATIO = f"{EXPERIMENTAL} / {CONTROL}"
DIFFERENCE = f"{EXPERIMENTAL} - {CONTROL}"
CONFIDENCE_LEVEL = 0.95
"""Every interval is at 95 % unless the caller says otherwise (DESIGN, rule 10)."""
TYPICAL = "one typical table"
"""Variant of rows that are those of one table of an ensemble, by lifelines and statsmodels."""
NO_INTERVAL = (NAN, NAN)
_LARGEST_EXPONENT = 709.0
"""e^709 is the last power of e below the largest double."""


@functools.cache
def z_quantile(level: float) -> float:
    """Standard normal quantile of a two-sided interval with content `level`, 1.96 for 0.95; `DataError` outside (0, 1)."""
    if not 0 < level < 1:
        raise DataError(f"got the confidence level {level}; allowed is a number between 0 and 1, such as 0.95")
    return float(norm.ppf((1 + level) / 2))


def wald_p(estimate: float, se: float) -> float:
    """Two-sided p of z = estimate / se."""
    return float(2 * norm.sf(abs(estimate) / se))


@dataclass(frozen=True, slots=True)
class RowMaker:
    """Makes the frequentist rows of one endpoint; `adjusted_for` names the covariates of a ratio."""

    endpoint: str
    source: str = ""
    level: float = CONFIDENCE_LEVEL
    adjusted_for: str = ""

    def row(
        self,
        quantity: str,
        contrast: str,
        model: str,
        point: float,
        interval: tuple[float, float] = NO_INTERVAL,
        sd: float = NAN,
        unit: str = "",
        note: str = "",
        time: float = NAN,
        statistic: Statistic = "value",
    ) -> Estimate:
        """One number; `note` is appended to the source. A row has an interval when both limits are numbers."""
        lower, upper = (float(limit) for limit in interval)
        has_interval = lower == lower and upper == upper
        return Estimate(
            endpoint=self.endpoint,
            quantity=quantity,
            time=time,
            contrast=contrast,
            adjusted_for=self.adjusted_for,
            statistic=statistic,
            method="frequentist",
            point=float(point),
            lower=lower if has_interval else NAN,
            upper=upper if has_interval else NAN,
            sd=float(sd),
            level=self.level if has_interval else NAN,
            interval_kind="confidence" if has_interval else "none",
            model=model,
            unit=unit,
            source="; ".join(part for part in (self.source, note) if part),
        )

    def failed(self, quantity: str, contrast: str, model: str, why: str, unit: str = "", time: float = NAN) -> Estimate:
        """A row that says why there is no number."""
        return Estimate(
            endpoint=self.endpoint,
            quantity=quantity,
            time=time,
            contrast=contrast,
            adjusted_for=self.adjusted_for,
            method="frequentist",
            point=NAN,
            model=model,
            unit=unit,
            source=self.source,
            status=f"failed: {why}",
        )

    def log_ratio_rows(self, measure: str, contrast: str, model: str, estimate: float, se: float) -> list[Estimate]:
        """A ratio exp(b) with limits exp(b -+ z SE), its logarithm b with its SE, and Wald's p."""
        half = z_quantile(self.level) * se
        return [
            self.row(measure, contrast, model, exp(estimate), (exp(estimate - half), exp(estimate + half)), unit="ratio"),
            self.row(f"log_{measure}", contrast, model, estimate, (estimate - half, estimate + half), sd=se, unit="log ratio"),
            self.row("p_value", contrast, model, wald_p(estimate, se), unit="p-value"),
        ]

    def log_ratio_rows_or_failed(
        self, measure: str, contrast: str, model: str, fit: Callable[[], tuple[float, float]]
    ) -> list[Estimate]:
        """Rows of `fit()` = (log ratio, SE), or failed rows with the `DataError` that it raises."""
        try:
            estimate, se = fit()
        except DataError as error:
            kinds = ((measure, "ratio"), (f"log_{measure}", "log ratio"), ("p_value", "p-value"))
            return [self.failed(quantity, contrast, model, error.title, unit) for quantity, unit in kinds]
        return self.log_ratio_rows(measure, contrast, model, estimate, se)


def exp(value: float) -> float:
    """e^value, infinite where a float overflows: the upper limit of an interval on a nearly empty table."""
    return math.exp(value) if value < _LARGEST_EXPONENT else math.inf
