"""Catalogue, files of the experiment group and folders say the same; answers are what the pages say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pandas as pd
import pytest
from hydra import compose, initialize_config_module

from retrial import cli
from retrial.app.application import CONFIG_OF
from retrial.app.catalogue import (
    ANSWER,
    NOT_RUN,
    NUMBERS,
    PAGE,
    STATUS,
    Experiment,
    Selection,
    experiment_files,
    index,
    page,
    read_answer,
    read_experiment,
    select,
    sentence,
)
from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.app.experiment import parse
from retrial.cli import VERBS
from retrial.errors import ConfigError, StoreError

CATALOGUE = Path(__file__).resolve().parents[2] / "experiments"
EXPERIMENTS = {name: read_experiment(path) for name, path in experiment_files().items()}
OF_VERBS = [name for name, item in EXPERIMENTS.items() if item.verb]
GENERATED = re.compile(r"<!-- written by .*? from here -->.*?<!-- to here; .*?-->", re.DOTALL)


def answer_of(name: str) -> pd.DataFrame | None:
    path = CATALOGUE / name / ANSWER
    return read_answer(path) if path.is_file() else None


def test_catalogue_files_and_folders_are_the_same() -> None:
    folders = {path.name for path in CATALOGUE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(EXPERIMENTS)
    front = (CATALOGUE / PAGE).read_text(encoding="utf-8")
    assert re.findall(r"^\| \[(\w+)\]", front, re.MULTILINE) == sorted(EXPERIMENTS)
    assert len(EXPERIMENTS) >= 14


def test_the_catalogue_is_what_its_answers_say() -> None:
    front = (CATALOGUE / PAGE).read_text(encoding="utf-8")
    assert index(list(EXPERIMENTS.values()), CATALOGUE, front) == front
    assert not re.search(r"\d", GENERATED.sub("", front)), "a number outside the generated part goes stale"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_page_is_what_its_answer_says(name: str) -> None:
    text = (CATALOGUE / name / PAGE).read_text(encoding="utf-8")
    assert page(EXPERIMENTS[name], answer_of(name), text) == text
    assert f"**Question.** {EXPERIMENTS[name].question}" in text
    assert f"`{EXPERIMENTS[name].command}`" in text
    outside = GENERATED.sub("", text)
    assert not re.search(r"\d", outside), "a number outside the generated part goes stale"
    assert len(outside.split()) > 20, "a page has a paragraph that reads the answer"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_answer_has_numbers_and_says_what_they_are_of(name: str) -> None:
    answer = answer_of(name)
    assert answer is not None, f"{NOT_RUN} retrial experiment {name}"
    assert {*NUMBERS, STATUS} < set(answer)
    known = answer[answer["lower"].notna()]
    assert (known["lower"] <= known["upper"]).all()
    assert answer["probability"].dropna().between(0, 1).all()
    assert not answer.drop(columns=[*NUMBERS, STATUS]).duplicated().any()


@pytest.mark.parametrize("name", OF_VERBS)
def test_every_run_of_an_experiment_composes(name: str) -> None:
    item = EXPERIMENTS[name]
    assert item.verb in VERBS
    with initialize_config_module("retrial.conf", version_base="1.3"):
        for choices in item.runs():
            overrides = [f"experiment={name}", *(f"{key}={value}" for key, value in choices.items())]
            asked = plain(compose(CONFIG_OF.get(item.verb, item.verb), overrides))
            run_config(asked, item.verb, Path(f"{asked['study']['name']}.yaml"))


@pytest.mark.parametrize("name", [name for name, item in EXPERIMENTS.items() if item.program])
def test_a_study_of_the_method_has_its_program(name: str) -> None:
    assert callable(import_module(EXPERIMENTS[name].program).main)
    answer = answer_of(name)
    assert answer is not None
    assert sum(len(select(part, CATALOGUE / name / "results")) for part in EXPERIMENTS[name].answer) == len(answer)


MINE = """
# @package _global_
study: {name: hr}
experiment:
  question: What does one printed hazard ratio say under two priors?
  verb: fit
  choices: {prior: [flat, sceptical]}
  answer:
    - where: {quantity: [hazard_ratio], statistic: [value], method: [bayes]}
      probability: {statistic: [probability], event: [below], threshold: [1]}
  sentence: "{flat} and {sceptical}, {flat:probability}; {:least} to {:most} of {:count}"
defaults:
  - override /model: log_hazard_ratio
"""
STUDY = "title: One ratio\neffects: {death: {where: Abstract, hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    for group, name, text in (("study", "hr", STUDY), ("experiment", "two_priors", MINE)):
        (tmp_path / "mine" / group).mkdir(parents=True)
        (tmp_path / "mine" / group / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path / "mine"


def run(mine: Path, *more: str) -> int:
    return cli.run(["experiment", "two_priors", "--config-dir", str(mine), f"output_dir={mine.parent / 'out'}", *more])


def test_an_experiment_of_ones_own(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    catalogue = mine.parent / "catalogue"
    assert run(mine, f"catalogue={catalogue}") == 0
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    assert folder == mine.parent / "out" / "experiment" / "two_priors"
    answer = read_answer(catalogue / "two_priors" / ANSWER)
    assert list(answer["run"]) == ["prior=flat", "prior=sceptical"]
    flat = answer.iloc[0]
    assert flat["point"] == pytest.approx(0.75, abs=0.002)
    assert flat["probability"] == pytest.approx(0.994, abs=0.001)
    text = (catalogue / "two_priors" / PAGE).read_text(encoding="utf-8")
    assert "`retrial fit experiment=two_priors prior=...` for each of 2 choices" in text
    assert re.search(
        r"\*\*Answer\.\*\* 0\.750 \(0\.\d+ to 0\.\d+\) and 0\.771 \(0\.\d+ to 0\.\d+\), 0\.994; 0\.750 to 0\.771 of 2\n", text
    )
    assert "[two_priors](two_priors/README.md)" in (catalogue / PAGE).read_text(encoding="utf-8")


def test_an_experiment_without_an_answer_leaves_the_others_theirs(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = MINE.replace("{flat} and", "{nobody} and")
    (mine / "experiment" / "broken.yaml").write_text(broken, encoding="utf-8")
    out = mine.parent / "out"
    assert cli.run(["experiment", "broken", "two_priors", "--config-dir", str(mine), f"output_dir={out}"]) == 2
    assert "experiment broken" in capsys.readouterr().err
    assert (out / "experiment" / "two_priors" / ANSWER).is_file()


def test_what_is_written_by_hand_stays(mine: Path) -> None:
    catalogue = mine.parent / "catalogue"
    (catalogue / "two_priors").mkdir(parents=True)
    (catalogue / "two_priors" / PAGE).write_text("# My title\n", encoding="utf-8")
    assert run(mine, f"catalogue={catalogue}") == 0
    path = catalogue / "two_priors" / PAGE
    path.write_text(path.read_text(encoding="utf-8") + "\nA paragraph of mine.\n", encoding="utf-8")
    before = path.read_text(encoding="utf-8")
    assert run(mine, f"catalogue={catalogue}") == 0
    assert path.read_text(encoding="utf-8") == before
    assert before.startswith("# My title\n")
    assert before.endswith("\nA paragraph of mine.\n")


def test_the_checkouts_catalogue_is_written_only_as_it_is_asked() -> None:
    assert parse(["os_weibull", "output_dir=elsewhere", "force=true"]).catalogue == CATALOGUE
    assert parse(["os_weibull", "sampler.pooled_draws=100"]).catalogue is None
    assert parse(["os_weibull", "seed=2", "catalogue=mine"]).catalogue == Path("mine")


def test_bad_command_lines(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["experiment"]) == 2
    assert cli.run(["experiment", "nothing"]) == 2
    assert "got nothing; allowed are adjusted_ratios, " in capsys.readouterr().err
    assert cli.run(["experiment", "two_priors", "--config-dir", str(mine / "none")]) == 2
    assert run(mine, "nokey=1") == 2
    assert cli.run(["experiment", "coverage", "nokey=1", f"output_dir={mine / 'out'}"]) == 2
    assert "nokey: unknown; allowed are workers, studies" in capsys.readouterr().err
    path = mine / "experiment" / "two_priors.yaml"
    path.write_text(MINE.replace("  verb: fit\n", "  verb: fit\n  verbb: fit\n").replace("sentence", "words"), encoding="utf-8")
    assert run(mine) == 2
    said = capsys.readouterr().err
    assert "experiment.sentence: Field required" in said
    assert "experiment.verbb: Extra inputs" in said
    shutil.rmtree(mine / "experiment")
    assert run(mine) == 2


def test_an_experiment_under_another_verb_is_refused(mine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = f"output_dir={mine.parent / 'out'}"
    assert cli.run(["audit", "experiment=scepticism", out]) == 2
    assert "experiment: got one of `retrial sensitivity`; allowed is one of `retrial audit`" in capsys.readouterr().err
    assert cli.run(["sensitivity", "experiment=scepticism", out]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(str(mine.parent / "out" / "sensitivity" / "scepticism"))


def test_a_place_in_a_sentence_is_one_row(mine: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"run": ["", ""], "endpoint": ["a", "b b"], "prior": ["x", ""], "point": [1.0, 2.0], "lower": None, "upper": None}
    )
    frame.assign(probability=None, status=["ok", "failed"]).to_csv(tmp_path / ANSWER, index=False)
    answer = read_answer(tmp_path / ANSWER)
    item = read_experiment(mine / "experiment" / "two_priors.yaml")

    def said(text: str) -> str:
        return sentence(Experiment(**item.model_dump() | {"sentence": text}), answer)

    assert said("x {endpoint=a} {b_b:point}") == "x 1.000 2.000 (1 of 2 rows failed.)"
    assert said("{prior=:point} {:least} {:most} {x:count}") == "2.000 1.000 2.000 1 (1 of 2 rows failed.)"
    with pytest.raises(ConfigError, match=r"\{c\} is 0 rows"):
        said("{c}")
    with pytest.raises(ConfigError, match=r"\{\*\} is 2 rows"):
        said("{*}")


def test_what_a_selection_does_not_find_is_said(tmp_path: Path) -> None:
    pd.DataFrame({"a": ["x", "y"], "t": [6.0, 12.0], "point": [1.0, 2.0]}).to_csv(tmp_path / "estimates.csv", index=False)
    found = select(Selection(where={"t": [12]}, columns=["a"]), tmp_path)
    assert found.to_dict("records")[0] | {"lower": 0, "upper": 0, "probability": 0} == {
        **{"run": "", "a": "y", "point": 2.0, "status": "ok"},
        **{"lower": 0, "upper": 0, "probability": 0},
    }
    for selection, words in (
        (Selection(file="nothing.csv"), "no nothing.csv"),
        (Selection(columns=["b"]), "no column b; it has a, t, point"),
        (Selection(columns=["a"], where={"t": [7]}), "no row of estimates.csv"),
        (Selection(columns=["t"], where={"a": ["x"]}, probability={"a": ["x", "y"]}), None),
    ):
        if words is not None:
            with pytest.raises(StoreError, match=words):
                select(selection, tmp_path)
        else:
            assert select(selection, tmp_path)["probability"].tolist() == [1.0]


def test_help_and_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["list", "experiments"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name} " in listed and item.question in listed for name, item in EXPERIMENTS.items())
    code = "import sys; from retrial import cli; cli.run(['experiment', '--help']); print('hydra' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: retrial experiment NAME")
    assert done.stdout.strip().endswith("False False")
