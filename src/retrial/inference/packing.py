"""One data vector for a compiled model: all its `pm.Data` side by side, so that a refit sets one array and compiling is quick.

nutpie unrolls the reading of every shared variable over all of them: with the dozen or more of our models that took two thirds of
the compilation. The graph of the mathematics stays as the model states it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.model.fgraph import ModelNamed, fgraph_from_model, model_from_fgraph
from pytensor.compile import SharedVariable
from pytensor.graph import FunctionGraph
from pytensor.graph.replace import clone_replace

from retrial.errors import FitError

PACKED = "packed_data"


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A model whose only shared variable is the vector `packed_data`, and where each former `pm.Data` lies in it."""

    model: pm.Model
    initial: np.ndarray
    places: Mapping[str, tuple[slice, tuple[int, ...]]]

    def values(self, updates: Mapping[str, np.ndarray]) -> np.ndarray:
        """The vector with these data in it; names that the model has no data for are left out.

        Raises `FitError` where an array has another shape than the one compiled in.
        """
        vector = self.initial.copy()
        for name, value in updates.items():
            if name not in self.places:
                continue
            place, shape = self.places[name]
            if np.shape(value) != shape:
                raise FitError(
                    f"data {name}: got the shape {np.shape(value)}; allowed is {shape}, which the model was compiled for"
                )
            vector[place] = np.ravel(value)
        return vector


def packed(model: pm.Model) -> PackedModel:
    """The same model with its data in one vector and the lengths of its dimensions fixed."""
    graph: Any
    graph, copies = fgraph_from_model(model)
    shared = [variable for variable in model.data_vars if isinstance(variable, SharedVariable)]
    initial = np.concatenate([np.ravel(variable.get_value()) for variable in shared]).astype(float)
    vector = pytensor.shared(initial, name=PACKED, shape=initial.shape)
    places, start = {}, 0
    replaced = {
        copies[length]: pt.constant(length.get_value())
        for length in model.dim_lengths.values()
        if isinstance(length, SharedVariable)
    }
    for variable in shared:
        value = variable.get_value()
        place = slice(start, start + value.size)
        part = vector[place].reshape(value.shape).astype(value.dtype)
        part.name = variable.name
        # a named variable is a copy of its data behind a marker of PyMC's
        replaced[copies[variable].owner.inputs[0]] = part
        places[str(variable.name)] = (place, value.shape)
        start = place.stop
    outputs = clone_replace(graph.outputs, replace=replaced, rebuild_strict=False)
    kept = [output for output in outputs if not (output.owner and isinstance(output.owner.op, ModelNamed))]
    # as PyMC's own freeze_dims_and_data hands names and lengths over
    merged: Any = FunctionGraph(outputs=kept, clone=False)
    merged._coords = graph._coords
    merged._dim_lengths = {name: replaced.get(length, length) for name, length in graph._dim_lengths.items()}
    result = model_from_fgraph(merged, mutate_fgraph=True)
    order = [variable.name for variable in model.free_RVs]
    result.free_RVs.sort(key=lambda variable: order.index(variable.name))
    return PackedModel(result, initial, places)
