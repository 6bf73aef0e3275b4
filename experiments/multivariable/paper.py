"""What a paper would print of some patients: univariable tests, multivariable ratios, the baseline table; as a `Study`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.statistics import multivariate_logrank_test
from scipy.stats import chi2

from retrial.experiments.multivariable.cases import TREATMENT, Patients
from retrial.study.study import Study

KEY = "hidden"
LEAST_GROUP = 5
"""Patients of the smaller group below which nobody compares two groups."""
MOST, LEAST = 8, 3
"""Covariates of a model: the strongest, where more have p < 0.05 than that, or fewer."""
SIGNIFICANT = 0.05
LARGEST_LOG_RATIO = 3.0
"""Beyond it an estimate is on its way to infinity, and no paper prints the model."""


class Test(StrEnum):
    """The test of a univariable table; papers do not say which."""

    __test__ = False
    WALD = "wald"
    SCORE = "score"
    LIKELIHOOD_RATIO = "likelihood_ratio"


class Print(StrEnum):
    """How much is printed beside the multivariable ratios.

    tests      univariable χ² of every covariate, and no more
    one_ratio  also the treatment's univariable ratio, and the margins of half of the covariates
    all        univariable ratios and margins of every covariate
    """

    TESTS = "tests"
    ONE_RATIO = "one_ratio"
    ALL = "all"


@dataclass(frozen=True, eq=False)
class Model:
    """A Cox fit: log ratios b and their covariance, by covariate."""

    names: tuple[str, ...]
    b: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True, eq=False)
class Hidden:
    """Patients, the χ² of every candidate (a factor or a covariate by itself) by test, its univariable fit and the multivariable one."""

    patients: Patients
    tests: dict[str, dict[Test, float]]
    alone: dict[str, Model]
    model: Model


def cox(patients: Patients, names: tuple[str, ...]) -> tuple[Model, float]:
    """Cox regression (Efron's ties) on some covariates, and its likelihood-ratio χ². Raises lifelines' errors where it has no maximum."""
    frame = patients.covariates[list(names)].assign(time=patients.time, event=patients.event)
    fitted = CoxPHFitter().fit(frame, "time", "event")
    model = Model(names, fitted.params_.to_numpy(), fitted.variance_matrix_.to_numpy())
    return model, float(fitted.log_likelihood_ratio_test().test_statistic)


def hide(patients: Patients, test: Test) -> Hidden | None:
    """The paper's analysis: covariates with p < 0.05 in univariable tests, and the treatment; None where no paper would print it."""
    usable = {unit: names for unit, names in patients.units.items() if _large(patients, names)}
    if TREATMENT not in usable or len(usable) < LEAST:
        return None
    tests, alone = {}, {}
    for unit, names in usable.items():
        alone[unit], ratio = cox(patients, names)
        group = patients.covariates[list(names)].to_numpy() @ np.arange(1, len(names) + 1)
        score = multivariate_logrank_test(patients.time, group, patients.event).test_statistic
        wald = alone[unit].b @ np.linalg.solve(alone[unit].covariance, alone[unit].b)
        tests[unit] = {Test.WALD: float(wald), Test.SCORE: float(score), Test.LIKELIHOOD_RATIO: ratio}
    p = {unit: float(chi2.sf(tests[unit][test], len(names))) for unit, names in usable.items()}
    ranked = sorted((unit for unit in usable if unit != TREATMENT), key=lambda unit: (p[unit], -tests[unit][test]))
    significant = [unit for unit in ranked if p[unit] < SIGNIFICANT]
    chosen = ranked[: max(LEAST - 1, min(MOST - 1, len(significant)))]
    model, _ = cox(patients, (TREATMENT, *(name for unit, names in usable.items() if unit in chosen for name in names)))
    if np.abs(model.b).max() > LARGEST_LOG_RATIO or not np.isfinite(model.covariance).all():
        return None
    return Hidden(patients, tests, alone, model)


def _large(patients: Patients, names: tuple[str, ...]) -> bool:
    """Every group, the rest too, is one of at least `LEAST_GROUP` patients."""
    sizes = [int(patients.covariates[name].sum()) for name in names]
    return min(*sizes, patients.time.size - sum(sizes)) >= LEAST_GROUP


def units_of(hidden: Hidden) -> dict[str, tuple[str, ...]]:
    """Factors and other covariates of the model, in its order."""
    return {unit: names for unit, names in hidden.patients.units.items() if names[0] in hidden.model.names}


def paper(hidden: Hidden, test: Test, given: Print, random: np.random.Generator) -> Study:
    """The study file of what is printed."""
    names, n, units = hidden.model.names, hidden.patients.time.size, units_of(hidden)
    margins = _with_margins(tuple(units)[1:], given, random)
    arm = hidden.patients.covariates[TREATMENT] == 1
    reference = {name: unit if len(levels) > 1 else name for unit, levels in units.items() for name in levels}
    effects = {
        name: _effect(name, reference[name], names, hidden.model.b[place], hidden.model.covariance[place, place])
        for place, name in enumerate(names)
    }
    covariates: dict[str, dict[str, Any]] = {name: {"effect": name} for name in names}
    for unit, levels in units.items():
        for place, name in enumerate(levels):
            if len(levels) > 1:
                covariates[name] |= {"factor": unit, "test": unit}
            if given is Print.ALL or (given is Print.ONE_RATIO and name == TREATMENT):
                alone = hidden.alone[unit]
                effects[f"{name}_alone"] = _effect(name, unit, (name,), alone.b[place], alone.covariance[place, place])
                covariates[name]["unadjusted"] = f"{name}_alone"
            if unit in margins:
                covariates[name] |= {"baseline": unit, "levels": [name]}
    sizes = {"control": int((~arm).sum()), "experimental": int(arm.sum())}
    tree: dict[str, Any] = {
        "title": hidden.patients.name,
        "arms": {role: {"n": str(size)} for role, size in sizes.items()},
        "endpoints": {"os": {"events": {"total": {"n": str(int(hidden.patients.event.sum()))}}}},
        "effects": effects,
        "tests": {"univariable": {"rows": {unit: _row(hidden.tests[unit][test], len(levels)) for unit, levels in units.items()}}},
        "multivariable": {KEY: {"endpoint": "os", "tests": "univariable", "covariates": covariates}},
    }
    if margins:
        variables = {unit: _margin(hidden.patients.covariates[list(units[unit])] == 1, arm) for unit in margins}
        tree["baseline"] = {"variables": variables}
    if not 0 < sizes["experimental"] < n:
        tree.pop("arms")
    return Study.model_validate(tree)


def _with_margins(names: tuple[str, ...], given: Print, random: np.random.Generator) -> tuple[str, ...]:
    if given is Print.TESTS:
        return ()
    count = len(names) if given is Print.ALL else (len(names) + 1) // 2
    return tuple(str(name) for name in random.permutation(names)[:count])


def _effect(name: str, reference: str, model: tuple[str, ...], b: float, variance: float) -> dict[str, Any]:
    half = 1.959964 * np.sqrt(variance)
    sides = {} if name == TREATMENT else {"numerator": f"{name} yes", "denominator": f"{reference} no"}
    return {
        "endpoint": "os",
        **sides,
        "adjusted_for": [other for other in model if other != name],
        "hazard_ratio": f"{np.exp(b):.3f}",
        "ci": [f"{np.exp(b - half):.3f}", f"{np.exp(b + half):.3f}"],
    }


def _row(chi_square: float, levels: int) -> dict[str, Any]:
    return {"groups": levels + 1, "results": {"os": {"chi_square": f"{chi_square:.3f}"}}}


def _margin(inside: pd.DataFrame, arm: Any) -> dict[str, Any]:
    """Numbers of every level, under its covariate's name, and of the reference."""

    def counts(group: Any) -> dict[str, str]:
        return {"control": str(int((group & ~arm).sum())), "experimental": str(int((group & arm).sum()))}

    return {"levels": {**{str(name): counts(inside[name]) for name in inside}, "no": counts(~inside.any(axis=1))}}
