"""How far real Cox models are from the quadratic form of their multivariable likelihood: the scales in `multivariable.statistics`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from retrial.experiments.multivariable.cases import CALIBRATING
from retrial.experiments.multivariable.paper import Hidden, Test
from retrial.experiments.multivariable.study import subsets
from retrial.multivariable.statistics import SHARE_CENTRE, TILT

SUBSETS = 25
LEVELS = (0.5, 0.9, 0.95, 0.99)
Error = tuple[str, float]


def errors_of(hidden: Hidden, effects: list[tuple[tuple[int, ...], float]]) -> Iterator[Error]:
    """(kind, error): |z| of every test; univariable log ratio in its SE; log SE; correlation of the information less that over patients, times
    the root of the events; log I_jj less its expectation; effects adjusted for some covariates in SE over the root of those left out; and the
    log of the adjusted over the univariable SE."""
    names, b = hidden.model.names, hidden.model.b
    matrix = np.linalg.inv(hidden.model.covariance)
    alone, error = matrix @ b / np.diag(matrix), 1 / np.sqrt(np.diag(matrix))
    patients = hidden.patients.covariates[list(names)].to_numpy()
    events, over_patients = hidden.patients.event.sum(), np.corrcoef(patients.T)
    for j, name in enumerate(names):
        printed, se = hidden.alone[name].b[0], hidden.alone[name].covariance[0, 0] ** 0.5
        yield from ((f"z_{test}", hidden.tests[name][test] ** 0.5 - abs(alone[j] / error[j])) for test in Test)
        yield "log_ratio", (printed - alone[j]) / se
        yield "log_se", np.log(se / error[j])
        yield "log_se_adjusted", np.log(hidden.model.covariance[j, j] ** 0.5 / se)
        yield from (("phi", (matrix[j, k] * error[j] * error[k] - over_patients[j, k]) * np.sqrt(events)) for k in range(j))
        odds = patients[:, j].mean() / (1 - patients[:, j].mean()) * np.exp(TILT * alone[j])
        yield "share", -2 * np.log(error[j]) - np.log(events * odds / (1 + odds) ** 2) - SHARE_CENTRE
    for kept, effect in effects:
        places = [0, *kept]
        quadratic = np.linalg.solve(matrix[np.ix_(places, places)], (matrix @ b)[places])[0]
        yield "subset", (effect - quadratic) / hidden.model.covariance[0, 0] ** 0.5 / np.sqrt(len(names) - len(places))


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
