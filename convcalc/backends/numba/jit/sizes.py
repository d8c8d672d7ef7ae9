"""Sizes that kernels and plans agree on: of an element, of a block of channels, of the tile held in registers."""

from __future__ import annotations

from convcalc.backends.numba.jit.target import ARM, WIDTH


class Sized(int):
    """A number that is another one, `bfloat16`, in the variant of a kernel whose elements are bfloat16."""

    bfloat16: int

    def __new__(cls, value: int, bfloat16: int) -> Sized:
        made = super().__new__(cls, value)
        made.bfloat16 = bfloat16
        return made

    def of(self, element: int) -> int:
        """The number where an element has so many bytes, 4 or 2."""
        return self.bfloat16 if element == 2 else int(self)


BLOCK = 16  # channels of a block, on every host: a layout does not depend on the processor
ELEMENT = Sized(4, 2)  # bytes of an element of a map
WORD = Sized(1, 2)  # elements of four bytes
PIXEL = Sized(4 * BLOCK, 2 * BLOCK)  # bytes of a pixel of a block
LANES = BLOCK // WIDTH  # registers of a block

# The register tile: PIXELS × VECTORS accumulators, VECTORS weights and one broadcast input stay in registers. The
# smaller FEW × VECTORS tile finishes what a whole number of tiles leaves over.
#   32 registers of 16 floats: 14 · 2 + 2 + 1 = 31; 16 registers of 8: 6 · 2 + 2 + 1 = 15
PIXELS, FEW, VECTORS = {
    16: (14, 8, 2),
    8: (6, 3, 2),
    4: (6, 3, 4) if ARM else (2, 1, 4),
}[WIDTH]
TILE = WIDTH * VECTORS  # output channels of a tile
TILE_BLOCKS = TILE // BLOCK
CACHE_LINE = 64  # bytes
HALF = BLOCK // 2  # output channels of the half block that narrow tiles end with
