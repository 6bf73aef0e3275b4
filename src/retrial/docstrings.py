"""Names and their meaning as docstrings of this program list them: what a file's columns mean is said once, in the type that fills them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

_LINE = re.compile(r"^(?P<names>[a-z_]+(?:, [a-z_]+)*)(?:  +(?P<text>\S.*))?$")


def told(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Names and their meaning as docstrings of this program list them: "name, name  meaning", continued by indented lines."""
    names, meaning = "", ""
    for line in inspect.cleandoc(text).splitlines():
        found = _LINE.match(line)
        if found or not line.startswith(" "):
            if names:
                yield tuple(names.split(", ")), meaning
            names, meaning = (found["names"], found["text"] or "") if found else ("", "")
        elif names:
            meaning += f" {line.strip()}"
    if names:
        yield tuple(names.split(", ")), meaning
