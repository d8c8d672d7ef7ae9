"""Classes in the output of a network: which output holds them, and the likeliest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum
from typing import Literal

from convcalc.backends import Run
from convcalc.graph import Graph, Output
from convcalc.ops.softmax import Softmax


@dataclass(frozen=True)
class Prediction:
    """One predicted class."""

    index: int
    label: str | None
    probability: float


def class_output(graph: Graph) -> Output:
    """The output that the labels belong to: the one they name, or the first that is classes, or the first."""
    named = [output for output in graph.outputs if output.name == graph.labelled]
    marked = named or [output for output in graph.outputs if classifies(graph, output)]
    return marked[0] if marked else graph.outputs[0]


def _meaning(graph: Graph, output: Output) -> Literal["probabilities", "logits", "other"]:
    """The meaning of an output vector: probabilities after a softmax, logits after a layer that sums, else neither.

    Layers that only pass on or rearrange values are skipped.
    """
    index = output.node
    while index >= 0:
        node = graph.nodes[index]
        if isinstance(node.op, Softmax):
            return "probabilities"
        if node.op.role in ("dense", "convolution", "pooling", "join", "attention"):
            return "logits"
        if node.op.role not in ("identity", "reshape") or not node.inputs:
            return "other"
        index = node.inputs[0]
    return "other"


def classifies(graph: Graph, output: Output) -> bool:
    """Whether an output is one number per class: a vector that follows a softmax, or for which the spec has `labels`.

    A vector of sums alone may have another meaning, such as the corners of a box.
    """
    vector = len([size for size in graph.shape(output.node) if size != 1]) == 1
    meaning = _meaning(graph, output)
    labelled = graph.labels is not None and graph.labelled in (None, output.name)
    return vector and (meaning == "probabilities" or (meaning == "logits" and labelled))


def predictions(
    graph: Graph, output: Output, run: Run, names: tuple[str, ...] | None, top: int
) -> tuple[Prediction, ...]:
    """The likeliest classes by probability, the best first. names: of all classes; top: how many."""
    values = list(run.outputs[output.name].values)
    probabilities = values if _meaning(graph, output) == "probabilities" else softmax(values)
    return tuple(
        Prediction(index, names[index] if names else None, probabilities[index])
        for index in likeliest(probabilities, top)
    )


def likeliest(values: Sequence[float], top: int) -> list[int]:
    """The indices of the largest numbers, the largest first; of equal ones the first. top: how many."""
    return sorted(range(len(values)), key=lambda index: (-values[index], index))[:top]


def softmax(values: Sequence[float]) -> list[float]:
    """Probabilities from logits."""
    largest = max(values)
    powers = [exp(value - largest) for value in values]
    total = fsum(powers)
    return [power / total for power in powers]
