"""What the sampled matrices say of every covariate, beside what is printed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import Matrices
from retrial.multivariable.statistics import TOLERANCE, univariable


@dataclass(frozen=True, slots=True)
class CovariateSummary:
    """One covariate of a printed multivariable model; limits are equal-tailed, over the matrices.

    endpoint, contrast
    key, covariate   names in the section `multivariable` of the study file
    events           printed events of the endpoint; empty where none are printed
    se_adjusted, se_unadjusted   standard errors of the log ratio in the printed multivariable and univariable models
    inflation, inflation_lower, inflation_upper   variance inflation by the other covariates, 1 without any correlation
    correlation, correlation_lower, correlation_upper   of the covariate's estimate with the treatment's
    printed_z        |z| of the univariable test: √χ², or from the univariable ratio
    implied_z, implied_z_lower, implied_z_upper   the same from the sampled matrices
    distance         median distance of the printed univariable number, in scales of the quadratic form's error
    within           yes: within the tolerance (4.6 scales); no: the tables do not go together; empty: nothing univariable is printed
    """

    endpoint: str
    key: str
    covariate: str
    contrast: str
    events: float
    se_adjusted: float
    se_unadjusted: float
    inflation: float
    inflation_lower: float
    inflation_upper: float
    correlation: float
    correlation_lower: float
    correlation_upper: float
    printed_z: float
    implied_z: float
    implied_z_lower: float
    implied_z_upper: float
    distance: float
    within: str


def covariate_rows(model: PrintedModel, matrices: Matrices, tail: float) -> list[CovariateSummary]:
    """A row a covariate; limits leave `tail` out at either end."""
    alone, error = univariable(matrices.information, matrices.b)
    z, correlation, inflation = np.abs(alone / error), matrices.correlation, matrices.inflation
    rows = []
    for place, name in enumerate(model.names):
        mine = [
            column for column, item in enumerate(matrices.asked) if item.covariate == place and item.kind in ("test", "ratio")
        ]
        far = float(np.median(np.abs(matrices.distance[:, mine[0]]))) if mine else float("nan")
        with_treatment = correlation[:, place, model.treatment] if model.treatment not in (None, place) else None
        rows.append(
            CovariateSummary(
                model.endpoint,
                model.key,
                name,
                model.contrasts[place],
                model.events if model.events_printed else float("nan"),
                float(model.centre[place, 1]),
                float(model.unadjusted_se[place].mean()),
                *_limits(inflation[:, place], tail),
                *_limits(with_treatment, tail),
                _printed_z(model, place),
                *_limits(z[:, place], tail),
                far,
                "" if not mine else "yes" if far <= TOLERANCE else "no",
            )
        )
    return rows


def contradiction(model: PrintedModel, matrices: Matrices) -> str:
    """Which printed univariable numbers and margins no matrix carries beside the ratios; empty where they all go together."""
    far = np.median(np.abs(matrices.distance), axis=0) > TOLERANCE
    named = [model.names[item.covariate] for item, wrong in zip(matrices.asked, far, strict=True) if wrong]
    return f"the printed tables contradict each other ({', '.join(dict.fromkeys(named))}): the nearest matrices" if named else ""


def _printed_z(model: PrintedModel, place: int) -> float:
    """√χ² of the univariable test, else |b| / s of the univariable ratio."""
    if np.isfinite(model.test[place, 0]):
        low, high = model.test[place]
        return float(low if not np.isfinite(high) else (low + high) / 2)
    return float(abs(model.unadjusted[place].mean()) / model.unadjusted_se[place].mean())


def _limits(values: np.ndarray | None, tail: float) -> tuple[float, float, float]:
    """Median and limits."""
    if values is None:
        return (float("nan"),) * 3
    low, middle, high = (float(x) for x in np.quantile(values, [tail, 0.5, 1 - tail]))
    return middle, low, high
