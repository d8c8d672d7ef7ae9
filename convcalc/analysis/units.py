"""What a single unit sees, layer by layer back to the image; which units a pixel reaches, and which two pixels both
reach. Positions are spatial, counted from 0; all channels at once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple

from convcalc.analysis.regions import Box, Region, Span, count, hull, meet, reached, seen, spatial, unclipped
from convcalc.errors import UsageError
from convcalc.graph import INPUT, Graph, Node
from convcalc.shapes import Shape, show

Position = tuple[int, ...]


class Sight(NamedTuple):
    """What one unit sees of the image.

    unit: its spatial position; of a vector, its index. window: per axis the first and last pixel by the windows'
    arithmetic, padding included; None where it reads nothing. seen: the first and last pixel of the image that
    it depends on; None where it sees only padding. pixels: how many it depends on; region: which ones.
    """

    unit: Position
    window: tuple[Span, ...] | None
    seen: tuple[Span, ...] | None
    pixels: int
    region: Region
    image: Shape

    @property
    def size(self) -> tuple[int, ...]:
        """The window's extent per axis, padding included."""
        return tuple(high - low + 1 for low, high in self.window or ())

    @property
    def outside(self) -> tuple[tuple[int, int], ...]:
        """Per axis, how many pixels of the window lie before and after the image."""
        return tuple(
            (max(0, -low), max(0, high - size + 1))
            for (low, high), size in zip(self.window or (), self.image, strict=False)
        )

    @property
    def share(self) -> Fraction:
        """Of the image's pixels, those it depends on."""
        return Fraction(self.pixels, prod(self.image))


class Area(NamedTuple):
    """Positions of one layer's output, or of the image (node None): those a unit reads, or a pixel reaches.

    first and last position per axis, None for none; positions: how many; region: which.
    """

    node: Node | None
    shape: Shape
    spans: tuple[Span, ...] | None
    positions: int
    region: Region

    @property
    def name(self) -> str:
        """The layer's name; `input` for the image."""
        return self.node.name if self.node else "input"

    @property
    def full(self) -> bool:
        """Whether all positions between the first and the last are meant."""
        return self.positions == prod(high - low + 1 for low, high in self.spans or ())

    @property
    def share(self) -> Fraction:
        """Of the layer's positions."""
        return Fraction(self.positions, self.places)

    @property
    def places(self) -> int:
        """How many positions the layer has."""
        return prod(places(self.shape))


def places(shape: Shape) -> Shape:
    """The spatial sizes; a vector's units are its places."""
    return shape[1:] if len(shape) > 1 else shape


def middle(shape: Shape) -> Position:
    """The unit in the middle, the one before where there are two."""
    return tuple((size - 1) // 2 for size in places(shape))


def sight(graph: Graph, node: Node, unit: Position) -> Sight:
    """What a unit sees. Raises UsageError for a unit that is not there."""
    box = _box(node.output_shape, unit, f"{node.name} has no unit")
    region = spatial(seen(graph, node.index, (box,)).get(INPUT, ()))
    window = unclipped(graph, node.index, [(spans[0][0], spans[-1][1]) for spans in box])
    return Sight(unit, window, hull(region), count(region), region, graph.input_shape[1:])


def trace(graph: Graph, node: Node, unit: Position) -> list[Area]:
    """What a unit reads of every layer before it that takes part, the nearest first, the image last; layers
    that act on each position by itself are left out."""
    box = _box(node.output_shape, unit, f"{node.name} has no unit")
    found = seen(graph, node.index, (box,))
    order = sorted((index for index in found if index != node.index), reverse=True)
    return [
        _area(graph, index, found[index])
        for index in order
        if index == INPUT or not graph.nodes[index].op.pointwise
    ]


def reached_areas(graph: Graph, pixel: Position) -> list[Area]:
    """Per layer, the units that a pixel reaches, in all its channels. Raises UsageError."""
    box = _box(graph.input_shape, pixel, "the image has no pixel")
    return [
        _area(graph, node.index, region) for node, region in zip(graph, reached(graph, (box,)), strict=True)
    ]


def meeting_areas(graph: Graph, a: Position, b: Position) -> list[Area]:
    """Per layer, the units that two pixels both reach. Raises UsageError."""
    boxes = [_box(graph.input_shape, pixel, "the image has no pixel") for pixel in (a, b)]
    first, second = (reached(graph, (box,)) for box in boxes)
    return [
        _area(graph, node.index, meet(left, right))
        for node, left, right in zip(graph, first, second, strict=True)
    ]


def _area(graph: Graph, index: int, region: Region) -> Area:
    shape = graph.shape(index)
    flat = spatial(region) if len(shape) > 1 else region
    return Area(None if index == INPUT else graph.nodes[index], shape, hull(flat), count(flat), flat)


def _box(shape: Shape, position: Sequence[int], what: str) -> Box:
    sizes = places(shape)
    text = ",".join(map(str, position))
    if len(position) != len(sizes):
        raise UsageError(
            f"{what} {text}: it has {show(sizes)}, so a position is {_positions(len(sizes))}",
            hint=f"positions count from 0; the middle is {','.join(map(str, middle(shape)))}",
        )
    if any(not 0 <= at < size for at, size in zip(position, sizes, strict=True)):
        last = ",".join(str(size - 1) for size in sizes)
        first = ",".join("0" for _ in sizes)
        raise UsageError(
            f"{what} {text}: it has {show(sizes)}", hint=f"positions count from {first} to {last}"
        )
    spans = tuple(((at, at),) for at in position)
    return (((0, shape[0] - 1),), *spans) if len(shape) > 1 else spans


def _positions(rank: int) -> str:
    return {1: "one number", 2: "row,column"}.get(rank, f"{rank} numbers with commas")
