"""All combinations of what could have been chosen, as one table: analysis, prior mean and SD, centre and SD of a bias (METHODS 9).

A block is one analysis with one SD of the bias: what is computed, kept and resumed at once. Its cells cost a millisecond together, as no prior is
fitted again. Shares of specifications are counts of what somebody listed, never probabilities.
"""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from retrial.errors import DataError, RetrialError
from retrial.frequentist.ratios import LogRatio
from retrial.priors.prior import Prior
from retrial.run_config import Multiverse
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Likelihood, NormalLikelihood
from retrial.sensitivity.prior_grid import numbers

DECISIONS = ("analysis", "prior_mean", "prior_sd", "bias_ratio", "bias_sd")
SECONDS_PER_CELL = 1e-4
"""Of a model of life tables, measured on 100 tables (one core); printed ratios take a tenth."""
_WHOSE = ["endpoint", "model", "adjusted_for"]


@dataclass(frozen=True, eq=False)
class Block:
    """An analysis and one SD of its bias: the values of all its cells follow from these alone."""

    endpoint: str
    model: str
    adjusted_for: str
    likelihood: Likelihood
    bias_sd: float

    @property
    def analysis(self) -> str:
        """In a word or two."""
        return ", ".join(part for part in (self.model, self.adjusted_for) if part)


def blocks_of(effects: Sequence[Effect], asked: Multiverse) -> list[Block]:
    """Every block in a fixed order: analyses in that of the run, SDs as listed."""
    return [
        Block(effect.endpoint, effect.model, effect.adjusted_for, _bare(effect.likelihood), sd)
        for effect in effects
        for sd in asked.bias_sds
    ]


def _bare(likelihood: Likelihood) -> Likelihood:
    """Without the function that other priors than normal ones need."""
    return dataclasses.replace(likelihood, closed_form=_normal_only) if isinstance(likelihood, NormalLikelihood) else likelihood


def _normal_only(_data: LogRatio, prior: Prior) -> Any:
    raise DataError(f"the multiverse has normal priors, not {prior}")


def block_cells(block: Block, asked: Multiverse, tail: float) -> pd.DataFrame:
    """A row a cell: bias centres, then prior means, then prior SDs."""
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
        named = {"endpoint": block.endpoint, "model": block.model, "adjusted_for": block.adjusted_for}
        parts.append(cells.assign(**named))
    frame = pd.concat(parts, ignore_index=True)
    names = frame[_WHOSE].itertuples(index=False, name=None)
    changed = {"analysis": np.array([bases[endpoint] != (model, adjusted) for endpoint, model, adjusted in names])}
    changed |= {name: (frame[name] != base).to_numpy() for name, base in asked.base.items()}
    differs = [
        ", ".join(name for name, own in zip(changed, row, strict=True) if own) for row in zip(*changed.values(), strict=True)
    ]
    side = np.where(frame["median"] < 1, frame["probability"], 1 - frame["probability"])
    frame = frame.assign(differs=differs, holds=side >= claim, cell=_keys(frame))
    return frame[
        ["cell", *_WHOSE, *DECISIONS[1:], "differs", "median", "lower", "upper", "probability", "error", "holds", "status"]
    ]


def _keys(frame: pd.DataFrame) -> list[str]:
    """What a cell is of, as twelve hexadecimal digits: the same cell has the same key in every run."""
    rows = frame[[*_WHOSE, *DECISIONS[1:]]].itertuples(index=False, name=None)
    return [hashlib.sha256(repr(tuple(map(str, row))).encode()).hexdigest()[:12] for row in rows]


def decision_rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """For every endpoint: the share of the variance of the log median that each decision alone explains; columns of decisions.csv.

    Sums of squares of main effects over all cells that did not fail; what is left is interactions. The first row counts the cells.
    """
    frame = frame.assign(analysis=frame["model"] + " " + frame["adjusted_for"].fillna(""))
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
            means = value.groupby(fine[name]).transform("mean")
            by_level = np.exp(value.groupby(fine[name]).mean())
            share = float(((means - value.mean()) ** 2).sum()) / total if total > 0 else 0.0
            left -= share
            ends = {"least": float(by_level.min()), "most": float(by_level.max())}
            yield {"endpoint": endpoint, "decision": name, "levels": by_level.size, "share_of_variance": share, **ends}
        yield {"endpoint": endpoint, "decision": "interactions", "share_of_variance": left}
