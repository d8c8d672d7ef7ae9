"""What the colours of a drawing's boxes show: figures by box, and what differs between the boxes of two networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.boxes import Box, Boxes
from convcalc.analysis.diff import Diff

Mark = Literal["same", "changed", "added", "removed"]


def box_values(
    analysis: Analysis, boxes: Boxes, quantity: str, seconds: Mapping[int, float] | None = None
) -> dict[int, float | None]:
    """A figure of each box by its key; None where there is none. A box that stands for copies counts once.

    quantity: macs, params, memory (bytes of its layers' outputs), field (pixels, the longest side of the receptive
    field of its last layer) or time. seconds: of each layer by its index, for time.
    """
    return {box.key: _value(analysis, box, quantity, seconds or {}) for box in boxes.boxes}


def _value(analysis: Analysis, box: Box, quantity: str, seconds: Mapping[int, float]) -> float | None:
    if not box.layers:  # an input
        return None
    if quantity == "macs":
        return box.macs
    if quantity == "params":
        return box.params
    if quantity == "memory":
        return box.activation_bytes
    if quantity == "time":
        return sum(seconds[layer] for layer in box.layers)
    field = analysis.layers[box.layers[-1]].receptive_field
    return None if field is None else float(max(field.size, default=1))


class PairedBoxes(NamedTuple):
    """The boxes of two networks. marks_a, marks_b: by the key of a box, what the difference makes of it; names: of
    boxes that correspond, A's and B's, in the order of A."""

    marks_a: Mapping[int, Mark]
    marks_b: Mapping[int, Mark]
    names: tuple[tuple[str, str], ...]


def pair_boxes(a: Boxes, b: Boxes, diff: Diff) -> PairedBoxes:
    """What differs between the boxes of two networks, as `diff` pairs their layers.

    A box is the same if all its layers are, in all its copies; added or removed if all are; else changed.
    """
    status_a = {pair.a.index: pair.status for pair in diff.pairs if pair.a is not None}
    status_b = {pair.b.index: pair.status for pair in diff.pairs if pair.b is not None}
    other = {pair.a.index: pair.b.index for pair in diff.pairs if pair.a is not None and pair.b is not None}
    home = {layer: box for box in b.boxes for layer in box.layers}
    names = [
        (box.name, home[other[layer]].name)
        for box in a.boxes
        for layer in box.layers[:1]
        if layer in other and other[layer] in home
    ]
    shapes_a, shapes_b = ([box.shape for box in boxes.boxes if not box.layers] for boxes in (a, b))
    inputs = [
        (first.name, second.name)
        for first, second in zip(
            [box for box in a.boxes if not box.layers],
            [box for box in b.boxes if not box.layers],
            strict=False,
        )
    ]
    return PairedBoxes(
        _marks(a.boxes, status_a, shapes_a == shapes_b),
        _marks(b.boxes, status_b, shapes_a == shapes_b),
        (*inputs, *names),
    )


def _marks(boxes: Sequence[Box], status: Mapping[int, Mark], same_inputs: bool) -> dict[int, Mark]:
    marks: dict[int, Mark] = {}
    for box in boxes:
        if not box.layers:
            marks[box.key] = "same" if same_inputs else "changed"
            continue
        found = {status[layer] for layers in (box.layers, *box.copies) for layer in layers}
        marks[box.key] = found.pop() if len(found) == 1 else "changed"
    return marks
