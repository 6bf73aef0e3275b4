"""`Artefact`: one kind of file of a run, and what its columns mean."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from retrial.docstrings import told

_EVERYWHERE = {
    "endpoint": "key of the endpoint or outcome in the study file",
    "quantity": "what it is, by the field's name",
    "contrast": "which comparison or group",
    "adjusted_for": "covariates that a ratio is adjusted for, by a comma; empty: unadjusted",
    "time": "months at which, or up to which; empty where the quantity has none",
    "arm": "control, experimental or total",
    "model": "name of the model",
    "prior": "name of the prior set",
    "variant": "how the analysis differs from the main one of that model and prior; empty: it is the main one",
    "parameter": "of the model, on its own scale",
    "unit": "of the numbers",
    "tables": "how many tables",
    "published": "the printed number",
    "posterior": "the posterior median",
    "small": "the standardised difference is below `answers.agreement.z`",
    "status": '"ok", or why the numbers must not be used',
}
"""What columns mean that many tables have."""


@dataclass(frozen=True)
class Artefact:
    """One kind of file.

    pattern  its path in the run folder; {endpoint}, {model} and {name} stand for keys, {path} for any path
    holds    what it holds
    verbs    that write it, by a comma; `reader`: what of the program reads it again
    columns  of a table, in their order: name -> meaning
    digits   format of the table's numbers; None: all the digits that they have
    """

    pattern: str
    holds: str
    verbs: str
    reader: str
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    digits: str | None = None

    def fits(self, path: str) -> bool:
        """Whether a path in a run folder is one of these."""
        parts = re.split(r"(\{[a-z]+\})", self.pattern)
        kinds = {"{path}": r".+"}
        found = (kinds.get(part, r"[^/]+") if part.startswith("{") else re.escape(part) for part in parts)
        return re.fullmatch("".join(found), path) is not None


def columns(text: str) -> dict[str, str]:
    """Columns and meanings that a text lists; what columns mean that many tables have is known."""
    return {name: meaning or _EVERYWHERE[name] for names, meaning in told(text) for name in names}


def fields(kind: type, *without: str) -> dict[str, str]:
    """Columns that hold a dataclass's fields, with the meaning that its docstring gives."""
    meanings = _EVERYWHERE | {name: meaning for names, meaning in told(kind.__doc__ or "") for name in names if meaning}
    return {field.name: meanings[field.name] for field in dataclasses.fields(kind) if field.name not in without}
