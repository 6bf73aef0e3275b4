"""Ratios with their intervals, and tables of tests, of a study file."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from retrial.dims import ARMS
from retrial.study.fields import ConfidenceInterval, Key, Level, Positive, PValue, Section, Statistic
from retrial.study.problems import Clash, shown
from retrial.study.reported import Quantity

Measure = Literal["hazard_ratio", "odds_ratio", "risk_ratio"]
MEASURES: tuple[Measure, ...] = ("hazard_ratio", "odds_ratio", "risk_ratio")


class Effect(Section):
    """A printed ratio, numerator over denominator, with its interval.

    `numerator: experimental`, `denominator: control` is a treatment effect (the default); other names are a covariate's.
    The printed row label goes to `label`; where the label and the numbers disagree about the direction, `numerator` and
    `denominator` say what the numbers say, and the audit shows why. `good` says whether more of the event is better for the
    patient; where it is left out, `data.direction.is_good` goes by the measure and the names.
    """

    endpoint: str = ""
    label: str = ""
    where: str = ""
    numerator: str = "experimental"
    denominator: str = "control"
    label_direction: Literal["as_printed", "reversed"] = "as_printed"
    adjusted_for: list[str] = Field(default_factory=list)
    good: bool | None = None
    hazard_ratio: Positive | None = None
    odds_ratio: Positive | None = None
    risk_ratio: Positive | None = None
    ci: ConfidenceInterval | None = None
    level: Level = 0.95
    p: PValue | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Effect:
        given = [name for name in MEASURES if getattr(self, name) is not None]
        if len(given) != 1:
            raise Clash(f"got {' and '.join(given) or 'none'} of {', '.join(MEASURES)}; allowed is exactly one", also=MEASURES)
        if self.numerator == self.denominator:
            raise Clash(
                f"got numerator and denominator both {shown(self.numerator)}; allowed are two different names",
                at=("numerator", "denominator"),
            )
        if len({self.numerator, self.denominator} & set(ARMS)) == 1:
            raise Clash(
                f"got {shown(self.numerator)} over {shown(self.denominator)}; allowed are both arms ({' and '.join(ARMS)}),"
                f" or two names that are no arm",
                at=("numerator", "denominator"),
            )
        if self.ci is not None and self.ci.lower.low <= 0:
            raise Clash(f"got a lower limit of {self.ci.lower}; allowed is above 0 for a ratio", at=("ci",))
        if self.ci is not None and not self.ci.may_hold(self.estimate):
            raise Clash(
                f"got {self.ci.lower} to {self.ci.upper}, but the {self.measure} is {self.estimate};"
                f" allowed is an interval around it",
                at=("ci",),
                also=(self.measure,),
            )
        return self

    @property
    def measure(self) -> Measure:
        return next(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def estimate(self) -> Quantity:
        return getattr(self, self.measure)

    @property
    def is_treatment(self) -> bool:
        return {self.numerator, self.denominator} == {"experimental", "control"}


class TestResult(Section):
    """χ² and p of one test, and its degrees of freedom where printed."""

    __test__ = False  # not a test case of pytest
    chi_square: Statistic | None = None
    p: PValue | None = None
    df: int | None = Field(None, ge=1, le=100)


class TestRow(Section):
    """One variable's tests, by endpoint. `treatment: true` marks the comparison of the arms themselves."""

    __test__ = False
    label: str = ""
    groups: int = Field(2, ge=2, le=100)
    treatment: bool = False
    results: dict[Key, TestResult] = Field(min_length=1)


class TestTable(Section):
    """A table of tests, such as the univariable analysis."""

    __test__ = False
    where: str = ""
    rows: dict[Key, TestRow] = Field(min_length=1)
