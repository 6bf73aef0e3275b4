"""The section on what the printed survival numbers allow: words, spread, numbers left out, strict against default agreement."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from report_curves import survival_curves
from report_factory import report_data
from report_pages import plain, rendered, small

from retrial.audit.check import Check, Consequence, Verdict
from retrial.dims import ARM, ARMS
from retrial.report.data import ReportData
from retrial.report.figures.kaplan_meier import mean_curve
from retrial.report.figures.survival import curves_caption
from retrial.report.section import built
from retrial.report.supplement import SECTIONS
from retrial.report.tables.reconstruction import reconstruction_section
from retrial.report.tables.run import fidelity_table
from retrial.study.study import Study


def joint(path: str, recomputed: str, note: str) -> Check:
    shared = {"family": "joint", "claim": "all survival numbers", "where": "Results", "printed": "hazard_ratio 0.470"}
    return Check(
        **shared,  # type: ignore[arg-type]
        path=path,
        recomputed=recomputed,
        verdict=Verdict.CONSISTENT_ONLY_IF,
        reading="cox_efron + log_rank",
        note=note,
        consequence=Consequence.AS_PRINTED,
        numbers=0,
    )


def spread() -> pd.DataFrame:
    shared = {"endpoint": "os", "time": 18.0, "within_readings": 0.8, "between_readings": 0.2, "monte_carlo_error": 0.05}
    shared |= {"prior_lower": -4.0, "prior_median": 0.1, "prior_upper": 4.2}
    return pd.DataFrame(
        [
            {**shared, "quantity": "rmst_difference", "arm": "total", "mean": 3.741, "sd": 0.39, "lower": 3.13, "upper": 4.57},
            {
                **shared,
                "quantity": "survival",
                "time": 6.0,
                "arm": "control",
                "mean": 0.651,
                "sd": 0.047,
                "lower": 0.579,
                "upper": 0.73,
            },
            {
                **shared,
                "quantity": "events",
                "time": np.nan,
                "arm": "control",
                "mean": 27.96,
                "sd": 1.0,
                "lower": 27.0,
                "upper": 29.0,
            },
        ]
    )


def left_out() -> pd.DataFrame:
    base = spread().assign(left_out=np.nan, status="ok", shift=np.nan, standardised=np.nan, sd_ratio=np.nan)
    without = spread().assign(
        left_out="hazard_ratio.total + chi_square.total", status="ok", shift=0.546, standardised=0.7, sd_ratio=2.8
    )
    still = spread().assign(left_out="median.control", status="ok", shift=-0.02, standardised=-0.1, sd_ratio=1.1)
    failed = pd.DataFrame([{"endpoint": "os", "left_out": "events.total", "status": "failed: no life table was found"}])
    return pd.concat([base, without, still, failed], ignore_index=True)


def strict() -> pd.DataFrame:
    shared = {"endpoint": "os", "time": 18.0, "arm": "total", "monte_carlo_error": 0.1, "default_tables": 90, "strict_tables": 30}
    same = {"default": 3.74, "strict": 3.81, "difference": 0.07, "standardised": 0.7, "verdict": "within Monte Carlo error"}
    other = {"default": -0.71, "strict": -0.2, "difference": 0.51, "standardised": 5.1, "verdict": "differs"}
    return pd.DataFrame(
        [{**shared, "quantity": "rmst_difference", **same}, {**shared, "quantity": "posterior_mean_log_hazard_ratio", **other}]
    )


def readings() -> pd.DataFrame:
    shared = {
        "endpoint": "os",
        "median_ci": "greenwood_density",
        "share_se": np.nan,
        "effective_tables": np.nan,
        "log_evidence_se": 0.4,
    }
    shared |= {"violated": np.nan, "reason": np.nan, "miss": np.nan, "share": 0.0, "log_evidence": -np.inf}
    good = {"hazard_ratio": "cox_efron", "chi_square": "log_rank", "status": "attained", "share": 0.97, "log_evidence": -32.5}
    missed = {"hazard_ratio": "cox_breslow", "chi_square": "log_rank", "status": "not attained", "miss": 22.4}
    impossible = {"hazard_ratio": np.nan, "chi_square": np.nan, "status": "impossible", "reason": "off the grid"}
    of_all = {"joint_share": 0.3, "joint_share_se": 0.2, "software_share": 0.5}
    return pd.DataFrame(
        [
            {**shared, **good, "share_se": 0.02, "effective_tables": 31.7, **of_all},
            {**shared, **missed, "violated": "hazard_ratio.total, hazard_ratio_p.total"},
            {**shared, **impossible},
        ]
    )


@pytest.fixture(scope="module")
def data() -> ReportData:
    checks = [
        joint("endpoints.os", "100 tables; 2 of 31 readings", "Hazard ratio: Cox (over 95 %), not on 3, ..., 23. Test: log-rank"),
        joint("endpoints", "1 reading serves both", "Most probable: Cox"),
    ]
    return dataclasses.replace(
        report_data(), checks=checks, spread=spread(), leave_one_out=left_out(), strict_comparison=strict(), readings=readings()
    )


@pytest.fixture(scope="module")
def section(data: ReportData) -> str:
    page = rendered(data)
    assert '<a href="#reconstruction">What the printed survival numbers allow</a>' in page
    return page.split('<section id="reconstruction">')[1].split("</section>")[0]


def test_the_readings_are_sentences_under_their_endpoint(section: str) -> None:
    assert "<h3>Overall survival</h3>" in section
    assert "<li>Hazard ratio: Cox (over 95 %), not on 3, ..., 23.</li><li>Test: log-rank.</li>" in section
    assert "<h3>All endpoints together</h3>" in section


def test_numbers_have_the_decimals_of_their_kind(section: str) -> None:
    text = plain(section)
    for words in (
        "Difference in restricted mean survival time to 18 months experimental − control 3.74 (0.05) 0.39 3.13 to 4.57 20 %",
        "Survival at 6 months control 0.651 (0.050) 0.047 0.579 to 0.730",
        "Events control 28.0",
    ):
        assert words in text


def test_what_an_answer_rests_on_is_marked(section: str) -> None:
    text = plain(section)
    assert "Nothing 3.74 (0.39)" in text
    assert "Hazard ratio, interval and p; χ² and p +0.55, SD × 2.8*" in text
    assert "Median and its interval (control) −0.02, SD × 1.1 " in text
    assert "Events (both arms): failed: no life table was found –" in text


def test_a_difference_from_strict_agreement_is_counted_and_marked(data: ReportData, section: str) -> None:
    assert "Strict and default agreement: 1 of 2 answers differ" in plain(section)
    assert "overall survival: 30 strict, 90 default" in plain(section)
    tables = {table.key: table for section in built(SECTIONS, data) for table in section.tables}
    assert [row.mark for row in tables["strict_comparison"].rows] == ["group", "", "failed"]
    calm = dataclasses.replace(data, strict_comparison=strict().iloc[:1])
    assert "no answer differs" in rendered(calm)


def test_every_reading_with_what_became_of_it(section: str) -> None:
    text = plain(section)
    shares = "97 % (2 %) 30 % (20 %), not settled 50 %"
    assert (
        f"Cox with Efron's ties The log-rank test Median ± z·SE (Greenwood and density) attained {shares} −32.5 (0.4) 32" in text
    )
    assert "not attained: the closest table misses the hazard ratio by up to 22 times what rounding allows – – –" in text
    assert "Any Any Median ± z·SE (Greenwood and density) impossible: off the grid" in text


def test_the_audit_sends_a_reader_to_the_section(data: ReportData) -> None:
    findings = next(
        table for section in built(SECTIONS, data) for table in section.tables if table.key == "audit_findings"
    ).frame()
    assert findings["Finding"].iloc[0] == (
        "Hazard ratio: Cox (over 95 %), not on 3, ..., 23. All readings: “What the printed survival numbers allow”."
    )


def test_no_reconstruction_no_section() -> None:
    assert reconstruction_section(small()) is None
    assert 'id="reconstruction"' not in rendered(small())


def test_mean_curve_is_weighted_and_ends_with_half_of_the_weight() -> None:
    survival, at_risk = np.array([[1.0, 0.5, 0.5], [0.8, 0.4, 0.1]]), np.array([[5, 3, 0], [5, 4, 2]])
    mean, present = mean_curve(survival, at_risk, np.array([3.0, 1.0]))
    np.testing.assert_allclose(mean, [0.95, 0.475, 0.4])
    assert present.tolist() == [1, 1, 0]
    assert mean_curve(survival, at_risk, None)[1].tolist() == [1, 1, 1]


def test_the_mean_is_drawn_only_without_a_posterior() -> None:
    curves = next(item for item in survival_curves().values() if item.kaplan_meier.sizes["reconstruction"] > 1)
    bare = dataclasses.replace(curves, band=None)
    assert "Heavy steps: their mean" in curves_caption(bare, "")
    assert "Heavy steps" not in curves_caption(curves, "")
    assert set(bare.kaplan_meier[ARM].to_numpy()) == set(ARMS)


def test_a_curve_is_one_row_an_arm() -> None:
    rows = [("events", "total", 1.0), ("survival at 1", "control", 1.0), ("survival at 2", "control", 0.5)]
    frame = pd.DataFrame(
        [
            {
                "endpoint": "os",
                "statistic": statistic,
                "arm": arm,
                "printed": "1",
                "low": 1.0,
                "high": 1.0,
                "reconstructed": 1.0,
                "minimum": 1.0,
                "maximum": 1.0,
                "agreement": share,
                "strict_agreement": share,
            }
            for statistic, arm, share in rows
        ]
    )
    table = fidelity_table(Study.model_validate({"title": "t"}), frame)
    assert table is not None
    assert len(table.rows) == 2
    assert list(table.frame().iloc[:, 1]) == ["events", "curve, 2 readings"]
