"""Every named prior set as Hydra composes it, for `retrial list priors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.errors import HydraException

from retrial.answers.priors import prior_lines
from retrial.composed import plain
from retrial.errors import InputError
from retrial.priors.prior import SUPPORT
from retrial.priors.prior_set import PARAMETER_SUPPORT
from retrial.priors.statements import parse_prior_set
from retrial.study.yaml_text import read_yaml_text


def listed_priors(names: Sequence[str], own: Path | None) -> list[str]:
    """Lines on each named set: what it implies, its size in data, its source; a set that cannot be read says why.

    `own` is a folder of the user's, searched first (--config-dir).
    """
    lines: list[str] = []
    supports = _supports(own)
    search = [f"hydra.searchpath=[file://{own.resolve()}]"] if own is not None else []
    with initialize_config_module("retrial.conf", version_base="1.3"):
        for name in names:
            try:
                raw = plain(compose("fit", [f"prior={name}", *search]))["prior"]
                lines += prior_lines([parse_prior_set(raw, f"prior {name}", name, supports)])
            except (InputError, HydraException) as error:
                lines.append(f"{name}: {' '.join(str(error).split())}")
    return lines


def _supports(own: Path | None) -> dict[str, str]:
    """Where every parameter lives that a model has, the user's models included."""
    folders = [Path(str(resources.files("retrial.conf"))), *([own] if own is not None else [])]
    supports = dict(PARAMETER_SUPPORT)
    for path in (path for folder in folders for path in sorted(folder.glob("model/*.yaml"))):
        stated = read_yaml_text(path).get("priors") or {}
        supports |= {
            name: SUPPORT[prior["family"]]
            for name, prior in stated.items()
            if isinstance(prior, Mapping) and prior.get("family") in SUPPORT
        }
    return supports
