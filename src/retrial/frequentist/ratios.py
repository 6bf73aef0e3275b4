"""Printed ratios: the published row, its logarithm with the SE that its interval implies, and Wald's p beside the printed one."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from scipy.stats import norm

from retrial.dims import CONTROL
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.counts import published, with_interval
from retrial.frequentist.rows import RATIO, RowMaker, wald_p, z_quantile
from retrial.study.sections import Effect, Measure
from retrial.study.study import Study


@dataclass(frozen=True, slots=True)
class LogRatio:
    """A printed ratio on the log scale: estimate log(ratio), and the SE that its interval or p implies.

    A treatment effect is experimental / control, whatever the file's order; `contrast` says which groups, `adjusted_for` the covariates.
    `level` is that of the printed interval, `source` its place and how the SE was found.
    """

    measure: Measure
    contrast: str
    adjusted_for: str
    estimate: float
    se: float
    level: float
    source: str

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


def log_ratio(effect: Effect, key: str = "effect", where: str = "") -> LogRatio:
    """Log of a printed ratio and its SE, for the normal model.

    The estimate is the printed ratio's log. With limits (l, u) at the level with quantile z, SE = log(u / l) / (2 z) (Parmar
    et al. 1998, Stat Med 17:2815). Without limits, SE = |log ratio| / z(p / 2) from the printed two-sided p. `key` is the
    effect's key in the study file, for messages. Raises `DataError` where neither gives an SE.
    """
    sign = -1.0 if is_inverted(effect) else 1.0
    estimate = sign * math.log(effect.estimate.value)
    place = effect_source(effect, key, where)
    if effect.ci is not None:
        se = math.log(effect.ci.upper.value / effect.ci.lower.value) / (2 * z_quantile(effect.level))
        place += "; SE from the printed interval"
    else:
        se = _se_from_p(effect, estimate, key)
        place += "; SE from the printed p"
    return LogRatio(effect.measure, contrast_of(effect), covariates_of(effect), estimate, se, effect.level, place)


def _se_from_p(effect: Effect, estimate: float, key: str) -> float:
    title = f"no standard error for effects.{key}"
    if effect.p is None:
        raise DataError(title, [f"effects.{key}: got neither ci nor p; one of the two is needed"])
    if effect.p.first.relation or not 0 < effect.p.value < 1:
        raise DataError(
            title, [f"effects.{key}.p: got {effect.p} and no ci; allowed without a ci is a p between 0 and 1, such as 0.042"]
        )
    if estimate == 0:
        raise DataError(title, [f"effects.{key}.{effect.measure}: got 1 and no ci; a ratio of 1 and its p say nothing of the SE"])
    return abs(estimate) / float(norm.isf(effect.p.value / 2))


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
    """Printed limits of the ratio, turned with it; None where the paper prints none."""
    if effect.ci is None:
        return None
    lower, upper = effect.ci.lower.value, effect.ci.upper.value
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
        level=effect.level if effect.ci is not None else math.nan,
        interval_kind="confidence" if effect.ci is not None else "none",
        unit="ratio",
        printed=with_interval(effect.estimate, effect.ci),
        converted="inverted" if is_inverted(effect) else "",
        path=path,
        source=source,
    )
    if effect.p is None:
        return [ratio]
    p = published(endpoint, "p_value", contrast, effect.p, source, f"{path}.p", "p-value")
    return [ratio, dataclasses.replace(p, adjusted_for=covariates)]


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
        maker.row(f"log_{effect.measure}", contrast, model, log.estimate, log.limits(), sd=log.se, unit="log ratio"),
        maker.row("p_value", contrast, model, log.p, unit="p-value"),
    ]
