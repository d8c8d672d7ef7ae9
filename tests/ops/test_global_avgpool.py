"""Global average pooling."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE


def test_mean_of_each_channel(run):
    image = [[[1, 2, 3], [4, 5, 9]], [[10, 20, 30], [40, 50, 90]]]
    assert run("global_avgpool", image) == [[[4]], [[40]]]
    assert run("global_avgpool", [[1, 2, 3, 4], [5, 6, 7, 10]]) == [[2.5], [7]]


def test_googlenet_needs_no_weights(bound):
    """Lecture: in place of 7·7·1024·1000 = 50,176,000 weights of a dense layer on 7×7×1024."""
    shape = (1024, 7, 7)
    operator = bound("global_avgpool", shape)
    assert operator.output_shape((shape,)) == (1024, 1, 1)
    assert operator.parameters((shape,)) == ()
    assert operator.macs((shape,)) == 0
    assert operator.reach((shape,))[1:] == (WHOLE, WHOLE)


def test_working(lines):
    assert lines("global_avgpool", (1024, 7, 5)) == {"values per mean": "7·5 = 35"}


def test_a_vector_has_no_pixels(bound):
    with pytest.raises(Misfit, match="global_avgpool needs a map"):
        bound("global_avgpool", (10,)).output_shape(((10,),))
