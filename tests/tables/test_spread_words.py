"""Readings in words: honest rounding, what is allowed and ruled out, one set of estimators for several endpoints."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from retrial.audit.check import Verdict
from retrial.tables.ensemble import Ensemble, Island, ReadingResult
from retrial.tables.findings.checks import common, joint_checks
from retrial.tables.findings.spread import unsettled
from retrial.tables.findings.words import (
    about,
    certainty,
    crowded,
    dominated,
    estimators,
    misses,
    reading_words,
    ruled_out,
    share_of,
)
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading
from tests.tables.toy import number, toy_targets

HAENSZEL, EFRON, RATIO = RatioReading.MANTEL_HAENSZEL, RatioReading.COX_EFRON, RatioReading.OBSERVED_EXPECTED
SCORE, WALD, LOG_RANK = TestReading.SCORE_BRESLOW, TestReading.WALD_EFRON, TestReading.LOG_RANK
MEDIAN = MedianReading.GREENWOOD_DENSITY


def attained(ratio: RatioReading | None, test: TestReading | None, share: float, se: float = 0.3) -> ReadingResult:
    return ReadingResult(Reading(ratio, test, MEDIAN), "attained", math.log(share) - 30, se, share)


def results() -> tuple[ReadingResult, ...]:
    return (
        attained(HAENSZEL, SCORE, 0.7),
        attained(EFRON, SCORE, 0.3),
        ReadingResult(
            Reading(RATIO, SCORE, MEDIAN), "not attained", miss=21.99, violated=("hazard_ratio.total", "hazard_ratio_p.total")
        ),
        ReadingResult(
            Reading(HAENSZEL, LOG_RANK, MEDIAN), "impossible", reason="under this reading χ² is 5.5, not chi_square = 5.1"
        ),
    )


@pytest.mark.parametrize(
    ("share", "se", "words"),
    [
        (0.6, 0.02, "about 60 %"),
        (0.63, 0.15, "about 65 %"),
        (0.63, 0.4, "about 60 %"),
        (0.5, 1.0, "25 to 75 %"),
        (0.03, 1.0, "under 10 %"),
        (0.0, 1.0, "under 1 %"),
        (0.97, 0.3, "over 95 %"),
        (1.0, 0.0, "over 99 %"),
    ],
)
def test_a_share_is_rounded_as_its_error_allows(share: float, se: float, words: str) -> None:
    assert about(share, se) == words


def test_error_of_a_joint_share_by_simulation() -> None:
    items = [attained(HAENSZEL, SCORE, 0.5, 0.1), attained(EFRON, SCORE, 0.3, 0.2), attained(EFRON, WALD, 0.2, 0.1)]
    share, se = share_of(items, lambda item: item.reading.ratio is EFRON)
    rng = np.random.default_rng(4)
    noise = rng.normal(0, [item.log_evidence_se for item in items], (200_000, 3))
    weights = np.array([item.share for item in items]) * np.exp(noise)
    drawn = weights[:, 1:].sum(axis=1) / weights.sum(axis=1)
    assert share == pytest.approx(0.5)
    # the delta method is exact to the first order: errors of 0.1 to 0.2 leave a few percent
    assert se == pytest.approx(np.log(drawn / (1 - drawn)).std(), rel=0.05)


def test_estimators_with_shares_and_those_that_are_out() -> None:
    ratio, test, medians = estimators(results())
    assert ratio.startswith(
        "Hazard ratio: one-step Mantel-Haenszel (about 70 %) or Cox with Efron's ties (about 30 %); not found with the O/E ratio"
    )
    assert "closest table misses the hazard ratio by up to 22 times what rounding allows" in ratio
    assert test == "Test: only Cox's score test (Breslow)"
    assert medians == "Intervals of medians: median ± z·SE (Greenwood and density)"
    assert ruled_out(results()) == [
        "impossible by arithmetic: one-step Mantel-Haenszel + the log-rank test, because χ² is 5.5, not χ² = 5.1"
    ]


def test_pairs_whose_estimators_occur_elsewhere() -> None:
    missed = ReadingResult(Reading(EFRON, WALD, MEDIAN), "not attained", miss=2, violated=("chi_square.total",))
    found = ruled_out((attained(EFRON, SCORE, 0.5), attained(HAENSZEL, WALD, 0.5), missed))
    assert found == ["not found together: Cox with Efron's ties + Wald's test (Efron)"]


def test_misses_name_each_printed_number_once() -> None:
    violated = ("median.control", "median_lower.total", "at_risk@5.control")
    assert misses(violated, 0.73) == "the medians, at risk by up to 0.7 times what rounding allows"
    assert misses(violated, 143.0) == "the medians, at risk by up to 140 times what rounding allows"
    assert misses((), 1404.0) == "a printed number by up to 1,400 times what rounding allows"


def test_a_number_that_the_closest_table_lacks_is_no_distance() -> None:
    said = misses(("median.control", "hazard_ratio.total"), math.inf)
    assert said.startswith("the medians, the hazard ratio, and has no such number at all for one of them")
    assert "inf" not in said.replace("infinity", "")


def test_certainty_says_the_errors() -> None:
    assert certainty(results()) == (
        "shares are rough: the log evidences behind them have standard errors of 0.3; what was not found is improbable, not impossible"
    )
    assert "rest on one sampler each" in certainty([attained(EFRON, SCORE, 1.0, math.nan)])


def test_common_multiplies_evidence() -> None:
    one = [attained(HAENSZEL, SCORE, 0.6), attained(EFRON, SCORE, 0.4)]
    two = [attained(HAENSZEL, SCORE, 0.1, 0.4), attained(EFRON, SCORE, 0.6), attained(EFRON, WALD, 0.3)]
    found = common([one, two])
    assert [item.reading.ratio for item in found] == [EFRON, HAENSZEL]
    assert [item.share for item in found] == pytest.approx([0.24 / 0.30, 0.06 / 0.30])
    assert found[1].log_evidence_se == pytest.approx(0.5)


def test_an_endpoint_without_a_test_leaves_it_to_the_others() -> None:
    found = common([[attained(EFRON, None, 1.0)], [attained(EFRON, WALD, 0.5), attained(HAENSZEL, WALD, 0.5)]])
    assert [(item.reading.ratio, item.reading.test) for item in found] == [(EFRON, WALD)]
    assert common([[attained(EFRON, SCORE, 1.0)], [attained(EFRON, WALD, 1.0)]]) == []


def ensemble(endpoint: str, items: tuple[ReadingResult, ...]) -> Ensemble:
    counts = np.ones((1, 2, 3), int)
    table = LifeTable.from_counts([1.0, 2.0, 3.0], counts, counts)
    return Ensemble(endpoint, table, (items[0].reading,), np.ones(1), items, 1)


def test_the_check_of_all_endpoints_stays_without_those_of_each_reading() -> None:
    targets = toy_targets((6, 6), 3, [number("events", "6"), number("chi_square", "5.1")])
    both = {"os": targets, "pfs": targets}
    other = (dataclasses.replace(results()[0], share=1.0),)
    checks = joint_checks(both, {"os": ensemble("os", results()), "pfs": ensemble("pfs", other)}, each_reading=False)
    assert [check.path for check in checks] == ["endpoints.toy", "endpoints.toy", "endpoints"]
    assert checks[-1].verdict is Verdict.CONSISTENT_ONLY_IF
    assert "most probable: hazard ratio by one-step Mantel-Haenszel" in checks[-1].note
    assert checks[-1].recomputed == "1 readings are attained by every endpoint (2 of os; 1 of pfs)"
    apart = (attained(RATIO, LOG_RANK, 1.0),)
    none = joint_checks(both, {"os": ensemble("os", results()), "pfs": ensemble("pfs", apart)}, each_reading=False)[-1]
    assert none.verdict is Verdict.INCONSISTENT
    assert "no single reading serves all endpoints" in none.note


def crowd(share: int, times: int = 12) -> Ensemble:
    """One table of 20 patients an arm: `share` of the control arm's 20 deaths in the fifth month."""
    events = np.zeros((1, 2, times), int)
    events[0, 0, 4], events[0, 0, 7], events[0, 1, ::2] = share, 20 - share, 2
    items = results()
    return dataclasses.replace(
        ensemble("os", items), table=LifeTable.from_counts(np.arange(1.0, times + 1), events, np.zeros_like(events))
    )


def test_patients_crowded_into_one_month_are_called_implausible() -> None:
    targets = toy_targets((20, 20), 12, [number("hazard_ratio", "0.5")])
    assert crowded(crowd(15), targets) == ["75 % of the control arm's events fall on one month (half of the tables)"]
    assert crowded(crowd(10), targets) == []
    assert crowded(crowd(15, times=10), toy_targets((20, 20), 10, [])) == []
    (check,) = joint_checks({"os": targets}, {"os": crowd(15)}, each_reading=False)
    assert "75 % of the control arm's events fall on one month" in check.recomputed
    assert check.note.startswith("A misprint is likelier")
    alone = dataclasses.replace(crowd(15), results=results()[:1])
    (only,) = joint_checks({"os": targets}, {"os": alone}, each_reading=False)
    assert only.verdict is Verdict.CONSISTENT_ONLY_IF


def test_a_sampler_that_decides_alone_is_named() -> None:
    events = np.ones((4, 2, 3), int)
    many = dataclasses.replace(
        ensemble("os", results()),
        table=LifeTable.from_counts([1.0, 2.0, 3.0], events, events),
        weights=np.array([0.6, 0.2, 0.1, 0.1]),
        islands=np.array([0, 1, 2, 2]),
    )
    assert dominated(many)[0].startswith("one of the samplers carries 60 % of the weight")
    assert dominated(dataclasses.replace(many, weights=np.array([0.5, 0.2, 0.2, 0.1]))) == []
    assert dominated(dataclasses.replace(many, islands=np.array([0, 0, 1, 1]))) == []
    assert dominated(dataclasses.replace(many, islands=np.zeros(0, int))) == []


def test_samplers_that_differ_are_said() -> None:
    """Four samplers of ten tables: alike they are worth many tables; two that say one thing and two the other, only a few."""
    late, early = np.array([[0, 0, 3], [0, 0, 3]]), np.array([[0, 0, 3], [3, 0, 0]])

    def of(tables: list[np.ndarray]) -> list[str]:
        events = np.array(tables)
        many = dataclasses.replace(
            ensemble("os", results()),
            table=LifeTable.from_counts((1.0, 2.0, 3.0), events, np.zeros_like(events)),
            weights=np.full(len(events), 1 / len(events)),
            islands=np.repeat(np.arange(4), len(events) // 4),
        )
        return unsettled(many)

    assert of([late, early] * 20) == []
    (said,) = of([late] * 20 + [early] * 20)
    assert said.startswith("not settled: the samplers differ, as if there were 3 independent tables")


def test_samplers_are_compared_by_all_the_tables_that_they_found() -> None:
    """Two readings, one of whose tables all samplers have, the other's only two: what is said follows the weights of the readings, not which
    tables happen to be delivered.
    """
    late, early = np.array([[0, 0, 3], [0, 0, 3]]), np.array([[0, 0, 3], [3, 0, 0]])
    at_risk = [
        np.concatenate([np.cumsum(table[:, ::-1], axis=1)[:, ::-1], np.zeros((2, 1), int)], axis=1) for table in (late, early)
    ]
    readings = tuple(result.reading for result in results()[:2])

    def island(second: int) -> Island:
        """Five tables of each kind in the first reading, ten of kind `second` in the other."""
        kinds, which = np.array([0, 1] * 5 + [second] * 10), np.repeat([0, 1], 10)
        d, r = np.array([late, early])[kinds], np.array(at_risk)[kinds]
        empty = np.zeros((20, 4))
        return Island(readings, which, d, r, empty, empty, np.arange(20), 0.0, 0.0, 0.5, 20, 20)

    def said(share: float) -> list[str]:
        delivered = dataclasses.replace(
            ensemble("os", results()),
            table=LifeTable.from_counts((1.0, 2.0, 3.0), np.array([late, early]), np.zeros((2, 2, 3), int)),
            readings=readings,
            weights=np.array([1 - share, share]),
            islands=np.array([0, 1]),
            pool=tuple(island(second) for second in (0, 0, 1, 1)),
        )
        return unsettled(delivered)

    assert said(0.1) == []
    assert said(0.9)[0].startswith("not settled: the samplers differ, as if there were 4 independent tables")


def test_pairs_are_named_once_whatever_the_medians_rule() -> None:
    missed = [
        ReadingResult(Reading(EFRON, WALD, rule), "not attained", miss=2, violated=("chi_square.total",))
        for rule in (MEDIAN, MedianReading.CROWLEY_LOG)
    ]
    found = ruled_out((attained(EFRON, SCORE, 0.5), attained(HAENSZEL, WALD, 0.5), attained(EFRON, SCORE, 0.5), *missed))
    assert found == ["not found together: Cox with Efron's ties + Wald's test (Efron)"]


def test_what_the_audit_left_out_is_in_the_claim() -> None:
    targets = dataclasses.replace(
        toy_targets((6, 6), 3, [number("events", "6")]), left_out=("endpoints.os.longest excluded: too short",)
    )
    one = ensemble("os", results()[:1])
    (check,) = joint_checks({"os": targets}, {"os": one}, each_reading=False)
    assert check.claim == (
        "toy: 1 printed survival numbers, apart from what the audit refuses (endpoints.os.longest excluded: too short), come from one set"
        " of patients"
    )
    assert check.verdict is Verdict.CONSISTENT_ONLY_IF
    whole = dataclasses.replace(targets, left_out=())
    assert joint_checks({"os": whole}, {"os": one}, each_reading=False)[0].verdict is Verdict.CONSISTENT


def test_reading_words() -> None:
    assert reading_words(Reading(HAENSZEL, None, MEDIAN)) == (
        "hazard ratio by one-step Mantel-Haenszel, intervals of medians by median ± z·SE (Greenwood and density)"
    )
    assert reading_words(Reading(None, None, None)) == "no estimator to choose"
