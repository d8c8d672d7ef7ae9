"""Operators on whole arrays: the own forward's numbers, and enough of them for every bundled network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent.parent / "ops"))
sys.path.insert(0, str(Path(__file__).parent))
from numba_support import compare
from test_laws import CASES, bound_or_none, tensors

from convcalc.backends.numba.arrays.registry import MAKERS, array_function, has_arrays
from convcalc.backends.numba.passes.channels_first import channels_first
from convcalc.backends.numba.passes.traits import has_kernel
from convcalc.graph import Node
from convcalc.language import bundled
from convcalc.language.load import load_graph


@pytest.mark.parametrize("kind", sorted(MAKERS))
@settings(max_examples=60)
@given(data=st.data())
def test_what_the_own_forward_gives(kind, data):
    fields, shapes, _ = data.draw(CASES[kind])
    if found := bound_or_none(kind, fields, shapes):
        operator, shape = found
        inputs, weights = tensors(operator, shapes)
        wanted = operator.forward(inputs, weights).values
        node = Node(0, kind, operator, tuple(range(-len(shapes), 0)), shapes, shape)
        arrays = [np.array(tensor.values, np.float32).reshape(tensor.shape) for tensor in inputs]
        before = [array.copy() for array in arrays]
        result = array_function(node, weights)(arrays)
        assert result.dtype == np.float32
        assert np.ravel(result).tolist() == pytest.approx(wanted, rel=1e-4, abs=1e-5)
        assert all(map(np.array_equal, arrays, before))


@pytest.mark.parametrize("name", bundled.members())
def test_no_bundled_network_uses_an_operators_own_forward(name):
    graph = load_graph(name)
    rewritten = channels_first(graph, has_kernel).graph
    assert {node.kind for node in rewritten if not has_kernel(node) and not has_arrays(node)} == set()


def test_a_u_net_of_other_widths_and_sizes():
    """Its crops, of odd numbers of pixels too, beside its up-convolutions."""
    graph = load_graph("unet", settings={"widths": "[3, 17, 5]"}, input_shape=(1, 107, 121))
    assert graph.output_shape == (2, 12, 28)
    compare(graph)
