"""Our own choices made otherwise: what changes in the numbers, and what the rows say."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from retrial.dims import ARMS
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.choices import Weigher, choices_of, compare_choices
from retrial.tables.findings.prior_evidence import log_evidence_of_table
from retrial.tables.findings.spread import spread
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import DesignReading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct
from tests.tables.toy import arm_tables, number, pair_probabilities, toy_targets

SETTINGS = ReconstructionSettings(islands=3, particles=60, proposals=60, n_tables=20)


def toy() -> Targets:
    """Grid times 1 to 6, a hazard ratio, numbers at risk whose times are assumed, and nobody followed up to 2 kept unless an event ended it."""
    at_risk = [number("at_risk", text, arm, time=4.0) for arm, text in zip(ARMS, ("6", "8"), strict=True)]
    found = toy_targets((12, 12), 6, [number("events", "14"), number("median", "4", "control"), *at_risk])
    return dataclasses.replace(found, assumed=(("at_risk", "our reading of a figure"),), excluded=2.0)


def test_each_choice_changes_one_thing() -> None:
    targets = toy()
    found = {choice.name: choice for choice in choices_of(targets, SETTINGS)}
    assert not found["without assumed numbers"].targets.all("at_risk")
    assert "our reading of a figure" in found["without assumed numbers"].words
    assert found["eligibility"].settings.designs == (DesignReading.ELIGIBILITY,)
    assert found["as_they_are"].settings.designs == (DesignReading.AS_THEY_ARE,)
    assert found["half walk scale"].settings.prior.walk_scale == SETTINGS.prior.walk_scale / 2
    assert found["double walk scale"].settings.prior.censoring_walk_scale == SETTINGS.prior.censoring_walk_scale * 2
    assert found["overdispersed prior"].settings.prior.overdispersion > 0
    same = [name for name, choice in found.items() if choice.targets == targets and choice.settings == SETTINGS]
    assert same == []


def test_without_assumptions_and_rules_only_the_prior_is_another() -> None:
    plain = dataclasses.replace(toy(), assumed=(), excluded=math.nan)
    assert [choice.name for choice in choices_of(plain, SETTINGS)] == [
        "half walk scale",
        "double walk scale",
        "overdispersed prior",
    ]
    assert dataclasses.replace(plain, excluded=0.5).ruled_out == 0


def test_patients_may_be_lost_before_a_minimum_follow_up() -> None:
    targets = dataclasses.replace(toy(), followed=3.0)
    found = {choice.name: choice for choice in choices_of(targets, SETTINGS)}["without minimum follow-up"]
    assert (targets.uncensored, found.targets.uncensored) == (2, 0)


def test_a_prior_with_hazards_before_the_shortest_time_is_a_choice_where_the_grid_begins_there() -> None:
    """Of six months from the third on: hazards from the first, combined with no other; where the grid begins at one unit there is none."""
    later = dataclasses.replace(toy(), first=3.0, excluded=math.nan, assumed=())
    found = {choice.name: choice for choice in choices_of(later, SETTINGS)}["hazards from time 0"]
    assert (found.targets.first, found.targets.n_times, later.n_times, found.alone) == (1.0, 6, 4, True)
    assert "hazards from time 0" not in {choice.name for choice in choices_of(toy(), SETTINGS)}
    assert not choices_of(found.targets, SETTINGS)[0].alone


def test_tables_with_hazards_before_the_shortest_time_have_nobody_leave_there() -> None:
    """Rows on another grid than that of the tables as they are: nobody leaves before, and curves begin at time 0."""
    found = toy_targets((6, 6), 5, [number("events", "7"), number("shortest", "3"), number("median", "4", "control")])
    targets = dataclasses.replace(found, first=3.0)
    whole = reconstruct(targets, SETTINGS, 1)
    frame = compare_choices(targets, whole, SETTINGS, 2, 5.0, (3.0,))
    mine = frame[frame["choice"] == "hazards from time 0"]
    assert (mine["status"] == "ok").all()
    means = {row["arm"]: row["mean"] for row in mine[mine["quantity"] == "rmst"].to_dict("records")}
    assert set(means) == set(ARMS)
    assert all(3.0 < mean < 5.0 for mean in means.values())
    assert frame["log_bayes_factor"].isna().all()


@pytest.mark.parametrize("designs", [tuple(DesignReading), (DesignReading.AS_THEY_ARE,)])
def test_rows_of_every_choice(designs: tuple[DesignReading, ...]) -> None:
    """Every choice has rows, and eligibility its evidence, whether the tables carry it or small samplers are asked."""
    targets, settings = toy(), dataclasses.replace(SETTINGS, designs=designs)
    whole = reconstruct(targets, settings, 1)
    frame = compare_choices(targets, whole, settings, 2, 6.0, (3.0,))
    assert set(frame["choice"]) == {"", *(choice.name for choice in choices_of(targets, settings))}
    assert (frame["status"] == "ok").all()
    mine = frame[frame["choice"] == "eligibility"]
    assert np.isfinite(mine["log_bayes_factor"]).all()
    assert (mine["log_bayes_factor_se"] > 0).all()
    assert frame[frame["choice"] != "eligibility"]["log_bayes_factor"].isna().all()


def test_tables_carry_both_designs_by_their_evidence() -> None:
    """Under eligibility no table has a censoring up to 2, as they are some have; weights are the designs' shares."""
    whole = reconstruct(toy(), SETTINGS, 1)
    ruled = np.array([reading.ruled for reading in whole.readings])
    early = whole.table.censored.to_numpy()[..., :2].sum(axis=(1, 2))
    assert (early[ruled] == 0).all()
    assert (early[~ruled] > 0).any()
    share = sum(result.share for result in whole.attained if result.reading.ruled)
    assert whole.weights[ruled].sum() == pytest.approx(share, abs=1e-9)
    assert 0 < share < 1


@pytest.mark.parametrize("uncensored", [0, 2])
def test_another_prior_is_a_weight_of_the_same_tables(uncensored: int) -> None:
    """log p(table | other) - log p(table | prior) of every pair of tables of small arms, by quadrature over all hazards, but for Monte Carlo error
    of a few per cent and the quadrature's own; under a rule of eligibility of the tables that it allows.
    """
    prior = TablePrior(pieces=2, level_scale=0.8, uncensored=uncensored)
    other = dataclasses.replace(prior, walk_scale=0.5, effect_scale=0.4, censoring_walk_scale=1.0)
    arms = [[(d, c) for d, c in arm_tables(3, 4) if not c[:uncensored].any()] for _ in ARMS]
    exact = [np.log(pair_probabilities(arms, 4, each)[0]) for each in (other, prior)]
    pairs = [(i, j) for i in range(0, len(arms[0]), 7) for j in range(0, len(arms[1]), 9)]
    events, censored = (np.array([[arms[0][i][k], arms[1][j][k]] for i, j in pairs]) for k in range(2))
    tables = LifeTable.from_counts(np.arange(1.0, 5.0), events, censored)
    found = log_evidence_of_table(tables, other) - log_evidence_of_table(tables, prior)
    wanted = np.array([exact[0][i, j] - exact[1][i, j] for i, j in pairs])
    assert np.ptp(wanted) > 1.0
    assert found == pytest.approx(wanted, abs=0.06)


def test_weighted_rows_are_those_of_tables_sampled_under_the_other_prior() -> None:
    """Both ways of another prior give the same means within four of their standard errors, from enough tables and samplers to know those."""
    targets, settings = toy(), dataclasses.replace(SETTINGS, islands=12, particles=200, n_tables=400)
    whole = reconstruct(targets, settings, 1)
    prior = dataclasses.replace(settings.prior, censoring_walk_scale=0.75, walk_scale=0.35)
    weigher = Weigher.of(whole, targets, settings, 6.0, (3.0,))
    rows = weigher.rows(weigher.under(prior)).set_index(["quantity", "arm"])
    again = reconstruct(targets, dataclasses.replace(settings, prior=prior), 2)
    sampled = spread(again, targets, 6.0, (3.0,)).set_index(["quantity", "arm"])
    assert (rows["effective_tables"] > 20).all()
    errors = np.hypot(rows["monte_carlo_error"], sampled["monte_carlo_error"])
    assert (np.abs(rows["mean"] - sampled["mean"]) <= 4 * errors + 1e-9).all()
