"""`Targets` under one `Reading` to the `Problem` of the compiled sampler, and a first table that has its structure."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.tables.kernel import problem as codes
from retrial.tables.kernel.comparison import inverses
from retrial.tables.kernel.prior import TablePrior, prior_factors
from retrial.tables.kernel.problem import Problem
from retrial.tables.printed.readings import MedianReading, Reading, code
from retrial.tables.printed.targets import Target, Targets

GROUPS = (*ARMS, TOTAL)
NAN = math.nan
_LEAST_SCALE = 1e-6
_BLOCK_PATIENTS = 400
"""One proposal moves up to one patient per this many of the study, so that large studies mix as small ones."""


class UnattainableError(Exception):
    """A printed number that this reading cannot print at all; the message says which."""


def interval_of(target: Target | None, strict: bool) -> tuple[float, float]:
    """What counts as agreement with a printed number; NaN, NaN without one."""
    if target is None:
        return NAN, NAN
    return (target.strict_low, target.strict_high) if strict else (target.low, target.high)


def build_problem(targets: Targets, reading: Reading, prior: TablePrior, *, strict: bool = False) -> Problem:
    """The agreement region of one reading as arrays. Raises `UnattainableError` where the reading cannot print one of the numbers
    whatever the table.
    """
    ratio = targets.find("hazard_ratio")
    with_ratio = reading.ratio is not None and ratio is not None
    n = targets.n_control + targets.n_experimental
    curve, curve_scale = curve_limits(targets, strict)
    whole, real = np.full(codes.N_WHOLE, -1, np.int64), np.full((codes.N_REAL, 3), NAN)
    whole[: codes.MEDIAN] = (
        event_mode(targets),
        targets.find("shortest") is not None,
        targets.find("longest") is not None,
        max(code(reading.median), 0),
        code(reading.ratio) if with_ratio else -1,
        code(reading.test),
        1 + n // _BLOCK_PATIENTS,
    )
    for row, group in enumerate(GROUPS):
        whole[codes.MEDIAN + row] = index_of(targets, targets.find("median", group))
        whole[codes.LIMITS + 2 * row : codes.LIMITS + 2 * row + 2] = _median_limits(targets, group, reading)
        real[codes.MEDIAN_SE + row] = _median_se(targets, group, reading, strict)
        real[codes.Z_MEDIAN, row] = quantile(targets.find("median_lower", group) or targets.find("median_upper", group))
    if with_ratio:
        real[codes.BETA : codes.CHI_SQUARE] = _ratio_box(targets, strict)
    if reading.test is not None:
        real[codes.CHI_SQUARE] = _test_interval(targets, strict)
    real[codes.SCALARS] = quantile(ratio), math.log(ratio.value) if ratio is not None else 0.0, curve_scale
    whole[codes.PIECES] = min(prior.pieces, targets.n_times)
    factors, steps = prior_factors(prior, targets.n_times, n), prior.steps(targets.n_times)
    return Problem(np.array(targets.times), inverses(n), segments(targets), curve, factors, steps, whole[None], real[None])


def quantile(limit: Target | None) -> float:
    """Normal quantile of a limit's level; of 95 % without one."""
    return float(stats.norm.ppf(0.5 + (limit.level if limit is not None else 0.95) / 2))


def index_of(targets: Targets, target: Target | None) -> int:
    """Grid index of a printed time; -1 for none. Raises `UnattainableError` off the grid."""
    if target is None:
        return -1
    position = (target.value - targets.first) / targets.step
    if abs(position - round(position)) > 1e-6 or not 0 <= round(position) < targets.n_times:
        raise UnattainableError(f"{target.name} = {target.printed} is not on the grid {targets.first:g}, ..., {targets.last:g}")
    return round(position)


def event_mode(targets: Targets) -> int:
    """Code of which events are printed: of both arms, in total, of one arm, or none."""
    control, experimental, total = (targets.find("events", arm) for arm in GROUPS)
    known = sum(item is not None for item in (control, experimental, total))
    if known >= 2:
        return codes.EVENTS_PER_ARM
    if total is not None:
        return codes.EVENTS_TOTAL
    if control is not None:
        return codes.EVENTS_CONTROL
    return codes.EVENTS_EXPERIMENTAL if experimental is not None else codes.EVENTS_FREE


def boundaries(targets: Targets, arm: str) -> list[tuple[int, int]]:
    """(grid index, patients at risk from it on) of the printed numbers at risk inside the grid."""
    found = []
    for item in targets.all("at_risk", arm):
        index = math.ceil((item.time - targets.first) / targets.step - 1e-6)
        if 0 < index < targets.n_times:
            found.append((index, int(item.value)))
    return sorted(found)


def segments(targets: Targets) -> np.ndarray:
    """(2, T, 2): the grid cut at the printed numbers at risk."""
    out = np.empty((2, targets.n_times, 2), np.int64)
    for row, arm in enumerate(ARMS):
        edges = [0, *(index for index, _ in boundaries(targets, arm)), targets.n_times]
        for start, stop in pairwise(edges):
            out[row, start:stop] = start, stop - 1
    return out


def _median_se(targets: Targets, group: str, reading: Reading, strict: bool) -> tuple[float, float, float]:
    """SE that puts both printed limits median ± z SE into their intervals."""
    median, lower, upper = (targets.find(name, group) for name in ("median", "median_lower", "median_upper"))
    if reading.median is not MedianReading.GREENWOOD_DENSITY or median is None or (lower is None and upper is None):
        return NAN, NAN, 1.0
    low, high, z = 0.0, math.inf, quantile(lower or upper)
    for limit, sign in ((lower, -1), (upper, 1)):
        if limit is not None:
            edges = sorted(sign * (edge - median.value) / z for edge in interval_of(limit, strict))
            low, high = max(low, edges[0]), min(high, edges[1])
    if low > high:
        raise UnattainableError(
            f"median_ci.{group}: the printed limits are not symmetric about the median, as {reading.median} makes them"
        )
    tolerances = [(limit.high - limit.low) / 2 for limit in (lower, upper) if limit is not None]
    return low, high, max(min(tolerances) / z, _LEAST_SCALE)


def _median_limits(targets: Targets, group: str, reading: Reading) -> tuple[int, int]:
    if reading.median in (None, MedianReading.GREENWOOD_DENSITY):
        return -1, -1
    lower, upper = (index_of(targets, targets.find(name, group)) for name in ("median_lower", "median_upper"))
    return lower, upper


def _ratio_box(targets: Targets, strict: bool) -> np.ndarray:
    """Intervals of β, its limits and z²."""
    rows = []
    for name in ("hazard_ratio", "hazard_ratio_lower", "hazard_ratio_upper"):
        item = targets.find(name)
        if item is None:
            rows.append((NAN, NAN, 1.0))
            continue
        low, high = (math.log(edge) if edge > 0 else -math.inf for edge in interval_of(item, strict))
        rows.append((low, high, max((math.log(item.high) - math.log(max(item.low, 1e-9))) / 2, _LEAST_SCALE)))
    rows.append(chi_square_of_p(targets.find("hazard_ratio_p"), strict))
    return np.array(rows)


def chi_square_of_p(target: Target | None, strict: bool) -> tuple[float, float, float]:
    """χ² (1 df) whose p is in the interval of a printed p."""
    if target is None:
        return NAN, NAN, 1.0
    low_p, high_p = interval_of(target, strict)
    low, high = float(stats.chi2.isf(min(high_p, 1.0), 1)), float(stats.chi2.isf(max(low_p, 0.0), 1))
    default = [float(stats.chi2.isf(min(max(edge, 1e-300), 1.0), 1)) for edge in (target.high, target.low)]
    return low, high, max(min((default[1] - default[0]) / 2, 0.1), _LEAST_SCALE)


def _test_interval(targets: Targets, strict: bool) -> np.ndarray:
    """χ² that agrees with the printed χ² and p."""
    item = targets.find("chi_square")
    low, high, scale = chi_square_of_p(targets.find("p"), strict)
    if item is None:
        return np.array([low, high, scale])
    printed = interval_of(item, strict)
    low, high = np.fmax(low, printed[0]), np.fmin(high, printed[1])
    if low > high:
        raise UnattainableError(f"chi_square = {item.printed} and its p = {(targets.find('p') or item).printed} are not of 1 df")
    return np.array([low, high, max((item.high - item.low) / 2, _LEAST_SCALE)])


def curve_limits(targets: Targets, strict: bool) -> tuple[np.ndarray, float]:
    """(2, T, 2) limits of S(t) and their tolerance; NaN (no limit) where no curve is given."""
    limits, widths = np.full((2, targets.n_times, 2), NAN), []
    for item in targets.all("survival"):
        index = round((item.time - targets.first) / targets.step)
        if 0 <= index < targets.n_times:
            limits[ARMS.index(item.arm), index] = interval_of(item, strict)
            widths.append((item.high - item.low) / 2)
    return limits, float(np.median(widths)) if widths else 0.0
