"""Adaptive max pooling: output i is the largest of pixels ⌊i·n/m⌋ … ⌈(i + 1)·n/m⌉ − 1."""

from math import inf, nan

import pytest

from convcalc.errors import Misfit

PI = [
    [[3, 1, 4, 1, 5], [9, 2, 6, 5, 3], [5, 8, 9, 7, 9]],
    [[-3, -1, -4, -1, -5], [-9, -2, -6, -5, -3], [-5, -8, -9, -7, -9]],
]


def test_by_hand_and_torch(run):
    """Rows 0–1 and 1–2, columns 0–1, 1–3 and 3–4; torch's adaptive_max_pool2d gives the first channel so."""
    assert run("adaptive_maxpool", PI, size=[2, 3]) == [[[9, 6, 5], [9, 9, 9]], [[-1, -1, -1], [-2, -2, -3]]]


def test_it_repeats_where_it_enlarges(run):
    assert run("adaptive_maxpool", [[4, 8]], size=3) == [[4, 8, 8]]


def test_what_is_not_a_number(run):
    """torch's adaptive_max_pool1d: windows of 1, nan; nan, 3, ∞; ∞, 5."""
    first, second, third = run("adaptive_maxpool", [[1.0, nan, 3.0, inf, 5.0]], size=3)[0]
    assert first != first
    assert second != second
    assert third == inf


def test_working(lines):
    assert lines("adaptive_maxpool", (2, 12, 7), size=[6, 3]) == {
        "output height": "6 as given, windows of 12/6 = 2",
        "output width": "3 as given, output i reads pixels ⌊i·7/3⌋ to ⌈(i + 1)·7/3⌉ − 1",
    }


def test_misfits(bound):
    with pytest.raises(Misfit, match="not a vector of 5"):
        bound("adaptive_maxpool", (5,), size=2).output_shape(((5,),))
