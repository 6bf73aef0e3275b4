"""What the tables owe to choices of ours, not to the paper: each choice made otherwise, one at a time, beside the tables as they are.

A hypothesis about the design (who was eligible) has evidence beside the tables without it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.findings.probes import ELIGIBILITY
from retrial.tables.findings.spread import against, spread, unsettled
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct

OVERDISPERSION, FINE_PIECES = 0.7, 24
"""SD of what each piece and arm has to itself, and pieces, of the overdispersed prior: patients clump in time beyond what is smooth."""
WIDER = 2.0
"""Factor of the scales of all walks in the narrower and the wider prior."""
LEAST_SAMPLERS = 3
"""Samplers whose tables must be there for an evidence to be told."""
OF_HYPOTHESES = ("log_bayes_factor", "log_bayes_factor_se")
"""Columns that rows of hypotheses about the design have."""
COLUMNS = """
    status                  "ok", or why there are no such tables
    choice, words           which choice is made otherwise, and what that says; empty: none
    settled                 empty, or that few independent tables stand behind the row
    shift, standardised     of the mean, and in Monte Carlo standard errors
    sd_ratio                of the SDs over the tables
    log_bayes_factor, log_bayes_factor_se  of a hypothesis about the design against the tables as they are, and its standard error
"""
"""Columns of `compare_choices` beside those of `spread`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One choice made otherwise: name, what it says, its numbers and settings; `evidence`: whether its evidence is comparable."""

    name: str
    words: str
    targets: Targets
    settings: ReconstructionSettings
    evidence: bool = False


def choices_of(targets: Targets, settings: ReconstructionSettings) -> list[Choice]:
    """The choices that tables of these numbers rest on."""
    found = []
    assumed = [name for name in targets.names if name.partition(".")[0] in dict(targets.assumed)]
    if assumed:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in targets.assumed))
        found.append(Choice("without assumed numbers", f"not used: {reasons}", targets.without(*assumed), settings))
    ruled_out, prior = times_ruled_out(targets), settings.prior
    if ruled_out:
        until = f"{targets.excluded:g} {targets.time_unit}"
        words = f"nobody is censored up to {until}: whoever was followed no longer was left out, unless the follow-up ended with the event"
        ruled = dataclasses.replace(prior, uncensored=ruled_out)
        found.append(Choice(ELIGIBILITY, words, targets, dataclasses.replace(settings, prior=ruled), evidence=True))
    walks = ("walk_scale", "effect_walk_scale", "censoring_walk_scale")
    narrow, wide = (
        dataclasses.replace(prior, **{name: getattr(prior, name) * factor for name in walks}) for factor in (1 / WIDER, WIDER)
    )
    clumped = dataclasses.replace(prior, overdispersion=OVERDISPERSION, pieces=max(prior.pieces, FINE_PIECES))
    for name, words, other in (
        ("half walk scale", "hazards of the tables' prior change half as much", narrow),
        ("double walk scale", "hazards of the tables' prior change twice as much", wide),
        ("overdispersed prior", "each piece and arm of the tables' prior has something to itself", clumped),
    ):
        found.append(Choice(name, words, targets, dataclasses.replace(settings, prior=other)))
    return found


def times_ruled_out(targets: Targets) -> int:
    """First grid times at which nobody is censored where the excluded follow-up was censored; 0 where the study says of none, or it is not
    within the grid.
    """
    places = targets.places(-math.inf, targets.excluded) if math.isfinite(targets.excluded) else (0, -1)
    return places[1] + 1 if 0 <= places[1] < targets.n_times - 1 else 0


def compare_choices(
    targets: Targets,
    whole: Ensemble,
    settings: ReconstructionSettings,
    seed: int,
    horizon: float,
    times: tuple[float, ...],
    progress: Callable[[float], None] | None = None,
) -> pd.DataFrame:
    """`spread` under each choice with its shift from `whole`, as `leave_one_out`; first the rows of `whole`, whose choice is empty.

    `log_bayes_factor` of a hypothesis about the design is its log evidence less that of the tables without it, over the readings of
    `settings`: each with its own prior, which under the rule has no hazard of censoring until its time and a walk of its own from there.
    Both are given the printed structure (`ReadingResult`), whose own probability is in neither.
    """
    base = spread(whole, targets, horizon, times).assign(status="ok", choice="", words="", settled="; ".join(unsettled(whole)))
    frames, asked = [base], choices_of(targets, settings)
    for number, choice in enumerate(asked, start=1):
        about = {"choice": choice.name, "words": choice.words}
        try:
            other = reconstruct(choice.targets, choice.settings, seed)
        except ReconstructionError as error:
            said = f"failed: {str(error).splitlines()[0]}"
            frames.append(pd.DataFrame([{"endpoint": targets.endpoint, "status": said, **about}]))
            continue
        frame = against(spread(other, targets, horizon, times).assign(status="ok"), base)
        if choice.evidence:
            frame = frame.assign(**dict(zip(OF_HYPOTHESES, log_bayes_factor(other, whole, settings), strict=True)))
        frames.append(frame.assign(settled="; ".join(few_samplers(other) or unsettled(other)), **about))
        if progress is not None:
            progress(number / len(asked))
    found = pd.concat(frames, ignore_index=True)
    return found.reindex(columns=[*found.columns, *(name for name in OF_HYPOTHESES if name not in found)])


def log_bayes_factor(other: Ensemble, whole: Ensemble, settings: ReconstructionSettings) -> tuple[float, float]:
    """Log ratio of the evidences of two ensembles, means over the readings that `settings` tries, and its standard error; NaN where too few
    samplers arrived to tell the error.
    """
    if few_samplers(other) or few_samplers(whole):
        return math.nan, math.nan
    (log_other, error_other), (log_whole, error_whole) = (evidence_of(item, settings) for item in (other, whole))
    return log_other - log_whole, math.hypot(error_other, error_whole)


def few_samplers(ensemble: Ensemble) -> list[str]:
    """A sentence where the tables are of so few samplers that nobody can tell how far these differ."""
    count = len(np.unique(ensemble.islands))
    return [] if count >= LEAST_SAMPLERS else [f"not settled: tables of {count} of the samplers only"]


def evidence_of(ensemble: Ensemble, settings: ReconstructionSettings) -> tuple[float, float]:
    """Log of the summed evidence of the readings that `settings` tries, and its standard error: the readings' errors added up as if each
    sampler's were one, which is the most that they can be.
    """
    found = [result for result in ensemble.attained if tried(result.reading, settings)]
    logs = np.array([result.log_evidence for result in found])
    if not len(logs):
        return -math.inf, math.nan
    total = float(logsumexp(logs))
    errors = np.array([result.log_evidence_se for result in found])
    known = ~np.isnan(errors)
    return total, float((np.exp(logs - total)[known] * errors[known]).sum()) if known.any() else math.nan


def tried(reading: Reading, settings: ReconstructionSettings) -> bool:
    """Whether a reading is one of those that settings try."""
    parts: Sequence[tuple[object, Sequence[object]]] = (
        (reading.ratio, settings.ratios),
        (reading.test, settings.tests),
        (reading.median, settings.medians),
    )
    return all(part is None or part in allowed for part, allowed in parts)
