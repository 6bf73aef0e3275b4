"""Two runs held against each other: what differs beyond Monte Carlo error, what only one has, and folders that are no run's."""

from __future__ import annotations

import dataclasses
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from retrial.cli import run
from retrial.estimate import Estimate, to_frame
from retrial.report.runs.difference import differences
from retrial.store.folders import finish
from retrial.store.tables import read_table, write_table

SHARED: dict[str, Any] = {"endpoint": "os", "contrast": "experimental / control", "unit": "ratio"}
PUBLISHED = Estimate(
    **SHARED,
    quantity="hazard_ratio",
    method="published",
    point=0.47,
    lower=0.25,
    upper=0.88,
    level=0.95,
    interval_kind="confidence",
)
FREQUENTIST = dataclasses.replace(PUBLISHED, method="frequentist", model="cox_efron")


def posterior(point: float, prior: str = "flat", error: float = 0.004, **more: Any) -> Estimate:
    about: dict[str, Any] = {"quantity": "hazard_ratio", "method": "bayes", "model": "weibull", "draws": 4000, "level": 0.95}
    numbers = {"lower": point - 0.2, "upper": point + 0.3, "mcse_point": error, "mcse_lower": 2 * error, "mcse_upper": 2 * error}
    return Estimate(
        **{**SHARED, **about, "interval_kind": "credible_equal_tailed", "prior": prior, "point": point, **numbers, **more}
    )


def folder_of(place: Path, rows: Sequence[Estimate], study: str = "one", **config: Any) -> Path:
    folder = place / "reanalyse" / study / "0123456789ab"
    folder.mkdir(parents=True)
    write_table(folder, "estimates", to_frame(rows))
    (folder / "reconstruction_os.nc").write_bytes(str(config.get("tables", "")).encode())
    finish(folder, {"verb": "reanalyse", "study": study, "config": {"seed": 1, **config}, "failures": [], "plan_sha256": study})
    return folder


def compared(base: Path, other: Path, capsys: pytest.CaptureFixture[str]) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    assert run(["report", f"base={base}", f"other={other}", f"output_dir={base.parents[2]}"]) == 0
    folder = Path(capsys.readouterr().out.splitlines()[-1])
    rows, settings = (read_table(folder, name) for name in ("estimates_compared", "settings_compared"))
    assert rows is not None
    assert settings is not None
    return rows, settings, (folder / "report.html").read_text(encoding="utf-8")


def test_each_kind_of_difference_is_called_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    failed = posterior(0.6, "shrinkage", status="failed: rhat 1.2 > 1.01")
    closed = posterior(0.5, "closed", draws=0, mcse_point=np.nan, mcse_lower=np.nan, mcse_upper=np.nan)
    first = [PUBLISHED, FREQUENTIST, posterior(0.5), posterior(0.6, "sceptical"), posterior(0.7, "old"), failed, closed]
    second = [
        *(PUBLISHED, dataclasses.replace(FREQUENTIST, upper=0.89), posterior(0.503), posterior(0.64, "sceptical")),
        *(posterior(0.8, "new"), posterior(0.6, "shrinkage"), dataclasses.replace(closed, level=0.9)),
    ]
    rows, settings, page = compared(folder_of(tmp_path / "a", first), folder_of(tmp_path / "b", second, mu=0.3), capsys)
    found = {(row.method, row.prior): row.verdict for row in rows.itertuples()}
    assert found == {
        ("published", ""): "same",
        ("frequentist", ""): "differs; no Monte Carlo error is known",
        ("bayes", "flat"): "within Monte Carlo error",
        ("bayes", "sceptical"): "beyond Monte Carlo error",
        ("bayes", "old"): "only in base",
        ("bayes", "new"): "only in other",
        ("bayes", "shrinkage"): "failed",
        ("bayes", "closed"): "asked otherwise",
    }
    moved = rows[rows["prior"] == "sceptical"].iloc[0]
    assert moved["difference"] == pytest.approx(0.04)
    assert moved["standardised"] == pytest.approx(0.04 / (0.004 * np.sqrt(2)))
    assert settings.to_numpy().tolist()[0] == ["mu", "", "0.3"]
    assert "0.600 (0.400 to 0.900)" in page
    assert "0.640 (0.440 to 0.940)" in page


def test_runs_that_are_the_same_have_nothing_to_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = folder_of(tmp_path, [PUBLISHED, posterior(0.5)])
    rows, settings, page = compared(folder, folder, capsys)
    assert set(rows["verdict"]) == {"same"}
    assert settings.empty
    assert "No number differs by more than its Monte Carlo error" in page


def test_other_life_tables_are_named_as_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = folder_of(tmp_path / "a", [posterior(0.5)], tables=1)
    two = folder_of(tmp_path / "b", [posterior(0.6)], study="two", tables=2)
    rows, _, page = compared(one, two, capsys)
    assert list(rows["verdict"]) == ["beyond the draws' error; the life tables differ too"]
    assert "different studies (one and two)" in page


def test_equal_runs_are_seldom_called_different_and_a_shift_is_found() -> None:
    """200 comparisons of 50 equal rows each: at most 5 % with any false difference (binomial, 4 standard errors); 8 errors are found."""
    rng = np.random.default_rng(7)
    alarms = 0

    def noise(name: str) -> pd.Series:
        return template[f"mcse_{name}"] * rng.normal(size=50)

    template = to_frame([posterior(0.5, f"p{i}") for i in range(50)])
    for _ in range(200):
        draws = [
            template.assign(**{name: template[name] + noise(name) for name in ("point", "lower", "upper")}) for _ in range(2)
        ]
        alarms += bool((differences(*draws, ()).verdict == "beyond Monte Carlo error").any())
    assert alarms <= 200 * (0.05 + 4 * np.sqrt(0.05 * 0.95 / 200))
    moved = template.assign(point=template["point"] + np.where(np.arange(50) == 3, 8 * np.sqrt(2) * template["mcse_point"], 0))
    verdicts = differences(template, moved, ()).verdict
    assert list(np.flatnonzero(verdicts == "beyond Monte Carlo error")) == [3]


def test_a_probability_is_known_to_a_draw_at_best() -> None:
    asked: dict[str, Any] = {
        "statistic": "probability",
        "event": "below",
        "threshold": 1.0,
        "level": np.nan,
        "interval_kind": "none",
    }
    none: dict[str, Any] = {"lower": np.nan, "upper": np.nan, "mcse_lower": np.nan, "mcse_upper": np.nan, "mcse_point": 0.0}
    one, two = (to_frame([posterior(point, **asked, **none)]) for point in (1.0, 0.9998))
    assert list(differences(one, two, ()).verdict) != ["beyond Monte Carlo error"]


def test_what_is_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = folder_of(tmp_path / "whole", [PUBLISHED])
    (half := tmp_path / "half").mkdir()
    (half / "audit.csv").write_text("x")
    bare = tmp_path / "bare" / "audit" / "one" / "0123456789ab"
    bare.mkdir(parents=True)
    finish(bare, {"verb": "audit", "study": "one", "config": {}, "failures": []})
    changed = folder_of(tmp_path / "changed", [PUBLISHED])
    (changed / "estimates.csv").write_text("endpoint\nos\n")
    gone = folder_of(tmp_path / "gone", [PUBLISHED])
    (gone / "estimates.csv").unlink()
    told = {
        half: "missing: estimates.csv, report.html, manifest.json",
        bare: "`audit` writes none",
        changed: "other content than its run wrote",
        gone: "no longer there: estimates.csv",
        tmp_path / "nowhere": "is no folder",
    }
    for place, words in told.items():
        assert run(["report", f"base={whole}", f"other={place}", f"output_dir={tmp_path}"]) == 2
        assert words in capsys.readouterr().err
    (whole / "reconstruction_os.nc").unlink()
    _, _, page = compared(whole, whole, capsys)
    assert "no longer there: reconstruction_os.nc" in page


def test_keys_that_are_not_allowed(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, words in (
        (["base=a"], "other: missing"),
        (["base=a", "other=b", "seed=2"], "got seed=2"),
        (["base=a", "base=b", "other=c"], "base: got it twice"),
        (["base=", "other=c"], "base: got nothing"),
        (["base=a", "other=b", "force=perhaps"], "force: got perhaps"),
        (["-m", "base=a", "other=b"], "got -m"),
    ):
        assert run(["report", *arguments]) == 2
        assert words in capsys.readouterr().err


def test_hostile_folders_end_in_an_error_or_in_inert_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = "<script>alert(1)</script>"
    row = dataclasses.replace(posterior(0.5), endpoint=bad, note="=1+1")
    one = folder_of(tmp_path / "a", [row], mu=bad)
    two = folder_of(tmp_path / "b", [dataclasses.replace(row, point=0.9)], mu={"deep": [bad] * 500})
    _, _, page = compared(one, two, capsys)
    assert bad not in page
    assert html.escape(bad) in page
    manifests = (
        "[]",
        "{",
        '{"files": []}',
        '{"files": {"../x": 3, "estimates.csv": []}}',
        "[" * 100_000,
        '{"files": ' + '{"a":' * 5000,
    )
    for text in manifests:
        (one / "manifest.json").write_text(text)
        assert run(["report", f"base={one}", f"other={two}", f"output_dir={tmp_path}"]) == 2
        assert "error: " in capsys.readouterr().err
    frame = to_frame([row]).astype({"point": object})
    frame["point"] = "many"
    frame.to_csv(two / "estimates.csv", index=False)
    manifest = json.loads((two / "manifest.json").read_text())
    finish(two, {"verb": "reanalyse", "study": manifest["study"], "config": {}, "failures": []})
    assert run(["report", f"base={two}", f"other={two}", f"output_dir={tmp_path}"]) == 2
    assert "text where numbers belong: point" in capsys.readouterr().err
