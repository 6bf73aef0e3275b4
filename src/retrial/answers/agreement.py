"""Does a posterior agree with the published hazard ratio? Rules set before any posterior is looked at.

The binary metrics of target-trial emulations (Wang et al. 2023, JAMA 329:1376; Franklin et al. 2021, Circulation 143:1002) and the share
by which two estimates differ. Posterior and publication rest on the same patients: agreement says that the re-analysis tells the same
story, not that the story is replicated, and the standardised difference, made for independent studies, is too small here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType
from typing import ClassVar

from retrial.estimate import Estimate, Subject

QUANTITY = "hazard_ratio"
AS_PRINTED, CORRECTED, EXCLUDED = "as printed", "as corrected by the audit", "excluded by the audit"
MOVED = "moved by the prior"


@dataclass(frozen=True, slots=True)
class AgreementRules:
    """`factor`: the ratios differ by less than this factor; `z`: |standardised difference| below this; `prior`: the set that is judged."""

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType({"factor": 1e6, "z": 1e3})

    factor: float = 1.25
    z: float = 1.96
    prior: str = "flat"

    def problems(self) -> list[str]:
        return [f"factor: got {self.factor}; allowed is above 1"] if self.factor <= 1 else []


@dataclass(frozen=True, slots=True)
class Agreement:
    """One posterior beside one published ratio.

    published       the ratio as printed
    judged_against  the ratio as the audit lets it be used, which all that follows is about; NaN where the audit excludes it
    basis           "as printed", "as corrected by the audit" or "excluded by the audit"
    ratio           posterior median over `judged_against`
    estimate        posterior median inside the published interval (estimate agreement)
    covered         published value inside the credible interval
    conclusion      both intervals exclude 1 on the same side, or both include it (significance agreement); a published limit of 1 (1.0, 1.00)
                    leaves open which, and agrees with either
    close           posterior median and published value within the factor of the rules
    difference      standardised difference (log posterior - log published) / √(SD² + SE²); `small` where it is below the rule's z
    verdict         under the prior of the rules, which adds nothing of its own: "agrees" where all five hold, else "differs: " and the rules
                    that fail; under others "moved by the prior": they are meant to differ. "not judged" where the audit excludes the ratio
    """

    endpoint: str
    contrast: str
    adjusted_for: str
    model: str
    prior: str
    published: float
    judged_against: float
    basis: str
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


def agreements(estimates: Iterable[Estimate], audited: Iterable[Estimate], rules: AgreementRules) -> list[Agreement]:
    """One row for every Bayesian hazard ratio with a published one of the same endpoint, contrast and covariates that has an interval.

    `estimates` hold the published rows as printed, `audited` the same as the audit lets them be used.
    """
    rows = list(estimates)
    printed, used = _published(rows), _published(audited)
    ours = [row for row in rows if row.method == "bayes" and not row.variant and _is_ratio(row)]
    return [_agreement(row, printed[row.subject], used.get(row.subject), rules) for row in ours if row.subject in printed]


def _is_ratio(row: Estimate) -> bool:
    """A hazard ratio with an interval, constant in time."""
    return row.quantity == QUANTITY and row.statistic == "value" and math.isnan(row.time) and math.isfinite(row.lower)


def _published(rows: Iterable[Estimate]) -> dict[Subject, Estimate]:
    found: dict[Subject, Estimate] = {}
    for row in rows:
        if row.method == "published" and not row.failed and _is_ratio(row):
            found.setdefault(row.subject, row)
    return found


def _agreement(row: Estimate, printed: Estimate, used: Estimate | None, rules: AgreementRules) -> Agreement:
    basis = EXCLUDED if used is None else AS_PRINTED if _numbers(used) == _numbers(printed) else CORRECTED
    ratio = difference = math.nan
    held = dict.fromkeys(_RULES, False)
    if used is not None:
        ratio = row.point / used.point
        difference = math.log(ratio) / math.hypot(_log_sd(row), _log_sd(used))
        held = {
            "estimate": used.lower <= row.point <= used.upper,
            "covered": row.lower <= used.point <= row.upper,
            "conclusion": _side(row) == _side(used) or 1 in (used.lower, used.upper),
            "close": 1 / rules.factor < ratio < rules.factor,
            "small": abs(difference) < rules.z,
        }
    return Agreement(
        row.endpoint,
        row.contrast,
        row.adjusted_for,
        row.model,
        row.prior,
        printed.point,
        math.nan if used is None else used.point,
        basis,
        row.point,
        ratio,
        difference,
        **held,
        verdict=_verdict(held, basis, row.prior, rules),
        status=row.status,
    )


def _verdict(held: Mapping[str, bool], basis: str, prior: str, rules: AgreementRules) -> str:
    if basis == EXCLUDED:
        return f"not judged: {EXCLUDED}"
    if prior != rules.prior:
        return MOVED
    failed = [_RULES[name] for name, holds in held.items() if not holds]
    return f"differs: {'; '.join(failed)}" if failed else "agrees"


def _numbers(row: Estimate) -> tuple[float, float, float]:
    return row.point, row.lower, row.upper


def _log_sd(row: Estimate) -> float:
    """SD of the log ratio from its interval, as if normal."""
    return math.log(row.upper / row.lower) / (2 * NormalDist().inv_cdf((1 + row.level) / 2))


def _side(row: Estimate) -> int:
    """-1 below 1, 1 above, 0 where the interval holds 1."""
    return -1 if row.upper < 1 else 1 if row.lower > 1 else 0
