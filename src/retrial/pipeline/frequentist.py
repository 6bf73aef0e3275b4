"""The paper's own statistics again, and on every life table."""

from __future__ import annotations

from collections.abc import Sequence

from retrial.answers.follow_up import FollowUp
from retrial.estimate import Estimate
from retrial.frequentist.baseline import baseline_estimates, published_baseline
from retrial.frequentist.counts import count_estimates, published_counts
from retrial.frequentist.ratios import effect_estimates, published_effects
from retrial.frequentist.spread import spread
from retrial.frequentist.survival import published_survival
from retrial.run_config import RunConfig
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables


def frequentist_rows(run: RunConfig, printed: Study, used: Study, tables: Sequence[EndpointTables]) -> list[Estimate]:
    """Published rows as printed; frequentist rows of the study as the audit lets it be used, and of the life tables."""
    level = run.questions.level
    rows = [*published_effects(printed), *published_survival(printed), *published_counts(printed)]
    rows += [row for row in effect_estimates(used) if row.method == "frequentist"]
    rows += count_estimates(used, level)
    if printed.baseline is not None and not printed.one_arm:
        rows += published_baseline(printed)
    if used.baseline is not None and not used.one_arm:
        rows += baseline_estimates(used, level)
    return rows + [row for item in tables for row in table_rows(run, item)]


def table_rows(run: RunConfig, item: EndpointTables) -> list[Estimate]:
    """The whole frequentist set on a table, or its spread over an ensemble."""
    follow_up = FollowUp.of(item.table, item.weights)
    times, horizon = follow_up.times(run.questions), follow_up.horizon(run.questions)
    return spread(item.table, item.endpoint, times, horizon, run.questions.level, item.source, item.weights)
