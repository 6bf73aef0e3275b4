"""How figures look and how they become files: one style, the same bytes for the same data."""

from __future__ import annotations

import base64
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

from retrial.dims import CONTROL, EXPERIMENTAL

WIDTH, SINGLE = 7.0, 3.5
"""Inches: a journal's two columns (178 mm) and one (89 mm), so that 8 points print as 8 points."""
INK, QUIET, RULE = "#1a1a1a", "#555555", "#b5b5b5"
FAILED = "#b00020"
# Okabe and Ito's colours, safe under colour blindness; text on white takes a darker shade (contrast above 4.5).
ARM_COLOURS = {CONTROL: "#0072B2", EXPERIMENTAL: "#D55E00"}
ARM_TEXT = {CONTROL: "#00588a", EXPERIMENTAL: "#a84a00"}
METHOD_COLOURS = {"published": "#000000", "frequentist": "#8f5580", "bayes": "#00795a"}
METHOD_MARKERS = {"published": "s", "frequentist": "D", "bayes": "o"}
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
_DOTS_PER_INCH, _PRESS_DOTS = 200, 600
"""Of a screen, and what journals ask of line art."""
_GLYPH = r"Glyph \d+ .* missing from font"


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished figure: SVG for the page, PNG for whoever needs one; `alt` says what a reader who cannot see it misses.

    `press` makes what a printer takes by ending, pdf and png of `_PRESS_DOTS` an inch; of the first layer's figures only.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: bytes
    png: bytes
    press: Callable[[], Mapping[str, bytes]] = dict

    @property
    def address(self) -> str:
        """The SVG as a data URI: as an image it can neither run a script nor load anything."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg).decode("ascii")


@contextmanager
def style() -> Iterator[None]:
    """The figures' style, for the time of one figure; whatever a user's matplotlibrc says."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def finish(figure: Figure, key: str, title: str, caption: str, alt: str, *, press: bool = False) -> Picture:
    """Write the figure without dates or versions, so that the same data give the same bytes; `press`: for a printer too."""
    with without_missing_glyphs():
        svg = _saved(figure, "svg", {"Date": None, "Creator": None})
        png = _saved(figure, "png", {"Software": None})
    return Picture(key, title, caption, alt, _short(svg), png, (lambda: _pressed(figure)) if press else dict)


def _pressed(figure: Figure) -> dict[str, bytes]:
    """What a printer takes; made where it is asked for, because it takes longer than all else of a figure."""
    with style(), without_missing_glyphs():
        pdf = _saved(figure, "pdf", {"CreationDate": None, "Creator": None, "Producer": None})
        return {"pdf": pdf, "png": _saved(figure, "png", {"Software": None}, _PRESS_DOTS)}


_PATH = re.compile(rb' d="[^"]*"')
_DIGITS = re.compile(rb"(\.\d\d)\d+")


def _short(svg: bytes) -> bytes:
    """Coordinates to a hundredth of a point, which no screen or paper shows."""
    return _PATH.sub(lambda found: _DIGITS.sub(rb"\1", found[0]), svg)


@contextmanager
def without_missing_glyphs() -> Iterator[None]:
    """A label may be in a script that the built-in font lacks: a box in the picture is no reason to stop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=_GLYPH)
        yield


def _saved(figure: Figure, kind: str, metadata: dict[str, None], dots: int = _DOTS_PER_INCH) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=dots, metadata=metadata, facecolor="white")
    return buffer.getvalue()


def safe(text: str, width: int = 0, lines: int = 3) -> str:
    """Text fit for a figure: printable, on one line or wrapped to `width` characters on at most `lines` lines."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not width:
        return plain
    return "\n".join(textwrap.wrap(plain, width, max_lines=lines, placeholder=" …")) or plain
