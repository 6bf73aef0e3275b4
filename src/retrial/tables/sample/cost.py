"""How long tables take."""

from __future__ import annotations

from retrial.tables.ensemble import ReconstructionSettings

LEVELS = 45
"""Levels of proposals that an island makes, about: of each arm, of pairs, and while it looks at them."""
SECONDS, SECONDS_PER_PATIENT = 0.5e-6, 2.5e-9
"""CPU seconds of a proposal (two cores, 2026)."""


def seconds_of(n_patients: int, settings: ReconstructionSettings) -> float:
    """CPU seconds of the tables of an endpoint with so many patients, to a factor of two or three; the fineness of its grid hardly matters."""
    proposals = settings.islands * settings.particles_for(n_patients) * LEVELS * settings.proposals_for(n_patients)
    return proposals * (SECONDS + SECONDS_PER_PATIENT * n_patients)
