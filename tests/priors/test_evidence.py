"""From a table of published effects to a prior."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats

from retrial.errors import PriorError
from retrial.priors.evidence import parse_evidence
from retrial.priors.historical import parse_historical
from retrial.priors.meta_analysis import pooled
from retrial.priors.prior import Prior
from retrial.priors.prior_set import implied
from retrial.priors.statements import parse_prior_set
from retrial.priors.two_level import normal_studies


@pytest.fixture(scope="module")
def thymosin(root: Path) -> dict[str, Any]:
    return yaml.safe_load((root / "conf/evidence/thymosin.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("outcome", "printed"), [("os", (0.430, 0.300, 0.618)), ("rfs", (0.496, 0.358, 0.689))])
def test_the_naive_pool_of_the_evidence_file(thymosin: dict[str, Any], outcome: str, printed: tuple[float, ...]) -> None:
    # EVIDENCE.md 1a: naive pools of He Linye and Liang, the papers of one group counted once
    table = parse_evidence(thymosin, "thymosin", "evidence")
    mean, se = pooled(table.effects(outcome, "k"), "fixed")
    assert np.exp([mean, mean - 1.959964 * se, mean + 1.959964 * se]) == pytest.approx(printed, abs=6e-4)


def test_random_effects_pool_is_dersimonian_laird(thymosin: dict[str, Any]) -> None:
    effects = parse_evidence(thymosin, "thymosin", "evidence").effects("os", "k")
    y, v = np.array([e.log_ratio for e in effects.values()]), np.array([e.se**2 for e in effects.values()])
    w = 1 / v
    q = float(w @ (y - w @ y / w.sum()) ** 2)
    tau2 = max(0.0, (q - 1) / (w.sum() - w @ w / w.sum()))
    assert q == pytest.approx(2.28, abs=0.02)  # EVIDENCE.md 1a
    star = 1 / (v + tau2)
    assert pooled(effects, "random") == pytest.approx((star @ y / star.sum(), star.sum() ** -0.5), abs=1e-8)


def test_merging_dependent_papers_gains_nothing(thymosin: dict[str, Any]) -> None:
    raw = copy.deepcopy(thymosin)
    raw["dependent"][0]["choose"] = "merge"
    effects = parse_evidence(raw, "thymosin", "evidence").effects("os", "k")
    assert len(effects) == 2
    merged = next(value for name, value in effects.items() if "+" in name)
    alone = parse_evidence(thymosin, "thymosin", "evidence").rows
    ses = [alone[name].effects["os"].se for name in ("he_linye_2021", "he_chao_2017")]
    assert min(ses) <= merged.se <= max(ses)


def test_power_and_robust_sets_by_endpoint(thymosin: dict[str, Any]) -> None:
    raw = {
        "evidence": thymosin,
        "log_hazard_ratio": {
            "by_endpoint": {
                "os": {"evidence": {"outcome": "os", "method": "power", "exponent": 0.2}},
                "pfs": {"evidence": {"outcome": "rfs", "method": "robust", "weight": 0.3}},
            }
        },
    }
    made = parse_prior_set(raw, "prior", "historical")
    mean, se = pooled(parse_evidence(thymosin, "t", "e").effects("os", "k"), "fixed")
    assert made.for_endpoint("os")["log_hazard_ratio"].parameters == pytest.approx((mean, se / np.sqrt(0.2)), abs=1e-12)
    mixture = made.for_endpoint("pfs")["log_hazard_ratio"]
    assert mixture["weights"] == pytest.approx((0.3, 0.7))
    assert mixture["mu"][1] == 0.0
    assert mixture["sigma"][1] == 1.0
    assert not made.speaks_of("log_hazard_ratio", "dfs")
    assert made.speaks_of("log_hazard_ratio")
    assert {row["endpoint"] for row in implied(made)} == {"os", "pfs"}
    assert "He Linye 2021" in made.for_endpoint("os")["log_hazard_ratio"].source


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"outcome": "xx"}, "the table has os, rfs"),
        ({"outcome": "os", "method": "guess"}, "allowed are power, robust, pooled"),
        ({"outcome": "os", "exponent": 1.5}, "from 0.0001 to 1"),
        ({"outcome": "os", "method": "robust", "weight": 0}, "from 0.0001 to 1"),
        ({"outcome": "os", "method": "robust", "exponent": 0.2}, "robust takes outcome"),
        ({"outcome": "os", "pool": "both"}, "allowed are fixed, random"),
    ],
)
def test_wrong_statements_of_evidence_are_refused(thymosin: dict[str, Any], said: dict[str, Any], message: str) -> None:
    with pytest.raises(PriorError) as error:
        parse_prior_set({"evidence": thymosin, "log_hazard_ratio": {"evidence": said}}, "prior", "mine")
    assert message in str(error.value)


def test_a_wrong_table_is_refused_with_all_its_problems() -> None:
    raw = {
        "rows": {
            "a": {"source": "x", "verified": "source", "effects": {"os": {"ratio": 0.5, "ci": [0.6, 0.9]}}},
            "b": {"verified": "surely", "counts": {"ORR": [5, 3]}},
        },
        "dependent": [{"rows": ["a", "c"], "choose": "d"}],
    }
    with pytest.raises(PriorError) as error:
        parse_evidence(raw, "t", "evidence")
    text = str(error.value)
    for part in (
        "0 < low < ratio < high",
        "rows.b.source: missing",
        "got 'surely'",
        "[events, n]",
        "two or more of a, b",
        "got 'd'",
    ):
        assert part in text


@pytest.mark.parametrize("name", ["thymosin", "leap_002", "lenvatinib_pd1"])
def test_every_table_of_the_project_can_be_read(root: Path, name: str) -> None:
    raw = yaml.safe_load((root / f"conf/evidence/{name}.yaml").read_text(encoding="utf-8"))
    assert parse_evidence(raw, name, "evidence").rows


def test_historical_controls_and_their_criteria(root: Path) -> None:
    table = yaml.safe_load((root / "conf/evidence/lenvatinib_pd1.yaml").read_text(encoding="utf-8"))
    raw = {"evidence": table, "historical": {"outcome": "ORR", "more_generous": "mRECIST"}}
    found = parse_historical(raw, "models.m")
    assert found is not None
    offsets = dict(zip(found.labels, found.offsets("mRECIST"), strict=True))
    assert (offsets["KEYNOTE-524"], offsets["Taiwan, first line"], offsets["PLA 5th Medical Centre"]) == (0.0, -1.0, -0.5)
    with pytest.raises(PriorError, match="the table has counts of DCR, ORR"):
        parse_historical(raw | {"historical": {"outcome": "CR"}}, "models.m")
    with pytest.raises(PriorError, match="from 0"):
        parse_historical(raw | {"historical": {"outcome": "ORR", "robust_weight": 2}}, "models.m")


def test_robust_part_is_the_predictive_of_the_next_study(thymosin: dict[str, Any]) -> None:
    effects = parse_evidence(thymosin, "t", "e").effects("os", "k")
    y, se = zip(*[(e.log_ratio, e.se) for e in effects.values()], strict=True)
    rng = np.random.default_rng(3)
    tau = stats.halfnorm(scale=0.5).rvs(400_000, random_state=rng)
    mu = rng.normal(-0.8, 2.0, tau.size)
    log_weight = sum(stats.norm.logpdf(a, mu, np.hypot(s, tau)) for a, s in zip(y, se, strict=True)) - stats.norm.logpdf(
        mu, -0.8, 2.0
    )
    weight = np.exp(log_weight - log_weight.max())
    mean, sd = normal_studies(y, se, Prior("half_normal", (0.5,))).moments_next()
    expected = np.average(mu, weights=weight)
    assert mean == pytest.approx(expected, abs=0.01)
    assert sd == pytest.approx(np.sqrt(np.average((mu - expected) ** 2 + tau**2, weights=weight)), abs=0.01)


@pytest.mark.parametrize("ratios", [(0.5, 0.5), (0.5, 0.5, 0.5), (0.5, 0.501)])
def test_studies_that_agree_pool_alike_with_random_and_fixed_effects(ratios: tuple[float, ...]) -> None:
    rows = {
        f"r{i}": {"source": "x", "verified": "source", "effects": {"os": {"ratio": ratio, "ci": [0.3, 0.8]}}}
        for i, ratio in enumerate(ratios)
    }
    effects = parse_evidence({"description": "d", "studies": ["s"], "rows": rows}, "t", "e").effects("os", "k")
    assert pooled(effects, "random") == pytest.approx(pooled(effects, "fixed"), rel=1e-14)
