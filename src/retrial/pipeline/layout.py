"""A run folder's files to a report: reads what the run wrote, lays it out, computes nothing new."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from retrial.answers.curves import kaplan_meier
from retrial.audit.check import Check, Consequence, Verdict
from retrial.audit.run import run_audit
from retrial.dims import ARM, ARMS, MONTHS_PER_UNIT, RECONSTRUCTION, TIME
from retrial.errors import StoreError
from retrial.estimate import Estimate
from retrial.fit.posterior_file import typical_posterior
from retrial.pipeline.priors import used_models
from retrial.report.data import PrintedAtRisk, ReportData, SurvivalCurves
from retrial.report.figures.survival import survival_pictures
from retrial.report.page import write_report
from retrial.run_config import RunConfig
from retrial.store.manifest import describe
from retrial.study.study import Study
from retrial.tables.life_table import LifeTable

_TEXT_COLUMNS = (
    "endpoint",
    "quantity",
    "contrast",
    "method",
    "interval_kind",
    "model",
    "prior",
    "unit",
    "source",
    "status",
    "note",
)


def lay_out_report(run: RunConfig, study: Study, source: Path, folder: Path) -> Path:
    """Write report.html, figures/ and tables/ into `folder` from the results in `source`."""
    manifest = describe(run, study, [], 0.0)
    manifest.pop("wall_seconds")
    estimates = read_estimates(source)
    used = used_models(run, estimates)
    data = ReportData(
        study=study,
        manifest=manifest,
        checks=[*run_audit(study), *_joint(source)],
        estimates=estimates,
        fidelity=_frame(source / "fidelity.csv"),
        diagnostics=_frame(source / "diagnostics.csv"),
        curves={key: curves for key in study.endpoints if (curves := _curves(study, key, source)) is not None},
        priors=_frame(source / "priors.csv"),
        prior_densities=_frame(source / "prior_densities.csv"),
        prior_predictive=_frame(source / "prior_predictive.csv"),
        conflict=_frame(source / "conflict.csv"),
        power_scaling=_frame(source / "power_scaling.csv"),
        criticism=_frame(source / "criticism.csv"),
        agreement=_frame(source / "agreement.csv"),
        variance=_frame(source / "variance.csv"),
        loo_pit=_frame(source / "loo_pit.csv"),
        readings=_frame(source / "readings.csv"),
        spread=_frame(source / "spread.csv"),
        leave_one_out=_frame(source / "leave_one_out.csv"),
        strict_comparison=_frame(source / "strict_comparison.csv"),
        traces=_traces(run, study, source),
        predictive={key: found for key in study.endpoints if (found := _dataset(source / f"predictive_{key}.nc")) is not None},
        model_cards={spec.name: spec.card for spec in used},
        model_labels={name: spec.label for name, spec in run.models.items()},
        model_words={name: spec.short for name, spec in run.models.items() if spec.short},
        parameter_labels={item.name: item.label for spec in used for item in spec.parameters},
        main_prior=run.main_prior,
    )
    return write_report(data, folder)


def _traces(run: RunConfig, study: Study, folder: Path) -> list[xr.Dataset]:
    """Chains of each endpoint's first survival model under the main prior, on the typical table."""
    names = [spec.name for spec in run.models.values() if spec.kind.from_tables]
    paths = [[folder / f"posterior_{key}_{name}.nc" for name in names] for key in study.endpoints]
    found = [next((path for path in some if path.is_file()), None) for some in paths]
    return [typical_posterior(path, run.main_prior) for path in found if path is not None]


def draw_curves(study: Study, folder: Path) -> None:
    """Write the Kaplan-Meier figure of every endpoint whose tables are in `folder` to figures/."""
    curves = {key: found for key in study.endpoints if (found := _curves(study, key, folder)) is not None}
    (folder / "figures").mkdir(exist_ok=True)
    for picture in survival_pictures(ReportData(study=study, manifest={}, curves=curves)):
        (folder / "figures" / f"{picture.key}.svg").write_bytes(picture.svg)
        (folder / "figures" / f"{picture.key}.png").write_bytes(picture.png)


def _joint(folder: Path) -> list[Check]:
    """Checks of the family "joint" in a run's audit.csv: only a reconstruction can make them."""
    frame = pd.read_csv(folder / "audit.csv", keep_default_na=False, dtype=str)
    rows = frame[frame["family"] == "joint"].to_dict("records")
    return [
        Check(
            **{
                **row,
                "verdict": Verdict(row["verdict"]),
                "consequence": Consequence(row["consequence"]),
                "numbers": int(row["numbers"]),
            }
        )  # type: ignore[arg-type]
        for row in rows
    ]


def read_estimates(folder: Path) -> list[Estimate]:
    """Rows of a run's estimates.csv."""
    path = folder / "estimates.csv"
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(_TEXT_COLUMNS, str), keep_default_na=False, na_values={"point": ["", "nan"]}
        )
    except OSError as error:
        raise StoreError(f"no estimates in {folder}: {error.strerror}") from error
    for name in ("point", "lower", "upper", "sd", "level"):
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return [Estimate(**row) for row in frame.to_dict("records")]  # type: ignore[arg-type]


def _frame(path: Path) -> pd.DataFrame | None:
    # printed numbers keep their digits
    return pd.read_csv(path, dtype={"printed": str}) if path.is_file() else None


def _curves(study: Study, key: str, folder: Path) -> SurvivalCurves | None:
    path = folder / f"reconstruction_{key}.nc"
    if not path.is_file():
        return None
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        table = LifeTable(stored.load())
    band = _dataset(folder / f"band_{key}.nc")
    attributes = band.attrs if band is not None else {}
    dims = (RECONSTRUCTION, ARM, TIME)
    return SurvivalCurves(
        kaplan_meier=xr.DataArray(kaplan_meier(table), dims=dims, coords=table.events.coords),
        at_risk=table.at_risk,
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


def _dataset(path: Path) -> xr.Dataset | None:
    if not path.is_file():
        return None
    with xr.open_dataset(path, engine="h5netcdf") as stored:
        return stored.load()


def _medians(study: Study, key: str) -> dict[str, float]:
    months = MONTHS_PER_UNIT[study.time_unit]
    medians = {arm: getattr(study.endpoints[key].median, arm) for arm in ARMS}
    return {arm: median.value.value * months for arm, median in medians.items() if median is not None}


def _at_risk(study: Study, key: str) -> PrintedAtRisk | None:
    printed = study.endpoints[key].at_risk
    if printed is None:
        return None
    months = MONTHS_PER_UNIT[study.time_unit]
    counts = {arm: [int(count) for count in getattr(printed, arm) or []] for arm in ARMS}
    return PrintedAtRisk([time.value * months for time in printed.times], {arm: items for arm, items in counts.items() if items})
