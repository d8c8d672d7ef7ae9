"""Which operators NumPy computes on whole arrays, and how.

An operator is added by one entry: its kind, and the function that makes an `ArrayFunction` of a node and its
parameters; these functions stand in modules by subject. An entry serves wherever no kernel computes a node: for
operators without a kernel, and for shapes and fields that the kernel does not take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from convcalc.backends.numba.arrays import (
    attention,
    functions,
    joins,
    moves,
    norms,
    pools,
    products,
    resampling,
    tensors,
)
from convcalc.backends.numba.arrays.signatures import ArrayFunction, Maker
from convcalc.backends.numba.layout import Array
from convcalc.graph import Node
from convcalc.ops import Tensor

MAKERS: dict[str, Maker] = {
    "abs": functions.elementwise(np.abs),
    "adaptive_maxpool": pools.adaptive_maxpool,
    "add": joins.elementwise(np.add),
    "attention": attention.attention,
    "avgpool": pools.avgpool,
    "celu": functions.celu,
    "clip": functions.clip,
    "concat": joins.concat,
    "constant": tensors.constant,
    "crop": moves.crop,
    "dense": products.dense,
    "divide": joins.elementwise(np.divide),
    "elu": functions.elu,
    "erf": functions.elementwise(functions.error_function),
    "exp": functions.elementwise(np.exp),
    "gather": tensors.gather,
    "global_maxpool": pools.global_maxpool,
    "groupnorm": norms.groupnorm,
    "hardsigmoid": functions.hardsigmoid,
    "instancenorm": norms.instancenorm,
    "l2norm": norms.l2norm,
    "layernorm": norms.layernorm,
    "log": functions.elementwise(np.log),
    "matmul": products.matmul,
    "maximum": joins.elementwise(np.maximum),
    "minimum": joins.elementwise(np.minimum),
    "multiply": joins.elementwise(np.multiply),
    "negate": functions.elementwise(np.negative),
    "pad": moves.pad,
    "parameter": tensors.parameter,
    "pixel_shuffle": moves.pixel_shuffle,
    "pixel_unshuffle": moves.pixel_unshuffle,
    "reciprocal": functions.elementwise(np.reciprocal),
    "reduce": pools.reduce,
    "rmsnorm": norms.rmsnorm,
    "roll": moves.roll,
    "scale": functions.scale,
    "selu": functions.selu,
    "select": moves.select,
    "slice": moves.slice_,
    "softmax": norms.softmax,
    "softplus": functions.softplus,
    "sqrt": functions.elementwise(np.sqrt),
    "subtract": joins.elementwise(np.subtract),
    "transpose": moves.transpose,
    "upsample": resampling.upsample,
}


def has_arrays(node: Node) -> bool:
    """Whether NumPy computes the node on whole arrays, so that the operator's own forward is not needed."""
    return node.kind in MAKERS


def array_function(node: Node, parameters: Mapping[str, Sequence[float]]) -> ArrayFunction:
    """What computes the node from its inputs' arrays: by NumPy, or at last by the operator's own forward."""
    if node.kind in MAKERS:
        shaped = {
            parameter.name: np.asarray(parameters[parameter.name], np.float32).reshape(parameter.shape)
            for parameter in node.parameters
        }
        return MAKERS[node.kind](node, shaped)
    return _own_forward(node, parameters)


def _own_forward(node: Node, parameters: Mapping[str, Sequence[Any]]) -> ArrayFunction:
    """The operator's own forward, number by number in plain Python."""
    lists = {name: list(values) for name, values in parameters.items()}

    def forward(inputs: Sequence[Array]) -> Array:
        tensors = [Tensor(array.shape, array.astype(np.float64).ravel().tolist()) for array in inputs]
        return np.array(node.op.forward(tensors, lists).values, np.float32)

    return forward
