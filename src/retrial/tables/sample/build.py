"""`Targets` under one `Reading` to the `Problem` of the compiled sampler, and a first table that has its structure."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy import stats

from retrial.dims import ARMS, TOTAL
from retrial.tables.kernel import problem as codes
from retrial.tables.kernel.comparison import inverses
from retrial.tables.kernel.prior import TablePrior, log_factorials
from retrial.tables.kernel.problem import Problem
from retrial.tables.printed.readings import MedianReading, Reading, code
from retrial.tables.printed.targets import Target, Targets

GROUPS = (*ARMS, TOTAL)
NAN = math.nan
_LEAST_SCALE = 1e-6
_OF_A_PATIENT = 0.25


class UnattainableError(Exception):
    """A printed number that this reading cannot print at all; the message says which."""


def interval_of(target: Target | None, strict: bool) -> tuple[float, float]:
    """What counts as agreement with a printed number; NaN, NaN without one."""
    if target is None:
        return NAN, NAN
    return (target.strict_low, target.strict_high) if strict else (target.low, target.high)


def prior_under(targets: Targets, prior: TablePrior, reading: Reading) -> TablePrior:
    """The prior of the tables under a reading's design. Where the study says of a follow-up that left patients out, the pieces have an edge
    there under every design, so that hazards of events are on the same ones; a prior that says itself when censoring starts stays as it is.
    Nobody is censored before the minimum follow-up that a study file gives; where only the rule goes further, that is left to its reading.
    """
    if prior.uncensored:
        return prior
    if not targets.ruled_out:
        return replace(prior, uncensored=targets.uncensored)
    return replace(prior, uncensored=targets.ruled_out if reading.ruled else 0, edge=targets.ruled_out)


def build_problem(targets: Targets, reading: Reading, prior: TablePrior, *, strict: bool = False) -> Problem:
    """The agreement region of one reading, and the prior under its design, as arrays. Raises `UnattainableError` where the reading cannot print
    one of the numbers whatever the table.
    """
    ratio = targets.find("hazard_ratio")
    with_ratio = reading.ratio is not None and ratio is not None
    n = targets.n_control + targets.n_experimental
    curve = curve_limits(targets, strict)
    whole, real = np.full(codes.N_WHOLE, -1, np.int64), np.full((codes.N_REAL, 3), NAN)
    whole[: codes.FIRST_HELD] = (
        event_mode(targets),
        max(code(reading.median), 0),
        code(reading.ratio) if with_ratio else -1,
        code(reading.test),
    )
    for row, group in enumerate(GROUPS):
        whole[codes.FIRST_HELD + row] = indices_of(targets, targets.find("shortest", group))[1]
        whole[codes.LAST_HELD + row] = indices_of(targets, targets.find("longest", group))[0]
        whole[codes.MEDIAN + 2 * row : codes.MEDIAN + 2 * row + 2] = indices_of(targets, targets.find("median", group))
        whole[codes.LIMITS + 4 * row : codes.LIMITS + 4 * row + 4] = _median_limits(targets, group, reading)
        real[codes.MEDIAN_SE + 2 * row : codes.MEDIAN_SE + 2 * row + 2] = _median_se(targets, group, reading, strict)
        real[codes.Z_MEDIAN, row] = quantile(targets.find("median_lower", group) or targets.find("median_upper", group))
    if with_ratio:
        real[codes.BETA : codes.CHI_SQUARE] = _ratio_box(targets, strict)
    if reading.test is not None:
        real[codes.CHI_SQUARE] = _test_interval(targets, strict)
    real[codes.SCALARS] = quantile(ratio), math.log(ratio.value) if ratio is not None else 0.0, float(curve is not None)
    prior = prior_under(targets, prior, reading)
    edges, without = prior.edges(targets.n_times)
    pieces = edges.size - 1
    whole[codes.PIECES], whole[codes.UNCENSORED] = pieces, without
    points = np.full((2, 0, 1 + codes.CURVE_COLUMNS), NAN) if curve is None else curve
    hazards = (prior.gaussians(pieces, without), prior.roots(pieces, without), log_factorials(n), edges)
    arrays = (np.array(targets.times), inverses(n), segments(targets), printed_times(targets), points, *hazards)
    return Problem(*arrays, whole[None], real[None])


def printed_times(targets: Targets) -> np.ndarray:
    """(2, S + 1): for each arm the number of printed times that a patient's may be, and their grid indices."""
    names = ("shortest", "longest", "median", "median_lower", "median_upper")
    found = []
    for arm in ARMS:
        items = [item for name in names for group in (arm, TOTAL) for item in targets.all(name, group)]
        places = {place for item in items for place in targets.places(item.strict_low, item.strict_high)}
        found.append(sorted(place for place in places if 0 <= place < targets.n_times))
    out = np.zeros((2, 1 + max(map(len, found))), np.int64)
    for row, times in enumerate(found):
        out[row, : 1 + len(times)] = len(times), *times
    return out


def quantile(limit: Target | None) -> float:
    """Normal quantile of a limit's level; of 95 % without one."""
    return float(stats.norm.ppf(0.5 + (limit.level if limit is not None else 0.95) / 2))


def indices_of(targets: Targets, target: Target | None) -> tuple[int, int]:
    """First and last grid index of the times that a printed time stands for; -1, -1 for none, T for "not reached". Raises
    `UnattainableError` off the grid.
    """
    if target is None:
        return -1, -1
    found = targets.places(target.strict_low, target.strict_high)
    if found[0] > found[1]:
        raise UnattainableError(f"{target.name} = {target.printed} is not on the grid {targets.first:g}, ..., {targets.last:g}")
    return found


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
    """(grid index, patients at risk from it on) of the printed numbers at risk inside the grid; all before an arm's own shortest time, and
    nobody after its longest.
    """
    found: dict[int, int] = {}
    shortest, longest = targets.find("shortest", arm), targets.find("longest", arm)
    if shortest is not None:
        found[indices_of(targets, shortest)[0]] = targets.n_control if arm == ARMS[0] else targets.n_experimental
    if longest is not None:
        found[indices_of(targets, longest)[1] + 1] = 0
    for item in targets.all("at_risk", arm):
        found[targets.places(item.time, math.inf)[0]] = int(item.value)
    return sorted((index, left) for index, left in found.items() if 0 < index < targets.n_times)


def segments(targets: Targets) -> np.ndarray:
    """(2, T, 2): the grid cut at the printed numbers at risk."""
    out = np.empty((2, targets.n_times, 2), np.int64)
    for row, arm in enumerate(ARMS):
        edges = [0, *(index for index, _ in boundaries(targets, arm)), targets.n_times]
        for start, stop in pairwise(edges):
            out[row, start:stop] = start, stop - 1
    return out


_NOT_PRINTED = (NAN, NAN, 1.0)


def _median_se(targets: Targets, group: str, reading: Reading, strict: bool) -> list[tuple[float, ...]]:
    """SEs that put the printed limits, lower and upper, where median ± z SE is, with the median at the first of its times."""
    median, lower, upper = (targets.find(name, group) for name in ("median", "median_lower", "median_upper"))
    if reading.median is not MedianReading.GREENWOOD_DENSITY or median is None or (lower is None and upper is None):
        return [_NOT_PRINTED, _NOT_PRINTED]
    first, last = indices_of(targets, median)
    z = quantile(lower or upper)
    tolerances = [(limit.high - limit.low) / 2 for limit in (lower, upper) if limit is not None and math.isfinite(limit.high)]
    scale = max(min(tolerances, default=0.0) / z, _LEAST_SCALE)
    if first == targets.n_times:
        raise UnattainableError(f"median_ci.{group}: the median is not reached, so that {reading.median} gives no limits")
    at, width = targets.times[first], (targets.times[min(last, targets.n_times - 1)] - targets.times[first]) / z
    rows = [
        _NOT_PRINTED if limit is None else (*sorted(sign * (edge - at) / z for edge in interval_of(limit, strict)), scale)
        for limit, sign in ((lower, -1), (upper, 1))
    ]
    (low, high), (low2, high2) = ((0.0 if np.isnan(a) else a, math.inf if np.isnan(b) else b) for a, b, _ in rows)
    if max(0.0, (low2 - high) / 2) > min(width, (high2 - low) / 2) or min(high + width, high2) < 0:
        raise UnattainableError(
            f"median_ci.{group}: the printed limits are not symmetric about the median, as {reading.median} makes them"
        )
    return rows


def _median_limits(targets: Targets, group: str, reading: Reading) -> tuple[int, int, int, int]:
    if reading.median in (None, MedianReading.GREENWOOD_DENSITY):
        return -1, -1, -1, -1
    lower, upper = (indices_of(targets, targets.find(name, group)) for name in ("median_lower", "median_upper"))
    return *lower, *upper


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


def curve_limits(targets: Targets, strict: bool) -> np.ndarray | None:
    """(2, P, 6) grid indices, limits of S(t) there with their scale, and of the censored up to t, NaN where nothing is printed; None where
    nothing is anywhere.

    A percentage is approached in steps of a quarter of a patient where it is printed more finely.
    """
    limits = np.full((2, targets.n_times, codes.CURVE_COLUMNS), NAN)
    curve = targets.all("survival")
    scale = float(np.median([(item.high - item.low) / 2 for item in curve])) if curve else NAN
    for item in curve:
        index = round((item.time - targets.first) / targets.step)
        if 0 <= index < targets.n_times:
            limits[ARMS.index(item.arm), index, :3] = (*interval_of(item, strict), scale)
    for item in targets.all("landmark"):
        row, index = ARMS.index(item.arm), targets.places(-math.inf, item.time)[1]
        n = (targets.n_control, targets.n_experimental)[row]
        if index >= 0:
            limits[row, index, :3] = (*interval_of(item, strict), max((item.high - item.low) / 2, _OF_A_PATIENT / n))
    for item in targets.all("censored"):
        index = targets.places(item.time, math.inf)[0] - 1
        if index >= 0:
            limits[ARMS.index(item.arm), index, 3:] = interval_of(item, strict)
    printed = [np.flatnonzero(~np.isnan(rows).all(axis=1)) for rows in limits]
    if not any(map(len, printed)):
        return None
    out = np.full((2, max(map(len, printed)), 1 + codes.CURVE_COLUMNS), NAN)
    out[..., 0] = targets.n_times
    for row, places in enumerate(printed):
        out[row, : len(places), 0], out[row, : len(places), 1:] = places, limits[row, places]
    return out
