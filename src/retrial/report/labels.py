"""Keys to words: endpoints, quantities, contrasts, models and priors as a reader calls them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL, TOTAL
from retrial.estimate import Estimate, IntervalKind
from retrial.study.study import Study

RATIOS = ("hazard_ratio", "odds_ratio", "risk_ratio")
QUANTITIES = {
    "hazard_ratio": "hazard ratio",
    "odds_ratio": "odds ratio",
    "risk_ratio": "risk ratio",
    "hazard_ratio_at": "hazard ratio by month",
    "log_hazard_ratio": "log hazard ratio",
    "log_odds_ratio": "log odds ratio",
    "risk_difference": "risk difference",
    "number_needed_to_treat": "number needed to treat",
    "number_needed_to_treat_to_benefit": "number needed to treat to benefit",
    "number_needed_to_treat_to_harm": "number needed to treat to harm",
    "number_needed_to_treat_to_benefit_limit": "the interval goes on through infinity, to benefit as few as",
    "number_needed_to_treat_to_harm_limit": "the interval goes on through infinity, to harm as few as",
    "common_odds_ratio": "common odds ratio",
    "common_log_odds_ratio": "common log odds ratio",
    "effect_sd": "pooling scale τ",
    "posterior_weight_robust": "posterior weight of the robust part",
    "p": "p-value",
    "p_value": "p-value",
    "chi_square": "χ²",
}
_TOGETHER = {"adverse_events": "all adverse events together", "response": "all response categories together"}
_CURVE_WORDS = {"survival": "survival", "rmst": "restricted mean survival time", "median_survival": "median", "median": "median"}
PRIORS = {"jeffreys": "Jeffreys"}
SYMBOLS = {"hazard_ratio": "HR", "odds_ratio": "OR", "risk_ratio": "RR", "risk_difference": "RD"}
METHODS = {"published": "Published", "frequentist": "Frequentist", "bayes": "Bayesian"}
TESTS = {
    "cox_efron": "Cox, Efron ties",
    "cox_breslow": "Cox, Breslow ties",
    "log_rank": "log-rank test",
    "logrank": "log-rank test",
    "kaplan_meier": "Kaplan-Meier",
    "mantel_haenszel": "one-step Mantel-Haenszel",
    "observed_expected": "O/E ratio",
    "life_table": "counted",
    "weibull_ml": "Weibull, maximum likelihood",
    "wald": "Wald, from the printed ratio",
    "fisher_exact": "Fisher's exact test",
    "pearson_chi_square": "Pearson's χ²",
    "student_t": "Student's t",
    "welch_t": "Welch's t",
    "newcombe": "Newcombe",
    "wilson": "Wilson",
    "katz": "Katz",
    "katz_haldane": "Katz, 0.5 added to each cell",
    "woolf": "Woolf",
    "woolf_haldane": "Woolf, 0.5 added to each cell",
    "altman_newcombe": "Altman, from Newcombe",
    "standardized_mean_difference": "standardized",
}
INTERVALS: dict[IntervalKind, str] = {
    "confidence": "confidence interval",
    "credible_equal_tailed": "equal-tailed credible interval",
    "credible_highest_density": "highest-density credible interval",
    "none": "no interval",
}
_LABELS: ContextVar[Mapping[str, str]] = ContextVar("labels of models", default=MappingProxyType({}))
_PROBABILITY = re.compile(
    r"^p_(?P<base>[a-z0-9_.]+?)_(?P<relation>below|above|between|within|in)_"
    r"(?P<first>-?\d+(?:\.\d+)?)(?:_(?:and_|to_)?(?P<second>-?\d+(?:\.\d+)?))?$"
)
_AT = r"(?:_(?:at_)?(?P<{0}>\d+(?:\.\d+)?))?"
_OF_CURVE = re.compile(
    r"^(?P<base>survival|rmst|median_survival|median)"
    + _AT.format("before")
    + r"(?P<difference>_difference)?"
    + _AT.format("after")
    + "$"
)
"""Numbers of a survival curve, at a time or not, with time and "difference" in either order."""
RATIO_AT = re.compile(r"^(?P<log>log_)?hazard_ratio_at_(?P<time>\d+(?:\.\d+)?)$")
"""A hazard ratio that varies, at a time."""
_ABBREVIATION = 3
"""Most letters of a key without a label that is read as an abbreviation ("os")."""
_SPREAD = "_across_reconstructions"
"""End of a quantity whose limits are its smallest and largest value over the life tables."""
TYPICAL = "_typical_table"
"""End of a model whose number is that of one table of an ensemble."""


def words(key: str) -> str:
    """Fallback for a key without an entry: underscores and dots to spaces."""
    return key.replace("_", " ").replace(".", " ").strip()


def upper_first(text: str) -> str:
    """First letter large; symbols stay small ("p-value", "χ²", "α-fetoprotein")."""
    symbol = not text[:1].isascii() or text[1:2] == "-"
    return text if symbol else text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A posterior probability's quantity ("p_hazard_ratio_below_0.8") taken apart."""

    base: str
    relation: str
    bounds: tuple[str, ...]

    @property
    def text(self) -> str:
        """ "P(HR < 0.8)"."""
        varying = RATIO_AT.match(self.base)
        symbol = f"HR({varying['time']})" if varying else SYMBOLS.get(self.base) or quantity_label(self.base)
        if len(self.bounds) == 2:
            return f"P({self.bounds[0]} < {symbol} < {self.bounds[1]})"
        return f"P({symbol} {'>' if self.relation == 'above' else '<'} {self.bounds[0]})"

    @property
    def order(self) -> tuple[int, float]:
        """Below (the largest bound first), between, above."""
        rank = 1 if len(self.bounds) == 2 else 2 if self.relation == "above" else 0
        return rank, -float(self.bounds[0]) if rank == 0 else float(self.bounds[0])


def threshold_of(quantity: str) -> Threshold | None:
    match = _PROBABILITY.match(quantity)
    if match is None:
        return None
    return Threshold(match["base"], match["relation"], tuple(bound for bound in (match["first"], match["second"]) if bound))


def canonical(quantity: str) -> str:
    """One name for what is one quantity: "survival_12_difference" and "survival_difference_at_12", with or without its spread."""
    bare = quantity.removesuffix(_SPREAD)
    found = _OF_CURVE.match(bare)
    if found is None:
        return bare
    base = found["base"].removesuffix("_survival") if found["base"].startswith("median") else found["base"]
    time = found["before"] or found["after"]
    return "_".join(part for part in (base, "difference" if found["difference"] else "", f"at_{time}" if time else "") if part)


def is_spread(estimate: Estimate) -> bool:
    """Whether the limits are the range over the life tables, not an interval."""
    return estimate.quantity.endswith(_SPREAD)


def quantity_label(quantity: str) -> str:
    """ "hazard ratio", "P(HR < 0.8)", "difference in survival at 12 months"."""
    threshold = threshold_of(quantity)
    if threshold is not None:
        return threshold.text
    varying = RATIO_AT.match(quantity)
    if varying is not None:
        return f"{'log ' if varying['log'] else ''}hazard ratio at {_months(varying['time'])}"
    found = _OF_CURVE.match(quantity.removesuffix(_SPREAD))
    if found is None:
        return QUANTITIES.get(quantity.removesuffix(_SPREAD), words(quantity))
    base = _CURVE_WORDS[found["base"]]
    time = found["before"] or found["after"]
    when = f" {'to' if found['base'] == 'rmst' else 'at'} {_months(time)}" if time else ""
    return f"{'difference in ' if found['difference'] else ''}{base}{when}"


def _months(time: str) -> str:
    """ "12 months"; a time that was weeks or days to a tenth of a month."""
    return f"{time if '.' not in time else f'{float(time):.1f}'} months"


@contextmanager
def models_called(labels: Mapping[str, str]) -> Iterator[None]:
    """Inside, models are called by these labels, as their configuration gives them; others by their names."""
    token = _LABELS.set(labels)
    try:
        yield
    finally:
        _LABELS.reset(token)


def is_typical(estimate: Estimate) -> bool:
    """Whether the number is that of one table of an ensemble."""
    return estimate.model.endswith(TYPICAL)


def model_label(model: str) -> str:
    """A model as its configuration calls it, or a test."""
    bare = model.removesuffix(TYPICAL)
    return {**TESTS, **_LABELS.get()}.get(bare, words(bare)) + ", one typical table" * (bare != model)


def prior_label(prior: str) -> str:
    return PRIORS.get(prior, prior.replace("_", " ").replace(" x ", " × "))


def arm_label(study: Study, arm: str) -> str:
    """The arm as the paper calls it; "control" where it does not say."""
    return study.arm(arm).label or arm


def endpoint_label(study: Study, key: str) -> str:
    """The name of an endpoint, response category, adverse event or baseline variable, by its key or key path."""
    if key in _TOGETHER:
        return _TOGETHER[key]
    parts = key.split(".")
    last = parts[-1]
    name = last.upper() if len(last) <= _ABBREVIATION and last.isalpha() else words(last)
    if last in study.endpoints:
        return study.endpoints[last].label or name
    if parts[0] == "adverse_events" and study.adverse_events is not None:
        return _adverse_event(study, [part for part in parts[1:] if part not in ("terms", "grades")])
    if parts[0] == "baseline" and study.baseline is not None:
        return _baseline(study, [part for part in parts[1:] if part not in ("variables", "levels")])
    rows = {path.split(".")[-1]: row for path, row in study.count_rows().items() if not path.startswith("adverse_events")}
    if last in rows:
        return rows[last].label or name
    return study.effects[key].label or name if key in study.effects else words(key)


def _adverse_event(study: Study, parts: list[str]) -> str:
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    if not parts or parts[0] not in terms:
        return words(".".join(parts))
    name = terms[parts[0]].label or words(parts[0])
    return f"{name}, {'any grade' if parts[1] == 'any' else f'grade {parts[1]}'}" if len(parts) > 1 else name


def _baseline(study: Study, parts: list[str]) -> str:
    variables = study.baseline.variables if study.baseline is not None else {}
    if not parts or parts[0] not in variables:
        return words(".".join(parts))
    variable = variables[parts[0]]
    name = variable.label or words(parts[0])
    if len(parts) > 1 and variable.levels and parts[1] in variable.levels:
        return f"{name}: {variable.levels[parts[1]].label or parts[1]}"
    return name


def is_adjusted(estimate: Estimate) -> bool:
    return "adjusted" in estimate.contrast and "unadjusted" not in estimate.contrast


def is_treatment(estimate: Estimate) -> bool:
    """Whether the number is of the arms: their contrast, or the value of one of them or of both together."""
    return all(name in (*ARMS, TOTAL) for name in _compared(estimate))


def is_comparison(estimate: Estimate) -> bool:
    """Whether the number compares the arms with each other."""
    return _compared(estimate) == [EXPERIMENTAL, CONTROL]


def _compared(estimate: Estimate) -> list[str]:
    return [name.strip() for name in estimate.contrast.split(",")[0].replace(" - ", " / ").split(" / ")]


def contrast_label(contrast: str) -> str:
    """The contrast with a true minus sign."""
    return contrast.replace(" - ", " − ")
