"""A range of channels."""

import pytest

from convcalc.errors import Misfit

IMAGE = [[[c, 10 * c]] for c in range(1, 6)]


def test_by_hand(run):
    assert run("slice", IMAGE, start=1, stop=3) == [[[2, 20]], [[3, 30]]]
    assert run("slice", IMAGE, stop=1) == [[[1, 10]]]
    assert run("slice", IMAGE, start=4) == [[[5, 50]]]
    assert run("slice", [1, 2, 3], start=1) == [2, 3]


def test_halves_side_by_side_are_the_whole(run):
    """A ShuffleNet unit splits its channels and joins them again (Ma et al. 2018, figure 3c)."""
    assert run("concat", run("slice", IMAGE, stop=2), run("slice", IMAGE, start=2)) == IMAGE


def test_working(lines):
    assert lines("slice", (116, 5, 7), start=58) == {"output channels": "116 − 58 = 58"}


@pytest.mark.parametrize(("start", "stop"), [(0, 6), (3, 3), (5, None), (4, 2)])
def test_misfits(bound, start, stop):
    with pytest.raises(Misfit, match="of an input with 5"):
        bound("slice", (5, 1, 2), start=start, stop=stop)
