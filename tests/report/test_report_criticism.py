"""The section on model criticism: its table, figures and captions, with failures shown as failures."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from report_factory import report_data
from report_pages import plain, rendered, small

from retrial.dims import ARM, ARMS, MODEL, PREDICTIVE, PREDICTIVES, QUANTILE, STATUS, SURVIVAL, TIME
from retrial.report.data import ReportData
from retrial.report.section import built
from retrial.report.supplement import SECTIONS
from retrial.report.tables.criticism import criticism_section, criticism_table

FAILURE = "failed: 38 of 40 fits; first: 20 divergences > 0"


def scores() -> pd.DataFrame:
    shared = {"endpoint": "os", "prior": "flat", "pareto_k_limit": 0.69, "tables": 40, "tables_failed": 0, "tables_compared": 40}
    best = {"elpd_loo": -165.84, "elpd_se": 13.62, "p_loo": 2.94, "pareto_k_max": 0.51, "share_k_above_limit": 0.0}
    other = {"elpd_loo": -170.13, "elpd_se": 14.02, "p_loo": 4.7, "pareto_k_max": 0.93, "share_k_above_limit": 0.002}
    missing = dict.fromkeys(best, np.nan)
    weight = ("stacking_weight", "stacking_weight_sd", "elpd_difference", "elpd_difference_se", "status")
    return pd.DataFrame(
        [
            {**shared, "model": "weibull", **best, **dict(zip(weight, (0.81, 0.22, 0.0, 0.0, "ok"), strict=True))},
            {**shared, "model": "second", **other, **dict(zip(weight, (0.19, 0.22, -4.29, 2.09, "ok"), strict=True))},
            {**shared, "model": "third", **missing, **dict(zip(weight, (np.nan,) * 4 + (FAILURE,), strict=True)), "tables": 2},
        ]
    )


def pit() -> pd.DataFrame:
    u = np.arange(0, 0.7, 0.01)
    return pd.concat(
        pd.DataFrame(
            {
                "endpoint": "os",
                "model": model,
                "prior": "flat",
                "arm": arm,
                "predicted": u,
                "observed": u + bend * u * (1 - u),
                "sd_between_tables": 0.02,
                "band_half_width": 0.3 * np.sqrt(u * (1 - u)),
                "at_risk": 45 * (1 - u),
                "tables": 40,
            }
        )
        for model, bend in (("weibull", 0.1), ("second", -0.3))
        for arm in (*ARMS, "total")
    )


def bands() -> xr.Dataset:
    models, times = ["weibull", "third"], np.arange(1.0, 24)
    spread = np.array([-0.3, -0.1, 0.0, 0.1, 0.3])
    one = np.clip(np.exp(-times / 12) + spread[:, None] * (1 - np.exp(-times / 5)), 0, 1)
    values = np.broadcast_to(one[None, None, :, None, :], (2, 2, 5, 2, times.size)).copy()
    values[1, 1] = np.nan
    dims = (MODEL, PREDICTIVE, QUANTILE, ARM, TIME)
    coords: dict[str, Any] = {
        MODEL: models,
        PREDICTIVE: list(PREDICTIVES),
        QUANTILE: [0.025, 0.25, 0.5, 0.75, 0.975],
        ARM: list(ARMS),
        TIME: times,
    }
    return xr.Dataset({SURVIVAL: (dims, values), STATUS: (MODEL, ["ok", FAILURE])}, coords, {"prior": "flat", "draws": 2000})


@pytest.fixture(scope="module")
def data() -> ReportData:
    return dataclasses.replace(report_data(), criticism=scores(), loo_pit=pit(), predictive={"os": bands()})


@pytest.fixture(scope="module")
def page(data: ReportData) -> str:
    return rendered(data)


def test_the_page_has_the_section_and_a_link_to_it(page: str) -> None:
    assert '<a href="#criticism">Model criticism</a>' in page
    assert '<section id="criticism">' in page
    section = plain(page.split('<section id="criticism">')[1].split("</section>")[0])
    for words in ("−165.8 (13.6)", "best", "−4.3 (2.1)", "0.81 (0.22)", "<1 %", "averaged over 40 tables", "Prior: flat"):
        assert words in section


def test_no_results_no_section() -> None:
    assert criticism_section(small()) is None
    assert 'href="#criticism"' not in rendered(small())
    assert criticism_table(small().study, pd.DataFrame()) is None


def test_failures_are_shown_and_have_no_numbers(data: ReportData, page: str) -> None:
    table = criticism_table(data.study, data.criticism)
    assert table is not None
    assert [row.mark for row in table.rows] == ["group", "", "", "failed"]
    frame = table.frame()
    last = frame.iloc[-1]
    assert "38 of 40 fits; first: 20 divergences > 0" in last["Model"]
    assert set(last.iloc[2:-1]) == {"–"}
    assert "✗ 38 of 40 fits" in plain(page)


def test_figures_are_in_the_layout_and_not_blank(data: ReportData) -> None:
    pictures = {picture.key: picture for section in built(SECTIONS, data) for picture in section.pictures}
    for key in ("predictive_os", "loo_pit_os"):
        image = np.asarray(Image.open(io.BytesIO(pictures[key].png)).convert("L"))
        assert (image < 200).mean() > 0.01
        assert len(pictures[key].svg) < 600_000


def test_a_failed_posterior_is_named_not_drawn(data: ReportData) -> None:
    caption = _picture(data, "predictive_os").caption
    assert f"Third: {FAILURE}" in caption
    whole = bands()
    whole[SURVIVAL][1, 1] = whole[SURVIVAL][0, 1]
    drawn = dataclasses.replace(data, predictive={"os": whole})
    assert _picture(drawn, "predictive_os").svg != _picture(data, "predictive_os").svg


def _picture(data: ReportData, key: str) -> Any:
    section = criticism_section(data)
    assert section is not None
    return next(picture for picture in section.pictures if picture.key == key)


def test_captions_say_what_is_shown(data: ReportData) -> None:
    predictive, calibration = _picture(data, "predictive_os").caption, _picture(data, "loo_pit_os").caption
    for words in ("2,000 new studies", "reverse Kaplan-Meier", "flat prior"):
        assert words in predictive
    for words in ("fitted without that patient", "uniform", "40 life tables", "Kaplan-Meier", "fewer than five"):
        assert words in calibration


def test_the_pit_axis_holds_curves_and_band(data: ReportData) -> None:
    far = pit()
    far["observed"] = far["predicted"] + 0.4
    assert _picture(dataclasses.replace(data, loo_pit=far), "loo_pit_os").svg != _picture(data, "loo_pit_os").svg


def test_names_are_text_in_the_figures(data: ReportData) -> None:
    hostile = scores().assign(model="$x^{<b>")
    table = criticism_table(data.study, hostile)
    assert table is not None
    # drawn without being read as mathematics, which this would break
    drawn = small(study=data.study, criticism=hostile, loo_pit=pit().assign(model="$x^{<b>"))
    assert _picture(drawn, "loo_pit_os").svg
    assert "<b>" not in rendered(drawn)
