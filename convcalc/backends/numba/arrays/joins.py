"""Several inputs, element by element."""

from __future__ import annotations

from functools import reduce
from operator import mul

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.graph import Node


def multiply(node: Node, parameters: Parameters) -> ArrayFunction:
    """The product; dimensions of 1 broadcast."""
    return lambda inputs: reduce(mul, inputs)
