"""`convcalc field`."""

from __future__ import annotations

import click

from convcalc.cli import Command, completion
from convcalc.cli.options import (
    ARCH,
    OUTPUT,
    Count,
    Shapes,
    format_option,
    load_network,
    network_options,
    save_view,
    show,
)
from convcalc.errors import UsageError


@click.command(
    "field",
    cls=Command,
    extra_hint="--layer {} names the layer",
    epilog="""\b
Examples:
  convcalc field alexnet
  convcalc field alexnet --layer conv5
  convcalc field vgg16 --layer conv2_2 --unit 0,0
  convcalc field lenet5 --pixel 5,5
  convcalc field lenet5 --between 0,0 5,5
  convcalc field alexnet --layer conv5 -o conv5.png --image cat.jpg
  convcalc field googlenet --depth 1 --format json

Positions are row,column and count from 0; of several inputs, left:5,5. A unit is all
channels at its position. Windows are exact: cut off at borders, with the gaps of dilated kernels,
through all branches.""",
)
@click.argument("arch", type=ARCH)
@click.option(
    "--layer",
    metavar="NAME",
    shell_complete=completion.layers,
    help="The part of the image that a unit of this layer sees.",
)
@click.option("--unit", "unit_text", metavar="R,C", help="The unit's position; default: the middle.")
@click.option(
    "--pixel", "pixel_text", metavar="R,C", help="The units of every layer that this pixel reaches."
)
@click.option(
    "--between", nargs=2, metavar="R,C R,C", help="The first layer with a unit that sees both pixels."
)
@click.option(
    "--to",
    metavar="NAME",
    shell_complete=completion.layers,
    help="Only the layers on the way to this output or layer.",
)
@click.option("--all", "unfold", is_flag=True, help="A row for every layer, activations and all.")
@click.option("--depth", type=Count(), metavar="N", help="Fold blocks deeper than N path segments.")
@click.option(
    "-o", "--output", type=OUTPUT, metavar="FILE", help="Write the drawing: .svg, .png, .pdf or .tex."
)
@click.option(
    "--image", "image_path", type=click.Path(), metavar="FILE", help="Draw the windows over this image."
)
@network_options
@format_option
def command(
    arch: str,
    layer: str | None,
    unit_text: str | None,
    pixel_text: str | None,
    between: tuple[str, str] | None,
    to: str | None,
    unfold: bool,
    depth: int | None,
    output: str | None,
    image_path: str | None,
    settings: tuple[str, ...],
    input_text: Shapes,
    max_layers: int,
    form: str,
) -> None:
    """Receptive fields: what a unit sees of the image, and what a pixel reaches.

    Without further options, a table over the network's depth.
    """
    if image_path is not None and output is None:
        raise UsageError("--image needs a file to draw into", hint="add -o field.svg")
    unit = None if unit_text is None else _position("--unit", unit_text)
    pixel = None if pixel_text is None else _pixel("--pixel", pixel_text)
    pixels = None
    if between is not None:
        pixels = (_pixel("--between", between[0]), _pixel("--between", between[1]))
    network = load_network(arch, settings, input_text, max_layers)
    found = network.field(
        layer,
        unit=unit,
        pixel=pixel,
        between=pixels,
        to=to,
        depth=depth,
        all=unfold,
        image=image_path,
    )
    if output is not None:
        save_view(found, output)
    show(found, form)


def _pixel(option: str, text: str) -> tuple[int, ...] | dict[str, tuple[int, ...]]:
    """`5,7`, or `left:5,7` with the input's name."""
    name, colon, position = text.rpartition(":")
    return {name: _position(option, position)} if colon else _position(option, text)


def _position(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} {text}: needs whole numbers with commas between",
            hint="row,column, counted from 0: 5,7",
        ) from None
