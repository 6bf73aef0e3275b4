"""Joint posteriors of a model and the tables: the evidence of the tables' prior by quadrature, the weights in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, stats

from retrial.criticism.joint import LEAST_EFFECTIVE, joint_weights
from retrial.fit.diagnostics import Diagnostics
from retrial.fit.ensemble import Fitted
from retrial.tables.findings.prior_evidence import log_evidence_of_censorings, log_evidence_of_events
from retrial.tables.kernel.prior import TablePrior, centre
from retrial.tables.life_table import LifeTable

PRIOR = TablePrior(pieces=1)


@pytest.mark.parametrize("events", [[[2, 1, 0], [1, 0, 1]], [[0, 0, 0], [3, 1, 1]]])
def test_evidence_of_the_tables_prior_is_the_integral(events: list[list[int]]) -> None:
    """One piece: two log hazards, against adaptive quadrature; events of an arm may be none."""
    table = LifeTable.from_counts([1.0, 2.0, 3.0], np.array([events]), np.array([[[0, 1, 3], [2, 1, 3]]]))
    (found,), (error,) = log_evidence_of_events(table, PRIOR)
    _, same, across = PRIOR.covariances(1)
    prior = stats.multivariate_normal([centre(3)] * 2, [[same[0, 0], across[0, 0]], [across[0, 0], same[0, 0]]])
    d, r = (data.to_numpy().reshape(2, -1)[:, :3].astype(int) for data in (table.events, table.at_risk))

    def density(y: float, x: float) -> float:
        chance = 1 - np.exp(-np.exp([x, y]))
        return float(
            np.exp(sum(stats.bernoulli.logpmf([1, 0], p) @ [d[a].sum(), (r[a] - d[a]).sum()] for a, p in enumerate(chance)))
            * prior.pdf([x, y])
        )

    m = centre(3)
    exact, _ = integrate.dblquad(density, m - 10, m + 6, m - 10, m + 6, epsabs=1e-11, epsrel=1e-5)
    assert error < 0.02
    assert found == pytest.approx(np.log(exact), abs=3.5 * error)


def test_evidence_of_censorings_is_the_integral() -> None:
    """One piece: an arm's log hazard each, of those without an event before the last grid time, by quadrature."""
    table = LifeTable.from_counts([1.0, 2.0, 3.0], np.array([[[2, 1, 0], [1, 0, 1]]]), np.array([[[0, 1, 3], [2, 1, 3]]]))
    (found,), (error,) = log_evidence_of_censorings(table, PRIOR)
    mean, sd = centre(3), float(np.sqrt(PRIOR.covariances(1)[0][0, 0]))
    exact = 0.0
    for censored, stayed in ((1, 5 + 4), (3, 7 + 5)):  # control: 7 at risk, 2 events; 5, 1 event; experimental: 8, 1 event; 5
        exact += np.log(
            integrate.quad(
                lambda x, c=censored, s=stayed: (
                    (-np.expm1(-np.exp(x))) ** c * np.exp(-np.exp(x) * (s - c)) * stats.norm.pdf(x, mean, sd)
                ),
                mean - 10,
                mean + 6,
            )[0]
        )
    assert found == pytest.approx(exact, abs=3.5 * error + 1e-6)


def fitted(log_evidence: list[float], weights: list[float], failed: int = -1) -> Fitted:
    health = [
        Diagnostics(1.0, 1e4, 1e4, 0, 1000, "failed: x" if index == failed else "ok", log_evidence=value)
        for index, value in enumerate(log_evidence)
    ]
    return Fitted("os", "m", np.array(weights), {}, {"flat": health})


def test_weights_are_those_of_the_tables_times_the_ratio_of_evidences() -> None:
    found = joint_weights(fitted([-1.0, -2.0], [0.25, 0.75]), "flat", np.array([-1.0, -3.0]))
    expected = np.array([0.25, 0.75 * np.e])
    assert found.weights == pytest.approx(expected / expected.sum(), abs=1e-12)
    assert found.effective_tables == pytest.approx(expected.sum() ** 2 / (expected**2).sum(), abs=1e-12)
    assert found.log_ratio_sd == pytest.approx(np.sqrt(0.25 * 0.75), abs=1e-12)
    assert found.status.startswith("the model and the tables' prior disagree")


def test_an_equal_model_leaves_the_weights_alone_and_a_failed_fit_out() -> None:
    many = 2 * LEAST_EFFECTIVE
    logs = [float(value) for value in np.linspace(-5, 0, many)]
    found = joint_weights(fitted(logs, [1 / many] * many, failed=3), "flat", np.array(logs))
    assert found.status == "ok"
    assert found.weights[3] == 0.0
    assert np.delete(found.weights, 3) == pytest.approx(1 / (many - 1), abs=1e-12)
    few = joint_weights(fitted([-1.0, np.nan, np.nan], [0.2, 0.4, 0.4]), "flat", np.zeros(3))
    assert few.status == "fits with an evidence in 20% of the tables only"
