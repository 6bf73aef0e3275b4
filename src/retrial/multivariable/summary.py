"""What the sampled matrices say of every covariate, beside what is printed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retrial.multivariable.carried import GRID
from retrial.multivariable.contradiction import WORDS, Contradictions
from retrial.multivariable.printed import PrintedModel
from retrial.multivariable.sampler import Matrices
from retrial.multivariable.statistics import TOLERANCE, tested, univariable


@dataclass(frozen=True, slots=True)
class CovariateSummary:
    """One covariate of a printed multivariable model; limits are equal-tailed, over the matrices.

    endpoint, contrast
    key, covariate   names in the section `multivariable` of the study file
    events           printed events of the endpoint; empty where none are printed
    se_adjusted, se_unadjusted   standard errors of the log ratio in the printed multivariable and univariable models
    variance_ratio   (se_adjusted / se_unadjusted)², from the print alone: near the variance inflation, but of two models
    inflation, inflation_lower, inflation_upper   variance inflation by the other covariates, V_jj I_jj, 1 without any correlation
    factor           name of the factor that the covariate is a level of; empty of one by itself
    inflation_by_others, inflation_by_others_lower, inflation_by_others_upper   the same without the levels of its own factor, of all of them
                     together, (|V_BB| |I_BB|)^(1/k); `inflation` of a covariate by itself
    carried          the largest of 1.2, 1.5, 2, 3, 5 and 10 with which some matrix carries all printed numbers, whatever the prior (of the same)
    note             says where that is far above the limits, which then rest on the prior of the correlations, and where samplers differ
    correlation, correlation_lower, correlation_upper   of the covariate's estimate with the treatment's
    printed_z        |z| of the univariable test: √χ², or from the univariable ratio
    implied_z, implied_z_lower, implied_z_upper   the same from the sampled matrices
    distance         of the printed univariable number under the nearest matrix, in scales of the quadratic form's error
    within           yes: every printed number of the covariate is within the tolerance (4.6 scales); no: some is not; empty: nothing univariable
                     is printed
    contradiction    which of its numbers no matrix carries, under which key of the study file, and by how much; empty where all go together
    """

    endpoint: str
    key: str
    covariate: str
    contrast: str
    events: float
    se_adjusted: float
    se_unadjusted: float
    variance_ratio: float
    inflation: float
    inflation_lower: float
    inflation_upper: float
    factor: str
    inflation_by_others: float
    inflation_by_others_lower: float
    inflation_by_others_upper: float
    carried: float
    correlation: float
    correlation_lower: float
    correlation_upper: float
    printed_z: float
    implied_z: float
    implied_z_lower: float
    implied_z_upper: float
    distance: float
    within: str
    contradiction: str
    note: str


FAR = 1.5
"""Times the upper limit of the sampled inflations from which one that the print carries too is said."""


def rests_on_prior(matrices: Matrices, carried: np.ndarray, tail: float) -> np.ndarray:
    """Covariates, (p,), of which the print carries far larger inflations than are sampled: their limits are the prior's."""
    return np.asarray(carried > FAR * np.quantile(matrices.inflation_by_others, 1 - tail, axis=0))


def carried_words(carried: float) -> str:
    """ "10 or more", "2 to 3" for the largest inflation of the grid that is carried and the next, which is not, "below 1.2" for none."""
    above = [step for step in GRID if step > carried]
    if not above:
        return f"{GRID[-1]:g} or more"
    return f"below {GRID[0]:g}" if above[0] == GRID[0] else f"{carried:g} to {above[0]:g}"


INVERTED = 2.5
"""Standard errors between a univariable and an adjusted log ratio on opposite sides of 1 from which one may be printed upside down: in 332
covariates of real Cox models 99 % of all differences are below 2.3, of those on opposite sides one is above 2.6."""


def inverted(model: PrintedModel) -> tuple[int, ...]:
    """Covariates whose adjusted ratio is far from its univariable one and on the other side of 1, while its inverse would be near."""
    b, s = model.centre.T
    alone = model.unadjusted.mean(axis=1)
    far = np.abs(b - alone) > INVERTED * s
    return tuple(
        int(place)
        for place in np.flatnonzero(np.isfinite(alone) & (b * alone < 0) & far & (np.abs(b + alone) < np.abs(b - alone) / 2))
    )


def notes_of(model: PrintedModel) -> tuple[str, ...]:
    """What to know of every row of a model: what is not taken as printed, and how it is read."""
    found = list(model.taken)
    for place in inverted(model):
        b, alone = float(np.exp(model.centre[place, 0])), float(np.exp(model.unadjusted[place].mean()))
        found.append(
            f"possible inversion: {model.names[place]} {b:.2f} adjusted and {alone:.2f} univariable are on opposite sides of 1; is one of them"
            " the other way round?"
        )
    for block in model.units:
        if len(block) > 1:
            together = all(len(model.fitted[place]) > 1 for place in block)
            reading = "over the reference, fitted together" if together else "each against all others"
            names = " and ".join(model.names[place] for place in block)
            crossing = ", and their inflations are too sure where hazards cross, for who is still at risk is not printed"
            found.append(
                f"{names} are levels of the factor {model.factors[block[0]]}; their univariable numbers are read as {reading}"
                + crossing * (len(block) > 2)
            )
    if model.measure != "hazard_ratio":
        found.append(
            "errors of the quadratic form were measured on Cox models, not on logistic regressions; effects adjusted for some of the covariates,"
            " what adjustment moves, and confounders as strong as the measured ones are not given, because odds ratios change with adjustment without"
            " any confounding; shares of the patients are not used, which say the information of Cox models only"
        )
    if model.per_unit.any():
        names = ", ".join(name for name, each in zip(model.names, model.per_unit, strict=True) if each)
        found.append(f"priors of ratios per unit are per two standard deviations, told by standard errors and events: {names}")
    return tuple(found)


def covariate_rows(
    model: PrintedModel, matrices: Matrices, found: Contradictions, carried: np.ndarray, tail: float
) -> list[CovariateSummary]:
    """A row a covariate; limits leave `tail` out at either end."""
    alone, error = univariable(matrices.information, matrices.b, model.fitted)
    z, correlation, inflation = np.abs(alone / error), matrices.correlation, matrices.inflation
    by_others, rests = matrices.inflation_by_others, rests_on_prior(matrices, carried, tail)
    rows = []
    for place, name in enumerate(model.names):
        mine = [
            abs(one.scales)
            for one in found.found
            if one.item.covariate == place and one.item.kind in ("test", "ratio", "overall")
        ]
        with_treatment = correlation[:, place, model.treatment] if model.treatment not in (None, place) else None
        words, single = found.of(place), float(model.unadjusted_se[place].mean())
        rows.append(
            CovariateSummary(
                model.endpoint,
                model.key,
                name,
                model.contrasts[place],
                model.events if model.events_printed else float("nan"),
                float(model.centre[place, 1]),
                single,
                float((model.centre[place, 1] / single) ** 2),
                *_limits(inflation[:, place], tail),
                model.factors[place],
                *_limits(by_others[:, place], tail),
                float(carried[place]),
                *_limits(with_treatment, tail),
                _printed_z(model, place),
                *_limits(z[:, place], tail),
                max(mine, default=float("nan")),
                "no" if words else "yes" if mine else "",
                words,
                "; ".join(
                    filter(
                        None,
                        (
                            _RESTS.format(carried_words(float(carried[place]))) if rests[place] else "",
                            samplers_apart(by_others[:, place], matrices.island),
                            doubtful(max(mine, default=0.0)) if not words else "",
                        ),
                    )
                ),
            )
        )
    return rows


DOUBTFUL = 2.5
"""Scales of its distance from the nearest matrix from which a printed number is doubted though it is within what is allowed: t with the degrees of
freedom of the errors is as far in about one of fifteen."""


def doubtful(distance: float) -> str:
    """That a printed univariable number is far from all matrices, in words."""
    return (
        f"its univariable number is {distance:.1f} scales from the nearest matrix: is it a misprint?"
        if distance >= DOUBTFUL
        else ""
    )


APART, VARIANCE_APART = 1.15, 0.1
"""Times between the samplers' inflations, and part of the variance of their logs that is between samplers, from which it is said."""


def samplers_apart(inflation: np.ndarray, island: np.ndarray) -> str:
    """That samplers differ in a covariate's inflation (M,), in words: matrices with and without strong collinearity carry the print about as well,
    and each sampler finds its own share of both."""
    logs = [np.log(inflation[island == one]) for one in np.unique(island)]
    means = np.array([part.mean() for part in logs])
    if len(logs) < 2 or means.max() - means.min() < math.log(APART):
        return ""
    if means.var(ddof=1) < VARIANCE_APART * np.log(inflation).var():
        return ""
    low, high = math.exp(means.min()), math.exp(means.max())
    return f"samplers differ, {low:.2f} to {high:.2f} on average: limits of the inflation are rough"


_RESTS = (
    "the print carries a variance inflation of {} too: the limits rest on the prior, under which strong collinearity is rare; a univariable ratio"
    " with its interval would tell it"
)


def overruled(model: PrintedModel, matrices: Matrices, found: Contradictions) -> str:
    """Printed numbers that some matrix carries beside all others, but the sampled ones do not: the prior of the correlations is against them."""
    far = np.median(np.abs(matrices.distance), axis=0) > TOLERANCE
    known = {one.item.covariate for one in found.named}
    items = [item for item, wrong in zip(matrices.asked, far, strict=True) if wrong and item.covariate not in known]
    names = ", ".join(dict.fromkeys(f"{WORDS[item.kind]} of {model.names[item.covariate]}" for item in items))
    return f"most sampled matrices do not carry the {names}: the prior of the correlations is against it" if names else ""


def _printed_z(model: PrintedModel, place: int) -> float:
    """√χ² of the univariable test, else |b| / s of the univariable ratio."""
    if np.isfinite(model.test[place, 0]):
        return tested(model, place)
    return float(abs(model.unadjusted[place].mean()) / model.unadjusted_se[place].mean())


def _limits(values: np.ndarray | None, tail: float) -> tuple[float, float, float]:
    """Median and limits."""
    if values is None:
        return (float("nan"),) * 3
    low, middle, high = (float(x) for x in np.quantile(values, [tail, 0.5, 1 - tail]))
    return middle, low, high
