"""Which nodes no kernel computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.lower.maps import multiplies_in_kernel
from convcalc.graph import Node
from convcalc.ops import axis_dimensions

ANY_RANK = frozenset({"flatten", "reshape", "dropout", "identity"})


def is_host(node: Node, known: frozenset[str]) -> bool:
    """Whether no kernel computes the node. known: the kinds that have one."""
    op: Any = node.op
    if node.kind not in known:
        return True
    if node.kind not in ANY_RANK and any(len(shape) > 4 for shape in (*node.input_shapes, node.output_shape)):
        return True
    if node.kind == "multiply":
        return not multiplies_in_kernel(node.input_shapes)
    if node.kind == "add":
        return len(set(node.input_shapes)) > 1
    if node.kind in ("concat", "softmax", "layernorm"):
        return axis_dimensions(op.axis, len(node.output_shape)) != (0,)
    if node.kind == "hardsigmoid":
        return not op.is_papers
    if node.kind == "softplus":
        return (op.beta, op.threshold) != (1.0, 20.0)
    if node.kind == "dense":
        return len(node.output_shape) > 1
    return bool(node.kind == "upsample" and op.mode == "bilinear")


def spreads_what_is_no_number(node: Node, parameters: Mapping[str, Sequence[float]]) -> bool:
    """Whether the kernel would multiply weights that are infinite or no number with the zeros around its input, and
    so give no number where nothing but such zeros is read."""
    return node.kind == "deconv" and not np.isfinite(np.asarray(parameters["weight"], np.float32)).all()
