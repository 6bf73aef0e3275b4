"""`retrial collect`: the cells that the shards of a multiverse have done, as one table; computes none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retrial.errors import DataError
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.multiverse import STAGE, asked_blocks
from retrial.pipeline.multiverse.table import summary, write_cells
from retrial.pipeline.pages.layout import draw_sensitivity
from retrial.run_config import RunConfig
from retrial.sensitivity.multiverse import tried
from retrial.store.stages import stages_of
from retrial.study.study import Study


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """The table of all blocks that are there; returns how many are missing. Raises `DataError` where none is there."""
    stages = stages_of(run)
    blocks, failures = asked_blocks(run, study, stages)
    arguments = (run.multiverse, run.questions.tail)
    there = [block for block in blocks if stages.has(STAGE, tried, block, *arguments)]
    size = run.multiverse.cells_of_block
    if not there:
        raise DataError("nothing to collect", ["got no shard with these settings in output_dir; `retrial multiverse` does them"])
    found = [stages.run(STAGE, tried, block, *arguments) for block in there]
    failures += write_cells(run, blocks, there, found, folder)
    failed = size * sum(bool(trace) for _, trace in found)
    print(
        f"{size * len(blocks)} cells: {size * len(there) - failed} done, {failed} failed, {size * (len(blocks) - len(there))} missing"
    )
    draw_sensitivity(run, study, folder)
    print(summary(folder))
    missing = len(blocks) - len(there)
    return [
        *failures,
        *([f"multiverse: {missing} of {len(blocks)} blocks ({size * missing} cells) are missing"] if missing else []),
    ]
