"""Evidence of models beside each other: probabilities of the models on each table, and their means over the tables.

    P(model | table, prior) ∝ p(table | model, prior) P(model),   all models equally probable beforehand

p(table | model, prior) = ∫ p(table | θ) p(θ) dθ comes with importance sampling (METHODS 12). It depends on the priors of all parameters, wide
ones too, where predictive scores hardly do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logsumexp

TABLES = """
    endpoint, prior
    reconstruction          number of the table
    model
    weight                  of the table among the endpoint's
    log_evidence, log_evidence_se  log ∫ p(table | θ) p(θ) dθ and its standard error: a density per month of each exact time, patients of a
                            table of counts one by one
    probability             of the model given the table, all models of the table equally probable beforehand; empty where there is one
                            model, or one without evidence
"""
MODELS = """
    endpoint, model, prior
    probability, probability_sd  mean and SD over the weighted tables, all models equally probable beforehand
    log_bayes_factor        against the model of the largest evidence, mean over the tables
    tables                  in which every model has an evidence
"""
"""Columns of the files that hold both, as `store.artefacts` reads them."""
KEYS = ["endpoint", "prior", "reconstruction"]
COLUMNS = [*KEYS, "model", "weight", "log_evidence", "log_evidence_se", "probability"]


def evidence_rows(diagnostics: Sequence[Mapping[str, Any]], weights: Mapping[tuple[str, str], np.ndarray]) -> pd.DataFrame:
    """A row a table, model and prior set that has an evidence; `weights` of the tables by (endpoint, model).

    `probability` is empty where the table has one model only, or one whose evidence is missing.
    """
    frame = pd.DataFrame(list(diagnostics))
    if frame.empty or not np.isfinite(frame["log_evidence"]).any():
        return pd.DataFrame(columns=COLUMNS)
    frame = frame[frame["variant"] == ""]
    places = zip(frame["endpoint"], frame["model"], frame["reconstruction"], strict=True)
    found = frame.assign(weight=[float(weights[endpoint, model][table]) for endpoint, model, table in places])
    usable = found["log_evidence"].where((found["status"] == "ok") & np.isfinite(found["log_evidence"]))
    found["probability"] = usable.groupby([found[key] for key in KEYS]).transform(_probabilities)
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
                    "log_bayes_factor": float(means[model] - max(means.values())),
                    "tables": len(own),
                }
            )
    return pd.DataFrame(
        rows, columns=["endpoint", "model", "prior", "probability", "probability_sd", "log_bayes_factor", "tables"]
    )
