"""Family `multivariable`: a printed multivariable model against its univariable results, its events and the rule that chose its covariates."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.numbers import significant
from retrial.errors import DataError
from retrial.multivariable.contradiction import WORDS, contradictions, key_of, said, values
from retrial.multivariable.printed import PrintedModel, printed_model
from retrial.multivariable.smallest import Distance
from retrial.multivariable.statistics import Statistic
from retrial.multivariable.summary import inverted
from retrial.study.effects import Multivariable
from retrial.study.study import Study

log = logging.getLogger("retrial")
FAMILY = "multivariable"
SAY_EVERY = 5.0
"""Seconds between two lines while the smallest violation is looked for (20 covariates whose tables contradict each other: 20 s)."""
FEW = 10.0
"""Events a covariate below which a multivariable model is known to go wrong (Peduzzi et al. 1995, J Clin Epidemiol 48:1503)."""


def checks(study: Study) -> Iterator[Check]:
    """What can be recomputed of every multivariable model."""
    for key, section in study.multivariable.items():
        yield from _selection(study, key, section)
        try:
            model = printed_model(study, key)
        except DataError as error:
            yield _check(key, section, f"{key}: the multivariable model", "", "; ".join(error.problems), Verdict.NOT_CHECKABLE)
            continue
        yield _events(key, section, model)
        found = contradictions(model, _told(key)).found
        for place in range(model.size):
            yield from _of_both(key, section, model, place, found)
        # one judge for the audit and the fits (`contradictions`)
        yield from (
            _nearest(key, section, model, one)
            for one in found
            if one.item.kind in _SHOWN or (one.named and one.item.kind != "narrower")
        )


def _told(key: str) -> Callable[[float], None]:
    """Says now and then that the search goes on."""
    started = said = time.monotonic()

    def alive(_share: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= SAY_EVERY:
            said = now
            log.info("multivariable.%s: no matrix yet that carries all printed numbers, %.0f s", key, now - started)

    return alive


def _check(
    key: str,
    section: Multivariable,
    claim: str,
    printed: str,
    recomputed: str,
    verdict: Verdict,
    *,
    covariate: str = "",
    reading: str = "",
    note: str = "",
    numbers: int = 0,
) -> Check:
    finding = verdict in (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)
    return Check(
        family=FAMILY,
        claim=claim,
        where=section.where,
        path=f"multivariable.{key}.covariates.{covariate}" if covariate else f"multivariable.{key}",
        printed=printed,
        recomputed=recomputed,
        verdict=verdict,
        reading=reading,
        note=note,
        consequence=Consequence.AS_PRINTED if finding else Consequence.NONE,
        numbers=numbers,
    )


def _selection(study: Study, key: str, section: Multivariable) -> Iterator[Check]:
    """The covariates of the model are those whose univariable p is below the bound that the paper states."""
    table, bound = study.tests.get(section.tests), section.selected_below
    if table is None or bound is None:
        return
    rows = {item.test or name: name for name, item in section.covariates.items()}
    p = {name: row.results[section.endpoint].p for name, row in table.rows.items() if section.endpoint in row.results}
    below = {name for name, value in p.items() if value is not None and value.low < bound.value}
    above = {name for name, value in p.items() if value is not None and value.high >= bound.value}
    missing = sorted(below - above - set(rows))
    extra = [rows[name] for name in sorted((above - below) & set(rows)) if not table.rows[name].treatment]
    words = [f"{', '.join(missing)} left out" if missing else "", f"{', '.join(extra)} taken in" if extra else ""]
    yield _check(
        key,
        section,
        f"{key}: the covariates are those of the univariable p < {bound}",
        f"{len(rows)} covariates",
        f"{len(below)} of {len(p)} rows have p < {bound}",
        Verdict.INCONSISTENT if missing or extra else Verdict.CONSISTENT,
        note="; ".join(word for word in words if word),
    )


def _events(key: str, section: Multivariable, model: PrintedModel) -> Check:
    """Events a covariate, and what choosing them by their p does."""
    chosen = "chosen by their univariable p, so that their ratios are too far from 1 on average" if section.selected_below else ""
    if not model.events_printed:
        return _check(
            key,
            section,
            f"{key}: events for {model.size} covariates",
            "",
            f"endpoints.{model.endpoint}.events: missing",
            Verdict.NOT_CHECKABLE,
        )
    each = model.events / model.size
    few = f"fewer than {FEW:g}: estimates of such models are too extreme and their intervals too short" if each < FEW else ""
    return _check(
        key,
        section,
        f"{key}: {model.size} covariates, {model.events:g} events",
        f"{model.events:g} events",
        f"{each:.1f} events a covariate",
        Verdict.CONSISTENT,
        note="; ".join(word for word in (few, chosen) if word),
    )


def _of_both(key: str, section: Multivariable, model: PrintedModel, place: int, found: Sequence[Distance]) -> Iterator[Check]:
    """A covariate's printed univariable ratio beside its multivariable one: standard errors, and the side of 1."""
    if not np.isfinite(model.unadjusted_se[place, 0]):
        return
    name = model.names[place]
    adjusted = model.pools[place, :, 1]
    low, high = (float(end) for end in model.unadjusted_se[place])
    ratio = (float(adjusted.mean()) / ((low + high) / 2)) ** 2
    narrower = any(one.named for one in found if one.item == Statistic("narrower", place))
    reading = "the univariable ratio is not of a Cox model of the same patients (one-step, observed / expected, other patients)"
    yield _check(
        key,
        section,
        f"{key}, {name}: SE {adjusted.mean():.4f} adjusted, {(low + high) / 2:.4f} unadjusted",
        f"{adjusted.mean():.4f}",
        f"ratio of variances {ratio:.2f}",
        Verdict.CONSISTENT_ONLY_IF if narrower else Verdict.CONSISTENT,
        reading=reading if narrower else "",
        note="adjustment cannot narrow the interval of a Cox model by that much" if narrower else "",
        covariate=name,
        numbers=1,
    )
    alone = float(model.unadjusted[place].mean())
    if place in inverted(model):
        b, error = model.centre[place]
        yield _check(
            key,
            section,
            f"{key}, {name}: univariable and multivariable ratio on opposite sides of 1",
            significant(math.exp(b)),
            significant(math.exp(alone)),
            Verdict.CONSISTENT_ONLY_IF,
            reading="one of both is upside down (printed as 1 / ratio, or under the other label), or the covariates hide one another",
            note=f"possible inversion: {abs(b - alone) / error:.1f} standard errors apart, {abs(b + alone) / error:.1f} with one of them inverted",
            covariate=name,
        )


_SHOWN = ("test", "ratio", "overall", "twice", "arms", "share")
"""Kinds that have a row although they go together with the others."""
_EMPIRICAL = {
    "arms": "its numbers in both arms",
    "share": "its share of the patients",
    "rest": "the reference's share of the patients",
    "weights": "the events of its factor's levels",
    **dict.fromkeys(("apart", "even", "reference"), "levels of a factor that exclude one another"),
}


def _nearest(key: str, section: Multivariable, model: PrintedModel, one: Distance) -> Check:
    """A printed number beside the nearest information matrix that there is."""
    name, kind = model.names[one.item.covariate], one.item.kind
    printed, nearest = values(model, one)
    empirical = kind in _EMPIRICAL
    what = _EMPIRICAL.get(kind, WORDS[kind])
    beside = {"twice": "its univariable ratio", "cap": "the events", "least": "the events"}.get(kind, "the multivariable ratios")
    wrong = Verdict.CONSISTENT_ONLY_IF if empirical else Verdict.INCONSISTENT
    return _check(
        key,
        section,
        f"{key}, {name}: {what}{'' if empirical else f' {printed}'} beside {beside}",
        "" if empirical else printed,
        f"{abs(one.scales):.1f} scales away" if empirical else nearest,
        wrong if one.named else Verdict.CONSISTENT,
        reading="the group's information is unlike that of real Cox models" if one.named and empirical else "",
        note=f"{key_of(model, one)}: {said(model, one)}" if one.named else "",
        covariate=name,
        # a test beside its own ratio counts as recomputed with the ratio
        numbers=0 if empirical or kind == "twice" else 1,
    )
