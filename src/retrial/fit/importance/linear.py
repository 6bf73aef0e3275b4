"""A PyMC model as functions of points on the unconstrained scale: cells, log prior, parameters, and the gradient of their sum.

log p(θ, y) = log p(θ) + Σ_cells n_cell(y) ℓ_cell(θ) (`retrial.cells`): the cells of a point serve every table, its log prior every prior.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.replace import clone_replace, vectorize_graph

from retrial.cells import COUNTS, log_likelihood
from retrial.fit.engine import PackedModel, packed, parameters_of
from retrial.fit.importance.array_mode import ARRAYS

LEAST_LOG = -1e30
"""Stands for a log-likelihood of minus infinity, or of no number: what is multiplied by 0 patients is then 0."""
_AT_ONCE = 1024
"""Points looked at together: the arrays between operations then stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class PriorTerm:
    """Log prior (draw,) of one variable at points, and the names of the hyper-parameters that it depends on."""

    variable: str
    names: frozenset[str]
    function: Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class LinearModel:
    """A model's functions; points are (draw, k), `values` a vector of all data and hyper-parameters (`PackedModel.values`).

    cells       -> (draw, cell), ℓ of one patient of each cell
    terms       of the log prior, with the Jacobian of the unconstrained scale
    parameters  -> arrays (draw, ...) in the order of `names`
    slope       -> log prior + Σ n ℓ, (draw,), and its gradient, (draw, k)
    places      coordinate of each single parameter that is itself its unconstrained value
    shaping     names of data and hyper-parameters on which cells or parameters depend: points mean the same only where these are the same
    """

    packed: PackedModel
    places: Mapping[str, int]
    shaping: frozenset[str]
    size: int
    names: tuple[str, ...]
    cells: Callable[[np.ndarray, np.ndarray], np.ndarray]
    terms: Sequence[PriorTerm]
    parameters: Callable[[np.ndarray, np.ndarray], Sequence[np.ndarray]]
    slope: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

    def values(self, updates: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector with these data in it; numbers of patients, which the cells do not depend on, are 1 unless given."""
        return self.packed.values({COUNTS: np.ones(self.packed.places[COUNTS][1]), **updates})

    def with_counts(self, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """A vector with other numbers of patients."""
        vector = values.copy()
        vector[self.packed.places[COUNTS][0]] = counts
        return vector

    def log_prior(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(draw,), with the Jacobian of the unconstrained scale."""
        return np.asarray(self.log_priors(points, values[None])[0])

    def log_priors(self, points: np.ndarray, values: np.ndarray) -> np.ndarray:
        """(prior, draw) for values (prior, value); what several priors share is looked at once."""
        total = np.zeros((len(values), len(points)))
        for term in self.terms:
            places = [np.arange(values.shape[1])[place] for name, (place, _) in self.packed.places.items() if name in term.names]
            own = values[:, np.concatenate(places)] if places else values[:, :0]
            _, first, kind = np.unique(own, axis=0, return_index=True, return_inverse=True)
            total += np.stack([term.function(points, values[row]) for row in first])[kind]
        return np.maximum(total, LEAST_LOG)

    def is_linear(self, values: np.ndarray, counts: np.ndarray) -> bool:
        """Whether the log-likelihood at a point is Σ n ℓ, as `observe_cells` makes it."""
        point = np.zeros((1, self.size))
        summed = self.log_prior(point, values) + log_likelihood(self.cells(point, values), counts)
        return bool(np.allclose(summed, self.slope(point, self.with_counts(values, counts))[0]))


def linear_model(model: pm.Model) -> LinearModel:
    """The functions of a model whose only observed variable is made by `observe_cells`."""
    one = packed(model)
    inner = one.model
    vector = next(
        item for item in pytensor.graph.traversal.graph_inputs(inner.basic_RVs) if getattr(item, "name", None) == "packed_data"
    )
    shapes = [_shape(inner, variable) for variable in inner.free_RVs]
    sizes = [int(np.prod(shape)) for shape in shapes]
    point = pt.vector("point", shape=(sum(sizes),))
    data = pt.vector("values", shape=one.initial.shape)
    replaced: dict[Any, Any] = {vector: data}
    for value, shape, size, end in zip(inner.value_vars, shapes, sizes, np.cumsum(sizes), strict=True):
        replaced[value] = point[end - size : end].reshape(shape)
    kept = parameters_of(inner)
    *terms, log_observed = inner.logp(vars=[*inner.free_RVs, *inner.observed_RVs], sum=False)
    of_priors, cells = [pt.sum(term) for term in terms], log_observed.ravel()
    outputs = clone_replace([cells, *of_priors, *inner.replace_rvs_by_values(kept)], replace=replaced, rebuild_strict=False)
    points = pt.matrix("points", shape=(None, sum(sizes)))
    log_cells, *others = vectorize_graph(outputs, replace={point: points})
    of_priors, parameters = others[: len(of_priors)], others[len(of_priors) :]
    total = pt.add(pt.sum(log_cells, axis=-1), *of_priors)

    def function(wanted: Any) -> Any:
        return pytensor.function([points, data], wanted, mode=ARRAYS, on_unused_input="ignore")

    said = [_data_of(model, [term]) for term in model.logp(vars=model.free_RVs, sum=False)]
    slope = function([total, pytensor.grad(pt.sum(total), points)])
    return LinearModel(
        one,
        _places(inner, sizes),
        _shaping(model),
        sum(sizes),
        tuple(str(variable.name) for variable in kept),
        _in_parts(function(log_cells)),
        [
            PriorTerm(str(variable.name), names, _in_parts(function(term)))
            for variable, names, term in zip(model.free_RVs, said, of_priors, strict=True)
        ],
        _quietly(function(parameters)),
        _quietly(slope),
    )


def parameter_count(model: pm.Model) -> int:
    """Coordinates of the unconstrained scale."""
    return sum(int(np.prod(_shape(model, variable))) for variable in model.free_RVs)


def _places(model: pm.Model, sizes: Sequence[int]) -> dict[str, int]:
    ends = zip(model.free_RVs, sizes, np.cumsum(sizes), strict=True)
    return {str(v.name): int(end) - 1 for v, size, end in ends if size == 1 and model.rvs_to_transforms[v] is None}


def _shaping(model: pm.Model) -> frozenset[str]:
    outputs = [*model.logp(vars=model.observed_RVs, sum=False), *model.replace_rvs_by_values(parameters_of(model))]
    return _data_of(model, outputs) - {COUNTS}


def _data_of(model: pm.Model, outputs: Sequence[Any]) -> frozenset[str]:
    """Names of the data that outputs depend on."""
    names = {str(variable.name) for variable in model.data_vars}
    return frozenset(str(item.name) for item in pytensor.graph.traversal.graph_inputs(outputs) if item.name in names)


def _shape(model: pm.Model, variable: Any) -> tuple[int, ...]:
    dims = model.named_vars_to_dims.get(variable.name, ())
    return tuple(len(model.coords[dim] or ()) for dim in dims) if dims else tuple(int(length) for length in variable.type.shape)


def _quietly(function: Any) -> Any:
    """Points far out overflow: they are then treated as having no likelihood."""

    def call(points: np.ndarray, values: np.ndarray) -> Any:
        with np.errstate(all="ignore"):
            return function(points, values)

    return call


def _in_parts(function: Any) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    def call(points: np.ndarray, values: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            parts = [function(points[start : start + _AT_ONCE], values) for start in range(0, len(points), _AT_ONCE)]
        found = np.concatenate(parts)
        return np.where(np.isfinite(found), np.maximum(found, LEAST_LOG), LEAST_LOG)

    return call
