"""Layer normalisation."""

import pytest

from convcalc.errors import Misfit
from convcalc.ops._base import WHOLE, Reach

# 1 2 3 6 has mean 3 and variance (4 + 1 + 0 + 9)/4 = 3.5; with eps 0.5 the divisor is 2.
VECTOR = [1, 2, 3, 6]
NORMALISED = [-1, -0.5, 0, 1.5]
PLAIN = {"weight": [1, 1, 1, 1], "bias": [0, 0, 0, 0]}


def test_vector(run):
    assert run("layernorm", VECTOR, weights=PLAIN, eps=0.5) == NORMALISED
    learned = {"weight": [1, 2, 3, 4], "bias": [0, 10, 20, 30]}
    assert run("layernorm", VECTOR, weights=learned, eps=0.5) == [-1, 9, 20, 36]


def test_channels_of_each_position(run):
    """Position 1 holds the vector, position 2 holds it shifted by 7 (which changes nothing), 3 is constant."""
    image = [[[value, value + 7, 5]] for value in VECTOR]
    assert run("layernorm", image, weights=PLAIN, eps=0.5) == [[[value, value, 0]] for value in NORMALISED]


def test_last_dimension(run):
    rows = [[VECTOR, [value + 7 for value in VECTOR], [5, 5, 5, 5]]] * 2
    result = run("layernorm", rows, weights=PLAIN, eps=0.5, axis="last")
    assert result == [[NORMALISED, NORMALISED, [0, 0, 0, 0]]] * 2


def test_counts(bound, lines):
    """A factor and an offset per normalised value, not per position."""
    for axis, count in (("channels", 96), ("last", 7)):
        weight, bias = bound("layernorm", (96, 5, 7), axis=axis).parameters(((96, 5, 7),))
        assert (weight.shape, weight.role, weight.initial) == ((count,), "weight", 1)
        assert (bias.shape, bias.role, bias.initial) == ((count,), "bias", 0)
    assert lines("layernorm", (96, 5, 7)) == {"weights": "96", "biases": "96"}


def test_default_eps_is_pytorchs(bound):
    assert bound("layernorm", (3,)).eps == 1e-5


def test_several_dimensions(run):
    """The map 1 2 / 3 6 is normalised as the vector is; weights have its shape."""
    maps = [[[1, 2], [3, 6]], [[6, 6], [6, 6]]]
    assert run("layernorm", maps, eps=0.5, affine=False, axis=[1, 2]) == [
        [[-1, -0.5], [0, 1.5]],
        [[0, 0], [0, 0]],
    ]
    learned = {"weight": [[1, 2], [3, 4]], "bias": [[0, 10], [20, 30]]}
    assert run("layernorm", maps[:1], weights=learned, eps=0.5, axis=[-2, -1]) == [[[-1, 9], [20, 36]]]
    # dimensions that are not neighbours: channels and columns
    rows = [[[1, 2], [6, 6]], [[3, 6], [6, 6]]]
    assert run("layernorm", rows, eps=0.5, affine=False, axis=[2, 0]) == [
        [[-1, -0.5], [0, 0]],
        [[0, 1.5], [0, 0]],
    ]


def test_counts_of_several_dimensions(bound, lines):
    weight, bias = bound("layernorm", (96, 5, 7), axis=[0, 2]).parameters(((96, 5, 7),))
    assert (weight.shape, bias.shape) == ((96, 7), (96, 7))
    assert lines("layernorm", (96, 5, 7), axis=[0, 2]) == {"weights": "96·7 = 672", "biases": "96·7 = 672"}
    assert bound("layernorm", (96, 5, 7), affine=False).parameters(((96, 5, 7),)) == ()


def test_one_form_of_each_axis(bound):
    axes = [0, [0], -1, 2, [2], [2, 1], [-1, -2], [1]]
    assert [bound("layernorm", (96, 5, 7), axis=axis).axis for axis in axes] == [
        "channels", "channels", "last", "last", "last", (1, 2), (1, 2), 1,
    ]  # fmt: skip


def test_reach(bound):
    shapes = ((96, 5, 7),)
    assert bound("layernorm", *shapes, axis=[0, 2]).reach(shapes) == (WHOLE, Reach(1), WHOLE)


def test_its_name_in_pytorch(bound):
    """LayerNorm is over the last dimensions only."""
    axes = ["channels", "last", [1, 2], [0, 1, 2], [0, 1], 1]
    names = [bound("layernorm", (96, 5, 7), axis=axis).module_name(((96, 5, 7),)) for axis in axes]
    assert names == ["LayerNorm2d", "LayerNorm", "LayerNorm", "LayerNorm", "", ""]
    assert bound("layernorm", (96,)).module_name(((96,),)) == "LayerNorm"


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ([1, 3], "axis [1, 3] is no dimension of 96×5×7"),
        (-4, "axis -4 is no dimension of 96×5×7"),
        ([1, -2], "axis [1, -2] names a dimension of 96×5×7 twice"),
    ],
)
def test_misfits(bound, axis, message):
    with pytest.raises(Misfit) as caught:
        bound("layernorm", (96, 5, 7), axis=axis)
    assert caught.value.message == message
