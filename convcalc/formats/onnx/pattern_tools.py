"""What patterns ask of the layers that a node reads."""

from __future__ import annotations

from convcalc.formats.draft import DraftLayer
from convcalc.formats.onnx.calls import Activation, Call, Unmapped, Value, decimal, without
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.values import FLOATS, Const
from convcalc.ops import Operator
from convcalc.ops.add import Add
from convcalc.ops.scale import Scale


def pairs(call: Call) -> list[tuple[Value, Value]]:
    """The two inputs in both orders."""
    if len(call.inputs) != 2:
        return []
    a, b = call.value(0), call.value(1)
    return [(a, b), (b, a)]


def made_by(mapper: Mapper, layer: int, kind: type[Operator]) -> DraftLayer | None:
    """The layer, if its operator is of a kind."""
    if layer < 0:
        return None
    found = mapper.draft.layers[layer]
    return found if isinstance(found.op, kind) else None


def number_of(value: Value | None) -> float | None:
    """A constant that is a single known number."""
    if not isinstance(value, Const) or value.count != 1 or not value.known:
        return None
    return decimal(float(value.values()[0]))


def vector_of(x: Activation, const: Value, dimension: int) -> Const | None:
    """A constant with one float for each index of a dimension of the draft's shape, broadcast along all others."""
    if not isinstance(const, Const) or const.dtype not in FLOATS or len(const.shape) > len(x.shape):
        return None
    wide = without((1,) * (len(x.shape) - len(const.shape)) + const.shape, x.axis)
    own = x.own
    if len(wide) != len(own) or any(size != 1 for place, size in enumerate(wide) if place != dimension):
        return None
    return const if const.count == own[dimension] else None


def close(a: float | None, b: float) -> bool:
    """Whether two numbers are the same 32-bit float, or nearly."""
    return a is not None and abs(a - b) <= 2e-7 * abs(b)


def plus(mapper: Mapper, index: int, number: float) -> int | None:
    """The layer to which a number is added, or None."""
    total = made_by(mapper, index, Add)
    if total is None or len(total.inputs) != 2:
        return None
    for value, constant in (total.inputs, total.inputs[::-1]):
        if close(mapper.numbers.get(constant), number) and mapper.draft.shape(value) == total.shape:
            return value
    return None


def added(mapper: Mapper, index: int) -> tuple[int, float] | None:
    """The layer to which a number is added, and the number."""
    total = made_by(mapper, index, Add)
    if total is None or len(total.inputs) != 2:
        return None
    for value, constant in (total.inputs, total.inputs[::-1]):
        number = mapper.numbers.get(constant)
        if number is not None and mapper.draft.shape(value) == total.shape:
            return value, number
    return None


def scaled(mapper: Mapper, index: int, factor: float) -> int | None:
    """The layer that is multiplied by a number, or None."""
    layer = made_by(mapper, index, Scale)
    if layer is None or not isinstance(layer.op, Scale) or not close(layer.op.value, factor):
        return None
    return layer.inputs[0]


def reshaped(mapper: Mapper, call: Call) -> Activation | None:
    """The result of a Reshape as if it needed no layer: its shape and batch."""
    before = len(mapper.draft.layers)
    try:
        found = mapper.handlers[call.op](mapper, call)
    except Unmapped:
        return None
    finally:
        del mapper.draft.layers[before:]
    return found if isinstance(found, Activation) else None
