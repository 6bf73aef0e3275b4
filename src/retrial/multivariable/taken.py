"""What is not taken as printed of a covariate's numbers, in words: the audit's corrections, and ratios outside the middle of their intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator

from retrial.dims import ARMS
from retrial.study.effects import Covariate, Effect
from retrial.study.fields import Interval
from retrial.study.reported import Quantity
from retrial.study.study import Study

TINY = 1e-12


def log_ends(printed: Quantity) -> tuple[float, float]:
    """Logarithms of the ends of a number's rounding."""
    return math.log(max(printed.low, TINY)), math.log(max(printed.high, TINY))


def taken(study: Study, item: Covariate) -> Iterator[str]:
    """What is not taken as printed of a covariate's ratios and its numbers in the baseline table."""
    for key in filter(None, (item.effect, item.unadjusted)):
        effect = study.effects.get(key)
        if effect is None:
            continue
        limits = [effect.ci.lower, effect.ci.upper] if isinstance(effect.ci, Interval) else []
        numbers = {
            effect.given: getattr(effect, effect.given),
            "p": effect.p,
            "ci": next((end for end in limits if end.decided), None),
        }
        found = {name: value for name, value in numbers.items() if isinstance(value, Quantity) and value.decided}
        yield from (f"effects.{key}.{name}: {_with_value(effect, name, value)}" for name, value in found.items())
        if not found and effect.interval is not None and not _is_middle(effect):
            middle = math.sqrt(effect.interval.lower.value * effect.interval.upper.value)
            yield f"effects.{key}.{effect.given}: {middle:.3f}, the middle of its interval, is used, printed {effect.estimate}"
    levels = (
        study.baseline.variables[item.baseline].levels if study.baseline and item.baseline in study.baseline.variables else None
    )
    for name in item.levels:
        cells = {arm: getattr((levels or {})[name], arm) for arm in ARMS} if name in (levels or {}) else {}
        for arm, cell in cells.items():
            if cell is not None and cell.n.decided:
                yield f"baseline.variables.{item.baseline}.levels.{name}.{arm}: {cell.n}, {cell.n.decided}"
    yield from too_many(study, item.baseline)


def too_many(study: Study, variable: str) -> Iterator[str]:
    """Levels that exclude one another and have more patients than the arm: one of the counts is wrong, and none is used."""
    if study.baseline is None or variable not in study.baseline.variables:
        return
    path, levels = f"baseline.variables.{variable}.levels", study.baseline.variables[variable].levels or {}
    for arm in ARMS:
        counted = sum(int(getattr(row, arm).n) for row in levels.values())
        sizes = [size for name in levels if (size := study.patients(f"{path}.{name}", arm)) is not None]
        if sizes and counted > max(sizes):
            yield f"{path}: not used, {arm} {counted} of {max(sizes)} patients"


def _with_value(effect: Effect, name: str, value: Quantity) -> str:
    shown = f"{effect.ci.lower} to {effect.ci.upper}" if name == "ci" and isinstance(effect.ci, Interval) else str(value)
    return f"{shown}, {value.decided}"


def _is_middle(effect: Effect) -> bool:
    """Whether estimate and limits round to one Wald interval."""
    interval = effect.interval
    if interval is None:
        return True
    ends = [log_ends(part) for part in (interval.lower, interval.upper, effect.estimate)]
    low, high = ((ends[0][side] + ends[1][side]) / 2 for side in (0, 1))
    return low <= ends[2][1] + TINY and ends[2][0] <= high + TINY
