"""Files of a run that say how far its conclusions depend on priors, bias and censoring (METHODS 9)."""

from __future__ import annotations

from retrial.store.artefacts.kind import Artefact, columns

_WRITERS = "sensitivity, reanalyse"
_READER = "report: How far the conclusions depend on assumptions"
_WHOSE = """
    endpoint, model
    adjusted_for            covariates of a printed ratio, by a comma; empty: unadjusted, or a model of the life tables
"""
_RATIO = """
    median, lower, upper    of the ratio's posterior; limits at `answers.level`
    probability             posterior probability of a ratio below 1
    error                   Monte Carlo standard error of that probability; 0 in closed form
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
}
