"""The pictures of priors, likelihoods and posteriors: what they hold, for whom, and nothing without curves."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread
from report_estimates import PRIORS, estimates
from report_factory import report_data
from scipy import stats

from retrial.priors.implied.beliefs import belief
from retrial.report.figures.beliefs import belief_pictures


@pytest.fixture(scope="module")
def beliefs() -> pd.DataFrame:
    row = next(row for row in estimates() if row.endpoint == "os" and row.method == "published" and not row.adjusted_for)
    y, s = np.log(row.point), np.log(row.upper / row.lower) / (2 * stats.norm.ppf(0.975))
    parts = []
    for prior, (mean, sd) in PRIORS.items():
        found = belief(float(y), float(s), stats.norm(mean, sd).logpdf)
        curves = {
            "prior_density": found.prior,
            "likelihood": found.likelihood,
            "posterior": found.posterior,
            "below": found.below,
        }
        parts.append(pd.DataFrame({"value": np.exp(found.x), **curves}).assign(endpoint="os", adjusted_for="", prior=prior))
    return pd.concat(parts, ignore_index=True)


def test_the_probability_of_a_benefit_is_that_of_the_estimates(beliefs: pd.DataFrame) -> None:
    data = dataclasses.replace(report_data(curves={}), beliefs=beliefs)
    triptych, below = belief_pictures(data, "os", tuple(PRIORS))
    chance = next(
        row.point
        for row in estimates()
        if (row.endpoint, row.model, row.prior, row.adjusted_for, row.event, row.threshold)
        == ("os", "log_hazard_ratio", "sceptical", "", "below", 1.0)
    )
    assert f", sceptical {chance:.3f}," in below.alt
    assert "normal model" in triptych.caption
    pressed = below.press()
    assert {*pressed} == {"pdf", "png", "tiff"}
    assert imread(io.BytesIO(pressed["png"])).shape[1] == 3.5 * 600


def test_no_curves_no_pictures(beliefs: pd.DataFrame) -> None:
    assert belief_pictures(report_data(curves={}), "os", ("flat",)) == []
    assert belief_pictures(dataclasses.replace(report_data(curves={}), beliefs=beliefs), "pfs", ("flat",)) == []
