"""PyTorch forms of layers with windows, weights or statistics: convolution, pooling, normalisation, activations."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from convcalc.formats.torch.source.site import (
    Call,
    Form,
    InexpressibleError,
    Site,
    compact_of,
    form_of,
    tuple_of,
)
from convcalc.ops import axis_dimensions, get
from convcalc.shapes import Axis


def ranked(site: Site, name: str, ranks: Sequence[int] = (1, 2, 3)) -> str:
    """The class `nn.<name>1d` to `3d`. Raises InexpressibleError for other dimensions."""
    if site.rank not in ranks:
        given = f"{site.rank} spatial dimensions" if site.rank else "a vector"
        raise InexpressibleError(f"{site.op.kind}: PyTorch has no {name} for {given}")
    return f"nn.{name}{site.rank}d"


def _margins(axes: Sequence[Any]) -> str:
    """Margins as functional.pad takes them: the last axis first."""
    return tuple_of([side for axis in reversed(axes) for side in (axis.before, axis.after)])


def _overhung(axes: Sequence[Axis]) -> list[Axis]:
    """The axes with the pixels that a last window of rounding: ceil reads beyond the padding as padding."""
    return [
        axis._replace(
            after=axis.after + max(0, (axis.output - 1) * axis.stride + axis.extent - axis.padded),
            rounding="floor",
        )
        for axis in axes
    ]


def _window_keywords(site: Site) -> tuple[str, ...]:
    """The keywords of stride and dilation."""
    return (*site.keyword("stride", 1), *site.keyword("dilation", 1))


@form_of(get("conv"))
def _conv(site: Site) -> Form:
    op = site.op
    filters = site.channels if op.depthwise and not _written(site, "filters") else site.text("filters")
    if site.is_set("depthwise"):
        groups: tuple[str, ...] = (f"groups={site.channels} if {site.text('depthwise')} else 1",)
    else:
        groups = (f"groups={site.channels}",) if op.depthwise else site.keyword("groups", 1)
    rest = (*groups, *site.keyword("bias", True))
    axes = _overhung(op.axes(site.shapes))
    leading = (site.channels, filters, site.text("kernel"))
    if op.padding == "same" and any(map(site.is_set, ("kernel", "dilation", "stride"))):
        if not site.is_set("stride") and all(axis.stride == 1 for axis in axes):
            words = (*leading, 'padding="same"', *site.keyword("dilation", 1), *rest)
            return Form(Call(ranked(site, "Conv"), words))
        ranked(site, "Conv")
        name = f"SameConv{site.rank}d"
        same = Call(name, (*leading, *_window_keywords(site), *rest))
        return Form(same, helpers=(name,))
    given = _given_margins(site)
    if given is None and all(axis.before == axis.after for axis in axes):
        padding = _padding(site, axes)
        stride, dilation = site.keyword("stride", 1), site.keyword("dilation", 1)
        return Form(Call(ranked(site, "Conv"), (*leading, *stride, *padding, *dilation, *rest)))
    name = f"PaddedConv{site.rank}d"
    ranked(site, "Conv")
    margins = given or _margins(axes)
    return Form(Call(name, (*leading, margins, *_window_keywords(site), *rest)), helpers=(name,))


def _given_margins(site: Site) -> str | None:
    """The source of margins for functional.pad, if parameters set a padding that differs between the sides."""
    if not site.is_set("padding") or site.op.rounding == "ceil":
        return None
    text = site.text("padding")
    tree = ast.parse(text, mode="eval").body
    pairs = isinstance(site.op.padding, tuple) and any(isinstance(item, tuple) for item in site.op.padding)
    if isinstance(tree, ast.Name) and pairs:
        ends = [(f"{text}[{axis}][0]", f"{text}[{axis}][1]") for axis in reversed(range(site.rank))]
        return tuple_of([end for pair in ends for end in pair])
    if not isinstance(tree, ast.Tuple) or not any(isinstance(item, ast.Tuple) for item in tree.elts):
        return None
    sides: list[str] = []
    for item in reversed(tree.elts):
        pair = item.elts if isinstance(item, ast.Tuple) else [item, item]
        sides += map(ast.unparse, pair)
    return tuple_of(sides)


def _written(site: Site, name: str) -> bool:
    """Whether the field says more than the input's channels do."""
    return site.is_set(name) or getattr(site.op, name) != site.shape[0]


def _padding(site: Site, axes: Sequence[Axis]) -> tuple[str, ...]:
    """The keyword of a padding that is equal on both sides of each axis."""
    if site.is_set("padding"):
        return (f"padding={site.text('padding')}",)
    padding = [axis.before for axis in axes]
    return (f"padding={compact_of(padding)}",) if any(padding) else ()


@form_of(get("deconv"))
def _deconv(site: Site) -> Form:
    op = site.op
    axes = op.axes(site.shapes)
    leading = (site.channels, site.text("filters"), site.text("kernel"))
    extra = [axis.extra for axis in axes]
    output_padding = (f"output_padding={compact_of(extra)}",) if any(extra) else ()
    rest = (*output_padding, *site.keyword("groups", 1), *site.keyword("bias", True))
    if all(axis.before == axis.after for axis in axes):
        padding, dilation = _padding(site, axes), site.keyword("dilation", 1)
        return Form(
            Call(
                ranked(site, "ConvTranspose"),
                (*leading, *site.keyword("stride", 1), *padding, *rest, *dilation),
            )
        )
    ranked(site, "ConvTranspose")
    name = f"CroppedConvTranspose{site.rank}d"
    return Form(Call(name, (*leading, _margins(axes), *_window_keywords(site), *rest)), helpers=(name,))


@form_of(get("dense"))
def _dense(site: Site) -> Form:
    features = site.size(len(site.shape) - 1)
    return Form(Call("nn.Linear", (features, site.text("units"), *site.keyword("bias", True))))


@form_of(get("batchnorm"))
def _batchnorm(site: Site) -> Form:
    if site.rank > 3:
        ranked(site, "BatchNorm")
    words = (site.channels, *site.keyword("eps", 1e-5), *site.keyword("affine", True))
    if site.op.frozen:
        return Form(Call("FrozenBatchNorm", words), helpers=("FrozenBatchNorm",))
    return Form(Call(f"nn.BatchNorm{max(site.rank, 1)}d", words))


@form_of(get("layernorm"))
def _layernorm(site: Site) -> Form:
    affine = site.keyword("affine", True, "elementwise_affine")
    return _over_axes(site, "LayerNorm", (*site.keyword("eps", 1e-5), *affine))


@form_of(get("rmsnorm"))
def _rmsnorm(site: Site) -> Form:
    affine = site.keyword("affine", True, "elementwise_affine")
    return _over_axes(site, "RMSNorm", (*site.keyword("eps", 2.0**-23), *affine))


def _over_axes(site: Site, name: str, keywords: tuple[str, ...]) -> Form:
    found = axis_dimensions(site.op.axis, len(site.shape))
    rank = len(site.shape)
    sizes = [site.size(dimension) for dimension in found]
    size = sizes[0] if len(sizes) == 1 else tuple_of(sizes)
    if found == tuple(range(rank - len(found), rank)):
        return Form(Call(f"nn.{name}", (size, *keywords)))
    if name == "LayerNorm" and found == (0,) and site.rank == 2 and site.lead:
        return Form(Call("LayerNorm2d", (size, *keywords)), helpers=("LayerNorm2d",))
    helper = f"{name}Over"
    dims = tuple_of([site.axis(dimension) for dimension in found])
    words = tuple(word.replace("elementwise_affine", "affine") for word in keywords)
    return Form(Call(helper, (tuple_of(sizes), dims, *words)), helpers=(helper,))


@form_of(get("groupnorm"))
def _groupnorm(site: Site) -> Form:
    words = (*site.keyword("eps", 1e-5), *site.keyword("affine", True))
    return Form(Call("nn.GroupNorm", (site.text("groups"), site.channels, *words)))


@form_of(get("instancenorm"))
def _instancenorm(site: Site) -> Form:
    words = (*site.keyword("eps", 1e-5), *site.keyword("affine", False))
    return Form(Call(ranked(site, "InstanceNorm"), (site.channels, *words)))


@form_of(get("lrn"))
def _lrn(site: Site) -> Form:
    words = (*site.keyword("alpha", 1e-4), *site.keyword("beta", 0.75), *site.keyword("k", 1.0))
    call = "" if site.rank else "{self}({0}.unsqueeze(-1)).squeeze(-1)"
    return Form(Call("nn.LocalResponseNorm", (site.text("size"), *words)), call=call)


@form_of(get("maxpool"))
def _maxpool(site: Site) -> Form:
    axes = site.op.axes(site.shapes)
    stride = _pool_stride(site)
    if all(axis.before == axis.after <= axis.kernel // 2 for axis in axes):
        words = (*stride, *_padding(site, axes), *site.keyword("dilation", 1), *_ceil(site))
        return Form(Call(ranked(site, "MaxPool"), (site.text("kernel"), *words)))
    ranked(site, "MaxPool")
    name = f"PaddedMaxPool{site.rank}d"
    words = (_margins(_overhung(axes)), *stride, *site.keyword("dilation", 1))
    return Form(Call(name, (site.text("kernel"), *words)), helpers=(name,))


def _pool_stride(site: Site) -> tuple[str, ...]:
    if not site.is_set("stride") and not site.is_set("kernel"):
        axes = site.op.axes(site.shapes)
        return () if all(axis.stride == axis.kernel for axis in axes) else (f"stride={site.text('stride')}",)
    return () if site.text("stride") == site.text("kernel") else (f"stride={site.text('stride')}",)


def _ceil(site: Site) -> tuple[str, ...]:
    """ceil_mode where rounding up adds a window."""
    axes = site.op.axes(site.shapes)
    return ("ceil_mode=True",) if any(a.rounding == "ceil" and a.remainder for a in axes) else ()


@form_of(get("avgpool"))
def _avgpool(site: Site) -> Form:
    op = site.op
    axes = op.axes(site.shapes)
    divides = site.differs("divisor", None)
    even = all(axis.before == axis.after <= axis.kernel // 2 and axis.dilation == 1 for axis in axes)
    if even and not (divides and site.rank == 1):
        counts = site.keyword("count_padding", True, "count_include_pad") if _has_padding(site, axes) else ()
        divisor = (f"divisor_override={site.text('divisor')}",) if divides else ()
        words = (*_pool_stride(site), *_padding(site, axes), *_ceil(site), *counts, *divisor)
        return Form(Call(ranked(site, "AvgPool"), (site.text("kernel"), *words)))
    ranked(site, "AvgPool")
    name = f"WindowAverage{site.rank}d"
    counted = axes if op.count_padding else [axis._replace(before=0, after=0) for axis in axes]
    words = (
        tuple_of([axis.kernel for axis in axes]),
        tuple_of([axis.stride for axis in axes]),
        _margins(_overhung(axes)),
        _margins(counted),
        *site.keyword("dilation", 1),
        *site.keyword("divisor", None),
    )
    return Form(Call(name, words), helpers=(name,))


def _has_padding(site: Site, axes: Sequence[Axis]) -> bool:
    return site.is_set("padding") or any(axis.before or axis.after for axis in axes)


@form_of(get("global_avgpool"))
def _global_avgpool(site: Site) -> Form:
    return Form(Call(ranked(site, "AdaptiveAvgPool"), ("1",)))


@form_of(get("global_maxpool"))
def _global_maxpool(site: Site) -> Form:
    return Form(Call(ranked(site, "AdaptiveMaxPool"), ("1",)))


@form_of(get("adaptive_avgpool"), get("adaptive_maxpool"))
def _adaptive(site: Site) -> Form:
    return Form(Call(ranked(site, site.op.torch_module), (site.text("size"),)))


@form_of(get("dropout"))
def _dropout(site: Site) -> Form:
    per = site.op.per
    if per == "sample":
        return Form(Call("StochasticDepth", (site.text("rate"),)), helpers=("StochasticDepth",))
    if per == "channel":
        return Form(Call(ranked(site, "Dropout"), (site.text("rate"),)))
    return Form(Call("nn.Dropout", (site.text("rate"),)))


@form_of(get("identity"))
def _identity(site: Site) -> Form:
    return Form(Call("nn.Identity"), call="{0}")


@form_of(get("softmax"))
def _softmax(site: Site) -> Form:
    (dimension,) = axis_dimensions(site.op.axis, len(site.shape))
    return Form(Call("nn.Softmax", (f"dim={site.axis(dimension)}",)))


@form_of(get("l2norm"))
def _l2norm(site: Site) -> Form:
    found = axis_dimensions(site.op.axis, len(site.shape))
    words = [*([f"dim={site.axes(found)}"] if site.axes(found) != "1" else [])]
    if site.differs("eps", 1e-12):
        words.append(f"eps={site.at_hand('eps')}")
    return Form(call=f"functional.normalize({', '.join(['{0}', *words])})")


@form_of(get("scale"))
def _scale(site: Site) -> Form:
    if site.differs("value", None):
        return Form(call=f"{site.at_hand('value')} * {{0}}")
    initial = (site.text("initial"),) if site.differs("initial", 1.0) else ()
    call = "" if site.lead else "{self}({0}.unsqueeze(0)).squeeze(0)"
    return Form(Call("Scale", (site.channels, *initial)), call=call, helpers=("Scale",))
