"""What a function's result depends on in the program itself: its module, all modules that this imports, and the libraries."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

OURS = "retrial"


@functools.cache
def source_of(module: str) -> Path | None:
    """Source file of a module; None where the name is no module (but something in one), or one without a source."""
    package = module.rpartition(".")[0]
    if package and (around := source_of(package)) is not None and around.stem != "__init__":
        return None  # asked further, Python would import what is around it
    try:
        found = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    origin = "" if found is None else str(found.origin)
    return Path(origin) if origin.endswith(".py") else None


@functools.cache
def imports(module: str) -> frozenset[str]:
    """Modules of ours that a module names in an import, wherever it stands; of a package that goes through its own `__path__`, all of its modules.

    Packages around a module run too, but give it nothing.
    """
    path = source_of(module)
    names: set[str] = set()
    for node in ast.walk(ast.parse(_read(path))) if path is not None else ():
        if path is not None and isinstance(node, ast.Name) and node.id == "__path__":
            names |= {f"{module}.{file.stem}" for file in path.parent.glob("*.py")}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = module if path is not None and path.stem == "__init__" else module.rpartition(".")[0]
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return frozenset(name for name in names if name.startswith(f"{OURS}.") and source_of(name) is not None)


def _read(path: Path | None) -> bytes:
    return b"" if path is None else path.read_bytes()


def closure(modules: Iterable[str]) -> list[str]:
    """These modules and all of ours that they import, directly or not; sorted."""
    found: set[str] = set()
    waiting = [*modules]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += imports(name)
    return sorted(found)


def code_digest(modules: Iterable[str]) -> str:
    """Hash of the names and sources of `closure`."""
    digest = hashlib.sha256()
    for name in closure(modules):
        digest.update(f"{name}\n{hashlib.sha256(_read(source_of(name))).hexdigest()}\n".encode())
    return digest.hexdigest()
