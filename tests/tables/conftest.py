"""One small reconstruction, shared by the tests of what is made of it."""

from __future__ import annotations

import pytest

from retrial.study.study import Study
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.printed.from_study import targets_from_study
from retrial.tables.printed.readings import MedianReading, RatioReading, TestReading
from retrial.tables.printed.targets import Targets
from retrial.tables.sample.engine import reconstruct

QUICK = ReconstructionSettings(
    n_tables=12,
    islands=3,
    particles=96,
    rounds=1,
    pilot_particles=8,
    share=0.8,
    ratios=(RatioReading.MANTEL_HAENSZEL, RatioReading.COX_BRESLOW),
    tests=(TestReading.LOG_RANK, TestReading.SCORE_BRESLOW, TestReading.WALD_BRESLOW),
    medians=(MedianReading.GREENWOOD_DENSITY, MedianReading.CROWLEY_LOG),
)


@pytest.fixture(scope="session")
def os_targets(yao2025: Study) -> Targets:
    return targets_from_study(yao2025, "os")


@pytest.fixture(scope="session")
def os_ensemble(os_targets: Targets) -> Ensemble:
    return reconstruct(os_targets, QUICK, 1)
