"""Dot products by way of distances, against exact sums of fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import inf, isnan, nan, sqrt
from operator import mul
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.ops import Tensor
from convcalc.ops._dot import MIN_COUNT, MIN_LENGTH, SMALL, Rows, dot
from convcalc.ops.attention import Attention
from convcalc.ops.conv import Conv
from convcalc.ops.deconv import Deconv
from convcalc.ops.dense import Dense
from convcalc.ops.matmul import Matmul

UNIT = Fraction(1, 2**53)


def products(rows: Sequence[Sequence[Any]], vectors: Sequence[Sequence[Any]]) -> list[list[Any]]:
    values = [value for vector in vectors for value in vector]
    return list(Rows(rows, values, len(vectors)).times(vectors))


def units(vector: Sequence[float]) -> list[int]:
    """Floats as multiples of the smallest one, 2⁻¹⁰⁷⁴."""
    ratios = (value.as_integer_ratio() for value in vector)
    return [numerator << 1075 - denominator.bit_length() for numerator, denominator in ratios]


def exact(p: Sequence[float], q: Sequence[float]) -> Fraction:
    return Fraction(sum(map(mul, units(p), units(q))), 2**2148)


def check(rows: Sequence[Sequence[float]], vectors: Sequence[Sequence[float]]) -> None:
    """Each product is within n·u·|p||q| of the exact one, and good to 2⁻³⁰ unless it was summed."""
    for row, found in zip(rows, products(rows, vectors), strict=True):
        square = exact(row, row)
        for vector, product in zip(vectors, found, strict=True):
            wanted = exact(row, vector)
            size = square * exact(vector, vector)  # |p|²|q|²
            error = abs(Fraction(product) - wanted)
            assert error**2 <= (len(row) * UNIT) ** 2 * size
            if wanted**2 > Fraction(SMALL) ** 2 * size * 4:
                assert error <= abs(wanted) / 2**30


def spread(source: Random, length: int, magnitudes: float) -> list[float]:
    """Numbers whose magnitudes differ by up to that many powers of ten either way."""
    return [source.gauss(0, 1) * 10 ** source.uniform(-magnitudes, magnitudes) for _ in range(length)]


Maker = Callable[[Random, int], list[float]]
KINDS: dict[str, Maker] = {
    "like noise": lambda source, n: spread(source, n, 0),
    "positive": lambda source, n: [source.random() for _ in range(n)],
    "of all magnitudes": lambda source, n: spread(source, n, 20),
    "tiny": lambda source, n: [value * 1e-60 for value in spread(source, n, 1)],
    "huge": lambda source, n: [value * 1e60 for value in spread(source, n, 1)],
    "sparse": lambda source, n: [source.gauss(0, 1) if source.random() < 0.05 else 0.0 for _ in range(n)],
    "a single number": lambda source, n: [0.0] * (n - 1) + [source.random()],
    "alternating": lambda source, n: [0.3 * (-1) ** i + source.gauss(0, 1e-9) for i in range(n)],
    "with one large number": lambda source, n: [1e12 * source.random(), *spread(source, n - 1, 0)],
}


@settings(max_examples=20)
@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(KINDS)),
    st.lists(st.sampled_from(sorted(KINDS)), min_size=MIN_COUNT, max_size=MIN_COUNT + 3),
    st.integers(MIN_LENGTH, 300),
    st.floats(-40, 40),
)
def test_the_error_is_within_the_bound(seed, kind, kinds, length, magnitude) -> None:
    source = Random(seed)
    rows = [[v * 10**magnitude for v in KINDS[kind](source, length)] for _ in range(3)]
    check(rows, [KINDS[kind](source, length) for kind in kinds])


@settings(max_examples=20)
@given(
    st.integers(0, 2**32),
    st.integers(MIN_LENGTH, 200),
    st.integers(-9, 9),
    st.sampled_from([0.0, 1e-15, 1e-9, 1e-4, 1e-3]),
)
def test_vectors_that_are_nearly_orthogonal_or_nearly_equal(seed, length, power, off) -> None:
    source = Random(seed)
    row = spread(source, length, 1)
    others = [spread(source, length, 1) for _ in range(MIN_COUNT)]
    orthogonal = []
    for other in others:
        part = dot(row, other) / dot(row, row) - off
        orthogonal.append([b - part * a for a, b in zip(row, other, strict=True)])
    near = [[a * (1 + off * source.random()) * 2.0**power for a in row] for _ in range(MIN_COUNT)]
    check([row, [-a for a in row]], [*orthogonal, *near, row])


@pytest.mark.parametrize("ratio", [1.0, 1.9, 2.1, 3.9, 7.7, 31.0, 1e3, 1e9, 1e-9, 1e-3, 0.03, 0.3, 0.5])
@pytest.mark.parametrize("length", [64, 363, 2304])
def test_norms_that_are_far_apart(ratio: float, length: int) -> None:
    source = Random(length)
    rows = [[source.gauss(0, 1) * ratio for _ in range(length)] for _ in range(2)]
    vectors = [[source.gauss(0, 1) for _ in range(length)] for _ in range(MIN_COUNT)]
    check(rows, [*vectors, [value * 100 for value in vectors[0]], [value / 100 for value in vectors[0]]])


def test_long_vectors_of_floats_take_distances() -> None:
    """Otherwise the tests above would show nothing."""
    source = Random(5)
    rows = [[source.random() for _ in range(200)] for _ in range(3)]
    vectors = [[source.random() for _ in range(200)] for _ in range(MIN_COUNT)]
    sums = [[dot(vector, row) for vector in vectors] for row in rows]
    assert products(rows, vectors) != sums
    assert products(rows, vectors[:-1]) == [row[:-1] for row in sums]  # too few
    short = MIN_LENGTH - 1
    assert products([row[:short] for row in rows], [vector[:short] for vector in vectors]) == [
        [dot(vector[:short], row[:short]) for vector in vectors] for row in rows
    ]


PLAIN = [0.1, 0.7, -0.3, 1.1]


@pytest.mark.parametrize(
    "odd",
    [
        [1.0, -2.0, 0.0, 5.0],
        [0.5, -0.125, 3.75, 2.0],
        [0.0, 0.0, 0.0, 0.0],
        [0, 0, 0, 0],
        [inf, 0.1, 0.2, 0.3],
        [-inf, inf, 0.2, 0.3],
        [nan, 0.1, 0.2, 0.3],
        [1e300, -1e300, 1e299, 0.1],
        [5e-324, 1e-310, -1e-320, 0.0],
        [1e-200, 1e-210, -1e-220, 0.0],
        [Fraction(1, 3), Fraction(2, 7), Fraction(0), Fraction(-5, 3)],
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["row", "vector", "both"])
def test_what_dot_computes_itself(odd: list[Any], place: str) -> None:
    """Whole numbers, fractions, infinities and so on: as by `dot`, to the last bit."""
    usual = [value + i / 7 for i in range(25) for value in PLAIN]
    rows = [odd * 25 if place in ("row", "both") else usual, usual]
    vectors = [usual] * MIN_COUNT if place == "row" else [usual, *[odd * 25] * MIN_COUNT]
    found = products(rows, vectors)[0]
    for vector, product in zip(vectors, found, strict=True):
        if vector is usual and rows[0] is usual:
            continue
        wanted = dot(vector, rows[0])
        if place == "row" and isinstance(odd[0], Fraction):
            assert product == pytest.approx(wanted, rel=1e-12)  # floats times fractions are floats
        else:
            assert (type(product), product) == (type(wanted), wanted) or (isnan(product) and isnan(wanted))


@pytest.mark.parametrize("number", [Fraction(1, 3), 7, 10**400])
def test_fractions_and_integers_stay_exact(number: Any) -> None:
    rows = [[number] * 100, [number * 2] * 100]
    found = products(rows, [[number] * 100] * MIN_COUNT)
    assert found == [[number**2 * 100] * MIN_COUNT, [number**2 * 200] * MIN_COUNT]
    assert {type(product) for row in found for product in row} == {type(number)}


def test_an_edge_filter_gives_exact_zeros_on_flat_areas() -> None:
    """8 channels, 3×3: columns of weights that add up to 0, on areas of 0.3 (as −w·x + w·x cancels exactly)."""
    source = Random(3)
    kernels = []
    for _ in range(10):
        for _ in range(8):
            column = [source.random() for _ in range(3)]
            kernels += [value for weight in column for value in (-weight, 0.0, weight)]
    step = [0.3] * 6 + [0.8] * 6
    result = Conv(filters=10, kernel=3, bias=False).forward(
        [Tensor((8, 12, 12), [*step * 12] * 8)], {"weight": kernels}
    )
    assert result.shape == (10, 10, 10)
    for row in (result.values[i : i + 10] for i in range(0, 1000, 10)):
        assert row[:4] == row[6:] == [0.0] * 4
        assert all(value > 0 for value in row[4:6])


def test_whole_numbers_stay_whole() -> None:
    source = Random(4)
    pixels = [float(source.randrange(256)) for _ in range(12 * 7 * 6)]
    weights = [float(source.randrange(-3, 4)) for _ in range(5 * 12 * 9)]
    result = Conv(filters=5, kernel=3, bias=False).forward([Tensor((12, 7, 6), pixels)], {"weight": weights})
    assert all(value.is_integer() for value in result.values)
    integers = Conv(filters=5, kernel=3, bias=False).forward(
        [Tensor((12, 7, 6), list(map(int, pixels)))], {"weight": list(map(int, weights))}
    )
    assert result.values == integers.values


def random_values(count: int, seed: int, scale: float = 1.0) -> list[float]:
    source = Random(seed)
    return [source.gauss(0, scale) for _ in range(count)]


@pytest.mark.parametrize(
    ("operator", "shapes", "weights"),
    [
        (Conv(filters=6, kernel=(3, 4), groups=2, padding=((1, 0), (2, 1))), [(16, 7, 6)], None),
        (Deconv(filters=3, kernel=(2, 3), stride=2), [(70, 4, 5)], None),
        (Dense(units=300, axis="last"), [(9, 80)], None),
        (Matmul(), [(2, 11, 70), (2, 70, 9)], None),
        (Attention(heads=4), [(9, 72)], None),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_operators_agree_with_exact_sums(operator: Any, shapes: Any, weights: None) -> None:
    """Long enough for distances: against the same operator on fractions, or for softmax's sake on plain sums."""
    operator = operator.bind(tuple(shapes))
    inputs = [
        Tensor(shape, random_values(elements, seed))
        for seed, shape in enumerate(shapes)
        for elements in [_size(shape)]
    ]
    weights = {
        p.name: random_values(_size(p.shape), seed, 0.1)
        for seed, p in enumerate(operator.parameters(tuple(shapes)), 7)
    }
    found = operator.forward(inputs, weights).values
    if operator.kind == "attention":
        longer = [Tensor(t.shape, [_Plain(v) for v in t.values]) for t in inputs]
        wanted = operator.forward(longer, {k: [_Plain(v) for v in w] for k, w in weights.items()}).values
    else:
        exactly = [Tensor(t.shape, list(map(Fraction, t.values))) for t in inputs]
        wanted = operator.forward(exactly, {k: list(map(Fraction, w)) for k, w in weights.items()}).values
    assert all(isinstance(value, Fraction) for value in wanted) or operator.kind == "attention"
    assert list(map(float, found)) == pytest.approx(list(map(float, wanted)), rel=1e-9, abs=1e-12)


class _Plain(float):
    """A float that is not taken for one, so that products are summed."""


def _size(shape: Sequence[int]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size


def test_the_norm_that_is_expected_changes_no_digit_that_matters() -> None:
    """The level of scaling depends on the whole map; products of the same vectors agree."""
    source = Random(8)
    row = [source.gauss(0, 1) for _ in range(400)]
    vectors = [[source.random() for _ in range(400)] for _ in range(MIN_COUNT)]
    size = sqrt(400 * 400 / 3)
    for factor in (1e-20, 1e-3, 1.0, 1e3, 1e20):
        values = [value * factor for vector in vectors for value in vector]
        (found,) = Rows([row], values, MIN_COUNT).times(vectors)
        for vector, product in zip(vectors, found, strict=True):
            assert product == pytest.approx(float(exact(row, vector)), abs=size * 400 * 2**-53)
