"""Matrix products."""

from __future__ import annotations

from typing import Any

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.graph import Node


def dense(node: Node, parameters: Parameters) -> ArrayFunction:
    """weight·x + bias along the last dimension."""
    op: Any = node.op
    weight = parameters["weight"].T
    if not op.bias:
        return lambda inputs: inputs[0] @ weight
    bias = parameters["bias"]
    return lambda inputs: inputs[0] @ weight + bias
