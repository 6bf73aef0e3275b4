"""How far the conclusions depend on assumptions, in sentences and tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import SYMBOLS, adjusted_label, endpoint_label, model_label, prior_label, upper_first
from retrial.report.section import Section
from retrial.report.sensitivity.pictures import sensitivity_pictures
from retrial.report.table import Table, text_row
from retrial.study.study import Study

KEY, TITLE = "sensitivity", "How far the conclusions depend on assumptions"
AS_IT_IS, PRIOR, BIAS, CENSORING = "as it is", "another prior", "bias", "censoring"
_WHOSE = ["endpoint", "model", "adjusted_for"]
_Z = 1.959964
_HOLDS, _FAILS = "✓", "✗"
_TIPS = {
    "scepticism": "a prior centred at no effect with 95 % of its ratios within a factor of {0} of 1",
    "bias": "a bias that alone would give a ratio of {0}",
    "censoring, experimental arm": "a hazard after censoring, in the experimental arm, of {0} times that of those who stay",
    "censoring, control arm": "a hazard after censoring, in the control arm, of {0} times that of those who stay",
}
_E_VALUES = {
    "e_value": "An unmeasured confounder would explain the printed estimate away if its risk ratios with treatment and outcome were both {0}",
    "e_value_of_confidence_limit": "would move the nearer confidence limit to 1 if they were {0}",
}
"""E-values (VanderWeele and Ding 2017)."""


def conclusions_section(data: ReportData) -> Iterator[Section]:
    """The paragraphs alone, for the first layer."""
    if lists := conclusion_sentences(data.study, data.conclusions, data.tipping, needed(data)):
        yield Section(KEY, TITLE, lists=tuple(lists))


def sensitivity_section(data: ReportData) -> Iterator[Section]:
    """The section, where a run has its tables."""
    frame = data.conclusions
    if frame is None or frame.empty:
        return
    tables = [_matrix(data, _clean(frame)), _tipping(data), _own(data), _assurance(data)]
    lists = conclusion_sentences(data.study, frame, data.tipping, needed(data))
    pictures = tuple(sensitivity_pictures(data))
    yield Section(KEY, TITLE, tuple(table for table in tables if table is not None), pictures, tuple(lists))


def needed(data: ReportData) -> float:
    """Posterior probability from which a conclusion is said to hold, `sensitivity.claim` of the run."""
    settings = data.manifest.get("config", {}).get("sensitivity") or {}
    return float(settings.get("claim", 0.975))


def _clean(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(adjusted_for=frame["adjusted_for"].fillna(""))


def conclusion_sentences(
    study: Study, conclusions: pd.DataFrame | None, tipping: pd.DataFrame | None, needed: float
) -> list[tuple[str, tuple[str, ...]]]:
    """A paragraph an endpoint: which conclusion survives which challenge, and where it tips; `needed` is the probability at which it holds."""
    if conclusions is None or conclusions.empty:
        return []
    frame = _clean(conclusions)
    tips = None if tipping is None else _clean(tipping)
    return [
        (
            upper_first(endpoint_label(study, str(key))),
            tuple(_of_endpoint(part, None if tips is None else tips[tips["endpoint"] == key], needed)),
        )
        for key, part in frame.groupby("endpoint", sort=False)
    ]


def _of_endpoint(frame: pd.DataFrame, tips: pd.DataFrame | None, needed: float) -> list[str]:
    base = frame[frame["challenge"] == AS_IT_IS]
    claim, prior, count = base["claim"].iloc[0], prior_label(str(base["what"].iloc[0])), len(base)
    held = base[base["holds"] & (base["claim"] == claim) & (base["status"] == "ok")]
    said = (
        f"The claim is a ratio (experimental / control) {claim}. It holds where its posterior probability is at least {fmt.level(needed)}: the"
        f" {fmt.level(2 * needed - 1)} interval then excludes 1."
    )
    where = "the one analysis" if count == 1 else f"{len(held)} of {count} analyses"
    if not len(held):
        most = fmt.probability(float(base["probability"].max()))
        return [
            said,
            f"Under the {prior} prior it holds in none of {count} (largest probability {most}): there is no conclusion to challenge.",
        ]
    others = base.drop(held.index)
    missing = "; ".join(f"{_analysis(row)}: {fmt.probability(row['probability'])}" for row in others.to_dict("records"))
    sentences = [said, f"Under the {prior} prior it holds in {where}" + (f" (not in {missing})." if missing else ".")]
    sentences += _survived(frame, held)
    return [*sentences, *_tips(tips, held)]


def _analysis(row: Mapping[Any, Any]) -> str:
    return ", ".join(part for part in (model_label(str(row["model"])), adjusted_label(str(row["adjusted_for"]))) if part)


def _survived(frame: pd.DataFrame, held: pd.DataFrame) -> list[str]:
    """Of the analyses in which the claim holds: the challenges that it survives in all of them, in some, and in none."""
    mine = frame[frame["challenge"] != AS_IT_IS].merge(held[_WHOSE], on=_WHOSE)
    groups: dict[str, list[str]] = {"all": [], "some": [], "none": [], "untold": []}
    for (challenge, what), part in mine.groupby(["challenge", "what"], sort=False):
        told = part[part["status"] == "ok"]
        survives = int(told["holds"].sum())
        kind = "untold" if told.empty else "all" if survives == len(told) else "some" if survives else "none"
        words = f"the {prior_label(str(what))} prior" if challenge == PRIOR else str(what)
        groups[kind].append(words + (f" ({survives} of {len(told)})" if kind == "some" else ""))
    start = "It survives" if len(held) == 1 else "In each analysis in which it holds it also survives"
    sentences = []
    if groups["all"]:
        sentences.append(f"{start}: {'; '.join(groups['all'])}.")
    if groups["some"]:
        sentences.append(f"It survives in some of them: {'; '.join(groups['some'])}.")
    if groups["none"]:
        sentences.append(f"It does not survive{'' if len(held) == 1 else ' in any of them'}: {'; '.join(groups['none'])}.")
    if groups["untold"]:
        sentences.append(f"Too few draws to tell: {'; '.join(groups['untold'])}.")
    return sentences


def _tips(tips: pd.DataFrame | None, held: pd.DataFrame) -> list[str]:
    """Tipping values over the analyses in which the claim holds, as a range."""
    if tips is None or tips.empty:
        return []
    printed = tips["challenge"].isin(list(_E_VALUES)) & tips["adjusted_for"].isin(held["adjusted_for"])
    mine = pd.concat([tips.merge(held[_WHOSE], on=_WHOSE, how="inner"), tips[printed]])
    strict = mine[(mine["criterion"].isna() | (mine["criterion"] == mine["criterion"].max())) & mine["value"].notna()]
    parts: dict[str, str] = {}
    for challenge, words in (_TIPS | _E_VALUES).items():
        own = strict[strict["challenge"] == challenge]
        if challenge == "bias":
            own = own[own["given"] == 0]
        if own.empty:
            continue
        values = [math.exp(_Z * value) for value in own["value"]] if challenge == "scepticism" else list(own["value"])
        parts[challenge] = words.format(_span(values))
    tipping = [text for challenge, text in parts.items() if challenge in _TIPS]
    confounding = [text for challenge, text in parts.items() if challenge in _E_VALUES]
    several = ", from one analysis to another" if len(held) > 1 else ""
    said = [f"It tips{several}, at: {'; '.join(tipping)}."] if tipping else []
    return [*said, f"{', and it '.join(confounding)} (E-values)."] if confounding else said


def _span(values: Sequence[float]) -> str:
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _matrix(data: ReportData, frame: pd.DataFrame) -> Table:
    """Challenges down, analyses across."""
    analyses = list(dict.fromkeys(frame[_WHOSE].itertuples(index=False, name=None)))
    columns = [
        f"{upper_first(endpoint_label(data.study, endpoint))}: {_analysis({'model': model, 'adjusted_for': adjusted})}"
        for endpoint, model, adjusted in analyses
    ]
    rows = []
    for (challenge, what), part in frame.groupby(["challenge", "what"], sort=False):
        found = {tuple(row[name] for name in _WHOSE): row for row in part.to_dict("records")}
        words = prior_label(str(what)) if challenge in (AS_IT_IS, PRIOR) else str(what)
        rows.append(
            text_row(
                [f"{words} prior" if challenge in (AS_IT_IS, PRIOR) else words, *(_chance(found.get(key)) for key in analyses)]
            )
        )
    caption = (
        "Posterior probability of the claim, a ratio on the side of 1 of the first row's median (after censoring: of a difference in restricted"
        f" means on that side), under every challenge set beforehand. {_HOLDS}: at least {needed(data):g}, so that the"
        f" {fmt.level(2 * needed(data) - 1)} interval excludes 1; {_FAILS}: less. Shares of challenges are counts, not probabilities."
    )
    return Table(
        "conclusions", "Which conclusions survive which challenge", caption, ("Challenge", *columns), tuple(rows), wide=True
    )


def _chance(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return fmt.MISSING
    if row["status"] != "ok":
        return f"{_FAILS} {row['status']}"
    return f"{fmt.probability(row['probability'])} {_HOLDS if row['holds'] else _FAILS}"


def _tipping(data: ReportData) -> Table | None:
    if data.tipping is None:
        return None
    frame = _clean(data.tipping)
    frame = frame[frame["challenge"] != "prior mean"]
    rows = [
        text_row(
            [
                upper_first(endpoint_label(data.study, str(row["endpoint"]))),
                _analysis(row),
                str(row["challenge"]).replace("_", " "),
                "" if pd.isna(row["criterion"]) else f"{row['criterion']:g}",
                "" if pd.isna(row["given"]) else f"{row['given']:.3g}",
                "none found" if pd.isna(row["value"]) else f"{row['value']:.3g}",
            ]
        )
        for row in frame.to_dict("records")
    ]
    caption = (
        "Where a conclusion ceases to hold. Criterion: the posterior probability at which it tips (0.975: the 95 % interval touches 1)."
        " Given: mean of the sceptical prior (a ratio), SD of the bias. Value: SD of the sceptical prior, bias as the ratio that it would give"
        " alone, hazard after censoring over that of those who stay. None found: no value undoes the conclusion, or it does not hold to begin"
        " with. Prior means at which it tips for every prior SD: tipping.csv and the map."
    )
    columns = ("Endpoint", "Analysis", "Challenge", "Criterion", "Given", "Tipping value")
    return Table("tipping", "Tipping values", caption, columns, tuple(rows), frozenset({3, 4, 5}), folded=True)


def _own(data: ReportData) -> Table | None:
    """Every prior's own probabilities, for the first ratio of each endpoint that it is used on."""
    if data.prior_probabilities is None:
        return None
    frame = _clean(data.prior_probabilities).fillna({"direction": ""})
    frame = frame[frame["adjusted_for"] == ""]
    frame = frame.assign(asked=[_event(row) for row in frame.to_dict("records")])
    asked = list(dict.fromkeys(frame["asked"]))
    rows = []
    for (endpoint, measure, prior), part in frame.groupby(["endpoint", "measure", "prior"], sort=False):
        chance = dict(zip(part["asked"], part["probability"], strict=True))
        about = part.iloc[0]
        kind = (
            f"{SYMBOLS.get(str(measure), str(measure))} of a {about['direction']} event" if about["direction"] else str(measure)
        )
        told = [upper_first(endpoint_label(data.study, str(endpoint))), kind, prior_label(str(prior)), str(about["used"])]
        rows.append(text_row([*told, *(fmt.probability(chance[item]) if item in chance else fmt.MISSING for item in asked)]))
    if not rows:
        return None
    caption = "What each prior says of a ratio before any data, and which way it is used: a belief in a benefit is a ratio below 1 for a bad event."
    columns = ("Endpoint", "Ratio", "Prior", "Used", *asked)
    numeric = frozenset(range(4, 4 + len(asked)))
    return Table(
        "prior_probabilities", "Each prior's own probabilities", caption, columns, tuple(rows), numeric, folded=True, wide=True
    )


def _event(row: Mapping[Any, Any]) -> str:
    if row["event"] == "between":
        return f"P({row['threshold']:g} to {row['threshold_upper']:g})"
    return f"P({'<' if row['event'] == 'below' else '>'} {row['threshold']:g})"


def _assurance(data: ReportData) -> Table | None:
    if data.future_trial is None:
        return None
    frame = _clean(data.future_trial)
    rows = [
        text_row(
            [
                upper_first(endpoint_label(data.study, str(row["endpoint"]))),
                _analysis(row),
                prior_label(str(row["prior"])),
                f"{row['events']:.0f}",
                fmt.probability(row["after_same_effect"]),
                fmt.probability(row["assurance"]),
            ]
        )
        for row in frame.to_dict("records")
    ]
    caption = (
        "A further trial of so many events, arms of equal size. After the same effect: posterior probability of the present conclusion if it found"
        " the present posterior median. Assurance: probability, under what is now believed, that its own interval excludes 1 on that side."
    )
    columns = ("Endpoint", "Analysis", "Prior", "Events", "After the same effect", "Assurance")
    return Table("future_trial", "A further trial", caption, columns, tuple(rows), frozenset({3, 4, 5}), folded=True)
