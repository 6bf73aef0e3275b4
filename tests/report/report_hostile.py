"""A report in which every text that a stranger can bring is hostile: HTML, LaTeX, Typst, Jinja, long words, right to left, many terms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator

import pandas as pd
from report_factory import report_data, study_record

from retrial.data.covariates import CONDITIONAL, MARGINAL
from retrial.estimate import Estimate
from retrial.frequentist.rows import RATIO
from retrial.report.data import ReportData
from retrial.store.artefacts.sensitivity import SENSITIVITY
from retrial.study.study import Study

LONG_WORD = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4
HOSTILE = (
    "<script>alert(1)</script> & \"quotes\" 'n' $x_1$ </style> {{ 7*7 }} \\frac \\end{document} \\input{/etc/passwd} #panic(1) [@kruschke2021] %"
    f" שלום 患者 100^2~ {LONG_WORD}"
)


def _newest(prior: str) -> Iterator[Estimate]:
    """Rows of the sections for ratios that vary over time and for patients' covariates."""
    limits = {"lower": 0.3, "upper": 0.9, "level": 0.95, "interval_kind": "credible_equal_tailed", "unit": "ratio"}
    shared = {"endpoint": "os", "quantity": "hazard_ratio", "contrast": RATIO, "method": "bayes", "model": HOSTILE, "point": 0.5}
    for time in (6.0, 12.0):
        yield Estimate(**shared, **limits, prior=prior, time=time)
    yield Estimate(**shared, **limits, prior=prior, variant=CONDITIONAL, adjusted_for=f"{HOSTILE}, age", status=HOSTILE)
    yield Estimate(**shared, **limits, prior=prior, variant=MARGINAL, adjusted_for=f"{HOSTILE}, age")


def _operating(prior: str) -> pd.DataFrame:
    """Errors of a rule whose every word is hostile, at two true ratios, under the main prior and another."""
    shares = {"claims": 0.2, "coverage": 0.95, "type_s": 0.01, "type_m": 1.4}
    shared = {"endpoint": "os", "model": HOSTILE, "adjusted_for": HOSTILE, "rule": HOSTILE, "kind": HOSTILE, "status": "ok"}
    shared |= {"control_hazard": 1.0, "drift": math.nan, "robust_weight": 1.0, "events": 44.0, "studies": 500}
    errors = {f"{name}_error": 0.01 for name in shares}
    rows = [{**shared, **shares, **errors, "prior": name, "true_ratio": true} for name in (prior, HOSTILE) for true in (0.7, 1.0)]
    return pd.DataFrame(rows)[list(SENSITIVITY["operating"].columns)]


def hostile() -> ReportData:
    """Every text that a study, a check, an estimate, a prior or a manifest can bring is hostile."""
    base = report_data()
    record = study_record()
    record["title"] = record["design"] = HOSTILE
    record["citation"] = {"text": HOSTILE, "doi": HOSTILE, "licence": HOSTILE, "note": HOSTILE}
    for arm in ("control", "experimental"):
        record["arms"][arm]["label"] = HOSTILE
    for endpoint in record["endpoints"].values():
        endpoint["label"] = HOSTILE
    record["endpoints"]["pfs"]["at_risk"]["times_assumed"] = HOSTILE
    record["response"]["composites"]["ORR"]["label"] = HOSTILE
    for effect in record["effects"].values():
        effect["label"] = effect["where"] = HOSTILE
    rows = [
        dataclasses.replace(row, source=HOSTILE, prior=row.prior and f"{row.prior} {HOSTILE}", unit=row.unit or HOSTILE)
        for row in base.estimates
    ]
    record["adverse_events"]["terms"] |= {
        f"term_{number}": {"label": f"{HOSTILE} {number}", "grades": {"any": {"control": "1", "experimental": "2"}}}
        for number in range(40)
    }
    shared = {"endpoint": "os", "quantity": HOSTILE, "contrast": HOSTILE, "adjusted_for": HOSTILE, "model": HOSTILE}
    rows += [Estimate(**shared, method="frequentist", point=1.5, unit=HOSTILE, status=HOSTILE, source=HOSTILE)]
    rows += list(_newest(base.main_prior))
    found = [
        dataclasses.replace(
            check, claim=HOSTILE, where=HOSTILE, printed=HOSTILE, recomputed=HOSTILE, note=HOSTILE, reading=HOSTILE
        )
        for check in base.checks
    ]
    frames = {}
    for name in ("fidelity", "diagnostics", "priors"):
        frame = getattr(base, name).copy()
        for column in frame.select_dtypes(object).columns.difference(["status", "endpoint", "arm"]):
            frame[column] = HOSTILE
        frames[name] = frame
    frames["operating"] = _operating(base.main_prior)
    curves = {key: dataclasses.replace(one, model=HOSTILE, prior=HOSTILE, notes=(HOSTILE,)) for key, one in base.curves.items()}
    return dataclasses.replace(
        base,
        study=Study.model_validate(record),
        estimates=rows,
        checks=found,
        curves=curves,
        model_cards={HOSTILE: HOSTILE},
        manifest={"study": HOSTILE, "config": {HOSTILE: [HOSTILE]}, "versions": {HOSTILE: HOSTILE}},
        **frames,
    )
