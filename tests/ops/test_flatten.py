"""A map as a vector: channels first, then rows."""

from convcalc.ops._base import SCATTERED, WHOLE, Reach


def test_order(run):
    assert run("flatten", [[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]]) == list(range(1, 13))
    assert run("flatten", [1, 2, 3]) == [1, 2, 3]


def test_lecture_alexnet(bound, lines):
    """256 maps of 2×2 give fc1 its 1,024 inputs."""
    assert bound("flatten", (256, 2, 2)).output_shape(((256, 2, 2),)) == (1024,)
    assert lines("flatten", (256, 2, 2)) == {"output size": "256·2·2 = 1,024"}


def test_reach(bound):
    """After a global pool, unit i is channel i; otherwise each unit has its own element."""
    assert bound("flatten", (5, 1, 1)).reach(((5, 1, 1),)) == (Reach(0), WHOLE, WHOLE)
    assert bound("flatten", (5, 1, 3)).reach(((5, 1, 3),)) == (SCATTERED, WHOLE, SCATTERED)
