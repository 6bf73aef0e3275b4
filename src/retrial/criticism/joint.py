"""Joint posteriors of a model and the tables: tables weighed by the model's evidence over that of their own prior. METHODS, section 4.

Tables y are drawn from p(y | printed) with weights w; a model M gives p_M(y) = ∫ p(y | θ) p(θ) dθ. Under M the tables have weights

    W ∝ w p_M(y) / p(y),

and the draws of θ given each table, in these shares, are the joint posterior of M given the printed numbers. With w it is a cut posterior.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import logsumexp

from retrial.criticism.ensemble import FEWEST_PASSED
from retrial.fit.ensemble import Fitted
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.prior_evidence import log_evidence_of_events
from retrial.tables.sample.build import prior_under

JOINT = "joint posterior"
"""The rows' `variant`."""
LEAST_EFFECTIVE = 20
"""Effective tables below which the model and the tables' prior disagree, and only the cut posterior is shown (METHODS 4)."""


@dataclasses.dataclass(frozen=True, eq=False)
class JointWeights:
    """Weights (M,) of the tables under a model, adding to 1 (0 where a fit did not pass), and what to know of them."""

    weights: np.ndarray
    tables: int
    effective_tables: float
    log_ratio_sd: float
    status: str


def log_prior_evidence(item: EndpointTables, settings: ReconstructionSettings) -> np.ndarray | None:
    """(M,) log evidences of the events of sampled tables under their own prior, in the units of a model's (a density per month of each event
    where times are exact); None where no table was sampled, or none agrees.
    """
    ensemble, targets = item.ensemble, item.targets
    if ensemble is None or targets is None or ensemble.relaxed:
        return None
    logs, _ = log_evidence_of_events(ensemble.table, prior_under(targets, settings.prior, ensemble.readings[0]))
    if item.recorded != "exact":
        return logs
    events = ensemble.table.events.to_numpy().sum(axis=(1, 2))
    months = np.diff(targets.months).min(initial=np.inf) if len(targets.months) > 1 else 1.0
    return np.asarray(logs - events * np.log(months))


def joint_weights(fitted: Fitted, prior: str, log_prior: np.ndarray) -> JointWeights:
    """Weights of the tables under a model and a named prior set."""
    health = fitted.diagnostics[prior]
    logs = np.array([item.log_evidence for item in health])
    passed = np.array([item.status == "ok" for item in health]) & np.isfinite(logs)
    share = float(fitted.weights[passed].sum())
    if share < FEWEST_PASSED or passed.sum() < 2:
        nothing = np.zeros(passed.size)
        return JointWeights(
            nothing, int(passed.sum()), np.nan, np.nan, f"fits with an evidence in {share:.0%} of the tables only"
        )
    ratio = np.where(passed, logs - log_prior, -np.inf)
    with np.errstate(divide="ignore"):
        log_weights = np.log(fitted.weights) + ratio
    weights = np.exp(log_weights - logsumexp(log_weights))
    known, own = ratio[passed], fitted.weights[passed] / share
    spread = float(np.sqrt(own @ (known - own @ known) ** 2))
    effective = float(1.0 / (weights**2).sum())
    status = (
        "ok" if effective >= LEAST_EFFECTIVE else f"the model and the tables' prior disagree: {effective:.0f} effective tables"
    )
    return JointWeights(weights, int(passed.sum()), effective, spread, status)
