"""The tables that an analysis rests on, as a decision of the multiverse: each of our choices behind them made otherwise, and fitted."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from retrial.data.direction import good_endpoints
from retrial.dims import ARMS
from retrial.pipeline.probes import attained_settings
from retrial.pipeline.tables import Reconstructions, as_recorded, endpoint_tables, sampled
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Likelihood
from retrial.sensitivity.any_prior.on_tables import likelihood_on
from retrial.sensitivity.multiverse import Block, other_blocks
from retrial.sensitivity.of_design.early import missing_until, numbers_of, table_with_early_deaths
from retrial.store.stages import Stages
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
from retrial.tables.entry import ENTRY, entry_of
from retrial.tables.findings.choices import Choice, choices_of, few_samplers
from retrial.tables.findings.spread import unsettled
from retrial.tables.printed.software import JOINT, SEPARATE
from retrial.tables.printed.targets import Targets

log = logging.getLogger("retrial")


@dataclasses.dataclass(frozen=True, eq=False)
class Other:
    """Tables of an endpoint under one other choice, or why there are none; `note` where few independent tables stand behind them."""

    name: str
    tables: EndpointTables | str
    note: str = ""


def doubts(reconstructed: Reconstructions) -> dict[str, str]:
    """Endpoint -> that few independent tables stand behind its own."""
    return {item.endpoint: "; ".join(unsettled(item.ensemble)) for item in reconstructed.tables if item.ensemble is not None}


def blocks_on_other_tables(
    run: RunConfig,
    used: Study,
    effects: Sequence[Effect],
    reconstructed: Reconstructions,
    left_out: Mapping[str, tuple[str, ...]],
    stages: Stages,
) -> Iterator[Block]:
    """Blocks of the models of life tables of every endpoint whose tables were sampled, a choice or two after the other.

    None with `reconstruction.choices=false`. `left_out` as for `endpoint_tables`.
    """
    models = {key: _models(run, effects, key) for key in dict.fromkeys(effect.endpoint for effect in effects)}
    items = [item for item in reconstructed.tables if models.get(item.endpoint) and item.ensemble and not item.ensemble.relaxed]
    if not run.probes.choices or not items:
        return
    rules = dataclasses.replace(run.reading_rules, readings=SEPARATE if run.reading_rules.readings == JOINT else JOINT)
    again = endpoint_tables(dataclasses.replace(run, reading_rules=rules), used, left_out, stages)
    weighed = {item.endpoint: item for item in again.tables}
    for item in items:
        others = [
            *_choices(run, used, item, stages),
            *_entry(used, item),
            *_early(run, used, item),
            *_readings(rules.readings, item, weighed[item.endpoint]),
        ]
        for name in models[item.endpoint]:
            for other in others:
                found = _fitted(run, used, run.models[name], other, stages)
                yield from other_blocks(item.endpoint, name, other.name, other.note, found, run.multiverse)


def _models(run: RunConfig, effects: Sequence[Effect], endpoint: str) -> list[str]:
    """Models of life tables that are fitted to an endpoint's other tables: the first, or all."""
    found = [effect.model for effect in effects if effect.endpoint == endpoint and effect.printed is None]
    return found if run.multiverse.tables_with_models else found[:1]


def _choices(run: RunConfig, used: Study, item: EndpointTables, stages: Stages) -> Iterator[Other]:
    """Our own choices made otherwise, by small samplers as those of `choices.csv`."""
    if item.targets is None or item.ensemble is None:
        return
    settings = attained_settings(run.reconstruction, item.ensemble, run.probes.choices_islands)
    settings = dataclasses.replace(settings, rounds=run.probes.choices_rounds)
    seed = integer_seed(run.seed, run.study_file.stem, item.endpoint, "choices")
    carried = {
        one.name
        for one in choices_of(item.targets, settings)
        if one.design or (one.targets is not item.targets and not one.alone)
    }
    for choice in combined(item.targets, settings, together=run.multiverse.tables_together):
        log.info("%s: tables under another choice: %s", item.endpoint, choice.name)
        found = stages.run(f"tables.{item.endpoint}", sampled, choice.targets, choice.settings, seed)
        if isinstance(found, Ensemble):
            tables, note = _tables(used, choice.targets, found, choice.words), "; ".join(few_samplers(found) or unsettled(found))
            yield Other(choice.name, tables, note)
            if run.multiverse.tables_together and choice.name in carried:
                late = dataclasses.replace(item, table=tables.table, weights=tables.weights, ensemble=None)
                yield from _entry(used, late, f"{choice.name} + ", note)
        else:
            yield Other(choice.name, f"no such tables: {str(found).splitlines()[0]}")


def _entry(used: Study, item: EndpointTables, before: str = "", note: str = "") -> Iterator[Other]:
    """The same tables, of patients all of whom entered at the shortest time, where the design may be read so."""
    months = entry_of(used, item)
    if math.isfinite(months):
        doubt = note or ("; ".join(unsettled(item.ensemble)) if item.ensemble is not None else "")
        yield Other(f"{before}{ENTRY}", dataclasses.replace(item, ensemble=None, targets=None, entry=months), doubt)


def _early(run: RunConfig, used: Study, item: EndpointTables) -> Iterator[Other]:
    """The same tables with the most early deaths that `sensitivity.early_deaths` allows, in one arm alone."""
    until, share = missing_until(used, item.endpoint, item.table), run.sensitivity.early_deaths
    if not math.isfinite(until) or not share > 0 or item.endpoint in good_endpoints(used):
        return
    doubt = "; ".join(unsettled(item.ensemble)) if item.ensemble is not None else ""
    for arm, name in enumerate(ARMS):
        number = int(numbers_of(int(item.table.n.to_numpy()[0, arm]), share)[-1])
        table = table_with_early_deaths(item.table, (0, number) if arm else (number, 0), until)
        late = dataclasses.replace(item, table=table, ensemble=None, targets=None)
        yield Other(f"early deaths, {name} arm: {number}", late, doubt)


def combined(targets: Targets, settings: ReconstructionSettings, *, together: bool) -> list[Choice]:
    """Each choice made otherwise by itself; and, `together`, each of what the tables have to carry with each other one but itself.

    Two choices of the tables' prior are not combined: they change the same scales.
    """
    alone = choices_of(targets, settings)
    found = {frozenset([choice.name]): choice for choice in alone}
    for first in alone if together else ():
        if first.targets is not targets and not first.alone:
            for second in (choice for choice in choices_of(first.targets, first.settings) if not choice.alone):
                words = f"{first.words}; {second.words}"
                both = dataclasses.replace(second, name=f"{first.name} + {second.name}", words=words)
                if second.name != first.name:
                    found.setdefault(frozenset([first.name, second.name]), both)
    return list(found.values())


def _tables(used: Study, targets: Targets, ensemble: Ensemble, words: str) -> EndpointTables:
    table = as_recorded(ensemble.table, used, targets.endpoint)
    return EndpointTables(targets.endpoint, table, ensemble.weights, used.endpoints[targets.endpoint].reading, words)


def _readings(name: str, item: EndpointTables, other: EndpointTables) -> Iterator[Other]:
    """The other rule of `reconstruction.readings`, where it makes another ensemble."""
    same = all(np.array_equal(getattr(item.table, part), getattr(other.table, part)) for part in ("events", "censored"))
    if other.ensemble is not None and not (same and np.array_equal(item.weights, other.weights)):
        yield Other(f"{name} readings", other, "; ".join(unsettled(other.ensemble)))


def _fitted(run: RunConfig, used: Study, spec: ModelSpec, other: Other, stages: Stages) -> Likelihood | str:
    if isinstance(other.tables, str):
        return other.tables
    found = stages.run(f"other_tables.{spec.name}", likelihood_on, run.of_model(spec), spec, used, other.tables)
    return f"no fit of these tables can be used: {found}" if isinstance(found, str) else found
