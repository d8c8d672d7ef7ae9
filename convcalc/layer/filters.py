"""Classic image filters by name: small hand-made kernels.

Blur, sharpen and edges are the lecture's; the others are standard in image processing (Gonzalez & Woods, Digital
Image Processing, chapter 3; Sobel & Feldman 1968).
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple


class Filter(NamedTuple):
    """A kernel of integers, and the divisor that keeps the brightness."""

    rows: tuple[tuple[int, ...], ...]
    divisor: int
    does: str

    @property
    def values(self) -> tuple[tuple[Fraction, ...], ...]:
        """The weights."""
        return tuple(tuple(Fraction(value, self.divisor) for value in row) for row in self.rows)


FILTERS = {
    "identity": Filter(((0, 0, 0), (0, 1, 0), (0, 0, 0)), 1, "nothing"),
    "blur": Filter(((1, 1, 1), (1, 1, 1), (1, 1, 1)), 9, "the mean of 3×3 pixels"),
    "gaussian": Filter(((1, 2, 1), (2, 4, 2), (1, 2, 1)), 16, "a mean that weighs near pixels more"),
    "sharpen": Filter(((0, -1, 0), (-1, 5, -1), (0, -1, 0)), 1, "each pixel against its neighbours"),
    "edges": Filter(((1, 1, 1), (1, -8, 1), (1, 1, 1)), 1, "where a pixel differs from its neighbours"),
    "sobel-x": Filter(((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), 1, "changes from left to right"),
    "sobel-y": Filter(((-1, -2, -1), (0, 0, 0), (1, 2, 1)), 1, "changes from top to bottom"),
    "emboss": Filter(((-2, -1, 0), (-1, 1, 1), (0, 1, 2)), 1, "light from the top left"),
}
