"""Dot products, for the reference forward pass: of two vectors, and of the rows of a matrix with many vectors."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import repeat
from math import dist, hypot, log2, nan, sqrt
from operator import mul
from typing import Any, NamedTuple

if sys.version_info >= (3, 12):
    from math import sumprod as dot
else:

    def dot(p: Sequence[Any], q: Sequence[Any], /) -> Any:
        """The dot product of two sequences."""
        return sum(map(mul, p, q))


__all__ = ["Rows", "dot"]

MIN_LENGTH = 64  # of vectors whose products are taken from distances: see the bound of the error
MIN_COUNT = 8  # of vectors; with fewer, preparing the rows takes longer than distances save
SMALL = 2.0**-12  # of |p||q|: products below it are computed again
RANGE = 2.0**300  # of norms, and of their inverses: far from where scaled numbers would overflow or underflow
BINARY_FRACTIONS = 2**10  # multiples of 1/1024, whole numbers among them, may have exact products


class Point(NamedTuple):
    """A vector as a point in space.

    vector: as given; place: the same, or scaled by a power of two if its norm is far from those of others; norm and
    square: the norm of `place` and its square, which is NaN if products with the vector are left to `dot`; factor:
    what turns products of `place` into products of the vector.
    """

    vector: Sequence[Any]
    place: tuple[Any, ...]
    norm: float
    square: float
    factor: float


class Rows:
    """The rows of a matrix, to be multiplied by many vectors: the filters of a convolution, by its windows.

    The dot product of two long vectors of floats follows from their distance, as 2·p·q = |p|² + |q|² − |p − q|², and
    `math.dist` takes a third or a quarter of the time of `dot` (under Python 3.13, three quarters).

    Error: `hypot`, and `dist` by the same method, are off by less than a unit in the last place, 2u with u = 2⁻⁵³;
    `dist` subtracts and rounds first, another u. Squaring doubles both and rounds: |p|² and |q|² are off by 5u, and
    |p − q|² ≤ (|p| + |q|)² by 7u. With two roundings of the sum, p·q is off by at most 6.5u(|p|² + |q|²) + 8u|p||q|.
    Scaling by powers of two, which changes no digit, sees to it that no norm is more than t = n/8 times another, and
    t ≤ 256, n being the length. So |p|² + |q|² ≤ (t + 1/t)|p||q|, and the error is at most n·u·|p||q|, the bound of a
    sum of rounded products, and at most 2⁻⁴²|p||q|.

    A product below 2⁻¹²|p||q| is computed again by `dot`, so that what cancels out is exactly 0 and other products are
    good to 2⁻³⁰ at worst. Always computed by `dot` are products of short vectors; of vectors of whole numbers or simple
    binary fractions, which may be exact; and of numbers that are infinite, NaN, extremely large or small, or no floats.
    """

    def __init__(self, rows: Sequence[Sequence[Any]], values: Sequence[Any], count: int) -> None:
        """values: what the vectors consist of, apart from padding: tells their typical norm; count: how many come."""
        self.rows = rows
        self.level = 0.0
        length = len(rows[0])
        if length < MIN_LENGTH or count < MIN_COUNT:
            return
        if {float} <= {*map(type, values)} <= {float, int}:  # int: zeros of relu
            level = hypot(*values) * sqrt(length / len(values))
            if 1 / RANGE < level < RANGE:
                self.level = level
                self.points = [_point(row, level, min(length / 32, 64)) for row in rows]

    def times(self, vectors: Sequence[Sequence[Any]]) -> Iterator[list[Any]]:
        """The products of each row with all vectors, row by row."""
        if not self.level:
            for row in self.rows:
                yield [dot(vector, row) for vector in vectors]
            return
        points = [_point(vector, self.level, 4) for vector in vectors]
        _, places, norms, squares, factors = zip(*points, strict=True)
        for row, place, norm, square, factor in self.points:
            if square != square:
                yield [dot(vector, row) for vector in vectors]
                continue
            limit, half = 2 * SMALL * norm, factor / 2
            distances = map(dist, places, repeat(place))
            yield [
                twice * half * other_factor
                if (twice := square + other_square - distance * distance) > (least := limit * other_norm)
                or twice < -least
                else dot(vector, row)
                for vector, other_norm, other_square, other_factor, distance in zip(
                    vectors, norms, squares, factors, distances, strict=True
                )
            ]


def _point(vector: Sequence[Any], level: float, spread: float) -> Point:
    """The vector as a point whose norm is within a factor of `spread` of the level; √2, if it had to be scaled."""
    place = tuple(vector)
    norm = hypot(*place)
    if not 1 / RANGE < norm < RANGE or not any(value * BINARY_FRACTIONS % 1 for value in place):
        return Point(vector, place, norm, nan, 1)
    scale = 1.0
    if not level / spread <= norm <= level * spread:
        scale = 2.0 ** round(log2(level / norm))
        place = tuple([value * scale for value in place])
        norm *= scale
    return Point(vector, place, norm, norm * norm, 1 / scale)
