"""Counts of exclusive ordered outcomes in both arms, as chains of conditional binomials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from retrial.dims import ARM, ARMS, RECONSTRUCTION
from retrial.errors import DataError
from retrial.fit.posterior_file import Observed

STEP = "step"
TERM = "term"
GRADE = "grade"
CELL = "cell"
NONE = "none"
"""Last of the grades: patients without the event."""
ANY_GRADE, OTHER_GRADES = "any", "other"
"""Grade groups that end the chain of a term that is not printed in every group: all its patients, or those beside the printed groups."""


@dataclass(frozen=True, eq=False)
class CategoryCounts:
    """Patients per arm in exclusive categories, best first: counts (arm, category); every patient is in one."""

    counts: np.ndarray
    names: tuple[str, ...]

    @property
    def events(self) -> np.ndarray:
        """(arm, step): patients whose category is k, for all but the last."""
        return self.counts[:, :-1].astype(float)

    @property
    def at_risk(self) -> np.ndarray:
        """(arm, step): patients in no better category than k."""
        return at_risk(self.counts)

    @property
    def structure(self) -> tuple[object, ...]:
        return self.names

    def updates(self) -> dict[str, np.ndarray]:
        return {"events": self.events, "at_risk": self.at_risk}

    def coords(self) -> dict[str, Any]:
        return {ARM: list(ARMS), STEP: list(self.names[:-1])}

    @property
    def patients(self) -> xr.DataArray:
        """(arm, category): every patient, once."""
        return xr.DataArray(self.counts, {ARM: list(ARMS), "category": list(self.names)})


@dataclass(frozen=True, eq=False)
class GradedEvents:
    """Patients per arm, term and exclusive grade group, worst grade first: counts (arm, term, grade); n (arm,) patients.

    `known` (term, grade) says which groups a term is printed in; a cell is a known pair, and the others have no patients.
    """

    counts: np.ndarray
    n: np.ndarray
    terms: tuple[str, ...]
    grades: tuple[str, ...]
    known: np.ndarray

    @property
    def events(self) -> np.ndarray:
        """(arm, cell), cells in the order term by term, worst grade first."""
        return self.counts[:, self.known].astype(float)

    @property
    def at_risk(self) -> np.ndarray:
        """(arm, cell): patients without a worse grade of the same term."""
        return at_risk(self.patients.to_numpy())[:, self.known]

    @property
    def grade_of(self) -> np.ndarray:
        """(cell,): position of each cell's grade group."""
        return np.nonzero(self.known)[1]

    @property
    def with_any(self) -> list[bool]:
        """Of each term, whether its groups are all grades: a group that ends the chain, or every one of several exclusive groups."""
        ends = np.array([grade in (ANY_GRADE, OTHER_GRADES) for grade in self.grades])
        complete = self.known[:, ~ends].all(axis=1) & (int((~ends).sum()) > 1)
        return [bool(one) for one in complete | self.known[:, ends].any(axis=1)]

    def by_term(self, cells: np.ndarray, missing: float) -> np.ndarray:
        """Values (..., cell) as (..., term, grade), with `missing` where a term is not printed in a group."""
        table = np.full((*cells.shape[:-1], *self.known.shape), missing)
        table[..., self.known] = cells
        return table

    @property
    def structure(self) -> tuple[object, ...]:
        return self.terms, self.grades, self.known.tobytes()

    def updates(self) -> dict[str, np.ndarray]:
        return {"events": self.events, "at_risk": self.at_risk}

    @property
    def patients(self) -> xr.DataArray:
        """(arm, term, grade): every patient once a term, in the last place those without any of its grades."""
        none = self.n[:, None] - self.counts.sum(axis=-1)
        counts = np.concatenate([self.counts, none[..., None]], axis=-1)
        return xr.DataArray(counts, {ARM: list(ARMS), TERM: list(self.terms), GRADE: [*self.grades, NONE]})

    def coords(self) -> dict[str, Any]:
        cells = [f"{self.terms[term]} {self.grades[grade]}" for term, grade in np.argwhere(self.known)]
        return {ARM: list(ARMS), GRADE: list(self.grades), CELL: cells}


def patients_observed(patients: xr.DataArray, probabilities: Callable[[Mapping[str, np.ndarray]], np.ndarray]) -> Observed:
    """Counts in exclusive categories as patients, one by one (once a term), for the file of their posteriors.

    `probabilities` gives those of the categories, (draw, arm, ...), of posterior draws: an observation's likelihood is its category's.
    """
    counts = patients.to_numpy()
    held = np.nonzero(counts)

    def log_likelihood(_table: int, draws: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.repeat(np.log(probabilities(draws)[:, *held]), counts[held], axis=1)

    def observations(_table: int) -> dict[str, np.ndarray]:
        about = zip(patients.dims, held, strict=True)
        return {str(dim): np.repeat(patients[dim].to_numpy()[place], counts[held]) for dim, place in about}

    data = patients.expand_dims({RECONSTRUCTION: [0]}).to_dataset(name="patients")
    return Observed(data, np.ones(1), np.zeros(1, int), log_likelihood, observations)


def at_risk(counts: np.ndarray) -> np.ndarray:
    """Patients in category k or a later one, (..., category - 1), from counts (..., category)."""
    return counts[..., ::-1].cumsum(axis=-1)[..., ::-1][..., :-1].astype(float)


def chain_probabilities(logit: np.ndarray) -> np.ndarray:
    """p_k = q_k Π_{j<k} (1 - q_j) and what remains, (..., step + 1), from conditional logits (..., step)."""
    reached, left = np.exp(-np.logaddexp(0.0, -logit)), np.exp(-np.logaddexp(0.0, logit))
    one = np.ones((*logit.shape[:-1], 1))
    before = np.concatenate([one, np.cumprod(left, axis=-1)], axis=-1)
    return np.concatenate([reached, one], axis=-1) * before


def category_counts(names: Sequence[str], control: Sequence[int], experimental: Sequence[int]) -> CategoryCounts:
    """Raises `DataError` where an arm has no patient, or where there are fewer than two categories."""
    counts = np.array([control, experimental], dtype=int)
    if counts.ndim != 2 or counts.shape[1] < 2 or (counts < 0).any() or (counts.sum(axis=1) < 1).any():
        raise DataError(
            "cannot model the response categories",
            [
                f"response.categories: got {counts.tolist()} for {list(names)}; allowed are two or more categories and a patient in each arm"
            ],
        )
    return CategoryCounts(counts, tuple(names))


def graded_events(
    terms: Sequence[str], grades: Sequence[str], counts: Any, n: Sequence[int], known: Any | None = None
) -> GradedEvents:
    """Every term in every grade group where `known` is None. Raises `DataError` where a term has more patients than its arm."""
    table, sizes = np.array(counts, dtype=int), np.array(n, dtype=int)
    printed = np.ones((len(terms), len(grades)), dtype=bool) if known is None else np.array(known, dtype=bool)
    over = np.argwhere(table.sum(axis=-1) > sizes[:, None])
    if over.size:
        arm, term = over[0]
        raise DataError(
            "cannot model the adverse events",
            [
                f"adverse_events.terms.{terms[term]}: got {table[arm, term].sum()} patients over its grades; "
                f"allowed is at most arms.{ARMS[arm]}.n, {sizes[arm]}"
            ],
        )
    return GradedEvents(np.where(printed, table, 0), sizes, tuple(terms), tuple(grades), printed)
