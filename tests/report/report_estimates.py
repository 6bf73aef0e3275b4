"""Made-up estimates: conjugate posteriors of printed ratios under many priors, two of them failed."""

from __future__ import annotations

import math
from typing import Any

from scipy.stats import norm

from retrial.estimate import Estimate

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
EVENTS = (("below", 1.0), ("below", 0.9), ("below", 0.8), ("between", 0.91, 1.1), ("above", 1.25))
EFFECTS = {
    ("os", ""): ("0.470", "0.252", "0.879", "0.018"),
    ("os", "stage, AFP"): ("0.567", "0.288", "1.117", "0.101"),
    ("pfs", ""): ("0.52", "0.32", "0.84", "0.006"),
    ("pfs", "stage"): ("0.467", "0.340", "0.945", "0.029"),
}
TERMS = ("Diarrhoea", "Hypertension", "Fatigue", "Rash", "ALT elevation", "Proteinuria")


def _conjugate(y: float, s: float, prior: str) -> tuple[float, float]:
    mean, sd = PRIORS[prior]
    variance = 1 / (1 / s**2 + 1 / sd**2)
    return variance * (y / s**2 + mean / sd**2), math.sqrt(variance)


def _posterior_rows(
    endpoint: str, contrast: str, adjusted_for: str, model: str, prior: str, mean: float, sd: float
) -> list[Estimate]:
    failed = model == "weibull" and (endpoint, prior) in {("os", "pessimistic"), ("pfs", "robust_historical")}
    shared: dict[str, Any] = {"endpoint": endpoint, "contrast": contrast, "method": "bayes", "model": model, "prior": prior}
    shared |= {"quantity": "hazard_ratio", "adjusted_for": adjusted_for}
    shared |= {"status": FAILURE if failed else "ok", "source": "printed ratio" if model == "log_hazard_ratio" else "life tables"}
    limits = {
        "lower": math.exp(mean - Z * sd),
        "upper": math.exp(mean + Z * sd),
        "level": 0.95,
        "interval_kind": "credible_equal_tailed",
    }
    rows = [Estimate(point=math.exp(mean), unit="ratio", **limits, **shared)]
    for event, *bounds in EVENTS:
        chances = [float(norm.cdf((math.log(bound) - mean) / sd)) for bound in bounds]
        chance = {"below": chances[0], "above": 1 - chances[0], "between": chances[-1] - chances[0]}[event]
        named = {"statistic": "probability", "event": event, "threshold": bounds[0], "threshold_upper": (*bounds, math.nan)[1]}
        rows.append(Estimate(point=chance, unit="probability", **named, **shared))
    return rows


def _survival_rows() -> list[Estimate]:
    rows = []
    for (endpoint, adjusted), (point, lower, upper, p) in EFFECTS.items():
        contrast, path = "experimental / control", f"effects.{endpoint}_{'adjusted' if adjusted else 'unadjusted'}"
        shared: dict[str, Any] = {"endpoint": endpoint, "contrast": contrast, "source": "Table 4" if adjusted else "Results"}
        shared |= {"adjusted_for": adjusted}
        text = {"printed": f"{point} ({lower} to {upper})", "path": path}
        limits = {"lower": float(lower), "upper": float(upper), "level": 0.95, "interval_kind": "confidence", "unit": "ratio"}
        rows.append(Estimate(quantity="hazard_ratio", method="published", point=float(point), **text, **limits, **shared))
        rows.append(
            Estimate(
                quantity="p_value", method="published", point=float(p), unit="p-value", printed=p, path=f"{path}.p", **shared
            )
        )
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
                rows += _posterior_rows(endpoint, contrast, adjusted, model, prior, mean, sd)
    return rows


def _covariate_rows() -> list[Estimate]:
    shared: dict[str, Any] = {"endpoint": "os", "contrast": "stage B / stage C", "adjusted_for": "regimen, AFP"}
    limits = {"lower": 0.143, "upper": 0.934, "level": 0.95, "interval_kind": "confidence", "unit": "ratio"}
    rows = [Estimate(quantity="hazard_ratio", method="published", point=0.366, source="Table 4", **limits, **shared)]
    for prior in PRIORS:
        mean, sd = _conjugate(math.log(0.366), 0.479, prior)
        rows += _posterior_rows(**shared, model="log_hazard_ratio", prior=prior, mean=mean, sd=sd)
    return rows


def _difference_rows(endpoint: str, control: int, experimental: int) -> list[Estimate]:
    pc, pe = control / 49, experimental / 43
    se = math.sqrt(pc * (1 - pc) / 49 + pe * (1 - pe) / 43)
    about: dict[str, Any] = {"endpoint": endpoint, "contrast": "experimental - control", "unit": "probability"}
    shared = about | {"level": 0.95}
    rows = [
        Estimate(
            quantity="risk_difference",
            method="frequentist",
            model="newcombe",
            point=pe - pc,
            lower=pe - pc - Z * se,
            upper=pe - pc + Z * se,
            interval_kind="confidence",
            **shared,
        )
    ]
    for shrink, prior in ((0.98, "jeffreys"), (0.7, "sceptical"), (1.1, "optimistic")):
        mean = shrink * (pe - pc)
        rows.append(
            Estimate(
                quantity="risk_difference",
                method="bayes",
                model="response_binomial",
                prior=prior,
                point=mean,
                lower=mean - 1.9 * se,
                upper=mean + 1.9 * se,
                interval_kind="credible_equal_tailed",
                **shared,
            )
        )
        chance = Estimate(
            quantity="risk_difference",
            statistic="probability",
            event="above",
            threshold=0.0,
            method="bayes",
            point=float(norm.cdf(mean / se)),
            model="response_binomial",
            prior=prior,
            **about,
        )
        rows.append(chance)
    return rows


def estimates() -> list[Estimate]:
    rows = [*_survival_rows(), *_covariate_rows()]
    for endpoint, control, experimental in (("ORR", 17, 24), ("CR", 3, 4), ("PR", 14, 20)):
        rows += _difference_rows(endpoint, control, experimental)
    for position, term in enumerate(TERMS):
        rows += _difference_rows(f"adverse_events.{term.lower().replace(' ', '_')}.any", 9 + position, 8 + 2 * (position % 3))
    return rows
