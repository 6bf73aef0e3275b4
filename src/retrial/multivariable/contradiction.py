"""Printed tables that contradict each other, in words: which numbers, under which key, by how much (`smallest_violation`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import silent
from retrial.multivariable.smallest import SMALL, Distance, smallest_violation
from retrial.multivariable.statistics import TOLERANCE, overall_of

CONTRADICT = "the printed tables contradict each other"


@dataclass(frozen=True)
class Contradictions:
    """What no matrix carries of a model's tables.

    status   "ok", or "failed: ..." where answers would be off by more than `SMALL` standard errors
    note     the same in words where they are off by less; empty where nothing is
    """

    model: PrintedModel
    found: tuple[Distance, ...]

    @property
    def named(self) -> tuple[Distance, ...]:
        return tuple(one for one in self.found if one.named)

    @property
    def status(self) -> str:
        serious = [one for one in self.named if one.serious]
        if not serious:
            return "ok"
        return f"failed: {CONTRADICT}: {self._listed(serious)}; correct one of them in the study file, or leave it out"

    @property
    def note(self) -> str:
        small = [one for one in self.named if not one.serious]
        if not small or self.status != "ok":
            return ""
        limits = f"limits are off by at least {max(one.moved for one in small):.2f} standard errors (up to {SMALL:g} nothing is failed)"
        return f"{CONTRADICT} by little: {self._listed(small)}; {limits}"

    @property
    def in_short(self) -> str:
        """The status where a reader has all of it elsewhere: in `multivariable.csv` and the audit."""
        if self.status == "ok":
            return "ok"
        return "failed: contradictory print (see the multivariable model)"

    @property
    def note_in_short(self) -> str:
        """The note, likewise."""
        if not self.note:
            return ""
        most = max(one.moved for one in self.named)
        return (
            f"print contradictory by little (see the multivariable model): limits are off by at least {most:.2f} standard errors"
        )

    def of(self, position: int) -> str:
        """What is named of one covariate."""
        return self._listed(one for one in self.named if one.item.covariate == position)

    def _listed(self, items: Iterable[Distance]) -> str:
        return "; ".join(f"{key_of(self.model, one)}: {said(self.model, one)}" for one in items)


def contradictions(model: PrintedModel, alive: Callable[[float], None] = silent) -> Contradictions:
    """The one judge of a printed model's tables, for the audit and for every fit; `alive` is called every now and then (`smallest_violation`)."""
    return Contradictions(model, smallest_violation(model, alive))


def key_of(model: PrintedModel, one: Distance) -> str:
    """Where the study file has the number."""
    keys = model.keys[one.item.covariate]
    if one.item.kind == "overall":
        return overall_of(model, one.item.covariate).key
    by_kind = {
        **dict.fromkeys(("apart", "even", "reference", "weights"), keys.effect),
        "test": keys.test,
        "twice": keys.test,
        "arms": keys.margins,
        "share": keys.margins,
        "cap": keys.effect,
        "least": keys.effect,
        "events": f"{keys.events}.events",
    }
    return by_kind.get(one.item.kind, keys.unadjusted)


def said(model: PrintedModel, one: Distance) -> str:
    """ "√χ² of age 6.708, under the nearest matrix 4.449 (8.1 scales away, 4.6 are allowed)"."""
    name, keys = model.names[one.item.covariate], model.keys[one.item.covariate]
    printed, nearest = values(model, one)
    beside = {
        "narrower": f"above {nearest} adjusted in {keys.effect}, and adjustment narrows no interval of a Cox model",
        "twice": f"beside {keys.unadjusted} {nearest}",
        "least": f"where {keys.events}, {model.events:g}, allow no less than {nearest}",
        "cap": f"as the nearest matrix has it, where {keys.events}, {model.events:g}, allow no less than {nearest}",
        "events": f"where standard errors and shares of the covariates need about {nearest}",
        "arms": f"in the information {nearest}",
        "weights": f"where the standard errors of its levels need {nearest}",
        **dict.fromkeys(("apart", "even", "reference"), f"{nearest} under the nearest matrix, and no patient is in two levels"),
    }.get(one.item.kind, f"under the nearest matrix {nearest}")
    if one.item.kind == "events":
        name = model.endpoint
    return f"{WORDS[one.item.kind]} of {name} {printed}, {beside} ({scales(one)})"


WORDS = {
    "test": "√χ² of the univariable test",
    "twice": "√χ² of the univariable test",
    "ratio": "univariable ratio",
    "se": "SE of the univariable log ratio",
    "narrower": "SE of the univariable log ratio",
    "cap": "SE by its information",
    "least": "SE of the adjusted log ratio",
    "events": "events",
    "arms": "correlation with the arm",
    "share": "information by the share of the patients",
    "rest": "information of the reference by its share of the patients",
    "overall": "√χ² of the whole factor",
    "weights": "events",
    "even": "information shared with other levels",
    "apart": "information shared with another level",
    "reference": "information against the reference",
}
"""What a number is, by its kind."""


def scales(one: Distance) -> str:
    """How far away, in words."""
    return f"{abs(one.scales):.1f} scales away, {TOLERANCE:g} are allowed"


def values(model: PrintedModel, one: Distance) -> tuple[str, str]:
    """The printed number and the nearest one, as a reader would write them."""
    printed, nearest = (f"{math.exp(value) if one.item.kind == 'ratio' else value:.4g}" for value in (one.printed, one.nearest))
    bound = one.item.kind in ("test", "twice") and not math.isfinite(model.test[one.item.covariate, 1])
    return f"{printed} or more" if bound else printed, nearest
