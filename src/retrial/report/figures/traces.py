"""Trace and rank plots of a fit, drawn by ArviZ: whether its chains tell the same story."""

from __future__ import annotations

import arviz as az
import matplotlib.pyplot as plt
import xarray as xr
from cycler import cycler

from retrial.dims import CHAIN, DRAW
from retrial.report.data import ReportData
from retrial.report.figures.picture import WIDTH, Picture, finish, style
from retrial.report.labels import endpoint_label, model_label, prior_label, upper_first, words

_ROW, _MARGIN = 1.0, 0.5
_PAD = 0.06
"""Inches of a parameter, of what is above and below all of them, and between them."""
_MOST = 12
"""Parameters of a figure: later ones are steps and effects of single cells, each with its R-hat in the diagnostics."""
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7")
_LINE = {"width": 0.7}
_CAPTION = (
    "Drawn by ArviZ. Left: the draws of each chain (a colour), one after the other; right: how far the distribution of a chain's ranks"
    " among all draws is from uniform. Chains that agree lie on top of each other on the left and wander about 0 on the right; p is"
    " that of a test of their uniformity, which allows for autocorrelation; where it is below 0.01, black points show why."
    " One such test in a hundred is by chance alone; whether a fit may be used is said by R-hat and the effective sizes in the table."
)


def trace_pictures(data: ReportData) -> list[Picture]:
    """A figure for every fit that the run chose to show (`ReportData.traces`)."""
    return [_picture(data, posterior) for posterior in data.traces]


def _picture(data: ReportData, posterior: xr.Dataset) -> Picture:
    endpoint, model, prior = (str(posterior.attrs[name]) for name in ("endpoint", "model", "prior"))
    what = f"{upper_first(endpoint_label(data.study, endpoint))}, {model_label(model)}, {prior_label(prior)} prior"
    tables = int(posterior.attrs["tables"])
    where = f" Of {tables} tables, the typical one (number {posterior.attrs['table']})." if tables > 1 else ""
    shown = _series(posterior)
    with style(), plt.rc_context({"axes.prop_cycle": cycler(color=_COLOURS)}):
        plots = az.combine_plots(
            xr.DataTree.from_dict({"posterior": shown}),
            [
                (az.plot_trace, {"visuals": {"trace": _LINE, "title": False, "xlabel": False}}),
                (
                    az.plot_rank,
                    {"visuals": {"ecdf_lines": _LINE, "title": False, "xlabel": False}},
                ),
            ],
            plot_names=["trace", "rank"],
            backend="matplotlib",
            figure_kwargs={"figsize": (WIDTH, _MARGIN + _ROW * len(shown.data_vars)), "layout": "constrained"},
        )
        figure = plots.viz["figure"].item()
        figure.get_layout_engine().set(h_pad=_PAD, w_pad=_PAD)
        for name in shown.data_vars:
            left, right = plots.viz["plot"][name].to_numpy()
            left.set_title(str(name), fontsize=8, loc="left")
            # ArviZ writes the p of every row into the first one
            told = plots.viz["p_value_text_rank"][name].item()
            right.set_title(told.get_text().partition("(")[0].replace("=", " = "), fontsize=8, loc="right")
            told.remove()
        left.set_xlabel("Draw")
        right.set_xlabel("Rank, as a share of the draws")
        picture = finish(
            figure,
            f"traces_{endpoint}_{model}",
            f"Chains: {what}",
            _CAPTION + where,
            f"Trace and rank plots of {len(shown.data_vars)} parameters: {what}.",
        )
        plt.close(figure)
    return picture


def _series(posterior: xr.Dataset) -> xr.Dataset:
    """Parameters one by one, by the names that a reader knows; the elements of a vector by theirs."""
    found = {}
    for name, value in posterior.data_vars.items():
        own = [dim for dim in value.dims if dim not in (CHAIN, DRAW)]
        for place in [()] if not own else [(item,) for item in posterior[own[0]].to_numpy()]:
            one = value.sel(dict(zip(own, place, strict=True))).drop_vars(own)
            found[" ".join([words(str(name)), *map(str, place)])] = one
    return xr.Dataset(dict(list(found.items())[:_MOST]))
