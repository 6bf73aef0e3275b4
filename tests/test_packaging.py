"""What is installed works: wheel and sdist hold every package and data file, and the command runs from them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from retrial.store.folders import source_digest

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.packaging
NEEDED = (
    "retrial/cli.py",
    "retrial/py.typed",
    "retrial/report/page.html.j2",
    "retrial/report/style.css",
    "retrial/models/weibull.py",
    "retrial/conf/reanalyse.yaml",
    "retrial/conf/study/yao2025.yaml",
    "retrial/conf/prior/sceptical.yaml",
    "retrial/pipeline/reanalyse.py",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist built from a copy of the tracked and new files, without isolation (setuptools is a test dependency)."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


def test_wheel_holds_everything(built: Path) -> None:
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    assert set(NEEDED) <= names
    in_tree = {f"retrial/{path.relative_to(ROOT / 'src/retrial')}" for path in (ROOT / "src/retrial").rglob("*.py")}
    for folder in ("models", "conf", "experiments"):
        in_tree |= {f"retrial/{path.relative_to(ROOT)}" for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml")}
    assert in_tree <= names


def test_sdist_holds_the_sources(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "src/retrial/cli.py", "models/weibull.py", "conf/study/yao2025.yaml", "LICENSE"} <= names


def test_the_installed_wheel_runs(built: Path, tmp_path: Path) -> None:
    target = tmp_path / "site"
    wheel = str(next(built.glob("*.whl")))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "--target", str(target), wheel], check=True
    )
    code = (
        f"import sys; sys.path.insert(0, {str(target)!r}); import retrial; print(retrial.__file__);"
        "from retrial.cli import run; sys.exit(run(sys.argv[1:]))"
    )
    # -S would lose the dependencies; the editable finder comes after sys.path, so the wheel's copy is the one imported
    environment = {**os.environ, "PYTHONPATH": str(target)}
    command = [sys.executable, "-c", code, "audit", "study=yao2025", f"output_dir={tmp_path / 'out'}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    assert str(target) in done.stdout
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert (folder / "audit.csv").is_file()
    # a checkout and what is installed from it ask the same question
    assert json.loads((folder / "manifest.json").read_text())["source_sha256"] == source_digest()


def test_the_editable_install_is_the_checkout() -> None:
    import retrial.conf
    import retrial.experiments
    import retrial.models

    folders = [Path(str(package.__file__)).parent for package in (retrial.models, retrial.conf, retrial.experiments)]
    assert folders == [ROOT / "models", ROOT / "conf", ROOT / "experiments"]
