"""How far real Cox models are from the quadratic form of their multivariable likelihood: the scales in `multivariable.statistics`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from retrial.experiments.multivariable.cases import CALIBRATING
from retrial.experiments.multivariable.paper import Hidden, Test, units_of
from retrial.experiments.multivariable.study import subsets
from retrial.multivariable.statistics import (
    SHARE_CENTRE,
    TILT,
    group_sizes,
    overall_z,
    quadratic_scale,
    se_scale,
    univariable,
    z_scale,
)

SUBSETS = 25
LEVELS = (0.5, 0.9, 0.95, 0.99)
Error = tuple[str, float]


def errors_of(hidden: Hidden, effects: list[tuple[tuple[int, ...], float]]) -> Iterator[Error]:
    """(kind, error): |z| of every test; univariable log ratio in its SE; log SE; correlation of the information less that over patients, times
    their root; log I_jj less its expectation; effects adjusted for some covariates in SE; and the log of the adjusted over the
    univariable SE. Kinds that end on `_scaled` are in the scales of `multivariable.statistics`, which are those of what is left out."""
    names, b = hidden.model.names, hidden.model.b
    matrix, place_of = np.linalg.inv(hidden.model.covariance), {name: place for place, name in enumerate(names)}
    single, _ = (part[0] for part in univariable(matrix[None], b[None]))
    error = 1 / np.sqrt(np.diag(matrix))
    patients = hidden.patients.covariates[list(names)].to_numpy()
    events, over_patients = hidden.patients.event.sum(), np.corrcoef(patients.T)
    count = len(patients)
    weight = b**2 / np.diag(hidden.model.covariance) / np.sqrt(events)
    for unit, levels in units_of(hidden).items():
        block = tuple(place_of[name] for name in levels)
        yield from _of_unit(hidden, unit, block, matrix, float(weight.sum() - weight[list(block)].sum()))
        for j in block:
            yield from (
                ("phi", (matrix[j, k] * error[j] * error[k] - over_patients[j, k]) * np.sqrt(count))
                for k in range(j)
                if k not in block
            )
            odds = patients[:, j].mean() / (1 - patients[:, j].mean()) * np.exp(TILT * single[j])
            yield "share", -2 * np.log(error[j]) - np.log(events * odds / (1 + odds) ** 2) - SHARE_CENTRE
    for kept, effect in effects:
        places = [0, *kept]
        quadratic = np.linalg.solve(matrix[np.ix_(places, places)], (matrix @ b)[places])[0]
        far = (effect - quadratic) / hidden.model.covariance[0, 0] ** 0.5
        yield "subset", far
        yield "subset_scaled", far / quadratic_scale(float(weight.sum() - weight[places].sum()))


def _of_unit(hidden: Hidden, unit: str, block: tuple[int, ...], matrix: np.ndarray, left_out: float) -> Iterator[Error]:
    """Of a covariate's univariable numbers, or a factor's (kinds that end on `_level`; its overall test; its levels' shares)."""
    alone, b = hidden.alone[unit], hidden.model.b
    implied, error = (
        part[0] for part in univariable(matrix[None], b[None], [block if j in block else (j,) for j in range(b.size)])
    )
    ending = "_level" if len(block) > 1 else ""
    overall = overall_z(matrix[None], b[None], block)[0]
    for test in Test:
        z = hidden.tests[unit][test] ** 0.5
        yield f"z_{test}{ending}", z - overall
        yield f"z_scaled{ending}", (z - overall) / z_scale(z, left_out)
    for place, j in enumerate(block):
        se = alone.covariance[place, place] ** 0.5
        yield f"log_ratio{ending}", (alone.b[place] - implied[j]) / se
        yield f"log_ratio_scaled{ending}", (alone.b[place] - implied[j]) / se / quadratic_scale(left_out)
        yield f"log_se{ending}", np.log(se / error[j])
        yield f"log_se_scaled{ending}", np.log(se / error[j]) / se_scale(left_out)
        yield f"log_se_adjusted{ending}", np.log(hidden.model.covariance[j, j] ** 0.5 / se)
        yield from (("apart", matrix[j, k] / np.sqrt(matrix[j, j] * matrix[k, k])) for k in block if k != j)
    if ending:
        yield "reference", matrix[np.ix_(block, block)].sum(axis=1).min() / np.diag(matrix)[list(block)].max()
        size, between = group_sizes(matrix[None], block)[0], np.linalg.inv(matrix[np.ix_(block, block)])
        yield "weights", np.log(size.sum() / hidden.patients.event.sum())
        if len(block) > 2:
            yield from (("even", between[i, k] * size[0] - 1) for i, k in zip(*np.tril_indices(len(block), -1), strict=True))


def error_table() -> pd.DataFrame:
    """Least, median, largest error by kind over `CALIBRATING`, and quantiles of its size."""
    found: dict[str, list[float]] = {}
    for name, read in CALIBRATING.items():
        for _, _, hidden, truths in subsets(name, read, SUBSETS):
            for kind, value in errors_of(hidden, truths["subset"]):
                found.setdefault(kind, []).append(float(value))
    rows = []
    for kind, values in found.items():
        sizes = {f"size_{100 * level:g}_percent": float(np.quantile(np.abs(values), level)) for level in LEVELS}
        rows.append({"kind": kind, "errors": len(values), "least": min(values), "median": float(np.median(values)), **sizes})
    return pd.DataFrame(rows)
