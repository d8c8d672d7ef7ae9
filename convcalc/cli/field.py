"""`convcalc field`."""

from __future__ import annotations

import click

from convcalc.analysis.analyse import Analysis
from convcalc.analysis.units import Area, Position, Sight
from convcalc.cli import Command, completion
from convcalc.cli.options import ARCH, OUTPUT, Count, emit, format_option, load, network_options, save
from convcalc.errors import UsageError, did_you_mean
from convcalc.graph import Graph, Node

MOST_STEPS = 2_000_000  # rows times layers: about ten seconds
MOST_WINDOWS = 12  # outlines in one picture


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

Positions are row,column and count from 0. A unit is all channels at its position. Windows are
exact: cut off at borders, with the gaps of dilated kernels, through all branches.""",
)
@click.argument("arch", type=ARCH)
@click.option(
    "--layer",
    metavar="NAME",
    shell_complete=completion.layers,
    help="What one unit of this layer sees, back to the image.",
)
@click.option("--unit", "unit_text", metavar="R,C", help="Which unit; default: the one in the middle.")
@click.option("--pixel", "pixel_text", metavar="R,C", help="Which units of every layer this pixel reaches.")
@click.option(
    "--between", nargs=2, metavar="R,C R,C", help="The first layer with a unit that sees both pixels."
)
@click.option("--all", "unfold", is_flag=True, help="A row for every layer, activations and all.")
@click.option("--depth", type=Count(), metavar="N", help="Fold blocks deeper than N path segments.")
@click.option("-o", "--output", type=OUTPUT, metavar="FILE.png", help="Draw it into a PNG.")
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
    unfold: bool,
    depth: int | None,
    output: str | None,
    image_path: str | None,
    settings: tuple[str, ...],
    input_text: str | None,
    max_layers: int,
    form: str,
) -> None:
    """Receptive fields: what a unit sees of the image, and what a pixel reaches.

    Without further options, a table over the network's depth.
    """
    from convcalc.analysis.analyse import analyse

    _check(layer, unit_text, pixel_text, between, output, image_path)
    analysis = analyse(load(arch, settings, input_text, max_layers))
    graph = analysis.graph
    node = _node(graph, layer) if layer is not None else None
    unit = _position("--unit", unit_text) if unit_text is not None else None
    pixels = [_position("--pixel", pixel_text)] if pixel_text is not None else []
    pixels += [_position("--between", text) for text in between or ()]
    if output is not None:
        _check_drawing(graph, output)
    if between:
        _between(analysis, pixels, unfold, output, image_path, form)
    elif pixels:
        _pixel(analysis, pixels[0], unfold, output, form)
    elif node is not None:
        _unit(analysis, node, unit, output, image_path, form)
    else:
        _depth(analysis, depth, unfold, output, image_path, form)


def _check(
    layer: str | None,
    unit: str | None,
    pixel: str | None,
    between: tuple[str, str] | None,
    output: str | None,
    image: str | None,
) -> None:
    chosen = [
        name
        for name, value in (("--layer", layer), ("--pixel", pixel), ("--between", between))
        if value is not None
    ]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} ask different questions", hint="give one of them")
    if unit is not None and layer is None:
        raise UsageError("--unit needs the layer it is of", hint="for example --layer conv3 --unit 0,0")
    if image is not None and output is None:
        raise UsageError("--image needs a file to draw into", hint="add -o field.png")
    if image is not None and pixel is not None:
        raise UsageError("--pixel draws the layers' maps, not an image", hint="leave --image out")


def _check_drawing(graph: Graph, output: str) -> None:
    if not output.lower().endswith(".png"):
        raise UsageError(f"-o {output}: the picture is a PNG", hint="name it ….png")
    if len(graph.input_shape) != 3:
        raise UsageError(
            f"{graph.name} has {len(graph.input_shape) - 1} spatial dimensions; only two can be drawn",
            hint="leave -o out",
        )


def _node(graph: Graph, name: str) -> Node:
    for node in graph:
        if node.name == name:
            return node
    names = [node.name for node in graph]
    raise UsageError(
        f"{graph.name} has no layer '{name}'{did_you_mean(name, names)}",
        hint=f"'convcalc field {graph.name} --all' lists them",
    )


def _position(option: str, text: str) -> Position:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} {text}: needs whole numbers with commas between",
            hint="row,column, counted from 0: 5,7",
        ) from None


def _unit(
    analysis: Analysis, node: Node, unit: Position | None, output: str | None, image: str | None, form: str
) -> None:
    from convcalc.analysis.units import middle, sight, trace
    from convcalc.report.field import position, unit_table, unit_value

    chosen = unit if unit is not None else middle(node.output_shape)
    one = sight(analysis.graph, node, chosen)
    parts = trace(analysis.graph, node, chosen)
    if output is not None:
        caption = f"{analysis.graph.name}: what {node.name} {position(chosen)} sees"
        _draw(analysis.graph, output, [one], [node.name], caption, image)
    emit(form, lambda: unit_table(analysis, node, one, parts), lambda: unit_value(analysis, node, one, parts))
    if form == "table":
        _show(one)


def _depth(
    analysis: Analysis, depth: int | None, unfold: bool, output: str | None, image: str | None, form: str
) -> None:
    from convcalc.analysis.fold import rows
    from convcalc.analysis.units import middle, sight
    from convcalc.report.field import depth_table, depth_value

    every = form in ("json", "csv") and depth is None
    folded = rows(analysis, depth=depth, unfold=unfold or every)
    nodes = [row.nodes[-1] for row in folded]
    if len(nodes) * len(analysis.graph) > MOST_STEPS:
        raise UsageError(
            f"a table of {len(nodes):,} rows over {len(analysis.graph):,} layers would take too long",
            hint="--depth 1 folds blocks; --layer NAME shows one layer",
        )
    sights = [sight(analysis.graph, node, middle(node.output_shape)) for node in nodes]
    if output is not None:
        grown = [
            (one, row.name)
            for number, (one, row) in enumerate(zip(sights, folded, strict=True))
            if one.window
            and len(row.output_shape) == 3
            and (not number or one.window != sights[number - 1].window)
        ]
        step = -(-len(grown) // MOST_WINDOWS)
        kept = grown[::-1][::step][::-1]
        caption = f"{analysis.graph.name}: what the unit in the middle sees"
        _draw(analysis.graph, output, [one for one, _ in kept], [name for _, name in kept], caption, image)
    emit(form, lambda: depth_table(analysis, folded, sights), lambda: depth_value(analysis, folded, sights))


def _pixel(analysis: Analysis, pixel: Position, unfold: bool, output: str | None, form: str) -> None:
    from convcalc.analysis.units import pixel_reach
    from convcalc.report.field import pixel_table, pixel_value, position

    layers = pixel_reach(analysis.graph, pixel)
    shown = [(node, part) for node, part in layers if unfold or not node.op.pointwise]
    if output is not None:
        from convcalc.report.field_picture import maps_png

        maps = [(node.name, part.shape[1:], part.region) for node, part in shown if len(part.shape) == 3]
        save(output, maps_png(maps[:60], f"{analysis.graph.name}: what pixel {position(pixel)} reaches"))
    emit(
        form,
        lambda: pixel_table(analysis, pixel, shown),
        lambda: pixel_value(analysis, pixel, layers),
    )


def _between(
    analysis: Analysis, pixels: list[Position], unfold: bool, output: str | None, image: str | None, form: str
) -> None:
    from convcalc.analysis.units import meeting, sight
    from convcalc.report.field import meeting_table, meeting_value, position

    found = meeting(analysis.graph, *pixels)
    shown = [
        (node, part) for node, part in found.layers if unfold or not node.op.pointwise or node is found.first
    ]
    one: Sight | None = None
    if found.first is not None:
        part: Area = dict(found.layers)[found.first]
        assert part.spans is not None
        one = sight(analysis.graph, found.first, tuple(spans[0][0] for spans in part.region[0]))
        if output is not None:
            caption = f"{analysis.graph.name}: {found.first.name} {position(one.unit)} sees both pixels"
            _draw(analysis.graph, output, [one], [found.first.name], caption, image, pixels)
    elif output is not None:
        raise UsageError("the two pixels never meet, so there is no window to draw", hint="leave -o out")
    emit(form, lambda: meeting_table(analysis, found, shown), lambda: meeting_value(analysis, found))
    if form == "table" and one is not None and found.first is not None:
        _show(one, pixels, f"what {found.first.name} {position(one.unit)} sees:")


def _show(one: Sight, marks: list[Position] | None = None, heading: str = "") -> None:
    from convcalc.render.terminal import print_lines, print_notes
    from convcalc.report.field_picture import styled, window_lines

    lines = window_lines(one, marks or ())
    if lines and heading:
        print_notes([heading], [])
    print_lines(styled(lines))


def _draw(
    graph: Graph,
    output: str,
    sights: list[Sight],
    labels: list[str],
    caption: str,
    image: str | None,
    marks: list[Position] | None = None,
) -> None:
    from convcalc.report.field_picture import windows_png

    if not any(one.window for one in sights):
        raise UsageError("there is no window to draw: the unit reads nothing", hint="choose another --unit")
    picture = None
    if image is not None:
        from convcalc.images.preprocess import Preprocess, fitted

        picture, _, _ = fitted(image, Preprocess(**(graph.preprocess or {})), graph.input_shape)
    save(output, windows_png(sights, labels, caption, picture, marks or ()))
