"""Published maximum likelihood fits of public patient data, by the likelihoods that our models state; each with its printed source.

No prior takes part and nothing is sampled: the compiled log-likelihood is maximised, and what was printed must come out to its last digit.
"""

from __future__ import annotations

import numpy as np
import pytest
from golden_patients import PATIENTS, at_event_times, table
from maximum import Maximum, maximum
from scipy import optimize

from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import survival_data
from retrial.models import piecewise_exponential, weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

ANY = PriorSet(
    "any",
    {
        "control_median": Prior("lognormal", (0.0, 1.0)),
        "shape": Prior("lognormal", (0.0, 1.0)),
        "log_hazard_ratio": Prior("normal", (0.0, 1.0)),
        "log_baseline_hazard": Prior("normal", (0.0, 1.0)),
        "walk_scale": Prior("lognormal", (0.0, 1.0)),
    },
)
"""A model cannot be built without priors; the likelihood does not know them."""
MEDIAN, SHAPE, EFFECT = "control_median_log__", "shape_log__", "log_hazard_ratio"
SCALE = "walk_scale_log__"


def printed(text: str) -> object:
    """A printed number: half a unit of its last digit either way."""
    decimals = len(text.partition(".")[2])
    return pytest.approx(float(text), abs=0.501 * 10.0**-decimals)


def weibull_maximum(name: str, *aside: str) -> Maximum:
    return maximum(weibull.build(survival_data(table(PATIENTS[name]())), ANY), aside=aside)


def accelerated(x: np.ndarray) -> np.ndarray:
    """Intercept, effect and log scale of survreg from (log control median, log shape, log hazard ratio).

    log T = intercept + effect x + scale ε, ε a smallest extreme value: scale 1 / k, intercept log m - scale log log 2, effect -β / k.
    """
    log_median, log_shape, log_hazard_ratio = x
    scale = np.exp(-log_shape)
    return np.array([log_median - scale * np.log(np.log(2)), -scale * log_hazard_ratio, -log_shape])


def survreg(found: Maximum) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and delta-method standard errors of survreg's parameters."""
    names = [MEDIAN, SHAPE, EFFECT]
    rows = [found.place[name].start for name in names]
    x = found.x[rows]
    jacobian = np.array([optimize.approx_fprime(x, lambda y, i=i: accelerated(y)[i], 1e-7) for i in range(3)])
    covariance = jacobian @ found.covariance[np.ix_(rows, rows)] @ jacobian.T
    return accelerated(x), np.sqrt(np.diag(covariance))


def test_leukaemia_by_weibull() -> None:
    # Table of survreg(Surv(time, cens) ~ group, leuk) in Waldron, Biostatistics II (CUNY), lab of session 7, "Cox proportional
    # hazards": 1.267 (0.311), constant 2.248 (0.166), log-likelihood -106.579. R's own example of the data (?gehan of MASS) is this fit.
    found = weibull_maximum("leukaemia")
    estimates, errors = survreg(found)
    assert [*estimates[:2], *errors[:2]] == [printed(text) for text in ("2.248", "1.267", "0.166", "0.311")]
    assert found.log_likelihood == printed("-106.579")


def test_leukaemia_by_exponential() -> None:
    # The same table: exponential 1.527 (0.398), constant 2.159 (0.218), log-likelihood -108.524.
    found = weibull_maximum("leukaemia", SHAPE)
    assert [-found.value(EFFECT), found.value(MEDIAN) - np.log(np.log(2))] == [printed("1.527"), printed("2.159")]
    assert [found.variance(EFFECT) ** 0.5, found.variance(MEDIAN) ** 0.5] == [printed("0.398"), printed("0.218")]
    assert found.log_likelihood == printed("-108.524")


def test_lung_by_weibull() -> None:
    # survreg(Surv(time, status) ~ sex, lung), README of R package survParamSim (2019): intercept 5.488584, sex 0.395578,
    # scale 0.755088, log-likelihood -1148.7. Sex is 1 or 2 there and 0 or 1 here.
    found = weibull_maximum("lung")
    (intercept, effect, log_scale), _ = survreg(found)
    assert [intercept - effect, effect, np.exp(log_scale)] == [printed(text) for text in ("5.488584", "0.395578", "0.755088")]
    assert found.log_likelihood == printed("-1148.7")


def test_acute_leukaemia_by_weibull() -> None:
    # survreg(Surv(time, status) ~ ., aml) of survival 3.8-12 in R 4.5.3, to 15 digits in the tests of a Python port of it:
    # 4.109055051262132, -0.929341611365523, scale 0.790954436951233.
    (intercept, effect, log_scale), _ = survreg(weibull_maximum("aml"))
    found = [intercept, effect, np.exp(log_scale)]
    assert found == pytest.approx([4.109055051262132, -0.929341611365523, 0.790954436951233], abs=1e-8)


def test_flies_by_weibull_in_one_group() -> None:
    # lifelines, "Survival analysis with lifelines", WeibullFitter on waltons: rho 3.45 (0.24), log-likelihood -672.062
    found = weibull_maximum("waltons", EFFECT)
    shape = np.exp(found.value(SHAPE))
    assert [shape, shape * found.variance(SHAPE) ** 0.5] == [printed("3.45"), printed("0.24")]
    assert found.log_likelihood == printed("-672.062")


def cox_maximum(name: str, *held: str) -> Maximum:
    """Maximum of the piecewise exponential likelihood cut at every event time, where it is Breslow's for Cox's model.

    The scale of the walk is 1: steps are free, so it says nothing.
    """
    patients, cuts = at_event_times(PATIENTS[name]())
    data = interval_counts(survival_data(table(patients)), cuts)
    start = {"log_baseline_hazard_raw": float(np.log(data.events.sum() / data.exposure.sum()))}
    return maximum(piecewise_exponential.build(data, ANY), held, (SCALE,), start)


@pytest.mark.parametrize(
    ("name", "ratio", "error", "limits"),
    [
        # Rodriguez, Princeton, "Cox's proportional hazards model": stcox on the 6-MP data, ties by Breslow
        ("leukaemia", ".2210887", ".0905501", (".0990706", ".4933877")),
        # Lambert, "Proportional hazards models in stpm2" (2017): stcox hormon on brcancer, the same trial, ties by Breslow
        ("gbsg2", ".6949616", ".0869009", (".543905", ".8879705")),
    ],
)
def test_hazard_ratio_by_cox_as_stata_prints_it(name: str, ratio: str, error: str, limits: tuple[str, str]) -> None:
    found = cox_maximum(name)
    beta, se = found.value(EFFECT), found.variance(EFFECT) ** 0.5
    assert [np.exp(beta), np.exp(beta) * se] == [printed(ratio), printed(error)]
    assert [np.exp(beta - 1.959964 * se), np.exp(beta + 1.959964 * se)] == [printed(text) for text in limits]


@pytest.mark.parametrize(
    ("name", "observed", "expected"),
    [
        # Everitt, Hothorn, A Handbook of Statistical Analyses Using R, survival analysis: survdiff on grade III glioma, RIT
        ("glioma", 2, "4.51"),
        # Kleinbaum and Klein, Survival Analysis, chapter 2: log-rank test of the 6-MP data, treated
        ("leukaemia", 9, "19.25"),
    ],
)
def test_slope_at_no_effect_is_the_log_rank_numerator(name: str, observed: int, expected: str) -> None:
    """d log L / dβ at β = 0 is observed minus expected events of the experimental arm."""
    assert observed - cox_maximum(name, EFFECT).slope(EFFECT) == printed(expected)


def test_score_test_of_glioma_is_the_log_rank_test() -> None:
    # the same page of Everitt and Hothorn: (O-E)^2/V 6.06; without tied events V is the information about β at 0
    found = cox_maximum("glioma", EFFECT)
    assert found.slope(EFFECT) ** 2 * found.variance(EFFECT) == printed("6.06")
