"""The key property: a study whose numbers were computed from patients and printed by rounding has no finding."""

from __future__ import annotations

import numpy as np
import pytest
from audit_factory import findings, simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from retrial.audit.check import Verdict
from retrial.audit.run import apply_decisions, numbers_recomputed, run_audit
from retrial.study.study import Study


@pytest.mark.parametrize("seed", range(15))
def test_simulated_study_is_consistent(seed: int) -> None:
    study = Study.model_validate(simulated(np.random.default_rng(seed)))
    checks = run_audit(study)
    assert [(check.path, check.verdict, check.reading, check.note) for check in findings(checks)] == []
    assert all(check.decision is None for check in checks)
    assert numbers_recomputed(checks) > 100
    assert apply_decisions(study, checks) == study


@settings(max_examples=15, derandomize=True, deadline=None)
@given(st.integers(1_000, 1_000_000))
def test_simulated_study_is_never_inconsistent(seed: int) -> None:
    checks = run_audit(Study.model_validate(simulated(np.random.default_rng(seed))))
    assert [check.path for check in checks if check.verdict is Verdict.INCONSISTENT] == []
