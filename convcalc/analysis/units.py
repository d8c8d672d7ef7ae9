"""What a single unit sees, layer by layer back to the image; which units one pixel, or both of two pixels, reach.
Positions are spatial and count from 0; a pixel includes all its channels, and so does a unit."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import NamedTuple

from convcalc.analysis.regions import Box, Region, Span, count, hull, meet, reached, seen, spatial, unclipped
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import INPUT, Graph, Node, input_index, is_input
from convcalc.shapes import Shape, show

Position = tuple[int, ...]


class Sight(NamedTuple):
    """What one unit sees of the image.

    unit: its spatial position, or its index in a vector. window: first and last pixel per axis by formula, padding
    included; None if the unit reads nothing. seen: first and last pixel of the image that it depends on; None if it
    sees only padding. pixels: how many pixels it depends on; region: which ones. image: the spatial sizes of the
    input `origin`, or the length of a vector.
    """

    unit: Position
    window: tuple[Span, ...] | None
    seen: tuple[Span, ...] | None
    pixels: int
    region: Region
    image: Shape
    origin: str = "input"

    @property
    def size(self) -> tuple[int, ...]:
        """The window's extent per axis, padding included."""
        return tuple(high - low + 1 for low, high in self.window or ())

    @property
    def outside(self) -> tuple[tuple[int, int], ...]:
        """Per axis, the number of pixels of the window that lie before and after the image."""
        return tuple(
            (max(0, -low), max(0, high - size + 1))
            for (low, high), size in zip(self.window or (), self.image, strict=False)
        )

    @property
    def share(self) -> Fraction:
        """The fraction of the image's pixels that the unit depends on."""
        return Fraction(self.pixels, prod(self.image))


class Area(NamedTuple):
    """Positions of a layer's output, or of an input (node None), that a unit reads or a pixel reaches.

    name: of the layer or input. spans: first and last position per axis, None if there are no positions; positions:
    how many there are; region: which ones.
    """

    name: str
    node: Node | None
    shape: Shape
    spans: tuple[Span, ...] | None
    positions: int
    region: Region

    @property
    def full(self) -> bool:
        """Whether the area has no gaps: it holds every position between the first and the last."""
        return self.positions == prod(high - low + 1 for low, high in self.spans or ())

    @property
    def share(self) -> Fraction:
        """The fraction of the layer's positions."""
        return Fraction(self.positions, self.places)

    @property
    def places(self) -> int:
        """The number of positions that the layer has."""
        return prod(places(self.shape))


def places(shape: Shape) -> Shape:
    """The spatial sizes of a shape; for a vector, its length."""
    return shape[1:] if len(shape) > 1 else shape


def middle(shape: Shape) -> Position:
    """The position of the middle unit, the lower of the two for an even size."""
    return tuple((size - 1) // 2 for size in places(shape))


class Pixel(NamedTuple):
    """A pixel of an input: its position, and the input's name, optional if the network has a single input."""

    position: Position
    origin: str | None = None


def sights(graph: Graph, node: Node, unit: Position) -> list[Sight]:
    """What a unit sees of each input that it depends on, or of the first input if it depends on none. Raises
    UsageError if the unit does not exist."""
    box = _box(node.output_shape, unit, f"{node.name} has no unit")
    found = seen(graph, node.index, (box,))
    ends = [(spans[0][0], spans[-1][1]) for spans in box]
    result = []
    for index in [index for index in graph.input_indices if index in found] or [INPUT]:
        shape = graph.shape(index)
        region = _flat(found.get(index, ()), shape)
        window = unclipped(graph, node.index, ends, index)
        result.append(
            Sight(unit, window, hull(region), count(region), region, places(shape), graph.input_name(index))
        )
    return result


def sight(graph: Graph, node: Node, unit: Position) -> Sight:
    """What a unit sees of the first input that it depends on. Raises UsageError if the unit does not exist."""
    return sights(graph, node, unit)[0]


def trace(graph: Graph, node: Node, unit: Position) -> list[Area]:
    """The area that a unit reads of every layer it depends on, from the nearest back to the image, without layers
    that keep positions. Raises UsageError if the unit does not exist."""
    box = _box(node.output_shape, unit, f"{node.name} has no unit")
    found = seen(graph, node.index, (box,))
    order = sorted((index for index in found if index != node.index), reverse=True)
    return [
        _area(graph, index, found[index])
        for index in order
        if is_input(index) or not graph.nodes[index].op.keeps_positions(graph.nodes[index].input_shapes)
    ]


def reached_areas(graph: Graph, pixel: Pixel) -> list[Area]:
    """Per layer, the units that any channel of a pixel reaches. Raises UsageError if the pixel does not exist."""
    regions = _reached(graph, pixel)
    return [_area(graph, node.index, region) for node, region in zip(graph, regions, strict=True)]


def meeting_areas(graph: Graph, a: Pixel, b: Pixel) -> list[Area]:
    """Per layer, the units that two pixels both reach. Raises UsageError if a pixel does not exist."""
    first, second = (_reached(graph, pixel) for pixel in (a, b))
    return [
        _area(graph, node.index, meet(left, right))
        for node, left, right in zip(graph, first, second, strict=True)
    ]


def _reached(graph: Graph, pixel: Pixel) -> list[Region]:
    index = _origin(graph, pixel)
    what = "the image" if len(graph.inputs) == 1 else graph.input_name(index)
    return reached(graph, (_box(graph.shape(index), pixel.position, f"{what} has no pixel"),), index)


def _origin(graph: Graph, pixel: Pixel) -> int:
    """The index of a pixel's input. Raises UsageError if the name is needed but missing, or unknown."""
    names = [entry.name for entry in graph.inputs]
    text = ",".join(map(str, pixel.position))
    if pixel.origin is None and len(names) == 1:
        return INPUT
    if pixel.origin is None:
        raise UsageError(
            f"pixel {text}: {graph.name} has {len(names)} inputs: {', '.join(names)}",
            hint=f"say which: {names[0]}:{text}",
        )
    if pixel.origin not in names:
        raise UsageError(
            f"pixel {pixel.origin}:{text}: {graph.name} has no input '{pixel.origin}'"
            f"{did_you_mean(pixel.origin, names)}",
            hint=f"its inputs: {', '.join(names)}",
        )
    return input_index(names.index(pixel.origin))


def _area(graph: Graph, index: int, region: Region) -> Area:
    shape = graph.shape(index)
    flat = _flat(region, shape)
    node = None if is_input(index) else graph.nodes[index]
    return Area(graph.input_name(index), node, shape, hull(flat), count(flat), flat)


def _flat(region: Region, shape: Shape) -> Region:
    """The region's spatial positions; for a vector, its units."""
    return spatial(region) if len(shape) > 1 else region


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
