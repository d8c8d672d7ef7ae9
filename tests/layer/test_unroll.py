"""A convolution as a matrix: the lecture's counts, and multiplying by it is convolving."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.costs import cost
from convcalc.errors import Misfit, UsageError
from convcalc.language.load import load_graph
from convcalc.layer.unroll import Unrolled, convolutions
from convcalc.ops._base import Tensor
from convcalc.ops.conv import Conv
from convcalc.shapes import elements


def test_the_lecture_s_layer() -> None:
    """A 4×4 image under a 2×2 kernel: 9 units × 16 pixels, 4 read by each, 4 weights in all."""
    layer = Unrolled(Conv(filters=1, kernel=2, bias=False), (1, 4, 4))
    found = layer.counts
    assert (found.dense, found.locally_connected, found.active, found.distinct) == (144, 36, 36, 4)
    rows = list(layer.entries())
    assert [column + 1 for column, _ in rows[0]] == [1, 2, 5, 6]  # h11 reads pixels 1, 2, 5 and 6 only
    assert [weight for _, weight in rows[0]] == [1, 2, 3, 4]
    assert [column + 1 for column, _ in rows[8]] == [11, 12, 15, 16]


def test_padding_is_no_connection() -> None:
    """3×3 with padding 1 on 4×4, by hand: 4 corners read 4 pixels, 8 edges 6, 4 inner ones 9."""
    found = Unrolled(Conv(filters=1, kernel=3, padding=1, bias=False), (1, 4, 4)).counts
    assert found.active == 4 * 4 + 8 * 6 + 4 * 9
    assert found.locally_connected == 16 * 9
    assert found.distinct == 9


def test_weights_that_meet_padding_only() -> None:
    """A 3×3 kernel with padding 1 on one pixel: only its middle ever reads."""
    found = Unrolled(Conv(filters=1, kernel=3, padding=1, bias=False), (1, 1, 1)).counts
    assert (found.dense, found.active, found.distinct, found.weights) == (1, 1, 1, 9)


def test_lenet5() -> None:
    """conv1: 32·32 inputs, 28·28·6 outputs, 150 weights; conv2: 14·14·6, 10·10·16, 2,400 (lecture)."""
    first, second = (layer.counts for layer in convolutions(load_graph("lenet5")))
    assert (first.dense, first.distinct) == (32 * 32 * 28 * 28 * 6, 150)
    assert (second.dense, second.distinct) == (14 * 14 * 6 * 10 * 10 * 16, 2_400)
    assert first.active == 28 * 28 * 6 * 25


@pytest.mark.parametrize("name", ["lenet5", "alexnet-paper", "inception-module", "resnet18"])
def test_counts_agree_with_the_account_of_costs(name: str) -> None:
    """`show --columns dense,local,active,shared` says the same of every convolution."""
    analysis = analyse(load_graph(name))
    by_name = {node.name: cost(analysis, node) for node in analysis.graph}
    for layer in convolutions(analysis.graph):
        found, account = layer.counts, by_name[layer.name]
        assert (found.dense, found.locally_connected, found.active, found.weights) == (
            account.dense, account.local, account.active, account.shared,
        )  # fmt: skip


@st.composite
def layers(draw: st.DrawFn) -> Unrolled:
    """A small convolution that fits its input: 1 or 2 dimensions, all fields."""
    rank = draw(st.integers(1, 2))
    groups = draw(st.integers(1, 2))
    shape = (groups * draw(st.integers(1, 2)), *(draw(st.integers(1, 5)) for _ in range(rank)))
    conv = Conv(
        filters=groups * draw(st.integers(1, 2)),
        kernel=tuple(draw(st.integers(1, 3)) for _ in range(rank)),
        stride=tuple(draw(st.integers(1, 3)) for _ in range(rank)),
        dilation=tuple(draw(st.integers(1, 2)) for _ in range(rank)),
        padding=draw(
            st.one_of(st.just("same"), st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * rank))
        ),
        groups=groups,
        bias=False,
        rounding=draw(st.sampled_from(["floor", "ceil"])),
    )
    try:
        bound = conv.bind((shape,))
        bound.output_shape((shape,))
    except Misfit:
        return Unrolled(Conv(filters=1, kernel=1, bias=False), (1, 2))
    return Unrolled(bound, shape)


@given(layer=layers(), data=st.data())
def test_multiplying_by_the_matrix_is_convolving(layer: Unrolled, data: st.DataObject) -> None:
    found = layer.counts
    numbers = st.fractions(-5, 5, max_denominator=4)
    values = data.draw(st.lists(numbers, min_size=found.inputs, max_size=found.inputs))
    weights = data.draw(st.lists(numbers, min_size=found.weights, max_size=found.weights))
    table = [Fraction(0), *weights]
    dense = layer.matrix()
    product = [
        sum(
            table[entry] * value
            for entry, value in zip(dense[start : start + found.inputs], values, strict=True)
        )
        for start in range(0, len(dense), found.inputs)
    ]
    convolved = layer.op.forward([Tensor(layer.input_shape, values)], {"weight": weights})
    assert product == convolved.values


@given(layer=layers())
def test_counts_without_the_matrix_are_those_of_the_matrix(layer: Unrolled) -> None:
    found = layer.counts
    dense = layer.matrix()
    assert len(dense) == found.dense == found.inputs * elements(layer.output_shape)
    assert sum(1 for entry in dense if entry) == found.active
    assert len(set(dense) - {0}) == found.distinct


def test_a_matrix_too_large_for_any_file() -> None:
    layer = convolutions(load_graph("alexnet"))[0]
    with pytest.raises(UsageError, match="44,892,064,800 entries"):
        layer.matrix()
