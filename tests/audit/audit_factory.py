"""Studies for the audit's tests: small hand-made ones, and whole ones computed from simulated patients and then rounded."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from scipy import stats

from retrial.audit.check import Check, Verdict
from retrial.study.study import Study

ARMS = ("control", "experimental")
FINDINGS = (Verdict.INCONSISTENT, Verdict.CONSISTENT_ONLY_IF)
Z = float(stats.norm.isf(0.025))


def printed(value: float, decimals: int) -> str:
    """Correct rounding, half up, as a table prints it."""
    return str(Decimal(repr(float(value))).quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP))


def study(**sections: Any) -> Study:
    """A study of 49 + 43 patients unless `arms` says otherwise."""
    sizes = {"arms": {"control": {"n": "49"}, "experimental": {"n": "43"}}}
    return Study.model_validate({"title": "made up", **sizes, **sections})


def arms(control: int, experimental: int) -> dict[str, Any]:
    return {"control": {"n": str(control)}, "experimental": {"n": str(experimental)}}


def effect(ratio: str, lower: str, upper: str, p: str | None = None, **more: Any) -> dict[str, Any]:
    return {"hazard_ratio": ratio, "ci": [lower, upper], **({} if p is None else {"p": p}), **more}


def row(control: int, experimental: int, **more: Any) -> dict[str, Any]:
    return {"control": str(control), "experimental": str(experimental), **more}


def findings(checks: list[Check]) -> list[Check]:
    return [check for check in checks if check.verdict in FINDINGS]


def only(checks: list[Check], path: str, family: str | None = None) -> Check:
    """The one check of a path."""
    found = [check for check in checks if check.path == path and family in (None, check.family)]
    if len(found) != 1:
        raise LookupError(f"{len(found)} checks of {path}")
    return found[0]


def two_sided(table: np.ndarray, test: str) -> tuple[float, float]:
    """(statistic, p) of a table by SciPy alone; NaN statistic for Fisher."""
    if test == "fisher":
        return math.nan, float(stats.fisher_exact(table).pvalue)
    result = stats.chi2_contingency(table, correction=test == "yates")
    return float(result.statistic), float(result.pvalue)


def simulated(rng: np.random.Generator) -> dict[str, Any]:
    """A whole study file (as mappings of text) computed from simulated patients: nothing in it is inconsistent."""
    sizes = (int(rng.integers(15, 120)), int(rng.integers(15, 120)))
    return {
        "title": "simulated",
        "arms": arms(*sizes),
        "total": {"n": str(sum(sizes))},
        "timeline": {"accrual_start": "2020-01-01", "accrual_end": "2022-06-30", "cut_off": "2023-12-31"},
        "baseline": _baseline(rng, sizes),
        "response": _response(rng, sizes),
        "adverse_events": _adverse_events(rng, sizes),
        "binary": {"surgery": _counted(rng, sizes, rng.binomial(sizes, rng.uniform(0.02, 0.98)), percent=1)},
        "endpoints": _endpoints(rng, sizes),
        "effects": {f"effect_{number}": _effect(rng) for number in range(4)},
        "tests": _tests(rng),
    }


def _counted(rng: np.random.Generator, sizes: tuple[int, int], counts: Any, percent: int | None = None) -> dict[str, Any]:
    """A count row with total, percentages, and chi-square and p of one usual test where one exists."""
    columns = [*zip(counts, sizes, strict=True), (sum(counts), sum(sizes))]
    cells = [{"n": str(n)} | ({} if percent is None else {"percent": printed(100 * n / of, percent)}) for n, of in columns]
    made: dict[str, Any] = dict(zip((*ARMS, "total"), cells, strict=True))
    table = np.array([counts, [of - n for n, of in columns[:2]]])
    if (table.sum(axis=1) > 0).all():
        test = str(rng.choice(["pearson", "yates", "fisher"]))
        statistic, p = two_sided(table, test)
        made["p"] = printed(p, int(rng.integers(2, 5)))
        if not math.isnan(statistic):
            made["chi_square"] = printed(statistic, 3)
    return made


def _baseline(rng: np.random.Generator, sizes: tuple[int, int]) -> dict[str, Any]:
    levels = np.array([rng.multinomial(n, [0.5, 0.3, 0.2]) for n in sizes]).T
    samples = [rng.normal(60, 10, n) for n in sizes]
    summaries = [(float(values.mean()), float(values.std(ddof=1))) for values in (*samples, np.concatenate(samples))]
    decimals = int(rng.integers(0, 3))
    texts = [f"{printed(mean, decimals)} ± {printed(sd, decimals)}" for mean, sd in summaries]
    test = stats.ttest_ind(*samples, equal_var=bool(rng.integers(2)))
    named = {
        name: {**dict(zip(ARMS, map(str, counts), strict=True)), "total": str(sum(counts))}
        for name, counts in zip(("one", "two", "three"), levels.tolist(), strict=True)
    }
    stage: dict[str, Any] = {"levels": named}
    if (levels.sum(axis=1) > 0).all():
        stage["p"] = printed(float(stats.chi2_contingency(levels).pvalue), 3)
    age = dict(zip((*ARMS, "total"), texts, strict=True)) | {"p": printed(float(test.pvalue), 3), "positive": True}
    return {"where": "Table 1", "variables": {"stage": stage, "age": age}}


def _response(rng: np.random.Generator, sizes: tuple[int, int]) -> dict[str, Any]:
    names = ("CR", "PR", "SD", "PD")
    counts = dict(zip(names, np.array([rng.multinomial(n, [0.1, 0.3, 0.25, 0.35]) for n in sizes]).T.tolist(), strict=True))
    sums = {"ORR": ("CR", "PR"), "DCR": ("CR", "PR", "SD")}
    composites = {
        key: {"of": list(parts), **_counted(rng, sizes, [sum(counts[part][arm] for part in parts) for arm in (0, 1)], percent=1)}
        for key, parts in sums.items()
    }
    categories = {name: _counted(rng, sizes, counts[name], percent=int(rng.integers(0, 3))) for name in names}
    return {"where": "Table 2", "categories": categories, "composites": composites}


def _adverse_events(rng: np.random.Generator, sizes: tuple[int, int]) -> dict[str, Any]:
    terms, totals = {}, {}
    for term in ("rash", "nausea", "fever"):
        mild, severe = rng.binomial(sizes, 0.2).tolist(), rng.binomial([n // 2 for n in sizes], 0.05).tolist()
        both = [first + second for first, second in zip(mild, severe, strict=True)]
        grades = {"1-2": mild, "3-4": severe, "any": both}
        terms[term] = {"grades": {grade: _counted(rng, sizes, counts) for grade, counts in grades.items()}}
        totals[term] = both[0]
    ranked = sorted(totals, key=lambda term: -totals[term])
    return {"terms": terms, "rankings": [{"arm": "control", "grade": "any", "terms": ranked}]}


def _effect(rng: np.random.Generator) -> dict[str, Any]:
    """A ratio with a Wald interval and its Wald p."""
    beta, error, decimals = rng.normal(0, 0.6), rng.uniform(0.1, 0.6), int(rng.integers(2, 5))
    values = [printed(math.exp(beta + sign * Z * error), decimals) for sign in (0, -1, 1)]
    return effect(*values, printed(float(2 * stats.norm.sf(abs(beta / error))), int(rng.integers(2, 5))), adjusted_for=["age"])


def _tests(rng: np.random.Generator) -> dict[str, Any]:
    rows = {}
    for number in range(6):
        df = int(rng.integers(1, 5))
        statistic = float(rng.chisquare(df)) * float(rng.uniform(0.5, 3))
        result = {"chi_square": printed(statistic, 3), "p": printed(float(stats.chi2.sf(statistic, df)), 3)}
        rows[f"row_{number}"] = {"groups": str(df + 1), "results": {"os": result}}
    return {"univariate": {"where": "Table 3", "rows": rows}}


def kaplan_meier_median(time: np.ndarray, event: np.ndarray) -> float | None:
    """First time with S(t) <= 1/2; None where the curve does not get there."""
    survival = 1.0
    for moment in np.unique(time[event]):
        survival *= 1 - (event & (time == moment)).sum() / (time >= moment).sum()
        if survival <= 0.5 + 1e-12:
            return float(moment)
    return None


def _endpoints(rng: np.random.Generator, sizes: tuple[int, int]) -> dict[str, Any]:
    """Survival of patients who enter over 30 months and are followed to a cut-off 18 months after the last one, without loss."""
    potential = [rng.uniform(18.1, 47.9, n) for n in sizes]
    survival = [rng.exponential(rng.uniform(6, 40), n) for n in sizes]
    event = [died <= followed for died, followed in zip(survival, potential, strict=True)]
    time = [np.minimum(died, followed) for died, followed in zip(survival, potential, strict=True)]
    total = (np.concatenate(time), np.concatenate(event))
    medians = {}
    for name, (times, events) in zip((*ARMS, "total"), [*zip(time, event, strict=True), total], strict=True):
        median = kaplan_meier_median(times, events)
        if median is not None:
            medians[name] = {"value": printed(median, 2)}
    deaths, ticks = int(total[1].sum()), (0, 6, 12, 18)
    at_risk = {arm: [str(int((times >= tick).sum())) for tick in ticks] for arm, times in zip(ARMS, time, strict=True)}
    return {
        "os": {
            "events": {
                **{arm: str(int(events.sum())) for arm, events in zip(ARMS, event, strict=True)},
                "total": {"n": str(deaths), "percent": printed(100 * deaths / sum(sizes), 1)},
            },
            "shortest": printed(float(total[0].min()), 2),
            "longest": printed(float(total[0].max()), 2),
            "median": medians,
            "at_risk": {"times": [str(tick) for tick in ticks], **at_risk},
        }
    }
