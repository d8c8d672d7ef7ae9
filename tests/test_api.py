"""The same from Python."""

from __future__ import annotations

from pathlib import Path

import pytest

import convcalc

DIGIT = Path(__file__).parent / "data" / "digits" / "7_0.png"


def test_load_totals_and_layers() -> None:
    net = convcalc.load("alexnet")
    assert net.totals.weights == 28_813_344
    assert [layer.output_shape[1] for layer in net.layers if layer.kind in ("conv", "maxpool")] == [
        55, 27, 23, 11, 9, 7, 5, 2,
    ]  # fmt: skip
    assert "28,823,912 params" in repr(net)


def test_settings_and_input() -> None:
    net = convcalc.load("googlenet", settings={"head": "dense"})
    assert max(layer.weights for layer in net.layers) == 50_176_000
    assert convcalc.load("vgg16", input_shape=(3, 448, 448)).graph.input_shape == (3, 448, 448)
    assert convcalc.load("vgg16", input_shape="448").graph.input_shape == (3, 448, 448)


def test_forward_and_html() -> None:
    net = convcalc.load("lenet5")
    result = net.forward(DIGIT)
    assert result.top[0].label == "7"
    assert "<table" in net._repr_html_()


def test_errors_are_one_family() -> None:
    with pytest.raises(convcalc.ConvcalcError, match="did you mean 'alexnet'"):
        convcalc.load("alxnet")


def test_a_wrong_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError):
        convcalc.nothing  # noqa: B018
