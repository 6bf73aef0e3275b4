"""Evidence of tables under a model whose effect is 0: what Bayes factors hold the evidence under a prior of the effect against.

p(table | β = 0) = ∫ p(table | β = 0, η) p(η) dη over the other parameters η, whose prior does not depend on β. By the Savage-Dickey ratio it is the
evidence under any prior of β times p(β = 0 | table) / p(β = 0) (Dickey 1971, Ann Math Stat 42:204). METHODS, section 12.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from retrial.fit.importance.adaptive import Targets, adapted
from retrial.fit.importance.linear import LinearModel, PriorTerm
from retrial.priors.prior import Prior
from retrial.priors.pymc_priors import effect_updates

_STANDARD = Prior("normal", (0.0, 1.0))
"""Stands for the prior of the effect where this plays no part."""


def null_evidence(
    model: LinearModel, targets: Targets, effect: str, wanted: float, seed: np.random.SeedSequence, threads: int
) -> np.ndarray | None:
    """Log evidence with the effect at 0, and its standard error, of each target, (target, 2); NaN where weights did not pass.

    None where the model has no such effect that is sampled as itself. Targets that differ in the prior of the effect alone have the same.
    """
    if effect not in model.places:
        return None
    updates = effect_updates(effect, _STANDARD)
    values = np.stack([model.packed.changed(one, updates) for one in targets.values])
    kinds, kind = np.unique(values, axis=0, return_inverse=True)
    pairs, place = np.unique(np.stack([targets.pairs[:, 0], kind[targets.pairs[:, 1]]], axis=1), axis=0, return_inverse=True)
    shares = np.zeros(len(pairs))
    shares[place] = targets.shares
    total = np.bincount(pairs[:, 1], shares, len(kinds))
    at_null = Targets(targets.counts, kinds, pairs, shares / total[pairs[:, 1]])
    sample, health = adapted(without_effect(model, effect), at_null, wanted, 0.0, seed, threads)
    if not sample.size:
        return None
    found = np.where(health.passed(wanted)[:, None], health.results[:, 2:4], np.nan)
    return np.asarray(found[place])


def without_effect(model: LinearModel, effect: str) -> LinearModel:
    """The model with its effect at 0, and no prior of it; values hold N(0, 1) as that prior."""
    place, constant = model.places[effect], float(_STANDARD.distribution.logpdf(0.0))

    def whole(points: np.ndarray) -> np.ndarray:
        return np.insert(points, place, 0.0, axis=1)

    def at_null(term: PriorTerm) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        return lambda points, values: term.function(whole(points), values)

    def slope(points: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = model.slope(whole(points), values)
        return value - constant, np.delete(gradient, place, axis=1)

    def parameters(points: np.ndarray, values: np.ndarray) -> Sequence[np.ndarray]:
        return model.parameters(whole(points), values)

    return dataclasses.replace(
        model,
        places={},
        size=model.size - 1,
        cells=lambda points, values: model.cells(whole(points), values),
        terms=[dataclasses.replace(term, function=at_null(term)) for term in model.terms if term.variable != effect],
        parameters=parameters,
        slope=slope,
    )
