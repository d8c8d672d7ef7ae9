"""What makes two boxes equal: operators, fields, wiring, and sizes as far as they count.

Of channels only those count that an operator chooses itself or that a sum keeps, so that the layers of a dense block,
which pass on ever more channels, are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

from convcalc.analysis.fold import FoldedRow
from convcalc.graph import Graph, Node
from convcalc.ops import Operator
from convcalc.shapes import Shape


def part_kinds(graph: Graph, parts: Sequence[FoldedRow], number: Callable[[Hashable], int]) -> Iterator[int]:
    """Per part a number, equal for equal parts: operators, fields, wiring inside, and shapes as far as they count."""
    operators: dict[Operator, int] = {}
    read = {output.node for output in graph.outputs}  # and nodes that another part reads: what a block gives
    own = {node.index: place for place, part in enumerate(parts) for node in part.nodes}
    for place, part in enumerate(parts):
        for node in part.nodes:
            read.update([source for source in node.inputs if source >= 0 and own[source] != place])
    for part in parts:
        inside = {node.index: place for place, node in enumerate(part.nodes)}
        outside: dict[int, int] = {}
        layers = []
        for node in part.nodes:
            op = operators.get(node.op)
            if op is None:
                op = operators[node.op] = number(_fields(node.op))
            wiring = tuple(
                [
                    inside[source] if source in inside else outside.setdefault(source, -1 - len(outside))
                    for source in node.inputs
                ]
            )
            layers.append((op, _shape_that_counts(node), wiring, node.index in read))
        yield number((part.block, *layers))


def _fields(op: Operator) -> Hashable:
    """An operator without the names of layers in its fields; dropout without its rate, which often grows with depth."""
    if op.is_passing:
        return (type(op),)
    named = {*op.layer_fields(), op.shape_field} - {None}
    if not named:
        return op
    return type(op), tuple([getattr(op, name) for name in op.fields() if name not in named])


def _shape_that_counts(node: Node) -> Shape:
    """The output's shape: without the channels where an operator passes on those of its inputs."""
    op, output = node.op, node.output_shape
    if op.channels_field is not None or not node.inputs:
        return output
    if op.role == "join":
        return output if output in node.input_shapes else outlook(output)
    before = node.input_shapes[0]
    return outlook(output) if len(before) == len(output) and before[0] == output[0] else output


def outlook(shape: Shape) -> Shape:
    """A shape without its channels; a vector has nothing else."""
    return shape[1:] or shape


def shared_weights(parts: Sequence[FoldedRow]) -> Iterator[list[tuple[int, int, int]]]:
    """Per part, its layers that reuse weights: their places in it, and part and place of the layers that own them."""
    places = {
        node.index: (number, place)
        for number, part in enumerate(parts)
        for place, node in enumerate(part.nodes)
    }
    for part in parts:
        yield [
            (place, *places[node.shares]) for place, node in enumerate(part.nodes) if node.shares is not None
        ]
