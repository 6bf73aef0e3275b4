"""The pages say what the program does: verbs, keys, files, columns, links; the README is short; what is public is documented."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from retrial.cli import VERBS

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "outputs" / "README.md", ROOT / "experiments" / "README.md"]
)
README_LINES = 200


def text_of(*names: str) -> str:
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def public(path: Path) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            yield node


@pytest.mark.parametrize("folder", ["src", "models", "experiments"])
def test_what_is_public_is_documented(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in files
        for node in public(path)
        if not ast.get_docstring(node)
    ]
    assert silent == []


def test_the_readme_is_short_and_has_its_picture() -> None:
    text = text_of("README.md")
    assert len(text.splitlines()) <= README_LINES
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == 1
    assert (ROOT / pictures[0]).stat().st_size > 10_000


def test_the_generated_parts_are_as_the_code_has_them(reference: ModuleType) -> None:
    stale = [
        path.name
        for path in reference.pages()
        if reference.with_parts(path.read_text(encoding="utf-8")) != path.read_text(encoding="utf-8")
    ]
    assert not stale, "run `make docs`"
    written = "".join(path.read_text(encoding="utf-8") for path in reference.pages())
    assert all(f"<!-- begin {name} -->" in written for name in reference.PARTS)


def test_every_verb_is_in_the_readme_and_in_the_reference() -> None:
    for page in ("README.md", "docs/configuration.md"):
        assert [verb for verb in VERBS if f"`{verb}`" not in text_of(page)] == []


def keys_of(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            if not name.startswith("_"):
                yield name
            yield from keys_of(value)


def test_every_key_of_the_configuration_is_documented() -> None:
    told = text_of("docs/configuration.md", "docs/priors.md", "models/README.md")
    missing = set()
    for path in sorted([*ROOT.glob("conf/*.yaml"), *ROOT.glob("conf/*/default.yaml"), *ROOT.glob("conf/model/*.yaml")]):
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        loaded = {name: value for name, value in loaded.items() if name not in ("defaults", "hydra")}
        own = loaded.pop("priors", {}) if path.parent.name == "model" else {}
        names = {*keys_of(loaded), *(name for prior in own.values() for name in prior)}
        missing |= {f"{path.parent.name}/{path.name}: {name}" for name in names if not re.search(rf"\b{re.escape(name)}\b", told)}
    assert missing == set()


def test_every_chosen_name_is_documented() -> None:
    told = text_of("docs/configuration.md")
    for group in ("model", "prior", "evidence", "experiment"):
        for path in ROOT.glob(f"conf/{group}/*.yaml"):
            assert f"| {group} | `{path.stem}` |" in told


def links() -> list[tuple[Path, str]]:
    return [(page, link) for page in PAGES for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))]


def anchor_of(heading: str) -> str:
    plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return plain.replace(" ", "-")


def test_every_link_leads_somewhere() -> None:
    broken = []
    for page, link in links():
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        headings = (
            re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE) if anchor and target.is_file() else []
        )
        if not target.exists() or (anchor and anchor not in map(anchor_of, headings)):
            broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_cited_sections_of_the_methods_exist() -> None:
    sections = set(re.findall(r"^## (\d+)\. ", text_of("docs/methods.md"), re.MULTILINE))
    assert sections == {str(number) for number in range(1, 15)}
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("models/*.py"), *ROOT.glob("tests/**/*.py"), *ROOT.glob("conf/**/*.yaml")]
    cited = {number for path in files for number in re.findall(r"METHODS (\d+)", path.read_text(encoding="utf-8"))}
    assert cited
    assert cited <= sections


def test_no_page_names_a_registrys_host() -> None:
    hosts = re.compile(r"pypi\.|pythonhosted|conda\.anaconda", re.IGNORECASE)
    files = [*PAGES, ROOT / ".pre-commit-config.yaml", ROOT / "Makefile", *ROOT.glob(".github/**/*.yml")]
    assert [path.name for path in files if hosts.search(path.read_text(encoding="utf-8"))] == []
