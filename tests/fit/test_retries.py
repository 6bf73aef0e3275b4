"""Fits that fail are run again: twice as long, then four times, in smaller steps, and no further."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrial.fit import levels
from retrial.fit.engine import Draws, Job
from retrial.fit.levels import fit_group
from retrial.fit.settings import DiagnosticLimits, Method, SamplerSettings
from retrial.priors.prior_set import PriorSet

DRAWS = 400


def group_with(
    monkeypatch: pytest.MonkeyPatch, needed: int
) -> tuple[list[tuple[int, int, float | None]], list[tuple[Draws, Any]]]:
    """One fit whose chains agree only from `needed` draws on; what was asked of the sampler, and what came out."""
    asked: list[tuple[int, int, float | None]] = []

    def fitter(job: Job, draws: int, tune: int, target_accept: float | None) -> Draws:
        asked.append((draws, tune, target_accept))
        values = np.random.default_rng(job.seed).normal(size=(4, draws))
        if draws < needed:
            values += 3.0 * np.arange(4)[:, None]
        return Draws({"log_hazard_ratio": values}, np.zeros((4, draws), bool))

    monkeypatch.setattr(levels, "fitter_for", lambda *_: fitter)
    monkeypatch.setattr(levels, "refuse_different_shapes", lambda _: None)
    job = Job(None, PriorSet("none", {}), 1)  # type: ignore[arg-type]
    settings = SamplerSettings(method=Method.NUTS, tune=200, threads=1)
    return asked, fit_group(None, [job], settings, DiagnosticLimits(), DRAWS, None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("needed", "runs", "passes"), [(DRAWS, 1, True), (2 * DRAWS, 2, True), (4 * DRAWS, 3, True), (8 * DRAWS, 3, False)]
)
def test_a_failed_fit_is_run_again_in_doublings(monkeypatch: pytest.MonkeyPatch, needed: int, runs: int, passes: bool) -> None:
    asked, [(draws, health)] = group_with(monkeypatch, needed)
    expected = [(DRAWS, 200, None), (2 * DRAWS, 400, 0.9), (4 * DRAWS, 800, 0.95)][:runs]
    assert [size[:2] for size in asked] == [size[:2] for size in expected]
    assert [size[2] for size in asked[1:]] == pytest.approx([size[2] for size in expected[1:]])
    assert (health.status == "ok") is passes
    assert draws.diverging.shape == (4, DRAWS)  # a longer run is thinned to the size of the others
    # the diagnostics say how often it was run, and how the last time
    size, tune, accept = expected[-1]
    assert (health.attempts, health.draws, health.tune) == (runs, 4 * size, tune)
    assert health.target_accept == pytest.approx(accept or SamplerSettings().target_accept)


def test_how_often_a_fit_is_run_again() -> None:
    assert [SamplerSettings(retry=most).retries for most in (1, 2, 3, 4, 8)] == [(), (2,), (2,), (2, 4), (2, 4, 8)]
