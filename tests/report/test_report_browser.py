"""The page in a real browser, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from report_pages import Written

CHROMIUM = shutil.which("chromium")
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
    command = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        *QUIET,
        f"--user-data-dir={folder / 'profile'}",
        "--hide-scrollbars",
        f"--window-size={width},{height}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


def test_the_page_shows_its_figures_in_colour(report: Written, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    shot(report.folder / "report.html", tmp_path, 1200, 6000, f"--screenshot={picture}")
    image = imread(picture)[..., :3]
    assert image.shape[:2] == (6000, 1200)
    rows_with_ink = (image.min(axis=-1) < 0.6).any(axis=1)
    assert rows_with_ink.mean() > 0.3
    red, green = (np.abs(image - np.array(colour)).max(axis=-1) < 0.03 for colour in ((0.64, 0.0, 0.106), (0.0, 0.475, 0.353)))
    assert red[:700].sum() > 500, "no red banner at the top"
    assert green.sum() > 500, "no Bayesian interval of a forest plot"


@pytest.mark.parametrize("width", [500, 1200])
def test_nothing_is_wider_than_the_window(report: Written, tmp_path: Path, width: int) -> None:
    """Tables scroll in their own boxes; the page itself never does."""
    page = tmp_path / "measured.html"
    probe = "<script>document.title = document.documentElement.scrollWidth + ' of ' + innerWidth</script></body>"
    unlocked = report.html.replace("default-src 'none'", "default-src 'unsafe-inline'").replace("</body>", probe)
    page.write_text(unlocked, encoding="utf-8")
    shown = shot(page, tmp_path, width, 2000, "--dump-dom")
    inner, outer = (int(number) for number in shown.partition("<title>")[2].partition("</title>")[0].split(" of "))
    assert inner <= outer


def test_it_prints(report: Written, tmp_path: Path) -> None:
    paper = tmp_path / "page.pdf"
    shot(report.folder / "report.html", tmp_path, 1200, 2000, "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_size > 100_000
