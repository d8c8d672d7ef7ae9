"""Convolutions, dense layers, pools, activations and resizing of aten."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isinf, prod
from typing import Any

from convcalc.formats.torch.read.mapping import Handler, Mapper, Unmapped, Value, Values
from convcalc.formats.torch.read.records import Call, Stored
from convcalc.ops import Operator, get
from convcalc.shapes import Shape

MAX_MAPS = 16  # of one image that go through one convolution


def operator(kind: str, **fields: Any) -> Operator:
    """An operator of ours with these fields; sequences of one number for all axes become the number."""
    return get(kind)(**{name: compact(value) for name, value in fields.items()})


def compact(value: Any) -> Any:
    """`3` for (3, 3), for a field with a number per axis."""
    if isinstance(value, tuple) and value and all(item == value[0] for item in value):
        return value[0] if isinstance(value[0], (int, float)) else value
    return value


def per_axis(value: Any, rank: int) -> tuple[int, ...]:
    """PyTorch's list of numbers, of which one stands for all axes."""
    values = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    return values * rank if len(values) == 1 else values


def _kernel(mapper: Mapper, call: Call) -> tuple[Stored, dict[str, Stored]]:
    """The kernel, and the tensors of a layer with a kernel and perhaps a bias."""
    weight, bias = mapper.stored(call.arguments["weight"]), mapper.stored(call.arguments["bias"])
    if weight is None or (bias is None and call.arguments["bias"] is not None):
        raise Unmapped("the kernel depends on the input")
    return weight, {"weight": weight} if bias is None else {"weight": weight, "bias": bias}


def _batched(mapper: Mapper, value: Value, rank: int) -> Value:
    """The value, of which PyTorch's shape must be the batch, channels and `rank` spatial dimensions."""
    if len(value.shape) != rank + 2 or value.shape[0] != mapper.program.batch:
        raise Unmapped("it takes several maps of one image")
    return value


def conv(mapper: Mapper, call: Call) -> Value:
    """conv1d, conv2d, conv3d; padding as numbers or `same`, `valid`. Several maps of one image, such as those of heads,
    go through one layer each, which share their kernel."""
    given = mapper.value(call.arguments["input"])
    batch = mapper.program.batch
    count = given.shape[0] // batch
    if given.shape[0] % batch or not 1 < count <= MAX_MAPS:
        return _convolved(mapper, call, given, mapper.result())
    size, result = mapper.size(given), mapper.result()
    one = (batch, *result[1:])
    parts = []
    for place in range(count):
        part = mapper.add(operator("slice", axis=0, start=place, stop=place + 1), (given.index,), ())
        shape = (batch, *given.shape[1:])
        found = _convolved(mapper, call, mapper.reshaped(part, size[1:], shape), one)
        parts.append(mapper.reshaped(found, (1, *mapper.size(found)), ()).index)
    return mapper.add(operator("concat", axis=0), parts)


def _convolved(mapper: Mapper, call: Call, given: Value, shape: Shape) -> Value:
    """The convolution of one map. shape: its result's in PyTorch."""
    weight, tensors = _kernel(mapper, call)
    filters, _, *kernel = weight.size
    rank = len(kernel)
    value = _batched(mapper, given, rank)
    dilations = per_axis(call.arguments["dilation"], rank)
    padding = _padding(call.arguments["padding"], kernel, dilations)
    groups = call.arguments["groups"]
    channels = mapper.size(value)[0]
    depthwise = groups == channels and groups > 1
    op = operator(
        "conv",
        filters=filters,
        kernel=tuple(kernel),
        stride=per_axis(call.arguments["stride"], rank),
        padding=padding,
        dilation=dilations,
        bias="bias" in tensors,
        **({"depthwise": True} if depthwise else {"groups": groups}),
    )
    return mapper.add(op, (value.index,), shape, tensors)


def _padding(given: Any, kernel: Sequence[int], dilations: Sequence[int]) -> Any:
    """A convolution's padding as ours: numbers, or pairs where `same` pads one pixel more at the end."""
    if given == "valid":
        return 0
    if given != "same":
        return per_axis(given, len(kernel))
    extra = [dilation * (size - 1) for size, dilation in zip(kernel, dilations, strict=True)]
    if any(pixels % 2 for pixels in extra):
        return tuple((pixels // 2, pixels - pixels // 2) for pixels in extra)
    return tuple(pixels // 2 for pixels in extra)


def conv_transpose(mapper: Mapper, call: Call) -> Value:
    """conv_transpose1d, 2d, 3d."""
    weight, tensors = _kernel(mapper, call)
    _, depth, *kernel = weight.size
    rank = len(kernel)
    value = _batched(mapper, mapper.value(call.arguments["input"]), rank)
    groups = call.arguments["groups"]
    op = operator(
        "deconv",
        filters=depth * groups,
        kernel=tuple(kernel),
        stride=per_axis(call.arguments["stride"], rank),
        padding=per_axis(call.arguments["padding"], rank),
        output_padding=per_axis(call.arguments["output_padding"], rank),
        dilation=per_axis(call.arguments["dilation"], rank),
        groups=groups,
        bias="bias" in tensors,
    )
    return mapper.add(op, (value.index,), tensors=tensors)


def linear(mapper: Mapper, call: Call) -> Value:
    """linear: on the last dimension."""
    weight, tensors = _kernel(mapper, call)
    value = mapper.value(call.arguments["input"])
    if mapper.axis(value.shape, -1) is None:
        raise Unmapped("the features are the batch")
    vector = len(mapper.size(value)) == 1
    op = operator("dense", units=weight.size[0], bias="bias" in tensors, axis=None if vector else "last")
    return mapper.add(op, (value.index,), tensors=tensors)


def _pool(kind: str, rank: int) -> Handler:
    def pool(mapper: Mapper, call: Call) -> Value:
        value = _batched(mapper, mapper.value(call.arguments["self"]), rank)
        arguments = call.arguments
        kernel = per_axis(arguments["kernel_size"], rank)
        fields: dict[str, Any] = {}
        if kind == "maxpool":
            fields["dilation"] = per_axis(arguments["dilation"], rank)
        else:
            fields["count_padding"] = arguments["count_include_pad"]
            fields["divisor"] = arguments.get("divisor_override")
        op = operator(
            kind,
            kernel=kernel,
            stride=per_axis(arguments["stride"], rank) if arguments["stride"] else kernel,
            padding=per_axis(arguments["padding"], rank),
            rounding="ceil" if arguments["ceil_mode"] else "floor",
            **fields,
        )
        return mapper.add(op, (value.index,))

    return pool


def _first_of_two(handler: Handler) -> Handler:
    """A handler for an operator whose second result, the indices, is not known."""

    def both(mapper: Mapper, call: Call) -> Values:
        found = handler(mapper, call)
        assert isinstance(found, Value)
        return (found, None)

    return both


def _adaptive(kind: str, rank: int) -> Handler:
    def pool(mapper: Mapper, call: Call) -> Value:
        value = _batched(mapper, mapper.value(call.arguments["self"]), rank)
        spatial = mapper.size(value)[1:]
        size = tuple(
            given if given is not None else own
            for given, own in zip(per_axis(call.arguments["output_size"], rank), spatial, strict=True)
        )
        if all(extent == 1 for extent in size):
            return mapper.add(operator(f"global_{kind}"), (value.index,))
        return mapper.add(operator(f"adaptive_{kind}", size=size), (value.index,))

    return pool


def _activation(kind: str, **names: str) -> Handler:
    """A handler for an activation; names: our fields by the arguments' names."""

    def activation(mapper: Mapper, call: Call) -> Value:
        fields = {ours: call.arguments[theirs] for theirs, ours in names.items()}
        first = "self" if "self" in call.arguments else "input"
        return mapper.add(operator(kind, **fields), (mapper.value(call.arguments[first]).index,))

    return activation


def elu(mapper: Mapper, call: Call) -> Value:
    """elu with its scales; selu is one of these."""
    alpha, scale, inner = (call.arguments[name] for name in ("alpha", "scale", "input_scale"))
    if inner != 1:
        raise Unmapped("it scales its input")
    value = mapper.value(call.arguments["self"])
    op = operator("elu", alpha=alpha) if scale == 1 else operator("selu", alpha=alpha, scale=scale)
    return mapper.add(op, (value.index,))


def prelu(mapper: Mapper, call: Call) -> Value:
    """prelu with one slope or one per channel."""
    weight = mapper.stored(call.arguments["weight"])
    value = mapper.value(call.arguments["self"])
    if weight is None or (prod(weight.size) > 1 and mapper.axis(value.shape, 1) != 0):
        raise Unmapped("its slopes are not those of channels")
    op = operator("prelu", per_channel=prod(weight.size) > 1)
    return mapper.add(op, (value.index,), tensors={"weight": weight})


def clamp(mapper: Mapper, call: Call) -> Value | Values:
    """clamp, clamp_min, clamp_max and hardtanh: relu, relu6 or clip."""
    arguments = call.arguments
    low = mapper.number(arguments.get("min", arguments.get("min_val")))
    high = mapper.number(arguments.get("max", arguments.get("max_val")))
    value = mapper.value(arguments["self"])
    low = None if low is not None and isinf(low) and low == -inf else low
    high = None if high is not None and isinf(high) and high == inf else high
    if (low, high) == (0, 6):
        return mapper.add(operator("relu6"), (value.index,))
    if (low, high) == (0, None):
        return mapper.add(operator("relu"), (value.index,))
    if low is None and high is None:
        return value
    return mapper.add(operator("clip", min=low, max=high), (value.index,))


def softmax(mapper: Mapper, call: Call) -> Value:
    """softmax along one dimension."""
    value = mapper.value(call.arguments["self"])
    axis = mapper.axis(value.shape, call.arguments["dim"])
    if axis is None:
        raise Unmapped("it is taken over the batch")
    return mapper.add(operator("softmax", axis=axis), (value.index,))


def log_softmax(mapper: Mapper, call: Call) -> Value:
    """log of softmax."""
    return mapper.add(operator("log"), (softmax(mapper, call).index,))


def dropout(mapper: Mapper, call: Call) -> Value:
    """dropout: a layer unless its rate is 0."""
    value = mapper.value(call.arguments.get("input", call.arguments.get("self")))
    rate = call.arguments["p"]
    if not rate:
        return value
    return mapper.add(operator("dropout", rate=rate), (value.index,))


def passed(mapper: Mapper, call: Call) -> Value | Stored | Values:
    """The argument itself."""
    first = next(iter(call.arguments.values()))
    found = mapper.given(first)
    if found is None:
        raise Unmapped("it is no tensor")
    return found


def upsample(mode: str, rank: int) -> Handler:
    """upsample_nearest, upsample_bilinear, upsample_bicubic in `rank` dimensions."""

    def resize(mapper: Mapper, call: Call) -> Value:
        arguments = call.arguments
        value = _batched(mapper, mapper.value(arguments.get("self", arguments.get("input"))), rank)
        before, after = mapper.size(value)[1:], mapper.program.size(mapper.result())[1:]
        factors = (
            arguments.get("scale_factors")
            or [
                arguments.get(name)
                for name in ("scales_d", "scales_h", "scales_w", "scales")[-rank - (rank == 1) :]
            ][-rank:]
        )
        corners = bool(arguments.get("align_corners"))
        factors = tuple(factor for factor in factors if factor is not None)
        written = len(factors) == rank and not corners
        whole = all(
            size * factor == result for size, factor, result in zip(before, factors, after, strict=False)
        )
        if written and (whole or not arguments.get("output_size")):
            op = operator("upsample", scale=factors, mode=mode, align_corners=corners)
        else:
            op = operator("upsample", size=after, mode=mode, align_corners=corners)
        return mapper.add(op, (value.index,))

    return resize


HANDLERS: dict[str, Handler] = {
    "conv1d": conv, "conv2d": conv, "conv3d": conv,
    "conv_transpose1d": conv_transpose, "conv_transpose2d": conv_transpose, "conv_transpose3d": conv_transpose,
    "linear": linear,
    "max_pool1d": _pool("maxpool", 1), "max_pool2d": _pool("maxpool", 2), "max_pool3d": _pool("maxpool", 3),
    "max_pool1d_with_indices": _first_of_two(_pool("maxpool", 1)),
    "max_pool2d_with_indices": _first_of_two(_pool("maxpool", 2)),
    "max_pool3d_with_indices": _first_of_two(_pool("maxpool", 3)),
    "avg_pool1d": _pool("avgpool", 1), "avg_pool2d": _pool("avgpool", 2), "avg_pool3d": _pool("avgpool", 3),
    "adaptive_avg_pool1d": _adaptive("avgpool", 1), "adaptive_avg_pool2d": _adaptive("avgpool", 2),
    "adaptive_avg_pool3d": _adaptive("avgpool", 3),
    "adaptive_max_pool1d": _first_of_two(_adaptive("maxpool", 1)),
    "adaptive_max_pool2d": _first_of_two(_adaptive("maxpool", 2)),
    "adaptive_max_pool3d": _first_of_two(_adaptive("maxpool", 3)),
    "relu": _activation("relu"), "relu6": _activation("relu6"), "sigmoid": _activation("sigmoid"),
    "tanh": _activation("tanh"), "silu": _activation("silu"), "mish": _activation("mish"),
    "hardswish": _activation("hardswish"), "hardsigmoid": _activation("hardsigmoid"),
    "gelu": _activation("gelu", approximate="approximate"), "selu": _activation("selu"),
    "celu": _activation("celu", alpha="alpha"), "elu": elu,
    "leaky_relu": _activation("leaky_relu", negative_slope="slope"),
    "softplus": _activation("softplus", beta="beta", threshold="threshold"),
    "prelu": prelu, "hardtanh": clamp, "clamp": clamp, "clamp_min": clamp, "clamp_max": clamp,
    "clip": clamp, "softmax": softmax, "log_softmax": log_softmax,
    "exp": _activation("exp"), "log": _activation("log"), "sqrt": _activation("sqrt"), "abs": _activation("abs"),
    "neg": _activation("negate"), "reciprocal": _activation("reciprocal"), "erf": _activation("erf"),
    "dropout": dropout, "feature_dropout": dropout, "alpha_dropout": dropout, "feature_alpha_dropout": dropout,
    "contiguous": passed, "clone": passed, "detach": passed, "alias": passed, "to": passed, "_to_copy": passed,
    "type_as": passed, "float": passed, "lift_fresh_copy": passed, "lift_fresh": passed, "requires_grad": passed,
    "upsample_nearest1d": upsample("nearest", 1), "upsample_nearest2d": upsample("nearest", 2),
    "upsample_nearest3d": upsample("nearest", 3), "upsample_linear1d": upsample("bilinear", 1),
    "upsample_bilinear2d": upsample("bilinear", 2), "upsample_trilinear3d": upsample("bilinear", 3),
    "upsample_bicubic2d": upsample("bicubic", 2),
}  # fmt: skip
