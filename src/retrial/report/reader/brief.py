"""The first layer: what a reader needs in ten minutes. A new section is a new entry of `BRIEF`."""

from __future__ import annotations

from retrial.report.reader.claims import audit_section, claim_section
from retrial.report.reader.doubts import change_section, unknown_section
from retrial.report.reader.effects import absolute_section, effect_sections
from retrial.report.reader.limits import limits_section
from retrial.report.section import Builder

BRIEF: tuple[Builder, ...] = (
    claim_section,
    effect_sections,
    absolute_section,
    audit_section,
    unknown_section,
    change_section,
    limits_section,
)
"""In reading order. A builder gives nothing where the run has not made what it is about."""
