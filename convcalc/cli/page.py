"""`convcalc page`."""

from __future__ import annotations

import click

from convcalc.api import choices, net
from convcalc.cli import Command, completion
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Shapes,
    input_option,
    max_layers_option,
    memory_options,
    report_written,
    run_options,
    run_progress,
    set_option,
    set_values,
)
from convcalc.errors import UsageError


@click.command(
    "page",
    cls=Command,
    extra_hint="a page shows one network or two",
    epilog="""\b
Examples:
  convcalc page resnet50 -o resnet50.html
  convcalc page alexnet zfnet -o changes.html
  convcalc page lenet5 -o lenet5.html --image seven.png
  convcalc page torchvision/vgg16 -o cat.html --image cat.jpg --weights v.pth
  convcalc page mine.onnx -o mine.html --input 3x256x256

The page needs no network and no server. It has the drawing, the table of layers, the working of each, receptive
fields to drag, memory over time, and where weights and MACs lie; of two networks, their differences. The page of
lenet5 reads digits written in it.""",
)
@click.argument("arch", type=ARCH)
@click.argument("other", type=ARCH, required=False, metavar="[ARCH2]")
@click.option(
    "-o", "--output", "target", required=True, type=OUTPUT, metavar="FILE.html", help="The file to write.",
    shell_complete=completion.pages,
)  # fmt: skip
@set_option("arch")
@set_option("other", flag="--set-b", whose="ARCH2's")
@click.option("--image", metavar="FILE", help="Run the network on this image: feature maps and the answer.")
@run_options
@input_option("Another input, such as 3x256x256, for both networks.")
@memory_options
@max_layers_option
def command(
    arch: str,
    other: str | None,
    target: str,
    settings: tuple[str, ...],
    set_b: tuple[str, ...],
    image: str | None,
    weights: str | None,
    like: str | None,
    seed: int,
    input_text: Shapes,
    batch: int,
    dtype: str,
    max_layers: int,
) -> None:
    """A network as one HTML file to look at, project and hand on: drawing, figures and their working.

    ARCH is a bundled name (see `convcalc list`), the path of a spec or of an ONNX file, a PyTorch module as
    FILE.py:NAME, or - for a spec from standard input. With ARCH2, the page shows both and what differs.
    """
    choices.check_page(target)
    if other is None and set_b:
        raise UsageError("--set-b sets vars of a second network", hint="name it, or use --set")
    if arch == other == "-":
        raise UsageError("only one of the networks can come from standard input")

    def load(name: str, values: tuple[str, ...]) -> net.Network:
        return net.load(
            name,
            settings=set_values(values),
            input_shape=input_text,
            batch=batch,
            dtype=dtype,
            max_layers=max_layers,
            seed=seed,
        )

    network = load(arch, settings)
    second = None if other is None else load(other, set_b)
    with run_progress() as (advance, downloading, compiling, _):
        found = network.page(
            target,
            second,
            image=image,
            weights=weights,
            like=like,
            seed=seed,
            advance=advance,
            downloading=downloading,
            compiling=compiling,
        )
    report_written(found.path)
