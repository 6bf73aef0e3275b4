"""Leaving one patient out: closed form, counts as patients, and ArviZ on the same patients one by one."""

from __future__ import annotations

import warnings

import arviz as az
import numpy as np
import pytest
from criticism_factory import arviz_tree, exponential, gamma_draws, posterior, table_data

from retrial.criticism.loo import leave_one_out, pareto_limit, smoothed_log_weights, standard_error
from retrial.criticism.pointwise import Cells, occupied_cells, pointwise_log_likelihood
from retrial.errors import FitError
from retrial.fit.survival.intervals import interval_counts
from retrial.fit.survival.likelihood import SurvivalData, cell_log_likelihood, survival_data
from retrial.models import piecewise_exponential, weibull
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded


def patients_of(cells: Cells) -> np.ndarray:
    """Cell of each patient."""
    return np.repeat(np.arange(cells.size), cells.counts.astype(int))


def test_cells_hold_every_patient() -> None:
    data = table_data()
    cells = occupied_cells(data)
    assert cells.patients == data.counts.sum() == 24
    assert np.array_equal(data.counts[cells.status, cells.arm, cells.column], cells.counts)
    assert (cells.counts > 0).all()
    assert sorted(np.concatenate(list(cells.chunks()))) == list(range(cells.size))


@pytest.mark.parametrize("recorded", ["exact", "ceiling"])
def test_pointwise_terms_are_the_models_own(recorded: str) -> None:
    data = table_data(recorded)  # type: ignore[arg-type]
    m, k, beta = 8.0, 1.3, -0.4
    draws = {"control_median": np.array([m]), "shape": np.array([k]), "log_hazard_ratio": np.array([beta])}
    cells = occupied_cells(data)
    found = pointwise_log_likelihood(weibull.hazard, draws, data, cells)[0]
    t, start, ratio = data.times[cells.column], data.previous[cells.column], np.exp(beta * cells.arm)
    total, before = (np.log(2) * (x / m) ** k * ratio for x in (t, start))
    event = np.log(k * total / t) - total if recorded == "exact" else np.log(np.exp(-before) - np.exp(-total))
    assert found == pytest.approx(np.where(cells.is_event, event, -total), abs=1e-12)


@pytest.mark.parametrize("recorded", ["exact", "ceiling"])
def test_late_entry_is_conditioned_on_patient_by_patient(recorded: Recorded) -> None:
    time, event = np.array([3.0, 5, 5, 6, 2, 6, 6, 1]), np.array([1, 0, 1, 1, 1, 0, 0, 1])
    arm, entry = np.array([0, 0, 0, 0, 1, 1, 1, 1]), np.array([1.0, 2, 0, 4, 0, 2, 2, 0])
    data = survival_data(LifeTable.from_patients(time, event, arm, entry), 0, recorded)
    cells, rate = occupied_cells(data), 0.11
    assert sorted(np.repeat(data.times[cells.column], cells.counts.astype(int))) == sorted(time)
    found = pointwise_log_likelihood(exponential, {"rate": np.array([rate])}, data, cells)[0]
    start = np.array([data.previous[list(data.times).index(t)] for t in time])
    of_event = np.log(rate) - rate * time if recorded == "exact" else np.log(np.exp(-rate * start) - np.exp(-rate * time))
    expected = np.where(event == 1, of_event, -rate * time) + rate * entry
    assert np.sort(np.repeat(found, cells.counts.astype(int))) == pytest.approx(np.sort(expected), abs=1e-12)
    counted = cell_log_likelihood(
        exponential, data.times, data.previous, {"rate": np.array(rate)}, recorded, np, len(data.counts)
    )
    assert (counted * data.counts).sum() == pytest.approx(expected.sum(), abs=1e-12)


def test_left_out_patients_with_late_entry_are_predicted_given_their_entry() -> None:
    """Exponential times forget the entry: P(T <= t | T > e) = 1 - E exp(-rate (t - e))."""
    time, entry, arm = np.array([3.0, 5, 9, 2]), np.array([1.0, 0, 6, 0]), np.array([0, 0, 1, 1])
    data = survival_data(LifeTable.from_patients(time, np.ones(4), arm, entry), 0, "ceiling")
    draws = {"rate": np.full(4000, 0.2)}
    left_out = leave_one_out(exponential, draws, data)
    t, e = data.times[left_out.cells.column], np.where(left_out.cells.entry >= 0, data.times[left_out.cells.entry], 0.0)
    start = data.previous[left_out.cells.column]
    assert left_out.pit_end == pytest.approx(1 - np.exp(-0.2 * (t - e)), abs=1e-12)
    assert left_out.pit_start == pytest.approx(1 - np.exp(-0.2 * (start - e)), abs=1e-12)


def test_a_model_of_sufficient_statistics_has_the_same_total() -> None:
    data, rng = table_data(), np.random.default_rng(1)
    draws = {
        "log_baseline_hazard": rng.normal(-2, 0.3, 5),
        "walk_scale": rng.uniform(0.1, 1, 5),
        "walk_steps": rng.normal(size=(5, 2)),
        "log_hazard_ratio": rng.normal(0, 0.5, 5),
    }
    cells = occupied_cells(data)

    def hazard(time: object, experimental: object, parameters: dict, xp: object) -> tuple:
        return piecewise_exponential.hazard(time, experimental, parameters, xp, cuts=(2.0, 4.0))

    found = pointwise_log_likelihood(hazard, draws, data, cells) @ cells.counts
    counted = interval_counts(data, (2.0, 4.0))
    scalars = {name: value[:, None] if value.ndim == 1 else value for name, value in draws.items()}
    log_h = np.stack(piecewise_exponential.log_hazards(scalars, np), axis=1)
    assert found == pytest.approx((counted.events * log_h - counted.exposure * np.exp(log_h)).sum((1, 2)), abs=1e-10)


def exact_left_out(data: SurvivalData, cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log p(y_i | y_-i), and P(T <= start and end of the month | y_-i), of the conjugate model.

    The posterior without patient i is Gamma(A - d_i, B - t_i); the first month starts at 0.
    """
    shape, rate = posterior(data)
    t = data.times[cells.column]
    a, b = shape - cells.is_event, rate - t
    survival = a * np.log(b / (b + t))
    start, end = (1 - (b / (b + time)) ** a for time in (np.where(t == 1, 0.0, t - 0.5), t + 0.5))
    return np.where(cells.is_event, survival + np.log(a) - np.log(b + t), survival), start, end


def test_against_the_closed_form() -> None:
    data = table_data()
    exact = exact_left_out(data, occupied_cells(data))
    # 40 posteriors of 2,000 draws: their mean is known to its standard error, by which it may be off
    found = [leave_one_out(exponential, gamma_draws(data, 2000, np.random.default_rng(seed)), data) for seed in range(40)]
    for name, right in zip(("elpd", "pit_start", "pit_end"), exact, strict=True):
        values = [getattr(item, name) for item in found]
        mean, error = np.mean(values, axis=0), np.std(values, axis=0, ddof=1) / np.sqrt(40)
        assert np.abs(mean - right).max() < 2e-3
        assert (np.abs(mean - right) < 5 * error + 2e-4).all()
    assert max(item.pareto_k.max() for item in found) < 0.7
    assert found[0].share_above_limit == 0


def test_counts_are_patients() -> None:
    """A cell of c patients is c cells of one patient."""
    data, rng = table_data(), np.random.default_rng(3)
    draws = gamma_draws(data, 1500, rng)
    once = leave_one_out(exponential, draws, data)
    rows = patients_of(once.cells)
    cells = once.cells.take(rows)
    counts = np.zeros((2, 2, rows.size))
    counts[cells.status, cells.arm, np.arange(rows.size)] = 1.0
    single = SurvivalData(data.times[cells.column], data.previous[cells.column], counts, "exact")
    apart = leave_one_out(exponential, draws, single)
    assert apart.cells.size == 24
    assert once.elpd_loo == pytest.approx(apart.elpd_loo, abs=1e-10)
    assert once.elpd_se == pytest.approx(apart.elpd_se, abs=1e-10)
    assert once.effective_parameters == pytest.approx(apart.effective_parameters, abs=1e-10)
    assert once.share_above_limit == pytest.approx(apart.share_above_limit, abs=1e-10)


def test_against_arviz_on_repeated_patients() -> None:
    data = table_data()
    draws = gamma_draws(data, 1500, np.random.default_rng(4))
    mine = leave_one_out(exponential, draws, data)
    cells = mine.cells
    repeated = pointwise_log_likelihood(exponential, draws, data, cells)[:, patients_of(cells)]
    theirs = az.loo(arviz_tree(repeated), pointwise=True, reff=1.0)
    assert mine.elpd_loo == pytest.approx(float(theirs.elpd), abs=1e-10)
    assert mine.elpd_se == pytest.approx(float(theirs.se), abs=1e-10)
    assert mine.effective_parameters == pytest.approx(float(theirs.p), abs=1e-9)
    assert mine.pareto_k[patients_of(cells)] == pytest.approx(theirs.pareto_k.to_numpy().ravel(), abs=1e-10)
    assert mine.limit == pytest.approx(theirs.good_k)


def test_a_lone_outlier_has_a_high_pareto_k() -> None:
    data = table_data()
    far = SurvivalData(
        np.append(data.times, 400.0), np.append(data.previous, 6.0), np.pad(data.counts, ((0, 0), (0, 0), (0, 1))), "exact"
    )
    far.counts[0, 0, -1] = 1.0
    # a posterior that has not seen the outlier: its importance ratios have a heavy tail
    found = leave_one_out(exponential, gamma_draws(data, 2000, np.random.default_rng(5)), far)
    assert found.pareto_k[-1] > found.limit
    assert found.share_above_limit == pytest.approx(1 / 25)


def test_a_cell_that_no_draw_tells_apart_is_left_out_for_nothing() -> None:
    log_likelihood = np.column_stack([np.full(400, -1.5), np.random.default_rng(0).normal(size=400)])
    weights, k = smoothed_log_weights(log_likelihood)
    assert weights[:, 0] == pytest.approx(np.full(400, -np.log(400)))
    assert k[0] == 0
    assert np.exp(weights).sum(axis=0) == pytest.approx([1.0, 1.0])


def test_low_efficiency_lengthens_the_tail_but_never_beyond_a_fifth() -> None:
    values = np.random.default_rng(0).normal(size=(1600, 1))
    assert smoothed_log_weights(values, 0.5)[1] != smoothed_log_weights(values, 1.0)[1]
    assert np.array_equal(smoothed_log_weights(values, 1e-3)[1], smoothed_log_weights(values, 225 / 1600)[1])


def test_no_likelihood_no_leaving_out() -> None:
    with np.errstate(divide="ignore"), pytest.raises(FitError, match="finite log-likelihood"):
        leave_one_out(exponential, {"rate": np.linspace(0.0, 1.0, 100)}, table_data())


def test_limit_and_error() -> None:
    # Vehtari et al. 2024: 0.7 from about 2,200 draws on; 1 - 1 / log10(100) = 0.5
    assert pareto_limit(100) == pytest.approx(0.5)
    assert pareto_limit(10**6) == 0.7
    values, counts = np.array([-1.0, -3.0]), np.array([3.0, 1.0])
    assert standard_error(values, counts) == pytest.approx(np.sqrt(4 * np.var([-1, -1, -1, -3], ddof=1)))


def test_more_times_than_one_chunk() -> None:
    rng = np.random.default_rng(6)
    times = np.sort(rng.uniform(0.1, 20, 150))
    counts = np.zeros((2, 2, 150))
    counts[rng.integers(2, size=150), rng.integers(2, size=150), np.arange(150)] = 1
    data = SurvivalData(times, np.append(0.0, times[:-1]), counts, "exact")
    draws = gamma_draws(data, 400, rng)
    found = leave_one_out(exponential, draws, data)
    whole = pointwise_log_likelihood(exponential, draws, data, found.cells)
    weights, k = smoothed_log_weights(whole)
    assert found.pareto_k == pytest.approx(k)
    assert found.elpd == pytest.approx(np.log((np.exp(weights + whole)).sum(0)))
    with warnings.catch_warnings():
        # no patient is beyond the limit
        warnings.simplefilter("error")
        az.loo(arviz_tree(whole), reff=1.0)
