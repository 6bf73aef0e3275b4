"""A p of one side, wherever it stands: found as a reading, right where the file says so; and bounds of what another test may give."""

from __future__ import annotations

import math
from typing import Any

import pytest
from audit_factory import arms, effect, only, study
from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.audit.run import run_audit
from retrial.study.study import Study

ONLY_IF, FINE, WRONG = Verdict.CONSISTENT_ONLY_IF, Verdict.CONSISTENT, Verdict.INCONSISTENT
CHI = "4.371"
ONE, TWO = f"{stats.chi2.sf(4.371, 1) / 2:.4f}", f"{stats.chi2.sf(4.371, 1):.4f}"
RATIO = ("0.600", "0.420", "0.857")
Z = -math.log(0.6) / ((math.log(0.857) - math.log(0.42)) / (2 * 1.959964))


def sided(p: str, sides: int) -> dict[str, Any]:
    return {"p": p} | ({"sides": "1"} if sides == 1 else {})


def of_counts(p: str, sides: int) -> Check:
    counts = {"control": "10", "experimental": "20", **sided(p, sides)}
    return only(run_audit(study(arms=arms(105, 101), binary={"ae": counts})), "binary.ae.p")


def of_ratio(p: str, sides: int) -> Check:
    return only(run_audit(study(effects={"os": effect(*RATIO, **sided(p, sides))})), "effects.os.p")


def of_means(p: str, sides: int) -> Check:
    age = {"control": "60.00 ± 10.00", "experimental": "55.00 ± 10.00", **sided(p, sides)}
    return only(run_audit(study(baseline={"variables": {"age": age}})), "baseline.variables.age.p")


def of_chi_square(p: str, sides: int) -> Check:
    test = {"chi_square": CHI, **sided(p, sides)}
    return only(run_audit(study(endpoints={"os": {"test": test}})), "endpoints.os.test", "chi_square_p")


def two_sided_of(check: Any) -> float:
    """The two-sided p of each kind."""
    t = 5 / math.sqrt(100 * (1 / 49 + 1 / 43))
    found = {
        of_counts: stats.chi2_contingency([[10, 20], [95, 81]], correction=False).pvalue,
        of_ratio: 2 * stats.norm.sf(Z),
        of_means: 2 * stats.t.sf(t, 90),
        of_chi_square: stats.chi2.sf(4.371, 1),
    }
    return float(found[check])


@pytest.mark.parametrize("kind", [of_counts, of_ratio, of_means, of_chi_square])
def test_sides(kind: Any) -> None:
    p = two_sided_of(kind)
    one, two = f"{p / 2:.4f}", f"{p:.4f}"
    assert kind(two, 2).verdict is FINE
    assert (kind(one, 2).verdict, "one-sided" in kind(one, 2).reading) == (ONLY_IF, True)
    assert kind(one, 1).verdict is FINE
    said = kind(two, 1)
    assert (said.verdict, "two-sided, not one-sided as the file says" in said.reading) == (ONLY_IF, True)


def survival(test: dict[str, Any], **more: Any) -> Study:
    events = {"control": "120", "experimental": "100"}
    return study(
        arms=arms(200, 200),
        endpoints={"os": {"events": events, "test": test}},
        effects={"os": effect("0.70", "0.54", "0.91", endpoint="os", **more)},
    )


@pytest.mark.parametrize(
    ("p", "verdict"),
    [("0.008", FINE), ("0.005", FINE), ("0.0036", FINE), ("0.0005", WRONG), ("0.08", WRONG)],
)
def test_log_rank_beside_the_interval(p: str, verdict: Verdict) -> None:
    """HR 0.70 (0.54-0.91), 220 events: Wald z 2.68, p 0.0074; a log-rank test is within 2 % of that, strata and ties within 0.3."""
    assert only(run_audit(survival({"name": "log_rank", "p": p})), "endpoints.os.test", "ratio_ci_p").verdict is verdict


def test_one_sided_log_rank() -> None:
    check = only(run_audit(survival({"name": "log_rank", "p": "0.0015"})), "endpoints.os.test", "ratio_ci_p")
    assert (check.verdict, check.reading) == (ONLY_IF, "p is one-sided")


def test_two_near_tests_of_one_comparison_are_both_right() -> None:
    """p of the Cox model beside the ratio and a log-rank p without its statistic."""
    near = run_audit(survival({"name": "log_rank", "p": "0.009"}, p="0.0074"))
    assert only(near, "effects.os.p", "twice_printed").verdict is ONLY_IF
    far = run_audit(survival({"name": "log_rank", "p": "0.2"}, p="0.0074"))
    assert only(far, "effects.os.p", "twice_printed").verdict is WRONG


def test_tenfold_is_not_another_test() -> None:
    """z of the interval 5.0 (p 5e-7): a p of 5e-9 is beyond any test of these patients, whatever share of |z| that is."""
    error = -math.log(0.6) / 5
    limits = [f"{math.exp(math.log(0.6) + sign * 1.959964 * error):.4f}" for sign in (-1, 1)]
    item = effect("0.6000", *limits, adjusted_for=["age"])
    found = {
        p: only(run_audit(study(effects={"e": {**item, "p": p}})), "effects.e.p") for p in ("0.0000004", "0.000000004", "0.00002")
    }
    assert [check.verdict for check in found.values()] == [ONLY_IF, WRONG, WRONG]
    assert "|z| of the interval is 5.00, of score, log-rank and likelihood-ratio tests 4." in found["0.000000004"].note


def test_counts_behind_a_ratio() -> None:
    """OR 2.35 (1.04-5.30) of 20 of 101 against 10 of 105: Fisher's p 0.0476 beside Wald's 0.040."""
    a, b, c, d = 20, 81, 10, 95
    error = math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    middle = math.log(a * d / b / c)
    texts = [f"{math.exp(middle + sign * 1.959964 * error):.3f}" for sign in (0, -1, 1)]
    item = {"odds_ratio": texts[0], "ci": texts[1:], "p": "0.0476", "numerator": "experimental", "denominator": "control"}
    check = only(run_audit(study(arms=arms(105, 101), effects={"ae": item})), "effects.ae.p")
    assert check.verdict is ONLY_IF
    assert "Fisher exact of counts with this ratio" in check.reading


@pytest.mark.parametrize(("randomised", "verdict"), [("true", ONLY_IF), ("false", WRONG)])
def test_a_stratified_test_of_a_randomised_study(randomised: str, verdict: Verdict) -> None:
    """18 of 470 against 1 of 237 (CELESTIAL, response): Pearson 0.0082, Cochran-Mantel-Haenszel 0.009 as printed."""
    counts = {"control": "1", "experimental": "18", "p": "0.0090"}
    made = study(arms=arms(237, 470), binary={"orr": counts}, randomised=randomised == "true")
    check = only(run_audit(made), "binary.orr.p")
    assert check.verdict is verdict
    assert ("stratified" in check.reading) is (verdict is ONLY_IF)


def test_totals_of_patients_with_a_value() -> None:
    """Mean and SD of 49 + 39 patients, 4 of the experimental arm without a value; and of no number of them."""
    rows = {"control": "60.00 ± 10.00", "experimental": "50.00 ± 10.00"}
    mean = (49 * 60 + 39 * 50) / 88
    sd = math.sqrt((48 * 100 + 38 * 100 + 49 * 39 / 88 * 100) / 87)
    found = run_audit(study(baseline={"variables": {"age": {**rows, "total": f"{mean:.2f} ± {sd:.2f}"}}}))
    check = only(found, "baseline.variables.age.total.mean")
    assert (check.verdict, check.reading) == (ONLY_IF, "4 of 43 patients of the experimental arm without a value")
    wrong = run_audit(study(baseline={"variables": {"age": {**rows, "total": f"{mean:.2f} ± {sd + 1:.2f}"}}}))
    assert only(wrong, "baseline.variables.age.total.mean").verdict is WRONG


def test_levels_taken_in_their_order_alone_or_without_unknown() -> None:
    def p_of(levels: dict[str, tuple[int, int]], p: float) -> Check:
        rows = {name: {"control": str(c), "experimental": str(e)} for name, (c, e) in levels.items()}
        return only(run_audit(study(baseline={"variables": {"x": {"levels": rows, "p": f"{p:.4f}"}}})), "baseline.variables.x.p")

    three = {"one": (10, 22), "two": (14, 11), "three": (25, 10)}
    groups = [[1] * 10 + [2] * 14 + [3] * 25, [1] * 22 + [2] * 11 + [3] * 10]
    ordered = p_of(three, float(stats.mannwhitneyu(*groups, use_continuity=False, method="asymptotic").pvalue))
    assert (ordered.verdict, "the levels taken in their order" in ordered.reading) == (ONLY_IF, True)
    alone = p_of({"male": (20, 30)}, float(stats.chi2_contingency([[20, 30], [29, 13]], correction=False).pvalue))
    assert (alone.verdict, "Pearson" in alone.reading) == (FINE, True)
    known = p_of(
        {"yes": (20, 30), "no": (22, 10), "Unknown": (7, 3)},
        float(stats.chi2_contingency([[20, 30], [22, 10]], correction=False).pvalue),
    )
    assert (known.verdict, "unknown level left out" in known.reading) == (ONLY_IF, True)
