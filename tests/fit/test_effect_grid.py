"""One sample reweighted to many normal priors of the effect: quadrature, NUTS-free refits, and priors that it must not be believed under."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.errors import FitError
from retrial.fit.engine import Job
from retrial.fit.importance import effect_grid as grids
from retrial.fit.importance.effect_grid import EffectGrid, effect_grid
from retrial.fit.survival.likelihood import survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from tests.fit.test_importance import LIMITS, SETTINGS, Rates, cohort, constant, priors_with, quadrature

TABLES = 2
MEANS, SDS = (axis.ravel() for axis in np.meshgrid(np.linspace(-1.5, 1.0, 6), [0.05, 0.2, 0.355, 1.0, 3.0]))


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    weights = np.array([0.7, 0.3])
    priors = priors_with(Prior("student_t", (0.0, 1.0, 3.0)))
    return [Job(survival_data(cohort(seed=seed)), priors, seed, float(weights[seed])) for seed in range(TABLES)]


@pytest.fixture(scope="module")
def found(jobs: list[Job]) -> EffectGrid:
    return effect_grid(weibull.build, jobs, "log_hazard_ratio", MEANS, SDS, SETTINGS, LIMITS)


def test_every_prior_of_the_grid_is_settled(found: EffectGrid) -> None:
    assert found.passed.all()
    assert found.size.shape == (TABLES, MEANS.size)
    assert found.size.min() > 400


@pytest.mark.parametrize("prior", [0, 14, 23])
def test_posteriors_of_tables_and_all_together_are_the_quadratures(found: EffectGrid, jobs: list[Job], prior: int) -> None:
    effect = Prior("normal", (float(MEANS[prior]), float(SDS[prior])))
    low, high = MEANS[prior] - 8 * SDS[prior], MEANS[prior] + 8 * SDS[prior]
    exact = [quadrature(job.data, priors_with(effect), max(low, -3.5), min(high, 2.5), 101) for job in jobs]
    shares = np.array([job.share for job in jobs])
    for table, one in enumerate(exact):
        sd = np.sqrt(one.margin @ one.beta**2 - one.mean() ** 2)
        error = sd / np.sqrt(found.size[table, prior])
        assert found.mean[table, prior] == pytest.approx(one.mean(), abs=4 * error)
        assert found.sd[table, prior] == pytest.approx(sd, rel=4 / np.sqrt(2 * found.size[table, prior]))
        assert found.log_evidence[table, prior] == pytest.approx(one.log_evidence, abs=4 * found.log_evidence_se[table, prior])
    pooled = shares @ np.array([one.margin for one in exact])
    middle = float(shares @ [one.mean() for one in exact])
    step = exact[0].beta[1] - exact[0].beta[0]
    size = found.pooled_size[prior]
    assert found.pooled_mean[prior] == pytest.approx(middle, abs=4 * found.pooled_sd[prior] / np.sqrt(size))
    for q, value in zip((0.025, 0.5, 0.975), found.quantiles((0.025, 0.5, 0.975))[:, prior], strict=True):
        cdf = np.interp(value, exact[0].beta + step / 2, np.cumsum(pooled))
        assert cdf == pytest.approx(q, abs=4 * np.sqrt(q * (1 - q) / size) + 2e-3)
    below = np.interp(-0.3, exact[0].beta + step / 2, np.cumsum(pooled))
    assert found.below(-0.3)[prior] == pytest.approx(below, abs=4 * np.sqrt(0.25 / size) + 2e-3)


def test_priors_out_of_reach_are_not_passed(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MOST_ROUNDS", 0)
    far = effect_grid(weibull.build, jobs[:1], "log_hazard_ratio", np.array([0.0, 9.0]), np.array([1.0, 0.02]), SETTINGS, LIMITS)
    assert far.passed.tolist() == [True, False]


def test_a_model_without_such_an_effect_is_refused() -> None:
    job = Job(Rates(3.0, 80.0), PriorSet("", {"rate": Prior("gamma", (2.0, 20.0))}), 1)
    with pytest.raises(FitError, match="grid of priors of log_hazard_ratio"):
        effect_grid(constant, [job], "log_hazard_ratio", np.zeros(1), np.ones(1), SETTINGS, LIMITS)
