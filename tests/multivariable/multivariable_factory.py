"""Studies that print a multivariable model whose covariance of the estimates is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from retrial.multivariable.sampler import Matrices
from retrial.study.study import Study

NAMES = ("arm", "stage", "marker", "age")
Z = 1.959963984540054


def covariance(correlation: np.ndarray, se: Sequence[float]) -> np.ndarray:
    return np.asarray(correlation * np.outer(se, se))


def alone(b: np.ndarray, v: np.ndarray, place: int) -> tuple[float, float]:
    """Univariable estimate and SE of the quadratic form."""
    matrix = np.linalg.inv(v)
    return float((matrix @ b)[place] / matrix[place, place]), float(matrix[place, place] ** -0.5)


def ratio(b: float, se: float, decimals: int = 4, **more: Any) -> dict[str, Any]:
    point, low, high = (f"{np.exp(value):.{decimals}f}" for value in (b, b - Z * se, b + Z * se))
    return {"endpoint": "os", "hazard_ratio": point, "ci": [low, high], **more}


def tree(b: Sequence[float], v: np.ndarray, events: int = 60, decimals: int = 4, ratios: Sequence[int] = (0,)) -> dict[str, Any]:
    """A study file: χ² of every covariate, univariable ratios of `ratios`, no margins."""
    b = np.asarray(b)
    names, effects, rows, covariates = NAMES[: b.size], {}, {}, {}
    for place, name in enumerate(names):
        sides = {} if place == 0 else {"numerator": f"{name} high", "denominator": f"{name} low"}
        others = [other for other in names if other != name]
        effects[f"{name}_adjusted"] = ratio(b[place], float(v[place, place] ** 0.5), decimals, adjusted_for=others, **sides)
        single, error = alone(b, v, place)
        rows[name] = {"results": {"os": {"chi_square": f"{(single / error) ** 2:.3f}", "p": "0.01"}}}
        covariates[name] = {"effect": f"{name}_adjusted"}
        if place in ratios:
            effects[f"{name}_alone"] = ratio(single, error, decimals, **sides)
            covariates[name]["unadjusted"] = f"{name}_alone"
    return {
        "title": "made up",
        "arms": {"control": {"n": "60"}, "experimental": {"n": "60"}},
        "endpoints": {"os": {"events": {"total": {"n": str(events)}}}},
        "effects": effects,
        "tests": {"univariable": {"where": "Table 3", "rows": rows}},
        "multivariable": {"os": {"endpoint": "os", "where": "Table 4", "tests": "univariable", "covariates": covariates}},
    }


def study(*args: Any, **more: Any) -> Study:
    return Study.model_validate(tree(*args, **more))


def known(b: Sequence[float], v: np.ndarray, copies: int = 1) -> Matrices:
    """Matrices that are all the same: the information matrix is known."""
    p = len(b)
    nothing = np.full((copies, p), np.nan)
    return Matrices(
        information=np.repeat(np.linalg.inv(v)[None], copies, axis=0),
        b=np.repeat(np.asarray(b, dtype=float)[None], copies, axis=0),
        s=np.repeat(np.sqrt(np.diag(v))[None], copies, axis=0),
        asked=(),
        distance=np.empty((copies, 0)),
        error=nothing,
        error_sd=nothing,
        wider=np.ones((copies, p)),
        island=np.zeros(copies, dtype=int),
        acceptance=1.0,
        units=tuple((place,) for place in range(p)),
        weight=(np.asarray(b, dtype=float) ** 2 / np.diag(v)) / 60**0.5,
        sign=np.zeros(copies, dtype=int),
    )
