"""Stacks of maps in characters, as in the figure of LeNet-5."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt

from convcalc.analysis.boxes import Boxes
from convcalc.render.drawing.chain import Chain, Part, chain
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.scales import spatial
from convcalc.render.drawing.text_banks import Column, chain_lines, labels, symbol
from convcalc.render.layout import Line

HEIGHT = 6  # lines inside the largest map
POWER = 0.75
MAX_MAPS = 4  # of a stack
BAR = 10  # lines of the longest bar


def lines(
    boxes: Boxes, width: int | None, *, sizes: Sizes = "chw", marks: Mapping[int, str] | None = None
) -> Iterator[Line]:
    """A network as stacks of maps in lines of at most `width` columns. Parameters and errors as of `maps.draw`."""
    network = chain(boxes, "maps", marks)
    what = f"Of a layer at most {MAX_MAPS} maps are drawn." if network.has_maps else ""
    return chain_lines(network, lambda part, tag: _column(part, network, sizes, tag), what, width)


def _column(part: Part, network: Chain, sizes: Sizes, tag: str) -> Column:
    character, style, _ = symbol(part.kind)
    if part.form == "bar":
        rows = (character,) * max(1, round(BAR * sqrt(part.shape[0] / network.largest_bar)))
    else:
        rows = _stack(part, network, character)
    return Column(rows, style, labels(part, sizes, tag))


def _stack(part: Part, network: Chain, character: str) -> tuple[str, ...]:
    """Frames of maps, each further right and down by one; the front one is filled."""
    height, width = [
        max(1, round(HEIGHT * (size / network.largest_side) ** POWER)) for size in spatial(part.shape)
    ]
    width = 1 if len(part.shape) == 2 else 2 * width
    maps = min(part.shape[0], MAX_MAPS)
    grid = [[" "] * (width + 2 + maps - 1) for _ in range(height + 2 + maps - 1)]
    for place in range(maps):
        inside = character if place == maps - 1 else " "
        body = ["┌" + "─" * width + "┐", *["│" + inside * width + "│"] * height, "└" + "─" * width + "┘"]
        for row, text in enumerate(body):
            grid[place + row][place : place + len(text)] = list(text)
    return tuple(["".join(row).rstrip() for row in grid])
