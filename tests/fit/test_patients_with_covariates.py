"""Patients with covariates: every family's cells are the patients' likelihood, and levels and limits agree."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from retrial.fit.engine import Job, parameters_of
from retrial.fit.importance.linear import linear_model
from retrial.fit.levels import fit_group
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.fit.survival.likelihood import COVARIATE_EFFECTS, COVARIATE_PREDICTOR, survival_data
from retrial.fit.survival.patients import PatientData, patient_data
from retrial.models import (
    cure,
    exponential,
    generalised_gamma,
    gompertz,
    loglogistic,
    lognormal,
    piecewise_exponential,
    spline,
    weibull,
    weibull_nonproportional,
)
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.covariates import Column, CovariateRows
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

CUTS = (3.0, 6.0, 9.0)
NORMAL, POSITIVE, HALF = Prior("normal", (0.0, 1.0)), Prior("lognormal", (2.0, 1.0)), Prior("half_normal", (0.5,))
PRIORS = PriorSet(
    "all",
    {
        **dict.fromkeys(("control_median", "uncured_median"), POSITIVE),
        **dict.fromkeys(("shape",), Prior("lognormal", (0.0, 0.5))),
        **dict.fromkeys(("walk_scale", "effect_walk_scale"), HALF),
        **dict.fromkeys(
            (
                *("log_hazard_ratio", "hazard_rise", "family_shape", "control_cure_logit", "log_cure_odds_ratio"),
                *("log_shape_ratio", "log_baseline_hazard", COVARIATE_EFFECTS),
            ),
            NORMAL,
        ),
    },
)
HAZARDS: dict[str, Any] = {
    module.__name__.rpartition(".")[2]: module
    for module in (
        *(cure, exponential, generalised_gamma, gompertz, loglogistic, lognormal),
        *(piecewise_exponential, spline, weibull, weibull_nonproportional),
    )
}
CUT = ("piecewise_exponential", "spline")


def patients(recorded: Recorded = "exact", late: bool = False, seed: int = 4, size: int = 40) -> CovariateRows:
    rng = np.random.default_rng(seed)
    values = np.column_stack([rng.integers(-1, 2, size), rng.integers(0, 2, size)]).astype(float)
    arm = rng.integers(0, 2, size)
    time = rng.exponential(8 * np.exp(0.5 * arm - 0.4 * values[:, 0])) + 0.2
    time = np.minimum(time, 14.0)
    time = np.round(time, 2) if recorded == "exact" else np.ceil(time)
    entry = np.where((np.arange(size) % 3 == 0) & late, np.floor(time / 2), 0.0)
    columns = (Column("age", "age", scale=2.0), Column("site", "site", "b", "a"))
    event = (rng.uniform(size=size) < 0.7).astype(int)
    return CovariateRows(("age", "site"), columns, time, event, arm, entry, values, 0, {})


def fitted_to(rows: CovariateRows, recorded: Recorded) -> PatientData:
    table = LifeTable.from_patients(rows.time, rows.event, rows.experimental, rows.entry)
    return patient_data(rows, table if recorded == "exact" else table.on_recording_grid(1.0, recorded), recorded)


def by_patient(hazard: Any, point: dict[str, np.ndarray], rows: CovariateRows, recorded: Recorded) -> float:
    """Σ over patients, each by itself, of what its family and reading say of it."""
    total = 0.0
    own = {name: value for name, value in point.items() if name != COVARIATE_EFFECTS}
    for time, event, arm, entry, z in zip(rows.time, rows.event, rows.experimental, rows.entry, rows.values, strict=True):
        given = {name: value[None, ..., None, None] for name, value in own.items()}
        given[COVARIATE_PREDICTOR] = np.full((1, 1, 1), point[COVARIATE_EFFECTS] @ z)

        def at(t: float, given: dict[str, np.ndarray] = given, arm: int = arm) -> tuple[float, float]:
            log_h, cumulative = hazard(np.array([max(t, 1e-9)]), np.full((1, 1), float(arm)), given, np)
            return float(np.ravel(log_h)[0]), float(np.ravel(cumulative)[0]) if t > 0 else 0.0

        low, high, point_of = {
            "exact": (time, time, time),
            "nearest": (time - 0.5, time + 0.5, time),
            "floor": (time, time + 1, time + 0.5),
            "ceiling": (time - 1, time, time),
        }[recorded]
        at_entry = {"floor": entry + 0.5}.get(recorded, entry)
        total += at(at_entry)[1] if entry > 0 else 0.0
        if not event:
            total -= at(point_of)[1]
        elif recorded == "exact":
            total += at(time)[0] - at(time)[1]
        else:
            total += np.log(np.exp(-at(low)[1]) - np.exp(-at(high)[1]))
    return total


ALWAYS: tuple[tuple[Recorded, bool], ...] = (("exact", True), ("nearest", False))
FURTHER: tuple[tuple[Recorded, bool], ...] = (("nearest", True), ("floor", False), ("ceiling", True))


@pytest.mark.parametrize(
    ("name", "recorded", "late"),
    [
        *((name, *case) for name in HAZARDS for case in ALWAYS),
        *((name, *case) for name in ("weibull", "piecewise_exponential") for case in FURTHER),
    ],
)
def test_the_models_likelihood_is_that_of_every_patient(name: str, recorded: Recorded, late: bool) -> None:
    rows, module = patients(recorded, late), HAZARDS[name]
    # intervals end where units do
    cuts = tuple(cut + {"nearest": 0.5, "floor": 1.0}.get(recorded, 0.0) for cut in CUTS)
    data = fitted_to(rows, recorded)
    given = module.prepare(data, cuts) if name in CUT else data
    hazard = partial(module.hazard, cuts=cuts) if name in CUT else module.hazard
    model = module.build(given, PRIORS)
    random = np.random.default_rng(1)
    point = {
        name: random.normal(1.8 if "median" in name else 0.3, 0.3, np.shape(value))
        for name, value in model.initial_point().items()
    }
    kept = parameters_of(model)
    outputs = [model.logp(vars=model.observed_RVs), *model.replace_rvs_by_values(kept)]
    whole, *values = model.compile_fn(outputs, mode="FAST_COMPILE")(point)
    draws = {str(variable.name): np.asarray(value) for variable, value in zip(kept, values, strict=True)}
    assert float(whole) == pytest.approx(by_patient(hazard, draws, rows, recorded), abs=1e-8)


def settings(method: Method) -> SamplerSettings:
    return SamplerSettings(method=method, pooled_draws=8000, threads=1)


def posterior(rows: CovariateRows, sd: float, method: Method = Method.IMPORTANCE) -> dict[str, np.ndarray]:
    priors = dataclasses.replace(PRIORS, priors={**PRIORS.priors, COVARIATE_EFFECTS: Prior("normal", (0.0, sd))})
    job = Job(fitted_to(rows, "exact"), priors, 7)
    [(draws, health)] = fit_group(exponential.build, [job], settings(method), DiagnosticLimits(), 2000, None)
    assert health.status == "ok"
    return {name: value.reshape(-1, *value.shape[2:]) for name, value in draws.values.items()}


def one_covariate(rows: CovariateRows) -> CovariateRows:
    return dataclasses.replace(rows, covariates=("site",), columns=rows.columns[1:], values=rows.values[:, 1:])


def quadrature(rows: CovariateRows, sd: float) -> tuple[np.ndarray, np.ndarray]:
    """Means and SDs of (β, γ) of the exponential model with one binary covariate on a grid: Σ D log h - E h of its four groups."""
    log_rate, beta, gamma = np.meshgrid(
        np.linspace(-6, 0.5, 90), np.linspace(-3, 3, 101), np.linspace(-4 * min(sd, 1), 4 * min(sd, 1), 101), indexing="ij"
    )
    log_p = stats.norm.logpdf(beta) + stats.norm.logpdf(gamma, scale=sd)
    # m ~ lognormal: log m = log log 2 - log rate
    log_p = log_p + stats.norm.logpdf(np.log(np.log(2)) - log_rate, 2.0, 1.0)
    for arm in (0, 1):
        for z in (0.0, 1.0):
            mine = (rows.experimental == arm) & (rows.values[:, 0] == z)
            log_h = log_rate + beta * arm + gamma * z
            log_p = log_p + rows.event[mine].sum() * log_h - rows.time[mine].sum() * np.exp(log_h)
    weights = np.exp(log_p - log_p.max())
    weights /= weights.sum()
    means = np.array([(weights * x).sum() for x in (beta, gamma)])
    sds = np.sqrt([(weights * (x - mean) ** 2).sum() for x, mean in zip((beta, gamma), means, strict=True)])
    return means, sds


@pytest.mark.parametrize("sd", [1.0, 1e-4])
def test_exponential_with_one_binary_covariate_is_the_quadrature(sd: float) -> None:
    rows = one_covariate(patients())
    draws = posterior(rows, sd)
    means, sds = quadrature(rows, sd)
    found = np.column_stack([draws["log_hazard_ratio"], draws[COVARIATE_EFFECTS][:, 0]])
    np.testing.assert_allclose((found.mean(axis=0) - means) / sds, 0.0, atol=0.06)
    np.testing.assert_allclose(found.std(axis=0) / sds, 1.0, atol=0.04)


def test_without_room_for_effects_it_is_the_unadjusted_model() -> None:
    rows = patients()
    table = LifeTable.from_patients(rows.time, rows.event, rows.experimental)
    unadjusted = linear_model(weibull.build(survival_data(table), PRIORS))
    with_effects = linear_model(weibull.build(fitted_to(rows, "exact"), PRIORS))
    point = np.array([[2.1, 0.2, -0.4]])
    values = [
        model.values(data.updates())
        for model, data in ((unadjusted, survival_data(table)), (with_effects, fitted_to(rows, "exact")))
    ]
    counts = [np.ravel(survival_data(table).counts), np.ravel(fitted_to(rows, "exact").counts)]
    plain = unadjusted.cells(point, values[0]) @ counts[0]
    none = with_effects.cells(np.append(point, [[0.0, 0.0]], axis=1), values[1]) @ counts[1]
    np.testing.assert_allclose(none, plain, rtol=1e-12)


@pytest.mark.slow
def test_nuts_gives_the_same_posterior() -> None:
    rows = patients()
    ours, theirs = posterior(rows, 1.0), posterior(rows, 1.0, Method.NUTS)
    for name in ("log_hazard_ratio", COVARIATE_EFFECTS):
        sd = ours[name].std(axis=0)
        np.testing.assert_allclose((ours[name].mean(axis=0) - theirs[name].mean(axis=0)) / sd, 0.0, atol=0.08)
        np.testing.assert_allclose(theirs[name].std(axis=0) / sd, 1.0, atol=0.06)
