"""Tensors that are there from the start, and what is looked up by them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node


def parameter(node: Node, parameters: Parameters) -> ArrayFunction:
    """The learned tensor."""
    return lambda _: parameters[""]


def constant(node: Node, parameters: Parameters) -> ArrayFunction:
    """The tensor that its rule made."""
    return parameter(node, parameters)


def gather(node: Node, parameters: Parameters) -> ArrayFunction:
    """Entries along one dimension."""
    op: Any = node.op
    axis = op.dimension(node.input_shapes[0])

    def take(inputs: Sequence[Array]) -> Array:
        table, indices = inputs
        return np.take(table, indices.astype(np.intp), axis)

    return take
