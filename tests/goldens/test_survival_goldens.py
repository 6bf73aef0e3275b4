"""Published results on public patient data, by our models. Each value stands with its printed source.

Under flat priors a posterior is the likelihood: at the printed maximum our likelihood must give the printed value (to its last digit: the
maximum is flat there), and the posterior of the log hazard ratio lies around it, shifted by what a skew likelihood shifts a mean.
"""

from __future__ import annotations

import lifelines
import numpy as np
import pandas as pd
import pytest
from lifelines.datasets import load_leukemia, load_lung
from scipy.special import digamma, polygamma

from retrial.inference.diagnostics import diagnose
from retrial.inference.engine import Build, Draws, FitData, Job, fit_many, fitter_for
from retrial.inference.settings import DiagnosticLimits, SamplerSettings
from retrial.models import piecewise_exponential, weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.survival.intervals import equal_event_cuts, interval_counts
from retrial.survival.life_table import LifeTable
from retrial.survival.observed import cell_log_likelihood, survival_data

SETTINGS = SamplerSettings(tune=1000)
DRAWS = 3000
FLAT = PriorSet(
    "flat",
    {
        "control_median": Prior("lognormal", (4.0, 3.0)),
        "shape": Prior("lognormal", (0.0, 1.5)),
        "log_hazard_ratio": Prior("normal", (0.0, 100.0)),
    },
)


def leukaemia() -> pd.DataFrame:
    """Freireich et al. 1963: weeks in remission; experimental is 6-MP (Rx 0 of this copy), control placebo."""
    data = load_leukemia()
    return pd.DataFrame({"time": data["t"].astype(float), "event": data["status"], "experimental": 1 - data["Rx"]})


def lung() -> pd.DataFrame:
    """Loprinzi et al. 1994, NCCTG: days; experimental is female (sex 2), control male."""
    data = load_lung()
    return pd.DataFrame({"time": data["time"].astype(float), "event": data["status"], "experimental": data["sex"] - 1})


def table(patients: pd.DataFrame) -> LifeTable:
    return LifeTable.from_patients(*(patients[name].to_numpy() for name in ("time", "event", "experimental")))


def posterior(build: Build, data: FitData, priors: PriorSet) -> Draws:
    job = Job(data, priors, 1)
    fit = fit_many(fitter_for(build, [job], SETTINGS), [job], DRAWS, SETTINGS.tune, 1)[0]
    assert diagnose([fit], DiagnosticLimits())[0].status == "ok"
    return fit


def log_likelihood(patients: pd.DataFrame, intercept: float, effect: float, scale: float) -> float:
    """Our Weibull likelihood at survreg's parameters: log T = intercept + effect x + scale ε, ε a smallest extreme value.

    Shape 1 / scale, control median exp(intercept) (log 2)^scale, log hazard ratio -effect / scale.
    """
    parameters = {
        "control_median": np.exp(intercept) * np.log(2) ** scale,
        "shape": 1 / scale,
        "log_hazard_ratio": -effect / scale,
    }
    data = survival_data(table(patients))
    cells = cell_log_likelihood(weibull.hazard, data.times, data.previous, parameters, "exact", np)
    return float((cells * data.counts).sum())


# survreg on the 6-MP data: Weibull 6-MP 1.267 (.311), constant 2.248 (.166), log-likelihood -106.579; exponential 1.527 (.398), 2.159 (.218),
# -108.524. Lab "Session 7: Cox proportional hazards" of a course on statistics in R (stargazer table of survreg fits of these data); the
# same fits are the examples of ?gehan in R's MASS. The table has no scale: 1 / 1.366 is Kleinbaum & Klein's (Survival Analysis, chapter
# 7, Stata's p; from memory).
# survreg(Surv(time, status) ~ sex, lung): intercept 5.488584, sex 0.395578, scale 0.755088, log-likelihood -1148.7. README of R package
# survParamSim. Its sex is 1 or 2, so that the intercept of ours is 5.488584 + 0.395578.
@pytest.mark.parametrize(
    ("patients", "intercept", "effect", "scale", "printed", "rounding"),
    [
        (leukaemia(), 2.248, 1.267, 1 / 1.366, -106.579, 5e-4),
        (leukaemia(), 2.159, 1.527, 1.0, -108.524, 5e-4),
        (lung(), 5.488584 + 0.395578, 0.395578, 0.755088, -1148.7, 0.05),
    ],
    ids=["leukaemia, Weibull", "leukaemia, exponential", "lung, Weibull"],
)
def test_likelihood_at_the_printed_maximum(patients, intercept, effect, scale, printed, rounding) -> None:
    # second-order effect of parameters printed to 3 digits: below 1e-4
    assert log_likelihood(patients, intercept, effect, scale) == pytest.approx(printed, abs=rounding + 1e-4)


def standard_error(patients: pd.DataFrame) -> float:
    """Of the log hazard ratio -ρ b, by the delta method from lifelines' covariance of b and log ρ (its own likelihood and optimiser)."""
    fit = lifelines.WeibullAFTFitter().fit(patients, "time", "event")
    names = [("lambda_", "experimental"), ("rho_", "Intercept")]
    effect, shape = fit.params_[names[0]], np.exp(fit.params_[names[1]])
    gradient = np.array([-shape, -shape * effect])
    return float(np.sqrt(gradient @ fit.variance_matrix_.loc[names, names].to_numpy() @ gradient))


@pytest.mark.parametrize(
    ("patients", "log_hazard_ratio", "shape"),
    [(leukaemia(), -1.267 * 1.366, 1.366), (lung(), -0.395578 / 0.755088, 1 / 0.755088)],
    ids=["leukaemia", "lung"],
)
def test_flat_weibull_posterior_is_around_the_printed_maximum(patients, log_hazard_ratio, shape) -> None:
    draws = posterior(weibull.build, survival_data(table(patients)), FLAT).values
    # mean minus mode of a log rate is about -1 / (2 events) an arm: 0.03 with 9 and 21 events; Monte Carlo error below 0.01
    events = patients.groupby("experimental")["event"].sum()
    shift = 0.5 * abs(1 / events[1] - 1 / events[0])
    assert draws["log_hazard_ratio"].mean() == pytest.approx(log_hazard_ratio, abs=shift + 0.02)
    # and the SD exceeds the standard error by a share of the order of 1 / (2 events)
    assert draws["log_hazard_ratio"].std() == pytest.approx(standard_error(patients), rel=0.5 / events.min() + 0.03)
    # the maximum overstates the shape by a share of 1.38 / events (Thoman, Bain, Antle 1969, Technometrics 11:445); the posterior does not
    assert np.median(draws["shape"]) == pytest.approx(shape, rel=1.38 / events.sum() + 0.01)


def test_exponential_posterior_is_two_gammas() -> None:
    """With shape 1 and flat log rates, log λ_a has mean ψ(d_a) - log T_a and variance ψ'(d_a): d 9 and 21 of T 359 and 182 weeks."""
    patients = leukaemia()
    one = PriorSet("exponential", {**FLAT.priors, "shape": Prior("lognormal", (0.0, 1e-4))})
    draws = posterior(weibull.build, survival_data(table(patients)), one).values["log_hazard_ratio"]
    totals = patients.groupby("experimental")[["event", "time"]].sum()
    assert totals.to_numpy().tolist() == [[21, 182], [9, 359]]
    mean = (digamma(9) - np.log(359)) - (digamma(21) - np.log(182))
    sd = np.sqrt(polygamma(1, 9) + polygamma(1, 21))
    # four Monte Carlo errors with 3000 effective draws
    assert draws.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(3000))
    assert draws.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * 3000))
    # printed maximum (above): mode and mean of a log gamma differ by log d - ψ(d)
    assert draws.mean() == pytest.approx(-1.527 + (digamma(9) - np.log(9)) - (digamma(21) - np.log(21)), abs=0.03)


def at_event_times(patients: pd.DataFrame) -> tuple[pd.DataFrame, tuple[float, ...]]:
    """Patients whose censorings are moved to the event time before them, and cuts at every event time (the last interval has none).

    Breslow 1974 (Biometrics 30:89): with a constant hazard between event times, this is Cox's model.
    """
    times = np.unique(patients.loc[patients["event"] == 1, "time"])
    before = np.searchsorted(times, patients["time"], side="right") - 1
    moved = patients.assign(time=np.where(before >= 0, times[before], 0.0))
    return moved, tuple(times[:-1])


def breslow_posterior(patients: pd.DataFrame) -> tuple[float, float]:
    """Mean and SD of β under a flat prior and Breslow's partial likelihood, by quadrature."""
    beta = np.linspace(-6, 3, 4001)
    total = np.zeros_like(beta)
    for time in np.unique(patients.loc[patients["event"] == 1, "time"]):
        now = patients[(patients["time"] == time) & (patients["event"] == 1)]
        at_risk = patients.loc[patients["time"] >= time, "experimental"]
        total += now["experimental"].sum() * beta - len(now) * np.log((1 - at_risk).sum() + np.exp(beta) * at_risk.sum())
    density = np.exp(total - total.max())
    density /= density.sum()
    mean = float(density @ beta)
    return mean, float(np.sqrt(density @ (beta - mean) ** 2))


def test_leukaemia_by_the_counting_process() -> None:
    """BUGS, example Leuk: β 1.539 (sd 0.421), placebo against 6-MP; ours is 6-MP against placebo, so -1.539.

    BUGS: independent hazard increments ~ Gamma(c dΛ*, c) with c = 0.001, so nearly uniform on the log scale, times Poisson counts at each
    event time: integrated out, Breslow's partial likelihood. Ours: piecewise exponential cut at each event time with steps of the
    log hazard whose SD is 10, nearly uniform as well.
    """
    mean, sd = breslow_posterior(leukaemia())
    # BUGS's 1000-odd effective draws: a Monte Carlo error of about 0.013 of the mean and 0.01 of the SD
    assert (-mean, sd) == (pytest.approx(1.539, abs=0.02), pytest.approx(0.421, abs=0.015))
    patients, cuts = at_event_times(leukaemia())
    priors = PriorSet(
        "wide",
        {
            "log_baseline_hazard": Prior("normal", (-3.0, 10.0)),
            "walk_scale": Prior("lognormal", (np.log(10.0), 0.01)),
            "log_hazard_ratio": Prior("normal", (0.0, 100.0)),
        },
    )
    data = interval_counts(survival_data(table(patients)), cuts)
    draws = posterior(piecewise_exponential.build, data, priors).values["log_hazard_ratio"]
    assert draws.mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(3000))
    assert draws.std() == pytest.approx(sd, rel=4 / np.sqrt(2 * 3000))


def test_lung_by_eight_intervals_is_near_coxs_regression() -> None:
    """coxph(Surv(time, status) ~ sex, lung): -0.5310 (0.1672), hazard ratio 0.588 (0.424 to 0.816).

    STHDA, "Cox proportional-hazards model", and many others.
    """
    life_table = table(lung())
    cuts = equal_event_cuts(life_table, np.ones(1), 8)
    priors = PriorSet(
        "flat",
        {
            "log_baseline_hazard": Prior("normal", (-6.0, 10.0)),
            "walk_scale": Prior("half_normal", (1.0,)),
            "log_hazard_ratio": FLAT["log_hazard_ratio"],
        },
    )
    draws = posterior(piecewise_exponential.build, interval_counts(survival_data(life_table), cuts), priors).values
    beta = draws["log_hazard_ratio"]
    # eight steps in place of a free baseline hazard: a small part of the standard error (0.02 is 12 % of it), which itself stays
    assert beta.mean() == pytest.approx(-0.5310, abs=0.02)
    assert beta.std() == pytest.approx(0.1672, rel=0.04)
    # limits move by twice the mean's tolerance
    assert np.exp(np.quantile(beta, [0.025, 0.975])) == pytest.approx([0.424, 0.816], rel=0.05)


def test_events_recorded_by_month_have_the_beta_posterior() -> None:
    """Constant hazard, events known to the month: monthly risk 1 - exp(-λ) is binomial, so flat risks have beta posteriors.

    Control 20 events in 120 patient-months at risk, experimental 12 in 150; p_a ~ Beta(d + a, n - d + b) for any Beta(a, b) prior. Ours has
    flat log rates: importance weights turn one prior into the other.
    """
    at_risk, events = np.array([120, 150]), np.array([20, 12])
    months = np.arange(1.0, 7.0)
    deaths, lost = spread(at_risk, events, months.size)
    one = PriorSet("exponential", {**FLAT.priors, "shape": Prior("lognormal", (0.0, 1e-4))})
    data = survival_data(LifeTable.from_counts(months, deaths, lost), 0, "interval")
    draws = posterior(weibull.build, data, one).values
    control = np.log(np.log(2) / draws["control_median"]).ravel()
    rates = np.exp(np.stack([control, control + draws["log_hazard_ratio"].ravel()]))
    # dp / d log λ = λ exp(-λ): weights from flat log rates to flat risks
    weights = (rates * np.exp(-rates)).prod(axis=0)
    risk = 1 - np.exp(-rates)
    for arm in (0, 1):
        a, b = events[arm] + 1, at_risk[arm] - events[arm] + 1
        sd = np.sqrt(a * b / (a + b) ** 2 / (a + b + 1))
        assert np.average(risk[arm], weights=weights) == pytest.approx(a / (a + b), abs=4 * sd / np.sqrt(2000))


def spread(at_risk: np.ndarray, events: np.ndarray, months: int) -> tuple[np.ndarray, np.ndarray]:
    """Monthly deaths, and censorings at the end of months, of cohorts with these patient-months at risk and deaths in all."""
    deaths, lost = np.zeros((2, months), dtype=int), np.zeros((2, months), dtype=int)
    for arm in (0, 1):
        deaths[arm] = np.histogram(np.arange(events[arm]) % months, np.arange(months + 1))[0]
        # deaths of month j are at risk j months; the rest of the patient-months come from patients censored after 1 and 6 months
        missing = at_risk[arm] - (deaths[arm] * np.arange(1, months + 1)).sum()
        lost[arm, -1], lost[arm, 0] = divmod(missing, months)
    return deaths, lost
