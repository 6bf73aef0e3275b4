"""What the sampled matrices say of every covariate, beside what is printed."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import Matrices
from retrial.multivariable.statistics import TOLERANCE, univariable

Row = dict[str, Any]


def covariate_rows(model: PrintedModel, matrices: Matrices, tail: float) -> list[Row]:
    """A row a covariate: standard errors, variance inflation, correlation of its estimate with the treatment's, its univariable |z|.

    Medians with equal-tailed limits over the matrices; `within` says whether the printed univariable number is nearer than `TOLERANCE`.
    """
    alone, error = univariable(matrices.information, matrices.b)
    z, correlation = np.abs(alone / error), matrices.correlation
    rows = []
    for place, name in enumerate(model.names):
        mine = [
            column for column, item in enumerate(matrices.asked) if item.covariate == place and item.kind in ("test", "ratio")
        ]
        far = [float(np.median(np.abs(matrices.distance[:, column]))) for column in mine]
        with_treatment = correlation[:, place, model.treatment] if model.treatment not in (None, place) else None
        rows.append(
            {
                "endpoint": model.endpoint,
                "key": model.key,
                "covariate": name,
                "contrast": model.contrasts[place],
                "events": model.events if model.events_printed else np.nan,
                "se_adjusted": float(model.centre[place, 1]),
                "se_unadjusted": float(model.unadjusted_se[place].mean()),
                **_limits("inflation", matrices.inflation[:, place], tail),
                **_limits("correlation", with_treatment, tail),
                "printed_z": _printed_z(model, place),
                **_limits("implied_z", z[:, place], tail),
                "distance": far[0] if far else np.nan,
                "within": "" if not far else "yes" if far[0] <= TOLERANCE else "no",
            }
        )
    return rows


def _printed_z(model: PrintedModel, place: int) -> float:
    """√χ² of the univariable test, else |b| / s of the univariable ratio."""
    if np.isfinite(model.test[place, 0]):
        low, high = model.test[place]
        return float(low if not np.isfinite(high) else (low + high) / 2)
    return float(abs(model.unadjusted[place].mean()) / model.unadjusted_se[place].mean())


def _limits(name: str, values: np.ndarray | None, tail: float) -> Row:
    low, middle, high = (np.nan,) * 3 if values is None else (float(x) for x in np.quantile(values, [tail, 0.5, 1 - tail]))
    return {name: middle, f"{name}_lower": low, f"{name}_upper": high}
