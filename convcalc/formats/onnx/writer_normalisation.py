"""Forms in ONNX of normalisations, softmax, reductions and pools over whole dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_network import Value
from convcalc.ops import axis_dimensions
from convcalc.ops.batchnorm import Batchnorm
from convcalc.ops.groupnorm import Groupnorm
from convcalc.ops.instancenorm import Instancenorm
from convcalc.ops.l2norm import L2norm
from convcalc.ops.layernorm import Layernorm
from convcalc.ops.lrn import Lrn
from convcalc.ops.reduce import Reduce
from convcalc.ops.rmsnorm import Rmsnorm
from convcalc.ops.softmax import Softmax

REDUCTIONS = {"mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin"}
AXES_AS_INPUT = {"ReduceSum": 13}  # the others from opset 18 on


def reduced(
    layer: LayerDraft[Any],
    operator: str,
    value: Value,
    over: Sequence[int],
    keep: bool = True,
    part: str = "",
) -> Value:
    """A reduction over dimensions; they are an input from opset 18 on (ReduceSum: 13), an attribute before."""
    shape = tuple([1 if d in over else size for d, size in enumerate(value.shape) if keep or d not in over])
    axes = [dimension + 1 for dimension in over]
    if layer.opset < AXES_AS_INPUT.get(operator, 18):
        return layer.add(operator, [value], shape, part, axes=axes, keepdims=int(keep))
    over_axes = layer.integers(f"{part}_axes" if part else "axes", axes)
    return layer.add(operator, [value, over_axes], shape, part, keepdims=int(keep))


@form(Reduce)
def reduce(layer: LayerDraft[Reduce]) -> Value:
    """ReduceMean, ReduceSum, ReduceMax or ReduceMin."""
    op = layer.op
    return reduced(layer, REDUCTIONS[op.mode], layer.x, op.over(len(layer.x.shape)), op.keep)


@form(Softmax)
def softmax(layer: LayerDraft[Softmax]) -> Value:
    """Softmax. Before opset 13 it acts on all dimensions from its axis on together: the last one is turned there."""
    rank = len(layer.shape)
    dimension = axis_dimensions(layer.op.axis, rank)[0]
    if layer.opset >= 13 or dimension == rank - 1:
        return layer.add("Softmax", [layer.x], layer.shape, axis=dimension + 1)
    order = to_the_end([dimension], rank)
    turned = layer.transpose(layer.x, order)
    return layer.transpose(layer.add("Softmax", [turned], turned.shape, axis=rank), turned_back(order))


def to_the_end(dimensions: Sequence[int], rank: int) -> list[int]:
    """The order of dimensions with some of them moved behind the others."""
    return [*(d for d in range(rank) if d not in dimensions), *dimensions]


def turned_back(order: Sequence[int]) -> list[int]:
    """The order that undoes another."""
    return [order.index(dimension) for dimension in range(len(order))]


# -- normalisations -----------------------------------------------------------------------------------------------


def _factor(layer: LayerDraft[Any], name: str, value: float, shape: tuple[int, ...]) -> str:
    """The learned tensor, or a constant where there is none."""
    return layer.weight(name) if layer.has(name) else layer.filled(name, value, shape)


@form(Batchnorm)
def batchnorm(layer: LayerDraft[Batchnorm]) -> Value:
    """BatchNormalization."""
    channels = layer.shape[:1]
    learned = [_factor(layer, "weight", 1.0, channels), _factor(layer, "bias", 0.0, channels)]
    statistics = [layer.weight("running_mean"), layer.weight("running_var")]
    return layer.add(
        "BatchNormalization", [layer.x, *learned, *statistics], layer.shape, epsilon=float(layer.op.eps)
    )


@form(Instancenorm)
def instancenorm(layer: LayerDraft[Instancenorm]) -> Value:
    """InstanceNormalization."""
    channels = layer.shape[:1]
    learned = [_factor(layer, "weight", 1.0, channels), _factor(layer, "bias", 0.0, channels)]
    return layer.add("InstanceNormalization", [layer.x, *learned], layer.shape, epsilon=float(layer.op.eps))


@form(Groupnorm)
def groupnorm(layer: LayerDraft[Groupnorm]) -> Value:
    """GroupNormalization from opset 21 on; before, InstanceNormalization of the groups, then Mul and Add."""
    op, shape = layer.op, layer.shape
    if layer.opset >= 21 and len(shape) > 1:
        learned = [_factor(layer, "weight", 1.0, shape[:1]), _factor(layer, "bias", 0.0, shape[:1])]
        return layer.add(
            "GroupNormalization", [layer.x, *learned], shape, num_groups=op.groups, epsilon=float(op.eps)
        )
    groups = (op.groups,)
    gathered = layer.reshape(layer.x, (op.groups, prod(shape) // op.groups), "split")
    unlearned = [layer.filled("ones", 1.0, groups), layer.filled("zeros", 0.0, groups)]
    normal = layer.add("InstanceNormalization", [gathered, *unlearned], gathered.shape, epsilon=float(op.eps))
    return _affine(layer, layer.reshape(normal, shape, "merge"), len(shape) - 1)


def _affine(layer: LayerDraft[Any], value: Value, ones: int = 0) -> Value:
    """The learned factor and offset, of those that there are."""
    if layer.has("weight"):
        value = layer.binary("Mul", value, layer.weight("weight", ones))
    return layer.binary("Add", value, layer.weight("bias", ones)) if layer.has("bias") else value


@form(Layernorm)
def layernorm(layer: LayerDraft[Layernorm]) -> Value:
    """LayerNormalization of the last dimensions from opset 17 on, between Transposes if they are others; before, its
    formula."""
    op, shape = layer.op, layer.shape
    over = op.dimensions(shape)
    order = to_the_end(over, len(shape))
    x = layer.transpose(layer.x, order)
    first = len(shape) - len(over)
    if layer.opset >= 17:
        scale = _factor(layer, "weight", 1.0, x.shape[first:])
        biases = [layer.weight("bias")] if layer.has("bias") else []
        normal = layer.add(
            "LayerNormalization", [x, scale, *biases], x.shape, axis=first + 1, epsilon=float(op.eps)
        )
        return layer.transpose(normal, turned_back(order))
    last = range(first, len(shape))
    centred = layer.binary("Sub", x, reduced(layer, "ReduceMean", x, last, part="mean"))
    normal = layer.binary("Div", centred, _root_of_mean_square(layer, centred, last, op.eps))
    return layer.transpose(_affine(layer, normal), turned_back(order))


def _root_of_mean_square(layer: LayerDraft[Any], value: Value, over: Sequence[int], eps: float) -> Value:
    square = layer.binary("Mul", value, value, "square")
    mean = reduced(layer, "ReduceMean", square, over, part="mean_square")
    added = layer.binary("Add", mean, layer.floats("epsilon", [eps]), "add_epsilon")
    return layer.add("Sqrt", [added], mean.shape, "root")


@form(Rmsnorm)
def rmsnorm(layer: LayerDraft[Rmsnorm]) -> Value:
    """RMSNormalization of the last dimensions from opset 23 on, between Transposes if they are others; before, its
    formula."""
    op, shape = layer.op, layer.shape
    over = axis_dimensions(op.axis, len(shape))
    order = to_the_end(over, len(shape))
    x = layer.transpose(layer.x, order)
    first = len(shape) - len(over)
    if layer.opset >= 23:
        scale = _factor(layer, "weight", 1.0, x.shape[first:])
        normal = layer.add("RMSNormalization", [x, scale], x.shape, axis=first + 1, epsilon=float(op.eps))
        return layer.transpose(normal, turned_back(order))
    root = _root_of_mean_square(layer, x, range(first, len(shape)), op.eps)
    return layer.transpose(_affine(layer, layer.binary("Div", x, root)), turned_back(order))


@form(L2norm)
def l2norm(layer: LayerDraft[L2norm]) -> Value:
    """ReduceL2, Clip to at least eps, and Div."""
    length = reduced(
        layer, "ReduceL2", layer.x, axis_dimensions(layer.op.axis, len(layer.shape)), part="length"
    )
    return layer.add("Div", [layer.x, at_least(layer, length, layer.op.eps, "clip")], layer.shape)


def at_least(layer: LayerDraft[Any], value: Value, least: float, part: str) -> Value:
    """Clip from below; the bound is an input from opset 11 on, an attribute before."""
    if layer.opset < 11:
        return layer.add("Clip", [value], value.shape, part, min=float(least))
    return layer.add("Clip", [value, layer.floats("eps", [least])], value.shape, part)


@form(Lrn)
def lrn(layer: LayerDraft[Lrn]) -> Value:
    """LRN of maps if the size is odd, as runtimes require; else an AveragePool over the channels of the squares, and
    the rest of the formula."""
    op, x, shape = layer.op, layer.x, layer.shape
    if op.size % 2 and len(shape) == 3:
        return layer.add(
            "LRN", [x], shape, size=op.size, alpha=float(op.alpha), beta=float(op.beta), bias=float(op.k)
        )
    before = op.size // 2
    square = layer.reshape(layer.binary("Mul", x, x, "square"), (1, shape[0], prod(shape[1:])), "channels")
    mean = layer.add(
        "AveragePool",
        [square],
        square.shape,
        "mean",
        kernel_shape=[op.size, 1],
        pads=[before, 0, op.size - 1 - before, 0],
        count_include_pad=1,
    )
    scaled = layer.binary(
        "Mul", layer.reshape(mean, shape, "map"), layer.floats("alpha", [op.alpha]), "scale"
    )
    base = layer.binary("Add", scaled, layer.floats("k", [op.k]))
    return layer.add("Div", [x, layer.binary("Pow", base, layer.floats("beta", [op.beta]))], shape)
