"""`convcalc matrix`."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Sequence
from typing import Any

import click

from convcalc.cli import completion, window_options
from convcalc.cli.apply import Signed
from convcalc.cli.options import ARCH, OUTPUT, emit, format_option, load, save, spec_options
from convcalc.errors import Misfit, UsageError, did_you_mean
from convcalc.layer import matrices
from convcalc.layer.unroll import MAX_ENTRIES, Unrolled, convolutions, counts, matrix
from convcalc.shapes import Padding, PerAxis

SUFFIXES = (".png", ".csv", ".npz")


@click.command(
    "matrix",
    cls=Signed,
    epilog="""\b
Examples:
  convcalc matrix 4x4 --kernel 2x2
  convcalc matrix --input 4x4 --kernel 3 --padding 1 -o matrix.png
  convcalc matrix --input 3x3 -F 2 --weights '1 2; 3 4' -o matrix.npz
  convcalc matrix lenet5
  convcalc matrix lenet5 conv1 -o conv1.png

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
    help="The same as the argument.",
)
@click.option("--input", "input_text", metavar="SIZE", help="4x4; with ARCH, another input as for `show`.")
@window_options.window_options()
@click.option("-K", "--filters", type=click.IntRange(1, 10_000), metavar="K", help="Default 1.")
@click.option(
    "--channels", type=click.IntRange(1, 10_000), metavar="C", help="Depth of the input; default 1."
)
@click.option("--weights", multiple=True, metavar="MATRIX", help="A filter's values or letters; repeatable.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE", help="Write the matrix: .png, .csv or .npz.")
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
    output: str | None,
    settings: tuple[str, ...],
    max_layers: int,
    form: str,
) -> None:
    """A convolution as the dense layer it is: the matrix, and how few weights fill it."""
    if output is not None and os.path.splitext(output)[1].lower() not in SUFFIXES:
        raise UsageError(f"--output {output}: cannot write such a file", hint=f"use {', '.join(SUFFIXES)}")
    if arch is not None and _is_size(arch):
        arch, input_text = None, _only(f"--input {input_text}" if input_text else None, arch, "size")
    layer = _only(layer_option, layer, "layer")
    if arch is not None:
        rounded = click.get_current_context().get_parameter_source("rounding")
        explicit = rounded is click.core.ParameterSource.COMMANDLINE
        if explicit or any((kernel, stride, padding, dilation, filters, channels, weights)):
            raise UsageError(
                f"{arch}'s layers have their own fields",
                hint=f"convcalc matrix {arch} LAYER shows one; a size, as in matrix 4x4 -F 2, makes a layer up",
            )
        found = convolutions(load(arch, settings, input_text, max_layers))
        if layer is None:
            _overview(arch, found, output, form)
            return
        one, values = _named(arch, layer, found), []
    else:
        if layer is not None or settings:
            raise UsageError(
                "a layer's name and --set need a network",
                hint="convcalc matrix lenet5 conv1, or with a size: convcalc matrix 4x4 --kernel 2x2",
            )
        planes = [matrices.parse(text, "--weights") for text in weights]
        one = _made_up(input_text, kernel, stride, padding, dilation, rounding, filters, channels, planes)
        values = _values(one, planes)
    from convcalc.layer.symbols import written
    from convcalc.report.matrix import drawable, drawing, labels, unrolled_table, unrolled_value

    decimal = False if any("/" in text for text in weights) else None
    typed = [written(value, decimal=decimal, minus="-").replace(" ", "") for value in values]
    if output is not None:
        _save(output, one, values, typed)
    emit(form, lambda: unrolled_table(one), lambda: unrolled_value(one, typed))
    if form == "table":
        from convcalc.render import terminal

        if drawable(one):
            terminal.print_lines([[], *drawing(one, labels(one, typed), terminal.width())])
        elif output is None and counts(one).dense <= MAX_ENTRIES:
            click.echo("the matrix is too large to draw; --output FILE.png, .csv or .npz writes it")


def _is_size(text: str) -> bool:
    """Whether the first argument is a size such as 4x4, not a network. Raises UsageError for three numbers."""
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
    """What was given as an option or as an argument. Raises UsageError for both."""
    if option is not None and argument is not None:
        raise UsageError(f"the {what} is given twice: {argument} and {option}")
    return argument if option is None else option


def _overview(arch: str, found: Sequence[Unrolled], output: str | None, form: str) -> None:
    from convcalc.report.matrix import layers_table, unrolled_value
    from convcalc.report.values import CONVENTIONS

    if not found:
        raise UsageError(f"{arch} has no convolution")
    if output is not None:
        raise UsageError("--output writes one layer's matrix", hint=f"convcalc matrix {arch} {found[0].name}")
    emit(
        form,
        lambda: layers_table(arch, found),
        lambda: {
            "name": arch,
            "conventions": CONVENTIONS,
            "layers": [unrolled_value(one, whole=False) for one in found],
        },
    )


def _named(arch: str, layer: str, found: Sequence[Unrolled]) -> Unrolled:
    for one in found:
        if one.name == layer:
            return one
    names = [one.name for one in found]
    raise UsageError(
        f"{arch} has no convolution '{layer}'{did_you_mean(layer, names)}",
        hint=f"convcalc matrix {arch} lists them",
    )


def _made_up(
    input_text: str | None,
    kernel: str | None,
    stride: str | None,
    padding: str | None,
    dilation: str | None,
    rounding: str,
    filters: int | None,
    channels: int | None,
    weights: Sequence[matrices.Matrix],
) -> Unrolled:
    """The convolution that the options say; the weights say its kernel where no option does."""
    from convcalc.ops.conv import Conv

    if kernel is None and weights:
        kernel = window_options.joined((weights[0].height, weights[0].width))
    if input_text is None or kernel is None:
        raise UsageError(
            "matrix needs a size and --kernel or --weights, or a network and its layer",
            hint="convcalc matrix 4x4 --kernel 2x2; convcalc matrix lenet5 conv1",
        )
    sizes = window_options.numbers(input_text, "--input")
    pads = window_options.paddings(padding) or ((0, 0),)
    given = ((kernel, "--kernel"), (stride, "--stride"), (dilation, "--dilation"))
    extents = [window_options.extents(text, name) or (1,) for text, name in given]
    rank = max(len(sizes), *map(len, extents), len(pads))
    rank = 2 if rank == 1 else rank
    shape = (channels or 1, *(sizes * rank if len(sizes) == 1 else sizes))
    conv = Conv(
        filters=filters or len(weights) or 1,
        kernel=_simple(extents[0]),
        stride=_simple(extents[1]),
        dilation=_simple(extents[2]),
        padding=_padding(pads, rank),
        rounding=rounding,
        bias=False,
    )
    try:
        bound = conv.bind((shape,))
        bound.output_shape((shape,))
    except Misfit as misfit:
        raise window_options.usage(misfit) from None
    return Unrolled(bound, shape)


def _simple(values: tuple[int, ...]) -> PerAxis:
    return values[0] if len(values) == 1 else values


def _padding(pads: tuple[str | tuple[int, int], ...], rank: int) -> Padding:
    """One for all dimensions where one was given: as a number where both sides agree."""
    if isinstance(pads[0], str):
        return pads[0]
    pairs = tuple(pair for pair in pads if not isinstance(pair, str))
    if len(pairs) > 1:
        return pairs
    before, after = pairs[0]
    return before if before == after else pairs * rank


def _values(layer: Unrolled, weights: Sequence[matrices.Matrix]) -> list[Any]:
    """The weights as typed, in the order of the weight tensor; nothing where none were."""
    from convcalc.layer.weights import kernels

    if not weights:
        return []
    shape = (layer.op.channels, layer.depth, *(axis.kernel for axis in layer.axes))
    return kernels(layer.op, shape, weights)


def _save(path: str, one: Unrolled, values: Sequence[Any], typed: Sequence[str]) -> None:
    """The matrix in a file, whole or not at all. values: the weights, where they were given; typed: as text."""
    from convcalc.images.rasters import indexed_png
    from convcalc.inference.outputs import npy, npz
    from convcalc.layer.symbols import has_letters
    from convcalc.report.matrix import rgb

    entries = matrix(one)
    found = counts(one)
    if path.lower().endswith(".png"):
        colours = [rgb(index, found.weights) for index in range(min(found.weights, 255))]
        save(path, indexed_png(found.inputs, found.outputs, entries, colours))
        return
    if path.lower().endswith(".csv"):
        texts = ["0", *(typed or map(str, range(1, found.weights + 1)))]
        rows = (
            ",".join([texts[entry] for entry in entries[i : i + found.inputs]])
            for i in range(0, len(entries), found.inputs)
        )
        save(path, ("\n".join(rows) + "\n").encode())
        return
    if has_letters(values):
        raise UsageError(
            f"--output {path}: letters are no numbers", hint="use .csv or .png, or number weights"
        )
    shape = (found.outputs, found.inputs)
    if values:
        table = array("d", [0.0, *map(float, values)])
        data = npy(shape, "<f8", array("d", [table[entry] for entry in entries]))
    else:
        data = npy(shape, "<i4", entries)
    save(path, npz({"matrix": data}))
