"""Saved posteriors are read by ArviZ alone: summaries, leave-one-out, power-scaling and plots of a selected prior and table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import arviz as az
import h5py
import matplotlib.pyplot as plt
import numpy as np
import pymc as pm
import pytest
import xarray as xr

from retrial.criticism.loo import leave_one_out
from retrial.criticism.pointwise import leading_tables, patients_observed
from retrial.data import chains
from retrial.fit import posterior_file
from retrial.fit.engine import Draws
from retrial.fit.ensemble import Question
from retrial.fit.posterior_file import by_number, posterior_tree, typical_posterior
from retrial.fit.survival.likelihood import survival_data
from retrial.frequentist.spread import typical_table
from retrial.models import response_hierarchical, weibull
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable

CHAINS, DRAWS, TABLES = 4, 250, 7
CENTRES = {"control_median": (8.0, 0.6), "shape": (1.4, 0.1), "log_hazard_ratio": (-0.5, 0.2)}
STEPS = {"baseline_logit": (2,), "log_odds_ratio": (), "effect_sd": (), "standard_effect": (2,)}


def prior_set(name: str, **priors: tuple[str, Any]) -> PriorSet:
    return PriorSet(name, {key: Prior(family, values) for key, (family, values) in priors.items()})


def survival_sets() -> dict[str, PriorSet]:
    own = {"control_median": ("lognormal", (2.0, 1.0)), "shape": ("lognormal", (0.0, 0.5))}
    effects = {"sceptical": ("normal", (0.0, 0.355)), "mixed": ("normal_mixture", ((0.5, 0.5), (0.0, -0.5), (0.3, 1.0)))}
    return {name: prior_set(name, **own, log_hazard_ratio=effect) for name, effect in effects.items()}


def question(late: int = 0) -> Question:
    """Tables of 40 patients on months 1 to 12; `late` patients of the last table leave at time 0 instead."""
    rng = np.random.default_rng(3)
    counts = np.stack([rng.multinomial(20, np.full(24, 1 / 24), 2).reshape(2, 12, 2) for _ in range(TABLES)])
    counts = np.pad(counts, ((0, 0), (0, 0), (1, 0), (0, 0)))
    at_last = np.flatnonzero(counts[-1, 0, 1:, 1])[:late] + 1
    counts[-1, 0, at_last, 1] -= 1
    counts[-1, 0, 0, 1] += at_last.size
    table = LifeTable.from_counts(np.arange(13.0), counts[..., 0], counts[..., 1])
    weights = rng.dirichlet(np.full(TABLES, 5.0))
    return Question("os", table, weights)


def draws_of(shapes: dict[str, tuple[int, ...]], seed: int) -> Draws:
    rng = np.random.default_rng(seed)
    values = {}
    for name, shape in shapes.items():
        centre, sd = CENTRES.get(name, (0.0, 0.3))
        value = rng.normal(centre, sd, (CHAINS, DRAWS, *shape))
        values[name] = np.abs(value) if name == "effect_sd" else value
    return Draws(values, np.zeros((CHAINS, DRAWS), dtype=bool))


def survival_file(path: Path, asked: Question) -> dict[str, list[Draws]]:
    sets = survival_sets()
    fits = {name: [draws_of(dict.fromkeys(CENTRES, ()), 10 * i + k) for k in range(TABLES)] for i, name in enumerate(sets)}
    tree = posterior_tree(survival_model(asked), fits, sets, patients_observed(weibull.hazard, asked), {"model": "weibull"})
    tree.to_netcdf(path, engine="h5netcdf")
    return fits


def survival_model(asked: Question) -> pm.Model:
    return weibull.build(survival_data(asked.table, 0), survival_sets()["sceptical"])


@pytest.fixture(scope="module")
def survival(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Question, dict[str, list[Draws]]]:
    path, asked = tmp_path_factory.mktemp("posterior") / "posterior.nc", question()
    return path, asked, survival_file(path, asked)


@pytest.fixture(scope="module")
def response(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, chains.CategoryCounts, pm.Model, Draws]:
    path = tmp_path_factory.mktemp("posterior") / "posterior.nc"
    data = chains.category_counts(("CR", "PR", "PD"), (3, 20, 26), (5, 25, 13))
    priors = prior_set(
        "sceptical",
        baseline_logit=("normal", (0.0, 1.5)),
        log_odds_ratio=("normal", (0.0, 0.4)),
        effect_sd=("half_normal", (0.5,)),
    )
    fit = draws_of(STEPS, 1)
    model = response_hierarchical.build(data, priors)
    observed = chains.patients_observed(data.patients, response_hierarchical.probabilities)
    tree = posterior_tree(model, {"sceptical": [fit]}, {"sceptical": priors}, observed, {"model": "response"})
    tree.to_netcdf(path, engine="h5netcdf")
    return path, data, model, fit


def arviz_alone(one: xr.DataTree, parameters: int) -> Any:
    """Everything that ArviZ is asked for, on one prior and table as they were selected."""
    assert len(az.summary(one)) == parameters
    sensitivity = az.psense_summary(one)
    assert np.isfinite(sensitivity[["prior", "likelihood"]].to_numpy(float)).all()
    for plot in (az.plot_forest, az.plot_trace_dist, az.plot_rank):
        plot(one)
        plt.close("all")
    return az.loo(one, pointwise=True, reff=1.0)


def test_arviz_reads_a_survival_model(survival: tuple[Path, Question, dict[str, list[Draws]]]) -> None:
    path, asked, fits = survival
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        for prior in fits:
            one = tree.sel(prior=prior).isel(reconstruction=1)
            found, table = arviz_alone(one, 3), int(one["posterior"]["reconstruction"])
            draws = {name: value.ravel() for name, value in fits[prior][table].values.items()}
            own = leave_one_out(weibull.hazard, draws, survival_data(asked.table, table))
            assert found.elpd == pytest.approx(own.elpd_loo, abs=1e-4)
            assert found.se == pytest.approx(own.elpd_se, rel=1e-4)
            assert found.n_data_points == own.cells.patients == 40
            assert float(one["posterior"]["weight"]) == asked.weights[table]


def test_arviz_reads_a_model_of_counts(response: tuple[Path, chains.CategoryCounts, pm.Model, Draws]) -> None:
    path, data, _, _ = response
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        found = arviz_alone(tree.sel(prior="sceptical", reconstruction=0), 6)
        assert found.n_data_points == data.counts.sum()
        about = tree["log_likelihood"].to_dataset().isel(reconstruction=0)
        seen = [
            int(((about["arm"] == arm) & (about["category"] == name)).sum())
            for arm in ("control", "experimental")
            for name in data.names
        ]
        assert seen == data.counts.ravel().tolist()


def test_log_densities_are_those_of_the_pymc_models(
    survival: tuple[Path, Question, dict[str, list[Draws]]], response: tuple[Path, chains.CategoryCounts, pm.Model, Draws]
) -> None:
    asked, data = survival[1], response[1]
    with xr.open_datatree(survival[0], engine="h5netcdf") as tree:
        one = tree.sel(prior="sceptical").isel(reconstruction=0).load()
    table = int(one["posterior"]["reconstruction"])
    model = weibull.build(survival_data(asked.table, table), survival_sets()["sceptical"])
    exact = model.compile_logp(jacobian=False)
    for draw in (0, 17):
        at = {"chain": 2, "draw": draw}
        point = {str(name): float(value) for name, value in one["posterior"].to_dataset().isel(at).data_vars.items()}
        logs = {f"{name}_log__": np.log(point.pop(name)) for name in ("control_median", "shape")}
        written = sum(float(one[group].to_dataset().isel(at).to_dataarray().sum()) for group in ("log_prior", "log_likelihood"))
        assert written == pytest.approx(float(exact({**point, **logs})), abs=1e-3)
    with xr.open_datatree(response[0], engine="h5netcdf") as tree:
        stored = (
            tree["log_likelihood"]
            .to_dataset()["responses"]
            .isel(prior=0, reconstruction=0, chain=0)
            .sum("observation")
            .to_numpy()
        )
    at_risk, fit = data.at_risk, response[3]
    first = {name: value[0] for name, value in fit.values.items()}
    logit = (
        response_hierarchical.centre(2)
        + first["baseline_logit"][:, None, :]
        + np.array([[0.0], [1.0]]) * response_hierarchical.step_effects(first)[:, None, :]
    )
    binomial = (data.events * logit - at_risk * np.logaddexp(0.0, logit)).sum(axis=(1, 2))
    np.testing.assert_allclose(stored, binomial, atol=1e-3)


def test_positions_mean_the_same_table_in_every_group(survival: tuple[Path, Question, dict[str, list[Draws]]]) -> None:
    path, asked, fits = survival
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        whole, some = (tree[group]["reconstruction"].to_numpy() for group in ("posterior", "log_likelihood"))
        assert whole[: some.size].tolist() == some.tolist()
        assert sorted(whole) == list(range(TABLES))
        with pytest.raises((KeyError, IndexError)):
            tree.isel(reconstruction=some.size)
        posterior, observed = by_number(tree)
    assert posterior["reconstruction"].to_numpy().tolist() == list(range(TABLES))
    np.testing.assert_array_equal(observed["weight"], asked.weights)
    np.testing.assert_array_equal(observed["events"], asked.table.events)
    for prior, drawn in fits.items():
        values = posterior["shape"].sel(prior=prior).to_numpy()
        np.testing.assert_array_equal(values, np.stack([fit.values["shape"] for fit in drawn]).astype(np.float32))


def test_the_typical_table_under_a_prior(survival: tuple[Path, Question, dict[str, list[Draws]]]) -> None:
    path, asked, fits = survival
    one = typical_posterior(path, "mixed")
    typical = typical_table(asked.table, asked.weights)
    assert (one.attrs["prior"], one.attrs["table"], one.attrs["tables"]) == ("mixed", typical, TABLES)
    np.testing.assert_array_equal(one["shape"], fits["mixed"][typical].values["shape"].astype(np.float32))
    assert typical_posterior(path, "not fitted").attrs["prior"] == "sceptical"


def test_tables_beside_the_typical_one_come_by_the_order_of_their_effect() -> None:
    """20 tables that differ by the events of the experimental arm, 0 to 19, in descending order."""
    events = np.zeros((20, 2, 1), int)
    events[:, 0], events[:, 1, 0] = 10, np.arange(20)[::-1]
    table, weights = LifeTable.from_counts(np.array([1.0]), events, 20 - events), np.full(20, 0.05)
    typical, *others = leading_tables(table, weights)
    assert typical == typical_table(table, weights)
    expected = [count for count in (0, 4, 14, 18) if count != events[typical, 1, 0]]
    assert events[others, 1, 0].tolist() == expected
    assert leading_tables(table.select(3), np.ones(1)).tolist() == [0]


@pytest.mark.parametrize(("room", "priors", "tables"), [(1, 1, 1), (2, 2, 1), (6, 2, 3), (0, 0, 0)])
def test_what_is_too_much_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: int, priors: int, tables: int
) -> None:
    monkeypatch.setattr(posterior_file, "MOST_VALUES", room * 40 * CHAINS * DRAWS)
    survival_file(tmp_path / "posterior.nc", question())
    with xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf") as tree:
        assert ("log_likelihood" in tree) is (room > 0)
        if room:
            sizes = tree["log_likelihood"].sizes
            assert (sizes["prior"], sizes["reconstruction"]) == (priors, tables)
        assert tree["posterior"].sizes["reconstruction"] == TABLES


def test_patients_who_left_at_once_are_no_observations(tmp_path: Path) -> None:
    asked = question(late=3)
    observed = patients_observed(weibull.hazard, asked)
    assert {name: values.size for name, values in observed.observations(TABLES - 1).items()} == {
        "arm": 37,
        "months": 37,
        "event": 37,
    }
    survival_file(tmp_path / "posterior.nc", asked)
    with xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf") as tree:
        values = tree["log_likelihood"].to_dataset()["life_table"]
        missing = values.isnull().all(["prior", "chain", "draw"]).sum("observation")
        assert [int(missing.sel(reconstruction=k)) for k in missing["reconstruction"]] == [
            3 * (k == TABLES - 1) for k in missing["reconstruction"]
        ]


def test_the_same_fits_give_the_same_bytes(survival: tuple[Path, Question, dict[str, list[Draws]]], tmp_path: Path) -> None:
    survival_file(tmp_path / "again.nc", question())
    assert (tmp_path / "again.nc").read_bytes() == survival[0].read_bytes()
    with h5py.File(survival[0]) as file:
        assert set(file["posterior"].attrs) >= {"model", "creation_library"}
        assert "created_at" not in file["posterior"].attrs
