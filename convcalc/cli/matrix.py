"""`convcalc matrix`."""

from __future__ import annotations

import re
from typing import Any

import click

from convcalc.api import functions
from convcalc.cli import completion, window_options
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Signed,
    format_option,
    load_network,
    save_view,
    show,
    spec_options,
)
from convcalc.errors import UsageError
from convcalc.render import terminal
from convcalc.render.view import View


@click.command(
    "matrix",
    cls=Signed,
    epilog="""\b
Examples:
  convcalc matrix 4x4 --kernel 2x2
  convcalc matrix --input 4x4 --kernel 3 --padding 1 -o matrix.svg
  convcalc matrix --input 3x3 -F 2 --weights '1 2; 3 4' -o matrix.npz
  convcalc matrix lenet5
  convcalc matrix lenet5 conv1 -o conv1.png
  convcalc matrix 2x2 --kernel 3 --stride 2 --transposed
  convcalc matrix 4x4 --kernel 2x2 --backward
  convcalc matrix 2x3 --weights '1 2; 3 4' --backward --gradient '1 10'

A row per output, a column per input. Zeros are grey, equal weights have one colour. Files
hold the number of the weight at each place, from 1 (0: not connected), or its value where
--weights gives them; biases are left out.""",
)
@click.argument("arch", type=ARCH, required=False, metavar="[ARCH|SIZE]")
@click.argument("layer", required=False, shell_complete=completion.convolutions)
@click.option(
    "--layer",
    "layer_option",
    metavar="NAME",
    shell_complete=completion.convolutions,
    help="Same as the argument.",
)
@click.option("--input", "input_text", metavar="SIZE", help="4x4; with ARCH, another input as for `show`.")
@window_options.window_options()
@click.option("-K", "--filters", type=click.IntRange(1, 10_000), metavar="K", help="Default 1.")
@click.option(
    "--channels", type=click.IntRange(1, 10_000), metavar="C", help="Depth of the input; default 1."
)
@click.option("--weights", multiple=True, metavar="MATRIX", help="A filter's values or letters; repeatable.")
@click.option("--transposed", is_flag=True, help="Of a transposed convolution (deconvolution).")
@click.option("--output-padding", metavar="O", help="With --transposed: pixels added at the end.")
@click.option("--backward", is_flag=True, help="The gradients of input and kernel by the transposed matrix.")
@click.option(
    "--gradient", metavar="MATRIX", help="Of the output, for --backward; default letters δ11, δ12, …"
)
@click.option(
    "-o", "--output", type=OUTPUT, metavar="FILE", help="Draw it: .svg .png .pdf .tex; or write .csv, .npz."
)
@spec_options
@format_option
def command(
    arch: str | None,
    layer: str | None,
    layer_option: str | None,
    input_text: str | None,
    kernel: str | None,
    stride: str | None,
    padding: str | None,
    dilation: str | None,
    rounding: str,
    filters: int | None,
    channels: int | None,
    weights: tuple[str, ...],
    transposed: bool,
    output_padding: str | None,
    backward: bool,
    gradient: str | None,
    output: str | None,
    settings: tuple[str, ...],
    max_layers: int,
    form: str,
) -> None:
    """A convolution as the dense layer it is: the matrix, and how few weights fill it."""
    from convcalc.report import matrix_file
    from convcalc.report.matrix import unrolled_lines
    from convcalc.report.transposed import transposed_lines

    if output is not None:
        matrix_file.check_suffix(output)
    if arch is not None and _is_size(arch):
        arch, input_text = None, _only(f"--input {input_text}" if input_text else None, arch, "size")
    layer = _only(layer_option, layer, "layer")
    found: View[Any]
    if arch is not None:
        rounded = click.get_current_context().get_parameter_source("rounding")
        explicit = rounded is click.core.ParameterSource.COMMANDLINE
        if explicit or any((kernel, stride, padding, dilation, filters, channels, weights, transposed)):
            raise UsageError(
                f"{arch}'s layers have their own fields",
                hint=f"convcalc matrix {arch} LAYER shows one; a size, as in matrix 4x4 -F 2, makes a layer up",
            )
        network = load_network(arch, settings, input_text, max_layers)
        found = network.matrix(layer, backward=backward, gradient=gradient)
    else:
        if layer is not None or settings:
            raise UsageError(
                "a layer's name and --set need a network",
                hint="convcalc matrix lenet5 conv1, or with a size: convcalc matrix 4x4 --kernel 2x2",
            )
        found = functions.matrix(
            input_text,
            kernel=kernel,
            stride=stride,
            padding=padding,
            dilation=dilation,
            rounding=rounding,
            filters=filters,
            channels=channels,
            weights=weights,
            backward=backward,
            gradient=gradient,
            transposed=transposed,
            output_padding=output_padding,
        )
    if output is None:
        show(found, form)
        return
    save_view(found, output)
    if form == "table":
        record: Any = found.record  # a file holds one layer, not all layers of a network
        lines = transposed_lines if backward else unrolled_lines
        terminal.print_lines(lines(record, terminal.width(), written=True))
    else:
        show(found, form)


def _is_size(text: str) -> bool:
    """Whether the first argument is a size such as 4x4 rather than a network. Raises UsageError for three numbers."""
    if not re.fullmatch(r"\d+([x×*]\d+)*", text, re.IGNORECASE):
        return False
    sides = re.split(r"\D", text)
    if len(sides) > 2:
        raise UsageError(
            f"{text}: three numbers may be channels or a third dimension",
            hint=f"write {'x'.join(sides[:2])} --channels {sides[2]}, or --input {text} for three dimensions",
        )
    return True


def _only(option: str | None, argument: str | None, what: str) -> str | None:
    """The value given as an option or as an argument. Raises UsageError if both are given."""
    if option is not None and argument is not None:
        raise UsageError(f"the {what} is given twice: {argument} and {option}")
    return argument if option is None else option
