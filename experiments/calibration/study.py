"""Simulation-based calibration of every model that is sampled: a table and the ranks' histograms of each.

Survival models by NUTS, and (MODEL_auto) by the levels that runs take, importance sampling where it passes.

A model fails where the least p-value of its parameters' ranks, times their number, is below `LEAST_P`; so does the study where a
likelihood spoiled on purpose passes.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from retrial.experiments.calibration.counts import count_ranks
from retrial.experiments.calibration.survival import BINS, CASES, RANKS, off, ranks, uniformity
from retrial.fit.settings import Method

LEAST_P = 1e-3
COUNTS = ("response_hierarchical", "adverse_events_hierarchical", "response_borrowing")
Ranks = dict[str, np.ndarray]


def main(folder: Path, simulations: int = 500) -> list[str]:
    """Write MODEL.csv and MODEL.png of every model; return what failed, in words."""
    makers: dict[str, Callable[[], Ranks]] = {
        **{name: partial(ranks, name, simulations, seed=7) for name in CASES},
        **{f"{name}_auto": partial(ranks, name, simulations, seed=9, method=Method.AUTO) for name in CASES},
        **{name: partial(count_ranks, name, simulations, seed=11) for name in COUNTS},
    }
    failures = []
    for name, make in makers.items():
        found = make()
        draw(name, found, folder)
        record(name, found, folder)
        if (p := least(found)) <= LEAST_P:
            failures.append(f"{name}: ranks are not uniform, p {p:.2g}")
    # every patient counts twice: posteriors too narrow by a factor of up to √2, less where the prior speaks
    spoiled = least(ranks("weibull", simulations, seed=7, factor=2.0))
    return failures if spoiled < LEAST_P else [*failures, f"weibull, every patient counted twice: passes, p {spoiled:.2g}"]


def least(found: Ranks) -> float:
    """Bonferroni's p of a model: the least over its parameters, times their number (whatever their dependence)."""
    return min(1.0, len(found) * min(off(values) for values in found.values()))


def draw(name: str, found: Ranks, folder: Path) -> None:
    """Histograms of the ranks with the 99 % band of a uniform distribution."""
    simulations = next(iter(found.values())).size
    low, high = stats.binom(simulations, 1 / BINS).ppf([0.005, 0.995])
    columns = 4
    rows = -(-len(found) // columns)
    figure = Figure(figsize=(10, 2.2 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axis, (key, values) in zip(axes, found.items(), strict=False):
        axis.axhspan(low, high, color="0.88")
        axis.hist(values, bins=np.linspace(0, RANKS, BINS + 1), color="#0072b2")
        axis.set_title(f"{key}  (p {uniformity(values):.2f})", fontsize=9)
        axis.tick_params(labelsize=7)
    for axis in axes[len(found) :]:
        axis.set_axis_off()
    title = f"{name}: rank of the truth among {RANKS - 1} draws, {simulations} simulations; band: 99 % of uniform counts"
    figure.suptitle(title, fontsize=10)
    figure.savefig(folder / f"{name}.png", dpi=110)


def record(name: str, found: Ranks, folder: Path) -> None:
    """A table with one row a parameter."""
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["model", "parameter", "simulations", "chi_square_p", "mean_rank", "share_in_central_half"])
        for key, values in found.items():
            central = float(((values >= RANKS // 4) & (values < 3 * RANKS // 4)).mean())
            writer.writerow([name, key, values.size, f"{uniformity(values):.4f}", f"{values.mean():.1f}", f"{central:.3f}"])
