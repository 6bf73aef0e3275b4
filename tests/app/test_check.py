"""`retrial new` and `retrial check`: the first minutes of a new user."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from retrial import cli
from retrial.app.find import find_study, folders_of
from retrial.app.new import KINDS
from retrial.errors import InputError
from retrial.store import files


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("kind", KINDS)
def test_a_new_study_is_right_as_it_stands_and_the_printed_command_works(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["new", "study=mytrial", f"kind={kind}"]) == 0
    following = capsys.readouterr().out.strip().splitlines()[-1].split()
    assert following == ["retrial", "check", "--config-dir", "mine", "study=mytrial"]
    assert cli.run(following[1:]) == 0
    said = capsys.readouterr().out
    assert said.startswith("mine/study/mytrial.yaml: nothing wrong\n")
    audit = next(line for line in said.splitlines() if line.strip().startswith("retrial audit")).split("#")[0].split()
    assert cli.run(audit[1:]) == 0
    frame = pd.read_csv(Path(capsys.readouterr().out.strip().splitlines()[-1]) / "audit.csv")
    assert not frame["verdict"].isin(["inconsistent", "impossible"]).any()


def test_nothing_is_overwritten(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["new", "study=mytrial", "kind=patients", "--config-dir", "other folder"]) == 0
    assert "--config-dir 'other folder' study=mytrial" in capsys.readouterr().out
    path = here / "other folder" / "study" / "mytrial.yaml"
    path.write_text("mine")
    left = path.with_name(f"{files._MINE}{2**30}{files._UNFINISHED}")
    left.write_text("of a call that was killed")
    for kind in ("patients", "counts"):
        assert cli.run(["new", "study=mytrial", f"kind={kind}", "--config-dir", "other folder"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert path.read_text() == "mine"
    assert not left.exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "study: missing"),
        (["study=a"], "kind: missing; allowed are one_ratio, counts, patients, full"),
        (["study=a", "kind=big"], "kind: got 'big'; allowed are"),
        (["study=../a", "kind=full"], "the folder goes to --config-dir"),
        (["study=my trial", "kind=full"], "such as mytrial"),
        (["study=a", "kind=full", "--config-dir"], "--config-dir: missing"),
        (["study=a", "kind=full", "prior=flat"], "prior: unknown; allowed are study=..., kind=..."),
        (["a", "kind=full"], "'a': not understood; allowed are study=NAME"),
    ],
)
def test_bad_arguments_of_new(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["new", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "file").write_text("")
    assert cli.run(["new", "study=a", "kind=full", "--config-dir", "file"]) == 2
    assert "name a folder that can be written to" in capsys.readouterr().err


@pytest.fixture
def mine(here: Path) -> Path:
    (here / "mine" / "study").mkdir(parents=True)
    (here / "mine" / "study" / "mytrial.yaml").write_text("title: t\neffects: {os: {hazard_ratio: 0.7, ci: [0.5, 0.9]}}\n")
    return here / "mine"


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    "name",
    [
        "mytrial",
        "mytrial.yaml",
        "mine/study/mytrial.yaml",
        "mine/study/mytrial",
        "mine\\study\\mytrial.yaml",
        "./mine/study/mytrial.yaml",
    ],
)
def test_a_study_is_found_however_it_is_called(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", f"study={name}", "--config-dir", "mine"]) == 0
    assert cli.run(["check", name, "--config-dir=mine"]) == 0
    assert "nothing wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mytral", "did you mean mytrial?"),
        ("MyTrial", "did you mean mytrial?"),
        ("nothing_like_it", "allowed are mytrial, yao2025"),
        ("mine", "write --config-dir mine study=NAME, with a NAME of mytrial"),
        ("mine/study", "mine/study/mytrial.yaml"),
        ("mine/study/mytral.yaml", "did you mean mine/study/mytrial.yaml?"),
        ("paper.pdf", "retrial new"),
        ("two words", "allowed is a name"),
        ("", "allowed is a name"),
        ("x" * 300, "allowed is a name"),
        ("C:\\Users\\me\\mytrial.yaml", "which is not there"),
        ("a\0b", "allowed is a name"),
    ],
)
def test_a_study_that_is_not_found(name: str, said: str, mine: Path) -> None:
    Path("paper.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(InputError) as caught:
        find_study(name, folders_of("mine"))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["my trial, 2nd (draft).yaml", "it's.yaml", "größe.yaml", "a=b.yaml"])
def test_every_verb_takes_a_path_whatever_is_in_it(mine: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = mine / "study" / name
    path.write_bytes((mine / "study" / "mytrial.yaml").read_bytes())
    for verb in (["check"], ["audit", f"output_dir={mine / 'out'}"]):
        assert cli.run([*verb, f"study={path}"]) == 0, capsys.readouterr().err


def test_every_verb_tells_the_line(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = mine / "study" / "mytrial.yaml"
    path.write_text("title: t\neffects: {os: {HR: 0.7, ci: [0.5, 0.9]}}\n")
    told = []
    for verb in (["check"], ["audit", f"output_dir={mine / 'out'}"]):
        assert cli.run([*verb, "--config-dir", "mine", "study=mytrial"]) == 2
        told.append(capsys.readouterr().err)
    assert "line 2, column 16: effects.os.HR: got an unknown key" in told[0]
    assert "    write: effects: {os: {hazard_ratio: 0.7, ci: [0.5, 0.9]}}" in told[0]
    assert told[0].strip() == told[1].strip()


def test_all_problems_of_the_data_files_are_told(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = mine / "study"
    (study / "a.csv").write_text("time,event,arm\n1,1,control\nx,3,placebo\n")
    (study / "b.csv").write_text("arm,time,survival\ncontrol,0,seven\n")
    (study / "mytrial.yaml").write_text(
        "title: t\narms: {control: {n: 9}, experimental: {n: 9}}\nendpoints:\n  os: {patients: a.csv}\n  pfs: {curve: b.csv}\n"
    )
    assert cli.run(["check", "--config-dir", "mine", "study=mytrial"]) == 2
    said = capsys.readouterr().err
    for words in ("endpoints.os.patients", "a.csv: ", "'x'", "'3'", "placebo", "endpoints.pfs.curve", "b.csv: ", "survival"):
        assert words in said


def test_what_a_study_can_be_used_for(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "study" / "mytrial.yaml").write_text(
        "title: t\narms: {control: {n: 90}, experimental: {n: 90}}\nendpoints:\n"
        "  os: {median: {control: {value: 9}, experimental: {value: 12}}}\n  pfs: {events: {control: 9, experimental: 8}}\n"
    )
    assert cli.run(["check", "--config-dir", "mine", "study=mytrial"]) == 0
    said = capsys.readouterr().out
    assert "endpoint os: life tables can be reconstructed, from medians\n" in said
    assert "would tighten them: events (endpoints.os.events), their intervals (endpoints.os.median, ci)" in said
    assert "endpoint pfs: life tables cannot be reconstructed: no median" in said


def test_a_study_in_a_folder_nearby_is_pointed_to(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", "study=mytrial"]) == 2
    assert "there is mine/study/mytrial.yaml: write --config-dir mine study=mytrial" in capsys.readouterr().err


def test_a_folder_without_a_study_named_is_reminded_of(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["audit", "--config-dir", "mine", f"output_dir={mine / 'out'}", "endpoints=[nope]"]) == 2
    assert "no study= is given: the default study is analysed; mine/study/ has mytrial" in capsys.readouterr().err


def test_a_folder_that_is_not_there(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", "--config-dir", "nowhere", "study=mytrial"]) == 2
    assert "--config-dir: got 'nowhere'; there is no such folder" in capsys.readouterr().err


def test_check_starts_nothing_heavy(mine: Path) -> None:
    code = (
        "import sys; from retrial import cli; assert cli.run(['check', '--config-dir', 'mine', 'study=mytrial']) == 0;"
        "print([name for name in ('pymc', 'hydra', 'pandas', 'arviz', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_a_study_of_three_arms_is_told_by_comparison(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (mine / "study" / "mytrial.yaml").write_text(
        "title: t\narms: {placebo: {n: 80}, low: {n: 79}, high: {n: 81}}\n"
        "endpoints:\n  os: {median: {placebo: {value: 9}, low: {value: 10}, high: {value: 12}}}\n"
    )
    assert cli.run(["check", "--config-dir", "mine", "study=mytrial"]) == 0
    said = capsys.readouterr().out
    for pair in ("low / placebo", "high / placebo", "high / low"):
        assert f"comparison {pair}:" in said
    (mine / "study" / "mytrial.yaml").write_text("title: t\narms: {placebo: {n: 80}, low: {n: 79}, high: 81}\n")
    assert cli.run(["check", "--config-dir", "mine", "study=mytrial"]) == 2
    assert "line 2, column 40: arms.high" in capsys.readouterr().err


def test_what_the_comments_of_the_full_example_say_is_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["new", "study=mytrial", "kind=full"]) == 0
    path = here / "mine" / "study" / "mytrial.yaml"
    text = path.read_text()
    for line in ("landmarks:                ", "  times: [12, 24]", "  control: [{percent", "  experimental: [68.1"):
        assert f"    # {line}" in text
        text = text.replace(f"    # {line}", f"    {line}")
    path.write_text(text)
    assert cli.run(["check", "--config-dir", "mine", "study=mytrial"]) == 0, capsys.readouterr().err
