"""`reconstruct` on the first study: agreement, readings, seeds, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retrial.errors import ConfigError, ReconstructionError
from retrial.study.study import Study
from retrial.tables.ensemble import Ensemble, Island, ReconstructionSettings
from retrial.tables.printed.agreement import agreement_of_tables, fidelity
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import DesignReading, MedianReading, RatioReading, Reading, TestReading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample import engine
from retrial.tables.sample.engine import allotted, islands_of, reconstruct, scouts_of, screen
from retrial.tables.sample.pool import design_errors, evidence_error
from retrial.tables.sample.sampler import Sampler, run_islands
from tests.tables.conftest import QUICK
from tests.tables.toy import number, toy_targets

TOY = dataclasses.replace(QUICK, n_tables=8, medians=tuple(MedianReading), tests=tuple(TestReading), ratios=tuple(RatioReading))


AS_THEY_ARE = DesignReading.AS_THEY_ARE


def test_every_table_carries_every_printed_number(os_ensemble: Ensemble, os_targets: Targets) -> None:
    assert agreement_of_tables(os_ensemble, os_targets).all()
    frame = fidelity(os_ensemble, os_targets)
    assert len(frame) == len(os_targets.targets) == 18
    assert (frame["share_default"] == 1).all()
    assert (frame["median"].between(frame["low"], frame["high"])).all()
    exact = frame["statistic"].isin(["events", "median", "shortest", "longest"])
    assert (frame.loc[exact, "share_strict"] == 1).all()


def test_tables_differ_and_weights_are_a_distribution(os_ensemble: Ensemble) -> None:
    events, censored = os_ensemble.table.events.to_numpy(), os_ensemble.table.censored.to_numpy()
    assert len({events[i].tobytes() + censored[i].tobytes() for i in range(len(events))}) == len(events) == 12
    assert os_ensemble.weights.sum() == pytest.approx(1.0)
    assert (os_ensemble.weights > 0).all()
    assert sum(result.share for result in os_ensemble.results) == pytest.approx(1.0)
    by_reading = dict.fromkeys(os_ensemble.readings, 0.0)
    for reading, weight in zip(os_ensemble.readings, os_ensemble.weights, strict=True):
        by_reading[reading] += weight
    for result in os_ensemble.attained:
        assert by_reading[result.reading] == pytest.approx(result.share)
    assert (os_ensemble.table.n.to_numpy() == [49, 43]).all()


def test_readings_that_arithmetic_rules_out(os_ensemble: Ensemble) -> None:
    status = {result.reading: result for result in os_ensemble.results}
    # Limits of 7.142 months are not on a monthly grid, and z² of HR 0.470 (0.252-0.879) is 5.6, not 5.116.
    crowley = status[Reading(None, None, MedianReading.CROWLEY_LOG)]
    assert crowley.status == "impossible"
    assert "not on the grid" in crowley.reason
    same = status[Reading(RatioReading.MANTEL_HAENSZEL, TestReading.LOG_RANK, MedianReading.GREENWOOD_DENSITY, AS_THEY_ARE)]
    assert same.status == "impossible"
    assert "5.116" in same.reason
    attained = Reading(RatioReading.MANTEL_HAENSZEL, TestReading.SCORE_BRESLOW, MedianReading.GREENWOOD_DENSITY, AS_THEY_ARE)
    assert status[attained].status == "attained"
    assert len(os_ensemble.health()) == len(os_ensemble.results)


def test_same_seed_same_ensemble_on_any_number_of_threads(os_targets: Targets) -> None:
    small = dataclasses.replace(QUICK, tests=(TestReading.SCORE_BRESLOW,), medians=(MedianReading.GREENWOOD_DENSITY,), islands=2)
    small = dataclasses.replace(small, relaxed=True)  # So few particles do not always arrive; the seed must decide all the same.
    one, two, other = (
        reconstruct(os_targets, dataclasses.replace(small, threads=threads), seed) for threads, seed in ((1, 4), (2, 4), (2, 5))
    )
    assert one.table.data.identical(two.table.data)
    assert np.array_equal(one.weights, two.weights)
    assert one.readings == two.readings
    assert not one.table.data.identical(other.table.data)


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ([number("longest", "10"), number("median", "12", "control")], "above longest"),
        ([number("events", "44")], "44 events in 40 patients"),
        ([number("at_risk", "5", "control", time=3), number("at_risk", "8", "control", time=6)], "above the 5 at risk"),
        ([number("events", "9", "control"), number("events", "9", "experimental"), number("events", "19")], "not the total"),
    ],
)
def test_contradictions_are_answered_at_once(targets: list, words: str) -> None:
    with pytest.raises(ReconstructionError, match=words):
        reconstruct(toy_targets((20, 20), 12, targets), TOY, 1)


@pytest.fixture(scope="module")
def impossible() -> Targets:
    numbers = [number("median", "9", "control"), number("median", "3", "experimental"), number("hazard_ratio", "0.4", half=0.01)]
    return toy_targets((20, 20), 12, [*numbers, number("chi_square", "20", half=0.1)])


def test_numbers_that_cannot_hold_together_are_named(impossible: Targets) -> None:
    with pytest.raises(ReconstructionError) as caught:
        reconstruct(impossible, dataclasses.replace(TOY, pilot_particles=64), 1)
    assert "no life table was found" in str(caught.value)
    assert "hazard_ratio" in str(caught.value)
    assert "relaxed" in str(caught.value)


def test_relaxed_ensemble_says_so(impossible: Targets) -> None:
    ensemble = reconstruct(impossible, dataclasses.replace(TOY, relaxed=True), 1)
    assert ensemble.relaxed
    assert not ensemble.attained
    assert not agreement_of_tables(ensemble, impossible).any()


def test_leave_one_out_forgets_the_number(os_targets: Targets) -> None:
    known = os_targets.without("chi_square", "median_ci.control")
    assert known.find("chi_square") is None
    assert known.find("p") is None
    assert known.find("median_lower", "control") is None
    assert known.find("median_lower", "experimental") is not None
    problems, _ = screen(known, QUICK)
    assert {reading.test for reading in problems} == {None}
    with pytest.raises(ConfigError, match="allowed are"):
        os_targets.without("hazard")


def test_settings_are_checked() -> None:
    with pytest.raises(ConfigError, match="n_tables"):
        ReconstructionSettings(n_tables=0)
    with pytest.raises(ConfigError, match="agreement"):
        ReconstructionSettings(agreement="loose")


def test_progress_reaches_one(yao2025: Study) -> None:
    seen: list[float] = []
    targets = targets_from_study(yao2025, "pfs").without("hazard_ratio", "chi_square", "median_ci")
    reconstruct(targets, dataclasses.replace(QUICK, islands=1), 2, lambda done, _: seen.append(done))
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_no_further_round_where_tables_are_enough() -> None:
    """All of them where nothing is asked for; more islands where their tables are never worth it and rounds add nothing."""
    targets = toy_targets((12, 12), 6, [number("events", "14"), number("median", "4", "control")])
    settings = ReconstructionSettings(islands=6, particles=60, proposals=60, rounds=3)
    problems = screen(targets, settings)[0]
    made = {}
    for enough in (1e-6, 0.0, 1e6):
        asked = dataclasses.replace(settings, enough=enough)
        scouts = scouts_of(targets, problems, asked, 1, lambda *_: None)
        islands = islands_of(targets, problems, asked, scouts, 6, 1, lambda *_: None)
        assert len(islands) == 6 if enough < 1 else 6 < len(islands) <= 12
        assert len({island.log_evidence for island in islands}) == 1  # they count alike
        assert len({island.own_evidence for island in islands}) == len(islands)
        made[enough] = sum(island.proposals for island in islands)
    assert made[1e-6] < made[0.0] < made[1e6]


@pytest.mark.parametrize(
    ("logs", "nearest", "counts"),
    [
        (((0.0, 0.1, 0.2, 0.0), (0.1, 0.0, 0.1, 0.2)), 0.0, (4, 4)),
        (((0.0, 0.1, 0.2, 0.0), (-2.0, -2.1, -1.9, -2.0)), 0.0, (7, 4)),
        (((0.0, 0.1, 0.2, 0.0), (-20.0, -20.1, -19.9, -20.0)), 0.0, (8, 0)),
        (((0.0, 0.1, 0.2, 0.0), (-20.0, -10.0, -30.0, -np.inf)), 0.0, (8, 4)),
        (((0.0, 0.1, 0.2, 0.0), (-np.inf,) * 4), 1.0, (8, 4)),
        (((0.0, 0.1, 0.2, 0.0), (-np.inf,) * 4), 9.0, (8, 0)),
        (((-np.inf,) * 4, (-np.inf,) * 4), 9.0, (4, 4)),
    ],
)
def test_samplers_go_where_scouts_find_evidence(
    os_ensemble: Ensemble, logs: tuple[tuple[float, ...], tuple[float, ...]], nearest: float, counts: tuple[int, int]
) -> None:
    """In proportion to the designs' shares, the scouts at least; none where scouts say surely that it cannot win, or come nowhere near agreement."""
    island = next(item for item in os_ensemble.pool if not item.pilot)
    scouts: dict[DesignReading | None, list[Island]] = {
        design: [
            dataclasses.replace(
                island,
                readings=tuple(dataclasses.replace(reading, design=design) for reading in island.readings),
                log_evidence=log,
                log_structure=0.0,
                energy=np.full_like(island.energy, 0.0 if np.isfinite(log) else nearest / 4),
            )
            for log in own
        ]
        for design, own in zip(DesignReading, logs, strict=True)
    }
    assert tuple(allotted(scouts, ReconstructionSettings(islands=8)).values()) == counts


def test_error_of_the_designs_evidence_is_in_their_shares(os_ensemble: Ensemble) -> None:
    """Islands that count alike hide it: relative error of one of two equal designs is (1 - 1/2) √(σ² + σ'²)."""
    island = next(item for item in os_ensemble.pool if not item.pilot)
    islands, errors = [], {}
    for design, spread in zip(DesignReading, (0.1, 0.3), strict=True):
        readings = tuple(dataclasses.replace(reading, design=design) for reading in island.readings)
        own = np.array([-spread, 0.0, spread, 0.0])
        own -= np.log(np.exp(own).mean())
        errors[design] = evidence_error(own)
        islands += [dataclasses.replace(island, readings=readings, log_evidence=0.0, own_evidence=float(log)) for log in own]
    found = design_errors(islands, dict.fromkeys(DesignReading, 0.0))
    expected = 0.5 * np.hypot(*errors.values())
    assert list(found.values()) == pytest.approx([expected, expected])
    assert design_errors(islands[:4], {DesignReading.AS_THEY_ARE: 0.0}) == {DesignReading.AS_THEY_ARE: 0.0}


def test_a_reading_beaten_in_a_pilot_gets_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pilots that end in the first of their readings alone: one more each time, without those that are found, until all are."""
    numbers = [number("events", "14"), number("hazard_ratio", "0.7", half=0.4)]
    targets, settings = toy_targets((12, 12), 6, numbers), dataclasses.replace(TOY, pilot_particles=64)
    problems, asked = screen(targets, settings)[0], []

    def first_alone(_targets: Targets, samplers: list[Sampler], *rest: object) -> list[Island]:
        asked.append([sampler.readings for sampler in samplers])
        found = run_islands(targets, samplers, *rest)  # type: ignore[arg-type]
        return [dataclasses.replace(island, which=np.zeros_like(island.which)) for island in found]

    monkeypatch.setattr(engine, "run_islands", first_alone)
    found = engine.pilots_of(targets, problems, settings, 1, lambda *_: None)
    assert len(problems) > 1
    assert asked == [[tuple(problems)[place:]] for place in range(len(problems))]
    assert set(found) == set(problems)
    assert all(island.arrived and island.readings == (reading,) for reading, island in found.items())
