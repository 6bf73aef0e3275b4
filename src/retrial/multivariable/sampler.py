"""Information matrices that the printed tables allow, by sequential Monte Carlo (Del Moral, Doucet and Jasra 2006) in numpy.

Own code, because the posterior has several modes (the sign of a univariable effect is not printed), where NUTS stays in one: annealed
particles find them. 4,000 matrices of 7 covariates take about 3 s; a test holds it against NUTS where there is one mode.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln

from retrial.multivariable.correlation import concentration_of, log_prior, matrices, pairs_of, shapes
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.statistics import (
    TOLERANCE,
    Statistic,
    inflation_by_others,
    information,
    log_factor_prior,
    log_likelihood,
    printed_statistics,
    quadratic_error,
    residuals,
)

KEEP = 0.5
"""Effective share of the particles after one step of the temperature."""
MOVES, LAST_MOVES = 12, 40
"""Metropolis moves of every particle at each temperature, and at the last."""
PLAIN = 28
"""Pairs of covariates (of 8) up to which that many moves do; more in proportion where there are more."""
BEST_RATE = 0.28
"""Acceptance at which the steps are neither lengthened nor shortened."""
START_SD, ANYWHERE = 0.25, 0.1
"""The particles start from LKJ matrices, whose correlations have this SD; part of their partial correlations are uniform, so that single pairs that
are strongly correlated are found."""
PILOT = 150
"""Particles by which it is told whether matrices carry a sign."""
_EDGE = 1e-9
_BEFORE_LAST = 0.85
"""Share of the moves before the last temperature, about."""


@dataclass(frozen=True)
class MatrixSettings:
    """islands      independent samplers, whose differences tell the Monte Carlo error;  particles: matrices of each
    correlation_scale   of the t prior of every correlation of the estimates (`correlation.log_prior`)
    """

    islands: int = 8
    particles: int = 500
    correlation_scale: float = 0.2

    def problems(self) -> list[str]:
        """What cannot be used, by name."""
        return [
            f"{name}: got {value}; allowed is {allowed}"
            for name, value, allowed, right in (
                ("islands", self.islands, "from 2 to 64", 2 <= self.islands <= 64),
                ("particles", self.particles, "from 50 to 20000", 50 <= self.particles <= 20_000),
                ("correlation_scale", self.correlation_scale, "above 0, at most 1", 0 < self.correlation_scale <= 1),
            )
            if not right
        ]


@dataclass(frozen=True, eq=False)
class Matrices:
    """M sampled information matrices I, (M, p, p), with the estimates b and standard errors s (M, p) that go with them.

    distance   (M, statistics): of every printed number from what the matrix implies, in scales of its error
    error, error_sd   (M, p): printed univariable log ratios less the implied ones, and what is unsure of them (`quadratic_error`)
    wider      (M, p): how many times a printed univariable SE is the implied one, at least 1
    island     (M,): which sampler;  acceptance: of the last moves;  units, weight: as in `PrintedModel`
    sign       (M,): of the treatment's univariable log ratio, half of either where no print decides it, else 0
    """

    information: np.ndarray
    b: np.ndarray
    s: np.ndarray
    asked: tuple[Statistic, ...]
    distance: np.ndarray
    error: np.ndarray
    error_sd: np.ndarray
    wider: np.ndarray
    island: np.ndarray
    acceptance: float
    units: tuple[tuple[int, ...], ...]
    weight: np.ndarray
    sign: np.ndarray

    @property
    def correlation(self) -> np.ndarray:
        """Of the estimates, (M, p, p)."""
        return np.asarray(np.linalg.inv(self.information) / (self.s[:, :, None] * self.s[:, None, :]))

    def repeated(self, times: int) -> Matrices:
        """Each matrix so many times, for as many draws of what a prior leaves open."""
        names = ("information", "b", "s", "distance", "error", "error_sd", "wider", "island", "sign")
        more: dict[str, Any] = {name: np.repeat(getattr(self, name), times, axis=0) for name in names}
        return dataclasses.replace(self, **more)

    @property
    def inflation(self) -> np.ndarray:
        """Variance inflation V_jj I_jj of every covariate, (M, p): 1 without any correlation."""
        return np.asarray(self.s**2 * np.diagonal(self.information, axis1=1, axis2=2))

    @property
    def inflation_by_others(self) -> np.ndarray:
        """Variance inflation by what is not of the same factor, (M, p) (`statistics.inflation_by_others`)."""
        return inflation_by_others(self.information, self.units)


def silent(_share: float) -> None:
    """Progress that nobody watches."""


def sample(model: PrintedModel, settings: MatrixSettings, seed: int, alive: Callable[[float], None] = silent) -> Matrices:
    """Matrices from the prior of correlations times the likelihood of the printed univariable results and margins; it ends whatever is printed.

    Where the sign of the treatment's univariable effect is not printed, half of the matrices have each sign that any of them carry (`signs_of`).
    `alive` is called after every move with the share of all work that it was, about 1 together.
    """
    asked, signs = printed_statistics(model), signs_of(model, settings, seed, alive)
    shares = [settings.particles // len(signs)] * len(signs)
    shares[0] += settings.particles - sum(shares)
    parts = []
    for number in range(settings.islands):
        for place, (sign, count) in enumerate(zip(signs, shares, strict=True)):
            random = np.random.default_rng([seed, number] if len(signs) == 1 else [seed, number, place])
            part = _Island(_signed(model, sign), asked, settings, random, count)
            rate = part.run(lambda share: alive(share / settings.islands / len(signs)))
            parts.append((number, sign, rate, part.values()))
    b, s, matrix, distance = (np.concatenate([values[place] for *_, values in parts]) for place in range(4))
    island = np.concatenate([np.full(len(values[0]), number) for number, *_, values in parts])
    sides = (
        np.concatenate([np.full(len(values[0]), sign) for _, sign, _, values in parts])
        if len(signs) > 1
        else np.zeros(len(b), dtype=int)
    )
    errors = quadratic_error(model, matrix, b)
    acceptance = float(np.mean([rate for _, _, rate, _ in parts]))
    return Matrices(matrix, b, s, asked, distance, *errors, island, acceptance, model.units, model.weight, sides)


def signs_of(
    model: PrintedModel, settings: MatrixSettings, seed: int, alive: Callable[[float], None] = silent
) -> tuple[int, ...]:
    """Signs of the treatment's univariable log ratio between which nothing printed decides; (0,) where it is printed, or there is no treatment.

    Of a printed test without its ratio both, where no more numbers are beyond the tolerance under one than under the other, by samplers of `PILOT`
    particles: the prior of correlations does not decide which the paper would have printed.
    """
    place = model.treatment
    if place is None or np.isfinite(model.unadjusted[place, 0]) or not np.isfinite(model.test[place, 0]) or model.side[place]:
        return (0,)
    asked = printed_statistics(model)
    far = {}
    for sign in (-1, 1):
        pilot = _Island(_signed(model, sign), asked, settings, np.random.default_rng([seed, 2 + sign]), PILOT)
        pilot.run(lambda _share: alive(0.0))
        far[sign] = float(np.median((np.abs(pilot.values()[3]) > TOLERANCE).sum(axis=1)))
    least = min(far.values())
    carried = tuple(sign for sign in (-1, 1) if far[sign] == least)
    return carried if len(carried) == 2 else (0,)


def _signed(model: PrintedModel, sign: int) -> PrintedModel:
    """The model as if the study file said the side of the treatment's univariable ratio."""
    if not sign or model.treatment is None:
        return model
    side = model.side.copy()
    side[model.treatment] = sign
    return dataclasses.replace(model, side=side)


class _Island:
    """Particles: unbounded partial correlations x = atanh z, and which pair (b, s) of each covariate's pool.

    They start as LKJ matrices, which can be drawn (partial correlations within a factor uniform, of the others the part `ANYWHERE`); what makes
    these the prior's is annealed together with the likelihood.
    """

    def __init__(
        self,
        model: PrintedModel,
        asked: Sequence[Statistic],
        settings: MatrixSettings,
        random: np.random.Generator,
        particles: int,
    ) -> None:
        self.model, self.asked, self.random = model, asked, random
        self.scale_of_prior = settings.correlation_scale
        # levels of one factor share a reference, and are correlated by it at any strength
        self.shape = np.where(model.within, 1.0, shapes(model.size, concentration_of(START_SD, model.size)))
        self.uniform = shapes(model.size, 1.0)
        z = 2 * random.beta(self.shape, self.shape, (particles, pairs_of(model.size))) - 1
        z = np.where(random.uniform(size=z.shape) < ANYWHERE, random.uniform(-1, 1, z.shape), z)
        self.x = np.arctanh(np.clip(z, -1 + _EDGE, 1 - _EDGE))
        self.chosen = random.integers(model.pools.shape[1], size=(particles, model.size))
        self.prior, self.likelihood = self._prior(self.x), self._likelihood(self.x, self.chosen)
        self.scale = 1.0

    def run(self, alive: Callable[[float], None]) -> float:
        """From the prior to the posterior; the acceptance of the last moves. `alive` is called after every move with its share, 1 together."""
        temperature, rate, first, done = 0.0, 0.0, 0.0, 0.0
        while temperature < 1.0:
            step = self._next(temperature)
            self._resample(step * self.likelihood)
            temperature = min(1.0, temperature + step)
            first = first or temperature
            # steps of the temperature are about equal on the log scale
            share = (1.0 if temperature == 1.0 else _BEFORE_LAST * (1 - np.log(temperature) / np.log(first))) - done
            more = max(1.0, self.x.shape[1] / PLAIN)
            moves = round(more * (MOVES if temperature < 1.0 else LAST_MOVES))
            for _ in range(moves):
                rate = self._move(temperature)
                alive(share / moves)
            done += share
        return rate

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """b, s, I and distances of the particles."""
        b, s = self._pairs(self.chosen)
        matrix = information(matrices(self._partial(self.x), self.model.size), s)
        return b, s, matrix, residuals(self.model, self.asked, matrix, b)

    def _pairs(self, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        pairs = self.model.pools[np.arange(self.model.size), chosen]
        return pairs[..., 0], pairs[..., 1]

    @staticmethod
    def _partial(x: np.ndarray) -> np.ndarray:
        return np.clip(np.tanh(x), -1 + _EDGE, 1 - _EDGE)

    def _prior(self, x: np.ndarray) -> np.ndarray:
        """Log density of x where the particles start, that of z and dz/dx = 1 - z² = 4 / (e^x + e^-x)²."""
        log_rest = 2 * (np.log(2) - np.logaddexp(x, -x))
        return np.asarray((self._start(log_rest) + log_rest).sum(axis=1))

    def _start(self, log_rest: np.ndarray) -> np.ndarray:
        """Log density of partial correlations z, of log(1 - z²): the part `ANYWHERE` uniform, the rest 2 Beta(a, a) - 1."""
        beta = (self.shape - 1) * (log_rest - 2 * np.log(2)) - betaln(self.shape, self.shape)
        return np.logaddexp(np.log(ANYWHERE), np.log1p(-ANYWHERE) + beta) - np.log(2)

    def _likelihood(self, x: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Log likelihood of what is printed, and of the prior against the distribution that the particles start from.

        Matrices are uniform where a is that of LKJ(1), so that the start has the density Π f(z) (1 - z²)^(1 - a_1) over matrices.
        """
        (b, s), z = self._pairs(chosen), self._partial(x)
        correlation = matrices(z, self.model.size)
        log_rest = np.log1p(-(z**2))
        start = (self._start(log_rest) - (self.uniform - 1) * log_rest).sum(axis=1)
        matrix = information(correlation, s)
        prior = log_prior(correlation, self.scale_of_prior, self.model.units) + log_factor_prior(self.model.blocks, matrix)
        return prior - start + log_likelihood(self.asked, residuals(self.model, self.asked, matrix, b))

    def _next(self, temperature: float) -> float:
        """The step after which `KEEP` of the particles are effective, by bisection."""
        low, high = 0.0, 1.0 - temperature
        if self._effective(high) >= KEEP:
            return high
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if self._effective(middle) >= KEEP else (low, middle)
        return max(low, 1e-6)

    def _effective(self, step: float) -> float:
        weights = np.exp(step * (self.likelihood - self.likelihood.max()))
        return float(weights.sum() ** 2 / (weights**2).sum() / weights.size)

    def _resample(self, log_weights: np.ndarray) -> None:
        """Systematic resampling."""
        weights = np.exp(log_weights - log_weights.max())
        places = (np.arange(weights.size) + self.random.uniform()) / weights.size
        kept = np.minimum(np.searchsorted(np.cumsum(weights) / weights.sum(), places), weights.size - 1)
        self.x, self.chosen, self.prior, self.likelihood = (
            item[kept] for item in (self.x, self.chosen, self.prior, self.likelihood)
        )

    def _move(self, temperature: float) -> float:
        """One Metropolis move of every particle: a normal step along the particles' own covariance, and one covariate's (b, s) anew."""
        count, dimension = self.x.shape
        spread = np.atleast_2d(np.cov(self.x.T)) + 1e-10 * np.eye(dimension)
        root = np.linalg.cholesky(spread) * (self.scale * 2.38 / np.sqrt(dimension))
        x = self.x + self.random.standard_normal((count, dimension)) @ root.T
        chosen = self.chosen.copy()
        chosen[np.arange(count), self.random.integers(self.model.size, size=count)] = self.random.integers(
            self.model.pools.shape[1], size=count
        )
        prior, likelihood = self._prior(x), self._likelihood(x, chosen)
        ratio = prior - self.prior + temperature * (likelihood - self.likelihood)
        taken = np.log(self.random.uniform(size=count)) < ratio
        self.x[taken], self.chosen[taken] = x[taken], chosen[taken]
        self.prior[taken], self.likelihood[taken] = prior[taken], likelihood[taken]
        rate = float(taken.mean())
        self.scale *= float(np.exp(0.5 * (rate - BEST_RATE)))
        return rate
