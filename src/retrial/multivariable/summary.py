"""What the sampled matrices say of every covariate, beside what is printed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrial.multivariable.contradiction import WORDS, Contradictions
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import Matrices
from retrial.multivariable.statistics import TOLERANCE, tested, univariable


@dataclass(frozen=True, slots=True)
class CovariateSummary:
    """One covariate of a printed multivariable model; limits are equal-tailed, over the matrices.

    endpoint, contrast
    key, covariate   names in the section `multivariable` of the study file
    events           printed events of the endpoint; empty where none are printed
    se_adjusted, se_unadjusted   standard errors of the log ratio in the printed multivariable and univariable models
    variance_ratio   (se_adjusted / se_unadjusted)², from the print alone: near the variance inflation, but of two models
    inflation, inflation_lower, inflation_upper   variance inflation by the other covariates, V_jj I_jj, 1 without any correlation
    correlation, correlation_lower, correlation_upper   of the covariate's estimate with the treatment's
    printed_z        |z| of the univariable test: √χ², or from the univariable ratio
    implied_z, implied_z_lower, implied_z_upper   the same from the sampled matrices
    distance         of the printed univariable number under the nearest matrix, in scales of the quadratic form's error
    within           yes: every printed number of the covariate is within the tolerance (4.6 scales); no: some is not; empty: nothing univariable
                     is printed
    contradiction    which of its numbers no matrix carries, under which key of the study file, and by how much; empty where all go together
    """

    endpoint: str
    key: str
    covariate: str
    contrast: str
    events: float
    se_adjusted: float
    se_unadjusted: float
    variance_ratio: float
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
    contradiction: str


def covariate_rows(model: PrintedModel, matrices: Matrices, found: Contradictions, tail: float) -> list[CovariateSummary]:
    """A row a covariate; limits leave `tail` out at either end."""
    alone, error = univariable(matrices.information, matrices.b, model.fitted)
    z, correlation, inflation = np.abs(alone / error), matrices.correlation, matrices.inflation
    rows = []
    for place, name in enumerate(model.names):
        mine = [abs(one.scales) for one in found.found if one.item.covariate == place and one.item.kind in ("test", "ratio")]
        with_treatment = correlation[:, place, model.treatment] if model.treatment not in (None, place) else None
        words, single = found.of(place), float(model.unadjusted_se[place].mean())
        rows.append(
            CovariateSummary(
                model.endpoint,
                model.key,
                name,
                model.contrasts[place],
                model.events if model.events_printed else float("nan"),
                float(model.centre[place, 1]),
                single,
                float((model.centre[place, 1] / single) ** 2),
                *_limits(inflation[:, place], tail),
                *_limits(with_treatment, tail),
                _printed_z(model, place),
                *_limits(z[:, place], tail),
                max(mine, default=float("nan")),
                "no" if words else "yes" if mine else "",
                words,
            )
        )
    return rows


def overruled(model: PrintedModel, matrices: Matrices, found: Contradictions) -> str:
    """Printed numbers that some matrix carries beside all others, but the sampled ones do not: the prior of the correlations is against them."""
    far = np.median(np.abs(matrices.distance), axis=0) > TOLERANCE
    known = {one.item.covariate for one in found.named}
    items = [item for item, wrong in zip(matrices.asked, far, strict=True) if wrong and item.covariate not in known]
    names = ", ".join(dict.fromkeys(f"{WORDS[item.kind]} of {model.names[item.covariate]}" for item in items))
    return f"most sampled matrices do not carry the {names}: the prior of the correlations is against it" if names else ""


def _printed_z(model: PrintedModel, place: int) -> float:
    """√χ² of the univariable test, else |b| / s of the univariable ratio."""
    if np.isfinite(model.test[place, 0]):
        return tested(model, place)
    return float(abs(model.unadjusted[place].mean()) / model.unadjusted_se[place].mean())


def _limits(values: np.ndarray | None, tail: float) -> tuple[float, float, float]:
    """Median and limits."""
    if values is None:
        return (float("nan"),) * 3
    low, middle, high = (float(x) for x in np.quantile(values, [tail, 0.5, 1 - tail]))
    return middle, low, high
