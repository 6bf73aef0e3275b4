"""Counts of one yes/no outcome in both arms, and what every model of two counts shares."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from retrial.answers.proportions import response_rows, with_numbers_needed
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.cells import binomial_cells, binomial_counts, log_likelihood
from retrial.data.kind import Row, Values
from retrial.data.prior_checks import CHAINS, DRAWS, PREDICTIONS, Before, both_arms, effect_rows, scaling_seed
from retrial.errors import FitError
from retrial.estimate import Estimate
from retrial.fit.grid import TwoArmPosterior
from retrial.frequentist.counts import benefit_sign, two_by_two
from retrial.priors.prior import Prior
from retrial.priors.prior_set import TOGETHER, PriorSet
from retrial.priors.scales import LOG_ODDS_RATIO
from retrial.run_config import ModelSpec, RunConfig
from retrial.study.study import Study

CONTROL, EXPERIMENTAL = TOGETHER
EFFECT = LOG_ODDS_RATIO.name


@dataclass(frozen=True, slots=True)
class TwoArms:
    """Events and patients as (control, experimental), and whether the outcome is a benefit: odds-ratio priors turn with it."""

    events: tuple[int, int]
    n: tuple[int, int]
    benefit: bool = True

    def log_likelihood(self, arm: int, logit: np.ndarray) -> np.ndarray:
        """y log π + (n - y) log(1 - π) of one arm (0: control), by the logit of π."""
        return log_likelihood(np.stack(binomial_cells(logit, np), axis=-1), self.counts[:, arm])

    @property
    def counts(self) -> np.ndarray:
        """(outcome, arm) patients with the outcome, and without it."""
        return binomial_counts(self.events, self.n)

    def oriented(self, prior: Prior) -> Prior:
        """A prior of the log odds ratio of a benefit, as it holds for this outcome."""
        return prior if self.benefit else prior.mirrored


def two_arms(study: Study, path: str, *, everybody: bool = False) -> TwoArms:
    """Both arms' counts of a yes/no outcome of the study, among its evaluable patients or among all; of one arm nobody is in the other."""
    if study.one_arm:
        n = (study.n("control") if everybody else study.patients(path, "control")) or 0
        return TwoArms((int(study.count_rows()[path].control.n), 0), (n, 0), benefit=benefit_sign(study, path) >= 0)
    counts = two_by_two(study, path, study.count_rows()[path], everybody=everybody)
    benefit = benefit_sign(study, path) >= 0
    return TwoArms((counts.control, counts.experimental), (counts.n_control, counts.n_experimental), benefit=benefit)


def effects(study: Study) -> tuple[str, ...]:
    """Of two counts: the odds ratio, or both arms' probabilities."""
    return (EFFECT, *TOGETHER) if study.response is not None or study.binary else ()


def complete_counts(spec: ModelSpec, priors: PriorSet, sign: int) -> PriorSet | None:
    """The set with the model's own priors; None where it says nothing of counts.

    A prior that favours benefit or harm says nothing of an outcome that is neither (stable disease alone).
    """
    if CONTROL in priors.priors:
        return priors
    if EFFECT not in priors.priors or (sign == 0 and not priors[EFFECT].is_symmetric):
        return None
    return priors.over(spec.priors)


def way_of(priors: PriorSet, sign: int) -> str:
    """Which way a prior that favours an arm was used, where it is not as typed: a log odds ratio's prior speaks of a good event."""
    turned = sign < 0 and EFFECT in priors.priors and CONTROL not in priors.priors and not priors[EFFECT].is_symmetric
    return "prior of a benefit, for a bad event" if turned else ""


def answered(subject: Subject, joint: TwoArmPosterior, questions: Questions, sign: int) -> list[Estimate]:
    """Rows of a posterior of two counts; one row that says why where it does not fit on its grid."""
    try:
        return with_numbers_needed(response_rows(subject, joint, questions), subject, questions, sign)
    except FitError as error:
        failed = dataclasses.replace(subject, status=f"failed: {error}")
        return [failed.row("risk_difference", "probability", math.nan, questions, (math.nan, math.nan))]


LogDensity = Callable[[np.ndarray], np.ndarray]


def scaled_counts(
    run: RunConfig, named: Row, arms: TwoArms, priors: PriorSet, joint: TwoArmPosterior, control: LogDensity | None = None
) -> Iterator[Row]:
    """Sensitivity of two counts; `control` is the log prior of the control arm's logit where something beside the set made it."""
    try:
        draws = _from_grid(joint, scaling_seed(run, named["model"], named["endpoint"], named["prior"]))
    except FitError:
        return  # the estimates name the posterior that does not fit on its grid
    if CONTROL in priors.priors:
        log_prior = sum(priors[name].distribution.logpdf(expit(draws[:, arm])) for arm, name in enumerate(TOGETHER))
    else:
        log_prior = arms.oriented(priors[EFFECT]).distribution.logpdf(draws[:, 1] - draws[:, 0])
    log_prior = log_prior if control is None else log_prior + control(draws[:, 0])
    likelihood = arms.log_likelihood(0, draws[:, 0]) + arms.log_likelihood(1, draws[:, 1])
    yield from effect_rows(named, draws, expit(draws), log_prior, likelihood)


def is_main(study: Study, path: str) -> bool:
    """Composite responses (categories where there are none) and yes/no outcomes."""
    composites = study.response is not None and bool(study.response.composites)
    return path.startswith(("response.composites." if composites else "response.", "binary."))


def _from_grid(joint: TwoArmPosterior, seed: int) -> np.ndarray:
    """Draws (draw, arm) of both logits: grid cells by their probability, evenly within a cell."""
    rng = np.random.default_rng(seed)
    mass = joint.joint_density.ravel()
    # stratified: evenly spaced points of the cumulated mass, so that sampling adds little noise
    points = (np.arange(CHAINS * DRAWS) + rng.uniform(size=CHAINS * DRAWS)) / (CHAINS * DRAWS)
    cells = rng.permutation(np.searchsorted(np.cumsum(mass) / mass.sum(), points))
    index = np.unravel_index(np.minimum(cells, mass.size - 1), joint.joint_density.shape)
    draws = []
    for axis, where in zip((joint.control, joint.other), index, strict=True):
        u = axis.u[where] + (rng.uniform(size=where.size) - 0.5) * (axis.u[1] - axis.u[0])
        draws.append(axis.center + axis.scale * np.sinh(u))
    control, other = draws
    return np.stack([control, control + other if joint.relative else other], axis=1)


ControlLogit = Callable[[PriorSet, np.random.Generator], np.ndarray]


def predicted_counts(before: Before, spec: ModelSpec, priors: PriorSet, path: str, key: str, control_of: ControlLogit) -> Values:
    """Proportions before the data; `control_of` draws the control arm's logit."""
    rng = np.random.default_rng(before.seed(spec.name, key))
    control = control_of(priors, rng)
    if EXPERIMENTAL in priors.priors:
        experimental = np.asarray(priors[EXPERIMENTAL].distribution.rvs(size=PREDICTIONS, random_state=rng))
    elif EFFECT in priors.priors:
        effect = priors[EFFECT] if benefit_sign(before.study, path) >= 0 else priors[EFFECT].mirrored
        shift: Any = effect.distribution.rvs(size=PREDICTIONS, random_state=rng)
        experimental = expit(control + np.asarray(shift))
    else:
        return
    yield from both_arms(key, expit(control), experimental)
