"""Kinds of data: one module a kind, which holds a `KIND`; what kinds share stands beside them."""

from __future__ import annotations

import functools
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retrial.data.kind import Kind


@functools.cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its name in a model's YAML (`data`): those of the modules in this folder, in alphabetical order."""
    modules = [import_module(f"{__name__}.{item.name}") for item in pkgutil.iter_modules(__path__)]
    return MappingProxyType({module.KIND.name: module.KIND for module in modules if hasattr(module, "KIND")})
