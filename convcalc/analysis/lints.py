"""Lints: constructs that are valid and probably not meant. One function per lint, in one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import ceil, prod
from typing import NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.graph import Node
from convcalc.shapes import show

MIN_GROUP = 8  # channels per group below which grouped convolutions leave most of a vector unit idle
MAX_SCANNED = 2**22  # pixels of an axis that are searched for gaps


class Finding(NamedTuple):
    """What a lint found at a node."""

    lint: str
    node: Node
    message: str


class Context(NamedTuple):
    """A network, and for each node the nodes that read it."""

    analysis: Analysis
    readers: tuple[tuple[Node, ...], ...]
    outputs: frozenset[int]


def findings(analysis: Analysis) -> tuple[Finding, ...]:
    """All findings, in the order of the layers."""
    graph = analysis.graph
    readers: list[list[Node]] = [[] for _ in graph.nodes]
    for node in graph:
        for source in dict.fromkeys(node.inputs):
            if source >= 0:
                readers[source].append(node)
    context = Context(
        analysis, tuple([tuple(each) for each in readers]), frozenset(output.node for output in graph.outputs)
    )
    found = [Finding(name, node, message) for name, lint in LINTS.items() for node, message in lint(context)]
    return tuple(sorted(found, key=lambda finding: finding.node.index))


Found = Iterator[tuple[Node, str]]


def _dropped_pixels(context: Context) -> Found:
    """Windows that leave pixels unread: behind the last window, or between windows."""
    for node in context.analysis.graph:
        if not node.op.windows(node.input_shapes[:1]):
            continue
        axes = node.op.windows(node.input_shapes[:1])
        if all(axis.stride == 1 and axis.dilation == 1 for axis in axes):
            continue
        left = [axis.uncovered() if axis.padded <= MAX_SCANNED else (0, 0) for axis in axes]
        size = show(node.input_shapes[0][1:])
        if any(between for between, _ in left):
            read = prod(axis.size - sum(gap) for axis, gap in zip(axes, left, strict=True))
            share = 1 - read / prod(axis.size for axis in axes)
            yield (
                node,
                f"its windows read {read:,} of {size} pixels and leave {share:.0%} unread between them",
            )
        elif any(behind for _, behind in left):
            yield node, f"no window reads the last {_sides([behind for _, behind in left])} of {size}"


def _sides(counts: list[int]) -> str:
    """`row and column`, `2 rows`: pixels on each axis."""
    names = {1: ("position",), 2: ("row", "column"), 3: ("frame", "row", "column")}[len(counts)]
    return " and ".join(
        name if count == 1 else f"{count} {name}s" for count, name in zip(counts, names, strict=True) if count
    )


def _unread_layer(context: Context) -> Found:
    """Layers whose output is neither read nor an output of the network."""
    for node in context.analysis.graph:
        if not context.readers[node.index] and node.index not in context.outputs:
            yield node, "no layer reads its output, so it adds to the figures and not to the result"


def _field_beyond_image(context: Context) -> Found:
    """The first layer with a window whose receptive field is larger than the image on every axis."""
    graph = context.analysis.graph
    sizes = {entry.name: entry.shape[1:] for entry in graph.inputs}
    for node, layer in zip(graph, context.analysis.layers, strict=True):
        if not any(axis.extent > 1 for axis in node.op.windows(node.input_shapes[:1])):
            continue
        for name, field in layer.receptive_fields.items():
            size = sizes[name]
            if field is None or not size or node.output_shape[1:] == (1,) * len(size):
                continue
            if all(ceil(seen) > pixels for seen, pixels in zip(field.size, size, strict=True)):
                seen = "×".join(f"{ceil(value)}" for value in field.size)
                yield (
                    node,
                    f"its receptive field {seen} is larger than the input {show(size)}; deeper ones too",
                )
                return


def _narrow_groups(context: Context) -> Found:
    """Grouped convolutions, depthwise ones apart, with under MIN_GROUP input channels per group."""
    for node in context.analysis.graph:
        groups = getattr(node.op, "groups", 1)
        if node.op.role != "convolution" or groups == 1:
            continue
        channels = node.input_shapes[0][0] // groups
        if 1 < channels < MIN_GROUP:
            yield node, f"{groups} groups have {channels} channels each; under {MIN_GROUP} they run slowly"


def _bias_before_normalisation(context: Context) -> Found:
    """Layers with a bias per output channel that only normalisations read, which subtract each channel's mean."""
    for node in context.analysis.graph:
        biases = [prod(parameter.shape) for parameter in node.parameters if parameter.role == "bias"]
        readers = context.readers[node.index]
        if node.op.role not in ("convolution", "dense") or not biases or node.index in context.outputs:
            continue
        if node.op.role == "dense" and len(node.output_shape) > 1:
            continue  # its features lie on the last axis, and a normalisation's channels on the first
        if readers and all(reader.op.centres_channels for reader in readers):
            yield node, f"{readers[0].name} subtracts its {sum(biases):,} biases again; set bias: false"


def _consecutive_1x1(context: Context) -> Found:
    """Two 1×1 convolutions with nothing that computes between them, whose middle is no narrower than both ends."""
    graph = context.analysis.graph
    for node in graph:
        if not _is_1x1(node) or node.inputs[0] < 0:
            continue
        before = graph.nodes[node.inputs[0]]
        while (
            before.op.is_passing
            and before.inputs[0] >= 0
            and len(context.readers[before.index]) == 1
            and before.index not in context.outputs
        ):
            before = graph.nodes[before.inputs[0]]
        if not _is_1x1(before) or len(context.readers[before.index]) > 1 or before.index in context.outputs:
            continue
        first, middle, last = before.input_shapes[0][0], before.output_shape[0], node.output_shape[0]
        if middle < min(first, last):
            continue  # a bottleneck: fewer weights than one convolution
        saved = first * middle + middle * last - first * last
        yield (
            node,
            (
                f"nothing between it and the 1×1 {before.name} ({first} → {middle} → {last} channels): "
                f"one convolution of {first} → {last} computes the same with {saved:,} weights fewer"
            ),
        )


def _is_1x1(node: Node) -> bool:
    """Whether a node is a convolution of single pixels over all channels."""
    windows = node.op.windows(node.input_shapes[:1])
    return (
        node.op.role == "convolution"
        and len(windows) > 0
        and all(axis.kernel == axis.stride == 1 and not axis.before + axis.after for axis in windows)
        and getattr(node.op, "groups", 1) == 1
    )


# By name, as convcalc.language.budget lists them.
LINTS: dict[str, Callable[[Context], Found]] = {
    "dropped_pixels": _dropped_pixels,
    "unread_layer": _unread_layer,
    "field_beyond_image": _field_beyond_image,
    "narrow_groups": _narrow_groups,
    "bias_before_normalisation": _bias_before_normalisation,
    "consecutive_1x1": _consecutive_1x1,
}
