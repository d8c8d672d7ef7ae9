"""Networks of matrix products, by hand and by chance."""

from __future__ import annotations

from random import Random

from numba_support import Network

from convcalc.graph import Graph


def two_products() -> Graph:
    """Three of each: of a map, of one another, transposed and not, as channels weighed by their likeness."""
    network = Network(20, 7, 9)
    network.add("conv", filters=37, kernel=1)
    start = network.add("reshape", shape=(3, 37, 21))
    likeness = network.add("matmul", start, start, transpose_b=True)
    network.add("matmul", likeness, start)
    network.add("matmul", network.last, network.last, transpose_a=True)
    return network.graph()


def any_matmul(source: Random) -> Graph:
    """One product of any form; the second matrix is learned or the first itself."""
    batch = tuple(source.randint(1, 3) for _ in range(source.choice([0, 0, 1, 2])))
    rows, depth, columns = (
        source.choice([1, 2, 7, 15, 16, 17, 31, 33, 48, 70, source.randint(1, 90)]) for _ in range(3)
    )
    transpose_a, transpose_b = source.random() < 0.5, source.random() < 0.5
    network = Network(*batch, *((depth, rows) if transpose_a else (rows, depth)))
    if source.random() < 0.2 and transpose_a != transpose_b:
        network.add("matmul", -1, -1, transpose_a=transpose_a, transpose_b=transpose_b)
        return network.graph()
    shape = (*batch, *((columns, depth) if transpose_b else (depth, columns)))
    other = network.add("parameter", shape=shape)
    network.add("matmul", -1, other, transpose_a=transpose_a, transpose_b=transpose_b)
    return network.graph()
