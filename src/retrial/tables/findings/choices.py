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
from retrial.tables.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.tables.findings.spread import against, by_reading, spread, unsettled
from retrial.tables.printed.readings import DesignReading, Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import designs_of, reconstruct
from retrial.tables.sample.pool import reweighted

OVERDISPERSION, FINE_PIECES = 0.7, 24
"""SD of what each piece and arm has to itself, and pieces, of the overdispersed prior: patients clump in time beyond what is smooth."""
ANY_TIME = "patients may be censored at any time"
"""What tables as they are say of the follow-up that left patients out."""
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
    """One choice made otherwise: name, what it says, its numbers and settings; `design`: the hypothesis that it is."""

    name: str
    words: str
    targets: Targets
    settings: ReconstructionSettings
    design: DesignReading | None = None


def choices_of(targets: Targets, settings: ReconstructionSettings) -> list[Choice]:
    """The choices that tables of these numbers rest on."""
    found = []
    assumed = [name for name in targets.names if name.partition(".")[0] in dict(targets.assumed)]
    if assumed:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in targets.assumed))
        found.append(Choice("without assumed numbers", f"not used: {reasons}", targets.without(*assumed), settings))
    prior = settings.prior
    if len(designs_of(targets, dataclasses.replace(settings, designs=tuple(DesignReading)))) > 1:
        until = f"{targets.excluded:g} {targets.time_unit}"
        ruled = f"nobody is censored up to {until}: whoever was followed no longer was left out, unless the follow-up ended with the event"
        for design, words in ((DesignReading.AS_THEY_ARE, ANY_TIME), (DesignReading.ELIGIBILITY, ruled)):
            found.append(Choice(str(design), words, targets, dataclasses.replace(settings, designs=(design,)), design))
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

    `log_bayes_factor` of eligibility is its log evidence less that of tables as they are, over the readings of `settings`, each with its own
    prior, which under the rule has no hazard of censoring until its time and a walk of its own from there. Where `whole` carries both, its own
    samplers say what each would be; else small ones do.
    """
    base = spread(whole, targets, horizon, times).assign(status="ok", choice="", words="", settled="; ".join(unsettled(whole)))
    frames, asked = [base], choices_of(targets, settings)
    carried: Ensemble | None = None
    for number, choice in enumerate(asked, start=1):
        about = {"choice": choice.name, "words": choice.words}
        try:
            if choice.design is not None:
                carried = carried or (whole if carries_all(whole) else reconstruct(targets, with_designs(settings), seed))
                other = of_design(carried, targets, settings, choice.design)
            else:
                other = reconstruct(choice.targets, choice.settings, seed)
        except ReconstructionError as error:
            said = f"failed: {str(error).splitlines()[0]}"
            frames.append(pd.DataFrame([{"endpoint": targets.endpoint, "status": said, **about}]))
            continue
        frame = against(spread(other, targets, horizon, times).assign(status="ok"), base)
        if choice.design is DesignReading.ELIGIBILITY and carried is not None:
            frame = frame.assign(**dict(zip(OF_HYPOTHESES, log_bayes_factor(carried, settings), strict=True)))
        frames.append(frame.assign(settled="; ".join(few_samplers(other) or unsettled(other)), **about))
        if progress is not None:
            progress(number / len(asked))
    found = pd.concat(frames, ignore_index=True)
    return found.reindex(columns=[*found.columns, *(name for name in OF_HYPOTHESES if name not in found)])


def with_designs(settings: ReconstructionSettings) -> ReconstructionSettings:
    """The same settings with every design."""
    return dataclasses.replace(settings, designs=tuple(DesignReading))


def carries_all(ensemble: Ensemble) -> bool:
    """Whether every design was among its hypotheses."""
    return {result.reading.design for result in ensemble.results} >= set(DesignReading)


def of_design(ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings, design: DesignReading) -> Ensemble:
    """The tables that an ensemble's samplers found under one design, its readings in the proportions that they have.

    Raises `ReconstructionError` where there are none.
    """
    rows = by_reading(ensemble)
    weights = {reading: float(ensemble.weights[mine].sum()) for reading, mine in rows.items() if reading.design is design}
    if not any(weights.values()):
        own = {result.reading: result.share for result in ensemble.attained if result.reading.design is design}
        weights = own if any(own.values()) else {}
    if not weights:
        raise ReconstructionError(f"no table of {ensemble.endpoint} carries the printed numbers under this design")
    total = sum(weights.values())
    return reweighted(ensemble, targets, settings, {reading: weight / total for reading, weight in weights.items()})


def log_bayes_factor(ensemble: Ensemble, settings: ReconstructionSettings) -> tuple[float, float]:
    """Log ratio of the evidences of eligibility and of tables as they are in an ensemble that carries both, means over the readings that `settings`
    tries, and its standard error; NaN where too few samplers arrived to tell the error.
    """
    found = []
    for design in (DesignReading.ELIGIBILITY, DesignReading.AS_THEY_ARE):
        mine = [result for result in ensemble.attained if result.reading.design is design]
        islands = [island for island in ensemble.pool if island.readings[0].design is design]
        if len(islands) < LEAST_SAMPLERS:
            return math.nan, math.nan
        found.append(evidence_of(mine, settings))
    (log_ruled, error_ruled), (log_plain, error_plain) = found
    return log_ruled - log_plain, math.hypot(error_ruled, error_plain)


def few_samplers(ensemble: Ensemble) -> list[str]:
    """A sentence where the tables are of so few samplers that nobody can tell how far these differ."""
    count = len(np.unique(ensemble.islands))
    return [] if count >= LEAST_SAMPLERS else [f"not settled: tables of {count} of the samplers only"]


def evidence_of(results: Sequence[ReadingResult], settings: ReconstructionSettings) -> tuple[float, float]:
    """Log of the summed evidence of the readings that `settings` tries, and its standard error: the readings' errors added up as if each
    sampler's were one, which is the most that they can be.
    """
    found = [result for result in results if tried(result.reading, settings)]
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
