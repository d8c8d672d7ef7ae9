"""Mapping of normalisation, softmax and reduction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, Value, normal, without
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.values import Const
from convcalc.ops import Operator
from convcalc.shapes import Shape
from convcalc.weights.tensors import StoredTensor

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]


def kernel_name(const: Const) -> str:
    """The name of the initialiser that a constant is, or ""."""
    return const.tensor.name if const.tensor is not None else ""


def with_tensors(
    mapper: Mapper, call: Call, op: Operator, x: Activation, tensors: dict[str, StoredTensor], name: str
) -> Activation:
    """A layer with parameters that keeps the shape. name: of an initialiser that may give its path."""
    return x._replace(
        layer=mapper.add(call, op, [x.layer], tensors, path=mapper.paths.of_kernel(call.node, name))
    )


def vectors(call: Call, places: dict[str, int], count: int) -> dict[str, StoredTensor]:
    """Constant inputs with one number a channel, by the parameter's name."""
    found = {}
    for name, place in places.items():
        const = call.const(place)
        if const.count != count:
            raise Invalid(f"input {place + 1} has {const.count} values for {count} channels")
        found[name] = const.stored((count,))
    return found


def batchnorm(mapper: Mapper, call: Call) -> Value | Sequence[Value | None]:
    """BatchNormalization at inference."""
    x = call.activation()
    if call.integer("training_mode", 0) or (call.opset < 14 and len([n for n in call.node.outputs if n]) > 1):
        raise Unmapped("batch normalisation in training")
    if not call.integer("spatial", 1):
        raise Unmapped("statistics of every element")
    if len(x.shape) < 2:
        raise Unmapped("an input without channels")
    x = mapper.batched(call, x)
    places = {"weight": 1, "bias": 2, "running_mean": 3, "running_var": 4}
    tensors = vectors(call, places, x.own[0])
    op = operator("batchnorm", eps=call.number("epsilon", 1e-5))
    return [with_tensors(mapper, call, op, x, tensors, kernel_name(call.const(1)))]


def instancenorm(mapper: Mapper, call: Call) -> Value:
    x = mapper.batched(call, call.activation())
    if not 3 <= len(x.shape) <= 5:
        raise Unmapped(f"maps of {len(x.shape) - 2} dimensions")
    tensors = vectors(call, {"weight": 1, "bias": 2}, x.own[0])
    op = operator("instancenorm", eps=call.number("epsilon", 1e-5), affine=True)
    return with_tensors(mapper, call, op, x, tensors, kernel_name(call.const(1)))


def groupnorm(mapper: Mapper, call: Call) -> Value:
    """GroupNormalization; before opset 21 with a weight and a bias a group, which every channel of it takes."""
    x = mapper.batched(call, call.activation())
    groups, channels = call.integer("num_groups", 0), x.own[0]
    if groups < 1 or channels % groups:
        raise Invalid(f"{groups} groups of {channels} channels")
    weight, bias = call.const(1), call.const(2)
    if weight.count == groups != channels:
        weight, bias = (_repeated(const, channels // groups) for const in (weight, bias))
    if not weight.count == bias.count == channels:
        raise Invalid(f"{weight.count} weights for {channels} channels")
    op = operator("groupnorm", groups=groups, eps=call.number("epsilon", 1e-5))
    tensors = {"weight": weight.stored((channels,)), "bias": bias.stored((channels,))}
    return with_tensors(mapper, call, op, x, tensors, kernel_name(weight))


def _repeated(const: Const, times: int) -> Const:
    """Each value several times in a row."""
    return Const(
        (const.count * times,), const.dtype, sources=(const,),
        rule=lambda given: [value for value in given[0].values for _ in range(times)],
    )  # fmt: skip


def filled(count: int, value: float) -> Const:
    """A vector of equal values."""
    return Const((count,), "F32", values=[value] * count)


def layernorm(kind: str) -> Handler:
    """LayerNormalization and RMSNormalization over the last dimensions, from `axis` on."""

    def mapped(mapper: Mapper, call: Call) -> Sequence[Value | None]:
        x = call.activation()
        axis = normal(call.integer("axis", -1), len(x.shape))
        if x.axis is not None and axis <= x.axis:
            x = mapper.unbatched(call, x) if x.axis else x
            x.own_axis(axis)
        over = x.shape[axis:]
        found = [_over(call, place, over) for place in (1, 2)]
        weight = found[0]
        if weight is None:
            raise Unmapped("a normalisation without weights")
        tensors = {"weight": weight.stored(over)}
        if kind == "layernorm":
            bias = found[1] or filled(prod(over), 0.0)
            tensors["bias"] = bias.stored(over)
        first = x.own_axis(axis)
        axes: object = list(range(first, len(x.own))) if len(x.own) - first > 1 else "last"
        if first == 0 and len(x.own) == 1:
            axes = "channels"
        op = operator(
            kind, axis=tuple(axes) if isinstance(axes, list) else axes, eps=call.number("epsilon", 1e-5)
        )
        result = with_tensors(mapper, call, op, x, tensors, kernel_name(weight))
        if not any(name and mapper.uses[name] for name in call.node.outputs[1:]):
            return [result, None, None]
        return [result, *_statistics(mapper, call, x, list(range(axis, len(x.shape))))]

    return mapped


def _statistics(mapper: Mapper, call: Call, x: Activation, over: list[int]) -> list[Value | None]:
    """The mean over some dimensions, and 1/√(variance + eps)."""
    mean = reduced(mapper, call, x, "mean", over, keep=True)
    centred = x._replace(layer=mapper.add(call, operator("subtract"), [x.layer, mean.layer]))
    square = x._replace(layer=mapper.add(call, operator("multiply"), [centred.layer] * 2))
    variance = reduced(mapper, call, square, "mean", over, keep=True)
    eps = Const((1,) * len(x.shape), "F32", values=[call.number("epsilon", 1e-5)])
    layers, result = mapper.aligned(Call(call.node, call.opset, [variance, eps]))
    total = result._replace(layer=mapper.add(call, operator("add"), layers))
    return [mean, mapper.same(call, operator("reciprocal"), mapper.same(call, operator("sqrt"), total))]


def _over(call: Call, place: int, over: Shape) -> Const | None:
    """A constant with the shape of the normalised dimensions. Raises Unmapped for other numbers of values."""
    const = call.optional(place)
    if const is None or const.count == prod(over):
        return const
    if const.count == 1:
        return Const(
            (prod(over),), const.dtype, sources=(const,), rule=lambda g: [g[0].values[0]] * prod(over)
        )
    raise Unmapped("weights that are stretched")


def l2norm(mapper: Mapper, call: Call) -> Value:
    """LpNormalization: with the first norm, a division by the sum of absolute values."""
    x = call.activation()
    axis = call.integer("axis", -1)
    if call.integer("p", 2) == 2:
        return mapper.same(call, operator("l2norm", axis=x.own_axis(axis)), x)
    over = [normal(axis, len(x.shape))]
    total = reduced(mapper, call, mapper.same(call, operator("abs"), x), "sum", over, keep=True)
    return x._replace(layer=mapper.add(call, operator("divide"), [x.layer, total.layer]))


def softmax(mapper: Mapper, call: Call) -> Value:
    """Softmax along one axis; before opset 13 over all dimensions from `axis` on."""
    x = call.activation()
    if not x.shape:
        raise Unmapped("a single number")
    if call.opset < 13:
        axis = call.integer("axis", 1)
        if not -len(x.shape) <= axis <= len(x.shape):
            raise Invalid(f"axis {axis} of an input with {len(x.shape)} dimensions")
        axis %= len(x.shape)
        rows, columns = x.shape[:axis], x.shape[axis:]
        if prod(columns) != columns[-1]:
            shape = (prod(rows), prod(columns))
            flat = mapper.regrouped(call, mapper.unbatched(call, x), shape, None, False)
            layer = mapper.add(call, operator("softmax", axis="last"), [flat.layer])
            back = Activation(layer, shape)
            return mapper.regrouped(call, back, x.shape, x.batch, x.merged)
        axis = len(x.shape) - 1
    else:
        axis = call.integer("axis", -1)
    return mapper.same(call, operator("softmax", axis=x.own_axis(axis)), x)


def log_softmax(mapper: Mapper, call: Call) -> Value:
    """The logarithm of Softmax."""
    found = softmax(mapper, call)
    assert isinstance(found, Activation)
    return mapper.same(call, operator("log"), found)


def reduced_axes(call: Call, rank: int, since: int) -> list[int]:
    """The dimensions that a reduction removes, counted from 0."""
    axes = call.axes(1, since)
    if axes:
        return sorted({normal(axis, rank) for axis in axes})
    return [] if call.integer("noop_with_empty_axes", 0) else list(range(rank))


def reduce(mode: str, since: int = 18) -> Handler:
    """ReduceMean, ReduceSum, ReduceMax and ReduceMin. A mean over all pixels is global_avgpool."""

    def mapped(mapper: Mapper, call: Call) -> Value:
        x = call.activation()
        over = reduced_axes(call, len(x.shape), since)
        return reduced(mapper, call, x, mode, over, bool(call.integer("keepdims", 1)))

    return mapped


def reduced(
    mapper: Mapper, call: Call, x: Activation, mode: str, over: Sequence[int], keep: bool
) -> Activation:
    """A reduction of some dimensions of an activation."""
    rank = len(x.shape)
    if x.axis is not None and x.axis in over:
        x.own_axis(x.axis)  # raises AcrossBatch
    shape = tuple(1 if axis in over else size for axis, size in enumerate(x.shape))
    if all(x.shape[axis] == 1 for axis in over):
        result = x
    else:
        axes = [x.own_axis(axis) for axis in over]
        spatial = axes == list(range(1, len(x.own))) and x.axis == 0 and 2 <= len(x.own) <= 4
        if mode in ("mean", "max") and spatial:
            op = operator("global_avgpool" if mode == "mean" else "global_maxpool")
            result = x._replace(layer=mapper.add(call, op, [x.layer]), shape=shape)
        else:
            own = without(shape, x.axis) or (1,)
            left = [axis for axis in range(len(own)) if axis not in axes]
            kept = keep or not left
            op = operator("reduce", mode=mode, axis=tuple(axes) if len(axes) > 1 else axes[0], keep=kept)
            layer = mapper.add(call, op, [x.layer])
            if not kept:
                dropped = [axis for axis in range(rank) if axis not in over]
                batch = None if x.batch is None or x.batch in over else dropped.index(x.batch)
                return Activation(
                    layer, tuple(x.shape[axis] for axis in dropped), batch, x.merged and batch is not None
                )
            result = x._replace(layer=layer, shape=shape)
    if keep:
        return result
    left = [axis for axis in range(rank) if axis not in over]
    batch = None if x.batch is None or x.batch in over else left.index(x.batch)
    final = tuple(shape[axis] for axis in left)
    return mapper.regrouped(call, result, final, batch, x.merged and batch is not None)


def squares(root: bool) -> Handler:
    """ReduceSumSquare, and its root, ReduceL2."""

    def mapped(mapper: Mapper, call: Call) -> Value:
        x = call.activation()
        over = reduced_axes(call, len(x.shape), 18)
        square = x._replace(layer=mapper.add(call, operator("multiply"), [x.layer, x.layer]))
        total = reduced(mapper, call, square, "sum", over, bool(call.integer("keepdims", 1)))
        return mapper.same(call, operator("sqrt"), total) if root else total

    return mapped


def absolute_sum(mapper: Mapper, call: Call) -> Value:
    """ReduceL1."""
    x = call.activation()
    over = reduced_axes(call, len(x.shape), 18)
    return reduced(
        mapper, call, mapper.same(call, operator("abs"), x), "sum", over, bool(call.integer("keepdims", 1))
    )


def log_sum(exponential: bool) -> Handler:
    """ReduceLogSum, and ReduceLogSumExp."""

    def mapped(mapper: Mapper, call: Call) -> Value:
        x = call.activation()
        over = reduced_axes(call, len(x.shape), 18)
        terms = mapper.same(call, operator("exp"), x) if exponential else x
        total = reduced(mapper, call, terms, "sum", over, bool(call.integer("keepdims", 1)))
        return mapper.same(call, operator("log"), total)

    return mapped


HANDLERS: dict[str, Handler] = {
    "BatchNormalization": batchnorm, "InstanceNormalization": instancenorm, "GroupNormalization": groupnorm,
    "LayerNormalization": layernorm("layernorm"), "RMSNormalization": layernorm("rmsnorm"), "LpNormalization": l2norm,
    "Softmax": softmax, "LogSoftmax": log_softmax, "ReduceMean": reduce("mean"), "ReduceSum": reduce("sum", 13),
    "ReduceMax": reduce("max"), "ReduceMin": reduce("min"), "ReduceL2": squares(root=True),
    "ReduceSumSquare": squares(root=False), "ReduceL1": absolute_sum,
    "ReduceLogSum": log_sum(exponential=False), "ReduceLogSumExp": log_sum(exponential=True),
}  # fmt: skip
