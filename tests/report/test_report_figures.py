"""Figures: there, not blank, honest about failures, and made without touching matplotlib's settings."""

from __future__ import annotations

import dataclasses
import io
import math

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from report_curves import curves, life_table, survival_curves
from report_estimates import estimates
from report_factory import report_data, study
from report_pages import Written

from retrial.data.sampled_hazards import OF_THE_TABLES
from retrial.dims import ARM, ARMS, CONTROL, EXPERIMENTAL, RECONSTRUCTION, TIME
from retrial.estimate import Estimate
from retrial.report.data import PrintedAtRisk, SurvivalCurves
from retrial.report.figures.forest import ROWS_PER_PICTURE, ForestRow, ForestText, forests
from retrial.report.figures.kaplan_meier import _heights, kaplan_meier_picture, risk_rows
from retrial.report.figures.picture import ARM_COLOURS, ARM_TEXT, FAILED, METHOD_COLOURS, QUIET, Picture, safe
from retrial.report.figures.survival import curves_caption, fidelity_words, ratio_pictures
from retrial.report.sections import result_sections
from retrial.tables.life_table import LifeTable

TEXT = ForestText("forest", "A forest", "caption", "Hazard ratio", "left", "right", "Estimate", "P")


def pixels(picture: Picture) -> np.ndarray:
    return imread(io.BytesIO(picture.png))[..., :3]


def has_colour(image: np.ndarray, colour: str) -> bool:
    target = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return bool((np.abs(image - target).max(axis=-1) < 0.02).sum() > 20)


def ratio(point: float, lower: float, upper: float, **changes: object) -> Estimate:
    given = {"method": "bayes", "level": 0.95, "interval_kind": "credible_equal_tailed", "unit": "ratio"} | changes
    about = {"endpoint": "os", "quantity": "hazard_ratio", "contrast": "experimental / control"}
    return Estimate(point=point, lower=lower, upper=upper, **about, **given)


def test_pictures_are_not_blank(report: Written) -> None:
    for path in (report.folder / "figures").glob("*.png"):
        image = imread(path)[..., :3]
        assert image.shape[1] == 1400, path.name
        assert 0.01 < (image.min(axis=-1) < 0.8).mean() < 0.6, path.name
        edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
        assert edges.min() > 0.99, f"{path.name} is cut off"


def test_settings_are_left_alone() -> None:
    before = dict(mpl.rcParams)
    result_sections(report_data(estimates=estimates()[:4]))
    assert dict(mpl.rcParams) == before


def test_a_users_settings_do_not_change_the_bytes() -> None:
    rows = [ForestRow("flat", ratio(0.5, 0.3, 0.8), "0.5")]
    plain = forests(rows, TEXT)[0]
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "text.usetex": False, "axes.facecolor": "red"}):
        assert forests(rows, TEXT)[0].svg == plain.svg


def test_a_failed_fit_is_drawn_as_failed() -> None:
    published = ForestRow("a", ratio(0.7, 0.5, 0.9, method="published"), "x")
    fine, failed = (
        forests([published, ForestRow("b", ratio(0.5, 0.3, 0.8, status=status), "y")], TEXT)[0]
        for status in ("ok", "failed: R-hat")
    )
    assert has_colour(pixels(fine), METHOD_COLOURS["bayes"])
    assert not has_colour(pixels(fine), FAILED)
    assert not has_colour(pixels(failed), METHOD_COLOURS["bayes"])
    assert has_colour(pixels(failed), FAILED)
    assert "failed, not to be used" in failed.alt


def test_nothing_but_failures_is_no_picture() -> None:
    assert forests([ForestRow("a", ratio(0.5, 0.3, 0.8, status="failed: x"), "y")], TEXT) == []
    assert forests([], TEXT) == []


def test_all_methods_have_their_colour(report: Written) -> None:
    image = imread(report.folder / "figures" / "forest_treatment_os.png")[..., :3]
    assert all(has_colour(image, colour) for colour in (*METHOD_COLOURS.values(), FAILED))


def test_long_forests_are_split_at_headings() -> None:
    rows = [
        row
        for n in range(12)
        for row in [ForestRow(f"heading {n}"), *[ForestRow(f"row {n}.{k}", ratio(0.5, 0.3, 0.8), "t") for k in range(9)]]
    ]
    parts = forests(rows, TEXT)
    assert [part.key for part in parts] == ["forest_1", "forest_2", "forest_3"]
    assert all(imread(io.BytesIO(part.png)).shape[0] < 200 * (0.19 * ROWS_PER_PICTURE + 1.2) for part in parts)


@pytest.mark.parametrize(("lower", "upper"), [(1e-9, 1e9), (math.nan, math.nan), (0.0, math.inf), (0.999, 1.001)])
def test_extreme_intervals(lower: float, upper: float) -> None:
    assert len(forests([ForestRow("x", ratio(1.0, lower, upper), "t")], TEXT)) == 1


@pytest.mark.parametrize("label", ["$\\frac{$", "a" * 400, "中文标签", "line\nbreak\ttab\x00\x1b", "", "-->", "\u202ertl"])
def test_any_label(label: str) -> None:
    named = study(arms={"control": {"label": label, "n": "49"}, "experimental": {"label": label * 2, "n": "43"}})
    picture = kaplan_meier_picture(named, "os", label, survival_curves()["os"], "caption")
    assert pixels(picture).min() < 0.5
    assert forests([ForestRow(label), ForestRow(label, ratio(0.5, 0.3, 0.8), label)], dataclasses.replace(TEXT, left=label))


def test_safe_wraps_and_shortens() -> None:
    assert safe("a\n b\x00  c") == "a b c"
    assert safe("alpha beta gamma delta", 11, 1) == "alpha …"


def test_kaplan_meier_has_both_arms_and_band() -> None:
    one = survival_curves()["os"]
    shown, without = (
        kaplan_meier_picture(study(), "os", "overall survival", item, "") for item in (one, dataclasses.replace(one, band=None))
    )
    assert all(has_colour(pixels(shown), colour) for colour in ARM_COLOURS.values())
    tinted = [(np.ptp(pixels(item), axis=-1) > 0.05).mean() for item in (shown, without)]
    assert tinted[0] > 3 * tinted[1]


def test_a_failed_posterior_is_not_drawn() -> None:
    one = survival_curves()["os"]
    failed = dataclasses.replace(one, status="failed: R-hat 1.3 > 1.01")
    bare = dataclasses.replace(one, band=None)
    pictures = [kaplan_meier_picture(study(), "os", "overall survival", item, "") for item in (failed, bare)]
    assert pictures[0].png == pictures[1].png
    assert "No posterior band is drawn: this fit must not be used (failed: R-hat 1.3 > 1.01)." in curves_caption(failed, "")


def test_curves_end_with_their_last_patient() -> None:
    table = life_table(3, (3.0, 3.0), 1)
    one = curves(table, (3.0, 3.0), band=None)
    stretched = dataclasses.replace(one, kaplan_meier=one.kaplan_meier.where(one.at_risk > 0, 0.77))
    pictures = [kaplan_meier_picture(study(), "os", "os", item, "") for item in (one, stretched)]
    # what a curve holds after its last patient is not shown, wherever it lies
    assert pictures[0].png == pictures[1].png or np.abs(pixels(pictures[0]) - pixels(pictures[1]))[:, :1050].max() == 0


def test_many_times_stay_a_small_file() -> None:
    random = np.random.default_rng(1)
    times = np.sort(random.exponential(10, 6000))
    table = LifeTable.from_patients(times, random.random(6000) < 0.7, random.random(6000) < 0.5)
    picture = kaplan_meier_picture(study(), "os", "os", curves(table, (10, 10)), "")
    assert len(picture.svg) < 1_500_000


def test_numbers_at_risk_against_a_count_of_patients() -> None:
    table = life_table(5, (6.0, 9.0), 1)
    one = curves(table, (6.0, 9.0), printed_at_risk=PrintedAtRisk((0, 5.5, 40), {"control": (49, 20, 0)}))
    patients = table.patients()
    for row in risk_rows(one, [0, 5.5, 40]):
        if not row.printed:
            mine = patients["time"][patients["experimental"] == ARMS.index(row.arm)]
            assert row.texts == tuple(str((mine >= time).sum()) for time in (0, 5.5, 40))
    assert [row.texts for row in risk_rows(one, [0, 5.5, 40]) if row.printed] == [("49", "20", "0")]


def test_numbers_at_risk_over_tables_are_ranges() -> None:
    one = survival_curves()["pfs"]
    row = next(row for row in risk_rows(one, [0.0, 5.0]) if row.arm == "control" and not row.printed)
    counts = one.at_risk.sel(arm="control", time=5.0)
    assert row.texts == ("49", f"{int(counts.min())}–{int(counts.max())}")


def test_captions_say_what_the_curves_are(report: Written) -> None:
    assert (
        "reconstructed from printed numbers. They are not patient data. Of 4 printed numbers 3 are met by every table"
        in report.text
    )
    assert "median, CI upper (experimental, printed 18.233, reconstructed 17.911)" in report.text
    assert "83 % of the tables agree" in report.text
    patients = curves(life_table(1, (5, 5), 1), (5, 5), from_patients=True)
    assert "not patient data" not in curves_caption(patients, "")
    assert fidelity_words("nothing", report.data.fidelity) == ""


@pytest.mark.parametrize("colour", [*ARM_TEXT.values(), QUIET, FAILED, *METHOD_COLOURS.values()])
def test_text_colours_have_contrast(colour: str) -> None:
    """WCAG 2.1, 1.4.3: at least 4.5 on white (L as defined there)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_names_stand_in_the_order_of_the_curves() -> None:
    """Without a posterior the step curves say which arm's name is the upper one, whatever the last drop does."""
    one = survival_curves()["pfs"]
    bare = dataclasses.replace(one, band=None)
    assert _heights(bare, 22.0)["experimental"] > _heights(bare, 22.0)["control"]
    assert _heights(one, 22.0)["experimental"] > _heights(one, 22.0)["control"]


def test_events_and_censorings_so_far_stand_under_the_curves() -> None:
    """Two tables of five patients at 1, 2, 3 months: at each tick at risk + events + censored before it are all patients, in each table."""
    dims, times = (RECONSTRUCTION, ARM, TIME), [1.0, 2.0, 3.0]
    events = xr.DataArray(
        np.array([[[1, 0, 2], [0, 1, 0]], [[0, 1, 2], [1, 0, 0]]]), dims=dims, coords={ARM: list(ARMS), TIME: times}
    )
    censored = xr.zeros_like(events) + np.array([1, 0, 1])
    gone = (events + censored).cumsum(TIME) - (events + censored)
    at_risk = (events + censored).sum(TIME) - gone
    curves = SurvivalCurves(kaplan_meier=at_risk, at_risk=at_risk, events=events, censored=censored)
    rows = {(row.arm, row.label.strip()): row.texts for row in risk_rows(curves, [0.0, 2.0, 3.0, 9.0])}
    assert rows[CONTROL, "Control"] == ("5", "3–4", "3", "0")
    assert rows[CONTROL, "events"] == ("0", "0–1", "1", "3")
    assert rows[CONTROL, "censored"] == ("0", "1", "1", "2")
    assert rows[EXPERIMENTAL, "events"] == ("0", "0–1", "1", "1")


def over_time(**changes: object) -> list[Estimate]:
    """One model that lets the ratio vary, one that does not, and the published ratio."""
    given = {"model": "bending", "prior": "flat"} | changes
    varying = [ratio(0.5, 0.3, 0.9, time=6.0, **given), ratio(0.7, 0.3, 1.6, time=12.0, **given)]
    printed = ratio(0.47, 0.25, 0.88, method="published", interval_kind="confidence", printed="0.47 (0.25-0.88)")
    return [printed, ratio(0.48, 0.26, 0.9, model="straight", prior="flat"), *varying]


def test_the_ratio_over_time_shows_what_varies_beside_what_does_not() -> None:
    others = [
        ratio(0.9, 0.8, 1.1, model="bending", prior="sceptical", time=6.0),
        ratio(0.9, 0.8, 1.1, adjusted_for="age", model="bent"),
    ]
    others += [ratio(0.6, 0.4, 0.9, model="sampled_hazards", prior=OF_THE_TABLES, time=time) for time in (6.0, 12.0)]
    [picture] = ratio_pictures(report_data(estimates=[*over_time(), *others], main_prior="flat"))
    assert picture.key == "ratio_over_time_os"
    for said in (
        "Published 0.47",
        "Straight 0.480",
        "Bending at 6 months 0.500 (0.300 to 0.900)",
        "Bending at 12 months 0.700",
        "Sampled hazards at 6 months 0.600",
    ):
        assert said in picture.alt
    assert "tables' own prior" in picture.caption
    assert "sceptical" not in picture.alt
    assert "Bent" not in picture.alt
    assert "95\N{NO-BREAK SPACE}% equal-tailed credible interval" in picture.caption
    assert "95\N{NO-BREAK SPACE}% confidence interval" in picture.caption
    image = pixels(picture)
    assert has_colour(image, METHOD_COLOURS["bayes"])
    assert not has_colour(image, FAILED)


def test_a_failed_ratio_over_time_is_crossed_in_red() -> None:
    [picture] = ratio_pictures(report_data(estimates=over_time(status="failed: rhat 1.2 > 1.01"), main_prior="flat"))
    assert has_colour(pixels(picture), FAILED)
    assert "Red crosses: fits that failed" in picture.caption


def test_no_picture_where_no_model_lets_the_ratio_vary() -> None:
    assert ratio_pictures(report_data(estimates=over_time()[:2], main_prior="flat")) == []
