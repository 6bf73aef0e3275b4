"""The one style of all figures, whatever a user's matplotlibrc says."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.style

INK = "#1a1a1a"
_STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 9.0,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "svg.hashsalt": "retrial",
}
_GLYPH = r"Glyph \d+ .* missing from font"


@contextmanager
def style() -> Iterator[None]:
    """The figures' style, for the time of one figure; whatever a user's matplotlibrc says."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


@contextmanager
def without_missing_glyphs() -> Iterator[None]:
    """A label may be in a script that the built-in font lacks: a box in the picture is no reason to stop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_GLYPH)
        yield
