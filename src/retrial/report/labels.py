"""Keys to words: endpoints, quantities, contrasts, models and priors as a reader calls them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, cast

from retrial.data.direction import good_endpoints
from retrial.dims import ARMS, TOTAL
from retrial.estimate import NAN, Estimate, IntervalKind, none_if_nan
from retrial.frequentist.rows import DIFFERENCE, RATIO, TYPICAL
from retrial.priors.prior import FAMILIES
from retrial.study.arms.names import ArmNames
from retrial.study.study import Study
from retrial.study.text.keys import KeyNames

RATIOS = ("hazard_ratio", "average_hazard_ratio", "odds_ratio", "risk_ratio")
QUANTITIES = {
    "hazard_ratio": "hazard ratio",
    "average_hazard_ratio": "average hazard ratio",
    "odds_ratio": "odds ratio",
    "risk_ratio": "risk ratio",
    "log_hazard_ratio": "log hazard ratio",
    "log_average_hazard_ratio": "log average hazard ratio",
    "log_odds_ratio": "log odds ratio",
    "risk_difference": "risk difference",
    "number_needed_to_treat": "number needed to treat",
    "number_needed_to_treat_to_benefit": "number needed to treat to benefit",
    "number_needed_to_treat_to_harm": "number needed to treat to harm",
    "survival": "survival",
    "survival_difference": "difference in survival",
    "rmst": "restricted mean survival time",
    "rmst_difference": "difference in restricted mean survival time",
    "median_survival": "median",
    "median_difference": "difference in median",
    "common_odds_ratio": "common odds ratio",
    "common_log_odds_ratio": "common log odds ratio",
    "effect_sd": "pooling scale τ",
    "posterior_weight_robust": "posterior weight of the robust part",
    "bayes_factor_for_effect": "Bayes factor for an effect against none",
    "bayes_factor_against_effect": "Bayes factor for no effect against one",
    "prior_odds_needed": "prior odds of an effect that are needed",
    "p_value": "p-value",
    "chi_square": "χ²",
}
_TOGETHER = {"adverse_events": "all adverse events together", "response": "all response categories together"}
_TO_A_TIME = ("rmst", "rmst_difference", "average_hazard_ratio", "log_average_hazard_ratio")
"""Quantities up to a time, not at one."""
_FAR_LIMITS = {
    f"number_needed_to_treat_to_{side}": f"the interval goes on through infinity, to {side} as few as"
    for side in ("benefit", "harm")
}
PRIORS = {
    "jeffreys": "Jeffreys",
    "class_effect_discounted": "discounted class effect",
    "shrinkage_cochrane": "Cochrane shrinkage",
    "shrinkage_oncology": "oncology shrinkage",
}
"""Prior sets whose key does not read as a name."""
SYMBOLS = {
    "hazard_ratio": "HR",
    "average_hazard_ratio": "average HR",
    "odds_ratio": "OR",
    "risk_ratio": "RR",
    "risk_difference": "RD",
}
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
_ROLES, _NO_KEYS = ArmNames(), KeyNames()
_ARMS: ContextVar[ArmNames] = ContextVar("names of the arms", default=_ROLES)
_COVARIATES: ContextVar[Mapping[str, str]] = ContextVar("names of the covariates", default=MappingProxyType({}))
_KEYS: ContextVar[KeyNames] = ContextVar("names of the study's keys", default=_NO_KEYS)
_ABBREVIATION = 3
"""Most letters of a key without a label that is read as an abbreviation ("os")."""


def words(key: str) -> str:
    """Fallback for a key without an entry: underscores and dots to spaces."""
    return key.replace("_", " ").replace(".", " ").strip()


def upper_first(text: str) -> str:
    """First letter large; symbols stay small ("p-value", "χ²", "α-fetoprotein")."""
    symbol = not text[:1].isascii() or text[1:2] == "-"
    return text if symbol else text[:1].upper() + text[1:]


def is_ratio_at(estimate: Estimate) -> bool:
    """Whether it is a hazard ratio at a time, of hazards that are not proportional."""
    return estimate.quantity in ("hazard_ratio", "log_hazard_ratio") and not math.isnan(estimate.time)


def estimate_label(estimate: Estimate) -> str:
    """What a row is, for a reader: "hazard ratio", "P(HR < 0.8)", "difference in survival at 12 months"."""
    if estimate.statistic == "probability":
        return _event(estimate)
    if estimate.statistic == "far_limit":
        return _FAR_LIMITS.get(estimate.quantity, f"far limit of the {quantity_label(estimate.quantity)}")
    return quantity_label(estimate.quantity, estimate.time)


def _event(estimate: Estimate) -> str:
    """ "P(0.91 < HR < 1.1)"."""
    symbol = SYMBOLS.get(estimate.quantity) or quantity_label(estimate.quantity, estimate.time)
    if estimate.quantity in SYMBOLS and estimate.quantity not in _TO_A_TIME and not math.isnan(estimate.time):
        symbol = f"{symbol}({estimate.time:g})"
    if estimate.event == "between":
        return f"P({estimate.threshold:g} < {symbol} < {estimate.threshold_upper:g})"
    return f"P({symbol} {'>' if estimate.event == 'above' else '<'} {estimate.threshold:g})"


def is_chance(estimate: Estimate) -> bool:
    """Whether it is the probability of an effect: of a ratio below 1, of a difference above 0."""
    at_no_effect = ("below", 1.0) if estimate.quantity in RATIOS else ("above", 0.0)
    return estimate.statistic == "probability" and (estimate.event, estimate.threshold) == at_no_effect


def event_order(estimate: Estimate) -> tuple[int, float, float]:
    """Below (the largest threshold first), between, above; early times first."""
    rank = {"below": 0, "between": 1, "above": 2}.get(estimate.event, 3)
    return rank, -estimate.threshold if rank == 0 else estimate.threshold, none_if_nan(estimate.time) or 0.0


def is_spread(estimate: Estimate) -> bool:
    """Whether the limits are the range over the life tables, not an interval."""
    return estimate.statistic == "range"


def quantity_label(quantity: str, time: float = NAN) -> str:
    """ "hazard ratio", "survival at 12 months", "restricted mean survival time to 17 months"."""
    name = QUANTITIES.get(quantity, words(quantity))
    return name if math.isnan(time) else f"{name} {'to' if quantity in _TO_A_TIME else 'at'} {months_label(time)}"


def months_label(time: float) -> str:
    """ "12 months"; a time that was weeks or days to a tenth of a month."""
    return f"{time:.{0 if time == int(time) else 1}f} months"


@contextmanager
def models_called(labels: Mapping[str, str]) -> Iterator[None]:
    """Inside, models are called by these labels, as their configuration gives them; others by their names."""
    token = _LABELS.set(labels)
    try:
        yield
    finally:
        _LABELS.reset(token)


@contextmanager
def arms_called(names: ArmNames) -> Iterator[None]:
    """Inside, texts call the arms by these names."""
    token = _ARMS.set(names)
    try:
        yield
    finally:
        _ARMS.reset(token)


@contextmanager
def covariates_called(names: Mapping[str, str]) -> Iterator[None]:
    """Inside, texts call covariates by these names (`covariate_names`), others by their keys."""
    token = _COVARIATES.set(names)
    try:
        yield
    finally:
        _COVARIATES.reset(token)


@contextmanager
def keys_called(names: KeyNames) -> Iterator[None]:
    """Inside, texts for readers have these names in place of keys (`key_names`)."""
    token = _KEYS.set(names)
    try:
        yield
    finally:
        _KEYS.reset(token)


def key_names(study: Study, models: Mapping[str, str], priors: Iterable[str] = ()) -> KeyNames:
    """Names of the keys of a study, of models by their labels, of quantities, tests, priors and their families."""
    columns = [key for endpoint in study.endpoints.values() for key in endpoint.adjusts_for]
    covariates = {key: words(key) for key in columns} | covariate_names(study)
    effects = {}
    for key, effect in study.effects.items():
        whose = endpoint_label(study, effect.endpoint) if effect.endpoint else effect.label or words(key)
        listed = ", ".join(covariates.get(one, one) for one in effect.adjusted_for)
        effects[key] = f"{whose}, {f'adjusted for {listed}' if listed else 'unadjusted'}"
    counted = [(path.split("."), row.label) for path, row in study.count_rows().items()]
    rows = {parts[-1]: label for parts, label in counted if label and parts[0] != "adverse_events"}
    terms = study.adverse_events.terms if study.adverse_events is not None else {}
    variables = study.baseline.variables if study.baseline is not None else {}
    labelled = {key: term.label or words(key) for key, term in terms.items()}
    labelled |= {key: variable.label or words(key) for key, variable in variables.items()}
    endpoints = {key: endpoint_label(study, key) for key in study.endpoints}
    ours = {**QUANTITIES, **TESTS, "chi_square": "χ²", **{family: family.replace("_", "-") for family in FAMILIES}}
    ours |= {prior: prior_label(prior) for prior in (*PRIORS, *priors)}
    names = {**ours, **models, **labelled, **rows, **effects, **covariates, **endpoints}
    short = frozenset(key for key in endpoints if len(key) <= _ABBREVIATION)
    return KeyNames(names, frozenset(type(study).model_fields), short)


def covariate_names(study: Study) -> dict[str, str]:
    """Covariates by key, as the paper calls them: without cut points and units, and without commas, which part them in a list.

    The name is that of the patients' column, of the row of the baseline table, of the univariable tests or of the multivariable model, the
    first that there is.
    """
    found: dict[str, str] = {}
    for model in study.multivariable.values():
        tests = study.tests[model.tests].rows if model.tests in study.tests else {}
        for key, one in model.covariates.items():
            baseline = study.baseline.variables.get(one.baseline or key) if study.baseline is not None else None
            row, effect = tests.get(one.test or key), study.effects.get(one.effect)
            labels = [source.label for source in (baseline, row, effect) if source is not None and source.label]
            found.setdefault(key, _bare(labels[0]) if labels else key)
    for endpoint in study.endpoints.values():
        found |= {key: column.label for key, column in endpoint.adjusts_for.items() if column.label and "," not in column.label}
    return found


def _bare(label: str) -> str:
    """ "Age" of "Age, year (≤ 40 vs. > 40)"."""
    return label.partition("(")[0].partition(",")[0].strip() or label.replace(",", "")


def covariate_label(key: str) -> str:
    """A covariate as the paper calls it; without a name its key in words."""
    return _COVARIATES.get().get(key, words(key))


def named[T](value: T) -> T:
    """A text with the names of the arms in place of their roles; anything else as it is, pictures and what is HTML already too."""
    text: Any = value
    if type(text) is not str or text.startswith("data:"):
        return value
    return cast("T", _ARMS.get().prose(_KEYS.get().prose(text)))


def scale_label(quantity: str) -> str:
    """What an axis of effects shows: "experimental / control (log scale)"."""
    return named("experimental / control (log scale)" if quantity in RATIOS else "experimental − control")


def favours(study: Study, endpoint: str) -> tuple[str, str]:
    """Whom the sides of an axis of an endpoint's hazard ratios favour, left to right."""
    sides = named("favours experimental"), named("favours control")
    return sides[::-1] if endpoint in good_endpoints(study) else sides


def is_typical(estimate: Estimate) -> bool:
    """Whether the number is that of one table of an ensemble."""
    return estimate.method == "frequentist" and estimate.variant == TYPICAL


def model_label(model: str) -> str:
    """A model as its configuration calls it, or a test."""
    return {**TESTS, **_LABELS.get()}.get(model, words(model))


def prior_label(prior: str) -> str:
    """A prior set's name in words."""
    return PRIORS.get(prior, prior.replace("_", " "))


def fit_prior(estimate: Estimate) -> str:
    """The prior of a row, and how its analysis differs from the main one: "flat, pooling scale × 0.5"."""
    return ", ".join(part for part in (prior_label(estimate.prior), variant_label(estimate.variant)) if part)


def variant_label(variant: str) -> str:
    """ "pooling scale × 0.5"."""
    return variant.replace(" x ", " × ")


def arm_label(study: Study, arm: str) -> str:
    """The arm as the paper calls it; "control" where it does not say."""
    return study.arm(arm).label or arm


_SPELT_OUT = {"ORR": "objective response", "DCR": "disease control", "CBR": "clinical benefit"}
"""What tumour trials abbreviate, where a file gives it no label."""


def endpoint_label(study: Study, key: str) -> str:
    """The name of an endpoint, response category, adverse event or baseline variable, by its key or key path."""
    if key in _TOGETHER and key not in study.binary:
        return _TOGETHER[key]
    parts = key.split(".")
    last = parts[-1]
    plain = last.upper() if len(last) <= _ABBREVIATION and last.isalpha() else words(last)
    name = f"{_SPELT_OUT[plain]} ({plain})" if plain in _SPELT_OUT else plain
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


def is_treatment(estimate: Estimate) -> bool:
    """Whether the number is of the arms: their contrast, or the value of one of them or of both together."""
    return estimate.contrast in (RATIO, DIFFERENCE, *ARMS, TOTAL)


def is_comparison(estimate: Estimate) -> bool:
    """Whether the number compares the arms with each other."""
    return estimate.contrast in (RATIO, DIFFERENCE)


def contrast_label(contrast: str, adjusted_for: str = "") -> str:
    """The contrast with a true minus sign, and what it is adjusted for."""
    shown = contrast.replace(" - ", " − ")
    return f"{shown}, {adjusted_label(adjusted_for)}" if adjusted_for else shown


def adjusted_label(adjusted_for: str) -> str:
    """ "adjusted for BCLC stage, AFP"; empty for a ratio that is not."""
    return f"adjusted for {covariates_label(adjusted_for)}" if adjusted_for else ""


_FEW = 2
"""Covariates that a heading names; of more it says how many."""


def adjusted_briefly(adjusted_for: str) -> str:
    """The same for a heading: "adjusted for 6 covariates"."""
    count = len([key for key in adjusted_for.split(",") if key])
    return f"adjusted for {count} covariates" if count > _FEW else adjusted_label(adjusted_for)


def covariates_label(adjusted_for: str) -> str:
    """ "BCLC stage, AFP" of "bclc, afp"."""
    return ", ".join(covariate_label(key.strip()) for key in adjusted_for.split(","))
