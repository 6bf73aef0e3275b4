"""`retrial report base=FOLDER other=FOLDER`: two runs held against each other."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from retrial.app.door.values import place_problems
from retrial.app.process.surroundings import say, tell
from retrial.errors import ConfigError, RetrialError
from retrial.store.crate import finish_run
from retrial.store.folders import CHECKSUM, fingerprint, open_run

BASE, OTHER = "base", "other"
_KEYS = (BASE, OTHER, "output_dir", "force")
_LABEL = "two_runs"
_EXAMPLE = "retrial report base=outputs/reanalyse/mytrial/0123456789ab other=outputs/reanalyse/mytrial/ba9876543210"


def is_asked(arguments: Sequence[str]) -> bool:
    """Whether a command line of `report` is about two runs."""
    return any(argument.partition("=")[0] in (BASE, OTHER) for argument in arguments)


def run(arguments: Sequence[str]) -> int:
    """Write the comparison and print its folder; exit status 0, or 2 for bad input."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING)
    try:
        keys = _read(arguments)
        say(str(_compared(keys)))
    except RetrialError as error:
        tell(f"error: {error}")
        return error.exit_status
    return 0


def _read(arguments: Sequence[str]) -> dict[str, str]:
    """The keys. Raises `ConfigError` with every problem."""
    keys: dict[str, str] = {}
    problems = []
    for argument in arguments:
        name, sign, value = argument.partition("=")
        if not sign or name not in _KEYS:
            problems.append(f"got {argument[:200]}; allowed beside {BASE}= and {OTHER}= are output_dir=DIR and force=true")
        elif name in keys:
            problems.append(f"{name}: got it twice; allowed is once")
        elif not value:
            problems.append(f"{name}: got nothing; needed is a {'value' if name == 'force' else 'folder'}")
        keys[name] = value
    problems += [f"{name}: missing; needed is a run folder ({_EXAMPLE})" for name in (BASE, OTHER) if name not in keys]
    if keys.get("force", "true") not in ("true", "false"):
        problems.append(f"force: got {keys['force'][:200]}; allowed are true and false")
    for name in (BASE, OTHER, "output_dir"):
        problems += place_problems(keys[name], name) if keys.get(name) else []
    if problems:
        raise ConfigError("cannot compare two runs", list(dict.fromkeys(problems)))
    return keys


def _compared(keys: Mapping[str, str]) -> Path:
    from retrial.pipeline.pages.runs import compare, read_run
    from retrial.store.folders import source_digest
    from retrial.store.manifest import commit, versions

    base, other = (read_run(Path(keys[name])) for name in (BASE, OTHER))
    asked = {
        BASE: [base.folder, base.manifest[CHECKSUM], base.damage],
        OTHER: [other.folder, other.manifest[CHECKSUM], other.damage],
    }
    folder = Path(keys.get("output_dir", "outputs")) / "report" / _LABEL / fingerprint(asked, {})
    with open_run(folder, keys.get("force") == "true") as place:
        if place is not None:
            compare(base, other, place)
            about = {"verb": "report", "study": _LABEL, "title": "two runs compared", "config": asked, "failures": []}
            finish_run(place, {**about, "versions": versions(), "commit": commit(), "source_sha256": source_digest()})
    return folder
