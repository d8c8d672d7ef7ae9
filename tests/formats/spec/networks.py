"""What two networks must have in common to be the same one, told without the hashes that the folding itself uses."""

from __future__ import annotations

from convcalc.graph import Graph, Node
from convcalc.weights.load import parameter_keys


def described(graph: Graph) -> tuple[object, ...]:
    """Inputs, outputs, and every layer with all that it depends on, in an order that the order of layers has no part in.

    Each layer is a nested tuple's number: equal numbers, equal layers with equal inputs all the way up.
    """
    numbers: dict[object, int] = {}
    layers: list[int] = []

    def number(thing: object) -> int:
        return numbers.setdefault(thing, len(numbers))

    def of(index: int) -> object:
        return index if index < 0 else layers[index]

    things: dict[int, object] = {}
    for node in graph:
        thing = (layer(node), tuple(map(of, node.inputs)), None if node.shares is None else of(node.shares))
        layers.append(number(thing))
        things[layers[-1]] = thing

    def spelled(index: object) -> str:
        return str(index) if isinstance(index, int) and index < 0 else texts[index]

    texts: dict[object, str] = {}
    for index, thing in things.items():
        own, inputs, shared = thing
        text = f"{own} of {[spelled(source) for source in inputs]} shares {shared and spelled(shared)}"
        texts[index] = f"{hash(text)}"
    return (
        tuple(entry.shape for entry in graph.inputs),
        tuple(spelled(of(output.node)) for output in graph.outputs),
        tuple(sorted(texts[index] for index in layers)),
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
