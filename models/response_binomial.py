"""Model card: `response_binomial`, two independent binomial counts.

    y_a ~ Binomial(n_a, π_a),    a = control, experimental
    either  π_a ~ Beta (or a mixture of Betas), independent            prior `control_probability`, `experimental_probability`
    or      logit π_c ~ `control_logit`,  logit π_e = logit π_c + θ,  θ ~ `log_odds_ratio`

θ is the log odds ratio of a benefit; for a harm the mirror of its prior is used. Probabilities without unit.
Assumes exchangeable patients within an arm, and no confounding. Nested outcomes (ORR and DCR) fitted one at a time with this
model are not independent of each other: see `response_hierarchical` for a joint model.
Without sampling: Beta-binomial where the priors are Beta (the exact reference), a two-dimensional grid on the logits otherwise.
Source: Spiegelhalter, Abrams, Myles 2004, chapter 3; Beta mixtures as in Schmidli et al. 2014.
"""

from __future__ import annotations

import functools

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.special import betaln, logit, logsumexp

from retrial.cells import OUTCOME, OUTCOMES, binomial_cells
from retrial.data.two_arms import TwoArms
from retrial.dims import ARM, ARMS
from retrial.fit.grid import Axis, LogDensity, TwoArmPosterior
from retrial.fit.observe import observe_cells
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior
from retrial.priors.scales import ARMS_PROBABILITIES, CONTROL_LOGIT, LOG_ODDS_RATIO

DATA = "counts"
PARAMETERS = (CONTROL_LOGIT, LOG_ODDS_RATIO, *ARMS_PROBABILITIES)
_LOGIT_LIMIT = 400.0
"""Widest logit looked at: the logistic function is 0 or 1 to the last bit long before."""


def posterior(data: TwoArms, priors: PriorSet) -> TwoArmPosterior:
    """Posterior of both logits on a grid, exact to the grid's quadrature."""
    if "control_probability" in priors.priors:
        stated = [priors[name] for name in ("control_probability", "experimental_probability")]
        margins = [_beta_margin(data, arm, prior) for arm, prior in enumerate(stated)]
        axes = [Axis.over(margin, -_LOGIT_LIMIT, _LOGIT_LIMIT) for margin in margins]
        seen = all(axis.sees(prior.distribution, of=logit) for axis, prior in zip(axes, stated, strict=True))
        return TwoArmPosterior(axes[0], axes[1], margins[0](axes[0].x)[:, None] + margins[1](axes[1].x), sees_priors=seen)
    alpha, effect = priors["control_logit"].distribution, data.oriented(priors["log_odds_ratio"]).distribution
    control, experimental = (functools.partial(data.log_likelihood, arm) for arm in (0, 1))
    return TwoArmPosterior.of_effect(lambda x: control(x) + alpha.logpdf(x), experimental, effect, _LOGIT_LIMIT, alpha)


def build(data: TwoArms, priors: PriorSet) -> pm.Model:
    """The logit form for a sampler: the reference against which the grid is tested."""
    with pm.Model(coords={OUTCOME: list(OUTCOMES), ARM: list(ARMS)}) as model:
        alpha = effect_prior("control_logit", priors["control_logit"])
        theta = effect_prior("log_odds_ratio", data.oriented(priors["log_odds_ratio"]))
        logits = pt.stack([alpha, alpha + theta])
        observe_cells("events", pt.stack(binomial_cells(logits, pt)), data.counts, (OUTCOME, ARM))
    return model


def _beta_margin(data: TwoArms, arm: int, prior: Prior) -> LogDensity:
    """Log posterior of one arm's logit x: Σ_j w_j e^(a_j log π + b_j log(1-π)) / B(a_j, b_j), times the likelihood."""
    weights, alpha, beta = (
        np.atleast_1d(prior[name]) if name in prior.names else np.ones(1) for name in ("weights", "alpha", "beta")
    )

    def margin(x: np.ndarray) -> np.ndarray:
        yes, no = (cell[..., None] for cell in binomial_cells(x, np))
        return data.log_likelihood(arm, x) + logsumexp(alpha * yes + beta * no - betaln(alpha, beta), b=weights, axis=-1)

    return margin
