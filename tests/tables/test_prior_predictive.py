"""Tables of the prior alone: exact frequencies on a toy, the printed structure held, quantiles beside the spread."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from retrial.dims import TOTAL
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.spread import table_answers, with_prior
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.prior_predictive import prior_tables
from tests.tables.toy import exact, key, number, total_variation, toy_targets


@pytest.mark.parametrize("prior", [TablePrior(pieces=1, level_scale=0.5, effect_scale=0.5), TablePrior(pieces=2)])
def test_frequencies_are_those_of_the_prior_given_the_structure(prior: TablePrior) -> None:
    structure = [number("events", "3"), number("longest", "3"), number("at_risk", "2", "control", time=2.0)]
    targets = toy_targets((3, 3), 3, structure)
    asked = dataclasses.replace(
        targets, targets=(*targets.targets, number("median", "2", "control"), number("hazard_ratio", "0.5"))
    )
    found = prior_tables(asked, ReconstructionSettings(prior=prior), 11, 20_000)
    (expected,), _ = exact(targets, (Reading(None, None, None),), prior)
    sampled: dict = {}
    for events, censored in zip(found.events.to_numpy(), found.censored.to_numpy(), strict=True):
        name = key(events, censored)
        sampled[name] = sampled.get(name, 0.0) + 1 / 20_000
    assert set(sampled) <= set(expected)
    assert total_variation(sampled, expected) < 0.05


def test_neither_arm_is_favoured_beforehand() -> None:
    """Two arms of one size with the same printed structure: RMST differences and log ratios of rates are centred at 0, within 2 Monte Carlo
    errors by the spread of independent runs.
    """
    targets = toy_targets((45, 45), 20, [number("events", "44"), number("longest", "20"), number("shortest", "2")])
    means = []
    for seed in range(20):
        drawn = prior_tables(targets, ReconstructionSettings(particles=300), seed, 300)
        rmst = table_answers(drawn, targets, 15.0, (6.0,))["rmst_difference", 15.0, TOTAL]
        events = drawn.events.to_numpy()
        rates = (events.sum(axis=-1) + 0.5) / ((events + drawn.censored.to_numpy()) * drawn.times).sum(axis=-1)
        ratio = np.log(rates[:, 1] / rates[:, 0])
        rmst = rmst[~np.isnan(rmst)]
        assert min(rmst.std(), ratio.std()) > 0.5
        means.append((rmst.mean(), ratio.mean()))
    assert (np.abs(np.mean(means, axis=0)) < 2 * np.std(means, axis=0, ddof=1) / np.sqrt(len(means))).all()


def test_structure_of_a_paper_holds_and_the_rest_varies(os_targets: Targets) -> None:
    drawn = prior_tables(os_targets, ReconstructionSettings(), 3, 200)
    tables = [Table(os_targets.times, d, c) for d, c in zip(drawn.events.to_numpy(), drawn.censored.to_numpy(), strict=True)]
    assert {table.events(TOTAL) for table in tables} == {44}
    assert {(table.shortest(), table.longest()) for table in tables} == {(3.0, 23.0)}
    values = table_answers(drawn, os_targets, 15.0, (6.0,))
    differences = values["rmst_difference", 15.0, TOTAL]
    differences = differences[~np.isnan(differences)]  # the others are not followed so long
    assert differences.std() > 1.0
    # one table knows nothing of the next: a walk's would
    lagged = np.corrcoef(differences[:-1], differences[1:])[0, 1]
    assert abs(lagged) < 4 / np.sqrt(200)


def test_quantiles_of_the_prior_beside_the_spread() -> None:
    frame = with_prior(
        pd.DataFrame({"quantity": ["events", "rmst"], "time": [np.nan, 18.0], "arm": [TOTAL, "control"]}, index=[5, 7]),
        {("events", None, TOTAL): np.arange(40.0), ("rmst", 18.0, "control"): np.array([np.nan, 1.0, np.nan])},
    )
    assert frame.loc[5, ["prior_lower", "prior_median", "prior_upper"]].tolist() == [0.0, 19.0, 38.0]
    assert frame.loc[7, ["prior_lower", "prior_median", "prior_upper"]].tolist() == [1.0, 1.0, 1.0]
