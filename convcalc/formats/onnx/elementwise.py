"""Mapping of activations, of arithmetic on elements and of joins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, prod

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Unmapped, Value, decimal
from convcalc.formats.onnx.fold_tools import TYPES
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.values import FLOATS, INTEGERS, Const

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]


def pointwise(kind: str, **numbers: tuple[str, float]) -> Handler:
    """An operator on every element. numbers: our field, with ONNX's attribute and its default."""

    def mapped(mapper: Mapper, call: Call) -> Value:
        fields = {ours: call.number(theirs, default) for ours, (theirs, default) in numbers.items()}
        return mapper.same(call, operator(kind, **fields), call.activation())

    return mapped


def hard_sigmoid(mapper: Mapper, call: Call) -> Value:
    """HardSigmoid; a slope of one sixth, as PyTorch has it, is exact again."""
    alpha, beta = call.number("alpha", 0.2), call.number("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-7:
        alpha = 1 / 6
    return mapper.same(call, operator("hardsigmoid", alpha=alpha, beta=beta), call.activation())


def unary_gelu(mapper: Mapper, call: Call) -> Value:
    return mapper.same(
        call, operator("gelu", approximate=call.text("approximate", "none")), call.activation()
    )


def swish(mapper: Mapper, call: Call) -> Value:
    """Swish with a factor of 1, which is silu."""
    x = call.activation()
    alpha = call.number("alpha", 1.0)
    if alpha == 1:
        return mapper.same(call, operator("silu"), x)
    gate = mapper.same(call, operator("sigmoid"), mapper.same(call, operator("scale", value=alpha), x))
    return x._replace(layer=mapper.add(call, operator("multiply"), [x.layer, gate.layer]))


def clip(mapper: Mapper, call: Call) -> Value:
    """Clip: bounds are attributes before opset 11, inputs since. 0 to 6 is relu6, 0 and no upper bound relu."""
    x = call.activation()
    low, high = call.attribute("min"), call.attribute("max")
    if call.opset >= 11 or len(call.inputs) > 1:
        low, high = ((bound[0] if bound else None) for bound in (call.numbers(1), call.numbers(2)))
    elif low is not None and low < -3.4e38:
        low = None
    if high is not None and call.opset < 11 and high > 3.4e38:
        high = None
    low, high = (None if bound in (None, -inf, inf) else decimal(float(bound)) for bound in (low, high))
    if low is None and high is None:
        return x
    if low == 0 and high in (6, None):
        return mapper.same(call, operator("relu6" if high else "relu"), x)
    return mapper.same(call, operator("clip", min=low, max=high), x)


def prelu(mapper: Mapper, call: Call) -> Value:
    """PRelu with one slope, or one a channel."""
    x, slope = call.activation(), call.const(1)
    if slope.count == 1:
        op, shape = operator("prelu"), (1,)
    else:
        shape = (x.own[0],)
        wide = (1,) * (len(x.shape) - len(slope.shape)) + slope.shape
        place = 1 if x.axis == 0 else 0
        if (
            x.axis not in (0, None)
            or slope.count != shape[0]
            or len(wide) <= place
            or wide[place] != shape[0]
        ):
            return _slopes(mapper, call, x, slope)
        op = operator("prelu", per_channel=True)
    layer = mapper.add(
        call,
        op,
        [x.layer],
        {"weight": slope.stored(shape)},
        path=mapper.paths.of_kernel(call.node, _name(slope)),
    )
    return x._replace(layer=layer)


def _slopes(mapper: Mapper, call: Call, x: Activation, slope: Const) -> Value:
    """PRelu with other slopes: max(x, 0) + slope·min(x, 0)."""
    above = mapper.same(call, operator("relu"), x)
    below = mapper.same(call, operator("clip", max=0.0), x)
    layers, shape = mapper.aligned(Call(call.node, call.opset, [below, slope]))
    product = shape._replace(layer=mapper.add(call, operator("multiply"), layers))
    return above._replace(layer=mapper.add(call, operator("add"), [above.layer, product.layer]))


def passed(mapper: Mapper, call: Call) -> Value:
    """Operators that return their input at inference, of which no layer is made."""
    return call.activation()


def dropout(mapper: Mapper, call: Call) -> Sequence[Value | None]:
    """Dropout at inference, which has no effect; in training it is not mapped."""
    training = call.numbers(2)
    ratio = call.numbers(1)
    if training and training[0] and not (ratio and ratio[0] == 0):
        raise Unmapped("dropout in training")
    x = call.activation()
    return [x, Const(x.shape, "BOOL", values=[1] * prod(x.shape)) if _is_read(mapper, call, 1) else None]


def _is_read(mapper: Mapper, call: Call, place: int) -> bool:
    names = call.node.outputs[place : place + 1]
    return bool(names and names[0] and mapper.uses[names[0]])


def cast(mapper: Mapper, call: Call) -> Value:
    """Conversion between types of floats, which is left out."""
    given = call.value(0)
    if isinstance(given, Const):  # CastLike of an activation
        if call.activation(1).integral or not given.integral:
            return given
        return Const(
            given.shape, "F32", sources=(given,), rule=lambda arrays: list(map(float, arrays[0].values))
        )
    dtype = TYPES.get(call.integer("to", 0)) if call.op == "Cast" else None
    if call.op == "CastLike":
        like = call.value(1)
        dtype = like.dtype if isinstance(like, Const) else "F32"
    if dtype in FLOATS or (dtype in INTEGERS and dtype != "BOOL" and call.activation().integral):
        return call.activation()
    raise Unmapped(f"a conversion to {dtype or 'another type'}")


def join(kind: str) -> Handler:
    """A join of several inputs, which are broadcast to each other."""

    def mapped(mapper: Mapper, call: Call) -> Value:
        if len(call.inputs) == 1:
            return call.activation()
        simple = _by_number(mapper, call, kind)
        if simple is not None:
            return simple
        if kind == "divide" and any(isinstance(v, Activation) and v.integral for v in call.inputs):
            raise Unmapped("a division of integers, which truncates")
        layers, result = mapper.aligned(call)
        integral = all(v.integral for v in call.inputs if v is not None)
        return result._replace(layer=mapper.add(call, operator(kind), layers), integral=integral)

    return mapped


def _by_number(mapper: Mapper, call: Call, kind: str) -> Value | None:
    """A join with a single number as a layer without parameters; None if there is no such layer."""
    if len(call.inputs) != 2:
        return None
    left, right = call.value(0), call.value(1)
    x, const = (left, right) if isinstance(left, Activation) else (right, left)
    if not isinstance(const, Const) or not isinstance(x, Activation) or const.count != 1 or not const.known:
        return None
    if len(const.shape) > len(x.shape) or x.integral:
        return None
    number = decimal(float(const.values()[0]))
    if kind == "multiply":
        return x if number == 1 else mapper.same(call, operator("scale", value=number), x)
    if kind == "divide" and x is left:
        if number == 0:
            return None
        return x if number == 1 else mapper.same(call, operator("scale", value=1 / number), x)
    if kind == "divide" and number == 1:
        return mapper.same(call, operator("reciprocal"), x)
    if (kind == "add" or (kind == "subtract" and x is left)) and number == 0:
        return x
    if kind in ("maximum", "minimum"):
        if kind == "maximum" and number == 0:
            return mapper.same(call, operator("relu"), x)
        return mapper.same(call, operator("clip", **{"min" if kind == "maximum" else "max": number}), x)
    return None


def mean(mapper: Mapper, call: Call) -> Value:
    """The mean of several inputs: their sum, scaled."""
    if len(call.inputs) == 1:
        return call.activation()
    layers, result = mapper.aligned(call)
    total = result._replace(layer=mapper.add(call, operator("add"), layers))
    return mapper.same(call, operator("scale", value=1 / len(layers)), total)


def power(mapper: Mapper, call: Call) -> Value:
    """Powers with an exponent of 2, 1/2, 1 or −1."""
    x, exponent = call.activation(), call.numbers(1)
    if exponent is None or len(exponent) != 1:
        raise Unmapped("an exponent that is not a single number")
    number = decimal(float(exponent[0]))
    if number == 1:
        return x
    if number in (2, 3):
        return x._replace(layer=mapper.add(call, operator("multiply"), [x.layer] * int(number)))
    if number in (0.5, -1):
        return mapper.same(call, operator("sqrt" if number > 0 else "reciprocal"), x)
    raise Unmapped(f"a power of {number:g}")


def _name(const: Const) -> str:
    return const.tensor.name if const.tensor is not None else ""


HANDLERS: dict[str, Handler] = {
    **{
        theirs: pointwise(ours)
        for theirs, ours in {
            "Abs": "abs", "Erf": "erf", "Exp": "exp", "HardSwish": "hardswish", "Log": "log", "Mish": "mish",
            "Neg": "negate", "Reciprocal": "reciprocal", "Relu": "relu", "Sigmoid": "sigmoid",
            "Softplus": "softplus", "Sqrt": "sqrt", "Tanh": "tanh",
        }.items()
    },
    "Elu": pointwise("elu", alpha=("alpha", 1.0)), "Celu": pointwise("celu", alpha=("alpha", 1.0)),
    "LeakyRelu": pointwise("leaky_relu", slope=("alpha", 0.01)),
    "Selu": pointwise("selu", alpha=("alpha", 1.67326319217681884765625), scale=("gamma", 1.05070102214813232421875)),
    "HardSigmoid": hard_sigmoid, "Gelu": unary_gelu, "com.microsoft:Gelu": unary_gelu, "Swish": swish,
    "Clip": clip, "PRelu": prelu, "Identity": passed, "Dropout": dropout, "Cast": cast, "CastLike": cast,
    "Add": join("add"), "Sum": join("add"), "Sub": join("subtract"), "Mul": join("multiply"),
    "Div": join("divide"), "Max": join("maximum"), "Min": join("minimum"), "Mean": mean, "Pow": power,
}  # fmt: skip
