"""Every combination as one table: its cells, what each decision explains, blocks that fail, and shards that are collected."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from retrial.frequentist.ratios import LogRatio
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.run_config import Multiverse
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.multiverse import DECISIONS, bases_of, block_cells, blocks_of, decision_rows, tried, whole_table
from retrial.store.stages import Stages

ASKED = Multiverse()
TAIL, CLAIM = 0.025, 0.975


def effect(y: float, s: float, endpoint: str = "os", adjusted: str = "") -> Effect:
    data = LogRatio("hazard_ratio", "experimental / control", adjusted, y, s, 0.95, "made up")
    likelihood = NormalLikelihood(data, posterior)
    return Effect(endpoint, "normal", adjusted, "hazard_ratio", likelihood, {"flat": Prior("normal", (0.0, 10.0))}, 44.0)


EFFECTS = [effect(-0.75, 0.32), effect(-0.75, 0.32, "pfs"), effect(-0.55, 0.36, adjusted="age")]


def table(effects: list[Effect], asked: Multiverse = ASKED) -> pd.DataFrame:
    blocks = blocks_of(effects, asked)
    return whole_table(blocks, [block_cells(block, asked, TAIL) for block in blocks], bases_of(blocks), asked, CLAIM)


def test_every_combination_is_there_once_with_its_closed_form() -> None:
    frame = table(EFFECTS)
    assert len(frame) == 3 * 3 * 3 * 3 * 2
    assert frame["cell"].is_unique
    for row in frame.sample(40, random_state=1).to_dict("records"):
        y, s = (-0.55, 0.36) if row["adjusted_for"] else (-0.75, 0.32)
        variance = s**2 + row["bias_sd"] ** 2
        post = 1 / (1 / variance + 1 / row["prior_sd"] ** 2)
        mean = post * ((y - math.log(row["bias_ratio"])) / variance + math.log(row["prior_mean"]) / row["prior_sd"] ** 2)
        assert math.log(row["median"]) == pytest.approx(mean, abs=1e-12)
        assert row["probability"] == pytest.approx(stats.norm.cdf(-mean / math.sqrt(post)), abs=1e-12)


def test_a_row_says_which_choices_differ_from_the_base() -> None:
    frame = table(EFFECTS)
    base = frame[frame["differs"] == ""]
    assert base[["endpoint", "adjusted_for"]].to_numpy().tolist() == [["os", ""], ["pfs", ""]]
    assert (base[["prior_mean", "prior_sd", "bias_ratio", "bias_sd"]] == list(ASKED.base.values())).all().all()
    other = frame[(frame["adjusted_for"] == "age") & (frame["prior_sd"] == 10) & (frame["prior_mean"] == 1)]
    assert set(other["differs"]) == {
        "analysis",
        "analysis, bias_sd",
        "analysis, bias_ratio",
        "analysis, bias_ratio, bias_sd",
    }


def test_keys_do_not_depend_on_what_else_is_asked() -> None:
    fewer = table(EFFECTS[:1], dataclasses.replace(ASKED, bias_sds=(0.0,)))
    assert set(fewer["cell"]) < set(table(EFFECTS)["cell"])


def test_shares_of_variance_are_those_of_main_effects() -> None:
    """A table that is additive in its decisions has no interactions, and each share is that of the variance of its levels."""
    frame = table(EFFECTS)
    shift = {name: np.log(frame[name] + 1.0) * (k + 1) for k, name in enumerate(DECISIONS[1:])}
    frame["median"] = np.exp(sum(shift.values()) + 0.3 * (frame["adjusted_for"] == "age"))
    frame["status"] = "ok"
    rows = {(row["endpoint"], row["decision"]): row for row in decision_rows(frame)}
    assert rows["os", "interactions"]["share_of_variance"] == pytest.approx(0, abs=1e-12)
    part = frame[frame["endpoint"] == "os"]
    total = np.log(part["median"]).var(ddof=0)
    for name in DECISIONS[1:]:
        assert rows["os", name]["share_of_variance"] == pytest.approx(shift[name][part.index].var(ddof=0) / total, rel=1e-9)
    assert rows["os", "all"]["cells"] == len(part)


def test_a_block_that_fails_is_shown_and_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_self: Any, mean: float, sd: float) -> Any:
        raise ValueError(f"no bias of {mean} and {sd}")

    blocks = blocks_of(EFFECTS[:1], ASKED)
    good, nothing = tried(blocks[0], ASKED, TAIL)
    assert not nothing
    monkeypatch.setattr(NormalLikelihood, "with_bias", refuses)
    bad, trace = tried(blocks[1], ASKED, TAIL)
    assert "Traceback" in trace
    assert "no bias of 0.0 and 0.2" in trace
    frame = whole_table(blocks, [good, bad], bases_of(blocks), ASKED, CLAIM)
    assert set(frame["status"]) == {"ok", "failed: ValueError: no bias of 0.0 and 0.2"}
    assert not frame.loc[frame["status"] != "ok", "holds"].any()
    assert next(iter(decision_rows(frame)))["failed"] == len(bad)


def test_blocks_are_kept_by_content_and_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stages, blocks = Stages(tmp_path), blocks_of(EFFECTS, ASKED)
    assert not any(stages.has("multiverse", tried, block, ASKED, TAIL) for block in blocks)
    for block in blocks[::2]:
        stages.run("multiverse", tried, block, ASKED, TAIL)
    # the same analyses, built again
    again = blocks_of([dataclasses.replace(one) for one in EFFECTS], ASKED)
    assert [stages.has("multiverse", tried, block, ASKED, TAIL) for block in again] == [True, False] * 3
    kept = stages.run("multiverse", tried, again[0], ASKED, TAIL)[0]
    pd.testing.assert_frame_equal(kept, block_cells(blocks[0], ASKED, TAIL))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"prior_sds": (0.2, 0.355)}, "base_prior_sd: got 10.0; allowed is one of prior_sds"),
        ({"bias_ratios": (1.0, 1.0)}, "bias_ratios: got [1.0, 1.0]; allowed are different numbers"),
        ({"prior_means": (0.0, 1.0)}, "prior_means: got [0.0, 1.0]; allowed are different numbers from 0.01 to 100"),
        ({"bias_sds": ()}, "bias_sds: got []"),
    ],
)
def test_choices_are_checked(wrong: dict[str, Any], words: str) -> None:
    assert any(line.startswith(words) for line in dataclasses.replace(ASKED, **wrong).problems())
