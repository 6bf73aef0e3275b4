"""What must not be overlooked: fits and numbers that must not be used, and printed numbers that cannot be right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from retrial.audit.check import Check, Verdict
from retrial.estimate import Estimate
from retrial.report.data import ReportData
from retrial.report.labels import endpoint_label, fit_prior, model_label, prior_label, upper_first, variant_label
from retrial.report.tables.run import FITS, failed_fits, of_fit
from retrial.study.study import Study

_NAMED = 6
"""Endpoints that a line of the banner names; the tables mark every number."""


@dataclass(frozen=True, slots=True)
class Status:
    """`failures` must not be used; `marked` numbers are struck out; `undefined` ones cannot be computed; `inconsistent` ones
    cannot all be right as printed."""

    failures: tuple[str, ...]
    marked: int
    undefined: tuple[str, ...]
    inconsistent: tuple[str, ...]
    fits: int
    checks: int


def status_of(data: ReportData) -> Status:
    """Failed fits by the diagnostics, failed numbers of other fits, curves without a posterior, inconsistent checks.

    A frequentist number that its data do not determine (a ratio without events) is no failed fit: `undefined`.
    """
    failed = failed_fits(data.diagnostics)
    known = set() if failed.empty else set(failed[FITS].itertuples(index=False, name=None))
    rows = [row for row in data.estimates if row.failed and row.method == "bayes"]
    undefined = [row for row in data.estimates if row.failed and row.method != "bayes"]
    others = [row for row in rows if (row.endpoint, row.model, row.prior, row.variant) not in known]
    names = {key: upper_first(endpoint_label(data.study, key)) for key in data.curves}
    curves = [f"{names[key]}, posterior survival curves: {one.status}" for key, one in data.curves.items() if one.status != "ok"]
    return Status(
        failures=(*_fits(data.study, data.diagnostics), *_numbers(data.study, others), *curves),
        marked=len(rows),
        undefined=tuple(line.replace(": failed: ", ": ") for line in _numbers(data.study, undefined)),
        inconsistent=tuple(_inconsistency(check) for check in data.checks if check.verdict is Verdict.INCONSISTENT),
        fits=0 if data.diagnostics is None else len(data.diagnostics),
        checks=len(data.checks),
    )


def _fits(study: Study, diagnostics: pd.DataFrame | None) -> list[str]:
    """One line for every endpoint, model and prior: how many of its fits failed, and why the first did."""
    lines = []
    failed = failed_fits(diagnostics)
    for names, fits in failed.groupby(FITS, sort=False) if not failed.empty else ():
        endpoint, model, prior, variant = (str(name) for name in names)
        parts = [
            upper_first(endpoint_label(study, endpoint)),
            model_label(model),
            *([f"{prior_label(prior)} prior"] if prior else []),
            *([variant_label(variant)] if variant else []),
        ]
        total = len(of_fit(diagnostics, (endpoint, model, prior, variant)))
        first = str(fits.iloc[0]["status"])
        many = f"{len(fits)} of {total} life tables failed; the first: {first.removeprefix('failed: ')}"
        lines.append(f"{', '.join(parts)}: {many if total > 1 else first}")
    return lines


def _numbers(study: Study, rows: Sequence[Estimate]) -> list[str]:
    """One line for every model, prior and reason, with the endpoints concerned."""
    found: dict[tuple[str, str, str], list[Estimate]] = {}
    for row in rows:
        found.setdefault((row.model, fit_prior(row), row.status), []).append(row)
    lines: list[str] = []
    for (model, prior, status), mine in found.items():
        endpoints = list(dict.fromkeys(upper_first(endpoint_label(study, row.endpoint)) for row in mine))
        shown = ", ".join(endpoints[:_NAMED]) + (f" and {len(endpoints) - _NAMED} more" if len(endpoints) > _NAMED else "")
        fit = ", ".join(part for part in (model_label(model), f"{prior} prior" if prior else "") if part)
        lines.append(f"{shown}{f' ({fit})' if fit else ''}: {status}")
    return lines


def _inconsistency(check: Check) -> str:
    claim = upper_first(f"{check.where}: {check.claim}" if check.where else check.claim)
    return f"{claim}. {upper_first((check.note or check.recomputed).rstrip('.'))}."
