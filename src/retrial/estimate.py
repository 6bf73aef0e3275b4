"""`Estimate`: published, frequentist and Bayesian numbers as rows of one long table."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from retrial.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["published", "frequentist", "bayes"]
IntervalKind = Literal["confidence", "credible_equal_tailed", "credible_highest_density", "none"]
Statistic = Literal["value", "probability", "range", "far_limit"]
Event = Literal["", "below", "above", "between"]
NAN = float("nan")
Subject = tuple[str, str, float | None, str, str]
"""Endpoint, quantity, time (None without one), contrast, covariates: what a number is of."""


FROM_PERCENT = "from percent"
"""What was done to a printed percentage that is a proportion here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """One number with its interval: the columns of estimates.csv, in their order.

    endpoint        key of the endpoint or outcome in the study file ("os", "ORR", "adverse_events.diarrhea.any")
    quantity        what it is, by the field's name: hazard_ratio, log_hazard_ratio, average_hazard_ratio, median_survival, survival, rmst,
                    rmst_difference, survival_difference, odds_ratio, risk_difference, number_needed_to_treat_to_benefit, p_value, chi_square, ...
    time            months at which, or (rmst, average_hazard_ratio) up to which; NaN where the quantity has none
    contrast        which comparison or group ("experimental / control", "control", "BCLC B / BCLC C")
    adjusted_for    covariates that a ratio is adjusted for, by a comma; empty: unadjusted
    statistic       value (point with its interval), probability (of `event`), range (point: median over the life tables; lower, upper: smallest
                    and largest over them, no interval), far_limit (end of an interval that goes through infinity)
    event           of a probability: the quantity is below or above `threshold`, or between both thresholds; else empty
    threshold, threshold_upper   on the quantity's scale; NaN where there is none
    method          published, frequentist or bayes
    model           test ("cox_efron", "fisher_exact", ...) or model, as the configuration names it; empty when published
    prior           name of the prior set; of a prognostic factor in a joint model its own prior ("factors independent"); empty unless bayes
    variant         how the analysis differs from the main one of its model and prior ("pooling scale x 0.5", "one typical table",
                    "all patients, those not evaluable without the event"), else empty
    point           the number; for bayes the posterior median (a probability: itself)
    lower, upper    interval limits at `level`; NaN where there is no interval
    sd              posterior SD or standard error; NaN where there is none
    level           probability content of the interval; NaN where there is none
    interval_kind   confidence, credible_equal_tailed, credible_highest_density, none
    unit            "ratio", "log ratio", "probability", "p-value", "months", "patients", ...
    draws           posterior draws behind the row; 0: closed form, quadrature or no posterior, without Monte Carlo error
    mcse_point, mcse_lower, mcse_upper   Monte Carlo standard errors of point and limits (`answers.monte_carlo`); NaN without draws
    printed         a published row's text as printed, "0.470 (0.252 to 0.879)", "<0.001"; else empty
    converted       what was done to the printed numbers ("inverted", "from percent", "from weeks"); empty: they are as printed
    path            key path of a published row in the study file ("effects.os_unadjusted"); else empty
    source          table and row, data set, or what the number was computed from
    status          "ok", or why the number must not be used ("failed: rhat 1.2 > 1.01")
    note            what to know before reading the number ("no event in the control arm: the result leans on the prior"); mostly empty

    Raises `DataError` where fields contradict each other.
    """

    endpoint: str
    quantity: str
    time: float = NAN
    contrast: str
    adjusted_for: str = ""
    statistic: Statistic = "value"
    event: Event = ""
    threshold: float = NAN
    threshold_upper: float = NAN
    method: Method
    model: str = ""
    prior: str = ""
    variant: str = ""
    point: float
    lower: float = NAN
    upper: float = NAN
    sd: float = NAN
    level: float = NAN
    interval_kind: IntervalKind = "none"
    unit: str = ""
    draws: int = 0
    mcse_point: float = NAN
    mcse_lower: float = NAN
    mcse_upper: float = NAN
    printed: str = ""
    converted: str = ""
    path: str = ""
    source: str = ""
    status: str = "ok"
    note: str = ""

    def __post_init__(self) -> None:
        if problems := [text for text, wrong in _contradictions(self) if wrong]:
            raise DataError(f"an estimate of {self.quantity} contradicts itself", problems)

    @property
    def failed(self) -> bool:
        return self.status != "ok"

    @property
    def subject(self) -> Subject:
        return self.endpoint, self.quantity, none_if_nan(self.time), self.contrast, self.adjusted_for

    @property
    def asks(self) -> tuple[Statistic, Event, float | None, float | None]:
        """What is asked of the subject, the same for a value and its range over the tables."""
        statistic: Statistic = "value" if self.statistic == "range" else self.statistic
        return statistic, self.event, none_if_nan(self.threshold), none_if_nan(self.threshold_upper)


def none_if_nan(value: float) -> float | None:
    """None for NaN, which equals nothing and so cannot be part of a key."""
    return None if math.isnan(value) else value


def _contradictions(row: Estimate) -> list[tuple[str, bool]]:
    """Everything that can be wrong with a row, and whether it is."""
    between, upper = row.event == "between", row.threshold_upper
    errors = (row.mcse_point, row.mcse_lower, row.mcse_upper)
    return [
        (f"limits {row.lower} > {row.upper}", row.lower > row.upper),
        *(
            (f"{name}: got {getattr(row, name)!r}; allowed are {allowed}", getattr(row, name) not in allowed)
            for name, allowed in _ALLOWED
        ),
        (f"time: got {row.time}; allowed is a number of months from 0", row.time < 0),
        (f"event: got {row.event!r} with the statistic {row.statistic}", (row.statistic == "probability") != (row.event != "")),
        (f"threshold: got {row.threshold} with the event {row.event!r}", math.isnan(row.threshold) != (row.event == "")),
        (
            f"threshold_upper: got {upper} with the event {row.event!r}",
            not upper > row.threshold if between else not math.isnan(upper),
        ),
        (
            f"point: got the probability {row.point}",
            row.statistic == "probability" and not (math.isnan(row.point) or 0 <= row.point <= 1),
        ),
        (f"interval_kind: got {row.interval_kind} without a level", row.interval_kind != "none" and math.isnan(row.level)),
        (
            f"interval_kind: got {row.interval_kind} of a {row.statistic}",
            row.statistic != "value" and row.interval_kind != "none",
        ),
        (
            "prior or draws of a row that is not bayes",
            row.method != "bayes" and bool(row.prior or row.draws),
        ),
        (
            "printed, converted or path of a row that is not published",
            row.method != "published" and bool(row.printed or row.converted or row.path),
        ),
        ("a Monte Carlo error without draws", row.draws <= 0 and any(error == error for error in errors)),
    ]


_ALLOWED = tuple(
    (name, get_args(kind))
    for name, kind in (("method", Method), ("interval_kind", IntervalKind), ("statistic", Statistic), ("event", Event))
)
COLUMNS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Estimate))


def to_frame(rows: Iterable[Estimate]) -> pd.DataFrame:
    """Long table with the fields of `Estimate` as columns, in their order."""
    import pandas as pd

    return pd.DataFrame([dataclasses.astuple(row) for row in rows], columns=list(COLUMNS))
