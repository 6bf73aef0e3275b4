"""Bayesian re-analysis of published clinical studies, from what the paper prints.

    import retrial

    study = retrial.load_study("my.yaml")
    retrial.audit(study).audit
    retrial.reanalyse(study, prior="sceptical", output_dir="outputs").estimates

The verbs are functions of `retrial.app.api`, which says what they take and give; `retrial VERB` on the command line does the same.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from retrial import errors
from retrial.app.api import Results, audit, fit, load_study, reanalyse, reconstruct, report, sensitivity

__all__ = ["Results", "audit", "errors", "fit", "load_study", "reanalyse", "reconstruct", "report", "sensitivity"]


class _VerbAndRoom:
    """A verb whose name is also a room's: called it is the verb, `retrial.audit.check` is still the room's module."""

    __wrapped__: Callable[..., Results]

    def __init__(self, verb: Callable[..., Results]) -> None:
        functools.update_wrapper(self, verb)

    def __call__(self, *arguments: Any, **keys: Any) -> Results:
        return self.__wrapped__(*arguments, **keys)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(import_module(f"{__name__}.{self.__name__}"), name)


class _Package(ModuleType):
    """This package: importing a room does not put its module in the place of the verb of the same name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (isinstance(value, ModuleType) and isinstance(self.__dict__.get(name), _VerbAndRoom)):
            super().__setattr__(name, value)


if not TYPE_CHECKING:
    audit, fit, report, sensitivity = map(_VerbAndRoom, (audit, fit, report, sensitivity))
    sys.modules[__name__].__class__ = _Package
