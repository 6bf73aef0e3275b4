"""The whole sensitivity analysis of a run as tables: what the stage gives, values in and frames out."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import xarray as xr

from retrial.data.kind import Place, Row, fit_status
from retrial.run_config import RunConfig
from retrial.sensitivity.after_censoring.imputed import imputed_ratios
from retrial.sensitivity.after_censoring.means import completed_tables
from retrial.sensitivity.after_censoring.rows import AfterCensoring, censoring_rows, censoring_tipping
from retrial.sensitivity.any_prior.effects import Effect, effects_of
from retrial.sensitivity.bias import bias_rows, bias_tipping
from retrial.sensitivity.conclusions import conclusion_rows
from retrial.sensitivity.credibility import credibility_estimates
from retrial.sensitivity.evalue import e_value_estimates
from retrial.sensitivity.future import future_rows
from retrial.sensitivity.of_design.early import EarlyDeaths, early_deaths
from retrial.sensitivity.of_design.rows import early_rows, early_tipping, early_variance
from retrial.sensitivity.operating.printed import printed_rows
from retrial.sensitivity.own_probabilities import prior_probabilities
from retrial.sensitivity.prior_grid import belief_rows, contour_rows, curve_rows, grid_rows, scepticism_rows, side
from retrial.study.study import Study

log = logging.getLogger("retrial")
DESIGN_VARIANCE = "design_variance"
"""Rows of variance.csv of readings of the design: no file of its own."""
Rows = Iterable[dict[str, Any]]


def sensitivity_tables(
    run: RunConfig, study: Study, posteriors: Mapping[Place, xr.DataTree], diagnostics: Sequence[Row]
) -> dict[str, pd.DataFrame]:
    """The tables of `store.artefacts.sensitivity` that have rows, and `DESIGN_VARIANCE`; of a study of one arm there is no effect to challenge."""
    if study.one_arm:
        return {}
    asked, tail = run.sensitivity, run.questions.tail
    effects = effects_of(run, study, posteriors, diagnostics)
    fitted = {place: tree for place, tree in posteriors.items() if _usable(effects, place, diagnostics)}
    completed = {(one.endpoint, one.model): _completed(run, study, one, fitted) for one in effects}
    missing = {(one.endpoint, one.model): _missing(run, study, one, fitted) for one in effects}

    def each(rows_of: Callable[[Effect], Rows]) -> list[dict[str, Any]]:
        return [row for effect in effects for row in rows_of(effect)]

    after = [(effect, found) for effect in effects if (found := completed[effect.endpoint, effect.model]) is not None]
    early = [(effect, lost) for effect in effects if (lost := missing[effect.endpoint, effect.model]) is not None]
    levels = tuple(dict.fromkeys((0.95, asked.claim)))
    tables = {
        "prior_probabilities": prior_probabilities(run, study),
        "prior_grid": each(lambda effect: grid_rows(effect, asked, tail)),
        "under_priors": each(lambda effect: belief_rows(effect, asked, tail)),
        "probability_curve": each(curve_rows),
        "bias": each(lambda effect: bias_rows(effect, asked, tail)),
        "censoring": [row for one, found in after for row in censoring_rows(one.named, found, tail)],
        "early_deaths": [row for one, lost in early for row in early_rows(one.named, lost, tail)],
        "future_trial": each(lambda effect: future_rows(effect, asked, tail)),
        "tipping": [
            *each(lambda effect: contour_rows(effect, asked, tail)),
            *each(lambda effect: scepticism_rows(effect, asked, tail)),
            *each(lambda effect: bias_tipping(effect, asked, tail)),
            *_closed_form(study),
            *(row for one, found in after for row in censoring_tipping(one.named, found, levels, side(one, tail))),
            *(row for one, lost in early for row in early_tipping(one.named, lost, levels, side(one, tail))),
        ],
        DESIGN_VARIANCE: [row for one, lost in early for row in early_variance(one.named, lost)],
        "operating": each(lambda effect: printed_rows(effect, run.operating, tail)),
        "conclusions": each(
            lambda one: conclusion_rows(one, asked, tail, completed[one.endpoint, one.model], missing[one.endpoint, one.model])
        ),
    }
    return {name: pd.DataFrame(rows) for name, rows in tables.items() if rows}


def _closed_form(study: Study) -> Iterator[dict[str, Any]]:
    """E-values and reverse-Bayes of the printed limits, beside the same on the whole posterior."""
    for row in (*e_value_estimates(study), *credibility_estimates(study)):
        if row.failed or row.unit == "p-value":
            continue
        strict = row.quantity.startswith(("sceptical", "advocacy"))
        about = {
            "endpoint": row.endpoint,
            "model": row.model,
            "adjusted_for": row.adjusted_for,
            "challenge": row.quantity,
            "prior": "",
        }
        yield {**about, "criterion": 0.975 if strict else math.nan, "given": 1.0 if strict else math.nan, "value": row.point}


def _usable(effects: Sequence[Effect], place: Place, diagnostics: Sequence[Row]) -> bool:
    """Whether the draws of an effect's fits under its main prior may be taken as they are."""
    for one in effects:
        if one.printed is None and (one.endpoint, one.model) == place:
            status = fit_status(diagnostics, *place, next(iter(one.priors)))
            if status != "ok":
                log.info("%s, %s: %s; nothing on censoring and early deaths", *place, status)
            return status == "ok"
    return False


def _completed(run: RunConfig, study: Study, effect: Effect, posteriors: Mapping[Place, xr.DataTree]) -> AfterCensoring | None:
    """What it becomes under other hazards after censoring, of a model of the life tables whose patients all entered at time 0."""
    place = effect.endpoint, effect.model
    if effect.printed is not None or place not in posteriors:
        return None
    spec, tree, name = run.models[effect.model], posteriors[place], next(iter(effect.priors))
    means = completed_tables(run, spec, study, effect.endpoint, tree, name)
    imputed = imputed_ratios(run, spec, study, effect.endpoint, tree, (name, effect.main))
    if means is None or imputed is None:
        return None
    return AfterCensoring.of(name, run.sensitivity.hazard_after_censoring, means, imputed, run.questions.tail)


def _missing(run: RunConfig, study: Study, effect: Effect, posteriors: Mapping[Place, xr.DataTree]) -> EarlyDeaths | None:
    """What it becomes where early deaths are missing, of a model of the life tables of an event that is bad for the patient."""
    place = effect.endpoint, effect.model
    if effect.printed is not None or place not in posteriors or effect.good:
        return None
    name = next(iter(effect.priors))
    return early_deaths(run, run.models[effect.model], study, effect.endpoint, posteriors[place], (name, effect.main))
