"""Every finding on Yao et al. 2025, each verified by hand from the printed tables (the arithmetic stands beside it)."""

from __future__ import annotations

import math

import pytest
from audit_factory import only
from scipy import stats

from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.run import apply_decisions, numbers_recomputed, run_audit
from retrial.study.study import Study

INCONSISTENT = {
    # Table 1: 7 + 5 = 12 with hypertension, printed 8; 2 + 3 = 5 with coronary disease, printed 4.
    ("counts", "baseline.variables.concomitant.levels.hypertension.total"),
    ("counts", "baseline.variables.concomitant.levels.coronary.total"),
    # Discussion: control, grade 1-2: ALT 21, fatigue 18, hypertension 16; but diarrhea 17.
    ("counts", "adverse_events.rankings.4"),
    # Table 2: 30/92 = 32.61 %, printed 32.63.
    ("percentages", "response.categories.PD.total.percent"),
    # Table 3: P(chi-square_1 > 8.245) = 0.0041, df 2: 0.0162; printed 0.010.
    ("chi_square_p", "tests.univariate.rows.differentiation.results.os"),
    # Table 5: sqrt(0.340 x 0.945) = 0.567, printed 0.467 (text: 0.567).
    ("ratio_ci_p", "effects.pfs_adjusted_regimen.hazard_ratio"),
    ("twice_printed", "effects.pfs_adjusted_regimen.hazard_ratio"),
}
ONLY_IF = {
    # Results: nine grade 3-4 events down to 2 cases; ALT elevation (1 + 1 = 2) is left out.
    ("counts", "adverse_events.rankings.1"),
    # Tables 3 and 4: bilirubin "<= 20 vs. > 22".
    ("counts", "tests.univariate.rows.bilirubin.label"),
    ("counts", "effects.os_adjusted_bilirubin.label"),
    # Table 2: 34/92 = 36.957 %, printed 36.9.
    ("percentages", "response.categories.PR.total.percent"),
    # Table 2: 3 v 4: Pearson chi-square 0.329 has p 0.566; printed 0.702 is Fisher's.
    ("count_tests", "response.categories.CR.p"),
    # Table 1: 0.761 is Freeman-Halton of the three rows (0.7608); with 37 v 31 others Pearson gives 0.845.
    ("count_tests", "baseline.variables.concomitant.p"),
    # Table 1: SD above the mean: INR 1.6 ± 2.3, AFP 356.8 ± 508.9 and 195.7 ± 493.9, PIVKA-II 220.5 ± 429.4 and 154.5 ± 200.9.
    ("mean_tests", "baseline.variables.inr.experimental"),
    ("mean_tests", "baseline.variables.afp.control"),
    ("mean_tests", "baseline.variables.afp.experimental"),
    ("mean_tests", "baseline.variables.pivka.control"),
    ("mean_tests", "baseline.variables.pivka.experimental"),
    # Table 1: PIVKA-II: Student 0.358 to 0.359, Welch 0.338 to 0.340; printed 0.529.
    ("mean_tests", "baseline.variables.pivka.p"),
    # Table 3: 2.357 has p 0.125 with 1 df, 0.502 with 3; 1.477 has 0.224 and 0.688.
    ("chi_square_p", "tests.univariate.rows.concomitant.results.os"),
    ("chi_square_p", "tests.univariate.rows.concomitant.results.pfs"),
    # Text against Table 3: OS 0.018 (Wald, z^2 5.61) and 0.024 (5.116); PFS 0.006 (7.48) and 0.012 (6.362).
    ("twice_printed", "effects.os_unadjusted.p"),
    ("twice_printed", "effects.pfs_unadjusted.p"),
    # Tables 4 and 5: "control vs. experimental" with the ratios of experimental / control.
    ("direction", "effects.os_adjusted_regimen"),
    ("direction", "effects.pfs_adjusted_regimen"),
    # Table 5: SE 0.2608 adjusted, 0.2670 unadjusted: adjustment never narrows a Cox model's interval.
    ("multivariable", "multivariable.pfs.covariates.regimen"),
    # Methods: follow-up <= 6 months excluded; shortest survival 3.0 months.
    ("time", "endpoints.os.shortest"),
    # Entry 2020-01 to 2022-06, cut-off 2023-12-31: 18 to 48 months; longest 23.0 with 48 patients alive.
    ("time", "endpoints.os.longest"),
    # 44 deaths of 92 and a median: 92 - 88 = 4 censored before 13 months.
    ("time", "endpoints.os.median.total"),
    # 24 without progression, 1 + 1 at risk at 15 months (as the axis is read): 22 censored before.
    ("time", "endpoints.pfs.at_risk"),
}
NOT_CHECKABLE = {
    # Table 3: "ALT, U/L (<= 40 vs. >)".
    ("counts", "tests.univariate.rows.alt.label"),
    # Table 6: rash, grade 3-4: 0 v 0.
    ("count_tests", "adverse_events.terms.rash.grades.3-4.p"),
}
REMARKS = {
    # 17 v 24: Pearson 0.042, but Yates 0.068, Fisher 0.058.
    ("count_tests", "response.composites.ORR.p"),
    # 2 v 2 and 4 v 5: Pearson with expected counts of 1.9 and 4.2.
    ("count_tests", "adverse_events.terms.hypothyroidism.grades.1-2.p"),
    ("count_tests", "adverse_events.terms.constipation.grades.1-2.p"),
    # AFP 0.127: Welch 0.1271 to 0.1276; Student 0.1278 to 0.1283.
    ("mean_tests", "baseline.variables.afp.p"),
    # 44 events for 7 covariates, 68 for 3, chosen by their univariable p.
    ("multivariable", "multivariable.os"),
    ("multivariable", "multivariable.pfs"),
}


@pytest.fixture(scope="module")
def audit(yao2025: Study) -> list[Check]:
    return run_audit(yao2025)


def keys(checks: list[Check], verdict: Verdict) -> set[tuple[str, str]]:
    return {(check.family, check.path) for check in checks if check.verdict is verdict}


def test_the_findings_are_these(audit: list[Check]) -> None:
    assert keys(audit, Verdict.INCONSISTENT) == INCONSISTENT
    assert keys(audit, Verdict.CONSISTENT_ONLY_IF) == ONLY_IF
    assert keys(audit, Verdict.NOT_CHECKABLE) == NOT_CHECKABLE
    assert {(item.family, item.path) for item in audit if item.verdict is Verdict.CONSISTENT and item.note} == REMARKS


def test_enough_numbers_are_recomputed(audit: list[Check]) -> None:
    recomputed = [check for check in audit if check.family != "twice_printed" and check.verdict is not Verdict.NOT_CHECKABLE]
    assert numbers_recomputed(recomputed) >= 350
    assert all(check.numbers == 0 for check in audit if check.verdict is Verdict.NOT_CHECKABLE)


def test_one_decision_for_the_models(audit: list[Check], yao2025: Study) -> None:
    decisions = [check.decision for check in audit if check.decision is not None]
    assert [(item.path, item.consequence, str(item.value)) for item in decisions] == [
        ("effects.pfs_adjusted_regimen.hazard_ratio", Consequence.CORRECTED, "0.567")
    ]
    used = apply_decisions(yao2025, audit)
    assert used.effects["pfs_adjusted_regimen"].estimate.text == "0.567"
    assert used.model_copy(update={"effects": yao2025.effects}) == yao2025
    assert {key for key in used.effects if used.effects[key] != yao2025.effects[key]} == {"pfs_adjusted_regimen"}


def test_the_audit_of_what_models_use_decides_nothing_more(audit: list[Check], yao2025: Study) -> None:
    again = run_audit(apply_decisions(yao2025, audit))
    assert keys(again, Verdict.INCONSISTENT) == {item for item in INCONSISTENT if "pfs_adjusted_regimen" not in item[1]}
    assert all(check.decision is None for check in again)


# Table 6 as printed: experimental of 43, control of 49, p, for grades 1-2, 3-4, any.
TABLE_6 = """
diarrhea 12 17 0.485 1 1 1.000 13 18 0.510
pruritus 5 6 0.927 1 1 1.000 6 7 0.964
hypothyroidism 2 2 0.894 1 0 0.467 3 2 0.662
anemia 12 14 0.944 0 1 1.000 12 15 0.776
hypertension 13 16 0.803 2 4 0.681 15 20 0.559
nausea 8 8 0.774 1 2 1.000 9 10 0.951
neutropenia 10 12 0.890 1 1 1.000 11 13 0.918
thrombocytopenia 15 12 0.275 2 3 1.000 17 15 0.370
alt_elevation 18 21 0.923 1 1 1.000 19 22 0.945
hyperbilirubinemia 9 12 0.685 0 2 0.497 9 14 0.398
fatigue 11 18 0.251 1 2 1.000 12 20 0.195
proteinuria 14 13 0.526 2 0 0.216 16 13 0.271
constipation 5 4 0.577 1 0 0.467 6 4 0.506
rash 10 6 0.164 0 0 NE 10 6 0.164
"""
TABLE_2 = "CR 4 3 0.702 PR 20 14 0.075 SD 9 12 0.685 PD 10 20 0.073 ORR 24 17 0.042 DCR 33 29 0.073"
PRINTED = [
    (f"adverse_events.terms.{words[0]}.grades.{grade}.p", *words[1 + 3 * place : 4 + 3 * place])
    for words in map(str.split, TABLE_6.strip().splitlines())
    for place, grade in enumerate(("1-2", "3-4", "any"))
    if words[3 + 3 * place] != "NE"
] + [
    (f"response.{'composites' if name in ('ORR', 'DCR') else 'categories'}.{name}.p", *rest)
    for name, *rest in zip(*[iter(TABLE_2.split())] * 4, strict=True)
]


@pytest.mark.parametrize(("path", "experimental", "control", "p"), PRINTED)
def test_every_p_of_tables_2_and_6(audit: list[Check], path: str, experimental: str, control: str, p: str) -> None:
    """Pearson with the p of z for two proportions, Fisher by the hypergeometric law: no code of the audit."""
    e, c, n = int(experimental), int(control), 92
    pooled = (e + c) / n
    z = (e / 43 - c / 49) / math.sqrt(pooled * (1 - pooled) * (1 / 43 + 1 / 49))
    law = stats.hypergeom(n, e + c, 43)
    masses = [law.pmf(k) for k in range(e + c + 1)]
    values = {"Pearson": math.erfc(abs(z) / math.sqrt(2)), "Fisher exact": sum(m for m in masses if m <= law.pmf(e) * (1 + 1e-9))}
    right = {name for name, value in values.items() if abs(value - float(p)) <= 0.0005 + 1e-9}
    reading = only(audit, path, "count_tests").reading.rsplit("p: ")[-1]
    assert right
    assert {name for name in values if name in reading.split(" or ")} == right


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("gender", ((43, 37), (6, 6))),
        ("ecog", ((14, 18), (35, 25))),
        ("child_pugh", ((23, 25), (26, 18))),
        ("bclc", ((13, 13), (36, 30))),
        ("hbsag", ((36, 31), (13, 12))),
        ("hbv_dna", ((28, 27), (21, 16))),
        ("alcohol", ((24, 17), (25, 26))),
        ("metastasis", ((15, 20), (34, 23))),
        ("varices", ((5, 8), (44, 35))),
        ("portal_hypertension", ((15, 14), (34, 29))),
        ("macrovascular", ((27, 24), (12, 11), (10, 8))),
    ],
)
def test_every_count_p_of_table_1_is_pearson(
    audit: list[Check], yao2025: Study, name: str, counts: tuple[tuple[int, int], ...]
) -> None:
    expected = [[sum(row) * n / 92 for n in (49, 43)] for row in counts]
    statistic = sum((counts[i][j] - expected[i][j]) ** 2 / expected[i][j] for i in range(len(counts)) for j in (0, 1))
    check = only(audit, f"baseline.variables.{name}.p")
    assert (check.verdict, check.reading) == (Verdict.CONSISTENT, "Pearson or likelihood ratio")
    assert yao2025.baseline is not None
    printed = yao2025.baseline.variables[name].p
    assert printed is not None
    assert abs(float(stats.chi2.sf(statistic, len(counts) - 1)) - float(printed)) <= 0.0005


def test_every_p_of_tables_1_2_and_6_has_a_verdict(audit: list[Check], yao2025: Study) -> None:
    assert yao2025.baseline is not None
    wanted = {f"baseline.variables.{name}.p" for name, variable in yao2025.baseline.variables.items() if variable.p is not None}
    wanted |= {f"{path}.p" for path, row in yao2025.count_rows().items() if row.p is not None}
    found = {check.path: check for check in audit if check.family in ("count_tests", "mean_tests") and check.numbers}
    assert len(wanted) == 19 + 6 + 41
    assert wanted <= set(found)
    assert all(found[path].reading for path in wanted)


@pytest.mark.parametrize(
    ("name", "student", "welch"),
    [
        ("age", (0.2765, 0.3175), (0.2714, 0.3124)),
        ("alt", (0.1585, 0.1770), (0.1592, 0.1777)),
        ("bilirubin", (0.5561, 0.5962), (0.5754, 0.6141)),
        ("prothrombin", (0.6842, 1.0), (0.6875, 1.0)),
        ("inr", (0.0657, 0.2392), (0.0882, 0.2729)),
        ("afp", (0.1278, 0.1283), (0.1271, 0.1276)),
        ("pivka", (0.3578, 0.3594), (0.3383, 0.3399)),
    ],
)
def test_every_t_test_of_table_1(audit: list[Check], name: str, student: tuple[float, ...], welch: tuple[float, ...]) -> None:
    """Ranges from scipy.stats.ttest_ind_from_stats at all corners and centres of the rounding of means and SDs."""
    text = only(audit, f"baseline.variables.{name}.p").recomputed
    expected = [f"{label} p {low:.4f} to {high:.4f}" for label, (low, high) in (("Student t", student), ("Welch t", welch))]
    assert text == "; ".join(expected)


def test_follow_up_in_words(audit: list[Check]) -> None:
    longest = only(audit, "endpoints.os.longest")
    assert "potential follow-up 18.0 to 48.0 months" in longest.claim
    assert "83 % of the accrual period" in longest.recomputed
    assert (
        "at least 4 of the 48 censored were lost before 13.0 months"
        in only([check for check in audit if check.verdict is Verdict.CONSISTENT_ONLY_IF], "endpoints.os.median.total").reading
    )
    assert "at least 22 of the 24 censored" in only(audit, "endpoints.pfs.at_risk", "time").reading


def test_medians_are_of_the_symmetric_kind(audit: list[Check]) -> None:
    """All six intervals are symmetric to the third decimal: 13.000, 11.000, 16.000, 5.000, 4.000, 7.000."""
    found = [check for check in audit if check.family == "medians" and not check.path.endswith(".value")]
    assert len(found) == 6
    assert all(check.reading.startswith("median ± z SE") for check in found)
