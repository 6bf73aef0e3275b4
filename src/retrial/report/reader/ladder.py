"""Which numbers answer a reader's question: of every main outcome the effect under each prior, unadjusted and adjusted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from retrial.estimate import Estimate
from retrial.report.data import ReportData
from retrial.report.key_results import main_endpoints
from retrial.report.labels import RATIOS, event_order, is_chance, is_comparison
from retrial.report.tables.results import Group, groups_of

RATIOS_FIRST = ("hazard_ratio", "average_hazard_ratio", "risk_difference", "odds_ratio", "risk_ratio")
_ARCHETYPES = (
    ("flat", "jeffreys", "stated"),
    ("sceptical",),
    ("shrinkage", "empirical"),
    ("optimistic", "enthusiastic"),
    ("pessimistic",),
)
"""Prior sets by what they stand for, in a reader's order; the first of each that a run has stands for it."""
MEANINGS = {"empirical": "shrinkage", "optimistic": "enthusiastic", "flat": "the data alone", "jeffreys": "the data alone"}
"""What a prior set stands for, where its name does not say so."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """One effect of one model under every prior: `rows` by prior, with the probabilities that belong to them.

    `published` is the printed number of the same effect, `adjusted_for` its covariates; `main` is the prior that is quoted first.
    """

    published: Estimate | None
    model: str
    adjusted_for: str
    rows: dict[str, Estimate]
    chances: dict[str, tuple[Estimate, ...]]
    main: str

    @property
    def fine(self) -> dict[str, Estimate]:
        """Rows that may be used."""
        return {prior: row for prior, row in self.rows.items() if not row.failed}

    def decided(self, prior: str) -> bool:
        """Whether the interval under a prior excludes the value of no effect."""
        row, none = self.rows[prior], no_effect(self.rows[prior])
        return row.lower > none or row.upper < none

    def chance(self, prior: str) -> Estimate | None:
        """Probability of an effect on the side of a benefit under a prior."""
        return next((row for row in self.chances.get(prior, ()) if is_chance(row)), None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One outcome's effect, in one quantity: unadjusted and adjusted as far as they are there."""

    endpoint: str
    quantity: str
    unadjusted: Ladder | None
    adjusted: Ladder | None

    @property
    def ladders(self) -> tuple[Ladder, ...]:
        return tuple(ladder for ladder in (self.unadjusted, self.adjusted) if ladder is not None)

    @property
    def rows(self) -> tuple[Estimate, ...]:
        return tuple(
            row for ladder in self.ladders for row in (*([ladder.published] if ladder.published else []), *ladder.rows.values())
        )

    @property
    def priors(self) -> tuple[str, ...]:
        """In a reader's order: the archetypes, then the others as they came."""
        present = dict.fromkeys(prior for ladder in self.ladders for prior in ladder.rows)
        first = [name for names in _ARCHETYPES for name in names if name in present]
        return (*first, *(name for name in present if name not in first))


def no_effect(row: Estimate) -> float:
    """The value of no effect: 1 of a ratio, 0 of a difference."""
    return 1.0 if row.quantity in RATIOS else 0.0


def archetypes(priors: Sequence[str], main: str) -> list[str]:
    """The main prior, then one prior of each archetype that is there, for tables that have room for some only."""
    found = [next((name for name in names if name in priors), "") for names in _ARCHETYPES]
    chosen = [main if main in priors else "", *(found[1:] if main in _ARCHETYPES[0] else found)]
    return list(dict.fromkeys(name for name in chosen if name))


def outcomes(data: ReportData) -> list[Outcome]:
    """The main outcomes with a comparison of the arms, in the study's order."""
    groups = [
        group
        for group in groups_of(row for row in data.estimates if not data.is_joint(row))
        if group.main in RATIOS_FIRST and is_comparison(group.first)
    ]
    return [found for endpoint in main_endpoints(data.study, groups) for found in _outcome(data, endpoint, groups)]


def _outcome(data: ReportData, endpoint: str, groups: Sequence[Group]) -> Iterator[Outcome]:
    mine = [group for group in groups if group.endpoint == endpoint]
    order = RATIOS_FIRST if endpoint in data.study.endpoints else RATIOS_FIRST[::-1][2:3] + RATIOS_FIRST
    quantity = next(name for name in order if any(group.quantity == name for group in mine))
    of_quantity = [group for group in mine if group.quantity == quantity]
    plain = next((group for group in of_quantity if not group.first.adjusted_for), None)
    adjusted = [group for group in of_quantity if group.first.adjusted_for]
    most = max(adjusted, key=lambda group: group.first.adjusted_for.count(","), default=None)
    ladders = [_ladder(data, group) if group is not None else None for group in (plain, most)]
    if any(ladders):
        yield Outcome(endpoint, quantity, *ladders)


def _ladder(data: ReportData, group: Group) -> Ladder | None:
    """Rows of the model that a reader is told about; None where there is neither a printed number nor a posterior."""
    published = next(iter(group.by("published")), None)
    model = _model(data, group)
    rows = {row.prior: row for row in group.by("bayes") if row.model == model and not row.variant}
    if published is None and not rows:
        return None
    main = data.main_prior if data.main_prior in rows else next(iter(rows), "")
    return Ladder(published, model, group.first.adjusted_for, rows, _chances(data, group, model), main)


def _model(data: ReportData, group: Group) -> str:
    """The average over models; else the first fitted to the tables; else the first. One that failed under its main prior comes last."""
    rows = [row for row in group.by("bayes") if not row.variant]
    models = list(dict.fromkeys(row.model for row in rows))

    def place(model: str) -> tuple[bool, int]:
        mine = [row for row in rows if row.model == model]
        main = next((row for row in mine if row.prior == data.main_prior), mine[0])
        rank = 0 if model in data.averages else 1 if model in data.from_tables else 2
        return main.failed, rank

    return min(models, key=place, default="")


def _chances(data: ReportData, group: Group, model: str) -> dict[str, tuple[Estimate, ...]]:
    """Probabilities of this effect by prior, the threshold of no effect first."""
    found: dict[str, list[Estimate]] = {}
    for row in data.estimates:
        if row.statistic == "probability" and row.model == model and not row.variant and row.subject == group.first.subject:
            found.setdefault(row.prior, []).append(row)
    return {prior: tuple(sorted(rows, key=event_order)) for prior, rows in found.items()}
