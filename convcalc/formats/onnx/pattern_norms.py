"""Normalisations that exporters take apart: layernorm, groupnorm, l2norm, lrn."""

from __future__ import annotations

from dataclasses import replace
from math import prod

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Value
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.pattern_tools import (
    added,
    made_by,
    number_of,
    reshaped,
)
from convcalc.ops import axis_dimensions
from convcalc.ops.avgpool import Avgpool
from convcalc.ops.clip import Clip
from convcalc.ops.concat import Concat
from convcalc.ops.instancenorm import Instancenorm
from convcalc.ops.layernorm import Layernorm
from convcalc.ops.multiply import Multiply
from convcalc.ops.pad import Pad
from convcalc.ops.reduce import Reduce
from convcalc.ops.reshape import Reshape
from convcalc.ops.scale import Scale
from convcalc.ops.sqrt import Sqrt
from convcalc.ops.subtract import Subtract
from convcalc.ops.transpose import Transpose


def normalised(mapper: Mapper, call: Call) -> Value | None:
    """(x − mean)/√(variance + eps), which is layernorm without weights."""
    centred, deviation = call.value(0), call.value(1)
    if not isinstance(centred, Activation) or not isinstance(deviation, Activation):
        return None
    root = made_by(mapper, deviation.layer, Sqrt)
    shifted = added(mapper, root.inputs[0]) if root is not None else None
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


def _is_difference(mapper: Mapper, index: int, x: int, mean: int) -> bool:
    layer = made_by(mapper, index, Subtract)
    return layer is not None and layer.inputs == (x, mean)


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


def groups(mapper: Mapper, call: Call) -> Value | None:
    """Reshape to groups, InstanceNormalization with weights 1 and 0, and Reshape back: groupnorm without weights."""
    value = call.value(0)
    norm = made_by(mapper, value.layer, Instancenorm) if isinstance(value, Activation) else None
    regrouped = made_by(mapper, norm.inputs[0], Reshape) if norm is not None else None
    if norm is None or regrouped is None or not isinstance(norm.op, Instancenorm):
        return None
    plain = reshaped(mapper, call)
    x = regrouped.inputs[0]
    if plain is None or mapper.draft.shape(x) != plain.own:
        return None
    count = norm.shape[0]
    weight, offset = (list(norm.tensors[name].values()) for name in ("weight", "bias") if count <= 64)
    if len(norm.shape) != 2 or plain.own[0] % count or set(weight) != {1.0} or set(offset) != {0.0}:
        return None
    op = operator("groupnorm", groups=count, eps=norm.op.eps, affine=False)
    return plain._replace(layer=mapper.add(call, op, [x]))


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


def lrn_divisor(mapper: Mapper, call: Call) -> Value | None:
    """(k + alpha·mean of neighbours' squares)^beta, the divisor of lrn. The base is positive, so the power is computed
    as e^(beta·ln) where something else reads it."""
    base, beta = call.value(0), number_of(call.given(1))
    if not isinstance(base, Activation) or beta is None:
        return None
    shifted = added(mapper, base.layer)
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
