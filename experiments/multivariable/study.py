"""Printed multivariable models of hidden patients: cases.csv has one row a case and kind of print, summary.csv one a data set and kind;
errors.csv has the errors of the quadratic form on other data sets.

Hidden are the treatment's effect adjusted for each covariate alone and for all but each, the correlations of the estimates, the
variance inflation of each covariate, and what adjustment for all moves the unadjusted effect by. A 90 % interval over the sampled matrices
holds each, or not. `contradictory` says whether the printed tables, which come from one data set, are taken to contradict each other.
"""

from __future__ import annotations

import multiprocessing
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lifelines.exceptions import ConvergenceError

from retrial.experiments.multivariable.cases import TESTED, Patients, thinned
from retrial.experiments.multivariable.paper import KEY, Hidden, Print, Test, cox, hide, paper, units_of
from retrial.multivariable.contradiction import contradictions
from retrial.multivariable.posterior import Components, NormalMixture, of_matrices
from retrial.multivariable.printed import printed_model
from retrial.multivariable.sampler import Matrices, MatrixSettings, sample
from retrial.seeds import integer_seed

SMALLEST, LARGEST, MOST = 80, 300, 0.8
"""Patients of a subset, and the largest part of a data set that is taken."""
SUBSETS, TRIES = 40, 400
SETTINGS = MatrixSettings(islands=2, particles=200)
TAIL = 0.05
QUANTITIES = ("subset", "correlation", "inflation", "shift")


@dataclass(frozen=True)
class Case:
    """One subset of one data set: its number is its seed."""

    source: str
    number: int


Truths = dict[str, list[tuple[Any, float]]]


def subsets(name: str, read: Callable[[], Patients], count: int) -> Iterator[tuple[Case, Test, Hidden, Truths]]:
    """So many subsets of which a paper would print a model, each with the test of its univariable table, and what it hides."""
    patients, found = read(), 0
    for number in range(TRIES):
        if found == count:
            return
        random = np.random.default_rng(integer_seed(number, name))
        size = int(random.integers(SMALLEST, min(LARGEST, int(MOST * patients.time.size)) + 1))
        test = list(Test)[int(random.integers(len(Test)))]
        analysed = _analysed(thinned(patients, size, integer_seed(number, name, "patients")), test)
        if analysed is not None:
            found += 1
            yield Case(name, number), test, *analysed


def _analysed(patients: Patients, test: Test) -> tuple[Hidden, Truths] | None:
    """The paper's analysis and what it hides; None where some of its Cox regressions have no maximum."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            hidden = hide(patients, test)
            return None if hidden is None else (hidden, truths(hidden))
        except ConvergenceError:
            return None


def truths(hidden: Hidden) -> Truths:
    """Every hidden quantity by what it is of: a subset of the other covariates' positions, a pair of positions, or one."""
    names, b = hidden.model.names, hidden.model.b
    others = range(1, len(names))
    # a factor is adjusted for, or left out, as a whole
    units = [tuple(names.index(name) for name in levels) for levels in list(units_of(hidden).values())[1:]]
    asked = dict.fromkeys([*units, *(tuple(k for k in others if k not in out) for out in units)])
    error = np.sqrt(np.diag(hidden.model.covariance))
    correlation = hidden.model.covariance / np.outer(error, error)
    effects = [(kept, float(cox(hidden.patients, (names[0], *(names[k] for k in kept)))[0].b[0])) for kept in asked]
    pairs = [((i, j), float(correlation[i, j])) for i in range(len(names)) for j in range(i)]
    inflation = np.diag(hidden.model.covariance) * np.diag(np.linalg.inv(hidden.model.covariance))
    single = [((place,), float(value)) for place, value in enumerate(inflation)]
    return {
        "subset": effects,
        "correlation": pairs,
        "inflation": single,
        "shift": [((), float(b[0] - hidden.alone[names[0]].b[0]))],
    }


def estimates(matrices: Matrices) -> Components:
    """The printed estimates themselves under every matrix: an interval for what the patients' own estimate is, not for the truth behind it."""
    count, size = matrices.b.shape
    return of_matrices(matrices, np.full(count, 1 / count), matrices.b, np.zeros((count, size, size)))


def rows_of(case: Case, test: Test, hidden: Hidden, hidden_values: Truths) -> Iterator[dict[str, Any]]:
    """One row a kind of print: share of each kind of hidden quantity inside its 90 % interval, mean error and width."""
    for given in Print:
        random = np.random.default_rng(integer_seed(case.number, case.source, given))
        model = printed_model(paper(hidden, test, given, random), KEY)
        matrices = sample(model, SETTINGS, integer_seed(case.number, case.source, given, "matrices"))
        found = estimates(matrices)
        row: dict[str, Any] = {
            "source": case.source,
            "number": case.number,
            "print": str(given),
            "test": str(test),
            "patients": hidden.patients.time.size,
            "events": int(hidden.patients.event.sum()),
            "covariates": model.size,
            "shift": hidden_values["shift"][0][1],
            "se": float(np.sqrt(hidden.model.covariance[0, 0])),
            "contradictory": contradictions(model).status != "ok",
        }
        for quantity, items in hidden_values.items():
            if quantity == "shift" and given is not Print.TESTS:
                continue  # both of its ratios are printed
            answers = [_interval(quantity, of, found, matrices) for of, _ in items]
            values = np.array([value for _, value in items])
            low, middle, high = np.array(answers).T
            row[f"{quantity}_covered"] = float(np.mean((low <= values) & (values <= high)))
            row[f"{quantity}_error"] = float(np.mean(np.abs(middle - values)))
            row[f"{quantity}_width"] = float(np.mean(high - low))
        yield row


def _interval(quantity: str, of: tuple[int, ...], found: Components, matrices: Matrices) -> np.ndarray:
    """5, 50 and 95 % of a hidden quantity."""
    levels = np.array([TAIL, 0.5, 1 - TAIL])
    if quantity == "inflation":
        return np.asarray(np.quantile(matrices.inflation[:, of[0]], levels))
    if quantity == "correlation":
        return np.asarray(np.quantile(matrices.correlation[:, of[0], of[1]], levels))
    mixture: NormalMixture = found.subset(0, of) if quantity == "subset" else found.shift(0, of)
    return mixture.ppf(levels)


def _one(task: tuple[str, int]) -> list[dict[str, Any]]:
    name, count = task
    return [row for case in subsets(name, TESTED[name], count) for row in rows_of(*case)]


def summary(cases: pd.DataFrame) -> pd.DataFrame:
    """Means by data set and kind of print, over all data sets, and over those with factors of three or more levels.

    Standard errors of coverage are over the cases of one data set, and over data sets in the rows of several: subsets of one data set share
    its patients (and both ways of cutting its covariates), so that their cases are no independent ones.
    """
    factors = cases[cases["source"].str.endswith(LEVELS_OF)]
    parts = []
    for (source, given), group in [
        *cases.groupby(["source", "print"], sort=False),
        *((("all", given), group) for given, group in cases.groupby("print", sort=False)),
        *((("all with factors", given), group) for given, group in factors.groupby("print", sort=False)),
    ]:
        row: dict[str, Any] = {"source": source, "print": given, "cases": len(group)}
        sets = group["source"].str.removesuffix(LEVELS_OF)
        for quantity in QUANTITIES:
            covered = 100 * group[f"{quantity}_covered"]
            independent = covered.groupby(sets).mean() if sets.nunique() > 1 else covered
            row[f"{quantity}_covered_percent"] = covered.mean()
            row[f"{quantity}_covered_se"] = independent.std() / np.sqrt(len(independent))
            row[f"{quantity}_error"] = group[f"{quantity}_error"].mean()
            row[f"{quantity}_width"] = group[f"{quantity}_width"].mean()
        row["contradictory_percent"] = 100 * group["contradictory"].mean()
        row["shift_mean_size"], row["se"] = group["shift"].abs().mean(), group["se"].mean()
        parts.append(row)
    return pd.DataFrame(parts)


LEVELS_OF = "_levels"
"""End of the name of a data set some of whose covariates stay factors of three or more levels."""


def main(folder: Path, workers: int = 1, subsets_of_each: int = SUBSETS) -> list[str]:
    """Write cases.csv and summary.csv into `folder`. Raises `DataError` where the package of the data sets is not there."""
    tasks = [(name, subsets_of_each) for name in TESTED]
    TESTED["veteran"]()  # says at once where the package of the data sets is missing
    folder.mkdir(parents=True, exist_ok=True)
    # a pool that is left ends its workers: an interrupted experiment does not go on in them
    with multiprocessing.Pool(workers) as pool:
        rows = [row for part in pool.imap(_one, tasks) for row in part]
    # imported here, because its subsets are those of this module
    from retrial.experiments.multivariable.errors import error_table

    error_table().to_csv(folder / "errors.csv", index=False, float_format="%.4g")
    cases = pd.DataFrame(rows)
    cases.to_csv(folder / "cases.csv", index=False, float_format="%.4g")
    summary(cases).to_csv(folder / "summary.csv", index=False, float_format="%.3g")
    return []
