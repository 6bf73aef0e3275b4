"""`retrial multiverse`: every combination of what could have been chosen; blocks of cells are kept as they are done."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from retrial.data.kind import failed_in_words
from retrial.errors import DataError
from retrial.pipeline.arms.comparisons import each_comparison
from retrial.pipeline.audit import audit_stage
from retrial.pipeline.multiverse.other_tables import blocks_on_other_tables, doubts
from retrial.pipeline.multiverse.table import summary, write_cells
from retrial.pipeline.pages.layout import draw_sensitivity
from retrial.pipeline.sensitivity import fitted
from retrial.pipeline.tables import patient_checks, refused
from retrial.run_config import RunConfig
from retrial.sensitivity.any_prior.effects import effects_of
from retrial.sensitivity.multiverse import SECONDS_PER_CELL, Block, blocks_of, tried
from retrial.sensitivity.own_probabilities import in_standard_errors
from retrial.store.progress import counter
from retrial.store.stages import Stages, stages_of
from retrial.study.study import Study

log = logging.getLogger("retrial")
STAGE = "multiverse"


@each_comparison
def work(run: RunConfig, study: Study, folder: Path) -> Sequence[str]:
    """The blocks of this shard, done where they are not there yet, and the table of their cells; with `dry_run` only what is to be done."""
    stages = stages_of(run)
    blocks, failures = asked_blocks(run, study, stages)
    mine = blocks[run.part.shard :: run.part.shards]
    size = run.multiverse.cells_of_block
    missing = [block for block in mine if not _is_done(run, stages, block)]
    done = len(mine) - len(missing)
    print(f"{size * len(blocks)} cells in {len(blocks)} blocks; of this shard {size * len(mine)}, done already {size * done}")
    print(f"about {SECONDS_PER_CELL * size * len(missing):.0f} s for the {size * len(missing)} others")
    if run.part.dry_run or not mine:
        return failures
    found = []
    with counter("multiverse", size * len(missing), "cells") as advance:
        for block in mine:
            found.append(stages.run(STAGE, tried, block, run.multiverse, run.questions.tail))
            advance(size if block in missing else 0)
    failures += write_cells(run, blocks, mine, found, folder)
    draw_sensitivity(run, study, folder)
    print(summary(folder))
    return failures


def asked_blocks(run: RunConfig, study: Study, stages: Stages) -> tuple[list[Block], list[str]]:
    """Every block of the study, and what failed on the way. Raises `DataError` where there is no effect to vary."""
    printed, used = audit_stage(stages, study)
    run = in_standard_errors(run, used)
    checks = [*printed, *patient_checks(run, study)]
    reconstructed, fits = fitted(run, study, used, checks, stages)
    effects = [] if study.one_arm else effects_of(run, used, fits.posteriors, fits.diagnostics)
    if not effects:
        raise DataError("nothing to do", ["effects: got no treatment effect with an interval or p; one is needed"])
    blocks = blocks_of(effects, run.multiverse, doubts(reconstructed))
    blocks += blocks_on_other_tables(run, used, effects, reconstructed, refused(study, checks), stages)
    return blocks, [*reconstructed.failures, *fits.failures, *failed_in_words([])]


def _is_done(run: RunConfig, stages: Stages, block: Block) -> bool:
    return not run.force and stages.has(STAGE, tried, block, run.multiverse, run.questions.tail)
