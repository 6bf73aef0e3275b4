"""A paragraph an endpoint: what is claimed, in which analyses it holds, which challenges it survives, and where it tips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from retrial.report import format as fmt
from retrial.report.labels import adjusted_briefly, adjusted_label, endpoint_label, model_label, prior_label, upper_first
from retrial.study.study import Study

AS_IT_IS, PRIOR, BIAS, CENSORING, EARLY = "as it is", "another prior", "bias", "censoring", "early deaths"
WHOSE = ["endpoint", "model", "adjusted_for"]
_KINDS = {
    PRIOR: ("other prior that does not expect it", "other priors that do not expect it"),
    BIAS: ("bias", "biases"),
    CENSORING: ("course after censoring", "courses after censoring"),
    EARLY: ("number of missing early events", "numbers of missing early events"),
}
_Z = 1.959964
_SAME = 1e-9
_NEAR = 0.02
"""Of 1: values nearer to it are written with four decimals."""
_NEUTRAL = 0.01
"""Log of a prior's mean within which it favours neither side."""


def conclusion_sentences(
    study: Study, conclusions: pd.DataFrame | None, tipping: pd.DataFrame | None, priors: pd.DataFrame | None, needed: float
) -> list[tuple[str, tuple[str, ...]]]:
    """Of the tables conclusions, tipping and under_priors; `needed` is the probability from which a claim holds."""
    if conclusions is None or conclusions.empty:
        return []
    tips, beliefs = (None if one is None else one.fillna({"adjusted_for": ""}) for one in (tipping, priors))
    return [
        (
            upper_first(endpoint_label(study, str(key))),
            tuple(_Paragraph(part, _of(tips, key), _of(beliefs, key), needed).sentences()),
        )
        for key, part in conclusions.fillna({"adjusted_for": ""}).groupby("endpoint", sort=False)
    ]


def analysis_label(row: Mapping[Any, Any]) -> str:
    """Model and covariates of a row."""
    return ", ".join(part for part in (model_label(str(row["model"])), adjusted_label(str(row["adjusted_for"]))) if part)


def _of(frame: pd.DataFrame | None, key: Any) -> pd.DataFrame | None:
    return None if frame is None else frame[frame["endpoint"] == key]


class _Paragraph:
    """One endpoint's; the claim is the side of 1 of the first analysis."""

    def __init__(self, frame: pd.DataFrame, tips: pd.DataFrame | None, beliefs: pd.DataFrame | None, needed: float) -> None:
        self.tips, self.beliefs, self.needed = tips, beliefs, needed
        self.base = frame[frame["challenge"] == AS_IT_IS]
        self.claim = str(self.base["claim"].iloc[0])
        self.held = self.base[self.base["holds"] & (self.base["claim"] == self.claim) & (self.base["status"] == "ok")]
        mine = frame[frame["challenge"] != AS_IT_IS].merge(self.held[WHOSE], on=WHOSE)
        favoured = [row["challenge"] == PRIOR and self._favours(str(row["what"])) for row in mine.to_dict("records")]
        self.favourable, self.mine = mine[favoured], mine[~np.array(favoured, dtype=bool)]

    def sentences(self) -> Iterator[str]:
        prior, count = prior_label(str(self.base["what"].iloc[0])), len(self.base)
        claim = (
            f"The claim: the ratio of the experimental to the control arm is {self.claim}. It counts as holding in an analysis where its"
            f" posterior probability is at least {fmt.level(self.needed)}, so that the {fmt.level(2 * self.needed - 1)} interval excludes 1."
        )
        if self.held.empty:
            yield claim
            most = fmt.probability(float(on_claim(self.base, self.claim).max()))
            yield f"Under the {prior} prior it holds in none of {_analyses(count)} (largest probability {most}): there is nothing to challenge."
            return
        yield self._verdict(count)
        yield claim
        yield self._as_it_is(prior, count)
        kinds = {PRIOR: self._priors(), BIAS: self._bias(), CENSORING: self._censoring(), EARLY: self._early()}
        for name, sentences in kinds.items():
            told = [*self._survived(name), *sentences]
            if told:
                yield " ".join(told)

    def _verdict(self, count: int) -> str:
        """In which analyses the claim does not hold as they stand, and what it survives in all of the others."""
        where = "in the one unchallenged analysis" if count == 1 else f"in {len(self.held)} of {count} unchallenged analyses"
        missing = [
            f"{_briefly(row)} (probability {fmt.probability(float(chance))})"
            for row, chance in zip(self._others().to_dict("records"), on_claim(self._others(), self.claim), strict=True)
        ]
        fails = f"; it fails in: {'; '.join(missing)}" if missing else ""
        said = f"In short: the claim of a ratio {self.claim} holds {where}{fails}."
        told = []
        for name, words in _KINDS.items():
            groups = list(self._groups(name))
            survived = sum(bool(part["holds"].all()) for part in groups)
            if groups:
                told.append(f"{survived or 'none'} of {len(groups)} {words[len(groups) != 1]}")
        every = "" if len(self.held) == 1 else ", counted where it survives in every analysis that a challenge applies to"
        return said + (f" Challenged one way at a time{every}, it survives {_and(told)}." if told else "")

    def _others(self) -> pd.DataFrame:
        """Analyses in which the claim does not hold as they stand."""
        return self.base.drop(self.held.index)

    def _groups(self, challenge: str) -> Iterator[pd.DataFrame]:
        """Rows of each assumption of a kind that could be told."""
        mine = self.mine[(self.mine["challenge"] == challenge) & (self.mine["status"] == "ok")]
        for _, part in mine.groupby("what", sort=False):
            yield part

    def _as_it_is(self, prior: str, count: int) -> str:
        names = "; ".join(analysis_label(row) for row in self.held.to_dict("records"))
        said = f"Before any challenge, under the {prior} prior, it holds in {len(self.held)} of {_analyses(count)} ({names})"
        others = self._others()
        chances = on_claim(others, self.claim)
        missing = "; ".join(
            f"{analysis_label(row)} (probability {fmt.probability(float(chance))})"
            for row, chance in zip(others.to_dict("records"), chances, strict=True)
        )
        return said + (
            f", and not in {missing}. What follows is about the analyses in which it holds; a range is over them."
            if missing
            else "."
        )

    def _survived(self, challenge: str) -> Iterator[str]:
        """Challenges of a kind that are survived in all analyses that they apply to, in some, and in none."""
        groups: dict[str, list[str]] = {"all": [], "some": [], "none": [], "untold": []}
        for what, part in self.mine[self.mine["challenge"] == challenge].groupby("what", sort=False):
            told = part[part["status"] == "ok"]
            survives = int(told["holds"].sum())
            kind = "untold" if told.empty else "all" if survives == len(told) else "some" if survives else "none"
            words = f"the {prior_label(str(what))} prior" if challenge == PRIOR else str(what)
            groups[kind].append(words + (_in_some(told) if kind == "some" else ""))
        intro = {
            PRIOR: "Other prior opinions.",
            BIAS: "Bias, such as confounding.",
            CENSORING: "Patients censored.",
            EARLY: "Patients left out because they had the event early.",
        }[challenge]
        if any(groups.values()):
            yield intro
        for kind, words in (("all", "It survives"), ("some", "It survives in some analyses"), ("none", "It does not survive")):
            if groups[kind]:
                yield f"{words}: {'; '.join(groups[kind])}."
        if groups["untold"]:
            yield f"It cannot be told: {'; '.join(groups['untold'])}."

    def _belief(self, name: str) -> Mapping[Any, Any] | None:
        """The prior's row of the first analysis that has it; None where the priors differ from one to another."""
        if self.beliefs is None:
            return None
        rows = self.beliefs[(self.beliefs["kind"] == "named set") & (self.beliefs["prior"] == name)].merge(
            self.held[WHOSE], on=WHOSE
        )
        return rows.iloc[0].to_dict() if len(rows[["prior_mean", "prior_sd"]].round(9).drop_duplicates()) == 1 else None

    def _favours(self, name: str) -> bool:
        """Whether a prior's mean is on the claim's side already."""
        found = self._belief(name)
        if found is None:
            return False
        log_mean = math.log(found["prior_mean"])
        return log_mean < -_NEUTRAL if self.claim == "below 1" else log_mean > _NEUTRAL

    def _priors(self) -> Iterator[str]:
        names = list(dict.fromkeys(self.favourable["what"]))
        if names:
            yield f"No challenge, because they favour the claim already: {', '.join(map(prior_label, map(str, names)))}."
        if value := self._values("scepticism", lambda sd: math.exp(_Z * sd)):
            yield (
                "A sceptic's prior, centred at 1 with 95 % of ratios between 1/x and x, overturns it once x is"
                f" below {_by_analysis(value)}."
            )

    def _bias(self) -> Iterator[str]:
        if value := self._values("bias", float, given=0.0):
            beyond = "below" if self.claim == "below 1" else "above"
            yield f"It is undone by a bias that alone gives a ratio {beyond} {_by_analysis(value)}."
        whole, limit = (self._e_values(name) for name in ("e_value", "e_value_of_confidence_limit"))
        if whole:
            yield (
                "An unmeasured confounder would explain the printed estimate away if its risk ratios with treatment and outcome were both at"
                f" least {whole}"
                + (f", and move the nearer limit of its interval to 1 if they were at least {limit}" if limit else "")
                + " (E-values)."
            )

    def _censoring(self) -> Iterator[str]:
        parts = []
        for arm in ("experimental", "control"):
            if value := self._values(f"censoring, {arm} arm", float):
                worse = (arm == "experimental") == (self.claim == "below 1")
                parts.append(
                    f"patients censored in the {arm} arm have afterwards {'more' if worse else 'less'} than {_by_analysis(value)} times the hazard of"
                    " those who stay in it"
                )
        if parts:
            yield f"It is undone if {'; or if '.join(parts)}."
        elif self.tips is not None and self.tips["challenge"].str.startswith("censoring").any():
            yield "No hazard after censoring that was tried undoes it."

    def _early(self) -> Iterator[str]:
        parts = [
            f"{value} of the {arm} arm"
            for arm in ("experimental", "control")
            if (value := self._values(f"early deaths, {arm} arm", float, whole=True))
        ]
        if parts:
            yield f"It is undone from so many missing patients with an early event on: {'; or '.join(parts)}."
        elif self.tips is not None and self.tips["challenge"].str.startswith("early deaths").any():
            if not all(part["holds"].all() for part in self._groups(EARLY)):
                yield "From which number on it is undone cannot be told: Cox's regression does not carry it without any, or failed on the way."
                return
            yield "No number of missing patients with an early event that was tried, in one arm alone, undoes it."

    def _values(self, challenge: str, shown: Any, given: float | None = None, *, whole: bool = False) -> str:
        """Tipping values as a range over the analyses in which the claim holds, and in how many there is one."""
        if self.tips is None:
            return ""
        mine = self.tips[self.tips["challenge"] == challenge].merge(self.held[WHOSE], on=WHOSE)
        mine = mine[(mine["criterion"] - self.needed).abs() < _SAME]
        if given is not None:
            mine = mine[mine["given"] == given]
        found = [shown(value) for value in mine["value"].dropna()]
        if not found:
            return ""
        few = f" (in {len(found)} of {len(mine)} analyses; in the others nothing that was tried undoes it)"
        return _span(found, whole=whole) + (few if len(found) < len(mine) else "")

    def _e_values(self, name: str) -> str:
        """Of the printed ratios in which the claim holds."""
        if self.tips is None:
            return ""
        mine = self.tips[(self.tips["challenge"] == name) & self.tips["adjusted_for"].isin(self.held["adjusted_for"])]
        return _span(list(mine["value"].dropna())) if mine["value"].notna().any() else ""


def on_claim(rows: pd.DataFrame, claim: str) -> pd.Series[float]:
    """P(the claim) of every row: rows state the probability of their own claim, which may be the other side."""
    return rows["probability"].where(rows["claim"] == claim, 1 - rows["probability"])


def _by_analysis(value: str) -> str:
    """A range says over what it is one."""
    return f"{value} (by analysis)" if " to " in value else value


def _in_some(rows: pd.DataFrame) -> str:
    """ " (in 2 of 3; not in: spline)": those in which it survives, or does not, whichever are fewer."""
    holds = rows["holds"].astype(bool)
    fewer = holds if holds.sum() < (~holds).sum() else ~holds
    names = "; ".join(_briefly(row) for row in rows[fewer].to_dict("records"))
    return f" (in {int(holds.sum())} of {len(rows)}{': ' if fewer is holds else '; not in: '}{names})"


def _briefly(row: Mapping[Any, Any]) -> str:
    """Model of a row, and covariates, or how many."""
    return ", ".join(part for part in (model_label(str(row["model"])), adjusted_briefly(str(row["adjusted_for"]))) if part)


def _analyses(count: int) -> str:
    return "1 analysis" if count == 1 else f"{count} analyses"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _span(values: Sequence[float], *, whole: bool = False) -> str:
    decimals = 0 if whole else 2 if min(abs(value - 1) for value in values) >= _NEAR else 4
    low, high = f"{min(values):.{decimals}f}", f"{max(values):.{decimals}f}"
    return low if low == high else f"{low} to {high}"
