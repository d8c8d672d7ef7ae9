"""`forward --maps` and `--kernels`: the output of a layer, and the filters of the first convolution, as sheets.

Maps share one scale of grey, from the smallest value of the layer to its largest, so that a map that is hardly active
looks so; filters have one each, about 0, as their sizes differ and their patterns count.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from math import ceil, isfinite, prod
from typing import TYPE_CHECKING, NamedTuple

from convcalc.graph import Graph, Node
from convcalc.ops import Tensor
from convcalc.render.drawing import bars, png, sheet
from convcalc.render.drawing.bars import short
from convcalc.render.drawing.sheet import Heading, Levels
from convcalc.report import words
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_MAPS = 4_096  # on a sheet
MIN_TRIMMED, MAX_SAMPLE = 10_000, 100_000  # values whose extremes are cut off; values looked at for that


class LayerMaps(NamedTuple):
    """A layer's output as it is drawn: `maps` pictures of height × width, each of so many slices.

    Vectors are one picture per number; `(C, L)` one row each, also where the other dimensions are 1.
    """

    maps: int
    slices: int
    height: int
    width: int

    @property
    def is_vector(self) -> bool:
        """Whether it is drawn as bars."""
        return self.slices == self.height == self.width == 1

    @property
    def is_rows(self) -> bool:
        """Whether each map is a row of numbers."""
        return self.slices == self.height == 1 and self.width > 1


def layer_maps(shape: Shape) -> LayerMaps:
    """How a layer's output of this shape is drawn."""
    if len([size for size in shape if size > 1]) <= 1:
        return LayerMaps(prod(shape), 1, 1, 1)
    spatial = [size for size in shape[1:] if size > 1]
    if len(spatial) < 2:
        return LayerMaps(shape[0], 1, 1, spatial[0])
    return LayerMaps(shape[0], prod(spatial[:-2]), spatial[-2], spatial[-1])


def map_sheets(graph: Graph, node: Node, name: str, tensor: Tensor, image: str) -> Iterator[bytes]:
    """PNG files with the output of a layer: one, or several if it has more than 4,096 maps.

    name: what the layer was asked by. image: where the network's input came from; "" for an array.
    """
    how = layer_maps(tensor.shape)
    numbers = tensor.values if isinstance(tensor.values, array) else array("d", tensor.values)
    finite = numbers if isfinite(sum(numbers)) else [value for value in numbers if isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    levels = grey_levels(finite, low, high)
    source = f"{graph.name}{f' on {image}' if image else ''}"
    lines = [f"{words.operator(node.op)} · {source}"]
    if how.slices > 1:
        lines.append(f"each map: its {how.slices} slices side by side")
    wrong = len(numbers) - len(finite)
    if wrong:
        lines.append(f"{wrong:,} of {len(numbers):,} values are NaN or infinite: in colour")
    parts = ceil(how.maps / MAX_MAPS)
    size = how.slices * how.height * how.width
    for part in range(parts):
        first, stop = part * MAX_MAPS, min(how.maps, (part + 1) * MAX_MAPS)
        title = f"{name}   {_what(how, tensor.shape)}"
        if parts > 1:
            title += f", {first:,} to {stop - 1:,}"
        values = numbers[first * size : stop * size]
        if how.is_vector:
            yield _bars(title, lines, values, low, high, first)
        else:
            scale = None if low == high else _scale(levels, low, high)
            own = [*lines, f"every value is {short(low)}"] if scale is None and finite else lines
            yield _maps(title, own, scale, values, how._replace(maps=stop - first), levels, first)


def grey_levels(values: Sequence[float], low: float, high: float) -> Levels:
    """What black and white stand for: of many values, the middle 99 %, so that a few large ones do not leave the others
    without contrast; of few, and where the middle is a single value, all."""
    if len(values) < MIN_TRIMMED:
        return Levels(low, high)
    sample = sorted(values[:: max(1, len(values) // MAX_SAMPLE)])
    rare = len(sample) // 200
    levels = Levels(sample[rare], sample[-1 - rare])
    return levels if levels.high > levels.low else Levels(low, high)


def _scale(levels: Levels, low: float, high: float) -> tuple[str, str, str]:
    """The words beside the scale of grey: what black and white are, and where the values lie."""
    black, white = short(levels.low), short(levels.high)
    behind = "one scale for the layer"
    if levels != (low, high):  # first what must not be cut
        behind = f"values {short(low)} to {short(high)}, {behind}"
    return f"≤ {black}" if levels.low > low else black, f"≥ {white}" if levels.high < high else white, behind


def _what(how: LayerMaps, shape: Shape) -> str:
    if how.is_vector:
        return words.plural(how.maps, "value")
    if how.is_rows:
        return f"{how.maps:,} rows of {how.width:,}" if how.maps > 1 else f"1 row of {how.width:,}"
    return f"{words.plural(how.maps, 'map')} of {words.shape(shape[1:])}"


def _bars(
    title: str, lines: Sequence[str], values: Sequence[float], low: float, high: float, first: int
) -> bytes:
    finite = [place for place, value in enumerate(values) if isfinite(value)]
    marked = max(finite, key=lambda place: values[place], default=None)
    own = list(lines)
    if marked is not None and len(values) > 1:
        own.append(f"largest: {short(values[marked])} at {first + marked:,}")
    drawing = bars.scene(
        Heading(title, tuple(own)), values, min(low, 0.0), max(high, 0.0), first=first, marked=marked
    )
    return png.image(drawing, round(drawing.width))


def _maps(
    title: str,
    lines: Sequence[str],
    scale: tuple[str, str, str] | None,
    values: Sequence[float],
    how: LayerMaps,
    levels: Levels,
    first: int,
) -> bytes:
    pixels = sheet.colours([sheet.greys(values, how.width, levels)])
    pictures = list(sheet.cut(pixels, how.height, how.slices))
    form = (
        sheet.strips(how.maps, how.width)
        if how.is_rows
        else sheet.grid(how.maps, pictures[0].width, how.height, sliced=how.slices > 1)
    )
    own = list(lines)
    if form.reduced > 1:
        each = f"{form.reduced}" if how.is_rows else f"{form.reduced}×{form.reduced}"
        own.append(f"reduced: each pixel is the mean of {each} values")
    return sheet.draw(Heading(title, tuple(own), scale), pictures, form, first=first)


def kernel_sheets(graph: Graph, node: Node, weights: Sequence[float], source: str) -> Iterator[bytes]:
    """PNG files with the filters of a convolution: in colour where they read three channels, else a grey picture for
    each channel. source: of the weights, in words."""
    (shape,) = [parameter.shape for parameter in node.parameters if parameter.name == "weight"]
    filters, channels, *kernel = shape
    height, width = (1, *kernel)[-2:]
    coloured = channels == 3
    slices = prod(kernel[:-2]) * (1 if coloured else channels)
    depth = prod(kernel[:-2])
    plane = height * width
    size = prod(shape[1:])
    what = f"{words.plural(filters, 'filter')} of {words.shape(shape[1:])}"
    lines = [f"{words.operator(node.op)} · {graph.name} · {source}"]
    if coloured:
        lines.append(
            "the weights of the three channels as red, green and blue; grey is 0, each filter on its own scale"
        )
    elif slices > 1:
        lines.append(
            f"each filter: its {slices} slices side by side; grey is 0, each filter on its own scale"
        )
    else:
        lines.append("grey is 0, white is positive, black negative; each filter on its own scale")
    parts = ceil(filters / MAX_MAPS)
    for part in range(parts):
        first, stop = part * MAX_MAPS, min(filters, (part + 1) * MAX_MAPS)
        pictures: list[Image] = []
        for place in range(first, stop):
            values = weights[place * size : (place + 1) * size]
            largest = max((abs(value) for value in values if isfinite(value)), default=0.0)
            levels = Levels(-largest, largest)
            if coloured:
                planes = [
                    values[channel * depth * plane : (channel + 1) * depth * plane] for channel in range(3)
                ]
                pixels = sheet.colours([sheet.greys(values, width, levels) for values in planes])
            else:
                pixels = sheet.colours([sheet.greys(values, width, levels)])
            pictures += sheet.cut(pixels, height, slices)
        title = f"{node.name}   {what}"
        if parts > 1:
            title += f", {first:,} to {stop - 1:,}"
        form = sheet.grid(len(pictures), pictures[0].width, height, sliced=slices > 1)
        yield sheet.draw(Heading(title, tuple(lines)), pictures, form, first=first)
