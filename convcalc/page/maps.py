"""The maps that layers made of an image, as small pictures for a page."""

from __future__ import annotations

import base64
import io
from array import array
from collections.abc import Sequence
from math import isfinite, prod
from typing import TYPE_CHECKING, Any

from convcalc.analysis.boxes import Boxes
from convcalc.graph import Graph
from convcalc.ops import Tensor
from convcalc.report import words
from convcalc.shapes import Shape

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

MAX_BYTES = 420_000  # of all pictures in a page, before base64
MAX_MAPS, ACROSS = 16, 8  # of one layer, and in a row
LARGEST, SMALLEST = 64, 12  # the longer side of a map, in pixels of the picture
SHOWN_SIDE = 44  # the same on the screen
BARS, BARS_HEIGHT = 320, 60  # a vector's picture: bars of a pixel at least


class Maps:
    """Takes the outputs of layers one by one and keeps a picture of each.

    layers: the last layer of each box of the network's whole drawing, by name. sheets: what the page has of them, by
    the place of its layer: `[[src, width, height, text]]`; of the other layers of the box the place of that one.
    """

    def __init__(self, graph: Graph, drawn: Boxes) -> None:
        boxes = [box for box in drawn.boxes if box.layers]
        self.layers = {graph.nodes[box.layers[-1]].name: box.layers for box in boxes}
        self.sheets: dict[int, list[list[Any]] | int] = {}
        self._room = MAX_BYTES // max(1, len(boxes))

    def take(self, name: str, tensor: Tensor) -> None:
        """Keep the picture of a layer's output, (C, *spatial) or (N,)."""
        picture, shown, text = sheet(tensor, self._room)
        made = [[_uri(picture), *shown, text]]
        *others, last = self.layers[name]
        self.sheets |= {last: made, **dict.fromkeys(others, last)}


def sheet(tensor: Tensor, room: int) -> tuple[Bitmap, tuple[int, int], str]:
    """The picture of an output, its size on the screen, and what it shows.

    Up to MAX_MAPS maps, light where a unit is high; a vector as bars. room: bytes that the picture should take.
    """
    shape = tensor.shape
    if prod(shape[1:]) == 1:
        return bars(tensor.values, prod(shape))
    height, width = plane(shape)
    size = height * width
    shown = min(MAX_MAPS, shape[0])
    step = prod(shape[1:])
    middle = (step // size // 2) * size  # of three spatial axes the middle of the first
    maps = [
        array("f", tensor.values[index * step + middle : index * step + middle + size])
        for index in range(shown)
    ]
    low, high = extremes([value for levels in maps for value in levels])
    scale = min(1.0, max(SMALLEST, min(LARGEST, (room / shown) ** 0.5)) / max(height, width))
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    made = grid([_grey(levels, width, height, low, high, (across, down)) for levels in maps])
    factor = SHOWN_SIDE / max(across, down)
    of = f"{shown} of {words.count(shape[0])} maps" if shown < shape[0] else words.plural(shown, "map")
    text = f"{of} of {'×'.join(map(str, shape[1:]))}, from {_number(low)} (dark) to {_number(high)}"
    return made, (round(made.width * factor), round(made.height * factor)), text


def plane(shape: Shape) -> tuple[int, int]:
    """The height and width of what is drawn of a map: of one axis a strip, of three the last two."""
    return (shape[-2], shape[-1]) if len(shape) > 2 else (1, shape[-1])


def extremes(values: Sequence[float]) -> tuple[float, float]:
    """The least and the largest finite value."""
    finite = [value for value in values if isfinite(value)]
    return (min(finite), max(finite)) if finite else (0.0, 0.0)


def _grey(
    levels: array[float], width: int, height: int, low: float, high: float, size: tuple[int, int]
) -> Bitmap:
    """A map in grey from `low`, black, to `high`, white, resized by means."""
    from PIL import Image

    span = (high - low) or 1.0
    clipped = array(
        "f",
        [
            255 * (value - low) / span if isfinite(value) else 0.0 if value != value or value < 0 else 255.0
            for value in levels
        ],
    )
    image = Image.frombytes("F", (width, height), clipped.tobytes())
    if size != image.size:
        image = image.resize(size, Image.Resampling.BOX)
    return image.convert("L")


def grid(maps: Sequence[Bitmap]) -> Bitmap:
    """Maps of equal size in rows, a pixel of white apart."""
    from PIL import Image

    across = min(ACROSS, len(maps))
    down = -(-len(maps) // across)
    wide, high = maps[0].size
    made = Image.new("L", (across * (wide + 1) - 1, down * (high + 1) - 1), 255)
    for number, image in enumerate(maps):
        made.paste(image, (number % across * (wide + 1), number // across * (high + 1)))
    return made


def bars(values: Sequence[float], count: int) -> tuple[Bitmap, tuple[int, int], str]:
    """A vector as bars about 0: where there are more numbers than pixels, each bar is the one farthest from 0."""
    from PIL import Image, ImageDraw

    numbers = [float(value) if isfinite(value) else 0.0 for value in values]
    columns = min(BARS, count)
    parts = [numbers[part * count // columns : (part + 1) * count // columns] for part in range(columns)]
    heights = [max(part, key=abs) for part in parts]
    low, high = min(0.0, *heights), max(0.0, *heights)
    span = (high - low) or 1.0
    wide = max(1, BARS // columns)
    made = Image.new("L", (columns * wide, BARS_HEIGHT), 255)
    pen = ImageDraw.Draw(made)
    zero = round((BARS_HEIGHT - 1) * high / span)
    for number, value in enumerate(heights):
        end = round((BARS_HEIGHT - 1) * (high - value) / span)
        right = (number + 1) * wide - (2 if wide > 3 else 1)
        pen.rectangle((number * wide, min(zero, end), right, max(zero, end)), fill=64)
    text = f"{words.count(count)} numbers as bars, from {_number(min(numbers))} to {_number(max(numbers))}"
    return made, made.size, text


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _uri(picture: Bitmap) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
