"""Several inputs, element by element or one after the other."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Maker, Parameters
from convcalc.graph import Node


def elementwise(function: np.ufunc) -> Maker:
    """Two inputs at a time; dimensions of 1 broadcast."""

    def make(node: Node, parameters: Parameters) -> ArrayFunction:
        return lambda inputs: reduce(function, inputs)

    return make


def concat(node: Node, parameters: Parameters) -> ArrayFunction:
    """One after the other along a dimension."""
    op: Any = node.op
    axis = op.dimension(node.input_shapes)
    return lambda inputs: np.concatenate(inputs, axis)
