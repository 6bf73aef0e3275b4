"""What an information matrix implies for the numbers that a paper prints, and how far off they are (METHODS 13).

The partial likelihood near its maximum is that of b ~ N(β, I⁻¹). Restricted to the covariates A it has its maximum at
I_AA⁻¹ (I b)_A, with information I_AA: so the univariable results follow from I and b.

The quadratic form is an approximation; how far real Cox models are from it was measured on 8 public data sets
(`experiments/multivariable`, results/errors.csv), and the scales below are those of Student t distributions with 4 degrees of freedom
that have the middle half, or 90 %, of these errors. `TOLERANCE` is the distance, in these scales, beyond which a number is named.

An estimate of a model without the covariates O is off by the third derivatives of the likelihood, which are of the order of 1 / √d (d events)
in standardised coefficients, times the squares of the coefficients that are set to 0: in its own standard errors by about
q = Σ_O (b_k / s_k)² / √d. The errors grow in proportion to it (`quadratic_scale`): none without anything of weight left out, half a
standard error without strong factors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from retrial.multivariable.printed import Overall, PrintedModel

NU = 4.0
"""Degrees of freedom of every error: the middle is narrow, and a number that is wrong must not carry the others along."""
MARGINS, MARGIN_NU = ("arms", "share", "rest"), 8.0
"""Kinds that are of the baseline table, and theirs: real errors have shorter tails (7 by maximum likelihood for shares, 14 for correlations, none of
1,100 beyond 5.3 scales), so that a standard error four times the one that events and shares allow tells collinearity, not a misprint."""
TOLERANCE = 4.6
"""99 % of a t with 4 degrees of freedom."""
LEAST_ERROR, ERROR_GROWTH, MOST_LEFT_OUT = 0.01, 0.07, 10.0
"""Of `quadratic_scale`: at q = 0, per unit of q, and the q up to which anything was measured."""
TEST_GROWTH = 0.07
"""Of `between_tests`."""
TWICE_SCALE, TWICE_GROWTH = 0.1, 0.05
"""Scale of |z| of a test beside that of its own ratio, at 0 and per unit of |z|: wider than `between_tests`, which few events (16 to 23) exceed."""
SE_SCALE, SE_GROWTH = 0.001, 0.0015
"""Scale of the log of the univariable standard error against I_jj^(-1/2), at q = 0 and per unit of q."""
UNIT_SE_SCALE = 0.02
"""The same of a ratio per unit of a quantity: 1 to 3.5 % off in the public data sets, where that of two groups is off by 0.1 %."""
ODDS_LOSS, ODDS_RATIO_GROWTH, ODDS_Z_GROWTH = 0.5, 0.2, 0.15
"""Of odds ratios, which change with adjustment without any confounding (Robinson and Jewell 1991, Int Stat Rev 59:227): how far the log of
I_jj^(-1/2) may be above that of the univariable standard error, because prognostic factors take information away, and how scales of log
ratios and of |z| grow with |z|. In simulated logistic models of 220 to 250 patients the first was up to 0.42; nothing was calibrated.
"""
UNBOUNDED = 30.0
""" |z| beyond which a bound stands for none: that of a p printed as below something."""
HAZARDS = "hazard_ratio"
PHI_SCALE = 0.9
"""Scale of the correlation of the information of treatment and covariate against that over patients, times the root of the patients: those at
risk later are some of them."""
SHARE_SCALE, SHARE_GROWTH, SHARE_CENTRE, TILT = 0.075, 0.07, -0.05, 0.75
"""Scale and middle of log I_jj against log(d w (1 - w)), d events, w the share of the group among those who have them: its share of the
patients, its odds times the univariable ratio to the power `TILT` (between the start, 0, and the hazards' shares, 1). As the power is not
known for sure the scale grows with what it moves log I_jj by, |b (1 - 2 w)|."""
APART_SCALE = 0.005
"""Scale of a correlation of information between exclusive groups above 0, in a Cox model always at or below it but for the quadratic form."""
WEIGHTS_SCALE, WEIGHTS_CENTRE = 0.04, -0.02
"""Scale and middle of the log of `share_of_events`."""
EVEN_SCALE = 0.03
"""Scale of an off-diagonal of the inverse information of three or more levels, over their mean, about 1."""
CAP_SCALE = 0.01
"""Scale of the excess of log I_jj over the most that the events tell of two groups."""
LEAST = 0.001 / TOLERANCE
"""Scale of the log of a printed standard error below the least that the events allow, which holds of every Cox model exactly: the audit's rule."""
NARROWER = 0.01 / TOLERANCE
"""Scale of the log of the adjusted over the univariable standard error, where it is below 0: at least -0.0015 in 843 covariates of real Cox
models, so that -0.01, seven times that, is named."""


@dataclass(frozen=True)
class Statistic:
    """One printed number: its kind and the covariate it is of.

    test, ratio, se   univariable |z|, log ratio and standard error, beside a matrix;  arms, share: the group's numbers in the baseline table
    cap        information of a group beside the most that the events tell;  least: a printed standard error beside the least that they allow
    events     the events beside the standard errors and shares of all covariates
    narrower   the adjusted standard error beside the univariable one;  twice: the univariable test beside the univariable ratio
    overall    √χ² of a whole factor, under its first level
    apart, reference   no patient is in two levels of a factor: information between `covariate` and `other` at most 0, and between
               `covariate` and the reference (the rest of its row) at least 0;  weights: the levels' events, of `group_sizes`, add to those that are
               printed;  even: of three or more levels the inverse information's off-diagonals are alike
    rest       the reference's share of the patients, as `share`
    """

    kind: str
    covariate: int
    other: int = -1


UNIVARIABLE, OF_FACTOR = ("test", "ratio", "se"), ("overall", "apart", "reference", "weights", "rest", "even")
"""Kinds that are of a printed univariable model, and those that are of all levels of a factor."""


def printed_statistics(model: PrintedModel) -> tuple[Statistic, ...]:
    """What is held against every matrix; a univariable test only where its ratio is not printed, of which it says the same.

    Shares of the patients say the information of a group, d w (1 - w), of a Cox model alone: in a logistic one d events in n patients are
    d (1 - d/n), less what the covariates explain.
    """
    found, by_share = [], model.events_printed and model.measure == HAZARDS
    for place in range(model.size):
        has_ratio = np.isfinite(model.unadjusted[place, 0])
        has = {
            "test": np.isfinite(model.test[place, 0]) and not has_ratio,
            "ratio": has_ratio,
            "se": np.isfinite(model.unadjusted_se[place, 0]),
            "arms": np.isfinite(model.with_treatment[place]) and model.treatment not in (None, place),
            "share": np.isfinite(model.share[place]) and by_share,
            "cap": bool(model.least_se[place]),
            "reference": len(model.blocks[place]) > 1,
        }
        found += [Statistic(kind, place) for kind, there in has.items() if there]
        later = [other for other in model.blocks[place] if other > place]
        found += [Statistic("apart", place, other) for other in later]
        found += [Statistic("even", place, other) for other in later if len(model.blocks[place]) > 2]
        if by_share and len(model.blocks[place]) > 1 and model.blocks[place][0] == place:
            left = 1.0 - float(model.share[list(model.blocks[place])].sum())
            found += [Statistic("weights", place), *([Statistic("rest", place)] if 0 < left < 1 else [])]
    return (*found, *(Statistic("overall", test.block[0]) for test in model.overall))


def information(correlation: np.ndarray, se: np.ndarray) -> np.ndarray:
    """I = (D R D)⁻¹, (N, p, p), of the correlations R of the estimates and their standard errors (N, p)."""
    return np.asarray(np.linalg.inv(correlation) / (se[:, :, None] * se[:, None, :]))


def univariable(matrix: np.ndarray, b: np.ndarray, fitted: Sequence[tuple[int, ...]] = ()) -> tuple[np.ndarray, np.ndarray]:
    """Univariable estimates and standard errors, (N, p) each: of a covariate by itself (I b)_j / I_jj and I_jj^(-1/2).

    `fitted` says for each covariate which ones its univariable model holds: of levels B of a factor, fitted together, I_BB⁻¹ (I b)_B
    and the roots of the diagonal of I_BB⁻¹.
    """
    diagonal, score = np.diagonal(matrix, axis1=1, axis2=2), np.einsum("nij,nj->ni", matrix, b)
    alone, error = score / diagonal, 1.0 / np.sqrt(diagonal)
    for place, block in enumerate(fitted):
        if len(block) > 1:
            covariance = np.linalg.inv(matrix[:, block][:, :, block])
            row = block.index(place)
            alone[:, place] = np.einsum("nj,nj->n", covariance[:, row], score[:, block])
            error[:, place] = np.sqrt(covariance[:, row, row])
    return alone, error


def inflation_by_others(matrix: np.ndarray, units: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Variance inflation by what is not of the same factor, (N, p): V_jj I_jj of a covariate by itself, of the k levels B of a factor
    (|V_BB| |I_BB|)^(1/k) (Fox and Monette 1992, J Am Stat Assoc 87:178), the same for each and whichever level is the reference."""
    covariance = np.linalg.inv(matrix)
    found = np.diagonal(covariance, axis1=1, axis2=2) * np.diagonal(matrix, axis1=1, axis2=2)
    for block in units:
        if len(block) > 1:
            logs = [np.linalg.slogdet(part[:, block][:, :, block])[1] for part in (covariance, matrix)]
            found[:, block] = np.exp((logs[0] + logs[1]) / len(block))[:, None]
    return found


def overall_z(matrix: np.ndarray, b: np.ndarray, block: tuple[int, ...]) -> np.ndarray:
    """√ of the Wald χ² of a factor's levels fitted together, β' I_BB β = (I b)_B' I_BB⁻¹ (I b)_B, (N,)."""
    score = np.einsum("nij,nj->ni", matrix, b)[:, block]
    inside = matrix[:, block][:, :, block]
    return np.asarray(np.sqrt(np.maximum(np.einsum("nj,nj->n", score, np.linalg.solve(inside, score[:, :, None])[..., 0]), 0.0)))


def group_sizes(matrix: np.ndarray, block: tuple[int, ...]) -> np.ndarray:
    """Events d w of the reference and of every level of a factor, (N, 1 + k), that its information has; at most 0 where no groups have it.

    Of shares w among d events it is d (diag(w) - w w'), whose inverse is (diag(1 / w) + 1 1' / w_0) / d: the off-diagonals are 1 / (d w_0).
    """
    covariance, size = np.linalg.inv(matrix[:, block][:, :, block]), len(block)
    diagonal = np.diagonal(covariance, axis1=1, axis2=2)
    between = (covariance.sum(axis=(1, 2)) - diagonal.sum(axis=1)) / (size * (size - 1))
    parts = np.column_stack([between, diagonal - between[:, None]])
    return np.asarray(1.0 / np.where(np.abs(parts) < _LEAST, _LEAST, parts))


def log_factor_prior(blocks: Sequence[tuple[int, ...]], matrix: np.ndarray) -> np.ndarray:
    """Log density, (N,), of the correlations within factors under shares of their groups that are uniform (Dirichlet(1, ..., 1)).

    With c = d w of `group_sizes` and log d flat it is Π c² / (Σ c)^(1 + k) over the inverse information: exact for two levels beside the
    reference, where c is all that there is. The same whichever level is the reference.
    """
    found = np.zeros(matrix.shape[0])
    for block in dict.fromkeys(block for block in blocks if len(block) > 1):
        size = group_sizes(matrix, block)
        right = (size > 0).all(axis=1)
        size = np.where(right[:, None], size, 1.0)
        found += np.where(right, 2 * np.log(size).sum(axis=1) - size.shape[1] * np.log(size.sum(axis=1)), _NO_GROUPS)
    return found


_NO_GROUPS = -60.0
_LEAST = 1e-6


def quadratic_error(model: PrintedModel, matrix: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Printed univariable log ratios less those that a matrix implies, (N, p), and the SD that the print leaves them; NaN where nothing is printed.
    And how many times a printed univariable SE is the implied one, at least 1.

    Where only a test is printed, the log ratio is its |z| times I_jj^(-1/2), with the sign that the matrix implies.
    """
    alone, error = univariable(matrix, b, model.fitted)
    middle = model.unadjusted.mean(axis=1)
    z = model.test.mean(axis=1)
    only = np.isfinite(z) & ~np.isfinite(middle)
    size = np.where(only, z, 0.0)
    printed = np.where(only, np.sign(alone) * size * error, middle)
    se = model.unadjusted_se.mean(axis=1)
    wider = np.maximum(np.where(np.isfinite(se), se, 0.0) / error, 1.0)
    return printed - alone, between_tests(size) * error, wider


def residuals(model: PrintedModel, asked: Sequence[Statistic], matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distance of every printed number, rounding taken off, from what a matrix implies, in scales of its error: (N, statistics)."""
    fitted, single = univariable(matrix, b, model.fitted), univariable(matrix, b)
    found = np.empty((matrix.shape[0], len(asked)))
    for column, item in enumerate(asked):
        if item.kind in UNIVARIABLE:
            found[:, column] = _of_univariable(model, item, *fitted)
        elif item.kind in OF_FACTOR:
            found[:, column] = _of_factor(model, item, matrix, b)
        else:
            found[:, column] = _distance(model, item, matrix, *single)
    return found


def _of_factor(model: PrintedModel, item: Statistic, matrix: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Distances of what is known of all levels of a factor together."""
    j, block = item.covariate, model.blocks[item.covariate]
    match item.kind:
        case "overall":
            test = overall_of(model, j)
            return outside(overall_z(matrix, b, block), *test.ends) / z_scale(test.middle, model.left_out[j])
        case "apart":
            together = matrix[:, j, item.other] / np.sqrt(matrix[:, j, j] * matrix[:, item.other, item.other])
            return np.maximum(together, 0.0) / APART_SCALE
        case "reference":
            return np.minimum(matrix[:, j][:, block].sum(axis=1) / matrix[:, j, j], 0.0) / APART_SCALE
        case "rest":
            inside = matrix[:, block][:, :, block].sum(axis=(1, 2))
            alone = -np.einsum("nij,nj->ni", matrix, b)[:, block].sum(axis=1) / inside
            far = _far_from_share(model, 1.0 - float(model.share[list(block)].sum()), np.log(inside), alone)
            return far / information_scale(model, item)
        case "even":
            size, covariance = group_sizes(matrix, block), np.linalg.inv(matrix[:, block][:, :, block])
            between = covariance[:, block.index(j), block.index(item.other)]
            return np.asarray((between * size[:, 0] - 1.0) / EVEN_SCALE)
    size = np.maximum(group_sizes(matrix, block), 0.0).sum(axis=1)
    return np.asarray((np.log(np.maximum(size, _LEAST) / model.events) - WEIGHTS_CENTRE) / WEIGHTS_SCALE)


def _far_from_share(model: PrintedModel, share: float, log_information: np.ndarray, alone: np.ndarray) -> np.ndarray:
    """Log information of a group by itself less log(d w (1 - w))."""
    odds = share / (1 - share) * np.exp(TILT * alone)
    return np.asarray(log_information - np.log(model.events) - np.log(odds) + 2 * np.log1p(odds) - SHARE_CENTRE)


def information_scale(model: PrintedModel, item: Statistic) -> float:
    """Scale of a kind whose errors are of the log information."""
    if item.kind == "cap":
        return CAP_SCALE
    if item.kind == "rest":
        return SHARE_SCALE
    share, b = float(model.share[item.covariate]), float(model.centre[item.covariate, 0])
    odds = share / (1 - share) * math.exp(TILT * b)
    return SHARE_SCALE + SHARE_GROWTH * abs(b * (1 - odds) / (1 + odds))


def overall_of(model: PrintedModel, position: int) -> Overall:
    """The test of the factor that a covariate is a level of."""
    return next(test for test in model.overall if position in test.block)


def _of_univariable(model: PrintedModel, item: Statistic, alone: np.ndarray, error: np.ndarray) -> np.ndarray:
    j = item.covariate
    match item.kind:
        case "test":
            z = alone[:, j] / error[:, j]
            z = z * model.side[j] if model.side[j] else np.abs(z)
            growth = ODDS_Z_GROWTH * tested(model, j) if model.measure != HAZARDS else 0.0
            return outside(z, *model.test[j]) / (z_scale(tested(model, j), model.left_out[j]) + growth)
        case "ratio":
            scale = quadratic_scale(model.left_out[j]) * error[:, j]
            if model.measure != HAZARDS:
                scale = scale + ODDS_RATIO_GROWTH * np.abs(alone[:, j])
            return outside(alone[:, j], *model.unadjusted[j]) / scale
    low, high = np.log(model.unadjusted_se[j])
    high = high + (ODDS_LOSS if model.measure != HAZARDS else 0.0)
    return outside(np.log(error[:, j]), low, high) / max(UNIT_SE_SCALE * model.per_unit[j], se_scale(model.left_out[j]))


def _distance(model: PrintedModel, item: Statistic, matrix: np.ndarray, alone: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Distances of what the information of one group by itself says."""
    j = item.covariate
    match item.kind:
        case "arms":
            treatment = model.treatment if model.treatment is not None else j
            together = matrix[:, treatment, j] * error[:, treatment] * error[:, j]
            return (together - model.with_treatment[j]) / (PHI_SCALE / np.sqrt(model.patients[j]))
        case "share":
            return _far_from_share(model, float(model.share[j]), -2 * np.log(error[:, j]), alone[:, j]) / information_scale(
                model, item
            )
    return np.maximum(2 * np.log(model.least_se[j] / error[:, j]), 0.0) / CAP_SCALE


def tested(model: PrintedModel, position: int) -> float:
    """|z| of a printed univariable test, the middle of its rounding; of a p below something the least."""
    low, high = (float(end) for end in model.test[position])
    return (low + high) / 2 if high < UNBOUNDED else low


def quadratic_scale(left_out: float) -> float:
    """Scale (t) or SD (normal) of an estimate less its quadratic form, in standard errors, where covariates of weight q are left out."""
    return LEAST_ERROR + ERROR_GROWTH * min(left_out, MOST_LEFT_OUT)


def se_scale(left_out: float) -> float:
    """The same of the log of its standard error."""
    return SE_SCALE + SE_GROWTH * min(left_out, MOST_LEFT_OUT)


def between_tests[T: (float, np.ndarray)](z: T) -> T:
    """SD of |z| of one test against that of another (Wald, score, likelihood ratio; papers do not say which): hardly any where |z| is small."""
    return TEST_GROWTH * z**2 / (1 + z)


def z_scale(z: float, left_out: float) -> float:
    """Scale of |z| of this size of a univariable test, or √χ² of a factor, less the implied one."""
    return float(np.hypot(quadratic_scale(left_out), between_tests(z)))


def outside[T: (float, np.ndarray)](value: T, low: float, high: float) -> T:
    """How far a value is below (negative) or above an interval."""
    return np.minimum(value - low, 0.0) + np.maximum(value - high, 0.0)


def log_likelihood(asked: Sequence[Statistic], distance: np.ndarray) -> np.ndarray:
    """Sum of log t densities of the distances (N, statistics), with `NU` or `MARGIN_NU` degrees of freedom, up to a constant, (N,)."""
    nu = np.array([MARGIN_NU if item.kind in MARGINS else NU for item in asked])
    return np.asarray((-0.5 * (nu + 1) * np.log1p(distance**2 / nu)).sum(axis=1))
