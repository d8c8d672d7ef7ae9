"""Volumes in characters: a column of one character for each volume, as high as its maps and as wide as its channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt

from convcalc.analysis.boxes import Boxes
from convcalc.render.drawing.chain import Chain, Part, chain
from convcalc.render.drawing.lettering import Sizes
from convcalc.render.drawing.scales import spatial
from convcalc.render.drawing.text_banks import Column, chain_lines, labels, symbol
from convcalc.render.layout import Line

HEIGHT = 10  # lines, of the largest map and of the longest bar
MAX_WIDTH = 5
CHANNELS = 5  # √channels that a character stands for


def lines(
    boxes: Boxes, width: int | None, *, sizes: Sizes = "chw", marks: Mapping[int, str] | None = None
) -> Iterator[Line]:
    """A network as volumes in lines of at most `width` columns. Parameters and errors as of `volumes.draw`."""
    network = chain(boxes, "volumes", marks)
    what = (
        "Heights are drawn by the square root of a map's side or a vector's units, widths by that of the channels."
        if network.has_maps
        else "Heights are drawn by the square root of the units."
    )
    return chain_lines(network, lambda part, tag: _column(part, network, sizes, tag), what, width)


def _column(part: Part, network: Chain, sizes: Sizes, tag: str) -> Column:
    character, style, _ = symbol(part.kind)
    if part.form == "bar":
        height, width = HEIGHT * sqrt(part.shape[0] / network.largest_bar), 1
    else:
        height = HEIGHT * sqrt(spatial(part.shape)[0] / network.largest_side)
        width = min(max(1, round(sqrt(part.shape[0]) / CHANNELS)), MAX_WIDTH)
    rows = (character * width,) * max(1, round(height))
    return Column(rows, style, labels(part, sizes, tag))
