"""The stage of a run that criticises its survival models: what it writes, from made-up draws."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from criticism_factory import fitted_of, simulated_table
from hydra import compose, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.data.life_table import on
from retrial.data.survival_checks import Criticised, criticised
from retrial.dims import ARM, MODEL, PREDICTIVE, QUANTILE, STATUS, SURVIVAL, TIME
from retrial.fit.ensemble import Question
from retrial.pipeline.results import criticism_files
from retrial.run_config import RunConfig

COLUMNS = ["endpoint", "model", "prior", "elpd_loo", "elpd_se", "p_loo", "pareto_k_max", "share_k_above_limit"]
COLUMNS += ["stacking_weight", "stacking_weight_sd", "tables", "status"]
DRAWS = 300


@pytest.fixture(scope="module")
def run(root: Path) -> RunConfig:
    made = []
    for name in ("weibull", "piecewise_exponential"):
        with initialize_config_module("retrial.conf", version_base="1.3"):
            raw = plain(compose("fit", [f"model={name}", "prior=sceptical"]))
        made.append(run_config(raw, "fit", root / "conf/study/yao2025.yaml", {"model": name, "prior": "sceptical"}))
    return dataclasses.replace(made[0], models={**made[0].models, **made[1].models})


def made_up(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws near a constant hazard with a median of 7 months."""
    effect = {"log_hazard_ratio": rng.normal(0, 0.2, DRAWS)}
    if name == "weibull":
        return effect | {"control_median": rng.lognormal(np.log(7), 0.15, DRAWS), "shape": rng.lognormal(0, 0.1, DRAWS)}
    return effect | {
        "log_baseline_hazard": rng.normal(np.log(np.log(2) / 7), 0.15, DRAWS),
        "walk_scale": rng.uniform(0.05, 0.2, DRAWS),
        "walk_steps": rng.normal(size=(DRAWS, 7)),
    }


def parts_of(run: RunConfig, failed: tuple[int, ...] = ()) -> list[Criticised]:
    table = simulated_table(np.random.default_rng(1), 45, unit=1.0)
    question = Question("os", table, np.ones(1))
    parts = []
    for name, spec in run.models.items():
        rng = np.random.default_rng(2)
        fitted = fitted_of(question, [made_up(name, rng)], name, failed if name == "weibull" else ())
        named = {run.main_prior: fitted.draws["flat"]}
        fitted = dataclasses.replace(fitted, draws=named, diagnostics={run.main_prior: fitted.diagnostics["flat"]})
        complete = {prior: given.over(spec.priors) for prior, given in run.priors.items()}
        parts.append(criticised(run, complete, on(spec, table, question.weights), fitted, question))
    return parts


@pytest.fixture(scope="module")
def written(run: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("criticism")
    criticism_files(parts_of(run)).write(folder)
    return folder


def test_scores(written: Path) -> None:
    frame = pd.read_csv(written / "criticism.csv")
    assert set(COLUMNS) <= set(frame.columns)
    assert frame["model"].tolist() == ["weibull", "piecewise_exponential"]
    assert frame["prior"].unique().tolist() == ["sceptical"]
    assert frame["stacking_weight"].sum() == pytest.approx(1.0)
    # the same patients, nearly the same distribution: their scores cannot be far apart whatever each is fitted with
    assert abs(frame["elpd_loo"].diff().iloc[1]) < 8
    assert (frame["elpd_loo"] < -100).all()


def test_pit_and_bands(written: Path) -> None:
    pit = pd.read_csv(written / "loo_pit.csv")
    assert set(pit["arm"]) == {"control", "experimental", "total"}
    with xr.open_dataset(written / "predictive_os.nc", engine="h5netcdf") as stored:
        bands = stored.load()
    assert set(bands[SURVIVAL].dims) == {MODEL, PREDICTIVE, QUANTILE, ARM, TIME}
    assert bands[STATUS].to_numpy().tolist() == ["ok", "ok"]
    assert bands.attrs["prior"] == "sceptical"
    survival = bands[SURVIVAL]
    assert (survival.diff(QUANTILE) >= 0).all()
    assert (survival.diff(TIME) <= 1e-12).all()
    width = survival.sel({QUANTILE: 0.975}) - survival.sel({QUANTILE: 0.025})
    at_five = width.sel({TIME: 5.0})
    assert (at_five.sel({PREDICTIVE: "prior"}) > at_five.sel({PREDICTIVE: "posterior"})).all()
    # a sceptical prior holds the arms together: both predict about the same before the data
    before = survival.sel({PREDICTIVE: "prior", QUANTILE: 0.5, TIME: 5.0})
    assert (abs(before.diff(ARM)) < 0.15).all()


def test_the_same_run_gives_the_same_bytes(run: RunConfig, written: Path, tmp_path: Path) -> None:
    criticism_files(parts_of(run)).write(tmp_path)
    for name in ("criticism.csv", "loo_pit.csv"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes()
    with (
        xr.open_dataset(tmp_path / "predictive_os.nc", engine="h5netcdf") as one,
        xr.open_dataset(written / "predictive_os.nc", engine="h5netcdf") as other,
    ):
        xr.testing.assert_identical(one, other)


def test_a_failed_fit_has_no_posterior_bands(run: RunConfig, tmp_path: Path) -> None:
    criticism_files(parts_of(run, failed=(0,))).write(tmp_path)
    frame = pd.read_csv(tmp_path / "criticism.csv").set_index("model")
    assert frame.loc["weibull", "status"].startswith("failed: 1 of 1 fits")
    assert frame.loc["weibull", ["elpd_loo", "stacking_weight"]].isna().all()
    assert frame["stacking_weight"].isna().all()
    assert set(pd.read_csv(tmp_path / "loo_pit.csv")["model"]) == {"piecewise_exponential"}
    with xr.open_dataset(tmp_path / "predictive_os.nc", engine="h5netcdf") as stored:
        one = stored.load().sel({MODEL: "weibull"})
    assert np.isnan(one[SURVIVAL].sel({PREDICTIVE: "posterior"})).all()
    assert np.isfinite(one[SURVIVAL].sel({PREDICTIVE: "prior"})).all()
    assert str(one[STATUS].item()).startswith("failed")


def test_nothing_fitted_nothing_written(tmp_path: Path) -> None:
    criticism_files([]).write(tmp_path)
    assert list(tmp_path.iterdir()) == []
