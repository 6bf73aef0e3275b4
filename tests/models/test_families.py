"""The survival families: limits in which they are one another, other implementations, far tails, and priors that say the same."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
import yaml
from scipy import special, stats

from retrial.answers import curves
from retrial.fit.survival.distributions import log1mexp, log_gamma_curves, log_gamma_median, log_mixture_survival
from retrial.fit.survival.likelihood import EXPERIMENTAL_INDICATOR
from retrial.fit.survival.splines import pieces_of, value_and_integral
from retrial.models import cure, exponential, generalised_gamma, gompertz, loglogistic, lognormal, spline, weibull
from retrial.priors.prior import Prior

TIMES = np.array([0.01, 1.0, 7.0, 20.0, 90.0])
POINT = {"control_median": 11.0, "shape": 1.3, "log_hazard_ratio": -0.6}
CONF = Path(__file__).parents[2] / "conf" / "model"
CUTS = (2.0, 4.5, 8.0, 13.0, 22.0)
HAZARDS: dict[str, Any] = {
    "exponential": exponential.hazard,
    "gompertz": gompertz.hazard,
    "lognormal": lognormal.hazard,
    "loglogistic": loglogistic.hazard,
    "generalised_gamma": generalised_gamma.hazard,
    "cure": cure.hazard,
    "spline": partial(spline.hazard, cuts=CUTS),
    "weibull": weibull.hazard,
}


def at(hazard: Any, times: np.ndarray = TIMES, **point: Any) -> tuple[np.ndarray, np.ndarray]:
    """Log hazard and cumulative hazard (arm, time) at a point."""
    columns = {name: np.asarray(value, dtype=float)[None][..., None, None] for name, value in point.items()}
    log_hazard, cumulative = hazard(times, EXPERIMENTAL_INDICATOR, columns, np)
    return (np.broadcast_to(log_hazard, (1, 2, times.size))[0], np.broadcast_to(cumulative, (1, 2, times.size))[0])


def same(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray], rtol: float = 1e-10) -> None:
    np.testing.assert_allclose(one[0], other[0], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(one[1], other[1], rtol=rtol)


def test_limits_are_the_simpler_families() -> None:
    plain = at(weibull.hazard, **{**POINT, "shape": 1.0})
    same(at(exponential.hazard, control_median=11.0, log_hazard_ratio=-0.6), plain)
    for rise in (0.0, 1e-12, -1e-12):
        same(at(gompertz.hazard, control_median=11.0, hazard_rise=rise, log_hazard_ratio=-0.6), plain)
    same(at(HAZARDS["spline"], control_median=11.0, walk_scale=0.5, walk_steps=np.zeros(7), log_hazard_ratio=-0.6), plain)
    # the median of the log-gamma distribution is a polynomial, right to 3e-9 of its standard deviation
    same(at(generalised_gamma.hazard, **POINT, family_shape=1.0), at(weibull.hazard, **POINT), rtol=1e-8)
    same(at(generalised_gamma.hazard, **POINT, family_shape=0.0), at(lognormal.hazard, **POINT), rtol=1e-8)
    uncured = {"uncured_median": 11.0, "shape": 1.3, "log_hazard_ratio": -0.6, "log_cure_odds_ratio": 0.0}
    same(at(cure.hazard, **uncured, control_cure_logit=-60.0), at(weibull.hazard, **POINT))


def test_families_are_those_of_scipy_and_lifelines() -> None:
    m, k, beta = POINT["control_median"], POINT["shape"], POINT["log_hazard_ratio"]
    stretch = np.array([[1.0], [np.exp(-beta / k)]])
    own = TIMES / stretch
    sigma = np.sqrt(2 / np.pi) / (k * np.log(2))
    normal = stats.lognorm(sigma, scale=m)
    same(at(lognormal.hazard, **POINT), (normal.logpdf(own) - normal.logsf(own) - np.log(stretch), -normal.logsf(own)), 1e-8)
    logistic = stats.fisk(2 * k * np.log(2), scale=m)
    same(
        at(loglogistic.hazard, **POINT),
        (logistic.logpdf(own) - logistic.logsf(own) - np.log(stretch), -logistic.logsf(own)),
        1e-8,
    )
    grown = stats.gompertz(np.log(2) / np.expm1(0.7), scale=m / 0.7)
    log_ratio = np.array([[0.0], [beta]])
    expected = (grown.logpdf(TIMES) - grown.logsf(TIMES) + log_ratio, -np.exp(log_ratio) * grown.logsf(TIMES))
    same(at(gompertz.hazard, control_median=m, hazard_rise=0.7, log_hazard_ratio=beta), expected, 1e-8)


@pytest.mark.parametrize("q", [-1.4, -0.3, 0.2, 0.8, 2.5])
def test_generalised_gamma_is_lifelines_own(q: float) -> None:
    """lifelines' curve with mu, ln sigma and Q; our m and k from it as the model's card says."""
    median = float(log_gamma_median(q, np))
    sigma, mu = 0.9, 2.3
    shape = 2 * np.exp(log_density(median, q)) / (sigma * np.log(2))
    ours = at(
        generalised_gamma.hazard, control_median=np.exp(mu + sigma * median), shape=shape, family_shape=q, log_hazard_ratio=0.0
    )
    theirs = lifelines.GeneralizedGammaFitter()._cumulative_hazard(np.array([mu, np.log(sigma), q]), TIMES)
    np.testing.assert_allclose(ours[1][0], theirs, rtol=1e-6, atol=1e-12)


def log_density(w: float, q: float) -> float:
    """Prentice's density as flexsurv's manual has it, with mu 0 and sigma 1."""
    k = q**-2
    return math.log(abs(q)) - math.lgamma(k) + k * math.log(k) + k * (q * w - math.exp(q * w))


@pytest.mark.parametrize("q", [-3.0, -1.0, -0.5, -0.05, 0.05, 0.5, 1.0, 3.0])
def test_log_gamma_tails_are_the_incomplete_gamma_function(q: float) -> None:
    w = np.linspace(-6, 6, 25)
    x = np.exp(q * w) / q**2
    upper, lower = special.gammaincc(q**-2, x), special.gammainc(q**-2, x)
    survival, other = (upper, lower) if q > 0 else (lower, upper)
    expected = np.where(w > 0, np.log(np.maximum(survival, 1e-300)), np.log1p(-np.minimum(other, 0.999)))
    log_hazard, log_survival = log_gamma_curves(w, q, np)
    # the incomplete gamma function itself loses digits of so small a tail at large Q^-2
    told = (expected > -600) & (expected < -1e-280)
    np.testing.assert_allclose(log_survival[told], expected[told], rtol=1e-9)
    np.testing.assert_allclose(
        (log_hazard + log_survival)[told], [log_density(float(v), q) for v in w[told]], rtol=1e-9, atol=1e-9
    )
    assert log_gamma_median(q, np) == pytest.approx(np.log(special.gammaincinv(q**-2, 0.5) * q**2) / q, abs=1e-8)


EXTREME: dict[str, list[dict[str, Any]]] = {
    "exponential": [{}],
    "gompertz": [{"hazard_rise": value} for value in (-50.0, -1e-9, 0.0, 1e-9, 6.0)],
    "lognormal": [{"shape": value} for value in (0.02, 40.0)],
    "loglogistic": [{"shape": value} for value in (0.02, 40.0)],
    "generalised_gamma": [
        {"shape": k, "family_shape": q} for k, q in ((0.05, -4.0), (20.0, -4.0), (1.0, -1e-9), (0.05, 4.0), (20.0, 4.0))
    ],
    "cure": [{"shape": k, "control_cure_logit": a, "log_cure_odds_ratio": 3.0} for k in (0.05, 20.0) for a in (-40.0, 40.0)],
    "spline": [{"walk_scale": u, "walk_steps": u * np.array([3.0, -3, 3, -3, 3, -3, 3])} for u in (0.0, 4.0)],
    "weibull": [{"shape": value} for value in (0.02, 20.0)],
}


@pytest.mark.parametrize("name", list(EXTREME))
def test_far_tails_keep_their_digits_and_gradients(name: str) -> None:
    """From a ten-thousandth of the median to a hundred times it, at effects of e^±5: numpy and PyTensor agree, gradients are finite."""
    times = 11.0 * np.array([1e-4, 0.1, 1.0, 3.0, 100.0])
    median = "uncured_median" if name == "cure" else "control_median"
    inputs = {key: pt.dvector(key) if np.ndim(value) else pt.dscalar(key) for key, value in EXTREME[name][0].items()}
    inputs |= {key: pt.dscalar(key) for key in (median, "log_hazard_ratio")}
    time = pt.dvector("time")
    log_hazard, cumulative = symbolic(name, time, inputs)
    slopes = pytensor.grad((log_hazard - pt.log1p(cumulative)).sum(), list(inputs.values()))
    function = pytensor.function([time, *inputs.values()], [log_hazard, cumulative, *slopes], mode="FAST_COMPILE")
    for extreme in EXTREME[name]:
        for beta in (-5.0, 5.0):
            point = {**extreme, median: 11.0, "log_hazard_ratio": beta}
            found = function(times, *(point[key] for key in inputs))
            assert all(np.isfinite(value).all() for value in found), (name, point)
            with np.errstate(over="ignore"):
                expected = at(HAZARDS[name], times, **point)
            np.testing.assert_allclose(np.broadcast_to(found[0], (2, 5)), expected[0], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(np.broadcast_to(found[1], (2, 5)), expected[1], rtol=1e-9)
            assert (np.diff(expected[1], axis=1) >= -1e-12 * expected[1][:, 1:]).all()


def symbolic(name: str, time: Any, inputs: dict[str, Any]) -> tuple[Any, Any]:
    if name != "spline":
        return HAZARDS[name](time, EXPERIMENTAL_INDICATOR, inputs, pt)  # type: ignore[no-any-return]
    return spline._hazard(time, EXPERIMENTAL_INDICATOR, inputs, pt, pieces_of(CUTS))


def test_small_differences_keep_their_digits() -> None:
    np.testing.assert_allclose(
        log1mexp(np.array([-1e-300, -1e-12, -800.0]), np), [np.log(1e-300), np.log(1e-12), 0.0], atol=1e-12
    )
    # little lost: (1 - π) H; nobody but the cured left: log π
    assert log_mixture_survival(0.0, 1e-250, np) == pytest.approx(-0.5e-250, rel=1e-12)
    assert log_mixture_survival(-70.0, 1e9, np) == pytest.approx(-70.0, abs=1e-12)
    deep = at(lognormal.hazard, np.array([1e-30, 1e30]), control_median=11.0, shape=1.0, log_hazard_ratio=0.0)
    z = np.log(np.array([1e-30, 1e30]) / 11) / (np.sqrt(2 / np.pi) / np.log(2))
    np.testing.assert_allclose(deep[1][0], [np.exp(special.log_ndtr(z[0])), -special.log_ndtr(-z[1])], rtol=1e-12)


def test_splines_add_to_one_and_integrate_to_time() -> None:
    value, integral = value_and_integral(pieces_of(CUTS), np.ones(len(CUTS) + 3), TIMES, np)
    np.testing.assert_allclose(value, 1.0, atol=1e-12)
    np.testing.assert_allclose(integral, TIMES, atol=1e-12)


def prior_draws(name: str, size: int = 10_000) -> dict[str, np.ndarray]:
    """Draws from a model's own priors as conf/model/ has them, evenly spaced in each parameter; no effect."""
    rng, values = np.random.default_rng(1), {}
    stated = yaml.safe_load((CONF / f"{name}.yaml").read_text(encoding="utf-8"))["priors"]
    for parameter, raw in stated.items():
        even = (rng.permutation(size) + 0.5) / size
        values[parameter] = np.asarray(Prior.parse(raw, parameter).distribution.ppf(even))
    if name == "spline":
        values["walk_steps"] = rng.standard_normal((size, len(CUTS) + 2))
    return {**values, "log_hazard_ratio": np.zeros(size)}


def slope_at(name: str, draws: dict[str, np.ndarray], months: np.ndarray) -> np.ndarray:
    """Slope of log H on log t in the control arm (of a Weibull, its shape)."""
    columns = {key: value[..., None, None] for key, value in draws.items()}
    log_hazard, cumulative = HAZARDS[name](months[:, None, None], EXPERIMENTAL_INDICATOR, columns, np)
    return np.asarray((np.exp(log_hazard) * months[:, None, None] / cumulative)[:, 0, 0])


@pytest.mark.parametrize("name", list(HAZARDS))
def test_priors_say_the_same_of_the_control_arm(name: str) -> None:
    """Control median 12 months, half of the draws between 4.4 and 33; slope of the log hazard half between 0.71 and 1.40."""
    shape = np.exp(0.5 * stats.norm.ppf([0.25, 0.5, 0.75]))
    expected = 12.0 * np.exp(1.5 * stats.norm.ppf([0.25, 0.5, 0.75]))
    draws, quartiles = prior_draws(name), (0.25, 0.5, 0.75)
    median = curves.median_survival(HAZARDS[name], draws)[:, 0]
    np.testing.assert_allclose(np.quantile(median, quartiles, method="inverted_cdf"), expected, rtol=0.03)
    exists = np.isfinite(median)
    draws, months = {key: value[exists] for key, value in draws.items()}, median[exists]
    if name == "spline":
        # between the knots, where a spline has a shape
        draws["control_median"] = months = np.full_like(months, 8.0)
    slope = np.quantile(slope_at(name, draws, months), quartiles)
    if name == "exponential":
        np.testing.assert_allclose(slope, 1.0)
    else:
        # a spline has many shapes: its quartiles only lie near those of one
        np.testing.assert_allclose(slope, shape, rtol=0.15 if name == "spline" else 0.03)


@pytest.mark.parametrize("name", ["lognormal", "loglogistic", "generalised_gamma"])
def test_effects_say_the_same_of_the_experimental_median(name: str) -> None:
    """exp(-β / k) times the control median, whatever the family."""
    draws = {
        "control_median": np.full(3, 11.0),
        "shape": np.array([0.6, 1.0, 2.0]),
        "log_hazard_ratio": np.array([0.7, -0.6, 1.5]),
    }
    families = {**draws, "family_shape": np.array([-0.8, 0.4, 1.7])} if name == "generalised_gamma" else draws
    found, expected = (curves.median_survival(HAZARDS[key], one) for key, one in ((name, families), ("weibull", draws)))
    np.testing.assert_allclose(found, expected, rtol=1e-7)
