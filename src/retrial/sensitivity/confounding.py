"""An unmeasured confounder benchmarked against the measured ones, for the treatment effect of every printed multivariable model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from retrial.answers.questions import Questions
from retrial.answers.rows import Subject
from retrial.errors import DataError
from retrial.estimate import Estimate
from retrial.frequentist.ratios import contrast_of, covariates_of, effect_source
from retrial.multivariable.benchmark import benchmark_draws, multiples
from retrial.multivariable.contradiction import contradictions
from retrial.multivariable.posterior import posterior, status_of
from retrial.multivariable.printed import printed_model
from retrial.multivariable.sampler import MatrixSettings, sample
from retrial.multivariable.statistics import HAZARDS
from retrial.multivariable.summary import notes_of, overruled
from retrial.seeds import integer_seed
from retrial.store.progress import counter, part
from retrial.study.study import Study

MODEL = "one_more_confounder"
SETTINGS = MatrixSettings(particles=1000)
DRAWS = 20_000
_UNSIGNED = "sign not printed of the univariable ratio"
MULTIPLES = ("confounding_to_hold_no_effect", "confounding_to_no_effect")
"""Quantities: strength, in those of the strongest measured covariate, from which the interval holds no effect, and the median is none."""


def benchmark_estimates(study: Study, questions: Questions, seed: int) -> Iterator[Estimate]:
    """The treatment's ratio under a flat prior where one more confounder moved it towards no effect by as much as a measured covariate does.

    METHODS 13. Strength is the shift of the effect when the covariate alone is left out; which covariate confounds by how much is only as
    well known as the printed tables say, and the draws carry that. Models without a treatment, or that cannot be used, have no rows.
    """
    for key in study.multivariable:
        try:
            model = printed_model(study, key)
        except DataError:
            continue  # the audit says what is missing
        if model.treatment is None or model.measure != HAZARDS:
            continue  # odds ratios change with adjustment without any confounding
        with counter(f"multivariable.{key}", 100, "percent") as done:
            with part(done, 5) as alive:
                judged = contradictions(model, alive)
            with part(done, 95) as alive:
                matrices = sample(model, SETTINGS, integer_seed(seed, "multivariable", key), alive)
        shape = matrices.b.shape
        components = posterior(matrices, np.zeros(shape), np.full(shape, np.inf))
        effect = study.effects[model.effects[model.treatment]]
        place = effect_source(effect, model.effects[model.treatment])
        subject = Subject(
            model.endpoint,
            contrast_of(effect),
            MODEL,
            "flat",
            place,
            status_of(components) if judged.status == "ok" else judged.in_short,
            "; ".join(
                filter(
                    None,
                    (
                        _UNSIGNED * bool(matrices.sign.any()),
                        judged.note_in_short,
                        overruled(model, matrices, judged),
                        *notes_of(model),
                    ),
                )
            ),
            adjusted_for=covariates_of(effect),
        )
        mine = integer_seed(seed, "benchmark", key)
        for words, draws in benchmark_draws(components, model.treatment, mine, DRAWS).items():
            varied = dataclasses.replace(subject, variant=words)
            yield from varied.ratio_from_draws(model.measure, draws, questions)
        found = multiples(components, model.treatment, mine, DRAWS, questions.tail)
        for quantity, value in zip(MULTIPLES, found, strict=True):
            yield subject.limit(quantity, "times the strongest measured covariate", value)
