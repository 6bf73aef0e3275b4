"""Which choices move the conclusion: each kind of choice made otherwise, one at a time, beside the first analysis as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import adjusted_briefly, endpoint_label, model_label, prior_label, upper_first
from retrial.report.sensitivity.conclusions import AS_IT_IS, BIAS, CENSORING, EARLY, PRIOR, WHOSE, analysis_label, on_claim
from retrial.report.table import Row, Table, text_cell, text_row

_MOST = 3
"""Choices that are named; of more it says how many."""
_CHALLENGES = {PRIOR: "another prior", BIAS: "a bias", CENSORING: "another hazard after censoring", EARLY: "early deaths missing"}


def choices_table(data: ReportData, conclusions: pd.DataFrame, needed: float) -> Table | None:
    """Of the table conclusions; `needed` is the probability from which a claim holds. None where nothing was tried otherwise."""
    rows: list[Row] = []
    for key, part in conclusions.groupby("endpoint", sort=False):
        tried = list(_tried(part))
        if tried:
            rows.append(Row((text_cell(upper_first(endpoint_label(data.study, str(key)))),), "group"))
            rows += [text_row(cells) for cells in (_base(part), *tried)]
    caption = (
        "Each kind of choice made otherwise, one at a time, all else as in the first row (after censoring: as in the first analysis that has"
        f" a model of the times). The claim, a ratio on the first row's side of 1, holds where its posterior probability is at least {needed:g}."
        " Combinations of choices are what retrial multiverse computes."
    )
    columns = ("Choice", "Tried", "Claim holds in", "Probability of the claim", "Changed by")
    return (
        Table("choices_that_move", "Which choices move the conclusion", caption, columns, tuple(rows), prose=True)
        if rows
        else None
    )


def _base(part: pd.DataFrame) -> list[str]:
    first = part[part["challenge"] == AS_IT_IS].iloc[0]
    words = f"as it is: {analysis_label(first.to_dict())}, {prior_label(str(first['what']))} prior"
    return [words, "", "yes" if first["holds"] else "no", fmt.probability(float(first["probability"])), ""]


def _tried(part: pd.DataFrame) -> Iterator[list[str]]:
    """A row a kind of choice: how often the claim holds, its probabilities, and what changes the verdict."""
    base = part[part["challenge"] == AS_IT_IS]
    first = base.iloc[0]
    others = base.iloc[1:]
    same_model, same_covariates = (others[name] == first[name] for name in ("model", "adjusted_for"))
    models = others[same_covariates]
    yield from _row("another model", models, first, [model_label(str(one)) for one in models["model"]])
    adjusted = others[same_model & ~same_covariates]
    yield from _row(
        "adjustment", adjusted, first, [adjusted_briefly(str(one)) or "unadjusted" for one in adjusted["adjusted_for"]]
    )
    for challenge, words in _CHALLENGES.items():
        mine = part[part["challenge"] == challenge]
        if mine.empty:
            continue
        whose = tuple(mine[WHOSE].iloc[0])
        mine = mine[(mine[WHOSE] == whose).all(axis=1)]
        against = base[(base[WHOSE] == whose).all(axis=1)].iloc[0]
        names = [prior_label(str(what)) if challenge == PRIOR else str(what) for what in mine["what"]]
        yield from _row(words, mine, against, names)


def _row(words: str, rows: pd.DataFrame, against: pd.Series, names: list[str]) -> Iterator[list[str]]:
    told = (rows["status"] == "ok").to_numpy(dtype=bool)
    if not told.any():
        return
    claim = str(against["claim"])
    chances = on_claim(rows, claim)[told]
    holds = (rows["holds"].astype(bool) & (rows["claim"] == claim)).to_numpy(dtype=bool)
    changed = [
        name for name, known, holding in zip(names, told, holds, strict=True) if known and holding != bool(against["holds"])
    ]
    low, high = (fmt.probability(float(value)) for value in (chances.min(), chances.max()))
    more = f" and {len(changed) - _MOST} more" if len(changed) > _MOST else ""
    yield [
        words,
        str(int(told.sum())),
        f"{int(holds[told].sum())} of {int(told.sum())}",
        low if low == high else f"{low} to {high}",
        f"{'; '.join(changed[:_MOST])}{more}" if changed else "nothing that was tried",
    ]
