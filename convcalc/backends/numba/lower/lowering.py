"""The program of a network in the making: its values, their buffers, and the forms a reader may ask for.

`Lowering` owns the program while it is made. The other modules of this folder say, per operator, which steps compute
it; they ask here for a value as a blocked map (`view`), as channels-first numbers (`flat`) or interleaved, and get a
conversion where it is not there yet in that form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import prod
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.arrays.signatures import ArrayFunction
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.copies import halo, pack, unpack
from convcalc.backends.numba.layout import MAX_BYTES, Array, Layout, map_layout, triple
from convcalc.backends.numba.lower.affine import Affine, affine_of
from convcalc.backends.numba.passes.algorithm import ConvPlan, DeconvPlan
from convcalc.backends.numba.passes.channel_moves import Moves
from convcalc.backends.numba.passes.fusion import FusedLayer, Fusion
from convcalc.backends.numba.passes.placement import BufferPlacement
from convcalc.backends.numba.runtime.program import ByteSpan, MapView, Program, Ref, Step, Word
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Node, is_input
from convcalc.ops import Order
from convcalc.shapes import Shape, show
from convcalc.weights.load import Weights

ITEM_BYTES = 64 * 1024  # what one item of a pointwise step is about to touch


@dataclass(frozen=True, eq=False)
class OutsideStep:
    """What no kernel does: before step `mark`, `function` makes the target from the sources."""

    mark: int
    node: Node
    function: ArrayFunction
    sources: tuple[tuple[Ref, Shape], ...]
    target: Ref


class PartialSums(NamedTuple):
    """The sums of a value's channels over parts of its pixels: whole blocks of floats, part after part."""

    place: Ref
    parts: int
    span: ByteSpan


class KeptValue(NamedTuple):
    """A value that the caller of a run is given before step `mark`: channels-first numbers at `source`.

    node: of the value. position: among the values that are kept.
    """

    mark: int
    node: Node
    position: int
    source: Ref
    shape: Shape


@dataclass(eq=False)
class Lowering:
    """The program in the making, and all that was decided before.

    element: bytes of an element of maps with pixels, as vectors are float32; dense_element: of the weights of dense
    layers; averaged: the values whose channels are averaged later. setup: steps that lay out weights, run once;
    program: steps of every run; outside: what is done between them, in running order; fixed: numbers that are put in
    their place once; sums: of values, by value, what their kernels summed on the way.
    """

    fusion: Fusion
    moves: Moves
    plans: Mapping[int, ConvPlan | DeconvPlan]
    placement: BufferPlacement
    weights: Weights
    threads: int
    element: int = 4
    dense_element: int = 4
    averaged: Set[int] = frozenset()
    program: Program = field(default_factory=Program)
    setup: Program = field(default_factory=Program)
    outside: list[OutsideStep | KeptValue] = field(default_factory=list)
    fixed: list[tuple[Ref, Array]] = field(default_factory=list)
    sums: dict[int, PartialSums] = field(default_factory=dict)
    _views: dict[int, MapView] = field(default_factory=dict)
    _flats: dict[int, Ref] = field(default_factory=dict)
    _fixed: dict[int, Array] = field(default_factory=dict)
    _images: dict[int, MapView] = field(default_factory=dict)

    @property
    def graph(self) -> Graph:
        """The graph whose layers are lowered."""
        return self.fusion.graph

    def add_input(self, value: int) -> Ref:
        """The place of an input of the network, filled before each run."""
        count = prod(self.shape(value))
        buffer = self.program.buffer(4 * count, self.graph.input_name(value), kept=True)
        self._flats[value] = Ref(buffer)
        self.program.given.append(self.flat_span(Ref(buffer), count))
        return self._flats[value]

    def add_output(self, value: int) -> Ref:
        """The place of an output of the network, read after each run: it is in use to the end of the program."""
        place = self._flats[value] if is_input(value) else self.flat(value, self.graph.nodes[value])
        self.program.touch(place.buffer)
        self.program.wanted.append(self.flat_span(place, prod(self.shape(value))))
        return place

    # --- values --------------------------------------------------------------------------------------------------

    def shape(self, value: int) -> Shape:
        """A value's shape."""
        return self.graph.shape(value)

    def element_of(self, value: int) -> int:
        """Bytes of an element of a value as a blocked map."""
        return self.element if len(self.shape(value)) > 1 else 4

    def view(self, value: int, node: Node) -> MapView:
        """A value as a blocked map."""
        if not self._is_map(value):
            if value not in self._flats and value not in self._fixed:
                raise KeyError(value)
            self._pack(value, node)
        return self.target(value, node)

    def target(self, value: int, node: Node) -> MapView:
        """Where a value is, or is to be written, as a blocked map."""
        if value not in self._views:
            root, channel = self.placement.root(value)
            if root not in self._views:
                layout = map_layout(self.shape(root), self.placement.halo(root), self.element_of(root))
                self._views[root] = self._new_map(root, layout, node)
            whole = self._views[root]
            layout = replace(whole.layout, channels=self.shape(value)[0])
            self._views[value] = MapView(whole.buffer, layout, channel // BLOCK * layout.block)
        return self._views[value]

    def flat(self, value: int, node: Node) -> Ref:
        """A value as channels-first numbers."""
        if value not in self._flats and value in self._fixed:
            self._flats[value] = self._kept(value)
        if value not in self._flats:
            view = self.view(value, node)
            if view.layout.is_vector:
                self._flats[value] = view.corner
            else:
                self._flats[value] = self._unpack(value, view, node)
        return self._flats[value]

    def _kept(self, value: int) -> Ref:
        """The place of a value that is the same in every run."""
        numbers = self._fixed[value]
        place = Ref(self.program.buffer(4 * numbers.size, f"fixed {value}", kept=True))
        self.program.given.append(self.flat_span(place, numbers.size))
        self.fixed.append((place, numbers))
        return place

    def alias_flat(self, value: int, source: int, node: Node) -> None:
        """A value that is another's numbers in the same order."""
        self._flats[value] = self.flat(source, node)

    def new_flat(self, value: int) -> Ref:
        """A fresh place for a value as channels-first numbers."""
        buffer = self.program.buffer(4 * prod(self.shape(value)), f"flat {value}")
        self._flats[value] = Ref(buffer)
        return self._flats[value]

    def new_sums(self, value: int, node: Node, blocks: int, parts: int) -> PartialSums:
        """A place for the sums of a value's channels, which its kernel writes and the means after it read."""
        size = parts * blocks * BLOCK * 4
        buffer = self.program.buffer(size, f"{node.name} sums")
        self.sums[value] = PartialSums(Ref(buffer), parts, ByteSpan(buffer, 0, size))
        return self.sums[value]

    def interleaved(self, value: int, node: Node) -> MapView:
        """An input of the network with its channels interleaved."""
        if value not in self._images:
            shape = self.shape(value)
            halo = self.placement.image_halos[value]
            layout = Layout(shape[0], triple(shape[1:]), halo, True, self.element)
            self._images[value] = self._new_map(value, layout, node)
            self._add_pack(self._flats[value], strides_of(shape), self._images[value], node)
        return self._images[value]

    def flat_span(self, ref: Ref, count: int) -> ByteSpan:
        """The bytes of `count` floats."""
        return ByteSpan(ref.buffer, ref.offset, ref.offset + 4 * count)

    def _new_map(self, value: int, layout: Layout, node: Node) -> MapView:
        if layout.size > MAX_BYTES:
            raise ConvcalcError(
                f"{node.name}: a map of {show(self.shape(value))} takes {layout.size:,} bytes, more than the "
                "Numba backend's 2 GB a tensor",
                hint="use --backend reference, or a smaller input",
            )
        buffer = self.program.buffer(layout.size, self.graph.input_name(value))
        view = MapView(buffer, layout)
        if layout.has_halo:
            names = ("depth", "height", "width")
            values: dict[str, Word] = {
                "target": view.corner, "block_bytes": layout.block, "plane": layout.plane, "row": layout.row,
                "pixel": layout.pixel,
            }  # fmt: skip
            values |= dict(zip(names, layout.padded, strict=True))
            values |= {f"{name}_before": b for name, b in zip(names, layout.before, strict=True)}
            values |= {f"inner_{name}": n for name, n in zip(names, layout.spatial, strict=True)}
            self.program.add(Step(halo, values, layout.blocks, (), (view.span,), node.index, zeroes=True))
        return view

    def transpose(self, value: int, source: int, order: Order, node: Node) -> None:
        """A value whose dimension i is the source's dimension order[i]: packed, or else unpacked, in that order."""
        shape = self.shape(source)
        if self._is_map(source):
            view = self.view(source, node)
            target = strides_of(self.shape(value))
            self._add_unpack(
                view, self.new_flat(value), [target[order.index(d)] for d in range(len(order))], node
            )
        else:
            strides = strides_of(shape)
            self._add_pack(self._flats[source], [strides[d] for d in order], self.target(value, node), node)

    def _is_map(self, value: int) -> bool:
        """Whether the value is there as a blocked map already."""
        return value in self._views or self.placement.root(value).value in self._views

    def _pack(self, value: int, node: Node) -> None:
        view = self.target(value, node)
        self._add_pack(self.flat(value, node), strides_of(self.shape(value)), view, node)

    def _add_pack(self, source: Ref, strides: Sequence[int], view: MapView, node: Node) -> None:
        """Fill a map from numbers, which are `strides` bytes apart in each of its dimensions."""
        layout = view.layout
        depth, height, width = layout.spatial
        rows = depth * height
        item_rows = self.item_rows(rows, width * layout.pixel)
        values: dict[str, Word] = {
            "source": source, "channels": layout.channels, "depth": depth, "height": height, "width": width,
            "pixel": layout.pixel, "lanes": layout.lanes, "blocks": layout.blocks, "item_rows": item_rows,
        }  # fmt: skip
        values |= view.strides("target") | _named("source", strides)
        count = layout.channels * rows * width
        items = layout.blocks * -(-rows // item_rows)
        self.program.add(
            Step(
                kernel_for(pack, view),
                values,
                items,
                (self.flat_span(source, count),),
                (view.span,),
                node.index,
            )
        )

    def _unpack(self, value: int, view: MapView, node: Node) -> Ref:
        target = self.new_flat(value)
        self._add_unpack(view, target, strides_of(self.shape(value)), node)
        return target

    def _add_unpack(self, view: MapView, target: Ref, strides: Sequence[int], node: Node) -> None:
        """Write a map as numbers, `strides` bytes apart in each of its dimensions."""
        layout = view.layout
        values: dict[str, Word] = dict(zip(("depth", "height", "width"), layout.spatial, strict=True))
        values |= view.strides("source") | _named("target", strides)
        values |= {"channels": layout.channels, "target": target}
        count = layout.channels * prod(layout.spatial)
        self.program.add(
            Step(
                kernel_for(unpack, view),
                values,
                layout.blocks,
                (view.span,),
                (self.flat_span(target, count),),
                node.index,
            )
        )

    def item_rows(self, rows: int, row_bytes: int) -> int:
        """How many rows make an item of a pointwise step: each thread's share or less."""
        return max(1, min(-(-rows // self.threads), ITEM_BYTES // max(1, row_bytes)))

    # --- parameters ----------------------------------------------------------------------------------------------

    def parameter(self, node: Node, name: str) -> Array:
        """A node's parameter as float32, not copied where it is already that."""
        return np.asarray(self.weights.nodes[node.index][name], np.float32)

    def parameters(self, node: Node) -> dict[str, Array]:
        """All parameters of a node as float32."""
        return {parameter.name: self.parameter(node, parameter.name) for parameter in node.parameters}

    def affine(self, layer: FusedLayer, filters: int, bias: bool) -> Affine:
        """What a layer's filters are multiplied by and what is then added: its bias, and what was folded into it."""
        factor = np.ones(filters)
        offset = np.zeros(filters)
        if bias:
            offset += self.parameter(layer.node, "bias")
        for node in layer.folded:
            own = affine_of(node, self.parameters(node))
            factor, offset = factor * own.factor, offset * own.factor + own.offset
        return Affine(factor, offset)

    def add_fixed(self, layer: FusedLayer, function: ArrayFunction) -> None:
        """A value that is the same in every run, computed now; a place for it is made where a reader needs it."""
        numbers = function([self._fixed[source] for source in self.fusion.sources(layer)])
        self._fixed[layer.value] = np.array(numbers, np.float32).reshape(self.shape(layer.value))

    def add_outside(self, layer: FusedLayer, function: ArrayFunction) -> None:
        """A value computed outside the kernels from its sources' numbers."""
        node = layer.node
        sources = self.fusion.sources(layer)
        places = tuple((self.flat(source, node), self.shape(source)) for source in sources)
        reads = [self.flat_span(ref, prod(shape)) for ref, shape in places]
        target = self.new_flat(layer.value)
        written = self.flat_span(target, prod(node.output_shape))
        # Only now: each of the sources is in use until all are there.
        self.program.add_outside(reads, (written,), node.index)
        self.outside.append(OutsideStep(len(self.program.steps), node, function, places, target))

    def add_kept(self, position: int, value: int, node: Node) -> None:
        """Gives a value that is there to the caller, before its place may be used for another."""
        shape = self.shape(value)
        place = self._flats[value] if is_input(value) else self.flat(value, node)
        self.program.add_outside((self.flat_span(place, prod(shape)),), (), node.index)
        self.outside.append(KeptValue(len(self.program.steps), node, position, place, shape))


def kernel_for(kernel: Kernel, *views: MapView) -> Kernel:
    """The kernel for the elements of these maps, which all have one size."""
    (element,) = {view.layout.element for view in views}
    return kernel.of(element)


def strides_of(shape: Shape) -> list[int]:
    """Bytes between neighbours in each dimension of row-major numbers."""
    return [4 * prod(shape[dimension + 1 :]) for dimension in range(len(shape))]


def _named(prefix: str, strides: Sequence[int]) -> dict[str, Word]:
    """The strides of a tensor (C, *spatial) as the kernels name them."""
    names = ("channel", "plane", "row", "pixel")
    bytes_apart = (strides[0], *triple(strides[1:], 0))
    return {f"{prefix}_{name}": stride for name, stride in zip(names, bytes_apart, strict=True)}


def padded_vector(values: Array, count: int, fill: float = 0.0) -> Array:
    """float32, continued by `fill` to `count` values."""
    result = np.full(count, fill, np.float32)
    result[: len(values)] = values
    return result
