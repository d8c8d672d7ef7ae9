"""`convcalc apply`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from convcalc.cli import completion, say, window_options
from convcalc.cli.apply_arguments import operator_and_input, read_source, window_fields
from convcalc.cli.options import OUTPUT, Signed, emit, format_option, save, write, write_tables
from convcalc.errors import UsageError
from convcalc.layer.apply import MODES
from convcalc.ops import Tensor

if TYPE_CHECKING:
    from convcalc.images.preprocess import Picture
    from convcalc.layer.apply import Application
    from convcalc.report.apply import Style

MAX_FRAMES = 400


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
  convcalc apply edges photo.jpg -o edges.png
  convcalc apply blur,sharpen,sobel-x photo.jpg -o maps.png
  convcalc apply gaussian photo.jpg --per-channel -o soft.png

OP is an entry as in a spec, whose fields options may say (maxpool -F 2), or filters by name:
identity, blur, gaussian, sharpen, edges, sobel-x, sobel-y, emboss; left out, it is conv.
INPUT is a matrix (rows with ; between them, channels with | ; one row is a signal, or the
vector that softmax, layernorm and dense read; [[1, 2], [3, 4]] works too), a CSV file, an
image, or - for standard input. Numbers stay exact; letters stand for themselves.

A filter spans all channels: one plane serves each of them; a named filter is divided by
their number, so that brightness is kept.

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
    type=click.Choice([*MODES, "all"]),
    help="How a convolution is indexed; all shows the three; default correlation.",
)
@window_options.window_options(defaults=False)
@click.option("--per-channel", is_flag=True, help="Each channel by itself: a colour image stays one.")
@click.option("--steps", is_flag=True, help="Walk the window over the input; animated on a terminal.")
@click.option(
    "--delay",
    type=click.FloatRange(0, 60),
    default=0.6,
    show_default=True,
    metavar="SECONDS",
    help="Between steps; 0 prints them one under another.",
)
@click.option("--decimals", type=click.IntRange(0, 17), metavar="N", help="Round what is shown.")
@click.option(
    "--tone",
    type=click.Choice(["clip", "magnitude", "stretch"]),
    help="How an image shows values outside 0 to 255.",
)
@click.option(
    "--max-size",
    type=click.IntRange(1, 10_000),
    default=512,
    show_default=True,
    metavar="PIXELS",
    help="Scale a larger image down to so many on its longer side.",
)
@click.option("-o", "--output", type=OUTPUT, metavar="FILE", help="Write the result: .png or .csv.")
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
    delay: float,
    decimals: int | None,
    tone: str | None,
    max_size: int,
    output: str | None,
    form: str,
) -> None:
    """One operator on a matrix, a signal, letters or an image: what goes in, what comes out, step by step."""
    from convcalc.layer import apply as applying
    from convcalc.layer import matrices
    from convcalc.report.apply import Style

    operator, text = operator_and_input(arguments, bool(weights))
    if output is not None and os.path.splitext(output)[1].lower() not in (".png", ".csv"):
        raise UsageError(f"-o {output}: cannot write such a file", hint="use .png or .csv")
    names = applying.named_filters(operator)
    if names and weights:
        raise UsageError("a named filter has its weights", hint="leave --weights out, or write conv")
    filters = [applying.filter_matrix(name) for name in names]
    filters += [matrices.parse(typed, "--weights") for typed in weights]
    biases = matrices.parse(bias, "--bias").values if bias is not None else []
    source = read_source(text, max_size)
    picture = source.picture
    channels, rank = source.tensor.shape[0], len(source.tensor.shape) - 1
    _check_effect(picture is not None, steps, tone, decimals, output)
    given = {
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "rounding": rounding,
    }
    fields = window_fields(given, rank)
    if per_channel:
        fields["groups"] = str(channels)
    count = len(filters)
    done = [
        applying.apply(
            "conv" if names else operator,
            source.tensor,
            filters * channels if per_channel else filters,
            bias=biases,
            mode=chosen,
            names=names,
            fields=fields,
            line=source.line,
            floats=picture is not None,
        )
        for chosen in (MODES if mode == "all" else (mode,))
    ]
    if picture is not None:
        _show_picture(done, picture, text, output, form, tone, count if per_channel else 0)
        return
    typed = [source.decimal, *(one.decimal for one in filters)]
    style = Style(False if False in typed else True if True in typed else None, decimals)
    for one in done if steps else ():
        _walk(one, style, form, delay)
    if output is not None:
        _save(output, done, style, tone or "stretch")
    _show(done, style, form, mode is not None, steps)


def _check_effect(
    picture: bool, steps: bool, tone: str | None, decimals: int | None, output: str | None
) -> None:
    """Refuse an option that has no effect on the input given: an image, or numbers."""
    if picture and steps:
        raise UsageError("--steps is for matrices", hint="an image has too many positions to walk")
    if picture and decimals is not None:
        raise UsageError("--decimals is for matrices", hint="leave it out for an image")
    given = click.get_current_context().get_parameter_source("max_size")
    if not picture and given is click.core.ParameterSource.COMMANDLINE:
        raise UsageError("--max-size is for images", hint="leave it out for a matrix")
    if not picture and tone is not None and not (output or "").lower().endswith(".png"):
        raise UsageError("--tone is for images", hint="leave it out, or write the matrix as one: -o FILE.png")


def _show(done: Sequence[Application], style: Style, form: str, mode_shown: bool, steps: bool) -> None:
    """Matrices side by side, or the format asked for; the three modes one after another."""
    from convcalc.render import terminal
    from convcalc.report.apply import (
        application_lines,
        application_table,
        application_value,
        matrix_csv,
    )

    if form == "table":
        for number, one in enumerate(done):
            lines = application_lines(one, style, terminal.width(), mode_shown=mode_shown)
            terminal.print_lines([*([[]] if number else []), *lines])
    elif form == "json":
        values = [application_value(one, style, steps=steps) for one in done]
        emit(form, lambda: None, lambda: values[0] if len(values) == 1 else {"modes": values})
    elif form == "csv":
        write("\n".join(matrix_csv(one.output, style) for one in done))
    else:
        write_tables(form, [application_table(one, style, mode_shown=mode_shown) for one in done])


def _walk(one: Application, style: Style, form: str, delay: float) -> None:
    """The window step by step, before the whole result is shown."""
    from convcalc.layer.steps import walks
    from convcalc.render import terminal
    from convcalc.report.apply import frames
    from convcalc.shapes import elements

    if not walks(one.op) or len(one.source.shape) > 3:
        raise UsageError(f"{one.op.kind} moves no window that --steps could follow")
    if form not in ("table", "json"):
        raise UsageError(f"--steps has no {form} format", hint="use --format table or json")
    total = elements(one.output.shape)
    if total > MAX_FRAMES:
        raise UsageError(
            f"{total:,} steps are more than --steps shows ({MAX_FRAMES})", hint="use a smaller input"
        )
    if form == "json":
        return
    terminal.animate(frames(one, style, terminal.width()), delay)


def _save(path: str, done: Sequence[Application], style: Style, tone: str) -> None:
    """Numbers to a file: .csv as they are, .png as grey levels."""
    from convcalc.images.rasters import beside, png, rasters
    from convcalc.layer.symbols import has_letters
    from convcalc.report.apply import matrix_csv

    if path.lower().endswith(".csv"):
        save(path, "\n".join(matrix_csv(one.output, style) for one in done).encode())
        return
    maps = []
    for one in done:
        tensor = one.output
        if has_letters(tensor.values) or len(tensor.shape) > 3:
            raise UsageError(f"-o {path}: letters and volumes make no picture", hint="use .csv")
        shape = (*(1,) * (3 - len(tensor.shape)), *tensor.shape) if len(tensor.shape) < 2 else tensor.shape
        shape = (shape[0], 1, shape[1]) if len(shape) == 2 else shape
        maps += rasters(Tensor(shape, tensor.values), tone, colour=False)
    save(path, png(beside(maps, gap=1)))


def _show_picture(
    done: Sequence[Application],
    picture: Picture,
    path: str,
    output: str | None,
    form: str,
    tone: str | None,
    channelwise: int,
) -> None:
    """What an operator makes of an image: facts, the picture before and after on a terminal, the file."""
    from convcalc.images.rasters import Raster, beside, png, rasters
    from convcalc.layer.pictures import results
    from convcalc.render import terminal
    from convcalc.render.picture import side_by_side
    from convcalc.report.apply_picture import filtered_table, filtered_value

    maps = [
        one._replace(name=f"{one.name}, {application.mode}") if len(done) > 1 else one
        for application in done
        for one in results(application, tone, channelwise)
    ]
    pictures: list[tuple[str, Raster]] = []
    for one in maps:
        pictures += [(one.name, raster) for raster in rasters(one.tensor, one.tone, colour=one.colour)]
    if output is not None and output.lower().endswith(".csv"):
        raise UsageError(f"-o {output}: an image is written as .png", hint="a matrix is written as .csv")
    if output is not None:
        save(output, png(beside([raster for _, raster in pictures])))
    emit(
        form,
        lambda: filtered_table(done[0], picture, path, maps),
        lambda: filtered_value(done[0], picture, path, maps, output),
    )
    room = terminal.width()
    if form == "table" and room is not None:
        before = rasters(Tensor(picture.shape, picture.values), "clip", colour=True)
        terminal.print_lines([[]])
        shown = [("before", beside(before)), *pictures[:3]]
        terminal.print_lines(side_by_side(shown, min(room, 160), terminal.styled()))
    if output is None and form == "table":
        say("not kept: -o FILE.png writes the picture" + ("s side by side" if len(pictures) > 1 else ""))
