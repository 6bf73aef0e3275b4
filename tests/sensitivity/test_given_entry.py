"""The effect given entry: hazards from then on, fits against maximum likelihood, and which endpoints and models have it."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from retrial.answers import curves
from retrial.data import life_table
from retrial.fit.settings import Method, SamplerSettings
from retrial.fit.survival.likelihood import cell_log_likelihood, entering, survival_data
from retrial.models import weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.sensitivity.of_design.entry import FROM_ENTRY, FROM_ZERO, from_then_on, given_entry, some_tables
from retrial.study.reported import Quantity
from retrial.tables.endpoint import EndpointTables
from retrial.tables.life_table import LifeTable
from tests.tables.toy import toy_targets

TIMES = np.arange(3.0, 24.0)


def late_tables(tables: int = 2, size: int = 300) -> LifeTable:
    """Weibull of shape 1.2 and ratio 0.6 among those without the event at 2.5 months, followed to the 23rd."""
    rng = np.random.default_rng(5)
    counts = np.zeros((2, tables, 2, TIMES.size), int)
    for table in range(tables):
        for arm, rate in enumerate((0.05, 0.03)):
            time = ((rng.exponential(size=size) + rate * 2.5**1.2) / rate) ** (1 / 1.2)
            event, row = time < 23.5, np.clip(np.rint(time), 3, 23).astype(int) - 3
            np.add.at(counts, (1 - event.astype(int), table, arm, row), 1)
    return LifeTable.from_counts(TIMES, counts[0], counts[1]).on_recording_grid(1.0, "nearest")


def run_config() -> RunConfig:
    own = {"control_median": Prior("lognormal", (2.5, 1.5)), "shape": Prior("lognormal", (0.0, 0.5))}
    spec = ModelSpec("weibull", life_table.KIND, weibull.build, {"hazard": weibull.hazard}, own)
    flat = PriorSet("flat", {"log_hazard_ratio": Prior("normal", (0.0, 10.0))})
    sampler = SamplerSettings(method=Method.IMPORTANCE, pooled_draws=4000)
    about: dict[str, Any] = {"verb": "reanalyse", "study_file": Path("toy.yaml"), "seed": 5, "output_dir": Path(), "force": False}
    return RunConfig(**about, asked={}, models={"weibull": spec}, priors={"flat": flat}, sampler=sampler)


def study(randomised: bool = False) -> Any:
    endpoint = SimpleNamespace(label="", shortest_of=lambda _: Quantity.parse("3.0"), recording_unit=None, reading="nearest")
    return SimpleNamespace(
        endpoints={"os": endpoint}, randomised=randomised, time_unit="months", one_arm=False, effects={}, binary={}
    )


def item(table: LifeTable) -> EndpointTables:
    targets = toy_targets((300, 300), 23, [])
    return EndpointTables(
        "os", table, np.full(table.n_reconstructions, 1 / table.n_reconstructions), "nearest", "", targets=targets
    )


def test_hazards_from_then_on() -> None:
    """A Weibull's survival given entry, and an exponential's, which has no memory."""
    draws = {"control_median": np.array([8.0]), "shape": np.array([1.7]), "log_hazard_ratio": np.array([-0.5])}
    at = np.array([1.0, 6.0])
    whole, first = curves.survival(weibull.hazard, draws, at + 2.5), curves.survival(weibull.hazard, draws, np.array([2.5]))
    later = from_then_on(weibull.hazard, 2.5)
    assert curves.survival(later, draws, at) == pytest.approx(whole / first, abs=1e-12)
    assert curves.log_average_hazard_ratio(later, draws, 9.0) == pytest.approx([-0.5], abs=1e-9)
    constant = draws | {"shape": np.array([1.0])}
    assert curves.rmst(later, constant, 9.0) == pytest.approx(curves.rmst(weibull.hazard, constant, 9.0), abs=1e-9)


def test_the_fit_from_entry_is_that_of_who_was_there() -> None:
    """Medians against maximum likelihood of each table, and the planted shape's ratio; from time 0 the answers are others."""
    table, run = late_tables(), run_config()
    found = given_entry(run, study(), [item(table)], {("os", "weibull"): None}, [])  # type: ignore[dict-item]
    rows = {
        (row["fitted"], row["given"], row["quantity"], row["time"]): row
        for row in found.rows
        if row["quantity"] != "hazard_ratio"
    }
    ratios = {(row["fitted"], row["given"]): row for row in found.rows if row["quantity"] == "hazard_ratio"}
    assert set(ratios) == {(FROM_ZERO, 0.0), (FROM_ZERO, 2.5), (FROM_ENTRY, 2.5)}
    assert {row["status"] for row in found.rows} == {"ok"}

    def maximum(index: int) -> float:
        data = entering(survival_data(table, index, "nearest"), 2.5)

        def loss(x: np.ndarray) -> float:
            point = {"control_median": math.exp(x[0]), "shape": math.exp(x[1]), "log_hazard_ratio": x[2]}
            cells = cell_log_likelihood(weibull.hazard, data.times, data.previous, point, "nearest", np, 3)
            return -float((cells * data.counts).sum())

        return float(optimize.minimize(loss, [2.3, 0.0, -0.5], method="Nelder-Mead", options={"xatol": 1e-6}).x[2])

    both = np.mean([maximum(0), maximum(1)])
    late = ratios[FROM_ENTRY, 2.5]
    assert math.log(late["median"]) == pytest.approx(both, abs=0.03)
    assert math.log(late["median"]) == pytest.approx(math.log(0.6), abs=0.25)
    assert rows[FROM_ENTRY, 2.5, "rmst_difference", 18.0]["median"] > 0
    assert not any(row["quantity"] == "survival_difference" and row["time"] <= row["given"] for row in found.rows)
    lines = {row["quantity"]: row for row in found.variance}
    assert {row["design"] for row in found.variance} == {"entry"}
    shift = math.log(late["median"]) - math.log(ratios[FROM_ZERO, 0.0]["median"])
    assert lines["log_hazard_ratio"]["shift"] == pytest.approx(shift, abs=0.03)
    shares = [
        lines["log_hazard_ratio"][f"{name}_share"] for name in ("within", "between_tables", "between_readings", "between_designs")
    ]
    assert sum(shares) == pytest.approx(1.0)


def test_only_of_endpoints_whose_design_may_be_read_so_and_models_that_were_fitted() -> None:
    run, tables = run_config(), [item(late_tables(1))]
    assert given_entry(run, study(randomised=True), tables, {("os", "weibull"): None}, []).rows == []  # type: ignore[dict-item]
    assert given_entry(run, study(), tables, {}, []).rows == []


def test_a_failed_main_fit_fails_what_is_said_given_entry() -> None:
    """Of that model, endpoint and prior; a failure of another prior, or of a variant, says nothing of it."""
    about = {"endpoint": "os", "model": "weibull", "prior": "flat", "variant": "", "status": "failed: rhat 1.2"}
    others = [about | {"prior": "sceptical"}, about | {"variant": "adjusted"}, about | {"status": "ok"}]
    for rows, words in ((others, {"ok"}), ([*others, about], {"failed: 1 of 2 fits; first: rhat 1.2 (of the main fit)"})):
        found = given_entry(run_config(), study(), [item(late_tables(1, 60))], {("os", "weibull"): None}, rows)  # type: ignore[dict-item]
        assert {row["status"] for row in (*found.rows, *found.variance)} == words


def test_some_tables_as_often_as_their_weights_say() -> None:
    table = late_tables(6, 20)
    whole = EndpointTables("os", table, np.array([0.5, 0.3, 0.1, 0.1, 0.0, 0.0]), "nearest", "")
    some = some_tables(whole, 5)
    assert some.table.n_reconstructions == len(some.weights) <= 4
    assert some.weights.sum() == pytest.approx(1.0)
    assert some.weights[0] == some.weights.max()
    assert some_tables(whole, 6) is whole
