"""Model card: `adverse_events_hierarchical`, every term and grade of a table of adverse events at once.

    term t, grade group g from the worst (3-4) down, arm a; r_{a,t,g}: patients without a worse grade of the same term
    y_{a,t,g} ~ Binomial(r_{a,t,g}, q_{a,t,g});    logit q_{a,t,g} = α_{t,g} + θ_{t,g} [a = experimental]
    α_{t,g} = m_g + s x_{t,g}            m_g ~ `baseline_mean`,  s ~ `baseline_sd`
    θ_{t,g} = μ + u_g + τ z_{t,g}        μ ~ `log_odds_ratio` (its mirror: a harm),  u_g ~ `grade_effect`,  τ ~ `effect_sd`
    x, z ~ N(0, 1)

A patient has one worst grade of a term: grade groups and "none" are exclusive, so the chain of binomials is their multinomial, and
"any grade" is derived. A term that is printed without all groups ends its chain with what any grade adds to them ("any" where none
is printed), a grade group of its own with its own m_g and u_g. θ is a log odds ratio, above 0 more harm with the experimental arm. Cells of 0 need no
correction: their term borrows from the others. How far grades differ is said by the prior of u_g: two of them cannot show it.
Sampled as: half-normal s and τ by their normal scores (`_raw`), which have no funnel towards 0; the same model.
Assumes terms exchangeable (none known in advance to be caused by the treatment), exchangeable patients, no confounding; treats terms
as independent given the parameters although patients share them, so effects pooled over terms look somewhat too certain.
Source: Berry, Berry 2004, Biometrics 60:418 (pooling over adverse events); non-centred as in Betancourt, Girolami 2015.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from retrial.cells import OUTCOME, binomial_cells
from retrial.data.chains import CELL, GRADE, GradedEvents, chain_probabilities
from retrial.dims import ARM
from retrial.fit.observe import observe_cells
from retrial.priors.prior_set import PriorSet
from retrial.priors.pymc_priors import effect_prior, scale_prior
from retrial.priors.scales import LOG_ODDS_RATIO, Parameter, Scale

DATA = "adverse_events"
PARAMETERS = (
    Parameter("baseline_mean", "m", "real", Scale("logit"), "Typical term of a grade, logit"),
    Parameter("baseline_sd", "s", "positive", Scale("SD of logits"), "SD between terms, logit"),
    LOG_ODDS_RATIO,
    Parameter("grade_effect", "u", "real", Scale("log odds ratio"), "Grade against all, log odds ratio"),
    Parameter("effect_sd", "τ", "positive", Scale("SD of log odds ratios"), "Pooling scale τ, log odds ratio"),
)
_EXPERIMENTAL = np.array([[0.0], [1.0]])


def build(data: GradedEvents, priors: PriorSet) -> pm.Model:
    """PyMC model of the whole table; every count and hyper-parameter is `pm.Data`."""
    grade_of = data.grade_of
    with pm.Model(coords=data.coords()) as model:
        level = effect_prior("baseline_mean", priors["baseline_mean"], dims=GRADE)
        spread = scale_prior("baseline_sd", priors["baseline_sd"])
        mean = effect_prior("log_odds_ratio", priors["log_odds_ratio"])
        by_grade = effect_prior("grade_effect", priors["grade_effect"], dims=GRADE)
        between_terms = scale_prior("effect_sd", priors["effect_sd"]) * pm.Normal("standard_effect", dims=CELL)
        baseline = level[grade_of] + spread * pm.Normal("standard_baseline", dims=CELL)
        effect = mean + by_grade[grade_of] + between_terms
        cells = pt.stack(binomial_cells(baseline + _EXPERIMENTAL * effect, pt))
        observe_cells("patients", cells, data.cell_counts, (OUTCOME, ARM, CELL))
    return model


def probabilities(draws: Mapping[str, np.ndarray], data: GradedEvents) -> np.ndarray:
    """P(worst grade of a term), (draw, arm, term, grade + 1), grades from the worst, "none" last."""
    level = draws["baseline_mean"][:, data.grade_of]
    baseline = level + draws["baseline_sd"][:, None] * draws["standard_baseline"]
    logit = baseline[:, None, :] + _EXPERIMENTAL * cell_effects(draws, data)[:, None, :]
    # a group that a term is not printed in has no patients
    return chain_probabilities(data.by_term(logit, -np.inf))


def cell_effects(draws: Mapping[str, np.ndarray], data: GradedEvents) -> np.ndarray:
    """θ (draw, cell), cells term by term."""
    by_grade = draws["grade_effect"][:, data.grade_of]
    return draws["log_odds_ratio"][:, None] + by_grade + draws["effect_sd"][:, None] * draws["standard_effect"]
