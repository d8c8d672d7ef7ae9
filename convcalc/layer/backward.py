"""The backward pass of one operator: the gradients of its input and its parameters, for a gradient of its output.

A convolution is typed in one of three modes (`layer/apply.py`), two of which turn the kernel. Gradients of a kernel
are those of the kernel as it was typed.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import chain, product
from math import prod
from typing import Any, NamedTuple

from convcalc import ops
from convcalc.errors import UsageError
from convcalc.layer import matrices
from convcalc.layer.apply import Application
from convcalc.layer.arguments import TEXTS
from convcalc.layer.matrices import Matrix, Typed
from convcalc.layer.steps import MAX_STEPS, Placement, placements
from convcalc.layer.symbols import Exact, Expression, Notation, has_letters, read
from convcalc.layer.typed_input import Applied
from convcalc.ops import Convolving, Gradient, Operator, Tensor
from convcalc.ops.conv import Conv
from convcalc.shapes import Shape, elements, show

DELTA = "δ"
MAX_EXACT_WORK = 5_000_000  # multiplications of fractions: about fifteen seconds
MAX_LETTERS = 400  # of a gradient; of more, sums would be longer than anybody reads
IN_TRAINING = "in training: the mean and the variance are those of this input"


class Move(NamedTuple):
    """A pool's δ on its way back. placement: of the window; share: what it adds to the input's gradient."""

    placement: Placement
    delta: Any
    share: Tensor


class Pass(NamedTuple):
    """The backward pass of an application.

    gradient: δ; gradients: of `input` and of each learned parameter; convolutions: for each gradient that a
    convolution gives, that convolution applied; steps: its windows, where they were asked for; moves: those of a pool;
    updated: the parameters after a step of gradient descent, where a rate was given; training: whether the output
    is that of training.
    """

    application: Application
    gradient: Tensor
    gradients: Mapping[str, Gradient]
    convolutions: Mapping[str, Application]
    steps: Mapping[str, tuple[Placement, ...]]
    moves: tuple[Move, ...]
    updated: Mapping[str, Tensor]
    training: bool = False


class Backward(NamedTuple):
    """The backward pass of what was typed, in one mode or in all three. rate: of the step of gradient descent."""

    passes: tuple[Pass, ...]
    notation: Notation
    mode_shown: bool = False
    rate: Exact | None = None


def backward_typed(
    applied: Applied,
    gradient: Typed | None = None,
    rate: str | float | Fraction | None = None,
    *,
    steps: bool = False,
) -> Backward:
    """The backward pass of what was applied.

    gradient: of the output, as a matrix or a file; None: letters δ11, δ12, …. rate: for a step of gradient descent.
    Raises UsageError, ConvcalcError.
    """
    speed = None if rate is None else _rate(str(rate))
    matrix = None if gradient is None else typed_gradient(gradient)
    passes = tuple(
        backward(application, matrix, speed, steps=steps, notation=applied.notation)
        for application in applied.applications
    )
    typed = "" if rate is None else str(rate)
    by_rate = (
        False if "/" in typed else True if "." in typed else None
    )  # as a matrix is written, so is the rate
    written = [applied.notation.decimal, matrix.decimal if matrix else None, by_rate]
    decimal = False if False in written else True if True in written else None
    return Backward(passes, Notation(decimal, applied.notation.places), applied.mode_shown, speed)


def _rate(text: str) -> Exact:
    value = read(text.strip())
    if value is None or isinstance(value, Expression):
        raise UsageError(f"--rate {text}: needs a number", hint="for example --rate 1/10, or --rate 0.01")
    return value


def typed_gradient(gradient: Typed) -> Matrix:
    """The gradient of an output, as a matrix or the file of one."""
    text = matrices.typed(gradient)
    if text == "-" or os.path.splitext(text)[1].lower() in TEXTS:
        return matrices.load(text)
    return matrices.parse(text, "--gradient")


def backward(
    application: Application,
    given: Matrix | None = None,
    rate: Exact | None = None,
    *,
    steps: bool = False,
    notation: Notation = Notation(),  # noqa: B008 - an immutable record
) -> Pass:
    """The backward pass of one application. Raises UsageError."""
    op, source = application.op, application.source
    if not op.has_backward():
        known = [kind for kind in ops.names() if ops.get(kind).has_backward()]
        raise UsageError(f"{op.kind} has no backward pass here", hint=f"there is one for {', '.join(known)}")
    work = 3 * op.macs((source.shape,))  # forward, and once more for the input and for the kernel
    if work > MAX_EXACT_WORK:
        raise UsageError(
            f"{work:,} multiplications are more than apply --backward does ({MAX_EXACT_WORK:,})",
            hint="take a smaller input",
        )
    if given is None and elements(application.output.shape) > MAX_LETTERS:
        raise UsageError(
            f"a gradient of {elements(application.output.shape):,} letters is too long to read ({MAX_LETTERS:,})",
            hint=f"give it in numbers, --gradient FILE.csv: {_form(application.output.shape)}",
        )
    weights = op.in_training([source], application.weights)
    training = weights is not application.weights
    if training:
        output = op.forward([source], weights)
        application = dataclasses.replace(application, weights=weights, output=output)
    taken = chain(source.values, *weights.values())
    delta = (
        letters(application.output.shape, taken) if given is None else fitted(given, application.output.shape)
    )
    try:
        found = op.backward([source], weights, delta)
    except TypeError:
        if not has_letters([*delta.values, *source.values]):
            raise
        raise UsageError(
            f"the gradients of {op.kind} need numbers, not letters",
            hint=f"--gradient with {_form(application.output.shape)}",
        ) from None
    by = {name: _applied(name, gradient.by) for name, gradient in found.items() if gradient.by is not None}
    if application.turned:
        found = _as_typed(found)
    walks = {name: _steps(convolution, notation) for name, convolution in by.items()} if steps else {}
    moves = _moves(application, weights, delta) if steps and not by else ()
    updated = {} if rate is None else _updated(application, found, rate)
    return Pass(application, delta, found, by, walks, moves, updated, training)


def letters(shape: Shape, taken: Iterable[Any]) -> Tensor:
    """δ11, δ12, … of this shape, counted from 1: row and column, the map first where there are several.

    Raises UsageError if one of them stands in the values `taken`, where it means something else.
    """
    shown = shape if shape[0] > 1 or len(shape) == 1 else shape[1:]
    joint = "" if max(shown) < 10 else "_"
    places = product(*(range(1, size + 1) for size in shown))
    names = [DELTA + joint.join(map(str, place)) for place in places]
    typed = {
        name for value in taken if isinstance(value, Expression) for term in value.terms for name in term
    }
    twice = next((name for name in names if name in typed), None)
    if twice is not None:
        raise UsageError(
            f"{twice} is a letter of the gradient too", hint="name it otherwise, or give a --gradient"
        )
    return Tensor(shape, [Expression.letter(name) for name in names])


def fitted(given: Matrix, shape: Shape) -> Tensor:
    """The gradient that was typed, in the output's shape. Raises UsageError that says the right one."""
    typed = given.tensor.shape
    values = [Fraction(value) if isinstance(value, int) else value for value in given.values]
    if _without_ones(typed) == _without_ones(shape):
        return Tensor(shape, values)
    sides = typed if typed[0] > 1 else typed[1:]
    raise UsageError(
        f"--gradient is {show(sides)}; the output is {_size(shape)}, and so is its gradient",
        hint=f"give {_form(shape)}",
    )


def _without_ones(shape: Shape) -> tuple[int, ...]:
    """What of a shape tells how its values are typed: a row may be a signal, a vector or a map of height 1."""
    channels, *spatial = shape if len(shape) > 1 else (1, *shape)
    while len(spatial) > 1 and spatial[0] == 1:
        spatial.pop(0)
    if spatial == [1]:  # a value for each channel is a row, or a channel each
        return (1, channels) if channels > 1 else (1, 1)
    return (channels, *spatial)


def _size(shape: Shape) -> str:
    return show(shape if shape[0] > 1 or len(shape) == 1 else shape[1:])


def _form(shape: Shape) -> str:
    """`2 rows of 3 numbers`, `4 channels, each 2 rows of 3 numbers, with | between them`."""
    if len(shape) == 1:
        return f"a row of {_numbers(shape[0])}"
    *rows, width = shape[1:]
    height = prod(rows)
    form = f"{height} rows of {_numbers(width)}" if height > 1 else f"a row of {_numbers(width)}"
    return f"{shape[0]} channels with | between them, each {form}" if shape[0] > 1 else form


def _numbers(count: int) -> str:
    return f"{count:,} number{'s' * (count != 1)}"


def _as_typed(found: Mapping[str, Gradient]) -> dict[str, Gradient]:
    """The gradients of a convolution whose mode turns the kernel, in terms of the kernel as it was typed."""
    weight = found["weight"]
    shape = weight.tensor.shape
    turned = Tensor(shape, _turned(weight.tensor.values, prod(shape[2:])))
    source = found["input"]
    by = None if source.by is None else source.by._replace(turned=False)
    return {
        **found,
        "input": Gradient(source.tensor, "full correlation of δ with the kernel as it is", by),
        "weight": Gradient(turned, "correlation of the input with δ, turned by 180°", weight.by),
    }


def _turned(values: Sequence[Any], taps: int) -> list[Any]:
    """Kernels of so many values, each turned by 180°."""
    return [value for start in range(0, len(values), taps) for value in values[start : start + taps][::-1]]


def _applied(name: str, by: Convolving) -> Application:
    """The convolution that computes a gradient, as an application: its kernels as matrices."""
    assert isinstance(by.operator, Conv)
    count = by.operator.channels
    kernel = tuple(axis.kernel for axis in by.axes)
    size = len(by.weights["weight"]) // count
    filters = tuple(
        _matrix(by.weights["weight"][start : start + size], kernel) for start in range(0, size * count, size)
    )
    return Application(by.operator, by.source, by.weights, by.output, filters)


def _matrix(values: Sequence[Any], kernel: Shape) -> Matrix:
    """The planes of one filter; the slices of a volume come one after another."""
    taps, width = prod(kernel), kernel[-1]
    planes = tuple(
        tuple(tuple(values[row : row + width]) for row in range(start, start + taps, width))
        for start in range(0, len(values), taps)
    )
    return Matrix(planes, signal=len(kernel) == 1)


def _steps(convolution: Application, notation: Notation) -> tuple[Placement, ...]:
    return placements(convolution, notation.decimal)


def _moves(application: Application, weights: Mapping[str, Sequence[Any]], delta: Tensor) -> tuple[Move, ...]:
    """Where each δ of a pool goes: the backward pass of that δ alone. Raises UsageError for other operators."""
    op: Operator = application.op
    total = elements(delta.shape)
    if total > MAX_STEPS:
        raise UsageError(
            f"{total:,} steps are more than --steps shows ({MAX_STEPS})", hint="use a smaller input"
        )
    moves = []
    for number, placement in enumerate(placements(application)):
        alone = Tensor(
            delta.shape, [delta.values[number] if place == number else Fraction(0) for place in range(total)]
        )
        share = op.backward([application.source], weights, alone)["input"].tensor
        moves.append(Move(placement, delta.values[number], share))
    return tuple(moves)


def _updated(application: Application, found: Mapping[str, Gradient], rate: Exact) -> dict[str, Tensor]:
    """One step of gradient descent: each learned parameter less the rate times its gradient. Raises UsageError."""
    learned = {name: gradient for name, gradient in found.items() if name != "input"}
    if not learned:
        raise UsageError(
            f"--rate: {application.op.kind} has nothing to learn",
            hint="it is for conv, dense and batchnorm",
        )
    updated = {}
    for name, gradient in learned.items():
        shape = gradient.tensor.shape
        before = application.weights[name]
        if name == "weight" and application.turned:
            before = _turned(before, prod(shape[2:]))
        step = Fraction(rate)
        if any(isinstance(value, float) for value in gradient.tensor.values):
            values = [
                old - float(step) * slope for old, slope in zip(before, gradient.tensor.values, strict=True)
            ]
        else:
            values = [old - step * slope for old, slope in zip(before, gradient.tensor.values, strict=True)]
        updated[name] = Tensor(shape, values)
    return updated
