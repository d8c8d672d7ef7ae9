"""A network that reads digits, for the page's script to run: LeNet-5's operators, with the weights it comes with.

    {"input": [C, H, W], "mean", "std", "labels": [text],
     "steps": [["conv", [kh, kw], [sh, sw], weights, bias], ["maxpool", [kh, kw], [sh, sw]], ["dense", weights, bias],
               ["tanh"], ["relu"], ["flatten"], ["softmax"]]}

A step per layer. Weights and biases: little-endian 32-bit floats in base64, in the order of the parameters.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from convcalc.graph import Graph, Node
from convcalc.inference.labels import labels
from convcalc.ops.conv import Conv
from convcalc.weights.load import Weights
from convcalc.weights.tensors import little_endian

WINDOWED = ("conv", "maxpool")
PLAIN = ("tanh", "relu", "flatten", "softmax", "identity", "dropout")
MAX_WEIGHTS = 200_000  # of a network that is carried along
MAX_MACS = 20_000_000  # of a network that a page runs while a digit is being written


def can_run(graph: Graph) -> bool:
    """Whether a page can run the network on what is written in it: a chain of these operators that reads digits."""
    reads = (graph.preprocess or {}).get("fit") == "digit"
    chain = len(graph.inputs) == 1 and all(node.inputs == (node.index - 1,) for node in graph)
    small = graph.params <= MAX_WEIGHTS and graph.macs <= MAX_MACS
    return reads and chain and small and all(map(_is_plain, graph)) and len(graph.input_shape) == 3


def _is_plain(node: Node) -> bool:
    if node.kind in WINDOWED:
        plain = not isinstance(node.op, Conv) or node.op.groups == 1
        windows = node.op.windows(node.input_shapes) or ()
        return plain and all(window.dilation == 1 and _fits(window) for window in windows)
    return node.kind == "dense" or node.kind in PLAIN


def _fits(window: Any) -> bool:
    """Whether a window never reaches beyond the map."""
    return bool(window.before == 0 and (window.output - 1) * window.stride + window.kernel <= window.size)


def digits(graph: Graph, weights: Weights) -> dict[str, Any]:
    """The network as the script takes it. The graph is one that `can_run`."""
    preprocess = graph.preprocess or {}
    names = labels(graph.labels, graph.output_shape[0])
    return {
        "input": list(graph.input_shape),
        "mean": _single(preprocess.get("mean"), 0.0),
        "std": _single(preprocess.get("std"), 1.0),
        "labels": list(names or map(str, range(graph.output_shape[0]))),
        "steps": [_step(node, weights.nodes[node.index]) for node in graph],
    }


def _single(value: Any, default: float) -> float:
    return float(value[0] if isinstance(value, Sequence) else default if value is None else value)


def _step(node: Node, parameters: Any) -> list[Any]:
    step: list[Any] = [node.kind]
    if node.kind in WINDOWED:
        windows = node.op.windows(node.input_shapes) or ()
        step += [[window.kernel for window in windows], [window.stride for window in windows]]
    if node.kind in ("conv", "dense"):
        step += [_floats(parameters["weight"]), _floats(parameters["bias"]) if "bias" in parameters else None]
    return step


def _floats(values: Sequence[float]) -> str:
    from array import array

    return base64.b64encode(little_endian(array("f", values))).decode()
