"""What a table must have by construction, contradictions among it, and a first table that has it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from retrial.dims import ARMS, TOTAL
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import boundaries, indices_of

HALF = 0.5


def contradictions(targets: Targets) -> list[str]:
    """Printed counts and times that no table can have together, each in a sentence."""
    found = [*_event_contradictions(targets), *_time_contradictions(targets)]
    for arm in ARMS:
        found += _at_risk_contradictions(targets, arm)
        found += _censored_contradictions(targets, arm)
        found += _landmark_contradictions(targets, arm)
    return found


def sizes(targets: Targets) -> dict[str, int]:
    """Patients of each arm and of both."""
    return {
        ARMS[0]: targets.n_control,
        ARMS[1]: targets.n_experimental,
        TOTAL: targets.n_control + targets.n_experimental,
    }


def _event_contradictions(targets: Targets) -> list[str]:
    found, n = [], sizes(targets)
    events = {arm: item.value for arm in n if (item := targets.find("events", arm)) is not None}
    for arm, value in events.items():
        if value > n[arm]:
            found.append(f"events.{arm}: {value:g} events in {n[arm]} patients")
    if len(events) == len(n) and events[ARMS[0]] + events[ARMS[1]] != events[TOTAL]:
        found.append(f"events: {events[ARMS[0]]:g} + {events[ARMS[1]]:g} are not the total of {events[TOTAL]:g}")
    if TOTAL in events and len(events) == 2:
        (arm,) = set(events) - {TOTAL}
        other = events[TOTAL] - events[arm]
        if not 0 <= other <= n[TOTAL] - n[arm]:
            found.append(f"events: {events[TOTAL]:g} in total and {events[arm]:g} of {arm} leave {other:g} to the other arm")
    return found


def _time_contradictions(targets: Targets) -> list[str]:
    found = []
    for arm in (*ARMS, TOTAL):
        shortest, longest = (targets.find(name, arm) or targets.find(name) for name in ("shortest", "longest"))
        if shortest is not None and longest is not None and shortest.low > longest.high:
            found.append(f"shortest = {shortest.printed} is above longest = {longest.printed}")
        item = targets.find("median", arm)
        if item is not None and longest is not None and longest.high < item.low and math.isfinite(item.high):
            found.append(f"{item.name} = {item.printed} is above longest = {longest.printed}")
        if item is not None and shortest is not None and item.high < shortest.low:
            found.append(f"{item.name} = {item.printed} is below shortest = {shortest.printed}")
    return list(dict.fromkeys(found))


def _at_risk_contradictions(targets: Targets, arm: str) -> list[str]:
    found, n = [], sizes(targets)[arm]
    last = float(n)
    shortest = targets.find("shortest", arm) or targets.find("shortest")
    longest = targets.find("longest", arm) or targets.find("longest")
    for item in sorted(targets.all("at_risk", arm), key=lambda item: item.time):
        if item.value > last:
            found.append(f"{item.name} = {item.printed} is above the {last:g} at risk before it")
        if shortest is not None and item.time <= shortest.low and item.value != n:
            found.append(f"{item.name} = {item.printed}, but all {n} of {arm} live to the shortest time, {shortest.printed}")
        if longest is not None and item.time > longest.high and item.value > 0:
            found.append(f"{item.name} = {item.printed} is after longest = {longest.printed}")
        last = item.value
    return found


def _censored_contradictions(targets: Targets, arm: str) -> list[str]:
    """Those who left before a time are the censored and the events before it, neither of which gets fewer with time."""
    found, n, events, before = [], sizes(targets)[arm], 0.0, 0.0
    at_risk = {item.time: item for item in targets.all("at_risk", arm)}
    most = targets.find("events", arm)
    for item in sorted(targets.all("censored", arm), key=lambda item: item.time):
        there = at_risk.get(item.time)
        if item.value < before:
            found.append(f"{item.name} = {item.printed} is below the {before:g} censored before it")
        if there is not None and n - there.value - item.value < events:
            left = f"of {n} with {there.printed} at risk it leaves {n - there.value - item.value:g} events"
            found.append(f"{item.name} = {item.printed}: {left}, {events:g} at the time before")
        if most is not None and item.value > n - most.value:
            found.append(f"{item.name} = {item.printed} is above the {n - most.value:g} without an event")
        before = item.value
        events = max(events, n - there.value - item.value) if there is not None else events
        if most is not None and events > most.value:
            found.append(f"{item.name} = {item.printed} leaves {events:g} events, {most.printed} are printed")
    return found


def _landmark_contradictions(targets: Targets, arm: str) -> list[str]:
    """A survival curve falls, and passes one half at the median."""
    found, last, median = [], 1.0, targets.find("median", arm)
    for item in sorted(targets.all("landmark", arm), key=lambda item: item.time):
        if item.low > last:
            found.append(f"{item.name} = {item.printed} is above the percentage before it")
        if median is not None and item.time < median.low and item.high <= HALF:
            found.append(f"{item.name} = {item.printed} is at most one half before {median.name} = {median.printed}")
        if median is not None and item.time >= median.high and item.low > HALF:
            found.append(f"{item.name} = {item.printed} is above one half after {median.name} = {median.printed}")
        last = min(last, item.high)
    return found


def first_table(targets: Targets) -> tuple[np.ndarray, np.ndarray]:
    """(3, T) events and (3, T + 1) at risk of some table with the printed structure; the sampler starts here and forgets it."""
    n_times, n = targets.n_times, sizes(targets)
    leaving = np.zeros((2, n_times), np.int64)
    for row, arm in enumerate(ARMS):
        edges = [(0, n[arm]), *boundaries(targets, arm), (n_times, 0)]
        for (start, alive), (stop, later) in pairwise(edges):
            share, rest = divmod(alive - later, stop - start)
            leaving[row, start:stop] = share
            leaving[row, start : start + rest] += 1
    _reach_ends(targets, leaving)
    events = np.zeros((2, n_times), np.int64)
    for row, total in enumerate(first_events(targets)):
        rank = np.cumsum(leaving[row])
        marks = (np.arange(total) * rank[-1]) // max(total, 1)
        events[row] = np.bincount(np.searchsorted(rank, marks, side="right"), minlength=n_times)[:n_times]
    return with_totals(events, leaving)


def with_totals(events: np.ndarray, leaving: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows control, experimental, both: events (3, T) and at risk (3, T + 1)."""
    d = np.concatenate([events, events.sum(axis=0, keepdims=True)]).astype(np.int64)
    r = np.zeros((3, events.shape[1] + 1), np.int64)
    r[:2, :-1] = np.cumsum(leaving[:, ::-1], axis=1)[:, ::-1]
    r[2] = r[0] + r[1]
    return d, r


def _reach_ends(targets: Targets, leaving: np.ndarray) -> None:
    """Move a patient of the group to its first and to its last grid time where the paper prints them."""
    for name, place, order in (("shortest", 0, 1), ("longest", 1, -1)):
        for item in targets.all(name):
            rows = [row for row, arm in enumerate(ARMS) if item.arm in (arm, TOTAL)]
            index = min(indices_of(targets, item)[place], targets.n_times - 1)
            if leaving[rows, index].sum() == 0:
                _reach(targets, leaving, rows, index, order)


def _reach(targets: Targets, leaving: np.ndarray, rows: list[int], index: int, order: int) -> None:
    for row in rows:
        edges = [0, *(edge for edge, _ in boundaries(targets, ARMS[row])), targets.n_times]
        start, stop = next((a, b) for a, b in pairwise(edges) if a <= index < b)
        donors = [t for t in range(start, stop)[::order] if leaving[row, t] > 0]
        if donors:
            leaving[row, donors[0]] -= 1
            leaving[row, index] += 1
            return


def first_events(targets: Targets) -> tuple[int, int]:
    """Events per arm: printed, or the total in proportion to the arms, or half of the patients."""
    n = sizes(targets)
    control, experimental, total = (
        None if (item := targets.find("events", arm)) is None else int(item.value) for arm in (*ARMS, TOTAL)
    )
    if control is None and experimental is None and total is not None:
        control = min(n[ARMS[0]], round(total * n[ARMS[0]] / n[TOTAL]))
        control = max(control, total - n[ARMS[1]])
    if control is None:
        control = total - experimental if total is not None and experimental is not None else n[ARMS[0]] // 2
    if experimental is None:
        experimental = total - control if total is not None else n[ARMS[1]] // 2
    return control, experimental
