"""The rules of ARCHITECTURE.md: who imports whom, what is packaged, how large things get."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"retrial": "src/retrial", "retrial.models": "models", "retrial.conf": "conf", "retrial.experiments": "experiments"}
MAX_FILE, MAX_MODEL, MAX_FUNCTION, MEDIAN_FUNCTION = 400, 120, 60, 10


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Modules that a file imports when it runs: what stands under `if TYPE_CHECKING` only names types."""
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def functions(path: Path) -> list[int]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [(node.end_lineno or 0) - node.lineno + 1 for node in found]


ROOMS = (
    *(
        "dims",
        "errors",
        "validate",
        "seeds",
        "docstrings",
        "cells",
        "estimate",
        "study",
        "multivariable",
        "audit",
        "priors",
        "tables",
        "fit",
        "frequentist",
        "answers",
        "run_config",
    ),
    *("store", "criticism", "data", "sensitivity", "report", "pipeline", "app", "cli"),
)
"""Rooms of `src/retrial` from the bottom up: each may import those before it."""
MODELS_MAY_IMPORT = {"dims", "errors", "cells", "priors", "tables", "fit", "frequentist", "data"}
FULL_FOLDER = 12
NOT_ROOMS = {"goldens", "models", "experiments", "torture", "fuzz"}
"""Folders of `tests/` that mirror no room of `src/retrial`."""


def room(path: Path) -> str:
    """Room of a file of `src/retrial`: its first folder, or its own name."""
    return path.relative_to(ROOT / "src" / "retrial").parts[0].removesuffix(".py")


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("retrial.")}


@pytest.mark.parametrize("path", sources("src"), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    mine = room(path)
    if mine == "__init__":
        return  # the Python API, which stands above all rooms
    allowed = {*ROOMS[: ROOMS.index(mine) + 1]}
    assert rooms_imported(path) - allowed == set()


# the model of a printed hazard ratio is called like its quantity, which src names as every paper does; `weibull` is also the distribution
# that lifelines fits (`frequentist/weibull.py`): as a name of Python it may stand there, as a string nowhere; `lognormal` is also a family
# of priors; WORDS are words of the field that texts use, and stand for a model where they are all of a string
QUANTITIES = {"log_hazard_ratio", "lognormal"}
WORDS = {"exponential", "spline", "cure"}
MODELS = sorted({path.stem for folder in ("models", "conf/model") for path in (ROOT / folder).glob("[a-z]*.*")} - QUANTITIES)


def strings(path: Path) -> list[str]:
    """Text of a file that is data or documentation: its string constants, docstrings and parts of f-strings included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


@pytest.mark.parametrize("path", sources("src"), ids=lambda path: str(path.relative_to(ROOT)))
def test_src_names_no_model(path: Path) -> None:
    pattern = re.compile(rf"(?<!\w)({'|'.join(sorted({*MODELS} - WORDS))})(?!\w)")
    texts = strings(path)
    assert [found for text in texts for found in pattern.findall(text)] + [text for text in texts if text in WORDS] == []


@pytest.mark.parametrize("path", [*sources("src/retrial/pipeline"), *sources("src/retrial/report")], ids=lambda path: path.name)
def test_no_stage_and_no_page_asks_which_kind_a_model_is_of(path: Path) -> None:
    compared = [
        ast.unparse(node)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        and re.search(r"\.kind(\.name)?\b(?! *\.)", ast.unparse(node))
        and "None" not in ast.unparse(node)
    ]
    assert compared == []
    assert not any(name.startswith("retrial.data.") and name.rpartition(".")[2] in KINDS for name in imported(path))


KINDS = {"ratio", "counts", "cohorts", "life_table", "categories", "adverse_events"}


STAGES = ("tables", "probes", "priors", "frequentist", "audit", "fit")


@pytest.mark.parametrize("path", [*sources("src/retrial/data"), *(ROOT / f"src/retrial/pipeline/{name}.py" for name in STAGES)])
def test_stages_are_given_values_and_no_folder(path: Path) -> None:
    """A verb's `work` writes what the stages gave; nothing else of the pipeline is told where."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name != "work":
            assert "folder" not in {item.arg for item in node.args.args}, f"{path}: {node.name}"


@pytest.mark.parametrize("path", sources("models"), ids=lambda path: path.name)
def test_models_import_only_what_a_model_is_made_of(path: Path) -> None:
    assert rooms_imported(path) - {*MODELS_MAY_IMPORT, "models"} == set()


def test_nothing_in_src_or_models_imports_experiments() -> None:
    for path in sources("src", "models"):
        assert not any(name.startswith("retrial.experiments") for name in imported(path)), path


def test_no_folder_is_full() -> None:
    # models/ is a catalogue, one file a model, as conf/model/ is: it has as many files as models
    folders = {path.parent for path in sources("src", "models", "experiments")} - {ROOT / "models"}
    counts = {str(folder): len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > FULL_FOLDER} == {}


def test_tests_mirror_the_rooms() -> None:
    folders = {path.name for path in (ROOT / "tests").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders - NOT_ROOMS <= set(ROOMS)


def test_only_the_reader_of_models_calls_instantiate() -> None:
    using = [path.name for path in sources("src", "models", "experiments") if "instantiate(" in path.read_text(encoding="utf-8")]
    assert using == ["models.py"]


def test_every_subpackage_is_listed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    in_tree = set()
    for package, folder in PACKAGES.items():
        root = ROOT / folder
        for path in [root, *root.rglob("*")]:
            if path.is_dir() and (path / "__init__.py").is_file():
                in_tree.add(".".join([package, *path.relative_to(root).parts]))
    assert set(settings["packages"]) == in_tree
    assert settings["package-dir"] == PACKAGES


def test_sizes_stay_within_the_budget() -> None:
    files = sources("src", "experiments")
    assert [str(path) for path in files if len(path.read_text(encoding="utf-8").splitlines()) > MAX_FILE] == []
    assert [str(path) for path in sources("models") if len(path.read_text(encoding="utf-8").splitlines()) > MAX_MODEL] == []
    lengths = sorted(length for path in [*files, *sources("models")] for length in functions(path))
    assert lengths[-1] <= MAX_FUNCTION
    assert lengths[len(lengths) // 2] <= MEDIAN_FUNCTION


def test_nothing_catches_everything() -> None:
    for path in sources("src", "models", "experiments"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                assert isinstance(node.type, ast.expr), path
                assert getattr(node.type, "id", "") not in ("Exception", "BaseException"), path
            assert not isinstance(node, ast.Assert), path


def test_the_engine_knows_no_study() -> None:
    # Yuling Yao is an author of a method
    for path in sources("src", "models", "experiments"):
        text = path.read_text(encoding="utf-8").lower()
        assert "yao" not in text.replace("study=yao2025", "").replace("yao, yuling", ""), path


def test_no_download_addresses_in_pins() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert all("==" in line for line in text.splitlines() if line.strip())
