"""PyTensor functions evaluated by NumPy operation by operation, on arrays: nothing is compiled, and no operation loops over elements in Python.

PyTensor has NumPy's or SciPy's function for most of its elementwise operations. Those that it has not it evaluates number by number, which is
hundreds of times slower: they are written out in operations that it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.rewriting.basic import node_rewriter, out2in
from pytensor.scalar.basic import Cast, Clip
from pytensor.scalar.math import Log1mexp, Softplus
from pytensor.tensor.elemwise import Elemwise

_SPLIT = -float(np.log(2.0))
_AFTER_STABILISING = 48.0
"""Place among PyTensor's rewrites: after those that would put the same operations back."""


@node_rewriter([Elemwise])
def written_out(_graph: Any, node: Any) -> list[Any] | None:
    """log(1 + e^x), log(1 - e^x) limits and truth values in operations on arrays, right in both tails."""
    operation = node.op.scalar_op
    if isinstance(operation, Softplus):
        (x,) = node.inputs
        return [pt.maximum(x, 0.0) + pt.log1p(pt.exp(-abs(x)))]
    if isinstance(operation, Log1mexp):
        (x,) = node.inputs
        near, far = pt.log(-pt.expm1(pt.maximum(x, _SPLIT))), pt.log1p(-pt.exp(pt.minimum(x, _SPLIT)))
        return [pt.where(pt.gt(x, _SPLIT), near, far)]
    if isinstance(operation, Clip):
        x, low, high = node.inputs
        return [pt.minimum(pt.maximum(x, low), high)]
    if isinstance(operation, Cast) and node.inputs[0].dtype == "bool":
        (x,) = node.inputs
        one, zero = (np.asarray(value, dtype=node.outputs[0].dtype) for value in (1, 0))
        return [pt.switch(x, one, zero)]
    return None


ARRAYS = (
    Mode(linker="py", optimizer="fast_run")
    .excluding("fusion", "inplace", "local_pow_to_nested_squaring")
    .including("local_remove_check_parameter")
    .register((out2in(written_out, name="written_out"), _AFTER_STABILISING))
)
"""A call with thousands of points is as fast as compiled code to a factor of few. Draws far out may overflow a scale: PyMC's checks, which raise, are
left out, and such draws have no likelihood."""
