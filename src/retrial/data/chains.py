"""Counts of exclusive ordered outcomes in both arms, as chains of conditional binomials, and their hierarchical models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from retrial.answers.monte_carlo import Origin
from retrial.answers.rows import Subject
from retrial.cells import COUNTS, OUTCOME, OUTCOMES, binomial_cells, binomial_counts, log_likelihood
from retrial.data.kind import Fits, Place, Row, diagnostic_row
from retrial.data.prior_checks import CHAINS, DRAWS, scaled_row, thinned
from retrial.dims import ANY_GRADE, ARM, ARMS, PRIOR, RECONSTRUCTION
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.fit.engine import Job
from retrial.fit.levels import fit_group
from retrial.fit.posterior_file import Observed, by_number, posterior_tree
from retrial.frequentist.rows import RATIO
from retrial.priors.prior_set import PriorSet
from retrial.priors.scales import LOG_ODDS_RATIO
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter

EFFECT = LOG_ODDS_RATIO.name
POOLING_SCALE = "effect_sd"
"""SD of effects about their mean in the models that pool."""
POOLING_FACTORS = (0.5, 2.0)
"""Under the main prior the pooling scale's own prior is halved and doubled, to show what it decides."""
SHOWN_OF_VARIANTS = ("common_odds_ratio", "effect_sd", "odds_ratio", "risk_difference")
TARGET_ACCEPT = 0.9
"""Smaller steps than survival models take: with few steps and grades the scales of pooling are known little better than their priors."""
STEP = "step"
TERM = "term"
GRADE = "grade"
CELL = "cell"
NONE = "none"
"""Last of the grades: patients without the event."""


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

    @property
    def cell_counts(self) -> np.ndarray:
        """(outcome, arm, step) of the chain of binomials."""
        return binomial_counts(self.events, self.at_risk)

    def updates(self) -> dict[str, np.ndarray]:
        return {COUNTS: self.cell_counts}

    def coords(self) -> dict[str, Any]:
        return {OUTCOME: list(OUTCOMES), ARM: list(ARMS), STEP: list(self.names[:-1])}

    @property
    def patients(self) -> xr.DataArray:
        """(arm, category): every patient, once."""
        return xr.DataArray(self.counts, {ARM: list(ARMS), "category": list(self.names)})


@dataclass(frozen=True, eq=False)
class GradedEvents:
    """Patients per arm, term and exclusive grade group, worst grade first: counts (arm, term, grade); n (arm, term) patients.

    `known` (term, grade) says which groups a term is printed in; a cell is a known pair, and the others have no patients. `sums` says of each
    term which groups (positions) a printed group is made of: itself, or the exclusive groups within it.
    """

    counts: np.ndarray
    n: np.ndarray
    terms: tuple[str, ...]
    grades: tuple[str, ...]
    known: np.ndarray
    sums: tuple[Mapping[str, tuple[int, ...]], ...]

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

    def by_term(self, cells: np.ndarray, missing: float) -> np.ndarray:
        """Values (..., cell) as (..., term, grade), with `missing` where a term is not printed in a group."""
        table = np.full((*cells.shape[:-1], *self.known.shape), missing)
        table[..., self.known] = cells
        return table

    @property
    def structure(self) -> tuple[object, ...]:
        return self.terms, self.grades, self.known.tobytes()

    @property
    def cell_counts(self) -> np.ndarray:
        """(outcome, arm, cell) of the chain of binomials."""
        return binomial_counts(self.events, self.at_risk)

    def updates(self) -> dict[str, np.ndarray]:
        return {COUNTS: self.cell_counts}

    @property
    def patients(self) -> xr.DataArray:
        """(arm, term, grade): every patient once a term, in the last place those without any of its grades."""
        none = self.n - self.counts.sum(axis=-1)
        counts = np.concatenate([self.counts, none[..., None]], axis=-1)
        return xr.DataArray(counts, {ARM: list(ARMS), TERM: list(self.terms), GRADE: [*self.grades, NONE]})

    def coords(self) -> dict[str, Any]:
        cells = [f"{self.terms[term]} {self.grades[grade]}" for term, grade in np.argwhere(self.known)]
        return {OUTCOME: list(OUTCOMES), ARM: list(ARMS), GRADE: list(self.grades), CELL: cells}


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
    reached, left = (np.exp(cell) for cell in binomial_cells(logit, np))
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


Sums = Sequence[Mapping[str, Sequence[str]]]


def graded_events(
    terms: Sequence[str],
    grades: Sequence[str],
    counts: Any,
    n: Sequence[int] | np.ndarray,
    known: Any | None = None,
    sums: Sums | None = None,
) -> GradedEvents:
    """Every term in every grade group where `known` is None; each group is itself, and any grade all of them, where `sums` is None.

    `n` are the patients of each arm, (arm,), or of each arm and term.

    Raises `DataError` where a term has more patients than its arm.
    """
    table, patients = np.array(counts, dtype=int), np.array(n, dtype=int)
    sizes = np.broadcast_to(patients if patients.ndim == 2 else patients[:, None], (len(ARMS), len(terms)))
    printed = np.ones((len(terms), len(grades)), dtype=bool) if known is None else np.array(known, dtype=bool)
    over = np.argwhere(table.sum(axis=-1) > sizes)
    if over.size:
        arm, term = over[0]
        raise DataError(
            "cannot model the adverse events",
            [
                f"adverse_events.terms.{terms[term]}: got {table[arm, term].sum()} patients over its grades; "
                f"allowed is at most {sizes[arm, term]}, the patients of the {ARMS[arm]} arm (arms.{ARMS[arm]}.n, or evaluable)"
            ],
        )
    if sums is None:
        of_terms = [[grade for grade, is_printed in zip(grades, row, strict=True) if is_printed] for row in printed]
        sums = [{**{grade: (grade,) for grade in row}, ANY_GRADE: row} for row in of_terms]
    places = tuple({key: tuple(map(list(grades).index, parts)) for key, parts in one.items()} for one in sums)
    return GradedEvents(np.where(printed, table, 0), sizes, tuple(terms), tuple(grades), printed, places)


ChainData = CategoryCounts | GradedEvents
Answers = Callable[[Subject, Mapping[str, np.ndarray]], list[Estimate]]
"""Rows from the draws (draw, ...) of one fit."""


def complete_sets(run: RunConfig, spec: ModelSpec, benefit: int) -> dict[str, PriorSet]:
    """Prior sets with the model's own priors and nothing else, `log_odds_ratio` turned to the outcome; then the main one's variants.

    By label: a set's name, and its variant where it is one.
    """
    sets = {}
    for name, given in run.sets_for(spec).items():
        if EFFECT not in given.priors:
            continue
        effect = given[EFFECT] if benefit > 0 else given[EFFECT].mirrored
        own = given.over(spec.priors)
        sets[name] = PriorSet(name, {**{key: own[key] for key in spec.priors}, EFFECT: effect})
    main = run.main_prior if run.main_prior in sets else next(iter(sets), "")
    for factor in POOLING_FACTORS if main and POOLING_SCALE in spec.priors else ():
        variant = f"pooling scale x {factor:g}"
        scaled = {key: _scaled(prior, factor) if key == POOLING_SCALE else prior for key, prior in sets[main].priors.items()}
        sets[f"{main}, {variant}"] = PriorSet(main, scaled, variant=variant)
    return sets


def _is_shown(row: Estimate) -> bool:
    """Whether a row is kept of a variant: effects, how far they pool, and the probability of a difference above 0."""
    return row.quantity in SHOWN_OF_VARIANTS and (row.statistic == "value" or row.quantity == "risk_difference")


def _scaled(prior: Any, factor: float) -> Any:
    """A half-normal prior of a scale, wider or narrower; other families stay."""
    if prior.family != "half_normal":
        return prior
    return dataclasses.replace(prior, parameters=(prior.number("sigma") * factor,))


def fit_chains(
    run: RunConfig, spec: ModelSpec, outcome: str, data: ChainData, answers: Answers, benefit: int, variant: str = ""
) -> Fits:
    """One model under every prior set that speaks of an odds ratio, and under variants of the pooling scale.

    With a `variant` (other patients than the main analysis): rows and diagnostics of the prior sets alone, and no saved posterior.
    """
    sets = complete_sets(run, spec, benefit)
    if variant:
        sets = {
            f"{name}, {variant}": PriorSet(name, given.priors, variant=variant)
            for name, given in sets.items()
            if not given.variant
        }
    if not sets:
        return Fits()
    jobs = [
        Job(data, priors, integer_seed(run.seed, run.study_file.stem, outcome, spec.name, name)) for name, priors in sets.items()
    ]
    settings = dataclasses.replace(run.sampler_for(spec), target_accept=max(run.sampler.target_accept, TARGET_ACCEPT))
    with counter(f"fitting {spec.name}", len(jobs), "fits") as progress:
        found = fit_group(spec.build, jobs, settings, run.limits, settings.draws(1), progress)
    rows: list[Estimate] = []
    for name, (draws, health) in zip(sets, found, strict=True):
        flat = {key: value.reshape(-1, *value.shape[2:]) for key, value in draws.values.items()}
        given, origin = sets[name], Origin.of_chains(*draws.diverging.shape)
        about = Subject(outcome, RATIO, spec.name, given.name, "", health.status, variant=given.variant, origin=origin)
        rows += [row for row in answers(about, flat) if given.variant in ("", variant) or _is_shown(row)]
    tree = (
        None
        if variant
        else posterior_tree(
            spec.build(data, jobs[0].priors),
            {name: [draws] for name, (draws, _) in zip(sets, found, strict=True)},
            sets,
            patients_observed(data.patients, lambda draws: spec.probabilities_of(draws, data)),
            {"model": spec.name, "endpoint": outcome, "inference_library": str(settings.engine)},
        )
    )
    healths = {name: health for name, (_, health) in zip(sets, found, strict=True)}
    return Fits(
        rows,
        diagnostics=[
            diagnostic_row(outcome, spec.name, sets[name].name, 0, health, sets[name].variant) for name, health in healths.items()
        ],
        failures=[
            f"{outcome}, {spec.name}, prior {name}: {health.status}" for name, health in healths.items() if health.status != "ok"
        ],
        posteriors={} if tree is None else {(outcome, spec.name): tree},
    )


@dataclass(frozen=True, eq=False)
class Scalable:
    """Draws of one fit with what power-scaling needs: how it is named, probabilities, log prior and log likelihood (draw,)."""

    named: Row
    draws: Mapping[str, np.ndarray]
    p: np.ndarray
    log_prior: np.ndarray
    likelihood: np.ndarray

    def common(self) -> Iterator[Row]:
        """The common odds ratio, where the effects are pooled."""
        if self.draws[EFFECT].ndim == 1:
            about = {**self.named, "quantity": "common_log_odds_ratio", "contrast": RATIO}
            yield scaled_row(about, self.draws[EFFECT], self.log_prior, self.likelihood)


def scalable(
    run: RunConfig, spec: ModelSpec, posteriors: Mapping[Place, xr.DataTree], outcome: str, data: ChainData, benefit: int
) -> Iterator[Scalable]:
    """One a prior set of the run; nothing where the model was not fitted."""
    if (outcome, spec.name) not in posteriors:
        return
    sets = complete_sets(run, spec, benefit)
    posterior = by_number(posteriors[outcome, spec.name])[0].isel({RECONSTRUCTION: 0})
    for name in (str(item) for item in posterior[PRIOR].to_numpy() if str(item) in run.priors):
        draws = {
            str(key): thinned(value.to_numpy().reshape(-1, *value.shape[2:]), CHAINS * DRAWS)
            for key, value in posterior.sel({PRIOR: name}).data_vars.items()
        }
        log_prior = sets[name][EFFECT].distribution.logpdf(draws[EFFECT])
        p = spec.probabilities_of(draws, data)
        named = {"endpoint": outcome, "model": spec.name, "prior": name}
        total = log_prior if log_prior.ndim == 1 else log_prior.sum(axis=1)
        with np.errstate(divide="ignore"):
            likelihood = log_likelihood(np.log(p), data.patients.to_numpy())
        yield Scalable(named, draws, p, total, likelihood)
