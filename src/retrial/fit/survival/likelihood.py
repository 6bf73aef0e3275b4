"""Survival likelihood of a life table, written once: cells from log hazard and cumulative hazard, observed in PyMC."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.cells import COUNTS
from retrial.dims import ARM, ARMS, TIME
from retrial.errors import DataError
from retrial.fit.observe import observe_cells
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior
from retrial.tables.life_table import LateEntry, LifeTable
from retrial.tables.recorded import Recorded, grouped_times, recording_intervals

STATUS = "status"
STATUSES = ("event", "censored", "entered")
"""Kinds of cells; the last only where patients entered late."""
OBSERVED = "life_table"
ROW, COLUMN = "row", "covariate"
"""Cells of patients with covariates, and columns of these."""
COVARIATE_EFFECTS, COVARIATE_PREDICTOR = "covariate_effects", "covariate_predictor"
"""Coefficients γ of patients' covariates, (column,), and what a hazard is given of them: γ · z of a patient, beside the other parameters."""
EXPERIMENTAL_INDICATOR = np.array([[0.0], [1.0]])
"""Column (arm, 1): 1 in the experimental arm; broadcasts against (time,)."""

Hazard = Callable[[Any, Any, Mapping[str, Any], Any], tuple[Any, Any]]
"""(time, experimental indicator, parameters, numpy or pytensor.tensor) -> (log hazard, cumulative hazard)."""


@dataclass(frozen=True, eq=False)
class SurvivalData:
    """One life table as a likelihood wants it.

    `times` (time,) months, above 0; `previous` (time,) the time before; `counts` (status, arm, time).
    recorded = "exact": an event at t contributes log h(t) - H(t), a censoring -H(t). Else an event in (a, b] contributes log(S(a) - S(b)), a
    censoring -H(c), with a, b and c by `recording_intervals`; `previous` is then one unit before the time, below 0 for events recorded at 0.
    A patient who entered late (left truncation) is conditioned on being free of the event at entry: + H(entry), a third status,
    which is there only where somebody did; `late` are then the patients themselves, with rows of `times`.
    """

    times: np.ndarray
    previous: np.ndarray
    counts: np.ndarray
    recorded: Recorded
    late: LateEntry | None = None

    dims: ClassVar[tuple[str, ...]] = (STATUS, ARM, TIME)

    @property
    def events(self) -> np.ndarray:
        return self.counts[0]

    @property
    def censored(self) -> np.ndarray:
        return self.counts[1]

    @property
    def entered(self) -> np.ndarray:
        """(arm, time) patients who entered at each time; zeros where all were there from the start."""
        return self.counts[2] if self.late is not None else np.zeros(self.events.shape)

    @property
    def points(self) -> np.ndarray:
        """(time,) months at which a censoring and an entry count."""
        return np.asarray(recording_intervals(self.times, self.previous, self.recorded)[2])

    @property
    def structure(self) -> tuple[object, ...]:
        return (self.recorded, len(self.counts))

    @property
    def coords(self) -> dict[str, Any]:
        return {STATUS: list(STATUSES[: len(self.counts)]), ARM: list(ARMS), TIME: np.arange(self.times.size)}

    def of_rows(self) -> dict[str, np.ndarray]:
        """Nothing: every patient of an arm is alike."""
        return {}

    def updates(self) -> dict[str, np.ndarray]:
        """Values of the `pm.Data` made by `observe`, for a refit."""
        return {"time_months": self.times, "previous_months": self.previous, COUNTS: self.counts}


def survival_data(table: LifeTable, reconstruction: int = 0, recorded: Recorded = "exact") -> SurvivalData:
    """One table of a `LifeTable`, without its time 0 (patients censored there say nothing of any hazard)."""
    events, censored = table.counts(reconstruction)
    times, at_zero = table.times, table.times <= 0
    if at_zero.any() and events[:, at_zero].any():
        raise DataError(
            "events at time 0: a hazard model with exact times has no likelihood for them",
            [
                f"got {int(events[:, at_zero].sum())} events at time 0; allowed are times above 0 (`LifeTable.with_first_events_at`)"
            ],
        )
    kept = ~at_zero
    late = table.late
    parts = [events, censored] if late is None else [events, censored, table.entered.to_numpy()]
    counts = np.stack([part[:, kept] for part in parts]).astype(float)
    own, previous = grouped_times(times[kept], recorded)
    rows = np.cumsum(kept) - 1
    return SurvivalData(own, previous, counts, recorded, None if late is None else late.moved(rows))


def entering(data: SurvivalData, months: float) -> SurvivalData:
    """The same patients, all of them under observation from a time on only (left truncation): + H(months) each, in a row of its own.

    Raises `DataError` where somebody left before, or entered late already.
    """
    start, _, point = recording_intervals(data.times, data.previous, data.recorded)
    leaving = data.counts[:2].sum(axis=0).astype(np.int64)
    too_early = data.events[:, start < months - _SAME_TIME].any() or data.censored[:, point < months - _SAME_TIME].any()
    if data.late is not None or not months > 0 or too_early:
        raise DataError(
            f"got patients who left before {months:g} months, or entered late; allowed are others, and a time above 0"
        )
    first = int(leaving.any(axis=0).argmax())
    unit = float(data.times[first] - data.previous[first])
    row = months - unit / 2 if data.recorded == "floor" else months
    place = int(np.searchsorted(data.times, row))
    times, previous = (np.insert(old, place, new) for old, new in ((data.times, row), (data.previous, max(row - unit, 0.0))))
    counts = np.insert(np.concatenate([data.counts, np.zeros_like(data.counts[:1])]), place, 0.0, axis=-1)
    counts[2, :, place] = leaving.sum(axis=1)
    status, arm, out = np.nonzero(counts[:2])
    late = LateEntry(status, arm, out, np.full(out.size, place), counts[status, arm, out].astype(np.int64))
    return dataclasses.replace(data, times=times, previous=previous, counts=counts, late=late)


def cell_log_likelihood(
    hazard: Hazard,
    data_times: Any,
    previous: Any,
    parameters: Mapping[str, Any],
    recorded: Recorded,
    xp: Any,
    statuses: int = 2,
    experimental: Any = EXPERIMENTAL_INDICATOR,
) -> Any:
    """Log-likelihood of one patient in each cell, shape (..., status, arm, time); of an entry what it adds to it, H.

    Of patients with covariates `experimental` is (row,), as times and `COVARIATE_PREDICTOR` are, and the shape (..., status, row).
    """
    start, end, point = recording_intervals(data_times, previous, recorded)
    log_hazard, cumulative = hazard(point, experimental, parameters, xp)
    if recorded == "exact":
        event = log_hazard - cumulative
    else:
        _, before = hazard(xp.maximum(start, _TINY_MONTHS), experimental, parameters, xp)
        before = xp.where(start > 0, before, 0.0)
        after = cumulative if recorded == "ceiling" else hazard(end, experimental, parameters, xp)[1]
        lost = after - before <= _NO_DIGITS * after
        gained = xp.where(lost, 1.0, after - before)
        event = -before + xp.where(lost, log_hazard + xp.log(end - start), xp.log(-xp.expm1(-gained)))
    entered = xp.where(cumulative < _MOST_AT_ENTRY, cumulative, -cumulative)
    return xp.stack([event, -cumulative, entered][:statuses], axis=-1 - experimental.ndim)


def prepared_from(prepare: Callable[[SurvivalData], Any], months: float) -> Callable[[SurvivalData], Any]:
    """`prepare` of tables in which everybody entered at a time; itself where they did from the start."""
    return functools.partial(_prepared, prepare, months) if months > 0 else prepare


def _prepared(prepare: Callable[[SurvivalData], Any], months: float, data: SurvivalData) -> Any:
    return prepare(entering(data, months))


_NO_DIGITS = 1e-11
"""Share of H below which its increase has lost its digits (on a plateau): the hazard times the length of the interval stands for it."""
_MOST_AT_ENTRY = 1e8
"""H(entry) beyond which H(t) - H(entry) has lost its digits, and is inf - inf in the end: nobody is there to enter, the likelihood is nothing."""
_SAME_TIME = 1e-6
"""Months by which a time may miss another that is the same."""
_TINY_MONTHS = 1e-6
"""Stands for time 0 where a logarithm is taken; the result is then replaced."""


def linear_predictor(parameters: Mapping[str, Any], experimental: Any) -> Any:
    """β x + γ · z: the treatment's effect in the experimental arm, and that of a patient's covariates where there are some."""
    treated = parameters["log_hazard_ratio"] * experimental
    return treated + parameters[COVARIATE_PREDICTOR] if COVARIATE_PREDICTOR in parameters else treated


def patients_in_model(rows: Mapping[str, np.ndarray], priors: PriorSet) -> tuple[Any, Any]:
    """Arm (row,) and γ · z (row,) of patients' rows (`PatientData.of_rows`), with independent coefficients γ in the model in context."""
    made = {name: pm.Data(name, value, dims=(ROW, COLUMN)[: value.ndim]) for name, value in rows.items()}
    effects = effect_prior(COVARIATE_EFFECTS, priors[COVARIATE_EFFECTS], dims=COLUMN)
    return made["experimental_arm"], (made["covariate_values"] * effects).sum(axis=-1)


def observe(hazard: Hazard, data: Any, parameters: Mapping[str, Any], priors: PriorSet) -> None:
    """Add a `SurvivalData` to the model in context as an observed variable `life_table` over (status, arm, time); or a `PatientData`,
    over (status, row), with coefficients of its covariates (`COVARIATE_EFFECTS`).

    log p = Σ counts x cell log-likelihood; counts and times are `pm.Data`, so a compiled model takes another table of the
    same shape.
    """
    times = pm.Data("time_months", data.times, dims=data.dims[-1])
    # a compiled model refuses data that it does not use
    previous = pm.Data("previous_months", data.previous, dims=data.dims[-1]) if data.recorded != "exact" else None
    experimental: Any = EXPERIMENTAL_INDICATOR
    rows = data.of_rows()
    if rows:
        experimental, of_patients = patients_in_model(rows, priors)
        parameters = {**parameters, COVARIATE_PREDICTOR: of_patients}
    cells = cell_log_likelihood(hazard, times, previous, parameters, data.recorded, pt, len(data.counts), experimental)
    observe_cells(OBSERVED, cells, data.counts, data.dims)


def coords(data: Any) -> dict[str, Any]:
    """Coordinates of a survival model, of a `SurvivalData` or a `PatientData`."""
    found: dict[str, Any] = data.coords
    return found
