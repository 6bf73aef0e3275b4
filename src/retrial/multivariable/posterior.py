"""Joint posterior of all coefficients as a mixture of normals, one for every sampled matrix and draw of the prior's scales.

Given I, b and prior variances T (diagonal), prior means m: β | b ~ N(C (I b + T⁻¹ m), C), C = (I + T⁻¹)⁻¹, and the component weighs
N(b; m, I⁻¹ + T), its evidence. Every answer that is linear in β (an effect adjusted for fewer covariates, a shift) is then a mixture of
normals too, with an exact distribution function: no sampling error but that of matrices and scales.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import ndtr

from retrial.errors import FitError
from retrial.multivariable.sampler import Matrices
from retrial.multivariable.statistics import quadratic_scale

LEAST_EFFECTIVE = 400
"""Effective components below which a posterior has failed."""
LARGEST_RHAT = 1.05
"""√(1 + variance between samplers / within), beyond which their means differ too much."""
_STEPS = 80
_SAME = 1e-13
"""Of the SD: quantiles closer than this are one."""


@dataclass(frozen=True, eq=False)
class NormalMixture:
    """Σ w_m N(mean_m, sd_m²), weights adding to 1; arrays (component,)."""

    weights: np.ndarray
    means: np.ndarray
    sds: np.ndarray

    def cdf(self, x: float | np.ndarray) -> np.ndarray:
        """P(X <= x)."""
        flat = np.atleast_1d(np.asarray(x, dtype=float))
        found = np.array([self.weights @ ndtr((value - self.means) / self.sds) for value in flat])
        # weights add to 1 but for rounding
        return np.asarray(np.clip(found, 0.0, 1.0).reshape(np.shape(x)))

    def ppf(self, q: np.ndarray) -> np.ndarray:
        """Quantiles, by Newton's steps, and halvings where one leaves the bracket: to 1e-13 of the spread."""
        asked = np.asarray(q, dtype=float)
        low = np.full(asked.shape, float((self.means - 40 * self.sds).min()))
        high = np.full(asked.shape, float((self.means + 40 * self.sds).max()))
        spread, x = self.std(), np.full(asked.shape, self.mean())
        for _ in range(_STEPS):
            over = self.cdf(x) - asked
            low, high = np.where(over < 0, x, low), np.where(over < 0, high, x)
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                step = x - over / self._pdf(x)
            x, before = np.where((low <= step) & (step <= high), step, (low + high) / 2), x
            if np.all(np.abs(x - before) <= _SAME * spread):
                break
        return x

    def _pdf(self, x: np.ndarray) -> np.ndarray:
        """Density."""
        found = [self.weights / self.sds @ np.exp(-0.5 * ((value - self.means) / self.sds) ** 2) for value in np.ravel(x)]
        return np.reshape(found, np.shape(x)) / np.sqrt(2 * np.pi)

    def mean(self) -> float:
        return float(self.weights @ self.means)

    def std(self) -> float:
        return float(np.sqrt(self.weights @ (self.sds**2 + (self.means - self.mean()) ** 2)))


@dataclass(frozen=True, eq=False)
class Components:
    """The joint posterior: weights (M,), means (M, p), covariances (M, p, p), with the matrices I (M, p, p) they came from.

    units   positions of every factor, and of every covariate by itself;  weight, sign: as in `Matrices`
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    information: np.ndarray
    error: np.ndarray
    error_sd: np.ndarray
    wider: np.ndarray
    island: np.ndarray
    units: tuple[tuple[int, ...], ...]
    weight: np.ndarray
    sign: np.ndarray

    def linear(
        self,
        coefficients: np.ndarray,
        extra: np.ndarray | float = 0.0,
        extra_sd: np.ndarray | float = 0.0,
        wider: np.ndarray | float = 1.0,
    ) -> NormalMixture:
        """Distribution of c'β + N(extra, extra_sd²), c (p,) the same for all components or (M, p); the SD of c'β times `wider`."""
        c = np.broadcast_to(coefficients, self.means.shape)
        variance = np.einsum("ni,nij,nj->n", c, self.covariances, c) * np.square(wider) + np.square(extra_sd)
        return NormalMixture(self.weights, np.einsum("ni,ni->n", c, self.means) + extra, np.sqrt(np.maximum(variance, 1e-300)))

    def of(self, position: int) -> NormalMixture:
        """One coefficient."""
        return self.linear(np.eye(self.means.shape[1])[position])

    def adjusted_for(self, position: int, kept: Sequence[int]) -> np.ndarray:
        """c (M, p): the coefficient of `position` in the model with it and the covariates `kept` alone is c'β = (I_AA⁻¹ I_A· β)_1."""
        places = [position, *kept]
        inside = self.information[:, places][:, :, places]
        return np.asarray(np.linalg.solve(inside, self.information[:, places])[:, 0])

    def subset(self, position: int, kept: Sequence[int]) -> NormalMixture:
        """The effect adjusted for some covariates, with the error of the quadratic form.

        Where the univariable SE is printed and a matrix implies a smaller one, so that the interval would be narrower than the printed one, the
        SD is the larger by their ratio to the power g² (as in `subset_error`): all of it where all covariates are left out.
        """
        wider = self.wider[:, position] ** (self.part_left_out(position, kept) ** 2)
        return self.linear(self.adjusted_for(position, kept), *self.subset_error(position, kept), wider)

    def shift(self, position: int, kept: Sequence[int]) -> NormalMixture:
        """The effect adjusted for all covariates less that adjusted for some."""
        c = np.eye(self.means.shape[1])[position] - self.adjusted_for(position, kept)
        mean, sd = self.subset_error(position, kept)
        return self.linear(c, -mean, sd)

    def subset_error(self, position: int, kept: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and SD, (M,), of an estimate adjusted for some covariates less its quadratic form.

        Of g = (weight left out) / (that of all others) the known error e of the univariable estimate says g² e (measured: 0.01, 0.11, 0.32, 0.63,
        0.67 of e at g = 0.1, 0.4, 0.6, 0.8, 0.94); what is left has the SD `quadratic_scale` √(1 - g⁴) standard errors. Nothing is
        left where e is printed and all are left out; where e is not known, all of the SD is.
        """
        g = self.part_left_out(position, kept)
        known = np.isfinite(self.error[:, position])
        error = 1.0 / np.sqrt(self.information[:, position, position])
        mean = np.where(known, g**2 * self.error[:, position], 0.0)
        size = quadratic_scale(float(self.weight[self._out(position, kept)].sum())) if self._out(position, kept) else 0.0
        rest = size * error * np.where(known, np.sqrt(max(1 - g**4, 0.0)), 1.0)
        return mean, np.hypot(rest, np.where(known, g**2 * self.error_sd[:, position], 0.0))

    def part_left_out(self, position: int, kept: Sequence[int]) -> float:
        """g, the weight of the covariates that are left out, of that of all others; 1 where all are left out."""
        every = float(self.weight[self._out(position, ())].sum())
        return float(self.weight[self._out(position, kept)].sum()) / every if every > 0 else float(not kept)

    def _out(self, position: int, kept: Sequence[int]) -> list[int]:
        return [place for place in range(self.means.shape[1]) if place != position and place not in kept]

    def draws(self, seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """β (count, p), and which component each is of."""
        random = np.random.default_rng(seed)
        chosen = random.choice(self.weights.size, count, p=self.weights)
        root = np.linalg.cholesky(self.covariances[chosen])
        noise = random.standard_normal((count, self.means.shape[1], 1))
        return self.means[chosen] + (root @ noise)[..., 0], chosen

    def part(self, island: int) -> Components:
        """What one sampler gave, its weights adding to 1."""
        return self._where(self.island == island)

    def of_sign(self, sign: int) -> Components:
        """The part in which the treatment's univariable log ratio has a sign, where its print leaves it open."""
        return self._where(self.sign == sign)

    def _where(self, kept: np.ndarray) -> Components:
        weights = self.weights[kept]
        names = ("means", "covariances", "information", "error", "error_sd", "wider", "island", "sign")
        parts: dict[str, Any] = {name: getattr(self, name)[kept] for name in names}
        return replace(self, weights=weights / weights.sum(), **parts)

    @cached_property
    def islands(self) -> list[Components]:
        return [self.part(int(island)) for island in np.unique(self.island)]

    @property
    def effective(self) -> float:
        """Effective number of components, 1 / Σ w²."""
        return float(1.0 / (self.weights**2).sum())

    @property
    def rhat(self) -> float:
        """The worst coefficient's √(1 + variance of the samplers' means / total variance); 1 of one matrix."""
        if len(self.islands) < 2:
            return 1.0
        means = np.array([part.weights @ part.means for part in self.islands])
        total = np.array([self.of(place).std() for place in range(self.means.shape[1])])
        return float(np.sqrt(1 + (means.var(axis=0, ddof=1) / total**2).max()))

    def check(self) -> None:
        """Raises `FitError` where weights or samplers leave too little behind an answer."""
        if not np.isfinite(self.weights).all():
            raise FitError("the posterior of the coefficients: got weights that are no numbers")
        if self.weights.size > LEAST_EFFECTIVE and self.effective < LEAST_EFFECTIVE:
            raise FitError(f"effective components {self.effective:.0f} < {LEAST_EFFECTIVE}")
        if self.rhat > LARGEST_RHAT:
            raise FitError(f"rhat over samplers {self.rhat:.3f} > {LARGEST_RHAT}")


def status_of(components: Components) -> str:
    """ "ok", or why a posterior must not be used."""
    try:
        components.check()
    except FitError as error:
        return f"failed: {error}"
    return "ok"


def posterior(matrices: Matrices, means: np.ndarray, variances: np.ndarray) -> Components:
    """Components of prior means and variances (M, p), one row for every matrix; an infinite variance is a flat prior."""
    precision = np.divide(1.0, variances)
    inverse = matrices.information.copy()
    place = np.arange(means.shape[1])
    inverse[:, place, place] += precision
    covariance = np.linalg.inv(inverse)
    data = np.einsum("nij,nj->ni", matrices.information, matrices.b)
    mean = np.einsum("nij,nj->ni", covariance, data + precision * means)
    log_weights = _log_evidence(matrices, means, precision, covariance)
    weights = np.exp(log_weights - log_weights.max())
    return of_matrices(matrices, weights / weights.sum(), mean, covariance)


def of_matrices(matrices: Matrices, weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> Components:
    """Components with one normal for every matrix."""
    names = ("information", "error", "error_sd", "wider", "island", "units", "weight", "sign")
    taken: dict[str, Any] = {name: getattr(matrices, name) for name in names}
    return Components(weights, means, covariances, **taken)


def _log_evidence(matrices: Matrices, means: np.ndarray, precision: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """log N(b; m, I⁻¹ + T) up to a constant, in precisions, so that a flat prior is a limit: with P = T⁻¹, r = b - m,
    |I⁻¹ + T|⁻¹ = |I| |C| |P| and r'(I⁻¹ + T)⁻¹ r = r'I r - (I r)'C (I r). |P| of flat coefficients is left out."""
    r = matrices.b - means
    weighted = np.einsum("nij,nj->ni", matrices.information, r)
    square = np.einsum("ni,ni->n", r, weighted) - np.einsum("ni,nij,nj->n", weighted, covariance, weighted)
    determinants = np.linalg.slogdet(matrices.information)[1] + np.linalg.slogdet(covariance)[1]
    proper = precision > 0
    priors = np.log(np.where(proper, precision, 1.0)).sum(axis=1)
    return np.asarray(0.5 * (determinants + priors - square))
