"""Strips trailing spaces and ends files with one newline; exit status 1 where something was changed, as pre-commit expects."""

from __future__ import annotations

import sys
from pathlib import Path


def main(names: list[str]) -> int:
    """Mend the files of these names; 1 where one was changed."""
    changed = 0
    for path in map(Path, names):
        text = path.read_text(encoding="utf-8")
        lines = [line.rstrip(" \t") for line in text.split("\n")]
        mended = "\n".join(lines).rstrip("\n") + "\n" if text.strip() else text
        if mended != text:
            path.write_text(mended, encoding="utf-8")
            print(f"mended {path}")
            changed = 1
    return changed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
