"""`retrial list` and `retrial doctor`: what there is, and whether it works here."""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from hydra import compose, initialize_config_module
from hydra.errors import HydraException

from retrial.app.catalogue import GROUP, NO_EXPERIMENT, read_experiment
from retrial.app.composed import plain
from retrial.app.door.own_folder import read_own, searched_first
from retrial.app.find import find_study, folders_of, is_folder
from retrial.app.process.surroundings import of_home
from retrial.errors import InputError, RetrialError, printable
from retrial.priors.prior_set import PriorSet, implied
from retrial.priors.scales import COMMON, Parameter
from retrial.priors.statements import parse_prior_set
from retrial.study.loader import load_study
from retrial.study.problems import listed, shown

_WIDTH = 18


def prior_lines(sets: Iterable[PriorSet], level: float = 0.95) -> list[str]:
    """One line a prior: parameter, endpoint, distribution, what it implies on the clinical scale and its size in data; then its source."""
    lines = []
    for prior_set in sets:
        lines.append(f"{prior_set.name}: {prior_set.description}")
        for row in implied(prior_set, level):
            of = f"{row['parameter']} ({row['endpoint']})" if row["endpoint"] else row["parameter"]
            size = "" if math.isnan(row["effective_size"]) else f", worth {row['effective_size']:.3g} {row['effective_unit']}"
            interval = f"{row['implied_median']:.3g} ({row['implied_lower']:.3g} to {row['implied_upper']:.3g})"
            lines.append(f"  {of:<{_WIDTH + 8}} {row['scale']} {interval}{size}; {row['distribution']}")
            if row["source"]:
                lines.append(f"  {'':<{_WIDTH + 8}} {row['source']}")
    return lines


def listed_priors(names: Sequence[str], own: Path | None) -> list[str]:
    """Lines on each named set: what it implies, its size in data, its source; a set that cannot be read says why.

    `own` is a folder of the user's, searched first (--config-dir).
    """
    lines: list[str] = []
    parameters = _declared(own)
    with searched_first(own), initialize_config_module("retrial.conf", version_base="1.3"):
        for name in names:
            try:
                raw = plain(compose("fit", [f"prior={name}"]))["prior"]
                lines += prior_lines([parse_prior_set(raw, f"prior {name}", name, parameters)])
            except (InputError, HydraException) as error:
                lines.append(f"{name}: {' '.join(str(error).split())}")
    return lines


def _declared(own: Path | None) -> dict[str, Parameter]:
    """Every parameter that a model has, the user's models included."""
    from retrial.app.models import declared  # brings PyMC

    found = dict(COMMON)
    for path in (path for folder in folders_of(own) for path in sorted(folder.glob("model/*.yaml"))):
        try:
            raw = read_own(path, "model", path.parents[1])
        except InputError:
            continue  # said where it is chosen
        priors = raw.get("priors")
        found |= {name: item for name, item in declared(raw).items() if isinstance(priors, Mapping) and name in priors}
    return found


_GROUPS = ("study", "model", "prior", "experiment")
_LISTED = ("studies", "endpoints", "models", "priors", "experiments")


def run(verb: str, arguments: Sequence[str]) -> int:
    """Print a listing or a health report; exit status 0, 1 (something does not work) or 2 (bad arguments)."""
    parser = argparse.ArgumentParser(prog=f"retrial {verb}")
    parser.add_argument("--config-dir", type=Path, help="a folder of your own beside the built-in one")
    if verb == "list":
        parser.add_argument("what", nargs="*", help=f"any of {', '.join(_LISTED)}; all where none is named")
    options = parser.parse_args(list(arguments))
    if options.config_dir is not None and not is_folder(options.config_dir):
        print(f"error: --config-dir: got {shown(str(options.config_dir))}; allowed is a folder", file=sys.stderr)
        return 2
    unknown = [name for name in getattr(options, "what", []) if name not in _LISTED]
    if unknown:
        print(f"error: got {listed(unknown)}; allowed are {', '.join(_LISTED)}", file=sys.stderr)
        return 2
    return _doctor() if verb == "doctor" else _list(options.what, options.config_dir)


def _list(wanted: Sequence[str], own: Path | None) -> int:
    for group in _GROUPS:
        plural = "studies" if group == "study" else f"{group}s"
        if wanted and plural not in wanted and not (group == "study" and "endpoints" in wanted):
            continue
        print(f"{plural}:")
        files = {path.stem: path for folder in reversed(folders_of(own)) for path in sorted(folder.glob(f"{group}/*.yaml"))}
        for name, path in sorted(files.items()):
            print(printable(f"  {name:<24} {' '.join(_describe(group, path).split())}"))
        if group == "prior" and "priors" in wanted:
            # composing and solving every set takes seconds, so only when it is asked for
            from retrial.app.information import listed_priors

            print("\n".join(["", *map(printable, listed_priors(sorted(files), own))]))
        print()
    return 0


def _describe(group: str, path: Path) -> str:
    try:
        if group == GROUP:
            return read_experiment(path).question if path.stem != NO_EXPERIMENT else "the verb's defaults"
        if group == "study":
            study = load_study(find_study(path.stem, [path.parents[1]]))
            return f"{study.title}  [endpoints: {', '.join(study.endpoints) or 'none'}]"
        return str(read_own(path, group, path.parents[1]).get("description", ""))
    except RetrialError:
        return f"cannot be used as it is: {path}"


def _doctor() -> int:
    from retrial.store.manifest import commit, versions

    for name, value in versions().items():
        print(f"{name:<14} {value}")
    print(f"{'commit':<14} {commit() or 'not a checkout'}")
    print(f"{'home':<14} {of_home() or 'can be written'}")
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

    return f"numba {numba.__version__}, {numba.get_num_threads()} threads"


def _sampler() -> str:
    import nutpie
    import pymc as pm

    with pm.Model() as model:
        pm.Normal("x")
    trace = nutpie.sample(nutpie.compile_pymc_model(model), draws=200, tune=200, chains=2, seed=1, progress_bar=False)
    return f"nutpie sampled a normal: mean {float(trace.posterior['x'].mean()):.2f}"
