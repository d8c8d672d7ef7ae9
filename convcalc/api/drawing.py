"""`draw`: the boxes of one network or two, what their colours show, and the default style and depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from convcalc.api.arguments import check_choice, check_whole
from convcalc.errors import UsageError
from convcalc.render.view import Look, View
from convcalc.report import draw as report

if TYPE_CHECKING:
    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.boxes import Boxes
    from convcalc.backends import Compiling
    from convcalc.report.draw import Drawing, Figure

MOST_BOXES = 2_000
COMFORTABLE = 120  # boxes that a drawing has by default, if a depth can be found with so few
TIMED_RUNS = 5


class DrawingView(View["Drawing"]):
    """A drawing: `save` writes .svg, .png, .pdf, .tex, .mmd or .dot, `scene` has what is drawn, `print` draws it in
    characters, and a notebook shows it as SVG."""

    __slots__ = ()

    def _repr_svg_(self) -> str:
        from convcalc.render.drawing import svg

        return svg.document(self.record.scene)

    def _repr_html_(self) -> None:  # type: ignore[override]  # the SVG is shown
        return None


def draw(
    a: Analysis,
    b: Analysis | None = None,
    *,
    style: str | None = None,
    depth: int | None = None,
    unfold: bool = False,
    color_by: str = "kind",
    sizes: str = "chw",
    columns: int | None = None,
    width: int | None = None,
    compact: bool = False,
    scale: str = "sqrt",
    advance: Callable[[int, int], None] | None = None,
    compiling: Compiling | None = None,
) -> DrawingView:
    """The drawing of a network, or of two side by side. See `Network.draw`."""
    from convcalc.analysis.boxes import boxes as whole_boxes
    from convcalc.render.drawing.styles import default_style

    check_whole("depth", depth)
    check_whole("columns", columns)
    check_whole("width", width)
    check_choice("color-by", color_by, report.COLOURS)
    check_choice("sizes", sizes, report.SIZES)
    check_choice("scale", scale, report.SCALES)
    if style is not None:
        check_choice("style", style, report.STYLES)
    if b is not None and columns is not None:
        raise UsageError(
            "--columns is of one network: two stand side by side, each in one", hint="leave it out"
        )
    if b is not None and color_by != "kind":
        raise UsageError("two networks are coloured by what differs", hint="leave --color-by out")
    networks = (a,) if b is None else (a, b)
    folded = [
        None if style or len(found.graph) > MOST_BOXES else whole_boxes(found, depth=depth)
        for found in networks
    ]
    fitting = {style or ("graph" if drawn is None else default_style(drawn)) for drawn in folded}
    chosen = fitting.pop() if len(fitting) == 1 else "graph"
    for option, given in (("--columns", columns is not None), ("--all", unfold)):
        if given and chosen != "graph":
            raise UsageError(f"{option} is of the graph, not of {chosen}", hint="add --style graph")
    if scale != "sqrt" and chosen != "volumes":
        raise UsageError(f"--scale is of volumes, not of {chosen}", hint="add --style volumes")
    if compact and chosen == "graph":
        raise UsageError("--compact is of volumes and maps", hint="fold a graph by --depth instead")
    found, notes = [], []
    for analysis, drawn in zip(networks, folded, strict=True):
        boxes, note = _boxes(analysis, chosen, depth, unfold, drawn)
        found.append(boxes)
        notes += [note] if note and note not in notes else []
    figures, pairs = _figures(a, b, found, color_by, advance, compiling)
    drawing: Drawing = report.Drawing(
        figures,
        chosen,
        color_by,
        cast(Any, sizes),
        columns,
        width,
        compact,
        cast(Any, scale),
        pairs,
        tuple(notes),
    )
    return DrawingView(
        drawing,
        Look(
            summary=lambda: report.drawing_summary(drawing),
            value=lambda: report.drawing_value(drawing),
            lines=lambda columns: report.drawing_lines(drawing, columns),
            file=lambda path: report.drawing_file(drawing, path),
        ),
    )


def check_drawing(path: str, style: str | None, width: int | None, *, two: bool) -> None:
    """Raise UsageError if a drawing cannot be written to a file of this name."""
    report.check_file(path, style, width, two=two)


def _boxes(
    analysis: Analysis, style: str, depth: int | None, unfold: bool, drawn: Boxes | None
) -> tuple[Boxes, str | None]:
    """The boxes of a network, folded as far as asked, or as a picture can be taken in; then what to say of it. drawn:
    those of the graph at this depth, if they are known."""
    from convcalc.analysis.boxes import boxes

    whole = style == "graph"
    found = drawn if whole and not unfold else None
    found = found or boxes(analysis, depth=depth, unfold=unfold, branches=whole)
    note = None
    deepest = max([node.name.count(".") for node in analysis.graph], default=0) + 1
    if depth is None and not unfold and whole and len(found.boxes) > COMFORTABLE:
        for fold in range(min(deepest, 8) - 1, 0, -1):
            folded = boxes(analysis, depth=fold, unfold=unfold, branches=whole)
            if len(folded.boxes) <= COMFORTABLE:
                found = folded
                more = f"--depth {fold + 1} shows more, " if fold + 1 < deepest else ""
                note = f"folded at depth {fold}: {more}--depth {deepest} shows all"
                break
    if len(found.boxes) > MOST_BOXES:
        raise UsageError(
            f"{analysis.graph.name:.60}: {len(found.boxes):,} boxes are too many to draw; at most {MOST_BOXES:,}",
            hint="fold blocks: --depth 1"
            if deepest > 1 and depth != 1
            else "group layers that belong together into blocks",
        )
    return found, note


def _figures(
    a: Analysis,
    b: Analysis | None,
    found: list[Boxes],
    color_by: str,
    advance: Callable[[int, int], None] | None,
    compiling: Compiling | None,
) -> tuple[tuple[Figure, ...], tuple[tuple[str, str], ...]]:
    """The networks with the values or marks of their boxes, and the names of the boxes that correspond."""
    first = found[0]
    if b is not None:
        from convcalc.analysis.box_pairs import pair_boxes
        from convcalc.analysis.diff import compare

        second = found[1]
        paired = pair_boxes(first, second, compare(a, b))
        names = tuple([(first.boxes[one].name, second.boxes[other].name) for one, other in paired.pairs])
        return (report.Figure(first, marks=paired.a), report.Figure(second, marks=paired.b)), names
    if color_by == "kind":
        return (report.Figure(first),), ()
    from convcalc.analysis.box_values import box_values

    seconds = _seconds(a, advance, compiling) if color_by == "time" else None
    values = box_values(a, first, cast(Any, color_by), seconds)
    return (report.Figure(first, values=dict(enumerate(values))),), ()


def _seconds(
    analysis: Analysis, advance: Callable[[int, int], None] | None, compiling: Compiling | None
) -> dict[str, float]:
    """Seconds of each layer on one thread of the fast backend with random weights, by its name, the shortest of some
    runs; without those that run as part of another."""
    from array import array
    from math import prod

    from convcalc.inference.runner import Runner, numba_available
    from convcalc.weights.load import random_weights

    if not numba_available():
        raise UsageError(
            "--color-by time runs the network on the fast backend, which is not installed",
            hint="pip install 'convcalc[fast]', or colour by macs",
        )
    graph = analysis.graph
    zeros = {entry.name: array("f", bytes(4 * prod(entry.shape))) for entry in graph.inputs}
    values = zeros if len(zeros) > 1 else zeros[graph.inputs[0].name]
    # On several threads a step counts as long as the first thread is at it, and others may do most of it.
    plan = Runner(graph, random_weights(graph), backend="numba", threads=1, compiling=compiling).plan
    times: dict[str, float] = {}
    for run in range(TIMED_RUNS):
        taken: dict[str, float] = {}
        for step in plan.profile(values, 1)[1]:
            name = graph.nodes[step.node].name
            taken[name] = taken.get(name, 0.0) + step.seconds
        times = {name: min(seconds, times.get(name, seconds)) for name, seconds in taken.items()}
        if advance is not None:
            advance(run + 1, TIMED_RUNS)
    return times
