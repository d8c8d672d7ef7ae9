"""Products of matrices by kernels, against NumPy in float64 and the reference."""

from __future__ import annotations

import sys
from math import inf, nan, prod
from pathlib import Path
from random import Random

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from matmul_networks import any_matmul, two_products
from numba_support import Network, any_values, any_weights, assert_close, by_chance, compare

from convcalc.backends import reference
from convcalc.backends.numba.plan import prepare


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize(
    ("batch", "rows", "depth", "columns"),
    [
        ((), 5, 3, 7),
        ((), 61, 40, 35),
        ((3,), 17, 1, 33),
        ((2, 3), 1, 50, 64),
        ((2,), 30, 16, 1),
        ((), 1, 1, 1),
    ],
)
def test_in_float64(
    batch: tuple[int, ...], rows: int, depth: int, columns: int, transpose_a: bool, transpose_b: bool, threads: int
) -> None:  # fmt: skip
    a = (*batch, depth, rows) if transpose_a else (*batch, rows, depth)
    b = (*batch, columns, depth) if transpose_b else (*batch, depth, columns)
    network = Network(*a)
    network.add(
        "matmul", -1, network.add("parameter", shape=b), transpose_a=transpose_a, transpose_b=transpose_b
    )
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    left = np.array(values, np.float64).reshape(a)
    right = np.array(weights.nodes[0][""], np.float64).reshape(b)
    wanted = (left.swapaxes(-1, -2) if transpose_a else left) @ (
        right.swapaxes(-1, -2) if transpose_b else right
    )
    plan = prepare(graph, weights, threads)
    assert [step.kernel.name for step in plan._program.steps][-1] == "multiply"
    assert plan._lowered.outside == ()
    got = plan.run(values).values
    assert len(got) == prod((*batch, rows, columns))
    assert_close(list(got), wanted.ravel().tolist())


@pytest.mark.parametrize("seed", range(25))
def test_generated(seed: int) -> None:
    compare(by_chance(any_matmul, seed, 400_000), seed, threads=1 + seed % 3)


def test_of_what_kernels_computed() -> None:
    compare(two_products())


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_stays_in_its_row(value: float) -> None:
    network = Network(6, 9)
    network.add("matmul", -1, network.add("parameter", shape=(9, 5)))
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    values[2 * 9 + 4] = value
    got = np.array(prepare(graph, weights, 2).run(values).values).reshape(6, 5)
    wanted = np.array(reference.run(graph, weights, values.tolist(), threads=1).values).reshape(6, 5)
    assert np.isfinite(got).all(axis=1).tolist() == [True, True, False, True, True, True]
    assert np.array_equal(got[2], wanted[2], equal_nan=True)


def test_generated_networks_are_of_every_form() -> None:
    """Both transpositions and batches come up."""
    forms = set()
    for seed in range(25):
        source = Random(seed)
        graph = any_matmul(source)
        op = graph.nodes[-1].op
        forms.add((op.transpose_a, op.transpose_b, len(graph.output_shape) > 2))  # type: ignore[attr-defined]
    assert len(forms) == 8
