"""Criticism over an ensemble: failed fits never enter, weights of tables count, rows say what they must."""

from __future__ import annotations

import numpy as np
import pytest
from criticism_factory import exponential, fitted_of, gamma_draws, simulated_table

from retrial.criticism.ensemble import (
    LOO_TABLES,
    PREDICTIVE_DRAWS,
    criticise,
    mean_pit,
    posterior_studies,
    tables_looked_at,
)
from retrial.criticism.pit import GROUPS
from retrial.criticism.summary import pit_rows, summary_rows
from retrial.fit.ensemble import Question
from retrial.fit.survival.likelihood import survival_data
from retrial.tables.life_table import LifeTable

TABLES = 4


@pytest.fixture(scope="module")
def question() -> Question:
    """Four tables on one monthly grid; the first weighs as much as the others together."""
    rng = np.random.default_rng(1)
    tables = [simulated_table(rng, 40, unit=1.0) for _ in range(TABLES)]
    grid = np.arange(1.0, 1 + max(table.times[-1] for table in tables))
    events, censored = np.zeros((2, TABLES, 2, grid.size))
    for i, table in enumerate(tables):
        columns = np.searchsorted(grid, table.times)
        events[i][:, columns], censored[i][:, columns] = table.counts()
    return Question("os", LifeTable.from_counts(grid, events, censored), np.array([0.5, 0.2, 0.2, 0.1]))


def draws_of(question: Question, factor: float = 1.0) -> list[dict[str, np.ndarray]]:
    """Posteriors of every table; `factor` makes the model wrong."""
    rng = np.random.default_rng(2)
    found = [gamma_draws(survival_data(question.table, index), 400, rng) for index in range(TABLES)]
    return [{"rate": factor * one["rate"]} for one in found]


def test_means_are_weighted_as_the_tables(question: Question) -> None:
    part = criticise(exponential, fitted_of(question, draws_of(question)), "flat", question)
    row = summary_rows([part])[0]
    each = [item.elpd_loo for item in part.left_out if item is not None]
    assert row["elpd_loo"] == pytest.approx(question.weights @ each)
    assert (row["tables"], row["tables_failed"], row["status"]) == (4, 0, "ok")
    # nothing to weigh against
    assert np.isnan(row["stacking_weight"])
    assert np.isnan(row["elpd_difference"])


def test_the_better_model_gets_the_weight(question: Question) -> None:
    parts = [
        criticise(exponential, fitted_of(question, draws_of(question, factor), name), "flat", question)
        for name, factor in (("right", 1.0), ("wrong", 2.5))
    ]
    right, wrong = summary_rows(parts)
    assert right["stacking_weight"] > 0.9
    assert right["stacking_weight"] + wrong["stacking_weight"] == pytest.approx(1.0)
    assert (right["elpd_difference"], right["elpd_difference_se"]) == (0, 0)
    assert wrong["elpd_difference"] == pytest.approx(wrong["elpd_loo"] - right["elpd_loo"])
    assert wrong["elpd_difference"] < -2 * wrong["elpd_difference_se"] < 0


def test_a_failed_fit_is_shown_and_left_out_of_everything(question: Question) -> None:
    draws = draws_of(question)
    whole = criticise(exponential, fitted_of(question, draws), "flat", question)
    # the failed fit's draws are absurd: they would be seen if they were used
    absurd = [{"rate": 40.0 * one["rate"]} if i == 1 else one for i, one in enumerate(draws)]
    fitted = fitted_of(question, absurd, "partly", failed=(1,))
    part = criticise(exponential, fitted, "flat", question)
    assert part.left_out[1] is None
    assert part.status == "failed: 1 of 4 fits; first: 7 divergences > 0"
    first, second = summary_rows([whole, part])
    assert (second["tables"], second["tables_failed"], second["tables_compared"]) == (3, 1, 3)
    assert (first["tables"], first["tables_compared"]) == (4, 3)
    assert second["elpd_difference"] == pytest.approx(0.0, abs=1e-9)
    assert "failed" in second["status"]
    each = [item.elpd_loo for item in whole.left_out if item is not None]
    assert second["elpd_loo"] == pytest.approx(np.average(np.array(each)[[0, 2, 3]], weights=[0.5, 0.2, 0.1]))
    studies = posterior_studies(exponential, fitted, "flat", question, np.random.default_rng(3))
    assert studies is not None
    # a quarter of a year at 40 times the rate kills everybody
    assert studies[:, :, 2].min() > 0.2


def test_a_model_that_failed_on_most_tables_is_neither_scored_nor_stacked(question: Question) -> None:
    draws = draws_of(question)
    good = [criticise(exponential, fitted_of(question, draws, name), "flat", question) for name in ("one", "two")]
    fitted = fitted_of(question, draws, "broken", failed=(0, 1, 3))
    broken = criticise(exponential, fitted, "flat", question)
    rows = summary_rows([good[0], broken, good[1]])
    assert all(np.isnan(rows[1][name]) for name in ("elpd_loo", "elpd_difference", "stacking_weight", "pareto_k_max"))
    assert (rows[1]["tables"], rows[1]["tables_failed"], rows[1]["tables_compared"]) == (1, 3, 0)
    assert rows[0]["tables_compared"] == rows[2]["tables_compared"] == 4
    assert rows[0]["stacking_weight"] + rows[2]["stacking_weight"] == pytest.approx(1.0)
    assert mean_pit(broken, "exact") == []
    assert posterior_studies(exponential, fitted, "flat", question, np.random.default_rng(4)) is None


def test_a_draw_without_likelihood_is_a_failure(question: Question) -> None:
    draws = draws_of(question)
    draws[2]["rate"][5] = 0.0
    with np.errstate(divide="ignore"):
        part = criticise(exponential, fitted_of(question, draws), "flat", question)
    assert part.usable.tolist() == [True, True, False, True]
    assert "finite log-likelihood" in part.status


def test_pit_rows(question: Question) -> None:
    part = criticise(exponential, fitted_of(question, draws_of(question)), "flat", question)
    rows = pit_rows(part, mean_pit(part, "exact"))
    assert {row["arm"] for row in rows} == set(GROUPS)
    assert all(row["at_risk"] >= 5 for row in rows)
    deviations = [abs(row["observed"] - row["predicted"]) - row["band_half_width"] for row in rows if row["arm"] == "total"]
    assert np.mean(np.array(deviations) > 0) < 0.2
    wrong = criticise(exponential, fitted_of(question, draws_of(question, 2.5)), "flat", question)
    deviations = [
        abs(row["observed"] - row["predicted"]) - row["band_half_width"]
        for row in pit_rows(wrong, mean_pit(wrong, "exact"))
        if row["arm"] == "total"
    ]
    assert np.mean(np.array(deviations) > 0) > 0.5


def test_posterior_studies_are_of_the_tables_sizes(question: Question) -> None:
    studies = posterior_studies(exponential, fitted_of(question, draws_of(question)), "flat", question, np.random.default_rng(5))
    assert studies is not None
    assert studies.shape == (PREDICTIVE_DRAWS, 2, question.table.times.size)
    # a curve of 40 patients has steps of at least 1/40 at first
    assert np.unique(np.round(studies[:, 0, 0] * 40, 9) % 1).tolist() == [0.0]


def test_few_tables_are_all_looked_at_many_evenly() -> None:
    tables, weights = tables_looked_at(np.array([0.7, 0.2, 0.1]))
    assert (tables.tolist(), weights.tolist()) == ([0, 1, 2], pytest.approx([0.7, 0.2, 0.1]))
    tables, weights = tables_looked_at(np.full(100, 0.01))
    assert tables.size == LOO_TABLES
    assert weights == pytest.approx(np.full(LOO_TABLES, 1 / LOO_TABLES))
    assert set(np.diff(tables)) <= {2, 3}
    heavy = np.append(np.full(99, 0.5 / 99), 0.5)
    tables, weights = tables_looked_at(heavy)
    assert weights[tables == 99] == pytest.approx(0.5, abs=1 / LOO_TABLES)
    assert weights.sum() == pytest.approx(1.0)
