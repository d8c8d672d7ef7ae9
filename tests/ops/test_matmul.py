"""The product of two matrices."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach


def test_by_hand(run):
    assert run("matmul", [[1, 2, 3], [4, 5, 6]], [[1, 0], [0, 1], [10, 100]]) == [[31, 302], [64, 605]]


def test_either_may_be_turned(run):
    a, b = [[1, 2, 3], [4, 5, 6]], [[1, 0], [0, 1], [10, 100]]
    at, bt = [[1, 4], [2, 5], [3, 6]], [[1, 0, 10], [0, 1, 100]]
    product = [[31, 302], [64, 605]]
    assert run("matmul", at, b, transpose_a=True) == product
    assert run("matmul", a, bt, transpose_b=True) == product
    assert run("matmul", at, bt, transpose_a=True, transpose_b=True) == product


def test_one_product_per_place_before(run):
    a = [[[[1, 2]], [[3, 4]], [[5, 6]]], [[[1, 0]], [[0, 1]], [[1, 1]]]]
    b = [[[[1], [10]], [[1], [10]], [[1], [10]]], [[[2], [3]], [[2], [3]], [[2], [3]]]]
    assert run("matmul", a, b) == [[[[21]], [[43]], [[65]]], [[[2]], [[3]], [[5]]]]


def test_counts(bound, lines):
    """The scores of ViT-B/16: 12 heads, 197 positions, 64 features."""
    shapes = ((12, 197, 64), (12, 197, 64))
    operator = bound("matmul", *shapes, transpose_b=True)
    assert operator.output_shape(shapes) == (12, 197, 197)
    assert operator.macs(shapes) == 29_805_312
    assert lines("matmul", *shapes, transpose_b=True) == {"MACs": "12·197·64·197 = 29,805,312"}
    assert operator.parameters(shapes) == ()


class Counted:
    """An integer that counts the products it takes part in."""

    count = 0

    def __init__(self, value):
        self.value = value

    def __mul__(self, other):
        Counted.count += 1
        return self.value * other


def test_macs_are_the_multiplications_made(run, bound):
    shapes = ((2, 3, 5), (2, 5, 4))
    a = [[[Counted(1) for _ in range(5)] for _ in range(3)] for _ in range(2)]
    run("matmul", a, [[[7] * 4] * 5] * 2)
    assert Counted.count == bound("matmul", *shapes).macs(shapes) == 120


def test_reach(bound):
    shapes = ((2, 3, 5), (2, 5, 4))
    operator = bound("matmul", *shapes)
    assert operator.reach(shapes, 0) == (Reach(0), Reach(1), WHOLE)
    assert operator.reach(shapes, 1) == (Reach(0), WHOLE, Reach(2))
    shapes = ((2, 5, 3), (2, 4, 5))
    operator = bound("matmul", *shapes, transpose_a=True, transpose_b=True)
    assert operator.reach(shapes, 0) == (Reach(0), WHOLE, Reach(1))
    assert operator.reach(shapes, 1) == (Reach(0), Reach(2), WHOLE)


@pytest.mark.parametrize(
    ("shapes", "message", "hint"),
    [
        (
            ((5,), (5, 4)),
            "matmul needs matrices: branch 1 is 5, branch 2 is 5×4",
            "reshape makes a matrix of a vector: [-1, 1] a column, [1, -1] a row",
        ),
        (
            ((2, 3, 5), (1, 5, 4)),
            "matmul needs equal dimensions before the last two: branch 1 is 2×3×5, branch 2 is 1×5×4",
            "make the dimensions before the last two equal; they are not stretched",
        ),
        (
            ((2, 3, 5), (5, 4)),
            "matmul needs equal dimensions before the last two: branch 1 is 2×3×5, branch 2 is 5×4",
            "reshape one of them to as many dimensions as the other",
        ),
        (
            ((3, 5), (4, 5)),
            "matmul needs as many rows in branch 2 as columns in branch 1, not 4 for 5: branch 1 is 3×5, branch 2 is "
            "4×5",
            "set transpose_b: true",
        ),
        (
            ((3, 5), (4, 6)),
            "matmul needs as many rows in branch 2 as columns in branch 1, not 4 for 5: branch 1 is 3×5, branch 2 is "
            "4×6",
            "make them equal",
        ),
    ],
)
def test_misfits(bound, shapes, message, hint):
    with pytest.raises(Misfit) as caught:
        bound("matmul", *shapes)
    assert (caught.value.message, caught.value.hint) == (message, hint)
