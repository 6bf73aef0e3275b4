"""The methods section of a paper about a run, from its configuration, models, priors, diagnostics and audit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from retrial.audit.run import numbers_recomputed
from retrial.report import format as fmt
from retrial.report.data import ReportData
from retrial.report.labels import endpoint_label, named, prior_label, upper_first
from retrial.report.manuscript.document import Block, Bullets, Heading, Paragraph, grid_of
from retrial.report.manuscript.references import STUDY
from retrial.report.methods import cards
from retrial.report.tables.results import interval_words
from retrial.report.tables.run import prior_table

_CITED = {
    "pymc": "pymc",
    "arviz": "arviz",
    "lifelines": "lifelines",
    "statsmodels": "statsmodels",
    "scipy": "scipy",
    "numpy": "numpy",
}
"""Packages with a paper: name among the versions -> reference."""


def methods(data: ReportData) -> Iterator[Block]:
    """Blocks of the section, in the order of a reader's questions: why, from what, which models and priors, how computed, what was asked."""
    yield Heading("Methods", 1)
    yield from _design(data)
    yield from _numbers(data)
    yield from _models(data)
    yield from _priors(data)
    yield from _computation(data)
    yield from _questions(data)


def _design(data: ReportData) -> Iterator[Block]:
    yield Heading("Design")
    yield Paragraph(
        f"We re-analysed a published study [@{STUDY}] as Bayesian re-analyses of trials do [@zampieri2021], to say how probable effects of given"
        " sizes are, under which prior beliefs they stand, and on the absolute scale what they amount to. The report follows the Bayesian"
        " Analysis Reporting Guidelines [@kruschke2021], ROBUST [@sung2005] and WAMBS [@depaoli2017].",
        cited=True,
    )
    outcomes = ", ".join(endpoint_label(data.study, key) for key in data.study.endpoints)
    if outcomes:
        yield Paragraph(named(f"Outcomes: {outcomes}. Contrasts are experimental over, or minus, control."))


def _numbers(data: ReportData) -> Iterator[Block]:
    yield Heading("The numbers, and their audit")
    source = (
        "The patients' times are in a file of the study."
        if any(endpoint.patients for endpoint in data.study.endpoints.values())
        else "No patient's data were available: every likelihood below is of numbers that the paper prints."
    )
    yield Paragraph(source)
    if data.checks:
        decisions = sum(check.decision is not None for check in data.checks)
        yield Paragraph(
            f"Before any model was fitted, {fmt.count(numbers_recomputed(data.checks))} printed numbers were recomputed from others in"
            f" {fmt.count(len(data.checks))} checks, each printed number standing for its rounding interval. What cannot be right was"
            f" corrected or left out where another printed number decides it ({fmt.count(decisions)}"
            f" {'case' if decisions == 1 else 'cases'}), and is listed otherwise."
        )
    tables = [curves for curves in data.curves.values() if not curves.from_patients]
    if tables:
        counts = "; ".join(
            f"{endpoint_label(data.study, key)}, {fmt.count(curves.kaplan_meier.shape[0])}"
            for key, curves in data.curves.items()
            if not curves.from_patients
        )
        yield Paragraph(
            "Life tables that carry every printed survival number were sampled, not one of them chosen, so that what the paper does not"
            f" determine widens the answers (tables: {counts}). Combinations of estimators that may have made the printed numbers are"
            " weighted by their evidence."
        )


def _models(data: ReportData) -> Iterator[Block]:
    found = cards(data)
    if not found:
        return
    yield Heading("Models")
    for card in found:
        yield Heading(named(card.name), 3)
        yield Paragraph(named(card.summary))
        if card.rest:
            yield Paragraph(named(card.rest), fixed=True)


def _priors(data: ReportData) -> Iterator[Block]:
    table = prior_table(data.priors)
    if table is None or data.priors is None:
        return
    yield Heading("Priors")
    names = [prior_label(str(name)) for name in dict.fromkeys(data.priors["prior"]) if name]
    main = f" The main one is {prior_label(data.main_prior)}." if data.main_prior else ""
    yield Paragraph(
        f"Priors were set before any result was seen, each with its source: {', '.join(names)}.{main} What a prior weighs is its expected local"
        " information ratio [@neuenschwander2020]; sensitivity to prior and likelihood is by power scaling [@kallioinen2024].",
        cited=True,
    )
    yield grid_of(table)


def _computation(data: ReportData) -> Iterator[Block]:
    yield Heading("Computation")
    diagnosed = data.diagnostics is not None and not data.diagnostics.empty
    if diagnosed:
        yield Paragraph(
            f"Posteriors are in closed form or by quadrature where the model allows; else by importance sampling with Pareto-smoothed weights"
            f" [@vehtari2024] or by the No-U-Turn sampler [@hoffman2014]. A sampled posterior is used only with {data.thresholds} [@vehtari2021];"
            " otherwise it is marked as failed wherever its numbers stand.",
            cited=True,
        )
        yield Paragraph(_health(data))
    if data.criticism is not None and not data.criticism.empty:
        yield Paragraph(
            "Models are compared by leave-one-out scores [@vehtari2017] within each life table, and by their evidence.",
            cited=True,
        )
    versions = data.manifest.get("versions")
    if isinstance(versions, Mapping):
        listed = ", ".join(
            f"{name} {version}" + (f" [@{_CITED[name]}]" if name in _CITED else "") for name, version in versions.items()
        )
        yield Paragraph(f"Software: {_safe(listed)}. Seed {_safe(str(data.manifest.get('seed', '')))}.", cited=True)


def _safe(text: str) -> str:
    """A text of the manifest has no references but those that we put there."""
    return (
        text
        if all(part.split("]")[0].rstrip() in _CITED.values() for part in text.split("[@")[1:])
        else text.replace("[@", "[ @")
    )


def _health(data: ReportData) -> str:
    frame: Any = data.diagnostics
    failed = int((frame["status"] != "ok").sum())
    parts = [f"{fmt.count(len(frame))} fits, {fmt.count(failed)} of them failed"]
    for column, words, worst, decimals in (
        ("rhat_max", "largest R-hat", "max", 3),
        ("ess_bulk_min", "smallest bulk effective sample size", "min", 0),
        ("ess_tail_min", "smallest tail effective sample size", "min", 0),
        ("divergences", "divergent transitions", "sum", 0),
    ):
        values = frame.loc[frame["status"] == "ok", column].dropna() if column in frame else []
        if len(values):
            parts.append(f"{words} of those used {fmt.decimal(float(getattr(values, worst)()), decimals)}")
    return f"{upper_first('; '.join(parts))}."


def _questions(data: ReportData) -> Iterator[Block]:
    """What was asked of every posterior, set beforehand in the configuration."""
    yield Heading("Questions set beforehand")
    said = asked(data.manifest.get("config"))
    intervals = interval_words([row for row in data.estimates if row.method == "bayes"])
    if intervals:
        said = [f"Point estimates are posterior medians, intervals the {intervals}.", *said]
    if said:
        yield Bullets(tuple(said))


def asked(config: Any) -> list[str]:
    """Thresholds and horizons of a configuration, in sentences."""
    answers = config.get("answers") if isinstance(config, Mapping) else None
    if not isinstance(answers, Mapping):
        return []
    said = []
    for key, words in (("below", "below"), ("above", "above")):
        values = answers.get(key)
        if isinstance(values, Sequence) and values:
            said.append(f"Probabilities that a ratio is {words} {_listed(values)}.")
    pairs = answers.get("between")
    if isinstance(pairs, Sequence) and pairs:
        said.append(
            f"Probability of practical equivalence: a ratio between {'; between '.join(_listed(pair) for pair in pairs)}."
        )
    months = answers.get("survival_months")
    if isinstance(months, Sequence) and months:
        said.append(f"Survival at {_listed(months)} months where the tables reach it.")
    return said


def _listed(values: Sequence[Any]) -> str:
    texts = [f"{float(value):g}" for value in values]
    return f"{', '.join(texts[:-1])} and {texts[-1]}" if len(texts) > 1 else texts[0]
