"""Family `mean_tests`: means and standard deviations against the printed p, and against those of all patients."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import (
    TRUNCATED,
    Agreement,
    Range,
    Sides,
    agreement,
    best,
    printed_texts,
    show_p_range,
    show_range,
    sides_in_words,
    sides_of,
    significant,
    verdict_of,
)
from retrial.audit.rows import continuous_or_not
from retrial.dims import ARMS
from retrial.study.fields import MeanSD
from retrial.study.reported import Quantity, Reported
from retrial.study.sections import BaselineVariable
from retrial.study.study import Study

FAMILY = "mean_tests"
_GRID = 9
"""Standard deviations tried within each rounding interval for Welch's test, whose degrees of freedom move with them."""

MISSING = 0.2
"""Largest share of an arm without a value that explains the mean and SD of all patients."""
_PINNED = 0.01
"""Width of a recomputed p-range up to which agreement with the printed p shows which test it is."""


def checks(study: Study) -> Iterator[Check]:
    """For each continuous baseline variable: its p, its totals, and whether a t-test suited it."""
    for name, variable in continuous_or_not(study.baseline, levels=False):
        if variable.control is None or variable.experimental is None or study.baseline is None:
            continue
        label, where = variable.label or name, variable.where or study.baseline.where
        arms = (variable.control, variable.experimental)
        path = f"baseline.variables.{name}"
        sizes = (study.patients(path, ARMS[0]), study.patients(path, ARMS[1]))
        if variable.p is not None:
            yield _tested(label, where, path, arms, sizes, variable.p, positive=variable.positive, sides=sides_of(variable))
        if variable.total is not None:
            yield from _totals(label, where, path, arms, sizes, variable.total)
        if variable.positive:
            yield from _spread(study, label, where, path, variable)


def rounding(number: Reported, *, floor: float = -math.inf) -> Range:
    """The printed number's rounding interval, cut off at `floor`."""
    return Range(max(floor, number.low), max(floor, number.high))


def student_p(means: tuple[Range, Range], sds: tuple[Range, Range], sizes: tuple[int, int]) -> Range:
    """Range of Student's two-sided p over all means and SDs in their rounding intervals.

    t = |m1 - m2| / sqrt(s^2 (1/n1 + 1/n2)), s^2 pooled, df = n1 + n2 - 2: p falls with |m1 - m2| and rises with each SD,
    so its ends are at the corners. Both SDs 0: p is 0, or 1 where the means agree. Sizes are at least 2 each.
    """
    ends = [_t_p(_difference(means)[end], sds[0][1 - end], sds[1][1 - end], sizes, equal=True) for end in (1, 0)]
    return Range(ends[0], ends[1])


def welch_p(means: tuple[Range, Range], sds: tuple[Range, Range], sizes: tuple[int, int]) -> Range:
    """Range of Welch's two-sided p (unequal variances, Satterthwaite's df), the SDs on a grid within their rounding."""
    grids = [np.linspace(sd.low, sd.high, _GRID) for sd in sds]
    pairs = [(first, second) for first in grids[0] for second in grids[1]]
    least, most = _difference(means)
    low = min(_t_p(most, first, second, sizes, equal=False) for first, second in pairs)
    high = max(_t_p(least, first, second, sizes, equal=False) for first, second in pairs)
    return Range(low, high)


def pooled_mean(means: tuple[Range, Range], sizes: tuple[int, int]) -> Range:
    """(n1 m1 + n2 m2) / (n1 + n2) over the rounding of both means."""
    low, high = (sum(n * mean[end] for n, mean in zip(sizes, means, strict=True)) / sum(sizes) for end in (0, 1))
    return Range(low, high)


def pooled_sd(means: tuple[Range, Range], sds: tuple[Range, Range], sizes: tuple[int, int]) -> Range:
    """SD of all patients: sqrt([sum (n_a - 1) s_a^2 + n1 n2 / n (m1 - m2)^2] / (n - 1)), over the rounding of all four."""
    total = sum(sizes)
    ends = [
        math.sqrt(
            (sum((n - 1) * sd[end] ** 2 for n, sd in zip(sizes, sds, strict=True)) + sizes[0] * sizes[1] / total * difference**2)
            / (total - 1)
        )
        for end, difference in enumerate(_difference(means))
    ]
    return Range(ends[0], ends[1])


def _difference(means: tuple[Range, Range]) -> Range:
    """Smallest and largest |m1 - m2|."""
    first, second = means
    least = max(0.0, first.low - second.high, second.low - first.high)
    return Range(least, max(abs(first.high - second.low), abs(second.high - first.low)))


def _t_p(difference: float, sd1: float, sd2: float, sizes: tuple[int, int], *, equal: bool) -> float:
    n1, n2 = sizes
    variances = (sd1**2 / n1, sd2**2 / n2)
    if equal:
        df: float = n1 + n2 - 2
        se = math.sqrt(((n1 - 1) * sd1**2 + (n2 - 1) * sd2**2) / df * (1 / n1 + 1 / n2))
    else:
        se = math.sqrt(sum(variances))
        bottom = variances[0] ** 2 / (n1 - 1) + variances[1] ** 2 / (n2 - 1)
        df = sum(variances) ** 2 / bottom if bottom > 0 else 1.0
    if se == 0:
        return 0.0 if difference > 0 else 1.0
    return float(2 * stats.t.sf(difference / se, df))


def _ranges(arms: tuple[MeanSD, MeanSD]) -> tuple[tuple[Range, Range], tuple[Range, Range]]:
    means = (rounding(arms[0].mean.first), rounding(arms[1].mean.first))
    return means, (rounding(arms[0].sd.first, floor=0.0), rounding(arms[1].sd.first, floor=0.0))


def _tested(
    label: str,
    where: str,
    path: str,
    arms: tuple[MeanSD, MeanSD],
    sizes: tuple[int | None, int | None],
    p: Quantity,
    *,
    positive: bool,
    sides: Sides = 2,
) -> Check:
    claim = f"{label}: {_texts(arms[0])} v {_texts(arms[1])} (control v experimental)"
    if sizes[0] is None or sizes[1] is None or min(sizes[0], sizes[1]) < 2:
        missing = "an arm's size is missing or below 2 (arms.*.n)"
        return Check(FAMILY, claim, where, f"{path}.p", f"p {p}", "", Verdict.NOT_CHECKABLE, note=missing, numbers=0)
    means, sds = _ranges(arms)
    known = (sizes[0], sizes[1])
    ranges = {"Student t": student_p(means, sds, known), "Welch t": welch_p(means, sds, known)}
    halves = {name: Range(low / 2, high / 2) for name, (low, high) in ranges.items()}
    expected, other = (ranges, halves) if sides == 2 else (halves, ranges)
    verdict, reading, note = _judged(_fits(expected, p))
    turned = [name for name, found in _fits(other, p).items() if found is Agreement.ROUNDED]
    if not any(found is Agreement.ROUNDED for found in _fits(expected, p).values()) and turned:
        verdict, reading, note = (
            Verdict.CONSISTENT_ONLY_IF,
            f"{' or '.join(turned)}, {sides_in_words(1 if sides == 2 else 2, sides)}",
            "",
        )
    skewed = positive and any(arm.sd.low > arm.mean.high for arm in arms)
    if skewed and verdict is Verdict.CONSISTENT and max(high - low for low, high in ranges.values()) < _PINNED:
        note = "; ".join(filter(None, (note, "a t-test, though an SD exceeds its mean")))
    return Check(
        family=FAMILY,
        claim=claim,
        where=p.where(where),
        path=f"{path}.p",
        printed=f"p {printed_texts(p)}",
        recomputed="; ".join(f"{name} p {show_p_range(interval)}" for name, interval in ranges.items()),
        verdict=verdict,
        reading=reading,
        note=note,
    )


def _fits(ranges: dict[str, Range], p: Quantity) -> dict[str, Agreement]:
    return {name: best(agreement(print_, *interval) for print_ in p.prints) for name, interval in ranges.items()}


def _judged(fits: dict[str, Agreement]) -> tuple[Verdict, str, str]:
    rounded = [name for name, found in fits.items() if found is Agreement.ROUNDED]
    truncated = [name for name, found in fits.items() if found is Agreement.TRUNCATED]
    if len(rounded) == len(fits):
        return Verdict.CONSISTENT, " or ".join(rounded), ""
    if rounded:
        others = [f"{name} gives it only {found}" for name, found in fits.items() if found is Agreement.TRUNCATED]
        others += [f"{name} cannot give it" for name, found in fits.items() if found is Agreement.NONE]
        return Verdict.CONSISTENT, " or ".join(rounded), "; ".join(others)
    if truncated:
        return Verdict.CONSISTENT_ONLY_IF, f"{' or '.join(truncated)} ({TRUNCATED})", ""
    return (
        Verdict.CONSISTENT_ONLY_IF,
        "another test than t, such as Mann-Whitney (needs the patients)",
        "no t-test: neither Student nor Welch gives this p with any means and SDs that round to the printed ones",
    )


def _totals(
    label: str, where: str, path: str, arms: tuple[MeanSD, MeanSD], sizes: tuple[int | None, int | None], total: MeanSD
) -> Iterator[Check]:
    if sizes[0] is None or sizes[1] is None or sizes[0] + sizes[1] < 2:
        return
    means, sds = _ranges(arms)
    known = (sizes[0], sizes[1])
    implied = {"mean": (total.mean, pooled_mean(means, known)), "sd": (total.sd, pooled_sd(means, sds, known))}
    for name, (printed, interval) in implied.items():
        found = agreement(printed.first, *interval)
        missing = found is Agreement.NONE and _with_missing(total, means, sds, known)
        yield Check(
            family=FAMILY,
            claim=f"{label}: {'SD' if name == 'sd' else name} of all patients {printed}",
            where=printed.where(where),
            path=f"{path}.total.{name}",
            printed=printed_texts(printed),
            recomputed=show_range(interval, printed.first.decimals),
            verdict=Verdict.CONSISTENT_ONLY_IF if missing else verdict_of(found),
            reading=TRUNCATED if found is Agreement.TRUNCATED else missing or "",
            note=""
            if found is not Agreement.NONE or missing
            else "the arms' means and SDs cannot give this, whatever their rounding",
        )


def _with_missing(total: MeanSD, means: tuple[Range, Range], sds: tuple[Range, Range], sizes: tuple[int, int]) -> str:
    """How many values have to be missing in one arm for mean and SD of all patients to be right; empty where more than `MISSING` of it."""
    for count in range(1, math.floor(MISSING * max(sizes)) + 1):
        for arm, size in enumerate(sizes):
            with_value = tuple(size - count * (place == arm) for place, size in enumerate(sizes))
            if count <= MISSING * size and min(with_value) >= 2:
                known = (with_value[0], with_value[1])
                fits = (
                    agreement(total.mean.first, *pooled_mean(means, known)),
                    agreement(total.sd.first, *pooled_sd(means, sds, known)),
                )
                if fits == (Agreement.ROUNDED, Agreement.ROUNDED):
                    return f"{count} of {size} patients of the {ARMS[arm]} arm without a value"
    return ""


def _spread(study: Study, label: str, where: str, path: str, variable: BaselineVariable) -> Iterator[Check]:
    """SD beyond the mean of a quantity that cannot be negative (impossible beyond mean x sqrt(n): one patient has it all)."""
    for arm in ARMS:
        printed: MeanSD | None = getattr(variable, arm)
        n = study.n(arm)
        if printed is None or printed.sd.low <= printed.mean.high:
            continue
        impossible = n is not None and printed.sd.low > printed.mean.high * math.sqrt(n) * (1 + 1e-12)
        below = float(stats.norm.cdf(-printed.mean.value / printed.sd.value))
        yield Check(
            family=FAMILY,
            claim=f"{label}, {arm}: {_texts(printed)}, cannot be negative",
            where=where,
            path=f"{path}.{arm}",
            printed=_texts(printed),
            recomputed=f"normal data would have {100 * below:.0f} % below 0" + _largest(printed, n),
            verdict=Verdict.INCONSISTENT if impossible else Verdict.CONSISTENT_ONLY_IF,
            reading="" if impossible else "strongly skewed data",
            note="an SD above mean x √n is impossible for a quantity that cannot be negative"
            if impossible
            else "SD beyond the mean: a t-test is unfit, and mean ± SD does not describe it",
            consequence=Consequence.NONE,
            numbers=0,
        )


def _largest(printed: MeanSD, n: int | None) -> str:
    """Least maximum of n values >= 0 with this mean and SD: s^2 (n - 1)/n <= (max - m) m (Bhatia and Davis 2000)."""
    if n is None or n < 2:
        return ""
    least = printed.mean.value + printed.sd.value**2 * (n - 1) / (n * printed.mean.value) if printed.mean.value > 0 else 0.0
    return f"; the largest of {n} values is at least {significant(least, 3)}"


def _texts(printed: MeanSD) -> str:
    return f"{printed.mean} ± {printed.sd}"
