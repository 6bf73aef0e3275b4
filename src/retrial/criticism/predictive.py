"""Kaplan-Meier curves of studies that a model would give, before and after it has seen the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pymc as pm

from retrial.answers import curves
from retrial.criticism.recording import recording_intervals, recording_unit
from retrial.dims import ARMS
from retrial.fit.engine import parameters_of
from retrial.fit.survival.likelihood import Hazard
from retrial.priors.prior_set import PriorSet
from retrial.tables.life_table import LifeTable
from retrial.tables.recorded import Recorded, grouped_times

_MOST_EARLIER = 20
"""Times that are put before a table's first one."""
MOST_TIMES = 200
"""Times of a simulated study: a longer table is merged to so many, finer than a figure's pixels."""


@dataclass(frozen=True, eq=False)
class Scheme:
    """Who is followed, and how long, in studies like those of a `LifeTable`; T times of the grid, in months.

    times      (T,) at which the curves are said;  until (T,): a time is recorded as the first of `times` whose `until` it is not above
    n          (reconstruction, arm) patients from the start;  entering: (arm, T) who come under observation at a time, at risk after it
    censoring  (reconstruction, arm, T) probability that a patient under observation at a time, and without event, is censored there
    """

    times: np.ndarray
    until: np.ndarray
    n: np.ndarray
    censoring: np.ndarray
    entering: np.ndarray


def scheme_of(table: LifeTable, recorded: Recorded) -> Scheme:
    """Sizes and censoring of every table: the reverse Kaplan-Meier estimate of each arm (Schemper, Smith 1996, Control Clin Trials 17:343).

    Censoring hazard c / (r - d): at a time, events leave first. Whoever is followed up to the last time of the arm's own table
    without an event is censored there.
    """
    early = _earlier(table.times)
    times = np.append(early, table.times)
    until = np.append(early, _ends(table.times, recorded))
    nobody = ((0, 0), (0, 0), (early.size, 0))
    events, censored = (_merged(np.pad(counts.to_numpy(), nobody)).sum(axis=-1) for counts in (table.events, table.censored))
    leaving = events + censored
    entered = table.entered.to_numpy()
    entering = _merged(np.pad(entered, nobody[1:])[None]).sum(axis=-1)[0]
    # who enters within a merged time is not at risk before it
    later, staying = (np.cumsum(counts[..., ::-1], axis=-1)[..., ::-1] - events for counts in (leaving, leaving - entering))
    hazard = np.divide(censored, staying, out=np.where(later > 0, 0.0, 1.0), where=staying > 0)
    n = table.n.to_numpy() - entered.sum(axis=-1)
    return Scheme(_merged(times).max(axis=-1), _merged(until).max(axis=-1), n, np.clip(hazard, 0.0, 1.0), entering)


def _ends(times: np.ndarray, recorded: Recorded) -> np.ndarray:
    """Ends of the intervals of a table's times."""
    if recorded in ("exact", "ceiling"):
        return recording_intervals(times, np.append(0.0, times[:-1]), recorded)[1]
    # at time 0 itself there is nothing but censorings: events recorded there have a row of their own
    own, previous = grouped_times(times[times > 0], recorded)
    return np.append(times[times <= 0], recording_intervals(own, previous, recorded)[1])


def _earlier(times: np.ndarray) -> np.ndarray:
    """Recording times before the table's first one, at which a simulated study may have events although the table has none."""
    unit = recording_unit(times)
    missing = min(round(float(times[0]) / unit) - 1, _MOST_EARLIER) if unit > 0 else 0
    return np.linspace(0.0, float(times[0]), max(missing, 0) + 2)[1:-1]


def _merged(values: np.ndarray) -> np.ndarray:
    """Neighbouring times side by side, (..., merged time, member): at most `MOST_TIMES` groups, the last one filled up.

    Counts (three dims) are filled with 0, times with their last one.
    """
    members = -(-values.shape[-1] // MOST_TIMES)
    short = -values.shape[-1] % members
    padded = np.pad(values, (0, short), mode="edge") if values.ndim == 1 else np.pad(values, ((0, 0), (0, 0), (0, short)))
    return padded.reshape(*values.shape[:-1], -1, members)


def simulated_kaplan_meier(
    hazard: Hazard, draws: Mapping[str, np.ndarray], scheme: Scheme, tables: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Kaplan-Meier estimate of one new study a draw, (draw, arm, time); `tables` (draw,) says whose scheme the study has.

    The study as a chain of binomials, exact in distribution and free of the number of patients: of r under observation,
    d ~ Bin(r, 1 - S(t_j) / S(t_j-1)) have an event recorded at t_j, c ~ Bin(r - d, censoring) are censored there.
    """
    # a draw far out may have a cumulative hazard beyond any float: nobody survives it
    with np.errstate(over="ignore"):
        later = curves.survival(hazard, draws, scheme.until)
    survival = np.concatenate([np.ones((tables.size, len(ARMS), 1)), later], axis=-1)
    before = survival[..., :-1]
    dying = np.clip(1.0 - np.divide(survival[..., 1:], before, out=np.zeros(before.shape), where=before > 0), 0.0, 1.0)
    at_risk, estimate, result = scheme.n[tables], np.ones((tables.size, len(ARMS))), []
    for column in range(scheme.times.size):
        events = rng.binomial(at_risk, dying[..., column])
        estimate = estimate * (1.0 - np.divide(events, at_risk, out=np.zeros(estimate.shape), where=at_risk > 0))
        staying = at_risk - events
        at_risk = staying - rng.binomial(staying, scheme.censoring[tables, :, column]) + scheme.entering[:, column]
        result.append(estimate)
    return np.stack(result, axis=-1)


def prior_draws(model: pm.Model, priors: PriorSet, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draws (draw,) or (draw, k) of a model's parameters from its prior.

    Straight from the priors' distributions where the prior set speaks of every parameter; else all of them together from the
    model, whose own distributions (of steps, of random effects) may hang on those of the set.
    """
    variables = parameters_of(model)
    names = [str(variable.name) for variable in variables]
    if all(name in priors.priors and not model.named_vars_to_dims.get(name) for name in names):
        return {name: priors[name].distribution.rvs(size=size, random_state=rng) for name in names}
    # uncompiled: a compiler would take longer than these draws
    drawn = pm.draw(variables, draws=size, random_seed=int(rng.integers(2**31)), mode="FAST_COMPILE")
    return dict(zip(names, drawn, strict=True))


def even_rows(weights: np.ndarray, size: int) -> np.ndarray:
    """`size` indices in proportion to `weights`, evenly spaced (a systematic sample, without chance): each table its share."""
    edges = np.cumsum(weights) / np.sum(weights)
    return np.minimum(np.searchsorted(edges, (np.arange(size) + 0.5) / size, side="right"), weights.size - 1)
