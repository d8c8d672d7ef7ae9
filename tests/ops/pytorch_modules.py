"""Runs the samples of PyTorch's own module tests (`module_db`) for the operators that convcalc has.

    PYTHONPATH=. python tests/ops/pytorch_modules.py [MODULE...]

It needs torch and expecttest, and of convcalc the sources alone: operators compute by their own forward. A sample is
left out, with the reason counted, where it means something that no operator here does. Exit status 1 if one differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import nn
from torch.testing._internal.common_modules import module_db

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops import FieldError, Operator, Tensor

Fields = dict[str, Any]
Translation = tuple[str, Callable[[Any], Fields], int | None]


class Unlike(Exception):
    """What a sample asks for that no operator here does."""


def nothing(module: Any) -> Fields:
    return {}


def listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def window(module: Any) -> Fields:
    fields = {
        "kernel": listed(module.kernel_size),
        "stride": listed(module.stride),
        "padding": listed(module.padding),
        "rounding": "ceil" if module.ceil_mode else "floor",
    }
    if getattr(module, "return_indices", False):
        raise Unlike("indices")
    if hasattr(module, "dilation"):
        return fields | {"dilation": listed(module.dilation)}
    divisor = getattr(module, "divisor_override", None)
    return fields | {"count_padding": module.count_include_pad, "divisor": divisor}


def conv(module: Any) -> Fields:
    fields = {
        "filters": module.out_channels,
        "kernel": listed(module.kernel_size),
        "stride": listed(module.stride),
        "padding": listed(module.padding),
        "dilation": listed(module.dilation),
        "groups": module.groups,
        "bias": module.bias is not None,
    }
    if module.padding_mode != "zeros":
        raise Unlike("a margin that is not of zeros")
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        fields["output_padding"] = listed(module.output_padding)
    if isinstance(module.padding, str):
        _same_padding(module)
    return fields


def _same_padding(module: Any) -> None:
    """PyTorch puts the odd pixel of an even kernel after the map, as we do, without a stride."""
    if module.padding == "same" and any(step != 1 for step in module.stride):
        raise Unlike("same padding with a stride")


def margin(mode: str) -> Callable[[Any], Fields]:
    def fields(module: Any) -> Fields:
        sides = list(module.padding)  # the last axis first
        pairs = [sides[place : place + 2] for place in range(0, len(sides), 2)][::-1]
        if any(side < 0 for side in sides):
            raise Unlike("a margin that cuts")
        found: Fields = {"padding": pairs, "mode": mode}
        return found | ({"value": module.value} if mode == "constant" and hasattr(module, "value") else {})

    return fields


def last_axes(module: Any) -> Fields:
    rank = len(module.normalized_shape)
    if module.eps is None:
        raise Unlike("eps of 64 bits")
    fields: Fields = {"axis": list(range(-rank, 0)), "eps": module.eps}
    return fields | {"affine": module.elementwise_affine}


def norm(module: Any) -> Fields:
    if getattr(module, "track_running_stats", False) and not isinstance(
        module, nn.modules.batchnorm._BatchNorm
    ):
        raise Unlike("running statistics of an instance norm")
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.track_running_stats:
        raise Unlike("statistics of the batch")
    return {"eps": module.eps, "affine": module.affine}


def hardtanh(module: Any) -> Fields:
    return {"min": module.min_val, "max": module.max_val}


def prelu(module: Any) -> Fields:
    return {"per_channel": module.num_parameters > 1}


def lrn(module: Any) -> Fields:
    return {"size": module.size, "alpha": module.alpha, "beta": module.beta, "k": module.k}


def adaptive(module: Any) -> Fields:
    size = module.output_size
    if isinstance(size, tuple) and None in size:
        raise Unlike("a size that is the input's")
    if getattr(module, "return_indices", False):
        raise Unlike("indices")
    return {"size": listed(size)}


def softmax(module: Any) -> Fields:
    return {"axis": module.dim}


def translations() -> dict[str, Translation]:
    """By the module's name: our operator, its fields, and the rank of a sample without its batch.

    -1: the first dimension is a batch. None: an input of any rank is taken as it is.
    """
    found: dict[str, Translation] = {
        "CELU": ("celu", lambda m: {"alpha": m.alpha}, None),
        "ELU": ("elu", lambda m: {"alpha": m.alpha}, None),
        "GELU": ("gelu", lambda m: {"approximate": m.approximate}, None),
        "Hardtanh": ("clip", hardtanh, None),
        "LeakyReLU": ("leaky_relu", lambda m: {"slope": m.negative_slope}, None),
        "Softplus": ("softplus", lambda m: {"beta": m.beta, "threshold": m.threshold}, None),
        "Softmax": ("softmax", softmax, None),
        "Softmax2d": ("softmax", nothing, 3),
        "PReLU": ("prelu", prelu, -1),
        "Linear": (
            "dense",
            lambda m: {"units": m.out_features, "bias": m.bias is not None, "axis": "last"},
            None,
        ),
        "GroupNorm": ("groupnorm", lambda m: {"groups": m.num_groups, "eps": m.eps, "affine": m.affine}, -1),
        "LayerNorm": ("layernorm", last_axes, -1),
        "RMSNorm": ("rmsnorm", last_axes, -1),
        "LocalResponseNorm": ("lrn", lrn, -1),
    }
    for name in ("Hardswish", "Mish", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Tanh"):
        found[name] = (name.lower(), nothing, None)
    for rank in (1, 2, 3):
        for name, kind, fields in (
            ("BatchNorm", "batchnorm", norm),
            ("InstanceNorm", "instancenorm", norm),
            ("Conv", "conv", conv),
            ("ConvTranspose", "deconv", conv),
            ("MaxPool", "maxpool", window),
            ("AvgPool", "avgpool", window),
            ("AdaptiveAvgPool", "adaptive_avgpool", adaptive),
            ("AdaptiveMaxPool", "adaptive_maxpool", adaptive),
            ("ReflectionPad", "pad", margin("reflect")),
            ("ReplicationPad", "pad", margin("replicate")),
            ("CircularPad", "pad", margin("circular")),
            ("ZeroPad", "pad", margin("zeros")),
            ("ConstantPad", "pad", margin("constant")),
        ):
            found[f"{name}{rank}d"] = (kind, fields, -1 if name == "BatchNorm" else rank + 1)
    return found


def operator(kind: str, fields: Fields, shape: tuple[int, ...]) -> Operator:
    infos = ops.get(kind).fields()
    return ops.get(kind)(**{name: infos[name].kind.check(value) for name, value in fields.items()}).bind(
        (shape,)
    )


def differs(module: Any, translation: Translation, given: torch.Tensor) -> bool:
    """Whether a sample's output is another. Raises Unlike, Misfit and FieldError for what is left out."""
    kind, fields_of, rank = translation
    wanted = module(given)
    if given.ndim == 0 or not given.numel():
        raise Unlike("nothing in the input")
    fields = fields_of(module)
    batched = rank is not None and given.ndim > max(rank, 1)
    samples = zip(given, wanted, strict=True) if batched else [(given, wanted)]
    tensors = {name: value.flatten().tolist() for name, value in module.state_dict().items()}
    for sample, output in samples:
        shape = tuple(sample.shape)
        op = operator(kind, fields, shape)
        zeros = {p.name: [0.0] * prod(p.shape) for p in op.parameters((shape,)) if p.name == "bias"}
        got = op.forward([Tensor(shape, sample.flatten().tolist())], zeros | tensors)
        flat = torch.tensor(got.values, dtype=torch.float64)
        if got.shape != tuple(output.shape) or not torch.allclose(
            flat, output.flatten(), 1e-9, 1e-12, equal_nan=True
        ):
            return True
    return False


def main() -> int:
    torch.manual_seed(1)
    known = translations()
    agree: Counter[str] = Counter()
    left_out: Counter[str] = Counter()
    wrong = []
    for info in module_db:
        name = info.module_cls.__name__
        if name not in known or (sys.argv[1:] and name not in sys.argv[1:]):
            continue
        samples = info.module_inputs_func(
            info, device="cpu", dtype=torch.float64, requires_grad=False, training=False
        )
        for sample in samples:
            made = sample.constructor_input
            module = info.module_cls(*made.args, **made.kwargs).double().eval()
            (given,) = [*sample.forward_input.args, *sample.forward_input.kwargs.values()][:1]
            with torch.no_grad():
                for parameter in module.parameters():
                    parameter.copy_(torch.randn(parameter.shape))
                try:
                    found = differs(module, known[name], given)
                except (Unlike, Misfit, FieldError) as reason:
                    left_out[f"{name}: {getattr(reason, 'message', reason)}"] += 1
                    continue
            agree[name] += not found
            wrong += [f"{name}{made.args}{made.kwargs} on {tuple(given.shape)}"] if found else []
    print(
        f"{sum(agree.values())} samples of {len(agree)} modules agree, {len(wrong)} differ",
        *wrong,
        sep="\n  ",
    )
    print(
        f"{sum(left_out.values())} left out:",
        *(f"{n} {reason}" for reason, n in left_out.items()),
        sep="\n  ",
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
