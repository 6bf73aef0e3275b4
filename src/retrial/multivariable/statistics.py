"""What an information matrix implies for the numbers that a paper prints, and how far off they are (METHODS 13).

The partial likelihood near its maximum is that of b ~ N(β, I⁻¹). Restricted to the covariates A it has its maximum at
I_AA⁻¹ (I b)_A, with information I_AA: so the univariable results follow from I and b.

The quadratic form is an approximation; how far real Cox models are from it was measured on 8 public data sets
(`experiments/multivariable`, results/errors.csv), and the scales below are those of Student t distributions with 4 degrees of freedom
that have the middle half of these errors. `TOLERANCE` is the distance, in these scales, beyond which a number is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrial.multivariable.printed import PrintedModel

NU = 4.0
"""Degrees of freedom of every error: the middle is narrow, and a number that is wrong must not carry the others along."""
TOLERANCE = 4.6
"""99 % of a t with 4 degrees of freedom."""
Z_SCALE, Z_GROWTH = 0.1, 0.05
"""Scale of |z| printed minus implied, at 0 and per unit of |z|: Wald, score and likelihood-ratio tests alike, for papers do not say which."""
LOG_RATIO_SCALE = 0.15
"""Scale of the univariable log ratio, in its standard errors."""
SE_SCALE = 0.005
"""Scale of the log of the univariable standard error against I_jj^(-1/2)."""
PHI_SCALE = 0.5
"""Scale of the correlation of the information of treatment and covariate against that over patients, times the root of the events."""
SHARE_SCALE, SHARE_CENTRE, TILT = 0.1, -0.05, 0.75
"""Scale and middle of log I_jj against log(d w (1 - w)), d events, w the share of the group among those who have them: its share of the
patients, its odds times the univariable ratio to the power `TILT` (between the start, 0, and the hazards' shares, 1)."""
CAP_SCALE = 0.01
"""Scale of the excess of log I_jj over log(d / 4), the most that d events tell of two groups."""
SUBSET_ERROR = 0.055
"""SD of an estimate adjusted for some covariates against its quadratic form, in standard errors, times the root of the covariates left out."""
TEST_ERROR = 0.1
"""SD of |z| of one univariable test against that of another (Wald, score, likelihood ratio)."""
NARROWER = 0.01 / TOLERANCE
"""Scale of the log of the adjusted over the univariable standard error, where it is below 0: at least -0.0015 in 843 covariates of real Cox
models, so that -0.01, seven times that, is named."""


@dataclass(frozen=True)
class Statistic:
    """One printed number: its kind and the covariate it is of.

    test, ratio, se   univariable |z|, log ratio and standard error, beside a matrix;  arms, share: the group's numbers in the baseline table
    cap        a standard error beside the least that the events allow
    narrower   the adjusted standard error beside the univariable one;  twice: the univariable test beside the univariable ratio
    """

    kind: str
    covariate: int

    @property
    def scale(self) -> float:
        """Of a kind whose errors are of the log information."""
        return SHARE_SCALE if self.kind == "share" else CAP_SCALE


def printed_statistics(model: PrintedModel) -> tuple[Statistic, ...]:
    """What is held against every matrix; a univariable test only where its ratio is not printed, of which it says the same."""
    found = []
    for place in range(model.size):
        has_ratio = np.isfinite(model.unadjusted[place, 0])
        has = {
            "test": np.isfinite(model.test[place, 0]) and not has_ratio,
            "ratio": has_ratio,
            "se": np.isfinite(model.unadjusted_se[place, 0]),
            "arms": np.isfinite(model.with_treatment[place]) and model.treatment not in (None, place),
            "share": np.isfinite(model.share[place]) and model.events_printed,
            "cap": model.events_printed and not model.per_unit[place],
        }
        found += [Statistic(kind, place) for kind, there in has.items() if there]
    return tuple(found)


def information(correlation: np.ndarray, se: np.ndarray) -> np.ndarray:
    """I = (D R D)⁻¹, (N, p, p), of the correlations R of the estimates and their standard errors (N, p)."""
    return np.asarray(np.linalg.inv(correlation) / (se[:, :, None] * se[:, None, :]))


def univariable(matrix: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Univariable estimates (I b)_j / I_jj and standard errors I_jj^(-1/2), (N, p) each."""
    diagonal = np.diagonal(matrix, axis1=1, axis2=2)
    return np.einsum("nij,nj->ni", matrix, b) / diagonal, 1.0 / np.sqrt(diagonal)


def quadratic_error(model: PrintedModel, matrix: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Printed univariable log ratios less those that a matrix implies, (N, p), and the SD that the print leaves them; NaN where nothing is printed.
    And how many times a printed univariable SE is the implied one, at least 1.

    Where only a test is printed, the log ratio is its |z| times I_jj^(-1/2), with the sign that the matrix implies.
    """
    alone, error = univariable(matrix, b)
    middle = model.unadjusted.mean(axis=1)
    z = model.test.mean(axis=1)
    only = np.isfinite(z) & ~np.isfinite(middle)
    printed = np.where(only, np.sign(alone) * np.where(only, z, 0.0) * error, middle)
    se = model.unadjusted_se.mean(axis=1)
    wider = np.maximum(np.where(np.isfinite(se), se, 0.0) / error, 1.0)
    return printed - alone, np.where(only, TEST_ERROR * error, 0.0), wider


def residuals(model: PrintedModel, asked: Sequence[Statistic], matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of every printed number, rounding taken off, from what a matrix implies, in scales of its error: (N, statistics)."""
    alone, error = univariable(matrix, b)
    found = np.empty((matrix.shape[0], len(asked)))
    for column, item in enumerate(asked):
        found[:, column] = _distance(model, item, matrix, alone, error)
    return found


def _distance(model: PrintedModel, item: Statistic, matrix: np.ndarray, alone: np.ndarray, error: np.ndarray) -> np.ndarray:
    j = item.covariate
    match item.kind:
        case "test":
            return outside(np.abs(alone[:, j] / error[:, j]), *model.test[j]) / z_scale(tested(model, j))
        case "ratio":
            return outside(alone[:, j], *model.unadjusted[j]) / (LOG_RATIO_SCALE * error[:, j])
        case "se":
            return outside(np.log(error[:, j]), *np.log(model.unadjusted_se[j])) / SE_SCALE
        case "arms":
            treatment = model.treatment if model.treatment is not None else j
            together = matrix[:, treatment, j] * error[:, treatment] * error[:, j]
            return (together - model.with_treatment[j]) / (PHI_SCALE / np.sqrt(model.events))
        case "share":
            odds = model.share[j] / (1 - model.share[j]) * np.exp(TILT * alone[:, j])
            expected = np.log(model.events) + np.log(odds) - 2 * np.log1p(odds)
            return (-2 * np.log(error[:, j]) - expected - SHARE_CENTRE) / SHARE_SCALE
    return np.maximum(-2 * np.log(error[:, j]) - np.log(model.events / 4), 0.0) / CAP_SCALE


def tested(model: PrintedModel, position: int) -> float:
    """|z| of a printed univariable test, the middle of its rounding."""
    low, high = (float(end) for end in model.test[position])
    return (low + high) / 2 if np.isfinite(high) else low


def z_scale(z: float) -> float:
    """Scale of the errors of a |z| of this size."""
    return Z_SCALE + Z_GROWTH * z


def outside[T: (float, np.ndarray)](value: T, low: float, high: float) -> T:
    """How far a value is below (negative) or above an interval."""
    return np.minimum(value - low, 0.0) + np.maximum(value - high, 0.0)


def log_likelihood(distance: np.ndarray) -> np.ndarray:
    """Sum of log t densities with `NU` degrees of freedom, up to a constant, (N,)."""
    return np.asarray(-0.5 * (NU + 1) * np.log1p(distance**2 / NU).sum(axis=1))
