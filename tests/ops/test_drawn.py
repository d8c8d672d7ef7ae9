"""How operators are drawn: the fill of their boxes, the signs of joins, short names."""

from __future__ import annotations

import pytest

from convcalc import ops
from convcalc.render.drawing import palette

# By what an operator does: whatever enlarges maps looks alike, whatever its arithmetic is.
FILLS = {
    "conv": "conv",
    "deconv": "deconv",
    "upsample": "deconv",
    "pixel_shuffle": "deconv",
    "pixel_unshuffle": "other",
    "dense": "dense",
    "attention": "attention",
    "maxpool": "pool",
    "global_avgpool": "pool",
    "reduce": "pool",
    "add": "join",
    "concat": "join",
    "batchnorm": "norm",
    "lrn": "norm",
    "relu": "activation",
    "softmax": "activation",
    "flatten": "other",
    "dropout": "other",
    "unknown": "other",
}


@pytest.mark.parametrize(("kind", "fill"), FILLS.items())
def test_fills(kind: str, fill: str) -> None:
    assert drawn_as(kind) == fill


def drawn_as(kind: str) -> str:
    """Of an operator without its fields: none of them counts."""
    return object.__new__(ops.get(kind)).drawn_as


@pytest.mark.parametrize("kind", ops.names())
def test_every_fill_is_in_the_palette(kind: str) -> None:
    assert drawn_as(kind) in palette.FILLS


def test_signs_are_of_joins() -> None:
    signs = {kind: ops.get(kind).sign for kind in ops.names() if ops.get(kind).sign}
    assert signs == {
        "add": "+",
        "concat": "concat",
        "divide": "÷",
        "maximum": "max",
        "minimum": "min",
        "multiply": "×",
        "subtract": "−",
    }
    assert {ops.get(kind).role for kind in signs} == {"join"}


def test_abbreviations_are_distinct() -> None:
    short = [ops.get(kind).abbreviation or kind for kind in ops.names()]
    assert len(set(short)) == len(short)
