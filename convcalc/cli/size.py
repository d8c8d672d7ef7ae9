"""`convcalc size`."""

from __future__ import annotations

import click

from convcalc.api import choices, functions
from convcalc.cli import Command, window_options
from convcalc.cli.options import OUTPUT, format_option, save_view, show
from convcalc.errors import UsageError


@click.command(
    "size",
    cls=Command,
    extra_hint="the window is given by options, as in convcalc size 227 --kernel 11 --stride 4",
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

\b
A transposed convolution, both ways:
  convcalc size 14 -F 4 -S 2 -P 1 --transposed
  convcalc size 14 -F 3 -S 2 --output 28 --transposed

\b
The figure for a slide; in .gif the window slides:
  convcalc size 7 -F 3 -S 2 -P 1 -o size.svg
  convcalc size 7 -F 3 -S 2 -P 1 -o size.gif

INPUT is 227x227x3, as in the lecture, or 3x227x227; the answer says how it was read. One number
stands for every side. The unknown is the first that is left out of input, kernel, padding, stride,
dilation; --solve names another. W2 = (W1 - F + 2P)/S + 1, rounded down.""",
)
@click.argument("input_text", metavar="[INPUT]", required=False)
@click.option("--input", "input_option", metavar="INPUT", help="Same as the argument.")
@window_options.window_options()
@click.option("-K", "--filters", type=click.IntRange(1, 10**6), metavar="K", help="Count weights and MACs.")
@click.option("--channels", type=click.IntRange(1, 10**6), metavar="C", help="Depth of the input; default 1.")
@click.option("--output", metavar="W2", help="The wanted output: solves for the missing quantity.")
@click.option("--transposed", is_flag=True, help="Of a transposed convolution (deconvolution).")
@click.option(
    "--output-padding", metavar="O", help="With --transposed: pixels added at the end, fewer than the stride."
)
@click.option("--solve", "unknown", type=click.Choice(choices.unknowns()), help="The unknown to solve for.")
@click.option(
    "-o", "file", type=OUTPUT, metavar="FILE",
    help="Draw it: .svg, .png, .pdf, .tex; .gif moves the window. (--output is the wanted size.)",
)  # fmt: skip
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
    transposed: bool,
    output_padding: str | None,
    unknown: str | None,
    file: str | None,
    form: str,
) -> None:
    """Why is it 55? One layer's output size worked out, or solved for its input, kernel, padding or stride."""
    if input_text is not None and input_option is not None:
        raise UsageError(f"the input is given twice: {input_text} and --input {input_option}")
    if file is not None:
        from convcalc.report.size_figure import size_suffix

        size_suffix(file)
    found = functions.size(
        input_text or input_option,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
        filters=filters,
        channels=channels,
        output=output,
        solve=unknown,
        transposed=transposed,
        output_padding=output_padding,
    )
    if file is not None:
        save_view(found, file)
    show(found, form)
    if found.mismatch is not None:
        raise found.mismatch
    if not found.solved:
        click.get_current_context().exit(1)
