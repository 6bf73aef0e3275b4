"""Stages: computed once, whole or not there, another key for other inputs, settings and code, and none for a style sheet."""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from stage_functions import counted, die, failing, posterior, want

from retrial.data import categories, life_table
from retrial.errors import StoreError
from retrial.fit.engine import fit_many
from retrial.pipeline.audit import audited
from retrial.pipeline.frequentist import frequentist_rows
from retrial.pipeline.priors import prior_checks
from retrial.pipeline.probes import _against_strict, _left_out, _spread, _strict
from retrial.pipeline.results import criticism_files
from retrial.pipeline.tables import sampled
from retrial.store import code
from retrial.store.code import closure
from retrial.store.stages import SUMS, Stages, stage_key, write_arrays
from retrial.tables.sample.engine import reconstruct


def times(log: Path) -> int:
    return len(log.read_text().splitlines())


def test_a_stage_is_computed_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "retrial")
    log = tmp_path / "log"
    first = Stages(tmp_path / "stages").run("probe.os", counted, str(log), (1, 2))
    assert caplog.messages == []
    again = Stages(tmp_path / "stages").run("probe.os", counted, str(log), (1, 2))
    assert caplog.messages == ["probe.os: taken from an earlier run"]
    assert times(log) == 1
    assert again["value"] == first["value"] == (1, 2)
    np.testing.assert_array_equal(again["array"], first["array"])
    Stages(tmp_path / "stages").run("probe.os", counted, str(log), (1, 3))
    assert times(log) == 2


def test_force_computes_again_but_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    Stages(tmp_path / "stages").run("probe", counted, str(log), 1)
    forced = Stages(tmp_path / "stages", force=True)
    for _ in range(2):
        forced.run("probe", counted, str(log), 1)
    assert times(log) == 2


def test_what_a_stage_raises_is_raised_and_not_kept(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            Stages(tmp_path / "stages").run("probe", failing, str(log))
    assert times(log) == 2


def test_trees_are_stored_once_and_linked(tmp_path: Path) -> None:
    stages = Stages(tmp_path / "stages")
    found, size, _ = stages.run("posterior", posterior, 100)
    write_arrays(found, tmp_path / "posterior.nc")
    assert size == 100
    assert (tmp_path / "posterior.nc").stat().st_nlink == 2
    changed = found.copy()
    write_arrays(changed, tmp_path / "changed.nc")
    assert (tmp_path / "changed.nc").stat().st_nlink == 1
    shutil.rmtree(tmp_path / "stages")
    with xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf") as stored:
        np.testing.assert_array_equal(stored["posterior/x"], posterior(100)[0]["posterior/x"])


def test_a_link_that_cannot_be_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    stages = Stages(tmp_path / "stages")
    found, _, _ = stages.run("posterior", posterior, 10)
    write_arrays(found, tmp_path / "posterior.nc")
    assert (tmp_path / "posterior.nc").stat().st_nlink == 1


def test_checksums_are_those_of_sha256sum(tmp_path: Path) -> None:
    Stages(tmp_path).run("posterior", posterior, 10)
    (place,) = (tmp_path / "posterior").glob("[!.]*")
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", SUMS], cwd=place, check=True)


def test_a_stage_under_the_key_of_another_is_computed_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As copied folders, or backups put back in the wrong place, leave it: every file of it is whole."""
    Stages(tmp_path).run("posterior", posterior, 50)
    Stages(tmp_path).run("posterior", posterior, 60)
    one, other = sorted((tmp_path / "posterior").glob("[!.]*"))
    one.rename(tmp_path / "x")
    other.rename(one)
    (tmp_path / "x").rename(other)
    for size in (50, 60):
        found, _, _ = Stages(tmp_path).run("posterior", posterior, size)
        fresh, _, _ = posterior(size)
        assert {name: value.sizes for name, value in found.children.items()} == {
            name: value.sizes for name, value in fresh.children.items()
        }
    assert len([line for line in caplog.messages if "of another stage" in line]) == 2


def _flip(path: Path, place: float) -> None:
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1 << int(7 * place)
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    **{f"flip at {place:.0%}": lambda path, place=place: _flip(path, place) for place in (0, 0.01, 0.3, 0.5, 0.77, 1)},
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "gone": lambda path: path.unlink(),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\n"),
    "other": lambda path: path.write_text("null"),
}


@pytest.mark.parametrize("name", ["value.json", "arrays.npy", SUMS, "tree_0.nc"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_stage_is_named_and_computed_again(
    tmp_path: Path, name: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    Stages(tmp_path).run("posterior", posterior, 50)
    (place,) = (tmp_path / "posterior").glob("[!.]*")
    whole = {path.name: path.read_bytes() for path in place.iterdir()}
    DAMAGE[damage](place / name)
    found, _, _ = Stages(tmp_path).run("posterior", posterior, 50)
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("posterior: the stored result is damaged")
    np.testing.assert_array_equal(found["posterior/x"], posterior(50)[0]["posterior/x"])
    assert {path.name: path.read_bytes() for path in place.iterdir()} == whole


def _start(work: Callable[[Path, Path], None], many: int, *args: Path) -> list[int | None]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=args) for _ in range(many)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def test_processes_that_want_the_same_stage_compute_it_once(tmp_path: Path) -> None:
    assert _start(want, 3, tmp_path / "stages", tmp_path / "log") == [0] * 3
    assert times(tmp_path / "log") == 1


def test_a_killed_process_leaves_no_stage_and_no_held_lock(tmp_path: Path) -> None:
    for _ in range(2):
        assert _start(die, 1, tmp_path / "stages", tmp_path / "log") == [-9]
    assert times(tmp_path / "log") == 2
    assert not list((tmp_path / "stages").glob("killed/[!.]*"))


def test_a_folder_that_cannot_be_written_is_a_named_error(tmp_path: Path) -> None:
    (tmp_path / "stages").write_text("a file")
    with pytest.raises(StoreError, match="change output_dir"):
        Stages(tmp_path / "stages").run("probe", counted, str(tmp_path / "log"), 1)


def _key_after(edited: str, monkeypatch: pytest.MonkeyPatch, function: Callable[..., Any]) -> str:
    """Key of a stage when one file of the package has other content."""
    root = Path(code.__file__).resolve().parents[1]
    read = code._read

    def other(path: Path | None) -> bytes:
        extra = b"\n# changed" if path is not None and path.resolve() == root / edited else b""
        return read(path) + extra

    with monkeypatch.context() as patch:
        patch.setattr(code, "_read", other)
        return stage_key("fit", function, 1)


@pytest.mark.parametrize(
    "edited", ["report/page.py", "report/style.css", "report/page.html.j2", "cli.py", "app/application.py", "audit/run.py"]
)
def test_pages_and_commands_are_no_part_of_a_fit(edited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _key_after(edited, monkeypatch, fit_many) == stage_key("fit", fit_many, 1)


@pytest.mark.parametrize("edited", ["fit/engine.py", "fit/settings.py", "priors/prior.py", "dims.py", "store/saved.py"])
def test_what_a_fit_imports_is_a_part_of_it(edited: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _key_after(edited, monkeypatch, fit_many) != stage_key("fit", fit_many, 1)


def test_a_model_among_the_arguments_brings_its_file() -> None:
    from retrial.models import weibull

    assert "retrial.models.weibull" in closure(["retrial.models.weibull"])
    assert stage_key("fit", fit_many, weibull.build) != stage_key("fit", fit_many, weibull.hazard)


def test_the_closure_of_the_sampler_of_tables_has_no_fits() -> None:
    found = closure([reconstruct.__module__])
    assert "retrial.tables.kernel.walk" in found
    assert not [name for name in found if name.startswith(("retrial.fit", "retrial.report", "retrial.pipeline", "retrial.app"))]


@pytest.mark.parametrize(
    "function",
    [
        audited,
        sampled,
        _spread,
        _left_out,
        _strict,
        _against_strict,
        frequentist_rows,
        life_table.fit,
        categories.fit,
        prior_checks,
        criticism_files,
    ],
    ids=lambda function: function.__qualname__,
)
def test_no_stage_depends_on_the_report(function: Callable[..., Any]) -> None:
    found = closure([function.__module__])
    assert not [name for name in found if name.startswith(("retrial.report", "retrial.app", "retrial.cli"))]


def test_a_stage_that_asks_every_kind_depends_on_every_kind() -> None:
    assert {"retrial.data.ratio", "retrial.data.life_table"} <= {*closure([prior_checks.__module__])}
