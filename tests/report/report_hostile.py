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
from retrial.multivariable.summary import CovariateSummary
from retrial.report.data import ReportData
from retrial.store.artefacts.sensitivity import SENSITIVITY
from retrial.study.study import Study

RATIO_OF, JOINT = "hazard_ratio", "multivariable_normal"
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


_COVARIATES = ("arm", "stage", "afp")


def _model_sections() -> dict[str, object]:
    """A printed multivariable model whose places, labels, levels and groups are hostile: its effects, tests, baseline table and itself."""
    groups = {"arm": {}} | {key: {"numerator": f"{key} {HOSTILE}", "denominator": f"other {HOSTILE}"} for key in _COVARIATES[1:]}
    shared = {"endpoint": "os", "label": HOSTILE, "where": HOSTILE, "hazard_ratio": "0.50", "ci": ["0.30", "0.83"]}
    effects = {
        f"model_{key}": shared | group | {"adjusted_for": [other for other in _COVARIATES if other != key]}
        for key, group in groups.items()
    }
    level = {"control": "20", "experimental": "18"}
    return {
        "effects": effects,
        "tests": {
            "univariable": {
                "where": HOSTILE,
                "rows": {key: {"label": HOSTILE, "results": {"os": {"chi_square": "3.84", "p": "0.05"}}} for key in _COVARIATES},
            }
        },
        "baseline": {"where": HOSTILE, "variables": {"afp": {"label": HOSTILE, "levels": {"high": level, "low": level}}}},
        "multivariable": {
            "os": {
                "endpoint": "os",
                "where": HOSTILE,
                "tests": "univariable",
                "collinear_with": ["stage", "afp"],
                "covariates": {
                    "arm": {"effect": "model_arm", "test": "arm"},
                    "stage": {"effect": "model_stage", "test": "stage"},
                    "afp": {"effect": "model_afp", "test": "afp", "baseline": "afp", "levels": ["high"]},
                },
            }
        },
    }


def _model_rows(prior: str) -> Iterator[Estimate]:
    """Every kind of row that the model of the printed multivariable model gives, treatment and factors."""
    limits = {"lower": 0.3, "upper": 0.9, "level": 0.95, "interval_kind": "credible_equal_tailed", "unit": "ratio"}
    shared = {"endpoint": "os", "quantity": RATIO_OF, "method": "bayes", "model": JOINT, "point": 0.5, "prior": prior}
    contrasts = [RATIO, *(f"{key} {HOSTILE} / other {HOSTILE}" for key in _COVARIATES[1:])]
    for contrast in contrasts:
        for variant in ("", "factors hierarchical", f"factors {HOSTILE}"):
            yield Estimate(**shared, **limits, contrast=contrast, variant=variant, adjusted_for="stage, afp", note=HOSTILE)
    yield Estimate(**shared, **limits, contrast=RATIO)
    yield Estimate(**shared, **limits, contrast=RATIO, adjusted_for="stage", variant=HOSTILE, note=HOSTILE)
    moved = {**shared, **limits, "quantity": "adjustment_shift", "contrast": RATIO, "unit": HOSTILE}
    yield Estimate(**moved, variant="from unadjusted")
    yield Estimate(**moved, variant=f"from {HOSTILE}")


def _covariates() -> pd.DataFrame:
    """What the tables say of the covariates, one of them in contradiction."""
    rows = [
        dict.fromkeys((item.name for item in dataclasses.fields(CovariateSummary)), 0.5)
        | {"endpoint": "os", "key": "os", "covariate": key, "within": HOSTILE, "contradiction": HOSTILE if key == "afp" else ""}
        | {
            "contrast": RATIO if key == "arm" else HOSTILE,
            "inflation": 1.2 if key == "arm" else 1.25,
            "inflation_lower": 1.1,
            "inflation_upper": 1.3,
        }
        for key in _COVARIATES
    ]
    return pd.DataFrame(rows)


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
    model = _model_sections()
    record["effects"] |= model.pop("effects")
    record |= model
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
    rows += [*_newest(base.main_prior), *_model_rows(base.main_prior)]
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
    frames |= {"operating": _operating(base.main_prior), "multivariable": _covariates()}
    curves = {key: dataclasses.replace(one, model=HOSTILE, prior=HOSTILE, notes=(HOSTILE,)) for key, one in base.curves.items()}
    return dataclasses.replace(
        base,
        study=Study.model_validate(record),
        estimates=rows,
        checks=found,
        curves=curves,
        model_cards={HOSTILE: HOSTILE},
        model_kinds=base.model_kinds | {JOINT: "multivariable"},
        manifest={"study": HOSTILE, "config": {HOSTILE: [HOSTILE]}, "versions": {HOSTILE: HOSTILE}},
        **frames,
    )
