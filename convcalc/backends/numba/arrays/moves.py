"""The same numbers in another place."""

from __future__ import annotations

from typing import Any

from convcalc.backends.numba.arrays.signatures import ArrayFunction, Parameters
from convcalc.graph import Node


def transpose(node: Node, parameters: Parameters) -> ArrayFunction:
    """Dimensions in another order."""
    op: Any = node.op
    return lambda inputs: inputs[0].transpose(op.order)
