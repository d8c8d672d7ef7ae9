"""QuantizeLinear and DequantizeLinear between layers, with their float meaning: they are left out.

What they cut off is not always left out: tools that quantise a model remove a Relu or Clip whose bound is the end of
the type's range, as in the range 0 to 255 with zero point 0. There the cut is the activation, and stands as relu or
relu6 again.
"""

from __future__ import annotations

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Call, Value
from convcalc.formats.onnx.mapper import Handler, Mapper
from convcalc.formats.onnx.numbers import BITS, INTEGERS, TYPES

NOTE = "QuantizeLinear and DequantizeLinear between layers are left out: their rounding is not computed"
# Operators whose result is negative nowhere, and those for which that follows from their inputs.
NOT_NEGATIVE = frozenset({"abs", "exp", "hardsigmoid", "sigmoid", "softmax", "softplus", "sqrt"})
KEEPS_SIGN = frozenset({
    "add", "adaptive_avgpool", "adaptive_maxpool", "avgpool", "channel_shuffle", "concat", "crop", "dropout", "flatten",
    "global_avgpool", "global_maxpool", "identity", "maximum", "maxpool", "minimum", "multiply", "pad", "pixel_shuffle",
    "pixel_unshuffle", "reshape", "roll", "select", "slice", "transpose", "upsample",
})  # fmt: skip


def quantise(mapper: Mapper, call: Call) -> Value:
    """QuantizeLinear of an activation: itself, or relu or relu6 if negative numbers would become 0."""
    mapper.draft.notes.append(NOTE)
    x = call.activation()._replace(integral=False)
    if not _cuts_at_zero(call) or _not_negative(mapper, x.layer):
        return x
    return mapper.same(call, operator("relu6" if _ends_at_six(call) else "relu"), x)


def dequantise(mapper: Mapper, call: Call) -> Value:
    """DequantizeLinear of an activation: itself."""
    mapper.draft.notes.append(NOTE)
    return call.activation()._replace(integral=False)


def _type(call: Call) -> str:
    zero = call.optional(2)
    return zero.dtype if zero is not None else TYPES.get(call.integer("output_dtype", 0) or 2, "")


def _bounds(dtype: str) -> tuple[int, int]:
    bits = BITS[dtype]
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype[0] == "I" else (0, (1 << bits) - 1)


def _zero(call: Call) -> int:
    numbers = call.whole(2)
    return numbers[0] if numbers else 0


def _cuts_at_zero(call: Call) -> bool:
    """Whether the smallest integer stands for 0: numbers are of a type of integers, with one zero point."""
    dtype = _type(call)
    zero = call.optional(2)
    if (
        dtype not in INTEGERS
        or dtype == "BOOL"
        or (zero is not None and not (zero.known and zero.count == 1))
    ):
        return False
    return _zero(call) == _bounds(dtype)[0]


def _ends_at_six(call: Call) -> bool:
    """Whether the largest integer stands for 6, within half a step."""
    scale = call.optional(1)
    if scale is None or not scale.known or scale.count != 1:
        return False
    (step,) = scale.values()
    return bool(abs((_bounds(_type(call))[1] - _zero(call)) * step - 6) < step / 2)


def _not_negative(mapper: Mapper, layer: int) -> bool:
    """Whether no number of a layer's output is negative, as far as its operators tell. Inputs of the network are taken
    to have the range that the model gives them."""
    stack, seen = [layer], set()
    while stack:
        index = stack.pop()
        if index < 0 or index in seen:
            continue
        seen.add(index)
        found = mapper.draft.layers[index]
        bound = found.op.bound
        if found.op.kind in NOT_NEGATIVE or (bound is not None and bound[0] >= 0):
            continue
        if found.op.kind not in KEEPS_SIGN:
            return False
        stack += found.inputs
    return True


HANDLERS: dict[str, Handler] = {"QuantizeLinear": quantise, "DequantizeLinear": dequantise}
