"""An ensemble as one xarray Dataset (for `reconstruction.nc`) and back."""

from __future__ import annotations

import numpy as np
import xarray as xr

from retrial.dims import RECONSTRUCTION
from retrial.reconstruct.ensemble import Ensemble
from retrial.reconstruct.readings import MedianReading, RatioReading, Reading, TestReading
from retrial.survival.life_table import LifeTable

_PARTS = ("hazard_ratio_reading", "chi_square_reading", "median_ci_reading")


def to_dataset(ensemble: Ensemble) -> xr.Dataset:
    """Events and censorings (reconstruction, arm, time) with weight and readings per reconstruction; seed, endpoint,
    relaxed as attributes.
    """
    columns = {
        name: (RECONSTRUCTION, np.array([str(getattr(reading, field) or "") for reading in ensemble.readings], dtype=np.str_))
        for name, field in zip(_PARTS, ("ratio", "test", "median"), strict=True)
    }
    data = ensemble.table.data.assign(
        {"weight": (RECONSTRUCTION, ensemble.weights), "island": (RECONSTRUCTION, ensemble.islands), **columns}
    )
    return data.assign_attrs(endpoint=ensemble.endpoint, seed=ensemble.seed, relaxed=int(ensemble.relaxed))


def from_dataset(data: xr.Dataset) -> Ensemble:
    """The stored ensemble, without the samplers' health (that is in its own table)."""
    readings = []
    for i in range(data.sizes[RECONSTRUCTION]):
        ratio, test, median = (str(data[name].values[i]) for name in _PARTS)
        readings.append(
            Reading(
                RatioReading(ratio) if ratio else None,
                TestReading(test) if test else None,
                MedianReading(median) if median else None,
            )
        )
    table = LifeTable(data[["events", "censored"]].drop_attrs())
    return Ensemble(
        endpoint=str(data.attrs["endpoint"]),
        table=table,
        readings=tuple(readings),
        weights=data["weight"].to_numpy(),
        results=(),
        seed=int(data.attrs["seed"]),
        relaxed=bool(data.attrs["relaxed"]),
        islands=data["island"].to_numpy(),
    )
