"""Strict agreement: tables that carry every printed digit.

One table in 10^8 of those in default agreement is strict, and strict tables are islands that no single move connects. Two
steps reach them. A wide island of the sampler has the medians' intervals strict and the rest at default: it arrives, and its
tables still move, because a median's interval knows nothing of what happens after Ŝ = 0.45. Then each of its tables walks
within that region until hazard ratio, limits, p and χ² happen to have their printed digits too. The walk leaves prior(y) on
the region invariant, so that what is found is close to the prior restricted to strict tables; that answers do not care is
checked (`spread.compare_ensembles`), not assumed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from retrial.errors import ReconstructionError
from retrial.reconstruct.build import UnattainableError, build_problem
from retrial.reconstruct.compiled import compiled, random_state
from retrial.reconstruct.energy import joint_energy
from retrial.reconstruct.ensemble import Ensemble, ReconstructionSettings
from retrial.reconstruct.island import run_island
from retrial.reconstruct.pool import ensemble_of
from retrial.reconstruct.problem import BETA, MEDIAN_SE, Problem
from retrial.reconstruct.readings import Reading
from retrial.reconstruct.sampler import BURN_IN_PER_PATIENT
from retrial.reconstruct.structure import first_table
from retrial.reconstruct.targets import Targets
from retrial.reconstruct.walk import AT_TARGET, N_ENERGIES, walk

STRICT = 3
"""First entry of the seed's spawn key (0 to 2: the samplers and the pool)."""
PARTICLES, SHARE, LAST_TEMPERATURE = 512, 0.8, 5e3
"""A wide island with short walks: many starts for the last digits; colder, because a digit is a fiftieth of a tolerance."""
CHECK_EVERY, LAST_PROPOSALS = 50, 30_000
"""Proposals between two looks at the last digits (about one accepted move), and in all per table."""
MOST_ISLANDS = 12
"""Islands tried per reading before the search is given up."""
PER_ISLAND = 3
"""Tables kept of one island at first, so that not all share their ancestors."""
LEAST_SHARE = 0.01
"""Readings less probable than this are not searched for strict tables."""

Found = tuple[Reading, float, np.ndarray, np.ndarray]


@compiled
def last_digits(
    problem: Problem, strict: np.ndarray, d: np.ndarray, r: np.ndarray, levels: np.ndarray, most: int, state: np.ndarray
) -> bool:
    """Walk a table in agreement with `problem`, in place, until the comparison agrees with the `strict` intervals; False
    where it never did.
    """
    energy, reading = np.zeros(N_ENERGIES), np.zeros(1, np.int64)
    for _ in range(most // CHECK_EVERY + 1):
        if joint_energy(problem.whole[0], strict, problem.inverse, d, r, 0.0) == 0.0:
            return True
        walk(problem, reading, d, r, levels, energy, AT_TARGET, CHECK_EVERY, state)
    return False


@compiled
def all_last_digits(
    problem: Problem, strict: np.ndarray, d: np.ndarray, r: np.ndarray, levels: np.ndarray, most: int, state: np.ndarray
) -> np.ndarray:
    """(N,) which particles got there."""
    reached = np.zeros(d.shape[0], np.bool_)
    for i in range(d.shape[0]):
        reached[i] = last_digits(problem, strict, d[i], r[i], levels[i], most, state)
    return reached


def strict_ensemble(ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings, seed: int, n_tables: int) -> Ensemble:
    """Up to `n_tables` different tables in strict agreement, equally weighted, under the readings that the default ensemble
    attained.

    Raises `ReconstructionError` where none was found. The same seed gives the same tables on any number of threads.
    """
    readings = [result.reading for result in ensemble.attained if result.share >= LEAST_SHARE]
    found: dict[bytes, Found] = {}
    with ThreadPoolExecutor(max_workers=settings.threads) as workers:
        for number in range(MOST_ISLANDS):
            jobs = [(targets, reading, settings, seed, number) for reading in readings]
            for tables in workers.map(lambda job: strict_island(*job), jobs):
                for item in tables:
                    found.setdefault(item[2].tobytes() + item[3].tobytes(), item)
            if len(found) >= n_tables:
                break
    if not found:
        raise ReconstructionError(f"no life table was found that carries every printed digit of {targets.endpoint}")
    return ensemble_of(targets, chosen(list(found.values()), n_tables, seed), ensemble.results, seed)


def chosen(found: list[Found], n_tables: int, seed: int) -> list[Found]:
    """At most `n_tables`, at random."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRICT,)))
    return [found[i] for i in np.sort(random.permutation(len(found))[:n_tables])]


def strict_island(targets: Targets, reading: Reading, settings: ReconstructionSettings, seed: int, number: int) -> list[Found]:
    """Strict tables of one island; at most `PER_ISLAND` of them, at random."""
    try:
        strict = build_problem(targets, reading, settings.prior, strict=True)
    except UnattainableError:
        return []
    default = build_problem(targets, reading, settings.prior)
    middle = default._replace(real=default.real.copy())
    middle.real[0, MEDIAN_SE:BETA] = strict.real[0, MEDIAN_SE:BETA]
    start = first_table(targets)
    n_patients, proposals = int(start[1][2, 0]), settings.proposals_for(int(start[1][2, 0]), targets.n_times) // 2
    key = np.random.SeedSequence(seed, spawn_key=(STRICT, *reading.codes, number))
    state = random_state(key)
    burn_in = BURN_IN_PER_PATIENT * n_patients
    _, d, r, levels, *_, summary, _ = run_island(
        middle, *start, PARTICLES, burn_in, proposals, 2 * proposals, proposals, SHARE, LAST_TEMPERATURE, state
    )
    if not np.isfinite(summary[0]):
        return []
    reached = np.flatnonzero(all_last_digits(middle, strict.real[0], d, r, levels, LAST_PROPOSALS, state))
    kept = np.random.default_rng(key).permutation(reached)[:PER_ISLAND]
    return [(reading, 1.0, d[i, :2], r[i, :2]) for i in kept]
