"""Whether the event that a ratio is about is good or bad for the patient: as the file says, else by its name."""

from __future__ import annotations

import re

from retrial.study.study import Study

_GOOD = re.compile(
    r"\b(recover|respon|remission|cure|success|improve|discharge|resol|heal|clearance|conversion|benefit|live birth|pregnan)"
)
_BAD = re.compile(
    r"\b(death|dead|died|mortal|fatal|progress|relaps|recur|fail|toxic|bleed|haemorr|hemorr|infect|sepsis|stroke|infarct|adverse|harm"
    r"|complicat|withdraw|discontinu|exacerb|intubat|ventilat|hospitali|admission|transfusion|amputat|fracture|metasta|worsen)"
)
_FREED = re.compile(
    r"\b(discontinu\w*|stop\w*|withdraw\w*|cessation|wean\w*|liberat\w*|removal|off)\b( (of|from|the))*"
    r"( (supplemental|supplementary|mechanical|invasive|non-invasive|high-flow|all|any))* "
    r"(oxygen|o2|ventilat\w*|respiratory support|vasopressors?|dialysis|renal replacement)"
    r"|\bextubat\w*"
)
"""To need help no longer is good, whatever the words for it say alone (discontinuation, ventilation)."""
_SURVIVAL = re.compile(r"\b(surviv|alive)")
_UNTIL_LOST = re.compile(r"\b(duration|loss|lost|free|without|non|no|not|lack|absence)\b")
"""Before a good word these turn it round: the duration of a response ends with a bad event."""
_AVOIDED = re.compile(r"\b(no|without|absence|freedom|free|avoid\w*)\b")
"""Beside a bad word these may turn it round: no recurrence, intubation-free."""


def good_endpoints(study: Study) -> list[str]:
    """Endpoints, and ratios without one, of the treatment whose event is good: a hazard ratio above 1 favours the experimental arm.

    Of an endpoint without a printed hazard ratio its own key and label tell, by the rule that names of ratios are read by.
    """
    ratios = {key: effect for key, effect in study.effects.items() if effect.is_treatment and effect.measure == "hazard_ratio"}
    found = {effect.endpoint or key: None for key, effect in ratios.items() if is_good(study, key)}
    printed = {effect.endpoint or key for key, effect in ratios.items()}
    found |= {key: None for key in study.endpoints if key not in printed and _is_good_endpoint(study, key)}
    return list(found)


def _is_good_endpoint(study: Study, key: str) -> bool:
    """Whether the event of an endpoint without a printed hazard ratio is good: as its yes/no outcome says, else its name."""
    if key in study.binary and study.binary[key].good is not None:
        return bool(study.binary[key].good)
    good, bad = _kinds(_words(key, study.endpoints[key].label))
    return good and not bad


def _words(*names: str) -> str:
    return " ".join(names).replace("_", " ").lower()


def _kinds(words: str) -> tuple[bool, bool]:
    """Whether words name a good event, and whether they name a bad one."""
    rest, freed = _FREED.subn(" ", words)
    return freed > 0 or (bool(_GOOD.search(words)) and not _UNTIL_LOST.search(words)), bool(_BAD.search(rest))


def is_good(study: Study, key: str) -> bool | None:
    """Whether more of an effect's event is better; None where neither `good`, the measure nor a name tells.

    The event of a hazard ratio is bad (death, progression) unless its name says that it is good (recovery). That of an odds or risk ratio is
    what its name says, or what the yes/no outcome of that name says.
    """
    effect = study.effects[key]
    if effect.good is not None:
        return effect.good
    for name in (effect.endpoint, key):
        if name in study.binary:
            return study.binary[name].good
    endpoint = study.endpoints.get(effect.endpoint)
    words = _words(key, effect.endpoint, effect.label, endpoint.label if endpoint is not None else "")
    good, bad = _kinds(words)
    if effect.measure == "hazard_ratio":
        return good and not bad
    if "free surviv" in words.replace("-", " "):
        return True
    if bad and _AVOIDED.search(words):
        return None
    good = good or (bool(_SURVIVAL.search(words)) and not bad)
    if good == bad:
        composites = study.response.composites if study.response is not None else {}
        return True if key in composites or effect.endpoint in composites else None
    return good
