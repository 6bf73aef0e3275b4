"""Strict agreement: tables that carry every printed digit.

One table in 10^8 of those in default agreement is strict, too few to wait for, and islands that no single move connects. Two
steps reach them. A wide island of the sampler has the medians' intervals strict and the rest at default: it arrives, and its
tables still move, because a median's interval knows nothing of what happens after Ŝ = 0.45. Its particles are then narrowed in all
else: from interval_1 (default) to interval_0 (strict), interval_λ = strict + λ (default - strict). Each stage keeps the half that
agrees at the smallest λ, copies it, and moves the copies by Metropolis-Hastings on prior(y) 1[agreement at that λ], so that the
last population is close to a draw of the prior restricted to strict tables (subset simulation: Au and Beck 2001, Probabilistic
Engineering Mechanics 16:263). That answers do not care is checked (`spread.compare_ensembles`), not assumed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from retrial.errors import ReconstructionError
from retrial.tables.ensemble import Drawn, Ensemble, ReconstructionSettings
from retrial.tables.kernel.compiled import compiled
from retrial.tables.kernel.entries import Arms
from retrial.tables.kernel.moves import BOTH
from retrial.tables.kernel.problem import BETA, MEDIAN_SE, SCALARS, Problem
from retrial.tables.kernel.walk import AT_TARGET, N_ENERGIES, energies
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.build import UnattainableError, build_problem
from retrial.tables.sample.pool import ensemble_of
from retrial.tables.sample.sampler import in_threads, sizes_of
from retrial.tables.sample.smc.island import Tick, run
from retrial.tables.sample.smc.population import Population
from retrial.tables.sample.smc.weights import resample
from retrial.tables.sample.structure import first_table

STRICT = 3
"""First entry of the seed's spawn key (0 to 2: the samplers and the pool)."""
POPULATION, SHARE, LAST_TEMPERATURE, SLOWER = 512, 0.93, 5e3, 1.5
"""Particles of the wide island, its share, its last temperature (a digit is a fiftieth of a tolerance), and its proposals in units
of the settings'."""
KEPT = 0.5
"""Share that a stage of the narrowing keeps."""
WALK, WALK_MOST = 2, 20
"""Proposals of a stage per table, in units of the settings', at first and where few are taken."""
ACCEPTED = 20
"""Moves of a table that a stage aims at."""
MOST_STAGES = 80
"""Halvings after which a population is given up: twice as many as the rarest strict tables need."""
PATIENCE = 8
"""Stages without a narrower table after which a population is given up."""
MOST_POPULATIONS = 6
"""Populations tried per reading before the search is given up."""
PER_ANCESTOR = 3
"""Tables delivered of one particle's descendants, which are alike."""
LEAST_SHARE = 0.01
"""Readings less probable than this are not searched for strict tables."""
NARROWER = 1.0 - 1e-6
"""A λ below this multiple of another is smaller, and not the same one found by another bisection."""
_BISECTIONS = 30
"""λ to 1e-9: finer than any printed digit."""


@compiled
def narrowed(problem: Problem, strict: np.ndarray, share: float, out: np.ndarray) -> None:
    """Intervals at λ = `share` between the strict ones and those of `problem`, into `out`; equal limits stay (also infinite ones)."""
    for row in range(MEDIAN_SE, SCALARS):
        for side in range(2):
            wide, narrow = problem.real[0, row, side], strict[row, side]
            out[0, row, side] = wide if wide == narrow else narrow + share * (wide - narrow)


@compiled
def widths(
    problem: Problem,
    at: Problem,
    strict: np.ndarray,
    n: np.ndarray,
    t: np.ndarray,
    d: np.ndarray,
    c: np.ndarray,
    m: np.ndarray,
    slots: bool,
    known: float,
    out: np.ndarray,
) -> None:
    """Smallest λ at which each table agrees (from above, to 2^-30), given that it does at `known`, into `out` (N,); `at` is scratch."""
    energy = np.zeros(N_ENERGIES)
    for i in range(t.shape[0]):
        low, high = 0.0, known
        for bisection in range(_BISECTIONS + 1):
            middle = 0.5 * (low + high) if bisection > 0 else 0.0
            narrowed(problem, strict, middle, at.real)
            energies(at, 0, Arms(t[i], d[i], c[i], m[i], n, slots), BOTH, energy)
            if energy.sum() == 0.0:
                high = middle
            else:
                low = middle
            if high == 0.0:
                break
        out[i] = high


def narrow(population: Population, strict: np.ndarray, n_proposals: int, most_proposals: int, tick: Tick) -> np.ndarray:
    """Narrow a population of tables in agreement with its problem, in place; (N,) the λ at which each agrees in the end."""
    p, reading, proposals = population, np.zeros(1, np.int64), n_proposals
    at = p.problem._replace(real=p.problem.real.copy())
    width, reached, stalled = np.ones(p.size), 1.0, 0
    p.cold[:N_ENERGIES] = AT_TARGET
    p.look(BOTH)
    p.walk(reading, BOTH, n_proposals)
    for _ in range(MOST_STAGES):
        tick(0.0)
        widths(p.problem, at, strict, p.n, p.t, p.d, p.c, p.m, p.slots, reached, width)
        least = float(np.sort(width)[int(KEPT * p.size)])
        if least == 0.0:
            break
        # Widths come in steps: where more than the share stands on the highest, what is below it is kept, and with nothing there
        # the same population walks on.
        if least > NARROWER * reached:
            least = float(width[width <= NARROWER * reached].max(initial=0.0))
        if least > 0.0 or (width == 0.0).any():
            reached, stalled = least, 0
        else:
            stalled += 1
            if stalled == PATIENCE:
                break
        p.take(resample((width <= reached) * 1.0, p.random.random()), BOTH)
        narrowed(p.problem, strict, reached, at.real)
        p.energy[:] = 0.0
        taken = p.walk(reading, BOTH, proposals, problem=at)
        proposals = int(min(max(n_proposals, ACCEPTED * proposals * p.size / max(taken, 1)), most_proposals))
    return width


def strict_ensemble(ensemble: Ensemble, targets: Targets, settings: ReconstructionSettings, seed: int, n_tables: int) -> Ensemble:
    """Up to `n_tables` different tables in strict agreement, equally weighted, under the readings that the default ensemble
    attained.

    Raises `ReconstructionError` where none was found. The same seed gives the same tables on any number of threads.
    """
    delivered = set(ensemble.readings)  # by the shares of the whole paper some have none
    readings = [result.reading for result in ensemble.attained if result.share >= LEAST_SHARE and result.reading in delivered]
    found: dict[bytes, Drawn] = {}
    for number in range(MOST_POPULATIONS):
        jobs = [(targets, reading, settings, seed, number) for reading in readings]
        for place, tables in enumerate(in_threads(jobs, lambda job, tick: strict_population(*job, tick), settings.threads)):
            for item in tables:
                named = item._replace(island=number * len(readings) + place)
                found.setdefault(item.d.tobytes() + item.r.tobytes(), named)
        if len(found) >= n_tables:
            break
    if not found:
        raise ReconstructionError(f"no life table was found that carries every printed digit of {targets.endpoint}")
    return ensemble_of(targets, chosen(list(found.values()), n_tables, seed), ensemble.results, seed)


def chosen(found: list[Drawn], n_tables: int, seed: int) -> list[Drawn]:
    """At most `n_tables`, at random."""
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STRICT,)))
    return [found[i] for i in np.sort(random.permutation(len(found))[:n_tables])]


def strict_population(
    targets: Targets, reading: Reading, settings: ReconstructionSettings, seed: int, number: int, tick: Tick
) -> list[Drawn]:
    """Strict tables of one population under one reading, at most `PER_ANCESTOR` of one particle's descendants."""
    try:
        strict = build_problem(targets, reading, settings.prior, strict=True)
    except UnattainableError:
        return []
    problem = build_problem(targets, reading, settings.prior)
    key = np.random.SeedSequence(seed, spawn_key=(STRICT, *reading.codes, number))
    problem.real[0, MEDIAN_SE:BETA] = strict.real[0, MEDIAN_SE:BETA]
    proposals = settings.level_proposals
    slow = int(SLOWER * proposals)
    usual = sizes_of(targets, problem, settings)
    sizes = replace(
        usual,
        particles=POPULATION,
        proposals=slow,
        most=slow,
        target=slow,
        share=SHARE,
        last_temperature=LAST_TEMPERATURE,
        sweeps=0,
    )
    population, log_evidence, _ = run(problem, first_table(targets), sizes, key, tick)
    if not np.isfinite(log_evidence):
        return []
    population.ancestor[:] = np.arange(population.size)[:, None]
    width = narrow(population, strict.real[0], WALK * proposals, WALK_MOST * proposals, tick)
    d, r = population.tables()
    ancestor = population.ancestor[:, 0]
    reached = population.random.permutation(np.flatnonzero(width == 0.0))
    rank = {int(i): int((ancestor[reached[:k]] == ancestor[i]).sum()) for k, i in enumerate(reached)}
    return [Drawn(reading, 1.0, d[i, :2], r[i, :2], number) for i in reached if rank[int(i)] < PER_ANCESTOR]
