"""What the readings of the study's design change on the effect: one paragraph, with the run's own numbers (METHODS 4, 9)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import endpoint_label, model_label, upper_first
from retrial.report.reader.doubts import AS_THEY_ARE, ELIGIBILITY
from retrial.report.sensitivity.conclusions import AS_IT_IS
from retrial.report.sensitivity.section import needed

WITHOUT_MINIMUM = "without minimum follow-up"
_RATIO, _MEANS = "log_hazard_ratio_cox_efron", "rmst_difference"
_SAME = 1e-9


def design_paragraph(data: ReportData) -> str:
    """Of every endpoint; empty where nothing about the design was tried."""
    parts = []
    for key in data.study.endpoints:
        told = [*_eligibility(data.choices, key), *_minimum(data.choices, key), *_entry(data.entry, key), *_early(data, key)]
        if told:
            parts.append(f"{upper_first(endpoint_label(data.study, key))}: {'; '.join(told)}.")
    if not parts:
        return ""
    return (
        "What the design may mean for the effect, each reading by itself (differences in restricted mean survival in months; ratios of the"
        f" experimental to the control arm). {' '.join(parts)}"
    )


def _eligibility(frame: pd.DataFrame | None, key: str) -> Iterator[str]:
    """Tables under the rule against those without it."""
    plain, ruled = _of_choice(frame, key, AS_THEY_ARE), _of_choice(frame, key, ELIGIBILITY)
    if plain and ruled:
        yield f"if nobody was censored within the follow-up that left patients out, {_moved(plain, ruled)} over the tables"


def _minimum(frame: pd.DataFrame | None, key: str) -> Iterator[str]:
    """Tables without a minimum follow-up against those with it."""
    plain, lost = _of_choice(frame, key, ""), _of_choice(frame, key, WITHOUT_MINIMUM)
    if plain and lost:
        yield f"if patients may be lost before the minimum follow-up, {_moved(plain, lost)} over the tables"


def _of_choice(frame: pd.DataFrame | None, key: str, choice: str) -> dict[str, float]:
    """Mean over the tables of the ratio and the difference in restricted means."""
    if frame is None or frame.empty:
        return {}
    mine = frame[(frame["endpoint"] == key) & (frame["choice"].fillna("") == choice) & (frame["status"] == "ok")]
    found = {name: mine.loc[mine["quantity"] == name, "mean"] for name in (_RATIO, _MEANS)}
    return {name: float(values.iloc[0]) for name, values in found.items() if len(values) and math.isfinite(values.iloc[0])}


def _moved(old: dict[str, float], new: dict[str, float]) -> str:
    """From what to what; a number that one of them lacks is left out."""
    parts = []
    if _RATIO in old and _RATIO in new:
        parts.append(f"Cox's ratio goes from {fmt.ratio(math.exp(old[_RATIO]))} to {fmt.ratio(math.exp(new[_RATIO]))}")
    if _MEANS in old and _MEANS in new:
        parts.append(f"the difference from {fmt.decimal(old[_MEANS], 1)} to {fmt.decimal(new[_MEANS], 1)}")
    return " and ".join(parts) or "nothing can be told"


def _entry(frame: pd.DataFrame | None, key: str) -> Iterator[str]:
    """The first model of the run fitted from entry against the same from time 0."""
    if frame is None or frame.empty:
        return
    mine = frame[frame["endpoint"] == key]
    if mine.empty:
        return
    mine = mine[mine["model"] == mine["model"].iloc[0]]
    months = float(mine["given"].max())
    failed = mine.loc[mine["status"] != "ok", "status"]
    if len(failed):
        yield f"the fit given entry at {months:.3g} months failed ({str(failed.iloc[0]).removeprefix('failed: ')})"
        return
    model = model_label(str(mine["model"].iloc[0]))
    zero, late = (mine[(mine["fitted"] == fitted)] for fitted in ("from time 0", "from entry"))
    given = zero[(zero["given"] - months).abs() < _SAME]
    ratios = [_first(part, "ratio") for part in (zero, late)]
    means = [_first(part, _MEANS) for part in (given, late)]
    parts = [f"the ratio of the {model} goes from {' to '.join(fmt.ratio(row['median']) for row in ratios if row is not None)}"]
    if all(row is not None for row in means):
        parts.append(
            f"the difference, given entry, from {' to '.join(fmt.decimal(row['median'], 1) for row in means if row is not None)}"
        )
    chance = fmt.probability(float(ratios[1]["probability"])) if ratios[1] is not None else ""
    yield (
        f"if nobody could leave before the first time at which one of these patients did, so that all entered at {months:.3g} months (left"
        f" truncation), {' and '.join(parts)}"
        f" (probability of a ratio below 1: {chance})"
    )


def _first(rows: pd.DataFrame, quantity: str) -> pd.Series | None:
    found = rows[rows["quantity"].str.endswith(quantity)]
    return None if found.empty else found.iloc[0]


def _early(data: ReportData, key: str) -> Iterator[str]:
    """The most early deaths that were tried, in one arm alone, and from how many on the conclusion changes."""
    frame = data.early_deaths
    if frame is None or frame.empty:
        return
    every = frame[(frame["endpoint"] == key) & (frame["quantity"] == "hazard_ratio")]
    mine = every[every["status"] == "ok"]
    if mine.empty:
        return
    model = mine["model"].iloc[0]
    mine, every = mine[mine["model"] == model], every[every["model"] == model]
    base = mine[(mine["control_missing"] == 0) & (mine["experimental_missing"] == 0)]
    if base.empty:
        return
    until, parts = float(mine["until"].iloc[0]), []
    for arm, other in (("experimental", "control"), ("control", "experimental")):
        alone = mine[mine[f"{other}_missing"] == 0].sort_values(f"{arm}_missing")
        last = alone.iloc[-1]
        tips = _tips(data, key, every[every[f"{other}_missing"] == 0].sort_values(f"{arm}_missing"), arm)
        parts.append(
            f"{int(last[f'{arm}_missing'])} of the {arm} arm make Cox's ratio {fmt.ratio(float(last['median']))} ({tips})"
        )
    yield (
        f"if patients who had the event within {until:.3g} months are missing (it is {fmt.ratio(float(base['median'].iloc[0]))} as it is),"
        f" {' and '.join(parts)}"
    )


def _tips(data: ReportData, key: str, alone: pd.DataFrame, arm: str) -> str:
    """From how many of one arm on the conclusion changes, where there is one; `alone`: rows of early_deaths.csv, none of the other arm missing."""
    model, level = str(alone["model"].iloc[0]), needed(data)
    whose = {"endpoint": key, "model": model, "challenge": f"early deaths, {arm} arm"}
    mine = _of(data.tipping, whose)
    mine = mine[(mine["criterion"] - level).abs() < _SAME] if len(mine) else mine
    if mine.empty:
        return "not held against the conclusion"
    claim = _of(data.conclusions, whose | {"challenge": AS_IT_IS})
    stated = [bool(row["holds"]) and row["status"] == "ok" for row in claim.to_dict("records")]
    first = alone.iloc[0]
    below = float(first["median"]) < 1 if claim.empty else claim["claim"].iloc[0] == "below 1"
    chances = alone["probability"] if below else 1 - alone["probability"]
    if not all(stated) or not chances.iloc[0] >= level:
        return "there is no conclusion to change"
    value = mine["value"].iloc[0]
    if pd.notna(value):
        return f"the conclusion changes from {int(value)} on"
    if (alone["status"] != "ok").any() or (chances < level).any():
        return "from which number on the conclusion changes cannot be told"
    return "no number tried changes the conclusion"


def _of(frame: pd.DataFrame | None, values: dict[str, str]) -> pd.DataFrame:
    """Rows with these values; no rows of no table."""
    if frame is None or frame.empty:
        return pd.DataFrame()
    return frame[[all(row[name] == value for name, value in values.items()) for row in frame.to_dict("records")]]
