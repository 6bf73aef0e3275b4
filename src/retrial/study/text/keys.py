"""Keys of a study file, and of this program, in sentences for readers: there the study's own names of things stand for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

_COMPOUND = re.compile(r"(?<![\w./\\-])[A-Za-z]\w*_\w+(?![\w/\\]|\.[a-z])")
_PATH = re.compile(r"(?<![\w./\\-])[a-z]\w*(?:\.\w+)+")
_LIST = re.compile(r"^[A-Za-z]\w*(?:, [A-Za-z]\w*)*(?=:| \()|(?<=\()[A-Za-z]\w*(?:, [A-Za-z]\w*)*(?=\))")
_HOLDERS = frozenset({"variables", "terms", "grades", "levels", "categories", "composites", "covariates", "rows", "results"})
"""Parts of key paths that only hold what is named."""


@dataclass(frozen=True)
class KeyNames:
    """`names` of keys; `sections` of the study file, with which key paths begin; `short` keys that are no words.

    A key of two words or more (`os_unadjusted`) and a `short` one (`os`) are named wherever they stand as a word of their own, a key path part by
    part, and a key that could be a word of the language only where a text begins with it and a colon or parenthesis, or where it stands in
    parentheses by itself: a sentence that says "stage" is about stages.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    sections: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()

    @cached_property
    def _short(self) -> re.Pattern[str] | None:
        words = "|".join(map(re.escape, sorted(self.short)))
        return re.compile(rf"(?<![\w./\\-])(?:{words})(?![\w/\\-]|\.\w)") if words else None

    def prose(self, text: str) -> str:
        """The text as a reader takes it."""
        if not self.names:
            return text
        if "." in text:
            text = _PATH.sub(lambda found: self.path(found[0]), text)
        if ":" in text or "(" in text:
            text = _LIST.sub(lambda found: self._each(found[0]), text)
        if "_" in text:
            text = _COMPOUND.sub(lambda found: self.names.get(found[0], found[0]), text)
        return text if self._short is None else self._short.sub(lambda found: self.names[found[0]], text)

    def path(self, path: str) -> str:
        """A key path in words: "progression-free survival, hazard ratio" of `endpoints.pfs.hazard_ratio`; another text as it is."""
        section, *parts = path.split(".")
        if section not in self.sections:
            return path
        told = [part for part in parts if part not in _HOLDERS] or parts
        return ", ".join(self.names.get(part, part.replace("_", " ")) for part in told)

    def _each(self, keys: str) -> str:
        parts = keys.split(", ")
        return "; ".join(self.names[part] for part in parts) if all(part in self.names for part in parts) else keys
