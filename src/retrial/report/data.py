"""`ReportData`: everything a report is made of. The report lays it out and computes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from retrial.audit.check import Check
from retrial.dims import TIME
from retrial.estimate import Estimate, IntervalKind
from retrial.study.study import Study


def of_models(priors: pd.DataFrame) -> pd.Series:
    """Which rows of a table of priors or of their densities are a model's own, not those of a set that all models share."""
    return priors["model"].fillna("") != ""


@dataclass(frozen=True, eq=False)
class PrintedAtRisk:
    """Numbers at risk that the paper prints: `counts` holds one number a time (in months) for each arm that has them."""

    times: Sequence[float]
    counts: Mapping[str, Sequence[int]]


@dataclass(frozen=True, eq=False)
class SurvivalCurves:
    """What the Kaplan-Meier figure of one endpoint shows; all times in months.

    kaplan_meier     S(t) just after t, dims (reconstruction, arm, time): the step curves of the life tables
    at_risk          patients with time >= t, same dims
    events, censored at each time, same dims; None where they are not shown
    band             variables point, lower, upper over dims (arm, time_fine): S(t) of one posterior; None where there is none
    model, prior     whose posterior the band is
    level            probability content of the band, and its `interval_kind`
    status           "ok", or why the posterior must not be used: the band is then not drawn, and the page says why
    printed_medians  arm -> printed median in months
    printed_at_risk  numbers at risk as printed
    from_patients    True where the step curves are those of a file of patients, not of reconstructed tables
    weights          of the reconstructions, adding to 1; None: equal
    notes            sentences for the caption
    """

    kaplan_meier: xr.DataArray
    at_risk: xr.DataArray
    band: xr.Dataset | None = None
    events: xr.DataArray | None = None
    censored: xr.DataArray | None = None
    model: str = ""
    prior: str = ""
    level: float = 0.95
    interval_kind: IntervalKind = "credible_equal_tailed"
    status: str = "ok"
    printed_medians: Mapping[str, float] = field(default_factory=dict)
    printed_at_risk: PrintedAtRisk | None = None
    from_patients: bool = False
    weights: np.ndarray | None = None
    notes: Sequence[str] = ()

    @property
    def times(self) -> np.ndarray:
        return self.kaplan_meier[TIME].to_numpy()


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan that a run is held against: its digest, when it was written, what the run does otherwise, how many plans of the study there are."""

    digest: str
    written: str
    differences: tuple[str, ...]
    plans: int


@dataclass(frozen=True, eq=False)
class ReportData:
    """What the page is made of; a section without data vanishes from it.

    study        as printed, before any audit decision
    checks       the audit, with its decisions
    estimates    published, frequentist and Bayesian rows
    fidelity     columns endpoint, statistic, arm, printed, low, high, reconstructed (median of
                 the tables), minimum, maximum, agreement (share of the tables that agree)
    diagnostics  columns endpoint, model, prior, reconstruction, rhat_max, ess_bulk_min, ess_tail_min, divergences, draws, status,
                 attempts, tune, target_accept, method, pareto_k, check
    curves       by endpoint key
    priors       columns model, prior, parameter, endpoint, distribution, source, implied_median, implied_lower, implied_upper, scale,
                 effective_size, effective_unit
    prior_densities   columns model, prior, parameter, endpoint, scale, per, value, density: curves of the figure
    prior_predictive  columns model, prior, endpoint, quantity, contrast, median, lower, upper, observed, share_below, unit
    conflict     columns endpoint, contrast, measure, prior, estimate, se, prior_median, box_p, vague_weight_prior, vague_weight_posterior
    power_scaling  columns endpoint, quantity, contrast, model, prior, psense_prior, psense_likelihood, pareto_k, diagnosis
    agreement    columns of `answers.agreement.Agreement`: does a posterior agree with the published hazard ratio
    variance     columns endpoint, model, prior, quantity, total_sd, within_share, between_tables_share, between_readings_share,
                 between_designs_share, tables, status, design, shift
    multivariable   a row a covariate of a printed multivariable model (columns: `multivariable.summary`)
    evidence, model_probabilities  columns of `fit.evidence`: marginal likelihoods of the tables, and what they say of the models
    criticism    a row an endpoint and model: leave-one-out scores, Pareto k, stacking weights (columns: `criticism.summary`)
    prior_probabilities, prior_grid, under_priors, probability_curve, bias, censoring, early_deaths, entry, future_trial, tipping, conclusions,
    multiverse, decisions, operating    how far the conclusions depend on assumptions (columns: `store.artefacts.sensitivity`)
    readings     a row an endpoint and reading of the paper's estimators (columns: `Ensemble.health`)
    spread       answers over the tables (columns: `tables.findings.spread.spread`); leave_one_out: the same with numbers left out in turn;
                 choices: with choices of ours made otherwise
    joint_posteriors   columns of `fit.evidence`;  strict_comparison: columns of `tables.findings.spread.compare_values`
    loo_pit      distributions of LOO-PIT values by endpoint, model and arm, at each predicted probability
    predictive   by endpoint key: `survival` (model, predictive, quantile, arm, time), Kaplan-Meier curves of new studies; `status` (model)
    traces       posteriors (chain, draw, ...) whose chains are shown; attrs endpoint, model, prior, table, tables
    beliefs      columns endpoint, adjusted_for, prior, value (a hazard ratio), prior_density, likelihood, posterior, below: `priors.implied.beliefs`
    planned      the analysis plan that was written before; None where there is none
    manifest     study, config, seed, versions, commit, wall time, ...
    model_cards  model name -> what a statistician should know of it (the model file's docstring)
    model_labels, model_words  model name -> what it is called, and in one word beside other models of the same outcome
    model_kinds  model name -> the kind of data that it is fitted to
    parameter_labels  parameter of a model -> what it is called, with its unit
    from_tables  models that are fitted to the life tables
    thresholds   in words, what a fit must meet to pass
    main_prior   prior set that the sentences of "Key results" quote; the first one met where empty
    """

    study: Study
    manifest: Mapping[str, Any]
    checks: Sequence[Check] = ()
    estimates: Sequence[Estimate] = ()
    fidelity: pd.DataFrame | None = None
    diagnostics: pd.DataFrame | None = None
    curves: Mapping[str, SurvivalCurves] = field(default_factory=dict)
    priors: pd.DataFrame | None = None
    prior_densities: pd.DataFrame | None = None
    prior_predictive: pd.DataFrame | None = None
    conflict: pd.DataFrame | None = None
    power_scaling: pd.DataFrame | None = None
    criticism: pd.DataFrame | None = None
    evidence: pd.DataFrame | None = None
    model_probabilities: pd.DataFrame | None = None
    agreement: pd.DataFrame | None = None
    variance: pd.DataFrame | None = None
    multivariable: pd.DataFrame | None = None
    prior_probabilities: pd.DataFrame | None = None
    prior_grid: pd.DataFrame | None = None
    under_priors: pd.DataFrame | None = None
    probability_curve: pd.DataFrame | None = None
    bias: pd.DataFrame | None = None
    censoring: pd.DataFrame | None = None
    early_deaths: pd.DataFrame | None = None
    entry: pd.DataFrame | None = None
    future_trial: pd.DataFrame | None = None
    tipping: pd.DataFrame | None = None
    conclusions: pd.DataFrame | None = None
    multiverse: pd.DataFrame | None = None
    decisions: pd.DataFrame | None = None
    operating: pd.DataFrame | None = None
    loo_pit: pd.DataFrame | None = None
    readings: pd.DataFrame | None = None
    spread: pd.DataFrame | None = None
    leave_one_out: pd.DataFrame | None = None
    choices: pd.DataFrame | None = None
    joint_posteriors: pd.DataFrame | None = None
    strict_comparison: pd.DataFrame | None = None
    predictive: Mapping[str, xr.Dataset] = field(default_factory=dict)
    traces: Sequence[xr.Dataset] = ()
    beliefs: pd.DataFrame | None = None
    planned: Planned | None = None
    model_cards: Mapping[str, str] = field(default_factory=dict)
    model_labels: Mapping[str, str] = field(default_factory=dict)
    model_words: Mapping[str, str] = field(default_factory=dict)
    model_kinds: Mapping[str, str] = field(default_factory=dict)
    parameter_labels: Mapping[str, str] = field(default_factory=dict)
    from_tables: Collection[str] = ()
    thresholds: str = "R-hat ≤ 1.01, bulk and tail effective sample size ≥ 400, no divergence"
    main_prior: str = ""

    def is_joint(self, row: Estimate) -> bool:
        """Whether a row is of a model of all coefficients of a multivariable model at once, which has a section of its own."""
        return self.model_kinds.get(row.model) == "multivariable"
