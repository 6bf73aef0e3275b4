"""`retrial VERB [overrides]`: hands each verb to its Hydra application, and turns errors into exit statuses."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import resources

VERBS: dict[str, str] = {
    "reanalyse": "all of it: audit, reconstruction, models, answers and the report (the main job)",
    "audit": "recompute every printed number that can be recomputed",
    "reconstruct": "life tables that carry the printed survival numbers",
    "fit": "one model under one prior",
    "sensitivity": "how much scepticism or confounding the printed treatment effects survive",
    "report": "lay out again the report of a finished re-analysis",
    "list": "studies, endpoints, models, priors, experiments",
    "doctor": "versions, sampler, storage, caches",
}
_CONFIGURED = ("reanalyse", "audit", "reconstruct", "fit", "sensitivity", "report")
USAGE_ERROR = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `retrial` command; exits with 0, 1 (a fit or check failed) or 2 (bad input)."""
    try:
        status = run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # the reader of our output has gone (`| head`): nothing to tell anybody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0 if arguments else USAGE_ERROR
    if arguments[0] in ("-V", "--version"):
        from importlib.metadata import version

        print(f"retrial {version('retrial-bayes')}")
        return 0
    verb, *rest = arguments
    if verb not in VERBS:
        print(f"retrial: got the verb {verb!r}; allowed are {', '.join(VERBS)}", file=sys.stderr)
        return USAGE_ERROR
    if any(argument in ("-h", "--help") for argument in rest):
        print(_verb_help(verb))
        return 0
    return _dispatch(verb, rest)


def _dispatch(verb: str, rest: list[str]) -> int:
    if verb in ("list", "doctor"):
        from retrial.app import information

        return information.run(verb, rest)
    from retrial.app.application import launch

    # Hydra otherwise swallows exceptions and exits by itself with status 1
    os.environ["HYDRA_FULL_ERROR"] = "1"
    return launch(verb, [_study_override(argument) for argument in rest])


def _study_override(argument: str) -> str:
    """study=NAME is ours: Hydra never reads study files (they are data), it only carries their name."""
    name, sign, value = argument.partition("=")
    return f"study.name={value}" if sign and name == "study" else argument


def _help() -> str:
    width = max(map(len, VERBS))
    lines = ["usage: retrial VERB [key=value ...] [--config-dir DIR] [-m]", "", "verbs:"]
    lines += [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    lines += [
        "",
        "examples:",
        "  retrial reanalyse study=yao2025",
        "  retrial reanalyse --config-dir mine study=mytrial          # mine/study/mytrial.yaml",
        "  retrial reanalyse study=yao2025 prior.log_hazard_ratio.mu=0 prior.log_hazard_ratio.sigma=0.5",
        "  retrial fit -m experiment=os_weibull,pfs_weibull_sceptical",
        "",
        "retrial VERB --help shows a verb's keys. Exit status: 0, 1 (a fit or check failed: said which), 2 (bad input).",
    ]
    return "\n".join(lines)


def _verb_help(verb: str) -> str:
    lines = [f"usage: retrial {verb} [key=value ...]", "", f"  {VERBS[verb]}"]
    if verb in _CONFIGURED:
        root = resources.files("retrial.conf")
        lines += ["  --config-dir DIR   a folder of your own, searched first: DIR/study/*.yaml, DIR/prior/*.yaml, ..."]
        lines += [
            "  -m, --multirun     run every combination of comma-separated values",
            "  --cfg job          show the composed configuration",
        ]
        for name in ("base", "reanalyse" if verb == "report" else verb):
            text = root.joinpath(f"{name}.yaml").read_text(encoding="utf-8").split("\nhydra:")[0]
            lines += ["", f"--- conf/{name}.yaml", text.strip()]
    return "\n".join(lines)
