"""Rows of two estimates tables, and whether they differ by more than their draws explain.

For point and limits alike z = |other - base| / √(e_base² + e_other²), e the Monte Carlo standard error (0 of a closed form). Of m numbers
that are compared so, the limit of z is the 1 - 0.05 / (2 m) quantile of the standard normal (Bonferroni): where nothing differs, with a
probability of at least 95 % no row is called different. A probability's error is at least that of one draw.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from scipy.stats import norm

from retrial.errors import StoreError
from retrial.estimate import COLUMNS
from retrial.store.artefacts import COMPARISON
from retrial.store.artefacts.compared import KEYS
from retrial.store.tables import TEXT

SAME, WITHIN, BEYOND = "same", "within Monte Carlo error", "beyond Monte Carlo error"
TABLES_TOO, UNKNOWN = "beyond the draws' error; the life tables differ too", "differs; no Monte Carlo error is known"
OTHERWISE, FAILED, ONLY_BASE, ONLY_OTHER = "asked otherwise", "failed", "only in base", "only in other"
VERDICTS = (BEYOND, TABLES_TOO, UNKNOWN, OTHERWISE, FAILED, ONLY_BASE, ONLY_OTHER, WITHIN, SAME)
_NUMBERS = ("point", "lower", "upper")
_ERRORS = tuple(f"mcse_{name}" for name in _NUMBERS)
_DIGITS, _FALSE = 1e-9, 0.05
"""Relative difference that is none (the last digits of another machine), and the probability of any false difference."""


def differences(base: pd.DataFrame, other: pd.DataFrame, tables_differ: Collection[str]) -> pd.DataFrame:
    """Every row of either table of estimates with its verdict; `tables_differ` are endpoints whose life tables are other ones.

    Columns: those of estimates_compared.csv. Raises `StoreError` where a column of numbers holds text.
    """
    keys = [*([COMPARISON] if COMPARISON in base or COMPARISON in other else []), *KEYS]
    both = _numbered(base, keys).merge(
        _numbered(other, keys), on=[*keys, "nth"], how="outer", suffixes=("_base", "_other"), indicator="where_from", sort=False
    )
    # as they stand in base; then what only the other has
    both = both.sort_values(["place_base", "place_other"], kind="stable", ignore_index=True)
    gaps = np.stack([_gap(both, name) for name in _NUMBERS])
    errors = np.stack([_error(both, name) for name in _ERRORS])
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(gaps > 0, gaps / errors, 0.0)
    known = np.isfinite(z).all(axis=0)
    limit = norm.isf(_FALSE / (2 * max(1, int((gaps[:, known] > 0).sum()))))
    found = both[keys].copy()
    found["unit"] = both["unit_base"].where(both["where_from"] != "right_only", both["unit_other"])
    found["verdict"] = _verdicts(both, gaps, np.where(known, z.max(axis=0), np.nan), float(limit), tables_differ)
    for name in _NUMBERS:
        for which in ("base", "other"):
            found[f"{which}_{name}"] = both[f"{name}_{which}"]
    found["difference"] = both["point_other"] - both["point_base"]
    found["error"] = np.where(errors[0] > 0, errors[0], np.nan)
    found["standardised"] = np.where(known & (errors > 0).any(axis=0), z.max(axis=0), np.nan)
    for which in ("base", "other"):
        found[f"{which}_status"] = both[f"status_{which}"].fillna("")
    return found


def _numbered(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """The table with the number of each row among those of the same key; texts of a missing column are empty."""
    wrong = [name for name in COLUMNS if name not in TEXT and not pd.api.types.is_numeric_dtype(frame[name])]
    if wrong:
        raise StoreError(f"estimates.csv holds text where numbers belong: {', '.join(wrong)}")
    complete = frame if COMPARISON not in keys or COMPARISON in frame else frame.assign(**{COMPARISON: ""})
    return complete.assign(place=range(len(complete)), nth=complete.groupby(keys, dropna=False).cumcount())


def _gap(both: pd.DataFrame, name: str) -> np.ndarray:
    """|other - base|; 0 where they are the same, infinite where one has no such number."""
    one, two = both[f"{name}_base"].to_numpy(float), both[f"{name}_other"].to_numpy(float)
    with np.errstate(invalid="ignore"):
        gap = np.abs(two - one)
        same = (one == two) | (np.isnan(one) & np.isnan(two)) | (gap <= _DIGITS * np.maximum(np.abs(one), np.abs(two)))
    return np.where(same, 0.0, np.where(np.isnan(gap), np.inf, gap))


def _error(both: pd.DataFrame, name: str) -> np.ndarray:
    """Monte Carlo standard error of a difference; NaN where draws stand behind a number and their error is not known."""
    squares = np.zeros(len(both))
    chance = (both["statistic"] == "probability").to_numpy()
    for which in ("base", "other"):
        draws = both[f"draws_{which}"].fillna(0).to_numpy(float)
        error = np.where(draws > 0, both[f"{name}_{which}"].to_numpy(float), 0.0)
        with np.errstate(divide="ignore"):
            error = np.where(chance & (draws > 0), np.maximum(error, 1 / draws), error)
        squares += error**2
    return np.asarray(np.sqrt(squares))


def _verdicts(both: pd.DataFrame, gaps: np.ndarray, z: np.ndarray, limit: float, tables_differ: Collection[str]) -> np.ndarray:
    failed = (both["status_base"] != "ok") | (both["status_other"] != "ok")
    of_tables = both["endpoint"].isin(list(tables_differ)) & (both["method"] == "bayes") & (both["draws_base"].fillna(0) > 0)
    asked = np.zeros(len(both), dtype=bool)
    for name in ("unit", "interval_kind", "level"):
        one, two = both[f"{name}_base"], both[f"{name}_other"]
        asked |= ((one != two) & ~(one.isna() & two.isna())).to_numpy()
    choices = (
        (both["where_from"] == "left_only", ONLY_BASE),
        (both["where_from"] == "right_only", ONLY_OTHER),
        (failed, FAILED),
        (asked, OTHERWISE),
        ((gaps == 0).all(axis=0), SAME),
        (np.isnan(z), UNKNOWN),
        (z <= limit, WITHIN),
        (of_tables, TABLES_TOO),
    )
    return np.select([np.asarray(when) for when, _ in choices], [words for _, words in choices], BEYOND)
