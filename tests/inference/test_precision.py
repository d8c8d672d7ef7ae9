"""bfloat16 against float32: differences by hand, classes that agree or not."""

from __future__ import annotations

from array import array
from math import inf, nan, sqrt

import pytest

from convcalc.backends import Run
from convcalc.inference.precision import compare_precisions, output_difference
from convcalc.ops import Tensor


def run(**outputs: list[float]) -> Run:
    tensors = {name: Tensor((len(values),), array("f", values)) for name, values in outputs.items()}
    return Run("numba", tensors, 0.0, ())


def test_differences_by_hand() -> None:
    """0 and ½ off: their rms is √(¼ / 2), that of 3 and 4 √(25 / 2), a tenth of which the first is."""
    difference = output_difference("y", [3.0, -4.0], [3.0, -4.5])
    assert difference.largest == 0.5
    assert difference.rms == pytest.approx(sqrt(0.125), rel=1e-12)
    assert difference.relative_rms == pytest.approx(0.1, rel=1e-12)
    assert difference.not_finite == 0


def test_an_output_of_zeros_has_no_relative_difference() -> None:
    difference = output_difference("y", [0.0, 0.0, 0.0], [0.0, 0.0, 0.25])
    assert (difference.largest, difference.relative_rms) == (0.25, None)
    assert difference.rms == pytest.approx(0.25 / sqrt(3), rel=1e-12)


@pytest.mark.parametrize(
    ("float32", "bf16", "largest", "left_out"),
    [
        ([nan, inf, -inf, 2.0], [nan, inf, -inf, 2.5], 0.5, 0),  # the same, though not finite
        ([nan, inf, 1.0, 2.0], [1.0, -inf, inf, 2.0], 0.0, 3),
        ([nan, inf], [inf, nan], None, 2),
        ([nan], [nan], None, 0),
    ],
)
def test_numbers_that_are_not_finite_are_counted_and_left_out(
    float32: list[float], bf16: list[float], largest: float | None, left_out: int
) -> None:
    difference = output_difference("y", float32, bf16)
    assert (difference.largest, difference.not_finite) == (largest, left_out)
    assert (difference.rms is None) == (largest is None)


SEVEN = [0.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]  # classes 1 to 5 are the first five


@pytest.mark.parametrize(
    ("bf16", "top5", "top1"),
    [
        (SEVEN, True, True),
        ([0.0, 5.5, 5.75, 4.0, 3.0, 2.0, 1.0], True, False),  # another order: the same set
        ([0.0, 6.0, 5.0, 4.0, 3.0, 1.0, 2.0], False, True),  # class 6 instead of 5
        ([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0], False, False),  # class 0 comes first
        ([0.0, 6.0, 5.0, 4.0, 3.0, 2.0, 2.0], True, True),  # of equal ones the first
    ],
)
def test_whether_the_likeliest_classes_agree(bf16: list[float], top5: bool, top1: bool) -> None:
    check = compare_precisions(run(box=[1.0, 2.0], scores=SEVEN), run(box=[1.0, 2.0], scores=bf16), "scores")
    assert (check.classes, check.same_top5, check.same_top1) == ("scores", top5, top1)


def test_no_more_than_five_classes_are_all_among_the_first_five() -> None:
    check = compare_precisions(run(y=[1.0, 2, 3, 4, 5]), run(y=[5.0, 4, 3, 2, 1]), "y")
    assert (check.same_top5, check.same_top1) == (None, False)


def test_each_output_has_its_own_figures_and_the_first_stands_for_all() -> None:
    check = compare_precisions(run(b=[8.0], a=[2.0, 1.0]), run(b=[7.0], a=[2.0, 1.0]))
    assert [(output.name, output.largest) for output in check.outputs] == [("b", 1.0), ("a", 0.0)]
    assert (check.largest, check.rms, check.relative_rms) == (1.0, 1.0, 0.125)
    assert (check.classes, check.same_top5, check.same_top1) == (None, None, None)
