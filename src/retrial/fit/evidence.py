"""Evidence of models beside each other: probabilities of the models on each table, and their means over the tables.

    P(model | table, prior) ∝ p(table | model, prior) P(model),   all models equally probable beforehand

A model without an evidence in most tables (NUTS gave its fits) is left out; a table that lacks the evidence of another model is.

p(table | model, prior) = ∫ p(table | θ) p(θ) dθ comes with importance sampling (METHODS 12). It depends on the priors of all parameters, wide
ones too, where predictive scores hardly do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import integrate, stats
from scipy.special import logsumexp

from retrial.priors.prior import Prior

TABLES = """
    endpoint, prior
    reconstruction          number of the table
    model
    weight                  of the table among the endpoint's
    log_evidence, log_evidence_se  log ∫ p(table | θ) p(θ) dθ and its standard error: a density per month of each exact time, patients of a
                            table of counts one by one
    probability             of the model given the table, all models with an evidence in most tables equally probable beforehand; empty where
                            there is one model, or one of these is without evidence here
"""
MODELS = """
    endpoint, model, prior
    probability, probability_sd  mean and SD over the weighted tables, all models equally probable beforehand
    probability_mcse        Monte Carlo standard error of the mean, from the errors of the log evidences (each model's the same way in all tables)
    log_bayes_factor        against the model of the largest evidence, mean over the tables
    tables                  in which every model has an evidence
"""
JOINT = """
    endpoint, model, prior
    tables                  with a passed fit that has an evidence
    effective_tables        effective number of them under the weights of the joint posterior, 1 / Σ W²
    log_ratio_sd            SD over the tables of the log of the model's evidence over that of the tables' prior
    status                  "ok", or why the joint posterior is not shown
"""
"""Columns of the files that hold these, as `store.artefacts` reads them."""
LEAST_SHARE = 0.5
"""Of the tables, by their weight, that must have a model's evidence for it to be held against others."""
KEYS = ["endpoint", "prior", "reconstruction"]
COLUMNS = [*KEYS, "model", "weight", "log_evidence", "log_evidence_se", "probability"]


def log_normal_evidence(prior: Prior, estimate: float, se: float) -> float:
    """log ∫ N(estimate; β, se²) p(β) dβ: closed form for normal priors and their mixtures, else by quadrature."""
    if prior.family in ("normal", "normal_mixture"):
        weights = np.atleast_1d(prior["weights"]) if prior.family == "normal_mixture" else np.ones(1)
        mu, sigma = (np.atleast_1d(prior[name]) for name in ("mu", "sigma"))
        return float(logsumexp(stats.norm.logpdf(estimate, mu, np.hypot(sigma, se)), b=weights))
    distribution = prior.distribution
    middle, reach = float(distribution.ppf(0.5)), 40 * se
    peak = max(stats.norm.logpdf(estimate, x, se) + distribution.logpdf(x) for x in (middle, estimate))

    def density(x: float) -> float:
        return float(np.exp(stats.norm.logpdf(estimate, x, se) + distribution.logpdf(x) - peak))

    low, high = estimate - reach, estimate + reach
    spread = float(distribution.ppf(0.75)) - middle
    points = [x for k in (-8, -1, 0, 1, 8) for x in (middle + k * spread, estimate + k * se) if low < x < high]
    total = integrate.quad(density, low, high, points=sorted(points), epsabs=0.0, epsrel=1e-11, limit=500)[0]
    return float(np.log(total) + peak)


def evidence_rows(diagnostics: Sequence[Mapping[str, Any]], weights: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """A row a table, model and prior set that has an evidence; `weights` of the tables by (endpoint, model).

    `probability` is empty where the table has one model only, or one whose evidence is missing although most tables have it, and of a
    model whose evidence most tables lack.
    """
    frame = pd.DataFrame(list(diagnostics))
    if frame.empty or not np.isfinite(frame["log_evidence"]).any():
        return pd.DataFrame(columns=COLUMNS)
    frame = frame[frame["variant"] == ""]
    places = zip(frame["endpoint"], frame["model"], frame["reconstruction"], strict=True)
    found = frame.assign(weight=[float(weights[endpoint, model][table]) for endpoint, model, table in places])
    usable = found["log_evidence"].where((found["status"] == "ok") & np.isfinite(found["log_evidence"]))
    of_model = found.assign(known=usable.notna() * found["weight"]).groupby(["endpoint", "prior", "model"])
    among = of_model["known"].transform("sum") >= LEAST_SHARE * of_model["weight"].transform("sum")
    found["probability"] = usable[among].groupby([found.loc[among, key] for key in KEYS]).transform(_probabilities)
    return found.loc[np.isfinite(found["log_evidence"]), COLUMNS].reset_index(drop=True)


def _probabilities(log_evidence: pd.Series) -> pd.Series:
    if len(log_evidence) < 2 or log_evidence.isna().any():
        return log_evidence * np.nan
    return np.exp(log_evidence - logsumexp(log_evidence))


def probability_rows(evidence: pd.DataFrame) -> pd.DataFrame:
    """A row a model, endpoint and prior set: weighted mean and SD over the tables where every model has an evidence.

    `log_bayes_factor` is the mean over these tables of the log evidence less that of the model with the largest mean.
    """
    shared = evidence[evidence["probability"].notna()]
    rows = []
    for (endpoint, prior), group in shared.groupby(["endpoint", "prior"], sort=False):
        means = {
            model: np.average(own["log_evidence"], weights=own["weight"]) for model, own in group.groupby("model", sort=False)
        }
        errors = _errors(group)
        for model, own in group.groupby("model", sort=False):
            mean = float(np.average(own["probability"], weights=own["weight"]))
            spread = float(np.sqrt(np.average((own["probability"] - mean) ** 2, weights=own["weight"])))
            rows.append(
                {
                    "endpoint": endpoint,
                    "model": model,
                    "prior": prior,
                    "probability": mean,
                    "probability_sd": spread,
                    "probability_mcse": errors[str(model)],
                    "log_bayes_factor": float(means[model] - max(means.values())),
                    "tables": len(own),
                }
            )
    columns = ["endpoint", "model", "prior", "probability", "probability_sd", "probability_mcse", "log_bayes_factor", "tables"]
    return pd.DataFrame(rows, columns=columns)


def _errors(group: pd.DataFrame) -> dict[str, float]:
    """Standard errors of the mean probabilities p_k: ∂p_k / ∂ log Z_j = p_k (1[k = j] - p_j), of models one by one, of tables together."""
    wide = group.pivot_table(index="reconstruction", columns="model", values=["probability", "log_evidence_se", "weight"])
    p, se, weight = (np.asarray(wide[name], dtype=float) for name in ("probability", "log_evidence_se", "weight"))
    share = weight[:, 0] / weight[:, 0].sum()
    slopes = p[:, :, None] * (np.eye(len(p.T)) - p[:, None, :]) * se[:, None, :]
    total = np.sqrt((np.einsum("m,mkj->kj", share, slopes) ** 2).sum(axis=1))
    return dict(zip((str(name) for name in wide["probability"].columns), total.tolist(), strict=True))
