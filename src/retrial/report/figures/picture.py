"""How figures look and how they become files: one style, the same bytes for the same data."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from matplotlib.figure import Figure

from retrial.dims import CONTROL, EXPERIMENTAL
from retrial.report.figures.drawing.files import SCREEN, SCREEN_DOTS, drawn, saved
from retrial.report.figures.drawing.style import INK, style, without_missing_glyphs

__all__ = ["INK", "style", "without_missing_glyphs"]

WIDTH, SINGLE = 7.0, 3.5
"""Inches: a journal's two columns (178 mm) and one (89 mm), so that 8 points print as 8 points."""
QUIET, RULE = "#555555", "#b5b5b5"
FAILED = "#b00020"
# Okabe and Ito's colours, safe under colour blindness; text on white takes a darker shade (contrast above 4.5).
ARM_COLOURS = {CONTROL: "#0072B2", EXPERIMENTAL: "#D55E00"}
ARM_TEXT = {CONTROL: "#00588a", EXPERIMENTAL: "#a84a00"}
METHOD_COLOURS = {"published": "#000000", "frequentist": "#8f5580", "bayes": "#00795a"}
METHOD_MARKERS = {"published": "s", "frequentist": "D", "bayes": "o"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished figure: SVG for the page, PNG for whoever needs one; `alt` says what a reader who cannot see it misses.

    `files` gives the pixels, and of the first layer's figures what a printer takes. `wide`: two columns.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: bytes
    files: Callable[[], Mapping[str, bytes]]
    wide: bool = True

    @property
    def png(self) -> bytes:
        """For a screen, 200 dots an inch."""
        return self.files()[SCREEN]

    def press(self) -> dict[str, bytes]:
        """For a printer, by ending: PDF, and PNG and TIFF of 600 dots an inch; nothing of a figure of the second layer."""
        return {ending: content for ending, content in self.files().items() if ending != SCREEN}

    @property
    def address(self) -> str:
        """The SVG as a data URI: as an image it can neither run a script nor load anything. Its text, not base64, is a quarter shorter."""
        return "data:image/svg+xml," + quote(self.svg, safe=_AS_THEY_ARE)


def finish(figure: Figure, key: str, title: str, caption: str, alt: str, *, press: bool = False) -> Picture:
    """Write the figure without dates or versions, so that the same data give the same bytes; `press`: for a printer too."""
    with style(), without_missing_glyphs():
        lay_out(figure)
        svg = saved(figure, "svg", {"Date": None, "Creator": None}, SCREEN_DOTS)
    return Picture(key, title, caption, alt, _short(svg), drawn(figure, press=press), figure.get_figwidth() > SINGLE)


def lay_out(figure: Figure) -> None:
    """Find the places of a figure's parts: once, not for every format again. With any layout engine, that of "none" too, it is drawn twice."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)


_AS_THEY_ARE = " !$*+,-./:;=?@_~"
"""What an address in quotes may hold as it is."""
_PATH = re.compile(rb' d="[^"]*"')
_METADATA, _INDENTED = re.compile(rb"<metadata>.*?</metadata>", re.DOTALL), re.compile(rb"\n\s+")
_DIGITS = re.compile(rb"(\.\d\d)\d+")


def _short(svg: bytes) -> bytes:
    """Coordinates to a hundredth of a point, which no screen or paper shows; no indentation, no metadata."""
    plain = _METADATA.sub(b"", _PATH.sub(lambda found: _DIGITS.sub(rb"\1", found[0]).replace(b"\n", b""), svg))
    return _INDENTED.sub(b"\n", plain)


def safe(text: str, width: int = 0, lines: int = 3) -> str:
    """Text fit for a figure: printable, on one line or wrapped to `width` characters on at most `lines` lines."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if not width:
        return plain
    return "\n".join(textwrap.wrap(plain, width, max_lines=lines, placeholder=" …")) or plain
