"""Simulation-based calibration, 500 simulations a model (`make validate`); writes the ranks' histograms and a table beside this file."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats
from simulate import BINS, CASES, RANKS, off, ranks, uniformity

matplotlib.use("Agg")
SIMULATIONS = 500
RESULTS = Path(__file__).parent / "results"
pytestmark = pytest.mark.slow
LEAST_P = 1e-3


def draw(name: str, found: dict[str, np.ndarray]) -> None:
    """Histograms of the ranks with the 99 % band of a uniform distribution."""
    low, high = stats.binom(SIMULATIONS, 1 / BINS).ppf([0.005, 0.995])
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
    figure.suptitle(
        f"{name}: rank of the truth among {RANKS - 1} draws, {SIMULATIONS} simulations; band: 99 % of uniform counts", fontsize=10
    )
    figure.savefig(RESULTS / f"calibration_{name}.png", dpi=110)


def record(name: str, found: dict[str, np.ndarray]) -> None:
    """A table with one row a parameter."""
    with (RESULTS / f"calibration_{name}.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["model", "parameter", "simulations", "chi_square_p", "mean_rank", "share_in_central_half"])
        for key, values in found.items():
            central = float(((values >= RANKS // 4) & (values < 3 * RANKS // 4)).mean())
            writer.writerow([name, key, SIMULATIONS, f"{uniformity(values):.4f}", f"{values.mean():.1f}", f"{central:.3f}"])


def check(name: str, found: dict[str, np.ndarray]) -> None:
    """Write the results, and fail where the least p-value, times the number of parameters, is below `LEAST_P`."""
    RESULTS.mkdir(exist_ok=True)
    draw(name, found)
    record(name, found)
    assert least(found) > LEAST_P


def least(found: dict[str, np.ndarray]) -> float:
    """Bonferroni's p of a model: the least over its parameters, times their number (whatever their dependence)."""
    return min(1.0, len(found) * min(off(values) for values in found.values()))


@pytest.mark.parametrize("name", list(CASES))
def test_ranks_are_uniform(name: str) -> None:
    check(name, ranks(name, SIMULATIONS, seed=7))


def test_a_spoiled_likelihood_fails() -> None:
    # every patient counts twice: posteriors too narrow by a factor of up to √2, less where the prior speaks
    assert least(ranks("weibull", SIMULATIONS, seed=7, factor=2.0)) < LEAST_P
