"""The generated paragraph: which conclusions survive which challenge, every number from the tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from retrial.report.sensitivity.choices import choices_table
from retrial.report.sensitivity.conclusions import conclusion_sentences

CHANCES = {
    ("as it is", "flat"): (0.99, 0.98, 0.94),
    ("another prior", "sceptical"): (0.98, 0.96, 0.90),
    ("another prior", "pessimistic"): (0.90, 0.80, 0.70),
    ("another prior", "optimistic"): (0.999, 0.998, 0.99),
    ("bias", "a bias that alone would give a ratio of 0.8"): (0.93, 0.92, 0.80),
    ("early deaths", "4 more patients of the experimental arm"): (None, 0.96, 0.7),
    ("censoring", "2 times the hazard after censoring in the experimental arm"): (None, 0.981, 0.7),
}
MODELS = ("printed", "weibull", "spline")
STUDY: Any = SimpleNamespace(endpoints={}, effects={}, response=None, binary={}, adverse_events={}, baseline={})


def conclusions(claim: str = "below 1", needed: float = 0.975) -> pd.DataFrame:
    rows = [
        {
            **{"endpoint": "os", "model": model, "adjusted_for": None, "challenge": challenge, "what": what, "claim": claim},
            **{"probability": chance, "holds": chance >= needed, "status": "ok"},
        }
        for (challenge, what), chances in CHANCES.items()
        for model, chance in zip(MODELS, chances, strict=True)
        if chance is not None
    ]
    return pd.DataFrame(rows)


def tipping(factor: float = 1.0) -> pd.DataFrame:
    """At the claims 0.95 and 0.975; that of the bias is none for the second model."""
    found = []
    for criterion, extra in ((0.95, 0.2), (0.975, 0.0)):
        for model, value in (("printed", 0.5), ("weibull", 0.4), ("spline", float("nan"))):
            named = {"endpoint": "os", "model": model, "adjusted_for": None, "criterion": criterion, "given": float("nan")}
            found.append({**named, "challenge": "scepticism", "value": value + extra})
            bias = float("nan") if model == "weibull" else (0.9 - extra) * factor
            found.append({**named, "challenge": "bias", "given": 0.0, "value": bias})
            if model != "printed":
                found.append({**named, "challenge": "censoring, experimental arm", "value": 2.1 + extra})
                found.append({**named, "challenge": "censoring, control arm", "value": float("nan")})
                found.append({**named, "challenge": "early deaths, experimental arm", "value": 3.0})
                found.append({**named, "challenge": "early deaths, control arm", "value": float("nan")})
    return pd.DataFrame(found)


def priors(sign: int = 1) -> pd.DataFrame:
    means = {"sceptical": 1.0, "pessimistic": 1.6667**sign, "optimistic": 0.6**sign}
    named = [{"endpoint": "os", "model": model, "adjusted_for": None, "kind": "named set"} for model in MODELS]
    return pd.DataFrame(
        [{**one, "prior": name, "prior_mean": mean, "prior_sd": 0.355} for one in named for name, mean in means.items()]
    )


def paragraph(*frames: Any, needed: float = 0.975) -> str:
    ((heading, sentences),) = conclusion_sentences(STUDY, *frames, needed)
    assert heading == "Os"
    return " ".join(sentences)


@pytest.fixture(autouse=True)
def labels(monkeypatch: pytest.MonkeyPatch) -> None:
    for room in ("conclusions", "choices"):
        monkeypatch.setattr(f"retrial.report.sensitivity.{room}.endpoint_label", lambda _study, key: key)


def test_a_claim_its_challenges_and_where_it_tips() -> None:
    said = paragraph(conclusions(), tipping(), priors())
    for sentence in (
        "In short: the claim of a ratio below 1 holds in 2 of 3 unchallenged analyses; it fails in: spline (probability 0.940). Challenged one way"
        " at a time, counted where it survives in every analysis that a challenge applies to, it survives none of 2 other priors that do not"
        " expect it, none of 1 bias, 1 of 1 course after censoring and none of 1 number of missing early events.",
        "(printed; weibull), and not in spline (probability 0.940). What follows is about the analyses in which it holds; a range is over them.",
        "Other prior opinions. It survives in some analyses: the sceptical prior (in 1 of 2; not in: weibull). It does not survive: the"
        " pessimistic prior",
        "No challenge, because they favour the claim already: optimistic.",
        "95 % of ratios between 1/x and x, overturns it once x is below 2.19 to 2.66 (by analysis).",
        "undone by a bias that alone gives a ratio below 0.90 (in 1 of 2 analyses; in the others nothing that was tried undoes it).",
        "Patients censored. It survives: 2 times the hazard after censoring in the experimental arm. It is undone if patients censored in"
        " the experimental arm have afterwards more than 2.10 times the hazard of those who stay in it.",
        "Patients left out because they had the event early. It does not survive: 4 more patients of the experimental arm. It is undone from so"
        " many missing patients with an early event on: 3 of the experimental arm.",
    ):
        assert sentence in said


def test_a_number_of_early_deaths_that_is_not_known_is_not_said_to_undo_nothing() -> None:
    """Empty tipping values of both arms, though with the most of them the claim does not hold."""
    tips = tipping()
    tips.loc[tips["challenge"].str.startswith("early deaths"), "value"] = float("nan")
    said = paragraph(conclusions(), tips, priors())
    assert "From which number on it is undone cannot be told" in said
    assert "No number of missing patients" not in said


def test_each_choice_made_otherwise_is_held_against_the_analysis_as_it_is() -> None:
    """Models and adjustments under the main prior, challenges of the first analysis that each applies to, failed ones apart."""
    frame = conclusions().fillna({"adjusted_for": ""})
    other = frame[(frame["model"] == "printed") & (frame["challenge"] == "as it is")]
    frame = pd.concat([frame, other.assign(adjusted_for="age", probability=0.91, holds=False)], ignore_index=True)
    frame.loc[(frame["what"] == "pessimistic"), "status"] = "too few draws"
    table = choices_table(SimpleNamespace(study=STUDY), frame, 0.975)
    assert table is not None
    assert table.frame().to_numpy().tolist() == [
        ["Os", "as it is: printed, flat prior", "", "yes", "0.990", ""],
        ["Os", "another model", "2", "1 of 2", "0.940 to 0.980", "spline"],
        ["Os", "adjustment", "1", "0 of 1", "0.910", "adjusted for age"],
        ["Os", "another prior", "2", "2 of 2", "0.980 to 0.999", "nothing that was tried"],
        ["Os", "a bias", "1", "0 of 1", "0.930", "a bias that alone would give a ratio of 0.8"],
        ["Os", "another hazard after censoring", "1", "1 of 1", "0.981", "nothing that was tried"],
        ["Os", "early deaths missing", "1", "0 of 1", "0.960", "4 more patients of the experimental arm"],
    ]
    assert choices_table(SimpleNamespace(study=STUDY), frame[frame["challenge"] == "as it is"].head(1), 0.975) is None


def test_a_claim_of_the_other_side_does_not_hold() -> None:
    frame = conclusions().fillna({"adjusted_for": ""})
    turned = (frame["model"] == "weibull") & (frame["challenge"] == "as it is")
    frame.loc[turned, ["claim", "probability", "holds"]] = ["above 1", 0.99, True]
    table = choices_table(SimpleNamespace(study=STUDY), frame, 0.975)
    assert table is not None
    assert table.frame().iloc[1].tolist()[2:] == ["2", "0 of 2", "0.010 to 0.940", "weibull; spline"]


def test_a_claim_above_1_has_its_favourable_priors_and_its_bias_on_the_other_side() -> None:
    said = paragraph(conclusions("above 1"), tipping(1.25), priors(-1))
    assert "favour the claim already: optimistic." in said
    assert "a ratio above 1.12 (in 1 of 2" in said
    assert "less than 2.10 times the hazard of those who stay in it." in said


def test_tipping_values_are_those_at_the_claim_that_was_asked_for() -> None:
    """At a claim of 0.95 the values at 0.975 are of another question."""
    said = paragraph(conclusions(needed=0.95), tipping(), priors(), needed=0.95)
    assert "overturns it once x is below 3.24 to 3.94 (by analysis)" in said
    assert "a ratio below 0.70 (in 1 of 2" in said
    assert "at least 95 %, so that the 90 % interval excludes 1" in said.replace("\u00a0", " ")


def test_nothing_that_holds_is_said_and_nothing_is_challenged() -> None:
    said = paragraph(conclusions(needed=0.995), tipping(), priors(), needed=0.995)
    assert said.endswith("it holds in none of 3 analyses (largest probability 0.990): there is nothing to challenge.")
    assert conclusion_sentences(STUDY, None, None, None, 0.975) == []


def test_a_challenge_that_cannot_be_told_is_not_counted() -> None:
    frame = conclusions()
    frame.loc[frame["challenge"] == "censoring", ["status", "probability"]] = ["failed: no estimate", float("nan")]
    said = paragraph(frame, None, None)
    assert "after censoring" not in said.partition("The claim:")[0]
    assert "Patients censored. It cannot be told: 2 times the hazard after censoring in the experimental arm." in said
