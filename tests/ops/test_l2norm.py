"""Vectors of length 1."""

from convcalc.ops._base import WHOLE, Reach


def test_channels_of_each_position(run, close):
    """3 4 12 has length 13, 2 3 6 length 7; 0 stays 0."""
    image = [[[3, 2, 0]], [[4, -3, 0]], [[12, 6, 0]]]
    expected = [[[3 / 13, 2 / 7, 0]], [[4 / 13, -3 / 7, 0]], [[12 / 13, 6 / 7, 0]]]
    assert run("l2norm", image) == [close(part) for part in expected]


def test_other_dimensions(run, close):
    assert run("l2norm", [[3, 4], [6, 8]], axis="last") == close([[0.6, 0.8], [0.6, 0.8]])
    assert run("l2norm", [[[2, 4], [5, 6]], [[0, 0], [0, 0]]], axis=[1, 2]) == [
        close([[2 / 9, 4 / 9], [5 / 9, 6 / 9]]), [[0, 0], [0, 0]],
    ]  # fmt: skip


def test_eps_is_the_least_that_is_divided_by(run):
    """As in torch.nn.functional.normalize: it is not added."""
    assert run("l2norm", [3, 4], eps=10) == [0.3, 0.4]
    assert run("l2norm", [3, 4], eps=4) == [0.6, 0.8]


def test_nothing_is_learned(bound):
    shapes = ((512, 38, 38),)
    operator = bound("l2norm", *shapes)
    assert operator.parameters(shapes) == ()
    assert operator.macs(shapes) == 0
    assert operator.reach(shapes) == (WHOLE, Reach(1), Reach(2))
