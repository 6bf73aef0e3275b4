"""What so many events can tell of two groups: the smallest standard error of their log hazard ratio. One rule for the audit and the fits."""

from __future__ import annotations

import math


def smallest_standard_error(events: float) -> float:
    """Smallest SE of a log hazard ratio of two groups with `events` events: 2/sqrt(d), at equal numbers in both groups.

    The information of a two-group Cox likelihood (and the log-rank variance) is a sum over events of q (1 - q) <= 1/4.
    """
    return 2 / math.sqrt(events)


def split_standard_error(first: float, second: float) -> float:
    """sqrt(1/d1 + 1/d2): at the Cox estimate the q sum to d1, so that sum q (1 - q) <= d1 d2 / d (Cauchy-Schwarz)."""
    return math.sqrt(1 / first + 1 / second)
