"""Matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node


def dense(node: Node, parameters: Parameters) -> ArrayFunction:
    """weight·x + bias along the last dimension."""
    op: Any = node.op
    weight = parameters["weight"].T
    if not op.bias:
        return lambda inputs: inputs[0] @ weight
    bias = parameters["bias"]
    return lambda inputs: inputs[0] @ weight + bias


def matmul(node: Node, parameters: Parameters) -> ArrayFunction:
    """The product on the last two dimensions."""
    op: Any = node.op

    def multiply(inputs: Sequence[Array]) -> Array:
        a, b = inputs
        result: Array = np.matmul(
            a.swapaxes(-1, -2) if op.transpose_a else a, b.swapaxes(-1, -2) if op.transpose_b else b
        )
        return result

    return multiply
