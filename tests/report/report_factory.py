"""A made-up but realistic `ReportData`: two endpoints (1 and 100 life tables), many priors, failed fits, inconsistent checks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.stats import norm

from retrial.audit.check import Check, Consequence, Decision, Verdict
from retrial.compare.estimate import Estimate
from retrial.dims import ARM, ARMS, TIME
from retrial.report.data import LOWER, POINT, TIME_FINE, UPPER, PrintedAtRisk, ReportData, SurvivalCurves
from retrial.study.reported import Reported
from retrial.study.study import Study
from retrial.survival.life_table import LifeTable

Z = 1.959963984540054
FAILURE = "failed: rhat 1.204 > 1.01"
PRIORS = {
    "flat": (0.0, 10.0),
    "sceptical": (0.0, 0.355),
    "strongly_sceptical": (0.0, 0.205),
    "optimistic": (math.log(0.6), 0.35),
    "pessimistic": (-math.log(0.6), 0.35),
    "class_effect": (math.log(0.84), 0.081),
    "historical": (math.log(0.43), 0.6),
    "robust_historical": (math.log(0.7), 0.8),
}
THRESHOLDS = {
    "below_1": (None, 1.0),
    "below_0.9": (None, 0.9),
    "below_0.8": (None, 0.8),
    "between_0.91_1.1": (0.91, 1.1),
    "above_1.25": (1.25, None),
}
EFFECTS = {
    ("os", ""): ("0.470", "0.252", "0.879", "0.018"),
    ("os", "stage, AFP"): ("0.567", "0.288", "1.117", "0.101"),
    ("pfs", ""): ("0.52", "0.32", "0.84", "0.006"),
    ("pfs", "stage"): ("0.467", "0.340", "0.945", "0.029"),
}
TERMS = ("Diarrhoea", "Hypertension", "Fatigue", "Rash", "ALT elevation", "Proteinuria")


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
                    "times_assumed": "the figure's text gives no axis; five equally spaced columns are read as 0-5-10-15-20 months",
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


def _conjugate(y: float, s: float, prior: str) -> tuple[float, float]:
    mean, sd = PRIORS[prior]
    variance = 1 / (1 / s**2 + 1 / sd**2)
    return variance * (y / s**2 + mean / sd**2), math.sqrt(variance)


def _posterior_rows(
    endpoint: str, quantity: str, contrast: str, model: str, prior: str, mean: float, sd: float
) -> list[Estimate]:
    failed = model == "weibull" and (endpoint, prior) in {("os", "pessimistic"), ("pfs", "robust_historical")}
    shared: dict[str, Any] = {"endpoint": endpoint, "contrast": contrast, "method": "bayes", "model": model, "prior": prior}
    shared |= {"status": FAILURE if failed else "ok", "source": "printed ratio" if model == "log_hazard_ratio" else "life tables"}
    limits = {
        "lower": math.exp(mean - Z * sd),
        "upper": math.exp(mean + Z * sd),
        "level": 0.95,
        "interval_kind": "credible_equal_tailed",
    }
    rows = [Estimate(quantity=quantity, point=math.exp(mean), unit="ratio", **limits, **shared)]
    for name, (low, high) in THRESHOLDS.items():
        above = 1.0 if high is None else norm.cdf((math.log(high) - mean) / sd)
        below = 0.0 if low is None else norm.cdf((math.log(low) - mean) / sd)
        rows.append(Estimate(quantity=f"p_{quantity}_{name}", point=float(above - below), unit="probability", **shared))
    return rows


def _survival_rows() -> list[Estimate]:
    rows = []
    for (endpoint, adjusted), (point, lower, upper, p) in EFFECTS.items():
        contrast = "experimental / control" + (f", adjusted for {adjusted}" if adjusted else "")
        shared: dict[str, Any] = {"endpoint": endpoint, "contrast": contrast, "source": "Table 4" if adjusted else "Results"}
        limits = {"lower": float(lower), "upper": float(upper), "level": 0.95, "interval_kind": "confidence", "unit": "ratio"}
        rows.append(Estimate(quantity="hazard_ratio", method="published", point=float(point), **limits, **shared))
        rows.append(Estimate(quantity="p_value", method="published", point=float(p), unit="p-value", **shared))
        y, s = math.log(float(point)), math.log(float(upper) / float(lower)) / (2 * Z)
        if not adjusted:
            near = {
                "lower": float(lower) * 1.03,
                "upper": float(upper) * 1.02,
                "level": 0.95,
                "interval_kind": "confidence",
                "unit": "ratio",
            }
            rows.append(
                Estimate(
                    quantity="hazard_ratio", method="frequentist", model="cox_efron", point=float(point) * 1.02, **near, **shared
                )
            )
        for model in ("log_hazard_ratio",) if adjusted else ("log_hazard_ratio", "weibull"):
            for prior in PRIORS:
                mean, sd = _conjugate(y + 0.05 * (model == "weibull"), s, prior)
                rows += _posterior_rows(endpoint, "hazard_ratio", contrast, model, prior, mean, sd)
    return rows


def _covariate_rows() -> list[Estimate]:
    contrast = "stage B / stage C, adjusted for regimen, AFP"
    limits = {"lower": 0.143, "upper": 0.934, "level": 0.95, "interval_kind": "confidence", "unit": "ratio"}
    rows = [Estimate("os", "hazard_ratio", contrast, "published", 0.366, source="Table 4", **limits)]
    for prior in PRIORS:
        mean, sd = _conjugate(math.log(0.366), 0.479, prior)
        rows += _posterior_rows("os", "hazard_ratio", contrast, "log_hazard_ratio", prior, mean, sd)
    return rows


def _difference_rows(endpoint: str, control: int, experimental: int) -> list[Estimate]:
    pc, pe = control / 49, experimental / 43
    se = math.sqrt(pc * (1 - pc) / 49 + pe * (1 - pe) / 43)
    shared: dict[str, Any] = {"endpoint": endpoint, "contrast": "experimental - control", "level": 0.95, "unit": "probability"}
    rows = [
        Estimate(quantity="risk_difference", method="frequentist", model="newcombe", point=pe - pc, lower=pe - pc - Z * se, upper=pe - pc + Z * se,
                 interval_kind="confidence", **shared)
    ]  # fmt: skip
    for shrink, prior in ((0.98, "jeffreys"), (0.7, "sceptical"), (1.1, "optimistic")):
        mean = shrink * (pe - pc)
        rows.append(
            Estimate(quantity="risk_difference", method="bayes", model="response_binomial", prior=prior, point=mean, lower=mean - 1.9 * se,
                     upper=mean + 1.9 * se, interval_kind="credible_equal_tailed", **shared)
        )  # fmt: skip
        chance = Estimate(endpoint, "p_risk_difference_above_0", "experimental - control", "bayes", float(norm.cdf(mean / se)),
                          model="response_binomial", prior=prior, unit="probability")  # fmt: skip
        rows.append(chance)
    return rows


def estimates() -> list[Estimate]:
    rows = [*_survival_rows(), *_covariate_rows()]
    for endpoint, control, experimental in (("ORR", 17, 24), ("CR", 3, 4), ("PR", 14, 20)):
        rows += _difference_rows(endpoint, control, experimental)
    for position, term in enumerate(TERMS):
        rows += _difference_rows(f"adverse_events.{term.lower().replace(' ', '_')}.any", 9 + position, 8 + 2 * (position % 3))
    return rows


def checks() -> list[Check]:
    wrong = Check(
        "twice_printed", "the PFS hazard ratio of the regimen is 0.467 in Table 5 and 0.567 in the text", "Table 5, regimen", "effects.pfs_adjusted.hazard_ratio",
        "0.467; 0.567", "√(0.340 × 0.945) = 0.567", Verdict.INCONSISTENT, note="The PFS hazard ratio is 0.467 in Table 5; its interval's centre is 0.567.",
        consequence=Consequence.CORRECTED, numbers=2,
        decision=Decision("effects.pfs_adjusted.hazard_ratio", Consequence.CORRECTED, Reported("0.567"), "only 0.567 fits its own interval"),
    )  # fmt: skip
    excluded = Check(
        "counts", "hypertension: 5 + 7 patients are 8 in total", "Table 1, Hypertension", "baseline.variables.concomitant.levels.hypertension",
        "8", "5 + 7 = 12", Verdict.INCONSISTENT, note="Hypertension: the arms' 5 and 7 add to 12, not to the printed 8.", consequence=Consequence.EXCLUDED,
        decision=Decision("baseline.variables.concomitant", Consequence.EXCLUDED, None, "its total is not the sum of its arms"),
    )  # fmt: skip
    reading = Check(
        "count_tests", "ORR 17/49 v 24/43: p = 0.042", "Table 2, ORR", "response.composites.ORR.p", "0.042", "Pearson 0.0420, Fisher 0.0578",
        Verdict.CONSISTENT_ONLY_IF, reading="Pearson's χ² without correction", note="Fisher's exact test gives 0.058: 5 % is crossed.", numbers=2,
    )  # fmt: skip
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
        Check("percentages", f"{k} of 92 patients are {100 * k / 92:.1f} %", "Table 1", f"baseline.{k}", f"{100 * k / 92:.1f}", f"{100 * k / 92:.2f}", Verdict.CONSISTENT)
        for k in range(3, 63)
    ]  # fmt: skip
    return [*fine[:30], wrong, excluded, reading, *fine[30:], missing]


def life_table(seed: int, scale: tuple[float, float], tables: int) -> LifeTable:
    """Tables of 49 and 43 patients: whole-month quantiles of Weibull times, a quarter censored, jittered where there are several."""
    random = np.random.default_rng(seed)
    events, censored = np.zeros((2, tables, 2, 23), dtype=int)
    for table in range(tables):
        for arm, n in enumerate((49, 43)):
            times = scale[arm] * (-np.log1p(-(np.arange(n) + 0.5) / n)) ** (1 / 1.4)
            moved = np.clip(np.round(times) + random.integers(-1, 2, n) * (tables > 1), 1, 22).astype(int)
            event = random.random(n) < 0.8
            np.add.at(events[table, arm], moved[event], 1)
            np.add.at(censored[table, arm], moved[~event], 1)
    return LifeTable.from_counts(np.arange(23.0), events, censored)


def curves(table: LifeTable, scale: tuple[float, float], **changes: Any) -> SurvivalCurves:
    at_risk = table.at_risk
    survival = (1 - table.events / at_risk.where(at_risk > 0, 1)).cumprod(TIME)
    fine = np.linspace(0, 22, 89)
    middle = np.exp(-((fine / np.array(scale)[:, None]) ** 1.4))
    spread = 0.05 + 0.25 * middle * (1 - middle)
    dims = (ARM, TIME_FINE)
    band = xr.Dataset(
        {
            POINT: (dims, middle),
            LOWER: (dims, np.clip(middle - spread * (fine > 0), 0, 1)),
            UPPER: (dims, np.clip(middle + spread * (fine > 0), 0, 1)),
        },
        {ARM: list(ARMS), TIME_FINE: fine},
    )
    given = {"kaplan_meier": survival, "at_risk": at_risk, "band": band, "model": "weibull", "prior": "flat"}
    return SurvivalCurves(**(given | changes))


def survival_curves() -> dict[str, SurvivalCurves]:
    printed = PrintedAtRisk((0, 5, 10, 15, 20), {"control": (49, 18, 3, 1, 0), "experimental": (43, 25, 9, 1, 0)})
    return {
        "os": curves(life_table(7, (13.0, 18.5), 1), (14.6, 21.0), printed_medians={"control": 11.0, "experimental": 16.0}),
        "pfs": curves(
            life_table(12, (4.6, 7.9), 100),
            (5.2, 9.0),
            printed_medians={"control": 4.0, "experimental": 7.0},
            printed_at_risk=printed,
        ),
    }


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
                rows.append((endpoint, "weibull", prior, table, *health[:4], 4000, health[4]))
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
    ]
    return pd.DataFrame(rows, columns=columns)


def priors() -> pd.DataFrame:
    rows = [
        (name, "log_hazard_ratio", f"Normal({mean:.3g}, {sd:.3g})", f"source of {name}", math.exp(mean), math.exp(mean - Z * sd), math.exp(mean + Z * sd), "hazard ratio")
        for name, (mean, sd) in PRIORS.items()
    ]  # fmt: skip
    rows.append(("flat", "control_median", "LogNormal(2.5, 0.6)", "8-20 months in comparators", 12.2, 3.8, 39.5, "months"))
    return pd.DataFrame(
        rows,
        columns=["prior", "parameter", "distribution", "source", "implied_median", "implied_lower", "implied_upper", "scale"],
    )


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
        "model_cards": {"weibull": card, "log_hazard_ratio": "Normal likelihood on the printed log hazard ratio."},
    }
    return ReportData(**(given | changes))
