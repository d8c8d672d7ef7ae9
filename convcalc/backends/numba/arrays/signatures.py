"""What an operator on whole arrays looks like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from convcalc.backends.numba.layout import Array
from convcalc.graph import Node

# A node's parameters by name, float32, in the shapes that the operator gives them.
Parameters = Mapping[str, Array]
# From a node's inputs, float32 arrays in its input shapes, to its output, an array that holds as many numbers as its
# output shape in row-major order. The inputs are not written to.
ArrayFunction = Callable[[Sequence[Array]], Array]
# What can be worked out before there are inputs is worked out here.
Maker = Callable[[Node, Parameters], ArrayFunction]
