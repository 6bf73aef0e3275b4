"""Compiled kernels are kept by the contents of all kernels, not of one file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from retrial.tables.kernel import compiled


def test_code_is_kept_in_the_folder_of_this_state() -> None:
    from retrial.tables.kernel.energy import excess

    assert str(compiled.kept_in()) in excess._cache._impl.locator.get_cache_path()


def test_a_constant_in_another_file_is_not_served_from_before(tmp_path: Path) -> None:
    """A kernel that imports a constant gives the new one after the constant alone has changed."""
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    shutil.copy(Path(compiled.__file__), kernels / "compiled.py")
    (kernels / "one.py").write_text("VALUE = 1.0\n")
    (kernels / "two.py").write_text(
        "from compiled import compiled\nfrom one import VALUE\n@compiled\ndef get(x):\n    return x + VALUE\nprint(get(0.0))\n"
    )

    def run() -> str:
        environment = os.environ | {"PYTHONPATH": str(kernels), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, str(kernels / "two.py")], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert run() == "1.0"
    (kernels / "one.py").write_text("VALUE = 2.0\n")
    assert run() == "2.0"
