"""Every file of a run once: its name, what it holds, its columns, who writes and who reads it."""

from __future__ import annotations

import re
from pathlib import Path

from retrial.answers.agreement import Agreement
from retrial.audit.check import Check
from retrial.estimate import Estimate
from retrial.fit import evidence
from retrial.fit.diagnostics import Diagnostics
from retrial.multivariable.summary import CovariateSummary
from retrial.store.artefacts.compared import COMPARED
from retrial.store.artefacts.kind import Artefact, columns, fields
from retrial.store.artefacts.sensitivity import SENSITIVITY
from retrial.store.folders import MANIFEST
from retrial.tables.findings import choices

_ANSWERS = """
    endpoint, quantity, time, arm
    mean, sd                over the weighted tables
    lower, median, upper    2.5, 50 and 97.5 % quantiles over the weighted tables
    within_readings, between_readings  shares of the variance
    monte_carlo_error       of the mean, by the jackknife over the independent samplers
    tables                  share, by weight, of the tables in which the quantity is defined
"""
_VERBS = "audit, reconstruct, fit, sensitivity, reanalyse"
_MODELS = "fit, reanalyse"
_TABLES = "reconstruct, reanalyse"

ARTEFACTS: dict[str, Artefact] = {
    "estimates": Artefact(
        "estimates.csv",
        "every number: published, frequentist and Bayesian",
        "reconstruct, fit, sensitivity, reanalyse",
        "report: all results; `report` lays it out again",
        fields(Estimate),
    ),
    "audit": Artefact(
        "audit.csv",
        "every check of a printed number",
        _VERBS,
        "report: the joint checks of the audit",
        fields(Check, "decision"),
    ),
    "diagnostics": Artefact(
        "diagnostics.csv",
        "convergence and status of every fit, a row a fit",
        _MODELS,
        "report: Diagnostics, and the banner of failed fits",
        {**columns("endpoint, model, prior, variant\nreconstruction  number of the table"), **fields(Diagnostics)},
    ),
    "evidence": Artefact(
        "evidence.csv", "evidence of the models, a row a table", _MODELS, "report: a copy", columns(evidence.TABLES)
    ),
    "model_probabilities": Artefact(
        "model_probabilities.csv", "probabilities of the models", _MODELS, "report: Model criticism", columns(evidence.MODELS)
    ),
    "joint_posteriors": Artefact(
        "joint_posteriors.csv",
        "how far each model and the tables' own prior agree",
        _MODELS,
        "report: Model criticism",
        columns(evidence.JOINT),
    ),
    "agreement": Artefact(
        "agreement.csv",
        "each posterior of a hazard ratio beside the published one",
        _MODELS,
        "report: Agreement with the published ratios",
        fields(Agreement),
    ),
    "variance": Artefact(
        "variance.csv",
        "how much of a posterior's variance lies within tables, between models, tables, readings of the paper, and readings of its design",
        _MODELS,
        "report: What the data leave open",
        columns("""
            endpoint, model, prior, quantity, time
            total_sd                SD of the pooled posterior
            within_share            share of its variance that patients of known times would leave open
            between_models_share    share between the models of an average over models, weighed by their probabilities (0 of a model)
            between_tables_share    share that the paper leaves open under one reading of its estimators
            between_readings_share  share between the readings of its estimators
            between_designs_share   share between what the study's design may mean for the tables
            tables, status
            design                  empty: as it is; entry: of the model fitted to who was there at the shortest time, given that; early deaths:
                            with so many in one arm (the ratio by Cox under the prior, within and between its tables)
            shift                   of the mean by that design; empty: as it is
        """),
    ),
    "multivariable": Artefact(
        "multivariable.csv",
        "covariates of a printed multivariable model: what its tables say of their information matrix",
        _MODELS,
        "report: The multivariable model",
        fields(CovariateSummary),
    ),
    "criticism": Artefact(
        "criticism.csv",
        "leave-one-out scores and stacking weights of the survival models, means over the tables",
        _MODELS,
        "report: Model criticism",
        columns("""
            endpoint, model, prior
            elpd_loo, elpd_se       expected log predictive density of patients left out, summed, and its standard error
            elpd_difference, elpd_difference_se  from the best model, patient by patient within a table
            p_loo                   effective number of parameters
            pareto_k_max, pareto_k_limit, share_k_above_limit  largest Pareto k, its limit for this number of draws, patients above it
            stacking_weight, stacking_weight_sd, stacking_weight_mcse  mean and SD over the tables, and standard error of the mean; empty where there
                                    is nothing to weigh against
            tables, tables_failed, tables_compared  whose fit passed, failed, and where all compared models passed
            status
        """),
    ),
    "loo_pit": Artefact(
        "loo_pit.csv",
        "distributions of leave-one-out probability integral transforms of the survival models",
        _MODELS,
        "report: Model criticism, figure",
        columns("""
            endpoint, model, prior, arm
            predicted               a probability
            observed                share of patients whose leave-one-out probability is below it, mean over the tables
            sd_between_tables       of that share
            band_half_width         of a calibrated model, 95 %
            at_risk                 patients, mean over the tables
            tables
        """),
    ),
    "priors": Artefact(
        "priors.csv",
        "what each prior implies on the clinical scale, its size in data, and its source",
        _MODELS,
        "report: Priors",
        columns("""
            model                   whose own prior it is; empty: of a named set
            prior, parameter
            endpoint                for which alone; empty: everywhere
            distribution            family and hyper-parameters, on the parameter's scale
            source                  where it comes from
            implied_median, implied_lower, implied_upper  on the clinical scale
            scale                   the clinical scale
            effective_size          how much data it weighs
            effective_unit          in what
        """),
    ),
    "prior_densities": Artefact(
        "prior_densities.csv",
        "density of every prior as a curve",
        "reanalyse",
        "report: Priors, figure",
        columns("""
            model                   whose own prior it is; empty: of a named set
            prior, parameter
            endpoint                for which alone; empty: everywhere
            scale                   the clinical scale
            per                     unit that the density is per
            value, density          a point of the curve
        """),
    ),
    "prior_predictive": Artefact(
        "prior_predictive.csv",
        "what models expect before the data, beside what was seen",
        "reanalyse",
        "report: Priors",
        columns("""
            model, prior, endpoint, quantity, time, contrast
            median, lower, upper    of the prior predictive distribution
            observed                the printed number, else the frequentist one
            share_below             prior predictive probability of less than it
            unit
        """),
    ),
    "conflict": Artefact(
        "conflict.csv",
        "which prior fights which printed ratio or count",
        "reanalyse",
        "report: Priors against the data",
        columns("""
            endpoint, contrast, adjusted_for
            orientation             "as a benefit" where counts of an outcome were turned so
            measure                 log_hazard_ratio or log_odds_ratio
            prior
            estimate, se            of the data, on the log scale
            prior_median            on the log scale
            box_p                   Box's prior predictive p
            vague_weight_prior, vague_weight_posterior, vague_bayes_factor  of the vague part of a mixture; empty without one
            verdict                 conflict, notable or none seen
        """),
    ),
    "power_scaling": Artefact(
        "power_scaling.csv",
        "sensitivity of the posteriors to raising the prior or the likelihood to a power",
        "reanalyse",
        "report: Priors against the data",
        columns("""
            endpoint, quantity, contrast, adjusted_for, model, prior
            psense_prior, psense_likelihood  sensitivities
            pareto_k                of the reweighting
            diagnosis               in words
        """),
    ),
    "fidelity": Artefact(
        "fidelity.csv",
        "printed numbers beside the same statistics of the tables, a row a printed number or reading of a curve",
        f"{_TABLES}, fit",
        "report: Reconstruction",
        columns("""
            endpoint
            statistic               which number, with its time in the study's unit
            arm
            printed                 the text
            low, high               what counts as agreement: counts, medians, times and numbers at risk exactly (times printed more coarsely
                                    than they were recorded, and percentages, within their rounding); hazard ratios, their limits and χ² within
                                    their rounding or 0.5 %, limits of a median within their rounding or 0.5 % of the width; readings of a
                                    curve as given, within 0.01 and half a percent of its time axis
            reconstructed, minimum, maximum  median and range over the tables, by each table's reading of the estimators
            agreement, strict_agreement  shares of the tables that agree, and that carry every printed digit
            where                   table and row of the paper
        """),
    ),
    "readings": Artefact(
        "readings.csv",
        "which estimators can have printed the numbers, a row a combination",
        f"{_TABLES}, fit",
        "report: Reconstruction",
        columns("""
            endpoint
            hazard_ratio, chi_square, median_ci  the estimators
            design                  what a follow-up that left patients out means: as_they_are, or eligibility (nobody is censored up to it)
            status                  attained, not attained (no sampler arrived) or impossible (`reason`)
            log_evidence, log_evidence_se  log P(agreement, structure | reading), up to a constant of the endpoint; its standard error
            share, share_se         posterior probability, each reading equally likely beforehand, and its standard error
            joint_share, joint_share_se  the same given the numbers of all endpoints, and its standard error
            software_share          joint share under the prior of the programs that the study file names
            islands, chains_started, chains_arrived  independent samplers; draws that they kept in all, and under this reading
            unique_tables, unique_ancestors, effective_tables  different tables, descents of the ladders that left them, effective sample size
            acceptance, proposals   of the samplers
            miss, violated          of the closest table: tolerances missed by, and which printed numbers
            reason                  why it is impossible
        """),
    ),
    "spread": Artefact(
        "spread.csv",
        "what the tables leave open of every answer",
        _TABLES,
        "report: What the data leave open",
        columns(f"""{_ANSWERS}
    prior_lower, prior_median, prior_upper  the same over tables of the prior alone, with the printed patients, events, extremes, at risk
        """),
        "%.10g",
    ),
    "leave_one_out": Artefact(
        "leave_one_out.csv",
        "the same with each printed statistic left out in turn, where `reconstruction.leave_one_out` asks for it",
        _TABLES,
        "report: Reconstruction",
        columns(f"""{_ANSWERS}
    status
    left_out                which statistic; empty: none
    shift, standardised     of the mean, and in Monte Carlo standard errors
    sd_ratio                of the SDs over the tables
        """),
        "%.10g",
    ),
    "choices": Artefact(
        "choices.csv",
        "the same with each of our own choices about the tables made otherwise",
        _TABLES,
        "report: Reconstruction",
        columns(f"{_ANSWERS}{choices.COLUMNS}"),
        "%.10g",
    ),
    "strict_comparison": Artefact(
        "strict_comparison.csv",
        "answers on tables within the tolerances and on tables that carry every digit, where `reconstruction.compare_strict` asks for it",
        _TABLES,
        "report: Reconstruction",
        columns("""
            endpoint, quantity, time, arm
            default, strict         weighted means over the tables
            difference              strict - default
            monte_carlo_error       of the difference
            standardised            the difference in Monte Carlo errors
            default_tables, strict_tables  how many
            verdict                 corrected for the number of rows
        """),
        "%.10g",
    ),
    "reconstruction": Artefact(
        "reconstruction_{endpoint}.nc",
        "life tables: `events`, `censored` (reconstruction, arm, time); `weight`, `reading` and `island` of each table; with"
        " late entry also groups of patients by `late_status` (0 event), `late_arm`, `late_exit`, `late_entry` (places of `time`), `late_count`",
        f"{_TABLES}, fit",
        "report: Kaplan-Meier figures",
    ),
    "strict": Artefact(
        "strict_{endpoint}.nc", "the same of tables that carry every printed digit", _TABLES, "nothing of the program"
    ),
    "posterior": Artefact(
        "posterior_{endpoint}_{model}.nc",
        "draws of a sampled model under every prior set, with what they were fitted to; MODEL_adjusted: with the patients' covariates",
        _MODELS,
        "ArviZ (`az.from_netcdf`)",
    ),
    "band": Artefact(
        "band_{endpoint}.nc",
        "posterior survival of each arm over time under the main prior: median and interval",
        _MODELS,
        "report: Kaplan-Meier figures",
    ),
    "predictive": Artefact(
        "predictive_{endpoint}.nc",
        "Kaplan-Meier bands of new studies: `survival` (model, predictive, quantile, arm, time), `status` (model)",
        _MODELS,
        "report: Model criticism, figure",
    ),
    **SENSITIVITY,
    **COMPARED,
    "plan": Artefact("plan.{name}", "the analysis plan: settings (json) and words (md)", "plan", "report: what differs from it"),
    "report": Artefact("report.html", "what a reader needs first, one self-contained page", "reanalyse, report", "a browser"),
    "supplement": Artefact(
        "supplement.html", "every table and figure, models and settings, one page", "reanalyse, report", "a browser"
    ),
    "figures": Artefact("figures/{name}.svg", "the figures of the report", f"{_TABLES}, report", "a paper"),
    "pictures": Artefact("figures/{name}.png", "the same as pixels", f"{_TABLES}, report", "a paper"),
    "tables": Artefact(
        "tables/{name}.csv", "tables as shown (`page_...`), copies of the files above", "reanalyse, report", "a paper"
    ),
    "manuscript": Artefact("manuscript/{path}", "texts, tables, figures, references of a paper", "reanalyse, report", "a paper"),
    "crate": Artefact(
        "ro-crate-metadata.json",
        "files with checksums, study, licence and software, as RO-Crate 1.1",
        f"{_VERBS}, report",
        "archives",
    ),
    "manifest": Artefact(
        MANIFEST,
        "what was asked, of which program, what failed; checksums of all files. Written last",
        f"{_VERBS}, report",
        "whoever asks the same again",
    ),
}


TABLES = tuple(name for name, artefact in ARTEFACTS.items() if artefact.columns)
FRAMES = tuple(name for name in TABLES if name not in ("estimates", "audit", *COMPARED))
"""Tables that a report of a run reads as frames; estimates and audit are read as rows of their own types."""


COMPARISON = "comparison"
"""First column of every table of a study of three or more arms: the two arms, "experimental_2 / control"; empty where a row is of no pair."""
_FOLDER = re.compile(r"^[^/]+_vs_[^/]+/")
"""Folder of a comparison in a run of such a study: its arrays, figures and tables as shown."""
REPORT = ("report", "supplement", "figures", "pictures", "tables", "manuscript")
"""What a report is made of."""


def path_of(folder: Path, name: str, *keys: str) -> Path:
    """Path of one of a run's files: `path_of(folder, "band", "os")`."""
    pattern = ARTEFACTS[name].pattern
    return folder / pattern.format(**dict(zip(re.findall(r"\{([a-z]+)\}", pattern), keys, strict=True)))


def artefact_of(path: str) -> str | None:
    """Name of the kind of a file, by its path in the run folder; None for a file that no run writes."""
    inside = _FOLDER.sub("", path, count=1)
    return next((name for name, artefact in ARTEFACTS.items() if artefact.fits(inside)), None)
