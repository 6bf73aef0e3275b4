"""Samplers to choose from: the same posterior, and a clear word where one is not installed."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from retrial.fit.engine import Job, fit_many, fitter_for
from retrial.fit.settings import Adaptation, Sampler, SamplerSettings
from retrial.fit.survival.likelihood import survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable
from retrial.validate import Problems, build_dataclass

PRIORS = PriorSet(
    "p",
    {
        "control_median": Prior("lognormal", (2.0, 1.0)),
        "shape": Prior("lognormal", (0.0, 0.5)),
        "log_hazard_ratio": Prior("normal", (0.0, 0.5)),
    },
)
SETTINGS = SamplerSettings(tune=400, threads=1)


def job() -> Job:
    deaths = np.array([[2, 4, 5, 3, 2, 1], [1, 2, 3, 3, 2, 1]])
    return Job(survival_data(LifeTable.from_counts(np.arange(2.0, 14.0, 2.0), deaths, deaths[::-1])), PRIORS, 1)


def moments(settings: SamplerSettings, draws: int) -> tuple[float, float]:
    found = fit_many(fitter_for(weibull.build, [job()], settings), [job()], draws, settings.tune, 1)[0]
    beta = found.values["log_hazard_ratio"]
    assert beta.shape == (settings.chains, draws)
    return float(beta.mean()), float(beta.std())


def test_samplers_give_the_same_answer() -> None:
    mean, sd = moments(SETTINGS, 2000)
    others = {
        "low_rank": (dataclasses.replace(SETTINGS, adaptation=Adaptation.LOW_RANK), 2000),
        "pymc": (dataclasses.replace(SETTINGS, engine=Sampler.PYMC, chains=2), 1000),
    }
    if importlib.util.find_spec("numpyro") is not None:
        others["numpyro"] = (dataclasses.replace(SETTINGS, engine=Sampler.NUMPYRO, chains=2), 1000)
    for name, (settings, draws) in others.items():
        # four Monte Carlo errors with 800 effective draws
        assert moments(settings, draws) == (pytest.approx(mean, abs=4 * sd / 28), pytest.approx(sd, rel=4 / 40)), name


def test_a_sampler_that_is_not_installed_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    problems = Problems()
    build_dataclass(SamplerSettings, {"engine": "numpyro"}, "sampler", problems)
    with pytest.raises(Exception, match=r"sampler.engine: got numpyro, which is not installed; install it"):
        problems.raise_if_any("cannot use the configuration")
