"""Arithmetic of aten element by element, reductions, matrix products and attention."""

from __future__ import annotations

from array import array
from math import prod
from typing import Any

from convcalc.formats.draft import DraftLayer
from convcalc.formats.torch.read.layers import operator
from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value
from convcalc.formats.torch.read.records import Call, Stored, without_batch
from convcalc.ops import get
from convcalc.weights.tensors import StoredTensor, little_endian


def join(kind: str) -> Handler:
    """add, sub, mul, div, maximum and minimum of two tensors, or of a tensor and a number."""

    def binary(mapper: Mapper, call: Call) -> Value:
        first, second = call.arguments["self"], call.arguments["other"]
        if call.arguments.get("rounding_mode"):
            raise Unmapped("it rounds")
        if call.op.startswith("rsub"):
            first, second = second, first
        number = mapper.number(second)
        if number is not None:
            return _with_number(mapper, kind, mapper.value(first), number * _alpha(mapper, call))
        number = mapper.number(first)
        if number is not None:
            return _number_first(mapper, kind, number, mapper.value(second))
        left, right = _aligned(mapper, first), _aligned(mapper, second)
        factor = _alpha(mapper, call)
        if factor != 1:
            right = mapper.add(operator("scale", value=factor), (right,)).index
        return _joined(mapper, kind, left, right)

    return binary


def _alpha(mapper: Mapper, call: Call) -> float:
    alpha = call.arguments.get("alpha")
    return 1.0 if alpha is None else float(alpha)


def _joined(mapper: Mapper, kind: str, left: int, right: int) -> Value:
    """Two aligned layers joined: x·sigmoid(x), x·hardsigmoid(x) and a factor per channel have their own operators."""
    if kind == "multiply":
        for gate, other in ((left, right), (right, left)):
            op = mapper.draft.op(gate)
            if op is None:
                continue
            if op.kind in GATES and mapper.draft.layers[gate].inputs[0] == other:
                return mapper.add(operator(GATES[op.kind]), (other,))
            layer = mapper.draft.layers[gate]
            channels = mapper.draft.shape(other)[:1]
            if op.kind == "parameter" and layer.shape[:1] == channels and prod(layer.shape) == channels[0]:
                stored = layer.tensors[""]
                size = tuple(channels)
                entry = Stored(
                    size,
                    size,
                    stored.dtype,
                    stored.read,
                    key=f"{layer.path}",
                    learned=frozenset({layer.path}),
                )
                return mapper.add(operator("scale"), (other,), tensors={"weight": entry}, path=layer.path)
    return mapper.add(operator(kind), (left, right))


GATES = {"sigmoid": "silu", "hardsigmoid": "hardswish"}


def _with_number(mapper: Mapper, kind: str, value: Value, number: float) -> Value:
    """A layer and a number: a factor is a scale, 0 and 1 may be nothing, an offset a fixed tensor."""
    shape = mapper.result()
    if kind in ("add", "subtract"):
        offset = number if kind == "add" else -number
        if not offset:
            return Value(value.index, shape)
        fixed = _fixed(mapper, offset, len(mapper.size(value)))
        return mapper.add(operator("add"), (value.index, fixed))
    if kind in ("multiply", "divide"):
        if kind == "divide" and not number:
            raise Unmapped("it divides by 0")
        factor = number if kind == "multiply" else 1 / number
        if factor == 1:
            return Value(value.index, shape)
        if abs(factor - 1 / 6) < 1e-9:
            hard = _hard(mapper, value.index)
            if hard is not None:
                return hard
        return mapper.add(operator("scale", value=factor), (value.index,))
    bound = {"min": number} if kind == "maximum" else {"max": number}
    return mapper.add(operator("clip", **bound), (value.index,))


def _hard(mapper: Mapper, index: int) -> Value | None:
    """relu6(x + 3)/6 as hardsigmoid, x·relu6(x + 3)/6 as hardswish, of what is divided by 6; else None."""
    source = _shifted_relu6(mapper, index)
    if source is not None:
        return mapper.add(operator("hardsigmoid"), (source,))
    op = mapper.draft.op(index)
    if op is None or op.kind != "multiply":
        return None
    left, right = mapper.draft.layers[index].inputs
    for gate, other in ((left, right), (right, left)):
        if _shifted_relu6(mapper, gate) == other:
            return mapper.add(operator("hardswish"), (other,))
    return None


def _shifted_relu6(mapper: Mapper, index: int) -> int | None:
    """The layer x of relu6(x + 3), else None."""
    op = mapper.draft.op(index)
    if op is None or op.kind != "relu6":
        return None
    source = mapper.draft.layers[index].inputs[0]
    added = mapper.draft.op(source)
    if added is None or added.kind != "add":
        return None
    value, fixed = mapper.draft.layers[source].inputs
    layer = mapper.draft.layers[fixed] if fixed >= 0 else None
    if layer is None or layer.call != "number" or layer.tensors[""].values()[0] != 3:
        return None
    return value


def _number_first(mapper: Mapper, kind: str, number: float, value: Value) -> Value:
    """A number before the operator: 1 − x, 1/x."""
    if kind in ("add", "multiply", "maximum", "minimum"):
        return _with_number(mapper, kind, value, number)
    if kind == "subtract":
        negated = mapper.add(operator("negate"), (value.index,))
        return _with_number(mapper, "add", negated, number)
    inverse = mapper.add(operator("reciprocal"), (value.index,))
    return _with_number(mapper, "multiply", inverse, number)


def _fixed(mapper: Mapper, number: float, rank: int) -> int:
    """A layer that holds one number, in a shape of ones."""
    key = (f"number {number!r}", (1,) * rank)
    if key not in mapper.layers:
        data = little_endian(array("f", [number]))
        entry = StoredTensor("", (1,) * rank, "F32", lambda: data)
        op = get("parameter")(shape=(1,) * rank, initial=number, fixed=True)  # type: ignore[call-arg]
        mapper.layers[key] = mapper.draft.add(
            op, (), path=mapper.call.path, call="number", tensors={"": entry}
        )
    return mapper.layers[key]


def _aligned(mapper: Mapper, given: Any) -> int:
    """An operand of the current call as a layer of as many dimensions as the result, without the batch."""
    result = mapper.result()
    found = mapper.given(given)
    if not isinstance(found, (Value, Stored)):
        raise Unmapped("an operand is no tensor")
    full = (1,) * (len(result) - len(found.shape)) + tuple(found.shape)
    batch = mapper.program.batch
    place = result.index(batch) if batch in result else None
    rest = tuple(size for dimension, size in enumerate(full) if dimension != place)
    size = without_batch(rest, batch) if rest else (1,)
    if isinstance(found, Stored):
        return mapper.layer_of(found, size)
    return mapper.reshaped(found, size).index


def scaled_product(kind: str) -> Handler:
    """addcmul and addcdiv: x + value·a·b, x + value·a/b."""

    def combined(mapper: Mapper, call: Call) -> Value:
        names = ("self", "tensor1", "tensor2")
        first, left, right = (_aligned(mapper, call.arguments[name]) for name in names)
        number = mapper.number(call.arguments["value"])
        inner = _joined(mapper, kind, left, right)
        if number is None:
            raise Unmapped("its factor is not fixed")
        if number != 1:
            inner = mapper.add(operator("scale", value=number), (inner.index,))
        return mapper.add(operator("add"), (first, inner.index))

    return combined


def power(mapper: Mapper, call: Call) -> Value:
    """x², √x, 1/x, and products of them."""
    exponent = mapper.number(call.arguments["exponent"])
    value = mapper.value(call.arguments["self"])
    if exponent == 1:
        return value
    if exponent == 2:
        return mapper.add(operator("multiply"), (value.index, value.index))
    if exponent == 3:
        squared = mapper.add(operator("multiply"), (value.index, value.index))
        return mapper.add(operator("multiply"), (squared.index, value.index))
    if exponent in (0.5, -0.5):
        root = mapper.add(operator("sqrt"), (value.index,))
        return root if exponent > 0 else mapper.add(operator("reciprocal"), (root.index,))
    if exponent == -1:
        return mapper.add(operator("reciprocal"), (value.index,))
    raise Unmapped("the power is not known")


def square(mapper: Mapper, call: Call) -> Value:
    """x²."""
    index = mapper.value(call.arguments["self"]).index
    return mapper.add(operator("multiply"), (index, index))


def rsqrt(mapper: Mapper, call: Call) -> Value:
    """1/√x."""
    root = mapper.add(operator("sqrt"), (mapper.value(call.arguments["self"]).index,))
    return mapper.add(operator("reciprocal"), (root.index,))


def divide(mapper: Mapper, call: Call) -> Value:
    """A quotient; x/max(√Σx², eps) is l2norm."""
    unit = _unit(mapper, call)
    return unit if unit is not None else join("divide")(mapper, call)  # type: ignore[return-value]


def _unit(mapper: Mapper, call: Call) -> Value | None:
    value, by = mapper.given(call.arguments["self"]), mapper.given(call.arguments["other"])
    if not isinstance(value, Value) or not isinstance(by, Value) or by.index < 0:
        return None
    chain: list[DraftLayer] = []
    index = by.index
    while index >= 0 and len(chain) < 4:
        chain.append(mapper.draft.layers[index])
        index = chain[-1].inputs[0] if chain[-1].inputs else -1
    if [layer.op.kind for layer in chain] != ["clip", "sqrt", "reduce", "multiply"]:
        return None
    clip, _, total, squares = (layer.op for layer in chain)
    if squares is None or chain[3].inputs != (value.index, value.index):
        return None
    fields = clip.shown_fields()
    if fields["max"] is not None or not fields["min"] or fields["min"] <= 0:
        return None
    summed = total.shown_fields()
    if summed["mode"] != "sum":
        return None
    axis = summed["axis"]
    axis = tuple(axis) if isinstance(axis, list) else axis
    return mapper.add(operator("l2norm", axis=axis, eps=fields["min"]), (value.index,))


def glu(mapper: Mapper, call: Call) -> Value:
    """The first half times the sigmoid of the second."""
    value = mapper.value(call.arguments["self"])
    axis = mapper.axis(value.shape, call.arguments["dim"])
    if axis is None:
        raise Unmapped("it halves the batch")
    half = mapper.size(value)[axis] // 2
    first = mapper.add(operator("slice", axis=axis, start=0, stop=half), (value.index,))
    second = mapper.add(operator("slice", axis=axis, start=half), (value.index,))
    gate = mapper.add(operator("sigmoid"), (second.index,))
    return mapper.add(operator("multiply"), (first.index, gate.index))


HANDLERS: dict[str, Handler] = {
    "add": join("add"), "sub": join("subtract"), "rsub": join("subtract"), "mul": join("multiply"), "div": divide,
    "true_divide": divide, "maximum": join("maximum"), "minimum": join("minimum"),
    "addcmul": scaled_product("multiply"), "addcdiv": scaled_product("divide"),
    "pow": power, "square": square, "rsqrt": rsqrt, "glu": glu,
}  # fmt: skip
