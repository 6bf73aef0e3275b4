"""Every key of a configuration with values of every other kind and size: refused in words, or a `RunConfig`; and own files come first."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_module

from retrial import cli
from retrial.app.composed import plain
from retrial.app.config import run_config
from retrial.app.door.command_line import LAUNCHERS, override_problems, read
from retrial.app.door.own_folder import read_own
from retrial.app.door.values import value_problems
from retrial.errors import ConfigError, InputError
from retrial.priors.evidence import parse_evidence
from tests.fuzz.changes import entries

CONF = Path(__file__).parents[2] / "conf"
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 10**18, 1e-200, 1e300, -1e-11, float("nan"), float("inf"), "", "x", "1", "all"),
    *([], [1], [None], [[1]], ["x"], {}, {"a": 1}, {"family": ["normal"]}),
)


def composed(*overrides: str) -> dict[str, Any]:
    with initialize_config_module("retrial.conf", version_base="1.3"):
        return plain(compose("fit", list(overrides)))


def answer(call: Callable[[], object]) -> bool:
    """Whether a call gives something; False for an error in words, and any other error is the test's."""
    try:
        call()
    except InputError as error:
        words = str(error)
    else:
        return True
    return not (words.count("\n") and words.replace("\n", "").isprintable())


@pytest.mark.parametrize(
    ("overrides", "every"),
    [((), 5), (("model=response_borrowing", "prior=historical"), 17), (("model=piecewise_exponential",), 7)],
)
def test_any_value_at_any_key(overrides: tuple[str, ...], every: int) -> None:
    """Of all pairs of a key and a value every so manieth: 5, 17 and 7 are prime to the number of values."""
    whole = composed(*overrides)
    found = []
    for position, value in list(itertools.product(range(len(entries(whole))), VALUES))[::every]:
        asked = copy.deepcopy(whole)
        node, key = entries(asked)[position]
        node[key] = copy.deepcopy(value)
        refused = bool(list(value_problems(asked)))
        found.append(not refused and answer(lambda asked=asked: run_config(asked, "fit", Path("yao2025.yaml"))))  # type: ignore[misc]
    assert 10 < sum(found) < len(found) / 5


def test_any_value_in_a_table_of_evidence() -> None:
    whole = yaml.safe_load((CONF / "evidence" / "thymosin.yaml").read_text(encoding="utf-8"))
    for position in range(len(entries(whole))):
        for value in VALUES:
            tree = copy.deepcopy(whole)
            node, key = entries(tree)[position]
            node[key] = copy.deepcopy(value)
            answer(lambda tree=tree: parse_evidence(tree, "t", "evidence"))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("prior.log_hazard_ratio.family=[normal]",), "prior.log_hazard_ratio.family: got ['normal']; allowed are normal"),
        (
            ("prior.log_hazard_ratio.sigma=1e-200",),
            "prior.log_hazard_ratio.sigma: got 1e-200; allowed is 0, or a number whose size",
        ),
        (("prior.log_hazard_ratio.mu=1e5",), "prior.log_hazard_ratio.mu: got 1e+05; allowed is from -1000 to 1000"),
        (("model.prior_sets=[1]",), "model.prior_sets: got 1; allowed is a list of names"),
        (("model.build.varying=true",), "model.build"),
        (("answers.below=[a]",), "answers.below: got 'a'; allowed is a list of numbers"),
        (("answers.between=[[1,2,3]]",), "answers.between: got [1, 2, 3]; allowed is a list of 2"),
        (("sampler.chains=1000000",), "sampler.chains: got 1000000; allowed is at most 100"),
        (("reconstruction.leave_one_out=[1]",), "reconstruction.leave_one_out: got 1; allowed is a list of names"),
        (("reconstruction.ratios=[]",), "reconstruction.ratios: got []; allowed is at least one"),
        (("force=maybe",), "force: got 'maybe'; allowed is true or false"),
        (("output_dir=null",), "output_dir: got nothing; allowed is the path of a folder"),
        (("output_dir=",), "output_dir: got ''; allowed is the path of a folder"),
        (("output_dir=true",), "output_dir: got true; allowed is the path of a folder"),
        ((f"output_dir={'x' * 300}",), "200 bytes a name"),
        (("seed=1.5",), "seed: got 1.5; allowed is a whole number from 0"),
        (("seed=99999999999999999999",), "allowed is a whole number from 0 to 9223372036854775807"),
        (("~model",), "model: got nothing; needed is a model to fit"),
        (("~prior",), "prior: got nothing; needed is a prior to fit under"),
        (("@prior=flat",), "@prior=flat: got no key before the @; allowed are GROUP=NAME, such as prior=flat"),
        (("+@prior=flat",), "+@prior=flat: got no key before the @"),
        (("~@prior",), "~@prior: got no key before the @"),
        (("~seed",), "~seed: got a key to be taken away that every run needs"),
        (("endpoints=os",), "endpoints: got 'os'; allowed is a list"),
        (("prior=[flat,sceptical]",), "prior: got a list of 2; allowed is the name of one file in prior/"),
        (("seed=1,2",), "seed: got several values; allowed is one (several runs: -m"),
        (("answers.below.factor=1",), "got keys or values that do not go together"),
        (("a" * 5000 + "=1",), "got too much"),
        (("x=" + "[" * 200,), "got too much"),
        (("seed=" + "9" * 5000,), "got too much"),
        (("prior.log_hazard_ratio.source='\x1b[2J'",), "got a control character"),
    ],
)
def test_a_wrong_value_is_refused_where_it_is_set(
    overrides: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = () if any("output_dir" in item for item in overrides) else (f"output_dir={tmp_path / 'out'}",)
    assert cli.run(["fit", "study=yao2025", "model=log_hazard_ratio", *overrides, *out]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_of_ones_own_comes_before_the_packages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As `--help` says; the study of a name too, so that `check` and the other verbs read the same file."""
    (tmp_path / "prior").mkdir()
    (tmp_path / "study").mkdir()
    own = "log_hazard_ratio: {family: normal, mu: 0.125, sigma: 3, source: mine}\n"
    (tmp_path / "prior" / "flat.yaml").write_text(own, encoding="utf-8")
    (tmp_path / "study" / "yao2025.yaml").write_text(
        "title: Mine\neffects: {a: {hazard_ratio: 0.75, ci: [0.60, 0.94]}}\n", encoding="utf-8"
    )
    line = [
        "--config-dir",
        str(tmp_path),
        "study=yao2025",
        "model=log_hazard_ratio",
        "prior=flat",
        f"output_dir={tmp_path / 'out'}",
    ]
    assert cli.run(["fit", *line]) == 0
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    assert '"title": "Mine"' in (folder / "manifest.json").read_text(encoding="utf-8")
    assert "normal(0.125, 3)" in (folder / "priors.csv").read_text(encoding="utf-8")


def test_options_stand_anywhere_and_are_a_closed_list(tmp_path: Path) -> None:
    line = read(["prior=flat", "--config-dir", str(tmp_path), "seed=1", "-m"])
    assert (line.own, line.multirun, line.overrides) == (tmp_path, True, ("prior=flat", "seed=1"))
    assert read([f"--config-dir={tmp_path}", "--cfg", "job"]).arguments == ["--cfg", "job"]
    for wrong in (
        ["--config-dir"],
        ["-cd", "x", "-cd", "x"],
        ["--cfg"],
        ["--cfg", "all"],
        ["-m", "--cfg", "job"],
        ["--run"],
        ["x"],
        [""],
        ["-"],
    ):
        with pytest.raises(ConfigError):
            read(wrong)


def test_a_multirun_and_its_launchers() -> None:
    assert override_problems(["seed=1,2,3", "prior=flat,sceptical", "model=glob(*)", "seed=range(1,50)"], multirun=True) == []
    assert override_problems([f"hydra/launcher={name}" for name in LAUNCHERS], multirun=True) == []
    assert override_problems(["hydra.launcher.n_jobs=4", "hydra.launcher.partition=long"], multirun=True) == []
    assert override_problems(["seed=range(1,1000)", "sampler.tune=range(1,1000)"], multirun=True) != []
    assert override_problems(["sampler.target_accept=interval(0,1)"], multirun=True) != []
    assert override_problems(["prior=glob(*)", "seed=range(0,9000)"], multirun=True) != []


@pytest.mark.parametrize(
    ("word", "value"),
    [("1", 1), ("-0.5", -0.5), ("1e3", 1000.0), (".5", 0.5), ("true", True), ("null", None), ("~", None), ("'1'", "1")]
    + [(word, word) for word in ("010", "1_000", "0x1F", "yes", "on", "1:30", "2020-01-01", "1e", "e5")],
)
def test_plain_words_are_read_as_everybody_means_them(word: str, value: Any, tmp_path: Path) -> None:
    """What YAML's versions disagree on stays text, and is refused where a number belongs."""
    (tmp_path / "answers").mkdir()
    path = tmp_path / "answers" / "mine.yaml"
    path.write_text(f"a: {word}\n", encoding="utf-8")
    found = read_own(path, "answers", tmp_path)["a"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("+model.priors.log_hazard_ratio={family: normal, mu: 9, sigma: 0.01, source: s}", "allowed in a prior set alone"),
        ("sampler.min_draws=1", "min_draws: got 1; allowed is at least 10"),
        ("sampler.tune=1", "tune: got 1; allowed is at least 10"),
    ],
)
def test_what_would_not_be_used_or_not_be_judged_is_refused(override: str, words: str) -> None:
    asked = composed("model=log_hazard_ratio", override)
    with pytest.raises(ConfigError, match=words):
        run_config(asked, "fit", Path("yao2025.yaml"), {})
