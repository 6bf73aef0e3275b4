"""A folder of configuration and studies that a stranger sends: nothing in it runs, reads or writes anything, and no secret gets out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest

from retrial import cli
from retrial.app.door.own_folder import GROUPS
from tests.fuzz.guard import watched

HOSTILE = Path(__file__).parent / "hostile"
SECRET = "a-secret-of-the-environment"
OUTSIDE = "first line of a foreign file"
ADDED = (
    "link_to_a_file",
    "link_in_a_circle",
    "pipe",
    "folder",
    "device",
    "utf_16",
    "latin_1",
    "huge",
    "binary",
    "...",
    "empty_name/..",
)
TRICKS = sorted(
    path.relative_to(HOSTILE).with_suffix("").as_posix()
    for group in (*GROUPS, "study")
    for path in HOSTILE.glob(f"{group}/*.yaml")
)
BESIDE = {"evidence/env", "evidence/globals", "experiment/none"}
"""Parts of other tricks, and the name that stands for no experiment."""


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """All that a run imports, whose caches lie elsewhere."""
    for name in ("matplotlib.pyplot", "retrial.app.config", "retrial.pipeline.fit", "retrial.pipeline.sensitivity"):
        import_module(name)


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, with what version control would not keep, a file outside and a secret in the environment."""
    folder = tmp_path / "sent"
    shutil.copytree(HOSTILE, folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("secret", "secret.yaml", "secret.csv"):
        (outside / name).write_text(f"{OUTSIDE}: [\ntime,event,arm\n", encoding="utf-8")
    for group in ("prior", "study"):
        (folder / group / "link_to_a_file.yaml").symlink_to(outside / "secret.yaml")
        (folder / group / "link_in_a_circle.yaml").symlink_to(folder / group / "link_in_a_circle.yaml")
        os.mkfifo(folder / group / "pipe.yaml")
        (folder / group / "folder.yaml").mkdir()
        (folder / group / "device.yaml").symlink_to("/dev/zero")
        (folder / group / "utf_16.yaml").write_bytes("title: t\ndescription: d\n".encode("utf-16"))
        (folder / group / "latin_1.yaml").write_bytes("title: \xe9\ndescription: \xe9\n".encode("latin-1"))
        (folder / group / "huge.yaml").write_text("# " + "x" * 3_000_000, encoding="utf-8")
        (folder / group / "binary.yaml").write_bytes(bytes(range(256)))
        (folder / group / "....yaml").write_text("title: t\ndescription: d\n", encoding="utf-8")
    for group in ("prior", "study", "experiment", "model"):
        (folder / group / "name\x1b[2J\u202e.yaml").write_text("title: t\ndata: ratio\ndescription: d\n", encoding="utf-8")
    (folder / "sampler" / "an_engine_of_its_own.yaml").chmod(0o644)
    shutil.rmtree(folder / "evidence")
    (folder / "evidence").symlink_to(outside)
    (folder / "study" / "secret.csv").symlink_to(outside / "secret.csv")
    (folder / "study" / "reads_a_link.yaml").write_text(
        "title: t\nendpoints: {os: {label: os, patients: secret.csv}}\n", encoding="utf-8"
    )
    monkeypatch.setenv("RETRIAL_SECRET", SECRET)
    monkeypatch.chdir(folder)
    return folder


def harmless(sent: Path, line: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a command line that ends with 2, after everything else that it did was looked at."""
    (sent / "out").mkdir()
    with watched(sent / "out") as seen:
        status = cli.run([*line, f"output_dir={sent / 'out'}"] if line[0] not in ("check", "list", "new") else [*line])
    said = capsys.readouterr()
    wrong = [item for item in seen if item.startswith("writes") or str(sent) not in item]
    assert wrong == [], "something was read, written or started outside"
    assert SECRET not in said.out + said.err
    assert OUTSIDE[:12] not in said.out + said.err
    assert "Traceback" not in said.err
    assert not list(sent.parent.rglob("PWNED*"))
    for path in (sent / "out").rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()
    assert all(text.isprintable() for text in (said.out + said.err).splitlines())
    assert status == 2, said
    return said.err


def test_there_are_tricks_enough() -> None:
    assert len({*TRICKS} - BESIDE) + len(ADDED) >= 50


@pytest.mark.parametrize("trick", sorted({*TRICKS} - BESIDE))
def test_a_file_of_a_stranger_is_refused(trick: str, sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    group, name = trick.split("/")
    if group == "study":
        line = ["audit", "--config-dir", str(sent), f"study={name}"]
    elif group == "experiment":
        line = ["experiment", "--config-dir", str(sent), name]
    else:
        line = ["fit", "--config-dir", str(sent), f"{group}={name}", "study=yao2025"]
    said = harmless(sent, line, capsys)
    assert "error: " in said
    assert f"{name}.yaml" in said or group in ("sampler", "answers", "reconstruction", "model", "prior")


@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("group", ["prior", "study"])
def test_what_is_no_plain_file_in_it_is_not_read(group: str, name: str, sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verb = "audit" if group == "study" else "fit"
    harmless(sent, [verb, "--config-dir", str(sent), f"{group}={name}"], capsys)


@pytest.mark.parametrize(
    "line",
    [
        ["fit", "evidence@prior.evidence=secret"],
        ["fit", "+evidence@prior.evidence=env"],
        ["fit", "prior=../../outside/secret"],
        ["fit", "prior=/etc/passwd"],
        ["audit", "study=reads_a_link"],
        ["check", "study=reads_a_link"],
        ["check", "study=link_to_a_file"],
        ["audit", "study=study/....yaml"],
        ["fit", "hydra/launcher=mine", "-m"],
        ["fit", "hydra/job_logging=mine"],
        ["fit", "+hydra/callbacks=mine"],
        ["fit", "+hydra.callbacks.x._target_=os.system"],
        ["fit", "hydra.sweeper._target_=os.system", "-m"],
        ["fit", "hydra.launcher._target_=os.system", "-m"],
        ["fit", "hydra.launcher.setup=[touch PWNED]", "-m"],
        ["fit", "hydra.run.dir=PWNED"],
        ["fit", "hydra.output_subdir=PWNED"],
        ["fit", "hydra.job.chdir=true"],
        ["fit", "+hydra.job.env_set.LD_PRELOAD=x.so"],
        ["fit", "hydra.searchpath=[file:///etc]"],
        ["fit", "prior@_global_=global_callbacks"],
        ["fit", "+prior@hydra.callbacks=global_callbacks"],
        ["fit", "prior.log_hazard_ratio.source=${oc.env:RETRIAL_SECRET}"],
        ["fit", "output_dir=${oc.env:RETRIAL_SECRET}"],
        ["fit", "--experimental-rerun", "x.pickle"],
        ["fit", "--config-path", "."],
        ["fit", "--config-name", "job"],
        ["fit", "--hydra-help"],
        ["fit", "--info", "all"],
        ["fit", "--cfg", "hydra"],
        ["fit", "--cfg", "job", "--resolve"],
        ["fit", "--package", "hydra"],
        ["fit", "-m", "--cfg", "job"],
        ["fit", "-m", "seed=range(0,1000000000)"],
        ["fit", "-m", "seed=range(0,1,0)"],
        ["fit", "+template=full"],
        ["experiment", "....yaml"],
        ["experiment", "none"],
    ],
    ids=" ".join,
)
def test_no_command_line_opens_the_folder_wider(line: list[str], sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    harmless(sent, [line[0], "--config-dir", str(sent), *line[1:]], capsys)


PRINTED_ALONE = [
    f"models.{name}=null" for name in ("weibull", "weibull_nonproportional", "piecewise_exponential", "printed_posterior")
]
"""Without the models of life tables: closed form, in seconds."""


def test_its_other_files_are_not_there(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Configurations of verbs, Hydra's groups, plugins and modules of a folder are none of the groups: a run goes on without them."""
    (sent / "out").mkdir()
    with watched(sent / "out") as seen:
        line = ["sensitivity", "--config-dir", str(sent), "study=yao2025", f"output_dir={sent / 'out'}"]
        assert cli.run([*line, *PRINTED_ALONE]) == 0
    assert seen == []
    assert "PWNED" not in capsys.readouterr().out


def test_it_can_be_listed(sent: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "--config-dir", str(sent)]) == 0
    assert cli.run(["list", "priors", "--config-dir", str(sent)]) == 0
    (sent / "study" / "right.yaml").write_text(
        "title: t\neffects: {a: {hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n", encoding="utf-8"
    )
    assert cli.run(["check", "--config-dir", str(sent), "study=right"]) == 0
    said = capsys.readouterr()
    assert SECRET not in said.out
    assert OUTSIDE[:12] not in said.out
    assert all(text.isprintable() for text in said.out.splitlines())


CIRCLES: dict[str, dict[str, str]] = {
    "a prior that names itself": {"prior/x": "defaults: [/prior@prior: x, _self_]"},
    "a prior that names itself with its ending": {"prior/x": "defaults: [x.yaml, _self_]"},
    "two priors": {"prior/x": "defaults: [y, _self_]", "prior/y": "defaults: [optional /prior@prior.a: x, _self_]"},
    "evidence that names itself": {
        "prior/x": "defaults: [/evidence@evidence: e, _self_]",
        "evidence/e": "defaults: [/evidence@evidence: e, _self_]",
    },
    "through a file of the package": {
        "prior/x": "defaults: [/prior@prior: historical, _self_]",
        "evidence/thymosin": "defaults: [/prior@prior: historical, _self_]",
    },
    "an experiment by its name": {"experiment/x": "defaults: [x, _self_]"},
    "an experiment by its group": {"experiment/x": "defaults: [/experiment: x, _self_]"},
    "an override that leads back": {"prior/x": "defaults: [/prior@prior.a: flat, override /prior@prior.a: x]"},
    "an override within a file": {"experiment/x": "defaults: [override /prior@prior.prior.a: flat]"},
    "a choice within a file": {"experiment/x": "experiment: {choices: {prior@prior.prior.a: [flat]}}"},
    "a bomb": {
        name: f"defaults: [/prior@prior.a: b{level}, /prior@prior.b: b{level}a, _self_]"
        for level in range(1, 15)
        for name in (("prior/x",) if level == 1 else (f"prior/b{level - 1}", f"prior/b{level - 1}a"))
    },
    "more files than anybody needs": {"prior/x": f"defaults: [{'/prior@prior.a: flat, ' * 101}_self_]"},
}


@pytest.mark.parametrize("files", CIRCLES.values(), ids=CIRCLES)
def test_files_that_build_on_each_other_come_to_an_end(
    files: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    question = "\nexperiment: {question: q, verb: fit, answer: [{file: estimates.csv}], sentence: s}"
    for name, text in files.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        asked = question if name.startswith("experiment") and "experiment: {choices" not in text else ""
        path.write_text(f"{text}{asked}\n", encoding="utf-8")
    own, out = ["--config-dir", str(tmp_path)], f"output_dir={tmp_path / 'out'}"
    if "experiment/x" in files:
        lines = [["experiment", *own, "x", out], ["fit", *own, "experiment=x", out]]
    else:
        lines = [["fit", *own, "prior=x", "study=yao2025", out]]
    for line in lines:
        assert cli.run(line) == 2
        said = capsys.readouterr().err
        assert "cannot use the file" in said
        assert "x.yaml" in said or "thymosin" in said
        assert "allowed" in said or "by its name alone" in said


def test_a_circle_is_listed_as_what_cannot_be_used(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior" / "x.yaml").write_text("defaults: [/prior@prior: x, _self_]\n", encoding="utf-8")
    assert cli.run(["list", "priors", "--config-dir", str(tmp_path)]) == 0
    assert "(prior/x -> prior/x)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("settings", "overrides", "said"),
    [
        ("{workers: 0}", [], "settings.workers: got it in a file of --config-dir; allowed on the command line alone"),
        ("{workers: two}", [], "settings.workers: got it in a file"),
        ("{workers: 1, studies: 0}", [], "settings.workers: got it in a file"),
        ("{studies: 1.5}", [], "studies: got 1.5; allowed is a value such as 400"),
        ("{studies: true}", [], "studies: got true; allowed is a value such as 400"),
        ("{studies: 0}", [], "studies: got 0; allowed is a whole number from 1 to"),
        ("{studies: 100000000000}", [], "studies: got 100000000000; allowed is a whole number from 1 to"),
        ("{folder: x}", [], "folder: unknown; allowed are workers, studies"),
        ("{}", ["workers=0"], "workers: got 0; allowed is a whole number from 1 to"),
        ("{}", ["workers=100000"], "workers: got 100000; allowed is a whole number from 1 to"),
        ("{}", ["studies=[1]"], "studies: got a list of 1; allowed is a value such as 400"),
    ],
)
def test_settings_of_a_program_are_of_its_kinds(
    settings: str, overrides: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "x.yaml").write_text(
        "experiment: {question: q, program: retrial.experiments.coverage.study, "
        f"settings: {settings}, answer: [{{file: coverage_summary.csv}}], sentence: x}}\n",
        encoding="utf-8",
    )
    own, out = ["--config-dir", str(tmp_path)], tmp_path / "out"
    assert cli.run(["experiment", "x", *own, *overrides, f"output_dir={out}", f"catalogue={tmp_path / 'cat'}"]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
