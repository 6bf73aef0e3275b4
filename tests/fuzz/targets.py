"""What is fuzzed: each target makes a case of a seeded generator, as a call that may give an answer or one of the program's own errors."""

from __future__ import annotations

import copy
import io
import json
import shutil
from collections.abc import Callable
from contextlib import contextmanager, nullcontext, redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import yaml

from retrial import cli
from retrial.app import api, application
from retrial.app.check import summary
from retrial.app.config import run_config
from retrial.app.door.own_folder import GROUPS, read_own
from retrial.app.door.values import value_problems
from retrial.app.find import folders_of
from retrial.app.information import prior_lines
from retrial.audit.run import audited
from retrial.errors import ConfigError
from retrial.frequentist.ratios import published_effects
from retrial.pipeline.priors import conflict_table
from retrial.pipeline.tables import check_inputs, missing_of
from retrial.priors.evidence import parse_evidence
from retrial.priors.historical import parse_historical
from retrial.priors.implied.densities import density_rows
from retrial.priors.meta_analysis import METHODS, from_evidence
from retrial.run_config import RunConfig
from retrial.sensitivity.credibility import credibility_estimates
from retrial.sensitivity.evalue import e_value_estimates
from retrial.study.arms.many import MultiArmStudy
from retrial.study.loader import load_study
from retrial.study.study import Study
from retrial.study.yaml_text import read_yaml_text
from retrial.tables.patients import read_patients
from retrial.tables.printed.digitised import read_curve
from tests.fuzz.changes import SCALARS, changed_bytes, changed_tree, value

ROOT = Path(__file__).resolve().parents[2]
CONF = ROOT / "conf"
Case = Callable[[Random], Callable[[], object]]


def written(folder: Path, name: str, tree: Any, rng: Random) -> Path:
    """A tree as a file, as JSON, which is YAML too, with a change of its bytes now and then."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    raw = json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace")
    path.write_bytes(changed_bytes(raw, rng) if rng.random() < 0.15 else raw)
    return path


# ---- studies


_AUDITED = 0.25
"""Share of the studies that are audited where they are right."""


def studies(folder: Path) -> Case:
    """Study files: read, audited, summed up and held against priors where they are right."""
    for name in ("patients.csv", "mytrial_patients.csv", "curves/os.csv"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(CONF / "template" / "patients.csv", folder / name)
    files = [
        *sorted((CONF / "template").glob("*.yaml")),
        *sorted((ROOT / "tests/fuzz/seeds").glob("*.yaml")),
        ROOT / "tests/study/full.yaml",
    ]
    texts = [path.read_bytes() for path in files]
    trees = [read_yaml_text(path) for path in files]
    large = (CONF / "study" / "yao2025.yaml").read_bytes()

    def case(rng: Random) -> Callable[[], object]:
        if rng.random() < 0.5:
            raw = changed_bytes(large if rng.random() < 0.02 else rng.choice(texts), rng)
            path = folder / "study.yaml"
            path.write_bytes(raw)
        else:
            path = written(folder, "study.yaml", changed_tree(rng.choice(trees), rng), rng)
        audits = rng.random() < _AUDITED
        return lambda: use_study(load_study(path), audits, path.parent)

    return case


def use_study(study: Study | MultiArmStudy, audits: bool, home: Path) -> None:
    """All that is computed of a study in closed form, or its summary alone."""
    for line in summary(study, folders_of(None), home):
        assert line.isprintable(), line
    for pair in study.comparisons() if audits else ():
        _, used = audited(pair)
        published_effects(pair)
        [*e_value_estimates(used), *credibility_estimates(used)]
        for key, endpoint in used.endpoints.items():
            if endpoint.patients is None:
                missing_of(used, key)


# ---- CSV files

_CURVE = (
    b"arm,time,survival\ncontrol,0,1\ncontrol,5,0.8\ncontrol,9,0.41\nexperimental,0,1\nexperimental,6,0.9\nexperimental,11,0.6\n"
)


def csvs(folder: Path) -> Case:
    """CSV files of patients and of curves."""
    patients = (CONF / "template" / "patients.csv").read_bytes()
    entered = b"time,event,arm,entry\n" + b"".join(
        b"%d,1,control,%d\n%d,0,experimental,0\n" % (5 + i, i, 9 + i) for i in range(9)
    )

    def case(rng: Random) -> Callable[[], object]:
        path = folder / "data.csv"
        if rng.random() < 0.3:
            path.write_bytes(_cells(_CURVE, rng))
            return lambda: _used_curve(path)
        path.write_bytes(_cells(rng.choice((patients, entered)), rng))
        unit = rng.choice(("days", "weeks", "months", "years"))
        return lambda: read_patients(path, unit)

    return case


def _used_curve(path: Path) -> None:
    curve = read_curve(path)
    assert curve.last >= 0


def _cells(raw: bytes, rng: Random) -> bytes:
    if rng.random() < 0.5:
        return changed_bytes(raw, rng)
    rows = [line.split(b",") for line in raw.splitlines()]
    for _ in range(rng.randint(1, 4)):
        row = rng.choice(rows)
        if row:
            row[rng.randrange(len(row))] = rng.choice(SCALARS).encode("utf-8", "replace")
    return b"\n".join(b",".join(row) for row in rows)


# ---- the files of the groups


def base(verb: str, *overrides: str) -> dict[str, Any]:
    """A composed configuration as plain data."""
    study = load_study(CONF / "study" / "yao2025.yaml")
    with mock.patch.object(api, "_overrides", return_value=list(overrides)):
        return copy.deepcopy(dict(api._composed(verb, study, {}, None).config))


def example(folder: Path) -> tuple[Study, Path]:
    """A study with a ratio, survival, counts and patients' times, in two arms."""
    path = folder / "study.yaml"
    shutil.copyfile(CONF / "template" / "full.yaml", path)
    study = load_study(path)
    assert isinstance(study, Study)
    return study, path


_FITTED = 0.1
"""Share of the cases in which what is right is also fitted, which takes a hundred times as long."""


def groups(folder: Path) -> Case:
    """Files of every group of `conf/` but studies: read, checked, and used as far as it takes no sampling."""
    study, path = example(folder)
    names = {"ratio": "log_hazard_ratio", "counts": "response_binomial", "cohorts": "response_borrowing"}
    bases = {kind: base("fit", f"model={name}", "prior=flat") for kind, name in names.items()}
    trees = {group: [yaml.safe_load(file.read_text(encoding="utf-8")) for file in _files(group)] for group in GROUPS}
    no_data = study.model_copy(update={"effects": {}, "binary": {}, "response": None})
    weights = {"prior": 5, "evidence": 4, "model": 3, "answers": 3, "sampler": 1, "reconstruction": 1, "experiment": 1}

    def case(rng: Random) -> Callable[[], object]:
        (group,) = rng.choices(list(weights), list(weights.values()))
        file = written(folder, f"{group}/mine.yaml", changed_tree(rng.choice(trees[group]), rng), rng)
        asked = copy.deepcopy(rng.choice(list(bases.values())))
        evidence = copy.deepcopy(rng.choice(trees["evidence"]))
        fits = rng.random() < _FITTED
        return lambda: use_group(group, read_own(file, group, folder), asked, evidence, study if fits else no_data, path)

    return case


def _files(group: str) -> list[Path]:
    return [path for path in sorted((CONF / group).glob("*.yaml")) if path.stem != "none"]


def use_group(group: str, tree: dict[str, Any], asked: dict[str, Any], evidence: Any, study: Study, path: Path) -> None:
    """What a composed configuration with this file in it comes to."""
    tree.pop("defaults", None)
    if group == "experiment":
        return
    if group == "evidence":
        use_evidence(tree)
        return
    if group in ("prior", "model") and speaks_of_evidence(tree):
        tree.setdefault("evidence", evidence)
    use({**asked, group: tree}, study, path)


def speaks_of_evidence(tree: dict[str, Any]) -> bool:
    """Whether a set or a model speaks of evidence, which its file takes from another."""
    return "evidence" in json.dumps(tree, default=str) or "historical" in tree


def use_evidence(tree: dict[str, Any]) -> None:
    table = parse_evidence(tree, "evidence", "evidence")
    for outcome in {name for row in table.rows.values() for name in row.effects}:
        for method in METHODS:
            from_evidence({"outcome": outcome, "method": method}, table, "prior")
    for outcome in {name for row in table.rows.values() for name in row.counts}:
        parse_historical({"evidence": tree, "historical": {"outcome": outcome}}, "model")


def use(asked: dict[str, Any], study: Study, path: Path) -> RunConfig:
    """Checks a configuration, and does with its priors and models all that needs no sampling."""
    if wrong := list(value_problems(asked)):
        raise ConfigError("cannot use the configuration", wrong)
    run = run_config(asked, "fit", path, {"prior": "mine", "model": "mine"})
    check_inputs(run, study)
    for prior_set in run.priors.values():
        prior_lines([prior_set], run.questions.level)
        density_rows(prior_set)
    conflict_table(run, study)
    for spec in run.models.values():
        if spec.kind.name in ("ratio", "counts"):
            spec.kind.fit(run, spec, study, [])
    return run


# ---- whole configurations, and command lines


def overrides(rng: Random, keys: list[str]) -> list[str]:
    """A few overrides of keys that there are, and of others."""
    found = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        key = rng.choice(keys) if rng.random() < 0.8 else rng.choice(SCALARS)
        given = rng.choice(
            (
                _hydra(value(rng)),
                rng.choice(SCALARS),
                rng.choice(("1,2", "choice(1,2)", "range(1,5)", "glob(*)", "[a,b]", "{a:1}")),
            )
        )
        found.append(f"{rng.choice(('', '', '', '+', '++', '~'))}{key}={given}")
    return found


def _hydra(item: Any) -> str:
    return api._written(item) if not isinstance(item, float) or item == item else "nan"


def keys_of(tree: Any, above: str = "") -> list[str]:
    """Every key below a tree, with dots."""
    if not isinstance(tree, dict):
        return []
    return [line for key, item in tree.items() for line in (f"{above}{key}", *keys_of(item, f"{above}{key}."))]


_STRANGE = (
    *("hydra.callbacks.x._target_", "hydra.run.dir", "hydra.job.env_set.X", "hydra/callbacks", "hydra.launcher._target_"),
    *(
        "hydra/launcher",
        "hydra.launcher.n_jobs",
        "hydra.searchpath",
        "prior@_global_",
        "evidence@hydra.job",
        "model.build._target_",
    ),
    *("study.name", "experiment", "prior", "model", "evidence@model.evidence", "sampler", "output_dir", "force", "seed", "study"),
)


@contextmanager
def nothing_run() -> Any:
    """Has every run end where its work would begin: all that is asked was checked by then."""

    @contextmanager
    def closed(_folder: Path, _force: bool) -> Any:
        yield None

    with (
        mock.patch.object(application, "open_run", closed),
        mock.patch.object(application, "read_manifest", return_value={"failures": []}),
    ):
        yield


def own_folder(folder: Path) -> Path:
    """A folder of one's own with a study and one file a group."""
    mine = folder / "mine"
    (mine / "study").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONF / "template" / "full.yaml", mine / "study" / "trial.yaml")
    shutil.copyfile(CONF / "template" / "one_ratio.yaml", mine / "study" / "ratio.yaml")
    return mine


def configurations(folder: Path) -> Case:
    """Whole configurations: files of a folder of one's own and overrides, composed and checked."""
    mine = own_folder(folder)
    study = load_study(mine / "study" / "trial.yaml")
    trees = {group: [yaml.safe_load(file.read_text(encoding="utf-8")) for file in _files(group)] for group in GROUPS}
    keys = [*keys_of(base("fit")), *_STRANGE]

    def case(rng: Random) -> Callable[[], object]:
        chosen = {}
        if rng.random() < 0.6:
            group = rng.choice(("prior", "evidence", "model", "sampler", "answers", "reconstruction", "experiment"))
            written(mine, f"{group}/mine.yaml", changed_tree(rng.choice(trees[group]), rng), rng)
            chosen[group if group != "evidence" else "evidence@model.evidence"] = "mine"
        lines = overrides(rng, keys) if rng.random() < 0.7 or not chosen else []
        verb = rng.choice(("fit", "fit", "fit", "audit", "sensitivity", "reconstruct"))

        def call() -> None:
            own = [f"{key}={name}" if "@" not in key else f"+{key}={name}" for key, name in chosen.items()]
            with mock.patch.object(api, "_overrides", return_value=[*own, *lines]), nothing_run():
                asked = api._composed(verb, study, {}, mine)
                application.carried_out(verb, asked, study)

        return call

    return case


def command_lines(folder: Path) -> Case:
    """Command lines through the real entry point; `audit` and `sensitivity` do their work, other verbs what comes before it."""
    mine = own_folder(folder)
    keys = [*keys_of(base("fit")), *_STRANGE]
    flags = (
        "-m",
        "--multirun",
        "--cfg",
        "job",
        "all",
        "--cfg=job",
        "--info",
        "--resolve",
        "--run",
        "-r",
        "--package",
        "x",
        "--hydra-help",
    )
    more = (
        "--experimental-rerun",
        "--config-path",
        "/tmp",
        "--config-name",
        "fit",
        "--config-dir",
        "-cd",
        "--version",
        "-h",
        "",
        "-",
    )
    verbs = ("fit", "audit", "sensitivity", "reconstruct", "reanalyse", "report", "experiment", "check", "new", "list", "doc", "")

    def case(rng: Random) -> Callable[[], object]:
        verb = rng.choice(verbs)
        line = ["--config-dir", str(mine)] if rng.random() < 0.8 else []
        line += [rng.choice(("study=trial", "study=ratio", "study=ratio", f"study={rng.choice(SCALARS)}"))]
        if verb not in ("check", "new", "list"):
            line += overrides(rng, keys) if rng.random() < 0.6 else []
        line += [rng.choice((*flags, *more, *SCALARS)) for _ in range(rng.choice((0, 0, 0, 1, 2)))]
        rng.shuffle(line) if rng.random() < 0.3 else None
        line += [f"output_dir={folder / 'out'}"] if verb not in ("check", "new", "list", "") else []
        works = verb in ("audit", "sensitivity")
        return lambda: _command([verb, *(item.replace("\x00", "") for item in line)], works)

    return case


def _command(line: list[str], works: bool) -> None:
    """The real entry point; any other exit status than those that are documented is a fault, and so is one without words."""
    out, err = io.StringIO(), io.StringIO()
    with nullcontext() if works else nothing_run(), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main(line)
        except SystemExit as ended:
            status = ended.code
    assert status in (0, 1, 2), f"exit status {status}"
    assert status == 0 or err.getvalue() or "--cfg" in line, f"exit status {status} without words"
    assert "Traceback" not in err.getvalue(), err.getvalue()


TARGETS: dict[str, tuple[Callable[[Path], Case], int, float]] = {
    "studies": (studies, 100_000, 2.0),
    "csvs": (csvs, 20_000, 2.0),
    "groups": (groups, 50_000, 6.0),
    "configurations": (configurations, 20_000, 2.0),
    "command_lines": (command_lines, 5_000, 4.0),
}
"""Name -> what makes the cases, how many `make fuzz` tries, and seconds of processor time that one may take: 2 to be read and refused, more
where what is right is computed too."""
