"""Strict agreement: tables that carry every printed digit, reached from tables in default agreement.

Every table in default agreement is a fair start, but one in 10^8 of them is strict, and strict tables are islands that no single move
connects. The last step is a ratchet: a Metropolis-Hastings walk on the default region goes on until one median's interval
happens to have its digits; they are then locked (every later table keeps them) and the walk goes on for the other medians, and at last for the
hazard ratio and χ². It works because a median's interval knows nothing of what happens after Ŝ = 0.45: the tails stay free to move.
Found tables are fair under the prior within each stage, not over stages; that answers do not care is checked, not assumed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from retrial.errors import ReconstructionError
from retrial.reconstruct.build import UnattainableError, build_problem
from retrial.reconstruct.compiled import compiled, random_state
from retrial.reconstruct.energy import group_energy, joint_energy
from retrial.reconstruct.ensemble import Ensemble, ReconstructionSettings
from retrial.reconstruct.pool import ensemble_of
from retrial.reconstruct.problem import BETA, MEDIAN_SE, SCALARS, Problem
from retrial.reconstruct.readings import Reading
from retrial.reconstruct.structure import with_totals
from retrial.reconstruct.targets import Targets
from retrial.reconstruct.walk import AT_TARGET, JOINT, N_ENERGIES, walk

STRICT = 3
"""First entry of the seed's spawn key (0 to 2: the samplers and the pool)."""
CHECK_EVERY = 50
"""Proposals between two looks at the next digit: about one accepted move."""
MOST_PROPOSALS = np.array([2_000_000, 10_000_000])
"""Proposals spent on one median, and on the comparison, before a start is given up."""
MOST_STARTS = 20
"""Starts tried per table wanted."""
MOST_THREADS = 8
"""Smallest batch of starts: the same whatever the number of threads, so that the result is."""
LEAST_SHARE = 0.01
"""Readings less probable than this are not searched for strict tables."""


@compiled
def lock(real: np.ndarray, strict: np.ndarray, stage: int) -> None:
    """Copy the strict intervals of one stage: a group's median SE, or everything about the comparison."""
    if stage < JOINT:
        real[MEDIAN_SE + stage] = strict[MEDIAN_SE + stage]
    else:
        real[BETA:SCALARS] = strict[BETA:SCALARS]


@compiled
def strict_stage(problem: Problem, strict: np.ndarray, d: np.ndarray, r: np.ndarray, stage: int) -> bool:
    """Whether a table carries every digit of one stage: 0, 1, 2 a group's median interval, 3 the comparison."""
    if stage == JOINT:
        return joint_energy(problem.whole, strict, problem.inverse, d, r, 0.0) == 0.0
    return group_energy(problem.whole, strict, problem.times, problem.inverse, problem.curve, d, r, stage) == 0.0


@compiled
def ratchet(problem: Problem, strict: np.ndarray, d: np.ndarray, r: np.ndarray, most: np.ndarray, state: np.ndarray) -> int:
    """Lock the medians' digits as they come, then the comparison's, in place; returns how many of the four stages were reached.

    `problem.real` is overwritten. `most`: proposals allowed for a median's stage, for the comparison's.
    """
    energy, locked, n_locked = np.zeros(N_ENERGIES), np.zeros(N_ENERGIES, np.int64), 0
    while n_locked < N_ENERGIES:
        before, done = n_locked, 0
        limit = most[1] if n_locked == JOINT else most[0]
        while n_locked == before and done <= limit:
            for stage in range(N_ENERGIES):
                open_now = locked[stage] == 0 and (stage < JOINT or n_locked == JOINT)
                if open_now and strict_stage(problem, strict, d, r, stage):
                    lock(problem.real, strict, stage)
                    locked[stage] = 1
                    n_locked += 1
            if n_locked == before:
                walk(problem, d, r, energy, AT_TARGET, CHECK_EVERY, state)
                done += CHECK_EVERY
        if n_locked == before:
            break
    return n_locked


def strict_ensemble(ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings, seed: int, n_tables: int) -> Ensemble:
    """Up to `n_tables` different tables in strict agreement, equally weighted; starts are the sampled tables with most digits right.

    Raises `ReconstructionError` where none was found.
    """
    problems = strict_problems(ensemble, targets, settings)
    starts = ordered_starts(ensemble, problems, seed)[: MOST_STARTS * n_tables]
    found: dict[bytes, tuple[Reading, float, np.ndarray, np.ndarray]] = {}

    def run(job: tuple[int, tuple[Reading, np.ndarray, np.ndarray]]) -> tuple[Reading, float, np.ndarray, np.ndarray] | None:
        number, (reading, d, r) = job
        state = random_state(np.random.SeedSequence(seed, spawn_key=(STRICT, number)))
        return climb(reading, d, r, problems[reading], state)

    batch = max(MOST_THREADS, n_tables // 2)
    with ThreadPoolExecutor(max_workers=settings.threads) as workers:
        for position in range(0, len(starts), batch):
            for item in workers.map(run, list(enumerate(starts[position : position + batch], start=position))):
                if item is not None and len(found) < n_tables:
                    found.setdefault(item[2].tobytes() + item[3].tobytes(), item)
            if len(found) >= n_tables:
                break
    if not found:
        raise ReconstructionError(f"no life table was found that carries every printed digit of {targets.endpoint}")
    return ensemble_of(targets, list(found.values()), ensemble.results, seed)


def strict_problems(
    ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings
) -> dict[Reading, tuple[Problem, Problem]]:
    """Default and strict problem of each sampled reading that can print every digit."""
    problems = {}
    for reading in dict.fromkeys(island.reading for island in ensemble.pool):
        try:
            strict = build_problem(targets, reading, settings.prior, strict=True)
            problems[reading] = build_problem(targets, reading, settings.prior), strict
        except UnattainableError:
            continue
    return problems


def ordered_starts(
    ensemble: Ensemble, problems: dict[Reading, tuple[Problem, Problem]], seed: int
) -> list[tuple[Reading, np.ndarray, np.ndarray]]:
    """Sampled tables, those with most medians' digits right first, in random order within; readings below `LEAST_SHARE` are left out."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRICT,)))
    shares = {result.reading: result.share for result in ensemble.results}
    starts, ranks = [], []
    for island in ensemble.pool:
        if island.reading not in problems or shares[island.reading] < LEAST_SHARE:
            continue
        default, strict = problems[island.reading]
        for d, r in zip(island.d, island.r, strict=True):
            table = with_totals(d, r[:, :-1] - r[:, 1:])
            starts.append((island.reading, *table))
            ranks.append(sum(strict_stage(default, strict.real, *table, stage) for stage in range(JOINT)))
    order = np.lexsort((random.random(len(starts)), -np.array(ranks)))
    return [starts[i] for i in order]


def climb(
    reading: Reading, d: np.ndarray, r: np.ndarray, problems: tuple[Problem, Problem], state: np.ndarray
) -> tuple[Reading, float, np.ndarray, np.ndarray] | None:
    """One start's strict table, or None."""
    default, strict = problems
    d, r = d.copy(), r.copy()
    reached = ratchet(default._replace(real=default.real.copy()), strict.real, d, r, MOST_PROPOSALS, state)
    return (reading, 1.0, d[:2], r[:2]) if reached == N_ENERGIES else None
