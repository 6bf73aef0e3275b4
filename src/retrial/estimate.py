"""`Estimate`: published, frequentist and Bayesian numbers as rows of one long table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from retrial.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

Method = Literal["published", "frequentist", "bayes"]
IntervalKind = Literal["confidence", "credible_equal_tailed", "credible_highest_density", "none"]
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Estimate:
    """One number with its interval.

    endpoint        key of the endpoint or outcome in the study file ("os", "ORR", "adverse_events.diarrhea.any")
    quantity        what it is ("hazard_ratio", "log_hazard_ratio", "risk_difference", "p_hazard_ratio_below_1", ...)
    contrast        which comparison or group ("experimental / control", "control", "BCLC B / BCLC C, adjusted")
    method          published, frequentist or bayes
    model           test ("cox_efron", "fisher", ...) or model, as the configuration names it; empty when published
    prior           name of the prior set; empty unless bayes
    point           the number; for bayes the posterior median (a probability: itself)
    lower, upper    interval limits at `level`; NaN where there is no interval
    sd              posterior SD or standard error; NaN where there is none
    level           probability content of the interval; NaN where there is none
    interval_kind   confidence, credible_equal_tailed, credible_highest_density, none
    unit            "ratio", "log ratio", "probability", "months", "percent points", ...
    source          table and row, data set, or what the number was computed from
    status          "ok", or why the number must not be used ("failed: rhat 1.2 > 1.01")
    note            what to know before reading the number ("no event in the control arm: the result leans on the prior"); mostly empty
    """

    endpoint: str
    quantity: str
    contrast: str
    method: Method
    point: float
    lower: float = NAN
    upper: float = NAN
    sd: float = NAN
    level: float = NAN
    interval_kind: IntervalKind = "none"
    model: str = ""
    prior: str = ""
    unit: str = ""
    source: str = ""
    status: str = "ok"
    note: str = ""

    def __post_init__(self) -> None:
        if self.lower > self.upper:
            raise DataError(f"an estimate of {self.quantity} has limits {self.lower} > {self.upper}")

    @property
    def failed(self) -> bool:
        return self.status != "ok"


COLUMNS: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Estimate))


def to_frame(rows: Iterable[Estimate]) -> pd.DataFrame:
    """Long table with the fields of `Estimate` as columns, in their order."""
    import pandas as pd

    return pd.DataFrame([dataclasses.astuple(row) for row in rows], columns=list(COLUMNS))
