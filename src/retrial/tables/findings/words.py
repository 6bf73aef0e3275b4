"""The readings in words: which estimators the printed numbers allow, with what share, and what rules the others out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from retrial.dims import ARMS
from retrial.tables.ensemble import Ensemble, ReadingResult
from retrial.tables.printed.readings import Reading
from retrial.tables.printed.targets import Targets

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
    "greenwood_density": "median ± z·SE (Greenwood and density)",
    "brookmeyer_crowley_plain": "Brookmeyer-Crowley (plain)",
    "brookmeyer_crowley_log": "Brookmeyer-Crowley (log)",
    "brookmeyer_crowley_log_log": "Brookmeyer-Crowley (log-log)",
}
DESIGNS = {
    "as_they_are": "patients leave at any time",
    "eligibility": "nobody is censored up to the follow-up that left patients out",
}
PARTS: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("ratio", "Hazard ratio", RATIOS),
    ("test", "Test", TESTS),
    ("median", "Intervals of medians", MEDIANS),
)
"""Estimators of a reading."""
HYPOTHESES = (*PARTS, ("design", "Design", DESIGNS))
"""All that it says."""
_FAMILIES = {"hazard_ratio": "the hazard ratio", "median": "the medians", "chi_square": "χ²", "p": "p"}
"""Printed statistics by the start of their names, as a sentence calls them."""
_LIMIT = re.compile(r"median_(lower|upper)\.(\w+)")
UNKNOWN_SE = 1.0
"""Standard error of a log evidence from too few samplers to know it: as large as those that are known get."""
_SURE, _LEAST = 0.9, 1e-9
"""Shares above this, and below one minus this, are given as bounds; shares are kept this far from 0 and 1 for their logits."""
_BOUNDS = (1, 2, 5, 10, 20, 30, 50)
"""Percentages that such a bound is rounded up to."""
_WIDE, _COARSE, _FINE = 0.15, 0.05, 0.02
"""Half-widths of a share's interval above which it is given as a range, to tens and to fives of percent."""
_CROWDED, _MANY_TIMES, _MANY_EVENTS = 0.5, 12, 10
"""Half of an arm's events at one recorded time, of at least so many times and events: in the studies tried whose
numbers go together (a published one, a dozen made up) half of the tables stay at or below a third."""
_DRAWN = 0.4
"""Share of a curve's whole fall that makes a crowd at that time what the curve shows: half, less the errors of reading."""
_DOMINANT, _FEW = 0.5, 3
"""Weight of one sampler that is worth a word, and how many it takes for that to mean something."""
_MANY_FOLD = 10
"""A distance from this on is given without decimals."""
_SHOWN = 6
"""Pairs of estimators that a sentence names."""


def reading_words(reading: Reading) -> str:
    """ "hazard ratio by one-step Mantel-Haenszel, test by Cox's score test (Breslow), ..."."""
    parts = [
        f"{title.lower()} by {names[str(getattr(reading, part))]}"
        for part, title, names in PARTS
        if getattr(reading, part) is not None
    ]
    parts += [DESIGNS[reading.design]] if reading.design is not None and reading.ruled else []
    return ", ".join(parts) or "no estimator to choose"


def about(share: float, se: float) -> str:
    """A share, rounded as its interval logit⁻¹(logit ± se) allows: "about 60 %", "25 to 75 %", "under 5 %"."""
    share = min(max(share, _LEAST), 1 - _LEAST)
    logit = math.log(share / (1 - share))
    low, high = (1 / (1 + math.exp(-min(max(logit + sign * se, -700.0), 700.0))) for sign in (-1, 1))
    if share < 1 - _SURE:
        return f"under {_bound(high)} %"
    if share > _SURE:
        return f"over {100 - _bound(1 - low)} %"
    half = (high - low) / 2
    if half > _WIDE:
        return f"{_rounded(low, 5)} to {_rounded(high, 5)} %"
    return f"about {_rounded(share, 10 if half > _COARSE else 5 if half > _FINE else 1)} %"


def _bound(share: float) -> int:
    return next((bound for bound in _BOUNDS if 100 * share <= bound), _BOUNDS[-1])


def _rounded(share: float, step: int) -> int:
    """Percentage to the step, but never 0 or 100, which nobody knows."""
    return min(max(step * round(100 * share / step), 1), 99)


def share_of(results: Sequence[ReadingResult], chosen: Callable[[ReadingResult], bool]) -> tuple[float, float]:
    """Joint share P of the chosen readings and the standard error of its logit, √Σ (1[r chosen] - P)² p_r² s_r² / (P (1 - P)),
    s_r the standard errors of the log evidences.
    """
    mine = np.array([chosen(result) for result in results])
    shares = np.array([result.share for result in results])
    errors = np.array([_evidence_se(result) for result in results])
    total = float(shares[mine].sum())
    inside = max(total * (1 - total), _LEAST)
    return total, float(np.sqrt((((mine - total) * shares * errors) ** 2).sum())) / inside


def _evidence_se(result: ReadingResult) -> float:
    return result.log_evidence_se if math.isfinite(result.log_evidence_se) else UNKNOWN_SE


def estimators(results: Sequence[ReadingResult]) -> list[str]:
    """One sentence for each of ratio, test, medians and design: what made it (is so) with its share, and what did not (is not)."""
    attained = [result for result in results if result.status == "attained"]
    found = []
    for part, title, names in HYPOTHESES:
        tried = list(
            dict.fromkeys(str(getattr(item.reading, part)) for item in results if getattr(item.reading, part) is not None)
        )
        used = {
            name: share_of(attained, partial(_uses, part, name)) for name in tried if any(_uses(part, name, i) for i in attained)
        }
        if not used:
            continue
        order = sorted(used, key=lambda name: -used[name][0])
        text = " or ".join(f"{names[name]} ({about(*used[name])})" for name in order)
        if len(used) == 1:
            text = ("only " if len(tried) > 1 else "") + names[order[0]]
        never = [_never(results, part, name, names[name]) for name in tried if name not in used]
        found.append(
            f"{title}: {text}" + (f"; not found with {_listed([item for item in never if item], ', ')}" if any(never) else "")
        )
    return found


def _uses(part: str, name: str, result: ReadingResult) -> bool:
    return str(getattr(result.reading, part)) == name


def _never(results: Sequence[ReadingResult], part: str, name: str, words: str) -> str:
    """An estimator that made no table agree, with its closest table's misses; empty where arithmetic alone excludes it."""
    sampled = [item for item in results if item.status == "not attained" and _uses(part, name, item)]
    if not sampled:
        return ""
    closest = min(sampled, key=lambda item: item.miss)
    return f"{words} (closest table misses {misses(closest.violated, closest.miss)})"


def misses(violated: Iterable[str], miss: float) -> str:
    """ "the hazard ratio, the medians by up to 22 times what rounding allows", from the names of the numbers and the largest distance.

    An infinite distance is that of a number which the table does not have.
    """
    names = _listed(dict.fromkeys(_family(name) for name in violated), ", ") or "a printed number"
    if math.isinf(miss):
        return f"{names}, and has no such number at all for one of them (a median not reached, or reached against the print; a ratio without events)"
    times = f"{float(f'{miss:.2g}'):,.0f}" if miss >= _MANY_FOLD else f"{miss:.1f}"
    return f"{names} by up to {times} times what rounding allows"


def _family(name: str) -> str:
    statistic = name.partition(".")[0].partition("@")[0]
    return next((words for start, words in _FAMILIES.items() if statistic.startswith(start)), statistic.replace("_", " "))


def ruled_out(results: Sequence[ReadingResult]) -> list[str]:
    """Sentences on what arithmetic excludes and why, and on pairs that no sampler found although each estimator occurs elsewhere."""
    sentences = [
        f"impossible by arithmetic: {_listed(dict.fromkeys(map(_pair, readings)), '; ')}, because {reason}"
        for reason, readings in _by_reason(results).items()
    ]
    missed = [item for item in results if item.status == "not attained" and not _explained(item, results)]
    if missed:
        sentences.append(f"not found together: {_listed(dict.fromkeys(_pair(item.reading) for item in missed), '; ')}")
    return sentences


def _by_reason(results: Sequence[ReadingResult]) -> dict[str, list[Reading]]:
    found: dict[str, list[Reading]] = {}
    for item in results:
        if item.status == "impossible":
            reason = _LIMIT.sub(r"the \1 limit of the median (\2)", item.reason.removeprefix("under this reading "))
            reason = reason.replace("chi_square", "χ²").replace("is not on the grid", "is none of the recorded times")
            found.setdefault(reason, []).append(item.reading)
    return found


def _explained(result: ReadingResult, results: Sequence[ReadingResult]) -> bool:
    """Whether one of its estimators occurs in no attained reading, which is said already."""
    values = [(part, getattr(result.reading, part)) for part, _, _ in HYPOTHESES]
    attained = [item for item in results if item.status == "attained"]
    return any(value is not None and not any(_uses(part, str(value), item) for item in attained) for part, value in values)


def _pair(reading: Reading) -> str:
    """Ratio and test; the medians' rule only where it is all there is."""
    parts = [names[str(getattr(reading, part))] for part, _, names in PARTS if getattr(reading, part) is not None]
    return " + ".join(parts[:2]) or "no estimator"


def _listed(items: Iterable[str], between: str) -> str:
    names = list(items)
    return between.join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def crowded(ensemble: Ensemble, targets: Targets) -> list[str]:
    """A clause for each arm most of whose events share one time in half of the tables: such patients are possible, not plausible, unless
    the digitised curve itself falls so far at that time.
    """
    events = ensemble.table.events.to_numpy()
    totals = events.sum(axis=-1)
    if events.shape[-1] < _MANY_TIMES:
        return []
    found = []
    for row, arm in enumerate(ARMS):
        if totals[:, row].min() < _MANY_EVENTS:
            continue
        share = float(np.median(events[:, row].max(axis=-1) / totals[:, row]))
        busiest = int(np.bincount(events[:, row].argmax(axis=-1)).argmax())
        if share > _CROWDED and not _drawn(targets, arm, targets.times[busiest]):
            unit = (
                f"{targets.time_unit.removesuffix('s')}"
                if targets.step == 1
                else f"time ({targets.times[busiest]:g} {targets.time_unit})"
            )
            found.append(f"{100 * share:.0f} % of the {arm} arm's events fall on one {unit} (half of the tables)")
    return found


def _drawn(targets: Targets, arm: str, time: float) -> bool:
    """Whether most of what the arm's curve falls in all, it falls at this time (within a step of the grid)."""
    curve = targets.curve.arms.get(arm) if targets.curve is not None else None
    if curve is None:
        return False
    fall = curve.at(time - targets.step) - curve.at(time + targets.step / 2)
    return fall > _DRAWN * (1.0 - curve.heights[-1])


def dominated(ensemble: Ensemble) -> list[str]:
    """A sentence where one of several samplers carries most of the weight, so that its chance decides."""
    if len(np.unique(ensemble.islands)) < _FEW:
        return []
    share = float(np.bincount(ensemble.islands, weights=ensemble.weights).max())
    if share <= _DOMINANT:
        return []
    return [
        f"one of the samplers carries {100 * share:.0f} % of the weight: see whether another seed agrees, or take more"
        " (reconstruction.islands)"
    ]


def certainty(results: Sequence[ReadingResult]) -> str:
    """How far the shares can be trusted."""
    known = sorted(item.log_evidence_se for item in results if item.status == "attained" and math.isfinite(item.log_evidence_se))
    ends = dict.fromkeys(f"{value:.1f}" for value in (*known[:1], *known[-1:]))
    errors = f"have standard errors of {' to '.join(ends)}" if known else "rest on one sampler each"
    missed = any(item.status == "not attained" for item in results)
    return f"shares are rough: the log evidences behind them {errors}" + (
        "; what was not found is improbable, not impossible" * missed
    )
