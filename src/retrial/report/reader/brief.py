"""The first layer: what a reader needs in ten minutes. A new section is a new entry of `BRIEF`."""

from __future__ import annotations

from retrial.report.reader.adjusted import adjusted_section
from retrial.report.reader.claims import audit_section, claim_section
from retrial.report.reader.doubts import change_section, unknown_section
from retrial.report.reader.effects import absolute_section, effect_sections
from retrial.report.reader.limits import limits_section
from retrial.report.reader.multivariable import multivariable_section
from retrial.report.section import Builder
from retrial.report.sensitivity.section import conclusions_section

BRIEF: tuple[Builder, ...] = (
    claim_section,
    effect_sections,
    adjusted_section,
    multivariable_section,
    absolute_section,
    audit_section,
    unknown_section,
    change_section,
    conclusions_section,
    limits_section,
)
"""In reading order. A builder gives nothing where the run has not made what it is about."""
