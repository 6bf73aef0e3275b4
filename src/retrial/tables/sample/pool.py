"""Islands of all readings to one `Ensemble`: evidence, weights, the tables delivered."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from retrial.tables.ensemble import Drawn, Ensemble, Island, ReadingResult, ReconstructionSettings
from retrial.tables.life_table import LifeTable
from retrial.tables.printed.agreement import miss, violated
from retrial.tables.printed.readings import DesignReading, Reading
from retrial.tables.printed.statistics import Table
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import prior_under
from retrial.tables.sample.hazards import printed_hazards

POOL = 2
"""First entry of the seed's spawn key for choosing tables (0 and 1: the samplers)."""
LEAST_ISLANDS = 3
"""Fewest islands whose spread is taken for an estimate."""


def all_results(
    targets: Targets,
    readings: tuple[Reading, ...],
    islands: list[Island],
    pilots: dict[Reading, Island],
    impossible: list[ReadingResult],
) -> tuple[ReadingResult, ...]:
    """What became of every reading, most probable first."""
    structure = structures(islands)
    parts = {reading: list(parts_of(reading, islands, pilots).values()) for reading in readings}
    tried = with_shares([reading_result(targets, reading, parts[reading], structure[reading.design]) for reading in readings])
    sampled = [reading for reading in readings if reading not in pilots]
    logs = [[part.log_evidence + structure[reading.design] for part in parts[reading]] for reading in sampled]
    within = share_errors(logs, [reading.design for reading in sampled])
    between = design_errors(islands, structure)
    shares = {result.reading: result.share for result in tried}
    errors = {
        reading: np.hypot(error, shares[reading] * between[reading.design])
        for reading, error in zip(sampled, within, strict=True)
    }
    results = [dataclasses.replace(result, share_se=float(errors.get(result.reading, np.nan))) for result in tried]
    return tuple(sorted([*results, *impossible], key=lambda result: -result.share))


def structures(islands: list[Island]) -> dict[DesignReading | None, float]:
    """Log of how probable the printed structure is under each design, mean over its islands; 0 for all where there is one design, or one of them
    does not know it.
    """
    designs = dict.fromkeys(island.readings[0].design for island in islands)
    found = {}
    for design in designs:
        logs = np.array([island.log_structure for island in islands if island.readings[0].design is design])
        found[design] = float(logsumexp(logs) - np.log(len(logs)))
    if len(found) < 2 or not np.isfinite(list(found.values())).all():
        return dict.fromkeys(designs, 0.0)
    return found


def parts_of(reading: Reading, islands: list[Island], pilots: dict[Reading, Island]) -> dict[int, Island]:
    """What the samplers say of one reading, by their number: every island's particles that ended in it, or its pilot, which stands for its reading
    alone, so that it is one more sampler.
    """
    if reading in pilots:
        return {len(islands) + list(pilots).index(reading): pilots[reading]}
    return {number: island.of(reading) for number, island in enumerate(islands) if reading in island.readings}


def pool_islands(
    targets: Targets,
    settings: ReconstructionSettings,
    seed: int,
    results: tuple[ReadingResult, ...],
    islands: list[Island],
    pilots: dict[Reading, Island],
) -> Ensemble:
    """Weight readings and islands by their evidence and choose the tables; where nothing arrived, a relaxed ensemble."""
    attained = {result.reading: result.share for result in results if result.status == "attained"}
    if not attained:
        return relaxed_ensemble(targets, settings, results, list(pilots.values()), seed)
    return drawn_ensemble(targets, settings, seed, attained, results, islands, pilots)


def reweighted(ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings, shares: dict[Reading, float]) -> Ensemble:
    """An ensemble whose tables and hazards are drawn again from its samplers, with other probabilities of its readings (adding to 1)."""
    islands = [island for island in ensemble.pool if not island.pilot]
    pilots = {island.readings[0]: island for island in ensemble.pool if island.pilot}
    return drawn_ensemble(targets, settings, ensemble.seed, shares, ensemble.results, islands, pilots)


def drawn_ensemble(
    targets: Targets,
    settings: ReconstructionSettings,
    seed: int,
    shares: dict[Reading, float],
    results: tuple[ReadingResult, ...],
    islands: list[Island],
    pilots: dict[Reading, Island],
) -> Ensemble:
    """Tables and hazards of readings with these probabilities, islands weighted by their evidence."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(POOL,)))
    chosen: list[Drawn] = []
    for reading, count in allocation(shares, settings).items():
        arrived = {number: part for number, part in parts_of(reading, islands, pilots).items() if part.arrived}
        chosen += draw_tables(reading, shares[reading], arrived, count, random)
    pool = tuple(island for island in (*islands, *pilots.values()) if island.arrived)
    prior = prior_under(targets, settings.prior, next(iter(shares)))
    hazards = printed_hazards(targets, [*islands, *pilots.values()], seed, shares, prior)
    return dataclasses.replace(ensemble_of(targets, chosen, results, seed), pool=pool, hazards=hazards)


def reading_result(targets: Targets, reading: Reading, parts: list[Island], log_structure: float = 0.0) -> ReadingResult:
    """Evidence, with that of the structure under its design, and health of one reading."""
    arrived = [part for part in parts if part.arrived]
    base = ReadingResult(
        reading,
        "attained" if arrived else "not attained",
        islands=len(parts),
        chains_started=sum(part.started for part in parts),
        proposals=sum(part.proposals for part in parts),
    )
    if not arrived:
        closest = min(parts, key=lambda part: part.nearest)
        best = int(closest.energy.sum(axis=1).argmin())
        table = table_of(targets, closest.d[best], closest.r[best])
        return dataclasses.replace(base, miss=miss(table, targets, reading), violated=violated(table, targets, reading))
    logs = np.array([part.log_evidence for part in parts])
    relative = np.exp(logs - logs.max())
    return dataclasses.replace(
        base,
        miss=0.0,
        log_evidence=float(logs.max() + np.log(relative.mean())) + log_structure,
        log_evidence_se=evidence_error(np.array([part.alone for part in parts])),
        chains_arrived=sum(len(part.d) for part in arrived),
        unique_tables=sum(len(distinct(part)) for part in arrived),
        unique_ancestors=sum(len(np.unique(part.ancestor)) for part in arrived),
        effective_tables=effective_tables(arrived),
        acceptance=float(np.mean([part.acceptance for part in arrived])),
    )


def evidence_error(logs: np.ndarray) -> float:
    """Standard error of the log of the islands' mean evidence: jackknife over islands. NaN where one island is all there is.

    The delta method's (SD / √n) / mean cannot exceed 1, however far the islands are apart; this can.
    """
    n = len(logs)
    arrived = logs[np.isfinite(logs)]
    if len(arrived) < 2:
        return float("nan")
    evidence = np.exp(logs - logs.max())
    with np.errstate(divide="ignore"):
        without = np.log(np.maximum(evidence.sum() - evidence, 0.0))
    largest = int(logs.argmax())
    without[largest] = logsumexp(np.delete(logs, largest)) - logs.max()
    return float(np.sqrt((n - 1) / n * ((without - without.mean()) ** 2).sum()))


def share_errors(logs: Sequence[Sequence[float]], designs: Sequence[DesignReading | None]) -> np.ndarray:
    """(readings,) standard errors of shares Z̄_r / Σ_r Z̄_r, Z̄_r the mean over the islands of a reading's design, from its log evidences in each:
    jackknife over islands, a design's after the other's (Arvesen 1969, Ann. Math. Statist. 40:2076).
    """
    if not logs or min(map(len, logs)) < 2:
        return np.full(len(logs), np.nan)
    largest = max(map(max, logs))
    evidence = [np.exp(np.array(row) - largest) for row in logs]
    means, variances = np.array([row.mean() for row in evidence]), np.zeros(len(logs))
    for design in dict.fromkeys(designs):
        mine = [number for number, own in enumerate(designs) if own is design]
        rows = np.stack([evidence[number] for number in mine])
        n_islands = rows.shape[1]
        left = np.repeat(means[:, None], n_islands, axis=1)
        left[mine] = (rows.sum(axis=1, keepdims=True) - rows) / (n_islands - 1)
        total = left.sum(axis=0)
        shares = np.divide(left, total, out=np.full_like(left, np.nan), where=total > 0)
        variances += (n_islands - 1) / n_islands * ((shares - shares.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    return np.sqrt(variances)


def design_errors(islands: list[Island], structure: dict[DesignReading | None, float]) -> dict[DesignReading | None, float]:
    """Relative standard error of each design's share that comes from the error of the designs' evidences, which islands of one design count
    alike hide: (1 - share) √(σ² + σ'²) of the log evidences of this design and of the others together.
    """
    logs, errors = {}, {}
    for design in structure:
        own = np.array([island.alone for island in islands if island.readings[0].design is design])
        logs[design] = float(logsumexp(own) - np.log(len(own))) + structure[design] if np.isfinite(own).any() else -np.inf
        errors[design] = np.nan_to_num(evidence_error(own)) if np.isfinite(own).any() else 0.0
    top = max(logs.values(), default=0.0)
    weights = {design: np.exp(log - top) if np.isfinite(top) else 0.0 for design, log in logs.items()}
    total = sum(weights.values())
    found = {}
    for design, weight in weights.items():
        others = [other for other in weights if other is not design and weights[other] > 0.0]
        left = total - weight
        spread = sum((weights[other] / left * errors[other]) ** 2 for other in others) if left > 0.0 else 0.0
        found[design] = float(left / total * np.sqrt(errors[design] ** 2 + spread)) if total > 0.0 else 0.0
    return found


def effective_tables(islands: list[Island]) -> float:
    """Effective sample size of the difference in RMST: total variance over the variance of the islands' mean.

    Tables of one island share ancestors, so that only the spread between independent islands tells their worth.
    """
    if len(islands) < LEAST_ISLANDS:
        return float("nan")
    values = [rmst_difference(island.d, island.r) for island in islands]
    means = np.array([value.mean() for value in values])
    between = float(means.var(ddof=1))
    total = between + float(np.mean([value.var() for value in values]))
    return min(len(islands) * total / between, float(sum(len(value) for value in values))) if between > 0 else float("nan")


def rmst_difference(d: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(N,) sums of Ŝ over the grid, experimental - control: the RMST difference over the grid's span, in steps."""
    at_risk = np.maximum(r[..., :-1], 1)
    survival = np.cumprod(1.0 - d / at_risk, axis=-1).sum(axis=-1)
    return survival[:, 1] - survival[:, 0]


def with_shares(results: list[ReadingResult]) -> list[ReadingResult]:
    """Posterior probabilities of the attained readings, each equally likely beforehand."""
    logs = np.array([result.log_evidence for result in results])
    if not np.isfinite(logs).any():
        return results
    weights = np.exp(logs - logs.max())
    return [
        dataclasses.replace(result, share=float(share)) for result, share in zip(results, weights / weights.sum(), strict=True)
    ]


def allocation(shares: dict[Reading, float], settings: ReconstructionSettings) -> dict[Reading, int]:
    """Tables per reading: in proportion to the evidence, at least `least_tables` each, adding to `n_tables` (largest
    remainders).
    """
    least = min(settings.least_tables, settings.n_tables // len(shares))
    free = settings.n_tables - least * len(shares)
    exact = {reading: free * share for reading, share in shares.items()}
    counts = {reading: int(value) for reading, value in exact.items()}
    order = sorted(shares, key=lambda reading: counts[reading] - exact[reading])
    for reading in order[: free - sum(counts.values())]:
        counts[reading] += 1
    return {reading: least + count for reading, count in counts.items() if least + count > 0}


def distinct(island: Island) -> np.ndarray:
    """Indices of the first of each different table."""
    flat = np.concatenate([island.d.reshape(len(island.d), -1), island.r.reshape(len(island.r), -1)], axis=1)
    return np.sort(np.unique(flat, axis=0, return_index=True)[1])


def draw_tables(
    reading: Reading, share: float, islands: dict[int, Island], count: int, random: np.random.Generator
) -> list[Drawn]:
    """`count` different tables of one reading (fewer where there are not so many), islands (by number) weighted by their evidence."""
    logs = np.array([island.log_evidence for island in islands.values()])
    per_island = np.exp(logs - logs.max())
    sizes = [len(island.d) for island in islands.values()]
    d = np.concatenate([island.d for island in islands.values()])
    r = np.concatenate([island.r for island in islands.values()])
    mass = np.repeat(per_island / sizes, sizes)
    number = np.repeat(list(islands), sizes)
    flat = np.concatenate([d.reshape(len(d), -1), r.reshape(len(r), -1)], axis=1)
    _, first, inverse = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    weight = np.bincount(inverse.ravel(), weights=mass)
    # Drawn without replacement in proportion to the mass: the tables then count equally.
    taken = random.choice(len(first), size=min(count, len(first)), replace=False, p=weight / weight.sum())
    return [Drawn(reading, share / len(taken), d[first[i]], r[first[i]], int(number[first[i]])) for i in np.sort(taken)]


def table_of(targets: Targets, d: np.ndarray, r: np.ndarray) -> Table:
    """The table of (..., T) events and (..., T + 1) patients at risk."""
    return Table(targets.times, d, leaving_of(r) - d)


def leaving_of(r: np.ndarray) -> np.ndarray:
    """(..., T) patients who leave at each time from (..., T + 1) at risk."""
    return r[..., :-1] - r[..., 1:]


def ensemble_of(
    targets: Targets,
    chosen: list[Drawn],
    results: tuple[ReadingResult, ...],
    seed: int,
    *,
    relaxed: bool = False,
) -> Ensemble:
    """The chosen tables as an `Ensemble`, weights adding to 1."""
    d, r = np.array([item.d for item in chosen]), np.array([item.r for item in chosen])
    weights = np.array([item.weight for item in chosen])
    table = LifeTable.from_counts(targets.months, d, leaving_of(r) - d)
    readings, islands = tuple(item.reading for item in chosen), np.array([item.island for item in chosen])
    return Ensemble(targets.endpoint, table, readings, weights / weights.sum(), results, seed, relaxed, islands)


def relaxed_ensemble(
    targets: Targets, settings: ReconstructionSettings, results: tuple[ReadingResult, ...], islands: list[Island], seed: int
) -> Ensemble:
    """The closest tables of the closest reading, equally weighted; named relaxed because none carries every printed number."""
    nearest = min(islands, key=lambda island: island.nearest).readings[0]
    candidates = [island for island in islands if island.readings == (nearest,)]
    d, r = np.concatenate([island.d for island in candidates]), np.concatenate([island.r for island in candidates])
    energy = np.concatenate([island.energy.sum(axis=1) for island in candidates])
    order = np.argsort(energy, kind="stable")
    flat = np.concatenate([d.reshape(len(d), -1), r.reshape(len(r), -1)], axis=1)[order]
    keep = order[np.sort(np.unique(flat, axis=0, return_index=True)[1])][: settings.n_tables]
    return ensemble_of(targets, [Drawn(nearest, 1.0, d[i], r[i], 0) for i in keep], results, seed, relaxed=True)
