"""Reshapes and transposes that are one of our operators."""

from __future__ import annotations

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Value
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.pattern_tools import (
    made_by,
    reshaped,
)
from convcalc.ops.reshape import Reshape
from convcalc.ops.transpose import Transpose


def shuffled(mapper: Mapper, call: Call) -> Value | None:
    """Reshape of the channels to groups, transpose of the groups, and reshape back: channel_shuffle."""
    value = call.value(0)
    turned = made_by(mapper, value.layer, Transpose) if isinstance(value, Activation) else None
    split = made_by(mapper, turned.inputs[0], Reshape) if turned is not None else None
    if turned is None or split is None or not isinstance(turned.op, Transpose):
        return None
    plain = reshaped(mapper, call)
    shape = mapper.draft.shape(split.inputs[0])
    count, channels, *rest = split.shape
    order = (1, 0, *range(2, len(split.shape)))
    if plain is None or plain.own != shape or turned.op.order != order or len(split.shape) != len(shape) + 1:
        return None
    if (count * channels, *rest) != shape:
        return None
    return plain._replace(layer=mapper.add(call, operator("channel_shuffle", groups=count), split.inputs))
