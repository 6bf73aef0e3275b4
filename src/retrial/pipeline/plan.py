"""`retrial plan`: the analysis plan of a re-analysis, written before any fit; and what a run differs in from the plan of its study."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from retrial.errors import StoreError
from retrial.priors.prior_set import PriorSet, implied
from retrial.report.data import Planned
from retrial.report.manuscript.plan import plan_text
from retrial.run_config import RunConfig
from retrial.store.artefacts import path_of
from retrial.store.folders import is_finished
from retrial.store.manifest import plan_digest, plan_of
from retrial.study.arms.many import MultiArmStudy
from retrial.study.study import Study

log = logging.getLogger("retrial")
_WRITTEN, _DIGEST = "written", "plan_sha256"


def work(run: RunConfig, study: Study | MultiArmStudy, folder: Path) -> Sequence[str]:
    """Write plan.json (the settings, by which a run is held against it) and plan.md (in words); no number of the study is looked at."""
    plan = plan_of(run)
    digest = plan_digest(plan)
    written = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    told = {**plan, _DIGEST: digest, _WRITTEN: written}
    text = json.dumps(told, indent=2, sort_keys=True, default=str, ensure_ascii=False)
    path_of(folder, "plan", "json").write_text(text + "\n", encoding="utf-8")
    sets = [*run.priors.values(), *(PriorSet("", spec.priors, model=spec.name) for spec in run.models.values() if spec.priors)]
    priors = pd.DataFrame([row for given in sets for row in implied(given, run.questions.level)])
    labels = {spec.label or name: (spec.card, ", ".join(run.sets_for(spec))) for name, spec in run.models.items()}
    path_of(folder, "plan", "md").write_text(plan_text(study.title, told, labels, priors, run.questions.level), encoding="utf-8")
    log.info("plan: %s", digest)
    return []


def planned(run: RunConfig) -> Planned | None:
    """The plan that this run is held against: the one with the same digest, else the first that was written; None where there is none.

    Plans of the same study under the run's output folder count, each as far as its folder is whole.
    """
    found = sorted(_plans(run.output_dir / "plan" / run.study_file.stem), key=lambda plan: str(plan.get(_WRITTEN)))
    if not found:
        return None
    mine = json.loads(json.dumps(plan_of(run), default=str))
    digest = plan_digest(plan_of(run))
    same = next((plan for plan in found if plan.get(_DIGEST) == digest), None)
    plan = same or found[0]
    differences = (
        () if same else tuple(_differences({key: value for key, value in plan.items() if key not in (_WRITTEN, _DIGEST)}, mine))
    )
    return Planned(str(plan.get(_DIGEST)), str(plan.get(_WRITTEN)), differences, len(found))


def _plans(folder: Path) -> Iterator[dict[str, Any]]:
    for place in sorted(folder.glob("*")) if folder.is_dir() else ():
        if is_finished(place):
            try:
                plan = json.loads(path_of(place, "plan", "json").read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise StoreError(f"cannot read the plan in {place}: {error}") from error
            yield plan


def _differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Every setting that is another one than planned, by its key."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*old, *new]):
            inside = f"{path}.{key}" if path else str(key)
            if key not in new:
                yield f"{inside}: planned, not in this run"
            elif key not in old:
                yield f"{inside}: not planned, in this run"
            else:
                yield from _differences(old[key], new[key], inside)
    elif old != new:
        yield f"{path}: planned {old}, in this run {new}"
