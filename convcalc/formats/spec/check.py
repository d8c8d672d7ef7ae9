"""Whether two graphs are the same network: layers, wiring, weights and their keys, inputs and outputs."""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b

from convcalc.graph import Graph, Node
from convcalc.weights.load import parameter_keys


def same_network(graph: Graph, other: Graph) -> bool:
    """Whether two graphs have the same inputs, the same layers with the same wiring, and the same outputs.

    Layers may stand in another order. The names of layers without weights are not compared.
    """
    if [entry.shape for entry in graph.inputs] != [entry.shape for entry in other.inputs]:
        return False
    hashes, others = layer_hashes(graph), layer_hashes(other)
    return Counter(hashes) == Counter(others) and [
        hashes[output.node] if output.node >= 0 else output.node for output in graph.outputs
    ] == [others[output.node] if output.node >= 0 else output.node for output in other.outputs]


def layer_hashes(graph: Graph) -> list[bytes]:
    """For each layer, a hash of its operator, shapes, weights' keys and the hashes of all that it reads."""
    hashes: list[bytes] = []
    operators: dict[tuple[object, ...], bytes] = {}

    def of(index: int) -> bytes:
        return b"input %d" % index if index < 0 else hashes[index]

    for node in graph.nodes:
        known = (node.op, node.input_shapes)
        operator = operators.get(known)
        if operator is None:
            operator = operators[known] = repr((node.kind, _fields(node), node.output_shape)).encode()
        digest = blake2b(operator, digest_size=16)
        for source in node.inputs:
            digest.update(of(source))
        if node.shares is not None:
            digest.update(b"shares")
            digest.update(of(node.shares))
        elif node.parameters:
            digest.update(repr([_keys(node, place) for place in range(len(node.parameters))]).encode())
        hashes.append(digest.digest())
    return hashes


def _fields(node: Node) -> list[tuple[str, object]]:
    """The operator's fields, without the names of layers in them: what it reads is among the inputs."""
    skipped = {*node.op.layer_fields(), node.op.shape_field}
    return [(name, value) for name, value in node.op.shown_fields().items() if name not in skipped]


def _keys(node: Node, place: int) -> str:
    """The name of a parameter in a weights file."""
    return parameter_keys(node, node.parameters[place])[-1]
