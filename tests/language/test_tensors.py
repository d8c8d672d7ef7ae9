"""Learned tensors, which read no layer, and fields that name one."""

from __future__ import annotations

from array import array

import pytest

from convcalc.analysis.analyse import analyse
from convcalc.weights.load import load_weights, random_weights
from convcalc.weights.safetensors import write


@pytest.fixture
def net(specs):
    """A token before four tokens of three numbers, and a number added to each of the 15."""
    return specs.load(
        "input: [3, 2, 2]\nlayers:\n"
        "- reshape: [4, 3]\n"
        "- parameter: {name: token, shape: [1, 3], initial: 2}\n"
        "- concat: {from: [token, reshape1]}\n"
        "- group:\n    name: body\n    layers:\n"
        "    - parameter: {name: positions, shape: [5, 3]}\n"
        "    - add: {from: [concat1, positions]}",
    )


def test_it_reads_nothing_and_is_read(net):
    assert [node.inputs for node in net] == [(-1,), (), (1, 0), (), (2, 3)]
    assert [node.output_shape for node in net] == [(4, 3), (1, 3), (5, 3), (5, 3), (5, 3)]


def test_it_sees_nothing_of_the_image(net):
    """What is joined with it sees what the other branch sees."""
    fields = [layer.receptive_field for layer in analyse(net).layers]
    assert fields[1] is None
    assert fields[3] is None
    assert fields[4] == fields[2]
    assert not analyse(net).warnings


def test_its_key_is_its_path(net, tmp_path):
    """A file may have dimensions of 1 besides, as PyTorch's class token (1, 1, 768)."""
    write(
        tmp_path / "w.safetensors",
        {"token": ([1, 1, 3], array("f", [1, 2, 3])), "body.positions": ([1, 5, 3], array("f", range(15)))},
    )
    weights = load_weights(net, str(tmp_path / "w.safetensors"))
    assert list(weights.nodes[1][""]) == [1, 2, 3]
    assert list(weights.nodes[3][""]) == list(range(15))
    assert list(random_weights(net).nodes[1][""]) == [2, 2, 2]


def test_it_takes_no_input(specs):
    error = specs.error("- parameter: {shape: [3], from: input}")
    assert error.message == "parameter1: parameter reads no layer"
    assert error.hint == "leave out from"
