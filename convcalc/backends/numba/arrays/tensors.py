"""Tensors that are there from the start."""

from __future__ import annotations

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.graph import Node


def parameter(node: Node, parameters: Parameters) -> ArrayFunction:
    """The learned tensor."""
    return lambda _: parameters[""]
