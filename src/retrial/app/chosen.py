"""The prior sets of a run: the chosen one first, and the named ones beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retrial.app.composed import CUSTOM
from retrial.errors import InputError
from retrial.priors.meta_analysis import EVIDENCE
from retrial.priors.prior_set import BY_ENDPOINT, PriorSet
from retrial.priors.scales import Parameter
from retrial.priors.statements import is_about, parse_prior_set
from retrial.validate import Problems


def chosen_sets(
    asked: Mapping[str, Any], names: Mapping[str, str], declared: Mapping[str, Parameter], study: str, problems: Problems
) -> dict[str, PriorSet]:
    """The main set first, under its name, and the named sets that differ from it and are not about other studies."""
    raws = {str(name): raw for name, raw in (asked.get("priors") or {}).items() if is_about(raw, study)}
    parsed = {name: _prior_set(raw, f"priors.{name}", name, declared, problems) for name, raw in raws.items()}
    named = {name: value for name, value in parsed.items() if value is not None}
    chosen = _restated(asked.get("prior"), names.get("prior_changed", ""))
    main = _prior_set(chosen, "prior", names.get("prior", CUSTOM), declared, problems) if chosen is not None else None
    if main is None:
        return named
    twins = [name for name, value in named.items() if value.same_as(main)]
    first = named[twins[0]] if twins else main
    return {first.name: first, **{name: value for name, value in named.items() if name != first.name}}


def _restated(raw: Any, changed: str) -> Any:
    """A chosen set, with the source of the parameters that the command line changed told as it is.

    A prior from evidence tells its own source, with the numbers that it was made with.
    """
    if not isinstance(raw, Mapping) or not changed:
        return raw
    stated = {
        name: {**raw[name], "source": f"stated on the command line ({name})"}
        for name in changed.split(",")
        if isinstance(raw.get(name), Mapping) and BY_ENDPOINT not in raw[name] and EVIDENCE not in raw[name]
    }
    return {**raw, **stated, "description": "stated on the command line"}


def _prior_set(raw: Any, key: str, name: str, declared: Mapping[str, Parameter], problems: Problems) -> PriorSet | None:
    if not isinstance(raw, Mapping):
        problems.add(f"{key}: got {raw!r}; allowed is a mapping of parameters to priors")
        return None
    try:
        return parse_prior_set(raw, key, name, declared)
    except InputError as error:
        problems.extend(error.problems)
        return None
