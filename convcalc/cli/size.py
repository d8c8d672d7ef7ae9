"""`convcalc size`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from convcalc.cli import Command, window_options
from convcalc.cli.options import emit, format_option
from convcalc.errors import ConvcalcError, Misfit, UsageError
from convcalc.layer.size import UNKNOWNS, Given, InputSizes, complete, read_sizes
from convcalc.shapes import AXIS_NAMES, Axis


@click.command(
    "size",
    cls=Command,
    extra_hint="the window is said by options, as in convcalc size 227 --kernel 11 --stride 4",
    epilog="""\b
Why is it 55? The formula filled in, what is left over, the windows drawn:
  convcalc size 227 --kernel 11 --stride 4
  convcalc size 227x227x3 --kernel 11 --stride 4 --filters 96
  convcalc size 55 -F 3 -S 2 --rounding ceil

\b
The question turned round, with --output and one thing left out:
  convcalc size 227 --kernel 3 --output 227      which padding keeps the size?
  convcalc size --kernel 3 --stride 2 --output 7 which inputs give 7?
  convcalc size 227 --output 55 -S 4 -P 0        which kernel?
  convcalc size --kernel 11 --output 1           the smallest input

INPUT is 227x227x3, as in the lecture, or 3x227x227; the answer says how it was read. One number
stands for every side. The unknown is the first that is left out of input, kernel, padding, stride,
dilation; --solve names another. W2 = (W1 - F + 2P)/S + 1, rounded down.""",
)
@click.argument("input_text", metavar="[INPUT]", required=False)
@click.option("--input", "input_option", metavar="INPUT", help="The same as the argument.")
@window_options.window_options()
@click.option("-K", "--filters", type=click.IntRange(1, 10**6), metavar="K", help="Count weights and MACs.")
@click.option("--channels", type=click.IntRange(1, 10**6), metavar="C", help="Depth of the input; default 1.")
@click.option("--output", metavar="W2", help="The wanted output: solve for what is left out.")
@click.option("--solve", "unknown", type=click.Choice(UNKNOWNS), help="What to solve for.")
@format_option
def command(
    input_text: str | None,
    input_option: str | None,
    kernel: str | None,
    stride: str | None,
    padding: str | None,
    dilation: str | None,
    rounding: str,
    filters: int | None,
    channels: int | None,
    output: str | None,
    unknown: str | None,
    form: str,
) -> None:
    """Why is it 55? One layer's output size worked out, or solved for its input, kernel, padding or stride."""
    if input_text is not None and input_option is not None:
        raise UsageError(f"the input is given twice: {input_text} and --input {input_option}")
    typed = _typed(input_text or input_option, channels)
    depth = typed.channels
    written = {
        "input": typed.sides or None,
        "kernel": window_options.extents(kernel, "--kernel"),
        "padding": window_options.paddings(padding),
        "stride": window_options.extents(stride, "--stride"),
        "dilation": window_options.extents(dilation, "--dilation"),
    }
    wanted = None if output is None else window_options.numbers(output, "--output")
    if unknown is None and wanted is not None:
        unknown = next((name for name in UNKNOWNS if written[name] is None), None)
    if wanted is None and unknown is not None:
        raise UsageError("--solve needs --output, the wanted size", hint="for example --output 55")
    counted = filters is not None or depth is not None
    if counted and wanted is not None and filters is not None:
        raise UsageError("--filters counts weights; it does not go with --output")
    for name in ("input", "kernel"):
        if written[name] is None and name != unknown:
            raise UsageError(
                f"size needs the {name}",
                hint="convcalc size 227 --kernel 11 --stride 4; or --output 55 and leave one thing out",
            )
    values = [value for value in (*written.values(), wanted) if value is not None]
    rank = max(len(value) for value in values)
    if rank == 1 and counted:
        rank = 2  # the lecture's W1 stands for both sides of a map
    given = [
        Given(**{name: _at(value, axis, rank, name) for name, value in written.items()}, rounding=rounding)
        for axis in range(rank)
    ]
    if wanted is None or unknown is None:
        axes = _show(given, typed, filters, form)
        if wanted is not None and (found := tuple(axis.output for axis in axes)) != _every(wanted, rank):
            raise ConvcalcError(
                f"the output is {window_options.joined(found)}, not {output}",
                hint="leave out what may change, such as --padding, and size solves for it",
            )
        return
    _solve(unknown, _every(wanted, rank), given, typed, form)


def _typed(text: str | None, channels: int | None) -> InputSizes:
    """INPUT's sides and its channels: three numbers or more hold the channels, unless --channels says them."""
    if text is None:
        return InputSizes((), channels)
    if len(text) > 1 and text[0].isalpha():
        raise UsageError(
            f"INPUT {text}: size works out one window", hint=f"convcalc show {text} --explain has a network's"
        )
    sizes = window_options.numbers(text, "INPUT", most=4)
    if len(sizes) < 3 or (len(sizes) == 3 and channels is not None):
        return InputSizes(sizes, channels)
    if channels is not None:
        raise UsageError(f"INPUT {text} holds its channels; leave --channels out")
    return read_sizes(sizes)


def _every(value: tuple[int, ...], rank: int) -> tuple[int, ...]:
    return value * rank if len(value) == 1 else value


def _at(value: tuple[Any, ...] | None, axis: int, rank: int, name: str) -> Any:
    """The value for one of `rank` axes; one value serves all."""
    if value is None:
        return None
    if len(value) not in (1, rank):
        raise UsageError(f"{name} has {len(value)} values, but there are {rank} dimensions")
    return value[axis if len(value) > 1 else 0]


def _show(given: list[Given], typed: InputSizes, filters: int | None, form: str) -> list[Axis]:
    from convcalc.layer.size import cost
    from convcalc.report.size import size_table, size_value

    try:
        axes = [complete(one) for one in given]
        counts = None if filters is None else cost(axes, typed.channels or 1, filters)
        for axis in axes:
            assert axis.output  # raises Misfit where the window does not fit
    except Misfit as misfit:
        raise window_options.usage(misfit) from None
    emit(form, lambda: size_table(axes, typed, counts), lambda: size_value(axes, typed, counts))
    if form == "table":
        _draw(axes)
    return axes


def _draw(axes: Sequence[Axis]) -> None:
    from convcalc.render import terminal
    from convcalc.report.size_drawing import drawing

    terminal.print_lines([[]])
    different = list(dict.fromkeys(axes))
    for axis in different:
        label = "" if len(different) == 1 else AXIS_NAMES[len(axes)][axes.index(axis)]
        terminal.print_lines(drawing(axis, min(terminal.width() or 100, 100), label))


def _solve(unknown: str, wanted: tuple[int, ...], given: list[Given], typed: InputSizes, form: str) -> None:
    from convcalc.layer.size import Answer, answer
    from convcalc.report.size import solutions_table, solutions_value

    answers: list[Answer] = []
    for name, output, known in zip(AXIS_NAMES[len(given)], wanted, given, strict=True):
        answers.append(answer(name, unknown, output, known))
    emit(form, lambda: solutions_table(answers, typed), lambda: solutions_value(answers, typed))
    if not all(one.solutions for one in answers):
        click.get_current_context().exit(1)
