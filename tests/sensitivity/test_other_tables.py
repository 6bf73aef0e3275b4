"""The tables behind an analysis as a decision of the multiverse: their likelihood against quadrature, their rows, and those that did not arrive."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrial import cli
from retrial.data import life_table
from retrial.errors import ReconstructionError
from retrial.fit.settings import Method, SamplerSettings
from retrial.fit.survival.likelihood import survival_data
from retrial.frequentist.ratios import LogRatio
from retrial.models import weibull
from retrial.models.log_hazard_ratio import posterior
from retrial.pipeline.multiverse import other_tables
from retrial.pipeline.multiverse.other_tables import blocks_on_other_tables
from retrial.pipeline.tables import Reconstructions
from retrial.priors.prior import Prior
from retrial.priors.prior_set import PriorSet
from retrial.run_config import ModelSpec, Multiverse, RunConfig
from retrial.sensitivity.any_prior import on_tables
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import NormalLikelihood
from retrial.sensitivity.any_prior.marginal import MarginalLikelihood
from retrial.sensitivity.any_prior.on_tables import likelihood_on, outermost
from retrial.sensitivity.multiverse import Block, bases_of, block_cells, blocks_of, decision_rows, tried, whole_table
from retrial.sensitivity.operating.design import Design
from retrial.store.stages import Stages
from retrial.study.reported import Quantity
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import ReconstructionSettings
from retrial.tables.findings.probes import Probes
from retrial.tables.sample.engine import reconstruct
from tests.fit.test_importance import priors_with, quadrature
from tests.tables.toy import number, toy_targets

TAIL, CLAIM = 0.025, 0.975
ASKED = Multiverse()
EXTREMES = {"flat": (0.0, 10.0), "sceptical": (0.0, 0.355), "narrow": (0.0, 0.2), "optimistic": (-0.5, 0.35), "harm": (0.5, 0.35)}
PRIORS = {name: Prior("normal", pair) for name, pair in EXTREMES.items()}


def normal(y: float, s: float) -> NormalLikelihood:
    return NormalLikelihood(LogRatio("hazard_ratio", "experimental / control", "", y, s, 0.95, "made up"), posterior)


def effect(model: str, y: float, printed: bool = False) -> Effect:
    likelihood = normal(y, 0.3)
    return Effect("toy", model, "", "hazard_ratio", likelihood, PRIORS, 44.0, False, likelihood.data if printed else None)


def run_config(**parts: Any) -> RunConfig:
    spec = ModelSpec("weibull", life_table.KIND, weibull.build, {"hazard": weibull.hazard}, {})
    about: dict[str, Any] = {
        "verb": "multiverse",
        "study_file": Path("toy.yaml"),
        "seed": 5,
        "output_dir": Path(),
        "force": False,
    }
    return RunConfig(**about, asked={}, models={"weibull": spec, "again": spec}, **parts)


def test_the_sets_that_are_fitted_lie_furthest_apart() -> None:
    assert outermost(PRIORS) == ("flat", "narrow", "optimistic", "harm")
    assert outermost({"flat": PRIORS["flat"]}) == ("flat",)


def test_any_prior_on_other_tables_is_the_quadrature(monkeypatch: pytest.MonkeyPatch) -> None:
    leaving = np.full((2, 30), 0.024)
    leaving[:, -1] = 1.0
    table = Design(np.arange(1.0, 31.0), np.array([43, 49]), leaving, 11.0, 1.2).simulated(0.6, 1.0, 2, np.random.default_rng(4))
    sets = {name: PriorSet(name, dict(priors_with(prior).priors)) for name, prior in PRIORS.items()}
    monkeypatch.setattr(on_tables, "complete_sets", lambda *_: sets)
    weights = np.array([0.7, 0.3])
    run = run_config(priors=sets, sampler=SamplerSettings(method=Method.IMPORTANCE, threads=1))
    item = EndpointTables("toy", table, weights, "exact", "simulated")
    nobody: Any = None
    found = likelihood_on(run, run.models["weibull"], nobody, item)
    assert isinstance(found, MarginalLikelihood)
    grids = [quadrature(survival_data(table, m), sets["flat"], -3.5, 2.0, 111) for m in range(2)]
    beta = grids[0].beta
    edge = np.where(np.isclose(beta, 0), 0.5, beta < 0)
    for prior in (PRIORS["sceptical"], Prior("normal", (math.log(0.8), 0.5))):
        ratio = np.exp(prior.distribution.logpdf(beta) - PRIORS["flat"].distribution.logpdf(beta))
        exact = float(weights @ [one.margin * ratio / (one.margin @ ratio) @ edge for one in grids])
        cells = found.under(prior, TAIL)
        assert cells.below[0] == pytest.approx(exact, abs=4 * cells.error[0] + 1e-3)


def test_choices_are_fitted_and_those_without_tables_are_failed_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Base and choices of one endpoint with numbers that are assumed; the narrow prior of its tables does not arrive."""
    found = toy_targets((12, 12), 6, [number("events", "14"), number("at_risk", "6", "control", time=4.0)])
    targets = dataclasses.replace(found, assumed=(("at_risk", "our reading of a figure"),))
    settings = ReconstructionSettings(islands=3, particles=40, proposals=40, n_tables=10)
    ensemble = reconstruct(targets, settings, 1)
    item = EndpointTables("toy", ensemble.table, ensemble.weights, "exact", "tables", ensemble=ensemble, targets=targets)
    seen: list[EndpointTables] = []

    def sampled(asked: Any, chosen: ReconstructionSettings, seed: int) -> Any:
        if chosen.prior.walk_scale < settings.prior.walk_scale:
            return ReconstructionError("no table carries all numbers")
        return reconstruct(asked, chosen, seed)

    def fitted(_run: Any, _spec: Any, _study: Any, tables: EndpointTables) -> Any:
        seen.append(tables)
        return "nothing passed" if "change twice" in tables.source else normal(-0.6 - 0.1 * len(seen), 0.3)

    separate = dataclasses.replace(item, weights=np.roll(item.weights, 1) + np.linspace(0, 0.01, item.weights.size))
    monkeypatch.setattr(other_tables, "sampled", sampled)
    monkeypatch.setattr(other_tables, "likelihood_on", fitted)
    monkeypatch.setattr(other_tables, "endpoint_tables", lambda *_: Reconstructions([separate], [], []))
    monkeypatch.setattr(Stages, "run", lambda _self, _name, function, *arguments: function(*arguments))
    run = run_config(multiverse=ASKED, reconstruction=settings, probes=Probes(choices_islands=2, choices_rounds=1))
    endpoint = SimpleNamespace(reading="exact", recording_unit=None, good=False, label="")
    timeline = SimpleNamespace(excluded_follow_up_up_to=Quantity.parse("2"))
    used: Any = SimpleNamespace(endpoints={"toy": endpoint}, effects={}, timeline=timeline, time_unit="months", binary={})
    monkeypatch.setattr(other_tables, "entry_of", lambda _study, _item: 0.5)
    effects, whole = [effect("printed", -0.7, printed=True), effect("weibull", -0.65)], Reconstructions([item], [], [])
    blocks = [*blocks_of(effects, ASKED), *blocks_on_other_tables(run, used, effects, whole, {}, Stages(tmp_path))]
    frame = whole_table(blocks, [tried(block, ASKED, TAIL)[0] for block in blocks], bases_of(blocks), ASKED, CLAIM)
    base = frame[(frame["prior_sd"] == 10) & (frame["bias_ratio"] == 1) & (frame["bias_sd"] == 0) & (frame["prior_mean"] == 1)]
    rows = {row["tables"]: row for row in base[base["model"] == "weibull"].to_dict("records")}
    failed = {name: row["status"] for name, row in rows.items() if row["status"] != "ok"}
    assert failed == {
        "half walk scale": "failed: FitError: no such tables: no table carries all numbers",
        "double walk scale": "failed: FitError: no fit of these tables can be used: nothing passed",
        "without assumed numbers + half walk scale": "failed: FitError: no such tables: no table carries all numbers",
        "without assumed numbers + double walk scale": "failed: FitError: no fit of these tables can be used: nothing passed",
    }
    assert [name for name in rows if name not in failed] == [
        "",
        "without assumed numbers",
        "without assumed numbers + entry",
        "overdispersed prior",
        "without assumed numbers + overdispersed prior",
        "entry",
        "early deaths, control arm: 1",
        "early deaths, experimental arm: 1",
        "separate readings",
    ]
    assert {tables.entry for tables in seen} == {0.0, 0.5}
    assert sum(tables.entry for tables in seen) == 1.0
    early = [tables for tables in seen if tables.table.n.to_numpy()[0].sum() == 25]
    assert [(tables.table.events - item.table.events).sum("time").to_numpy()[0].tolist() for tables in early] == [[1, 0], [0, 1]]
    assert rows["without assumed numbers"]["differs"] == "analysis, tables"
    assert rows["without assumed numbers"]["note"] == "not settled: tables of 2 of the samplers only"
    assert (base.loc[base["model"] == "printed", ["tables", "note"]] == "").all().all()
    several = dataclasses.replace(run, multiverse=dataclasses.replace(ASKED, tables_with_models=True, tables_together=False))
    crossed = list(blocks_on_other_tables(several, used, [*effects, effect("again", -0.6)], whole, {}, Stages(tmp_path)))
    assert {model: len({block.tables for block in crossed if block.model == model}) for model in ("weibull", "again")} == {
        "weibull": 8,
        "again": 8,
    }
    off = dataclasses.replace(run, probes=Probes(choices=False))
    assert not list(blocks_on_other_tables(off, used, effects, whole, {}, Stages(tmp_path)))


def test_shares_of_tables_are_those_within_their_analyses() -> None:
    """Two analyses, one of them with three ensembles: sums of squares that add up to all of an additive table."""
    blocks = blocks_of([effect("printed", -0.7, printed=True), effect("weibull", -0.65)], ASKED)
    moved = {"wide": 0.2, "narrow": -0.1}
    blocks += [Block("toy", "weibull", "", normal(-0.65, 0.3), sd, name) for name in moved for sd in ASKED.bias_sds]
    frame = whole_table(blocks, [block_cells(block, ASKED, TAIL) for block in blocks], bases_of(blocks), ASKED, CLAIM)
    own = frame["tables"].map({"": 0.0, **moved}) + 0.5 * (frame["model"] == "weibull")
    frame["median"] = np.exp(own + np.log(frame["prior_sd"] + 1) + frame["bias_ratio"])
    rows = {row["decision"]: row for row in decision_rows(frame)}
    value = np.log(frame["median"])
    part = frame["model"] == "weibull"
    squares = ((own[part] - own[part].mean()) ** 2).sum()
    assert rows["tables"]["share_of_variance"] == pytest.approx(squares / ((value - value.mean()) ** 2).sum(), rel=1e-9)
    assert rows["interactions"]["share_of_variance"] == pytest.approx(0, abs=1e-12)
    assert rows["tables"]["levels"] == 3
    assert math.log(rows["tables"]["most"] / rows["tables"]["least"]) == pytest.approx(0.3)
    assert set(frame.loc[frame["tables"] == "wide", "differs"].str.split(", ").str[:2].map(tuple)) == {("analysis", "tables")}


@pytest.mark.slow
def test_a_study_end_to_end_has_rows_of_every_choice_and_does_none_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        *("multiverse", "study=yao2025", "endpoints=[pfs]", f"output_dir={tmp_path}", "sampler.method=importance"),
        *("reconstruction.n_tables=12", "reconstruction.islands=3", "reconstruction.particles=40", "sampler.pooled_draws=2000"),
        *(
            "reconstruction.choices_islands=3",
            "reconstruction.choices_rounds=1",
            "models.weibull.prior_sets=[flat,sceptical]",
        ),
        *("multiverse.prior_means=[0.8,1.0]", "multiverse.prior_sds=[0.355,10.0]", "multiverse.bias_ratios=[1.0]"),
        *(f"models.{name}=null" for name in ("piecewise_exponential", "weibull_nonproportional", "adverse_events_hierarchical")),
        *(f"models.response_{name}=null" for name in ("binomial", "borrowing", "hierarchical")),
    ]
    status = cli.run(arguments)
    frame = pd.read_csv(Path(capsys.readouterr().out.strip().splitlines()[-1]) / "multiverse.csv")
    whole = frame[frame["model"] == "weibull"]
    assert set(whole["tables"].dropna()) >= {"without assumed numbers", "eligibility", "half walk scale", "overdispersed prior"}
    fine = whole[whole["status"] == "ok"]
    assert status == (0 if len(fine) == len(whole) else 1)
    assert whole.loc[whole["status"] != "ok", "status"].str.startswith("failed: FitError: no such tables: ").all()
    base = fine[fine["tables"].isna()].set_index(["prior_mean", "prior_sd", "bias_sd"])["median"]
    for _, part in fine[fine["tables"].notna()].groupby("tables"):
        assert np.log(part.set_index(base.index.names)["median"] / base).abs().max() < 0.3
    assert fine["tables"].nunique() >= 3
    assert cli.run([*arguments, "dry_run=true"]) == 0
    assert f"of this shard {len(frame)}, done already {len(frame)}" in capsys.readouterr().out
