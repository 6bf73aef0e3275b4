"""Prior-data conflict: one table that says which prior fights which printed ratio or count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from retrial.errors import DataError
from retrial.frequentist.counts import benefit_sign, outcome_key, two_by_two
from retrial.frequentist.ratios import effect_endpoint, log_ratio
from retrial.frequentist.rows import RATIO
from retrial.frequentist.two_by_two import odds_ratio
from retrial.priors.implied.conflict import CONFLICT, LEANING, NONE_SEEN, conflict
from retrial.priors.prior_set import PriorSet
from retrial.run_config import RunConfig
from retrial.study.study import Study


def conflict_table(run: RunConfig, study: Study) -> pd.DataFrame:
    """Rows (endpoint, contrast, adjusted_for, orientation, measure, prior, estimate, se, prior_median, box_p, vague weights and Bayes factor,
    verdict).

    Conflicts come first, and within a verdict the smallest p. Hazard ratios as printed; odds ratios of responses from their counts (0.5 added
    to each cell where one is empty), a harm's turned to a benefit.
    """
    rows = [*_hazard_ratios(run, study), *_odds_ratios(run, study)]
    rows.sort(key=lambda row: ((CONFLICT, LEANING, NONE_SEEN).index(row["verdict"]), row["box_p"]))
    return pd.DataFrame(rows)


def _hazard_ratios(run: RunConfig, study: Study) -> Iterator[dict[str, Any]]:
    for key, effect in study.effects.items():
        if effect.measure != "hazard_ratio" or (run.endpoints and effect.endpoint and effect.endpoint not in run.endpoints):
            continue
        try:
            data = log_ratio(effect, key)
        except DataError:
            continue  # no interval and no p: nothing to compare a prior with
        named = {
            "endpoint": effect_endpoint(effect, key),
            "contrast": data.contrast,
            "adjusted_for": data.adjusted_for,
            "orientation": "",
            "measure": "log_hazard_ratio",
        }
        yield from _rows(run, named, effect.endpoint or "", data.estimate, data.se)


def _odds_ratios(run: RunConfig, study: Study) -> Iterator[dict[str, Any]]:
    for path, row in study.count_rows().items():
        sign = benefit_sign(study, path)
        if path.startswith("adverse_events") or sign == 0:
            continue
        try:
            ratio = odds_ratio(two_by_two(study, path, row), run.questions.level)
        except DataError:
            continue  # nobody or everybody has the outcome
        named = {
            "endpoint": outcome_key(path),
            "contrast": RATIO,
            "adjusted_for": "",
            "orientation": "as a benefit",
            "measure": "log_odds_ratio",
        }
        yield from _rows(run, named, outcome_key(path), sign * math.log(ratio.point), ratio.se_log)


def _rows(run: RunConfig, named: dict[str, Any], endpoint: str, estimate: float, se: float) -> Iterator[dict[str, Any]]:
    for name, given in run.priors.items():
        priors: PriorSet = given.for_endpoint(endpoint)
        if named["measure"] not in priors.priors:
            continue
        of_treatment = named["contrast"] == RATIO
        if not (of_treatment or priors[named["measure"]].is_symmetric):
            continue  # a belief in the treatment's benefit says nothing of a prognostic factor
        yield {**named, "prior": name, **conflict(priors[named["measure"]], estimate, se)}
