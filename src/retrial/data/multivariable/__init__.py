"""Printed multivariable models: all coefficients at once, over the information matrices that the printed tables allow (METHODS 13)."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject, ratio_rows
from retrial.data.kind import Fits, Kind, failed_in_words
from retrial.data.ratio import parameter_of, prior_of
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import contrast_of, covariates_of, effect_source
from retrial.multivariable.benchmark import benchmark_draws
from retrial.multivariable.carried import largest_inflation
from retrial.multivariable.contradiction import Contradictions, contradictions
from retrial.multivariable.posterior import LEAST_EFFECTIVE, Components, NormalMixture, posterior, status_of
from retrial.multivariable.printed import PrintedModel, printed_model
from retrial.multivariable.sampler import Matrices, MatrixSettings, sample
from retrial.multivariable.statistics import HAZARDS
from retrial.multivariable.summary import covariate_rows, notes_of, overruled, rests_on_prior
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed, seed_sequence
from retrial.store.progress import counter, part, step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.validate import Problems, build_dataclass

log = logging.getLogger("retrial")
PERCENT, PARTS = 100, (2, 10, 78, 10)
"""Of the work: contradictions, inflations that are carried, matrices, rows."""
FACTORS = "factors"
"""Start of the variant, and of a factor's prior, that names the prior of the prognostic factors."""
SHIFT = "adjustment_shift"
"""Log ratio adjusted for all covariates less that adjusted for some."""
BENCHMARK_DRAWS = 20_000
REPEATED = (1, 4, 16)
"""Times that each matrix is taken, with new draws of the prior's scales, until enough components count."""


@dataclass(frozen=True)
class Settings:
    """Priors of the prognostic factors, the main one first, and how matrices are sampled."""

    structures: tuple[str, ...]
    matrices: MatrixSettings


def settings_of(raw: Mapping[str, Any], key: str) -> Settings:
    """`structures` and `matrices` of the model's YAML. Raises `ConfigError` with all that is wrong."""
    problems = Problems()
    structures = raw.get("structures", ["independent"])
    if not isinstance(structures, list) or not structures or any(not isinstance(item, str) for item in structures):
        problems.add(f"{key}.structures: got {structures!r}; allowed is a list of names")
        structures = []
    matrices = build_dataclass(MatrixSettings, raw.get("matrices", {}), f"{key}.matrices", problems)
    problems.raise_if_any(f"cannot use {key}")
    return Settings(tuple(structures), matrices)


def effects(study: Study) -> tuple[str, ...]:
    """Of the treatments of the study's multivariable models."""
    keys = [item.effect for model in study.multivariable.values() for item in model.covariates.values()]
    mine = [study.effects[key] for key in keys if key in study.effects]
    return tuple(sorted({parameter_of(effect) for effect in mine if effect.is_treatment}))


def models_of(run: RunConfig, study: Study) -> Iterator[PrintedModel]:
    """The multivariable models that a run asks for and that can be used; of the others it is said why not."""
    for key, section in study.multivariable.items():
        if run.endpoints and section.endpoint and section.endpoint not in run.endpoints:
            continue
        try:
            yield printed_model(study, key)
        except DataError as error:
            log.info("multivariable.%s: left out; %s", key, "; ".join(error.problems))


def fit(run: RunConfig, spec: ModelSpec, study: Study, _tables: Sequence[EndpointTables]) -> Fits:
    """Rows of treatment and factors under every prior of both, what adjustment moves, and what the matrices leave open."""
    parts = []
    for model in models_of(run, study):
        settings, seed = spec.settings.matrices, integer_seed(run.seed, "multivariable", model.key)
        with step(f"{spec.name}: {model.key}"), counter(f"multivariable.{model.key}", PERCENT, "percent") as done:
            with part(done, PARTS[0]) as alive:
                found = contradictions(model, alive)
            with part(done, PARTS[1]) as alive:
                carried = largest_inflation(model, alive)
            with part(done, PARTS[2]) as alive:
                matrices = sample(model, settings, seed, alive)
            with part(done, PARTS[3]) as alive:
                rows = list(_Fit(run, spec, study, model, matrices, found, carried).rows(alive))
        failures = list(dict.fromkeys(failed_in_words(rows)))
        if found.status != "ok":
            failures = [f"multivariable.{model.key}, {spec.name}: {found.status}"]
        parts.append(
            Fits(rows, failures=failures, multivariable=covariate_rows(model, matrices, found, carried, run.questions.tail))
        )
    return Fits.together(parts)


@dataclass(frozen=True, eq=False)
class _Fit:
    """One multivariable model under the run's priors."""

    run: RunConfig
    spec: ModelSpec
    study: Study
    model: PrintedModel
    matrices: Matrices
    found: Contradictions
    carried: np.ndarray

    def rows(self, alive: Callable[[float], None]) -> Iterator[Estimate]:
        """All of them; `alive` is called after each, and with the share that is done after each prior."""
        for row, share in self._rows():
            alive(share)
            if row is not None:
                yield row

    def _rows(self) -> Iterator[tuple[Estimate | None, float]]:
        sets, main = self.run.sets_for(self.spec), self.spec.settings.structures[0]
        share = 1.0 / (len(sets) * len(self.spec.settings.structures))
        for structure in self.spec.settings.structures:
            for name, priors in sets.items():
                given = None if self.model.treatment is None else self._treatment_prior(priors)
                if self.model.treatment is not None and given is None:
                    continue
                components = self.components(structure, priors, given)
                is_main = name == self.run.main_prior
                yield from ((row, 0.0) for row in self._coefficients(components, name, structure, every=is_main))
                if is_main and structure == main and self.model.treatment is not None:
                    yield from ((row, 0.0) for row in self._adjustment(components, name, self.model.treatment))
                yield None, share

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What to know of every row of the model."""
        rests = np.flatnonzero(rests_on_prior(self.matrices, self.carried, self.run.questions.tail))
        names = ", ".join(self.model.names[place] for place in rests)
        prior = (
            f"the variance inflation of {names} rests on the prior of the correlations: the print carries larger ones"
            if names
            else ""
        )
        first = (self.found.note_in_short, overruled(self.model, self.matrices, self.found), prior)
        return (*filter(None, first), *notes_of(self.model))

    def _status(self, components: Components) -> str:
        """Tables that contradict each other come before what the fit says of itself."""
        return status_of(components) if self.found.status == "ok" else self.found.in_short

    def _treatment_prior(self, priors: PriorSet) -> Prior | None:
        return None if self.model.treatment is None else prior_of(priors, self.study, self.model.effects[self.model.treatment])

    def components(self, structure: str, priors: PriorSet, given: Prior | None) -> Components:
        """The joint posterior under one prior of the factors and one of the treatment; with more draws of their scales where few count."""
        for times in REPEATED:
            found = self._components(self.matrices.repeated(times) if times > 1 else self.matrices, structure, priors, given)
            if found.effective >= LEAST_EFFECTIVE:
                break
        return found

    def _components(self, matrices: Matrices, structure: str, priors: PriorSet, given: Prior | None) -> Components:
        count, size = matrices.b.shape
        # not of the prior set: the same matrices and scales stand under each, so that sets differ by their priors alone
        random = np.random.default_rng(seed_sequence(self.run.seed, "prior variances", self.model.key, structure))
        means, scales = np.zeros((count, size)), np.empty((count, size))
        factors = list(self.model.others(self.model.treatment)) if self.model.treatment is not None else list(range(size))
        own = PriorSet("own", {**self.spec.priors, **priors.priors})
        # a ratio per unit is one per two standard deviations, as of two groups: its unit changes nothing
        unit = self.model.scale[factors]
        scales[:, factors] = self.spec.given("variances")(structure, matrices.s[:, factors] * unit, own, random) / unit**2
        if self.model.treatment is not None and given is not None:
            means[:, self.model.treatment], scales[:, self.model.treatment] = normal_parts(given, random, count)
        return posterior(matrices, means, scales)

    def _subject(self, position: int, prior: str, structure: str, status: str) -> Subject:
        """`prior` is the treatment's set; a factor's rows are named after the prior of the factors, and say the treatment's."""
        effect, key = self.study.effects[self.model.effects[position]], self.model.effects[position]
        names = covariates_of(effect) or ", ".join(self.model.names[place] for place in self.model.others(position))
        words = self.spec.given("prior_words")(structure, PriorSet("own", self.spec.priors))
        is_factor, others = position != self.model.treatment, f"prior of the prognostic factors: {words}"
        if is_factor and self.model.treatment is not None:
            others += f"; of the treatment: {prior}"
        return Subject(
            self.model.endpoint,
            contrast_of(effect),
            self.spec.name,
            f"{FACTORS} {structure}" if is_factor else prior,
            effect_source(effect, key),
            status=status,
            note="; ".join((*self.notes, others)),
            variant="" if structure == self.spec.settings.structures[0] else f"{FACTORS} {structure}",
            adjusted_for=names,
        )

    def _coefficients(self, components: Components, prior: str, structure: str, *, every: bool) -> Iterator[Estimate]:
        """The treatment; under the main prior every factor too."""
        status = self._status(components)
        for place in range(self.model.size):
            if every or place == self.model.treatment:
                parts = [part.of(place) for part in components.islands]
                subject = self._subject(place, prior, structure, status)
                yield from with_errors(
                    ratio_rows(subject, self.model.measure, components.of(place), self.run.questions), parts, self.run.questions
                )

    def _adjustment(self, components: Components, prior: str, position: int) -> Iterator[Estimate]:
        """The treatment unadjusted, adjusted for one covariate and for all but one; what each moves; and with one more confounder. Nothing of odds
        ratios, which change with adjustment without any confounding.
        """
        if self.model.measure != HAZARDS:
            return
        full, others = (
            self._subject(position, prior, self.spec.settings.structures[0], self._status(components)),
            self.model.others(position),
        )
        units = [unit for unit in self.model.units if position not in unit]
        asked = [(), *units, *(tuple(place for place in others if place not in out) for out in units)]
        for kept in dict.fromkeys(kept for kept in asked if len(kept) < len(others)):
            names = ", ".join(self.model.names[place] for place in kept)
            spread = matrix_share(components, position, kept)
            note = f"share of the variance that the printed tables leave open: {100 * spread:.0f} %"
            note = "; ".join(part for part in (*self._open_sign(components, position, kept), note, full.note) if part)
            subject = dataclasses.replace(full, adjusted_for=names, note=note)
            parts = [part.subset(position, kept) for part in components.islands]
            whole = components.subset(position, kept)
            yield from with_errors(ratio_rows(subject, self.model.measure, whole, self.run.questions), parts, self.run.questions)
            moved = dataclasses.replace(full, variant=f"from adjusted for {names}" if names else "from unadjusted")
            yield _linear_row(moved, SHIFT, "log ratio", components.shift(position, kept), self.run.questions)
        if len(others) > 0:
            yield from self._benchmark(full, components, position)

    def _open_sign(self, components: Components, position: int, kept: Sequence[int]) -> Iterator[str]:
        """What each sign of a univariable ratio says, where the paper prints its test alone."""
        if not self.matrices.sign.any():
            return
        tail, parts = self.run.questions.tail, []
        for sign, words in ((-1, "below"), (1, "above")):
            low, middle, high = np.exp(components.of_sign(sign).subset(position, kept).ppf(np.array([tail, 0.5, 1 - tail])))
            parts.append(f"{middle:.2f} ({low:.2f} to {high:.2f}) if it is {words} 1")
        key = f"multivariable.{self.model.key}.covariates.{self.model.names[position]}.side"
        yield f"sign not printed: both sides of 1 are taken as equally likely for the univariable ratio; {', '.join(parts)} ({key} can say it)"

    def _unsigned(self) -> tuple[str, ...]:
        return ("sign not printed of the univariable ratio",) if self.matrices.sign.any() else ()

    def _benchmark(self, full: Subject, components: Components, position: int) -> Iterator[Estimate]:
        seed = integer_seed(self.run.seed, "benchmark", self.model.key)
        for words, draws in benchmark_draws(components, position, seed, BENCHMARK_DRAWS).items():
            subject = dataclasses.replace(full, variant=words, note="; ".join(filter(None, (*self._unsigned(), full.note))))
            yield from subject.ratio_from_draws(self.model.measure, draws, self.run.questions)


def matrix_share(components: Components, position: int, kept: Sequence[int]) -> float:
    """Part of a posterior variance that is between the matrices, not within each of them."""
    whole = components.subset(position, kept)
    centre = whole.mean()
    return float(whole.weights @ (whole.means - centre) ** 2 / whole.std() ** 2)


def with_errors(rows: Sequence[Estimate], parts: Sequence[NormalMixture], questions: Questions) -> Iterator[Estimate]:
    """Rows with the Monte Carlo errors that the samplers' differences tell, of ratio, log ratio and their limits."""
    if len(parts) < 2:
        yield from rows
        return
    levels = np.array([questions.tail, 0.5, 1 - questions.tail])
    logs = np.array([part.ppf(levels) for part in parts])
    count = sum(part.weights.size for part in parts)
    for row in rows:
        if row.statistic != "value":
            yield row
            continue
        values = np.exp(logs) if row.unit == "ratio" else logs
        low, middle, high = values.std(axis=0, ddof=1) / np.sqrt(len(parts))
        yield dataclasses.replace(row, draws=count, mcse_lower=float(low), mcse_point=float(middle), mcse_upper=float(high))


def _linear_row(subject: Subject, quantity: str, unit: str, found: NormalMixture, questions: Questions) -> Estimate:
    low, middle, high = (float(value) for value in found.ppf(np.array([questions.tail, 0.5, 1 - questions.tail])))
    return subject.row(quantity, unit, middle, questions, (low, high), found.std())


def normal_parts(prior: Prior, random: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of `count` normals whose mixture is a real prior: its components by their weights, a t's variances by their law.

    Student t with ν degrees of freedom and scale σ is N(μ, σ² ν / χ²_ν).
    """
    if prior.family == "normal":
        return np.full(count, prior.number("mu")), np.full(count, prior.number("sigma") ** 2)
    if prior.family == "student_t":
        nu = prior.number("nu")
        return np.full(count, prior.number("mu")), prior.number("sigma") ** 2 * nu / np.maximum(
            random.chisquare(nu, count), 1e-12
        )
    # systematic, so that the components' shares are the prior's to 1 / count, and in random order
    weights, mu, sigma = (np.array(prior[name]) for name in ("weights", "mu", "sigma"))
    places = (np.arange(count) + random.uniform()) / count
    chosen = random.permutation(np.minimum(np.searchsorted(np.cumsum(weights) / weights.sum(), places), weights.size - 1))
    return mu[chosen], sigma[chosen] ** 2


def lacking_of(_run: RunConfig, spec: ModelSpec, study: Study) -> Iterator[str]:
    """Why there is nothing to fit."""
    if not study.multivariable:
        yield f"multivariable: missing, or its ratios compare further arms; needed by the model {spec.name}"
    for key in study.multivariable:
        try:
            printed_model(study, key)
        except DataError as error:
            yield from error.problems


KIND = Kind(
    "multivariable",
    needed=("variances", "prior_words"),
    effects=effects,
    fit=fit,
    reads=("structures", "matrices"),
    settings=settings_of,
    lacks=lacking_of,
)
