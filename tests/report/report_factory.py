"""A made-up but realistic `ReportData`: two endpoints (1 and 100 life tables), many priors, failed fits, inconsistent checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from report_curves import survival_curves
from report_estimates import EFFECTS, FAILURE, PRIORS, TERMS, Z, estimates

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.report.data import ReportData
from retrial.study.reported import Reported
from retrial.study.study import Study


def study_record() -> dict[str, Any]:
    """A study file as the loader reads it: every number is text."""
    effects = {}
    for (endpoint, adjusted), (point, lower, upper, p) in EFFECTS.items():
        effects[f"{endpoint}_{'adjusted' if adjusted else 'unadjusted'}"] = {
            "endpoint": endpoint,
            "label": "Regimen (control vs. experimental)" if adjusted else "Regimen",
            "where": "Table 4" if adjusted else "Results",
            "adjusted_for": [part.strip() for part in adjusted.split(",") if part],
            "label_direction": "reversed" if adjusted else "as_printed",
            "hazard_ratio": point,
            "ci": [lower, upper],
            "p": p,
        }
    return {
        "title": "Agent A added to agent B plus agent C in advanced carcinoma",
        "citation": {
            "text": "Author A, Author B. Journal of Examples, 1 April 2025",
            "doi": "10.1000/example.2025",
            "licence": "CC BY 4.0",
        },
        "design": "retrospective single-centre cohort, two regimens",
        "randomised": False,
        "arms": {
            "control": {"label": "agent B + agent C", "n": "49"},
            "experimental": {"label": "agent A + agent B + agent C", "n": "43"},
        },
        "endpoints": {
            "os": {"label": "overall survival", "median": {"control": {"value": "11.0"}, "experimental": {"value": "16.0"}}},
            "pfs": {
                "label": "progression-free survival",
                "median": {"control": {"value": "4.0"}, "experimental": {"value": "7.0"}},
                "at_risk": {
                    "times": ["0", "5", "10", "15", "20"],
                    "times_assumed": "the figure's text gives no axis; equally spaced columns are read as 0-5-10-15-20 months",
                    "control": ["49", "18", "3", "1", "0"],
                    "experimental": ["43", "25", "9", "1", "0"],
                },
            },
        },
        "effects": effects,
        "response": {
            "criteria": "mRECIST",
            "where": "Table 2",
            "categories": {"CR": {"control": "3", "experimental": "4"}, "PR": {"control": "14", "experimental": "20"}},
            "composites": {"ORR": {"of": ["CR", "PR"], "label": "Objective response", "control": "17", "experimental": "24"}},
        },
        "adverse_events": {
            "where": "Table 6",
            "terms": {
                term.lower().replace(" ", "_"): {"label": term, "grades": {"any": {"control": "9", "experimental": "8"}}}
                for term in TERMS
            },
        },
    }


def study(**changes: Any) -> Study:
    return Study.model_validate(study_record() | changes)


def checks() -> list[Check]:
    wrong = Check(
        "twice_printed",
        "the PFS hazard ratio of the regimen is 0.467 in Table 5 and 0.567 in the text",
        "Table 5, regimen",
        "effects.pfs_adjusted.hazard_ratio",
        "0.467; 0.567",
        "√(0.340 × 0.945) = 0.567",
        Verdict.INCONSISTENT,
        note="The PFS hazard ratio is 0.467 in Table 5; its interval's centre is 0.567.",
        consequence=Consequence.CORRECTED,
        numbers=2,
        decision=Decision(
            "effects.pfs_adjusted.hazard_ratio", Consequence.CORRECTED, Reported("0.567"), "only 0.567 fits its own interval"
        ),
    )
    excluded = Check(
        "counts",
        "hypertension: 5 + 7 patients are 8 in total",
        "Table 1, Hypertension",
        "baseline.variables.concomitant.levels.hypertension",
        "8",
        "5 + 7 = 12",
        Verdict.INCONSISTENT,
        note="Hypertension: the arms' 5 and 7 add to 12, not to the printed 8.",
        consequence=Consequence.EXCLUDED,
        decision=Decision("baseline.variables.concomitant", Consequence.EXCLUDED, None, "its total is not the sum of its arms"),
    )
    reading = Check(
        "count_tests",
        "ORR 17/49 v 24/43: p = 0.042",
        "Table 2, ORR",
        "response.composites.ORR.p",
        "0.042",
        "Pearson 0.0420, Fisher 0.0578",
        Verdict.CONSISTENT_ONLY_IF,
        reading="Pearson's χ² without correction",
        note="Fisher's exact test gives 0.058: 5 % is crossed.",
        numbers=2,
    )
    missing = Check(
        "joint",
        "the log-rank χ² of OS",
        "Table 3",
        "tests.univariate",
        "5.116",
        "–",
        Verdict.NOT_CHECKABLE,
        note="needs the patients",
    )
    fine = [
        Check(
            "percentages",
            f"{k} of 92 patients are {100 * k / 92:.1f} %",
            "Table 1",
            f"baseline.{k}",
            f"{100 * k / 92:.1f}",
            f"{100 * k / 92:.2f}",
            Verdict.CONSISTENT,
        )
        for k in range(3, 63)
    ]
    return [*fine[:30], wrong, excluded, reading, *fine[30:], missing]


def fidelity() -> pd.DataFrame:
    columns = ["endpoint", "statistic", "arm", "printed", "low", "high", "reconstructed", "minimum", "maximum", "agreement"]
    rows = [
        ("os", "median", "control", "11.0", 10.95, 11.05, 11.0, 11.0, 11.0, 1.0),
        ("os", "median", "experimental", "16.0", 15.95, 16.05, 16.0, 16.0, 16.0, 1.0),
        ("os", "median_ci_upper", "experimental", "18.233", 18.188, 18.278, 17.911, 17.911, 17.911, 0.0),
        ("os", "hazard_ratio", "", "0.470", 0.4677, 0.4724, 0.4713, 0.4713, 0.4713, 1.0),
        ("pfs", "median", "control", "4.0", 3.95, 4.05, 4.0, 4.0, 4.0, 1.0),
        ("pfs", "hazard_ratio", "", "0.52", 0.515, 0.525, 0.521, 0.5151, 0.5249, 1.0),
        ("pfs", "at_risk_at_10", "experimental", "9", 9.0, 9.0, 9.0, 8.0, 10.0, 0.83),
    ]
    return pd.DataFrame(rows, columns=columns)


def diagnostics() -> pd.DataFrame:
    random = np.random.default_rng(5)
    rows = []
    for endpoint, tables in (("os", 1), ("pfs", 100)):
        for prior in PRIORS:
            for table in range(tables):
                failed = (endpoint, prior, table) in {("os", "pessimistic", 0), ("pfs", "robust_historical", 17)}
                health = (
                    (1.204, 312, 190, 14, FAILURE)
                    if failed
                    else (1 + 0.004 * random.random(), 4000 + 500 * random.random(), 3000.0, 0, "ok")
                )
                # the failed fits, and of the others a fiftieth, did not pass at first
                asked = (3, 800, 0.95) if failed else (2, 400, 0.9) if table % 50 == 1 else (1, 200, 0.8)
                rows.append((endpoint, "weibull", prior, table, *health[:4], 4000, health[4], *asked))
    columns = [
        "endpoint",
        "model",
        "prior",
        "reconstruction",
        "rhat_max",
        "ess_bulk_min",
        "ess_tail_min",
        "divergences",
        "draws",
        "status",
        "attempts",
        "tune",
        "target_accept",
    ]
    return pd.DataFrame(rows, columns=columns)


def priors() -> pd.DataFrame:
    rows = [
        (
            name,
            "log_hazard_ratio",
            f"Normal({mean:.3g}, {sd:.3g})",
            f"source of {name}",
            math.exp(mean),
            math.exp(mean - Z * sd),
            math.exp(mean + Z * sd),
            "hazard ratio",
        )
        for name, (mean, sd) in PRIORS.items()
    ]
    rows.append(("flat", "control_median", "LogNormal(2.5, 0.6)", "8-20 months in comparators", 12.2, 3.8, 39.5, "months"))
    return pd.DataFrame(
        rows,
        columns=["prior", "parameter", "distribution", "source", "implied_median", "implied_lower", "implied_upper", "scale"],
    ).assign(model="")


def manifest() -> dict[str, Any]:
    return {
        "study": "example",
        "verb": "reanalyse",
        "seed": 20250422,
        "commit": "0123abc",
        "wall_time_seconds": 41.5,
        "versions": {"retrial": "0.1.0", "pymc": "6.4.0", "numpy": "2.5.0"},
        "config": {
            "model": ["log_hazard_ratio", "weibull"],
            "sampler": {"chains": 4, "draws": 1000},
            "thresholds": [1.0, 0.9, 0.8],
        },
    }


def report_data(**changes: Any) -> ReportData:
    card = "Weibull, proportional hazards.\n\n    H_c(t) = log 2 · (t / m)^k\n    H_e(t) = exp(β) H_c(t)"
    given: dict[str, Any] = {
        "study": study(),
        "manifest": manifest(),
        "checks": checks(),
        "estimates": estimates(),
        "fidelity": fidelity(),
        "diagnostics": diagnostics(),
        "curves": survival_curves(),
        "priors": priors(),
        "model_labels": {"weibull": "Weibull model", "log_hazard_ratio": "normal model of the printed log ratio"},
        "from_tables": ("weibull",),
        "model_cards": {"weibull": card, "log_hazard_ratio": "Normal likelihood on the printed log hazard ratio."},
    }
    return ReportData(**(given | changes))
