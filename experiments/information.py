"""`retrial list` and `retrial doctor`: what there is, and whether it works here."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from retrial.errors import RetrialError
from retrial.study.loader import load_study
from retrial.study.yaml_text import read_yaml_text

_GROUPS = ("study", "model", "prior", "experiment")
_LISTED = ("studies", "endpoints", "models", "priors", "experiments")


def run(verb: str, arguments: Sequence[str]) -> int:
    """Print a listing or a health report; exit status 0, 1 (something does not work) or 2 (bad arguments)."""
    parser = argparse.ArgumentParser(prog=f"retrial {verb}")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own beside the built-in one")
    if verb == "list":
        parser.add_argument("what", nargs="*", help=f"any of {', '.join(_LISTED)}; all where none is named")
    options = parser.parse_args(list(arguments))
    if options.config_dir is not None and not options.config_dir.is_dir():
        print(f"error: --config-dir: got {options.config_dir}; allowed is a folder", file=sys.stderr)
        return 2
    unknown = [name for name in getattr(options, "what", []) if name not in _LISTED]
    if unknown:
        print(f"error: got {', '.join(unknown)}; allowed are {', '.join(_LISTED)}", file=sys.stderr)
        return 2
    return _doctor() if verb == "doctor" else _list(options.what, options.config_dir)


def _folders(own: Path | None) -> list[Path]:
    return [*([own] if own is not None else []), Path(str(resources.files("retrial.conf")))]


def _list(wanted: Sequence[str], own: Path | None) -> int:
    for group in _GROUPS:
        plural = "studies" if group == "study" else f"{group}s"
        if wanted and plural not in wanted and not (group == "study" and "endpoints" in wanted):
            continue
        print(f"{plural}:")
        files = {path.stem: path for folder in reversed(_folders(own)) for path in sorted(folder.glob(f"{group}/*.yaml"))}
        for name, path in sorted(files.items()):
            print(f"  {name:<24} {_describe(group, path)}")
        if group == "prior" and "priors" in wanted:
            # composing and solving every set takes seconds, so only when it is asked for
            from retrial.experiments.prior_list import listed_priors

            print("\n".join(["", *listed_priors(sorted(files), own)]))
        print()
    return 0


def _describe(group: str, path: Path) -> str:
    if group == "experiment":
        return path.read_text(encoding="utf-8").replace("# @package _global_\n", "").lstrip("# ").split("\n")[0]
    try:
        if group == "study":
            study = load_study(path)
            return f"{study.title}  [endpoints: {', '.join(study.endpoints) or 'none'}]"
        return str(read_yaml_text(path).get("description", ""))
    except RetrialError:
        return f"cannot be used as it is: {path}"


def _doctor() -> int:
    from retrial.manifest import commit, versions

    for name, value in versions().items():
        print(f"{name:<14} {value}")
    print(f"{'commit':<14} {commit() or 'not a checkout'}")
    working = [_check("storage", _storage), _check("compiled code", _compiled), _check("sampler", _sampler)]
    return 0 if all(working) else 1


def _check(name: str, probe: Callable[[], str]) -> bool:
    try:
        print(f"{name:<14} {probe()}")
    except (OSError, RuntimeError, ImportError, ValueError) as error:
        print(f"{name:<14} does not work: {error}")
        return False
    return True


def _storage() -> str:
    import numpy as np
    import xarray as xr

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.nc"
        xr.DataTree(xr.Dataset({"x": ("draw", np.arange(3.0))})).to_netcdf(path, engine="h5netcdf")
        back = xr.open_datatree(path, engine="h5netcdf")
        total = float(back["x"].sum())
        back.close()
    return "NetCDF written and read back" if total == sum(range(3)) else "NetCDF read back wrong numbers"


def _compiled() -> str:
    import numba

    return f"numba {numba.__version__}, {numba.config.NUMBA_NUM_THREADS} threads"


def _sampler() -> str:
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        pm.Normal("x")
    trace = nutpie.sample(nutpie.compile_pymc_model(model), draws=200, tune=200, chains=2, seed=1, progress_bar=False)
    return f"nutpie sampled a normal: mean {float(trace.posterior['x'].mean()):.2f}"
