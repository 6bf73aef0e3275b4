"""Tests of the counts behind an unadjusted odds or risk ratio: every 2 x 2 table of the arms that prints as the ratio and its interval."""

from __future__ import annotations

import math

import numpy as np

from retrial.audit.counts.contingency import Table, TestValue, rarer_tests, usual_tests
from retrial.audit.ratios.arithmetic import Ratio
from retrial.dims import ARMS, EXPERIMENTAL
from retrial.study.reported import Reported
from retrial.study.sections import Effect
from retrial.study.study import Study

MOST_TABLES = 4_000_000
"""Pairs of counts that are tried (a second)."""
_SHOWN = 200
"""Tables whose tests are computed; a coarse ratio of large arms fits many, with nearly the same p."""


def tables_behind(study: Study, key: str, effect: Effect, ratio: Ratio) -> list[Table]:
    """Tables (events, others) x (control, experimental) with this ratio and Wald interval; empty where the arms' sizes are unknown or too large.

    log OR has SE √(1/a + 1/b + 1/c + 1/d), log RR √(1/a - 1/n1 + 1/c - 1/n2).
    """
    if effect.measure == "hazard_ratio" or effect.adjusted_for or not effect.is_treatment:
        return []
    name = next((name for name in (effect.endpoint, key) if name in study.binary), "")
    sizes = [study.patients(f"binary.{name}", arm) if name else study.n(arm) for arm in ARMS]
    if sizes[0] is None or sizes[1] is None or sizes[0] * sizes[1] > MOST_TABLES:
        return []
    control, experimental = np.arange(1, sizes[0])[:, None], np.arange(1, sizes[1])[None, :]
    rest = sizes[0] - control, sizes[1] - experimental
    if effect.measure == "odds_ratio":
        log_ratio = np.log(experimental / rest[1]) - np.log(control / rest[0])
        error = np.sqrt(1 / control + 1 / rest[0] + 1 / experimental + 1 / rest[1])
    else:
        log_ratio = np.log(experimental / sizes[1]) - np.log(control / sizes[0])
        error = np.sqrt(1 / control - 1 / sizes[0] + 1 / experimental - 1 / sizes[1])
    log_ratio = log_ratio if effect.numerator == EXPERIMENTAL else -log_ratio
    fits = _prints(ratio.estimate, log_ratio)
    for sign, limit in ((-1, ratio.lower), (1, ratio.upper)):
        fits &= _prints(limit, log_ratio + sign * ratio.quantile * error)
    found = np.argwhere(fits) + 1
    kept = found[:: max(1, len(found) // _SHOWN)]
    return [((int(c), int(e)), (sizes[0] - int(c), sizes[1] - int(e))) for c, e in kept]


def tests_behind(study: Study, key: str, effect: Effect, ratio: Ratio) -> list[TestValue]:
    """All two-sided tests of these tables."""
    return [test for table in tables_behind(study, key, effect, ratio) for test in (*usual_tests(table), *rarer_tests(table))]


def _prints(printed: Reported, logs: np.ndarray) -> np.ndarray:
    low = math.log(printed.low) if printed.low > 0 else -math.inf
    return (logs >= low - 1e-9) & (logs <= math.log(printed.high) + 1e-9)
