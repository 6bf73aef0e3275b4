"""Writes the parts of the reference pages that the code knows best: `make docs`. A test compares them with what it would write.

A part stands between `<!-- begin NAME -->` and `<!-- end NAME -->`; NAME is a key of `PARTS`.
"""

from __future__ import annotations

import functools
import itertools
import re
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from retrial.cli import VERBS
from retrial.store.artefacts import ARTEFACTS, TABLES

DOCS = Path(__file__).resolve().parent
CONF = DOCS.parent / "conf"
_SECTIONS = ("sampler", "reconstruction", "answers", "covariates", "sensitivity", "multiverse", "operating")


def files() -> str:
    """Table of every file of a run."""
    rows = []
    for item in ARTEFACTS.values():
        path = re.sub(r"\{([a-z]+)\}", lambda found: found[1].upper(), item.pattern)
        shown = f"[`{path}`](#{path.replace('.', '')})" if item.columns else f"`{path}`"
        rows.append(f"| {shown} | {item.holds} | {', '.join(f'`{verb}`' for verb in item.verbs.split(', '))} | {item.reader} |")
    return "\n".join(["| file | holds | written by | read by |", "|---|---|---|---|", *rows])


def table(name: str) -> str:
    """Table of the columns of one of a run's tables; neighbours with one meaning share a line."""
    rows = []
    for meaning, group in itertools.groupby(ARTEFACTS[name].columns.items(), lambda item: item[1]):
        rows.append(f"| {', '.join(f'`{column}`' for column, _ in group)} | {meaning} |")
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
    "files": files,
    **{f"{name}.csv": functools.partial(table, name) for name in TABLES},
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
