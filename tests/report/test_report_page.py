"""The page: what it must hold, and what it must never do."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import Written, plain
from report_factory import FAILURE, PRIORS, checks, estimates, report_data, study

from retrial.compare.estimate import Estimate, to_frame
from retrial.errors import StoreError
from retrial.report.data import ReportData
from retrial.report.page import lay_out, render, write_report
from retrial.study.study import Study

HOSTILE = "<script>alert(1)</script> & \"quotes\" 'n' $x_1$ </style> {{ 7*7 }} \\frac"


def test_files_beside_the_page(report: Written) -> None:
    figures = {path.name for path in (report.folder / "figures").iterdir()}
    for stem in (
        "kaplan_meier_os",
        "kaplan_meier_pfs",
        "forest_treatment_os",
        "forest_treatment_pfs",
        "forest_response",
        "forest_adverse_events",
    ):
        assert {f"{stem}.svg", f"{stem}.png"} <= figures
    tables = {path.stem for path in (report.folder / "tables").glob("*.csv")}
    assert {"estimates", "audit", "fidelity", "diagnostics", "priors", "page_treatment_results"} <= tables


def test_self_contained(report: Written) -> None:
    page = report.html
    assert "<script" not in page.lower()
    assert "<link" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert set(re.findall(r'\bsrc="([^:"]*):', page)) == {"data"}
    assert re.findall(r'\bhref="(?!#)([^"]*)"', page) == ["https://doi.org/10.1000/example.2025"]
    assert re.findall(r"\son\w+=", page) == []
    assert "default-src 'none'" in page


@pytest.mark.parametrize(
    ("doi", "link"),
    [("10.1038/s41598-025-98765-4", True), ("https://doi.org/10.1038/abc", True), ("javascript:alert(1)", False), ('10.1038/"onclick="x', False), ("", False)],
)  # fmt: skip
def test_only_a_doi_becomes_a_link(doi: str, link: bool) -> None:
    page = _rendered(_small(citation={"text": "A", "doi": doi}))
    assert re.findall(r'href="(?!#)([^"]*)"', page) == (
        [f"https://doi.org/{doi.removeprefix('https://doi.org/')}"] if link else []
    )


def test_hostile_texts_are_shown_as_text(tmp_path: Path) -> None:
    data = _hostile()
    page = write_report(data, tmp_path).read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("</style>") == 1
    assert "49" not in re.findall(r"<title>(.*?)</title>", page)[0]
    text = plain(page)
    assert text.count("<script>alert(1)</script>") > 20
    assert "{{ 7*7 }}" in text
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in path.read_text(encoding="utf-8")


def _hostile() -> ReportData:
    """Every text that a study, a check, an estimate, a prior or a manifest can bring is hostile."""
    base = report_data()
    record = base.study.model_dump()
    record["title"] = record["design"] = HOSTILE
    record["citation"] = {"text": HOSTILE, "doi": HOSTILE, "licence": HOSTILE, "note": HOSTILE}
    for arm in ("control", "experimental"):
        record["arms"][arm]["label"] = HOSTILE
    for endpoint in record["endpoints"].values():
        endpoint["label"] = HOSTILE
    record["endpoints"]["pfs"]["at_risk"]["times_assumed"] = HOSTILE
    record["response"]["composites"]["ORR"]["label"] = HOSTILE
    for effect in record["effects"].values():
        effect["label"] = effect["where"] = HOSTILE
    rows = [
        dataclasses.replace(row, source=HOSTILE, prior=row.prior and f"{row.prior} {HOSTILE}", unit=row.unit or HOSTILE)
        for row in base.estimates
    ]
    rows += [Estimate("os", HOSTILE, HOSTILE, "frequentist", 1.5, model=HOSTILE, unit=HOSTILE, status=HOSTILE)]
    found = [
        dataclasses.replace(
            check, claim=HOSTILE, where=HOSTILE, printed=HOSTILE, recomputed=HOSTILE, note=HOSTILE, reading=HOSTILE
        )
        for check in base.checks
    ]
    frames = {}
    for name in ("fidelity", "diagnostics", "priors"):
        frame = getattr(base, name).copy()
        for column in frame.columns[frame.dtypes == object].difference(["status", "endpoint", "arm"]):
            frame[column] = HOSTILE
        frames[name] = frame
    curves = {key: dataclasses.replace(one, model=HOSTILE, prior=HOSTILE, notes=(HOSTILE,)) for key, one in base.curves.items()}
    return dataclasses.replace(
        base, study=Study.model_validate(record), estimates=rows, checks=found, curves=curves, model_cards={HOSTILE: HOSTILE},
        manifest={"study": HOSTILE, "config": {HOSTILE: [HOSTILE]}, "versions": {HOSTILE: HOSTILE}}, **frames,
    )  # fmt: skip


def test_same_data_same_bytes(report: Written, tmp_path: Path) -> None:
    write_report(report_data(), tmp_path)
    files = sorted(path.relative_to(report.folder) for path in report.folder.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file())
    assert [name for name in files if (tmp_path / name).read_bytes() != (report.folder / name).read_bytes()] == []


def test_every_estimate_is_in_a_table(report: Written) -> None:
    given = to_frame(report.data.estimates)
    read = pd.read_csv(
        report.folder / "tables" / "estimates.csv",
        keep_default_na=False,
        na_values={name: [""] for name in ("lower", "upper", "sd", "level")},
    )
    pd.testing.assert_frame_equal(read, given, check_dtype=False)


def test_every_posterior_hazard_ratio_is_on_the_page(report: Written) -> None:
    for row in report.data.estimates:
        if row.quantity == "hazard_ratio" and row.method == "bayes":
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
    failed = [row for row in report.data.estimates if row.failed and row.quantity == "hazard_ratio"]
    assert len(failed) == 2
    for row in failed:
        number = f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})"
        assert f"✗ {FAILURE}</span> <s>{number}</s>" in report.html.replace("&gt;", ">")
        assert report.html.count(number) == report.html.count(f"<s>{number}</s>")


def test_failed_probabilities_are_struck_out(report: Written) -> None:
    failed = [row for row in report.data.estimates if row.failed and row.quantity.startswith("p_")]
    assert len(failed) == 10
    assert len(re.findall(r"<td class=num><s>", report.html)) == len(failed)


def test_failed_numbers_are_not_in_the_sentences() -> None:
    rows = [dataclasses.replace(row, status=FAILURE) if row.method == "bayes" else row for row in estimates()]
    page = plain(_rendered(report_data(estimates=rows, curves={})))
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
        f"posterior median hazard ratio {flat.point:.3f} (95 % equal-tailed credible interval {flat.lower:.3f} to {flat.upper:.3f})"
        in report.text
    )


def test_the_main_prior_is_the_one_asked_for() -> None:
    page = plain(_rendered(report_data(main_prior="strongly_sceptical", curves={})))
    assert "Normal model of the printed log ratio, strongly sceptical prior: posterior median" in page


def test_the_audit_decides_what_stands_beside_a_published_number(report: Written) -> None:
    assert "audit: used as corrected, 0.567" in report.text
    assert "baseline.variables.concomitant 8 left out excluded" in report.text
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
    page = plain(_rendered(_small(randomised=randomised)))
    assert ("not assigned at random" in page) == (randomised is False)
    assert ("does not say whether" in page) == (randomised is None)


def test_empty_sections_vanish(tmp_path: Path) -> None:
    page = write_report(_small(), tmp_path).read_text(encoding="utf-8")
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
        "os",
        "hazard_ratio",
        "experimental / control",
        "published",
        0.84,
        0.713,
        0.981,
        level=0.95,
        interval_kind="confidence",
        unit="ratio",
    )
    page = plain(_rendered(_small(estimates=[row])))
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
    page = plain(_rendered(_small(estimates=rows)))
    assert "95 % equal-tailed credible interval or 80 % highest-density credible interval" in page
    assert "0.500 (0.350 to 0.700) [80 % highest-density credible interval]" in page


def test_numbers_that_do_not_exist_are_no_failed_fit() -> None:
    row = Estimate(
        "CR",
        "risk_ratio",
        "experimental / control",
        "frequentist",
        float("nan"),
        model="katz",
        unit="ratio",
        status="failed: no events in either arm",
    )
    page = plain(_rendered(_small(estimates=[row])))
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
    page = plain(_rendered(_small(manifest=manifest)))
    for part in ("seed: 7", "share: 0.5", "path: a/b", "status: consistent", "x: null"):
        assert part in page


def test_accessible_tables_and_pictures(report: Written) -> None:
    assert re.findall(r"<th(?! scope=)[ >]", report.html) == []
    assert report.html.count("<table") == report.html.count("<caption>")
    alts = re.findall(r'<img src="data:[^"]*" alt="([^"]*)"', report.html)
    assert len(alts) == report.html.count("<img") == 6
    assert all(len(alt) > 60 for alt in alts)
    ids = re.findall(r'\bid="([^"]*)"', report.html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', report.html)) <= set(ids)


def test_every_table_names_its_interval(report: Written) -> None:
    captions = re.findall(r"<caption>(.*?)</caption>", report.html)
    results = [caption for caption in captions if "Bayesian: " in caption]
    assert len(results) >= 4
    assert all("95\N{NO-BREAK SPACE}% equal-tailed credible interval" in caption for caption in results)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("in the way")
    with pytest.raises(StoreError, match="output_dir"):
        write_report(_small(), tmp_path)


def test_priors_of_all_scales(report: Written) -> None:
    for prior in PRIORS:
        assert prior.replace("_", " ") in report.text
    assert "hazard ratio 1.000 (<0.001 to 3×10⁸)" in report.text
    assert "12.2 (3.8 to 39.5) months" in report.text


def _small(**changes: object) -> ReportData:
    """A study with a title and nothing else."""
    fields = {field.name for field in dataclasses.fields(ReportData)}
    record = {"title": "A small study"} | {key: value for key, value in changes.items() if key not in fields}
    return ReportData(
        **(
            {"study": Study.model_validate(record), "manifest": {}}
            | {key: value for key, value in changes.items() if key in fields}
        )
    )


def _rendered(data: ReportData) -> str:
    return render(data, lay_out(data))


def test_the_factory_is_realistic() -> None:
    assert {row.endpoint for row in estimates()} >= {"os", "pfs", "ORR"}
    assert study().randomised is False
