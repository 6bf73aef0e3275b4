"""Rules of decision, and how often they are right and wrong over simulated studies.

    rule: an effect is claimed where P(ratio < x) >= p (of a good event P(ratio > 1/x)); harm where the mirror image holds
    type I error or power   share of studies that claim the effect; which of the two by whether the true ratio is what is claimed
    coverage                share of studies whose interval holds the true ratio
    type S                  of the studies that claim either, the share with the wrong sign
    type M                  of the same, the mean of |posterior median| / |truth|, log ratios

Source: Gelman, Carlin 2014, Perspect Psychol Sci 9:641 (types S and M); Morris, White, Crowther 2019, Stat Med 38:2074 (Monte Carlo errors).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Row = dict[str, Any]
_NO_EFFECT = 1e-12
"""Log ratios nearer to 0 are none."""


@dataclass(frozen=True, eq=False)
class Simulated:
    """Posteriors of simulated studies under one prior, log ratios: limits and medians (study,), and P(β below), P(β above) at each rule's
    threshold, (rule, study): `below` of log x and `above` of -log x where the event is bad; where it is good the other way round.

    `known` (study,): whose posterior is to be used. `error`: of a share, where studies are not drawn at random (None: they are).
    """

    lower: np.ndarray
    median: np.ndarray
    upper: np.ndarray
    benefit: np.ndarray
    harm: np.ndarray
    known: np.ndarray
    error: float | None = None


def thresholds(rules: Sequence[tuple[float, float]], good: bool) -> tuple[np.ndarray, np.ndarray]:
    """Log ratios (rule,) beyond which a rule speaks of a benefit, and of a harm."""
    log_x = np.log(np.array([x for x, _ in rules]))
    return (-log_x, log_x) if good else (log_x, -log_x)


def in_words(x: float, p: float, good: bool) -> str:
    """A rule."""
    return f"P(ratio {'>' if good else '<'} {1 / x if good else x:.4g}) >= {p:.4g}"


def characteristic_rows(
    found: Simulated, truth: float, rules: Sequence[tuple[float, float]], good: bool, least_known: float = 1.0
) -> Iterator[Row]:
    """A row a rule; `truth` is the true log ratio. Columns of operating.csv from `rule` on."""
    known, sign = found.known, 1.0 if good else -1.0
    size = int(known.sum())
    status = "ok" if known.mean() >= least_known else f"failed: {known.size - size} of {known.size} simulated studies"
    covered = ((found.lower <= truth) & (truth <= found.upper))[known]
    for number, (x, p) in enumerate(rules):
        right, wrong = found.benefit[number][known] >= p, found.harm[number][known] >= p
        true_claim = sign * truth > -math.log(x) + _NO_EFFECT
        row = {"rule": in_words(x, p, good), "kind": "power" if true_claim else "type I error"}
        row |= _share("claims", right, found.error) | _share("coverage", covered, found.error)
        yield row | _signs(found.median[known], right, wrong, truth, sign) | {"studies": size, "status": status}


def _share(name: str, found: np.ndarray, error: float | None) -> Row:
    """A share and its Monte Carlo error √(p (1 - p) / n), that of half a study more where all or none are found."""
    size = found.size
    if not size:
        return {name: math.nan, f"{name}_error": math.nan}
    share = float(found.mean())
    inside = min(max(share, 0.5 / size), 1 - 0.5 / size)
    return {name: share, f"{name}_error": math.sqrt(inside * (1 - inside) / size) if error is None else error}


def _signs(median: np.ndarray, benefit: np.ndarray, harm: np.ndarray, truth: float, sign: float) -> Row:
    """Types S and M, with their errors; empty without an effect, and where nobody claims anything."""
    none = {"type_s": math.nan, "type_s_error": math.nan, "type_m": math.nan, "type_m_error": math.nan}
    claimed = benefit | harm
    if abs(truth) < _NO_EFFECT or not claimed.any():
        return none
    wrong = harm if sign * truth > 0 else benefit
    factor = np.abs(median[claimed]) / abs(truth)
    spread = float(factor.std(ddof=1) / math.sqrt(factor.size)) if factor.size > 1 else math.nan
    return _share("type_s", wrong[claimed], None) | {"type_m": float(factor.mean()), "type_m_error": spread}
