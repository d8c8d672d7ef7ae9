"""What would bring a figure down: variants of a network, each built anew and counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

from convcalc import ops
from convcalc.analysis.analyse import DTYPES, Analysis, analyse
from convcalc.errors import ConvcalcError
from convcalc.graph import Builder, Graph, Node, Output
from convcalc.ops import Operator
from convcalc.shapes import Shape, show

MAX_REBUILT = 1_000  # layers of a network that is built anew for each remedy
MAX_REMEDIES = 4
REDUCTION = 4  # a bottleneck's share of channels (He et al. 2016, figure 5)
MIN_CHANNELS = 16  # of an input that a 1×1 convolution before it is tried on
EIGHTHS = (7, 6, 5, 4, 3, 2)  # of the input's sides

Reload = Callable[[Shape], Analysis]
Measure = Callable[[Analysis], int | None]


class Remedy(NamedTuple):
    """A change and what the figure is then."""

    change: str
    value: int


def remedies(
    analysis: Analysis,
    quantity: str,
    measure: Measure,
    limit: int,
    layers: Sequence[Node],
    reload: Reload | None,
) -> tuple[Remedy, ...]:
    """Changes that bring a figure down, those that keep the limit first. layers: the most expensive ones, which are
    changed one at a time. reload: the network at another shape of its input, if there is a way to ask."""
    now = measure(analysis)
    if now is None:
        return ()
    found = list(_conditions(analysis, quantity, now, limit))
    if len(analysis.graph) <= MAX_REBUILT:
        found += _layer_changes(analysis, measure, layers, quantity)
        found += _smaller_input(analysis, measure, limit, reload)
    better = {remedy.change: remedy for remedy in found if remedy.value < now}
    ranked = sorted(better.values(), key=lambda remedy: (remedy.value > limit, remedy.value))
    return tuple(ranked[:MAX_REMEDIES])


def _conditions(analysis: Analysis, quantity: str, now: int, limit: int) -> Iterator[Remedy]:
    """Another number type or batch; bytes are proportional to both."""
    if not quantity.endswith("bytes"):
        return
    if DTYPES[analysis.dtype] > DTYPES["float16"]:
        yield Remedy("float16", now * DTYPES["float16"] // DTYPES[analysis.dtype])
    if quantity != "param_bytes" and analysis.batch > 1:
        each = now // analysis.batch
        if 1 <= limit // each < analysis.batch:
            yield Remedy(f"a batch of {limit // each}", limit // each * each)


def _layer_changes(
    analysis: Analysis, measure: Measure, layers: Sequence[Node], quantity: str
) -> Iterator[Remedy]:
    graph = analysis.graph
    variants = _smaller_windows if quantity == "field" else _variants
    for node in layers:
        for change, replaced, inserted in variants(graph, node):
            variant = rebuilt(graph, replaced, inserted)
            if variant is None:
                continue
            value = measure(analyse(variant, batch=analysis.batch, dtype=analysis.dtype))
            if value is not None:
                yield Remedy(change, value)


Variant = tuple[str, Mapping[int, Operator], Mapping[int, Operator]]


def _variants(graph: Graph, node: Node) -> Iterator[Variant]:
    """Changes of one layer: their text, operators in place of nodes', and operators inserted before nodes."""
    op: Any = node.op
    field = op.channels_field
    width = getattr(op, field) if field else None
    if field and isinstance(width, int) and width > 1 and not _gives_output(graph, node):
        change = f"half the {field} of {node.name} ({width:,} → {width // 2:,})"
        yield change, {node.index: dataclasses.replace(op, **{field: width // 2})}, {}
    channels = node.input_shapes[0][0] if node.input_shapes else 0
    kernel = [axis.kernel for axis in op.windows(node.input_shapes[:1])]
    conv: Any = ops.get("conv")
    if op.kind == conv.kind and prod(kernel) > 1 and op.groups == 1:
        if channels >= MIN_CHANNELS:
            fewer = channels // REDUCTION
            first = conv(filters=fewer, kernel=1, bias=False)
            yield f"a 1×1 convolution to {fewer:,} channels before {node.name}", {}, {node.index: first}
        if channels > 1:
            window = {
                name: getattr(op, name) for name in ("kernel", "stride", "padding", "dilation", "rounding")
            }
            spatial = conv(depthwise=True, bias=False, **window)
            point = dataclasses.replace(op, kernel=1, stride=1, padding=0, dilation=1, rounding="floor")
            yield (
                f"{node.name} as a depthwise and a 1×1 convolution",
                {node.index: point},
                {node.index: spatial},
            )
    source = graph.nodes[node.inputs[0]] if node.inputs and node.inputs[0] >= 0 else None
    if (
        op.role == "dense"
        and source is not None
        and source.op.regroups
        and prod(source.input_shapes[0][1:]) > 1
    ):
        pooling = ops.get("global_avgpool")()
        yield (
            f"a global average pooling before {source.name}, {node.name} on its channels",
            {},
            {source.index: pooling},
        )


def _smaller_windows(graph: Graph, node: Node) -> Iterator[Variant]:
    """A layer without its window; at the same stride, and without padding, which keeps the sizes of most."""
    axes = node.op.windows(node.input_shapes[:1])
    if node.op.fields().keys() >= {"kernel", "padding"} and any(axis.kernel > 1 for axis in axes):
        window = {name: value for name, value in _PIXEL.items() if name in node.op.fields()}
        changed: Any = dataclasses.replace(node.op, **window)
        yield f"a 1×1 window in {node.name}", {node.index: changed}, {}


_PIXEL = {"kernel": 1, "padding": 0, "dilation": 1}


def _gives_output(graph: Graph, node: Node) -> bool:
    """Whether a layer's channels are those of an output of the network: its classes."""
    outputs = {output.node for output in graph.outputs}
    index = node.index
    while index not in outputs:
        readers = [reader for reader in graph.nodes[index + 1 :] if index in reader.inputs]
        if len(readers) != 1 or not readers[0].op.pointwise:
            return False
        index = readers[0].index
    return True


def rebuilt(
    graph: Graph,
    replaced: Mapping[int, Operator],
    inserted: Mapping[int, Operator],
) -> Graph | None:
    """The network with some operators replaced and others inserted before nodes; all shapes follow anew. None if a
    layer no longer fits."""
    builder = Builder(graph.inputs, len(graph) + len(inserted))
    places: dict[int, int] = {index: index for index in graph.input_indices}
    try:
        for node in graph:
            inputs = tuple([places[source] for source in node.inputs])
            if node.index in inserted:
                before = builder.add(f"{node.name}.before", inserted[node.index], inputs[:1])
                inputs = (before, *inputs[1:])
            places[node.index] = builder.add(
                node.name,
                replaced.get(node.index, node.op),
                inputs,
                scope=node.scope,
                shares=None if node.shares is None else places[node.shares],
            )
    except ConvcalcError:
        return None
    outputs = tuple([Output(output.name, places[output.node]) for output in graph.outputs])
    return dataclasses.replace(graph, nodes=tuple(builder.nodes), outputs=outputs)


def _smaller_input(
    analysis: Analysis, measure: Measure, limit: int, reload: Reload | None
) -> Iterator[Remedy]:
    """The largest of some smaller inputs that keeps the limit; if none does, the half."""
    shape = analysis.graph.input_shape
    if reload is None or len(analysis.graph.inputs) > 1 or len(shape) < 2:
        return
    half = None
    for eighths in EIGHTHS:
        smaller = (shape[0], *(max(1, size * eighths // 8) for size in shape[1:]))
        try:
            value = measure(reload(smaller))
        except ConvcalcError:
            continue
        if value is None:
            continue
        remedy = Remedy(f"an input of {show(smaller)}", value)
        if value <= limit:
            yield remedy
            return
        half = remedy if eighths == 4 else half
    if half is not None:
        yield half
