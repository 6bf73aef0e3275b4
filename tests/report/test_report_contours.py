"""Labels of contours: on the lines that they name, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from retrial.report.figures.drawing.style import style
from retrial.report.figures.picture import lay_out
from retrial.report.sensitivity.contours import label_contours

LEVELS = (0.025, 0.5, 0.975)


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.0, 2.0, 3.66, 5.0])
@pytest.mark.parametrize("steep", [0.7, 2.0, 4.0])
def test_labels_lie_on_their_line_and_on_nothing_else(shift: float, steep: float) -> None:
    """Lines through the mark, near it and far from it, wide apart and close together; the mark is the analysis as it is."""
    with style():
        figure = Figure(figsize=(7.0, 2.6), layout="constrained")
        axes = figure.subplots(1, 2)[0]
        ratios = np.geomspace(0.25, 4, 21)
        z = 1 / (1 + np.exp(-(shift + steep * (np.log(ratios)[:, None] - np.log(ratios)))))
        levels = [level for level in (0.025, 0.05, 0.5, 0.95, 0.975) if z.min() < level < z.max()]
        lines = axes.contour(ratios, ratios, z, levels=levels)
        axes.set(xscale="log", yscale="log", xlim=(0.25, 4), ylim=(0.25, 4))
        lay_out(figure)
        label_contours(axes, lines, LEVELS, [(1.0, 1.0)])
    window, mark = axes.get_window_extent(), axes.transData.transform((1.0, 1.0))
    boxes = [label.get_window_extent() for label in lines.labelTexts]
    for label, box in zip(lines.labelTexts, boxes, strict=True):
        x, y = label.get_position()
        level = 1 / (1 + np.exp(-(shift + steep * (np.log(y) - np.log(x)))))
        assert float(label.get_text()) == pytest.approx(level, abs=0.01)
        assert float(label.get_text()) in LEVELS
        assert window.x0 < box.x0 < box.x1 < window.x1
        assert window.y0 < box.y0 < box.y1 < window.y1
        middle = np.array([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2])
        assert np.hypot(*(middle - mark)) > 32 * figure.dpi / 72 - 3
    assert sum(one.overlaps(other) for one in boxes for other in boxes) == len(boxes)
    if steep == 2.0 and shift == 3.66:
        assert "0.975" in {label.get_text() for label in lines.labelTexts}, "the line through the mark has room elsewhere"
