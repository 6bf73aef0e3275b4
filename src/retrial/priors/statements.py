"""Prior sets as people state them: a family, quantiles, or a table of evidence; for all endpoints or for each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from retrial.errors import PriorError
from retrial.priors.belief import BELIEF, stated_belief
from retrial.priors.evidence import STUDIES, EvidenceTable, named_studies, parse_evidence
from retrial.priors.meta_analysis import EVIDENCE, from_evidence
from retrial.priors.prior import Prior
from retrial.priors.prior_set import BY_ENDPOINT, PriorSet, parse_priors
from retrial.priors.quantiles import QUANTILES, solved
from retrial.priors.scales import Parameter, Scale
from retrial.priors.signal_to_noise import SIGNAL_TO_NOISE, parse_signal_to_noise
from retrial.validate import as_text

_NOT_PARAMETERS = ("description", EVIDENCE, STUDIES)


def parse_prior_set(raw: Mapping[str, Any], key: str, name: str, declared: Mapping[str, Parameter] | None = None) -> PriorSet:
    """Read {description, evidence: TABLE, PARAMETER: STATEMENT}; all problems at once (`PriorError`).

    A statement is {family, its parameters}, {family, quantiles: [[p, value], ..]}, {evidence: {outcome, method, ..}},
    {belief: {expected, strength}}, {signal_to_noise: {weights, sigma}}, or {by_endpoint: {ENDPOINT: statement}} where the evidence differs
    by endpoint: the set then says nothing of other endpoints.
    """
    if not isinstance(raw, Mapping):
        raise PriorError(f"cannot use the priors {key}", [f"{key}: got {raw!r}; allowed is a mapping of parameters to priors"])
    table = parse_evidence(raw[EVIDENCE], f"evidence of {name}", f"{key}.{EVIDENCE}") if raw.get(EVIDENCE) is not None else None
    general: dict[str, Any] = {}
    special: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    ratios = _in_standard_errors(raw, key, problems)
    for parameter, value in raw.items():
        if parameter in _NOT_PARAMETERS or (isinstance(value, Mapping) and SIGNAL_TO_NOISE in value):
            continue
        if not isinstance(value, Mapping) or BY_ENDPOINT not in value:
            general[parameter] = value
        elif not isinstance(value[BY_ENDPOINT], Mapping) or len(value) > 1:
            problems.append(
                f"{key}.{parameter}: got {sorted(map(str, value))}; allowed is by_endpoint alone, a mapping of endpoints to priors"
            )
        else:
            for endpoint, statement in value[BY_ENDPOINT].items():
                special.setdefault(str(endpoint), {})[parameter] = statement
    named_studies(raw, key, problems)
    description = as_text(raw.get("description"), f"{key}.description", problems)
    priors = _collected(general, key, declared, table, problems)
    by_endpoint = {
        endpoint: _collected(values, f"{key}.{BY_ENDPOINT}.{endpoint}", declared, table, problems)
        for endpoint, values in special.items()
    }
    if problems:
        raise PriorError(f"cannot use the priors {key}", [_as_written(text, key) for text in problems])
    return PriorSet(name, priors, description, MappingProxyType(by_endpoint), signal_to_noise=MappingProxyType(ratios))


def _in_standard_errors(raw: Mapping[str, Any], key: str, problems: list[str]) -> dict[str, Prior]:
    """Priors of signal-to-noise ratios by the parameter that they are of."""
    found = {}
    for parameter, value in raw.items():
        if isinstance(value, Mapping) and SIGNAL_TO_NOISE in value:
            try:
                found[parameter] = parse_signal_to_noise(value, parameter, f"{key}.{parameter}")
            except PriorError as error:
                problems += error.problems
    return found


def _as_written(problem: str, key: str) -> str:
    """The key as it stands in the YAML: PARAMETER.by_endpoint.ENDPOINT, though the priors are read endpoint by endpoint."""
    return re.sub(rf"^{re.escape(key)}\.{BY_ENDPOINT}\.([^.]+)\.([^.:]+)", rf"{key}.\2.{BY_ENDPOINT}.\1", problem)


def _collected(
    raw: Mapping[str, Any], key: str, declared: Mapping[str, Parameter] | None, table: EvidenceTable | None, problems: list[str]
) -> Mapping[str, Prior]:
    plain: dict[str, Any] = {}
    for parameter, value in raw.items():
        try:
            scale = declared[parameter].scale if declared is not None and parameter in declared else None
            plain[parameter] = expanded(value, parameter, f"{key}.{parameter}", table, scale)
        except PriorError as error:
            problems += error.problems
    try:
        return parse_priors(plain, key, declared, raw)
    except PriorError as error:
        problems += error.problems
    return MappingProxyType({})


def expanded(value: Any, parameter: str, key: str, table: EvidenceTable | None = None, scale: Scale | None = None) -> Any:
    """A statement by quantiles, evidence or a belief as {family, parameters, source}; any other statement as it is."""
    if isinstance(value, Mapping) and EVIDENCE in value:
        beside = [name for name in value if name not in (EVIDENCE, "source")]
        if beside:
            raise PriorError(
                f"cannot use the prior {key}",
                [f"{key}.{name}: got beside evidence; allowed is one or the other" for name in beside],
            )
        return from_evidence(value[EVIDENCE], table, f"{key}.{EVIDENCE}")
    if isinstance(value, Mapping) and BELIEF in value:
        return stated_belief(value, key)
    if isinstance(value, Mapping) and QUANTILES in value:
        return solved(value, parameter, key, scale)
    return value


def is_about(raw: Any, study: str) -> bool:
    """Whether a prior set or a model holds for a study: evidence on one treatment says nothing of another.

    `studies`, of a set itself or of the table of evidence that a set or model takes its numbers from, names those that it is about.
    """
    parts = (raw, raw.get(EVIDENCE)) if isinstance(raw, Mapping) else ()
    named = [part.get(STUDIES) for part in parts if isinstance(part, Mapping)]
    return all(study in studies for studies in named if isinstance(studies, (list, tuple)))
