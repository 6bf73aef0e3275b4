"""Evidence of the tables' own prior for the events of a table, ∫ p(events | hazards) p(hazards) d hazards, and for its censorings.

Given the hazards events and censorings of a table are independent factors of its probability (`kernel.prior`), so that against a model of the
events alone only their factor differs; the other, and the number of ways to tell the patients apart, cancel.

    log p(events | x) = Σ_arm Σ_piece  D log(1 - exp(-exp(x))) - (R - D) exp(x)

x (2, P) log hazards per grid time, D events and R patients at risk summed over the grid times of a piece; for censorings D are these and R
those at risk without an event there, but for the last grid time, where nothing is left to chance. With x Gaussian this is log-concave:
Laplace's approximation, corrected by importance sampling from a multivariate t at it.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from retrial.tables.kernel.prior import TablePrior, centre
from retrial.tables.life_table import LifeTable

DRAWS, FEW_DRAWS, DEGREES = 4_000, 500, 7
"""Importance draws of each table, those where its evidence is one weight of many, and degrees of freedom of the t."""
STEPS, CLOSE = 100, 1e-10
"""Most steps of Newton's method, and the squared length of the last one."""
_SEED = 20_250_422
"""Of the draws, which all tables share."""


def log_evidence_of_events(table: LifeTable, prior: TablePrior, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """(M,) log evidences of the events of tables (on the grid that they were sampled on), and their standard errors."""
    events, at_risk = _counts(table)
    starts = prior.edges(events.shape[-1])[0][:-1]
    _, same, across = prior.covariances(len(starts))
    covariance = np.block([[same, across], [across, same]])
    d, r = (_by_piece(data, starts).reshape(len(data), -1) for data in (events, at_risk))
    return _log_evidences(d, r, covariance, centre(events.shape[-1]), draws)


def log_evidence_of_censorings(table: LifeTable, prior: TablePrior, draws: int = DRAWS) -> tuple[np.ndarray, np.ndarray]:
    """(M,) log evidences of the censorings of both arms of tables, and their standard errors; under a rule by which nobody is censored up to a
    time, of those after it.
    """
    events, at_risk = _counts(table)
    n_times = events.shape[-1]
    without_event = at_risk - events
    without_event[..., -1] = 0
    censored = np.asarray(table.censored, float).reshape(events.shape).copy()
    censored[..., -1] = 0
    edges, without = prior.edges(n_times)
    starts = edges[:-1]
    d, r = (_by_piece(data, starts)[..., without:] for data in (censored, without_event))
    covariance = prior.covariances(len(starts), without)[0][without:, without:]
    arms = [_log_evidences(d[:, a], r[:, a], covariance, centre(n_times), draws) for a in range(2)]
    (control, its_error), (experimental, other_error) = arms
    return control + experimental, np.hypot(its_error, other_error)


def log_evidence_of_table(table: LifeTable, prior: TablePrior) -> np.ndarray:
    """(M,) log evidences of whole tables, from `FEW_DRAWS` each: their ratios under two priors are weights from the one to the other."""
    return log_evidence_of_events(table, prior, FEW_DRAWS)[0] + log_evidence_of_censorings(table, prior, FEW_DRAWS)[0]


def _counts(table: LifeTable) -> tuple[np.ndarray, np.ndarray]:
    """(M, 2, T) events and patients at risk."""
    events, at_risk = (np.asarray(data, float).reshape(-1, 2, data.shape[-1]) for data in (table.events, table.at_risk))
    return events, at_risk[..., : events.shape[-1]].copy()


def _by_piece(data: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(..., P) sums over the grid times of each piece."""
    return np.asarray(np.add.reduceat(data, starts, axis=-1))


def _log_evidences(
    d: np.ndarray, r: np.ndarray, covariance: np.ndarray, mean: float, draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """(M,) log integrals of d and r (M, k), and their standard errors."""
    normal = np.random.default_rng(_SEED).standard_normal((draws, len(covariance)))
    scale = np.sqrt(DEGREES / np.random.default_rng(_SEED + 1).chisquare(DEGREES, draws))
    found = [_log_integral(one, other, covariance, mean, normal * scale[:, None]) for one, other in zip(d, r, strict=True)]
    logs, errors = np.array(found).T
    return logs, errors


def _log_likelihood(x: np.ndarray, d: np.ndarray, r: np.ndarray) -> np.ndarray:
    """(...,) log p(events | x) of x (..., 2 P)."""
    hazard = np.exp(x)
    return np.asarray(special.xlogy(d, -np.expm1(-hazard)).sum(axis=-1) - ((r - d) * hazard).sum(axis=-1))


def _log_integral(d: np.ndarray, r: np.ndarray, covariance: np.ndarray, mean: float, draws: np.ndarray) -> tuple[float, float]:
    """Log of the integral and its standard error, from draws (S, k) of a standard multivariate t."""
    precision = np.linalg.inv(covariance)
    x = np.full(d.size, mean)
    for _ in range(STEPS):
        gradient, curvature = _derivatives(x, d, r)
        step = np.linalg.solve(precision + np.diag(-curvature), gradient - precision @ (x - mean))
        step *= min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))  # a hazard moves by at most a factor of e² at once
        x = x + step
        if step @ step < CLOSE:
            break
    root = np.linalg.cholesky(np.linalg.inv(precision + np.diag(-_derivatives(x, d, r)[1])))
    at = x + draws @ root.T
    k = d.size
    apart = at - mean
    log_prior = -0.5 * np.einsum("si,ij,sj->s", apart, precision, apart) - 0.5 * (
        k * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1]
    )
    log_t = special.gammaln((DEGREES + k) / 2) - special.gammaln(DEGREES / 2) - k / 2 * np.log(DEGREES * np.pi)
    log_t = log_t - np.log(np.diag(root)).sum() - (DEGREES + k) / 2 * np.log1p((draws**2).sum(axis=1) / DEGREES)
    weights = _log_likelihood(at, d, r) + log_prior - log_t
    top = weights.max()
    relative = np.exp(weights - top)
    return float(top + np.log(relative.mean())), float(relative.std() / relative.mean() / np.sqrt(relative.size))


def _derivatives(x: np.ndarray, d: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivatives of the log likelihood, element by element."""
    hazard = np.exp(x)
    odds = hazard / np.expm1(hazard)  # h / (e^h - 1)
    slope = odds * (1 - hazard - odds)  # its derivative in x
    return d * odds - (r - d) * hazard, d * slope - (r - d) * hazard
