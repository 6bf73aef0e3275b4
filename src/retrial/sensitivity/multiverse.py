"""All combinations of what could have been chosen, as one table: analysis, tables, prior mean and SD, centre and SD of a bias (METHODS 9).

A block is one analysis of one ensemble of tables with one SD of the bias: what is computed, kept and resumed at once. Its cells cost a
millisecond together, as no prior is fitted again. Shares of specifications are counts of what somebody listed, never probabilities.
"""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from retrial.errors import DataError, FitError, RetrialError
from retrial.frequentist.ratios import LogRatio
from retrial.priors.prior import Prior
from retrial.run_config import Multiverse
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Likelihood, NormalLikelihood
from retrial.sensitivity.prior_grid import numbers

NUMBERS = ("prior_mean", "prior_sd", "bias_ratio", "bias_sd")
DECISIONS = ("analysis", "tables", *NUMBERS)
SECONDS_PER_CELL = 1e-4
"""Of a model of life tables, measured on 100 tables (one core); printed ratios take a tenth."""
_WHOSE = ["endpoint", "model", "adjusted_for", "tables"]


@dataclass(frozen=True, eq=False)
class Block:
    """An analysis and one SD of its bias: the values of all its cells follow from these alone.

    `tables`: which choice behind the life tables is made otherwise, empty: none; `failed`: why there is no likelihood.
    """

    endpoint: str
    model: str
    adjusted_for: str
    likelihood: Likelihood | None
    bias_sd: float
    tables: str = ""
    note: str = ""
    failed: str = ""

    @property
    def analysis(self) -> str:
        """In a word or two."""
        return ", ".join(part for part in (self.model, self.adjusted_for, self.tables) if part)


def blocks_of(effects: Sequence[Effect], asked: Multiverse, notes: Mapping[str, str] = MappingProxyType({})) -> list[Block]:
    """Every block in a fixed order: analyses in that of the run, SDs as listed. `notes` by endpoint, of its tables."""
    return [
        Block(
            effect.endpoint,
            effect.model,
            effect.adjusted_for,
            _bare(effect.likelihood),
            sd,
            note=notes.get(effect.endpoint, "") if effect.printed is None else "",
        )
        for effect in effects
        for sd in asked.bias_sds
    ]


def other_blocks(endpoint: str, model: str, tables: str, note: str, found: Likelihood | str, asked: Multiverse) -> list[Block]:
    """The same of a model on tables under another choice; `found`: what they say of the effect, or why there is nothing."""
    likelihood, failed = (None, found) if isinstance(found, str) else (found, "")
    return [Block(endpoint, model, "", likelihood, sd, tables, note, failed) for sd in asked.bias_sds]


def _bare(likelihood: Likelihood) -> Likelihood:
    """Without the function that other priors than normal ones need."""
    return dataclasses.replace(likelihood, closed_form=_normal_only) if isinstance(likelihood, NormalLikelihood) else likelihood


def _normal_only(_data: LogRatio, prior: Prior) -> Any:
    raise DataError(f"the multiverse has normal priors, not {prior}")


def block_cells(block: Block, asked: Multiverse, tail: float) -> pd.DataFrame:
    """A row a cell: bias centres, then prior means, then prior SDs. Raises `FitError` for a block without a likelihood."""
    if block.likelihood is None:
        raise FitError(block.failed)
    means, sds = (values.ravel() for values in np.meshgrid(asked.prior_means, asked.prior_sds, indexing="ij"))
    spread = block.likelihood.with_bias(0.0, block.bias_sd)
    parts = []
    for ratio in asked.bias_ratios:
        cells = spread.with_bias(float(np.log(ratio)), 0.0).normal(np.log(means), sds, tail)
        chosen: dict[str, Any] = {"prior_mean": means, "prior_sd": sds, "bias_ratio": ratio, "bias_sd": block.bias_sd}
        parts.append(pd.DataFrame(numbers(cells)).assign(**chosen))
    return pd.concat(parts, ignore_index=True)


def tried(block: Block, asked: Multiverse, tail: float) -> tuple[pd.DataFrame, str]:
    """The cells of a block and nothing, or cells that failed and the traceback; a block that fails ends no other."""
    try:
        return block_cells(block, asked, tail), ""
    except (RetrialError, ArithmeticError, ValueError) as error:
        frame = pd.DataFrame(
            [
                {"prior_mean": mean, "prior_sd": sd, "bias_ratio": ratio, "bias_sd": block.bias_sd}
                for ratio in asked.bias_ratios
                for mean in asked.prior_means
                for sd in asked.prior_sds
            ]
        )
        frame[["probability", "error", "median", "lower", "upper"]] = np.nan
        return frame.assign(status=f"failed: {type(error).__name__}: {error}"), traceback.format_exc()


def bases_of(blocks: Sequence[Block]) -> dict[str, tuple[str, str]]:
    """Endpoint -> model and covariates of its first analysis, the base."""
    return {block.endpoint: (block.model, block.adjusted_for) for block in reversed(blocks)}


def whole_table(
    blocks: Sequence[Block], found: Sequence[pd.DataFrame], bases: Mapping[str, tuple[str, str]], asked: Multiverse, claim: float
) -> pd.DataFrame:
    """All cells of some blocks; columns of multiverse.csv."""
    parts = []
    for block, cells in zip(blocks, found, strict=True):
        named = {name: getattr(block, name) for name in _WHOSE}
        parts.append(cells.assign(**named, note=block.note))
    frame = pd.concat(parts, ignore_index=True)
    names = frame[_WHOSE[:-1]].itertuples(index=False, name=None)
    changed = {"analysis": np.array([bases[endpoint] != (model, adjusted) for endpoint, model, adjusted in names])}
    changed["tables"] = (frame["tables"] != "").to_numpy()
    changed |= {name: (frame[name] != base).to_numpy() for name, base in asked.base.items()}
    differs = [
        ", ".join(name for name, own in zip(changed, row, strict=True) if own) for row in zip(*changed.values(), strict=True)
    ]
    side = np.where(frame["median"] < 1, frame["probability"], 1 - frame["probability"])
    frame = frame.assign(differs=differs, holds=side >= claim, cell=_keys(frame))
    return frame[
        ["cell", *_WHOSE, *NUMBERS, "differs", "median", "lower", "upper", "probability", "error", "holds", "status", "note"]
    ]


def _keys(frame: pd.DataFrame) -> list[str]:
    """What a cell is of, as twelve hexadecimal digits: the same cell has the same key in every run."""
    rows = frame[[*_WHOSE, *NUMBERS]].itertuples(index=False, name=None)
    return [hashlib.sha256(repr(tuple(map(str, row))).encode()).hexdigest()[:12] for row in rows]


def decision_rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """For every endpoint: the share of the variance of the log median that each decision alone explains; columns of decisions.csv.

    Sums of squares of main effects over all cells that did not fail, of tables within their analyses (a printed ratio has none); what is left
    is interactions. The first row counts the cells.
    """
    frame = frame.assign(analysis=frame["model"] + " " + frame["adjusted_for"].fillna(""), tables=frame["tables"].fillna(""))
    for endpoint, part in frame.groupby("endpoint", sort=False):
        fine = part[part["status"] == "ok"]
        counts = {"cells": len(part), "failed": len(part) - len(fine)}
        value = np.log(fine["median"])
        total, left = float(((value - value.mean()) ** 2).sum()), 1.0
        ends = {"least": float(np.exp(value.min())), "most": float(np.exp(value.max()))}
        yield {
            "endpoint": endpoint,
            "decision": "all",
            "levels": len(part),
            "share_of_variance": 1.0,
            **ends,
            **counts,
            "holds": fine["holds"].mean(),
        }
        for name in DECISIONS:
            squares, levels = _main_effect(value, fine, name)
            share = squares / total if total > 0 else 0.0
            left -= share
            ends = {"least": float(np.exp(levels.min())), "most": float(np.exp(levels.max()))}
            yield {"endpoint": endpoint, "decision": name, "levels": levels.size, "share_of_variance": share, **ends}
        yield {"endpoint": endpoint, "decision": "interactions", "share_of_variance": left}


def _main_effect(value: pd.Series[float], fine: pd.DataFrame, name: str) -> tuple[float, pd.Series[float]]:
    """Sum of squares of a decision, and the mean of the log median at each of its levels.

    Of tables: around the means of their analyses, levels over the analyses that have other tables.
    """
    if name != "tables":
        by_level = value.groupby(fine[name])
        return float(((by_level.transform("mean") - value.mean()) ** 2).sum()), by_level.mean()
    inside = value.groupby(fine["analysis"]).transform("mean")
    squares = float(((value.groupby([fine["analysis"], fine["tables"]]).transform("mean") - inside) ** 2).sum())
    several = fine["tables"].groupby(fine["analysis"]).transform("nunique") > 1
    shown = several if several.any() else several | True
    return squares, value[shown].groupby(fine["tables"][shown]).mean()
