"""`ArmNames`: which arm of a study file has which role in a comparison, and texts and key paths with the file's own names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from retrial.dims import ARMS, CONTROL, EXPERIMENTAL
from retrial.study.arms.schema import arm_positions

_ROLE = re.compile(rf"(?<![\w.])({CONTROL}|{EXPERIMENTAL})(?![\w-])")
_ARM_KEY = re.compile(rf"\b(arms\.|median(?:_ci|_lower|_upper)?\.|events\.|at_risk\.)({CONTROL}|{EXPERIMENTAL})\b")
_NOBODY = re.compile(rf";? ?\b{EXPERIMENTAL} (?!arm)[^;]*(?=;|$)")
"""What a text says of the arm that a study of one arm does not have."""


@dataclass(frozen=True, slots=True)
class ArmNames:
    """Names of the arms that are control and experimental in a comparison; `experimental` is empty in a study of one arm.

    `others` are the study's arms that are not compared; `texts` are the file's own texts in which a role's word stands, longest
    first: they are nobody's to change.
    """

    control: str = CONTROL
    experimental: str = EXPERIMENTAL
    others: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @property
    def are_roles(self) -> bool:
        """Whether the names are the roles, so that there is nothing to name."""
        return (self.control, self.experimental) == ARMS

    @property
    def key(self) -> str:
        """Name of the comparison in file names: experimental_2_vs_control."""
        return f"{self.experimental}_vs_{self.control}"

    @property
    def words(self) -> str:
        """The comparison as ratios are written, numerator first: experimental_2 / control."""
        return f"{self.experimental} / {self.control}"

    @property
    def roles(self) -> dict[str, str]:
        """The role of each arm, by its name."""
        return {self.control: CONTROL, **({self.experimental: EXPERIMENTAL} if self.experimental else {})}

    def of(self, role: str) -> str:
        """Name of a role's arm; any other text as it is."""
        return {CONTROL: self.control, EXPERIMENTAL: self.experimental}.get(role, role)

    def contrast(self, text: str) -> str:
        """ "experimental / control" with the names; the groups of a covariate stay."""
        for sign in (" / ", " - "):
            first, found, second = text.partition(sign)
            if found and {first, second} == set(ARMS):
                return f"{self.of(first)}{sign}{self.of(second)}"
        return self.of(text)

    def prose(self, text: str) -> str:
        """A sentence of this program with the arms' names; words that the file itself has are left alone."""
        if self.are_roles or not (CONTROL in text or EXPERIMENTAL in text):
            return text
        kept = [own for own in self.texts if own in text]
        for number, own in enumerate(kept):
            text = text.replace(own, f"\0{number}\0")
        if not self.experimental:
            text = _NOBODY.sub("", text).replace(f" ({CONTROL} v {EXPERIMENTAL})", "").strip("; ")
        text = _ARM_KEY.sub(lambda found: f"{found[1]}{self.of(found[2])}", text)
        text = _ROLE.sub(lambda found: self.of(found[1]), text)
        for number, own in enumerate(kept):
            text = text.replace(f"\0{number}\0", own)
        return text

    def path(self, path: str) -> str:
        """A key path of the study file as the file has it."""
        if self.are_roles:
            return path
        parts = path.split(".")
        at = arm_positions(parts)
        return ".".join(self.of(part) if position in at else part for position, part in enumerate(parts))
