"""The readings in words: which estimators the printed numbers allow, with what share, and what rules the others out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import product

import numpy as np

from retrial.reconstruct.ensemble import ReadingResult
from retrial.reconstruct.readings import Reading

RATIOS = {
    "cox_breslow": "Cox with Breslow's ties",
    "cox_efron": "Cox with Efron's ties",
    "mantel_haenszel": "one-step Mantel-Haenszel",
    "observed_expected": "the O/E ratio",
}
TESTS = {
    "log_rank": "the log-rank test",
    "cox_score_breslow": "Cox's score test (Breslow)",
    "cox_score_efron": "Cox's score test (Efron)",
    "cox_wald_breslow": "Wald's test (Breslow)",
    "cox_wald_efron": "Wald's test (Efron)",
    "cox_likelihood_ratio_breslow": "the likelihood ratio (Breslow)",
    "cox_likelihood_ratio_efron": "the likelihood ratio (Efron)",
}
MEDIANS = {
    "greenwood_density": "median ± z·SE by Greenwood and the density",
    "brookmeyer_crowley_plain": "Brookmeyer-Crowley, plain",
    "brookmeyer_crowley_log": "Brookmeyer-Crowley, log",
    "brookmeyer_crowley_log_log": "Brookmeyer-Crowley, log-log",
}
PARTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("ratio", "the hazard ratio", RATIOS),
    ("test", "χ² or p", TESTS),
    ("median", "the medians' intervals", MEDIANS),
)
UNKNOWN_SE = 1.0
"""Standard error of a log evidence from too few samplers to know it: as large as those that are known get."""
SURE = 0.975
"""Shares above this, and below one minus this, are given as bounds."""
_SHOWN = 4
"""Estimators or statistics that a sentence names."""
_COARSE, _FINE = 0.10, 0.03
"""Standard errors of a share above which it is rounded to tens and to fives of percent."""


def reading_words(reading: Reading) -> str:
    """ "hazard ratio by one-step Mantel-Haenszel, χ² by Cox's score test (Breslow), ..."."""
    parts = [
        f"{title.removeprefix('the ')} by {names[str(getattr(reading, part))]}"
        for part, title, names in PARTS
        if getattr(reading, part) is not None
    ]
    return ", ".join(parts) or "no estimator to choose"


def about(share: float, se: float) -> str:
    """A share rounded as its standard error allows: "about 60 %", "at most 10 %", "over 97 %"."""
    step = 0.10 if se > _COARSE else 0.05 if se > _FINE else 0.01
    if share > SURE and se < 1 - SURE:
        return f"over {math.floor(100 * SURE)} %"
    rounded = round(share / step) * step
    if rounded <= 0:
        return f"under {100 * step:.0f} %"
    return f"over {100 * (1 - step):.0f} %" if rounded >= 1 else f"about {100 * rounded:.0f} %"


def share_of(results: Sequence[ReadingResult], chosen: Callable[[ReadingResult], bool]) -> tuple[float, float]:
    """Joint share of the chosen readings, and its standard error √Σ (1[r chosen] - P)² p_r² s_r² from the log evidences' s_r."""
    mine = np.array([chosen(result) for result in results])
    shares = np.array([result.share for result in results])
    errors = np.array([_evidence_se(result) for result in results])
    total = float(shares[mine].sum())
    return total, float(np.sqrt((((mine - total) * shares * errors) ** 2).sum()))


def _evidence_se(result: ReadingResult) -> float:
    return result.log_evidence_se if math.isfinite(result.log_evidence_se) else UNKNOWN_SE


def allowed(results: Sequence[ReadingResult]) -> list[str]:
    """Sentences: how many readings carry the numbers, and the share of each estimator among them."""
    attained = [result for result in results if result.status == "attained"]
    sentences = [f"{len(attained)} of {len(results)} readings carry all printed numbers"]
    for part, title, names in PARTS:
        used = list(
            dict.fromkeys(str(getattr(item.reading, part)) for item in attained if getattr(item.reading, part) is not None)
        )
        if not used:
            continue
        found = {name: share_of(attained, partial(_uses, part, name)) for name in used}
        order = sorted(found, key=lambda name: -found[name][0])
        only = "only " if len(order) == 1 and _tried(results, part) > 1 else ""
        text = ", ".join(f"{only}{names[name]}" + ("" if len(order) == 1 else f" ({about(*found[name])})") for name in order)
        sentences.append(f"{title} by {text}")
    return sentences


def _uses(part: str, name: str, result: ReadingResult) -> bool:
    return str(getattr(result.reading, part)) == name


def _tried(results: Sequence[ReadingResult], part: str) -> int:
    return len({getattr(item.reading, part) for item in results} - {None})


def certainty(results: Sequence[ReadingResult]) -> str:
    """How far the shares can be trusted."""
    known = sorted(item.log_evidence_se for item in results if item.status == "attained" and math.isfinite(item.log_evidence_se))
    if not known:
        return "the shares rest on one sampler each and are rough"
    return f"shares are rough: the log evidences behind them have standard errors of {known[0]:.1f} to {known[-1]:.1f}"


def ruled_out(results: Sequence[ReadingResult]) -> list[str]:
    """Sentences: what arithmetic excludes and why, and which estimators no sampler made agree, by which printed numbers."""
    sentences = []
    for reason, readings in _by_reason(results).items():
        sentences.append(f"impossible by arithmetic: {_listed(map(_short, readings))} ({reason})")
    sentences += _never_attained(results)
    missed = [item for item in results if item.status == "not attained" and not _explained(item, results)]
    if missed:
        named = _listed(f"{_short(item.reading)} (closest table misses {misses(item)})" for item in missed)
        sentences.append(f"not found together either: {named}")
    return sentences


def _by_reason(results: Sequence[ReadingResult]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for item in results:
        if item.status == "impossible":
            found.setdefault(item.reason.removeprefix("under this reading "), []).append(item.reading)
    return found


def _never_attained(results: Sequence[ReadingResult]) -> list[str]:
    """Estimators that occur in readings that were sampled, but in none that was attained; with the closest table's misses."""
    sentences = []
    for part, title, names in PARTS:
        nearest: dict[str, ReadingResult] = {}
        for item in results:
            value = getattr(item.reading, part)
            if item.status == "not attained" and value is not None and not _is_attained(results, part, value):
                held = nearest.get(str(value))
                nearest[str(value)] = item if held is None or item.miss < held.miss else held
        if nearest:
            text = _listed(f"{names[name]} (closest table misses {misses(item)})" for name, item in nearest.items())
            sentences.append(f"no table was found with {title} by {text}")
    return sentences


def _is_attained(results: Sequence[ReadingResult], part: str, value: object) -> bool:
    return any(item.status == "attained" and getattr(item.reading, part) is value for item in results)


def _explained(result: ReadingResult, results: Sequence[ReadingResult]) -> bool:
    """Whether one of its estimators occurs in no attained reading, which is said already."""
    values = [(part, getattr(result.reading, part)) for part, _, _ in PARTS]
    return any(value is not None and not _is_attained(results, part, value) for part, value in values)


def misses(result: ReadingResult) -> str:
    """ "the hazard ratio and its interval, by up to 22 tolerances"."""
    groups = dict.fromkeys(_statistic(name) for name in result.violated)
    return f"{_listed(groups) or 'a printed number'}, by up to {result.miss:.2g} tolerances"


def _statistic(name: str) -> str:
    """ "median_lower.control" to "median interval (control)"."""
    statistic, _, arm = name.partition(".")
    statistic = statistic.partition("@")[0]
    words = {
        "median_lower": "median's interval",
        "median_upper": "median's interval",
        "hazard_ratio_lower": "hazard ratio's interval",
        "hazard_ratio_upper": "hazard ratio's interval",
        "hazard_ratio_p": "hazard ratio's p",
        "chi_square": "χ²",
    }
    text = words.get(statistic, statistic.replace("_", " "))
    return f"{text} ({arm})" if statistic.startswith("median") else text


def _short(reading: Reading) -> str:
    parts = [names[str(getattr(reading, part))] for part, _, names in PARTS if getattr(reading, part) is not None]
    # the medians' rule is named only where it is the point: it is the same in all others
    return " with ".join(parts[:2]) or "no estimator"


def _listed(items: Iterable[str]) -> str:
    names = list(items)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return "; ".join(names[:_SHOWN]) + more


def common(endpoints: Sequence[Sequence[ReadingResult]]) -> list[ReadingResult]:
    """Readings that one paper may have used for every endpoint, most probable first.

    Evidences multiply, because one paper uses one set of estimators: share ∝ Π share_e, log evidences and their variances add. An
    endpoint without a χ² (or ratio, or medians' intervals) leaves that part of the reading to the others.
    """
    found = [ReadingResult(Reading(None, None, None), "attained", 0.0, 0.0, 1.0)]
    for results in endpoints:
        attained = [item for item in results if item.status == "attained"]
        pairs = ((one, two, _merged(one.reading, two.reading)) for one, two in product(found, attained))
        found = [
            ReadingResult(
                reading, "attained", one.log_evidence + two.log_evidence, math.hypot(_evidence_se(one), _evidence_se(two)),
                one.share * two.share,
            )
            for one, two, reading in pairs
            if reading is not None
        ]  # fmt: skip
    total = sum(item.share for item in found)
    return sorted(
        (
            ReadingResult(
                item.reading, "attained", item.log_evidence, item.log_evidence_se, item.share / total if total > 0 else 0.0
            )
            for item in found
        ),
        key=lambda item: -item.share,
    )


def _merged(one: Reading, two: Reading) -> Reading | None:
    """The reading that agrees with both; None where there is none."""
    merged = []
    for part, _, _ in PARTS:
        values = {getattr(one, part), getattr(two, part)} - {None}
        if len(values) > 1:
            return None
        merged.append(next(iter(values), None))
    return Reading(*merged)
