"""How long tables take, and the coarser recording unit with which they take less."""

from __future__ import annotations

from retrial.tables.ensemble import MANY_PATIENTS, ReconstructionSettings
from retrial.tables.printed.recording import LEAST_UNITS
from retrial.tables.printed.targets import Targets

SECONDS = 1.3e-3 / (8 * 400)
"""CPU seconds per particle and unit of work: 107 for 413 patients at 100 times with 8 samplers of 400 tables (two cores, 2026)."""
UNITS = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0, 7.0, 10.0, 14.0, 30.0)
"""Recording units that are worth naming."""


def seconds_of(targets: Targets, settings: ReconstructionSettings, n_times: int | None = None) -> float:
    """CPU seconds of an endpoint's tables, to a factor of two or three: proposals of a level grow with patients and times, and each looks at
    every time.
    """
    times = n_times or targets.n_times
    patients = min(targets.n_control + targets.n_experimental, MANY_PATIENTS)
    return SECONDS * settings.islands * settings.particles * (patients + 4 * times) * times


def coarser_unit(targets: Targets, settings: ReconstructionSettings, seconds: float) -> float:
    """The finest usual recording unit, in the study's time unit, with which tables take less than `seconds`; the coarsest that is one for this
    follow-up where none does.
    """
    length = targets.last - targets.first
    usual = [unit for unit in UNITS if targets.step < unit <= length / LEAST_UNITS] or [targets.step]
    return next((unit for unit in usual if seconds_of(targets, settings, round(length / unit) + 1) < seconds), usual[-1])
