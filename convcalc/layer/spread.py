"""The output size of a transposed convolution, worked out step by step, and the question turned round.

W2 = (W1 − 1)·S + D(F − 1) + 1 − 2P + O: S − 1 zeros between the input's pixels, a kernel at each, the edges cropped by
the padding, and O more pixels at the end (PyTorch's output_padding). A convolution with the same window maps W2 to W1.

>>> solve("padding", 28, KnownSpread(input=14, kernel=4, stride=2))[0].working
'(14 − 1)·2 + 4 − 2·1 = 28'
"""

from __future__ import annotations

from collections.abc import Iterator

from convcalc.errors import Misfit, UsageError
from convcalc.layer.solutions import AxisSolutions, SpreadSolution
from convcalc.layer.windows import MAX_NUMBER, KnownSpread
from convcalc.ops.deconv import Deconv, Spread
from convcalc.shapes import Axis, Padding

UNKNOWNS = ("input", "kernel", "padding", "stride", "dilation", "output_padding")


def complete(given: KnownSpread) -> Spread:
    """The axis with known input and kernel. Raises Misfit if the padding crops everything, or if the output padding is
    not below the stride or the dilation."""
    if given.input is None or given.kernel is None:
        raise UsageError("input and kernel must be known")
    padding: Padding = given.padding if isinstance(given.padding, str) else (given.padding or (0, 0),)
    layer = Deconv(
        filters=1,
        kernel=given.kernel,
        stride=given.stride or 1,
        dilation=given.dilation or 1,
        padding=padding,
        output_padding=given.output_padding or 0,
    )
    shape = (1, given.input)
    layer.bind((shape,))
    layer.output_shape((shape,))
    return layer.axes((shape,))[0]


def backwards(axis: Spread) -> Axis:
    """The window of the convolution that goes the other way, over the transposed convolution's output."""
    return Axis(axis.output, axis.kernel, axis.stride, axis.dilation, axis.before, axis.after, "floor")


def answer(axis: str, unknown: str, output: int, given: KnownSpread) -> AxisSolutions:
    """The solutions; without any, those for other unknowns."""
    found = tuple(solve(unknown, output, given))
    others = []
    for other in UNKNOWNS if not found and given.kernel and given.input else ():
        ways = tuple(solve(other, output, given)) if other != unknown else ()
        if ways:
            others.append((other, ways))
    return AxisSolutions(axis, unknown, output, given, found, tuple(others))


def solve(unknown: str, output: int, given: KnownSpread) -> list[SpreadSolution]:
    """Every value of the unknown that gives `output` pixels. For padding and input every output padding is tried
    if none is given. Raises UsageError for numbers beyond MAX_NUMBER and for questions without an answer."""
    _check(unknown, output, given)
    found = []
    for candidate in _candidates(unknown, output, given._replace(**{unknown: None})):
        if not _is_window(candidate):
            continue
        try:
            axis = complete(candidate)
        except (Misfit, UsageError):
            continue
        if axis.output == output:
            value = {"input": axis.size, "padding": axis.before, "output_padding": axis.extra}.get(unknown)
            found.append(SpreadSolution(getattr(axis, unknown) if value is None else value, axis))
    return sorted(found, key=lambda solution: (not solution.even, solution.axis.extra, solution.value))


def _is_window(given: KnownSpread) -> bool:
    """Whether every number is one that a window can have."""
    sides = given.padding if isinstance(given.padding, tuple) else (0,)
    counts = (given.input, given.kernel, given.stride, given.dilation)
    return min(*sides, given.output_padding or 0) >= 0 and all(n is None or n > 0 for n in counts)


def _check(unknown: str, output: int, given: KnownSpread) -> None:
    sides = given.padding if isinstance(given.padding, tuple) else ()
    known = (output, given.input, given.kernel, given.stride, given.dilation, given.output_padding, *sides)
    if any(number is not None and number > MAX_NUMBER for number in known):
        raise UsageError(f"the solver takes numbers of at most {MAX_NUMBER:,}", hint="no layer is that large")
    if given.padding == "same" and unknown != "input":
        raise UsageError(
            f"padding same makes the output input·stride, whatever the {unknown.replace('_', ' ')}",
            hint="give --padding a number",
        )


def _candidates(unknown: str, output: int, given: KnownSpread) -> Iterator[KnownSpread]:
    """Windows among which all solutions are."""
    stride, dilation = given.stride or 1, given.dilation or 1
    extent = dilation * ((given.kernel or 1) - 1) + 1
    cut = sum(given.padding) if isinstance(given.padding, tuple) else 0
    size = given.input or 1
    extra = given.output_padding
    extras = range(max(stride, dilation)) if extra is None else (extra,)
    if unknown == "output_padding":
        yield given._replace(output_padding=output - ((size - 1) * stride + extent - cut))
    elif unknown == "padding":
        for added in extras:
            total = (size - 1) * stride + extent + added - output
            yield given._replace(padding=(total // 2, total - total // 2), output_padding=added)
    elif unknown == "input":
        if given.padding == "same":
            yield given._replace(input=output // stride)
            return
        for added in extras:
            yield given._replace(input=(output + cut - extent - added) // stride + 1, output_padding=added)
    elif unknown == "kernel":
        rest = output + cut - (extra or 0) - (size - 1) * stride
        yield given._replace(kernel=(rest - 1) // dilation + 1)
    elif unknown == "stride" and size > 1:
        yield given._replace(stride=(output + cut - extent - (extra or 0)) // (size - 1))
    elif unknown == "dilation" and given.kernel and given.kernel > 1:
        rest = output + cut - (extra or 0) - (size - 1) * stride
        yield given._replace(dilation=(rest - 1) // (given.kernel - 1))
