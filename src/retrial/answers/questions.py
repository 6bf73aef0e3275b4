"""What is asked of every posterior, set before any is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

from retrial.answers.agreement import AgreementRules

_LEVELS = (0.01, 0.99999)
_SMALLEST, _LARGEST = 1e-6, 1e6
"""Of thresholds and of months: beyond these a number was mistyped."""


@dataclass(frozen=True, slots=True)
class Questions:
    """Thresholds on ratios, probability of the intervals, horizons in months (METHODS 8), and when a posterior agrees with the paper."""

    MOST: ClassVar[Mapping[str, float]] = MappingProxyType({"rmst_months": 1e6})

    level: float = 0.95
    below: tuple[float, ...] = (1.0, 0.9, 0.8)
    above: tuple[float, ...] = (1.25,)
    between: tuple[tuple[float, float], ...] = ((0.91, 1.1),)
    survival_months: tuple[float, ...] = (6.0, 12.0, 18.0)
    rmst_months: float | None = 18.0
    agreement: AgreementRules = field(default_factory=AgreementRules)

    @property
    def tail(self) -> float:
        """Probability below an equal-tailed interval."""
        return (1.0 - self.level) / 2.0

    def problems(self) -> list[str]:
        found = []
        if not _LEVELS[0] <= self.level <= _LEVELS[1]:
            found.append(f"level: got {self.level}; allowed is from {_LEVELS[0]:g} to {_LEVELS[1]:g}")
        for name in ("below", "above", "survival_months"):
            bad = [value for value in getattr(self, name) if not _SMALLEST <= value <= _LARGEST]
            found += [f"{name}: got {value!r}; allowed is a number from {_SMALLEST:g} to {_LARGEST:g}" for value in bad]
        for pair in self.between:
            if not _SMALLEST <= pair[0] < pair[1] <= _LARGEST:
                found.append(
                    f"between: got {list(pair)!r}; allowed is a pair [low, high] with {_SMALLEST:g} <= low < high <= {_LARGEST:g}"
                )
        return found
