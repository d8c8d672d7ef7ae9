"""`convcalc apply`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import click

from convcalc.api import choices, functions
from convcalc.cli import completion, print_message, window_options
from convcalc.cli.options import OUTPUT, Signed, format_option, save_view, show, write
from convcalc.errors import UsageError
from convcalc.render.json import dumps
from convcalc.render.view import View

MANY_FRAMES = 60  # of an animation: with fewer it is there at once


@click.command(
    "apply",
    cls=Signed,
    epilog="""\b
Examples:
  convcalc apply 'maxpool: 2' '1 4 2 1; 5 8 3 4; 7 6 4 5; 1 3 1 2'
  convcalc apply --weights 'w x; y z' 'a b c d; e f g h; i j k l' --steps
  convcalc apply sharpen '1 1 1 1; 1 5 5 1; 1 5 5 1; 1 1 1 1' --padding same
  convcalc apply --weights '1 2; 3 4' '1 0 2; 0 3 0; 4 0 5' --mode all
  convcalc apply 'conv: {stride: 2}' signal.csv --weights '1/4 1/2 1/4'
  convcalc apply 'maxpool: 2' '1 4 2 1; 5 8 3 4' --steps -o pool.gif
  convcalc apply --weights 'w x; y z' 'a b c; d e f; g h i' -o toy.svg
  convcalc apply edges photo.jpg -o edges.png
  convcalc apply blur,sharpen,sobel-x photo.jpg -o maps.png
  convcalc apply gaussian photo.jpg --per-channel -o soft.png
  convcalc apply --weights 'w x; y z' 'a b c; d e f; g h i' --backward
  convcalc apply 'maxpool: 2' '1 4 2 1; 5 8 3 4' --backward
  convcalc apply --weights '1 2' '3 4 5' --backward --rate 1/10

OP is an entry as in a spec, with fields as options too (maxpool -F 2), or filters by name:
identity, blur, gaussian, sharpen, edges, sobel-x, sobel-y, emboss; left out, it is conv.
INPUT is a matrix (rows with ; between them, channels with | ; one row is a signal, or the
vector that softmax, layernorm and dense read; [[1, 2], [3, 4]] works too), a CSV file, an
image, or - for standard input. Numbers stay exact; letters stand for themselves.

A filter spans all channels: one plane serves each of them; a named filter is divided by
their number, so that brightness is kept.

-o writes numbered cells; with --steps the window moves in .gif and .svg, and .png and .pdf
have a strip of all steps. An image is written as .png; so is a matrix with --tone, a pixel
for each number.

--backward shows the gradients of input, kernel and bias for a gradient δ of the output, and
each as the convolution that it is; --steps then walks their windows, -o writes .csv.

--mode centred is S[i,j] = Σ I[i−a, j−b]·K[⌊m/2⌋+a, ⌊n/2⌋+b]. The lecture prints a from
⌊−m/2⌋: for odd m that is one too low, a runs from −⌊m/2⌋ to ⌊m/2⌋.""",
)
@click.argument("arguments", nargs=-1, metavar="[OP] INPUT", shell_complete=completion.operators)
@click.option(
    "--weights", "weights", multiple=True, metavar="MATRIX", help="A filter; repeat it for several maps."
)
@click.option("--bias", metavar="NUMBERS", help="A number per filter.")
@click.option(
    "--mode",
    type=click.Choice([*choices.modes(), "all"]),
    help="Indexing of a convolution; all shows all three; default correlation.",
)
@window_options.window_options(defaults=False)
@click.option("--per-channel", is_flag=True, help="Filter each channel separately: colours stay.")
@click.option(
    "--steps", is_flag=True, help="Walk the window over the input; animated on a terminal, in .gif and .svg."
)
@click.option("--backward", is_flag=True, help="The gradients of input, kernel and bias instead.")
@click.option(
    "--gradient", metavar="MATRIX", help="Of the output, for --backward; default letters δ11, δ12, …"
)
@click.option("--rate", metavar="NUMBER", help="With --backward: the kernel after a step of descent.")
@click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.6,
    show_default=True,
    metavar="SECONDS",
    help="Pause between steps; 0 prints them one below the other.",
)
@click.option("--decimals", type=click.IntRange(0, 17), metavar="N", help="Round to N decimals.")
@click.option(
    "--tone",
    type=click.Choice(choices.tones()),
    help="How values outside 0 to 255 are shown.",
)
@click.option(
    "--max-size",
    type=click.IntRange(1, 10_000),
    default=512,
    show_default=True,
    metavar="PIXELS",
    help="Longest side of the image; larger ones are reduced.",
)
@click.option(
    "-o",
    "--output",
    type=OUTPUT,
    metavar="FILE",
    help="Write a figure, with --steps moving: .svg .gif .png .pdf .tex; or .csv.",
)
@format_option
def command(
    arguments: tuple[str, ...],
    weights: tuple[str, ...],
    bias: str | None,
    mode: str | None,
    kernel: str | None,
    stride: str | None,
    padding: str | None,
    dilation: str | None,
    rounding: str | None,
    per_channel: bool,
    steps: bool,
    backward: bool,
    gradient: str | None,
    rate: str | None,
    delay: float,
    decimals: int | None,
    tone: str | None,
    max_size: int,
    output: str | None,
    form: str,
) -> None:
    """One operator on a matrix, a signal, letters or an image: what goes in, what comes out, step by step."""
    from convcalc.render import terminal
    from convcalc.report.apply_file import suffix_of

    suffix = suffix_of(output) if output is not None else ""
    bars = terminal.Bars()

    def painting(done: int, frames: int) -> None:
        if frames >= MANY_FRAMES:
            bars.move("painting", done, frames)

    found = functions.apply(
        *arguments,
        weights=weights,
        bias=bias,
        mode=mode,
        kernel=kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        rounding=rounding,
        per_channel=per_channel,
        steps=steps,
        decimals=decimals,
        tone=tone,
        max_size=max_size if _given("max_size") else None,
        backward=backward,
        gradient=gradient,
        rate=rate,
        delay=delay if _given("delay") else None,
        progress=painting,
    )
    if choices.is_picture(found):
        _show_picture(found, output, form)
        return
    if tone is not None and suffix != ".png":
        raise UsageError("--tone is for images", hint="leave it out, or write the matrix as one: -o FILE.png")
    if steps and form not in ("table", "json"):
        raise UsageError(f"--steps has no {form} format", hint="use --format table or json")
    _show(found, output, form, delay, bars, walked=suffix in ("", ".csv"))


def _given(option: str) -> bool:
    """Whether an option stands on the command line."""
    source = click.get_current_context().get_parameter_source(option)
    return source is click.core.ParameterSource.COMMANDLINE


def _show(
    found: View[Any],
    output: str | None,
    form: str,
    delay: float,
    bars: AbstractContextManager[object],
    *,
    walked: bool,
) -> None:
    """Show the steps and the matrices, or the requested format. bars: shown while the file is made; walked: the steps
    are shown here, not in a file."""
    from convcalc.render import terminal
    from convcalc.report.apply import animations, applied_lines
    from convcalc.report.backward import backward_lines
    from convcalc.report.backward_steps import backward_animations

    frames_of, lines_of = (
        (backward_animations, backward_lines) if choices.is_backward(found) else (animations, applied_lines)
    )
    if form == "table" and walked:
        for frames in frames_of(found.record, terminal.width()):
            terminal.animate(frames, delay)
    if output is not None:
        with bars:
            save_view(found, output)
    if form == "table":
        terminal.print_lines(lines_of(found.record, terminal.width(), steps=False))
    else:
        show(found, form)


def _show_picture(found: View[Any], output: str | None, form: str) -> None:
    """Show the figures about the maps, the pictures on a terminal, and write the file."""
    from convcalc.report.apply_picture import save_hint

    if output is not None:
        save_view(found, output)
    if form == "json":
        write(dumps({**found.to_dict(), "file": output}))
    else:
        show(found, form)
    if output is None and form == "table":
        print_message(save_hint(found.record))
