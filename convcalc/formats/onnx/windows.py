"""Mapping of convolutions, pools, padding and resizing: operators whose input is a batch of maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convcalc.formats.draft import operator
from convcalc.formats.onnx.calls import Activation, Call, Invalid, Unmapped, Value, decimal, normal
from convcalc.formats.onnx.mapper import Mapper
from convcalc.formats.onnx.values import FLOATS, Const
from convcalc.ops import Operator
from convcalc.shapes import Padding, PerAxis, Shape
from convcalc.weights.tensors import StoredTensor

Handler = Callable[[Mapper, Call], "Value | Sequence[Value | None]"]
Pads = list[tuple[int, int]]


def maps(mapper: Mapper, call: Call) -> Activation:
    """The first input as maps with the batch first. Raises Unmapped for other ranks than 1 to 3 dimensions."""
    x = mapper.batched(call, call.activation())
    if not 3 <= len(x.shape) <= 5:
        raise Unmapped(f"maps of {len(x.shape) - 2} dimensions")
    return x


def per_axis(values: Sequence[int]) -> PerAxis:
    """One number if all axes are equal."""
    return values[0] if len(set(values)) == 1 else tuple(values)


def padding_of(pads: Pads) -> Padding:
    """Pads as our field has them: one number, or numbers and pairs."""
    sides: list[int | tuple[int, int]] = [
        before if before == after else (before, after) for before, after in pads
    ]
    first = sides[0]
    return first if isinstance(first, int) and len(set(sides)) == 1 else tuple(sides)


class Window:
    """Kernel, strides, dilations and padding of a node with a window."""

    def __init__(self, call: Call, spatial: Sequence[int], kernel: Sequence[int]) -> None:
        rank = len(spatial)
        self.kernel = tuple(kernel)
        self.stride = call.integers("strides") or (1,) * rank
        self.dilation = call.integers("dilations") or (1,) * rank
        pads = call.integers("pads")
        self.auto = call.text("auto_pad", "NOTSET")
        if not len(self.kernel) == len(self.stride) == len(self.dilation) == rank:
            raise Invalid(f"kernel, strides and dilations do not fit maps of {rank} dimensions")
        if min(*self.kernel, *self.stride, *self.dilation) < 1:
            raise Invalid("kernel, strides and dilations have to be at least 1")
        if self.auto in ("NOTSET", ""):
            numbers = pads or (0,) * 2 * rank
            if len(numbers) != 2 * rank:
                raise Invalid(f"{len(numbers)} pads for maps of {rank} dimensions")
            self.pads = [(numbers[axis], numbers[axis + rank]) for axis in range(rank)]
        elif self.auto == "VALID":
            self.pads = [(0, 0)] * rank
        else:
            self.pads = [
                self._same(*axis)
                for axis in zip(spatial, self.kernel, self.stride, self.dilation, strict=True)
            ]

    def _same(self, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
        total = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
        less, more = total // 2, total - total // 2
        return (less, more) if self.auto == "SAME_UPPER" else (more, less)

    @property
    def padding(self) -> Padding:
        """The padding; `same` is kept as such, as it follows from it."""
        if self.auto == "SAME_UPPER":
            return "same"
        if min(min(pair) for pair in self.pads) < 0:
            raise Unmapped("negative pads")
        return padding_of(self.pads)


def kernel_tensors(weight: Const, bias: Const | None, filters: int) -> dict[str, StoredTensor]:
    """The tensors of a convolution."""
    tensors = {"weight": weight.stored()}
    if bias is not None:
        if bias.count != filters:
            raise Invalid(f"{bias.count} biases for {filters} filters")
        tensors["bias"] = bias.stored((filters,))
    return tensors


def _own_bias(call: Call) -> Const | None:
    """The bias; None for zeros that an exporter constructs for a convolution without one."""
    bias = call.optional(2)
    if bias is not None and bias.tensor is None and bias.known and not any(bias.values()):
        return None
    return bias


def conv(mapper: Mapper, call: Call) -> Value:
    """Conv: the kernel's shape gives filters and kernel."""
    x, weight, bias = maps(mapper, call), call.const(1), _own_bias(call)
    if len(weight.shape) != len(x.shape):
        raise Invalid(f"a kernel of {list(weight.shape)} for an input of {list(x.shape)}")
    window = Window(call, x.shape[2:], weight.shape[2:])
    groups = call.integer("group", 1)
    if groups < 1 or weight.shape[1] * groups != x.shape[1]:
        raise Invalid(
            f"a kernel of {list(weight.shape)} in {groups} groups reads {weight.shape[1] * groups} channels, "
            f"the input has {x.shape[1]}"
        )
    depthwise = groups == x.shape[1] and groups > 1
    op = operator("conv",
        filters=weight.shape[0], kernel=per_axis(window.kernel), stride=per_axis(window.stride),
        dilation=per_axis(window.dilation), padding=window.padding, groups=groups, depthwise=depthwise,
        bias=bias is not None,
    )  # fmt: skip
    return weighted(mapper, call, op, x, kernel_tensors(weight, bias, weight.shape[0]), weight)


def weighted(
    mapper: Mapper, call: Call, op: Operator, x: Activation, tensors: dict[str, StoredTensor], kernel: Const
) -> Activation:
    """A layer with a kernel on maps. It shares the tensors of an earlier layer with the same kernel."""
    if kernel.dtype not in FLOATS:
        raise Invalid(f"a kernel of {kernel.dtype} numbers, where floating-point ones are needed")
    path = mapper.paths.of_kernel(call.node, kernel.tensor.name if kernel.tensor is not None else "")
    layer = mapper.add(call, op, [x.layer], tensors, path=path, shares=mapper.shared(call, tensors))
    mapper.own(call, tensors, layer)
    return Activation(layer, (1, *mapper.draft.shape(layer)), 0)


def deconv(mapper: Mapper, call: Call) -> Value:
    """ConvTranspose; `output_shape` and auto_pad give the padding."""
    x, weight, bias = maps(mapper, call), call.const(1), call.optional(2)
    if len(weight.shape) != len(x.shape) or weight.shape[0] != x.shape[1]:
        raise Invalid(f"a kernel of {list(weight.shape)} for an input of {list(x.shape)}")
    spatial = x.shape[2:]
    rank = len(spatial)
    window = Window(call, spatial, weight.shape[2:])
    groups = call.integer("group", 1)
    extra = list(call.integers("output_padding") or (0,) * rank)
    full = [
        (size - 1) * stride + dilation * (kernel - 1) + 1 + more
        for size, stride, dilation, kernel, more in zip(
            spatial, window.stride, window.dilation, window.kernel, extra, strict=True
        )
    ]
    wanted = call.integers("output_shape")
    if wanted is not None or window.auto.startswith("SAME"):
        sizes = wanted[-rank:] if wanted else [n * s for n, s in zip(spatial, window.stride, strict=True)]
        pads: Pads = []
        for axis, (whole, size) in enumerate(zip(full, sizes, strict=True)):
            total = whole - size
            if total < 0:
                extra[axis] -= total
                total = 0
            less, more = total // 2, total - total // 2
            # the odd pixel is cut at the end, but with SAME_LOWER, or an output_shape without SAME_UPPER, in front
            pads.append((less, more) if window.auto == "SAME_UPPER" else (more, less))
    else:
        pads = window.pads
    filters = weight.shape[1] * groups
    op = operator("deconv",
        filters=filters, kernel=per_axis(window.kernel), stride=per_axis(window.stride),
        padding=padding_of(_cut(pads)), output_padding=per_axis(extra), dilation=per_axis(window.dilation),
        groups=groups, bias=bias is not None,
    )  # fmt: skip
    wide = any(more >= max(s, d) for more, s, d in zip(extra, window.stride, window.dilation, strict=True))
    if wide or _cut(pads) != pads:
        raise Unmapped("more output padding than a stride")
    return weighted(mapper, call, op, x, kernel_tensors(weight, bias, filters), weight)


def _cut(pads: Pads) -> Pads:
    return [(max(0, before), max(0, after)) for before, after in pads]


def pool(kind: str) -> Handler:
    """MaxPool and AveragePool."""

    def mapped(mapper: Mapper, call: Call) -> Sequence[Value | None]:
        if len(call.node.outputs) > 1 and mapper.uses[call.node.outputs[1]]:
            raise Unmapped("the indices of the maxima")
        x = maps(mapper, call)
        window = Window(call, x.shape[2:], call.integers("kernel_shape") or ())
        ceil = bool(call.integer("ceil_mode", 0))
        fields: dict[str, object] = {
            "kernel": per_axis(window.kernel), "stride": per_axis(window.stride), "padding": window.padding,
            "dilation": per_axis(window.dilation), "rounding": "ceil" if ceil and _leaves(window, x.shape) else "floor",
        }  # fmt: skip
        if kind == "avgpool":
            padded = any(any(pair) for pair in window.pads)
            fields["count_padding"] = bool(call.integer("count_include_pad", 0)) or not padded
            if (
                all(k == n for k, n in zip(window.kernel, x.shape[2:], strict=True))
                and not padded
                and not ceil
            ):
                layer = mapper.add(call, operator("global_avgpool"), [x.layer])
                return [Activation(layer, (1, *mapper.draft.shape(layer)), 0)]
            if set(window.kernel) == set(window.stride) == {1} and not padded:
                return [x]
        layer = mapper.add(call, operator(kind, **fields), [x.layer])
        return [Activation(layer, (1, *mapper.draft.shape(layer)), 0), None]

    return mapped


def _leaves(window: Window, shape: Shape) -> bool:
    """Whether the stride leaves a remainder on some axis, so that rounding matters."""
    axes = zip(shape[2:], window.kernel, window.stride, window.dilation, window.pads, strict=True)
    return any((n + sum(pads) - d * (k - 1) - 1) % s for n, k, s, d, pads in axes)


def global_pool(kind: str) -> Handler:
    def mapped(mapper: Mapper, call: Call) -> Value:
        x = maps(mapper, call)
        layer = mapper.add(call, operator(kind), [x.layer])
        return Activation(layer, (1, *mapper.draft.shape(layer)), 0)

    return mapped


def pad(mapper: Mapper, call: Call) -> Value:
    """Pad: pads, value and axes are inputs since opset 11 and 18. Negative pads crop."""
    x = call.activation()
    rank = len(x.shape)
    if call.opset < 11 and call.given(1) is None:
        numbers, value = (
            list(call.integers("pads") or call.integers("paddings") or ()),
            call.number("value", 0.0),
        )
        axes = None
    else:
        numbers = call.whole(1) or []
        given = call.numbers(2)
        value, axes = decimal(float(given[0])) if given else 0.0, call.whole(3)
    places = list(range(rank)) if axes is None else [normal(axis, rank) for axis in axes]
    if len(numbers) != 2 * len(places):
        raise Invalid(f"{len(numbers)} pads for {len(places)} dimensions")
    both = [(0, 0)] * rank
    for place, axis in enumerate(places):
        both[axis] = numbers[place], numbers[place + len(places)]
    modes = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}
    mode = modes.get(call.text("mode", "constant"))
    if mode is None:
        raise Unmapped(f"padding by mode {call.text('mode', '')}")
    if x.axis is not None and any(both[x.axis]):
        x.own_axis(x.axis)
    own = [pair for axis, pair in enumerate(both) if axis != x.axis]
    x = _cropped(mapper, call, x, own)
    own = _cut(own)
    if not any(map(any, own)):
        return x
    if len(own) > 4:
        raise Unmapped(f"padding of {len(own)} dimensions")
    first, *rest = own
    op = operator("pad",
        channels=first if any(first) or not rest else None, padding=padding_of(rest) if rest else None, mode=mode,
        value=value if mode == "constant" else 0.0,
    )  # fmt: skip
    layer = mapper.add(call, op, [x.layer])
    return resized(x, mapper.draft.shape(layer), layer)


def _cropped(mapper: Mapper, call: Call, x: Activation, own: Pads) -> Activation:
    """The input without what negative pads take away."""
    for axis, (before, after) in enumerate(own):
        size = x.own[axis]
        if min(before, after) < 0:
            op = operator("slice", axis=axis, start=max(0, -before), stop=size + min(0, after))
            layer = mapper.add(call, op, [x.layer])
            x = resized(x, mapper.draft.shape(layer), layer)
    return x


def resized(x: Activation, own: Shape, layer: int) -> Activation:
    """An activation of the same rank with other sizes."""
    if x.axis is None:
        return x._replace(layer=layer, shape=own)
    return x._replace(layer=layer, shape=(*own[: x.axis], 1, *own[x.axis :]))


def depth_to_space(mapper: Mapper, call: Call) -> Value:
    """DepthToSpace in the order of PyTorch's PixelShuffle; the other order as reshapes."""
    x = maps(mapper, call)
    factor = call.integer("blocksize", 0)
    if len(x.shape) != 4 or factor < 1 or x.shape[1] % factor**2:
        raise Invalid(f"blocks of {factor} of an input of {list(x.shape)}")
    if call.text("mode", "DCR") == "CRD":
        layer = mapper.add(call, operator("pixel_shuffle", factor=factor), [x.layer])
        return Activation(layer, (1, *mapper.draft.shape(layer)), 0)
    channels, height, width = x.own
    layer = mapper.add(
        call, operator("reshape", shape=(factor, factor, channels // factor**2, height, width)), [x.layer]
    )
    layer = mapper.add(call, operator("transpose", order=(2, 3, 0, 4, 1)), [layer])
    shape = (channels // factor**2, height * factor, width * factor)
    return Activation(mapper.add(call, operator("reshape", shape=shape), [layer]), (1, *shape), 0)


def space_to_depth(mapper: Mapper, call: Call) -> Value:
    """SpaceToDepth: position in the block before channel, other than PyTorch's PixelUnshuffle."""
    x = maps(mapper, call)
    factor = call.integer("blocksize", 0)
    mode = call.text("mode", "DCR")
    if len(x.shape) != 4 or factor < 1 or x.shape[2] % factor or x.shape[3] % factor:
        raise Invalid(f"blocks of {factor} of an input of {list(x.shape)}")
    channels, height, width = x.own
    if mode == "CRD" or channels == 1:
        layer = mapper.add(call, operator("pixel_unshuffle", factor=factor), [x.layer])
        return Activation(layer, (1, *mapper.draft.shape(layer)), 0)
    split = (channels, height // factor, factor, width // factor, factor)
    layer = mapper.add(call, operator("reshape", shape=split), [x.layer])
    layer = mapper.add(call, operator("transpose", order=(2, 4, 0, 1, 3)), [layer])
    shape = (channels * factor**2, height // factor, width // factor)
    return Activation(mapper.add(call, operator("reshape", shape=shape), [layer]), (1, *shape), 0)


def lrn(mapper: Mapper, call: Call) -> Value:
    """LRN of an odd size. An even one reaches further forward in ONNX, and further back here."""
    x = maps(mapper, call)
    size = call.integer("size", 1)
    if size % 2 == 0:
        raise Unmapped("an even size")
    op = operator(
        "lrn",
        size=size,
        alpha=call.number("alpha", 1e-4),
        beta=call.number("beta", 0.75),
        k=call.number("bias", 1.0),
    )
    return mapper.same(call, op, x)


HANDLERS: dict[str, Handler] = {
    "Conv": conv, "ConvTranspose": deconv, "MaxPool": pool("maxpool"), "AveragePool": pool("avgpool"),
    "GlobalAveragePool": global_pool("global_avgpool"), "GlobalMaxPool": global_pool("global_maxpool"), "Pad": pad,
    "DepthToSpace": depth_to_space, "SpaceToDepth": space_to_depth, "LRN": lrn,
}  # fmt: skip
