"""Medians over tables of answers that some tables do not reach."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.frequentist.spread import _median


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 2.0, 4.0], 2.0),
        ([1.0, np.inf, np.inf], np.inf),
        ([1.0, np.inf], np.inf),
        ([-np.inf, np.inf], np.nan),
        ([np.nan, 3.0], 3.0),
        ([np.nan], np.nan),
    ],
)
def test_median_of_numbers_and_infinities(values: list[float], expected: float) -> None:
    assert _median(np.array(values)) == pytest.approx(expected, nan_ok=True)
