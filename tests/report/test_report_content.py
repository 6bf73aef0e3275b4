"""What the page says: every number where it belongs, failures marked, nothing invented."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from report_estimates import FAILURE, PRIORS, estimates
from report_factory import checks, report_data
from report_pages import Written, plain, rendered, small

from retrial.estimate import Estimate, to_frame
from retrial.report.page import write_report
from retrial.store.tables import read_rows


def test_every_estimate_is_in_a_table(report: Written) -> None:
    read = read_rows(report.folder / "tables", "estimates", Estimate)
    pd.testing.assert_frame_equal(to_frame(read), to_frame(report.data.estimates))


def test_every_posterior_hazard_ratio_is_on_the_page(report: Written) -> None:
    for row in report.data.estimates:
        if row.quantity == "hazard_ratio" and row.statistic == "value" and row.method == "bayes":
            assert f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})" in report.text


def test_published_numbers_keep_their_digits(report: Written) -> None:
    assert "0.52 (0.32 to 0.84)" in report.text
    assert "0.520 (0.320 to 0.840)" not in report.text


def test_failures_stand_first_and_are_marked(report: Written) -> None:
    text = report.text
    assert text.index("Status: 2 failures") < text.index(
        "Key results 1" if "Key results 1" in text else "The arms were not assigned at random"
    )
    assert "12 numbers are marked" in text
    failed = [row for row in report.data.estimates if row.failed and row.statistic == "value"]
    assert len(failed) == 2
    for row in failed:
        number = f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})"
        assert f'<s>{number}</s></span><span class="cross">✗ {FAILURE}</span>' in report.html.replace("&gt;", ">")
        assert report.html.count(number) == report.html.count(f"<s>{number}</s>")


def test_failed_probabilities_are_struck_out(report: Written) -> None:
    failed = [row for row in report.data.estimates if row.failed and row.statistic == "probability"]
    assert len(failed) == 10
    assert len(re.findall(r"<td class=num><s>", report.html)) == len(failed)


def test_failed_numbers_are_not_in_the_sentences() -> None:
    rows = [
        dataclasses.replace(row, status=FAILURE) if row.method == "bayes" else row for row in estimates() if row.endpoint == "os"
    ]
    page = plain(rendered(report_data(estimates=rows, curves={})))
    assert "posterior median hazard ratio" not in page
    assert "failed estimates are left out of these sentences" in page


def test_key_results_quote_the_estimates(report: Written) -> None:
    sentence = "The paper prints a hazard ratio of 0.470 (95 % confidence interval 0.252 to 0.879)."
    assert sentence in report.text
    flat = next(
        row
        for row in report.data.estimates
        if (row.endpoint, row.quantity, row.prior, row.model) == ("os", "hazard_ratio", "flat", "log_hazard_ratio")
    )
    assert (
        f"median hazard ratio {flat.point:.3f} (95 % equal-tailed credible interval {flat.lower:.3f} to {flat.upper:.3f})"
        in report.text
    )


def test_the_main_prior_is_the_one_asked_for() -> None:
    page = plain(
        rendered(
            report_data(
                main_prior="strongly_sceptical", curves={}, estimates=[row for row in estimates() if row.endpoint == "os"]
            )
        )
    )
    assert "Normal model of the printed log ratio, strongly sceptical prior: posterior median" in page


def test_the_audit_decides_what_stands_beside_a_published_number(report: Written) -> None:
    assert "audit: used as corrected, 0.567" in report.text
    assert "concomitant 8 left out excluded" in report.text
    assert "baseline.variables" not in report.text
    assert "the figure's text gives no axis" in report.text


def test_findings_come_in_order_and_families_add_up(report: Written) -> None:
    section = report.text[report.text.index("Audit of the printed numbers") :]
    assert (
        section.index("inconsistent the PFS hazard ratio")
        < section.index("consistent only if ORR")
        < section.index("Checks by family")
    )
    assert f"All {len(checks())} 60 1 2 1 66" in section


@pytest.mark.parametrize("randomised", [True, False, None])
def test_who_was_randomised_is_said(randomised: bool | None) -> None:
    page = plain(rendered(small(randomised=randomised)))
    assert ("not assigned at random" in page) == (randomised is False)
    assert ("does not say whether" in page) == (randomised is None)


def test_empty_sections_vanish(tmp_path: Path) -> None:
    page = write_report(small(), tmp_path).with_name("supplement.html").read_text(encoding="utf-8")
    for word in (
        "Audit",
        "Decisions",
        "Survival curves",
        "Priors",
        "Diagnostics",
        "Status",
        "<figure",
        "<table",
        "Adverse events",
    ):
        assert word not in page, word
    assert list((tmp_path / "figures").iterdir()) == []
    assert list((tmp_path / "tables").iterdir()) == []


def test_one_published_ratio_is_enough() -> None:
    row = Estimate(
        endpoint="os",
        quantity="hazard_ratio",
        contrast="experimental / control",
        method="published",
        point=0.84,
        lower=0.713,
        upper=0.981,
        level=0.95,
        interval_kind="confidence",
        unit="ratio",
    )
    page = plain(rendered(small(estimates=[row])))
    assert "The paper prints a hazard ratio of 0.840 (95 % confidence interval 0.713 to 0.981)." in page


def test_intervals_of_other_levels_say_so() -> None:
    shared = {
        "endpoint": "os",
        "quantity": "hazard_ratio",
        "contrast": "experimental / control",
        "unit": "ratio",
        "method": "bayes",
        "model": "weibull",
    }
    rows = [
        Estimate(**shared, point=0.5, lower=0.3, upper=0.8, level=0.95, interval_kind="credible_equal_tailed", prior="flat"),
        Estimate(**shared, point=0.5, lower=0.35, upper=0.7, level=0.8, interval_kind="credible_highest_density", prior="flat"),
    ]
    page = plain(rendered(small(estimates=rows)))
    assert "95 % equal-tailed credible interval or 80 % highest-density credible interval" in page
    assert "0.500 (0.350 to 0.700) [80 % highest-density credible interval]" in page


def test_numbers_that_do_not_exist_are_no_failed_fit() -> None:
    row = Estimate(
        endpoint="CR",
        quantity="risk_ratio",
        contrast="experimental / control",
        method="frequentist",
        point=float("nan"),
        model="katz",
        unit="ratio",
        status="failed: no events in either arm",
    )
    page = plain(rendered(small(estimates=[row])))
    assert "Not computable CR (Katz): no events in either arm" in page
    assert "Status" not in page


def test_manifest_of_any_types() -> None:
    manifest = {
        "seed": np.int64(7),
        "share": np.float64(0.5),
        "path": Path("a/b"),
        "status": checks()[0].verdict,
        "nested": ({"x": None},),
    }
    page = plain(rendered(small(manifest=manifest)))
    for part in ("seed: 7", "share: 0.5", "path: a/b", "status: consistent", "x: null"):
        assert part in page


def test_priors_of_all_scales(report: Written) -> None:
    for prior in PRIORS:
        assert prior.replace("_", " ") in report.text
    assert "hazard ratio 1.000 (<0.001 to 3×10⁸)" in report.text
    assert "12.2 (3.8 to 39.5) months" in report.text


def test_published_medians_keep_their_digits() -> None:
    shared = {"endpoint": "os", "quantity": "median_survival", "contrast": "control", "unit": "months"}
    interval = {"lower": 7.142, "upper": 14.858, "level": 0.95, "interval_kind": "confidence"}
    rows = [
        Estimate(**shared, method="published", point=11.0, printed="11.0 (7.142 to 14.858)", **interval),
        Estimate(**shared, method="frequentist", point=11.0, **interval),
    ]
    endpoints = {"os": {"median": {"control": {"value": "11.0", "ci": ["7.142", "14.858"]}}}}
    page = plain(rendered(small(estimates=rows, endpoints=endpoints)))
    assert "11.0 (7.142 to 14.858)" in page
    assert "11.0 (7.1 to 14.9)" in page


def test_the_range_over_the_tables_stands_under_its_estimate() -> None:
    shared = {"endpoint": "os", "contrast": "experimental / control", "method": "frequentist", "unit": "ratio", "point": 0.475}
    interval = {"lower": 0.254, "upper": 0.893, "level": 0.95, "interval_kind": "confidence"}
    rows = [
        Estimate(quantity="hazard_ratio", model="cox_efron", **shared, **interval),
        Estimate(quantity="hazard_ratio", statistic="range", model="cox_efron", lower=0.457, upper=0.499, **shared),
        Estimate(quantity="hazard_ratio", model="cox_breslow", **(shared | {"point": 0.49}), **interval),
    ]
    page = plain(rendered(small(estimates=rows, endpoints={"os": {"label": "overall survival"}})))
    assert "Cox, Efron ties 0.475 (0.254 to 0.893) over the tables 0.457 to 0.499 Cox, Breslow ties 0.490" in page
    assert (
        "by 2 estimators: hazard ratio from 0.475 (95 % confidence interval 0.254 to 0.893) by Cox, Efron ties to 0.490" in page
    )


def test_a_typical_table_stands_beside_the_medians_and_is_no_estimator_of_its_own() -> None:
    shared = {"endpoint": "os", "quantity": "hazard_ratio", "contrast": "experimental / control", "method": "frequentist"}
    interval = {"lower": 0.254, "upper": 0.893, "level": 0.95, "interval_kind": "confidence", "unit": "ratio"}
    rows = [
        Estimate(**shared, **interval, model="cox_efron", variant=variant, point=x)
        for variant, x in (("", 0.475), ("one typical table", 0.461))
    ]
    page = plain(rendered(small(estimates=rows, endpoints={"os": {"label": "overall survival"}})))
    assert "Cox, Efron ties 0.475 (0.254 to 0.893)" in page
    assert "Cox, Efron ties, one typical table 0.461 (0.254 to 0.893)" in page
    assert "(Cox, Efron ties): hazard ratio 0.475 (95 % confidence interval 0.254 to 0.893)." in page


def test_composite_responses_come_before_their_categories(report: Written) -> None:
    table = pd.read_csv(report.folder / "tables" / "page_response_results.csv")
    assert list(dict.fromkeys(table["group"])) == ["Objective response", "CR", "PR"]


def test_a_percentage_keeps_its_digits_and_a_source_is_cut_at_its_parts_only() -> None:
    """4 % of LIFE is no 0.040; "Table 2, stroke" is no part of "Table 2, stroke or transient ischemic attack"."""
    shared = {"endpoint": "stroke", "contrast": "control", "quantity": "proportion", "unit": "probability"}
    rows = [
        Estimate(**shared, method="published", point=0.04, printed="4", converted="from percent", source="Table 2, stroke"),
        Estimate(**shared, method="bayes", model="first", prior="flat", point=0.041, source="Table 2, stroke or attack; of 168"),
        Estimate(**shared, method="bayes", model="second", prior="flat", point=0.042, source="Table 2, stroke; of 168"),
    ]
    page = plain(rendered(small(estimates=rows)))
    assert "4 %" in page
    assert "0.040" not in page
    assert "First (Table 2, stroke or attack; of 168)" in page
    assert "Second (of 168)" in page
