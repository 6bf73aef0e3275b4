"""Prose about how the numbers came about, from the study, the estimates, the models' cards and the manifest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import yaml

from retrial.report.data import ReportData
from retrial.report.labels import model_label, upper_first
from retrial.report.tables.results import interval_words

_DOI = re.compile(r"^10\.\d{4,9}/[A-Za-z0-9._;()/:-]+$")
_CARD = re.compile(r"^Model card: *`\w+`,? *")
"""How a model's docstring begins; the page has its name already."""
_SHOWN_FIRST = ("study", "verb", "seed", "commit")


@dataclass(frozen=True, slots=True)
class Card:
    """A model's card: its first paragraph, and the rest behind it."""

    name: str
    summary: str
    rest: str


def doi_address(doi: str) -> str:
    """Link of a well-formed DOI, the only kind of link that a study file can put on the page; else empty."""
    cleaned = doi.strip().removeprefix("https://doi.org/")
    return f"https://doi.org/{cleaned}" if _DOI.match(cleaned) else ""


def paragraphs(data: ReportData) -> list[str]:
    """Intervals, diagnostics, software and seed, in sentences."""
    return [text for text in (_intervals(data), _diagnostics(data), _software(data.manifest)) if text]


def _intervals(data: ReportData) -> str:
    parts = []
    for method, words in (
        ("bayes", "Bayesian rows give the posterior median and the {}"),
        ("frequentist", "frequentist rows the estimate and the {}"),
    ):
        found = interval_words([row for row in data.estimates if row.method == method])
        if found:
            parts.append(words.format(found))
    return upper_first("; ".join(parts)) + ". Published rows keep the paper's digits." if parts else ""


def _diagnostics(data: ReportData) -> str:
    if data.diagnostics is None or data.diagnostics.empty:
        return ""
    return (
        f"A sampled posterior is used only with {data.thresholds}; otherwise the fit is marked failed wherever its numbers stand."
    )


def _software(manifest: Mapping[str, Any]) -> str:
    versions = manifest.get("versions")
    parts = []
    if isinstance(versions, Mapping) and versions:
        parts.append("Software: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    for name in ("seed", "commit"):
        if manifest.get(name) not in (None, ""):
            parts.append(f"{name} {manifest[name]}")
    return upper_first("; ".join(parts)) + "." if parts else ""


def cards(data: ReportData) -> list[Card]:
    """The cards of the models, as far as they have one."""
    found = []
    for model, text in data.model_cards.items():
        summary, _, rest = _CARD.sub("", text.strip()).partition("\n\n")
        found.append(Card(upper_first(model_label(model)), upper_first(" ".join(summary.split())), rest.strip("\n")))
    return found


def facts(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Short entries of the manifest, as they stand."""
    return [
        (name, str(manifest[name])) for name in _SHOWN_FIRST if isinstance(manifest.get(name), (str, int)) and str(manifest[name])
    ]


class Verbatim(str):
    """A text that no label of the page changes."""

    __slots__ = ()


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The whole manifest as YAML."""
    return Verbatim(yaml.safe_dump(_plain(manifest), sort_keys=False, allow_unicode=True, width=100) if manifest else "")


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(name): _plain(item) for name, item in node.items()}
    if isinstance(node, (list, tuple)):
        return [_plain(item) for item in node]
    # types derived from these (an enum, a NumPy number) are none that YAML knows
    for kind in (bool, int, float):
        if isinstance(node, kind):
            return kind(node)
    return None if node is None else int(node) if isinstance(node, Integral) else str(node)
