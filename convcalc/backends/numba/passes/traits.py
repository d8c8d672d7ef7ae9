"""What the kernels can do for each kind of operator: one table, which every pass asks.

What is true of an operator whoever computes it (that it passes its input on, that it is a bound) is asked of the
operator itself; here is what is true of our kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from convcalc.backends.numba.kernels.activations import ACTIVATIONS, SELU_SCALE
from convcalc.graph import Node
from convcalc.ops import axis_dimensions

if TYPE_CHECKING:
    from convcalc.ops.attention import Attention
    from convcalc.ops.avgpool import Avgpool
    from convcalc.ops.concat import Concat
    from convcalc.ops.hardsigmoid import Hardsigmoid
    from convcalc.ops.layernorm import Layernorm
    from convcalc.ops.pad import Pad
    from convcalc.ops.selu import Selu
    from convcalc.ops.slice import Slice
    from convcalc.ops.softmax import Softmax
    from convcalc.ops.softplus import Softplus
    from convcalc.ops.upsample import Upsample

MAX_RANK = 4  # of a blocked map: channels and three spatial axes


def _any(node: Node) -> bool:
    return True


def fits_maps(node: Node) -> bool:
    """Whether a node's inputs and output have at most three spatial axes, as blocked maps have."""
    return all(len(shape) <= MAX_RANK for shape in (*node.input_shapes, node.output_shape))


def _is_vector(node: Node) -> bool:
    return len(node.output_shape) == 1


def _along_channels(node: Node) -> bool:
    axis = cast("Layernorm | Softmax | Concat | Slice", node.op).axis
    return fits_maps(node) and axis_dimensions(axis, len(node.output_shape)) == (0,)


def _attends_channels(node: Node) -> bool:
    return fits_maps(node) and cast("Attention", node.op).axis == "channels"


def _repeats_pixels(node: Node) -> bool:
    return fits_maps(node) and cast("Upsample", node.op).mode == "nearest"


def _pads_pixels(node: Node) -> bool:
    return fits_maps(node) and cast("Pad", node.op).channels is None


def _reads_neighbours(node: Node) -> bool:
    return fits_maps(node) and not any(
        axis.dilation > 1 for axis in cast("Avgpool", node.op).axes(node.input_shapes)
    )


def _takes_channels(node: Node) -> bool:
    return _along_channels(node) and cast("Slice", node.op).step == 1


def _takes_pixels(node: Node) -> bool:
    return fits_maps(node) and not _along_channels(node)


def _is_papers(node: Node) -> bool:
    return fits_maps(node) and cast("Hardsigmoid", node.op).is_papers


def _is_plain_softplus(node: Node) -> bool:
    op = cast("Softplus", node.op)
    return fits_maps(node) and (op.beta, op.threshold) == (1.0, 20.0)


def _has_papers_scale(node: Node) -> bool:
    return fits_maps(node) and cast("Selu", node.op).scale == SELU_SCALE


def _repeats_no_channel(node: Node) -> bool:
    """Whether all inputs have all channels; along the other axes they may have one pixel."""
    return fits_maps(node) and len({shape[0] for shape in node.input_shapes}) == 1


@dataclass(frozen=True, kw_only=True)
class Traits:
    """What the kernels can do for one kind of operator.

    fits: whether they compute a node of this kind; the others are computed outside of them.
    writes_map: its kernel writes a blocked map, and could as well write it into a part of another value's buffer.
    in_place: its kernel may write over its input.
    moves: it only moves whole channels: it joins inputs, takes a part of one, or shuffles them.
    otherwise: what they can do for nodes that do not fit.
    takes_affine, takes_sum, takes_bound, takes_function: what its kernel does to its result at no cost: a factor and
    an offset per channel, adding another map, a bound, any other activation.
    """

    fits: Callable[[Node], bool] = fits_maps
    writes_map: bool = False
    in_place: bool = False
    moves: Literal["join", "part", "shuffle"] | None = None
    takes_affine: bool = False
    takes_sum: bool = False
    takes_bound: bool = False
    takes_function: bool = False
    otherwise: Traits | None = None


_NONE = Traits()
_MAP = Traits(writes_map=True)
_BOUNDED = Traits(writes_map=True, takes_bound=True)
_AFFINE = Traits(writes_map=True, in_place=True, takes_bound=True)
_JOIN = Traits(fits=_repeats_no_channel, writes_map=True, takes_bound=True)
_ACTIVATION = Traits(writes_map=True, in_place=True)
_REGROUPS = Traits(fits=_any)

TRAITS: Mapping[str, Traits] = {
    "conv": Traits(writes_map=True, takes_affine=True, takes_sum=True, takes_bound=True, takes_function=True),
    "deconv": Traits(writes_map=True, takes_affine=True, takes_bound=True),
    "dense": Traits(fits=_is_vector, takes_bound=True),
    "attention": Traits(fits=_attends_channels, writes_map=True, takes_sum=True, takes_bound=True),
    "matmul": Traits(fits=_any),
    "maxpool": _BOUNDED,
    "avgpool": replace(_BOUNDED, fits=_reads_neighbours),
    "global_avgpool": _BOUNDED,
    "global_maxpool": _BOUNDED,
    "adaptive_avgpool": _BOUNDED,
    "adaptive_maxpool": _BOUNDED,
    "upsample": Traits(fits=_repeats_pixels, writes_map=True),
    "crop": _MAP,
    "pad": Traits(fits=_pads_pixels, writes_map=True),
    "batchnorm": _AFFINE,
    "scale": _AFFINE,
    "lrn": _MAP,
    "softmax": Traits(fits=_along_channels),
    "layernorm": Traits(fits=_along_channels, writes_map=True),
    "concat": Traits(fits=_along_channels, moves="join"),
    "slice": Traits(
        fits=_takes_channels, moves="part", otherwise=Traits(fits=_takes_pixels, writes_map=True)
    ),
    "channel_shuffle": Traits(moves="shuffle", writes_map=True),
    "flatten": _REGROUPS,
    "reshape": _REGROUPS,
    "transpose": _NONE,
    **dict.fromkeys(("add", "subtract", "multiply", "divide", "maximum", "minimum"), _JOIN),
    **dict.fromkeys(ACTIVATIONS, _ACTIVATION),
    "hardsigmoid": replace(_ACTIVATION, fits=_is_papers),
    "selu": replace(_ACTIVATION, fits=_has_papers_scale),
    "softplus": replace(_ACTIVATION, fits=_is_plain_softplus),
}


def traits(node: Node) -> Traits:
    """What the kernels can do for a node; nothing where they do not know it or it does not fit."""
    return _fitting(node) or _NONE


def _fitting(node: Node) -> Traits | None:
    found = TRAITS.get(node.kind)
    while found and not found.fits(node):
        found = found.otherwise
    return found


def has_kernel(node: Node) -> bool:
    """Whether kernels compute a node; one that passes its input on needs none."""
    if node.op.is_passing:
        return True
    return _fitting(node) is not None
