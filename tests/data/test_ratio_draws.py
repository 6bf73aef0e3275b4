"""Draws of a printed ratio's posterior, from its CDF."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.data.ratio import _quantiles
from retrial.frequentist.ratios import LogRatio
from retrial.models import log_hazard_ratio
from retrial.priors.prior import Prior


@pytest.mark.parametrize(("sigma", "nu"), [(1e-5, 1.0), (1e-8, 1.0), (0.13, 4.0)])
def test_draws_follow_a_spike_beside_wide_tails(sigma: float, nu: float) -> None:
    data = LogRatio("hazard_ratio", "", "", float(np.log(0.71)), 0.1667, 0.95, "")
    posterior = log_hazard_ratio.posterior(data, Prior("student_t", (0.3, sigma, nu)))
    found = posterior.cdf(np.sort(_quantiles(posterior, 1)))
    assert found == pytest.approx((np.arange(found.size) + 0.5) / found.size, abs=0.011)
