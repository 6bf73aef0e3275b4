"""Counts of one yes/no outcome in both arms."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TwoArms:
    """Events and patients as (control, experimental), and whether the outcome is a benefit: odds-ratio priors turn with it."""

    events: tuple[int, int]
    n: tuple[int, int]
    benefit: bool = True
