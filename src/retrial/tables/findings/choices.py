"""What the tables owe to choices of ours, not to the paper: each choice made otherwise, one at a time, beside the tables as they are.

A hypothesis about the design (who was eligible) has evidence beside the tables without it. Another prior of the tables is a weight of the same
tables, p(table | other prior) / p(table | prior) (`MANY` that the samplers found), where enough stay effective; else they are
sampled anew.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.special import logsumexp

from retrial.dims import RECONSTRUCTION
from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Ensemble, ReadingResult, ReconstructionSettings
from retrial.tables.findings.prior_evidence import log_evidence_of_table
from retrial.tables.findings.spread import SAME, Values, against, by_reading, named, spread, summary, table_answers, unsettled
from retrial.tables.kernel.prior import TablePrior
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.readings import DesignReading, Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import prior_under
from retrial.tables.sample.engine import designs_of, reconstruct
from retrial.tables.sample.pool import reweighted
from retrial.tables.sample.smc.weights import effective

OVERDISPERSION, FINE_PIECES = 0.7, 24
"""SD of what each piece and arm has to itself, and pieces, of the overdispersed prior: patients clump in time beyond what is smooth."""
FROM_ZERO = "hazards from time 0"
"""Of the prior of tables whose grid begins at the shortest printed time, before which nobody can leave."""
ANY_TIME = "patients may be censored at any time"
"""What tables as they are say of the follow-up that left patients out."""
WIDER = 2.0
"""Factor of the scales of all walks in the narrower and the wider prior."""
LEAST_SAMPLERS = 3
"""Samplers whose tables must be there for an evidence to be told."""
MANY, LEAST_EFFECTIVE = 400, 20
"""Tables that are weighted, and the effective ones below which another prior is not made of weights."""
OF_HYPOTHESES = ("log_bayes_factor", "log_bayes_factor_se")
"""Columns that rows of hypotheses about the design have."""
COLUMNS = """
    status                  "ok", or why there are no such tables
    choice, words           which choice is made otherwise, and what that says; empty: none
    settled                 empty, or that few independent tables stand behind the row
    effective_tables        of another prior made of weights of the same tables: how many they are worth; NaN: sampled anew
    shift, standardised     of the mean, and in Monte Carlo standard errors, of weighted tables those of the difference
    sd_ratio                of the SDs over the tables
    log_bayes_factor, log_bayes_factor_se  of a hypothesis about the design against the tables as they are, and its standard error
"""
"""Columns of `compare_choices` beside those of `spread`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Choice:
    """One choice made otherwise: name, what it says, its numbers and settings; `design`: the hypothesis that it is; `alone`: it is not combined
    with others.
    """

    name: str
    words: str
    targets: Targets
    settings: ReconstructionSettings
    design: DesignReading | None = None
    alone: bool = False


def choices_of(targets: Targets, settings: ReconstructionSettings) -> list[Choice]:
    """The choices that tables of these numbers rest on."""
    found = []
    assumed = [name for name in targets.names if name.partition(".")[0] in dict(targets.assumed)]
    if assumed:
        reasons = "; ".join(dict.fromkeys(reason for _, reason in targets.assumed))
        found.append(Choice("without assumed numbers", f"not used: {reasons}", targets.without(*assumed), settings))
    if targets.uncensored:
        until = f"{targets.followed:g} {targets.time_unit}"
        lost = dataclasses.replace(targets, followed=math.nan)
        found.append(Choice("without minimum follow-up", f"patients may be lost before {until}", lost, settings))
    if targets.first > targets.step * (1 + SAME):
        until = f"{targets.first:g} {targets.time_unit}"
        words = f"the tables' prior has hazards before {until} too: that nobody left before is chance, not the design"
        whole = dataclasses.replace(targets, first=targets.step)
        found.append(Choice(FROM_ZERO, words, whole, settings, alone=True))
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
    weigher = None if whole.relaxed else Weigher.of(whole, targets, settings, horizon, times)
    for number, choice in enumerate(asked, start=1):
        about = {"choice": choice.name, "words": choice.words}
        if weigher is not None and choice.targets is targets and choice.design is None:
            weighted = weigher.under(choice.settings.prior)
            if effective(weighted.weights) >= LEAST_EFFECTIVE:
                frames.append(weigher.rows(weighted).assign(**about))
                continue
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
        frame = against(spread(other, choice.targets, horizon, times).assign(status="ok"), base)
        if choice.design is DesignReading.ELIGIBILITY and carried is not None:
            frame = frame.assign(**dict(zip(OF_HYPOTHESES, log_bayes_factor(carried, settings), strict=True)))
        frames.append(frame.assign(settled="; ".join(few_samplers(other) or unsettled(other)), **about))
        if progress is not None:
            progress(number / len(asked))
    found = pd.concat(frames, ignore_index=True)
    return found.reindex(columns=[*found.columns, *(name for name in ("effective_tables", *OF_HYPOTHESES) if name not in found)])


@dataclasses.dataclass(frozen=True, slots=True)
class Weigher:
    """Many tables of an ensemble's samplers, their answers, and the log of how probable each is under the prior that they were sampled with."""

    tables: Ensemble
    targets: Targets
    values: Values
    logs: np.ndarray

    @classmethod
    def of(
        cls, whole: Ensemble, targets: Targets, settings: ReconstructionSettings, horizon: float, times: tuple[float, ...]
    ) -> Weigher:
        """As many as `MANY`, in the proportions of the readings that the ensemble has."""
        shares = {reading: float(whole.weights[rows].sum()) for reading, rows in by_reading(whole).items()}
        shares = {reading: share for reading, share in shares.items() if share > 0}
        more = reweighted(whole, targets, dataclasses.replace(settings, n_tables=MANY), shares) if whole.pool else whole
        values = table_answers(more.table, targets, horizon, times)
        return cls(more, targets, values, log_evidences(more, targets, settings.prior))

    def under(self, prior: TablePrior) -> Ensemble:
        """The tables weighted by p(table | prior) over that under their own, each under its design."""
        with np.errstate(divide="ignore"):
            logs = np.log(self.tables.weights) + log_evidences(self.tables, self.targets, prior) - self.logs
        return dataclasses.replace(self.tables, weights=np.exp(logs - logsumexp(logs)), pool=())

    def rows(self, weighted: Ensemble) -> pd.DataFrame:
        """`spread` of weighted tables and its shift against the same ones unweighted, in standard errors of that difference."""
        plain, frame = (
            pd.DataFrame([named(self.tables.endpoint, key) | summary(numbers, tables) for key, numbers in self.values.items()])
            for tables in (self.tables, weighted)
        )
        frame = against(frame.assign(status="ok", effective_tables=effective(weighted.weights)), plain)
        errors = np.array([shift_error(numbers, weighted, self.tables) for numbers in self.values.values()])
        moved = errors > SAME
        certain = np.where(np.isnan(errors), np.nan, 0.0)
        frame["standardised"] = np.where(moved, frame["shift"] / np.where(moved, errors, 1.0), certain)
        return frame.assign(settled="; ".join(few_samplers(weighted) or unsettled(weighted)))


def log_evidences(ensemble: Ensemble, targets: Targets, prior: TablePrior) -> np.ndarray:
    """(M,) log p(table | prior), each under the design of its reading."""
    logs, designs = np.zeros(len(ensemble.weights)), np.array([reading.ruled for reading in ensemble.readings])
    for ruled in np.unique(designs):
        rows = np.flatnonzero(designs == ruled)
        under = prior_under(targets, prior, ensemble.readings[rows[0]])
        logs[rows] = log_evidence_of_table(LifeTable(ensemble.table.data.isel({RECONSTRUCTION: rows})), under)
    return logs


def shift_error(values: np.ndarray, weighted: Ensemble, whole: Ensemble) -> float:
    """Standard error of the difference of two weighted means over the same tables, jackknife over samplers; NaN where too few tables have such a
    value or all are of one sampler.
    """
    known = ~np.isnan(values)
    both = [ensemble.weights * known for ensemble in (weighted, whole)]
    numbers = np.unique(whole.islands[both[1] > 0])
    if not np.isfinite(values[known]).all() or len(numbers) < 2:
        return math.nan
    values = np.where(known, values, 0.0)
    left = [whole.islands != number for number in numbers]
    without = np.array(
        [np.average(values[rows], weights=both[0][rows]) - np.average(values[rows], weights=both[1][rows]) for rows in left]
    )
    return float(np.sqrt((len(without) - 1) / len(without) * ((without - without.mean()) ** 2).sum()))


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
