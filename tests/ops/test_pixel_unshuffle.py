"""Pixels laid out as channels."""

import pytest

from convcalc.errors import Misfit


def test_torch(run):
    """torch.nn.functional.pixel_unshuffle of 1 … 12 as 1×2×6, by 2."""
    image = [[[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 12]]]
    assert run("pixel_unshuffle", image, factor=2) == [[[1, 3, 5]], [[2, 4, 6]], [[7, 9, 11]], [[8, 10, 12]]]


def test_channels_stay_together(run):
    assert run("pixel_unshuffle", [[1, 2, 3, 4], [5, 6, 7, 8]], factor=2) == [[1, 3], [2, 4], [5, 7], [6, 8]]


def test_working_and_misfits(lines, bound):
    assert lines("pixel_unshuffle", (3, 15, 21), factor=3) == {
        "output channels": "3·3² = 27",
        "output height": "15/3 = 5",
        "output width": "21/3 = 7",
    }
    with pytest.raises(Misfit, match="pixel_unshuffle by 2 of a map of 5×8, which it does not divide"):
        bound("pixel_unshuffle", (3, 5, 8), factor=2)
