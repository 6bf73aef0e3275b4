"""Chains on the page: trace and rank plots, drawn by ArviZ in the report's style, the same bytes for the same draws."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from report_factory import report_data
from report_pages import rendered

from retrial.report.figures import traces
from retrial.report.labels import models_called


def posterior(tables: int) -> xr.Dataset:
    rng = np.random.default_rng(2)
    values = {
        "log_hazard_ratio": (("chain", "draw"), rng.normal(size=(4, 100))),
        "walk_steps": (("chain", "draw", "step"), rng.normal(size=(4, 100, 2))),
    }
    about = {"endpoint": "os", "model": "weibull", "prior": "flat", "table": 57, "tables": tables}
    return xr.Dataset(values, {"chain": range(4), "draw": range(100), "step": [1, 2]}, about)


def test_chains_are_drawn_in_the_same_bytes_and_closed() -> None:
    data, open_before = report_data(traces=[posterior(100)]), plt.get_fignums()
    with models_called({"weibull": "Weibull model"}):
        first, again = (traces.trace_pictures(data) for _ in range(2))
    assert [picture.svg for picture in first] == [picture.svg for picture in again]
    assert first[0].png.startswith(b"\x89PNG")
    assert first[0].title == "Chains: Overall survival, Weibull model, flat prior"
    assert first[0].alt.startswith("Trace and rank plots of 3 parameters")
    assert "Of 100 tables, the typical one (number 57)." in first[0].caption
    assert "tables" not in traces.trace_pictures(report_data(traces=[posterior(1)]))[0].caption
    assert plt.get_fignums() == open_before


def test_the_page_shows_them_with_the_diagnostics() -> None:
    page = rendered(report_data(traces=[posterior(100)], estimates=[], curves={}, checks=[]))
    assert page.index('id="diagnostics"') < page.index('id="figure-traces_os_weibull"') < page.index('id="methods"')
    assert 'id="figure-traces' not in rendered(report_data(estimates=[], curves={}, checks=[]))
