"""Counts whose control arm borrows from earlier cohorts: errors of the rules where the cohorts drift away from the study's control arm.

    y_c ~ Binomial(n_c, p),  y_e ~ Binomial(n_e, expit(logit p + log R)),  p the study's printed control probability (half a patient added)
    cohorts: y_h = the whole number next to n_h expit(logit p + drift)

The studies are the same at every drift, so that without borrowing (robust weight 1) nothing depends on it.
Source: Viele et al. 2014, Pharm Stat 13:41 (borrowing and drift).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from scipy.special import expit, logit

from retrial.data import cohorts
from retrial.data.cohorts import BorrowedCounts, borrowing_data
from retrial.data.two_arms import EFFECT, TwoArms
from retrial.errors import FitError
from retrial.frequentist.counts import benefit_sign, outcome_key
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.sensitivity.operating.rules import Row, Simulated, characteristic_rows, thresholds
from retrial.study.study import Study

NO_BORROWING = 1.0
"""Weight of the robust part that leaves the cohorts out."""
Pairs = tuple[np.ndarray, np.ndarray]


def models_that_borrow(run: RunConfig) -> list[ModelSpec]:
    """Of the run."""
    return [spec for spec in run.models.values() if spec.kind is cohorts.KIND]


def borrowing_rows(run: RunConfig, spec: ModelSpec, study: Study) -> list[Row]:
    """Rows under the main prior, with and without borrowing; columns of operating.csv. Nothing where the study has no such outcome."""
    paths = [path for path in study.count_rows() if outcome_key(path) == spec.settings.outcome]
    paths = [path for path in paths if not path.startswith("adverse_events") and benefit_sign(study, path) != 0]
    given = next(iter(run.sets_for(spec).items()))
    priors = given[1].for_endpoint(spec.settings.outcome)
    if not paths or EFFECT not in priors.priors:
        return []
    data = borrowing_data(study, paths[0], spec.settings)
    return list(_rows(run, spec, data, given[0], priors.over(spec.priors)))


def _rows(run: RunConfig, spec: ModelSpec, data: BorrowedCounts, prior: str, priors: PriorSet) -> Iterator[Row]:
    asked, good = run.operating, data.arms.benefit
    studies = {ratio: _simulated(run, data, -math.log(ratio) if good else math.log(ratio)) for ratio in asked.true_ratios}
    every = np.unique(np.concatenate(list(studies.values())), axis=0)
    for weight in (NO_BORROWING, data.robust_weight):
        for drift in asked.drifts:
            known = _posteriors(run, spec, drifted(data, drift, weight), every, priors)
            for ratio, counts in studies.items():
                truth = -math.log(ratio) if good else math.log(ratio)
                rows = np.array([np.flatnonzero((every == pair).all(axis=1))[0] for pair in counts])
                about = {"endpoint": spec.settings.outcome, "model": spec.name, "adjusted_for": "", "prior": prior}
                about |= {"true_ratio": math.exp(truth), "drift": drift, "robust_weight": weight}
                about["events"] = float(counts.sum(axis=1).mean())
                for row in characteristic_rows(_taken(known, rows), truth, asked.rules, good):
                    yield about | row


def _simulated(run: RunConfig, data: BorrowedCounts, log_odds_ratio: float) -> np.ndarray:
    """Counts of both arms (study, arm)."""
    base = float(logit(_probability(data)))
    seed = seed_sequence(run.seed, "operating", "counts", repr(log_odds_ratio))
    chances = expit([base, base + log_odds_ratio])
    return np.random.default_rng(seed).binomial(data.arms.n, chances, size=(run.operating.studies, 2))


def _probability(data: BorrowedCounts) -> float:
    """Of the control arm, half a patient added to either side."""
    return (data.arms.events[0] + 0.5) / (data.arms.n[0] + 1)


def drifted(data: BorrowedCounts, drift: float, robust_weight: float) -> BorrowedCounts:
    """Cohorts whose log odds differ by `drift` from the study's control arm; read by the same criteria as it."""
    chance = float(expit(logit(_probability(data)) + drift))
    events = tuple(round(n * chance) for n in data.n)
    return dataclasses.replace(data, events=events, offsets=(0.0,) * len(data.n), robust_weight=robust_weight)


def _posteriors(run: RunConfig, spec: ModelSpec, data: BorrowedCounts, every: np.ndarray, priors: PriorSet) -> Simulated:
    """Of every pair of counts (pair, arm)."""
    at, half, columns = np.concatenate(thresholds(run.operating.rules, data.arms.benefit)), len(run.operating.rules), []
    for control, experimental in every:
        arms = TwoArms((int(control), int(experimental)), data.arms.n, data.arms.benefit)
        try:
            joint = spec.closed_form(dataclasses.replace(data, arms=arms), priors)
            limits = [joint.log_ppf("odds_ratio", q) for q in (run.questions.tail, 0.5, 1 - run.questions.tail)]
            columns.append([*limits, *(joint.cdf("odds_ratio", math.exp(x)) for x in at)])
        except FitError:
            columns.append([math.nan] * (3 + 2 * half))
    lower, median, upper, *chances = np.array(columns).T
    first, second = np.array(chances[:half]), np.array(chances[half:])
    benefit, harm = (1 - first, second) if data.arms.benefit else (first, 1 - second)
    return Simulated(lower, median, upper, benefit, harm, np.isfinite(median))


def _taken(found: Simulated, rows: np.ndarray) -> Simulated:
    return Simulated(
        found.lower[rows],
        found.median[rows],
        found.upper[rows],
        found.benefit[:, rows],
        found.harm[:, rows],
        found.known[rows],
    )
