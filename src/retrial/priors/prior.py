"""`Prior`: a distribution as a value, with its source; said on the parameter's own scale, never rewritten by data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import optimize, stats
from scipy.special import logsumexp

from retrial.errors import PriorError
from retrial.priors.scales import Scale
from retrial.validate import as_text

_EDGE = 1e-15
"""Component tail probability that brackets every quantile asked for."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """Σ w_j f_j, with weights adding to 1 and frozen SciPy distributions f_j."""

    weights: np.ndarray
    components: Sequence[Any]

    def logpdf(self, x: np.ndarray | float) -> np.ndarray:
        return logsumexp([component.logpdf(x) for component in self.components], b=self._columns(x), axis=0)

    def pdf(self, x: np.ndarray | float) -> np.ndarray:
        return np.exp(self.logpdf(x))

    def cdf(self, x: np.ndarray | float) -> np.ndarray:
        return np.sum([w * component.cdf(x) for w, component in zip(self.weights, self.components, strict=True)], axis=0)

    def ppf(self, q: np.ndarray | float) -> np.ndarray:
        low = min(float(component.ppf(_EDGE)) for component in self.components)
        high = max(float(component.isf(_EDGE)) for component in self.components)
        # a quantile beyond the bracket is nearer to its end than floats lie apart (a beta's below 1e-308, say)
        below, above = float(self.cdf(low)), float(self.cdf(high))
        flat = [
            low
            if p <= below
            else high
            if p >= above
            else optimize.brentq(lambda x, p=p: float(self.cdf(x)) - p, low, high, xtol=1e-13)
            for p in np.ravel(q)
        ]
        return np.reshape(flat, np.shape(q))

    def mean(self) -> float:
        return float(sum(w * component.mean() for w, component in zip(self.weights, self.components, strict=True)))

    def std(self) -> float:
        squares = sum(
            w * (component.var() + component.mean() ** 2) for w, component in zip(self.weights, self.components, strict=True)
        )
        return float(np.sqrt(squares - self.mean() ** 2))

    def rvs(self, size: int, random_state: np.random.Generator) -> np.ndarray:
        chosen = random_state.choice(self.weights.size, size=size, p=self.weights / self.weights.sum())
        draws = np.stack([component.rvs(size=size, random_state=random_state) for component in self.components])
        return draws[chosen, np.arange(size)]

    def _columns(self, x: np.ndarray | float) -> np.ndarray:
        return self.weights.reshape((-1,) + (1,) * np.ndim(x))


_POSITIVE = ("sigma", "nu", "alpha", "beta", "rate", "scale")
"""Hyper-parameters that must be above 0, whatever the family."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "normal": ("mu", "sigma"),
    "student_t": ("mu", "sigma", "nu"),
    "normal_mixture": ("weights", "mu", "sigma"),
    "lognormal": ("mu", "sigma"),
    "half_normal": ("sigma",),
    "gamma": ("alpha", "rate"),
    "beta": ("alpha", "beta"),
    "beta_mixture": ("weights", "alpha", "beta"),
}
"""Families and the hyper-parameters that each needs, in the field's notation."""

SUPPORT: dict[str, str] = {
    "normal": "real",
    "student_t": "real",
    "normal_mixture": "real",
    "lognormal": "positive",
    "half_normal": "positive",
    "gamma": "positive",
    "beta": "probability",
    "beta_mixture": "probability",
}

_LIMITS: dict[str, tuple[float, float]] = {
    "mu": (-1000.0, 1000.0),
    "sigma": (1e-10, 1000.0),
    "nu": (0.1, 1e6),
    **dict.fromkeys(("alpha", "beta", "rate"), (1e-6, 1e9)),
}
"""Hyper-parameters that can be computed with: their densities and quantiles are finite, whatever the scale."""
_LOG_LIMITS = {"mu": (-100.0, 100.0), "sigma": (1e-10, 100.0)}
"""Those of a lognormal, whose values are exponentials."""
MOST_COMPONENTS = 4
"""Components of a normal mixture: as many as a compiled model has places for."""
_WEIGHT_SUM_TOLERANCE = 1e-6
"""Room for weights printed with six decimals."""

Value = float | tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Prior:
    """A prior distribution.

    `family` is a key of `FAMILIES`, `parameters` its hyper-parameters in that order (a tuple each for mixtures),
    `source` says where it comes from, `scale` on which scale its parameter is read, as its model declares (None: a common parameter).
    Raises `PriorError` when made from something that is no distribution.
    """

    family: str
    parameters: tuple[Value, ...]
    source: str = ""
    scale: Scale | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any], key: str, scale: Scale | None = None) -> Prior:
        """Read {family: normal, mu: 0, sigma: 0.355, source: ...}; `key` names the place in errors."""
        family = raw.get("family")
        if not isinstance(family, str) or family not in FAMILIES:
            raise PriorError(f"cannot use the prior {key}", [f"{key}.family: got {family!r}; allowed are {', '.join(FAMILIES)}"])
        needed = FAMILIES[family]
        unknown = [
            f"{key}.{name}: unknown; {family} takes {', '.join(needed)}"
            for name in raw
            if name not in (*needed, "family", "source")
        ]
        missing = [f"{key}.{name}: missing; {family} takes {', '.join(needed)}" for name in needed if name not in raw]
        source = as_text(raw.get("source"), f"{key}.source", unknown)
        if unknown or missing:
            raise PriorError(f"cannot use the prior {key}", unknown + missing)
        values = tuple(_value(raw[name], f"{key}.{name}", family) for name in needed)
        problems = _problems(family, dict(zip(needed, values, strict=True)), key)
        if problems:
            raise PriorError(f"cannot use the prior {key}", problems)
        return cls(family, values, source, scale)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the hyper-parameters, in the order of `parameters`."""
        return FAMILIES[self.family]

    def __getitem__(self, name: str) -> Value:
        return self.parameters[FAMILIES[self.family].index(name)]

    def number(self, name: str) -> float:
        """A scalar hyper-parameter."""
        value = self[name]
        if isinstance(value, tuple):
            raise PriorError(f"the prior {self}", [f"{name} is a tuple; a single number is needed"])
        return value

    @property
    def support(self) -> str:
        return SUPPORT[self.family]

    @property
    def is_symmetric(self) -> bool:
        """Whether a prior on the real line is symmetric about 0."""
        return self.support == "real" and not np.any(np.asarray(self["mu"]))

    @property
    def distribution(self) -> Any:
        """Frozen SciPy distribution (or mixture) with pdf, logpdf, cdf, ppf, mean, std, rvs."""
        p: dict[str, Any] = dict(zip(FAMILIES[self.family], self.parameters, strict=True))
        match self.family:
            case "normal":
                return stats.norm(p["mu"], p["sigma"])
            case "student_t":
                return stats.t(p["nu"], p["mu"], p["sigma"])
            case "normal_mixture":
                return Mixture(
                    np.array(p["weights"]), [stats.norm(mu, sigma) for mu, sigma in zip(p["mu"], p["sigma"], strict=True)]
                )
            case "lognormal":
                return stats.lognorm(p["sigma"], scale=np.exp(p["mu"]))
            case "half_normal":
                return stats.halfnorm(scale=p["sigma"])
            case "gamma":
                return stats.gamma(p["alpha"], scale=1.0 / p["rate"])
            case "beta":
                return stats.beta(p["alpha"], p["beta"])
            case "beta_mixture":
                return Mixture(np.array(p["weights"]), [stats.beta(a, b) for a, b in zip(p["alpha"], p["beta"], strict=True)])
        raise PriorError(f"the prior {self}", [f"{self.family} is not one of {', '.join(FAMILIES)}"])

    @property
    def mirrored(self) -> Prior:
        """The distribution of minus the parameter (real families only): a prior on a benefit turned to a harm."""
        if self.support != "real":
            raise PriorError(f"the prior {self}", ["only a prior on the whole real line has a mirror"])
        mu = self["mu"]
        flipped = tuple(-value for value in mu) if isinstance(mu, tuple) else -mu
        index = FAMILIES[self.family].index("mu")
        turned = (*self.parameters[:index], flipped, *self.parameters[index + 1 :])
        return Prior(self.family, turned, f"mirror of: {self.source}", self.scale)

    def __str__(self) -> str:
        return f"{self.family}({', '.join(_shown(value) for value in self.parameters)})"


def _shown(value: Value) -> str:
    return "[" + ", ".join(f"{item:.4g}" for item in value) + "]" if isinstance(value, tuple) else f"{value:.4g}"


def _value(raw: Any, key: str, family: str) -> Value:
    many = family.endswith("mixture")
    items = list(raw) if isinstance(raw, (list, tuple)) else [raw]
    if many != isinstance(raw, (list, tuple)) or not items:
        raise PriorError(f"cannot use {key}", [f"{key}: got {raw!r}; allowed is {'a list of numbers' if many else 'one number'}"])
    for item in items:
        if isinstance(item, bool) or not isinstance(item, (int, float)) or not np.isfinite(item):
            raise PriorError(f"cannot use {key}", [f"{key}: got {item!r}; allowed is a finite number"])
    return tuple(float(item) for item in items) if many else float(items[0])


def _problems(family: str, values: dict[str, Value], key: str) -> list[str]:
    found = []
    for name, value in values.items():
        items = value if isinstance(value, tuple) else (value,)
        if name in _POSITIVE and min(items) <= 0:
            found.append(f"{key}.{name}: got {_shown(value)}; allowed is above 0")
        elif (limits := {**_LIMITS, **(_LOG_LIMITS if family == "lognormal" else {})}.get(name)) is not None:
            low, high = limits
            if not (low <= min(items) and max(items) <= high):
                found.append(f"{key}.{name}: got {_shown(value)}; allowed is from {low:g} to {high:g}")
        if name == "weights" and (min(items) < 0 or abs(sum(items) - 1) > _WEIGHT_SUM_TOLERANCE):
            found.append(
                f"{key}.weights: got {_shown(value)} (sum {sum(items):.6g}); allowed are weights of 0 or more that add to 1"
            )
    weights = values.get("weights", ())
    if family == "normal_mixture" and isinstance(weights, tuple) and len(weights) > MOST_COMPONENTS:
        found.append(f"{key}.weights: got {len(weights)} components; allowed are up to {MOST_COMPONENTS}")
    if family.endswith("mixture") and len({len(value) for value in values.values() if isinstance(value, tuple)}) > 1:
        found.append(f"{key}: got lists of different lengths; allowed is one weight and one of each parameter a component")
    return found
