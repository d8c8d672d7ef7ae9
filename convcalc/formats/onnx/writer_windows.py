"""Forms in ONNX of the operators with a sliding window: convolutions and pools."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

from convcalc.formats.onnx.writer_encoding import Attribute
from convcalc.formats.onnx.writer_forms import form
from convcalc.formats.onnx.writer_layer import LayerDraft
from convcalc.formats.onnx.writer_moves import padded
from convcalc.formats.onnx.writer_network import Value
from convcalc.ops.avgpool import Avgpool
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
from convcalc.ops.dense import Dense
from convcalc.ops.maxpool import Maxpool
from convcalc.shapes import Axis


def end_padding(axis: Axis) -> int:
    """The trailing padding with which rounding down gives all windows of the axis: as written, unless rounding up
    adds a window that reaches beyond it. ONNX's ceil_mode would do, but runtimes disagree about it."""
    needed = (axis.output - 1) * axis.stride + axis.extent - axis.before - axis.size
    return axis.after if needed <= axis.after < needed + axis.stride else max(0, needed)


def pads(axes: Sequence[Axis]) -> list[int]:
    """The attribute `pads`: what is added before each axis, then after each."""
    return [axis.before for axis in axes] + [end_padding(axis) for axis in axes]


def window(axes: Sequence[Axis], dilated: bool = True) -> dict[str, Attribute]:
    """The attributes of a window."""
    found: dict[str, Attribute] = {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
        "pads": pads(axes),
    }
    return {**found, "dilations": [axis.dilation for axis in axes]} if dilated else found


@form(Conv)
def conv(layer: LayerDraft[Conv]) -> Value:
    """Conv with explicit pads."""
    axes = layer.op.axes((layer.x.shape,))
    weights = [layer.weight(name) for name in ("weight", "bias") if layer.has(name)]
    return layer.add("Conv", [layer.x, *weights], layer.shape, group=layer.op.groups, **window(axes))


@form(Deconv)
def deconv(layer: LayerDraft[Deconv]) -> Value:
    """ConvTranspose with explicit pads. output_padding of a stride or more, which ONNX Runtime refuses and dilation
    allows, is taken from the pads instead, and what they lack is added by Pad."""
    op = layer.op
    axes = op.axes((layer.x.shape,))
    if any(axis.extra >= axis.stride for axis in axes):
        axes = tuple([axis._replace(after=axis.after - axis.extra, extra=0) for axis in axes])
    lacking = [max(0, -axis.after) for axis in axes]
    attributes: dict[str, Attribute] = {
        "kernel_shape": [axis.kernel for axis in axes],
        "strides": [axis.stride for axis in axes],
        "pads": [axis.before for axis in axes] + [max(0, axis.after) for axis in axes],
        "dilations": [axis.dilation for axis in axes],
        "group": op.groups,
    }
    if any(axis.extra for axis in axes):
        attributes["output_padding"] = [axis.extra for axis in axes]
    weights = [layer.weight("weight")]
    biased = layer.has("bias")
    if biased and not any(lacking):
        weights.append(layer.weight("bias"))
    shape = (layer.shape[0], *(size - less for size, less in zip(layer.shape[1:], lacking, strict=True)))
    found = layer.add("ConvTranspose", [layer.x, *weights], shape, **attributes)
    if not any(lacking):
        return found
    found = padded(layer, found, [(0, 0), *((0, less) for less in lacking)])
    return layer.binary("Add", found, layer.weight("bias", len(axes))) if biased else found


@form(Dense)
def dense(layer: LayerDraft[Dense]) -> Value:
    """Gemm of a vector; along the last dimension of a map MatMul and Add."""
    biased = layer.has("bias")
    if len(layer.shape) == 1:
        weights = [layer.weight("weight")]
        if biased or layer.opset < 11:  # an input of its own, which may be left out since
            weights.append(layer.weight("bias") if biased else layer.filled("bias", 0.0, layer.shape))
        return layer.add("Gemm", [layer.x, *weights], layer.shape, transB=1)
    product = layer.add("MatMul", [layer.x, layer.transposed("weight")], layer.shape)
    return layer.binary("Add", product, layer.weight("bias")) if biased else product


@form(Maxpool)
def maxpool(layer: LayerDraft[Maxpool]) -> Value:
    """MaxPool with explicit pads; with dilation from opset 10 on."""
    axes = layer.op.axes((layer.x.shape,))
    dilated = any(axis.dilation > 1 for axis in axes)
    if dilated:
        layer.needs_opset(10, "MaxPool with dilation")
    x, axes = _narrow(layer, axes, -inf)
    return layer.add("MaxPool", [x], layer.shape, **window(axes, dilated))


def _narrow(layer: LayerDraft[Any], axes: tuple[Axis, ...], fill: float) -> tuple[Value, tuple[Axis, ...]]:
    """The input and the axes with padding of less than a kernel, as pools need it: if there is more, which only
    dilation allows, all of it becomes a layer of its own."""
    margins = [(axis.before, end_padding(axis)) for axis in axes]
    if all(max(margin) < axis.kernel for margin, axis in zip(margins, axes, strict=True)):
        return layer.x, axes
    x = padded(layer, layer.x, [(0, 0), *margins], fill)
    return x, tuple(
        [
            axis._replace(size=size, before=0, after=0, rounding="floor")
            for axis, size in zip(axes, x.shape[1:], strict=True)
        ]
    )


@form(Avgpool)
def avgpool(layer: LayerDraft[Avgpool]) -> Value:
    """AveragePool; dilation before opset 19 as a convolution of each channel by itself with equal weights.

    If padding counts, but not what rounding up adds to it, the padding is a Pad before it.
    """
    op = layer.op
    axes = op.axes((layer.x.shape,))
    if any(axis.dilation > 1 for axis in axes):
        margins = [
            margin for axis in axes for margin in (axis.before - axis.kernel, end_padding(axis) - axis.kernel)
        ]
        if layer.opset < 19 or max(margins) >= 0:
            return _mean_by_convolution(layer, axes)
    dilated = any(axis.dilation > 1 for axis in axes)
    if op.divisor is not None:
        mean = layer.add("AveragePool", [layer.x], layer.shape, count_include_pad=1, **window(axes, dilated))
        taps = prod(axis.kernel for axis in axes)
        if taps == op.divisor:
            return mean
        return layer.binary("Mul", mean, layer.floats("factor", [taps / op.divisor]))
    x = layer.x
    if op.counts_padding and any(end_padding(axis) > axis.after for axis in axes):
        x = padded(layer, x, [(0, 0), *((axis.before, axis.after) for axis in axes)])
        axes = tuple([axis._replace(size=axis.padded, before=0, after=0) for axis in axes])
        return layer.add("AveragePool", [x], layer.shape, **window(axes, dilated))
    counts = int(op.counts_padding and any(pads(axes)))
    return layer.add("AveragePool", [x], layer.shape, count_include_pad=counts, **window(axes, dilated))


def _mean_by_convolution(layer: LayerDraft[Avgpool], axes: tuple[Axis, ...]) -> Value:
    channels = layer.shape[0]
    taps = [axis.kernel for axis in axes]
    kernel = layer.filled("kernel", 1.0, (channels, 1, *taps))
    sums = layer.add("Conv", [layer.x, kernel], layer.shape, group=channels, **window(axes))
    divisors = layer.op.divisors(layer.x.shape)
    if len(set(divisors)) == 1:
        return layer.binary("Div", sums, layer.floats("divisor", divisors[:1]))
    return layer.binary("Div", sums, layer.floats("divisors", divisors, layer.shape[1:]))
