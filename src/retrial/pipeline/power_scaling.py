"""Power-scaling sensitivity of a run's posteriors, model by model and prior by prior; reads the posteriors that the run wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from retrial.data.closed_form import complete_counts
from retrial.data.counted import EFFECT, borrowing_data
from retrial.data.two_arms import TwoArms
from retrial.errors import DataError, FitError
from retrial.fit.grid import TwoArmPosterior
from retrial.frequentist.counts import benefit_sign, outcome_key, two_by_two
from retrial.frequentist.ratios import effect_endpoint, log_ratio
from retrial.models.response_borrowing import control_log_prior
from retrial.pipeline.power_scaling_draws import (
    CHAINS,
    DRAWS,
    LOG_HAZARD_RATIO,
    Row,
    chains,
    effect_rows,
    life_tables,
    scaled_row,
)
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.study.study import Study

COLUMNS = (
    "endpoint",
    "quantity",
    "contrast",
    "adjusted_for",
    "model",
    "prior",
    "psense_prior",
    "psense_likelihood",
    "pareto_k",
    "diagnosis",
)


def power_scaling_table(run: RunConfig, study: Study, folder: Path) -> pd.DataFrame:
    """One row a treatment effect, model and prior set; columns `COLUMNS`.

    Scaled are the likelihood of this study's data, and the priors that a named set states: of the effect (of both arms where the set has one
    for each); under `response_borrowing` also the control arm's, which the earlier cohorts made. Priors of nuisance parameters are never scaled.
    """
    parts: dict[str, Callable[[RunConfig, ModelSpec, Study, Path], Iterator[Row]]] = {
        "ratio": _ratios,
        "counts": _two_arms,
        "historical_counts": _two_arms,
        "life_table": life_tables,
        "categories": chains,
        "adverse_events": chains,
    }
    rows = [row for spec in run.models.values() for row in parts[spec.data](run, spec, study, folder)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _seed(run: RunConfig, *content: str) -> int:
    return integer_seed(run.seed, run.study_file.stem, "power_scaling", *content)


def _ratios(run: RunConfig, spec: ModelSpec, study: Study, _folder: Path) -> Iterator[Row]:
    """Printed hazard and odds ratios of the treatment: evenly spaced quantiles of the posterior in random order."""
    for key, effect in study.effects.items():
        parameter = LOG_HAZARD_RATIO if effect.measure == "hazard_ratio" else EFFECT
        if not effect.is_treatment or (run.endpoints and effect.endpoint and effect.endpoint not in run.endpoints):
            continue
        try:
            data = log_ratio(effect, key)
        except DataError:
            continue  # no interval and no p
        for name, given in run.sets_for(spec).items():
            priors = given.for_endpoint(effect.endpoint or "")
            if parameter not in priors.priors:
                continue
            prior = priors[parameter]
            draws = _quantiles(spec.closed_form(data, prior), _seed(run, key, name))
            named = {
                "endpoint": effect_endpoint(effect, key),
                "quantity": f"log_{effect.measure}",
                "contrast": data.contrast,
                "adjusted_for": data.adjusted_for,
            }
            likelihood = -0.5 * ((draws - data.estimate) / data.se) ** 2
            yield scaled_row({**named, "model": spec.name, "prior": name}, draws, prior.distribution.logpdf(draws), likelihood)


_GRID, _TAIL = 8001, 1e-6


def _quantiles(posterior: Any, seed: int) -> np.ndarray:
    """Evenly spaced quantiles, (draw,), by inverting the CDF on a grid."""
    low, high = (float(posterior.ppf(q)) for q in (_TAIL, 1 - _TAIL))
    x = np.linspace(low, high, _GRID)
    q = (np.arange(CHAINS * DRAWS) + 0.5) / (CHAINS * DRAWS)
    return np.random.default_rng(seed).permutation(np.interp(q, posterior.cdf(x), x))


def _two_arms(run: RunConfig, spec: ModelSpec, study: Study, _folder: Path) -> Iterator[Row]:
    """Two counts: draws from the grid of both logits."""
    for path, row in study.count_rows().items():
        key, sign = outcome_key(path), benefit_sign(study, path)
        if not _is_main(study, path) or (spec.historical is not None and spec.historical.outcome != key):
            continue
        counts = two_by_two(study, path, row)
        arms = TwoArms((counts.control, counts.experimental), (counts.n_control, counts.n_experimental), benefit=sign >= 0)
        borrowed = None if spec.historical is None else borrowing_data(study, path, spec.historical)
        for name, given in run.sets_for(spec).items():
            priors = complete_counts(spec, given.for_endpoint(key), sign)
            if priors is None:
                continue
            try:
                joint = spec.closed_form(borrowed or arms, priors.over(spec.priors))
                draws = _from_grid(joint, _seed(run, spec.name, key, name))
            except FitError:
                continue  # the estimates name the posterior that does not fit on its grid
            control = None if borrowed is None else control_log_prior(borrowed, priors.over(spec.priors))
            log_prior, likelihood = _count_densities(arms, priors, draws, control)
            named = {"endpoint": key, "model": spec.name, "prior": name}
            yield from effect_rows(named, draws, expit(draws), log_prior, likelihood)


def _is_main(study: Study, path: str) -> bool:
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
    for axis, where in zip((joint.control, joint.experimental), index, strict=True):
        u = axis.u[where] + (rng.uniform(size=where.size) - 0.5) * (axis.u[1] - axis.u[0])
        draws.append(axis.center + axis.scale * np.sinh(u))
    return np.stack(draws, axis=1)


def _count_densities(
    arms: TwoArms, priors: PriorSet, draws: np.ndarray, control: Callable[[np.ndarray], np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Log of the stated prior and of the binomial likelihood at each draw."""
    if "control_probability" in priors.priors:
        names = ("control_probability", "experimental_probability")
        log_prior = sum(priors[name].distribution.logpdf(expit(draws[:, arm])) for arm, name in enumerate(names))
    else:
        effect = priors[EFFECT] if arms.benefit else priors[EFFECT].mirrored
        log_prior = effect.distribution.logpdf(draws[:, 1] - draws[:, 0])
    log_prior = log_prior if control is None else log_prior + control(draws[:, 0])
    return log_prior, _binomial(np.array(arms.events), np.array(arms.n), draws)


def _binomial(events: np.ndarray, n: np.ndarray, logit: np.ndarray) -> np.ndarray:
    """Σ over all but the first axis of y log p + (n - y) log(1 - p)."""
    terms = -events * np.logaddexp(0.0, -logit) - (n - events) * np.logaddexp(0.0, logit)
    return terms.reshape(len(logit), -1).sum(axis=1)
