"""Figures drawn by a second process: the same bytes as drawn here, and here where the process is gone or cannot take a figure."""

from __future__ import annotations

import gc
import io
import re
from collections.abc import Callable
from urllib.parse import unquote

import pytest
from matplotlib.figure import Figure
from PIL import Image
from report_pages import Written

from retrial.report.figures.drawing import files
from retrial.report.figures.drawing.style import style
from retrial.report.figures.picture import finish


def figure(write: Callable[[float, int], str] | None = None) -> Figure:
    with style():
        made = Figure(figsize=(3.5, 2.0))
        axes = made.add_subplot()
        axes.plot([0, 1], [0, 1])
        if write is not None:
            axes.xaxis.set_major_formatter(write)
    return made


def test_a_second_process_gives_the_same_bytes() -> None:
    here = finish(figure(), "a", "", "", "", press=True)
    with files.second_process():
        there = finish(figure(), "a", "", "", "", press=True)
        plain = finish(figure(), "b", "", "", "")
        unsendable = finish(figure(lambda value, _: f"{value:g}"), "c", "", "", "")
        assert there.png == here.png
        assert there.press() == here.press()
        asked = files._HELPERS[-1].submit(figure(), press=True)
        assert asked is not None
        assert asked.result() == here.files()
        assert plain.press() == {}
        assert plain.png[:4] == unsendable.png[:4] == b"\x89PNG"


def test_a_figure_is_laid_out_once_and_drawn_once_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """matplotlib draws a figure that has a layout engine, "none" too, once more for every format."""
    drawings = []
    draw = Figure.draw
    monkeypatch.setattr(Figure, "draw", lambda self, renderer: drawings.append(type(renderer).__name__) or draw(self, renderer))
    with style():
        made = Figure(figsize=(3.5, 2.0), layout="constrained")
        made.add_subplot().set_title("a")
    picture = finish(made, "a", "", "", "", press=True)
    assert len(drawings) == 1  # SVG
    picture.press()
    assert len(drawings) == 3  # PDF, pixels


def test_the_collector_rests_and_goes_on_as_it_was() -> None:
    with files.without_collector():
        assert not gc.isenabled()
        with files.without_collector():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_process_that_has_ended_costs_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.sys, "executable", "/bin/true")
    with files.second_process():
        assert finish(figure(), "a", "", "", "").png[:4] == b"\x89PNG"


def test_a_printer_gets_600_dots_an_inch() -> None:
    made = finish(figure(), "a", "", "", "", press=True)
    for ending, kind in (("png", "PNG"), ("tiff", "TIFF")):
        with Image.open(io.BytesIO(made.press()[ending])) as image:
            assert image.format == kind
            assert image.size == (2100, 1200)
            assert image.mode == "RGB"
            assert image.info["dpi"] == pytest.approx((600, 600), abs=0.01)
    with Image.open(io.BytesIO(made.png)) as image:
        assert image.size == (700, 400)


def test_a_page_holds_the_figure_as_it_is_and_nothing_that_ends_an_attribute(report: Written) -> None:
    """Data addresses are the SVG's own text, which is a quarter shorter than base64."""
    found = re.findall(r'src="data:image/svg\+xml,([^"]*)"', (report.folder / "report.html").read_text(encoding="utf-8"))
    assert found
    assert not any(set("<>#&'\"") & set(address) for address in found)
    drawn = {path.read_bytes() for path in (report.folder / "figures").glob("*.svg")}
    assert {unquote(address).encode() for address in found} <= drawn
