"""Convolutions in groups of few channels as steps."""

from __future__ import annotations

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK
from convcalc.backends.numba.kernels.grouped import GROUP_DEPTHS, GROUP_STRIDES, GROUP_TAPS, grouped
from convcalc.backends.numba.layout import Array, as_words, blocks_of
from convcalc.backends.numba.lower.affine import Affine
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.lower.rows import add_rows, has_rows
from convcalc.backends.numba.passes.algorithm import ConvPlan
from convcalc.backends.numba.passes.fusion import FusedLayer
from convcalc.backends.numba.runtime.program import MapView


def in_small_groups(layer: FusedLayer, plan: ConvPlan, element: int) -> bool:
    """Whether a kernel of `grouped` computes a convolution: its groups lie in blocks of channels, and end in blocks of
    as many filters. element: bytes of one. Of floats a whole block is left to the register tile, which is as fast and
    reads weights ahead."""
    depth = plan.channels // plan.groups
    return (
        plan.algorithm == "direct"
        and plan.groups > 1
        and depth in GROUP_DEPTHS
        and (depth < BLOCK or element == 2)
        and plan.filters == plan.channels
        and layer.residual is None
        and has_rows(plan, (GROUP_TAPS,), GROUP_STRIDES)
    )


def add_grouped(
    low: Lowering, layer: FusedLayer, plan: ConvPlan, source: MapView, target: MapView, affine: Affine
) -> None:
    """The step of a convolution in groups of few channels."""
    depth = plan.channels // plan.groups
    stored = low.parameter(layer.node, "weight").reshape(plan.channels, depth, plan.kernel[1], plan.kernel[2])
    kernels = np.zeros((blocks_of(plan.channels) * BLOCK, *stored.shape[1:]), np.float32)
    kernels[: plan.channels] = stored * affine.factor[:, None, None, None]
    weights = _packed(kernels, source.layout.element)
    add_rows(low, layer, plan, source, target, grouped[plan.stride[2], depth], weights, affine.offset)


def _packed(kernels: Array, element: int) -> Array:
    """Kernels [filter][channel][row][column] as words [block][row][word][column][filter]: floats, or neighbouring
    channels in bfloat16."""
    filters, depth, height, taps = kernels.shape
    blocks = filters // BLOCK
    floats = kernels.reshape(blocks, BLOCK, depth, height, taps).transpose(0, 3, 2, 4, 1)
    if element == 4:
        return np.ascontiguousarray(floats)
    pairs = floats.reshape(blocks, height, depth // 2, 2, taps, BLOCK)
    return as_words(pairs[:, :, :, 0], pairs[:, :, :, 1])
