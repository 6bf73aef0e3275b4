"""A report in which every text that a stranger can bring is hostile: HTML, LaTeX, Typst, Jinja, long words, right to left, many terms."""

from __future__ import annotations

import dataclasses

from report_factory import report_data, study_record

from retrial.estimate import Estimate
from retrial.report.data import ReportData
from retrial.study.study import Study

LONG_WORD = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 4
HOSTILE = (
    "<script>alert(1)</script> & \"quotes\" 'n' $x_1$ </style> {{ 7*7 }} \\frac \\end{document} \\input{/etc/passwd} #panic(1) [@kruschke2021] %"
    f" שלום 患者 100^2~ {LONG_WORD}"
)


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
