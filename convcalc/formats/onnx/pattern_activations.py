"""Activations that exporters take apart: silu, hardswish, mish, gelu, softplus."""

from __future__ import annotations

from math import pi, sqrt

from convcalc.formats.draft import DraftLayer, operator
from convcalc.formats.onnx.calls import Activation, Call, Value
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.pattern_tools import (
    made_by,
    number_of,
    pairs,
    plus,
    scaled,
)
from convcalc.ops import Operator
from convcalc.ops.add import Add
from convcalc.ops.erf import Erf
from convcalc.ops.hardsigmoid import Hardsigmoid
from convcalc.ops.multiply import Multiply
from convcalc.ops.scale import Scale
from convcalc.ops.sigmoid import Sigmoid
from convcalc.ops.softplus import Softplus
from convcalc.ops.tanh import Tanh


def gated(mapper: Mapper, call: Call) -> Value | None:
    """x·sigmoid(x), x·hardsigmoid(x) and x·tanh(softplus(x))."""
    for x, gate in pairs(call):
        if not isinstance(x, Activation) or not isinstance(gate, Activation):
            continue
        layer = mapper.layer(gate)
        if layer is None or x.own != gate.own:
            continue
        if isinstance(layer.op, Sigmoid) and layer.inputs == (x.layer,):
            return mapper.same(call, operator("silu"), x)
        if isinstance(layer.op, Hardsigmoid) and layer.op.is_papers and layer.inputs == (x.layer,):
            return mapper.same(call, operator("hardswish"), x)
        inner = made_by(mapper, layer.inputs[0], Softplus) if isinstance(layer.op, Tanh) else None
        if inner is not None and inner.inputs == (x.layer,) and inner.op == operator("softplus"):
            return mapper.same(call, operator("mish"), x)
    return None


def gelu(mapper: Mapper, call: Call) -> Value | None:
    """x/2·(1 + erf(x/√2)), with the half at any place, and the same with tanh."""
    left, right = call.value(0), call.value(1)
    for value, half in ((left, right), (right, left)):
        if number_of(half) == 0.5 and isinstance(value, Activation):
            product = made_by(mapper, value.layer, Multiply)
            if product is not None and len(product.inputs) == 2:
                for source, other in (product.inputs, product.inputs[::-1]):
                    found = _gelu_gate(mapper, source, other)
                    if found is not None and mapper.draft.shape(source) == value.own:
                        return value._replace(layer=mapper.add(call, found, [source]))
    if not isinstance(left, Activation) or not isinstance(right, Activation) or left.own != right.own:
        return None
    for value, gate in ((left, right), (right, left)):
        halved = made_by(mapper, value.layer, Scale)
        if halved is not None and halved.op == operator("scale", value=0.5):
            found = _gelu_gate(mapper, halved.inputs[0], gate.layer)
            if found is not None:
                return value._replace(layer=mapper.add(call, found, halved.inputs))
        halved = made_by(mapper, gate.layer, Scale)
        if halved is not None and halved.op == operator("scale", value=0.5):
            found = _gelu_gate(mapper, value.layer, halved.inputs[0])
            if found is not None:
                return value._replace(layer=mapper.add(call, found, [value.layer]))
    return None


def _gelu_gate(mapper: Mapper, x: int, gate: int) -> Operator | None:
    """gelu, if the gate is 1 + erf(x/√2), or 1 + tanh(√(2/π)·(x + 0.044715·x³))."""
    inner = plus(mapper, gate, 1.0)
    if inner is None:
        return None
    error = made_by(mapper, inner, Erf)
    if error is not None:
        return operator("gelu") if scaled(mapper, error.inputs[0], 1 / sqrt(2)) == x else None
    curve = made_by(mapper, inner, Tanh)
    total = scaled(mapper, curve.inputs[0], sqrt(2 / pi)) if curve is not None else None
    both = made_by(mapper, total, Add) if total is not None else None
    if both is None or len(both.inputs) != 2:
        return None
    for first, second in (both.inputs, both.inputs[::-1]):
        cube = scaled(mapper, second, 0.044715)
        power = made_by(mapper, cube, Multiply) if cube is not None else None
        if first == x and power is not None and _is_cube(mapper, power, x):
            return operator("gelu", approximate="tanh")
    return None


def _is_cube(mapper: Mapper, power: DraftLayer, x: int) -> bool:
    if power.inputs == (x, x, x):
        return True
    if x not in power.inputs or len(power.inputs) != 2:
        return False
    square = made_by(mapper, power.inputs[power.inputs[0] == x], Multiply)
    return square is not None and square.inputs == (x, x)


def softplus(mapper: Mapper, call: Call) -> Value | None:
    """Where(x > 20, x, softplus(x)), as PyTorch writes softplus: the two differ by less than 3e-9."""
    condition, x, curve = call.value(0), call.value(1), call.value(2)
    if (
        not isinstance(condition, Activation)
        or not isinstance(x, Activation)
        or not isinstance(curve, Activation)
    ):
        return None
    smooth = made_by(mapper, curve.layer, Softplus)
    compared = mapper.layer(condition)
    if smooth is None or compared is None or smooth.inputs != (x.layer,) or compared.call != "Greater":
        return None
    return curve if compared.inputs == (x.layer,) and mapper.thresholds.get(condition.layer) == 20 else None
