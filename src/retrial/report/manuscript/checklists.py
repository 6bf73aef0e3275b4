"""Reporting checklists, filled from what a run has: every item leads to its place, or says why it is not met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from retrial.report.data import ReportData
from retrial.report.manuscript.document import Block, Heading, Paragraph, grid_of
from retrial.report.section import Section
from retrial.report.table import Line, Row, Table, text_cell

KEY, TITLE = "checklists", "Reporting checklists"
_NO_FITS = "this run has fitted no model by sampling"
_NO_MODELS = "this run has fitted no model"
_NOT_PATIENTS = "needs the paper's text or the patients' data, which no printed number replaces"


@dataclass(frozen=True, slots=True)
class Item:
    """An item: its number, what it asks, addresses of sections, tables or figures that answer it (the first that is there), why it is not met
    where none is."""

    number: str
    asks: str
    places: tuple[str, ...]
    why: str


_EFFECTS = ("effect",)
"""Any section of an outcome of the first layer."""
CHECKLISTS: Mapping[str, tuple[Item, ...]] = {
    "BARG (Kruschke 2021)": (
        Item("Preamble", "Why Bayesian; goals; estimand", ("limits", "methods"), "no comparison of arms"),
        Item(
            "1A",
            "Data variables, and which number feeds which likelihood",
            ("claim", "treatment"),
            "no number printed that a model uses",
        ),
        Item("1B, 1D", "Likelihood and parameters, formally", ("methods",), _NO_MODELS),
        Item("1C", "Priors with justification", ("table-priors",), _NO_MODELS),
        Item("1E", "Prior predictive check", ("table-prior_predictive",), "no model of this run has a prior predictive check"),
        Item("2A", "Software, versions, seed", ("methods",), ""),
        Item("2B", "Convergence", ("diagnostics",), _NO_FITS),
        Item("2C", "Resolution of the chains: effective sample sizes", ("diagnostics",), _NO_FITS),
        Item("2D", "Error of what is not MCMC", ("diagnostics", "methods"), _NO_MODELS),
        Item("3A", "Posterior predictive check", ("figure-predictive",), "no survival model was criticised"),
        Item("3B", "Posterior with central tendency and interval, of a named kind", _EFFECTS, _NO_MODELS),
        Item("3C", "Model probabilities", ("table-criticism",), "fewer than two survival models"),
        Item("4A, 4C", "Thresholds set beforehand", ("methods",), _NO_MODELS),
        Item(
            "4D",
            "Bayes factor with the prior odds that it needs",
            ("bayes-factors",),
            "no Bayes factor for an effect is reported: decisions are read from the posterior",
        ),
        Item("4E", "Estimates beside decisions", _EFFECTS, _NO_MODELS),
        Item("5A-5C", "Sensitivity to broad, informed and default priors", _EFFECTS, _NO_MODELS),
        Item("5E", "Sensitivity of the decisions", ("change",), "no effect to decide about"),
        Item("6A-6E", "Everything needed to run it again", ("methods",), ""),
        Item("6F", "Chains kept", ("diagnostics",), _NO_FITS),
    ),
    "ROBUST (Sung et al. 2005)": (
        Item("1", "Prior specified", ("table-priors",), _NO_MODELS),
        Item("2", "Prior justified", ("table-priors",), _NO_MODELS),
        Item("3", "Sensitivity to the prior", _EFFECTS, _NO_MODELS),
        Item("4", "Statistical model", ("methods",), _NO_MODELS),
        Item("5", "Analytic technique", ("methods",), _NO_MODELS),
        Item("6", "Central tendency", _EFFECTS, _NO_MODELS),
        Item("7", "Credible intervals", _EFFECTS, _NO_MODELS),
    ),
    "WAMBS (Depaoli and van de Schoot 2017)": (
        Item("1", "The priors are understood: what they imply", ("table-priors_imply", "table-priors"), _NO_MODELS),
        Item("2", "Traces converge", ("figure-traces", "diagnostics"), _NO_FITS),
        Item(
            "3",
            "Convergence stays after doubling",
            ("table-doubled",),
            "no fit is repeated with twice its draws; a fit that does not pass is repeated with more",
        ),
        Item("4", "Enough draws for the histogram", ("diagnostics",), _NO_FITS),
        Item("5", "Autocorrelation", ("diagnostics",), _NO_FITS),
        Item("6", "The posterior makes sense", ("table-agreement", "figure-predictive"), "no printed ratio to hold it against"),
        Item(
            "7",
            "Other priors of variances",
            ("table-response_priors", "table-multivariable_shrunken"),
            "no model of this run has a variance that pools effects",
        ),
        Item("8, 9", "Other priors of effects", _EFFECTS, _NO_MODELS),
        Item("10", "Interpretation in plain words", ("change",), "no effect to interpret"),
    ),
    "FDA draft on Bayesian methodology (2026), as summarised": (
        Item("–", "Prior justified, with its effective size", ("table-priors",), _NO_MODELS),
        Item("–", "Conflict of prior and data", ("table-conflict",), "no printed ratio or count"),
        Item("–", "Success criterion named", ("methods",), _NO_MODELS),
        Item(
            "–",
            "Plan dated before the results",
            ("plan",),
            "no plan was written before this run (retrial plan), or the paper's results were known when it was",
        ),
        Item(
            "–",
            "Operating characteristics at the study's size",
            ("operating-characteristics",),
            "not simulated in this run; the program's own calibration is in docs/validation.md",
        ),
        Item(
            "–",
            "Borrowing from other studies, with its discounting",
            ("table-response_shrinkage",),
            "nothing is borrowed in this run",
        ),
    ),
    "INSPECT-SR: what printed numbers can answer": (
        Item("Notices", "Retractions, expressions of concern, corrections", (), "needs the publisher's page: not looked up"),
        Item("Conduct", "Registration, ethics, recruitment that is possible", (), _NOT_PATIENTS),
        Item("Text, figures", "Repeated text or images", (), _NOT_PATIENTS),
        Item("Results", "Counts and percentages that go together", ("audit",), "nothing was checked"),
        Item("Results", "Printed p-values and intervals that can be recomputed", ("audit",), "nothing was checked"),
        Item("Results", "Numbers that are printed twice agree", ("audit",), "nothing was checked"),
        Item(
            "Results",
            "Survival numbers that one table of patients can have",
            ("reconstruction",),
            "no table of an endpoint was reconstructed",
        ),
        Item("Results", "Baseline balance that chance can give", ("limits",), "no baseline table"),
    ),
}
"""Items by checklist; sources: docs/methods.md."""


def checklist_section(layers: Mapping[str, Sequence[Section]]) -> Section:
    """Every checklist as a table; `layers` are the sections of each page by its name."""
    places = _places(layers)
    tables = tuple(_table(name, items, places, number) for number, (name, items) in enumerate(CHECKLISTS.items(), 1))
    return Section(KEY, TITLE, tables, paragraphs=(_counted(places),))


def _places(layers: Mapping[str, Sequence[Section]]) -> dict[str, tuple[str, str]]:
    """Address -> page with its fragment, and title; of the first layer first."""
    found: dict[str, tuple[str, str]] = {}
    for page, sections in layers.items():
        for section in sections:
            mine = [(section.key, section.title)]
            mine += [(f"table-{table.key}", table.title or section.title) for table in section.tables]
            mine += [(f"figure-{picture.key}", picture.title) for picture in section.pictures]
            for key, title in mine:
                found.setdefault(key, (f"{page}.html#{key}", title))
    return found


def _place(item: Item, places: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    """The place itself, or the first whose address begins with it and a separator."""
    for asked in item.places:
        if asked in places:
            return places[asked]
        near = next((value for key, value in places.items() if key.startswith((f"{asked}-", f"{asked}_"))), None)
        if near is not None:
            return near
    return None


def _counted(places: Mapping[str, tuple[str, str]]) -> str:
    items = [item for some in CHECKLISTS.values() for item in some]
    met = sum(_place(item, places) is not None for item in items)
    return f"{met} of {len(items)} items have a place in this report; the others say why they are not met."


def _table(name: str, items: Sequence[Item], places: Mapping[str, tuple[str, str]], number: int) -> Table:
    rows = []
    for item in items:
        place = _place(item, places)
        where = (Line(place[1], href=place[0]),) if place is not None else text_cell(f"not met: {item.why}")
        rows.append(Row((text_cell(item.number), text_cell(item.asks), where), "" if place is not None else "conditional"))
    return Table(
        f"checklist_{number}", name, "Where the report answers the item.", ("Item", "Asks", "Where"), tuple(rows), prose=True
    )


def checklist_blocks(section: Section) -> Iterator[Block]:
    """The checklists as a document."""
    yield Heading(TITLE, 1)
    for text in section.paragraphs:
        yield Paragraph(text)
    for table in section.tables:
        yield grid_of(table)


def has_place(data: ReportData) -> bool:
    """Whether there is anything that a checklist could be about."""
    return bool(data.estimates or data.checks)
