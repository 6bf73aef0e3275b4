"""The Weibull model: likelihood, priors, parameterisations, and the engine that fits it."""

from __future__ import annotations

import dataclasses
from typing import get_args

import lifelines
import numpy as np
import pymc as pm
import pytest
from scipy import integrate, special, stats

from retrial.errors import DataError, FitError
from retrial.fit.diagnostics import diagnose
from retrial.fit.engine import Draws, Fitter, Job, fit_many, fitter_for
from retrial.fit.ensemble import padded
from retrial.fit.settings import DiagnosticLimits, Sampler, SamplerSettings
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_updates
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded

FLAT = PriorSet(
    "flat",
    {
        "control_median": Prior("lognormal", (2.5, 1.5)),
        "shape": Prior("lognormal", (0.0, 0.5)),
        "log_hazard_ratio": Prior("normal", (0.0, 10.0)),
    },
)
SCEPTICAL = PriorSet("sceptical", {**FLAT.priors, "log_hazard_ratio": Prior("student_t", (0.0, 0.13, 2.0))})
SETTINGS = SamplerSettings(tune=400, threads=2)
PARAMETERS = {"control_median": 11.0, "shape": 1.3, "log_hazard_ratio": -0.6}


def cohort(n: int = 92, seed: int = 5) -> LifeTable:
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) % 2 == 1).astype(int)
    time = np.ceil(11 * (-np.log(rng.uniform(size=n)) / np.log(2) / np.exp(-0.6 * arm)) ** (1 / 1.3))
    limit = rng.integers(4, 24, n)
    return LifeTable.from_patients(np.minimum(time, limit), time <= limit, arm)


def fit(jobs: list[Job], settings: SamplerSettings, draws: int) -> list[Draws]:
    return fit_many(fitter_for(weibull.build, jobs, settings), jobs, draws, settings.tune, settings.threads)


def by_hand(table: LifeTable, recorded: Recorded) -> float:
    """Log-likelihood patient by patient from SciPy's Weibull distribution; times in whole months."""
    before, after, point = {"exact": (0, 0, 0), "nearest": (0.5, 0.5, 0), "floor": (0, 1, 0.5), "ceiling": (1, 0, 0)}[recorded]
    patients, total = table.patients(), 0.0
    for time, event, arm in zip(patients["time"], patients["event"], patients["experimental"], strict=True):
        k = PARAMETERS["shape"]
        scale = PARAMETERS["control_median"] * (np.log(2) * np.exp(PARAMETERS["log_hazard_ratio"] * arm)) ** (-1 / k)
        weibull_time = stats.weibull_min(k, scale=scale)
        if not event:
            total += weibull_time.logsf(time + point)
        elif recorded == "exact":
            total += weibull_time.logpdf(time)
        else:
            total += np.log(weibull_time.sf(max(time - before, 0.0)) - weibull_time.sf(time + after))
    return total


@pytest.mark.parametrize("recorded", get_args(Recorded))
def test_likelihood_is_the_patients(recorded: Recorded) -> None:
    table = cohort()
    data = survival_data(table if recorded == "exact" else table.on_recording_grid(1.0, recorded), 0, recorded)
    cells = cell_log_likelihood(weibull.hazard, data.times, data.previous, PARAMETERS, recorded, np)
    assert (cells * data.counts).sum() == pytest.approx(by_hand(table, recorded), abs=1e-8)


@pytest.mark.parametrize("priors", [FLAT, SCEPTICAL])
def test_model_log_density_is_prior_plus_likelihood(priors: PriorSet) -> None:
    table = cohort()
    data = survival_data(table)
    model = weibull.build(data, priors)
    point = {"control_median_log__": np.log(11.0), "shape_log__": np.log(1.3), "log_hazard_ratio": np.array(-0.6)}
    expected = by_hand(table, "exact") + sum(
        float(prior.distribution.logpdf(PARAMETERS[name])) for name, prior in priors.priors.items()
    )
    assert float(model.compile_logp(jacobian=False)(point)) == pytest.approx(expected, abs=1e-8)


def test_mixture_prior_in_the_compiled_form() -> None:
    mixture = Prior("normal_mixture", ((0.2, 0.8), (-0.5, 0.0), (0.2, 1.0)))
    priors = PriorSet("m", {**FLAT.priors, "log_hazard_ratio": mixture})
    data = survival_data(cohort())
    point = {"control_median_log__": np.log(11.0), "shape_log__": np.log(1.3), "log_hazard_ratio": np.array(0.4)}
    with_mixture = float(weibull.build(data, priors).compile_logp(jacobian=False)(point))
    with_flat = float(weibull.build(data, FLAT).compile_logp(jacobian=False)(point))
    difference = float(mixture.distribution.logpdf(0.4) - FLAT["log_hazard_ratio"].distribution.logpdf(0.4))
    assert with_mixture - with_flat == pytest.approx(difference, abs=1e-8)
    assert all(value.shape == (4,) for value in effect_updates("x", mixture).values())


def test_four_parameterisations_are_one_distribution() -> None:
    m, k, t = 11.0, 1.3, np.array([1.0, 7.0, 20.0])
    scale = m / np.log(2) ** (1 / k)
    ours = np.exp(-weibull.hazard(t, 0.0, {"control_median": m, "shape": k, "log_hazard_ratio": 0.0}, np)[1])
    # PyMC (alpha, beta) and SciPy: shape and scale
    np.testing.assert_allclose(ours, -np.expm1(pm.logcdf(pm.Weibull.dist(alpha=k, beta=scale), t).eval()), atol=1e-12)
    np.testing.assert_allclose(ours, stats.weibull_min(k, scale=scale).sf(t), atol=1e-12)
    # BUGS dweib(shape, rate): S = exp(-rate t^shape)
    np.testing.assert_allclose(ours, np.exp(-(np.log(2) / m**k) * t**k), atol=1e-12)
    # lifelines: rho and lambda
    np.testing.assert_allclose(ours, np.exp(-lifelines.WeibullFitter()._cumulative_hazard([scale, k], t)), atol=1e-12)
    # brms: shape and mean, scale = mean / Γ(1 + 1 / shape)
    mean = integrate.quad(lambda x: np.exp(-((x / scale) ** k)), 0, np.inf, epsabs=1e-13)[0]
    np.testing.assert_allclose(ours, np.exp(-((t * special.gamma(1 + 1 / k) / mean) ** k)), atol=1e-10)


@pytest.fixture(scope="module")
def data() -> SurvivalData:
    return padded(survival_data(cohort()), 30)


@pytest.fixture(scope="module")
def fitter(data: SurvivalData) -> Fitter:
    return fitter_for(weibull.build, [Job(data, FLAT, 1)], SETTINGS)


@pytest.fixture(scope="module")
def fits(data: SurvivalData, fitter: Fitter) -> dict[str, np.ndarray]:
    jobs = [Job(data, FLAT, 1), Job(data, SCEPTICAL, 2), Job(data, FLAT, 1)]
    results = fit_many(fitter, jobs, 2000, SETTINGS.tune, SETTINGS.threads)
    assert all(item.status == "ok" for item in diagnose(results, DiagnosticLimits()))
    np.testing.assert_array_equal(results[0].values["log_hazard_ratio"], results[2].values["log_hazard_ratio"])
    return {"flat": results[0].values["log_hazard_ratio"], "sceptical": results[1].values["log_hazard_ratio"]}


def test_flat_posterior_is_near_maximum_likelihood(fits: dict[str, np.ndarray]) -> None:
    import pandas as pd

    frame = pd.DataFrame(cohort().patients())
    fitter = lifelines.WeibullAFTFitter().fit(frame, "time", "event")
    rho = float(np.exp(fitter.params_.loc[("rho_", "Intercept")]))
    log_hazard_ratio = -rho * float(fitter.params_.loc[("lambda_", "experimental")])
    # with 40-odd events the posterior mean differs from the maximum by a small part of its SD (0.3)
    assert fits["flat"].mean() == pytest.approx(log_hazard_ratio, abs=0.05)


def test_sceptical_posterior_is_the_reweighted_flat_one(fits: dict[str, np.ndarray]) -> None:
    draws = fits["flat"].ravel()
    weights = SCEPTICAL["log_hazard_ratio"].distribution.pdf(draws) / FLAT["log_hazard_ratio"].distribution.pdf(draws)
    expected = float(np.average(draws, weights=weights))
    assert fits["sceptical"].mean() == pytest.approx(expected, abs=0.02)


def test_threads_do_not_change_draws(fits: dict[str, np.ndarray], data: SurvivalData, fitter: Fitter) -> None:
    alone = fit_many(fitter, [Job(data, SCEPTICAL, 2)], 2000, SETTINGS.tune, 1)
    np.testing.assert_array_equal(alone[0].values["log_hazard_ratio"], fits["sceptical"])


def test_pymc_sampler_gives_the_same_answer(fits: dict[str, np.ndarray]) -> None:
    settings = dataclasses.replace(SETTINGS, engine=Sampler.PYMC, chains=2)
    result = fit([Job(survival_data(cohort()), FLAT, 4)], settings, 1500)[0]
    assert result.values["log_hazard_ratio"].mean() == pytest.approx(fits["flat"].mean(), abs=0.04)


def test_a_bad_fit_is_named(data: SurvivalData, fitter: Fitter) -> None:
    result = fit_many(fitter, [Job(data, FLAT, 1)], 20, 20, 1)[0]
    status = diagnose([result], DiagnosticLimits())[0].status
    assert status.startswith("failed: ")
    assert "ESS" in status


def test_different_shapes_are_refused() -> None:
    data = survival_data(cohort())
    with pytest.raises(FitError, match="different shapes"):
        fit([Job(data, FLAT, 1), Job(padded(data, 40), FLAT, 2)], SETTINGS, 10)


def test_events_at_time_zero_are_refused() -> None:
    table = LifeTable.from_patients(np.array([0.0, 1.0, 2.0]), np.array([1, 1, 0]), np.array([0, 1, 1]))
    with pytest.raises(DataError, match="time 0"):
        survival_data(table)
