"""What is asked of every posterior, set before any is looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

from retrial.answers.agreement import AgreementRules


@dataclass(frozen=True, slots=True)
class Questions:
    """Thresholds on ratios, probability of the intervals, horizons in months (METHODS 8), and when a posterior agrees with the paper."""

    level: float = 0.95
    below: tuple[float, ...] = (1.0, 0.9, 0.8)
    above: tuple[float, ...] = (1.25,)
    between: tuple[tuple[float, float], ...] = ((0.91, 1.1),)
    survival_months: tuple[float, ...] = (6.0, 12.0, 18.0)
    rmst_months: float | None = None
    agreement: AgreementRules = field(default_factory=AgreementRules)

    @property
    def tail(self) -> float:
        """Probability below an equal-tailed interval."""
        return (1.0 - self.level) / 2.0

    def problems(self) -> list[str]:
        found = []
        if not 0 < self.level < 1:
            found.append(f"level: got {self.level}; allowed is between 0 and 1")
        for name in ("below", "above", "survival_months"):
            bad = [value for value in getattr(self, name) if not isinstance(value, (int, float)) or not value > 0]
            found += [f"{name}: got {value!r}; allowed is a number above 0" for value in bad]
        for pair in self.between:
            if not isinstance(pair, tuple) or len(pair) != 2 or not 0 < pair[0] < pair[1]:
                found.append(f"between: got {pair!r}; allowed is a pair [low, high] with 0 < low < high")
        return found
