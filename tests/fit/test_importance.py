"""Importance sampling of many posteriors at once: closed forms, quadrature, and targets at which it must not be believed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from retrial.cells import COUNTS, log_likelihood
from retrial.fit import levels
from retrial.fit.diagnostics import Diagnostics, Level
from retrial.fit.engine import Draws, Job
from retrial.fit.importance import adaptive, self_check
from retrial.fit.importance.fits import by_importance, shared_model
from retrial.fit.levels import fit_group
from retrial.fit.observe import observe_cells
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import positive_prior
from retrial.tables.life_table import LifeTable

SETTINGS = SamplerSettings(method=Method.IMPORTANCE, threads=2, pooled_draws=2400)
LIMITS = DiagnosticLimits()
DRAWS = 400


@dataclasses.dataclass(frozen=True, eq=False)
class Rates:
    """Events and exposure of one arm of constant hazard."""

    events: float
    exposure: float

    @property
    def structure(self) -> tuple[object, ...]:
        return ()

    def updates(self) -> dict[str, np.ndarray]:
        return {COUNTS: np.array([self.events, self.exposure])}


def constant(data: Rates, priors: PriorSet) -> pm.Model:
    with pm.Model(coords={"statistic": ["events", "exposure"]}) as model:
        rate = positive_prior("rate", priors["rate"])
        observe_cells("rates", pt.stack([pt.log(rate), -rate]), data.updates()[COUNTS], ("statistic",))
    return model


def importance(
    build: Callable[..., pm.Model], jobs: Sequence[Job], settings: SamplerSettings = SETTINGS
) -> list[tuple[Draws, Diagnostics]]:
    return fit_group(build, jobs, settings, LIMITS, DRAWS, None)


def test_a_conjugate_model_has_its_closed_form_and_evidence() -> None:
    priors = [PriorSet(f"{a}", {"rate": Prior("gamma", (a, b))}) for a, b in ((2.0, 20.0), (0.5, 1.0), (30.0, 600.0))]
    tables = [Rates(float(events), exposure) for events, exposure in ((3, 80.0), (0, 55.0), (40, 420.0), (12, 800.0))]
    jobs = [Job(table, prior, seed, 0.25) for prior in priors for seed, table in enumerate(tables, start=1)]
    known = [(prior["rate"].number("alpha"), prior["rate"].number("rate"), table) for prior in priors for table in tables]
    for (a, b, table), (draws, health) in zip(known, importance(constant, jobs), strict=True):
        shape, rate = a + table.events, b + table.exposure
        exact = stats.gamma(shape, scale=1 / rate)
        assert health.status == "ok"
        assert health.method is Level.IMPORTANCE
        x = draws.values["rate"].ravel()
        # five standard errors of the effective size that is told
        assert x.mean() == pytest.approx(exact.mean(), abs=5 * exact.std() / np.sqrt(health.ess_bulk_min))
        for q in (0.025, 0.975):
            assert (x <= exact.ppf(q)).mean() == pytest.approx(q, abs=5 * np.sqrt(q * (1 - q) / health.ess_tail_min))
        log_evidence = a * np.log(b) - gammaln(a) + gammaln(shape) - shape * np.log(rate)
        assert health.log_evidence == pytest.approx(log_evidence, abs=3 * health.log_evidence_se)
        assert health.log_evidence_se < 0.05


def cohort(n: int = 92, seed: int = 5, effect: float = -0.6) -> LifeTable:
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) % 2 == 1).astype(int)
    time = np.ceil(11 * (-np.log(rng.uniform(size=n)) / np.log(2) / np.exp(effect * arm)) ** (1 / 1.3))
    limit = np.random.default_rng(99).integers(4, 24, n)
    counts = np.zeros((2, 2, 24), dtype=int)
    np.add.at(counts, ((time > limit).astype(int), arm, np.minimum(time, limit).astype(int) - 1), 1)
    return LifeTable.from_counts(np.arange(1.0, 25.0), counts[0], counts[1])


def priors_with(effect: Prior) -> PriorSet:
    own = {"control_median": Prior("lognormal", (2.4849066, 1.5)), "shape": Prior("lognormal", (0.0, 0.5))}
    return PriorSet(str(effect), {**own, "log_hazard_ratio": effect})


EFFECTS = (Prior("normal", (0.0, 10.0)), Prior("normal", (0.0, 0.205)), Prior("student_t", (0.0, 0.13, 2.0)))


@dataclasses.dataclass(frozen=True, eq=False)
class Grid:
    """Posterior of the Weibull model by the trapezoidal rule over log median, log shape and β."""

    beta: np.ndarray
    margin: np.ndarray
    log_evidence: float

    def mean(self) -> float:
        return float(self.margin @ self.beta)

    def below(self, value: float) -> float:
        return float(self.margin[self.beta <= value].sum())


def quadrature(data: SurvivalData, priors: PriorSet, low: float = -2.5, high: float = 2.0, points: int = 91) -> Grid:
    log_m, log_k, beta = np.linspace(0.5, 5.5, 71), np.linspace(-1.6, 1.4, 61), np.linspace(low, high, points)
    m, k = (axis.ravel() for axis in np.meshgrid(log_m, log_k, indexing="ij"))
    nuisance = sum(priors[name].distribution.logpdf(np.exp(x)) + x for name, x in (("control_median", m), ("shape", k)))
    total = []
    for b in beta:
        parameters = {"control_median": np.exp(m), "shape": np.exp(k), "log_hazard_ratio": np.full(m.size, b)}
        columns = {name: value[:, None, None] for name, value in parameters.items()}
        with np.errstate(over="ignore", invalid="ignore"):
            cells = cell_log_likelihood(weibull.hazard, data.times, data.previous, columns, data.recorded, np)
            value = log_likelihood(cells, data.counts) + nuisance
        total.append(logsumexp(np.nan_to_num(value, nan=-np.inf)) + priors["log_hazard_ratio"].distribution.logpdf(b))
    step = (log_m[1] - log_m[0]) * (log_k[1] - log_k[0]) * (beta[1] - beta[0])
    whole = float(logsumexp(total))
    return Grid(beta, np.exp(np.array(total) - whole), whole + float(np.log(step)))


@pytest.fixture(scope="module")
def weibull_fits() -> tuple[list[Job], list[tuple[Draws, Diagnostics]]]:
    tables = [survival_data(cohort(seed=seed)) for seed in range(6)]
    jobs = [
        Job(table, priors_with(effect), 10 * i + j) for i, effect in enumerate(EFFECTS) for j, table in enumerate(tables, start=1)
    ]
    return jobs, importance(weibull.build, jobs)


def test_weibull_posterior_is_the_quadratures(weibull_fits: Any) -> None:
    for place in (0, 7, 14):
        job, (draws, health) = weibull_fits[0][place], weibull_fits[1][place]
        exact = quadrature(job.data, job.priors)
        # draws that fill space evenly: within the error of independent ones
        assert health.log_evidence == pytest.approx(exact.log_evidence, abs=2 * health.log_evidence_se)
        beta = draws.values["log_hazard_ratio"]
        assert beta.mean() == pytest.approx(exact.mean(), abs=5 * beta.std() / np.sqrt(health.ess_bulk_min))
        assert health.status == "ok"


def test_weibull_evidence_is_the_quadratures_to_a_thousandth(weibull_fits: Any) -> None:
    jobs = [job for job in weibull_fits[0] if job.data is weibull_fits[0][0].data]
    fits = importance(weibull.build, jobs, dataclasses.replace(SETTINGS, pooled_draws=60_000))
    for job, (_, health) in zip(jobs, fits, strict=True):
        assert health.log_evidence == pytest.approx(quadrature(job.data, job.priors).log_evidence, abs=1e-3)


def test_the_order_of_the_fits_and_threads_do_not_matter(weibull_fits: Any) -> None:
    jobs, fits = weibull_fits
    again = importance(weibull.build, jobs, dataclasses.replace(SETTINGS, threads=1))
    for (one, _), (two, _) in zip(fits, again, strict=True):
        np.testing.assert_array_equal(one.values["log_hazard_ratio"], two.values["log_hazard_ratio"])


def test_an_arm_without_events_is_right_or_refused() -> None:
    table = cohort(24, 3)
    events, censored = (getattr(table, name).to_numpy()[0].copy() for name in ("events", "censored"))
    censored[1] += events[1]
    events[1] = 0
    data = survival_data(LifeTable.from_counts(table.times, events, censored))
    job = Job(data, priors_with(Prior("normal", (0.0, 10.0))), 4)
    [(draws, health)] = importance(weibull.build, [job])
    exact = quadrature(data, job.priors, -50.0, 3.0, 213)
    if health.status == "ok":
        below = (draws.values["log_hazard_ratio"] < -5.0).mean()
        p = exact.below(-5.0)
        assert below == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / health.ess_bulk_min))
        assert health.log_evidence == pytest.approx(exact.log_evidence, abs=max(4 * health.log_evidence_se, 1e-3))
    else:
        assert "ESS" in health.status or "Pareto" in health.status


def test_two_far_modes_are_both_found() -> None:
    effect = Prior("normal_mixture", ((0.5, 0.5), (-1.2, 1.8), (0.05, 0.05)))
    data = survival_data(cohort(10, 8, 0.0))
    job = Job(data, priors_with(effect), 4)
    [(draws, health)] = importance(weibull.build, [job])
    exact = quadrature(data, job.priors, -1.5, 2.1, 241)
    p = exact.below(0.0)
    assert 0.02 < p < 0.98
    assert health.status == "ok"
    assert (draws.values["log_hazard_ratio"] < 0).mean() == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / health.ess_bulk_min))
    assert health.log_evidence == pytest.approx(exact.log_evidence, abs=max(4 * health.log_evidence_se, 2e-3))


def test_what_is_far_from_all_proposals_fails_and_goes_to_nuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptive, "MOST_ROUNDS", 0)
    monkeypatch.setattr(adaptive, "_MORE_ROUNDS", 0)
    near, far = survival_data(cohort()), survival_data(cohort(400, 11, 2.0))
    jobs = [Job(near, priors_with(EFFECTS[1]), 1, 1.0), Job(far, priors_with(EFFECTS[1]), 2, 1e-6)]
    forced = importance(weibull.build, jobs)
    assert forced[0][1].status == "ok"
    assert forced[1][1].status.startswith("failed: ")
    asked: list[Job] = []

    def nuts(_fitter: Any, wanted: Sequence[Job], *_: Any) -> list[tuple[Draws, Diagnostics]]:
        asked.extend(wanted)
        return [(forced[0][0], Diagnostics(1.0, 900.0, 900.0, 0, 1600, "ok")) for _ in wanted]

    monkeypatch.setattr(levels, "by_nuts", nuts)
    monkeypatch.setattr(levels, "fitter_for", lambda *_: None)
    found = importance(weibull.build, jobs, dataclasses.replace(SETTINGS, method=Method.AUTO))
    assert [health.method for _, health in found] == [Level.IMPORTANCE, Level.NUTS]
    assert [job.seed for job in asked] == [2, 1]  # the one that failed; and one that passed, to be checked
    assert found[0][1].check < self_check.LARGEST


def test_a_fit_that_differs_from_nuts_fails(monkeypatch: pytest.MonkeyPatch, weibull_fits: Any) -> None:
    jobs, fits = weibull_fits
    rng = np.random.default_rng(1)
    wrong = {name: value + 0.3 * value.std() + 0 * rng.normal(size=value.shape) for name, value in fits[0][0].values.items()}
    monkeypatch.setattr(levels, "fitter_for", lambda *_: None)
    monkeypatch.setattr(
        levels,
        "by_nuts",
        lambda _f, wanted, *_: [
            (Draws(wrong, fits[0][0].diverging), Diagnostics(1.0, 900.0, 900.0, 0, 1600, "ok")) for _ in wanted
        ],
    )
    [(_, health)] = fit_group(weibull.build, jobs[:1], dataclasses.replace(SETTINGS, method=Method.AUTO), LIMITS, DRAWS, None)
    assert health.status.startswith("failed: differs from NUTS by ")
    assert health.check > self_check.LARGEST


def test_a_model_whose_likelihood_is_no_sum_over_cells_is_left_to_nuts() -> None:
    def squared(data: Rates, priors: PriorSet) -> pm.Model:
        with pm.Model() as model:
            rate = positive_prior("rate", priors["rate"])
            counts = pm.Data(COUNTS, data.updates()[COUNTS])
            pm.CustomDist("rates", rate, logp=lambda value, r: -((value - r) ** 2), signature="()->()", observed=counts)
        return model

    jobs = [Job(Rates(3.0, 80.0), PriorSet("p", {"rate": Prior("gamma", (2.0, 20.0))}), 1)]
    model = shared_model(squared, jobs, SETTINGS, LIMITS, DRAWS)
    assert model is not None
    assert [list(group.fits) for group in by_importance(model, jobs, SETTINGS, LIMITS, DRAWS)] == [[]]


def test_evidence_without_effect_is_the_quadratures_and_savage_dickeys() -> None:
    tables = [survival_data(cohort(seed=seed)) for seed in range(2)]
    effects = (Prior("normal", (0.0, 0.355)), Prior("normal", (-0.4, 0.3)))
    jobs = [Job(table, priors_with(effect), 1 + i) for effect in effects for i, table in enumerate(tables)]
    fits = fit_group(weibull.build, jobs, SETTINGS, LIMITS, DRAWS, None, "log_hazard_ratio")
    for job, (_, health) in zip(jobs, fits, strict=True):
        assert health.log_evidence_null_se < 0.05
        exact = quadrature(job.data, job.priors, -2.5, 2.0, 91)
        at_zero = float(np.interp(0.0, exact.beta, np.log(exact.margin))) - np.log(exact.beta[1] - exact.beta[0])
        log_null = exact.log_evidence + at_zero - job.priors["log_hazard_ratio"].distribution.logpdf(0.0)
        assert health.log_evidence_null == pytest.approx(log_null, abs=3 * health.log_evidence_null_se + 1e-3)
    # the same table under another prior of the effect
    assert fits[0][1].log_evidence_null == fits[2][1].log_evidence_null


def test_without_the_name_of_an_effect_nothing_is_told_of_none(weibull_fits: Any) -> None:
    assert all(np.isnan(health.log_evidence_null) for _, health in weibull_fits[1])
