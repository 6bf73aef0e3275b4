"""`Probes`: what is asked of a reconstruction beside its tables, because it costs further reconstructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from retrial.errors import ConfigError
from retrial.tables.printed.targets import Targets

ALL = "all"
"""Every printed statistic in turn, and hazard ratio and test together."""
TOGETHER = " + "
"""Between statistics that are left out together."""
_COMPARISON = ("hazard_ratio.total", "chi_square.total")
"""Either alone says nearly all about the hazard ratio that both say together."""


@dataclass(frozen=True, slots=True)
class Probes:
    """Further reconstructions.

    leave_one_out          statistics that are left out in turn ("hazard_ratio.total", "median.control"; joined by " + ": together),
                           or "all"; none where empty. One reconstruction each
    leave_one_out_islands  independent samplers of each of these
    compare_strict         whether to make tables that carry every printed digit, and to compare answers with those of the others
    strict_tables          how many of them an endpoint
    choices                whether to make our own choices otherwise in turn: assumed numbers, eligibility, prior of the tables
    choices_islands, choices_rounds  independent samplers of each of these, and rounds of theirs at most
    """

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType(
        {"leave_one_out_islands": 1e4, "strict_tables": 1e5, "choices_islands": 1e4, "choices_rounds": 1e6}
    )

    leave_one_out: tuple[str, ...] = ()
    leave_one_out_islands: int = 4
    compare_strict: bool = False
    strict_tables: int = 30
    choices: bool = True
    choices_islands: int = 4
    choices_rounds: int = 2


def plain_probes(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The mapping with `leave_one_out: true` as ["all"], false or one name as a list."""
    asked = raw.get("leave_one_out")
    if isinstance(asked, bool):
        return {**raw, "leave_one_out": [ALL] if asked else []}
    return {**raw, "leave_one_out": [asked]} if isinstance(asked, str) else dict(raw)


def left_out(probes: Probes, targets: Mapping[str, Targets]) -> dict[str, tuple[str, ...]]:
    """By endpoint, what is left out of it in turn. Raises `ConfigError` for a name that no endpoint prints."""
    everything = {key: every_statistic(item) for key, item in targets.items()}
    known = dict.fromkeys(name for names in everything.values() for name in names)
    asked = dict.fromkeys(known if ALL in probes.leave_one_out else probes.leave_one_out)
    single = {name for item in targets.values() for name in item.names}
    unknown = [name for name in asked if name not in known and not set(name.split(TOGETHER)) <= single]
    if unknown and targets:
        allowed = f"true, false or a list of {', '.join(known)}"
        raise ConfigError("cannot use the configuration", [f"reconstruction.leave_one_out: got {unknown}; allowed is {allowed}"])
    return {key: tuple(name for name in asked if _printed(name, item)) for key, item in targets.items()}


def every_statistic(targets: Targets) -> tuple[str, ...]:
    """Everything that can be left out of an endpoint; a median goes with its interval, which nobody prints alone."""
    names = list(targets.names)
    if set(_COMPARISON) <= set(names):
        names.append(TOGETHER.join(_COMPARISON))
    return tuple(names)


def parts_of(name: str, targets: Targets) -> tuple[str, ...]:
    """The statistics that a name leaves out: "median.control" takes its interval along."""
    parts = list(name.split(TOGETHER))
    intervals = [part.replace("median.", "median_ci.") for part in parts if part.startswith("median.")]
    return tuple(dict.fromkeys([*parts, *(part for part in intervals if part in targets.names)]))


def _printed(name: str, targets: Targets) -> bool:
    return set(name.split(TOGETHER)) <= set(targets.names)
