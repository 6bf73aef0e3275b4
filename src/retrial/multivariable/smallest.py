"""The smallest violation: how near any positive definite information matrix comes to all printed numbers at once.

One answer for the audit and for the fits: which printed numbers contradict each other, and by how much.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import optimize

from retrial.multivariable.correlation import matrices, pairs_of
from retrial.multivariable.events import smallest_standard_error
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import silent
from retrial.multivariable.statistics import (
    APART_SCALE,
    EVEN_SCALE,
    LEAST,
    NARROWER,
    NU,
    OF_FACTOR,
    TOLERANCE,
    TWICE_GROWTH,
    TWICE_SCALE,
    UNIVARIABLE,
    WEIGHTS_SCALE,
    Statistic,
    group_sizes,
    information,
    information_scale,
    log_likelihood,
    outside,
    overall_of,
    overall_z,
    printed_statistics,
    residuals,
    tested,
    univariable,
)

STARTS = 6
"""Least squares from that many matrices: a sign of a univariable effect that starts wrong may not turn."""
LEFT_OUT = 8
"""Numbers that are left out in turn where not all go together: the fewest that are named is looked for."""
SMALL = 0.1
"""Standard errors by which a contradiction may put a limit of a 95 % interval off before answers are shown as failed: an interval whose limits
are both that much too near still holds 93.7 %, one that is shifted by it 94.9 %; the quadratic form itself leaves 0.03 to 0.3."""
_SHARED = 0.5
"""Partial correlations of levels of one factor, which share a reference."""
EVENTS = 0.1 / TOLERANCE
"""Scale of the log of another number of events: beyond a tenth it is named."""
_FURTHEST = 0.9995
"""Largest partial correlation that is tried: beyond it two covariates are one."""
_STEP = 1e-6
_STEPS = 60
_SOME = 400
"""Points of which the likeliest are tried."""
_ONE = 0.5 / (STARTS + 2 * LEFT_OUT)
"""Share of one least squares of the most that there may be: twice all, where another number of events is tried."""


@dataclass(frozen=True, slots=True)
class Distance:
    """A printed number under the nearest matrix: `item` says which, `scales` how far in scales of the quadratic form's error.

    printed, nearest   on the number's own scale: |z| (test, twice), log ratio (ratio), SE (se, narrower, cap), information (share),
                       correlation (arms)
    moved   what that does to answers: how far it puts a limit of a 95 % interval off, in standard errors
    """

    item: Statistic
    scales: float
    printed: float
    nearest: float
    moved: float

    @property
    def named(self) -> bool:
        """Beyond the tolerance: not even the nearest matrix carries it beside the others."""
        return abs(self.scales) > TOLERANCE

    @property
    def serious(self) -> bool:
        """Named, and answers would be off by more than `SMALL`."""
        return self.named and self.moved > SMALL


def smallest_violation(model: PrintedModel, alive: Callable[[float], None] = silent) -> tuple[Distance, ...]:
    """Every printed number beside the nearest information matrix, and beside what is printed of the same covariate elsewhere.

    Of all matrices that were tried, the one under which the fewest numbers are beyond the tolerance, then the likeliest. Least squares over
    the partial correlations of the estimates, and over estimates and standard errors within their rounding; where no matrix
    carries all numbers, also with each of the furthest left out in turn. It ends after at most (`STARTS` + 2 `LEFT_OUT`) x 60 steps.
    Where another number of events makes most of what is named about the events go away, the events are what is named.
    `alive` is called with 0 after every step, and with the share of all work after every least squares, together at most 1.
    """
    found = _violation(model, alive)
    blamed = [one for one in found if one.named and one.item.kind in OF_EVENTS]
    if len({one.item.covariate for one in blamed}) < 2:
        return found
    events = _events_needed(model, found)
    other = _violation(replace(model, events=events, least_se=_least_of(model, events)), alive)
    still = [one for one in other if one.named and one.item.kind in OF_EVENTS]
    if 2 * len(still) > len(blamed) or sum(one.named for one in other) >= sum(one.named for one in found):
        return found
    far = float(np.log(events / model.events))
    said = Distance(Statistic("events", 0), -far / EVENTS, model.events, events, _Z * abs(far) / 2)
    return (*other, said)


OF_EVENTS = ("cap", "least", "share", "rest", "weights")
"""Kinds in which the events stand."""


def _events_needed(model: PrintedModel, found: Sequence[Distance]) -> float:
    """The events that the numbers ask for: the middle of what the groups' shares say, and no fewer than the standard errors need."""
    logs = [one.scales * information_scale(model, one.item) for one in found if one.item.kind in ("share", "rest")]
    middle = model.events * float(np.exp(np.median(logs))) if logs else model.events
    errors = model.pools[:, :, 1].max(axis=1)[model.least_se > 0]
    return max(middle, float((4.0 / errors**2).max(initial=0.0)))


def _least_of(model: PrintedModel, events: float) -> np.ndarray:
    """The smallest SE by another number of events."""
    return np.where(model.least_se > 0, smallest_standard_error(events) * (1 - 1e-9), 0.0)


def _violation(model: PrintedModel, alive: Callable[[float], None]) -> tuple[Distance, ...]:
    asked = printed_statistics(model)
    best = _nearest(model, asked, alive)
    matrix, b = matrix_at(model, best[None])
    scales = residuals(model, asked, matrix, b)[0]
    found = [_of_matrix(model, item, float(far), matrix[0], b[0]) for item, far in zip(asked, scales, strict=True)]
    twice = [item for place in range(model.size) for item in _twice(model, place)]
    # an adjusted SE below the univariable one, or below the least, is the same finding, and says more
    known = {("se" if one.item.kind == "narrower" else "cap", one.item.covariate) for one in twice if one.named}
    return (*(one for one in found if (one.item.kind, one.item.covariate) not in known), *twice)


def _nearest(model: PrintedModel, asked: Sequence[Statistic], alive: Callable[[float], None]) -> np.ndarray:
    """The point (partial correlations, b, s) of the nearest matrix."""
    random = np.random.default_rng(0)
    centre = np.concatenate([np.where(model.within, _SHARED, 0.0), *model.centre.T])
    tried = [centre]
    some = np.vstack([centre, starting_points(model, lambda x: _distances(model, asked, x), random, STARTS - 1)])
    for start in range(STARTS if asked else 0):
        tried.append(_least_squares(model, asked, some[start], alive))
        alive(_ONE)
        if _fits(model, asked, tried[-1]):
            return tried[-1]
    ranks = [_rank(model, asked, x) for x in tried]
    best = tried[ranks.index(min(ranks))]
    if min(ranks)[0] == 0:
        return best
    furthest = np.argsort(-np.abs(_distances(model, asked, best[None])[0]), kind="stable")[:LEFT_OUT]
    for place in furthest:
        others = [item for other, item in enumerate(asked) if other != place]
        for x in (best, centre):
            tried.append(_least_squares(model, others, x, alive))
            alive(_ONE)
    ranks = [_rank(model, asked, x) for x in tried]
    best = tried[ranks.index(min(ranks))]
    return min((best, _least_squares(model, asked, best, alive, robust=True)), key=lambda x: _rank(model, asked, x))


def starting_points(
    model: PrintedModel, distances: Callable[[np.ndarray], np.ndarray], random: np.random.Generator, count: int
) -> np.ndarray:
    """So many points from which to look for a minimum: half of them near no correlation, half the likeliest of `_SOME` in which single pairs of
    covariates are strongly correlated."""
    pairs, near = pairs_of(model.size), (count + 1) // 2
    z = np.where(model.within, _SHARED, 0.0) + random.uniform(-0.3, 0.3, (near + _SOME, pairs))
    strong = random.uniform(size=(_SOME, pairs)) < max(2 / pairs, 0.1)
    z[near:] = np.where(strong, random.uniform(-0.97, 0.97, (_SOME, pairs)), z[near:])
    x = np.column_stack([z, np.tile(np.concatenate(model.centre.T), (near + _SOME, 1))])
    loss = np.log1p(distances(x[near:]) ** 2 / NU).sum(axis=1)
    return np.vstack([x[:near], x[near:][np.argsort(loss, kind="stable")[: count - near]]])


def _fits(model: PrintedModel, asked: Sequence[Statistic], x: np.ndarray) -> bool:
    """Whether nothing is left to be found: every number within half of a scale."""
    return bool(np.abs(_distances(model, asked, x[None])).max(initial=0.0) < 0.5)


def _rank(model: PrintedModel, asked: Sequence[Statistic], x: np.ndarray) -> tuple[int, float]:
    """How many numbers are beyond the tolerance, and minus the log likelihood."""
    distance = _distances(model, asked, x[None])
    return int((np.abs(distance) > TOLERANCE).sum()), -float(log_likelihood(asked, distance)[0])


def _least_squares(
    model: PrintedModel, asked: Sequence[Statistic], start: np.ndarray, alive: Callable[[float], None], *, robust: bool = False
) -> np.ndarray:
    """The nearest point to all that is asked."""
    return least_squares(model, lambda x: _distances(model, asked, x), start, robust=robust, alive=alive)


def least_squares(
    model: PrintedModel,
    distances: Callable[[np.ndarray], np.ndarray],
    start: np.ndarray,
    *,
    robust: bool = False,
    alive: Callable[[float], None] = silent,
) -> np.ndarray:
    """A minimum over partial correlations, b and s of the sum of squares of `distances` (of points (N, variables), (N, numbers)).

    robust: of log(1 + d² / 4), the likelihood's own loss, which leaves a wrong number alone. `alive(0)` is called after every step.
    """
    size = model.size
    low, high = (np.concatenate([np.full(pairs_of(size), sign * _FURTHEST), *_rounding(model, sign)]) for sign in (-1, 1))

    def of_one(x: np.ndarray) -> np.ndarray:
        return np.asarray(distances(x[None])[0])

    def jacobian(x: np.ndarray) -> np.ndarray:
        """(numbers, variables), by forward differences away from the bounds, all in one pass."""
        steps = np.where(x > 0, -_STEP, _STEP)
        found = distances(np.vstack([x, x + np.diag(steps)]))
        alive(0.0)
        return np.asarray(((found[1:] - found[0]) / steps[:, None]).T)

    at = np.clip(start, low + 1e-12, high - 1e-12)
    loss: Literal["cauchy", "linear"] = "cauchy" if robust else "linear"
    found = optimize.least_squares(of_one, at, jac=jacobian, bounds=(low, high), max_nfev=_STEPS, loss=loss, f_scale=NU**0.5)
    return np.asarray(found.x)


def _of_matrix(model: PrintedModel, item: Statistic, scales: float, matrix: np.ndarray, b: np.ndarray) -> Distance:
    """A number beside what the nearest matrix implies."""
    j = item.covariate
    fitted = model.fitted if item.kind in UNIVARIABLE else ()
    alone, error = (float(part[0, j]) for part in univariable(matrix[None], b[None], fitted))
    match item.kind:
        case kind if kind in OF_FACTOR:
            return _of_levels(model, item, scales, matrix, b)
        case "test":
            printed, nearest = tested(model, j), abs(alone / error)
            moved = abs(outside(nearest, *model.test[j]))
        case "ratio":
            printed, nearest = float(model.unadjusted[j].mean()), alone
            moved = abs(outside(nearest, *model.unadjusted[j])) / error
        case "arms":
            treatment = model.treatment if model.treatment is not None else j
            printed = float(model.with_treatment[j])
            nearest = float(matrix[treatment, j] * error / np.sqrt(matrix[treatment, treatment]))
            # leaving out covariate j moves the treatment's estimate by about its correlation times |z| of the covariate
            moved = abs(nearest - printed) * abs(float(b[j])) / float(model.centre[j, 1])
        case "se":
            printed, nearest = float(model.unadjusted_se[j].mean()), error
            moved = _Z * abs(outside(float(np.log(error)), *np.log(model.unadjusted_se[j])))
        case "share":
            nearest = error**-2
            far = scales * information_scale(model, item)
            printed, moved = nearest * float(np.exp(-far)), _Z * abs(far) / 2
        case _:
            printed, nearest = error, float(model.least_se[j])
            moved = _Z * abs(scales) * information_scale(model, item) / 2
    return Distance(item, scales, printed, float(nearest), float(moved))


def _of_levels(model: PrintedModel, item: Statistic, scales: float, matrix: np.ndarray, b: np.ndarray) -> Distance:
    """What is known of all levels of a factor, beside the nearest matrix."""
    j, block = item.covariate, model.blocks[item.covariate]
    if item.kind == "overall":
        printed = overall_of(model, j)
        nearest = float(overall_z(matrix[None], b[None], block)[0])
        return Distance(item, scales, printed.middle, nearest, abs(float(outside(nearest, *printed.ends))))
    if item.kind == "weights":
        size = float(group_sizes(matrix[None], block)[0].sum())
        return Distance(item, scales, model.events, size, _Z * abs(scales) * WEIGHTS_SCALE / 2)
    if item.kind == "rest":
        nearest = float(matrix[np.ix_(block, block)].sum())
        far = scales * information_scale(model, item)
        return Distance(item, scales, nearest * float(np.exp(-far)), nearest, _Z * abs(far) / 2)
    scaled = scales * (EVEN_SCALE if item.kind == "even" else APART_SCALE)
    return Distance(item, scales, 0.0, scaled, abs(scaled) * _Z)


def _twice(model: PrintedModel, place: int) -> Iterator[Distance]:
    """What needs no matrix: a SE below what the events allow, an adjusted SE below the univariable one, and a univariable test beside its own
    ratio."""
    if model.least_se[place]:
        below = min(float(np.log(model.pools[place, :, 1].max() / model.least_se[place])), 0.0)
        found = Statistic("least", place), below / LEAST, float(model.centre[place, 1]), float(model.least_se[place])
        yield Distance(*found, _Z * abs(below))
    if not np.isfinite(model.unadjusted_se[place, 0]):
        return
    low, high = (float(end) for end in model.unadjusted_se[place])
    adjusted = model.pools[place, :, 1]
    gap = min(float(np.log(adjusted.max() / low)), 0.0)
    yield Distance(
        Statistic("narrower", place), gap / NARROWER, (low + high) / 2, float(adjusted.mean()), _Z * abs(gap) * (gap < 0)
    )
    if np.isfinite(model.test[place, 0]):
        sizes = np.abs(model.unadjusted[place])
        crosses = model.unadjusted[place].prod() < 0
        ends = (0.0 if crosses else float(sizes.min()) / high, float(sizes.max()) / low)
        below, above = (float(end) for end in model.test[place])
        gap = max(below - ends[1], 0.0) - max(ends[0] - above, 0.0)
        printed = tested(model, place)
        yield Distance(Statistic("twice", place), gap / (TWICE_SCALE + TWICE_GROWTH * printed), printed, sum(ends) / 2, abs(gap))


_Z = 1.96


def _rounding(model: PrintedModel, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """Ends of estimates and standard errors within their rounding, a little apart so that a search may start inside."""
    ends = model.pools.max(axis=1) if sign > 0 else model.pools.min(axis=1)
    return ends[:, 0] + sign * 1e-9, ends[:, 1] + sign * 1e-9


def matrix_at(model: PrintedModel, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """I and b of points (N, pairs + 2 p)."""
    pairs = pairs_of(model.size)
    b, s = x[:, pairs : pairs + model.size], x[:, pairs + model.size :]
    return information(matrices(x[:, :pairs], model.size), s), b


def _distances(model: PrintedModel, asked: Sequence[Statistic], x: np.ndarray) -> np.ndarray:
    return residuals(model, asked, *matrix_at(model, x))
