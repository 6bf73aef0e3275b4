"""Early deaths that are missing: k patients of an arm had the event before they could be in the study (METHODS 9).

They are added to every table, spread evenly over the time up to which they could not be in it, and Cox's regression (Efron's ties) is run; the
posteriors of the tables are pooled under the prior π that the draws are under, as those of tables completed after censoring are. Survival of all
whom the arm's treatment was begun for, a share ω of whom died before they could be seen, S a model's and E the end of that time:

    S*(t) = (1 - ω) S(t) + ω max(0, 1 - t / E),     ω = 0 for k = 0, else ~ Beta(k, n)

n the arm's patients: ω = k / (n + k) on average, and the product-limit estimate of a table with k more events is n / (n + k) times its own from E
on where nobody left before. k = 0 gives the base answer back, draw by draw.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from retrial.answers import curves
from retrial.answers.follow_up import FollowUp
from retrial.data.life_table import on
from retrial.dims import ARM, MONTHS_PER_UNIT, PRIOR, RECONSTRUCTION, TOTAL
from retrial.fit.posterior_file import WEIGHT, by_number
from retrial.priors.prior import Prior
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.sensitivity.after_censoring.imputed import Imputed, Pooled, cox_of_pairs, pooled
from retrial.sensitivity.after_censoring.means import DRAWS, flat_draws, numbers_by_weight
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

TABLES = 400
"""Tables that Cox's regression is run on, each as often as its weight says."""
_MOST_NUMBERS = 10
"""Numbers above 0 that are tried of an arm."""
_SAME = 1e-6


@dataclass(frozen=True, eq=False)
class EarlyDeaths:
    """What one effect becomes where so many patients of each arm are missing, who had the event up to `until` (months).

    `numbers` (k,) tried of control and experimental arm, 0 first; by arm `rmst` (every number up to the most, draw) to the horizon and
    `survival` (k, time, draw) at `times`; `pooled` (control k, experimental k) of the hazard ratio, of `cox`, which was run on `tables`
    different tables. `below` gives P(hazard ratio < 1) at other numbers of one arm (0: control) alone, NaN where a table has no estimate.
    """

    prior: str
    until: float
    numbers: tuple[np.ndarray, np.ndarray]
    sizes: tuple[int, int]
    rmst: tuple[np.ndarray, np.ndarray]
    survival: tuple[np.ndarray, np.ndarray]
    times: np.ndarray
    horizon: float
    cox: Imputed
    pooled: Pooled
    tables: int
    below: Callable[[int, np.ndarray], np.ndarray]

    def rmst_difference(self, control: int, experimental: int) -> np.ndarray:
        """Draws of it with so many early deaths of either arm (counts, not places among those tried)."""
        return np.asarray(self.rmst[1][experimental] - self.rmst[0][control])

    def status(self, control: int, experimental: int) -> str:
        """Of the hazard ratio of one pair."""
        failed, every = int(self.pooled.failed[control, experimental]), self.cox.se.shape[-1]
        return f"failed: no estimate in {failed} of {every} tables" if failed else "ok"


def missing_until(study: Study, endpoint: str, table: LifeTable) -> float:
    """Months up to which who had the event could not be in the study: the follow-up that was a ground to be left out, else, where arms were not
    assigned at random, the last recording unit before the shortest printed time. NaN where there is none, or nobody is followed longer.
    """
    stated = study.timeline.excluded_follow_up_up_to if study.timeline is not None else None
    times = table.times
    if table.late is not None or times.size < 2:
        return math.nan
    if stated is not None:
        until = stated.value * MONTHS_PER_UNIT[study.time_unit]
    elif study.randomised is not True and study.endpoints[endpoint].shortest_of(TOTAL) is not None:
        leaving = (table.events + table.censored).sum((RECONSTRUCTION, ARM)).to_numpy() > 0
        until = float(times[leaving][0]) - smallest_step(times)
    else:
        return math.nan
    return until if _SAME < until < times[-1] else math.nan


def smallest_step(times: np.ndarray) -> float:
    """Of the times of tables: with all rows there, the recording unit."""
    return float(np.diff(times).min())


def numbers_of(n: int, share: float) -> np.ndarray:
    """Numbers of early deaths to be tried of an arm of n patients: up to a share of them, all of them where these are few."""
    return spread_over(0, max(math.floor(share * n + 0.5), 1))


def spread_over(least: int, most: int) -> np.ndarray:
    """All whole numbers from the least to the most where they are few, else even steps."""
    return np.unique(np.round(np.linspace(least, most, min(most - least, _MOST_NUMBERS) + 1)).astype(int))


def early_times(number: int, until: float, unit: float) -> np.ndarray:
    """Times of early deaths, spread evenly over (0, until] and recorded at the end of their unit, (number,) months."""
    spread = until * (np.arange(number) + 0.5) / max(number, 1)
    return np.minimum(np.ceil(spread / unit - _SAME) * unit, until)


def with_early_deaths(
    times: np.ndarray, events: np.ndarray, censored: np.ndarray, numbers: np.ndarray, until: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times of a grid that has a place for all of them (T,), and events and everybody who leaves of tables (M, time) of one arm with so many early
    deaths, both (k, M, T).
    """
    unit = smallest_step(times)
    early = [early_times(int(number), until, unit) for number in numbers]
    candidates = np.concatenate([times, *early])
    grid = np.unique(np.round(candidates / unit / _SAME) * _SAME * unit)
    old = _places(grid, times)
    found = np.zeros((len(numbers), len(events), grid.size), np.int64)
    found[:, :, old] = events
    leaving = found.copy()
    leaving[:, :, old] += censored
    for row, mine in enumerate(early):
        added = np.bincount(_places(grid, mine), minlength=grid.size)
        found[row] += added
        leaving[row] += added
    return grid, found, leaving


def _places(grid: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rows of the grid that are nearest to times."""
    right = np.clip(np.searchsorted(grid, times), 1, grid.size - 1)
    return np.where(times - grid[right - 1] < grid[right] - times, right - 1, right)


def table_with_early_deaths(table: LifeTable, numbers: tuple[int, int], until: float) -> LifeTable:
    """The tables with so many early deaths in either arm, on a grid that has a place for them."""
    events, censored = table.events.to_numpy(), table.censored.to_numpy()
    asked = np.array(numbers)
    parts = [with_early_deaths(table.times, events[:, arm], censored[:, arm], asked, until) for arm in (0, 1)]
    found = np.stack([parts[arm][1][arm] for arm in (0, 1)], axis=1)
    leaving = np.stack([parts[arm][2][arm] for arm in (0, 1)], axis=1)
    return LifeTable.from_counts(parts[0][0], found, leaving - found)


def copies_of(weights: np.ndarray) -> np.ndarray:
    """How often Cox's regression takes each table, (table,); of one table two copies, so that its Monte Carlo error is 0."""
    return numbers_by_weight(weights, TABLES if weights.size > 1 else 2)


def cox_of_early(
    table: LifeTable, weights: np.ndarray, numbers: tuple[np.ndarray, np.ndarray], until: float, prior: Prior
) -> Imputed:
    """Cox's log hazard ratio and SE of every pair of numbers, (control k, experimental k, table)."""
    rows = np.repeat(np.arange(weights.size), copies_of(weights))
    events, censored = (counts.to_numpy()[rows] for counts in (table.events, table.censored))
    # one grid for both arms: the numbers of both give the times
    both = np.concatenate(numbers)
    parts = [with_early_deaths(table.times, events[:, arm], censored[:, arm], both, until)[1:] for arm in (0, 1)]
    cut = numbers[0].size
    estimate, error = cox_of_pairs(parts[0][0][:cut], parts[0][1][:cut], parts[1][0][cut:], parts[1][1][cut:])
    return Imputed(estimate, error, float(table.times[-1]), prior)


def shares(numbers: np.ndarray, n: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of the share ω that is missing of everybody, (k, draw); the same draws at every k, so that ω grows with it."""
    steps = rng.exponential(size=(int(numbers[-1]), draws))
    lost = np.concatenate([np.zeros((1, draws)), np.cumsum(steps, axis=0)])[numbers]
    return np.asarray(lost / (lost + rng.gamma(max(n, 1), size=draws)))


def survival_with_missing(survival: np.ndarray, omega: np.ndarray, times: np.ndarray, until: float) -> np.ndarray:
    """S* (k, time, draw) of S (draw, time), given ω (k, draw)."""
    lost = np.maximum(0.0, 1.0 - times / until)
    return np.asarray((1 - omega[:, None]) * survival.T + omega[:, None] * lost[:, None])


def rmst_with_missing(rmst: np.ndarray, omega: np.ndarray, horizon: float, until: float) -> np.ndarray:
    """Restricted mean of S* (k, draw) of that of S (draw,), given ω (k, draw)."""
    end = min(horizon, until)
    return np.asarray((1 - omega) * rmst + omega * (end - end**2 / (2 * until)))


def early_deaths(
    run: RunConfig, spec: ModelSpec, study: Study, endpoint: str, tree: xr.DataTree, prior: tuple[str, Prior]
) -> EarlyDeaths | None:
    """Of a model's draws under one prior and their tables; None where nobody can be missing."""
    posterior, observed = by_number(tree)
    table, weights = LifeTable(observed.drop_vars(WEIGHT)), observed[WEIGHT].to_numpy()
    until, share = missing_until(study, endpoint, table), run.sensitivity.early_deaths
    if not math.isfinite(until) or not share > 0:
        return None
    sizes = table.n.to_numpy()[0]
    numbers = numbers_of(int(sizes[0]), share), numbers_of(int(sizes[1]), share)
    hazard = on(spec, table, weights, study.endpoints[endpoint].reading).hazard_of()
    follow_up = FollowUp.of(table, weights / weights.sum())
    horizon, asked = follow_up.horizon(run.questions), np.array(follow_up.times(run.questions))
    reaching = np.where(follow_up.reaching(max(horizon, float(asked[-1]))), weights, 0.0)
    rng = np.random.default_rng(seed_sequence(run.seed, "early deaths", endpoint, spec.name))
    values = {str(key): flat_draws(item) for key, item in posterior.sel({PRIOR: prior[0]}).data_vars.items()}
    draws = _pooled(values, reaching, rng)
    survival, means = curves.survival(hazard, draws, asked), curves.rmst(hazard, draws, horizon)
    arms = []
    for arm in (0, 1):
        omega = shares(np.arange(numbers[arm][-1] + 1), int(sizes[arm]), means.shape[0], rng)
        curve = survival_with_missing(survival[:, arm], omega[numbers[arm]], asked, until)
        arms.append((curve, rmst_with_missing(means[:, arm], omega, horizon, until)))
    cox = cox_of_early(table, weights, numbers, until, prior[1])

    def below(arm: int, some: np.ndarray) -> np.ndarray:
        none = np.zeros(1, int)
        pair = (none, some) if arm else (some, none)
        return pooled(cox_of_early(table, weights, pair, until, prior[1]), run.questions.tail).below.ravel()

    return EarlyDeaths(
        prior[0],
        until,
        numbers,
        (int(sizes[0]), int(sizes[1])),
        (arms[0][1], arms[1][1]),
        (arms[0][0], arms[1][0]),
        asked,
        horizon,
        cox,
        pooled(cox, run.questions.tail),
        int((copies_of(weights) > 0).sum()),
        below,
    )


def _pooled(values: Mapping[str, np.ndarray], weights: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws of each table in proportion to its weight; `values` (table, draw, ...)."""
    counts = numbers_by_weight(weights, DRAWS)
    there = next(iter(values.values())).shape[1]
    rows = [(table, rng.choice(there, int(counts[table]), replace=counts[table] > there)) for table in np.flatnonzero(counts)]
    return {name: np.concatenate([value[table][mine] for table, mine in rows]) for name, value in values.items()}
