"""What two networks must have in common to be the same one, told without the hashes that the folding itself uses."""

from __future__ import annotations

from hashlib import sha256

from convcalc.graph import Graph, Node
from convcalc.weights.load import parameter_keys


def described(graph: Graph) -> tuple[object, ...]:
    """Inputs, outputs, and every layer with all that it depends on, whatever the order of the layers."""
    texts: list[str] = []

    def of(index: int) -> str:
        return str(index) if index < 0 else texts[index]

    for node in graph:
        shared = None if node.shares is None else of(node.shares)
        text = f"{layer(node)} of {[of(source) for source in node.inputs]} shares {shared}"
        texts.append(sha256(text.encode()).hexdigest())
    return (
        tuple(entry.shape for entry in graph.inputs),
        tuple(of(output.node) for output in graph.outputs),
        tuple(sorted(texts)),
    )


def layer(node: Node) -> str:
    """A layer by itself: operator, fields that are no names of layers, shapes, parameters and their keys, figures."""
    names = {*node.op.layer_fields(), node.op.shape_field}
    fields = {name: value for name, value in node.op.shown_fields().items() if name not in names}
    keys = [parameter_keys(node, parameter)[-1] for parameter in node.parameters if node.shares is None]
    return repr(
        (
            node.kind,
            fields,
            node.input_shapes,
            node.output_shape,
            [(parameter.name, parameter.shape) for parameter in node.parameters],
            keys,
            node.op.macs(node.input_shapes),
        )
    )
