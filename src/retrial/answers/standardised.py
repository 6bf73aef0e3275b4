"""Standardised (marginal) answers of a survival model with covariates: averages over the patients' own covariates (g-computation).

    S_a(t) = 1/n Σ_i S(t | a, z_i)      everybody of the sample in arm a, whatever arm they were in; f_a(t) = 1/n Σ_i S(t | a, z_i) h(t | a, z_i)

S(t | a, z) depends on z by the linear predictor η = γ · z alone, so that in each draw the mean over the patients is a mean over the values of
η: taken by the Gauss quadrature of their distribution (Golub, Welsch 1969, Math Comp 23:221), which is exact for polynomials in η of degree up to
2 `NODES` - 1. Over 432 patients with 6 covariates it is the mean over the patients to 1e-9 (a test).
Source: Robins 1986, Mathematical Modelling 7:1393; Daniel, Zhang, Farewell 2021, Biometrical Journal 63:528 (conditional and marginal ratios).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from retrial.answers import curves
from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.answers.survival import by_arm
from retrial.estimate import Estimate
from retrial.fit.survival.likelihood import COVARIATE_EFFECTS, COVARIATE_PREDICTOR, EXPERIMENTAL_INDICATOR, Hazard
from retrial.fit.survival.patients import draws_at
from retrial.frequentist.rows import RATIO

NODES = 16
_AT_ONCE = 2**23
"""Numbers of an array: draws are looked at in blocks that stay below."""
_NOTHING_LEFT = 1e-9
"""Length of a residual, in SDs of η, below which its values are all used up."""


@dataclass(frozen=True, eq=False)
class Standardised:
    """survival (draw, arm, time), rmst (draw, arm) in months, and log of the hazard ratio averaged over the events (draw,)."""

    survival: np.ndarray
    rmst: np.ndarray
    log_ratio: np.ndarray


def gauss_nodes(values: np.ndarray, shares: np.ndarray, nodes: int = NODES) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, both (draw, node), of the distribution of `values` (draw, value) with weights `shares` (value,) adding to 1.

    Lanczos's recursion with every vector made orthogonal to all before it; where there are fewer values than nodes the others weigh 0.
    """
    centre = values @ shares
    spread = np.sqrt(np.maximum((values**2) @ shares - centre**2, 0.0))
    scale = np.where(spread > 0, spread, 1.0)[:, None]
    x = (values - centre[:, None]) / scale
    basis = np.zeros((len(values), nodes, shares.size))
    jacobi = np.zeros((len(values), nodes, nodes))
    vector = np.broadcast_to(np.sqrt(shares), x.shape).copy()
    for k in range(nodes):
        basis[:, k] = vector
        image = x * vector
        jacobi[:, k, k] = (image * vector).sum(axis=1)
        for _ in range(2):
            image -= np.einsum("dk,dkv->dv", np.einsum("dkv,dv->dk", basis[:, : k + 1], image), basis[:, : k + 1])
        length = np.linalg.norm(image, axis=1)
        going = length > _NOTHING_LEFT
        if k + 1 < nodes:
            jacobi[:, k, k + 1] = jacobi[:, k + 1, k] = np.where(going, length, 0.0)
        vector = np.where(going[:, None], image / np.where(going, length, 1.0)[:, None], 0.0)
    found, vectors = np.linalg.eigh(jacobi)
    return centre[:, None] + scale * found, vectors[:, 0] ** 2


def standardised(
    hazard: Hazard,
    draws: Mapping[str, np.ndarray],
    patterns: np.ndarray,
    shares: np.ndarray,
    times: Sequence[float],
    horizon: float,
) -> Standardised:
    """Marginal curves of draws (draw, ...), among them `covariate_effects` (draw, column), over `patterns` (pattern, column) of patients with
    weights `shares` (pattern,) adding to 1.
    """
    own = {name: value for name, value in draws.items() if name != COVARIATE_EFFECTS}
    effects = draws[COVARIATE_EFFECTS]
    mean_times, mean_weights = curves.mean_rule(horizon)
    event_times, event_weights = curves.events_rule(horizon)
    every = np.concatenate([np.asarray(times, dtype=float), mean_times, event_times])
    step = max(_AT_ONCE // max(NODES * max(shares.size, 2 * every.size), 1), 1)
    survival, mean, ratio = [], [], []
    for start in range(0, len(effects), step):
        block = slice(start, start + step)
        nodes, weights = gauss_nodes(effects[block] @ patterns.T, shares)
        one = draws_at({name: value[block] for name, value in own.items()}, nodes, COVARIATE_PREDICTOR)
        log_s, log_f = _averaged(hazard, one, weights, every)
        values = np.exp(log_s)
        survival.append(values[..., : len(times)])
        mean.append((values[..., len(times) : len(times) + mean_times.size] * mean_weights).sum(axis=-1))
        tail = slice(len(times) + mean_times.size, None)
        parts = special.logsumexp(log_f[..., tail] + log_s[:, ::-1, tail] + np.log(event_weights), axis=-1)
        ratio.append(parts[:, 1] - parts[:, 0])
    return Standardised(np.concatenate(survival), np.concatenate(mean), np.concatenate(ratio))


def _averaged(
    hazard: Hazard, draws: Mapping[str, np.ndarray], weights: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Log of the weighted means of S and of S h, both (draw, arm, time), of draws (draw node, ...) with weights (draw, node)."""
    columns = {name: value[..., None, None] for name, value in draws.items()}
    with np.errstate(all="ignore"):
        log_h, cumulative = hazard(times, EXPERIMENTAL_INDICATOR, columns, np)
        log_w = np.log(weights)[..., None, None]
        shape = (*weights.shape, *cumulative.shape[1:])
        log_s = -np.minimum(cumulative, _NEVER).reshape(shape) + log_w
        density = np.broadcast_to(log_h, cumulative.shape).reshape(shape) + log_s
        return special.logsumexp(log_s, axis=1), special.logsumexp(density, axis=1)


_NEVER = 1e6
"""Cumulative hazard after which nobody is left, of those that overflow."""


def standardised_rows(
    subject: Subject, found: Standardised, questions: Questions, times: Sequence[float], horizon: float
) -> list[Estimate]:
    """Rows of S(t), restricted means, their differences (experimental - control), and the marginal average hazard ratio."""
    ratio = dataclasses.replace(subject, contrast=RATIO)
    rows = ratio.ratio_from_draws("average_hazard_ratio", found.log_ratio, questions, horizon)
    rows += by_arm(subject, ("rmst", "rmst_difference"), "months", found.rmst, questions, horizon)
    for index, time in enumerate(times):
        values = found.survival[..., index]
        rows += by_arm(subject, ("survival", "survival_difference"), "probability", values, questions, time)
    return rows
