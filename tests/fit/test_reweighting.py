"""Chains reweighted to other priors of the same data: exact chains of a conjugate model, and what must be refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from retrial.fit.diagnostics import Diagnostics, Level, diagnose
from retrial.fit.engine import Draws, Job
from retrial.fit.importance import self_check
from retrial.fit.reweighting import Fit, by_reweighting
from retrial.fit.settings import DiagnosticLimits
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet

DRAWS, LIMITS = 3000, DiagnosticLimits()


@dataclass(frozen=True)
class Mean:
    """A normal mean, known with standard error 1."""

    estimate: float

    @property
    def structure(self) -> tuple[object, ...]:
        return ()

    def updates(self) -> dict[str, np.ndarray]:
        return {"estimate": np.array(self.estimate)}


def job(mu: float, sigma: float, seed: int, estimate: float = 0.4, **more: Prior) -> Job:
    return Job(Mean(estimate), PriorSet("", {"effect": Prior("normal", (mu, sigma)), **more}), seed)


def exact(of: Job) -> tuple[float, float]:
    """Mean and SD of the posterior."""
    mu, sigma = of.priors["effect"].number("mu"), of.priors["effect"].number("sigma")
    precision = 1 + sigma**-2
    return (of.data.estimate + mu / sigma**2) / precision, precision**-0.5  # type: ignore[attr-defined]


def chains(of: Job, rng: np.random.Generator) -> Draws:
    """Four chains of the posterior with an autocorrelation of 0.5, and a parameter that it moves."""
    mean, sd = exact(of)
    x = np.empty((4, DRAWS))
    x[:, 0] = rng.normal(size=4)
    for step in range(1, DRAWS):
        x[:, step] = 0.5 * x[:, step - 1] + np.sqrt(0.75) * rng.normal(size=4)
    effect = mean + sd * x
    return Draws(
        {"effect": effect, "other": np.stack([effect + rng.normal(size=x.shape), effect**2], axis=-1)}, np.zeros(x.shape, bool)
    )


def fits(jobs: Sequence[Job]) -> tuple[dict[int, Fit], list[int]]:
    """All jobs, and which were sampled."""
    asked: list[int] = []

    def sampled(rows: Sequence[int]) -> list[tuple[Draws, Diagnostics]]:
        asked.extend(rows)
        drawn = [chains(jobs[row], np.random.default_rng(jobs[row].seed)) for row in rows]
        return list(zip(drawn, diagnose(drawn, LIMITS), strict=True))

    return by_reweighting(sampled, jobs, range(len(jobs)), LIMITS), asked


def test_reweighted_chains_have_the_other_posteriors_moments_with_their_errors() -> None:
    jobs = [
        job(0.0, 10.0, 1),
        *(job(mu, sigma, seed) for seed, (mu, sigma) in enumerate([(0, 0.7), (-1, 1.0), (0.5, 1.5)], start=2)),
    ]
    found, asked = fits(jobs)
    assert asked == [0]
    assert [found[row][1].method for row in range(4)] == [Level.NUTS, *[Level.REWEIGHTED] * 3]
    for row in range(1, 4):
        draws, health = found[row]
        mean, sd = exact(jobs[row])
        own = chains(jobs[row], np.random.default_rng(99))
        z = self_check.chain_differences(draws.values, own.values)
        assert np.abs(z).max() < 4
        assert abs(draws.values["effect"].mean() - mean) < 4 * sd / np.sqrt(health.ess_bulk_min)
        assert np.isfinite(health.pareto_k)


def test_errors_of_reweighted_chains_are_right_over_repetitions() -> None:
    z = []
    for seed in range(40):
        one, other = job(0.0, 10.0, 2 * seed + 1), job(-0.5, 1.0, 2 * seed + 2)
        found, _ = fits([one, other])
        draws, health = found[1]
        mean, sd = exact(other)
        z.append((draws.values["effect"].mean() - mean) / sd * np.sqrt(health.ess_bulk_min))
    assert np.sqrt(np.mean(np.square(z))) == pytest.approx(1.0, abs=0.25)


def test_a_prior_far_from_the_chains_is_sampled_and_others_near_it_reweighted() -> None:
    jobs = [job(0.0, 0.1, 1), job(0.0, 0.11, 2), job(6.0, 0.1, 3), job(6.0, 0.2, 4)]
    found, asked = fits(jobs)
    # the wider one of the two far ones
    assert asked == [0, 3]
    assert [found[row][1].method for row in range(4)] == [Level.NUTS, Level.REWEIGHTED, Level.REWEIGHTED, Level.NUTS]
    for row in range(4):
        mean, sd = exact(jobs[row])
        assert found[row][0].values["effect"].mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(found[row][1].ess_bulk_min))


def test_other_data_are_never_reweighted_to() -> None:
    jobs = [job(0.0, 10.0, 1), job(0.0, 1.0, 2), job(0.0, 10.0, 3, estimate=0.5), job(0.0, 1.0, 4, estimate=0.5)]
    found, asked = fits(jobs)
    assert asked == [0, 2]
    assert found[3][0].values["effect"].mean() == pytest.approx(exact(jobs[3])[0], abs=0.05)


def test_what_was_not_kept_cannot_be_reweighted_by() -> None:
    hidden = [Prior("half_normal", (scale,)) for scale in (1.0, 2.0)]
    _, asked = fits([job(0.0, 10.0, 1, scale=hidden[0]), job(0.0, 1.0, 2, scale=hidden[0]), job(0.0, 1.0, 3, scale=hidden[1])])
    assert asked == [0, 2]


def test_a_failed_chain_gives_nothing_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = DiagnosticLimits(ess=1e6)
    jobs = [job(0.0, 10.0, 1), job(0.0, 1.0, 2)]
    asked: list[int] = []

    def sampled(rows: Sequence[int]) -> list[tuple[Draws, Diagnostics]]:
        asked.extend(rows)
        drawn = [chains(jobs[row], np.random.default_rng(1)) for row in rows]
        return list(zip(drawn, diagnose(drawn, limits), strict=True))

    by_reweighting(sampled, jobs, [0, 1], limits)
    assert asked == [0, 1]
