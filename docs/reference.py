"""Writes the parts of the reference pages that the code knows best: `make docs`. A test compares them with what it would write.

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; NAME is a key of `PARTS`.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from retrial.answers.agreement import Agreement
from retrial.audit.check import Check
from retrial.cli import VERBS
from retrial.estimate import Estimate

DOCS = Path(__file__).resolve().parent
CONF = DOCS.parent / "conf"
_FIELD = re.compile(r"^(?P<names>[a-z_]+(?:, [a-z_]+)*)  +(?P<text>\S.*)$")
_SECTIONS = ("sampler", "reconstruction", "answers")


def fields(kind: type) -> Iterator[tuple[str, str]]:
    """Names and meaning of the fields that a dataclass's docstring lists, one a line, continued by indented lines."""
    names, text = "", ""
    for line in (inspect.getdoc(kind) or "").splitlines():
        found = _FIELD.match(line)
        if found or not line.startswith(" "):
            if names:
                yield names, text
            names, text = (found["names"], found["text"]) if found else ("", "")
        elif names:
            text += f" {line.strip()}"
    if names:
        yield names, text


def columns(kind: type) -> str:
    """Table of the columns that hold a dataclass's fields."""
    rows = [f"| {', '.join(f'`{name}`' for name in names.split(', '))} | {text} |" for names, text in fields(kind)]
    return "\n".join(["| column | meaning |", "|---|---|", *rows])


def verbs() -> str:
    """Table of the verbs."""
    return "\n".join(["| verb | does |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in VERBS.items())])


def _keys(path: Path) -> str:
    """A configuration file without its list of groups and without Hydra's own settings."""
    text = path.read_text(encoding="utf-8").split("\nhydra:")[0]
    return re.sub(r"^defaults:\n(?:  - .*\n)+", "", text, flags=re.MULTILINE).strip()


def configuration() -> str:
    """Every key with its default and meaning, as the files of conf/ have it."""
    files = [CONF / "base.yaml", *(CONF / f"{verb}.yaml" for verb in VERBS if (CONF / f"{verb}.yaml").is_file())]
    parts = [f"```yaml\n# conf/{path.name}\n{_keys(path)}\n```" for path in files]
    for group in _SECTIONS:
        parts += [f"```yaml\n# conf/{group}/default.yaml\n{group}:\n{_indented(_keys(CONF / group / 'default.yaml'))}\n```"]
    return "\n\n".join(parts)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" if line else line for line in text.splitlines())


def groups() -> str:
    """Table of what each group of conf/ offers."""
    rows = []
    for group in ("model", "prior", "evidence", "experiment"):
        for path in sorted(CONF.glob(f"{group}/*.yaml")):
            text = path.read_text(encoding="utf-8")
            loaded = yaml.safe_load(text) or {}
            told = str(loaded.get("description") or (loaded.get("experiment") or {}).get("question") or _comment(text))
            rows.append(f"| {group} | `{path.stem}` | {told} |")
    return "\n".join(["| group | name | what |", "|---|---|---|", *rows])


def own_priors() -> str:
    """Table of the priors that models state for their own parameters."""
    rows = []
    for path in sorted(CONF.glob("model/*.yaml")):
        for name, prior in (yaml.safe_load(path.read_text(encoding="utf-8")).get("priors") or {}).items():
            told = ", ".join(f"{key} {value:g}" for key, value in prior.items() if isinstance(value, float | int))
            rows.append(f"| `{path.stem}` | `{name}` | {prior['family']} ({told}) | {prior.get('source', '')} |")
    return "\n".join(["| model | parameter | prior | source |", "|---|---|---|---|", *rows])


def _comment(text: str) -> str:
    lines = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#") and "@package" not in line]
    return lines[0] if lines else ""


PARTS: dict[str, Callable[[], str]] = {
    "verbs": verbs,
    "configuration": configuration,
    "groups": groups,
    "own_priors": own_priors,
    "estimates": lambda: columns(Estimate),
    "audit": lambda: columns(Check),
    "agreement": lambda: columns(Agreement),
}


def with_parts(text: str) -> str:
    """A page with its parts as the code has them now."""
    for name, part in PARTS.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        if begin in text:
            before, rest = text.split(begin)
            text = f"{before}{begin}{part()}\n{end}{rest.split(end)[1]}"
    return text


def pages() -> list[Path]:
    """The pages that have parts."""
    return [path for path in sorted(DOCS.glob("*.md")) if "<!-- begin " in path.read_text(encoding="utf-8")]


def main() -> int:
    """Write the parts; prints what changed."""
    for path in pages():
        text = path.read_text(encoding="utf-8")
        if with_parts(text) != text:
            path.write_text(with_parts(text), encoding="utf-8")
            print(f"written {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
