"""`Software`: which estimators a statistical program prints, as evidence about the readings of a paper that names it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from retrial.tables.printed.readings import MedianReading, RatioReading, Reading, TestReading


@dataclass(frozen=True, slots=True)
class Software:
    """A program: words of a paper that name it (any case), and the estimators that it prints by default or offers by name.

    ratios, tests, medians  what it prints; an empty list says nothing about that part
    source                  where that is documented
    """

    words: tuple[str, ...] = ()
    source: str = ""
    ratios: tuple[RatioReading, ...] = ()
    tests: tuple[TestReading, ...] = ()
    medians: tuple[MedianReading, ...] = ()

    def problems(self) -> list[str]:
        missing = [name for name in ("words", "source") if not getattr(self, name)]
        return [
            f"{name}: got nothing; needed is {'a list of texts' if name == 'words' else 'where it is documented'}"
            for name in missing
        ]

    def named_in(self, text: str) -> bool:
        """Whether a text names the program."""
        return any(word.lower() in text.lower() for word in self.words)


JOINT, SEPARATE = "joint", "separate"
EQUAL, BY_SOFTWARE = "equal", "software"


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """How readings are weighed.

    readings       "joint": one reading of the estimators for all endpoints of the paper; "separate": each endpoint by itself
    reading_prior  "equal", or "software": by the programs that the study file names
    unlisted       prior odds of an estimator that no named program prints against one that it does (papers do not name every program)
    software       programs by name
    """

    readings: str = JOINT
    reading_prior: str = EQUAL
    unlisted: float = 0.05
    software: Mapping[str, Software] = field(default_factory=dict)

    def problems(self) -> list[str]:
        allowed = {"readings": (JOINT, SEPARATE), "reading_prior": (EQUAL, BY_SOFTWARE)}
        found = [
            f"{name}: got {getattr(self, name)!r}; allowed are {', '.join(values)}"
            for name, values in allowed.items()
            if getattr(self, name) not in values
        ]
        if not 0 < self.unlisted <= 1:
            found.append(f"unlisted: got {self.unlisted}; allowed is above 0, at most 1")
        return found

    def programs(self, text: str) -> dict[str, Software]:
        """The programs that a text names."""
        return {name: item for name, item in self.software.items() if item.named_in(text)}


def prior_odds(reading: Reading, programs: Sequence[Software], unlisted: float) -> float:
    """Prior weight of a reading, up to a factor: 1 for each part that a named program prints, `unlisted` for each that none does; a part of which
    no program says anything weighs 1.
    """
    odds = 1.0
    for part, listed in (("ratio", "ratios"), ("test", "tests"), ("median", "medians")):
        known = {item for program in programs for item in getattr(program, listed)}
        value = getattr(reading, part)
        if value is not None and known and value not in known:
            odds *= unlisted
    return odds
