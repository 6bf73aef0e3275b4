"""What `optimistic` means: ratios and counts, of good and of bad events, as printed and as their mirror."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module

from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.data import counts, ratio
from retrial.run_config import RunConfig
from retrial.sensitivity.any_prior.effects import effects_of
from retrial.sensitivity.own_probabilities import AS_STATED, IN_ERRORS, MIRRORED, in_standard_errors, prior_probabilities
from retrial.study.study import Study

DEATHS, N = {"control": 25, "experimental": 15}, 50
"""Fewer bad events under treatment; as good events (survivors) the complement: a benefit either way."""
SETS = ("optimistic", "pessimistic", "sceptical")


@pytest.fixture(scope="module")
def run() -> RunConfig:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        raw = plain(compose("reanalyse", []))
    return run_config(raw, "reanalyse", Path("made_up.yaml"), {"prior": "flat"})


def study_of(*, good: bool, inverted: bool) -> Study:
    """The same trial told by its good or its bad events, with the printed ratio as experimental / control or its mirror."""
    events = {arm: N - n if good else n for arm, n in DEATHS.items()}
    odds = [events[arm] / (N - events[arm]) for arm in ("control", "experimental")]
    log_or = math.log(odds[1] / odds[0])
    se = math.sqrt(sum(1 / n + 1 / (N - n) for n in events.values()))
    first, second = ("control", "experimental") if inverted else ("experimental", "control")
    sign = -1 if inverted else 1
    limits = sorted(math.exp(sign * log_or + z * se) for z in (-1.959964, 1.959964))
    told = {"numerator": first, "denominator": second, "good": good}
    effect = {"odds_ratio": f"{math.exp(sign * log_or):.5f}", "ci": [f"{x:.5f}" for x in limits], **told}
    hazard = {"hazard_ratio": f"{math.exp(sign * log_or):.5f}", "ci": [f"{x:.5f}" for x in limits], **told}
    log_rr, rr_se = risk_ratio(good=good)
    limits = sorted(math.exp(sign * log_rr + z * rr_se) for z in (-1.959964, 1.959964))
    risk = {"risk_ratio": f"{math.exp(sign * log_rr):.5f}", "ci": [f"{x:.5f}" for x in limits], **told}
    raw: dict[str, Any] = {
        "title": "made up",
        "arms": {arm: {"n": str(N)} for arm in DEATHS},
        "binary": {"outcome": {**{arm: str(n) for arm, n in events.items()}, "good": good}},
        "effects": {"outcome_or": effect, "outcome_rr": risk, "time_to_it": hazard},
    }
    return Study.model_validate(raw)


def risk_ratio(*, good: bool) -> tuple[float, float]:
    """Log ratio of the risks of the event, experimental over control, and its SE."""
    events = {arm: N - n if good else n for arm, n in DEATHS.items()}
    return math.log(events["experimental"] / events["control"]), math.sqrt(sum(1 / n - 1 / N for n in events.values()))


def posterior(run: RunConfig, study: Study, model: str, prior: str) -> dict[str, float]:
    """Median log ratio by quantity, of the model's main rows."""
    spec = run.models[model]
    kept = dataclasses.replace(run, priors={name: run.priors[name] for name in dict.fromkeys(("flat", prior))})
    kind = counts if spec.kind.name == "counts" else ratio
    found = kind.fit(kept, spec, study, []).estimates
    wanted = ("log_odds_ratio", "log_hazard_ratio", "log_risk_ratio", "odds_ratio", "risk_ratio")
    rows = [row for row in found if row.prior == prior and row.statistic == "value" and row.quantity in wanted]
    return {row.quantity.removeprefix("log_"): math.log(row.point) if row.unit == "ratio" else row.point for row in rows}


@pytest.mark.parametrize("good", [True, False])
@pytest.mark.parametrize("inverted", [True, False])
@pytest.mark.parametrize("prior", SETS)
def test_closed_form_and_counts_agree_on_which_way_a_prior_leans(run: RunConfig, good: bool, inverted: bool, prior: str) -> None:
    study, way = study_of(good=good, inverted=inverted), 1.0 if good else -1.0
    printed, counted = (
        {name: posterior(run, study, model, name) for name in ("flat", prior)}
        for model in ("log_hazard_ratio", "response_binomial")
    )
    assert printed["flat"].keys() == {"odds_ratio", "risk_ratio", "hazard_ratio"}
    assert counted["flat"].keys() == {"odds_ratio", "risk_ratio"}
    shifts = {
        (told, name): found[prior][name] - found["flat"][name]
        for told, found in (("printed", printed), ("counted", counted))
        for name in found["flat"]
    }
    towards_benefit = [way * shift for shift in shifts.values()]
    standard = math.sqrt(sum(1 / n + 1 / (N - n) for n in DEATHS.values()))
    benefit = math.log(3.5 / 1.5)  # more of the good event, fewer of the bad, whichever way it is printed
    assert way * printed["flat"]["odds_ratio"] == pytest.approx(benefit / (1 + (standard / 10) ** 2), abs=1e-4)
    centre, sd = {"optimistic": (0.5108256, 0.35), "pessimistic": (-0.5108256, 0.35), "sceptical": (0.0, 0.355)}[prior]
    exact = (benefit / standard**2 + centre / sd**2) / (1 / standard**2 + 1 / sd**2)
    assert way * printed[prior]["odds_ratio"] == pytest.approx(exact, abs=1e-4)
    log_rr, rr_se = risk_ratio(good=good)
    of_risks = (way * log_rr / rr_se**2 + centre / sd**2) / (1 / rr_se**2 + 1 / sd**2)
    assert way * printed[prior]["risk_ratio"] == pytest.approx(of_risks, abs=1e-4)
    if prior == "optimistic":  # the estimate is of a larger benefit than the prior expects, but for the risk of a good event
        assert max(abs(shift) for shift in shifts.values()) < 0.35
    else:
        assert max(towards_benefit) < -0.05
    # the normal model and the counts differ by the counts' skewness alone
    assert shifts["counted", "odds_ratio"] == pytest.approx(shifts["printed", "odds_ratio"], abs=0.05)
    assert shifts["printed", "hazard_ratio"] == pytest.approx(shifts["printed", "odds_ratio"], abs=1e-9)
    if prior != "optimistic":  # the counts' risk ratio goes the way of their odds ratio, as the printed one does
        assert math.copysign(1, shifts["counted", "risk_ratio"]) == math.copysign(1, shifts["printed", "risk_ratio"])


@pytest.mark.parametrize("prior", SETS)
def test_a_trial_told_by_its_good_or_bad_events_has_one_answer(run: RunConfig, prior: str) -> None:
    """Mirror images to the rounding of the print, and to that of the grid for counts."""
    for model, tolerance in (("log_hazard_ratio", 2e-5), ("response_binomial", 1e-6)):
        answers = [
            posterior(run, study_of(good=good, inverted=inverted), model, prior)
            for good in (True, False)
            for inverted in (True, False)
        ]
        signs = [1, 1, -1, -1]
        for name in answers[0].keys() - {"risk_ratio"}:
            assert [sign * found[name] for sign, found in zip(signs, answers, strict=True)] == pytest.approx(
                [answers[0][name]] * 4, abs=tolerance
            )
        # the risks of an event and of its complement have other ratios; printed one way or the other each has one answer
        risks = [found["risk_ratio"] for found in answers]
        assert risks[::2] == pytest.approx(risks[1::2], abs=tolerance)


@pytest.mark.parametrize("good", [True, False])
def test_the_table_of_own_probabilities_says_which_way_a_prior_was_used(run: RunConfig, good: bool) -> None:
    study = study_of(good=good, inverted=False)
    own = in_standard_errors(run, study)
    rows = prior_probabilities(own, study)
    used = {(row["measure"], row["endpoint"], row["prior"]): row["used"] for row in rows}
    # priors of hazard ratios speak of a bad event, of odds ratios of a good one
    assert used["hazard_ratio", "time_to_it", "optimistic"] == (MIRRORED if good else AS_STATED)
    assert used["odds_ratio", "outcome_or", "optimistic"] == (AS_STATED if good else MIRRORED)
    assert used["risk_ratio", "outcome_rr", "optimistic"] == (AS_STATED if good else MIRRORED)
    assert used["odds_ratio", "outcome", "optimistic"] == (AS_STATED if good else MIRRORED)
    assert used["odds_ratio", "outcome", "shrinkage_oncology"] == IN_ERRORS
    assert used["hazard_ratio", "time_to_it", "sceptical"] == AS_STATED
    benefit = {
        (row["measure"], row["endpoint"]): row["probability"] if row["event"] == "below" else None
        for row in rows
        if row["prior"] == "optimistic" and row["event"] == "below" and row["threshold"] == 1.0
    }
    expected = 0.5 * math.erfc(-(0.5108256 if not good else -0.5108256) / 0.35 / math.sqrt(2))
    assert list(benefit.values()) == pytest.approx([expected] * len(benefit), abs=1e-9)
    assert {measure for measure, _ in benefit} == {"hazard_ratio", "odds_ratio", "risk_ratio"}
    thresholds = {(row["event"], row["threshold"]) for row in rows}
    assert thresholds == {("below", 1.0), ("below", 0.9), ("below", 0.8), ("above", 1.25), ("between", 0.91)}


def test_shrinkage_priors_are_in_the_standard_error_of_what_they_are_used_on(run: RunConfig) -> None:
    study = study_of(good=False, inverted=False)
    prior = ratio.prior_of(run.priors["shrinkage_cochrane"], study, "outcome_or")
    se = math.sqrt(sum(1 / n + 1 / (N - n) for n in DEATHS.values()))
    assert prior is not None
    assert prior["sigma"] == pytest.approx(tuple(se * x for x in (0.61, 1.42, 2.16, 5.64)), rel=1e-4)
    counted = in_standard_errors(run, study).priors["shrinkage_cochrane"].for_endpoint("outcome")["log_odds_ratio"]
    assert counted["sigma"] == pytest.approx(prior["sigma"], rel=1e-4)


@pytest.mark.parametrize(
    ("events", "told"),
    [
        ({"control": "30", "experimental": "20"}, 50.0),
        ({"total": "50"}, 50.0),
        ({"control": "30"}, math.nan),
        ({}, math.nan),
    ],
)
def test_printed_effects_are_told_apart_and_know_their_events(run: RunConfig, events: dict[str, str], told: float) -> None:
    """Two ratios of one endpoint, both unadjusted: the second is told from the first by its key, and a covariate's is no effect."""
    hazard = {"endpoint": "os", "hazard_ratio": "0.60", "ci": ["0.40", "0.90"]}
    raw = {
        "title": "made up",
        "arms": {arm: {"n": str(N)} for arm in DEATHS},
        "endpoints": {"os": {"events": events} if events else {}},
        "effects": {
            "first": hazard,
            "second": hazard | {"hazard_ratio": "0.61"},
            "sex": hazard | {"numerator": "women", "denominator": "men"},
        },
    }
    found = effects_of(run, Study.model_validate(raw), {}, [])
    assert [effect.adjusted_for for effect in found] == ["", "effects.second"]
    assert [effect.events for effect in found] == pytest.approx([told] * 2, nan_ok=True)


def test_shrinkage_priors_take_the_standard_error_of_the_events_where_no_ratio_has_one(run: RunConfig) -> None:
    """sqrt(1/d_c + 1/d_e) of printed events; nothing where an arm has none, and of a ratio without interval and p nothing but these."""
    arms = {"title": "made up", "arms": {arm: {"n": str(N)} for arm in DEATHS}}
    endpoint = {"events": {"control": "30", "experimental": "20"}}
    bare = {"endpoint": "os", "hazard_ratio": "0.60"}
    for raw, se in (
        ({"endpoints": {"os": endpoint}}, math.sqrt(1 / 30 + 1 / 20)),
        ({"endpoints": {"os": endpoint}, "effects": {"bare": bare}}, math.sqrt(1 / 30 + 1 / 20)),
        ({"endpoints": {"os": endpoint}, "effects": {"whole": bare | {"ci": ["0.40", "0.90"]}}}, math.log(2.25) / 2 / 1.959964),
        ({"endpoints": {"os": {"events": {"control": "30", "experimental": "0"}}}}, None),
    ):
        own = in_standard_errors(run, Study.model_validate(arms | raw)).priors["shrinkage_cochrane"].for_endpoint("os").priors
        found = own.get("log_hazard_ratio")
        assert (found is None) == (se is None)
        if found is not None and se is not None:
            assert found["sigma"] == pytest.approx([se * x for x in (0.61, 1.42, 2.16, 5.64)], rel=1e-3)
