"""What the data support: one table, one figure and some sentences an outcome; and the effects on the absolute scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from retrial.estimate import Estimate
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.figures.beliefs import belief_pictures
from retrial.report.figures.effects import effect_forest
from retrial.report.figures.forest import ForestRow
from retrial.report.figures.picture import Picture
from retrial.report.labels import (
    adjusted_briefly,
    adjusted_label,
    endpoint_label,
    estimate_label,
    is_comparison,
    model_label,
    prior_label,
    quantity_label,
    upper_first,
)
from retrial.report.reader.ladder import MEANINGS, Ladder, Outcome, archetypes, no_effect, outcomes
from retrial.report.section import Section
from retrial.report.table import Cell, Line, Row, Table, text_cell, text_row
from retrial.report.tables.results import audit_note, intervals_caption, written

_ABSOLUTE = (
    "median_difference",
    "survival_difference",
    "rmst_difference",
    "risk_difference",
    "number_needed_to_treat_to_benefit",
)
_PRIORS_BESIDE = 4
"""Priors that a page's width holds beside each other."""
_THRESHOLDS = 2
"""Probabilities a ladder: of any effect, and of the largest threshold asked for."""


def effect_sections(data: ReportData) -> Iterator[Section]:
    """A section an outcome."""
    for outcome in outcomes(data):
        if any(ladder.rows for ladder in outcome.ladders):
            name = upper_first(endpoint_label(data.study, outcome.endpoint))
            pictures = (*_pictures(data, outcome, name), *belief_pictures(data, outcome.endpoint, outcome.priors))
            said = (*_average(outcome.average), *(sentence for ladder in outcome.ladders for sentence in _sentences(ladder)))
            lists = (("", said),) if said else ()
            yield Section(
                f"effect-{_key(outcome.endpoint)}",
                f"What the data support: {name}",
                (_table(data, outcome, name),),
                pictures,
                lists,
            )


def _key(endpoint: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in endpoint)


def heading(ladder: Ladder) -> str:
    """ "Unadjusted", or what it is adjusted for."""
    if ladder.variant:
        return "Unadjusted, average over models"
    return upper_first(adjusted_briefly(ladder.adjusted_for) or "unadjusted")


def _sentences(ladder: Ladder) -> Iterator[str]:
    """Under which priors the interval leaves out no effect; how far point and probability move."""
    fine = ladder.fine
    if not fine:
        return
    first = next(iter(fine.values()))
    quantity = quantity_label(first.quantity, first.time)
    none = f"{no_effect(next(iter(fine.values()))):g}"
    yes = [prior for prior in fine if ladder.decided(prior)]
    no = [prior for prior in fine if not ladder.decided(prior)]
    level = fmt.level(next(iter(fine.values())).level)
    about = f"{heading(ladder)} ({ladder.variant or model_label(ladder.model)})"
    if len(fine) == 1:
        prior = next(iter(fine))
        verb = "excludes" if yes else "includes"
        yield f"{about}: the {level} interval of the {quantity} {verb} {none} under the prior {prior_label(prior)}."
        return
    if not no:
        yield f"{about}: the {level} interval of the {quantity} excludes {none} under each of the {len(fine)} priors."
    elif not yes:
        yield f"{about}: the {level} interval of the {quantity} includes {none} under each of the {len(fine)} priors."
    else:
        yield f"{about}: the {level} interval of the {quantity} excludes {none} under {_named(yes)}; it includes {none} under {_named(no)}."
    low, high = min(fine.values(), key=lambda row: row.point), max(fine.values(), key=lambda row: row.point)
    write = fmt.formatter_of(low)
    chances = [chance for prior in fine if (chance := ladder.chance(prior)) is not None and not chance.failed]
    also = ""
    if chances:
        least, most = min(chances, key=lambda row: row.point), max(chances, key=lambda row: row.point)
        also = f"; {estimate_label(least)} from {_under(least)} to {_under(most)}"
    ends = " to ".join(f"{write(row.point)} ({prior_label(row.prior)})" for row in (low, high))
    yield f"Over these priors the posterior median runs from {ends}{also}."


def _average(ladder: Ladder | None) -> Iterator[str]:
    """The average over models under the main prior, where it has no ladder of its own."""
    if ladder is None:
        return
    row, chance = ladder.rows[ladder.main], ladder.chance(ladder.main)
    also = f"; {estimate_label(chance)} = {fmt.probability(chance.point)}" if chance is not None and not chance.failed else ""
    yield (
        f"Averaged over models ({ladder.variant}, {prior_label(ladder.main)} prior), unadjusted:"
        f" {quantity_label(row.quantity, row.time)} {written(row)}{also}."
    )


def _under(chance: Estimate) -> str:
    return f"{fmt.probability(chance.point)} ({prior_label(chance.prior)})"


def _named(priors: Sequence[str]) -> str:
    return ", ".join(prior_label(prior) for prior in priors)


def prior_name(prior: str) -> str:
    """A prior with what it stands for: "optimistic (enthusiastic)"."""
    return prior_label(prior) + (f" ({MEANINGS[prior]})" if prior in MEANINGS else "")


def _table(data: ReportData, outcome: Outcome, name: str) -> Table:
    """A row a prior; of each ladder the effect and its probabilities."""
    columns, printed = ["Prior"], [text_cell("Published")]
    for ladder in outcome.ladders:
        events = _events(ladder)
        columns += [heading(ladder), *(estimate_label(event) for event in events)]
        printed += [_published(data, ladder), *(text_cell("") for _ in events)]
    published = [Row(tuple(printed))] if any(ladder.published is not None for ladder in outcome.ladders) else []
    rows = [*published, *(_row(data, outcome, prior) for prior in outcome.priors)]
    models = "; ".join(f"{_adjustment(ladder)}: {model_label(ladder.model)}" for ladder in outcome.ladders if ladder.model)
    caption = f"{upper_first(quantity_label(outcome.quantity))}. {intervals_caption(outcome.rows)} Models: {models}." + (
        f" Under each prior's name: what it expects before the data (median, central 95{fmt.NBSP}%)."
        if any(_expected(data, outcome, prior) for prior in outcome.priors)
        else ""
    )
    numeric = frozenset(range(1, len(columns)))
    return Table(
        f"reader_{outcome.endpoint}",
        f"{name}: {quantity_label(outcome.quantity)} under each prior",
        caption,
        tuple(columns),
        tuple(rows),
        numeric,
        wide=True,
    )


def _adjustment(ladder: Ladder) -> str:
    if ladder.variant:
        first = next(iter(ladder.rows.values()))
        return f"{quantity_label(first.quantity, first.time)}, by {ladder.variant}, unadjusted"
    return adjusted_label(ladder.adjusted_for) or "unadjusted"


def _events(ladder: Ladder) -> list[Estimate]:
    """Probabilities with a column: of any benefit, and of the one furthest from no effect on the same side."""
    rows = next((rows for rows in (ladder.chances.get(ladder.main), *ladder.chances.values()) if rows), ())
    side = next((row for row in rows if ladder.chance(row.prior) is row), None)
    if side is None:
        return []
    same = [row for row in rows if row.event == side.event]
    return list(dict.fromkeys((side, same[-1])))[:_THRESHOLDS]


def _row(data: ReportData, outcome: Outcome, prior: str) -> Row:
    cells: list[Cell] = [(Line(prior_name(prior), _expected(data, outcome, prior)),)]
    failed = False
    for ladder in outcome.ladders:
        row, events = ladder.rows.get(prior), _events(ladder)
        failed |= row is not None and row.failed
        cells.append(_value(row))
        mine = ladder.chances.get(prior, ())
        cells += [_value(next((one for one in mine if one.asks == event.asks), None)) for event in events]
    return Row(tuple(cells), "failed" if failed else "")


def _value(row: Estimate | None) -> Cell:
    if row is None:
        return text_cell(fmt.MISSING)
    return (Line(written(row), "", "failed" if row.failed else "", row.failed),)


def _published(data: ReportData, ladder: Ladder) -> Cell:
    row = ladder.published
    return text_cell("") if row is None else (Line(written(row), audit_note(data, row)),)


def _expected(data: ReportData, outcome: Outcome, prior: str) -> str:
    """What the prior expects of the effect, as the table of priors has it."""
    if data.priors is None or outcome.quantity != "hazard_ratio":
        return ""
    mine = data.priors[(data.priors["prior"] == prior) & (data.priors["parameter"] == "log_hazard_ratio")]
    if "endpoint" in mine:
        mine = mine[mine["endpoint"].fillna("").isin(["", outcome.endpoint])]
    if mine.empty:
        return ""
    last = mine.iloc[-1]
    numbers = [fmt.ratio(float(last[f"implied_{name}"])) for name in ("median", "lower", "upper")]
    return f"expects {numbers[0]} ({numbers[1]} to {numbers[2]})"


def _pictures(data: ReportData, outcome: Outcome, name: str) -> list[Picture]:
    rows: list[ForestRow] = []
    for ladder in outcome.ladders:
        rows.append(ForestRow(heading(ladder)))
        if ladder.published is not None:
            rows.append(ForestRow("Published", ladder.published, written(ladder.published)))
        if outcome.average is not None and ladder is outcome.unadjusted:
            mean = outcome.average.rows[outcome.average.main]
            rows.append(ForestRow(f"Average over models, {prior_label(mean.prior)}", mean, written(mean)))
        for prior in outcome.priors:
            row = ladder.rows.get(prior)
            if row is not None:
                chance = ladder.chance(prior)
                beside = fmt.probability(chance.point) if chance is not None and not chance.failed else ""
                rows.append(ForestRow(upper_first(prior_name(prior)), row, "failed" if row.failed else written(row), beside))
    published = any(ladder.published is not None for ladder in outcome.ladders)
    title = f"{name}: {quantity_label(outcome.quantity)}{', published and re-analysed' if published else ' under each prior'}"
    return effect_forest(data, rows, f"reader_{outcome.endpoint}", title, outcome.quantity, outcome.endpoint)


def absolute_section(data: ReportData) -> Iterator[Section]:
    """Differences that a patient would notice, under some priors; unadjusted, because a printed ratio adjusts no curve."""
    found = outcomes(data)
    names = list(dict.fromkeys(prior for outcome in found for prior in outcome.priors))
    priors = archetypes(names, data.main_prior if data.main_prior in names else next(iter(names), ""))[:_PRIORS_BESIDE]
    rows: list[Row] = []
    shown: list[Estimate] = []
    for outcome in found:
        mine = [row for row in data.estimates if _is_absolute(row, outcome)]
        if mine:
            rows.append(text_row([upper_first(endpoint_label(data.study, outcome.endpoint))], "group"))
        for subject in dict.fromkeys(row.subject for row in mine):
            by_prior = {row.prior: row for row in mine if row.subject == subject}
            label = upper_first(estimate_label(next(iter(by_prior.values()))))
            rows.append(Row((text_cell(label), *(_value(by_prior.get(prior)) for prior in priors))))
        shown += mine
    if rows:
        columns = ("Experimental − control", *(upper_first(prior_name(prior)) for prior in priors))
        models = dict.fromkeys(model_label(row.model) for row in shown)
        caption = f"{intervals_caption(shown)} Models: {'; '.join(models)}. Unadjusted; times in months, rates and survival as probabilities."
        table = Table("reader_absolute", "", caption, columns, tuple(rows), frozenset(range(1, len(columns))), wide=True)
        yield Section("absolute", "Absolute effects", (table,))


def _is_absolute(row: Estimate, outcome: Outcome) -> bool:
    ladder = outcome.unadjusted
    return (
        ladder is not None
        and row.endpoint == outcome.endpoint
        and row.quantity in _ABSOLUTE
        and row.statistic == "value"
        and row.method == "bayes"
        and row.model == ladder.model
        and row.variant == ladder.variant
        and is_comparison(row)
    )
