"""Where numbers lie in memory, and the tables by which kernels find them.

A *blocked* map is [channel block][depth][height][width][16 channels]: one pixel of one block is a whole number of
registers, and neighbouring pixels are neighbours in memory. Every map has three spatial axes; those a network does
not have are 1. Around the real pixels lies a halo of zeros, as wide as the widest padding any reader asks for, so
that no kernel ever asks whether a pixel is real.

A last block that channels do not fill has unused lanes. What they hold is finite, as kernels multiply it by weights of
0; it is not always 0 (behind a sigmoid it is ½), so what sums over channels leaves it out.

An *interleaved* map is [depth][height][width][channels], for the few channels of an image: a kernel's row is then one
run of numbers. Its channels are continued by zeros to whole words of four bytes.

Elements are float32, or bfloat16 where a plan keeps maps in that.

All offsets and strides are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK, PIXELS
from convcalc.shapes import Shape

Triple = tuple[int, int, int]
MAX_BYTES = 2**31 - 1  # of a map, as tables hold int32
Array = np.ndarray[Any, Any]


def as_elements(values: Array, element: int) -> Array:
    """float32 as elements of so many bytes: of 2, the bits of bfloat16, rounded to the even one of two."""
    if element == 4:
        return values
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)
    return np.where(np.isnan(values), (bits >> 16).astype(np.uint16) | 0x40, rounded).astype(np.uint16)


def as_words(lower: Array, upper: Array) -> Array:
    """float32 as words of two elements of bfloat16 each, of which kernels take the bits for those of floats."""
    words: Array = as_elements(lower, 2).astype(np.uint32) | as_elements(upper, 2).astype(np.uint32) << 16
    return words.view(np.float32)


def blocks_of(channels: int) -> int:
    """How many blocks hold so many channels."""
    return -(-channels // BLOCK)


def triple(sizes: Iterable[int], fill: int = 1) -> Triple:
    """One to three per-axis values as three, the missing leading ones `fill`."""
    values = tuple(sizes)
    padded = (fill,) * (3 - len(values)) + values
    return padded[0], padded[1], padded[2]


class Halo(NamedTuple):
    """How many pixels of zeros lie before and after the real ones, per axis."""

    before: Triple
    after: Triple

    def widened(self, other: Halo) -> Halo:
        """The wider of both on each side."""
        return Halo(triple(map(max, self.before, other.before)), triple(map(max, self.after, other.after)))


NO_HALO = Halo((0, 0, 0), (0, 0, 0))


@dataclass(frozen=True)
class Layout:
    """A map's place: its channels, real pixels, the halo around them, and bytes of an element."""

    channels: int
    spatial: Triple
    halo: Halo = NO_HALO
    interleaved: bool = False
    element: int = 4

    @property
    def before(self) -> Triple:
        """The halo before the real pixels."""
        return self.halo.before

    @property
    def after(self) -> Triple:
        """The halo after them."""
        return self.halo.after

    @property
    def blocks(self) -> int:
        """Channel blocks."""
        return 1 if self.interleaved else blocks_of(self.channels)

    @property
    def padded(self) -> Triple:
        """Pixels per axis, halo included."""
        return triple(b + n + a for b, n, a in zip(self.before, self.spatial, self.after, strict=True))

    @property
    def lanes(self) -> int:
        """Channels of a block, those that it is filled up with included."""
        word = 4 // self.element
        return -(-self.channels // word) * word if self.interleaved else BLOCK

    @property
    def pixel(self) -> int:
        """From one pixel to the next."""
        return self.element * self.lanes

    @property
    def row(self) -> int:
        """From one row to the next."""
        return self.pixel * self.padded[2]

    @property
    def plane(self) -> int:
        """From one plane to the next."""
        return self.row * self.padded[1]

    @property
    def block(self) -> int:
        """From one block to the next; never a multiple of a memory page, which would share cache sets."""
        size = self.plane * self.padded[0]
        return size + 64 if size % 4096 == 0 else size

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return self.block * self.blocks

    @property
    def strides(self) -> Triple:
        """Between planes, rows and pixels."""
        return self.plane, self.row, self.pixel

    @property
    def first(self) -> int:
        """From the padded corner to the first real pixel."""
        return sum(b * s for b, s in zip(self.before, self.strides, strict=True))

    @property
    def has_halo(self) -> bool:
        """Whether there is anything to zero."""
        return any(self.before) or any(self.after)

    @property
    def is_pixel(self) -> bool:
        """Whether its channels lie one after the other: one pixel, no halo."""
        return self.padded == (1, 1, 1) and not self.interleaved

    @property
    def is_vector(self) -> bool:
        """Whether its channels lie one after the other as floats."""
        return self.is_pixel and self.element == 4


def map_layout(shape: Shape, halo: Halo = NO_HALO, element: int = 4) -> Layout:
    """The blocked layout of a tensor (C, *spatial) of up to three spatial axes, of elements of so many bytes."""
    return Layout(shape[0], triple(shape[1:]), halo, element=element)


def pixel_table(strides: Sequence[int], places: Sequence[Iterable[int]]) -> Array:
    """The offset of every pixel in the product of three axes' places, continued by PIXELS copies of the last."""
    axes = [np.fromiter(axis, np.int64) * stride for axis, stride in zip(places, strides, strict=True)]
    offsets = (axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :]).ravel()
    return np.concatenate([offsets, np.repeat(offsets[-1:], PIXELS)]).astype(np.int32)


def run_table(block_offsets: Sequence[int], taps: Iterable[int]) -> Array:
    """Where each run of a window begins: every block, and in it every tap."""
    table = np.add.outer(np.asarray(block_offsets, np.int64), np.fromiter(taps, np.int64))
    return table.ravel().astype(np.int32)


def tap_offsets(kernel: Sequence[int], dilation: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The offset of each of a kernel's taps from its first."""
    axes = [range(0, k * d * s, d * s) for k, d, s in zip(kernel, dilation, strides, strict=True)]
    return [sum(place) for place in product(*axes)]
