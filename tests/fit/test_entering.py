"""Left truncation of whole tables: everybody under observation from one time on, in closed form, in every reading of times."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from scipy import optimize

from retrial.errors import DataError
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, entering, survival_data
from retrial.models import exponential, weibull
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

TIMES = np.array([3.0, 4.0, 6.0, 7.0, 10.0])
EVENTS = np.array([[2, 1, 0, 3, 1], [1, 0, 2, 1, 0]])
CENSORED = np.array([[0, 2, 1, 0, 4], [1, 1, 0, 2, 5]])
TABLE = LifeTable.from_counts(TIMES, EVENTS, CENSORED)


def total(data: SurvivalData, point: dict[str, float], hazard=exponential.hazard) -> float:
    cells = cell_log_likelihood(hazard, data.times, data.previous, point, data.recorded, np, len(data.counts))
    return float((cells * data.counts).sum())


def exponential_point(rates: tuple[float, float]) -> dict[str, float]:
    return {"control_median": math.log(2) / rates[0], "log_hazard_ratio": math.log(rates[1] / rates[0])}


def test_the_exponential_rate_is_events_over_exposure_after_entry() -> None:
    data = entering(survival_data(TABLE), 2.5)
    found = optimize.minimize(
        lambda x: -total(data, exponential_point((math.exp(x[0]), math.exp(x[1])))),
        [-2, -2],
        method="BFGS",
        options={"gtol": 1e-9},
    )
    exposure = ((EVENTS + CENSORED) * (TIMES - 2.5)).sum(axis=1)
    assert np.exp(found.x) == pytest.approx(EVENTS.sum(axis=1) / exposure, rel=1e-6)


@pytest.mark.parametrize("recorded", get_args(Recorded))
def test_the_exponential_is_that_of_the_shifted_table(recorded: Recorded) -> None:
    """Without memory, the likelihood given entry at t is that of the same table t months earlier."""
    table = TABLE if recorded == "exact" else TABLE.on_recording_grid(1.0, recorded)
    start = {"exact": 2.0, "nearest": 2.5, "floor": 3.0, "ceiling": 2.0}[recorded]
    point = exponential_point((0.11, 0.05))
    found = total(entering(survival_data(table, 0, recorded), start), point)
    plain = survival_data(table, 0, recorded)
    entered = (EVENTS + CENSORED).sum(axis=1)
    assert found == pytest.approx(total(plain, point) + start * float(entered @ [0.11, 0.05]), abs=1e-10)
    if recorded in ("exact", "ceiling"):
        shifted = LifeTable.from_counts(TIMES - start, EVENTS, CENSORED)
        shifted = shifted if recorded == "exact" else shifted.on_recording_grid(1.0, recorded)
        assert found == pytest.approx(total(survival_data(shifted, 0, recorded), point), abs=1e-10)


def test_entering_is_late_entry_of_every_patient() -> None:
    """The same as a file of patients that says so, where the entry is a time of the file."""
    patients = TABLE.patients()
    late = LifeTable.from_patients(
        patients["time"], patients["event"], patients["experimental"], np.full(patients["time"].size, 2.0)
    )
    point = {"control_median": 5.0, "shape": 1.7, "log_hazard_ratio": -0.4}
    one, other = entering(survival_data(TABLE), 2.0), survival_data(late)
    assert total(one, point, weibull.hazard) == pytest.approx(total(other, point, weibull.hazard), abs=1e-10)
    assert one.entered.sum(axis=1).tolist() == other.entered.sum(axis=1).tolist()
    assert one.late is not None
    assert other.late is not None
    assert one.late.count.sum() == other.late.count.sum()
    cuts = (2.0, 5.0)
    assert interval_counts(one, cuts).exposure == pytest.approx(interval_counts(other, cuts).exposure)


def test_who_left_before_cannot_have_entered() -> None:
    with pytest.raises(DataError, match="left before 3.5 months"):
        entering(survival_data(TABLE), 3.5)
    nearest = survival_data(TABLE.on_recording_grid(1.0, "nearest"), 0, "nearest")
    with pytest.raises(DataError, match="left before 2.8 months"):
        entering(nearest, 2.8)
    with pytest.raises(DataError, match="entered late"):
        entering(entering(survival_data(TABLE), 2.0), 2.0)


def test_nobody_is_there_to_enter_where_the_hazard_overflows() -> None:
    """n H(entry) - n H(exit) is infinity less infinity there: no likelihood, never NaN and never a large one."""
    data = entering(survival_data(TABLE), 2.5)
    for median, shape in ((1e-30, 3.0), (1e-300, 9.0), (1e-9, 2.0)):
        with np.errstate(over="ignore", invalid="ignore"):
            cells = cell_log_likelihood(
                weibull.hazard,
                data.times,
                data.previous,
                {"control_median": median, "shape": shape, "log_hazard_ratio": 0.0},
                "exact",
                np,
                3,
            )
            found = np.where(data.counts > 0, cells * data.counts, 0.0).sum()
        assert found < -1e8
