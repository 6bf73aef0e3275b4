"""Any prior on top of one likelihood of the effect: closed form, weights of draws, biases and tipping values."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import integrate, stats

from retrial.frequentist.ratios import LogRatio
from retrial.models.log_hazard_ratio import posterior
from retrial.priors.prior import Prior
from retrial.run_config import Assumptions
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.any_prior.marginal import GROUPS, MarginalLikelihood, marginal_likelihood
from retrial.sensitivity.bias import bias_rows, bias_tipping
from retrial.sensitivity.conclusions import conclusion_rows
from retrial.sensitivity.credibility import sceptical_prior_sd
from retrial.sensitivity.future import future_rows
from retrial.sensitivity.prior_grid import belief_rows, contour_rows, curve_rows, grid_rows, scepticism_rows, status_of

Y, S, TAIL = -0.75, 0.32, 0.025
Z = float(stats.norm.isf(TAIL))
FLAT = Prior("normal", (0.0, 10.0))
PRIORS = {
    "flat": FLAT,
    "sceptical": Prior("normal", (0.0, 0.355)),
    "t": Prior("student_t", (0.0, 0.13, 2.0)),
    "mixture": Prior("normal_mixture", ((0.5, 0.5), (-0.6, 0.0), (0.3, 1.0))),
    "optimistic": Prior("normal", (-0.51, 0.35)),
    "pessimistic": Prior("normal", (0.51, 0.35)),
}


def normal_effect(y: float = Y, s: float = S, prior: Prior = FLAT) -> Effect:
    data = LogRatio("hazard_ratio", "experimental / control", "", y, s, 0.95, "made up")
    return Effect("os", "normal", "", "hazard_ratio", NormalLikelihood(data, posterior), {"main": prior}, 44.0, printed=data)


@pytest.fixture(scope="module")
def tables() -> tuple[np.ndarray, MarginalLikelihood]:
    """Draws of 60 tables with normal likelihoods about `Y`, under four priors, and what is made of them."""
    rng = np.random.default_rng(20250422)
    y = rng.normal(Y, 0.1, 60)
    priors = [PRIORS[name] for name in ("flat", "sceptical", "optimistic", "pessimistic")]
    draws = np.empty((len(priors), y.size, 1600))
    for k, prior in enumerate(priors):
        variance = 1 / (1 / S**2 + 1 / prior.number("sigma") ** 2)
        mean = variance * (y / S**2 + prior.number("mu") / prior.number("sigma") ** 2)
        draws[k] = rng.normal(mean[:, None], math.sqrt(variance), (y.size, 1600))
    groups = rng.integers(GROUPS, size=draws.shape)
    return y, marginal_likelihood(draws, groups, priors, np.full(y.size, 1 / y.size))


@pytest.mark.parametrize("name", PRIORS)
def test_the_normal_model_is_its_closed_form_under_any_prior(name: str) -> None:
    prior, x = PRIORS[name], np.linspace(-1.5, 0.5, 9)
    likelihood = normal_effect().likelihood
    exact = posterior(normal_effect().printed, prior)  # type: ignore[arg-type]
    cells = likelihood.under(prior, TAIL)
    assert likelihood.cdf(prior, x) == pytest.approx(np.asarray(exact.cdf(x)), abs=1e-9)
    assert [cells.lower[0], cells.median[0], cells.upper[0]] == pytest.approx(
        list(exact.ppf(np.array([TAIL, 0.5, 1 - TAIL]))), abs=1e-8
    )
    assert cells.error[0] == 0


@pytest.mark.parametrize("name", PRIORS)
def test_the_bayes_factor_is_the_ratio_of_marginal_likelihoods(name: str) -> None:
    prior = PRIORS[name]
    marginal = integrate.quad(
        lambda b: stats.norm.pdf(Y, b, S) * prior.distribution.pdf(b), -8, 8, points=[0, Y], epsabs=1e-13, limit=400
    )[0]
    assert normal_effect().likelihood.for_no_effect(prior) == pytest.approx(stats.norm.pdf(Y, 0, S) / marginal, rel=1e-6)


def test_every_cell_of_the_grid_is_conjugate() -> None:
    asked = Assumptions()
    for row in grid_rows(normal_effect(), asked, TAIL):
        mu, sd = math.log(row["prior_mean"]), row["prior_sd"]
        variance = 1 / (1 / S**2 + 1 / sd**2)
        mean = variance * (Y / S**2 + mu / sd**2)
        assert row["probability"] == pytest.approx(stats.norm.cdf(-mean / math.sqrt(variance)), abs=1e-12)
        assert math.log(row["upper"]) == pytest.approx(mean + Z * math.sqrt(variance), abs=1e-9)
    assert len(list(grid_rows(normal_effect(), asked, TAIL))) == 441


def test_weights_of_draws_give_every_cell_within_monte_carlo_error(tables: tuple[np.ndarray, MarginalLikelihood]) -> None:
    y, likelihood = tables
    mu, sd = (values.ravel() for values in np.meshgrid(*Assumptions().grid, indexing="ij"))
    cells = likelihood.normal(mu, sd, TAIL)
    variance = 1 / (1 / S**2 + 1 / sd**2)
    mean = variance * (y[:, None] / S**2 + mu / sd**2)
    exact = stats.norm.cdf(-mean / np.sqrt(variance)).mean(axis=0)
    told = np.array(status_of(cells)) == "ok"
    assert told.mean() > 0.95
    deviation = ((cells.below - exact) / np.maximum(cells.error, 1e-5))[told]
    assert np.abs(deviation).max() < 4.5
    assert deviation.std() < 1.6  # neighbouring cells share their draws
    at = (mean[:, told] - Z * np.sqrt(variance[told])).mean(axis=0)
    assert np.abs(cells.lower[told] - at).max() < 0.2  # a mixture over tables is wider than one of them
    assert likelihood.under(PRIORS["sceptical"], TAIL).below[0] == pytest.approx(
        likelihood.normal(np.zeros(1), np.full(1, 0.355), TAIL).below[0], abs=1e-12
    )


def test_priors_that_no_draw_speaks_for_are_shown_as_failed(tables: tuple[np.ndarray, MarginalLikelihood]) -> None:
    cells = tables[1].normal(np.array([3.0, 0.0]), np.array([0.1, 1.0]), TAIL)
    first, second = status_of(cells)
    assert first.startswith("failed: ")
    assert second == "ok"


def test_contours_are_where_the_closed_form_has_them() -> None:
    """P(β < 0) = p at μ = τ² (-z_p / √v - y / s²), v the posterior's variance; at 0.975 the interval's limit is 0."""
    effect = normal_effect()
    for row in contour_rows(effect, Assumptions(), TAIL):
        tau, level = row["given"], row["criterion"]
        variance = 1 / (1 / S**2 + 1 / tau**2)
        exact = tau**2 * (-stats.norm.ppf(level) / math.sqrt(variance) - Y / S**2)
        if abs(exact) < 4:
            assert math.log(row["value"]) == pytest.approx(exact, abs=1e-6)
            if level == 0.975:
                limit = effect.likelihood.normal(np.full(1, exact), np.full(1, tau), TAIL).upper[0]
                assert limit == pytest.approx(0, abs=1e-9)


def test_reverse_bayes_is_the_closed_form_on_the_normal_model() -> None:
    found = {row["criterion"]: row["value"] for row in scepticism_rows(normal_effect(), Assumptions(), TAIL)}
    assert found[0.975] == pytest.approx(sceptical_prior_sd(Y, S), rel=1e-6)


def test_what_does_not_hold_has_no_tipping_value() -> None:
    weak = normal_effect(y=-0.3)
    assert all(math.isnan(row["value"]) for row in scepticism_rows(weak, Assumptions(), TAIL))
    assert all(math.isnan(row["value"]) for row in bias_tipping(weak, Assumptions(), TAIL))


@pytest.mark.parametrize("prior", [FLAT, PRIORS["sceptical"]])
def test_a_bias_shifts_and_widens_as_in_closed_form(prior: Prior) -> None:
    asked = Assumptions()
    for row in bias_rows(normal_effect(prior=prior), asked, TAIL):
        variance = S**2 + row["bias_sd"] ** 2
        shifted = Y - math.log(row["bias_ratio"])
        post = 1 / (1 / variance + 1 / prior.number("sigma") ** 2)
        assert math.log(row["median"]) == pytest.approx(post * shifted / variance, abs=1e-9)
        assert row["probability"] == pytest.approx(stats.norm.cdf(-math.sqrt(post) * shifted / variance), abs=1e-9)


def test_the_tipping_bias_is_the_closed_form_under_a_flat_prior() -> None:
    """P(β < 0) = Φ(-(y - m) / √(s² + t²)) = p at m = y + z_p √(s² + t²), to the width of N(0, 10²)."""
    for row in bias_tipping(normal_effect(prior=Prior("normal", (0.0, 1000.0))), Assumptions(), TAIL):
        exact = Y + stats.norm.ppf(row["criterion"]) * math.hypot(S, row["given"])
        expected = pytest.approx(math.exp(exact), rel=1e-6) if exact < 0 else pytest.approx(math.nan, nan_ok=True)
        assert row["value"] == expected


def test_no_bias_gives_the_base_answer(tables: tuple[np.ndarray, MarginalLikelihood]) -> None:
    for likelihood in (normal_effect().likelihood, tables[1]):
        base, biased = likelihood.under(FLAT, TAIL), likelihood.with_bias(0.0, 0.0).under(FLAT, TAIL)
        assert biased.below[0] == base.below[0]
        assert biased.upper[0] == base.upper[0]


def test_a_bias_on_draws_is_that_of_their_tables(tables: tuple[np.ndarray, MarginalLikelihood]) -> None:
    y, likelihood = tables
    for mean, sd in ((-0.3, 0.0), (0.0, 0.2), (-0.3, 0.2)):
        cells = likelihood.with_bias(mean, sd).under(FLAT, TAIL)
        exact = float(stats.norm.cdf(-(y - mean) / math.hypot(S, sd)).mean())
        assert cells.below[0] == pytest.approx(exact, abs=max(4 * cells.error[0], 5e-4))


def test_a_planted_bias_is_found_at_its_tipping_value() -> None:
    """Studies whose effect is none and whose estimates are biased by m: the mean tipping bias at 0.5 is m (the estimate itself)."""
    rng, planted = np.random.default_rng(7), -0.9
    estimates = rng.normal(planted, S, 100)
    tips = []
    for y in estimates:
        effect = normal_effect(y=float(y), prior=Prior("normal", (0.0, 1000.0)))
        asked = dataclasses.replace(Assumptions(), claim=0.975, bias_sds=(0.0,))
        tips.append(next(math.log(row["value"]) for row in bias_tipping(effect, asked, TAIL) if row["criterion"] == 0.975))
    found = np.array(tips)
    tipped = np.isfinite(found)
    # a bias of tip - z s is what makes the estimate: y = m + noise
    recovered = found[tipped] - Z * S
    assert recovered == pytest.approx(estimates[tipped], abs=1e-5)
    assert estimates.mean() == pytest.approx(planted, abs=3 * S / math.sqrt(100))


def test_beliefs_turn_with_a_good_event() -> None:
    rows = {row["prior"]: row for row in belief_rows(normal_effect(), Assumptions(), TAIL)}
    good = dataclasses.replace(normal_effect(), good=True)
    turned = {row["prior"]: row for row in belief_rows(good, Assumptions(), TAIL)}
    assert rows["optimistic, strong"]["prior_mean"] == pytest.approx(0.8)
    assert turned["optimistic, strong"]["prior_mean"] == pytest.approx(1.25)
    neither = {row["prior"] for row in belief_rows(dataclasses.replace(normal_effect(), good=None), Assumptions(), TAIL)}
    assert neither == {"main", "sceptical, weak", "sceptical, moderate", "sceptical, strong"}
    assert rows["main"]["prior_odds_needed"] == pytest.approx(19 * rows["main"]["bayes_factor_of_no_effect"])


@pytest.mark.parametrize("prior", [FLAT, PRIORS["sceptical"], PRIORS["optimistic"]])
@pytest.mark.parametrize(("y", "s"), [(Y, S), (0.4, 0.02), (-0.01, 0.004)])
def test_assurance_is_its_closed_form(prior: Prior, y: float, s: float) -> None:
    """β ~ N(m, v), y' ~ N(β, d): P(y' < -z √d) = Φ((-z √d - m) / √(v + d)); a trial that finds m again adds its precision. From 44 to a million
    events."""
    effect = dataclasses.replace(normal_effect(y, s, prior), events=4 / s**2)
    v = 1 / (1 / s**2 + 1 / prior.number("sigma") ** 2)
    m = v * (y / s**2 + prior.number("mu") / prior.number("sigma") ** 2)
    side = -1 if m < 0 else 1
    for row in future_rows(effect, Assumptions(), TAIL):
        sd = math.sqrt(4 / row["events"])
        exact = stats.norm.cdf((side * m - Z * sd) / math.sqrt(v + sd**2))
        assert row["assurance"] == pytest.approx(exact, abs=1e-6)
        assert row["after_same_effect"] == pytest.approx(stats.norm.cdf(side * m * math.sqrt(1 / v + 1 / sd**2)), abs=1e-6)


def test_every_number_of_the_normal_models_rows_is_its_closed_form() -> None:
    """Limits and medians of grid, named sets, beliefs and biases, P(ratio < x), and every challenge of the conclusions, under normal priors."""
    asked, effect = (
        Assumptions(),
        dataclasses.replace(normal_effect(), priors={name: PRIORS[name] for name in ("flat", "sceptical")}),
    )

    def exact(mu: float, sd: float, mean: float = 0.0, spread: float = 0.0) -> tuple[float, float]:
        variance = S**2 + spread**2
        post = 1 / (1 / variance + 1 / sd**2)
        return post * ((Y - mean) / variance + mu / sd**2), math.sqrt(post)

    rows = [
        *((row, (math.log(row["prior_mean"]), row["prior_sd"])) for row in grid_rows(effect, asked, TAIL)),
        *((row, (math.log(row["prior_mean"]), row["prior_sd"])) for row in belief_rows(effect, asked, TAIL)),
        *((row, (0.0, 10.0, math.log(row["bias_ratio"]), row["bias_sd"])) for row in bias_rows(effect, asked, TAIL)),
    ]
    assert len(rows) == 441 + 11 + 42
    for row, about in rows:
        mean, sd = exact(*about)
        found = [math.log(row[name]) for name in ("lower", "median", "upper")] + [row["probability"], row["error"]]
        assert found == pytest.approx([mean - Z * sd, mean, mean + Z * sd, stats.norm.cdf(-mean / sd), 0.0], abs=1e-9)
    for row in curve_rows(effect):
        mean, sd = exact(0.0, 10.0 if row["prior"] == "flat" else 0.355)
        assert row["probability"] == pytest.approx(stats.norm.cdf((math.log(row["ratio"]) - mean) / sd), abs=1e-9)
    cases = [(0.0, 10.0), (0.0, 0.355), (0.0, 10.0, math.log(0.8), 0.0), (0.0, 10.0, 0.0, 0.2)]
    found = list(conclusion_rows(effect, asked, TAIL, None))
    chances = [stats.norm.cdf(-mean / sd) for mean, sd in (exact(*case) for case in cases)]
    assert [row["probability"] for row in found] == pytest.approx(chances, abs=1e-9)
    assert [row["holds"] for row in found] == [chance >= asked.claim for chance in chances]


def test_a_claim_above_1_is_challenged_from_the_other_side() -> None:
    """The mirror image of an effect has the mirror image of every challenge: the same probabilities, tipping values turned round."""
    one, other = (dataclasses.replace(normal_effect(y=y), good=y > 0) for y in (Y, -Y))
    rows, turned = (list(conclusion_rows(effect, Assumptions(), TAIL, None)) for effect in (one, other))
    assert [row["claim"] for row in turned] == ["above 1"] * len(rows)
    assert [row["probability"] for row in turned] == pytest.approx([row["probability"] for row in rows], abs=1e-12)
    for of in (bias_tipping, contour_rows):
        tips, mirrored = ([row["value"] for row in of(effect, Assumptions(), TAIL)] for effect in (one, other))
        assert [1 / value for value in mirrored] == pytest.approx(tips, rel=1e-9, nan_ok=True)
    same = [[row["value"] for row in scepticism_rows(effect, Assumptions(), TAIL)] for effect in (one, other)]
    assert same[0] == pytest.approx(same[1], rel=1e-9)
