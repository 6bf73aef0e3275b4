"""The page in a real browser, where there is one."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from report_pages import Written

from retrial.report.page import LAYERS

CHROMIUM = shutil.which("chromium")
AXE = importlib.util.find_spec("axe_core_python")
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="chromium is not installed (Debian: apt-get install chromium): the page was not looked at"
    ),
]


def shot(page: Path, folder: Path, width: int, height: int, *options: str) -> str:
    return run(page, folder, width, height, *options).stdout


def run(page: Path, folder: Path, width: int, height: int, *options: str, fragment: str = "") -> subprocess.CompletedProcess[str]:
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        *QUIET,
        f"--user-data-dir={folder / 'profile'}",
        "--hide-scrollbars",
        f"--window-size={width},{height}",
        *options,
        page.as_uri() + fragment,
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)


def test_the_page_shows_its_figures_in_colour(report: Written, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    shot(report.folder / "report.html", tmp_path, 1200, 6000, f"--screenshot={picture}")
    image = imread(picture)[..., :3]
    assert image.shape[:2] == (6000, 1200)
    rows_with_ink = (image.min(axis=-1) < 0.6).any(axis=1)
    assert rows_with_ink.mean() > 0.3
    red, green = (np.abs(image - np.array(colour)).max(axis=-1) < 0.03 for colour in ((0.64, 0.0, 0.106), (0.0, 0.475, 0.353)))
    assert red[:900].sum() > 500, "no red banner at the top"
    assert green.sum() > 500, "no Bayesian interval of a forest plot"


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(report: Written, tmp_path: Path, layer: str, width: int) -> None:
    """Tables scroll in their own boxes; the page itself never does. A frame, because a window has a least width."""
    probe = "<script>parent.postMessage(document.documentElement.scrollWidth, '*')</script></body>"
    text = (report.folder / f"{layer}.html").read_text(encoding="utf-8")
    policy = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
    (tmp_path / "inner.html").write_text(policy.sub("", text).replace("</body>", probe), encoding="utf-8")
    page = tmp_path / "outer.html"
    told = "<script>onmessage = (event) => { document.title = 'width ' + event.data }</script>"
    page.write_text(f'{told}<iframe src="inner.html" width="{width}" height="900" style="border: 0"></iframe>', encoding="utf-8")
    shown = shot(page, tmp_path, 1400, 1000, "--dump-dom", "--virtual-time-budget=5000")
    assert int(shown.partition("<title>width ")[2].partition("</title>")[0]) <= width


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_console_stays_empty_and_it_prints(report: Written, tmp_path: Path, layer: str, width: int) -> None:
    paper = tmp_path / "page.pdf"
    options = ("--enable-logging=stderr", "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    said = run(report.folder / f"{layer}.html", tmp_path, width, 2000, *options).stderr
    assert [line for line in said.splitlines() if "CONSOLE" in line] == []
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 100_000


@pytest.mark.skipif(AXE is None, reason="axe-core-python is not installed: accessibility was not checked")
@pytest.mark.parametrize("layer", LAYERS)
def test_axe_finds_nothing_to_mend(report: Written, tmp_path: Path, layer: str) -> None:
    """Rules of axe-core (WCAG 2.1 A and AA, best practices) on the whole page, every section unfolded."""
    script = (Path(*AXE.submodule_search_locations) / "axe.min.js").read_text(encoding="utf-8").replace("</script", "<\\/script")
    told = (
        "for (const one of document.querySelectorAll('details')) one.open = true;"
        "axe.run(document, {resultTypes: ['violations']}).then((found) => { const said = document.createElement('pre'); said.id = 'found';"
        "said.textContent = found.violations.map((one) => one.id + ': ' + one.nodes[0].html).join('; ') + '.';"
        "document.body.appendChild(said) })"
    )
    text = (report.folder / f"{layer}.html").read_text(encoding="utf-8")
    page = tmp_path / "page.html"
    open_to_scripts = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    page.write_text(
        open_to_scripts.replace("</body>", f"<script>{script}</script><script>{told}</script></body>"), encoding="utf-8"
    )
    shown = shot(page, tmp_path, 1280, 2000, "--dump-dom", "--virtual-time-budget=60000")
    assert re.findall(r'<pre id="found">(.*?)</pre>', shown, re.DOTALL) == ["."]


def test_a_table_is_searched_and_the_place_that_was_asked_for_opens(report: Written, tmp_path: Path) -> None:
    """The script of the supplement, under its own policy: a field a long table, a folded section open where its address asks for it."""
    page = tmp_path / "page.html"
    page.write_text(report.html, encoding="utf-8")
    shown = run(page, tmp_path, 1280, 2000, "--dump-dom", fragment="#priors").stdout
    assert shown.count('type="search"') == sum(table.count("<tr") > 12 for table in report.html.split("<table")[1:])
    assert re.search(r'<section id="priors"><details open="">', shown)
    assert re.search(r'<section id="diagnostics"><details>', shown)
