"""Worked formulas behind each figure: those of the layer's operator, and those that depend on its place in the
network, namely the growth of its receptive field and the map that a flattened input came from."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil, prod
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.receptive import single
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph, Node
from convcalc.ops import WHOLE, Reach, Working, equation
from convcalc.ops.conv import Conv
from convcalc.ops.dense import Dense
from convcalc.ops.flatten import Flatten
from convcalc.shapes import AXIS_NAMES, Shape


class ExplainedLayer(NamedTuple):
    """A layer and its worked formulas."""

    node: Node
    lines: list[Working]


class Explanations(NamedTuple):
    """A network explained layer by layer. only: the requested layers and blocks; () for all."""

    analysis: Analysis
    layers: tuple[ExplainedLayer, ...]
    only: tuple[str, ...]


def explanations(analysis: Analysis, only: Sequence[str] = ()) -> Explanations:
    """The worked formulas of every layer that has any; with `only`, of every layer at or below these paths.

    Raises UsageError for a path that is neither a layer nor a block.
    """
    graph = analysis.graph
    for path in only:
        if not any(within(node.name, [path]) for node in graph):
            names = {node.name: None for node in graph} | {node.scope: None for node in graph if node.scope}
            raise UsageError(
                f"{graph.name} has no layer '{path}'{did_you_mean(path, names)}", hint="--all lists them"
            )
    found = []
    for node in graph:
        if only and not within(node.name, only):
            continue
        lines = explain(analysis, node)
        if lines or only:
            found.append(ExplainedLayer(node, lines))
    return Explanations(analysis, tuple(found), tuple(only))


def within(name: str, paths: Sequence[str]) -> bool:
    """Whether a layer is at or below one of the paths."""
    return any(name == path or name.startswith(path + ".") for path in paths)


def weight_factors(graph: Graph, node: Node) -> tuple[int, ...]:
    """The factors of a layer's weights; behind a flatten, those of the map it flattens: (2, 2, 256, 4096)."""
    factors = node.op.weight_factors(node.input_shapes)
    if not isinstance(node.op, Dense) or not factors:
        return factors
    shape = flattened(graph, node)
    return (*shape[1:], shape[0], factors[-1]) if shape else factors


def flattened(graph: Graph, node: Node) -> Shape | None:
    """The shape `(C, *spatial)` of the flattened map that a layer reads, directly or through pointwise layers;
    None if it reads no such map or a map of one pixel."""
    source = node.inputs[0]
    while source >= 0 and graph.nodes[source].op.pointwise:
        source = graph.nodes[source].inputs[0]
    if source < 0 or not isinstance(graph.nodes[source].op, Flatten):
        return None
    shape = graph.nodes[source].input_shapes[0]
    return shape if prod(shape[1:]) > 1 else None


def explain(analysis: Analysis, node: Node) -> list[Working]:
    """Every worked formula of a layer: size, weights, biases, MACs, receptive field, shared weights."""
    return [
        *worked_figures(analysis.graph, node),
        *_fields(analysis, node),
        *_reduction(analysis.graph, node),
    ]


def worked_figures(graph: Graph, node: Node) -> list[Working]:
    """The worked formulas of a layer's own figures: size, weights, biases, MACs, shared weights."""
    lines = list(node.op.working(node.input_shapes))
    factors = weight_factors(graph, node)
    if factors:
        lines = [Working("weights", equation(factors)) if line.what == "weights" else line for line in lines]
    if node.shares is not None:
        lines.append(Working("shared", f"the weights of {graph.nodes[node.shares].name}, counted there"))
    return lines


def _reduction(graph: Graph, node: Node) -> list[Working]:
    """What a 1×1 convolution that reduces the channels saves in the layers it feeds."""
    if not isinstance(node.op, Conv) or node.output_shape[0] >= node.input_shapes[0][0]:
        return []
    from convcalc.analysis.costs import reduction

    found = reduction(graph, node)
    if found is None or not found.savings:
        return []
    lines = [Working("saves", f"{saving.working} MACs in {saving.reader.name}") for saving in found.savings]
    total = f"{found.spent:,} spent − {found.saved:,} saved = {found.net:,} MACs".replace("-", "−")
    return [*lines, Working("reduction", f"{found.before} → {found.after} channels: {total}")]


def _fields(analysis: Analysis, node: Node) -> list[Working]:
    """How the receptive field grew: one line, or one per axis where the axes differ."""
    after = analysis.layers[node.index].receptive_field
    if (
        not after or not after.size or len(node.inputs) != 1 or node.op.keeps_positions(node.input_shapes)
    ):  # no size: a vector as input
        return []
    rank = len(after.size)
    texts = [_field(analysis, node, axis) for axis in range(rank)]
    if len(set(texts)) == 1:
        return [Working("receptive field", texts[0])] if texts[0] else []
    names = AXIS_NAMES[rank]
    return [
        Working(f"receptive field, {name}", text) for name, text in zip(names, texts, strict=True) if text
    ]


def _field(analysis: Analysis, node: Node, axis: int) -> str:
    """`11 + (3 − 1)·4 = 19, stride 4·2 = 8`, `195 + (2 − 1)·32 = 227, all 2 units`; "" if the field did not grow."""
    graph = analysis.graph
    after = analysis.layers[node.index].receptive_field
    assert after is not None
    shape = node.input_shapes[0]
    walks = node.op.reach(node.input_shapes)
    source = node.inputs[0]
    origin = analysis.origin(node)
    assert origin is not None
    track = analysis.track(origin, source)
    assert track is not None  # the node has one input, and a field
    before = single(track[axis], graph.shape(origin)[axis + 1], shape)
    if before is None:  # the input is a flattened map, whose units share no single field
        return f"{after.size[axis]}, what all {shape[0]:,} inputs see together" if walks[0] == WHOLE else ""
    if before.output_axis is None:  # all units of the input saw the same pixels already
        return ""
    size, stride, walk = before.size, before.stride, walks[before.output_axis]
    if walk == WHOLE:
        units = shape[before.output_axis]
        if size + (units - 1) * stride != after.size[axis]:
            return f"{after.size[axis]}, what all {units} units see together"
        return f"{size} + ({units} − 1)·{stride} = {after.size[axis]}, all {units} units" if units > 1 else ""
    if not isinstance(walk, Reach) or (walk.size, walk.stride) == (1, 1):
        return ""
    widest = f"{after.size[axis]}{' at most' if after.smallest[axis] != after.size[axis] else ''}"
    pace = f"stride {_signed(stride)}·{_signed(walk.stride)} = {_signed(after.stride[axis])}"
    if not (isinstance(walk.stride, int) and isinstance(walk.size, int)):
        if walk.stride != 1 and Fraction(walk.stride).numerator == 1:
            pace = f"stride {_signed(stride)}/{1 / walk.stride} = {_signed(after.stride[axis])}"
        return f"{widest}, {pace}, {ceil(walk.size)} unit{'s' * (ceil(walk.size) > 1)} read at most"
    kernel = str(walk.size)
    windows = node.op.windows(node.input_shapes)
    if windows and windows[before.output_axis - 1].dilation > 1:
        window = windows[before.output_axis - 1]
        kernel = f"{window.dilation}·({window.kernel} − 1) + 1"
    apart = stride if stride > 0 else -stride
    if size + (walk.size - 1) * apart == after.size[axis]:
        return f"{size} + ({kernel} − 1)·{apart} = {after.size[axis]}, {pace}"
    return f"{widest}, {kernel} units that see unequal parts, {pace}"


def _signed(stride: int | Fraction) -> str:
    """A stride as text; it is negative where units see the image in reverse."""
    return str(stride).replace("-", "−")
