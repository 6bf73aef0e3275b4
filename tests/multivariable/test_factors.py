"""Factors of three and more levels: real patients whose printed table is analysed, closed forms, and how the study file says them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from lifelines import datasets
from multivariable_factory import covariance, known, ratio, tree

from retrial.errors import StudyError
from retrial.experiments.multivariable.cases import TESTED, TREATMENT, Patients
from retrial.experiments.multivariable.paper import KEY, Hidden, Print, Test, cox, paper
from retrial.experiments.multivariable.study import truths
from retrial.multivariable.benchmark import shifts
from retrial.multivariable.contradiction import contradictions
from retrial.multivariable.correlation import log_prior
from retrial.multivariable.posterior import posterior
from retrial.multivariable.printed import PrintedModel, printed_model
from retrial.multivariable.sampler import Matrices, MatrixSettings, sample
from retrial.multivariable.statistics import group_sizes, inflation_by_others, overall_z, univariable
from retrial.study.effects import factors_of
from retrial.study.loader import load_study
from retrial.study.study import Study

SETTINGS = MatrixSettings(islands=2, particles=500)


def larynx() -> Patients:
    """Kardaun 1983: 90 patients, stage in four levels of which I is the reference; age above 65 is the group compared."""
    frame = datasets.load_larynx()
    names = {f"stage_{level}": frame[column].astype(float) for level, column in enumerate(("Stage_II", "Stage_III", "Stage_IV"))}
    table = pd.DataFrame({TREATMENT: (frame["age"] > 65).astype(float), **names})
    return Patients("larynx", frame["time"].to_numpy(float), frame["death"].to_numpy(int), table, {"stage": tuple(names)})


def simulated(seed: int) -> Patients:
    """400 patients, a factor with a rare reference whose levels go along with a treatment and a marker; exponential times."""
    random = np.random.default_rng(seed)
    level = random.choice(4, 400, p=(0.1, 0.4, 0.3, 0.2))
    treatment = random.uniform(size=400) < np.array([0.7, 0.6, 0.4, 0.3])[level]
    marker = random.uniform(size=400) < np.array([0.2, 0.3, 0.5, 0.6])[level]
    table = pd.DataFrame({TREATMENT: treatment, **{f"level_{k}": level == k for k in (1, 2, 3)}, "marker": marker}).astype(float)
    hazard = np.exp(table.to_numpy() @ np.array([-0.5, 0.3, 0.6, 1.0, 0.4]))
    time, limit = random.exponential(1 / hazard), random.uniform(0.5, 3, 400)
    events = (time <= limit).astype(int)
    return Patients("simulated", np.minimum(time, limit), events, table, {"level": ("level_1", "level_2", "level_3")})


def some(name: str, *covariates: str) -> Patients:
    """A data set with some of its covariates."""
    whole = TESTED[name]()
    factors = {factor: levels for factor, levels in whole.factors.items() if set(levels) <= set(covariates)}
    return Patients(whole.name, whole.time, whole.event, whole.covariates[[TREATMENT, *covariates]], factors)


SETS = {
    "gbsg2": lambda: some("gbsg2_levels", "tgrade_1", "tgrade_2", "tsize", "pnodes", "progrec"),
    "lung": lambda: some("lung_levels", "ph_ecog_1", "ph_ecog_2", "age", "pat_karno"),
    "larynx": larynx,
    "simulated": lambda: simulated(1),
}


@cache
def hidden(name: str) -> Hidden:
    """All covariates in one model, and every univariable fit."""
    patients = SETS[name]()
    alone, tests = {}, {}
    for unit, names in patients.units.items():
        alone[unit], statistic = cox(patients, names)
        tests[unit] = dict.fromkeys(Test, statistic)
    return Hidden(patients, tests, alone, cox(patients, tuple(patients.covariates))[0])


@cache
def analysed(name: str, given: Print) -> tuple[PrintedModel, Matrices]:
    study = paper(hidden(name), Test.LIKELIHOOD_RATIO, given, np.random.default_rng(1))
    model = printed_model(study, KEY)
    return model, sample(model, SETTINGS, 1)


@pytest.mark.parametrize("given", [Print.ONE_RATIO, Print.ALL])
@pytest.mark.parametrize("name", SETS)
def test_real_levels_are_recovered(name: str, given: Print) -> None:
    """90 % limits hold the inflation of nearly every covariate, the levels' within a sixth; the tables are not called contradictory."""
    model, matrices = analysed(name, given)
    assert contradictions(model).status == "ok"
    truth = np.array([value for _, value in truths(hidden(name))["inflation"]])
    low, middle, high = np.quantile(matrices.inflation, [0.05, 0.5, 0.95], axis=0)
    inside = (low * 0.99 <= truth) & (truth <= high * 1.01)
    assert inside.mean() >= 0.7
    levels = [place for block in model.units if len(block) > 1 for place in block]
    if given is Print.ALL:
        assert middle[levels] == pytest.approx(truth[levels], rel=1 / 6)


@pytest.mark.parametrize("name", SETS)
def test_what_adjustment_moves_is_recovered(name: str) -> None:
    """Of univariable tests alone: the 90 % limits hold the shift of the treatment's log ratio."""
    _, matrices = analysed(name, Print.TESTS)
    found = posterior(matrices, np.zeros(matrices.b.shape), np.full(matrices.b.shape, np.inf))
    spread = found.shift(0, ())
    shift = truths(hidden(name))["shift"][0][1]
    # the print's own rounding and the quadratic form: a twentieth of a standard error beside the matrices' spread
    room = 0.1 * float(matrices.s[:, 0].mean())
    low, high = np.quantile(spread.means, [0.05, 0.95])
    assert low - room <= shift <= high + room


def test_grade_iii_alone_against_all_others_is_another_number() -> None:
    """GBSG2: grade III over grade I 3.17, over all others 1.48; reading the one for the other put the inflation of 4.4 at 1.1."""
    patients = TESTED["gbsg2_levels"]()
    together, alone = cox(patients, ("tgrade_1", "tgrade_2"))[0], cox(patients, ("tgrade_2",))[0]
    assert np.exp(together.b[1]) == pytest.approx(3.17, abs=0.01)
    assert np.exp(alone.b[0]) == pytest.approx(1.48, abs=0.01)
    model, matrices = analysed("gbsg2", Print.ALL)
    place = model.names.index("tgrade_2")
    assert np.median(matrices.inflation[:, place]) == pytest.approx(4.42, rel=0.1)


B = np.array([-0.5, 0.6, 1.0, 0.3])
R = np.array([[1.0, 0.1, 0.15, 0.1], [0.1, 1.0, 0.8, 0.1], [0.15, 0.8, 1.0, -0.1], [0.1, 0.1, -0.1, 1.0]])
V = covariance(R, (0.25, 0.5, 0.52, 0.3))


def test_univariable_levels_are_those_of_their_own_model() -> None:
    """I_BB⁻¹ (I b)_B is least squares on the factor's columns alone, and its χ² what they explain."""
    random = np.random.default_rng(2)
    group = random.integers(0, 3, 200)
    x = np.column_stack([random.normal(size=200), group == 1, group == 2, random.normal(size=200)]).astype(float)
    x = x - x.mean(axis=0)
    y = x @ B + random.normal(size=200)
    matrix, b = x.T @ x, np.linalg.solve(x.T @ x, x.T @ y)
    alone, error = univariable(matrix[None], b[None], [(0,), (1, 2), (1, 2), (3,)])
    columns = x[:, [1, 2]]
    direct = np.linalg.lstsq(columns, y, rcond=None)[0]
    assert alone[0, [1, 2]] == pytest.approx(direct, abs=1e-10)
    assert error[0, [1, 2]] == pytest.approx(np.sqrt(np.diag(np.linalg.inv(columns.T @ columns))), abs=1e-12)
    assert overall_z(matrix[None], b[None], (1, 2))[0] ** 2 == pytest.approx(direct @ columns.T @ y, rel=1e-10)
    # the groups of a factor, from its information alone
    sizes = group_sizes((columns.T @ columns)[None], (0, 1))[0]
    assert sizes == pytest.approx([(group == k).sum() for k in range(3)], rel=1e-9)


def test_inflation_by_others_does_not_ask_which_level_is_the_reference() -> None:
    matrix = np.linalg.inv(V)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[-1, 0], [-1, 1]]  # over level 1: reference -β1, level 2 β2 - β1
    other = np.linalg.inv(turn @ V @ turn.T)
    units = ((0,), (1, 2), (3,))
    assert inflation_by_others(matrix[None], units) == pytest.approx(inflation_by_others(other[None], units), rel=1e-9)


def test_a_factor_is_left_out_as_a_whole() -> None:
    found = known(tuple(B), V, 200)
    found = type(found)(**{**vars(found), "units": ((0,), (1, 2), (3,))})
    _, moved = shifts(posterior(found, np.zeros((200, 4)), np.full((200, 4), np.inf)), 0, 1, 100)
    assert moved.shape == (100, 2)


def levels(**more: Any) -> dict[str, Any]:
    """A study file in which stage II and stage III are over stage I."""
    raw = tree(tuple(B), V, events=120, ratios=(0,))
    sides = {"stage": "II", "marker": "III"}
    for name, level in sides.items():
        raw["effects"][f"{name}_adjusted"] |= {"numerator": f"stage {level}", "denominator": "stage I"}
    matrix = np.linalg.inv(V)
    alone, error = univariable(matrix[None], B[None], [(0,), (1, 2), (1, 2), (3,)])
    for place, name in ((1, "stage"), (2, "marker")):
        text = ratio(alone[0, place], error[0, place])
        raw["effects"][f"{name}_alone"] = {**text, "numerator": f"stage {sides[name]}", "denominator": "stage I"}
        raw["multivariable"]["os"]["covariates"][name] |= {"unadjusted": f"{name}_alone", **more}
        del raw["tests"]["univariable"]["rows"][name]
    return raw


def test_levels_are_told_by_their_reference() -> None:
    study = Study.model_validate(levels())
    assert factors_of(study.multivariable["os"], study.effects) == {"stage": "stage I", "marker": "stage I"}
    model = printed_model(study, "os")
    assert model.blocks == ((0,), (1, 2), (1, 2), (3,))
    assert contradictions(model).status == "ok"
    others = printed_model(Study.model_validate(levels(against="others")), "os")
    assert others.fitted == ((0,), (1,), (2,), (3,))


def test_the_overall_test_of_a_factor_is_used() -> None:
    raw = levels(test="stages")
    chi = overall_z(np.linalg.inv(V)[None], B[None], (1, 2))[0] ** 2
    row = {"groups": 3, "results": {"os": {"chi_square": f"{chi:.3f}"}}}
    raw["tests"]["univariable"]["rows"]["stages"] = row
    model = printed_model(Study.model_validate(raw), "os")
    assert model.overall[0].block == (1, 2)
    assert model.overall[0].middle == pytest.approx(chi**0.5, abs=1e-3)
    assert contradictions(model).status == "ok"
    row["results"]["os"]["chi_square"] = "120"
    status = contradictions(printed_model(Study.model_validate(raw), "os")).status
    assert "tests.univariable.rows.stages.results.os.chi_square: √χ² of the whole factor" in status


def test_an_overall_p_is_that_of_its_degrees_of_freedom() -> None:
    raw = levels(test="stages")
    raw["tests"]["univariable"]["rows"]["stages"] = {"groups": 3, "results": {"os": {"p": "0.0500"}}}
    # χ² of 2 degrees of freedom whose p is 0.05: -2 log 0.05
    assert printed_model(Study.model_validate(raw), "os").overall[0].middle ** 2 == pytest.approx(-2 * np.log(0.05), abs=0.01)


UNCLEAR = {
    "over a vague reference": ({"denominator": "reference"}, {"denominator": "reference"}, "factor: missing beside the ratios"),
    "in steps": (
        {},
        {"denominator": "stage II"},
        "factor: missing beside the ratios stage II / stage I and stage III / stage II",
    ),
    "over the worst level": (
        {"numerator": "stage I", "denominator": "stage II"},
        {"numerator": "stage I", "denominator": "stage III"},
        "factor: missing beside the ratios",
    ),
}


@pytest.mark.parametrize("what", UNCLEAR)
def test_nobody_guesses_whether_two_ratios_are_levels_of_one_factor(tmp_path: Path, what: str) -> None:
    first, second, words = UNCLEAR[what]
    raw = levels()
    for name, sides in (("stage", first), ("marker", second)):
        for kind in ("adjusted", "alone"):
            raw["effects"][f"{name}_{kind}"] |= sides
    with pytest.raises(StudyError, match=words):
        load_study(written(tmp_path, raw))
    # a factor each says that they are different ones
    for name in ("stage", "marker"):
        raw["multivariable"]["os"]["covariates"][name]["factor"] = name
    assert factors_of(load_study(written(tmp_path, raw)).multivariable["os"], {}) == {}


def test_an_overall_test_has_as_many_groups_as_the_factor(tmp_path: Path) -> None:
    raw = levels(test="stages")
    raw["tests"]["univariable"]["rows"]["stages"] = {"results": {"os": {"chi_square": "8.1"}}}
    with pytest.raises(StudyError, match=r"tests\.univariable\.rows\.stages\.groups: got 2 beside the 2 ratios"):
        load_study(written(tmp_path, raw))


def written(folder: Path, raw: dict[str, Any]) -> Path:
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False), encoding="utf-8")
    return path


def test_the_prior_does_not_ask_which_level_is_the_reference() -> None:
    """Correlations with other covariates: the density over V, the same in levels over I and over II, but for the constant of the change."""
    random, units = np.random.default_rng(5), ((0,), (1, 2), (3,))
    turn = np.eye(4)
    turn[1:3, 1:3] = [[-1, 0], [-1, 1]]
    found = []
    for _ in range(3):
        root = random.normal(size=(4, 12))
        v = root @ root.T
        each = []
        for cov in (v, turn @ v @ turn.T):
            s = np.sqrt(np.diag(cov))
            # over V: r_Bj is V_Bj / (s_B s_j) with the levels' s given, for the two other covariates
            each.append(log_prior((cov / np.outer(s, s))[None], 0.2, units)[0] - 2 * np.log(s[1] * s[2]))
        found.append(each[0] - each[1])
    assert found == pytest.approx([0.0] * 3, abs=1e-9)
