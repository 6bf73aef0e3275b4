"""`Kind`: what a stage may ask of a kind of data; and `Fits`, what the models of a run gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.tables.findings.spread import Key

if TYPE_CHECKING:
    from retrial.answers.comparison.shared import ModelAnswers
    from retrial.data.covariates import Adjustment
    from retrial.data.prior_checks import Before
    from retrial.data.survival_checks import Criticised
    from retrial.multivariable.summary import CovariateSummary
    from retrial.priors.prior_set import PriorSet
    from retrial.run_config import ModelSpec, RunConfig
    from retrial.study.study import Study
    from retrial.tables.endpoint import EndpointTables
    from retrial.tables.life_table import LifeTable

Row = dict[str, Any]
Place = tuple[str, str]
"""Endpoint (or outcome) and model of a saved posterior."""
Asked = tuple[str, str, float | None, str]
"""Endpoint, quantity, time (None without one) and contrast, as in `Estimate.subject`."""
Values = Iterator[tuple[Asked, str, np.ndarray]]
"""Prior predictions: what is asked, its unit, and draws."""
Moments = Mapping[Key, np.ndarray]
"""(quantity, time, arm or total) -> its value on every table, (table,)."""


@dataclass(frozen=True, eq=False)
class Fits:
    """What models gave: values only, nothing is on disk yet.

    estimates    rows of the answers;  diagnostics: a row a sampled fit;  failures: a line a failed one
    posteriors   (endpoint, model) -> sampled draws with what they were fitted to
    bands        endpoint -> S(t) of one posterior, for the figure;  criticism, variance: of survival models
    multivariable   a row a covariate of a printed multivariable model
    shared       draws of what all survival models answer, by endpoint, model and prior set
    adjusted     the same as `posteriors` of models with covariates
    joint        a row a survival model and prior set: how its joint posterior with the tables stands (columns: `fit.evidence`)
    """

    estimates: Sequence[Estimate] = ()
    diagnostics: Sequence[Row] = ()
    failures: Sequence[str] = ()
    posteriors: Mapping[Place, xr.DataTree] = field(default_factory=dict)
    bands: Mapping[str, xr.Dataset] = field(default_factory=dict)
    criticism: Sequence[Criticised] = ()
    variance: Sequence[Row] = ()
    multivariable: Sequence[CovariateSummary] = ()
    shared: Sequence[ModelAnswers] = ()
    joint: Sequence[Row] = ()
    adjusted: Mapping[Place, xr.DataTree] = field(default_factory=dict)

    @classmethod
    def together(cls, parts: Iterable[Fits]) -> Fits:
        """All parts in their order; of two bands of one endpoint the first."""
        parts = list(parts)
        lists = ("estimates", "diagnostics", "failures", "criticism", "variance", "multivariable", "shared", "joint")
        return cls(
            **{name: [item for part in parts for item in getattr(part, name)] for name in lists},
            posteriors={place: tree for part in parts for place, tree in part.posteriors.items()},
            adjusted={place: tree for part in parts for place, tree in part.adjusted.items()},
            bands={key: band for part in reversed(parts) for key, band in part.bands.items()},
        )


def nothing_more(_raw: Mapping[str, Any], _key: str) -> None:
    """A kind whose models have no settings of their own."""
    return


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of data, as functions of a run; None where the kind has nothing to say.

    name      the value of `data` in a model's YAML
    needed    functions that a model must give beside `build`;  optional: that it may give
    effects   parameters of a named prior set that models of this kind speak of, given the study
    fit       posteriors of one model under its prior sets; `tables` are the life tables of the run's endpoints
    reads     further keys of a model's YAML that the kind reads
    settings  the kind's own part of a model's YAML, checked; arguments are the raw mapping and its key in errors
    from_tables  whether it is fitted to life tables
    predict   what a model implies before the data under one prior set
    scale     rows of power-scaling sensitivity; the mapping holds the run's sampled posteriors
    lacks     what the study's numbers lack for a posterior of the model, a line a key
    conflict  rows that hold every prior set of a run against what is printed, whatever the models
    alone     whether its models say something of one arm by itself
    adjust    posteriors of one model with the covariates of an endpoint's patients
    compare   posterior moments on every one of the endpoint's tables, and on every one of another ensemble;
              empty where the model has no single effect
    """

    name: str
    needed: tuple[str, ...]
    effects: Callable[[Study], tuple[str, ...]]
    fit: Callable[[RunConfig, ModelSpec, Study, Sequence[EndpointTables]], Fits]
    optional: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    settings: Callable[[Mapping[str, Any], str], Any] = nothing_more
    from_tables: bool = False
    alone: bool = False
    predict: Callable[[Before, ModelSpec, PriorSet], Values] | None = None
    scale: Callable[[RunConfig, ModelSpec, Study, Mapping[Place, xr.DataTree]], Iterator[Row]] | None = None
    conflict: Callable[[RunConfig, Study], Iterator[Row]] | None = None
    adjust: Callable[[RunConfig, ModelSpec, Study, EndpointTables, Adjustment], Fits] | None = None
    lacks: Callable[[RunConfig, ModelSpec, Study], Iterable[str]] | None = None
    compare: Callable[[RunConfig, ModelSpec, EndpointTables, LifeTable], list[Moments]] | None = None


def failed_in_words(rows: Iterable[Estimate]) -> list[str]:
    """One line for every failed row."""
    return [f"{row.endpoint}, {row.model}, prior {row.prior}: {row.status}" for row in rows if row.failed]


def refused(spec: ModelSpec, error: DataError) -> Fits:
    """Printed counts that cannot be right end this model, not the run."""
    return Fits(failures=[f"{spec.name}: {'; '.join(error.problems) or error}"])


def diagnostic_row(endpoint: str, model: str, prior: str, reconstruction: int, health: Any, variant: str = "") -> Row:
    """One fit's diagnostics (a dataclass) in the columns of diagnostics.csv."""
    named = {"endpoint": endpoint, "model": model, "prior": prior, "variant": variant, "reconstruction": reconstruction}
    return {**named, **dataclasses.asdict(health)}


def fit_status(diagnostics: Iterable[Row], endpoint: str, model: str, prior: str) -> str:
    """ "ok", or how many of a model's fits under one prior failed, by the rows of diagnostics.csv, and the first one's reason."""
    whose = (endpoint, model, prior, "")
    mine = [row["status"] for row in diagnostics if (row["endpoint"], row["model"], row["prior"], row["variant"]) == whose]
    failed = [str(status) for status in mine if status != "ok"]
    return f"failed: {len(failed)} of {len(mine)} fits; first: {failed[0].removeprefix('failed: ')}" if failed else "ok"
