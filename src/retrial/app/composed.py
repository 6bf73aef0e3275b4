"""What Hydra composed, as plain data: light, so that a finished run is found without importing any model."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from retrial.app.door.values import value_problems
from retrial.errors import ConfigError
from retrial.study.problems import one_line

CUSTOM = "custom"
"""Name of a prior set or model that the command line changed."""
_MOST_LISTED = 100
NOT_ASKED = ("output_dir", "force")
"""Keys that say where and whether to run, not what: they do not name a run folder."""


def plain(config: DictConfig) -> dict[str, Any]:
    """Hydra's config as plain data, each value looked at; none is an interpolation, and none is resolved. Raises `ConfigError`."""
    try:
        container = OmegaConf.to_container(config, resolve=False, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError("cannot use the configuration", [one_line(error)[:600]]) from error
    asked = dict(container)  # type: ignore[arg-type]
    asked.pop("experiment", None)  # the group's empty default; a chosen experiment writes to the other keys
    if wrong := list(value_problems(asked)):
        raise ConfigError("cannot use the configuration", wrong[:_MOST_LISTED])
    return {str(key): value for key, value in asked.items()}


def question(asked: dict[str, Any]) -> dict[str, Any]:
    """The part of a configuration that the results depend on."""
    return {key: value for key, value in asked.items() if key not in NOT_ASKED}
