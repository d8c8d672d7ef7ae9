"""`convcalc draw`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from convcalc.api import net
from convcalc.cli import Command, print_message
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Count,
    Shapes,
    input_option,
    max_layers_option,
    save_view,
    set_option,
    set_values,
    show,
)
from convcalc.errors import UsageError
from convcalc.report.draw import COLOURS, SCALES, SIZES, STYLES


@click.command(
    "draw",
    cls=Command,
    epilog="""\b
Examples:
  convcalc draw alexnet
  convcalc draw alexnet -o alexnet.svg
  convcalc draw resnet50 -o resnet50.png --width 1600
  convcalc draw googlenet --depth 1 -o googlenet.pdf
  convcalc draw resnet18 --color-by macs -o macs.svg
  convcalc draw alexnet zfnet -o diff.svg
  convcalc draw mine.onnx -o mine.mmd

Styles: volumes are blocks in perspective, whose faces are the maps and whose depth is the
channels; maps are stacks of flat maps; graph has the layers from top to bottom with branches
and joins, equal blocks once. By default a chain is drawn in volumes, LeNet-5 in maps, and what
branches as a graph. Without -o it is drawn in characters.""",
)
@click.argument("arch", type=ARCH)
@click.argument("other", type=ARCH, required=False, metavar="[ARCH2]")
@click.option(
    "-o", "--output", type=OUTPUT, metavar="FILE", help="Write .svg, .png, .pdf, .tex (TikZ), .mmd or .dot."
)
@click.option("--style", type=click.Choice(STYLES), help="Default: what fits the network.")
@click.option("--depth", type=Count(), metavar="N", help="Fold blocks deeper than N path segments.")
@click.option("--all", "unfold", is_flag=True, help="In a graph, a box for every layer, activations too.")
@click.option(
    "--color-by",
    type=click.Choice(COLOURS),
    default="kind",
    show_default=True,
    help="What the colour shows; time runs the network on the fast backend.",
)
@click.option(
    "--sizes",
    type=click.Choice(SIZES),
    default="chw",
    show_default=True,
    help="How sizes are written: 96x55x55, or hwc, 55x55x96.",
)
@click.option("--columns", type=Count(), metavar="N", help="Columns of a graph; default: to fit a slide.")
@click.option(
    "--scale",
    type=click.Choice(SCALES),
    default="sqrt",
    show_default=True,
    help="Of volumes: lengths by square root or logarithm.",
)
@click.option("--compact", is_flag=True, help="Volumes and maps for print 8 cm wide.")
@click.option(
    "--width", type=Count(1, 100_000), metavar="N", help="Pixels of a .png, millimetres of .pdf and .tex."
)
@input_option("Another input, such as 3x256x256, for both networks.")
@set_option("arch")
@set_option("other", flag="--set-b", whose="ARCH2's")
@max_layers_option
def command(
    arch: str,
    other: str | None,
    output: str | None,
    style: str | None,
    depth: int | None,
    unfold: bool,
    color_by: str,
    sizes: str,
    columns: int | None,
    compact: bool,
    width: int | None,
    scale: str,
    settings: tuple[str, ...],
    set_b: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
) -> None:
    """Draw a network, or two side by side: a picture for slides and papers, or characters on the terminal.

    ARCH is a bundled name (see `convcalc list`), the path of a spec or of a model file, or - for standard input. Two
    networks are aligned as `diff` pairs them, and what differs is coloured.
    """
    from convcalc.api.drawing import check_drawing

    if output is not None:
        check_drawing(output, style, width, two=other is not None)
    elif width is not None:
        raise UsageError("--width is of a file", hint="give -o FILE too")
    if arch == other == "-":
        raise UsageError("only one of the networks can come from standard input")
    if other is None and set_b:
        raise UsageError("--set-b sets vars of a second network", hint="name it, or use --set")
    networks = [
        net.load(name, settings=set_values(values), input_shape=input_text, max_layers=max_layers)
        for name, values in ((arch, settings), (other, set_b))
        if name is not None
    ]
    with _progress() as (advance, compiling):
        found = networks[0].draw(
            *networks[1:],
            style=style or ("graph" if output and output.lower().endswith((".mmd", ".dot")) else None),
            depth=depth,
            all=unfold,
            color_by=color_by,
            sizes=sizes,
            columns=columns,
            compact=compact,
            width=width,
            scale=scale,
            advance=advance,
            compiling=compiling,
        )
    if output is None:
        show(found, "table")
        return
    for note in found.notes:
        print_message(note)
    save_view(found, output)


@contextmanager
def _progress() -> Iterator[tuple[Callable[[int, int], None], Callable[[int, int, str], None]]]:
    """Progress bars on stderr for `--color-by time`. Yields advance(runs done, total) and compiling(kernels done,
    total, next)."""
    from convcalc.render import terminal

    with terminal.Bars() as bars:

        def advance(done: int, total: int) -> None:
            bars.move("running", done, total)

        def compiling(done: int, total: int, _: str) -> None:
            bars.move("compiling, once per machine", done, total)

        yield advance, compiling
