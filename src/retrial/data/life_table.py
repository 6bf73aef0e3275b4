"""Life tables of an endpoint: survival models fitted to every table, their answers, diagnostics and the bands of the figures."""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from retrial.answers import curves
from retrial.answers.comparison.bayes_factors import fitted_factor_rows, is_no_difference, says_something
from retrial.answers.comparison.shared import ModelAnswers, held_against, kaplan_meier_seen, shared_answers
from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.answers.notes import empty_arms
from retrial.answers.rows import Subject
from retrial.answers.survival import survival_rows
from retrial.cells import log_likelihood
from retrial.criticism.joint import JOINT, joint_weights, log_prior_evidence
from retrial.criticism.pointwise import patients_observed
from retrial.data.covariates import Adjustment, adjusted
from retrial.data.direction import good_endpoints
from retrial.data.kind import Fits, Kind, Moments, Place, Row, Values, diagnostic_row
from retrial.data.prior_checks import CHAINS, DRAWS, Before, scaled_row, thinned
from retrial.data.survival_checks import criticised, main_prior, variance_rows
from retrial.dims import ARM, ARMS, LOWER, POINT, PRIOR, RECONSTRUCTION, TIME, TIME_FINE, TOTAL, UPPER
from retrial.estimate import Estimate
from retrial.fit.engine import Draws
from retrial.fit.ensemble import EFFECT, Fitted, Question, fit_ensemble
from retrial.fit.posterior_file import WEIGHT, by_number, posterior_tree
from retrial.fit.survival.intervals import IntervalRule
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, survival_data
from retrial.frequentist.rows import RATIO
from retrial.priors.implied.power_scaling import pooled_log_density
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.store.progress import counter, step
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded
from retrial.validate import Problems, build_dataclass

log = logging.getLogger("retrial")

ANSWER_DRAWS = 24_000
"""Draws behind every answer: twice the 10,000 that interval limits ask for (METHODS 10), nearly independent after thinning."""
SHARED_DRAWS = 12_000
"""Of these kept for averages over models: several models, of 10,000 effective draws together."""
_BAND_POINTS = 121
"""Times of a posterior band: finer than a figure's pixels at print size."""
_BAND_DRAWS = 4000
"""Draws behind a band: its limits move by less than a line's width with more."""

_NO_MEDIAN = 1e12
"""Months that stand for a median that does not exist in what a prior says: quantiles of infinite values cannot be interpolated."""


def settings(raw: Mapping[str, Any], key: str) -> IntervalRule | None:
    """`intervals` of a model whose hazards are constant between cut points; None where it has none."""
    if "intervals" not in raw:
        return None
    problems = Problems()
    rule = build_dataclass(IntervalRule, raw["intervals"], f"{key}.intervals", problems)
    problems.raise_if_any(f"cannot use {key}")
    return rule


def effects(study: Study) -> tuple[str, ...]:
    """Of survival models: the hazard ratio."""
    return (EFFECT,) if study.endpoints else ()


def on(spec: ModelSpec, table: LifeTable, weights: np.ndarray, recorded: Recorded = "exact") -> ModelSpec:
    """The model for one endpoint's tables: with cut points where it has intervals, else as it is."""
    if spec.settings is None:
        return spec
    cuts = spec.settings.cuts(table, weights, recorded)
    bound = {name: functools.partial(function, cuts=cuts) for name, function in spec.functions.items()}
    return dataclasses.replace(spec, functions=bound, settings=None)


def turned(priors: PriorSet, study: Study) -> PriorSet:
    """The set with the mirror of a prior that favours an arm for every endpoint whose event is good, as the printed ratio has it."""
    own = {key: priors.for_endpoint(key).priors.get(EFFECT) for key in good_endpoints(study) if key in study.endpoints}
    mirrors = {key: {EFFECT: prior.mirrored} for key, prior in own.items() if prior is not None and not prior.is_symmetric}
    by_endpoint = {**priors.by_endpoint, **{key: {**priors.by_endpoint.get(key, {}), **mine} for key, mine in mirrors.items()}}
    return dataclasses.replace(priors, by_endpoint=MappingProxyType(by_endpoint))


def fit(run: RunConfig, spec: ModelSpec, study: Study, tables: Sequence[EndpointTables]) -> Fits:
    """Every endpoint's tables under every prior set that speaks of a hazard ratio."""
    sets = {name: value for name, value in run.sets_for(spec).items() if value.speaks_of(EFFECT)}
    tables = [item for item in tables if any(value.speaks_of(EFFECT, item.endpoint) for value in sets.values())]
    if not tables:
        return Fits()
    complete = {name: turned(value, study).over(spec.priors) for name, value in sets.items()}
    specs = [on(spec, item.table, item.weights, item.recorded) for item in tables]
    questions = [
        Question(item.endpoint, item.table, item.weights, item.recorded, own.prepare)
        for own, item in zip(specs, tables, strict=True)
    ]
    total = sum(item.table.n_reconstructions for item in tables) * len(complete)
    with counter(f"fitting {spec.name}", total, "fits") as progress:
        fits = fit_ensemble(
            spec.name,
            spec.build,
            questions,
            complete,
            run.sampler_for(spec),
            run.limits,
            (run.seed, run.study_file.stem),
            progress,
        )
    parts = [_told(run, complete, *item) for item in zip(specs, fits, questions, tables, strict=True)]
    with step(f"criticising {spec.name}"):
        criticism = [
            criticised(run, complete, own, fitted, question) for own, fitted, question in zip(specs, fits, questions, strict=True)
        ]
    return dataclasses.replace(Fits.together(parts), criticism=criticism)


def adjust(run: RunConfig, spec: ModelSpec, study: Study, item: EndpointTables, given: Adjustment) -> Fits:
    """The same with the covariates of an endpoint's patients, with the cut points of the unadjusted model."""
    sets = {name: value for name, value in run.sets_for(spec).items() if value.speaks_of(EFFECT, item.endpoint)}
    complete = {name: turned(value, study).over(spec.priors) for name, value in sets.items()}
    return adjusted(run, on(spec, item.table, item.weights, item.recorded), given, complete, run.study_file.stem)


def _told(
    run: RunConfig, complete: Mapping[str, PriorSet], spec: ModelSpec, fitted: Fitted, question: Question, item: EndpointTables
) -> Fits:
    """Everything about one endpoint but the criticism."""
    statuses = {prior: fitted.status(prior) for prior in fitted.draws}
    return dataclasses.replace(
        _answers(run, spec, fitted, item, complete),
        diagnostics=[
            diagnostic_row(item.endpoint, spec.name, prior, index, health)
            for prior, healths in fitted.diagnostics.items()
            for index, health in enumerate(healths)
        ],
        failures=[
            f"{item.endpoint}, {spec.name}, prior {prior}: {status}" for prior, status in statuses.items() if status != "ok"
        ],
        posteriors={(item.endpoint, spec.name): _posterior(run, spec, fitted, question, complete)},
        bands={item.endpoint: _band(run, spec, fitted, item)},
        variance=variance_rows(run, spec, fitted, item),
    )


def _posterior(
    run: RunConfig, spec: ModelSpec, fitted: Fitted, question: Question, complete: Mapping[str, PriorSet]
) -> xr.DataTree:
    """The fits of one endpoint as ArviZ reads them."""
    priors = {name: complete[name].for_endpoint(fitted.endpoint) for name in fitted.draws}
    data = question.prepare(survival_data(question.table, 0, question.recorded))
    return posterior_tree(
        spec.build(data, next(iter(priors.values()))),
        fitted.draws,
        priors,
        patients_observed(spec.hazard_of(), question),
        {"model": spec.name, "endpoint": fitted.endpoint, "inference_library": str(run.sampler.engine)},
    )


def _answers(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables, complete: Mapping[str, PriorSet]) -> Fits:
    """Rows under every prior set, and the draws of what other models answer too."""
    hazard = spec.hazard_of()
    events = item.table.events.sum(TIME).max(RECONSTRUCTION).to_numpy()
    # everybody may have the event in time: only an arm without one has no likelihood of its own
    sizes = [math.inf if n > 0 else 0.0 for n in item.table.n.max(RECONSTRUCTION).to_numpy()]
    note, follow_up = empty_arms(events, sizes), FollowUp.of(item.table, item.weights)
    times, horizon = follow_up.times(run.questions), follow_up.horizon(run.questions)
    seen = kaplan_meier_seen(item.table, follow_up, times, item.recorded)
    log_prior = log_prior_evidence(item, run.reconstruction)
    source = item.source if log_prior is None else f"{item.source}; {CUT}"

    def under(prior: str) -> tuple[list[Estimate], ModelAnswers]:
        draws, origin = _pooled(run, fitted, prior)
        shared = shared_answers(hazard, draws, horizon, times, spec.proportional)
        subject = Subject(item.endpoint, "", spec.name, prior, source, fitted.status(prior), note, origin=origin)
        rows = survival_rows(subject, hazard, draws, run.questions, follow_up, spec.proportional, shared)
        if says_something(complete[prior].for_endpoint(item.endpoint)[EFFECT]) and is_no_difference(
            hazard, draws, EFFECT, horizon
        ):
            ratio = dataclasses.replace(subject, contrast=RATIO)
            rows += fitted_factor_rows(ratio, fitted.diagnostics[prior], item.weights, run.questions)
        kept = np.linspace(0, origin.size - 1, min(origin.size, SHARED_DRAWS)).round().astype(int)
        passed = np.array([health.status == "ok" for health in fitted.diagnostics[prior]])
        about = (item.endpoint, spec.name, prior, item.source, note, follow_up, passed, seen)
        return held_against(rows, seen, times), ModelAnswers(*about, shared.rows(kept), origin.rows(kept))

    def jointly(prior: str) -> tuple[list[Estimate], Row]:
        if log_prior is None:
            return [], {}
        found = joint_weights(fitted, prior, log_prior)
        named = {"endpoint": item.endpoint, "model": spec.name, "prior": prior}
        about = {name: getattr(found, name) for name in ("tables", "effective_tables", "log_ratio_sd", "status")}
        if found.status != "ok":
            return [], named | about
        draws, origin = _pooled(run, dataclasses.replace(fitted, weights=found.weights), prior)
        told = f"{item.source}; weighed by the model's evidence: {found.effective_tables:.0f} effective tables"
        subject = Subject(item.endpoint, "", spec.name, prior, told, fitted.status(prior), note, JOINT, origin=origin)
        return survival_rows(
            subject, hazard, draws, run.questions, follow_up.weighted(found.weights), spec.proportional
        ), named | about

    with ThreadPoolExecutor(run.sampler.threads) as pool:
        found, joint = list(pool.map(under, fitted.draws)), list(pool.map(jointly, fitted.draws))
    rows = [row for rows, _ in (*found, *joint) for row in rows]
    return Fits(rows, shared=[answers for _, answers in found], joint=[row for _, row in joint if row])


CUT = "cut posterior: tables from their own prior"
"""Of a posterior whose tables know nothing of the model."""


def _pooled(run: RunConfig, fitted: Fitted, prior: str) -> tuple[dict[str, np.ndarray], Origin]:
    """Draws behind the answers, and the table and chain that each is of."""
    seed = integer_seed(run.seed, "pool", fitted.endpoint, fitted.model, prior)
    pooled, (table, chain, source) = fitted.pooled(prior, seed), fitted.origin(prior, seed)
    # evenly thinned: the draws are ordered by table, so every table keeps its share
    rows = np.linspace(0, table.size - 1, min(table.size, ANSWER_DRAWS)).round().astype(int)
    return {name: values[rows] for name, values in pooled.items()}, Origin(table[rows], chain[rows], source[rows])


def _band(run: RunConfig, spec: ModelSpec, fitted: Fitted, item: EndpointTables) -> xr.Dataset:
    """Posterior of S(t) under the main prior that the model was fitted with."""
    prior = main_prior(run, fitted)
    pooled, _ = _pooled(run, fitted, prior)
    size = next(iter(pooled.values())).shape[0]
    rows = np.linspace(0, size - 1, min(size, _BAND_DRAWS)).astype(int)
    times = np.linspace(0.0, float(item.table.times[-1]), _BAND_POINTS)
    values = curves.survival(spec.hazard_of(), {name: value[rows] for name, value in pooled.items()}, times)
    low, middle, high = np.quantile(values, [run.questions.tail, 0.5, 1 - run.questions.tail], axis=0)
    dims = (ARM, TIME_FINE)
    attributes: dict[str, Any] = {
        "model": spec.name,
        "prior": prior,
        "level": run.questions.level,
        "status": fitted.status(prior),
    }
    return xr.Dataset(
        {POINT: (dims, middle), LOWER: (dims, low), UPPER: (dims, high)}, {ARM: list(ARMS), TIME_FINE: times}, attributes
    )


def predict(before: Before, general: ModelSpec, given: PriorSet) -> Values:
    """Medians, survival and the hazard ratio, with the cut points of each endpoint's tables."""
    for item in before.tables:
        spec = on(general, item.table, item.weights, item.recorded)
        mine = turned(given, before.study).over(spec.priors).for_endpoint(item.endpoint)
        if EFFECT not in mine.priors:
            continue
        data = spec.prepare(survival_data(item.table, 0, item.recorded))
        draws = before.drawn(spec, data, mine, EFFECT)
        medians = np.minimum(curves.median_survival(spec.hazard_of(), draws), _NO_MEDIAN)
        months = [time for time in before.run.questions.survival_months if time <= float(item.table.times[-1])]
        survival = curves.survival(spec.hazard_of(), draws, np.array(months))
        for index, arm in enumerate(ARMS):
            yield (item.endpoint, "median_survival", None, arm), "months", medians[:, index]
            for column, time in enumerate(months):
                yield (item.endpoint, "survival", time, arm), "probability", survival[:, index, column]
        yield (item.endpoint, "hazard_ratio", None, RATIO), "ratio", np.exp(draws[EFFECT])


def scale(run: RunConfig, spec: ModelSpec, study: Study, posteriors: Mapping[Place, xr.DataTree]) -> Iterator[Row]:
    """Draws pooled over the tables, each table's posterior scaled by itself."""
    for endpoint in study.endpoints:
        if (endpoint, spec.name) not in posteriors:
            continue
        posterior, observed = by_number(posteriors[endpoint, spec.name])
        table, weights = LifeTable(observed.drop_vars(WEIGHT)), observed[WEIGHT].to_numpy()
        recorded = study.endpoints[endpoint].reading
        own = on(spec, table, weights, recorded)
        each = [survival_data(table, index, recorded) for index in range(table.n_reconstructions)]
        for name in (str(item) for item in posterior[PRIOR].to_numpy() if str(item) in run.priors):
            draws, share = _over_tables(posterior.sel({PRIOR: name}), weights)
            likelihood = _log_likelihoods(own, each, share, draws)
            prior = turned(run.priors[name], study).for_endpoint(endpoint)[EFFECT]
            log_prior = pooled_log_density(prior.distribution.logpdf(draws[EFFECT]), share)
            named = {"endpoint": endpoint, "quantity": EFFECT, "contrast": RATIO, "model": spec.name, "prior": name}
            yield scaled_row(named, draws[EFFECT], log_prior, pooled_log_density(likelihood, share))


def _over_tables(posterior: xr.Dataset, weights: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draws (draw, ...) over the tables by their weights, thinned, and the table that each is of."""
    total = CHAINS * DRAWS
    edges = np.round(np.cumsum(weights) / weights.sum() * total).astype(int)
    share = np.searchsorted(edges, np.arange(total), side="right")
    values = {}
    for name, value in posterior.data_vars.items():
        array = value.transpose(RECONSTRUCTION, "chain", "draw", ...).to_numpy()
        array = array.reshape(array.shape[0], -1, *array.shape[3:])
        values[str(name)] = np.concatenate([thinned(array[m], int((share == m).sum())) for m in range(len(weights))])
    order = np.random.default_rng(total).permutation(total)
    return {name: value[order] for name, value in values.items()}, share[order]


def _log_likelihoods(
    spec: ModelSpec, tables: Sequence[SurvivalData], share: np.ndarray, draws: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Of draws (draw, ...), each of the table that `share` says: cells are the same in all tables, which share their times."""
    data, columns = tables[0], {name: value[..., None, None] for name, value in draws.items()}
    cells = cell_log_likelihood(spec.hazard_of(), data.times, data.previous, columns, data.recorded, np, len(data.counts))
    found = np.empty(share.size)
    for index in np.unique(share):
        found[share == index] = log_likelihood(cells[share == index], tables[index].counts)
    return found


def compare(run: RunConfig, spec: ModelSpec, item: EndpointTables, other: LifeTable) -> list[Moments]:
    """Posterior of β on each of the endpoint's tables and on each of another ensemble of it, under the main prior."""
    order = sorted(run.priors, key=lambda name: name != run.main_prior)
    name = next((name for name in order if run.priors[name].speaks_of(EFFECT, item.endpoint)), None)
    if name is None or not spec.proportional:
        return []
    own, priors = on(spec, item.table, item.weights, item.recorded), {name: run.priors[name].over(spec.priors)}
    both, first = _together(item.table, other), item.table.n_reconstructions
    size = both.n_reconstructions
    question = Question(item.endpoint, both, np.full(size, 1 / size), item.recorded, own.prepare)
    content = (run.seed, f"{run.study_file.stem} strict")
    with counter(f"fitting {spec.name} to default and strict tables", size, "fits") as progress:
        fitted = fit_ensemble(spec.name, spec.build, [question], priors, run.sampler, run.limits, content, progress)[0]
    if fitted.status(name) != "ok":
        log.info("%s, %s on default and strict tables: %s", fitted.endpoint, spec.name, fitted.status(name))
    return [_moments(fitted.draws[name][:first]), _moments(fitted.draws[name][first:])]


def _together(one: LifeTable, two: LifeTable) -> LifeTable:
    """The tables of both, on the times that they share."""
    events, censored = (
        np.concatenate([getattr(table, name).to_numpy() for table in (one, two)]) for name in ("events", "censored")
    )
    return LifeTable.from_counts(one.times, events, censored)


def _moments(fits: Sequence[Draws]) -> Moments:
    """Of every table: posterior mean and SD of β, and the probability of a ratio below 1."""
    draws = [fit.values[EFFECT].ravel() for fit in fits]
    return {
        ("posterior_mean_log_hazard_ratio", None, TOTAL): np.array([x.mean() for x in draws]),
        ("posterior_sd_log_hazard_ratio", None, TOTAL): np.array([x.std() for x in draws]),
        ("posterior_probability_of_a_hazard_ratio_below_1", None, TOTAL): np.array([(x < 0).mean() for x in draws]),
    }


KIND = Kind(
    "life_table",
    needed=("hazard",),
    optional=("prepare",),
    reads=("intervals",),
    effects=effects,
    fit=fit,
    settings=settings,
    from_tables=True,
    alone=True,
    predict=predict,
    scale=scale,
    compare=compare,
    adjust=adjust,
)
