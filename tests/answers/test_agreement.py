"""Agreement with a published ratio: each rule alone decides what it should."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from retrial.answers.agreement import AgreementRules, agreements
from retrial.app.config import run_config
from retrial.errors import ConfigError
from retrial.estimate import Estimate

RULES = AgreementRules()
CONTRAST = "experimental / control"


def row(method: str, point: float, lower: float, upper: float, **more: Any) -> Estimate:
    kind = "confidence" if method == "published" else "credible_equal_tailed"
    fields = {"endpoint": "os", "contrast": CONTRAST, "model": "weibull", "prior": "flat" if method == "bayes" else "", **more}
    return Estimate(
        quantity="hazard_ratio", method=method, point=point, lower=lower, upper=upper, level=0.95, interval_kind=kind, **fields
    )  # type: ignore[arg-type]


PRINTED = row("published", 0.5, 0.3, 0.85, model="")


def verdict(posterior: Estimate, printed: Estimate = PRINTED, rules: AgreementRules = RULES) -> str:
    return agreements([printed, posterior], [printed], rules)[0].verdict


def test_the_same_estimate_agrees() -> None:
    found = agreements([PRINTED, row("bayes", 0.5, 0.3, 0.85)], [PRINTED], RULES)[0]
    assert found.verdict == "agrees"
    assert found.ratio == 1
    assert found.difference == 0


@pytest.mark.parametrize(
    ("posterior", "reasons"),
    [
        (row("bayes", 0.5, 0.22, 1.14), ["another conclusion on 1"]),
        (row("bayes", 0.64, 0.46, 0.89), ["further apart than the factor"]),
        (row("bayes", 0.60, 0.51, 0.71), ["published outside the credible interval"]),
        (
            row("bayes", 0.9, 0.86, 0.94),
            [
                "posterior outside the published interval",
                "published outside the credible interval",
                "further apart than the factor",
                "standardised difference too large",
            ],
        ),
        (
            row("bayes", 0.29, 0.15, 0.56),
            ["posterior outside the published interval", "further apart than the factor"],
        ),
    ],
)
def test_every_rule_that_fails_is_named(posterior: Estimate, reasons: list[str]) -> None:
    assert verdict(posterior) == f"differs: {'; '.join(reasons)}"


def test_both_excluding_one_on_different_sides_is_another_conclusion() -> None:
    assert "another conclusion" in verdict(row("bayes", 1.6, 1.1, 2.3))


def test_standardised_difference_by_hand() -> None:
    found = agreements([PRINTED, row("bayes", 0.7, 0.5, 0.98)], [PRINTED], RULES)[0]
    se = [math.log(high / low) / (2 * 1.959963984540054) for low, high in ((0.3, 0.85), (0.5, 0.98))]
    assert found.difference == pytest.approx((math.log(0.7) - math.log(0.5)) / math.hypot(*se), abs=1e-10)


def test_rules_are_what_decides() -> None:
    assert verdict(row("bayes", 0.64, 0.46, 0.89), rules=AgreementRules(factor=1.5)) == "agrees"
    assert "standardised" in verdict(row("bayes", 0.55, 0.45, 0.67), rules=AgreementRules(z=0.1))


def test_only_the_same_endpoint_and_contrast_is_compared() -> None:
    others = [
        row("bayes", 0.5, 0.3, 0.8, endpoint="pfs"),
        row("bayes", 0.5, 0.3, 0.8, adjusted_for="stage"),
        row("bayes", 0.5, 0.3, 0.8, time=6.0),
    ]
    assert agreements([PRINTED, *others], [PRINTED], RULES) == []
    without_interval = Estimate(endpoint="os", quantity="hazard_ratio", contrast=CONTRAST, method="published", point=0.5)
    assert agreements([without_interval, row("bayes", 0.5, 0.3, 0.8)], [without_interval], RULES) == []


def test_the_audited_ratio_is_what_a_posterior_is_judged_against() -> None:
    """A misprint of 0.467 for 0.567 (0.340 to 0.945): the posterior of the interval is right, the printed point is not."""
    printed, corrected = (row("published", point, 0.34, 0.945, model="") for point in (0.3, 0.567))
    posterior = row("bayes", 0.567, 0.34, 0.945)
    found = agreements([printed, posterior], [corrected], RULES)[0]
    assert (found.published, found.judged_against, found.basis) == (0.3, 0.567, "as corrected by the audit")
    assert found.verdict == "agrees"
    as_printed = agreements([printed, posterior], [printed], RULES)[0]
    assert as_printed.basis == "as printed"
    assert as_printed.verdict.startswith("differs: published outside the credible interval")


def test_a_ratio_that_the_audit_excludes_judges_nobody() -> None:
    found = agreements([PRINTED, row("bayes", 0.5, 0.3, 0.85)], [], RULES)[0]
    assert found.verdict == "not judged: excluded by the audit"
    assert math.isnan(found.judged_against)


def test_only_the_flat_prior_is_judged() -> None:
    sceptical = row("bayes", 0.8, 0.6, 1.1, prior="sceptical")
    assert verdict(sceptical) == "moved by the prior"
    assert verdict(sceptical, rules=AgreementRules(prior="sceptical")).startswith("differs")


def test_a_failed_fit_keeps_its_status() -> None:
    failed = row("bayes", 0.5, 0.3, 0.85, status="failed: 3 divergences > 0")
    assert agreements([PRINTED, failed], [PRINTED], RULES)[0].status.startswith("failed")


def test_a_factor_that_is_none_is_refused() -> None:
    asked = {"seed": 1, "force": False, "output_dir": "x", "study": {"name": "x"}, "answers": {"agreement": {"factor": 0.8}}}
    with pytest.raises(ConfigError, match=r"answers.agreement.factor: got 0.8; allowed is above 1"):
        run_config(asked, "fit", Path("x.yaml"))
