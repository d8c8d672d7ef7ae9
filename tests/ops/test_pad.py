"""A margin around each channel."""

import pytest

from convcalc import ops
from convcalc.errors import Misfit
from convcalc.ops._base import Reach
from convcalc.ops._fields import FieldError


def test_by_hand(run):
    image = [[[1, 2, 3]], [[4, 5, 6]]]
    assert run("pad", image, padding=[[1, 0], [0, 2]]) == [
        [[0] * 5, [1, 2, 3, 0, 0]],
        [[0] * 5, [4, 5, 6, 0, 0]],
    ]
    assert run("pad", [[1, 2]], padding=1, value=-0.5) == [[-0.5, 1, 2, -0.5]]


ROWS = [[[1, 2, 3, 4], [5, 6, 7, 8]]]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("reflect", [4, 3, 2, 1, 2, 3, 4, 3]),
        ("replicate", [1, 1, 1, 1, 2, 3, 4, 4]),
        ("circular", [2, 3, 4, 1, 2, 3, 4, 1]),
        ("zeros", [0, 0, 0, 1, 2, 3, 4, 0]),
    ],
)
def test_modes(run, mode, expected):
    """torch.nn.functional.pad(x, (3, 1), mode), rows on their own; then rows on the other axis too."""
    padded = run("pad", ROWS, padding=[0, [3, 1]], mode=mode)
    assert padded == [[expected, [value + 4 if value else 0 for value in expected]]]
    above = run("pad", ROWS, padding=[[1, 0], [3, 1]], mode=mode)[0]
    assert above == [{"replicate": padded[0][0], "zeros": [0] * 8}.get(mode, padded[0][1]), *padded[0]]


def test_channels(run):
    image = [[[1, 2]], [[3, 4]], [[5, 6]]]
    assert run("pad", image, channels=[1, 0], value=9) == [[[9, 9]], *image]
    assert run("pad", image, channels=[0, 2], mode="reflect") == [*image, [[3, 4]], [[1, 2]]]
    assert run("pad", [1, 2, 3], channels=[2, 1], mode="circular") == [2, 3, 1, 2, 3, 1]


def test_misfits_of_modes(bound):
    for fields, message in (
        ({}, "pad has no margin"),
        ({"padding": 1, "mode": "reflect", "value": 2}, "mode: reflect has no value"),
        ({"padding": [[0, 5], 0], "mode": "reflect"}, "a margin of 5 with mode: reflect, but height is 5"),
        ({"channels": [4, 0], "mode": "circular"}, "a margin of 4 with mode: circular, but channels are 3"),
    ):
        with pytest.raises(Misfit, match=message):
            bound("pad", (3, 5, 7), **fields)
    with pytest.raises(Misfit, match="pad needs a map"):
        bound("pad", (3,), padding=1)


def test_names_in_pytorch(bound):
    shape = (3, 5, 7)
    names = {
        "reflect": "ReflectionPad",
        "replicate": "ReplicationPad",
        "circular": "CircularPad",
        "zeros": "ZeroPad",
    }
    for mode, name in names.items():
        assert bound("pad", shape, padding=1, mode=mode).module_name((shape,)) == name
    assert bound("pad", shape, padding=1, value=2).module_name((shape,)) == "ConstantPad"
    assert bound("pad", shape, channels=2).module_name((shape,)) == ""


def test_pad_then_valid_is_padding(run):
    """What a convolution's padding means."""
    image = [[[1, 2, 3], [4, 5, 6]]]
    weights = {"weight": [[[[1, 10], [100, 1000]]]]}
    fields = {"filters": 1, "kernel": 2, "bias": False}
    padding = [[1, 0], [2, 1]]
    padded = run("pad", image, padding=padding)
    assert run("conv", padded, weights=weights, **fields) == run(
        "conv", image, weights=weights, padding=padding, **fields
    )


def test_working_and_reach(lines, bound):
    padding = [[1, 2], [3, 0]]
    assert lines("pad", (3, 224, 224), padding=3) == {"output size": "224 + 3 + 3 = 230"}
    assert lines("pad", (3, 5, 7), padding=padding)["output height"] == "5 + 1 + 2 = 8"
    walks = bound("pad", (3, 5, 7), padding=padding).reach(((3, 5, 7),))
    assert walks == (Reach(0), Reach(1, start=-1), Reach(2, start=-3))
    assert lines("pad", (3, 5, 7), channels=[0, 2]) == {"output channels": "3 + 0 + 2 = 5"}
    walks = bound("pad", (3, 5, 7), padding=[[0, 2], 0], mode="replicate").reach(((3, 5, 7),))
    assert walks == (Reach(0), Reach(1, beyond="replicate"), Reach(2))


def test_same_and_valid_mean_nothing_here(bound):
    with pytest.raises(FieldError, match=r"needs an integer, or a list of integers or .* not 'same'"):
        ops.get("pad").fields()["padding"].kind.check("same")
    with pytest.raises(Misfit, match="padding has 1 values, the input has 2 spatial dimensions"):
        bound("pad", (3, 5, 7), padding=[1]).output_shape(((3, 5, 7),))
