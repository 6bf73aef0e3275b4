"""How long tables take."""

from __future__ import annotations

from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.sample.sampler import sweeps_for
from retrial.tables.sample.smc.exchange import BETWEEN, LADDERS

LEVELS, RUNGS = 25, 8
"""Levels of proposals that a population makes while it cools, about, and rungs of a ladder."""
SECONDS, SECONDS_PER_PATIENT = 1.0e-6, 5e-9
"""CPU seconds of a proposal (two cores, 2026)."""


def seconds_of(n_patients: int, settings: ReconstructionSettings) -> float:
    """CPU seconds of the tables of an endpoint with so many patients, to a factor of two or three; the fineness of its grid hardly matters."""
    cooling = settings.particles_for(n_patients) * LEVELS * settings.level_proposals
    rounds = settings.rounds * sweeps_for(n_patients, settings) * LADDERS * RUNGS * BETWEEN
    return settings.islands * (cooling + rounds) * (SECONDS + SECONDS_PER_PATIENT * n_patients)
