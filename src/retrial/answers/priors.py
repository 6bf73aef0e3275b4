"""What prior sets say, in lines for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable

from retrial.priors.prior_set import PriorSet, implied

_WIDTH = 18


def prior_lines(sets: Iterable[PriorSet], level: float = 0.95) -> list[str]:
    """One line a prior: parameter, endpoint, distribution, what it implies on the clinical scale and its size in data; then its source."""
    lines = []
    for prior_set in sets:
        lines.append(f"{prior_set.name}: {prior_set.description}")
        for row in implied(prior_set, level):
            of = f"{row['parameter']} ({row['endpoint']})" if row["endpoint"] else row["parameter"]
            size = "" if math.isnan(row["effective_size"]) else f", worth {row['effective_size']:.3g} {row['effective_unit']}"
            interval = f"{row['implied_median']:.3g} ({row['implied_lower']:.3g} to {row['implied_upper']:.3g})"
            lines.append(f"  {of:<{_WIDTH + 8}} {row['scale']} {interval}{size}; {row['distribution']}")
            if row["source"]:
                lines.append(f"  {'':<{_WIDTH + 8}} {row['source']}")
    return lines
