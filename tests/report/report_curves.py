"""Made-up life tables and the curves and bands that a figure shows of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from retrial.dims import ARM, ARMS, LOWER, POINT, TIME, TIME_FINE, UPPER
from retrial.report.data import PrintedAtRisk, SurvivalCurves
from retrial.tables.life_table import LifeTable


def life_table(seed: int, scale: tuple[float, float], tables: int) -> LifeTable:
    """Tables of 49 and 43 patients: whole-month quantiles of Weibull times, a fifth censored, jittered if several."""
    random = np.random.default_rng(seed)
    events, censored = np.zeros((2, tables, 2, 23), dtype=int)
    for table in range(tables):
        for arm, n in enumerate((49, 43)):
            times = scale[arm] * (-np.log1p(-(np.arange(n) + 0.5) / n)) ** (1 / 1.4)
            moved = np.clip(np.round(times) + random.integers(-1, 2, n) * (tables > 1), 1, 22).astype(int)
            event = random.random(n) < 0.8
            np.add.at(events[table, arm], moved[event], 1)
            np.add.at(censored[table, arm], moved[~event], 1)
    return LifeTable.from_counts(np.arange(23.0), events, censored)


def curves(table: LifeTable, scale: tuple[float, float], **changes: Any) -> SurvivalCurves:
    at_risk = table.at_risk
    survival = (1 - table.events / at_risk.where(at_risk > 0, 1)).cumprod(TIME)
    fine = np.linspace(0, 22, 89)
    middle = np.exp(-((fine / np.array(scale)[:, None]) ** 1.4))
    spread = 0.05 + 0.25 * middle * (1 - middle)
    dims = (ARM, TIME_FINE)
    band = xr.Dataset(
        {
            POINT: (dims, middle),
            LOWER: (dims, np.clip(middle - spread * (fine > 0), 0, 1)),
            UPPER: (dims, np.clip(middle + spread * (fine > 0), 0, 1)),
        },
        {ARM: list(ARMS), TIME_FINE: fine},
    )
    given = {"kaplan_meier": survival, "at_risk": at_risk, "band": band, "model": "weibull", "prior": "flat"}
    return SurvivalCurves(**(given | changes))


def survival_curves() -> dict[str, SurvivalCurves]:
    printed = PrintedAtRisk((0, 5, 10, 15, 20), {"control": (49, 18, 3, 1, 0), "experimental": (43, 25, 9, 1, 0)})
    return {
        "os": curves(life_table(7, (13.0, 18.5), 1), (14.6, 21.0), printed_medians={"control": 11.0, "experimental": 16.0}),
        "pfs": curves(
            life_table(12, (4.6, 7.9), 100),
            (5.2, 9.0),
            printed_medians={"control": 4.0, "experimental": 7.0},
            printed_at_risk=printed,
        ),
    }
