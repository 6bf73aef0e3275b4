"""The treatment effects of a run, each with what the data say of it alone: printed ratios, and models of the life tables."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from retrial.data import ratio
from retrial.data.direction import good_endpoints, is_good
from retrial.data.kind import Place, Row
from retrial.data.life_table import turned
from retrial.dims import PRIOR, RECONSTRUCTION
from retrial.fit.diagnostics import Level
from retrial.fit.ensemble import EFFECT
from retrial.fit.posterior_file import WEIGHT, by_number
from retrial.frequentist.ratios import LogRatio, effect_endpoint
from retrial.priors.prior import Prior
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import seed_sequence
from retrial.sensitivity.any_prior.likelihood import Likelihood, NormalLikelihood
from retrial.sensitivity.any_prior.marginal import GROUPS, marginal_likelihood
from retrial.study.study import Study

log = logging.getLogger("retrial")


@dataclass(frozen=True, eq=False)
class Effect:
    """One treatment effect under one model. `priors` by the name of their set, the main one first, as they are used on this effect.

    `events` behind it, of both arms; NaN where they are not known. `good` says whether its event is (None: not told). `printed` is the log
    ratio as printed, where the effect is of one.
    """

    endpoint: str
    model: str
    adjusted_for: str
    measure: str
    likelihood: Likelihood
    priors: Mapping[str, Prior]
    events: float
    good: bool | None = False
    printed: LogRatio | None = None

    @property
    def named(self) -> dict[str, Any]:
        """Columns that say which effect a row is of."""
        return {"endpoint": self.endpoint, "model": self.model, "adjusted_for": self.adjusted_for}

    @property
    def main(self) -> Prior:
        """The prior that the conclusion is quoted under."""
        return next(iter(self.priors.values()))


def effects_of(run: RunConfig, study: Study, posteriors: Mapping[Place, xr.DataTree], diagnostics: Sequence[Row]) -> list[Effect]:
    """Printed treatment ratios first, then the models fitted to tables, in the order of the run."""
    printed = [effect for spec in run.models.values() if spec.kind is ratio.KIND for effect in _printed(run, spec, study)]
    return [*printed, *_fitted(run, study, posteriors, diagnostics)]


def _printed(run: RunConfig, spec: ModelSpec, study: Study) -> Iterator[Effect]:
    """A second ratio of the same endpoint and covariates is told from the first by its key."""
    seen: set[tuple[str, str]] = set()
    for key, effect, data in ratio.chosen(run, study):
        if not effect.is_treatment:
            continue
        given = {name: ratio.prior_of(priors, study, key) for name, priors in run.sets_for(spec).items()}
        priors = {name: prior for name, prior in given.items() if prior is not None}
        if priors:
            endpoint = effect_endpoint(effect, key)
            likelihood = NormalLikelihood(data, spec.closed_form)
            again = (endpoint, data.adjusted_for) in seen
            seen.add((endpoint, data.adjusted_for))
            yield Effect(
                endpoint,
                spec.name,
                ", ".join(filter(None, (data.adjusted_for, f"effects.{key}"))) if again else data.adjusted_for,
                data.measure,
                likelihood,
                priors,
                _events(study, endpoint),
                is_good(study, key),
                data,
            )


def _events(study: Study, key: str) -> float:
    """Events of both arms as printed; NaN where they are not."""
    endpoint = study.endpoints.get(key)
    if endpoint is None:
        return float("nan")
    if endpoint.events.total is not None:
        return float(int(endpoint.events.total.n))
    arms = (endpoint.events.control, endpoint.events.experimental)
    return float(sum(int(count) for count in arms if count is not None)) if all(arms) else float("nan")


def _fitted(
    run: RunConfig, study: Study, posteriors: Mapping[Place, xr.DataTree], diagnostics: Sequence[Row]
) -> Iterator[Effect]:
    for (endpoint, model), tree in posteriors.items():
        spec = run.models.get(model)
        if endpoint not in study.endpoints or spec is None or EFFECT not in tree["posterior"].data_vars or study.one_arm:
            continue
        levels = _levels(endpoint, model, diagnostics)
        sets = {name: turned(value, study).for_endpoint(endpoint) for name, value in run.priors.items()}
        priors = {name: value[EFFECT] for name, value in sets.items() if EFFECT in value.priors}
        # a set that states more than the effect gives another likelihood of the effect
        alike = [name for name in priors if name in levels and not (set(sets[name].priors) & set(spec.priors))]
        if not alike:
            log.info("%s, %s: no prior set whose fits all passed; no sensitivity analysis of it", endpoint, model)
            continue
        posterior, observed = by_number(tree)
        draws = posterior[EFFECT].sel({PRIOR: alike}).transpose(PRIOR, RECONSTRUCTION, ...).to_numpy()
        draws = draws.reshape(*draws.shape[:2], -1).astype(float)
        weights = observed[WEIGHT].to_numpy()
        groups = groups_of(draws, [levels[name] for name in alike], run.seed)
        likelihood = marginal_likelihood(draws, groups, [priors[name] for name in alike], weights / weights.sum())
        good = endpoint in good_endpoints(study)
        yield Effect(endpoint, model, "", "hazard_ratio", likelihood, priors, _events(study, endpoint), good)


def _levels(endpoint: str, model: str, diagnostics: Sequence[Row]) -> dict[str, np.ndarray]:
    """Prior set -> whether each table's fit was sampled as chains, (table,); sets of which a fit failed are left out."""
    found: dict[str, list[Row]] = {}
    for row in diagnostics:
        if (row["endpoint"], row["model"], row["variant"]) == (endpoint, model, ""):
            found.setdefault(str(row["prior"]), []).append(row)
    return {
        name: np.array([row["method"] != Level.IMPORTANCE for row in sorted(rows, key=lambda row: int(row["reconstruction"]))])
        for name, rows in found.items()
        if all(row["status"] == "ok" for row in rows)
    }


def groups_of(draws: np.ndarray, chained: Sequence[np.ndarray], seed: int) -> np.ndarray:
    """Parts of the draws to be left out in turn, like `draws`: neighbours of a chain together, copies of one weighted proposal together."""
    _, copies = np.unique(draws, return_inverse=True)
    parts = np.random.default_rng(seed_sequence(seed, "left out in turn")).integers(GROUPS, size=int(copies.max()) + 1)
    groups = parts[copies.reshape(draws.shape)]
    blocks = np.arange(draws.shape[2]) * GROUPS // draws.shape[2]
    for group, own in zip(groups, chained, strict=True):
        group[own] = blocks
    return groups
