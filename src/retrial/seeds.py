"""Seeds by content: the same result in any order, on any number of threads, under any launcher."""

from __future__ import annotations

import hashlib

import numpy as np


def seed_sequence(run_seed: int, *content: object) -> np.random.SeedSequence:
    """Seed sequence of a run seed and whatever names the piece of work (study, endpoint, model, prior, reconstruction...)."""
    digest = hashlib.sha256("\x1f".join(str(item) for item in content).encode()).digest()
    return np.random.SeedSequence([run_seed, *np.frombuffer(digest, dtype=np.uint32).tolist()])


def integer_seed(run_seed: int, *content: object) -> int:
    """One 32-bit seed of the same content, for software that wants a number."""
    return int(seed_sequence(run_seed, *content).generate_state(1, dtype=np.uint32)[0])
