"""`Problem`: one endpoint's agreement region under each reading, as the plain arrays that the compiled sampler reads.

Rows 0, 1, 2 are control, experimental and both arms together. An interval is (low, high, scale): a value inside has energy 0,
a value outside |distance| / scale, scale being the tolerance that the agreement rule grants; NaN limits stand for "not printed".
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

EVENTS_PER_ARM, EVENTS_TOTAL, EVENTS_FREE, EVENTS_CONTROL, EVENTS_EXPERIMENTAL = 0, 1, 2, 3, 4
"""What the paper prints about the number of events (both arms', the total, nothing, one arm's); the sampler's moves keep it."""


EVENT_MODE, RULE, ESTIMATOR, TEST = 0, 1, 2, 3
FIRST_HELD, LAST_HELD, MEDIAN, LIMITS, PIECES, UNCENSORED, ON_CURVE, N_WHOLE = 4, 7, 10, 16, 28, 29, 30, 31
"""Places in a row of `Problem.whole`."""
MEDIAN_SE, BETA, CHI_SQUARE, SCALARS, Z_MEDIAN, N_REAL = 0, 6, 10, 11, 12, 13
"""Rows of a reading's part of `Problem.real`."""
Z_RATIO, START, CURVE_SCALE = 0, 1, 2
"""Columns of its row `SCALARS`."""
CURVE_COLUMNS = 5
"""Of `Problem.curve`: low, high and scale of S(t), low and high of the patients censored up to t."""


class Problem(NamedTuple):
    """T grid times, N patients, R readings; only `whole` and `real` differ between readings. (Few arrays, because compiled calls pay for every one.)

    times    (T,) in recording units
    inverse  (N + 1,) 0, 1, 1/2, ..., 1/N
    segment  (2, T, 2) first and last index to which a patient recorded at t may move: printed numbers at risk hold by
    construction
    printed  (2, S + 1) the number of printed times of each arm, then their grid indices: where shifts may go straight to
    curve    (2, P, 6) readings of a digitised curve and printed percentages: grid index, limits of S there with their scale, and of the
             censored up to there; NaN where not printed, index T where there is no more
    gaussians  (4, P, P) precisions and roots (2, P, P) factors of covariances of log hazards, see `retrial.tables.kernel.prior`
    log_factorial  (N + 1,)
    edges    (P + 1,) first grid times of the pieces on which hazards are constant, and T
    whole    (R, 31) EVENT_MODE which events are printed, one of EVENTS_*; RULE of the medians' intervals, ESTIMATOR of the hazard
             ratio and TEST of the χ² (codes of the readings, -1 none);
             FIRST_HELD (LAST_HELD) of each group the grid time up to (from) which somebody leaves, -1: no such time printed;
             MEDIAN first and last index of each group's printed median, -1 none (T: never reached); LIMITS the same of its lower
             and upper Brookmeyer-Crowley limit; PIECES of the grid in the prior, UNCENSORED how many of them, the first,
             have no censorings; ON_CURVE 1 where `curve` holds by construction, as numbers at risk do, and else counts as energy
    real     (R, 13, 3) intervals (low, high, scale): MEDIAN_SE by group two of the median's SE under the density rule, from its
             printed lower and upper limit with the median at the first index; BETA four of β, its lower and upper limit and Wald's
             z², CHI_SQUARE one; SCALARS: Z_RATIO normal quantile of the hazard ratio's level, START printed β, where Newton's
             method starts, CURVE_SCALE above 0 where `curve` has limits; Z_MEDIAN normal quantiles of the medians' levels
    """

    times: np.ndarray
    inverse: np.ndarray
    segment: np.ndarray
    printed: np.ndarray
    curve: np.ndarray
    gaussians: np.ndarray
    roots: np.ndarray
    log_factorial: np.ndarray
    edges: np.ndarray
    whole: np.ndarray
    real: np.ndarray


def together(problems: list[Problem]) -> Problem:
    """One problem whose readings are those of `problems`, in order; everything else must be the same in all of them."""
    return problems[0]._replace(
        whole=np.concatenate([problem.whole for problem in problems]), real=np.concatenate([problem.real for problem in problems])
    )
