"""`convcalc compare`."""

from __future__ import annotations

import click

from convcalc.api import functions, net
from convcalc.cli import Command
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Shapes,
    format_option,
    network_options,
    save_view,
    set_values,
    show,
)
from convcalc.errors import UsageError


@click.command(
    "compare",
    cls=Command,
    epilog="""\b
Examples:
  convcalc compare alexnet vgg16 googlenet resnet50
  convcalc compare torchvision/resnet18 torchvision/vgg16 --plot macs,top1
  convcalc compare alexnet vgg16 resnet50 --plot params,macs -o plot.svg
  convcalc compare resnet18 resnet50 --input 448 --format markdown

--plot takes two of params, macs, flops, memory, activations, layers, depth and the figures that
the specs publish, such as top1 and top5; a network without them is left out of the plot and
named. Marked are the networks that no other beats in both.""",
)
@click.argument("archs", type=ARCH, nargs=-1, required=True, metavar="ARCH...")
@click.option("--plot", metavar="X,Y", help="Plot two quantities, such as macs,top1.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE", help="Write the plot: .svg .png .pdf .tex.")
@network_options
@format_option
def command(
    archs: tuple[str, ...],
    plot: str | None,
    output: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Several networks, a row each: which is the best for its cost?

    ARCH is a bundled name (see `convcalc list`), the path of a spec or of a model file, or - for standard input.
    """
    from convcalc.report.compare import check_plot

    if output is not None:
        check_plot(output)
    if sum(arch == "-" for arch in archs) > 1:
        raise UsageError("only one of the networks can come from standard input")
    values = set_values(settings)
    networks = [
        net.load(arch, settings=values, input_shape=input_text, max_layers=max_layers) for arch in archs
    ]
    found = functions.compare(*networks, plot=plot)
    if output is not None:
        save_view(found, output)
    if output is None or form != "table":
        show(found, form)
