"""The analysis plan in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from retrial.report import format as fmt
from retrial.report.labels import models_called, upper_first
from retrial.report.manuscript.document import Block, Bullets, Heading, Paragraph, grid_of
from retrial.report.manuscript.markdown import markdown
from retrial.report.manuscript.methods import asked
from retrial.report.tables.run import prior_table


def plan_text(
    title: str, plan: Mapping[str, Any], models: Mapping[str, tuple[str, str]], priors: pd.DataFrame, level: float
) -> str:
    """The plan as Markdown; `models` by label: card and prior sets, `priors` as rows of the table of priors."""
    with models_called({}):
        return markdown(_blocks(title, plan, models, priors, level))


def _blocks(
    title: str, plan: Mapping[str, Any], models: Mapping[str, tuple[str, str]], priors: pd.DataFrame, level: float
) -> Iterator[Block]:
    yield Heading("Analysis plan", 1)
    yield Paragraph(
        f"{title}. Written {plan['written']}, before any fit of this plan; SHA-256 of its settings {plan['plan_sha256']}."
    )
    yield Paragraph(
        "The paper's results were known when the plan was written: it binds the analysis, not the study. What a run does otherwise, its report lists."
    )
    yield Heading("Questions")
    yield Bullets(
        (
            "How probable is a benefit, and one of each size below, unadjusted and as far as the paper adjusts; what it is on the absolute scale.",
            "Under which of the priors below does that stand?",
            *asked(plan["settings"]),
            f"Intervals are of {fmt.level(level)}, equal-tailed.",
        )
    )
    yield Heading("Success rule")
    yield Paragraph(success_rule(level))
    yield Heading("Models")
    for label, (card, sets) in models.items():
        yield Heading(upper_first(label), 3)
        yield Paragraph(f"Prior sets: {sets or 'none'}.")
        yield Paragraph(card, fixed=True)
    table = prior_table(priors)
    if table is not None:
        yield Heading("Priors")
        yield grid_of(table)


def success_rule(level: float) -> str:
    """When an effect is called decided."""
    return (
        f"An effect is called decided under a prior where its {fmt.level(level)} interval excludes the value of no effect: a posterior probability of"
        f" {1 - (1 - level) / 2:g} or more on one side. Under the flat prior that is the one-sided level {(1 - level) / 2:g} of a test. An effect"
        " that stands under the sceptical prior as well is called robust to scepticism."
    )
