"""What the operators' tests share, as fixtures: nested lists in, nested lists out."""

from __future__ import annotations

from math import prod

import pytest

from convcalc import ops
from convcalc.ops._base import Tensor


def make_operator(kind, shapes, **fields):
    """The bound operator; fields are written as a spec would: lists, never tuples."""
    operator = ops.get(kind)
    infos = operator.fields()
    return operator(**{name: infos[name].kind.check(value) for name, value in fields.items()}).bind(shapes)


def flat(nested):
    """(shape, values) of nested lists; a bare number has shape ()."""
    if not isinstance(nested, list):
        return (), [nested]
    parts = [flat(item) for item in nested]
    assert len({shape for shape, _ in parts}) == 1, "ragged"
    return (len(nested), *parts[0][0]), [value for _, values in parts for value in values]


def nest(shape, values):
    """Values in row-major order as nested lists."""
    if not shape:
        return values[0]
    step = prod(shape[1:])
    return [nest(shape[1:], values[i * step : (i + 1) * step]) for i in range(shape[0])]


@pytest.fixture(scope="session")
def bound():
    """bound("conv", (3, 5, 7), filters=2, kernel=3): the operator bound to inputs of these shapes."""
    return lambda kind, *shapes, **fields: make_operator(kind, shapes, **fields)


@pytest.fixture(scope="session")
def run():
    """run("conv", x, weights={...}, kernel=3): the output of forward as nested lists.

    Inputs are nested lists with the channels first; so are weights. Every call checks that the output's shape
    is the one the shape rule gives and that the weights are those the operator asks for.
    """

    def run(kind, *inputs, weights=None, **fields):
        tensors = [Tensor(*flat(value)) for value in inputs]
        shapes = tuple(tensor.shape for tensor in tensors)
        operator = make_operator(kind, shapes, **fields)
        given = {name: flat(value) for name, value in (weights or {}).items()}
        wanted = {p.name: p.shape for p in operator.parameters(shapes)}
        assert {name: shape for name, (shape, _) in given.items()} == wanted
        output = operator.forward(tensors, {name: values for name, (_, values) in given.items()})
        assert output.shape == operator.output_shape(shapes)
        assert len(output.values) == prod(output.shape)
        return nest(output.shape, list(output.values))

    return run


@pytest.fixture(scope="session")
def lines():
    """lines("conv", (3, 5, 7), kernel=3): the worked formulas as {what: text}."""

    def lines(kind, *shapes, **fields):
        return {line.what: line.text for line in make_operator(kind, shapes, **fields).working(shapes)}

    return lines


@pytest.fixture(scope="session")
def close():
    """close(nested): equal to within 1e-6 of each value, or 1e-7."""

    def close(nested):
        if isinstance(nested, list) and nested and isinstance(nested[0], list):
            return [close(item) for item in nested]
        return pytest.approx(nested, rel=1e-6, abs=1e-7)

    return close
