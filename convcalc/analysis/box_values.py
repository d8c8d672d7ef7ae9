"""A number for each box of a drawing, by which boxes are coloured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.boxes import Box, Boxes

Quantity = Literal["macs", "params", "memory", "time", "field"]
QUANTITIES: tuple[Quantity, ...] = ("macs", "params", "memory", "time", "field")


def box_values(
    analysis: Analysis, boxes: Boxes, quantity: Quantity, seconds: Mapping[str, float] | None = None
) -> tuple[float | None, ...]:
    """Per box, in order: MACs, params, the bytes of its layers' outputs (`memory`), seconds (`time`), or the largest
    side of its output's receptive field in pixels (`field`), on the first input that reaches it.

    None for the network's inputs, for MACs and params of an operator that convcalc does not know, for a box whose
    layers ran as part of others (`time`), and where no single receptive field fits. A box in a frame stands for one
    copy, the first. seconds: by the name of each layer, for `time`; a layer that ran as part of another has none.
    """
    return tuple([_value(analysis, box, quantity, seconds or {}) for box in boxes.boxes])


def _value(analysis: Analysis, box: Box, quantity: Quantity, seconds: Mapping[str, float]) -> float | None:
    if not box.layers:
        return None
    known = all(analysis.graph.nodes[layer].op.is_known for layer in box.layers)
    if quantity in ("macs", "params") and not known:
        return None
    if quantity == "macs":
        return box.macs
    if quantity == "params":
        return box.params
    if quantity == "memory":
        return box.activation_bytes
    if quantity == "time":
        names = [analysis.layers[layer].name for layer in box.layers]
        ran = [seconds[name] for name in names if name in seconds]
        return sum(ran) if ran else None
    field = analysis.layers[box.layers[-1]].receptive_field
    return None if field is None else float(max(field.size, default=1))
