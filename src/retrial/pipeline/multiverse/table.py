"""A multiverse's files: the table of its cells, what each decision does, and the log of what failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from retrial.pipeline.results import Files
from retrial.run_config import RunConfig
from retrial.sensitivity.multiverse import Block, bases_of, decision_rows, whole_table
from retrial.store.artefacts import path_of
from retrial.store.tables import read_table


def write_cells(
    run: RunConfig, every: Sequence[Block], blocks: Sequence[Block], found: Sequence[tuple[pd.DataFrame, str]], folder: Path
) -> list[str]:
    """multiverse.csv and .parquet, decisions.csv and failed_cells.log; returns a line for each that failed, one for those without a likelihood.

    `blocks` are those of `every` one whose cells were `found`.
    """
    frame = whole_table(blocks, [cells for cells, _ in found], bases_of(every), run.multiverse, run.sensitivity.claim)
    Files({"multiverse": frame, "decisions": pd.DataFrame(list(decision_rows(frame)))}).write(folder)
    frame.to_parquet(path_of(folder, "multiverse_parquet"), engine="pyarrow", index=False)
    told = [(block, trace) for block, (_, trace) in zip(blocks, found, strict=True) if trace]
    log = "\n".join(f"{block.endpoint}, {block.analysis}, bias SD {block.bias_sd:g}\n{trace}" for block, trace in told)
    path_of(folder, "failed_cells").write_text(log, encoding="utf-8")
    lines = (f"multiverse, {block.endpoint}, {_block_in_words(block)}: {trace.splitlines()[-1]}" for block, trace in told)
    return list(dict.fromkeys(lines))


def _block_in_words(block: Block) -> str:
    """Without the SD of the bias where no SD would help."""
    return block.analysis if block.failed else f"{block.analysis}, bias SD {block.bias_sd:g}"


def summary(folder: Path) -> str:
    """What each decision explains, as text."""
    frame = read_table(folder, "decisions")
    return "" if frame is None else frame.to_string(index=False, float_format=lambda value: f"{value:.3f}")
