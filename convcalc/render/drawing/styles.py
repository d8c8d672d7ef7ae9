"""Which style a network is drawn in unless one is asked for."""

from __future__ import annotations

from typing import Literal

from convcalc.analysis.boxes import Boxes
from convcalc.errors import UsageError
from convcalc.render.drawing.chain import chain, is_chain

Style = Literal["volumes", "maps", "graph"]
MAX_MAPS = 16  # of a network that is drawn as maps


def default_style(boxes: Boxes) -> Style:
    """`volumes` for a chain of layers, `maps` for one that reads a single channel and has at most 16 maps anywhere
    (LeNet-5), else `graph`. boxes: with their branches."""
    if not is_chain(boxes):
        return "graph"
    try:
        network = chain(boxes, "volumes")
    except UsageError:  # tokens
        return "graph"
    solids = [part.shape for part in network.parts if part.form == "solid"]
    if solids and solids[0][0] == 1 and len(solids) > 1 and max(shape[0] for shape in solids) <= MAX_MAPS:
        return "maps"
    return "volumes"
