"""The sum of branches."""

import pytest

from convcalc.errors import Misfit


def test_by_hand(run):
    assert run("add", [[1, 2, 3]], [[10, 20, 30]], [[100, 200, 300]]) == [[111, 222, 333]]


def test_the_inputs_are_left_alone(run):
    image = [[1, 2, 3]]
    run("add", image, image)
    assert image == [[1, 2, 3]]


def test_misfits(bound):
    with pytest.raises(Misfit) as caught:
        bound("add", (1024, 14, 14), (512, 28, 28))
    assert caught.value.message == ("add needs equal shapes: branch 1 is 1024×14×14, branch 2 is 512×28×28")
    with pytest.raises(Misfit, match="branch 1 is 64×5×7, branch 2 is 32×5×7") as caught:
        bound("add", (64, 5, 7), (32, 5, 7))
    assert "same number of channels" in caught.value.hint
