"""Every survival model: its PyMC density is its hazard's, its curves are its hazard's, special cases are the simpler model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from retrial.answers import curves
from retrial.errors import DataError
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import EXPERIMENTAL_INDICATOR, cell_log_likelihood, survival_data
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
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded, unit_ends

PRIORS = PriorSet(
    "test",
    {
        "control_median": Prior("lognormal", (2.5, 1.5)),
        "shape": Prior("lognormal", (0.0, 0.5)),
        "log_hazard_ratio": Prior("normal", (0.0, 0.355)),
        "log_shape_ratio": Prior("normal", (0.0, 0.35)),
        "log_baseline_hazard": Prior("normal", (-2.85, 1.5)),
        "walk_scale": Prior("half_normal", (0.5,)),
        "effect_walk_scale": Prior("half_normal", (0.2,)),
        "hazard_rise": Prior("normal", (0.0, 1.0)),
        "family_shape": Prior("normal", (0.5, 0.75)),
        "uncured_median": Prior("lognormal", (2.2, 1.4)),
        "control_cure_logit": Prior("normal", (-2.0, 1.0)),
        "log_cure_odds_ratio": Prior("normal", (0.0, 1.0)),
    },
)
WIDTH, INTERVALS = 3.0, 6
STEPS = np.array([0.4, -1.0, 0.3, 1.2, -0.5])
POINTS: dict[str, dict[str, Any]] = {
    "weibull": {"control_median": 11.0, "shape": 1.3, "log_hazard_ratio": -0.6},
    "weibull_nonproportional": {"control_median": 11.0, "shape": 1.3, "log_hazard_ratio": -0.6, "log_shape_ratio": 0.4},
    "piecewise_exponential": {"log_baseline_hazard": -2.9, "walk_scale": 0.4, "walk_steps": STEPS, "log_hazard_ratio": -0.6},
    "piecewise_exponential_varying": {
        "log_baseline_hazard": -2.9,
        "walk_scale": 0.4,
        "walk_steps": STEPS,
        "log_hazard_ratio": -0.6,
        "effect_walk_scale": 0.2,
        "effect_walk_steps": STEPS[::-1],
    },
}
_WEIBULL = POINTS["weibull"]
POINTS |= {
    "exponential": {"control_median": 11.0, "log_hazard_ratio": -0.6},
    "gompertz": {"control_median": 11.0, "hazard_rise": 0.7, "log_hazard_ratio": -0.6},
    "lognormal": _WEIBULL,
    "loglogistic": _WEIBULL,
    "generalised_gamma": {**_WEIBULL, "family_shape": 0.4},
    "cure": {
        "uncured_median": 9.0,
        "shape": 1.3,
        "control_cure_logit": -1.5,
        "log_cure_odds_ratio": 0.7,
        "log_hazard_ratio": -0.6,
    },
    "spline": {"control_median": 11.0, "walk_scale": 0.6, "walk_steps": np.append(STEPS, [0.2, 0.9]), "log_hazard_ratio": -0.6},
}
CUTS = tuple(WIDTH * j for j in range(1, INTERVALS))
PIECEWISE = partial(piecewise_exponential.hazard, cuts=CUTS)
MODULES = {
    "weibull": weibull,
    "weibull_nonproportional": weibull_nonproportional,
    "exponential": exponential,
    "gompertz": gompertz,
    "lognormal": lognormal,
    "loglogistic": loglogistic,
    "generalised_gamma": generalised_gamma,
    "cure": cure,
}
HAZARDS = {
    **{name: module.hazard for name, module in MODULES.items()},
    "spline": partial(spline.hazard, cuts=CUTS),
    "piecewise_exponential": PIECEWISE,
    "piecewise_exponential_varying": PIECEWISE,
}


def table(seed: int = 9) -> LifeTable:
    rng = np.random.default_rng(seed)
    arm = rng.integers(0, 2, 92)
    time = np.ceil(rng.exponential(np.where(arm == 1, 20, 12)))
    limit = rng.integers(3, 24, 92)
    return LifeTable.from_patients(np.minimum(time, limit), time <= limit, arm)


def table_from_zero() -> LifeTable:
    """The same patients half a month earlier, to the nearest month: some have their event at 0."""
    patients = table().patients()
    return LifeTable.from_patients(np.round(patients["time"] - 0.9), patients["event"], patients["experimental"])


def late_table() -> LifeTable:
    """The same patients, a third of them observed from half their time on."""
    patients = table().patients()
    entry = np.where(np.arange(patients["time"].size) % 3 == 0, np.floor(patients["time"] / 2), 0.0)
    return LifeTable.from_patients(patients["time"], patients["event"], patients["experimental"], entry)


def as_draws(point: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, dtype=float)[None] for name, value in point.items()}


def columns(point: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: value[..., None, None] for name, value in as_draws(point).items()}


def built(name: str, recorded: Recorded, patients: LifeTable) -> Any:
    on_grid = recorded in ("nearest", "floor")
    data = survival_data(patients.on_recording_grid(1.0, recorded) if on_grid else patients, 0, recorded)
    if name.startswith("piecewise"):
        counts = interval_counts(data, cuts_of(recorded))
        return data, piecewise_exponential.build(counts, PRIORS, varying=name.endswith("varying"))
    if name == "spline":
        return data, spline.build(spline.prepare(data, CUTS), PRIORS)
    return data, MODULES[name].build(data, PRIORS)


def cuts_of(recorded: Recorded) -> tuple[float, ...]:
    return CUTS if recorded == "exact" else tuple(unit_ends(np.array(CUTS), 1.0, recorded))


def sampled_point(model: Any, point: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """Values of the model's own variables at a point of its parameters, and log |d own / d parameter|.

    Steps are sampled as w = z √(1 + s² I), scales by their normal scores, values in the first interval as the walk's weighted mean.
    """
    values, log_jacobian = {}, 0.0
    for variable in model.free_RVs:
        name, value = str(variable.name), model.rvs_to_values[variable].name
        walk = "effect_walk" if name in ("effect_walk_steps_raw", "log_hazard_ratio_raw") else "walk"
        if name.endswith("_scale_raw"):
            prior, scale = PRIORS[name.removesuffix("_raw")].distribution, point[name.removesuffix("_raw")]
            values[value] = np.asarray(stats.norm.ppf(prior.cdf(scale)))
            log_jacobian += float(prior.logpdf(scale) - stats.norm.logpdf(values[value]))
        elif name.endswith("_steps_raw"):
            spread = np.sqrt(1 + point[f"{walk}_scale"] ** 2 * model[f"{walk}__information"].get_value())
            values[value] = point[f"{walk}_steps"] * spread
            log_jacobian += float(np.log(spread).sum())
        elif name.endswith("_raw"):
            levels = point[f"{walk}_scale"] * np.append(0.0, np.cumsum(point[f"{walk}_steps"]))
            values[value] = np.asarray(point[name.removesuffix("_raw")] + (model[f"{walk}__share"].get_value() * levels).sum())
        else:
            values[value] = np.log(point[name]) if value.endswith("log__") else np.asarray(point[name])
    return values, log_jacobian


def log_prior(point: dict[str, Any]) -> float:
    total = 0.0
    for name, value in point.items():
        if name.endswith("_steps"):
            total += float((-0.5 * np.asarray(value) ** 2 - 0.5 * np.log(2 * np.pi)).sum())
        else:
            total += float(PRIORS[name].distribution.logpdf(value))
    return total


@pytest.mark.parametrize(
    ("recorded", "made"),
    [("exact", table), ("exact", late_table), ("ceiling", late_table), ("nearest", table_from_zero), ("floor", late_table)],
)
@pytest.mark.parametrize("name", list(POINTS))
def test_density_is_prior_plus_the_hazards_likelihood(name: str, recorded: Recorded, made: Callable[[], LifeTable]) -> None:
    data, model = built(name, recorded, made())
    point = POINTS[name]
    moved = partial(piecewise_exponential.hazard, cuts=cuts_of(recorded))
    cells = cell_log_likelihood(
        moved if name.startswith("piecewise") else HAZARDS[name],
        data.times,
        data.previous,
        columns(point),
        recorded,
        np,
        len(data.counts),
    )
    expected = log_prior(point) + float((cells[0] * data.counts).sum())
    values, log_jacobian = sampled_point(model, point)
    assert float(model.compile_logp(jacobian=False, mode="FAST_COMPILE")(values)) == pytest.approx(
        expected - log_jacobian, abs=1e-8
    )


@pytest.mark.parametrize("name", list(POINTS))
def test_cumulative_hazard_is_the_integral_of_the_hazard(name: str) -> None:
    hazard, parameters = HAZARDS[name], columns(POINTS[name])
    for arm in (0, 1):

        def rate(t: float, arm: int = arm) -> float:
            return float(np.exp(hazard(np.array([t]), EXPERIMENTAL_INDICATOR, parameters, np)[0][0, arm, 0]))

        breaks = list(np.arange(1, INTERVALS) * WIDTH)
        total = integrate.quad(rate, 0, 20.0, points=breaks, limit=400, epsabs=1e-11)[0]
        assert hazard(np.array([20.0]), EXPERIMENTAL_INDICATOR, parameters, np)[1][0, arm, 0] == pytest.approx(total, abs=1e-7)


@pytest.mark.parametrize("name", list(POINTS))
def test_medians_and_means_belong_to_the_curve(name: str) -> None:
    draws = as_draws(POINTS[name])
    medians = curves.median_survival(HAZARDS[name], draws)
    for arm in (0, 1):
        assert curves.survival(HAZARDS[name], draws, medians[:, arm])[0, arm, 0] == pytest.approx(0.5, abs=1e-10)

        def curve(t: float, arm: int = arm) -> float:
            return float(curves.survival(HAZARDS[name], draws, np.array([t]))[0, arm, 0])

        mean = integrate.quad(curve, 0, 18, points=list(np.arange(1, INTERVALS) * WIDTH), limit=300)[0]
        # the quadrature is meant for smooth hazards: the kinks of a piecewise one cost a thousandth of a month, those of a
        # third derivative a hundred-thousandth
        bound = 1e-3 if "piecewise" in name else 1e-5 if name == "spline" else 1e-8
        assert curves.rmst(HAZARDS[name], draws, 18.0)[0, arm] == pytest.approx(mean, abs=bound)


def test_nonproportional_with_equal_shapes_is_weibull() -> None:
    point = {**POINTS["weibull"], "log_shape_ratio": 0.0}
    times = np.array([1.0, 7.0, 20.0])
    ours = weibull_nonproportional.hazard(times, EXPERIMENTAL_INDICATOR, columns(point), np)
    plain = weibull.hazard(times, EXPERIMENTAL_INDICATOR, columns(POINTS["weibull"]), np)
    np.testing.assert_allclose(ours[0], plain[0], atol=1e-12)
    np.testing.assert_allclose(ours[1], plain[1], atol=1e-12)


def test_hazard_ratio_of_the_nonproportional_model_at_the_control_median() -> None:
    draws = as_draws(POINTS["weibull_nonproportional"])
    at_median = curves.log_hazard_ratio(weibull_nonproportional.hazard, draws, np.array([11.0]))
    assert at_median[0, 0] == pytest.approx(-0.6, abs=1e-12)


def test_piecewise_without_steps_is_exponential() -> None:
    point = {**POINTS["piecewise_exponential"], "walk_steps": np.zeros(5)}
    times = np.array([0.5, 7.0, 30.0])
    cumulative = PIECEWISE(times, EXPERIMENTAL_INDICATOR, columns(point), np)[1]
    np.testing.assert_allclose(cumulative[0, 0], np.exp(-2.9) * times, atol=1e-12)
    np.testing.assert_allclose(cumulative[0, 1], np.exp(-3.5) * times, atol=1e-12)


def test_exposure_is_everybodys_time() -> None:
    data = survival_data(table())
    counts = interval_counts(data, CUTS)
    np.testing.assert_allclose(counts.exposure.sum(axis=1), (data.counts.sum(axis=0) * data.times).sum(axis=1), atol=1e-9)
    np.testing.assert_allclose(counts.events.sum(axis=1), data.events.sum(axis=1))


def test_months_before_a_late_entry_are_no_exposure() -> None:
    patients = late_table().patients()
    counts = interval_counts(survival_data(late_table()), CUTS)
    months = [(patients["time"] - patients["entry"])[patients["experimental"] == arm].sum() for arm in (0, 1)]
    np.testing.assert_allclose(counts.exposure.sum(axis=1), months, atol=1e-9)


def test_recording_intervals_that_do_not_fit_are_refused() -> None:
    uneven = LifeTable.from_patients(np.array([1.0, 2.5, 7.0]), np.array([1, 1, 1]), np.array([0, 1, 1]))
    with pytest.raises(DataError, match="recording intervals"):
        interval_counts(survival_data(uneven, 0, "ceiling"), CUTS)
