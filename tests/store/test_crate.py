"""The RO-Crate of a run folder: the entities that the specification requires, every file with its checksum, every reference resolved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from retrial.store.crate import finish_run
from retrial.store.folders import damage

MANIFEST: dict[str, Any] = {
    "verb": "reanalyse",
    "study": "one",
    "title": "A study",
    "citation": {"text": "Somebody 2025", "doi": "https://doi.org/10.1000/xyz<1>", "licence": "CC BY 4.0"},
    "versions": {"python": "3.12", "retrial-bayes": "0.2.0", "pymc": "6.4.0"},
    "commit": "0123",
    "failures": [],
}


def written(place: Path, manifest: dict[str, Any]) -> tuple[Path, dict[str, dict[str, Any]], list[dict[str, Any]]]:
    folder = place / "reanalyse" / "one" / "0123456789ab"
    (folder / "figures").mkdir(parents=True)
    (folder / "estimates.csv").write_text("endpoint\nos\n")
    (folder / "figures" / "a b.svg").write_text("<svg/>")
    finish_run(folder, manifest)
    crate = json.loads((folder / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    assert crate["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    graph = crate["@graph"]
    return folder, {entity["@id"]: entity for entity in graph}, graph


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if set(node) == {"@id"}:
            yield node["@id"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_required_entities(tmp_path: Path) -> None:
    """RO-Crate 1.1, "Root Data Entity" and "Data Entities"."""
    folder, entities, graph = written(tmp_path, MANIFEST)
    assert len(entities) == len(graph)
    descriptor, root = entities["ro-crate-metadata.json"], entities["./"]
    assert descriptor["@type"] == "CreativeWork"
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert descriptor["about"] == {"@id": "./"}
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license", "hasPart"))
    assert all("@type" in entity for entity in graph)
    known = {*entities, "https://w3id.org/ro/crate/1.1"}
    assert set(references(graph)) <= known
    assert damage(folder) == ""


def test_every_file_has_its_checksum(tmp_path: Path) -> None:
    folder, entities, _ = written(tmp_path, MANIFEST)
    files = {unquote(name): entity for name, entity in entities.items() if entity["@type"] == "File"}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert set(files) == there - {"ro-crate-metadata.json"}
    for name in set(files) - {"manifest.json"}:
        content = (folder / name).read_bytes()
        assert files[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert files[name]["contentSize"] == str(len(content))
    assert {part["@id"] for part in entities["./"]["hasPart"]} == {
        name for name, one in entities.items() if one["@type"] == "File"
    }


def test_study_licence_and_software(tmp_path: Path) -> None:
    _, entities, _ = written(tmp_path, MANIFEST)
    action = entities["#run"]
    assert entities[action["object"]["@id"]]["identifier"] == "doi:10.1000/xyz<1>"
    assert action["object"]["@id"] == "https://doi.org/10.1000/xyz%3C1%3E"
    assert entities["#licence"]["name"] == "CC BY 4.0"
    assert entities["#retrial"]["softwareVersion"] == "0.2.0"
    assert entities["#pymc"]["softwareVersion"] == "6.4.0"


def test_a_run_without_a_citation_is_whole(tmp_path: Path) -> None:
    _, entities, graph = written(tmp_path, {"verb": "report", "failures": []})
    assert entities["#licence"]["name"] == "not stated"
    assert "object" not in entities["#run"]
    assert set(references(graph)) <= {*entities, "https://w3id.org/ro/crate/1.1"}
