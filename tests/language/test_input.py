"""Channels come first, and what looks otherwise is asked about."""

from __future__ import annotations

import pytest

from convcalc.errors import UsageError
from convcalc.language.load import load_graph, parse_input
from convcalc.shapes import looks_channels_last


@pytest.mark.parametrize(
    ("sizes", "last"),
    [
        ((224, 224, 3), True), ((28, 28, 1), True), ((32, 32, 4), True), ((16, 112, 112, 3), True),
        ((3, 224, 224), False), ((64, 56, 56), False), ((28, 28, 2), False), ((3, 224, 3), False),
        ((1, 28, 1), False), ((100, 1), False), ((1, 1, 1), False), ((64, 7, 7), False), ((4, 5, 6, 7), False),
    ],
)  # fmt: skip
def test_what_looks_channels_last(sizes, last):
    """1, 3 or 4 behind two larger ones or three."""
    assert looks_channels_last(sizes) is last


@pytest.mark.parametrize(
    ("written", "first", "named"),
    [
        ("[28, 28, 1]", "[1, 28, 28]", "{channels: 28, height: 28, width: 1}"),
        ("[224, 224, 3]", "[3, 224, 224]", "{channels: 224, height: 224, width: 3}"),
        ("[16, 64, 64, 3]", "[3, 16, 64, 64]", "{channels: 16, depth: 64, height: 64, width: 3}"),
    ],
)
def test_a_list_with_channels_last_is_an_error(specs, written, first, named):
    error = specs.error(f"input: {written}\nlayers: [relu]")
    assert error.message == f"input {written}: channels come first: write {first}"
    assert error.hint.endswith(named)
    assert specs.load(f"input: {first}\nlayers: [relu]").input_shape
    # named sizes are never questioned
    assert list(specs.load(f"input: {named}\nlayers: [relu]").input_shape) == [
        int(n) for n in written[1:-1].split(",")
    ]


@pytest.mark.parametrize("network", ["lenet5", "vgg16"])
def test_input_with_channels_last_is_an_error(network):
    with pytest.raises(UsageError) as caught:
        load_graph(network, input_shape="224x224x3")
    assert caught.value.message == "--input 224x224x3: channels come first: write 3x224x224"


def test_input_that_keeps_the_channels_is_not_questioned():
    assert parse_input("64x28x1", (64, 56, 2)) == (64, 28, 1)
    with pytest.raises(UsageError, match="write 1x64x28"):
        parse_input("64x28x1", (3, 56, 2))
    with pytest.raises(UsageError, match="write 1x64x28"):
        parse_input("64x28x1")


def test_a_shape_from_python_is_taken_as_it_is():
    assert load_graph("inception-naive", input_shape=(32, 16, 3)).input_shape == (32, 16, 3)


@pytest.mark.parametrize(
    ("given", "warning"),
    [
        ("4x64x64", "the input 4×64×64 has 4 channels, the network's own 3×224×224 has 3"),
        ("1x64x64", "the input 1×64×64 has 1 channel, the network's own 3×224×224 has 3"),
        ((4, 64, 64), "the input 4×64×64 has 4 channels, the network's own 3×224×224 has 3"),
        ("3x64x64", None),
        ("64", None),
        ("64x96", None),
    ],
)
def test_another_number_of_channels_is_a_warning(given, warning):
    assert load_graph("vgg16", input_shape=given).warnings == ((warning,) if warning else ())


def test_a_spec_without_an_input_takes_any(specs):
    path = specs.write("name: t\ninput: [3, 8, 8]\nlayers: [relu]")
    (specs.folder / "net.yaml").write_text("name: t\nlayers: [relu]\n")
    graph = load_graph(path, input_shape=(5, 8, 8))
    assert (graph.input_shape, graph.warnings) == ((5, 8, 8), ())


@pytest.mark.parametrize(
    ("key", "ours"),
    [("c", "channels"), ("h", "height"), ("w", "width"), ("hight", None), ("frames", "depth")],
)
def test_keys_of_an_input_in_other_words(specs, key, ours):
    error = specs.error(f"input: {{channels: 3, {key}: 8}}\nlayers: [relu]")
    meant = f": convcalc calls it '{ours}'" if ours else "; did you mean 'height'?"
    assert error.message == f"no key '{key}' in input{meant}"
