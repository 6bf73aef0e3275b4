"""Published fits of public patient data by the survival families, each with its printed source; no prior takes part."""

from __future__ import annotations

import lifelines
import numpy as np
import pandas as pd
import pymc as pm
import pytest
from golden_patients import PATIENTS, table
from maximum import LogLikelihood, Maximum, maximum
from scipy import optimize
from scipy.special import expit

from retrial.fit.survival.distributions import log_gamma_density, log_gamma_median
from retrial.fit.survival.likelihood import cell_log_likelihood, survival_data
from retrial.models import cure, exponential, generalised_gamma, gompertz, loglogistic, lognormal
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

_POSITIVE, _REAL = Prior("lognormal", (0.0, 1.0)), Prior("normal", (0.0, 1.0))
ANY = PriorSet(
    "any",
    {
        **dict.fromkeys(("control_median", "uncured_median", "shape"), _POSITIVE),
        **dict.fromkeys(("hazard_rise", "family_shape", "control_cure_logit", "log_cure_odds_ratio", "log_hazard_ratio"), _REAL),
    },
)
"""A model cannot be built without priors; the likelihood does not know them."""
MEDIAN, SHAPE, EFFECT = "control_median_log__", "shape_log__", "log_hazard_ratio"


def built(module: object, patients: pd.DataFrame) -> pm.Model:
    return module.build(survival_data(table(patients)), ANY)  # type: ignore[attr-defined, no-any-return]


def ovarian() -> pd.DataFrame:
    """All in one arm, as in flexsurv's examples `Surv(futime, fustat) ~ 1`."""
    return PATIENTS["ovarian"]().assign(experimental=0)


def of_one_group(module: object, patients: pd.DataFrame) -> Maximum:
    return maximum(built(module, patients), aside=(EFFECT,), start={MEDIAN: float(np.log(patients["time"].median()))})


def test_ovarian_by_exponential() -> None:
    # flexsurv 2.3 reference manual, flexsurvreg, dist="exp": rate 0.000770, se 0.000222, log-likelihood -98.0322.
    found = of_one_group(exponential, ovarian())
    rate = np.log(2) * np.exp(-found.value(MEDIAN))
    assert (round(rate, 6), round(rate * found.variance(MEDIAN) ** 0.5, 6)) == (0.000770, 0.000222)
    assert found.log_likelihood == pytest.approx(-98.0322, abs=5e-5)


def test_ovarian_by_lognormal() -> None:
    # flexsurv's own tests (test_flexsurvreg.R, "Log-normal"): log-likelihood -97.12174204265681.
    assert of_one_group(lognormal, ovarian()).log_likelihood == pytest.approx(-97.12174204265681, abs=1e-8)


def test_ovarian_by_gompertz() -> None:
    # flexsurv's own tests ("Gompertz", fixedpars=TRUE): at its initial values, shape 0.001 and rate 1 / mean time, -112.8294446076947.
    log_likelihood = LogLikelihood(built(gompertz, ovarian()), (EFFECT,))
    shape, rate = 0.001, 1 / ovarian()["time"].mean()
    median = np.log1p(shape * np.log(2) / rate) / shape
    x = np.zeros(2)
    x[log_likelihood.place[MEDIAN]], x[log_likelihood.place["hazard_rise"]] = np.log(median), shape * median
    assert log_likelihood(x)[0] == pytest.approx(-112.8294446076947, abs=1e-8)


def prentice(x: np.ndarray) -> np.ndarray:
    """mu, sigma and Q of flexsurv from (log median, log shape, Q)."""
    q = float(x[2])
    sigma = 2 * np.exp(log_gamma_density(log_gamma_median(q, np), q, np) - x[1]) / np.log(2)
    return np.array([x[0] - sigma * log_gamma_median(q, np), sigma, q])


def test_ovarian_by_generalised_gamma() -> None:
    # flexsurv 2.3 reference manual, flexsurvreg, dist="gengamma": mu 6.426 (0.736), sigma 1.426 (0.345), Q -0.766 (1.313),
    # log-likelihood -96.94907. Its search stops where the likelihood is flat, within a thousandth of a standard error.
    found = of_one_group(generalised_gamma, ovarian())
    rows = [found.place[name].start for name in (MEDIAN, SHAPE, "family_shape")]
    x, printed, errors = found.x[rows], np.array([6.426, 1.426, -0.766]), np.array([0.736, 0.345, 1.313])
    np.testing.assert_allclose(prentice(x), printed, atol=2e-3)
    jacobian = np.array([optimize.approx_fprime(x, lambda y, i=i: prentice(y)[i], 1e-6) for i in range(3)])
    covariance = jacobian @ found.covariance[np.ix_(rows, rows)] @ jacobian.T
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), errors, rtol=2e-3)
    assert found.log_likelihood == pytest.approx(-96.94907, abs=5e-6)


def test_ovarian_by_gamma() -> None:
    # flexsurv's own tests ("Gamma"): log-likelihood -97.86379723453011; a generalised gamma with sigma = Q.
    data = survival_data(table(ovarian()))

    def minus(y: np.ndarray) -> float:
        q = float(np.exp(y[1]))
        shape = 2 / np.log(2) * np.exp(log_gamma_density(log_gamma_median(q, np), q, np)) / q
        point = {"control_median": np.exp(y[0]), "shape": shape, "family_shape": q, "log_hazard_ratio": 0.0}
        cells = cell_log_likelihood(generalised_gamma.hazard, data.times, data.previous, point, data.recorded, np)
        return -float((cells * data.counts).sum())

    found = optimize.minimize(minus, [6.8, -0.1], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10})
    assert -found.fun == pytest.approx(-97.86379723453011, abs=1e-7)


@pytest.mark.parametrize(
    ("module", "fitter"), [(lognormal, lifelines.LogNormalAFTFitter), (loglogistic, lifelines.LogLogisticAFTFitter)]
)
def test_lung_by_accelerated_failure_time(module: object, fitter: type) -> None:
    """lifelines' own maximum, two arms: time ratio exp(-β / k), control median, and scale."""
    patients = PATIENTS["lung"]()
    found, theirs = maximum(built(module, patients), start={MEDIAN: 5.6}), fitter().fit(patients, "time", "event")
    location = "mu_" if module is lognormal else "alpha_"
    shape = np.exp(found.value(SHAPE))
    # lifelines stops at a slope of 1e-5 or so of its own scale
    assert found.log_likelihood == pytest.approx(theirs.log_likelihood_, abs=1e-4)
    assert -found.value(EFFECT) / shape == pytest.approx(theirs.params_[location, "experimental"], abs=2e-4)
    assert found.value(MEDIAN) == pytest.approx(theirs.params_[location, "Intercept"], abs=2e-4)
    scale = -np.log(shape * np.log(2)) + 0.5 * np.log(2 / np.pi) if module is lognormal else np.log(2 * shape * np.log(2))
    assert scale == pytest.approx(theirs.params_["sigma_" if module is lognormal else "beta_", "Intercept"], abs=2e-4)


def test_recurrence_by_cure_model() -> None:
    """lifelines' MixtureCureFitter on the control arm of GBSG2, whose curve has a plateau: share cured, Weibull, log-likelihood."""
    patients = PATIENTS["gbsg2"]()
    mine = patients[patients["experimental"] == 0]
    start = {"uncured_median_log__": 6.5, "control_cure_logit": -0.5}
    found = maximum(built(cure, mine), aside=(EFFECT, "log_cure_odds_ratio"), start=start)
    theirs = lifelines.MixtureCureFitter(base_fitter=lifelines.WeibullFitter()).fit(mine["time"], mine["event"])
    assert found.log_likelihood == pytest.approx(theirs.log_likelihood_, abs=1e-4)
    assert expit(found.value("control_cure_logit")) == pytest.approx(theirs.cured_fraction_, abs=1e-4)
    assert np.exp(found.value(SHAPE)) == pytest.approx(theirs.rho_, abs=1e-3)
