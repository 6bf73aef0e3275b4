"""Does a posterior agree with the published hazard ratio? Rules set before any posterior is looked at.

The binary metrics of target-trial emulations (Wang et al. 2023, JAMA 329:1376; Franklin et al. 2021, Circulation 143:1002) and the share
by which two estimates differ. Posterior and publication rest on the same patients: agreement says that the re-analysis tells the same
story, not that the story is replicated, and the standardised difference, made for independent studies, is too small here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from retrial.estimate import Estimate

QUANTITY = "hazard_ratio"


@dataclass(frozen=True, slots=True)
class AgreementRules:
    """`factor`: the ratios differ by less than this factor; `z`: |standardised difference| below this."""

    factor: float = 1.25
    z: float = 1.96

    def problems(self) -> list[str]:
        return [f"factor: got {self.factor}; allowed is above 1"] if self.factor <= 1 else []


@dataclass(frozen=True, slots=True)
class Agreement:
    """One posterior beside one published ratio.

    estimate        posterior median inside the published interval (estimate agreement)
    covered         published value inside the credible interval
    conclusion      both intervals exclude 1 on the same side, or both include it (significance agreement)
    close           posterior median and published value within the factor of the rules
    difference      standardised difference (log posterior - log published) / √(SD² + SE²); `small` where it is below the rule's z
    verdict         "agrees" where all five hold, else "differs: " and the rules that fail
    """

    endpoint: str
    contrast: str
    model: str
    prior: str
    published: float
    posterior: float
    ratio: float
    difference: float
    estimate: bool
    covered: bool
    conclusion: bool
    close: bool
    small: bool
    verdict: str
    status: str


_RULES = {
    "estimate": "posterior outside the published interval",
    "covered": "published outside the credible interval",
    "conclusion": "another conclusion on 1",
    "close": "further apart than the factor",
    "small": "standardised difference too large",
}


def agreements(estimates: Iterable[Estimate], rules: AgreementRules) -> list[Agreement]:
    """One row for every Bayesian hazard ratio with a published one of the same endpoint and contrast that has an interval."""
    rows = [row for row in estimates if row.quantity == QUANTITY and math.isfinite(row.lower)]
    published: dict[tuple[str, str], Estimate] = {}
    for row in rows:
        if row.method == "published" and not row.failed:
            published.setdefault((row.endpoint, row.contrast), row)
    pairs = [(row, published.get((row.endpoint, row.contrast))) for row in rows if row.method == "bayes"]
    return [_agreement(row, printed, rules) for row, printed in pairs if printed is not None]


def _agreement(row: Estimate, printed: Estimate, rules: AgreementRules) -> Agreement:
    ratio = row.point / printed.point
    difference = math.log(ratio) / math.hypot(_log_sd(row), _log_sd(printed))
    held = {
        "estimate": printed.lower <= row.point <= printed.upper,
        "covered": row.lower <= printed.point <= row.upper,
        "conclusion": _side(row) == _side(printed),
        "close": 1 / rules.factor < ratio < rules.factor,
        "small": abs(difference) < rules.z,
    }
    failed = [_RULES[name] for name, holds in held.items() if not holds]
    verdict = f"differs: {'; '.join(failed)}" if failed else "agrees"
    return Agreement(
        row.endpoint,
        row.contrast,
        row.model,
        row.prior,
        printed.point,
        row.point,
        ratio,
        difference,
        **held,
        verdict=verdict,
        status=row.status,
    )


def _log_sd(row: Estimate) -> float:
    """SD of the log ratio from its interval, as if normal."""
    return math.log(row.upper / row.lower) / (2 * NormalDist().inv_cdf((1 + row.level) / 2))


def _side(row: Estimate) -> int:
    """-1 below 1, 1 above, 0 where the interval holds 1."""
    return -1 if row.upper < 1 else 1 if row.lower > 1 else 0
