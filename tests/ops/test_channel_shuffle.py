"""Channel shuffle."""

import pytest

from convcalc.errors import Misfit


def test_pytorch_documentation(run):
    """torch.nn.ChannelShuffle's example: four channels in two groups → 1, 3, 2, 4."""
    image = [[[1, 2], [3, 4]], [[5, 6], [7, 8]], [[9, 10], [11, 12]], [[13, 14], [15, 16]]]
    assert run("channel_shuffle", image, groups=2) == [image[0], image[2], image[1], image[3]]


def test_three_groups_of_two(run):
    assert run("channel_shuffle", [1, 2, 3, 4, 5, 6], groups=3) == [1, 3, 5, 2, 4, 6]


def test_misfits(bound):
    with pytest.raises(Misfit, match="4 groups do not divide 6 channels"):
        bound("channel_shuffle", (6, 5, 7), groups=4)
