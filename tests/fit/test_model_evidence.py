"""Model probabilities from evidences: by hand, and empty where something is missing."""

from __future__ import annotations

import numpy as np
import pytest

from retrial.fit.evidence import evidence_rows, probability_rows


def row(model: str, table: int, log_evidence: float, status: str = "ok") -> dict[str, object]:
    named = {"endpoint": "os", "model": model, "prior": "flat", "variant": "", "reconstruction": table, "status": status}
    return {**named, "log_evidence": log_evidence, "log_evidence_se": 0.01}


WEIGHTS = {("os", name): np.array([0.75, 0.25]) for name in "ab"}


def test_probabilities_are_those_of_bayes_and_their_means_weighted() -> None:
    rows = [row("a", 0, -100.0), row("b", 0, -100.0 - np.log(3)), row("a", 1, -90.0), row("b", 1, -90.0 + np.log(4))]
    found = evidence_rows(rows, WEIGHTS)
    np.testing.assert_allclose(found["probability"], [0.75, 0.25, 0.2, 0.8], atol=1e-12)
    means = probability_rows(found).set_index("model")
    assert means.loc["a", "probability"] == pytest.approx(0.75 * 0.75 + 0.25 * 0.2)
    assert means["probability"].sum() == pytest.approx(1.0)
    assert means.loc["b", "log_bayes_factor"] == pytest.approx(-0.75 * np.log(3) + 0.25 * np.log(4))
    assert means.loc["a", "log_bayes_factor"] == 0.0
    assert means.loc["a", "probability_sd"] == pytest.approx(np.sqrt(0.75 * 0.25) * 0.55)


@pytest.mark.parametrize("other", [row("b", 0, np.nan), row("b", 0, -99.0, "failed: Pareto k 0.9 >= 0.7")])
def test_a_table_with_a_model_without_evidence_says_nothing_of_models(other: dict[str, object]) -> None:
    rows = [row("a", 0, -100.0), other, row("a", 1, -90.0), row("b", 1, -91.0)]
    weights = {("os", name): np.array([0.25, 0.75]) for name in "ab"}
    found = evidence_rows(rows, weights).set_index(["model", "reconstruction"])
    assert np.isnan(found.loc[("a", 0), "probability"])
    assert probability_rows(found.reset_index())["tables"].tolist() == [1, 1]


def test_a_model_without_evidence_in_most_tables_takes_nothing_from_the_others() -> None:
    rows = [row("a", 0, -100.0), row("b", 0, -101.0), row("c", 0, np.nan)]
    rows += [row("a", 1, -90.0), row("b", 1, -91.0), row("c", 1, -90.0)]
    found = evidence_rows(rows, {("os", name): np.array([0.75, 0.25]) for name in "abc"})
    known = found.set_index(["model", "reconstruction"])["probability"]
    assert known["a"].tolist() == pytest.approx([1 / (1 + np.exp(-1))] * 2)
    assert known["c"].isna().all()
    assert set(probability_rows(found)["model"]) == {"a", "b"}


def test_errors_of_probabilities_are_those_of_changed_evidences() -> None:
    base = {"a": [-100.0, -90.0], "b": [-101.0, -90.5], "c": [-100.2, -92.0]}

    def means(changed: dict[str, float]) -> np.ndarray:
        rows = [row(name, table, value + changed.get(name, 0.0)) for name, two in base.items() for table, value in enumerate(two)]
        return probability_rows(evidence_rows(rows, {("os", name): np.array([0.75, 0.25]) for name in "abc"}))

    step = 1e-4
    at = [(means({name: step})["probability"] - means({name: -step})["probability"]) / (2 * step) for name in base]
    expected = 0.01 * np.sqrt(sum(one**2 for one in at))
    np.testing.assert_allclose(means({})["probability_mcse"], expected, rtol=1e-6)


def test_one_model_has_no_probability() -> None:
    found = evidence_rows([row("a", 0, -100.0)], WEIGHTS)
    assert found["log_evidence"].tolist() == [-100.0]
    assert np.isnan(found["probability"]).all()
    assert probability_rows(found).empty
    assert evidence_rows([], {}).empty
