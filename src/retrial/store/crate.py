"""`ro-crate-metadata.json`: what a run folder holds, of which study and by which software, for archives and other programs (RO-Crate 1.1)."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from retrial.store.artefacts import ARTEFACTS, artefact_of, path_of
from retrial.store.files import checksums
from retrial.store.folders import MANIFEST, finish

_VERSION = "https://w3id.org/ro/crate/1.1"
_CONTEXT = [f"{_VERSION}/context", {"sha256": "https://schema.org/sha256"}]
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_PROGRAM, _ACTION, _LICENCE = "#retrial", "#run", "#licence"
_HOLDS = (
    "Results of a run of retrial: a Bayesian re-analysis of a study from what its paper prints."
    " docs/outputs.md of the program says what every file and column means."
)
_FORMATS = {
    ".bib": "application/x-bibtex",
    ".csv": "text/csv",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".parquet": "application/vnd.apache.parquet",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".tiff": "image/tiff",
}
"""Media types by ending, the same on every machine."""


def finish_run(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the description of a run's files, then its manifest."""
    text = json.dumps(crate(folder, manifest), indent=1, sort_keys=True, ensure_ascii=False)
    path_of(folder, "crate").write_text(text + "\n", encoding="utf-8")
    finish(folder, manifest)


def crate(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The description as JSON-LD: the folder as a data set with its files (size, SHA-256, format), the run as an action on the study."""
    files = list(_files(folder))
    study = _study(manifest)
    parts = [{"@id": one["@id"]} for one in files]
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": f"{manifest.get('title') or manifest.get('study')}: retrial {manifest.get('verb')}",
        "description": _HOLDS,
        "datePublished": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "license": {"@id": _LICENCE},
        "hasPart": parts,
        "mentions": {"@id": _ACTION},
        **({"isBasedOn": {"@id": study["@id"]}} if study else {}),
    }
    return {
        "@context": _CONTEXT,
        "@graph": [_descriptor(), root, *files, *([study] if study else []), *_about(manifest, study, parts)],
    }


def _descriptor() -> dict[str, Any]:
    return {
        "@id": ARTEFACTS["crate"].pattern,
        "@type": "CreativeWork",
        "conformsTo": {"@id": _VERSION},
        "about": {"@id": "./"},
    }


def _files(folder: Path) -> Iterator[dict[str, Any]]:
    """Every file; the manifest, which is written last, without a checksum."""
    for name, digest in checksums(folder, without=(MANIFEST, ARTEFACTS["crate"].pattern)).items():
        yield {**_file(name), "contentSize": str((folder / name).stat().st_size), "sha256": digest}
    yield _file(MANIFEST)


def _file(name: str) -> dict[str, Any]:
    kind, suffix = artefact_of(name), Path(name).suffix
    told = {"description": ARTEFACTS[kind].holds} if kind else {}
    written = _FORMATS.get(suffix, "application/octet-stream")
    return {"@id": quote(name), "@type": "File", "name": name, "encodingFormat": written, **told}


def _study(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The paper, where it is cited."""
    cited = manifest.get("citation")
    if not isinstance(cited, Mapping) or not any(cited.values()):
        return {}
    doi = _DOI.search(str(cited.get("doi") or ""))
    about = {"@type": "ScholarlyArticle", "name": str(cited.get("text") or manifest.get("title"))}
    if doi is None:
        return {"@id": "#study", **about}
    return {"@id": f"https://doi.org/{quote(doi[0])}", **about, "identifier": f"doi:{doi[0]}"}


def _about(manifest: Mapping[str, Any], study: Mapping[str, Any], parts: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Licence, program and its libraries, and the run as an action."""
    cited = manifest.get("citation")
    licence = str(cited.get("licence") or "") if isinstance(cited, Mapping) else ""
    said = f"The study's own: {licence}" if licence else "Not stated: whoever shares this run says under which licence."
    yield {"@id": _LICENCE, "@type": "CreativeWork", "name": licence or "not stated", "description": said}
    versions = manifest.get("versions")
    known = dict(versions) if isinstance(versions, Mapping) else {}
    libraries = [name for name in known if name != "retrial-bayes"]
    yield {
        "@id": _PROGRAM,
        "@type": "SoftwareApplication",
        "name": "retrial",
        "softwareVersion": str(known.get("retrial-bayes", "")),
        "identifier": f"commit {manifest.get('commit') or 'unknown'}, SHA-256 {manifest.get('source_sha256') or 'unknown'}",
        "softwareRequirements": [{"@id": f"#{quote(name)}"} for name in libraries],
    }
    for name in libraries:
        yield {"@id": f"#{quote(name)}", "@type": "SoftwareApplication", "name": name, "softwareVersion": str(known[name])}
    yield {
        "@id": _ACTION,
        "@type": "CreateAction",
        "name": f"retrial {manifest.get('verb')} study={manifest.get('study')}",
        "instrument": {"@id": _PROGRAM},
        "result": parts,
        **({"object": {"@id": study["@id"]}} if study else {}),
    }
