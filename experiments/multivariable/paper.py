"""What a paper would print of some patients: univariable tests, multivariable ratios, the baseline table; as a `Study`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test

from retrial.experiments.multivariable.cases import TREATMENT, Patients
from retrial.study.study import Study

KEY = "hidden"
LEAST_GROUP = 5
"""Patients of the smaller group below which nobody compares two groups."""
MOST, LEAST = 8, 3
"""Covariates of a model: the strongest, where more have p < 0.05 than that, or fewer."""
SIGNIFICANT = 3.841
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
    """Patients, the χ² of every candidate by test, their univariable fits and the multivariable one."""

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
    groups = patients.covariates.sum()
    usable = [name for name in patients.covariates if LEAST_GROUP <= groups[name] <= patients.time.size - LEAST_GROUP]
    if TREATMENT not in usable or len(usable) < LEAST:
        return None
    tests, alone = {}, {}
    for name in usable:
        alone[name], ratio = cox(patients, (name,))
        inside = patients.covariates[name] == 1
        times, events = patients.time, patients.event
        score = logrank_test(times[inside], times[~inside], events[inside], events[~inside]).test_statistic
        wald = alone[name].b[0] ** 2 / alone[name].covariance[0, 0]
        tests[name] = {Test.WALD: float(wald), Test.SCORE: float(score), Test.LIKELIHOOD_RATIO: ratio}
    ranked = sorted((name for name in usable if name != TREATMENT), key=lambda name: -tests[name][test])
    significant = [name for name in ranked if tests[name][test] > SIGNIFICANT]
    chosen = ranked[: max(LEAST - 1, min(MOST - 1, len(significant)))]
    model, _ = cox(patients, (TREATMENT, *(name for name in usable if name in chosen)))
    if np.abs(model.b).max() > LARGEST_LOG_RATIO or not np.isfinite(model.covariance).all():
        return None
    return Hidden(patients, tests, alone, model)


def paper(hidden: Hidden, test: Test, given: Print, random: np.random.Generator) -> Study:
    """The study file of what is printed."""
    names, n = hidden.model.names, hidden.patients.time.size
    margins = _with_margins(names[1:], given, random)
    arm = hidden.patients.covariates[TREATMENT] == 1
    effects = {
        name: _effect(name, names, hidden.model.b[place], hidden.model.covariance[place, place])
        for place, name in enumerate(names)
    }
    covariates: dict[str, dict[str, Any]] = {name: {"effect": name} for name in names}
    for name in names:
        if given is Print.ALL or (given is Print.ONE_RATIO and name == TREATMENT):
            alone = hidden.alone[name]
            effects[f"{name}_alone"] = _effect(name, (name,), alone.b[0], alone.covariance[0, 0])
            covariates[name]["unadjusted"] = f"{name}_alone"
        if name in margins:
            covariates[name] |= {"baseline": name, "levels": ["yes"]}
    sizes = {"control": int((~arm).sum()), "experimental": int(arm.sum())}
    tree: dict[str, Any] = {
        "title": hidden.patients.name,
        "arms": {role: {"n": str(size)} for role, size in sizes.items()},
        "endpoints": {"os": {"events": {"total": {"n": str(int(hidden.patients.event.sum()))}}}},
        "effects": effects,
        "tests": {"univariable": {"rows": {name: _row(hidden.tests[name][test]) for name in names}}},
        "multivariable": {KEY: {"endpoint": "os", "tests": "univariable", "covariates": covariates}},
    }
    if margins:
        variables = {name: _margin(hidden.patients.covariates[name] == 1, arm) for name in margins}
        tree["baseline"] = {"variables": variables}
    if not 0 < sizes["experimental"] < n:
        tree.pop("arms")
    return Study.model_validate(tree)


def _with_margins(names: tuple[str, ...], given: Print, random: np.random.Generator) -> tuple[str, ...]:
    if given is Print.TESTS:
        return ()
    count = len(names) if given is Print.ALL else (len(names) + 1) // 2
    return tuple(str(name) for name in random.permutation(names)[:count])


def _effect(name: str, model: tuple[str, ...], b: float, variance: float) -> dict[str, Any]:
    half = 1.959964 * np.sqrt(variance)
    sides = {} if name == TREATMENT else {"numerator": f"{name} yes", "denominator": f"{name} no"}
    return {
        "endpoint": "os",
        **sides,
        "adjusted_for": [other for other in model if other != name],
        "hazard_ratio": f"{np.exp(b):.3f}",
        "ci": [f"{np.exp(b - half):.3f}", f"{np.exp(b + half):.3f}"],
    }


def _row(chi_square: float) -> dict[str, Any]:
    return {"results": {"os": {"chi_square": f"{chi_square:.3f}"}}}


def _margin(inside: Any, arm: Any) -> dict[str, Any]:
    def counts(group: Any) -> dict[str, str]:
        return {"control": str(int((group & ~arm).sum())), "experimental": str(int((group & arm).sum()))}

    return {"levels": {"yes": counts(inside), "no": counts(~inside)}}
