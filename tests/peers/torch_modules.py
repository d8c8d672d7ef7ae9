"""PyTorch's module samples as cases: every module of `module_db` that one of our operators is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from records import Case, Left, numbers
from torch import nn
from torch.testing._internal.common_modules import module_db

Fields = dict[str, Any]
Weights = dict[str, torch.Tensor]
Mapped = tuple[str, Fields, Weights]


class Outside(Exception):
    """Why a sample is none of our operators."""


def pairs(value: Any) -> Any:
    """An integer or one per dimension, as our fields take it."""
    return list(value) if isinstance(value, (tuple, list)) else value


def window(module: Any) -> Fields:
    fields = {"kernel": pairs(module.kernel_size), "padding": pairs(module.padding)}
    fields["stride"] = pairs(module.stride if module.stride is not None else module.kernel_size)
    fields["rounding"] = "ceil" if module.ceil_mode else "floor"
    return fields


def maxpool(module: Any) -> Mapped:
    if module.return_indices:
        raise Outside("indices of a maximum")
    return "maxpool", window(module) | {"dilation": pairs(module.dilation)}, {}


def avgpool(module: Any) -> Mapped:
    fields = window(module) | {"count_padding": module.count_include_pad}
    if getattr(module, "divisor_override", None):
        fields["divisor"] = module.divisor_override
    return "avgpool", fields, {}


def conv(module: Any) -> Mapped:
    if module.padding_mode != "zeros":
        raise Outside("padding that is not zeros")
    fields = {
        "filters": module.out_channels, "kernel": pairs(module.kernel_size), "stride": pairs(module.stride),
        "padding": pairs(module.padding), "dilation": pairs(module.dilation), "groups": module.groups,
        "bias": module.bias is not None,
    }  # fmt: skip
    kind = "conv"
    if module.transposed:
        kind = "deconv"
        fields["output_padding"] = pairs(module.output_padding)
    return kind, fields, dict(module.named_parameters())


def norm(kind: str) -> Callable[[Any], Mapped]:
    def mapped(module: Any) -> Mapped:
        fields = {"eps": module.eps, "affine": module.affine}
        if kind == "groupnorm":
            fields["groups"] = module.num_groups
        elif kind == "instancenorm" and module.track_running_stats:
            raise Outside("an instancenorm with running statistics")
        elif kind == "batchnorm" and not module.track_running_stats:
            raise Outside("a batchnorm without running statistics")
        weights = {key: value for key, value in module.state_dict().items() if "num_batches" not in key}
        if "weight" in weights and "bias" not in weights:
            raise Outside("a normalisation with weights and without biases")
        return kind, fields, weights

    return mapped


def trailing(kind: str) -> Callable[[Any], Mapped]:
    def mapped(module: Any) -> Mapped:
        count = len(module.normalized_shape)
        affine = module.elementwise_affine
        if affine and kind == "layernorm" and module.bias is None:
            raise Outside("a normalisation with weights and without biases")
        fields = {"axis": list(range(-count, 0)), "affine": affine}
        if module.eps is not None:
            fields["eps"] = module.eps
        return kind, fields, dict(module.named_parameters())

    return mapped


def pad(mode: str) -> Callable[[Any], Mapped]:
    def mapped(module: Any) -> Mapped:
        sizes = module.padding
        margins = [[sizes[place], sizes[place + 1]] for place in range(len(sizes) - 2, -1, -2)]
        fields = {"padding": margins, "mode": mode}
        if mode == "constant":
            fields["value"] = getattr(module, "value", 0.0)
        return "pad", fields, {}

    return mapped


def attention(module: Any) -> Mapped:
    if module.in_proj_weight is None:
        raise Outside("keys or values of another width")
    if module.bias_k is not None or module.add_zero_attn:
        raise Outside("keys and values that no position has")
    bias = module.in_proj_bias is not None
    fields = {"heads": module.num_heads, "in_bias": bias, "out_bias": bias}
    return "attention", fields, dict(module.named_parameters())


def plain(kind: str, **names: str) -> Callable[[Any], Mapped]:
    """No weights; fields by the module's names for them."""
    return lambda module: (kind, {ours: pairs(getattr(module, theirs)) for ours, theirs in names.items()}, {})


def adaptive(kind: str) -> Callable[[Any], Mapped]:
    def mapped(module: Any) -> Mapped:
        size = pairs(module.output_size)
        if size is None or (isinstance(size, list) and None in size):
            raise Outside("a size that follows the input")
        return kind, {"size": size}, {}

    return mapped


def linear(module: Any) -> Mapped:
    return (
        "dense",
        {"units": module.out_features, "bias": module.bias is not None, "axis": "last"},
        dict(module.named_parameters()),
    )


def hardtanh(module: Any) -> Mapped:
    return "clip", {"min": module.min_val, "max": module.max_val}, {}


def prelu(module: Any) -> Mapped:
    return "prelu", {"per_channel": module.num_parameters > 1}, {"weight": module.weight}


MODULES: dict[type, Callable[[Any], Mapped]] = {
    **dict.fromkeys((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), maxpool),
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), avgpool),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
                    adaptive("adaptive_avgpool")),
    **dict.fromkeys((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
                    adaptive("adaptive_maxpool")),
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), conv),
    **dict.fromkeys((nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), conv),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d), norm("batchnorm")),
    **dict.fromkeys((nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d), norm("instancenorm")),
    nn.GroupNorm: norm("groupnorm"),
    nn.LayerNorm: trailing("layernorm"),
    nn.RMSNorm: trailing("rmsnorm"),
    nn.LocalResponseNorm: plain("lrn", size="size", alpha="alpha", beta="beta", k="k"),
    nn.Linear: linear,
    nn.MultiheadAttention: attention,
    nn.ReLU: plain("relu"), nn.ReLU6: plain("relu6"), nn.Sigmoid: plain("sigmoid"), nn.Tanh: plain("tanh"),
    nn.SiLU: plain("silu"), nn.Mish: plain("mish"), nn.Hardswish: plain("hardswish"),
    nn.Hardsigmoid: plain("hardsigmoid"), nn.SELU: plain("selu"), nn.GELU: plain("gelu", approximate="approximate"),
    nn.ELU: plain("elu", alpha="alpha"), nn.CELU: plain("celu", alpha="alpha"),
    nn.LeakyReLU: plain("leaky_relu", slope="negative_slope"), nn.PReLU: prelu, nn.Hardtanh: hardtanh,
    nn.Softplus: plain("softplus", beta="beta", threshold="threshold"),
    nn.Softmax: plain("softmax", axis="dim"), nn.Softmax2d: plain("softmax"),
    **dict.fromkeys((nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d), pad("reflect")),
    **dict.fromkeys((nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d), pad("replicate")),
    **dict.fromkeys((nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d), pad("circular")),
    **dict.fromkeys((nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d, nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d),
                    pad("constant")),
    nn.PixelShuffle: plain("pixel_shuffle", factor="upscale_factor"),
    nn.PixelUnshuffle: plain("pixel_unshuffle", factor="downscale_factor"),
    nn.Flatten: plain("flatten"), nn.Identity: plain("identity"),
}  # fmt: skip
ANY_SHAPE = (
    "relu", "relu6", "sigmoid", "tanh", "silu", "mish", "hardswish", "hardsigmoid", "selu", "gelu", "elu", "celu",
    "leaky_relu", "clip", "softplus",
)  # fmt: skip


def is_batched(module: nn.Module, kind: str, x: torch.Tensor) -> bool:
    """Whether the first dimension counts inputs."""
    name = type(module).__name__
    if kind in ANY_SHAPE or (kind == "prelu" and module.num_parameters == 1):
        return False
    if name[-2:] in ("1d", "2d", "3d"):
        rank = int(name[-2])
        return x.dim() == rank + 2 or (name == "BatchNorm1d" and x.dim() == 2)
    return x.dim() > 1


def sample(name: str, module: Any, inputs: Any) -> Case:
    """One sample as a case. Raises Outside."""
    kind, fields, weights = MODULES[type(module)](module)
    x, *rest = inputs.args
    if kind == "attention":
        if inputs.kwargs.get("attn_mask") is not None or inputs.kwargs.get("key_padding_mask") is not None:
            raise Outside("masks of PyTorch's kinds")
        if not all(torch.equal(x, other) for other in rest):
            raise Outside("queries, keys and values from several inputs")
        if inputs.kwargs.get("is_causal"):
            raise Outside("causal attention")
        if x.dim() == 3 and not module.batch_first:
            raise Outside("positions before the batch")
    with torch.no_grad():
        result = module(*inputs.args, **inputs.kwargs)
    result = result[0] if isinstance(result, tuple) else result
    if not x.dim():
        raise Outside("a single number, which has no shape")
    batched = is_batched(module, kind, x) if kind != "attention" else x.dim() == 3
    if kind == "softmax" and "axis" in fields:
        dim = fields["axis"] % x.dim()
        if dim == 0:
            batched = False
        fields["axis"] = dim - batched
    own = list(zip(x, result, strict=True)) if batched else [(x, result)]
    samples = [([numbers(given)], numbers(output)) for given, output in own]
    shaped = {key: numbers(value.detach()) for key, value in weights.items()}
    return Case(name, kind, fields, samples, shaped)


def cases() -> list[Case | Left]:
    """All samples of the modules that our operators are, in float64, in eval mode."""
    found: list[Case | Left] = []
    warnings.simplefilter("ignore")
    for info in module_db:
        if info.module_cls not in MODULES:
            continue
        torch.manual_seed(0)
        made = info.module_inputs_func(
            info, device="cpu", dtype=torch.float64, requires_grad=False, training=False
        )
        for number, given in enumerate(made):
            name = f"{info.name}[{number}]"
            if given.forward_input is None or not given.forward_input.args:
                continue  # it tests how the module is made
            construct = given.constructor_input
            module = info.module_cls(*construct.args, **construct.kwargs).double().eval()
            for tensor in module.buffers():
                if tensor.is_floating_point():
                    nn.init.uniform_(tensor, 0.5, 1.5)
            try:
                found.append(sample(name, module, given.forward_input))
            except Outside as reason:
                found.append(Left(name, info.name, str(reason)))
    return found
