"""Files of a run that say how far its conclusions depend on priors, bias, censoring and design (METHODS 9)."""

from __future__ import annotations

from retrial.store.artefacts.kind import Artefact, columns

_WRITERS = "sensitivity, reanalyse"
_READER = "report: How far the conclusions depend on assumptions"
_WHOSE = """
    endpoint, model
    adjusted_for            covariates of a printed ratio, by a comma; empty: unadjusted, or a model of the life tables
"""
_POSTERIOR = """probability             posterior probability of a ratio below 1
    error                   Monte Carlo standard error of that probability; 0 in closed form
    median, lower, upper    of the ratio's posterior; limits at `answers.level`
    status
"""

SENSITIVITY: dict[str, Artefact] = {
    "prior_probabilities": Artefact(
        "prior_probabilities.csv",
        "each prior's own probabilities at the thresholds, before any data, on every ratio that it is used on",
        _WRITERS,
        _READER,
        columns("""
            endpoint
            adjusted_for            covariates of a printed ratio, by a comma; empty: unadjusted, or of counts
            measure                 hazard_ratio, odds_ratio or risk_ratio
            direction               whether the event is good or bad for the patient; empty: not told
            prior
            used                    as stated; mirrored (it speaks of a benefit, and the event is of the other kind); in standard errors of
                                    this estimate
            mean, sd                of the prior as used, on the log scale
            event                   below, above or between
            threshold, threshold_upper  on the ratio's scale; the second of `between` only
            probability             prior probability
        """),
    ),
    "prior_grid": Artefact(
        "prior_grid.csv",
        "the posterior of every treatment effect under a grid of normal priors of the log ratio",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior_mean              as a ratio
    prior_sd                of the log ratio
    {_POSTERIOR}
        """),
    ),
    "under_priors": Artefact(
        "under_priors.csv",
        "the posterior of every treatment effect under the named prior sets and under beliefs of stated strength",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    kind                    named set or belief
    prior                   name of the set, or view and strength of the belief
    prior_mean, prior_sd    of the log ratio, as used on this effect; the mean as a ratio
    {_POSTERIOR}
    bayes_factor_of_no_effect  against this prior, in closed form; empty where only draws are known
    prior_odds_needed       odds of an effect beforehand from which it is 95 % probable afterwards
        """),
    ),
    "probability_curve": Artefact(
        "probability_curve.csv",
        "P(ratio < x) at every x, under every named prior set",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior
    ratio                   x
    probability             posterior probability of a ratio below it
        """),
    ),
    "bias": Artefact(
        "bias.csv",
        "the posterior of every treatment effect where the estimate is of the effect and a bias, b ~ N(m, s²) of the log ratio",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior
    bias_ratio              exp m, the ratio that bias alone would give
    bias_sd                 s
    {_POSTERIOR}
        """),
    ),
    "censoring": Artefact(
        "censoring.csv",
        "hazard ratio and differences in survival where those censored have another hazard than those who stay, by arm",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior
    control_ratio, experimental_ratio  hazard after censoring over that of those who stay
    quantity                hazard_ratio (Cox, of imputed tables), rmst_difference or survival_difference
    time                    months: tables are completed until then; horizon of the restricted means; time of the survival
    median, lower, upper    of its posterior, experimental / control or experimental - control; limits at `answers.level`
    probability             of a hazard ratio below 1, or a difference above 0
    error                   Monte Carlo standard error of that probability
    status
        """),
    ),
    "early_deaths": Artefact(
        "early_deaths.csv",
        "hazard ratio and differences in survival where patients are missing who had the event before they could be in the study, by arm",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior
    control_missing, experimental_missing  how many patients of each arm
    until                   months in which they had the event, spread evenly
    quantity                hazard_ratio (Cox, of tables with these events, the same for all models), rmst_difference or survival_difference
    time                    months: follow-up of the tables; horizon of the restricted means; time of the survival
    median, lower, upper    of its posterior, experimental / control or experimental - control; limits at `answers.level`
    probability             of a hazard ratio below 1, or a difference above 0
    error                   Monte Carlo standard error of that probability
    status
        """),
    ),
    "entry": Artefact(
        "entry.csv",
        "the effect given entry: models fitted to the tables as if everybody came under observation at the shortest time only",
        _WRITERS,
        "report: Limits of a study that is not randomised",
        columns("""
    endpoint, model, prior
    fitted                  from time 0, or from entry (left truncation)
    given                   months: answers are of who is without the event and followed then; 0: of everybody from the start
    quantity                hazard_ratio (average_hazard_ratio where hazards are not proportional), rmst_difference or survival_difference
    time                    months since time 0: horizon of the average or the restricted mean; time of the survival
    median, lower, upper    of its posterior; limits at `answers.level`
    probability             of a ratio below 1, or a difference above 0
    error                   Monte Carlo standard error of that probability
    tables                  how many were fitted
    status
        """),
    ),
    "future_trial": Artefact(
        "future_trial.csv",
        "what a further trial would add, and how likely it is to confirm the conclusion",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    prior
    times                   size of the further trial, in events of this one
    events                  of the further trial
    after_same_effect       posterior probability of the conclusion's side after a trial that finds the present posterior median again
    assurance               probability, under the present posterior, that the trial's own interval excludes 1 on that side
        """),
    ),
    "tipping": Artefact(
        "tipping.csv",
        "where each conclusion just stops to hold: the tipping value of every challenge",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    challenge               prior mean; scepticism (a prior about no effect); bias; censoring, by arm: of the hazard ratio of imputed tables, and
                            of the restricted mean; early deaths, by arm, likewise
    prior                   that the posterior is under; empty: the challenge is the prior
    criterion               posterior probability of the conclusion's side at which it tips; 0.975: the 95 % interval touches 1
    given                   SD of the prior (prior mean), its mean (scepticism), SD of the bias; empty for censoring
    value                   tipping value: prior mean or bias as a ratio, SD of the sceptical prior, hazard after censoring over that of those
                            who stay, least number of early deaths; empty: none up to the most tried undoes the conclusion, it does not hold
                            to begin with, or a regression failed on the way
        """),
    ),
    "conclusions": Artefact(
        "conclusions.csv",
        "which conclusions survive which challenge",
        _WRITERS,
        _READER,
        columns(f"""{_WHOSE}
    challenge               as it is, another prior, bias, censoring or early deaths
    what                    which prior, bias, hazard or patients
    claim                   the side of 1 that the ratio is said to be on: that of the main prior's median
    probability             posterior probability of the claim (censoring: of the hazard ratio of imputed tables on its side; early
                            deaths: of that of tables with them)
    holds                   whether it is at least `sensitivity.claim`
    status
        """),
    ),
    "multiverse": Artefact(
        "multiverse.csv",
        "every combination of the choices, a row a cell",
        "multiverse, collect",
        "whoever asks",
        columns(f"""
    cell                    key of the cell's content, the same in every run
    {_WHOSE.strip()}
    tables                  which choice behind the life tables is made otherwise (as in `choices.csv`), or how readings are weighed; empty: none
    prior_mean              as a ratio
    prior_sd                of the log ratio
    bias_ratio, bias_sd     centre of the bias as the ratio that it would give alone, SD of its log
    differs                 which choices differ from the base, by a comma; empty: the base
    median, lower, upper    of the ratio's posterior; limits at `answers.level`
    probability, error      posterior probability of a ratio below 1, and its Monte Carlo standard error
    holds                   whether P(ratio on the median's side of 1) is at least `sensitivity.claim`
    status
    note                    that few independent tables stand behind the row; empty: not so
        """),
        "%.7g",
    ),
    "multiverse_parquet": Artefact(
        "multiverse.parquet",
        "the same table with all its digits and types, for other programs (Apache Parquet)",
        "multiverse, collect",
        "whoever asks",
    ),
    "decisions": Artefact(
        "decisions.csv",
        "what each choice does to the answer, over all cells of an endpoint",
        "multiverse, collect",
        "whoever asks",
        columns("""
    endpoint
    decision                which choice; all: every cell; interactions: what no choice explains alone
    levels                  of the choice
    share_of_variance       of the log median, main effects alone; tables: within their analyses
    least, most             ratios: of the choice's levels (mean of the log median), or of all cells
    cells, failed           counts
    holds                   share of the specifications in which the claim holds; a count of what was listed, no probability
        """),
    ),
    "operating": Artefact(
        "operating.csv",
        "operating characteristics of stated rules in simulated studies of this size, a row a scenario, prior and rule",
        "sensitivity, reanalyse (printed ratios alone), simulate",
        "report: Errors of stated rules",
        columns(f"""{_WHOSE}
    prior
    true_ratio              that studies were simulated with
    control_hazard          hazard of the control arm over that of the study's tables; empty: not simulated by hazards
    drift                   log odds ratio of the earlier cohorts against the study's control arm; empty: nothing is borrowed from any
    robust_weight           prior weight of the part that borrows nothing; 1: no borrowing
    events                  mean of both arms (printed ratios: as printed)
    rule                    when an effect is claimed
    kind                    what its claims are: a type I error where the true ratio is not what is claimed, else power
    claims, claims_error    share of studies that claim the effect, and its Monte Carlo error (printed ratios: half a study)
    coverage, coverage_error  share of studies whose interval (`answers.level`) holds the true ratio
    type_s, type_s_error    of the studies that claim an effect or a harm, the share with the wrong sign; empty without a true effect
    type_m, type_m_error    of the same, mean of |log posterior median| over |log true ratio|
    studies                 whose posterior can be used
    status
        """),
    ),
    "failed_cells": Artefact(
        "failed_cells.log", "tracebacks of blocks of cells that failed", "multiverse, collect", "whoever asks"
    ),
}
