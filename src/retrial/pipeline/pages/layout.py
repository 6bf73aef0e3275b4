"""A run folder's files to a report: reads what the run wrote, lays it out, computes nothing new."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from retrial.answers.curves import kaplan_meier
from retrial.audit.check import Check
from retrial.dims import ARM, ARMS, MONTHS_PER_UNIT, RECONSTRUCTION, TIME
from retrial.estimate import Estimate
from retrial.fit.diagnostics import Level
from retrial.fit.posterior_file import typical_posterior
from retrial.frequentist.rows import RATIO
from retrial.pipeline.plan import planned
from retrial.pipeline.priors import used_models
from retrial.priors.implied.beliefs import belief
from retrial.priors.scales import LOG_HAZARD_RATIO
from retrial.report.data import PrintedAtRisk, ReportData, SurvivalCurves
from retrial.report.figures.survival import survival_pictures
from retrial.report.labels import models_called
from retrial.report.page import write_pictures, write_report
from retrial.report.sensitivity.operating import operating_pictures
from retrial.report.sensitivity.pictures import sensitivity_pictures
from retrial.report.sensitivity.specifications import specification_pictures
from retrial.run_config import RunConfig
from retrial.store.artefacts import FRAMES, path_of
from retrial.store.artefacts.sensitivity import SENSITIVITY
from retrial.store.manifest import describe
from retrial.store.tables import read_arrays, read_rows, read_table
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable


def lay_out_report(run: RunConfig, study: Study, printed: Sequence[Check], source: Path, folder: Path) -> Path:
    """Write report.html, supplement.html, figures/ and tables/ into `folder` from the results in `source` and the audit of what is printed."""
    manifest = describe(run, study, [], 0.0)
    manifest.pop("wall_seconds")
    frames: dict[str, Any] = {name: read_table(source, name) for name in FRAMES}
    if study.one_arm:
        frames["loo_pit"] = None  # its figure has a panel an arm
    estimates = read_rows(source, "estimates", Estimate)
    used = used_models(run, estimates)
    data = ReportData(
        study=study,
        manifest=manifest,
        checks=[*printed, *_of_tables(source)],
        estimates=estimates,
        curves={key: curves for key in study.endpoints if (curves := _curves(study, key, source)) is not None},
        beliefs=_beliefs(run, frames["conflict"]),
        traces=_traces(run, study, source, frames["diagnostics"]),
        **frames,
        predictive=_predictive(study, source),
        model_cards={spec.name: spec.card for spec in used},
        model_labels={name: spec.label for name, spec in run.models.items()},
        model_words={name: spec.short for name, spec in run.models.items() if spec.short},
        model_kinds={name: spec.kind.name for name, spec in run.models.items()},
        parameter_labels={item.name: item.label for spec in used for item in spec.parameters},
        from_tables=tuple(name for name, spec in run.models.items() if spec.kind.from_tables),
        main_prior=run.main_prior,
        planned=planned(run),
    )
    return write_report(data, folder)


def _beliefs(run: RunConfig, conflict: pd.DataFrame | None) -> pd.DataFrame | None:
    """Prior, likelihood and posterior of every printed hazard ratio of the arms, under every named prior that says something of it."""
    if conflict is None:
        return None
    parts = []
    shown = conflict[(conflict["measure"] == LOG_HAZARD_RATIO.name) & (conflict["contrast"] == RATIO)]
    for row in shown.sort_values("adjusted_for", kind="stable").to_dict("records"):
        given = run.priors.get(str(row["prior"]))
        if given is None or not given.speaks_of(LOG_HAZARD_RATIO.name, str(row["endpoint"])):
            continue
        prior = given.for_endpoint(str(row["endpoint"]))[LOG_HAZARD_RATIO.name]
        found = belief(float(row["estimate"]), float(row["se"]), prior.distribution.logpdf)
        parts.append(
            pd.DataFrame(
                {"value": np.exp(found.x), "prior_density": found.prior, **{name: getattr(found, name) for name in _CURVES}}
            ).assign(endpoint=row["endpoint"], adjusted_for=row["adjusted_for"], prior=row["prior"])
        )
    return pd.concat(parts, ignore_index=True) if parts else None


_CURVES = ("likelihood", "posterior", "below")


def _predictive(study: Study, source: Path) -> dict[str, xr.Dataset]:
    """Kaplan-Meier bands of new studies by endpoint; none of a study of one arm, whose figure would have empty panels."""
    found = {key: read_arrays(source, "predictive", key) for key in study.endpoints if not study.one_arm}
    return {key: bands for key, bands in found.items() if bands is not None}


def _traces(run: RunConfig, study: Study, folder: Path, diagnostics: pd.DataFrame | None) -> list[xr.Dataset]:
    """Chains of each endpoint's first survival model that was sampled by NUTS under the main prior, on the typical table."""
    weighted = set[tuple[str, str]]()
    if diagnostics is not None and "method" in diagnostics:
        rows = diagnostics[(diagnostics["prior"] == run.main_prior) & (diagnostics["method"] == Level.IMPORTANCE)]
        weighted = set(zip(rows["endpoint"], rows["model"], strict=True))
    names = [spec.name for spec in run.models.values() if spec.kind.from_tables]
    paths = [
        [path_of(folder, "posterior", key, name) for name in names if (key, name) not in weighted] for key in study.endpoints
    ]
    found = [next((path for path in some if path.is_file()), None) for some in paths]
    return [typical_posterior(path, run.main_prior) for path in found if path is not None]


def draw_curves(study: Study, folder: Path) -> None:
    """Write the Kaplan-Meier figure of every endpoint whose tables are in `folder` to figures/."""
    curves = {key: found for key in study.endpoints if (found := _curves(study, key, folder)) is not None}
    write_pictures(survival_pictures(ReportData(study=study, manifest={}, curves=curves)), folder)


def draw_sensitivity(run: RunConfig, study: Study, folder: Path) -> None:
    """Write the figures of the sensitivity tables in `folder` to figures/."""
    frames: dict[str, Any] = {name: read_table(folder, name) for name, one in SENSITIVITY.items() if one.columns}
    with models_called({name: spec.label for name, spec in run.models.items()}):
        data = ReportData(study=study, manifest={"config": {"answers": {"level": run.questions.level}}}, **frames)
        write_pictures([*sensitivity_pictures(data), *operating_pictures(data), *specification_pictures(data)], folder)


def _of_tables(folder: Path) -> list[Check]:
    """Checks in a run's audit.csv that need more than the study: a file of patients, or a reconstruction."""
    return [check for check in read_rows(folder, "audit", Check) if check.family in ("patients", "joint")]


def _curves(study: Study, key: str, folder: Path) -> SurvivalCurves | None:
    stored = read_arrays(folder, "reconstruction", key)
    if stored is None:
        return None
    table, band = LifeTable(stored), read_arrays(folder, "band", key)
    attributes = band.attrs if band is not None else {}
    dims = (RECONSTRUCTION, ARM, TIME)
    return SurvivalCurves(
        kaplan_meier=xr.DataArray(kaplan_meier(table), dims=dims, coords=table.events.coords),
        at_risk=table.at_risk,
        events=table.events,
        censored=table.censored,
        band=band,
        model=str(attributes.get("model", "")),
        prior=str(attributes.get("prior", "")),
        level=float(attributes.get("level", np.nan)),
        status=str(attributes.get("status", "ok")),
        printed_medians=_medians(study, key),
        printed_at_risk=_at_risk(study, key),
        from_patients=study.endpoints[key].patients is not None,
        weights=stored["weight"].to_numpy() if "weight" in stored else None,
        notes=tuple(str(note) for note in stored.attrs.get("notes", "").split("\n") if note),
    )


def _medians(study: Study, key: str) -> dict[str, float]:
    months = MONTHS_PER_UNIT[study.time_unit]
    medians = {arm: getattr(study.endpoints[key].median, arm) for arm in ARMS}
    return {
        arm: median.value.value * months for arm, median in medians.items() if median is not None and not median.value.is_bound
    }


def _at_risk(study: Study, key: str) -> PrintedAtRisk | None:
    printed = study.endpoints[key].at_risk
    if printed is None:
        return None
    months = MONTHS_PER_UNIT[study.time_unit]
    counts = {arm: [int(count) for count in getattr(printed, arm) or []] for arm in ARMS}
    return PrintedAtRisk([time.value * months for time in printed.times], {arm: items for arm, items in counts.items() if items})
