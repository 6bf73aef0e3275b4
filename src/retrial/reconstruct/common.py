"""Readings that one paper may have used for all of its endpoints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

from retrial.reconstruct.ensemble import ReadingResult
from retrial.reconstruct.readings import Reading
from retrial.reconstruct.words import UNKNOWN_SE

_PARTS = ("ratio", "test", "median")


def common(endpoints: Sequence[Sequence[ReadingResult]]) -> list[ReadingResult]:
    """Readings attained by every endpoint, most probable first.

    Evidences multiply, because one paper uses one set of estimators: share ∝ Π_e share_e; log evidences and their variances
    add. An endpoint that prints no ratio (test, interval of a median) leaves that part of the reading to the others.
    """
    found = [ReadingResult(Reading(None, None, None), "attained", 0.0, 0.0, 1.0)]
    for results in endpoints:
        attained = [item for item in results if item.status == "attained"]
        found = [both for one, two in product(found, attained) if (both := _both(one, two)) is not None]
    total = sum(item.share for item in found)
    scaled = [_result(item.reading, item.log_evidence, item.log_evidence_se, item.share / total) for item in found if total > 0]
    return sorted(scaled, key=lambda item: -item.share)


def _both(one: ReadingResult, two: ReadingResult) -> ReadingResult | None:
    reading = _merged(one.reading, two.reading)
    if reading is None:
        return None
    errors = [item.log_evidence_se if math.isfinite(item.log_evidence_se) else UNKNOWN_SE for item in (one, two)]
    return _result(reading, one.log_evidence + two.log_evidence, math.hypot(*errors), one.share * two.share)


def _result(reading: Reading, log_evidence: float, se: float, share: float) -> ReadingResult:
    return ReadingResult(reading, "attained", log_evidence, se, share)


def _merged(one: Reading, two: Reading) -> Reading | None:
    """The reading that agrees with both; None where there is none."""
    merged = []
    for part in _PARTS:
        values = {getattr(one, part), getattr(two, part)} - {None}
        if len(values) > 1:
            return None
        merged.append(next(iter(values), None))
    return Reading(*merged)
