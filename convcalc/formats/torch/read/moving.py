"""Dimensions moved without the batch."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.formats.torch.read.mapping import Mapper, Value
from convcalc.ops import get


def permuted(mapper: Mapper, value: Value, order: Sequence[int]) -> Value:
    """The value with PyTorch's dimensions in another order; no layer if the batch alone moves."""
    shape = value.shape
    after = tuple(shape[dimension] for dimension in order)
    ours = [mapper.axis(shape, dimension) for dimension in order]
    sequence = tuple(axis for axis in ours if axis is not None)
    index = value.index
    op = mapper.draft.op(index)
    if op is not None and op.kind == "transpose":  # two in succession are one
        inner = op.shown_fields()["order"]
        sequence = tuple(inner[axis] for axis in sequence)
        index = mapper.draft.layers[index].inputs[0]
    if sequence == tuple(range(len(sequence))):
        return Value(index, after)
    size = mapper.draft.shape(index)
    moved = [axis for axis in sequence if size[axis] != 1]
    if moved == sorted(moved):  # dimensions of 1 move without moving a number
        return mapper.reshaped(Value(index, after), tuple(size[axis] for axis in sequence), after)
    return mapper.add(get("transpose")(order=sequence), (index,), after)  # type: ignore[call-arg]
