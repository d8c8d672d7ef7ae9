"""`field`: the question that the options ask about receptive fields, and its answer with its drawing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from convcalc.analysis import field as question
from convcalc.api.arguments import pixel_of_input, pixel_position
from convcalc.api.views import record_view
from convcalc.errors import UsageError
from convcalc.render.drawing import files
from convcalc.render.view import View
from convcalc.report import field as report
from convcalc.report import field_picture as drawing

if TYPE_CHECKING:
    from PIL.Image import Image as Bitmap

    from convcalc.analysis.analyse import Analysis
    from convcalc.analysis.field import DepthField, MeetingField, PixelField, UnitField
    from convcalc.graph import Graph
    from convcalc.render.drawing.scene import Scene

Position = Sequence[int] | Mapping[str, Sequence[int]]


def field_view(
    analysis: Analysis,
    layer: str | None,
    *,
    unit: Sequence[int] | None,
    pixel: Position | None,
    between: Sequence[Position] | None,
    to: str | None,
    depth: int | None,
    unfold: bool,
    image: str | None,
) -> View[DepthField | UnitField | PixelField | MeetingField]:
    """The view of `Network.field`, whose arguments these are. Raises UsageError."""
    questions = (("--layer", layer), ("--pixel", pixel), ("--between", between), ("--to", to))
    asked = [option for option, given in questions if given is not None]
    if len(asked) > 1:
        raise UsageError(f"{asked[0]} and {asked[1]} ask different questions", hint="give one of them")
    if unit is not None and layer is None:
        raise UsageError("--unit needs the layer it is of", hint="for example --layer conv3 --unit 0,0")
    if image is not None and pixel is not None:
        raise UsageError("--pixel draws the layers' maps, not an image", hint="leave --image out")
    graph = analysis.graph
    origin, file = _image_of_input(graph, image)

    def drawn(path: str, scene: Callable[[Bitmap | None], Scene]) -> bytes:
        """A drawing on the image as the network reads it, if there is one. Raises UsageError if it cannot be."""
        suffix = drawing.field_suffix(graph, path, origin)
        return files.encoded(scene(None if file is None else _as_read(graph, file, origin)), suffix)

    if layer is not None:
        seen = question.unit_field(analysis, layer, None if unit is None else pixel_position("unit", unit))
        return record_view(
            seen, report.unit_summary, report.unit_value, report.unit_table, lines=report.unit_lines,
            file=lambda path: drawn(path, lambda bitmap: drawing.unit_scene(seen, bitmap, graph.inputs[origin].name)),
        )  # fmt: skip
    if pixel is not None:
        reached = question.pixel_field(analysis, pixel_of_input("pixel", pixel), unfold=unfold)
        return record_view(
            reached, report.pixel_summary, report.pixel_value, report.pixel_table,
            file=lambda path: drawn(path, lambda bitmap: drawing.pixel_scene(reached, bitmap)),
        )  # fmt: skip
    if between is not None:
        first, second = (pixel_of_input("between", position) for position in between)
        meeting = question.meeting_field(analysis, first, second, unfold=unfold)
        return record_view(
            meeting, report.meeting_summary, report.meeting_value, report.meeting_table,
            lines=report.meeting_lines,
            file=lambda path: drawn(path, lambda bitmap: drawing.meeting_scene(meeting, bitmap)),
        )  # fmt: skip
    fields = question.depth_field(analysis, depth=depth, unfold=unfold, to=to)
    return record_view(
        fields, report.depth_summary, report.depth_value, report.depth_table,
        file=lambda path: drawn(
            path, lambda bitmap: drawing.depth_scene(fields, bitmap, graph.inputs[origin].name)
        ),
    )  # fmt: skip


def _image_of_input(graph: Graph, image: str | None) -> tuple[int, str | None]:
    """The position of the input to draw and the path of its image; `left=a.png` selects the input named left."""
    name, equals, rest = (image or "").partition("=")
    for position, entry in enumerate(graph.inputs):
        if equals and entry.name == name:
            return position, rest
    return 0, image


def _as_read(graph: Graph, image: str, position: int) -> Bitmap:
    """The image resized and cropped for input number `position` of the network, before its values are scaled."""
    from convcalc.images.preprocess import Preprocess, fitted

    return fitted(image, Preprocess(**(graph.preprocess or {})), graph.inputs[position].shape)[0]
