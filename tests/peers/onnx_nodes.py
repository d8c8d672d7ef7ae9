"""ONNX's node tests as cases: every test of one node that one of our operators is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import helper, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from records import Case, Left, Numbers, numbers

Array = Any
Attributes = dict[str, Any]
Fields = dict[str, Any]
# What a function makes of a node's attributes, its inputs' arrays and its outputs': our operator, its fields, the
# arrays of its inputs, its weights; then the output, and whether the first dimension counts inputs.
Mapped = tuple[str, Fields, list[Array], dict[str, Array], Array, bool]


class Outside(Exception):
    """Why a node is none of our operators."""


Mapping = Callable[[Attributes, list[Array], list[Array]], Mapped]


def each(kind: str, **names: tuple[str, Any]) -> Mapping:
    """An operator on every number; fields by ours, their name and its default there."""

    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        fields = {ours: attributes.get(theirs, default) for ours, (theirs, default) in names.items()}
        return kind, fields, inputs[:1], {}, outputs[0], False

    return mapped


def clip(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    bounds = [None if value is None else float(value) for value in [*inputs[1:], None, None][:2]]
    fields = {name: value for name, value in zip(("min", "max"), bounds, strict=True) if value is not None}
    if not fields:
        raise Outside("no bounds")
    if len(fields) == 2 and fields["min"] > fields["max"]:
        raise Outside("a lower bound above the upper one")
    return "clip", fields, inputs[:1], {}, outputs[0], False


def swish(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if attributes.get("alpha", 1.0) != 1.0:
        raise Outside("swish with a factor")
    return "silu", {}, inputs, {}, outputs[0], False


def prelu(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, slope = inputs
    if slope.size == 1:
        return "prelu", {"per_channel": False}, [x], {"weight": slope.reshape(-1)}, outputs[0], False
    if slope.shape != (x.shape[1], *(1 for _ in x.shape[2:])):
        raise Outside("slopes that are not one per channel")
    return "prelu", {"per_channel": True}, [x], {"weight": slope.reshape(-1)}, outputs[0], True


def join(kind: str) -> Mapping:
    """Shapes of other ranks get dimensions of 1, as ONNX stretches them."""

    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        if len(inputs) < 2:
            raise Outside("a join of one input")
        rank = outputs[0].ndim
        widened = [x.reshape((1,) * (rank - x.ndim) + x.shape) for x in inputs]
        return kind, {}, widened, {}, outputs[0], False

    return mapped


def matmul(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    a, b = inputs
    if min(a.ndim, b.ndim) < 2 or a.shape[:-2] != b.shape[:-2]:
        raise Outside("products of vectors, or of stretched matrices")
    return "matmul", {}, inputs, {}, outputs[0], False


def gemm(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    a, b, *c = inputs
    if attributes.get("alpha", 1.0) != 1.0 or (c and attributes.get("beta", 1.0) != 1.0):
        raise Outside("factors of a product")
    if c and not (c[0].ndim and c[0].shape[-1] == outputs[0].shape[-1] and c[0].size == c[0].shape[-1]):
        raise Outside("a bias that is not one per unit")
    if attributes.get("transA"):
        a = a.T
    weights = {"weight": b if attributes.get("transB") else b.T}
    if c:
        weights["bias"] = c[0].reshape(-1)
    fields = {"units": outputs[0].shape[-1], "bias": bool(c), "axis": "last"}
    return "dense", fields, [a], weights, outputs[0], False


def margins(attributes: Attributes, rank: int, sizes: list[tuple[int, ...]]) -> Any:
    """ONNX's pads or auto_pad as our padding. sizes: per axis (size, kernel, stride, dilation)."""
    auto = attributes.get("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = attributes.get("pads", [0] * 2 * rank)
        return [[pads[axis], pads[axis + rank]] for axis in range(rank)]
    if auto == "VALID":
        return 0
    if auto == "SAME_UPPER":
        return "same"
    found = []
    for size, kernel, stride, dilation in sizes:
        total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
        found.append([total - total // 2, total // 2])
    return found


def window(attributes: Attributes, x: Array, kernel: Any) -> Fields:
    rank = x.ndim - 2
    kernel = list(kernel)
    stride = list(attributes.get("strides", [1] * rank))
    dilation = list(attributes.get("dilations", [1] * rank))
    sizes = list(zip(x.shape[2:], kernel, stride, dilation, strict=True))
    return {
        "kernel": kernel,
        "stride": stride,
        "dilation": dilation,
        "padding": margins(attributes, rank, sizes),
    }


def conv(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, w, *b = inputs
    fields = window(attributes, x, w.shape[2:])
    fields |= {"filters": w.shape[0], "groups": attributes.get("group", 1), "bias": bool(b)}
    return "conv", fields, [x], {"weight": w} | ({"bias": b[0]} if b else {}), outputs[0], True


def deconv(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, w, *b = inputs
    if "output_shape" in attributes:
        raise Outside("an output shape from which the padding follows")
    fields = window(attributes, x, w.shape[2:])
    groups = attributes.get("group", 1)
    if attributes.get("auto_pad") == "SAME_LOWER":
        raise Outside("SAME_LOWER of a transposed convolution")
    fields |= {"filters": w.shape[1] * groups, "groups": groups, "bias": bool(b)}
    if "output_padding" in attributes:
        fields["output_padding"] = list(attributes["output_padding"])
    return "deconv", fields, [x], {"weight": w} | ({"bias": b[0]} if b else {}), outputs[0], True


def pool(kind: str) -> Mapping:
    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        if len(outputs) > 1:
            raise Outside("indices of a maximum")
        if (outputs[0] == outputs[0].round(4)).all() and (outputs[0] != outputs[0].round(3)).any():
            raise Outside("an output given to four digits")
        fields = window(attributes, inputs[0], attributes["kernel_shape"])
        fields["rounding"] = "ceil" if attributes.get("ceil_mode") else "floor"
        if kind == "avgpool":
            fields["count_padding"] = bool(attributes.get("count_include_pad", 0))
        return kind, fields, inputs, {}, outputs[0], True

    return mapped


def whole(kind: str) -> Mapping:
    return lambda attributes, inputs, outputs: (kind, {}, inputs, {}, outputs[0], True)


def batchnorm(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if attributes.get("training_mode"):
        raise Outside("training")
    x, *statistics = inputs
    weights = dict(zip(("weight", "bias", "running_mean", "running_var"), statistics, strict=True))
    return "batchnorm", {"eps": attributes.get("epsilon", 1e-5)}, [x], weights, outputs[0], True


def instancenorm(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, weight, bias = inputs
    fields = {"eps": attributes.get("epsilon", 1e-5), "affine": True}
    return "instancenorm", fields, [x], {"weight": weight, "bias": bias}, outputs[0], True


def groupnorm(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, weight, bias = inputs
    fields = {"eps": attributes.get("epsilon", 1e-5), "groups": attributes["num_groups"]}
    return "groupnorm", fields, [x], {"weight": weight, "bias": bias}, outputs[0], True


def layernorm(kind: str) -> Mapping:
    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        x, weight, *bias = inputs
        axis = attributes.get("axis", -1) % x.ndim
        if kind == "layernorm" and not bias:
            raise Outside("weights without biases")
        if weight.shape != x.shape[axis:]:
            raise Outside("weights that are stretched")
        weights = {"weight": weight} | ({"bias": bias[0]} if bias else {})
        fields = {"axis": list(range(axis, x.ndim)), "eps": attributes.get("epsilon", 1e-5)}
        return kind, fields, [x], weights, outputs[0], False

    return mapped


def l2norm(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if attributes.get("p", 2) != 2:
        raise Outside("another norm than the second")
    return "l2norm", {"axis": attributes.get("axis", -1)}, inputs, {}, outputs[0], False


def lrn(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    fields = {
        "size": attributes["size"], "alpha": attributes.get("alpha", 1e-4), "beta": attributes.get("beta", 0.75),
        "k": attributes.get("bias", 1.0),
    }  # fmt: skip
    return "lrn", fields, inputs, {}, outputs[0], True


def along(kind: str, default: int) -> Mapping:
    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        if kind == "concat" and len(inputs) < 2:
            raise Outside("a join of one input")
        return kind, {"axis": attributes.get("axis", default)}, inputs, {}, outputs[0], False

    return mapped


def reduce(mode: str) -> Mapping:
    def mapped(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
        x, *axes = inputs
        if not x.size:
            raise Outside("an empty tensor")
        given = axes[0].tolist() if axes and axes[0].size else list(attributes.get("axes", []))
        if not given and attributes.get("noop_with_empty_axes"):
            raise Outside("a reduction that does nothing")
        fields = {
            "mode": mode,
            "axis": given or list(range(x.ndim)),
            "keep": bool(attributes.get("keepdims", 1)),
        }
        if not outputs[0].ndim:
            raise Outside("a single number, which has no shape")
        return "reduce", fields, [x], {}, outputs[0], False

    return mapped


def reshape(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if not outputs[0].ndim or not outputs[0].size:
        raise Outside("a single number, which has no shape, or none")
    return "reshape", {"shape": list(outputs[0].shape)}, inputs[:1], {}, outputs[0], False


def transpose(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    order = list(attributes.get("perm", range(inputs[0].ndim)[::-1]))
    return "transpose", {"order": order}, inputs, {}, outputs[0], False


def slice_(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, starts, stops, *rest = inputs
    axes = rest[0].tolist() if rest else list(range(len(starts)))
    steps = rest[1].tolist() if len(rest) > 1 else [1] * len(starts)
    if not outputs[0].size:
        raise Outside("an empty tensor")
    cuts = [
        (axis % x.ndim, start, stop, step)
        for axis, start, stop, step in zip(axes, starts.tolist(), stops.tolist(), steps, strict=True)
        if len(range(x.shape[axis])[start:stop:step]) < x.shape[axis] or step < 0
    ]
    if len(cuts) != 1:
        raise Outside("several dimensions at once, or none")
    ((axis, start, stop, step),) = cuts
    fields = {"axis": axis, "start": start, "step": step}
    size = x.shape[axis]
    if -size <= stop < size:
        fields["stop"] = stop
    return "slice", fields, [x], {}, outputs[0], False


def pad(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, pads, *rest = inputs
    mode = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}[
        attributes.get("mode", "constant")
    ]
    axes = [axis % x.ndim for axis in rest[1].tolist()] if len(rest) > 1 else list(range(x.ndim))
    both = [[0, 0] for _ in x.shape]
    for place, axis in enumerate(axes):
        both[axis] = [int(pads[place]), int(pads[place + len(axes)])]
    if min(map(min, both)) < 0:
        raise Outside("a margin that is taken away")
    fields: Fields = {"mode": mode}
    value = float(rest[0]) if rest and rest[0] is not None and rest[0].size else 0.0
    if mode == "constant":
        fields["value"] = value
    batched = x.ndim > 2 and both[0] == [0, 0]
    own = both[batched:]
    fields |= {"channels": own[0], "padding": own[1:]} if own[0] != [0, 0] else {"padding": own[1:]}
    return "pad", fields, [x], {}, outputs[0], batched


def depth_to_space(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if attributes.get("mode", "DCR") != "CRD":
        raise Outside("the order of TensorFlow")
    return "pixel_shuffle", {"factor": attributes["blocksize"]}, inputs, {}, outputs[0], True


def gather(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, indices = inputs
    if (indices < 0).any():
        raise Outside("indices from the end")
    fields = {"indices": "i", "axis": attributes.get("axis", 0)}
    return "gather", fields, [x, indices.astype(np.float32)], {}, outputs[0], False


def gelu(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    return "gelu", {"approximate": attributes.get("approximate", "none")}, inputs, {}, outputs[0], False


def resize(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x, *rest = inputs
    mode = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}[attributes.get("mode", "nearest")]
    places = attributes.get("coordinate_transformation_mode", "half_pixel")
    if mode != "nearest" and places not in ("half_pixel", "align_corners", "pytorch_half_pixel"):
        raise Outside("places by another rule")
    if any(
        name in attributes for name in ("antialias", "axes", "keep_aspect_ratio_policy", "exclude_outside")
    ):
        raise Outside("antialiasing, policies and axes")
    if mode == "bicubic" and attributes.get("cubic_coeff_a", -0.75) != -0.75:
        raise Outside("another cubic kernel")
    rule = (places, attributes.get("nearest_mode", "round_prefer_floor"))
    if x.ndim != 4 or x.shape[:2] != outputs[0].shape[:2]:
        raise Outside("resizing of batches or channels")
    scales = rest[1] if len(rest) > 1 and rest[1] is not None and rest[1].size else None
    multiples = all(y % x == 0 for x, y in zip(x.shape[2:], outputs[0].shape[2:], strict=True))
    if (
        mode == "nearest"
        and rule != ("asymmetric", "floor")
        and not (multiples and rule == ("half_pixel", "round_prefer_floor"))
    ):
        raise Outside("nearest pixels by another rule")
    if (
        places == "align_corners"
        and scales is not None
        and any(size * scale % 1 for size, scale in zip(x.shape, scales, strict=True))
    ):
        raise Outside("align_corners to a size that is no whole number of pixels")
    if places == "pytorch_half_pixel" and 1 in outputs[0].shape[2:]:
        raise Outside("a single pixel by the rule of an older PyTorch")
    fields = {"mode": mode, "align_corners": places == "align_corners"}
    fields |= (
        {"size": list(outputs[0].shape[2:])} if scales is None else {"scale": [float(s) for s in scales[2:]]}
    )
    return "upsample", fields, [x], {}, outputs[0], True


def crop(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    x = inputs[0]
    if (
        any(a < b for a, b in zip(x.shape, outputs[0].shape, strict=True))
        or x.shape[0] != outputs[0].shape[0]
    ):
        raise Outside("padding, or channels cropped")
    return "crop", {"size": list(outputs[0].shape[1:])}, [x], {}, outputs[0], False


def dropout(attributes: Attributes, inputs: list[Array], outputs: list[Array]) -> Mapped:
    if len(outputs) > 1 or (len(inputs) > 2 and bool(inputs[2])):
        raise Outside("training")
    return "dropout", {}, inputs[:1], {}, outputs[0], False


NODES: dict[str, Mapping] = {
    "Abs": each("abs"), "Exp": each("exp"), "Log": each("log"), "Sqrt": each("sqrt"), "Neg": each("negate"),
    "Reciprocal": each("reciprocal"), "Erf": each("erf"), "Relu": each("relu"), "Sigmoid": each("sigmoid"),
    "Tanh": each("tanh"), "Softplus": each("softplus"), "Mish": each("mish"), "HardSwish": each("hardswish"),
    "HardSigmoid": each("hardsigmoid", alpha=("alpha", 0.2), beta=("beta", 0.5)),
    "Elu": each("elu", alpha=("alpha", 1.0)), "Celu": each("celu", alpha=("alpha", 1.0)),
    "Selu": each("selu", alpha=("alpha", 1.67326319217681884765625), scale=("gamma", 1.05070102214813232421875)),
    "LeakyRelu": each("leaky_relu", slope=("alpha", 0.01)), "Identity": each("identity"), "Gelu": gelu,
    "Swish": swish, "Clip": clip, "PRelu": prelu, "Dropout": dropout,
    "Add": join("add"), "Sum": join("add"), "Sub": join("subtract"), "Mul": join("multiply"), "Div": join("divide"),
    "Max": join("maximum"), "Min": join("minimum"), "MatMul": matmul, "Gemm": gemm,
    "Conv": conv, "ConvTranspose": deconv, "MaxPool": pool("maxpool"), "AveragePool": pool("avgpool"),
    "GlobalAveragePool": whole("global_avgpool"), "GlobalMaxPool": whole("global_maxpool"),
    "BatchNormalization": batchnorm, "InstanceNormalization": instancenorm, "GroupNormalization": groupnorm,
    "LayerNormalization": layernorm("layernorm"), "RMSNormalization": layernorm("rmsnorm"),
    "LpNormalization": l2norm, "LRN": lrn, "Softmax": along("softmax", -1), "Concat": along("concat", 0),
    "ReduceMean": reduce("mean"), "ReduceSum": reduce("sum"), "ReduceMax": reduce("max"), "ReduceMin": reduce("min"),
    "Reshape": reshape, "Flatten": reshape, "Squeeze": reshape, "Unsqueeze": reshape, "Transpose": transpose,
    "Slice": slice_, "Pad": pad, "DepthToSpace": depth_to_space, "Gather": gather, "Resize": resize,
    "CenterCropPad": crop,
}  # fmt: skip


def made(name: str, node: Any, inputs: list[Array], outputs: list[Array]) -> Case:
    """One node as a case. Raises Outside."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    attributes = {
        key: value.decode() if isinstance(value, bytes) else value for key, value in attributes.items()
    }
    inputs, outputs = (
        [np.asarray(value) if isinstance(value, np.generic) else value for value in values]
        for values in (inputs, outputs)
    )
    if not all(isinstance(value, np.ndarray) or value is None for value in [*inputs, *outputs]):
        raise Outside("what is no tensor")
    if any(
        value is not None and value.dtype not in (np.float32, np.float64) for value in [inputs[0], outputs[0]]
    ):
        raise Outside("another type than 32- or 64-bit floats")
    if not inputs[0].ndim or not inputs[0].size:
        raise Outside("a single number, which has no shape, or none")
    kind, fields, given, weights, output, batched = NODES[node.op_type](attributes, inputs, outputs)
    if any(not value.ndim for value in given):
        raise Outside("a single number, which has no shape")
    if batched:
        own: list[tuple[list[Array], Array]] = [([x], y) for x, y in zip(given[0], output, strict=True)]
    else:
        own = [(given, output)]
    samples = [([numbers(value) for value in values], numbers(result)) for values, result in own]
    shaped: dict[str, Numbers] = {key: numbers(value) for key, value in weights.items()}
    return Case(name, kind, fields, samples, shaped)


def cases() -> list[Case | Left]:
    """All tests of one node that one of our operators is."""
    found: list[Case | Left] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collected = collect_testcases(None)
    for test in collected:
        if test.model is None or len(test.model.graph.node) != 1:
            continue
        node = test.model.graph.node[0]
        if node.op_type not in NODES:
            continue
        ((values, outputs),) = test.data_sets[:1]
        given = iter(values)
        kept = {tensor.name: numpy_helper.to_array(tensor) for tensor in test.model.graph.initializer}
        try:
            inputs = [
                None if not name else kept[name] if name in kept else next(given) for name in node.input
            ]
            found.append(made(test.name, node, inputs, list(outputs)))
        except Outside as reason:
            found.append(Left(test.name, node.op_type, str(reason)))
    return found
