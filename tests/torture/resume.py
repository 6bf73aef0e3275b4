"""Kills a re-analysis at random moments, resumes it, and compares every byte with a run that nothing disturbed.

    python -m tests.torture.resume [--kills 10] [--seed 1] [--folder /tmp/torture] [hydra overrides]

Both runs have the same output folder, one after the other. Prints a line a kill, and what differs or was done twice; exit status 1 where
anything was. Takes about three times as long as the run itself.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

SMALL = (
    "study=yao2025",
    "reconstruction.n_tables=4",
    "reconstruction.islands=2",
    "reconstruction.particles=60",
    "sampler.pooled_draws=2000",
    "models.piecewise_exponential=null",
    "models.adverse_events_hierarchical=null",
    "models.weibull.prior_sets=[flat]",
)
TAKEN = ": taken from an earlier run"
DIFFER = ("wall_seconds", "manifest_sha256")
"""Lines of the manifest that no two runs share."""
MOMENTS = (0.05, 0.3)
"""Of a kill, from the start: shares of what the undisturbed run took."""
MAY_FAIL = (0, 1)
"""Exit statuses of a run that came to its end: some fits of so small a run fail."""


def command(overrides: list[str], output: Path) -> list[str]:
    return [
        sys.executable,
        "-c",
        "import sys; from retrial import cli; sys.exit(cli.run(sys.argv[1:]))",
        "reanalyse",
        *overrides,
        f"output_dir={output}",
    ]


def finished_stages(output: Path) -> dict[str, tuple[int, int]]:
    """Stages on disk: when they were written, and as which file."""
    found = (output / "stages").glob("*/[!.]*/SHA256SUMS")
    return {str(path.relative_to(output)): (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def contents(output: Path) -> dict[str, bytes]:
    """Every file of the finished run folder; the manifest without what no two runs share."""
    (manifest,) = output.glob("reanalyse/*/*/manifest.json")
    files = {str(path.relative_to(manifest.parent)): path.read_bytes() for path in manifest.parent.rglob("*") if path.is_file()}
    plain = json.loads(files["manifest.json"])
    files["manifest.json"] = json.dumps({key: value for key, value in plain.items() if key not in DIFFER}).encode()
    return files


def whole(call: list[str]) -> float:
    """Seconds of a run to its end."""
    started = time.monotonic()
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode not in MAY_FAIL:
        raise SystemExit(f"the run itself fails:\n{done.stderr}")
    return time.monotonic() - started


def killed(call: list[str], output: Path, wait: float) -> str:
    """Start, kill after `wait` seconds; what was served and what was done, in words, "" where it came to its end before."""
    before = finished_stages(output)
    process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, told = process.communicate(timeout=wait)
        if process.returncode not in MAY_FAIL:
            raise SystemExit(told)
        return ""
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        _, told = process.communicate()
    after = finished_stages(output)
    again = [name for name, stamp in before.items() if after.get(name) != stamp]
    if again:
        raise SystemExit(f"finished stages were done again: {again}")
    if list(output.glob("reanalyse/*/*/")):
        raise SystemExit("a killed run left a run folder")
    served = told.count(TAKEN)
    return f"{len(before):2d} stages were there, {served:2d} of them served before the kill; {len(after) - len(before):2d} new"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/torture"))
    options, overrides = parser.parse_known_args(arguments)
    output = options.folder / "outputs"
    shutil.rmtree(options.folder, ignore_errors=True)
    call = command(overrides or [*SMALL], output)
    seconds = whole(call)
    expected, stages = contents(output), len(finished_stages(output))
    print(f"undisturbed: {seconds:.0f} s, {stages} stages, {len(expected)} files", flush=True)
    shutil.rmtree(output)
    rng = random.Random(options.seed)
    done, spent = 0, 0.0
    while done < options.kills:
        wait = rng.uniform(*MOMENTS) * seconds
        spent += wait
        words = killed(call, output, wait)
        if not words:  # it came to its end between two kills: from the start again, for other moments
            shutil.rmtree(output)
            seconds, spent = min(seconds, spent), 0.0
            continue
        done += 1
        print(f"kill {done:2d} after {wait:5.1f} s: {words}", flush=True)
    last = whole(call)
    found = contents(output)
    other = sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))
    print(
        f"resumed to its end in {last:.0f} s: {len(found)} files, {len(other)} differ{''.join(f'{chr(10)}  {name}' for name in other)}"
    )
    print(f"stages at the end: {len(finished_stages(output))}, of an undisturbed run {stages}")
    return int(bool(other) or len(finished_stages(output)) != stages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
