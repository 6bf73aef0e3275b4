"""Files of patients: what must be known of them, and the audit family "patients", the file beside the numbers printed of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.dims import ARMS, MONTHS_PER_UNIT, TOTAL
from retrial.errors import DataError
from retrial.study.reported import Quantity
from retrial.study.sections import Effect, Endpoint, Median
from retrial.study.study import Study
from retrial.tables.kernel.comparison import log_rank_sums
from retrial.tables.life_table import LifeTable
from retrial.tables.patients import Patients
from retrial.tables.printed.readings import MedianReading, RatioReading, TestReading
from retrial.tables.printed.statistics import GROUP_ROWS, Interval, Ratio, Table
from retrial.tables.printed.targets import RELATIVE_TOLERANCE

FAMILY = "patients"
_SMALLEST_UNIT = 1e-5
"""Smallest step of the times, relative to the longest, that is taken for the unit in which they were recorded."""
_FEW = 10
"""Patients at risk below whom a curve's early steps are said to rest on few."""
_EDGE = 1e-9
"""Room for rounding at the edge of a printed number, relative to it."""


def first_event_time(patients: Patients, path: str, unit: float | None = None) -> float:
    """Months at which an event recorded at time 0 is taken: the middle of the first unit, but before every other time.

    `unit` (months) is the smallest step between the times where it is None. Raises `DataError` where events stand at 0 among times
    without a unit.
    """
    table = patients.table
    half = patients.step / 2 if unit is None else min(unit, *table.times[table.times > 0][:1]) / 2
    if table.times[0] == 0 and table.events.to_numpy()[..., 0].any() and not half >= _SMALLEST_UNIT * table.times[-1]:
        raise DataError(
            f"{path}.patients: got events at time 0 among times that have no common unit",
            [
                f"write {path}.recording_unit, in time_unit: they are taken at the middle of the first unit; or times above 0 in the file"
            ],
        )
    return half


def patients_in_words(table: LifeTable, at_zero: float, recorded: str) -> list[str]:
    """Sentences about time 0 and late entry; `table` as the file has it, `at_zero` where its events at 0 are taken (months)."""
    return [*_time_zero(table, at_zero, recorded), *_late_entry(table)]


def _time_zero(table: LifeTable, at_zero: float, recorded: str) -> Iterator[str]:
    if table.times[0] > 0:
        return
    events, censored = (int(counts.to_numpy()[..., 0].sum()) for counts in (table.events, table.censored))
    if events and recorded != "exact":
        end = at_zero / 2 if recorded == "nearest" else at_zero
        yield f"{_count(events, 'event')} recorded at time 0: taken within the first unit, up to {end:.3g} months."
    elif events:
        yield (
            f"{_count(events, 'event')} recorded at time 0: taken at {at_zero:.3g} months, the middle of the first unit (recording_unit,"
            " else the smallest step between the file's times); recorded: ceiling or floor takes them anywhere within it."
        )
    if censored:
        yield f"{_count(censored, 'patient')} censored at time 0: counted, but without any follow-up."


def _late_entry(table: LifeTable) -> Iterator[str]:
    late = table.late
    if late is None:
        return
    yield (
        f"Late entry: {int(late.count.sum())} of {int(table.n.sum())} patients came under observation after time 0 and are at risk"
        " from then on; curves, tests and models are conditional on being free of the event until entry."
    )
    events, at_risk = table.events.to_numpy()[0], table.at_risk.to_numpy()[0]
    for index, arm in enumerate(ARMS):
        yield from _early(arm, table.times, events[index], at_risk[index])


def _early(arm: str, times: np.ndarray, events: np.ndarray, at_risk: np.ndarray) -> Iterator[str]:
    """Where the curve of an arm begins late, rests on few, or ends at 0 while others are still to come."""
    present = np.flatnonzero(at_risk > 0)
    if present.size and present[0] > 0 and times[present[0] - 1] > 0:
        first = times[present[0] - 1]
        yield f"Nobody in the {arm} arm is observed before {first:.3g} months: its curve is that of patients who live until then."
    gaps = np.flatnonzero(at_risk[: present[-1]] == 0) if present.size else present
    if (gaps > present[0]).any() if present.size else False:
        yield f"At times nobody in the {arm} arm is under observation; its curve is flat there."
    with_events = np.flatnonzero(events > 0)
    if not with_events.size:
        return
    first, largest = with_events[0], int(at_risk.max())
    emptied = with_events[(events[with_events] == at_risk[with_events]) & (with_events < present[-1])]
    if emptied.size:
        at = emptied[0]
        yield (
            f"The Kaplan-Meier curve of the {arm} arm falls to 0 at {times[at]:.3g} months, where all {int(at_risk[at])} then at risk had"
            f" the event, though others are observed later (up to {largest} at risk): it cannot be read beyond."
        )
    elif at_risk[first] < min(_FEW, largest):
        yield (
            f"At the first event of the {arm} arm, {times[first]:.3g} months, {int(at_risk[first])} patients are at risk (later up to"
            f" {largest}): its curve rests on few there."
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


@dataclass(frozen=True, eq=False)
class _Beside:
    """One endpoint's print and file; times of `table` are in the study's unit."""

    study: Study
    key: str
    table: Table

    @property
    def endpoint(self) -> Endpoint:
        return self.study.endpoints[self.key]

    @property
    def label(self) -> str:
        return self.endpoint.label or self.key

    def check(
        self,
        path: str,
        what: str,
        printed: Sequence[Quantity],
        found: Sequence[float],
        agrees: bool,
        where: str = "",
        reading: str = "",
    ) -> Check:
        """A row: the numbers printed, and those of the file."""
        shown = ", ".join(_shown(value, item) for value, item in zip(found, printed, strict=True))
        texts = ", ".join(item.text for item in printed)
        return Check(
            family=FAMILY,
            claim=f"{self.label}: {what} {texts}",
            where=printed[0].where(where or self.endpoint.where),
            path=path,
            printed=texts,
            recomputed=f"{shown} in the file of patients",
            verdict=Verdict.CONSISTENT if agrees else Verdict.INCONSISTENT,
            reading=reading if agrees else "",
            note="" if agrees else f"printed {texts}, in the file {shown}; the survival models use the file",
            consequence=Consequence.NONE,
            numbers=len(printed),
        )


def _shown(value: float, printed: Quantity) -> str:
    """A number of the file with a digit more than the print; "not reached" where it is infinite."""
    if math.isnan(value):
        return "not defined"
    if math.isinf(value):
        return "not reached"
    return f"{value:.0f}" if value == round(value) and printed.first.decimals == 0 else f"{value:.{printed.first.decimals + 1}f}"


def _meets(value: float, printed: Quantity, tolerance: float = 0.0) -> bool:
    """Whether the value lies in the rounding of one of the prints, or as near to it as `tolerance`, relative."""
    for one in printed.prints:
        size = abs(one.value) if math.isfinite(one.value) else 0.0
        room = max(tolerance if not one.relation else 0.0, _EDGE) * max(size, _EDGE)
        if one.low - room <= value <= one.high + room:
            return True
    return False


def beside_print(study: Study, key: str, table: LifeTable) -> list[Check]:
    """Agreement of the file with each number that is printed of its endpoint: patients, events, times, medians, numbers at risk,
    unadjusted hazard ratios between the arms, and p. Medians and ratios by every rule that programs use; the first that meets is named.
    """
    times = table.times / MONTHS_PER_UNIT[study.time_unit]
    item = _Beside(study, key, Table(times, *table.counts(), table.entered.to_numpy()))
    parts = (_sizes, _events, _extremes, _medians, _at_risk, _ratios, _tests)
    return [check for part in parts for check in part(item)]


def _sizes(item: _Beside) -> Iterator[Check]:
    for arm in (*ARMS, TOTAL):
        section = item.study.total if arm == TOTAL else item.study.arm(arm)
        n = None if section is None else section.n
        if n is not None:
            size = item.table.n(arm)
            path = "total.n" if arm == TOTAL else f"arms.{arm}.n"
            yield item.check(path, f"patients, {arm}", [n], [size], _meets(size, n))


def _events(item: _Beside) -> Iterator[Check]:
    events = item.endpoint.events
    for arm in (*ARMS, TOTAL):
        cell = getattr(events, arm)
        if cell is not None:
            count, path = item.table.events(arm), f"endpoints.{item.key}.events.{arm}"
            yield item.check(path, f"events, {arm}", [cell.n], [count], _meets(count, cell.n), events.where)


def _extremes(item: _Beside) -> Iterator[Check]:
    """Of all patients, or of the arms where they are printed apart."""
    for name, place in (("shortest", 0), ("longest", -1)):
        given = getattr(item.endpoint, name)
        for arm in (*ARMS, TOTAL):
            printed = given if arm == TOTAL and isinstance(given, Quantity) else getattr(given, arm, None)
            present = item.table.times[item.table.leaving[GROUP_ROWS[arm]] > 0]
            if isinstance(printed, Quantity) and present.size:
                value = float(present[place])
                path = f"endpoints.{item.key}.{name}" + ("" if printed is given else f".{arm}")
                yield item.check(path, f"{name} time, {arm}", [printed], [value], _meets(value, printed))


def _medians(item: _Beside) -> Iterator[Check]:
    for arm in (*ARMS, TOTAL):
        median: Median | None = getattr(item.endpoint.median, arm)
        if median is None:
            continue
        path, where = f"endpoints.{item.key}.median.{arm}", median.where or item.endpoint.where
        first, last = _half(item.table, arm)
        agrees = any(_meets(value, median.value) for value in (first, last, (first + last) / 2))
        yield item.check(f"{path}.value", f"median, {arm}", [median.value], [first], agrees, where)
        if median.ci is not None:
            limits = [median.ci.lower, median.ci.upper]
            rules = {rule: item.table.median(arm, rule, median.level) for rule in MedianReading}
            yield _by_rule(item, f"{path}.ci", f"limits of the median, {arm}", limits, rules, _limits, where)


def _half(table: Table, arm: str) -> tuple[float, float]:
    """First time with S at most 1/2, and first with S below it: programs print either, or their middle."""
    survival = table.survival(arm)
    first, below = (np.flatnonzero(survival <= level) for level in (0.5 + _EDGE, 0.5 - _EDGE))
    value = float(table.times[first[0]]) if first.size else math.inf
    return value, float(table.times[below[0]]) if below.size else value


def _limits(found: Interval | Ratio) -> list[float]:
    return [found.lower, found.upper]


def _by_rule[T](
    item: _Beside,
    path: str,
    what: str,
    printed: Sequence[Quantity],
    rules: Mapping[T, object],
    numbers: Callable[..., list[float]],
    where: str,
    tolerance: float = 0.0,
) -> Check:
    """A row for numbers that programs compute by several rules: those of the first rule that meets the print, else of the first."""
    values = {rule: numbers(found) for rule, found in rules.items()}
    met = [
        rule
        for rule, some in values.items()
        if all(_meets(value, one, tolerance) for value, one in zip(some, printed, strict=True))
    ]
    chosen = met[0] if met else next(iter(values))
    return item.check(path, what, printed, values[chosen], bool(met), where, str(chosen))


def _at_risk(item: _Beside) -> Iterator[Check]:
    table = item.endpoint.at_risk
    if table is None:
        return
    for arm in ARMS:
        counts = getattr(table, arm) or []
        found = [item.table.at_risk(arm, time.value) for time in table.times]
        wrong = [i for i, (count, value) in enumerate(zip(counts, found, strict=False)) if not _meets(value, count)]
        if counts:
            path = f"endpoints.{item.key}.at_risk.{arm}"
            yield item.check(path, f"numbers at risk, {arm}", counts, found[: len(counts)], not wrong, table.where)


def _ratios(item: _Beside) -> Iterator[Check]:
    """Ratios that the file can give: unadjusted, of the arms."""
    for name, effect in item.study.effects.items():
        if effect.endpoint == item.key and effect.is_treatment and not effect.adjusted_for and effect.measure == "hazard_ratio":
            yield from _ratio(item, name, effect, effect.estimate)


def _ratio(item: _Beside, name: str, effect: Effect, ratio: Quantity) -> Iterator[Check]:
    if not _comparable(item.table):
        return
    found = {reading: item.table.hazard_ratio(reading, effect.interval_level) for reading in RatioReading}
    interval = effect.interval
    printed = [ratio, *([] if interval is None else [interval.lower, interval.upper])]
    turned = effect.numerator != "experimental"

    def numbers(one: Ratio) -> list[float]:
        values = [one.hazard_ratio, one.lower, one.upper]
        if turned:
            values = [1 / value if value else math.inf for value in (values[0], values[2], values[1])]
        return values[: len(printed)]

    path = f"effects.{name}"
    yield _by_rule(item, path, "hazard ratio", printed, found, numbers, effect.where, RELATIVE_TOLERANCE)
    if effect.two_sided_p is not None:
        wald = {f"Wald, {reading}": one.p for reading, one in found.items()}
        yield _by_rule(
            item,
            f"{path}.p",
            "p",
            [effect.two_sided_p],
            {**_p_values(item.table), **wald},
            _one,
            effect.where,
            RELATIVE_TOLERANCE,
        )


def _tests(item: _Beside) -> Iterator[Check]:
    test = item.endpoint.test
    if test is None or not _comparable(item.table):
        return
    path, where = f"endpoints.{item.key}.test", test.where or item.endpoint.where
    if test.chi_square is not None:
        found = {reading: item.table.chi_square(reading) for reading in TestReading}
        yield _by_rule(item, f"{path}.chi_square", "χ²", [test.chi_square], found, _one, where, RELATIVE_TOLERANCE)
    if test.two_sided_p is not None:
        yield _by_rule(item, f"{path}.p", "p", [test.two_sided_p], _p_values(item.table), _one, where, RELATIVE_TOLERANCE)


def _p_values(table: Table) -> dict[str, float]:
    return {str(reading): float(stats.chi2.sf(table.chi_square(reading), 1)) for reading in TestReading}


def _one(value: float) -> list[float]:
    return [value]


def _comparable(table: Table) -> bool:
    """Whether ratio and test are defined: events while both arms are at risk, in both arms."""
    together = (table.r[:2, :-1] > 0).all(axis=0)
    both = all(table.d[GROUP_ROWS[arm], together].any() for arm in ARMS)
    return bool(both and log_rank_sums(table.d, table.r, table.inverse)[3] > 0)
