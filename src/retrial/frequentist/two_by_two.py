"""Effects and tests of one outcome in two arms: the mathematics behind the rows of `counts`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2_contingency, fisher_exact
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from retrial.errors import DataError
from retrial.frequentist.rows import exp, z_quantile

HALDANE = 0.5
"""Added to each of the four cells where a zero leaves a log ratio without a finite value or SE (Haldane 1956, Anscombe 1956)."""


@dataclass(frozen=True, slots=True)
class TwoByTwo:
    """Patients with the outcome, and all patients, per arm. Raises `DataError` unless 0 <= events <= n and n >= 1."""

    control: int
    n_control: int
    experimental: int
    n_experimental: int

    def __post_init__(self) -> None:
        for arm, events, n in (
            ("control", self.control, self.n_control),
            ("experimental", self.experimental, self.n_experimental),
        ):
            if not 0 <= events <= n or n < 1:
                raise DataError(f"got {events} of {n} patients in the {arm} arm; allowed is 0 to n of n >= 1 (arms.{arm}.n)")

    @property
    def cells(self) -> np.ndarray:
        """[[events, others] of experimental, [events, others] of control]."""
        return np.array(
            [[self.experimental, self.n_experimental - self.experimental], [self.control, self.n_control - self.control]],
            dtype=np.int64,
        )

    @property
    def risk_difference(self) -> float:
        return self.experimental / self.n_experimental - self.control / self.n_control

    @property
    def why_no_comparison(self) -> str:
        """Why no ratio or chi-square exists; empty when one does."""
        events, others = self.cells.sum(axis=0)
        return "no events in either arm" if events == 0 else "everybody in both arms has the event" if others == 0 else ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio with its interval, and the model that made it ("..._haldane" where 0.5 was added to the cells)."""

    point: float
    lower: float
    upper: float
    se_log: float
    model: str


def wilson(events: int, n: int, level: float) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927): the p with |events/n - p| <= z sqrt(p (1 - p) / n)."""
    lower, upper = proportion_confint(events, n, alpha=1 - level, method="wilson")
    return max(0.0, float(lower)) if events else 0.0, min(1.0, float(upper)) if events < n else 1.0


def newcombe(table: TwoByTwo, level: float) -> tuple[float, float]:
    """Hybrid score interval of the risk difference, experimental - control (Newcombe 1998, Stat Med 17:873, method 10).

    With Wilson limits (l, u) of each arm: d - sqrt((p_e - l_e)^2 + (u_c - p_c)^2), d + sqrt((u_e - p_e)^2 + (p_c - l_c)^2).
    """
    lower, upper = confint_proportions_2indep(
        table.experimental,
        table.n_experimental,
        table.control,
        table.n_control,
        method="newcomb",
        compare="diff",
        alpha=1 - level,
    )
    return max(-1.0, float(lower)), min(1.0, float(upper))


def risk_ratio(table: TwoByTwo, level: float) -> Ratio:
    """Risk ratio p_e / p_c with Katz's log interval (Katz et al. 1978): SE^2 = 1/x_e - 1/n_e + 1/x_c - 1/n_c.

    Where an arm has no events, or both arms only events, 0.5 is added to the four cells (model "katz_haldane").
    Raises `DataError` where neither arm has an event: nothing says how large the ratio is.
    """
    if table.why_no_comparison == "no events in either arm":
        raise DataError(table.why_no_comparison)
    (a, b), (c, d) = cells = table.cells.astype(float)
    corrected = min(a, c) == 0 or b + d == 0
    (a, b), (c, d) = cells + HALDANE * corrected
    se = math.sqrt(b / (a * (a + b)) + d / (c * (c + d)))
    return _ratio(math.log(a / (a + b)) - math.log(c / (c + d)), se, level, "katz", corrected)


def odds_ratio(table: TwoByTwo, level: float) -> Ratio:
    """Odds ratio with Woolf's log interval (1955): SE^2 = sum of 1/cell; a zero adds 0.5 to each cell ("woolf_haldane").

    Raises `DataError` where nobody or everybody of both arms has the event.
    """
    if table.why_no_comparison:
        raise DataError(table.why_no_comparison)
    cells = table.cells.astype(float)
    corrected = bool((cells == 0).any())
    (a, b), (c, d) = cells + HALDANE * corrected
    se = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    return _ratio(math.log(a) - math.log(b) - math.log(c) + math.log(d), se, level, "woolf", corrected)


def _ratio(log_ratio: float, se: float, level: float, model: str, corrected: bool) -> Ratio:
    half = z_quantile(level) * se
    name = f"{model}_haldane" if corrected else model
    return Ratio(exp(log_ratio), exp(log_ratio - half), exp(log_ratio + half), se, name)


def pearson_chi_square(table: TwoByTwo) -> tuple[float, float]:
    """Pearson's chi-square without continuity correction, and its p on 1 df; `DataError` where a column of the table is empty."""
    if table.why_no_comparison:
        raise DataError(table.why_no_comparison)
    result = chi2_contingency(table.cells, correction=False)
    return float(result.statistic), float(result.pvalue)


def fisher_exact_p(table: TwoByTwo) -> float:
    """Two-sided exact p: the probability of all tables with the same margins that are at most as probable as this one."""
    return min(1.0, float(fisher_exact(table.cells).pvalue))


@dataclass(frozen=True, slots=True)
class NumberNeeded:
    """One half of a number needed to treat: the point (NaN when it lies in the other half) and the limits within this half."""

    point: float
    lower: float
    upper: float


def number_needed_to_treat(benefit: float, lower: float, upper: float) -> tuple[NumberNeeded | None, NumberNeeded | None]:
    """Numbers needed to treat to benefit and to harm (Altman 1998, BMJ 317:1309), from an absolute benefit and its limits.

    1/benefit jumps from +inf to -inf at 0, so the interval of a benefit from -0.05 to 0.25 is NNTB 4 to infinity to NNTH 20.
    It is given as its two halves, each an ordinary interval of positive numbers: to benefit [1/0.25, inf], to harm [1/0.05, inf].
    A half that the interval does not reach is None; the half that the point estimate is not in has point NaN; at 0 both are
    infinite.
    """
    return _half(benefit, lower, upper), _half(-benefit, -upper, -lower)


NUMBERS_NEEDED = ("number_needed_to_treat_to_benefit", "number_needed_to_treat_to_harm")
"""Quantities of the two halves; `..._limit` is the end of an interval that goes on through infinity."""


def through_infinity(to_benefit: NumberNeeded | None, to_harm: NumberNeeded | None) -> str:
    """An interval of two halves in words; empty where there is one."""
    if to_benefit is None or to_harm is None:
        return ""
    return f"the risk difference's interval holds 0: NNTB {to_benefit.lower:.1f} to infinity to NNTH {to_harm.lower:.1f}"


def _half(benefit: float, lower: float, upper: float) -> NumberNeeded | None:
    if upper <= 0 and not (upper == lower == benefit == 0):
        return None
    point = math.nan if benefit < 0 else _inverse(benefit)
    return NumberNeeded(point, _inverse(upper), _inverse(max(lower, 0.0)))


def _inverse(value: float) -> float:
    return 1 / value if value > 0 else math.inf
