"""Printed ratios: the published row, its logarithm with the SE that its interval implies, and Wald's p beside the printed one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.stats import norm

from retrial.dims import CONTROL
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import one_sided, published, with_interval
from retrial.frequentist.rows import RATIO, RowMaker, wald_p, z_quantile
from retrial.study.fields import Interval, OneLimit
from retrial.study.sections import Effect, Measure
from retrial.study.study import Study

_OfTwo = Callable[[np.ndarray, np.ndarray], Any]


@dataclass(frozen=True, slots=True)
class LogRatio:
    """A printed ratio on the log scale: estimate log(ratio), and the SE that its interval or p implies.

    A treatment effect is experimental / control, whatever the file's order; `contrast` says which groups, `adjusted_for` the covariates.
    `level` is that of the printed interval, `source` its place and how the SE was found, `note` what its rounding leaves open.
    """

    measure: Measure
    contrast: str
    adjusted_for: str
    estimate: float
    se: float
    level: float
    source: str
    note: str = ""

    @property
    def z(self) -> float:
        return self.estimate / self.se

    @property
    def p(self) -> float:
        """Two-sided p of Wald's test."""
        return wald_p(self.estimate, self.se)

    def limits(self, level: float | None = None) -> tuple[float, float]:
        """Limits of the log ratio, estimate -+ z SE, at the printed level or another."""
        half = z_quantile(self.level if level is None else level) * self.se
        return self.estimate - half, self.estimate + half


COARSE = 0.1
"""Shift of an end of the interval, in standard errors, from which on the rounding of the print is carried into estimate and SE."""
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


def log_ratio(effect: Effect, key: str = "effect", where: str = "") -> LogRatio:
    """Log of a printed ratio and its SE, for the normal model.

    The estimate is the printed ratio's log. With limits (l, u) at the level with quantile z, SE = log(u / l) / (2 z) (Parmar
    et al. 1998, Stat Med 17:2815); else the printed SE; else SE = |log ratio| / z(p / 2) from the printed p (a one-sided p doubled). Where
    the rounding of these numbers moves an end of the interval by `COARSE` SE, estimate and SE are the mean of y and the root of
    E(s²) + Var(y) over all (y, s) that round to the print, each as likely as the next. `key` is the effect's key in the study file, for
    messages. Raises `DataError` where nothing gives an SE.
    """
    sign = -1.0 if is_inverted(effect) else 1.0
    interval, estimate = effect.interval, math.log(effect.estimate.value)
    z = z_quantile(effect.interval_level)
    if interval is not None:
        se, how = math.log(interval.upper.value / interval.lower.value) / (2 * z), _origin_of_se(effect)
    else:
        se, how = _se_from_p(effect, estimate, key), "the printed p"
    nodes = _allowed(effect)
    shift = float(np.max(np.maximum(abs(nodes[0] - estimate), z * abs(nodes[1] - se)))) / se if nodes.size else 0.0
    if shift > COARSE:
        y, s, weight = nodes
        center = float(weight @ y)
        estimate, se = center, math.sqrt(float(weight @ (s**2 + (y - center) ** 2)))
        how += ", over all values that round to the print"
    place = f"{effect_source(effect, key, where)}; SE from {how}"
    return LogRatio(
        effect.measure,
        contrast_of(effect),
        covariates_of(effect),
        sign * estimate,
        se,
        effect.interval_level,
        place,
        undecided(effect),
    )


def undecided(effect: Effect) -> str:
    """In words, that rounding decides whether the printed interval (or p) excludes a ratio of 1; empty where it does not."""
    limits = (effect.interval.lower, effect.interval.upper) if effect.interval is not None else ()
    for limit in limits:
        if limit.low <= 1 <= limit.high:
            at = f"its limit {limit} stands for {limit.low:.4g} to {limit.high:.4g}"
            return f"rounding decides whether the printed interval excludes 1: {at}"
    p = effect.two_sided_p
    if not limits and p is not None and p.low < 1 - effect.level < p.high:
        return f"rounding decides whether the {100 * effect.level:g} % interval excludes 1: p {p} stands for {p.low:.4g} to {p.high:.4g}"
    return ""


def _origin_of_se(effect: Effect) -> str:
    if isinstance(effect.ci, OneLimit):
        return f"the printed {'upper' if effect.ci.is_upper else 'lower'} limit (one-sided {100 * effect.level:g} %)"
    return "the printed interval" if effect.ci is not None else "the print"


def _allowed(effect: Effect) -> np.ndarray:
    """Nodes (3, k) of y, s and weight over all log ratios and SEs that round to the print; of all numbers apart where none fit together."""
    point = effect.estimate.first
    y = _spread(math.log(point.low), math.log(point.high))
    if isinstance(effect.ci, Interval):
        return _symmetric(effect) if point.low > 0 else np.empty((3, 0))
    if isinstance(effect.ci, OneLimit):
        limit, is_upper, z = effect.ci.limit.first, effect.ci.is_upper, z_quantile(effect.interval_level)
        ends = _spread(math.log(limit.low), math.log(limit.high))
        return _pairs(y, ends, lambda u, v: abs(v - u) / z, lambda u, v: (v > u) == is_upper)
    if effect.se is not None:
        return _pairs(y, _spread(effect.se.low, effect.se.high), lambda _, v: v, lambda _, v: v > 0)
    p = effect.two_sided_p
    if p is None:
        return np.empty((3, 0))
    return _pairs(y, _spread(max(p.low, 0.0), p.high), lambda u, v: abs(u) / norm.isf(v / 2), lambda _, v: (v > 0) & (v < 1))


def _spread(low: float, high: float) -> np.ndarray:
    """Gauss-Legendre points (2, 8) of a uniform number: values and weights."""
    return np.stack([(low + high) / 2 + (high - low) / 2 * _NODES, _WEIGHTS / 2])


def _pairs(y: np.ndarray, other: np.ndarray, se: _OfTwo, holds: _OfTwo) -> np.ndarray:
    """Nodes of y and of the SE that y and another number imply, where both can be together."""
    u, v = (grid.ravel() for grid in np.meshgrid(y[0], other[0], indexing="ij"))
    kept = np.asarray(holds(u, v), dtype=bool)
    weight = np.where(kept, np.outer(y[1], other[1]).ravel(), 0.0)[kept]
    return np.stack([u[kept], se(u[kept], v[kept]) + 0 * u[kept], weight / weight.sum()]) if kept.any() else np.empty((3, 0))


def _symmetric(effect: Effect) -> np.ndarray:
    """Nodes of the polygon {y in the ratio's rounding, y - z s and y + z s in the limits'}: along y, then along s.

    Where it is empty (another interval than Wald's) estimate and SE are taken apart.
    """
    ci, point, z = effect.interval, effect.estimate.first, z_quantile(effect.level)
    if ci is None:
        return np.empty((3, 0))
    (l0, l1), (u0, u1) = ((math.log(end.low), math.log(end.high)) for end in (ci.lower, ci.upper))
    first, last = max(math.log(point.low), (l0 + u0) / 2), min(math.log(point.high), (l1 + u1) / 2)
    if first >= last:
        y = _spread(math.log(point.low), math.log(point.high))
        return _pairs(y, _spread((u0 - l1) / (2 * z), (u1 - l0) / (2 * z)), lambda _, v: v, lambda _, v: v > 0)
    edges = sorted({first, last, *(edge for edge in ((l1 + u0) / 2, (l0 + u1) / 2) if first < edge < last)})
    parts = [_spread(low, high) * [[1.0], [high - low]] for low, high in pairwise(edges)]
    y, weight = np.concatenate(parts, axis=1)
    low, high = np.maximum(y - l1, u0 - y), np.minimum(y - l0, u1 - y)
    half = (low + high) / 2 + np.outer(_NODES, (high - low) / 2)
    weights = np.outer(_WEIGHTS, weight * (high - low))
    return np.stack([np.tile(y, _NODES.size), half.ravel() / z, weights.ravel() / weights.sum()])


def _se_from_p(effect: Effect, estimate: float, key: str) -> float:
    title, p = f"no standard error for effects.{key}", effect.two_sided_p
    if p is None or effect.p is None:
        raise DataError(title, [f"effects.{key}: got neither ci nor se nor p; one of them is needed"])
    if p.first.relation or not 0 < p.value < 1 or not p.high < 1:
        allowed = "allowed without ci and se is a p between 0 and 1, such as 0.042"
        raise DataError(title, [f"effects.{key}.p: got {effect.p} and no ci; {allowed}"])
    point = effect.estimate.first
    if point.low <= 1 <= point.high:
        why = f"a ratio that may be 1 ({point.low:.4g} to {point.high:.4g} as rounded) and its p say nothing of the SE; give ci or se"
        raise DataError(title, [f"effects.{key}.{effect.given}: got {point} and no ci; {why}"])
    return abs(estimate) / float(norm.isf(p.value / 2))


def is_inverted(effect: Effect) -> bool:
    """Whether the file has a treatment effect as control / experimental."""
    return effect.is_treatment and effect.numerator == CONTROL


def contrast_of(effect: Effect) -> str:
    """ "experimental / control"; a covariate's groups in the file's order."""
    return RATIO if effect.is_treatment else f"{effect.numerator} / {effect.denominator}"


def covariates_of(effect: Effect) -> str:
    """What a ratio is adjusted for: "bclc, afp"."""
    return ", ".join(effect.adjusted_for)


def effect_endpoint(effect: Effect, key: str) -> str:
    """Endpoint that a printed ratio is about; its own key where the file names none."""
    return effect.endpoint or key


def effect_source(effect: Effect, key: str, where: str = "") -> str:
    """Place and row label of an effect, and what was done about its direction."""
    place = ", ".join(part for part in (effect.where or where, effect.label or key.replace("_", " ")) if part)
    notes = []
    if is_inverted(effect):
        notes.append("inverted from control / experimental")
    if effect.label_direction == "reversed":
        notes.append("the printed label names the opposite direction")
    return "; ".join([place, *notes])


def effect_estimates(study: Study) -> list[Estimate]:
    """Rows of every printed ratio (`study.effects`), covariates included.

    Published ratio and p as printed (a treatment effect turned to experimental / control); log ratio with SE; Wald's p, to be
    read against the printed one. Where no SE can be found, rows with a status that names the missing key.
    """
    return [row for key, effect in study.effects.items() for row in (*published_effect(effect, key), *_wald_rows(effect, key))]


def published_effects(study: Study) -> list[Estimate]:
    """Only the published rows of every printed ratio."""
    return [row for key, effect in study.effects.items() for row in published_effect(effect, key)]


def printed_limits(effect: Effect) -> tuple[float, float] | None:
    """Printed limits of the ratio (or what its SE or single limit implies), turned with it; None where the paper prints none."""
    if effect.interval is None:
        return None
    lower, upper = effect.interval.lower.value, effect.interval.upper.value
    return (1 / upper, 1 / lower) if is_inverted(effect) else (lower, upper)


def published_effect(effect: Effect, key: str) -> list[Estimate]:
    """The printed ratio with its interval, and the printed p."""
    endpoint, contrast, source = effect_endpoint(effect, key), contrast_of(effect), effect_source(effect, key)
    path, covariates = f"effects.{key}", covariates_of(effect)
    point = 1 / effect.estimate.value if is_inverted(effect) else effect.estimate.value
    lower, upper = printed_limits(effect) or (math.nan, math.nan)
    ratio = Estimate(
        endpoint=endpoint,
        quantity=effect.measure,
        contrast=contrast,
        adjusted_for=covariates,
        method="published",
        point=point,
        lower=lower,
        upper=upper,
        level=effect.interval_level if effect.interval is not None else math.nan,
        interval_kind="confidence" if effect.interval is not None else "none",
        unit="ratio",
        printed=_as_printed(effect),
        converted="inverted" if is_inverted(effect) else "",
        path=path,
        source=source,
        note=undecided(effect),
    )
    if effect.p is None:
        return [ratio]
    p = published(endpoint, "p_value", contrast, effect.p, source, f"{path}.p", "p-value")
    return [ratio, dataclasses.replace(p, adjusted_for=covariates, note=one_sided(effect))]


def _as_printed(effect: Effect) -> str:
    """ "0.470 (0.252 to 0.879)"; of a logarithm "-0.34 (SE 0.12)"."""
    printed = getattr(effect, effect.given)
    if effect.ci is None and effect.se is not None:
        return f"{printed} (SE {effect.se})"
    return with_interval(printed, effect.ci)


def _wald_rows(effect: Effect, key: str) -> list[Estimate]:
    endpoint, contrast, model = effect_endpoint(effect, key), contrast_of(effect), "wald"
    try:
        log = log_ratio(effect, key)
    except DataError as error:
        maker = RowMaker(endpoint, effect_source(effect, key), effect.level, covariates_of(effect))
        why = "; ".join([error.title, *error.problems])
        return [
            maker.failed(f"log_{effect.measure}", contrast, model, why, "log ratio"),
            maker.failed("p_value", contrast, model, why, "p-value"),
        ]
    maker = RowMaker(endpoint, log.source, log.level, log.adjusted_for)
    return [
        maker.row(
            f"log_{effect.measure}", contrast, model, log.estimate, log.limits(), sd=log.se, unit="log ratio", note=log.note
        ),
        maker.row("p_value", contrast, model, log.p, unit="p-value", note=log.note),
    ]
