"""What a graph costs: records per layer and in total, receptive fields, memory. Arithmetic only, no text.

Conventions (stated wherever figures are shown): weights multiply, biases are added, params are both; buffers are
not parameters; shared weights count once, where they were first used. MACs are the multiply-accumulates of conv,
deconv and dense for one image, products with padded zeros included, biases excluded. Activations are the bytes
of the layers' outputs for the batch; their peak is the largest sum alive at once when layers run in order and
an output is freed after its last reader, the network's input counting as one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import ceil, lcm, prod
from typing import Any, NamedTuple

from convcalc.graph import INPUT, Graph, Node
from convcalc.ops.base import SPREAD, WHOLE, Reach
from convcalc.shapes import Shape, elements

DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}

Number = int | Fraction


class Field(NamedTuple):
    """The receptive field on one axis of the network's input.

    Unit u of output dimension `walker` sees input pixels u·stride + start … + size − 1; before clipping to the
    image. stride 0: every unit sees the same. walker None: no output dimension walks this axis. spread: units
    see different parts that no stride describes (a flattened map); size and start then hold the union.
    """

    size: Number
    stride: Number
    start: Number
    walker: int | None
    spread: bool = False


class ReceptiveField(NamedTuple):
    """Per spatial axis of the input: size and stride in pixels, start of output unit 0 (negative: in the padding)."""

    size: tuple[Number, ...]
    stride: tuple[Number, ...]
    start: tuple[Number, ...]


class Layer(NamedTuple):
    """One layer's figures. Shapes are (C, *spatial) without the batch; counts are exact integers."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    weights: int
    biases: int
    buffers: int
    macs: int
    activation_bytes: int
    receptive_field: ReceptiveField | None
    fields: Mapping[str, Any]
    block: str | None

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Totals(NamedTuple):
    """The sums over all layers, the peak of activations and the parameters' bytes."""

    layers: int
    weights: int
    biases: int
    buffers: int
    macs: int
    activation_bytes: int
    peak_activation_bytes: int
    param_bytes: int

    @property
    def params(self) -> int:
        """Weights and biases."""
        return self.weights + self.biases


class Analysis(NamedTuple):
    """A graph with its figures. `layers` are in the graph's order, one per node; warnings are for a person."""

    graph: Graph
    batch: int
    dtype: str
    layers: tuple[Layer, ...]
    totals: Totals
    warnings: tuple[str, ...]


def analyse(graph: Graph, *, batch: int = 1, dtype: str = "float32") -> Analysis:
    """The figures of a graph for a batch of images and a number type (a key of DTYPES)."""
    unit = DTYPES[dtype]
    fields, warnings = receptive_fields(graph)
    layers = tuple([_layer(graph, node, batch * unit, fields[node.index]) for node in graph])
    weights = sum(layer.weights for layer in layers)
    biases = sum(layer.biases for layer in layers)
    totals = Totals(
        layers=len(layers),
        weights=weights,
        biases=biases,
        buffers=sum(layer.buffers for layer in layers),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        peak_activation_bytes=peak_elements(graph) * batch * unit,
        param_bytes=(weights + biases) * unit,
    )
    return Analysis(graph, batch, dtype, layers, totals, tuple(warnings))


def _layer(graph: Graph, node: Node, unit: int, fields: tuple[Field, ...]) -> Layer:
    counts = {"weight": 0, "bias": 0, "buffer": 0}
    if node.shares is None:
        for parameter in node.parameters:
            counts[parameter.role] += prod(parameter.shape)
    return Layer(
        name=node.name,
        kind=node.kind,
        inputs=tuple([graph.input_name(source) for source in node.inputs]),
        input_shapes=node.input_shapes,
        output_shape=node.output_shape,
        weights=counts["weight"],
        biases=counts["bias"],
        buffers=counts["buffer"],
        macs=node.op.macs(node.input_shapes),
        activation_bytes=elements(node.output_shape) * unit,
        receptive_field=_reported(fields),
        fields=node.op.shown_fields(),
        block=node.scope or None,
    )


def peak_elements(graph: Graph) -> int:
    """The most numbers alive at once when the layers run in order."""
    last = graph.last_readers()
    input_last = max((node.index for node in graph if INPUT in node.inputs), default=-1)
    alive = peak = elements(graph.input_shape)
    dying: dict[int, int] = {input_last: alive}
    for node in graph:
        size = elements(node.output_shape)
        alive += size
        peak = max(peak, alive)
        dying[last[node.index]] = dying.get(last[node.index], 0) + size
        alive -= dying.pop(node.index, 0)
    return peak


# -- receptive fields -----------------------------------------------------------------------------------


def receptive_fields(graph: Graph) -> tuple[list[tuple[Field, ...]], list[str]]:
    """Per node, one Field per spatial axis of the network's input; and warnings where branches disagree."""
    rank = len(graph.input_shape) - 1
    source = tuple(Field(1, 1, 0, axis + 1) for axis in range(rank))
    fields: list[tuple[Field, ...]] = []
    warnings: list[str] = []
    for node in graph:
        walked = [
            _through(node, position, source if index == INPUT else fields[index], graph.input_shape)
            for position, index in enumerate(node.inputs)
        ]
        if len(walked) == 1:
            fields.append(walked[0])
            continue
        fields.append(
            tuple(
                union([branch[axis] for branch in walked], graph.input_shape[axis + 1])
                for axis in range(rank)
            )
        )
        disagreement = _disagreement(walked)
        if disagreement:
            warnings.append(
                f"{node.name}: its branches' receptive fields differ in {disagreement}; theirs is the union"
            )
    return fields, warnings


def _through(node: Node, position: int, before: tuple[Field, ...], image: Shape) -> tuple[Field, ...]:
    """The fields after an operator, seen through its input number `position`."""
    if node.op.pointwise and len(node.inputs) == 1:
        return before
    shape = node.input_shapes[position]
    walks = node.op.reach(node.input_shapes, position)
    result = []
    for field in before:
        if field.walker is None:
            # a flattened map: what collapses its one dimension sees the union of all its units
            result.append(field._replace(spread=False) if walks[0] == WHOLE and field.spread else field)
            continue
        walk = walks[field.walker]
        count = shape[field.walker]
        if isinstance(walk, Reach):
            # the last unit read lies below o·stride + start + size by at least one step of their common grid
            step = Fraction(1, lcm(*(Fraction(value).denominator for value in walk[1:])))
            result.append(
                Field(
                    _plain((walk.size - step) * field.stride + field.size),
                    _plain(walk.stride * field.stride),
                    _plain(field.start + walk.start * field.stride),
                    walk.out,
                )
            )
        else:
            whole = _plain((count - 1) * field.stride + field.size)
            result.append(Field(whole, 0, field.start, None, spread=walk == SPREAD and count > 1))
    return tuple(result)


def union(fields: Iterable[Field], size: int) -> Field:
    """The least field of one stride that covers all of them, for a join of branches over an axis of `size`."""
    branches = list(fields)
    first = branches[0]
    if all(branch == first for branch in branches):
        return first
    if any(branch.spread for branch in branches):
        start = min(branch.start for branch in branches)
        stop = max(branch.start + branch.size for branch in branches)
        return Field(stop - start, 0, start, None, spread=True)
    strides = {branch.stride for branch in branches}
    start = min(branch.start for branch in branches)
    stop = max(branch.start + branch.size for branch in branches)
    if len(strides) == 1:
        return Field(_plain(stop - start), first.stride, _plain(start), first.walker)
    if 0 in strides:  # a branch that sees everything alike: so does the join
        walker = next(branch.walker for branch in branches if branch.walker is not None or branch.stride)
        return Field(_plain(max(size, stop) - min(0, start)), 0, _plain(min(0, start)), walker)
    widest = max(strides)
    return Field(_plain(stop - start), widest, _plain(start), first.walker)


def _disagreement(branches: list[tuple[Field, ...]]) -> str:
    """What walking branches disagree in: "stride", "centre" or nothing. A branch that sees all is no disagreement."""
    for fields in zip(*branches, strict=True):
        walking = [field for field in fields if field.stride]
        if len({field.stride for field in walking}) > 1:
            return "stride"
        if len({2 * field.start + field.size for field in walking}) > 1:
            return "centre"
    return ""


def _reported(fields: tuple[Field, ...]) -> ReceptiveField | None:
    if any(field.spread for field in fields):
        return None
    return ReceptiveField(
        tuple([ceil(field.size) for field in fields]),
        tuple([_plain(field.stride) for field in fields]),
        tuple([_plain(field.start) for field in fields]),
    )


def _plain(value: Number) -> Number:
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value
