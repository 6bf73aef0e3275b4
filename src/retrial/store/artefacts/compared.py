"""Files of a comparison of two runs (`retrial report base=FOLDER other=FOLDER`)."""

from __future__ import annotations

from retrial.store.artefacts.kind import Artefact, columns

KEYS = (
    *("endpoint", "quantity", "time", "contrast", "adjusted_for", "statistic", "event", "threshold", "threshold_upper"),
    *("method", "model", "prior", "variant"),
)
"""Columns of estimates.csv that say what a number is of: rows of two runs with the same are held against each other."""

COMPARED: dict[str, Artefact] = {
    "estimates_compared": Artefact(
        "estimates_compared.csv",
        "two runs: every number of either, and whether it is the same in the other",
        "report",
        "report: the comparison of two runs",
        columns("""
            endpoint, quantity, time, contrast, adjusted_for
            statistic, event, threshold, threshold_upper, method  as in estimates.csv
            model, prior, variant
            unit
            verdict                 same, within Monte Carlo error, beyond Monte Carlo error, beyond the draws' error (the life tables differ
                                    too), differs (no Monte Carlo error is known), asked otherwise (unit, level or kind of interval), failed,
                                    only in base, only in other
            base_point, base_lower, base_upper  of the run `base`
            other_point, other_lower, other_upper  of the run `other`
            difference              of the points, other - base
            error                   Monte Carlo standard error of that difference
            standardised            largest difference of point and limits in its Monte Carlo standard errors
            base_status, other_status  "ok", or why the numbers must not be used; empty where the run has no such row
        """),
    ),
    "settings_compared": Artefact(
        "settings_compared.csv",
        "two runs: every setting, version and file in which they differ",
        "report",
        "report: the comparison of two runs",
        columns("""
            setting                 key of the configuration, or what else of the run's manifest.json
            base, other             its value in each run; empty where the run has none
        """),
    ),
}
