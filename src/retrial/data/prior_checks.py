"""What kinds share when their priors are checked: draws before the data, and sensitivities to power-scaling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrial.criticism.predictive import prior_draws
from retrial.data.kind import Row, Values
from retrial.frequentist.rows import DIFFERENCE, RATIO
from retrial.priors.implied.power_scaling import sensitivity
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables

PREDICTIONS = 2000
"""Draws behind a prior predictive interval: its limits are right to about a twentieth of its width."""
CHAINS, DRAWS = 4, 1000
"""Draws behind a sensitivity: its simulation error is then about 0.01 (tested)."""


@dataclass(frozen=True, eq=False)
class Before:
    """What predictions are of; `nuisance` keeps the draws of parameters that several prior sets share."""

    run: RunConfig
    study: Study
    tables: Sequence[EndpointTables]
    nuisance: dict[tuple[object, ...], dict[str, np.ndarray]] = field(default_factory=dict)

    def drawn(self, spec: ModelSpec, data: Any, priors: PriorSet, effect: str) -> dict[str, np.ndarray]:
        """Prior draws of a model; of sets that differ in the effect's prior only, the other parameters are the same draws."""
        own = {name: prior for name, prior in priors.priors.items() if name in spec.priors}
        stand_in = PriorSet("", {**own, effect: Prior("normal", (0.0, 1.0))})
        key = (spec.name, self.run.seed, tuple(sorted((name, str(prior)) for name, prior in own.items())))
        if key not in self.nuisance:
            rng = np.random.default_rng(self.seed(spec.name, "nuisance"))
            self.nuisance[key] = prior_draws(spec.build(data, stand_in), stand_in, PREDICTIONS, rng)
        draws = dict(self.nuisance[key])
        rng = np.random.default_rng(self.seed(spec.name, effect))
        values = np.asarray(priors[effect].distribution.rvs(size=draws[effect].size, random_state=rng))
        return {**draws, effect: values.reshape(draws[effect].shape)}

    def seed(self, *content: str) -> int:
        return integer_seed(self.run.seed, "prior_predictive", *content)


def both_arms(endpoint: str, control: np.ndarray, experimental: np.ndarray) -> Values:
    """Predictions of a proportion in each arm, and of their difference."""
    yield (endpoint, "proportion", None, "control"), "probability", control
    yield (endpoint, "proportion", None, "experimental"), "probability", experimental
    yield (endpoint, "risk_difference", None, DIFFERENCE), "probability", experimental - control


def scaling_seed(run: RunConfig, *content: str) -> int:
    """Seed of the draws behind a sensitivity."""
    return integer_seed(run.seed, run.study_file.stem, "power_scaling", *content)


def thinned(array: np.ndarray, size: int) -> np.ndarray:
    """`size` of the draws (draw, ...), evenly spaced."""
    return array[np.linspace(0, len(array) - 1, size).round().astype(int)]


def scaled_row(named: Row, draws: np.ndarray, log_prior: np.ndarray, log_likelihood: np.ndarray) -> Row:
    """Sensitivity of one quantity, (draw,) each."""
    shape = (CHAINS, -1)
    found = sensitivity(draws.reshape(shape), log_prior.reshape(shape), log_likelihood.reshape(shape))
    numbers = {"psense_prior": found.prior, "psense_likelihood": found.likelihood, "pareto_k": found.pareto_k}
    return {**named, **numbers, "diagnosis": found.diagnosis}


def effect_rows(named: Row, logits: np.ndarray, p: np.ndarray, log_prior: np.ndarray, likelihood: np.ndarray) -> Iterator[Row]:
    """Log odds ratio and risk difference; columns of `logits` and `p` are the arms."""
    values = {("log_odds_ratio", RATIO): logits[:, 1] - logits[:, 0], ("risk_difference", DIFFERENCE): p[:, 1] - p[:, 0]}
    for (quantity, contrast), value in values.items():
        yield scaled_row({**named, "quantity": quantity, "contrast": contrast}, value, log_prior, likelihood)
