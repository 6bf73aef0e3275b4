"""The first layer: its numbers are the run's, its sentences follow from them, and what a run has not made is not there."""

from __future__ import annotations

import dataclasses
import math
import re

import pandas as pd
import pytest
from report_estimates import PRIORS, Z, estimates
from report_factory import report_data, study, study_record
from report_pages import Written, brief, plain, small

from retrial.criticism.averages import AVERAGE, STACKING
from retrial.estimate import Estimate
from retrial.report.reader.ladder import archetypes, outcomes
from retrial.store.tables import read_rows
from retrial.study.study import Study

NUMBER = r"[−-]?\d+(?:\.\d+)?"


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-")) for found in re.findall(NUMBER, text)]


@pytest.mark.parametrize("endpoint", ["os", "pfs"])
def test_every_number_of_a_table_is_the_runs_after_rounding(report: Written, endpoint: str) -> None:
    rows = [row for row in read_rows(report.folder / "tables", "estimates", Estimate) if row.endpoint == endpoint]
    table = pd.read_csv(report.folder / "tables" / f"page_reader_{endpoint}.csv", dtype=str)
    effects = [column for column in table.columns if not column.startswith(("Prior", "P("))]
    assert effects[0] == "Unadjusted"
    assert len(effects) == 2
    read = 0
    for _, shown in table.iterrows():
        prior = re.sub(r"^.*: ", "", shown["Prior"]).partition(" (")[0].replace(" ", "_")
        for position, column in enumerate(effects):
            model = ("weibull", "log_hazard_ratio")[position]
            mine = [row for row in rows if bool(row.adjusted_for) == bool(position) and row.quantity == "hazard_ratio"]
            row = next(
                row
                for row in mine
                if row.statistic == "value"
                and (row.method == "published" if prior == "Published" else (row.prior, row.model) == (prior, model))
            )
            found = numbers(re.sub(r"^audit.*: |\[failed\]", "", shown[column]))
            decimals = 3 if row.method == "bayes" else len(row.printed.split(" ")[0].partition(".")[2])
            assert found == pytest.approx([row.point, row.lower, row.upper], abs=0.5 * 10.0**-decimals + 1e-12)
            read += 3
    assert read == 2 * 3 * (1 + len(PRIORS))


def test_probabilities_stand_beside_their_effects(report: Written) -> None:
    table = pd.read_csv(report.folder / "tables" / "page_reader_os.csv", dtype=str).set_index("Prior")
    rows = {
        (row.model, row.prior, row.threshold): row.point
        for row in estimates()
        if row.endpoint == "os"
        and row.event == "below"
        and row.statistic == "probability"
        and row.contrast.startswith("experimental")
        and (row.model == "weibull") != bool(row.adjusted_for)
    }
    sceptical = table.loc[next(name for name in table.index if name.endswith("sceptical") and "strongly" not in name)]
    assert [column for column in table.columns if column.startswith("P(HR < 1)")] == ["P(HR < 1)", "P(HR < 1).1"]
    for column, key in (
        ("P(HR < 1)", ("weibull", "sceptical", 1.0)),
        ("P(HR < 0.8)", ("weibull", "sceptical", 0.8)),
        ("P(HR < 1).1", ("log_hazard_ratio", "sceptical", 1.0)),
    ):
        assert float(sceptical[column]) == pytest.approx(rows[key], abs=5e-4)


def test_what_survives_which_prior_follows_from_the_conjugate_posteriors(report: Written) -> None:
    """The sentence names the priors under which the interval excludes 1, by the closed form of the posterior."""
    y, s = math.log(0.567), math.log(1.117 / 0.288) / (2 * Z)
    excludes = []
    for prior, (mean, sd) in PRIORS.items():
        variance = 1 / (1 / s**2 + 1 / sd**2)
        centre = variance * (y / s**2 + mean / sd**2)
        if abs(centre) > Z * math.sqrt(variance):
            excludes.append(prior)
    text = plain(report.brief)
    told = r"Adjusted for stage, AFP \(normal model of the printed log ratio\): the 95 % interval of the hazard ratio"
    sentence = re.search(told + r" excludes 1 under (.*?); it includes 1 under (.*?)\.", text)
    assert sentence is not None
    assert {name.replace(" ", "_") for name in sentence[1].split(", ")} == set(excludes)
    assert {name.replace(" ", "_") for name in sentence[2].split(", ")} == {*PRIORS} - {*excludes}


def test_a_failed_fit_is_struck_out_and_in_no_sentence(report: Written) -> None:
    text = plain(report.brief)
    sentence = re.search(r"Unadjusted \(Weibull model\): the 95 % interval of the hazard ratio .*?\.", text)
    assert sentence is not None
    assert "pessimistic" not in sentence[0]
    row = next(row for row in estimates() if row.failed and row.endpoint == "os" and row.statistic == "value")
    number = f"{row.point:.3f} ({row.lower:.3f} to {row.upper:.3f})"
    assert report.brief.count(number) == report.brief.count(f"<s>{number}</s>") == 1


def test_the_average_over_models_stands_for_the_unadjusted_effect_where_a_run_has_it() -> None:
    """Where it has the archetypes of priors; the printed ratio stays beside it, and another endpoint keeps its model."""
    base = [row for row in estimates() if (row.endpoint, row.model, row.adjusted_for) == ("os", "weibull", "")]
    shared = {"model": AVERAGE, "quantity": "average_hazard_ratio", "time": 16.0, "variant": STACKING}
    kept = ("flat", "sceptical", "optimistic", "pessimistic")
    base = [dataclasses.replace(row, status="ok") for row in base]
    rows = [dataclasses.replace(row, **shared, point=0.9 * row.point) for row in base if row.prior in kept]
    data = report_data(estimates=[*estimates(), *rows], main_prior="flat", curves={})
    found = {one.endpoint: one.unadjusted for one in outcomes(data)}
    mine = found["os"]
    assert mine is not None
    assert list(mine.rows) == list(kept)
    assert mine.published is not None
    assert mine.published.point == 0.47
    pfs = found["pfs"]
    assert pfs is not None
    assert pfs.model == "weibull"
    flat = next(row for row in rows if row.prior == "flat" and row.statistic == "value")
    text = plain(brief(data))
    assert (
        "Unadjusted, average over models (stacking weights): the 95 % interval of the average hazard ratio to 16 months" in text
    )
    assert f"{flat.point:.3f} ({flat.lower:.3f} to {flat.upper:.3f})" in text
    few = [row for row in rows if row.prior == "flat"]
    alone = next(one for one in outcomes(report_data(estimates=[*estimates(), *few], main_prior="flat")) if one.endpoint == "os")
    assert alone.unadjusted is not None
    assert alone.unadjusted.model == "weibull"
    assert alone.average is not None
    page = plain(brief(report_data(estimates=[*estimates(), *few], main_prior="flat", curves={})))
    assert (
        f"Averaged over models (stacking weights, flat prior), unadjusted: average hazard ratio to 16 months {flat.point:.3f}"
        in page
    )
    failed = [dataclasses.replace(row, status="failed: no model passed") for row in rows]
    other = {one.endpoint: one.unadjusted for one in outcomes(report_data(estimates=[*estimates(), *failed], main_prior="flat"))}
    assert other["os"] is not None
    assert other["os"].model == "weibull"


def test_archetypes_begin_with_the_main_prior_and_take_one_of_each() -> None:
    names = ["sceptical", "flat", "jeffreys", "empirical", "optimistic", "strongly_sceptical", "pessimistic"]
    assert archetypes(names, "flat") == ["flat", "sceptical", "empirical", "optimistic", "pessimistic"]
    assert archetypes(["strongly_sceptical", "mine"], "mine") == ["mine"]


def test_empty_sections_are_not_there() -> None:
    page = plain(brief(small()))
    for word in (
        "What the data support",
        "Absolute effects",
        "What the audit found",
        "What would change",
    ):
        assert word not in page


def test_what_departs_from_the_target_trial_is_the_studys_own() -> None:
    record = study_record() | {
        "timeline": {
            "accrual_start": "2020-01",
            "accrual_end": "2022-06",
            "cut_off": "2023-12-31",
            "excluded_follow_up_up_to": "6",
        }
    }
    page = plain(brief(report_data(study=Study.model_validate(record), curves={})))
    assert "patients followed for 6 months or less left out" in page
    assert "immortal time: who had 6 months of follow-up or less could not be in the study" in page
    assert "closed on 2023-12-31" in page
    randomised = plain(brief(report_data(study=study(randomised=True), curves={})))
    assert "The target trial" not in randomised
    assert "Estimand" in randomised


AS_THEY_ARE = {
    "endpoint": "os",
    "quantity": "rmst_difference",
    "time": 18.0,
    "mean": 3.14,
    "status": "ok",
    "choice": "as_they_are",
    "settled": "",
}
RULED = {
    **AS_THEY_ARE,
    "choice": "eligibility",
    "words": "nobody is censored up to 6 months",
    "log_bayes_factor": -1.1,
    "log_bayes_factor_se": 0.2,
}
"""Rows of choices.csv for the two designs."""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {},
            "under that rule the difference in restricted mean survival to 18 months, over the tables, is 3.2 months, without it 3.1",
        ),
        ({"settled": "not settled: few"}, "the samplers have not settled this"),
        ({"status": "failed: no table"}, "no life table was found"),
    ],
)
def test_what_a_rule_of_eligibility_would_change(change: dict[str, object], words: str) -> None:
    ruled = {**RULED, "mean": 3.21, "log_bayes_factor": -0.46, "log_bayes_factor_se": 1.69, **change}
    found = brief(dataclasses.replace(report_data(), choices=pd.DataFrame([AS_THEY_ARE, ruled])))
    text = plain(found)
    assert words in text
    assert ("log Bayes factor −0.5, SE 1.7" in text) == ("status" not in change)
    assert ("have not settled" in text) == ("settled" in change)


@pytest.mark.parametrize(
    ("joint", "words"),
    [
        ((0.75, 0.25), "with 25 % on those under the rule"),
        ((1.0, 0.0), "under it no table of another endpoint carries its numbers"),
        ((float("nan"), float("nan")), "with 40 % on those under the rule"),
    ],
)
def test_how_much_of_a_rule_the_posteriors_carry(joint: tuple[float, float], words: str) -> None:
    parts = zip(("as_they_are", "eligibility"), (0.6, 0.4), joint, strict=True)
    readings = [
        {"endpoint": "os", "status": "attained", "design": design, "share": share, "joint_share": own}
        for design, share, own in parts
    ]
    data = dataclasses.replace(report_data(), choices=pd.DataFrame([AS_THEY_ARE, RULED]), readings=pd.DataFrame(readings))
    assert words in plain(brief(data))


def test_one_ratio_alone_gives_a_whole_page() -> None:
    row = next(
        row for row in estimates() if row.endpoint == "os" and row.method == "published" and row.quantity == "hazard_ratio"
    )
    page = plain(brief(small(estimates=[row], effects=study_record()["effects"])))
    assert "Hazard ratio 0.470 (95 % confidence interval 0.252 to 0.879), unadjusted." in page
    assert "What cannot be known from the paper" in page
