"""Every combination as one table: its cells, what each decision explains, blocks that fail, and shards that are collected."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import time
import warnings
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
from retrial.sensitivity import multiverse
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.multiverse import NUMBERS, bases_of, block_cells, blocks_of, decision_rows, tried, whole_table
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
    shift = {name: np.log(frame[name] + 1.0) * (k + 1) for k, name in enumerate(NUMBERS)}
    frame["median"] = np.exp(sum(shift.values()) + 0.3 * (frame["adjusted_for"] == "age"))
    frame["status"] = "ok"
    rows = {(row["endpoint"], row["decision"]): row for row in decision_rows(frame)}
    assert rows["os", "interactions"]["share_of_variance"] == pytest.approx(0, abs=1e-12)
    part = frame[frame["endpoint"] == "os"]
    total = np.log(part["median"]).var(ddof=0)
    for name in NUMBERS:
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


MANY = dataclasses.replace(
    ASKED,
    prior_means=(1.0, *np.linspace(0.5, 0.99, 24)),
    prior_sds=(10.0, *np.linspace(0.1, 2.0, 24)),
    bias_sds=tuple(np.linspace(0.0, 0.3, 5)),
)


def _all_blocks(folder: Path, log: Path) -> list[pd.DataFrame]:
    """Every block by way of its stage; a line of the log before and after each is computed, and once it is kept."""

    def told(words: str) -> None:
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"{words}\n")

    def counted(block: Any, *rest: Any) -> pd.DataFrame:
        told(f"begin {numbers[id(block)]}")
        cells = real(block, *rest)
        told(f"end {numbers[id(block)]}")
        return cells

    blocks, real = blocks_of(EFFECTS, MANY), multiverse.block_cells
    numbers = {id(block): number for number, block in enumerate(blocks)}
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(multiverse, "block_cells", counted)
        for number, block in enumerate(blocks):
            found.append(Stages(folder).run("multiverse", tried, block, MANY, TAIL)[0])
            told(f"kept {number}")
    return found


def _computed(lines: list[str], word: str) -> bool:
    """Whether a block that is computed, not read, has come so far."""
    begun, there = ({line.split()[-1] for line in lines if line.startswith(name)} for name in ("begin", word))
    return bool(begun & there)


def _killed(folder: Path, log: Path, word: str, wait: float) -> list[str]:
    """A process that does the blocks, killed `wait` seconds after one of them has come so far as a word says; the lines that it wrote."""
    log.write_text("", encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # other threads may hold locks: this child needs none of theirs
        child = os.fork()
    if child == 0:
        try:
            _all_blocks(folder, log)
        finally:
            os._exit(0)
    until = time.monotonic() + 60
    while not _computed(log.read_text(encoding="utf-8").splitlines(), word) and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(wait)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return log.read_text(encoding="utf-8").splitlines()


def test_ten_kills_inside_and_between_blocks_cost_nothing_that_was_done(tmp_path: Path) -> None:
    started = time.monotonic()
    expected = _all_blocks(tmp_path / "whole", tmp_path / "log")
    a_block = (time.monotonic() - started) / len(expected)
    rng, inside, done = np.random.default_rng(6), 0, set[str]()
    for kill in range(10):
        # after one is kept, or at a random moment of the first that is computed and stored
        word, wait = ("begin", rng.uniform(0, 0.7 * a_block)) if kill % 2 else ("kept", rng.uniform(0, 0.3 * a_block))
        lines = _killed(tmp_path / "cells", tmp_path / "log", word, wait)
        begun, ended, kept = ({line.split()[1] for line in lines if line.startswith(name)} for name in ("begin", "end", "kept"))
        assert not begun & done, "a block that was kept was computed again"
        inside += bool(begun - ended) or bool(ended - kept)
        done |= kept
    assert inside >= 3
    assert 0 < len(done) < len(expected)
    (tmp_path / "log").write_text("", encoding="utf-8")
    found = _all_blocks(tmp_path / "cells", tmp_path / "log")
    again = [line for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines() if line.startswith("begin")]
    assert not {line.split()[1] for line in again} & done
    blocks = blocks_of(EFFECTS, MANY)
    resumed, whole = (whole_table(blocks, cells, bases_of(blocks), MANY, CLAIM).to_csv() for cells in (found, expected))
    assert resumed == whole


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
