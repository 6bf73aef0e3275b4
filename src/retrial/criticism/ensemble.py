"""Criticism of one model over the tables of an endpoint: table by table, then averaged, never compared between tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from retrial.criticism.loo import LeaveOneOut, leave_one_out
from retrial.criticism.pit import GROUPS, PREDICTED, PitCurve, null_variance, pit_curve
from retrial.criticism.predictive import even_rows, scheme_of, simulated_kaplan_meier
from retrial.errors import FitError
from retrial.fit.ensemble import Fitted, Question
from retrial.fit.survival.likelihood import Hazard, survival_data
from retrial.tables.recorded import Recorded

LOO_TABLES = 40
"""Tables of an ensemble that patients are left out of: the means over them have a Monte Carlo error of a sixth of the spread
between tables, at a cost of some 10 ms a table."""
LOO_DRAWS = 2000
"""Draws of a fit that patients are left out with, evenly thinned: the cost is draws times cells, the Pareto k limit is 0.70."""
PREDICTIVE_DRAWS = 2000
"""Simulated studies behind a band: 50 of them lie beyond each limit of the 95 % band."""
FEWEST_PASSED = 0.5
"""Share of the tables whose fits must have passed for a model to be criticised: fewer are not the ensemble, and in a comparison
they would take their tables from the other models too."""
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
"""Limits of the 95 % and 50 % bands, and the median."""
_FEWEST_AT_RISK = 5.0
"""Patients, on average over the tables, without whom the distribution of PIT values is not drawn any further."""
_WIDTH_95 = 1.959964
"""Normal quantile of a two-sided 95 % band."""


@dataclass(frozen=True, eq=False)
class ModelCriticism:
    """One model under one prior on the tables looked at.

    `tables` (table,) are indices into the ensemble, `weights` theirs, adding to 1; `left_out` has None, and `failures` the reason,
    where a fit must not be used.
    """

    endpoint: str
    model: str
    prior: str
    tables: np.ndarray
    weights: np.ndarray
    left_out: Sequence[LeaveOneOut | None]
    failures: Sequence[str]

    @property
    def usable(self) -> np.ndarray:
        """(table,) whether the fit may be used."""
        return np.array([item is not None for item in self.left_out])

    @property
    def enough(self) -> bool:
        """Whether so many fits passed that means over their tables may be said."""
        return bool(self.usable.mean() >= FEWEST_PASSED)

    @property
    def status(self) -> str:
        """ "ok", or how many fits failed, and the first one's reason."""
        reasons = [reason for reason in self.failures if reason]
        if not reasons:
            return "ok"
        return f"failed: {len(reasons)} of {len(self.failures)} fits; first: {reasons[0].removeprefix('failed: ')}"


def criticise(hazard: Hazard, fitted: Fitted, prior: str, question: Question) -> ModelCriticism:
    """PSIS-LOO of every patient of `LOO_TABLES` tables (all, where there are no more), from the fits under one prior.

    The tables are a systematic sample in proportion to their weights, the same for every model of an endpoint.
    """
    tables, weights = tables_looked_at(question.weights)
    left_out: list[LeaveOneOut | None] = []
    failures = []
    for index in tables:
        health = fitted.diagnostics[prior][index]
        found, reason = None, "" if health.status == "ok" else health.status
        if not reason:
            size = fitted.draws[prior][index].diverging.size
            kept = min(size, LOO_DRAWS)
            draws = some_draws(fitted, prior, index, kept)
            try:
                data = survival_data(question.table, int(index), question.recorded)
                found = leave_one_out(hazard, draws, data, health.ess_bulk_min / kept)
            except FitError as error:
                reason = str(error)
        left_out.append(found)
        failures.append(reason)
    return ModelCriticism(fitted.endpoint, fitted.model, prior, tables, weights, left_out, failures)


def tables_looked_at(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the tables, and their weights, adding to 1."""
    if weights.size <= LOO_TABLES:
        return np.arange(weights.size), weights / weights.sum()
    tables, times = np.unique(even_rows(weights, LOO_TABLES), return_counts=True)
    return tables, times / times.sum()


def some_draws(fitted: Fitted, prior: str, table: int, count: int) -> dict[str, np.ndarray]:
    """`count` draws (draw,) or (draw, k) of one fit, evenly from its chains end to end."""
    fit = fitted.draws[prior][table]
    rows = np.linspace(0, fit.diverging.size - 1, count).round().astype(int)
    return {name: value.reshape(fit.diverging.size, *value.shape[2:])[rows] for name, value in fit.values.items()}


@dataclass(frozen=True, eq=False)
class MeanPit:
    """Distribution of the LOO-PIT values of one group, averaged over tables, at `PREDICTED` as far as it can be said.

    `observed` mean over the tables, `spread` its SD between them, `half_width` of the 95 % band that a right model's values would
    stay in at each point (within one table).
    """

    group: str
    predicted: np.ndarray
    observed: np.ndarray
    spread: np.ndarray
    half_width: np.ndarray
    at_risk: np.ndarray


def mean_pit(criticism: ModelCriticism, recorded: Recorded) -> list[MeanPit]:
    """LOO-PIT distributions of each arm and of both; nothing where too few fits passed."""
    kept = criticism.usable
    if not criticism.enough:
        return []
    weights = criticism.weights[kept] / criticism.weights[kept].sum()
    used = [item for item in criticism.left_out if item is not None]
    return [_mean_pit(group, [pit_curve(item, group, recorded) for item in used], weights) for group in GROUPS]


def _mean_pit(group: str, found: Sequence[PitCurve], weights: np.ndarray) -> MeanPit:
    values, at_risk = np.stack([item.observed for item in found]), weights @ np.stack([item.at_risk for item in found])
    shown = np.flatnonzero(at_risk >= _FEWEST_AT_RISK)
    rows = slice(0, int(shown[-1]) + 1 if shown.size else 1)
    observed = weights @ values
    return MeanPit(
        group,
        PREDICTED[rows],
        observed[rows],
        np.sqrt(weights @ (values - observed) ** 2)[rows],
        _WIDTH_95 * np.sqrt(null_variance(at_risk)[rows]),
        at_risk[rows],
    )


def posterior_studies(
    hazard: Hazard, fitted: Fitted, prior: str, question: Question, rng: np.random.Generator
) -> np.ndarray | None:
    """Kaplan-Meier curves (draw, arm, time) of new studies, each from a draw of one table's fit and with that table's censoring.

    Tables take part in proportion to their weights, those whose fit failed not at all; None where too few passed.
    """
    passed = np.array([item.status == "ok" for item in fitted.diagnostics[prior]])
    if passed.mean() < FEWEST_PASSED:
        return None
    tables = even_rows(np.where(passed, question.weights, 0.0), PREDICTIVE_DRAWS)
    taken = zip(*np.unique(tables, return_counts=True), strict=True)
    parts = [some_draws(fitted, prior, int(index), int(count)) for index, count in taken]
    pooled = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return simulated_kaplan_meier(hazard, pooled, scheme_of(question.table, question.recorded), tables, rng)


def prior_studies(hazard: Hazard, draws: Mapping[str, np.ndarray], question: Question, rng: np.random.Generator) -> np.ndarray:
    """Kaplan-Meier curves (draw, arm, time) of new studies from draws of the prior, with the censoring of the tables."""
    scheme = scheme_of(question.table, question.recorded)
    size = next(iter(draws.values())).shape[0]
    return simulated_kaplan_meier(hazard, draws, scheme, even_rows(question.weights, size), rng)
