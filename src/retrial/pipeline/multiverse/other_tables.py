"""The tables that an analysis rests on, as a decision of the multiverse: each of our choices behind them made otherwise, and fitted."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from retrial.pipeline.probes import attained_settings
from retrial.pipeline.tables import Reconstructions, as_recorded, endpoint_tables, sampled
from retrial.run_config import ModelSpec, RunConfig
from retrial.seeds import integer_seed
from retrial.sensitivity.any_prior.effects import Effect
from retrial.sensitivity.any_prior.likelihood import Likelihood
from retrial.sensitivity.any_prior.on_tables import likelihood_on
from retrial.sensitivity.multiverse import Block, other_blocks
from retrial.store.stages import Stages
from retrial.study.study import Study
from retrial.tables.endpoint import EndpointTables
from retrial.tables.ensemble import Ensemble, ReconstructionSettings
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
        others = [*_choices(run, used, item, stages), *_readings(rules.readings, item, weighed[item.endpoint])]
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
    for choice in combined(item.targets, settings, together=run.multiverse.tables_together):
        log.info("%s: tables under another choice: %s", item.endpoint, choice.name)
        found = stages.run(f"tables.{item.endpoint}", sampled, choice.targets, choice.settings, seed)
        if isinstance(found, Ensemble):
            tables = _tables(used, choice.targets, found, choice.words)
            yield Other(choice.name, tables, "; ".join(few_samplers(found) or unsettled(found)))
        else:
            yield Other(choice.name, f"no such tables: {str(found).splitlines()[0]}")


def combined(targets: Targets, settings: ReconstructionSettings, *, together: bool) -> list[Choice]:
    """Each choice made otherwise by itself; and, `together`, each of what the tables have to carry with each other one but itself.

    Two choices of the tables' prior are not combined: they change the same scales.
    """
    alone = choices_of(targets, settings)
    found = {frozenset([choice.name]): choice for choice in alone}
    for first in alone if together else ():
        if first.targets is not targets:
            for second in choices_of(first.targets, first.settings):
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
