"""Readings of the whole paper: shares against the product of the evidences, tables drawn by them, what programs say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from retrial.tables.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.tables.findings.joint import of_the_paper, shares_of_all
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import RatioReading, Reading, TestReading
from retrial.tables.printed.software import BY_SOFTWARE, JOINT, SEPARATE, ReadingRules, Software, prior_odds
from retrial.tables.sample.engine import reconstruct
from tests.tables.toy import number, toy_targets

EFRON, BRESLOW, MANTEL = RatioReading.COX_EFRON, RatioReading.COX_BRESLOW, RatioReading.MANTEL_HAENSZEL
SPSS = Software(("SPSS",), "its manual", ratios=(BRESLOW,), tests=(TestReading.LOG_RANK,))


def ensemble(shares: dict[Reading, float]) -> Ensemble:
    counts = np.ones((1, 2, 2), dtype=int)
    results = tuple(ReadingResult(reading, "attained", math.log(share), 0.1, share) for reading, share in shares.items())
    return Ensemble("toy", LifeTable.from_counts([1.0, 2.0], counts, counts), tuple(shares)[:1], np.ones(1), results, 1)


def test_evidences_multiply_and_an_endpoint_without_a_test_leaves_it_to_the_others() -> None:
    """One endpoint prints ratio and test, the other the ratio alone."""
    first = ensemble(
        {
            Reading(EFRON, TestReading.LOG_RANK, None): 0.5,
            Reading(BRESLOW, TestReading.LOG_RANK, None): 0.3,
            Reading(MANTEL, TestReading.SCORE_EFRON, None): 0.2,
        }
    )
    second = ensemble({Reading(EFRON, None, None): 0.1, Reading(BRESLOW, None, None): 0.9})
    shares = shares_of_all({"a": first, "b": second}, lambda _: 1.0)
    total = 0.5 * 0.1 + 0.3 * 0.9
    assert shares["a"][Reading(EFRON, TestReading.LOG_RANK, None)][0] == pytest.approx(0.05 / total, abs=1e-12)
    assert shares["b"][Reading(BRESLOW, None, None)][0] == pytest.approx(0.27 / total, abs=1e-12)
    assert shares["a"][Reading(MANTEL, TestReading.SCORE_EFRON, None)][0] == 0.0
    by_spss = shares_of_all({"a": first, "b": second}, lambda reading: prior_odds(reading, [SPSS], 0.05))
    assert by_spss["b"][Reading(EFRON, None, None)][0] == pytest.approx(0.05 * 0.05 / (0.05 * 0.05 + 0.27), abs=1e-12)


def test_no_common_reading_leaves_each_endpoint_its_own() -> None:
    first, second = ensemble({Reading(EFRON, None, None): 1.0}), ensemble({Reading(MANTEL, None, None): 1.0})
    found = of_the_paper({"a": first, "b": second}, {}, ReadingRules(), ReconstructionSettings(), "")
    assert found["a"].table is first.table
    assert math.isnan(found["a"].results[0].joint_share)


def test_prior_odds_of_programs() -> None:
    listed, unlisted = Reading(BRESLOW, TestReading.LOG_RANK, None), Reading(MANTEL, TestReading.SCORE_EFRON, None)
    assert prior_odds(listed, [SPSS], 0.05) == 1.0
    assert prior_odds(unlisted, [SPSS], 0.05) == pytest.approx(0.0025)
    assert prior_odds(unlisted, [], 0.05) == 1.0
    rules = ReadingRules(software={"spss": SPSS})
    assert list(rules.programs("All analyses with spss version 26 (IBM)")) == ["spss"]
    assert ReadingRules(readings="both", unlisted=0.0).problems() != []


def test_tables_and_hazards_follow_the_shares_of_the_paper() -> None:
    """A second endpoint that only one reading serves leaves the first no other; with readings kept apart nothing changes."""
    settings = ReconstructionSettings(
        islands=3, particles=60, proposals=60, n_tables=20, ratios=(EFRON, MANTEL), tests=(TestReading.LOG_RANK,)
    )
    targets = toy_targets((12, 12), 6, [number("events", "14"), number("hazard_ratio", "0.7", half=0.1)])
    whole = reconstruct(targets, settings, 1)
    other = ensemble({Reading(MANTEL, None, None): 1.0})
    both, known = {"toy": whole, "other": other}, {"toy": targets, "other": targets}
    rules = ReadingRules(readings=SEPARATE)
    assert {reading.ratio for reading in whole.readings} == {EFRON, MANTEL}
    assert of_the_paper(both, known, rules, settings, "")["toy"].readings == whole.readings
    alone = of_the_paper({"toy": whole}, known, ReadingRules(readings=JOINT), settings, "")["toy"]
    assert alone.readings == whole.readings
    by_program = ReadingRules(
        reading_prior=BY_SOFTWARE, software={"spss": Software(("SPSS",), "x", ratios=(EFRON,))}, unlisted=1e-9
    )
    found = of_the_paper({"toy": whole}, known, by_program, settings, "SPSS 26")["toy"]
    weight = sum(w for w, reading in zip(found.weights, found.readings, strict=True) if reading.ratio == EFRON)
    assert weight == pytest.approx(1.0, abs=1e-6)
    assert found.hazards is not None
    assert found.hazards.log_hazards.shape == whole.hazards.log_hazards.shape  # type: ignore[union-attr]
