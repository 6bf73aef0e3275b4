"""`retrial check`: everything that is wrong in a study file and its data files; where nothing is, what the file can be used for."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from retrial.app.find import find_study, folders_of, parsed
from retrial.data.direction import is_good
from retrial.dims import ARMS, TOTAL
from retrial.errors import ConfigError, DataError, InputError
from retrial.study.arms.many import MultiArmStudy
from retrial.study.loader import load_study
from retrial.study.sections import Endpoint
from retrial.study.study import Study
from retrial.study.yaml_text import read_typed_yaml

_VERB_WIDTH = 12
_LINE_ENDS = re.compile(r"[\t\n]+")


def run(arguments: Sequence[str]) -> int:
    """Print the problems or the summary of each study; exit status 0, or 2 where one of them cannot be used."""
    try:
        asked = parsed(arguments, ("study",))
        names = [*asked.others, *filter(None, [asked.keys.get("study")])]
        if not names:
            raise ConfigError("cannot use the command line", ["study: missing; write study=NAME, or the path of a study file"])
        folders = folders_of(asked.config_dir)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    return max(_checked(name, folders, asked.config_dir) for name in names)


def _checked(name: str, folders: Sequence[Path], own: Path | None) -> int:
    try:
        path = find_study(name, folders)
        study = load_study(path)
        data = list(data_problems(study, path))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_status
    if data:
        print("\n".join([f"error: cannot use the data files of {path}", *(f"  - {line}" for line in data)]), file=sys.stderr)
        return InputError.exit_status
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    called = [*([] if own is None else ["--config-dir", shlex.quote(str(own))]), f"study={shlex.quote(name)}"]
    print("\n".join([f"{shown}: nothing wrong", *summary(study, folders, path.parent), *_next(" ".join(called))]))
    return 0


def data_problems(study: Study | MultiArmStudy, path: Path) -> Iterator[str]:
    """What is wrong in the CSV files that a study names, each with its key; once, where comparisons share a file."""
    found = [line for pair in study.comparisons() for key in pair.endpoints for line in _csv_problems(pair, path.parent, key)]
    yield from dict.fromkeys(found)


def _csv_problems(study: Study, folder: Path, key: str) -> Iterator[str]:
    endpoint = study.endpoints[key]
    if endpoint.patients is None and endpoint.curve is None:
        return
    # imported here: pandas takes longer than all the rest
    from retrial.tables.covariates import covariates_of
    from retrial.tables.patients import read_patients
    from retrial.tables.printed.digitised import read_curve

    labels = {study.arm(arm).label: arm for arm in study.names.roles.values() if study.arm(arm).label}
    for name, file in endpoint.data_files.items():
        try:
            if name == "patients" and endpoint.patients is not None:
                read_patients(folder / file, study.time_unit, endpoint.patients, labels, study.names)
                covariates_of(study, folder, key)
            else:
                read_curve(folder / file, study.names)
        except InputError as error:
            yield from (f"endpoints.{key}.{name}: {folder / file}: {line}" for line in error.problems or (error.title,))


def summary(study: Study | MultiArmStudy, folders: Sequence[Path], home: Path) -> Iterator[str]:
    """What a study holds, and what each part of it is good for; of three or more arms, each comparison by itself. Its data files are below `home`."""
    yield from (_LINE_ENDS.sub(" ", line) for line in _summary(study, folders, home))


def _summary(study: Study | MultiArmStudy, folders: Sequence[Path], home: Path) -> Iterator[str]:
    pairs = study.comparisons()
    yield f"  {study.title}"
    for pair in pairs:
        if len(pairs) > 1:
            yield f"  comparison {pair.names.words}:"
        yield from ("  " * (len(pairs) > 1) + pair.names.prose(line) for line in _parts(pair, home))
    kinds = set().union(*(_kinds(pair) for pair in pairs))
    yield from _models(kinds, folders)


def _parts(study: Study, home: Path) -> Iterator[str]:
    """The sections of a study of two arms, or of one."""
    yield "  arms: " + "; ".join(_arm(study, arm) for arm in study.names.roles.values())
    for key, endpoint in study.endpoints.items():
        yield from _endpoint(study, key, endpoint, home)
    for key, effect in study.effects.items():
        interval = (
            f" ({effect.interval.lower} to {effect.interval.upper})"
            if effect.interval is not None
            else f", p {effect.p}"
            if effect.p
            else ""
        )
        kind = "adjusted" if effect.adjusted_for else "unadjusted"
        use = "" if interval else "; neither interval nor p: it cannot be analysed"
        contrast = f"{effect.numerator} / {effect.denominator}"
        words = f"{effect.measure.replace('_', ' ')} {effect.estimate}{interval}, {contrast}, {kind}{_event(study, key)}"
        yield f"  ratio {key}: {words}{use}"
    for key in study.multivariable:
        yield f"  multivariable model {key}: {_joint(study, key)}"
    rows = study.count_rows()
    for section, words in (("response", "response"), ("binary", "yes/no outcomes"), ("adverse_events", "adverse events")):
        found = [path for path in rows if path.startswith(section)]
        if found:
            yield f"  {words}: {len(found)} row{'s' * (len(found) > 1)} of counts"
    if study.baseline is not None:
        yield f"  baseline: {len(study.baseline.variables)} variables (audited only)"


def _joint(study: Study, key: str) -> str:
    """What a printed multivariable model has, or why it cannot be analysed as a whole."""
    # imported here: SciPy takes longer than all the rest
    from retrial.multivariable.printed import printed_model

    try:
        model = printed_model(study, key)
    except DataError as error:
        return f"cannot be analysed as a whole: {'; '.join(error.problems)}"
    tested = sum(bool(one.test or one.unadjusted) for one in model.keys)
    events = f"{model.events:g} events" if model.events_printed else f"no {model.keys[0].events}.events"
    treatment = "" if model.treatment is not None else ", none of them the treatment"
    return f"{model.size} covariates{treatment}, {tested} with a univariable test or ratio, {events}"


def _left_out(study: Study, key: str, home: Path) -> Iterator[str]:
    """How many patients the adjusted answers are of."""
    from retrial.tables.covariates import covariates_of

    rows = covariates_of(study, home, key)
    if rows is not None:
        told = "; ".join(rows.words[1:]) or "nobody is left out"
        yield f"    adjusted for {rows.names}: {rows.time.size} patients, {told}"


def _event(study: Study, key: str) -> str:
    """Which way priors of a benefit take the event of a ratio, so that a wrong guess is seen before anything is run."""
    if not study.effects[key].is_treatment:
        return ""
    good = is_good(study, key)
    return ", a good event" if good else ", a bad event" if good is False else f", good or bad: say effects.{key}.good"


def _arm(study: Study, arm: str) -> str:
    label, n = study.arm(arm).label, study.n(arm)
    return f"{arm}{f' ({label})' if label else ''}{', size not given' if n is None else f', {n} patients'}"


def _endpoint(study: Study, key: str, endpoint: Endpoint, home: Path) -> Iterator[str]:
    named = f"endpoint {key}"
    if endpoint.patients is not None:
        yield f"  {named}: patients from {endpoint.patients.file}; no reconstruction is needed"
        yield from _left_out(study, key, home)
        return
    # imported here: compiled code takes a second to load
    from retrial.pipeline.tables import missing_of

    missing = missing_of(study, key)
    given = _given(study, key, endpoint)
    if missing:
        yield f"  {named}: life tables cannot be reconstructed: {missing}"
        return
    there = [name.partition(" (")[0] for name, is_there in given.items() if is_there]
    yield f"  {named}: life tables can be reconstructed, from {', '.join(there)}"
    absent = [name for name, is_there in given.items() if not is_there]
    if absent:
        yield f"    would tighten them: {', '.join(absent)}"


def _given(study: Study, key: str, endpoint: Endpoint) -> dict[str, bool]:
    """What a paper may print about an endpoint, and whether the file has it."""
    per_arm = {name: [getattr(getattr(endpoint, name), arm, None) for arm in (*ARMS, TOTAL)] for name in ("events", "median")}
    medians = [median for median in per_arm["median"] if median is not None]
    ratio = any(effect.endpoint == key and effect.is_treatment and not effect.adjusted_for for effect in study.effects.values())
    at = f"endpoints.{key}"
    return {
        f"events ({at}.events)": any(per_arm["events"]),
        f"medians ({at}.median)": bool(medians),
        f"their intervals ({at}.median, ci)": any(median.ci is not None for median in medians),
        f"the longest time ({at}.longest)": endpoint.longest is not None,
        f"numbers at risk ({at}.at_risk)": endpoint.at_risk is not None,
        f"the unadjusted hazard ratio (effects, with endpoint: {key})": ratio,
        f"a test of the arms ({at}.test)": endpoint.test is not None,
        f"percentages at landmarks ({at}.landmarks)": endpoint.landmarks is not None,
        f"a digitised curve ({at}.curve)": endpoint.curve is not None,
    }


def _models(kinds: Set[str], folders: Sequence[Path]) -> Iterator[str]:
    """The models of each folder's model/ that the study has data for; those that borrow from other studies say themselves of which."""
    files = {path.stem: path for folder in reversed(folders) for path in sorted(folder.glob("model/*.yaml"))}
    fitting = [name for name, path in sorted(files.items()) if name.isprintable() and _data_of(path) in kinds]
    yield f"  models that it has data for: {', '.join(fitting) or 'none: add endpoints, effects, response, binary or adverse_events'}"


def _data_of(path: Path) -> str:
    try:
        _, raw, _ = read_typed_yaml(path, "file", path.parents[1])
    except InputError:
        return ""
    return str(raw.get("data", ""))


def _kinds(study: Study) -> set[str]:
    """Kinds of data (`data` of a model) that a study has."""
    found = set()
    if any(effect.ci is not None or effect.p is not None for effect in study.effects.values()):
        found.add("ratio")
    if any(_can_be_joint(study, key) for key in study.multivariable):
        found.add("multivariable")
    if study.binary or study.response is not None:
        found.add("counts")
    if study.response is not None and len(study.response.categories) > 1:
        found.add("categories")
    if study.adverse_events is not None:
        found.add("adverse_events")
    if study.endpoints:
        found.add("life_table")
    return found


def _can_be_joint(study: Study, key: str) -> bool:
    from retrial.multivariable.printed import printed_model

    try:
        printed_model(study, key)
    except DataError:
        return False
    return True


def _next(called: str) -> Iterator[str]:
    yield "next:"
    yield f"  {f'retrial audit {called}':<60}  # recomputes the printed numbers, in seconds"
    yield f"  {f'retrial reanalyse {called}':<60}  # all of it, to report.html"
