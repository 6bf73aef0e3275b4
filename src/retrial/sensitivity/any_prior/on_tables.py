"""What any life tables say of a model's effect alone: fits under the prior sets that lie furthest apart, every other prior a weight of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retrial.data.life_table import on, turned
from retrial.fit.diagnostics import Level
from retrial.fit.ensemble import EFFECT, Question, fit_ensemble
from retrial.fit.survival.likelihood import prepared_from
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, RunConfig
from retrial.sensitivity.any_prior.effects import groups_of
from retrial.sensitivity.any_prior.marginal import MarginalLikelihood, marginal_likelihood
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables


def complete_sets(run: RunConfig, spec: ModelSpec, study: Study, endpoint: str) -> dict[str, PriorSet]:
    """Complete sets by name, the main one first; those that state more than the effect give another likelihood of it, and are left out."""
    found = {}
    for name, given in run.sets_for(spec).items():
        mine = turned(given, study).for_endpoint(endpoint)
        if EFFECT in mine.priors and not set(mine.priors) & set(spec.priors):
            found[name] = turned(given, study).over(spec.priors)
    return found


def outermost(priors: Mapping[str, Prior]) -> tuple[str, ...]:
    """The main set, the narrowest, and those of the lowest and highest mean."""
    means, sds = (
        {name: float(getattr(prior.distribution, moment)()) for name, prior in priors.items()} for moment in ("mean", "std")
    )
    chosen = (
        next(iter(priors)),
        min(sds, key=sds.__getitem__),
        min(means, key=means.__getitem__),
        max(means, key=means.__getitem__),
    )
    return tuple(dict.fromkeys(chosen))


def likelihood_on(run: RunConfig, spec: ModelSpec, study: Study, item: EndpointTables) -> MarginalLikelihood | str:
    """L(β) of one model on these tables; a sentence where no set of priors speaks of it or no set's fits all passed their diagnostics."""
    sets = complete_sets(run, spec, study, item.endpoint)
    if not sets:
        return "no prior set that speaks of the effect alone"
    priors = {name: value.for_endpoint(item.endpoint)[EFFECT] for name, value in sets.items()}
    own = on(spec, item.table, item.weights, item.recorded)
    question = Question(item.endpoint, item.table, item.weights, item.recorded, prepared_from(own.prepare, item.entry))
    asked = {name: sets[name] for name in outermost(priors)}
    content = (run.seed, run.study_file.stem)
    (fitted,) = fit_ensemble(spec.name, own.build, [question], asked, run.sampler_for(spec), run.limits, content)
    passed = [name for name in fitted.draws if fitted.status(name) == "ok"]
    if not passed:
        return fitted.status(next(iter(fitted.draws))).removeprefix("failed: ")
    draws = np.stack([np.stack([fit.values[EFFECT].ravel() for fit in fitted.draws[name]]) for name in passed]).astype(float)
    chained = [np.array([health.method != Level.IMPORTANCE for health in fitted.diagnostics[name]]) for name in passed]
    groups = groups_of(draws, chained, run.seed)
    return marginal_likelihood(draws, groups, [priors[name] for name in passed], item.weights / item.weights.sum())
