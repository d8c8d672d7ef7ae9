"""Several nodes as one of our operators: activations, normalisations and biases that exporters take apart.

A pattern is tried at the node that ends it, before that node is mapped by itself, and looks back at the layers that
the node reads. What it makes reads the pattern's first input, so it is right whatever else reads the layers between;
those that nothing reads are dropped. Only a bias moves into the layer before it, if nothing else reads that layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import pi, prod, sqrt

from convcalc.formats.draft import DraftLayer, operator
from convcalc.formats.onnx.calls import Activation, Call, Unmapped, Value, decimal, without
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.norms import filled
from convcalc.formats.onnx.values import FLOATS, Const
from convcalc.ops import Operator, axis_dimensions
from convcalc.ops.add import Add
from convcalc.ops.avgpool import Avgpool
from convcalc.ops.clip import Clip
from convcalc.ops.concat import Concat
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
from convcalc.ops.dense import Dense
from convcalc.ops.erf import Erf
from convcalc.ops.groupnorm import Groupnorm
from convcalc.ops.hardsigmoid import Hardsigmoid
from convcalc.ops.instancenorm import Instancenorm
from convcalc.ops.layernorm import Layernorm
from convcalc.ops.multiply import Multiply
from convcalc.ops.pad import Pad
from convcalc.ops.reduce import Reduce
from convcalc.ops.reshape import Reshape
from convcalc.ops.scale import Scale
from convcalc.ops.sigmoid import Sigmoid
from convcalc.ops.softplus import Softplus
from convcalc.ops.sqrt import Sqrt
from convcalc.ops.subtract import Subtract
from convcalc.ops.tanh import Tanh
from convcalc.ops.transpose import Transpose
from convcalc.shapes import Shape

Pattern = Callable[[Mapper, Call], "Value | None"]


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


# -- activations ----------------------------------------------------------------------------------------


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
    inner = _plus(mapper, gate, 1.0)
    if inner is None:
        return None
    error = made_by(mapper, inner, Erf)
    if error is not None:
        return operator("gelu") if _scaled(mapper, error.inputs[0], 1 / sqrt(2)) == x else None
    curve = made_by(mapper, inner, Tanh)
    total = _scaled(mapper, curve.inputs[0], sqrt(2 / pi)) if curve is not None else None
    both = made_by(mapper, total, Add) if total is not None else None
    if both is None or len(both.inputs) != 2:
        return None
    for first, second in (both.inputs, both.inputs[::-1]):
        cube = _scaled(mapper, second, 0.044715)
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


def _plus(mapper: Mapper, index: int, number: float) -> int | None:
    """The layer to which a number is added, or None."""
    total = made_by(mapper, index, Add)
    if total is None or len(total.inputs) != 2:
        return None
    for value, constant in (total.inputs, total.inputs[::-1]):
        if close(mapper.numbers.get(constant), number) and mapper.draft.shape(value) == total.shape:
            return value
    return None


def _added(mapper: Mapper, index: int) -> tuple[int, float] | None:
    """The layer to which a number is added, and the number."""
    total = made_by(mapper, index, Add)
    if total is None or len(total.inputs) != 2:
        return None
    for value, constant in (total.inputs, total.inputs[::-1]):
        number = mapper.numbers.get(constant)
        if number is not None and mapper.draft.shape(value) == total.shape:
            return value, number
    return None


def _scaled(mapper: Mapper, index: int, factor: float) -> int | None:
    """The layer that is multiplied by a number, or None."""
    layer = made_by(mapper, index, Scale)
    if layer is None or not isinstance(layer.op, Scale) or not close(layer.op.value, factor):
        return None
    return layer.inputs[0]


# -- biases and factors ---------------------------------------------------------------------------------


def bias(mapper: Mapper, call: Call) -> Value | None:
    """A vector added to the output of a dense layer or a convolution without bias, or to a normalisation."""
    for x, const in pairs(call):
        layer = mapper.layer(x) if isinstance(x, Activation) else None
        if layer is None or not isinstance(x, Activation) or not mapper.read_once(x) or layer.shape != x.own:
            continue
        op = layer.op
        if isinstance(op, (Dense, Conv, Deconv)) and not op.bias:
            vector = vector_of(x, const, len(x.own) - 1 if isinstance(op, Dense) else 0)
            if vector is None or not _same_for_owner(mapper, layer, vector):
                continue
            layer.op = replace(op, bias=True)
            layer.tensors = {**layer.tensors, "bias": vector.stored((vector.count,))}
            layer.path = _path_by_bias(layer.path, vector)
            return x
        if isinstance(op, (Layernorm, Groupnorm)) and x.layer in mapper.unfinished:
            stored = _affine(x, const, op)
            if stored is not None:
                mapper.unfinished.discard(x.layer)
                layer.tensors = {**layer.tensors, "bias": stored[0].stored(stored[1])}
                return x
    return None


def _same_for_owner(mapper: Mapper, layer: DraftLayer, vector: Const) -> bool:
    """Whether a layer that shares weights would share the bias as well."""
    if layer.shares is None:
        return True
    owner = mapper.draft.layers[layer.shares]
    name = vector.tensor.name if vector.tensor is not None else None
    return "bias" in owner.tensors and owner.tensors["bias"].name == name


def _path_by_bias(path: str, vector: Const) -> str:
    """The path by the name of the bias, which keeps its name where the exporter transposes the matrix."""
    name = vector.tensor.name if vector.tensor is not None else ""
    own = name.removesuffix(".bias")
    if own != name and (own.rpartition(".")[0] in (path, path.rpartition(".")[0])):
        return own
    return path


def factor(mapper: Mapper, call: Call) -> Value | None:
    """A product with one number a channel: scale, or the weights of a normalisation."""
    for x, const in pairs(call):
        if not isinstance(x, Activation) or not isinstance(const, Const):
            continue
        layer = mapper.layer(x)
        if layer is not None and isinstance(layer.op, (Layernorm, Groupnorm)) and not layer.op.affine:
            stored = _affine(x, const, layer.op)
            if stored is not None and mapper.read_once(x) and layer.shape == x.own:
                layer.op = replace(layer.op, affine=True)
                zeros = filled(stored[0].count, 0.0)
                layer.tensors = {"weight": stored[0].stored(stored[1]), "bias": zeros.stored(stored[1])}
                mapper.unfinished.add(x.layer)
                return x
        vector = vector_of(x, const, 0)
        if vector is None or vector.count < 2:
            continue
        name = vector.tensor.name if vector.tensor is not None else ""
        own = mapper.paths.of(call.node)
        own = name.removesuffix(".weight") if name.endswith(".weight") else own
        tensors = {"weight": vector.stored((vector.count,))}
        return x._replace(layer=mapper.add(call, operator("scale"), [x.layer], tensors, path=own))
    return None


def _affine(x: Activation, const: Value, op: Layernorm | Groupnorm) -> tuple[Const, Shape] | None:
    """A constant as the weights of a normalisation, and their shape; None if it is broadcast in another way."""
    if not isinstance(const, Const) or const.dtype not in FLOATS or len(const.shape) > len(x.shape):
        return None
    own = x.own
    over = op.dimensions(own) if isinstance(op, Layernorm) else (0,)
    wide = without((1,) * (len(x.shape) - len(const.shape)) + const.shape, x.axis)
    shape = tuple(own[axis] for axis in over)
    if len(wide) != len(own) or any(size != (own[d] if d in over else 1) for d, size in enumerate(wide)):
        return None
    return (const, shape) if const.count == prod(shape) else None


# -- normalisations -------------------------------------------------------------------------------------


def normalised(mapper: Mapper, call: Call) -> Value | None:
    """(x − mean)/√(variance + eps), which is layernorm without weights."""
    centred, deviation = call.value(0), call.value(1)
    if not isinstance(centred, Activation) or not isinstance(deviation, Activation):
        return None
    root = made_by(mapper, deviation.layer, Sqrt)
    shifted = _added(mapper, root.inputs[0]) if root is not None else None
    difference = made_by(mapper, centred.layer, Subtract)
    if shifted is None or difference is None or shifted[1] <= 0:
        return None
    variance, eps = made_by(mapper, shifted[0], Reduce), shifted[1]
    x, mean = difference.inputs
    average = made_by(mapper, mean, Reduce)
    if variance is None or average is None or average.inputs != (x,) or average.op != variance.op:
        return None
    square = made_by(mapper, variance.inputs[0], Multiply)
    over = average.op
    if square is None or len(square.inputs) != 2 or not isinstance(over, Reduce):
        return None
    if any(not _is_difference(mapper, part, x, mean) for part in square.inputs):
        return None
    if over.mode != "mean" or not over.keep or mapper.draft.shape(x) != centred.own:
        return None
    op = operator("layernorm", axis=over.axis, eps=eps, affine=False)
    return centred._replace(layer=mapper.add(call, op, [x]))


def unit_length(mapper: Mapper, call: Call) -> Value | None:
    """x / max(√Σx², eps) along one dimension, the length repeated along it or broadcast: l2norm."""
    x, divisor = call.value(0), call.value(1)
    if not isinstance(x, Activation) or not isinstance(divisor, Activation):
        return None
    index = divisor.layer
    repeats = made_by(mapper, index, Concat)
    axis: int | None = None
    if repeats is not None and len(set(repeats.inputs)) == 1:
        axis = axis_dimensions(repeats.op.axis, len(repeats.shape))[0]  # type: ignore[attr-defined]
        index = repeats.inputs[0]
    bounded = made_by(mapper, index, Clip)
    if (
        bounded is None
        or not isinstance(bounded.op, Clip)
        or bounded.op.max is not None
        or not bounded.op.min
    ):
        return None
    root = made_by(mapper, bounded.inputs[0], Sqrt)
    total = made_by(mapper, root.inputs[0], Reduce) if root is not None else None
    square = made_by(mapper, total.inputs[0], Multiply) if total is not None else None
    if (
        total is None
        or square is None
        or not isinstance(total.op, Reduce)
        or square.inputs != (x.layer, x.layer)
    ):
        return None
    over = total.op.over(len(x.own))
    if total.op.mode != "sum" or not total.op.keep or bounded.op.min <= 0 or len(over) != 1:
        return None
    if axis not in (None, over[0]) or mapper.draft.shape(divisor.layer) not in (x.own, total.shape):
        return None
    return mapper.same(call, operator("l2norm", axis=over[0], eps=bounded.op.min), x)


def _is_difference(mapper: Mapper, index: int, x: int, mean: int) -> bool:
    layer = made_by(mapper, index, Subtract)
    return layer is not None and layer.inputs == (x, mean)


def groups(mapper: Mapper, call: Call) -> Value | None:
    """Reshape to groups, InstanceNormalization with weights 1 and 0, and Reshape back: groupnorm without weights."""
    value = call.value(0)
    norm = made_by(mapper, value.layer, Instancenorm) if isinstance(value, Activation) else None
    regrouped = made_by(mapper, norm.inputs[0], Reshape) if norm is not None else None
    if norm is None or regrouped is None or not isinstance(norm.op, Instancenorm):
        return None
    plain = _reshaped(mapper, call)
    x = regrouped.inputs[0]
    if plain is None or mapper.draft.shape(x) != plain.own:
        return None
    count = norm.shape[0]
    weight, offset = (list(norm.tensors[name].values()) for name in ("weight", "bias") if count <= 64)
    if len(norm.shape) != 2 or plain.own[0] % count or set(weight) != {1.0} or set(offset) != {0.0}:
        return None
    op = operator("groupnorm", groups=count, eps=norm.op.eps, affine=False)
    return plain._replace(layer=mapper.add(call, op, [x]))


def _reshaped(mapper: Mapper, call: Call) -> Activation | None:
    """The result of a Reshape as if it needed no layer: its shape and batch."""
    before = len(mapper.draft.layers)
    try:
        found = mapper.handlers[call.op](mapper, call)
    except Unmapped:
        return None
    finally:
        del mapper.draft.layers[before:]
    return found if isinstance(found, Activation) else None


def lrn_divisor(mapper: Mapper, call: Call) -> Value | None:
    """(k + alpha·mean of neighbours' squares)^beta, the divisor of lrn. The base is positive, so the power is computed
    as e^(beta·ln) where something else reads it."""
    base, beta = call.value(0), number_of(call.given(1))
    if not isinstance(base, Activation) or beta is None:
        return None
    shifted = _added(mapper, base.layer)
    if shifted is None or shifted[1] <= 0:
        return None
    mean, alpha = shifted[0], 1.0
    scaled = made_by(mapper, mean, Scale)
    if scaled is not None and isinstance(scaled.op, Scale) and scaled.op.value is not None:
        mean, alpha = scaled.inputs[0], scaled.op.value
    found = _neighbours(mapper, mean)
    if found is None or alpha < 0:
        return None
    x, size = found
    op = operator("lrn", size=size, alpha=alpha, beta=beta, k=shifted[1])
    result = base
    for step in (operator("log"), operator("scale", value=beta), operator("exp")):
        result = mapper.same(call, step, result)
    mapper.divisors[result.layer] = x, op
    return result


def _neighbours(mapper: Mapper, index: int) -> tuple[int, int] | None:
    """The layer whose squares are averaged over neighbouring channels, and the number of these."""
    back = made_by(mapper, index, Reshape)
    pool = made_by(mapper, back.inputs[0], Avgpool) if back is not None else None
    padded = made_by(mapper, pool.inputs[0], Pad) if pool is not None else None
    lifted = made_by(mapper, padded.inputs[0], Reshape) if padded is not None else None
    square = made_by(mapper, lifted.inputs[0], Multiply) if lifted is not None else None
    if back is None or pool is None or padded is None or lifted is None or square is None:
        return None
    x = square.inputs[0]
    shape = mapper.draft.shape(x)
    window, margin = pool.op, padded.op
    if not isinstance(window, Avgpool) or not isinstance(margin, Pad) or square.inputs != (x, x):
        return None
    flat = lifted.shape[0] == 1 and lifted.shape[1] == shape[0] and prod(lifted.shape) == prod(shape)
    kernel = window.kernel if isinstance(window.kernel, tuple) else (window.kernel,)
    size = kernel[0]
    plain = window == operator("avgpool", kernel=window.kernel, stride=1, count_padding=window.count_padding)
    if not flat or not plain or set(kernel[1:]) != {1} or back.shape != shape:
        return None
    sides = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (len(lifted.shape) - 2)]
    if margin.margins(lifted.shape) != sides or margin.mode != "constant" or margin.value:
        return None
    return x, size


def lrn(mapper: Mapper, call: Call) -> Value | None:
    """x divided by the divisor of lrn."""
    x, divisor = call.value(0), call.value(1)
    if not isinstance(x, Activation) or not isinstance(divisor, Activation) or x.own != divisor.own:
        return None
    source, op = mapper.divisors.get(divisor.layer, (None, None))
    return mapper.same(call, op, x) if op is not None and source == x.layer else None


def shuffled(mapper: Mapper, call: Call) -> Value | None:
    """Reshape of the channels to groups, transpose of the groups, and reshape back: channel_shuffle."""
    value = call.value(0)
    turned = made_by(mapper, value.layer, Transpose) if isinstance(value, Activation) else None
    split = made_by(mapper, turned.inputs[0], Reshape) if turned is not None else None
    if turned is None or split is None or not isinstance(turned.op, Transpose):
        return None
    plain = _reshaped(mapper, call)
    shape = mapper.draft.shape(split.inputs[0])
    count, channels, *rest = split.shape
    order = (1, 0, *range(2, len(split.shape)))
    if plain is None or plain.own != shape or turned.op.order != order or len(split.shape) != len(shape) + 1:
        return None
    if (count * channels, *rest) != shape:
        return None
    return plain._replace(layer=mapper.add(call, operator("channel_shuffle", groups=count), split.inputs))


def over_channels(mapper: Mapper, call: Call) -> Value | None:
    """Transpose, LayerNormalization and Transpose back in one module (torchvision's LayerNorm2d): layernorm over the
    channels."""
    value = call.value(0)
    norm = made_by(mapper, value.layer, Layernorm) if isinstance(value, Activation) else None
    if norm is None or not isinstance(value, Activation) or not isinstance(norm.op, Layernorm):
        return None
    turned = made_by(mapper, norm.inputs[0], Transpose)
    path = mapper.paths.of(call.node)
    if (
        turned is None
        or not isinstance(turned.op, Transpose)
        or not path
        or {turned.path, norm.path} != {path}
    ):
        return None
    before = len(mapper.draft.layers)
    back = mapper.handlers["Transpose"](mapper, call)
    last = mapper.draft.layers[-1] if len(mapper.draft.layers) > before else None
    del mapper.draft.layers[before:]
    rank = len(norm.shape)
    forth = (*range(1, rank), 0)
    if last is None or not isinstance(back, Activation) or not isinstance(last.op, Transpose):
        return None
    if turned.op.order != forth or last.op.order != (rank - 1, *range(rank - 1)):
        return None
    if norm.op.dimensions(norm.shape) != (rank - 1,):
        return None
    op = replace(norm.op, axis="channels")
    layer = mapper.add(call, op, turned.inputs, norm.tensors, shares=norm.shares)
    return back._replace(layer=layer)


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


PATTERNS: dict[str, Sequence[Pattern]] = {
    "Mul": (gated, gelu, factor), "Add": (bias,), "Div": (normalised, lrn, unit_length), "Pow": (lrn_divisor,),
    "Reshape": (groups, shuffled), "Transpose": (over_channels,), "Where": (softplus,),
}  # fmt: skip
