"""The committed coverage of printed multivariable models, and the way from patients to what a paper prints of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrial.experiments.multivariable.cases import TESTED, TREATMENT
from retrial.experiments.multivariable.paper import KEY, Print, paper
from retrial.experiments.multivariable.study import SUBSETS, estimates, subsets, summary
from retrial.multivariable.printed import printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.statistics import (
    EVEN_SCALE,
    NARROWER,
    NU,
    PHI_SCALE,
    SHARE_GROWTH,
    SHARE_SCALE,
    TOLERANCE,
    WEIGHTS_SCALE,
)

RESULTS = Path(__file__).parents[2] / "experiments" / "multivariable" / "results"


def test_the_committed_coverage_is_what_is_claimed() -> None:
    """Over 11 data sets, four of them with factors of three or four levels too, 90 % intervals hold 85 to 95 % of the hidden quantities within
    two standard errors over data sets."""
    cases = pd.read_csv(RESULTS / "cases.csv")
    assert len(cases) == len(TESTED) * SUBSETS * len(Print)
    assert cases["patients"].between(80, 300).all()
    every = summary(cases).set_index(["source", "print"]).loc["all"]
    for quantity in ("subset", "correlation", "inflation", "shift"):
        known = every.dropna(subset=f"{quantity}_covered_percent")
        low, high = (known[f"{quantity}_covered_percent"] + sign * 2 * known[f"{quantity}_covered_se"] for sign in (-1, 1))
        assert (low <= 95).all()
        assert (high >= 85).all()
    # subsets of one data set are no independent cases: over data sets the errors are larger
    assert every["subset_covered_se"].min() > 1.5
    # tables of one data set are hardly ever taken to contradict each other
    assert every["contradictory_percent"].max() < 2
    assert every["shift_covered_percent"].notna().sum() == 1  # elsewhere both of its ratios are printed
    committed = pd.read_csv(RESULTS / "summary.csv").set_index(["source", "print"]).loc["all"]
    assert committed["subset_covered_percent"].to_numpy() == pytest.approx(every["subset_covered_percent"].to_numpy(), rel=2e-3)


def test_a_paper_prints_what_its_patients_say() -> None:
    """Rossi's first subset: the printed model is the hidden one within rounding, its margins are the patients', and matrices bracket the truth."""
    case, test, hidden, truths = next(subsets("rossi", TESTED["rossi"], 1))
    model = printed_model(paper(hidden, test, Print.ALL, np.random.default_rng(1)), KEY)
    assert model.names == hidden.model.names
    assert model.centre[:, 0] == pytest.approx(hidden.model.b, abs=2e-3)
    assert model.centre[:, 1] == pytest.approx(np.sqrt(np.diag(hidden.model.covariance)), rel=5e-3)
    patients = hidden.patients.covariates
    for place, name in enumerate(model.names[1:], start=1):
        assert model.share[place] == pytest.approx(patients[name].mean())
        assert model.with_treatment[place] == pytest.approx(np.corrcoef(patients[name], patients[TREATMENT])[0, 1])
    found = estimates(sample(model, MatrixSettings(islands=2, particles=200), case.number))
    for kept, effect in truths["subset"]:
        assert float(found.subset(0, kept).ppf(np.array(0.5))) == pytest.approx(effect, abs=0.25 * model.centre[0, 1])


def test_the_errors_are_those_that_the_scales_were_taken_from() -> None:
    """Scales are of t distributions with 4 degrees of freedom: their 90 % point is 2.13 scales, and the errors' is not beyond it."""
    errors = pd.read_csv(RESULTS / "errors.csv").set_index("kind")
    reach = float(stats.t(NU).ppf(0.95))
    # scales that grow with what is left out: the middle half, or 90 %, to 5 %, and a normal SD of the effects adjusted for some covariates
    for kind in ("log_ratio_scaled", "z_scaled", "log_se_scaled"):
        assert errors.loc[kind, "size_90_percent"] <= 1.05 * reach
    assert errors.loc["subset_scaled", "size_90_percent"] == pytest.approx(float(stats.norm.ppf(0.95)), rel=0.1)
    assert errors.loc["phi", "size_90_percent"] <= 1.1 * reach * PHI_SCALE
    # of all groups together, the mean of |b (1 - 2 w)| being 0.45
    assert errors.loc["share", "size_90_percent"] <= 1.05 * reach * (SHARE_SCALE + 0.45 * SHARE_GROWTH)
    for kind in ("log_ratio_scaled_level", "z_scaled_level", "log_se_scaled_level"):
        assert errors.loc[kind, "size_90_percent"] <= 1.5 * reach
    # the middle half, which scales are taken from; the tail is heavier than that of a t
    assert errors.loc["weights", "size_50_percent"] <= float(stats.t(NU).ppf(0.75)) * WEIGHTS_SCALE
    assert errors.loc["even", "size_95_percent"] <= EVEN_SCALE
    # no patient is in two levels
    assert errors.loc["reference", "least"] > 0
    # adjustment narrows no interval of a Cox model by more than the audit allows
    assert errors.loc["log_se_adjusted", "least"] > -NARROWER * TOLERANCE
