"""`retrial VERB [overrides]`: hands each verb to its Hydra application, and turns errors into exit statuses."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from retrial.app.process.surroundings import lost, of_the_system, settle, tell, with_home
from retrial.errors import InputError
from retrial.store.interrupts import at_once, noticed

VERBS: dict[str, str] = {
    "reanalyse": "all of it: audit, reconstruction, models, answers and the report (the main job)",
    "audit": "recompute every printed number that can be recomputed",
    "reconstruct": "life tables that carry the printed survival numbers",
    "fit": "one model under one prior",
    "sensitivity": "which other assumptions the conclusions about the treatment survive, and at which they tip",
    "multiverse": "every combination of what could have been chosen, as one table; in shards where it is large",
    "collect": "the cells that the shards of a multiverse have done, as one table",
    "simulate": "operating characteristics: errors, power and coverage of stated rules in simulated studies of this size",
    "plan": "the analysis plan of a re-analysis, written before any fit; its report lists what differs from it",
    "report": "lay out again the report of a finished re-analysis; or hold two runs against each other (base=FOLDER other=FOLDER)",
    "experiment": "questions of the catalogue: runs them, and writes their answers",
    "new": "writes a study file to fill in, with a comment on every line",
    "check": "everything wrong in a study file, by line, with lines to write instead; what the file can be used for",
    "list": "studies, endpoints, models, priors, experiments",
    "doctor": "versions, sampler, storage, caches",
}
_CONFIGURED = ("reanalyse", "audit", "reconstruct", "fit", "sensitivity", "multiverse", "collect", "simulate", "plan", "report")
USAGE_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `retrial` command; exits with 0, 1 (a fit or check failed, or the disk is full), 2 (bad input) or 130 (interrupted)."""
    try:
        settle()
        status = run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        status = error.exit_status
    except (OSError, MemoryError) as error:
        status = _ended_by(error)
    status = max(status, _ended_by(lost()))
    at_once()
    sys.exit(status)


def _ended_by(error: OSError | MemoryError | None) -> int:
    """Exit status after something that is not the program's and not the user's doing, which is said."""
    if error is None:
        return 0
    if isinstance(error, BrokenPipeError):
        # the reader of our output has gone (`| head`): nothing to tell anybody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    else:
        tell(f"error: {of_the_system(error)}")
    return 1


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; an interrupt is one."""
    try:
        with noticed():
            return _run(arguments)
    except KeyboardInterrupt:
        tell("interrupted: what is finished is kept, and the same command goes on from there")
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
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
    if verb in ("new", "check"):
        from retrial.app import check, new

        return (new if verb == "new" else check).run(rest)
    if (said := with_home()) and verb != "doctor":  # which says it itself
        tell(said)
    if verb in ("list", "doctor"):
        from retrial.app import information

        return information.run(verb, rest)
    # Hydra otherwise swallows exceptions and exits by itself with status 1
    os.environ["HYDRA_FULL_ERROR"] = "1"
    several = bool({"-m", "--multirun"} & set(rest))
    rest = [_study_override(argument, several) for argument in rest]
    if verb == "experiment":
        from retrial.app import experiment

        return experiment.run(rest)
    if verb == "report":
        from retrial.app.process import compared

        if compared.is_asked(rest):
            return compared.run(rest)
    _remind_of_study(rest)
    from retrial.app.application import launch

    return launch(verb, rest)


def _remind_of_study(arguments: list[str]) -> None:
    """Say so where somebody names a folder with studies and none of them: what is analysed then is the default study."""
    if any(argument.startswith(("study.name=", "+experiment=", "experiment=")) for argument in arguments):
        return
    from retrial.errors import printable

    for option, value in itertools.pairwise(arguments):
        names = sorted(path.stem for path in Path(value).glob("study/*.yaml")) if option in ("--config-dir", "-cd") else []
        if names:
            told = f"no study= is given: the default study is analysed; {value}/study/ has {', '.join(names[:12])}"
            print(printable(told), file=sys.stderr)


def _study_override(argument: str, several: bool) -> str:
    """study=NAME is ours: Hydra never reads study files (they are data), it only carries their name, whatever characters are in it."""
    name, sign, value = argument.partition("=")
    if not sign or name != "study":
        return argument
    if several and "," in value:
        return f"study.name={','.join(_written(part) for part in value.split(','))}"
    return f"study.name={_written(value)}"


def _written(value: str) -> str:
    """A text in Hydra's grammar: within quotes where it holds more than a plain path."""
    if re.fullmatch(r"[A-Za-z0-9_./-]*|'.*'|\".*\"", value):
        return value
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", value)
    return f"'{escaped}'" if not value.endswith("\\") else f"'{escaped.rstrip(chr(92))}'"


def _help() -> str:
    width = max(map(len, VERBS))
    lines = ["usage: retrial VERB [key=value ...] [--config-dir DIR] [-m]", "", "verbs:"]
    lines += [f"  {verb:<{width}}  {text}" for verb, text in VERBS.items()]
    lines += [
        "",
        "examples:",
        "  retrial new study=mytrial kind=full                        # writes mine/study/mytrial.yaml, to fill in",
        "  retrial check --config-dir mine study=mytrial",
        "  retrial reanalyse study=yao2025",
        "  retrial reanalyse --config-dir mine study=mytrial          # mine/study/mytrial.yaml",
        "  retrial reanalyse study=yao2025 prior.log_hazard_ratio.mu=0 prior.log_hazard_ratio.sigma=0.5",
        "  retrial fit -m study=yao2025 seed=1,2,3",
        "  retrial experiment all",
        "",
        "retrial VERB --help shows a verb's keys. Exit status: 0, 1 (a fit or check failed: said which), 2 (bad input), 130 (interrupted).",
    ]
    return "\n".join(lines)


_EXPERIMENT_HELP = """usage: retrial experiment NAME... [key=value ...] [--config-dir DIR]
       retrial experiment all [key=value ...]

  Runs experiments: a question, the verb that answers it, which of its numbers are the answer. `retrial list experiments` lists
  them; conf/experiment/NAME.yaml says what each is. `all` leaves out the studies of the method, which take hours and are named.

  catalogue=DIR     write DIR/NAME/answer.csv and the pages DIR/NAME/README.md and DIR/README.md. In a checkout experiments/ is
                    the catalogue, unless a key changes what is asked
  output_dir=DIR    answers go to DIR/experiment/NAME, run folders to DIR/VERB/NAME (outputs)
  force=true        run again although a run is finished
  --config-dir DIR  a folder of your own: DIR/experiment/NAME.yaml, DIR/study/*.yaml, ...
  KEY=VALUE         any key of the experiment's verb, or of a study of the method (retrial VERB --help)"""


_NEW_HELP = """usage: retrial new study=NAME kind=KIND [--config-dir DIR]

  Writes DIR/study/NAME.yaml: a whole example that runs as it stands, with comments that say what to type and where papers print it.
  Type your paper's numbers over it and delete what your paper does not print. A file that is there is never overwritten.
  DIR is mine where none is named. The next command is printed last.

  kind=one_ratio    one hazard, odds or risk ratio with its interval
  kind=counts       yes/no outcomes: patients with the outcome, and of how many
  kind=patients     times and events of your own patients, in a CSV file (an example of it is written too)
  kind=full         what a paper prints about a trial: survival, ratios, response, adverse events, baseline"""
_CHECK_HELP = """usage: retrial check study=NAME [--config-dir DIR]
       retrial check path/to/NAME.yaml

  Lists everything that is wrong in a study file and in the CSV files that it names, by line; where it can, with the line to write instead.
  Where nothing is wrong: what the file gives, and which commands can use it. Computes nothing and writes nothing.

  --config-dir DIR  a folder of your own: study=NAME is DIR/study/NAME.yaml

  Exit status: 0, fine; 2, something is wrong."""
_TWO_RUNS = [
    "  base=FOLDER other=FOLDER   two finished runs: which numbers differ by more than their Monte Carlo error, which only one has, and",
    "                             what differs in settings, study, plan and program: a page and CSV files in OUTPUT_DIR/report/two_runs/.",
    "                             Beside them: output_dir and force",
    "",
]
_OWN_HELP = {"experiment": _EXPERIMENT_HELP, "new": _NEW_HELP, "check": _CHECK_HELP}


def _verb_help(verb: str) -> str:
    if verb in _OWN_HELP:
        return _OWN_HELP[verb]
    lines = [f"usage: retrial {verb} [key=value ...]", "", f"  {VERBS[verb]}"]
    if verb in _CONFIGURED:
        root = resources.files("retrial.conf")
        lines += _TWO_RUNS if verb == "report" else []
        lines += ["  --config-dir DIR   a folder of your own, searched first: DIR/study/*.yaml, DIR/prior/*.yaml, ..."]
        lines += [
            "  -m, --multirun     run every combination of comma-separated values",
            "  --cfg job          show the composed configuration",
        ]
        for name in ("base", "reanalyse" if verb in ("report", "plan") else verb):
            text = root.joinpath(f"{name}.yaml").read_text(encoding="utf-8").split("\nhydra:")[0]
            lines += ["", f"--- conf/{name}.yaml", text.strip()]
    return "\n".join(lines)
