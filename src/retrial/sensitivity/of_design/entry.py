"""The effect given entry: everybody under observation from where the shortest time's recording unit begins (left truncation, METHODS 4).

Another estimand, "given alive, without the event and followed at that time", and another likelihood of the same tables, + n H(entry): no hypothesis
with a share of a posterior. Each model is fitted to the tables from time 0 and from entry, under the main prior, and its answers given entry are
those of the hazard h(entry + t), H(entry + t) - H(entry).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.answers.monte_carlo import Origin
from retrial.criticism.variance import variance_split
from retrial.data import life_table
from retrial.data.kind import Place, Row, fit_status
from retrial.dims import RECONSTRUCTION
from retrial.fit.ensemble import EFFECT, Fitted, Question, fit_ensemble
from retrial.fit.settings import Method
from retrial.fit.survival.likelihood import Hazard, prepared_from
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.sensitivity.after_censoring.means import numbers_by_weight
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.entry import ENTRY, entry_of
from retrial.tables.life_table import LifeTable

TABLES = 50
"""Tables that are fitted again, twice: the Monte Carlo error of a mean over them is a seventh of the SD between them, less of differences."""
DRAWS = 8_000
FROM_ZERO, FROM_ENTRY = "from time 0", "from entry"


@dataclass(frozen=True, eq=False)
class GivenEntry:
    """Rows of entry.csv, and of variance.csv."""

    rows: list[Row]
    variance: list[Row]


@dataclass(frozen=True, eq=False)
class _Fit:
    """A model's fit to some of an endpoint's tables, in which everybody entered at `from_months`."""

    spec: ModelSpec
    item: EndpointTables
    fitted: Fitted
    prior: str
    from_months: float
    main: str = "ok"

    @property
    def status(self) -> str:
        """Its own, or that of the model's main fit under this prior."""
        own = self.fitted.status(self.prior)
        return own if own != "ok" or self.main == "ok" else f"{self.main} (of the main fit)"


def _held_to(fit: _Fit, diagnostics: Sequence[Row]) -> _Fit:
    return dataclasses.replace(fit, main=fit_status(diagnostics, fit.item.endpoint, fit.spec.name, fit.prior))


def given_entry(
    run: RunConfig,
    study: Study,
    tables: Sequence[EndpointTables],
    posteriors: Mapping[Place, xr.DataTree],
    diagnostics: Sequence[Row],
) -> GivenEntry:
    """Every model of the life tables, of every endpoint whose design may be read so (`entry_of`); `diagnostics` of the models as they are, whose
    failures fail these too.
    """
    rows: list[Row] = []
    variance: list[Row] = []
    for item in tables:
        months = math.nan if study.one_arm else entry_of(study, item)
        for spec in run.models.values() if math.isfinite(months) else ():
            if spec.kind is life_table.KIND and (item.endpoint, spec.name) in posteriors:
                own = life_table.on(spec, item.table, item.weights, item.recorded)
                fits = [_fit(run, own, study, some_tables(item, TABLES), at) for at in (0.0, months)]
                if all(fit is not None for fit in fits):
                    zero, late = (_held_to(fit, diagnostics) for fit in fits if fit is not None)
                    rows += [*_rows(run, zero, 0.0), *_rows(run, zero, months), *_rows(run, late, months)]
                    variance += _variance(run, zero, late)
    return GivenEntry(rows, variance)


def some_tables(item: EndpointTables, most: int) -> EndpointTables:
    """At most so many of the tables, each as often as its weight says."""
    if item.table.n_reconstructions <= most:
        return item
    counts = numbers_by_weight(item.weights, most)
    chosen = np.flatnonzero(counts)
    ensemble = item.ensemble
    if ensemble is not None:
        ensemble = dataclasses.replace(ensemble, readings=tuple(ensemble.readings[row] for row in chosen))
    table = LifeTable(item.table.data.isel({RECONSTRUCTION: chosen}))
    return dataclasses.replace(item, table=table, weights=counts[chosen] / counts.sum(), ensemble=ensemble)


def _fit(run: RunConfig, own: ModelSpec, study: Study, item: EndpointTables, months: float) -> _Fit | None:
    """Under the main prior, by importance sampling where that passes; None where no set speaks of this effect."""
    sets = {name: value for name, value in run.sets_for(own).items() if value.speaks_of(EFFECT, item.endpoint)}
    prior = run.main_prior if run.main_prior in sets else next(iter(sets), "")
    if not prior:
        return None
    complete = {prior: life_table.turned(sets[prior], study).over(own.priors)}
    return _Fit(own, item, fit_entering(run, own, item, complete, months), prior, months)


def fit_entering(run: RunConfig, own: ModelSpec, item: EndpointTables, complete: Mapping[str, PriorSet], months: float) -> Fitted:
    """A model (with its cut points) of tables in which everybody entered at a time, 0: from the start."""
    question = Question(item.endpoint, item.table, item.weights, item.recorded, prepared_from(own.prepare, months))
    sampler, content = run.sampler_for(own), (run.seed, run.study_file.stem)
    for method in dict.fromkeys((Method.IMPORTANCE if sampler.method is Method.AUTO else sampler.method, sampler.method)):
        settings = dataclasses.replace(sampler, method=method)
        (fitted,) = fit_ensemble(own.name, own.build, [question], complete, settings, run.limits, content)
        if all(fitted.status(name) == "ok" for name in fitted.draws):
            break
    return fitted


def from_then_on(hazard: Hazard, months: float) -> Hazard:
    """h(months + t) and H(months + t) - H(months)."""

    def given(time: Any, experimental: Any, parameters: Mapping[str, Any], xp: Any) -> tuple[Any, Any]:
        log_hazard, cumulative = hazard(time + months, experimental, parameters, xp)
        return log_hazard, xp.maximum(cumulative - hazard(0.0 * time + months, experimental, parameters, xp)[1], 0.0)

    return given if months > 0 else hazard


def _drawn(run: RunConfig, fit: _Fit) -> tuple[dict[str, np.ndarray], Origin]:
    seed = integer_seed(run.seed, "entry", fit.item.endpoint, fit.spec.name)
    pooled, (table, chain, source) = fit.fitted.pooled(fit.prior, seed), fit.fitted.origin(fit.prior, seed)
    rows = np.linspace(0, table.size - 1, min(table.size, DRAWS)).round().astype(int)
    return {name: values[rows] for name, values in pooled.items()}, Origin(table[rows], chain[rows], source[rows])


def _rows(run: RunConfig, fit: _Fit, given: float) -> Iterator[Row]:
    """Ratio and differences of one fit, given entry at a time (0: of everybody from the start); columns of entry.csv."""
    draws, origin = _drawn(run, fit)
    follow_up = FollowUp.of(fit.item.table, fit.item.weights)
    horizon = follow_up.horizon(run.questions)
    hazard = from_then_on(fit.spec.hazard_of(), given)
    values: list[tuple[str, float, np.ndarray]] = []
    if fit.spec.proportional:
        values.append(("hazard_ratio", math.nan, draws[EFFECT]))
    elif horizon > given:
        values.append(("average_hazard_ratio", horizon, curves.log_average_hazard_ratio(hazard, draws, horizon - given)))
    if horizon > given:
        means = curves.rmst(hazard, draws, horizon - given)
        values.append(("rmst_difference", horizon, means[:, 1] - means[:, 0]))
    for time in follow_up.times(run.questions):
        if time > given:
            survival = curves.survival(hazard, draws, np.array([time - given]))[..., 0]
            values.append(("survival_difference", time, survival[:, 1] - survival[:, 0]))
    about: Row = {"endpoint": fit.item.endpoint, "model": fit.spec.name, "prior": fit.prior}
    about |= {"fitted": FROM_ENTRY if fit.from_months > 0 else FROM_ZERO, "given": given}
    tail = run.questions.tail
    for quantity, time, numbers in values:
        ratio = quantity.endswith("ratio")
        better = (numbers < 0) if ratio else (numbers > 0)
        limits = np.quantile(numbers, [0.5, tail, 1 - tail])
        told = dict(zip(("median", "lower", "upper"), map(float, np.exp(limits) if ratio else limits), strict=True))
        error = float(origin.mean_errors(better[None].astype(float))[0])
        kept = {"tables": fit.item.table.n_reconstructions, "status": fit.status}
        yield about | {"quantity": quantity, "time": time} | told | {"probability": float(better.mean()), "error": error} | kept


def _variance(run: RunConfig, zero: _Fit, late: _Fit) -> Iterator[Row]:
    """Split of the posterior's variance given entry, and how far its mean is from that of everybody from the start."""
    readings, designs = late.item.hypotheses
    follow_up = FollowUp.of(late.item.table, late.item.weights)
    horizon = follow_up.horizon(run.questions)
    asked: list[tuple[str, float]] = [(EFFECT, math.nan)] if late.spec.proportional else []
    means_asked = [("rmst_difference", horizon)] if horizon > late.from_months else []
    for quantity, time in (*asked, *means_asked):
        kept = np.flatnonzero(follow_up.reaching(0.0 if math.isnan(time) else time))
        values, base = ([_by_table(fit, quantity, horizon, fit.from_months)[row] for row in kept] for fit in (late, zero))
        weights = late.item.weights[kept] / late.item.weights[kept].sum()
        split = variance_split(values, weights, [readings[row] for row in kept], [designs[row] for row in kept])
        means = [float(weights @ np.array([one.mean() for one in each])) for each in (values, base)]
        yield {
            **{"endpoint": late.item.endpoint, "model": late.spec.name, "prior": late.prior, "quantity": quantity, "time": time},
            **{"total_sd": split.total_sd, **split.shares},
            **{
                "tables": len(kept),
                "status": late.status if late.status != "ok" else zero.status,
                "design": ENTRY,
                "shift": means[0] - means[1],
            },
        }


def _by_table(fit: _Fit, quantity: str, horizon: float, given: float) -> list[np.ndarray]:
    """Draws of a quantity, table by table."""
    found = fit.fitted.draws[fit.prior]
    flat = [{name: value.reshape(-1, *value.shape[2:]) for name, value in one.values.items()} for one in found]
    if quantity == EFFECT:
        return [draws[EFFECT] for draws in flat]
    hazard = from_then_on(fit.spec.hazard_of(), given)
    means = [curves.rmst(hazard, draws, horizon - given) for draws in flat]
    return [mean[:, 1] - mean[:, 0] for mean in means]
