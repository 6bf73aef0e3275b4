"""Study files from trees, for tests that change trees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def at(tree: Any, path: tuple[str | int, ...]) -> Any:
    """The node at a key path."""
    for part in path:
        tree = tree[part]
    return tree


def write_tree(folder: Path, tree: Any) -> Path:
    """Write a tree as a study file: JSON, which the YAML reader takes, because it is written a hundred times as fast."""
    path = folder / "study.yaml"
    path.write_text(json.dumps(tree, ensure_ascii=False), encoding="utf-8")
    return path
