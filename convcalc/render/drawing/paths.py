"""What every writer needs of a scene: the course of a line with rounded corners, and texts that any file can hold."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Point, Polyline, head

MAX_TEXT, MAX_DESCRIPTION = 400, 10_000  # characters: layouts cut their texts shorter than this
KAPPA = 0.5522847498  # of the radius: the control points of a quarter of a circle as a cubic Bézier curve


class Step(NamedTuple):
    """The next stretch of a line: straight to a point, or, with a control point, a quadratic Bézier curve."""

    to: Point
    control: Point | None = None


def course(line: Polyline) -> tuple[Point, list[Step]]:
    """The first point of a line and the steps that follow. A corner is cut `radius` before it, at most half the way
    to its neighbour, and replaced by a curve. A line with an arrow ends inside its head, so that its tip is sharp."""
    points = line.points
    tip = head(line)
    if tip is not None:
        (left, end, right) = tip.points
        back = ((left[0] + right[0]) / 2, (left[1] + right[1]) / 2)
        points = (*points[:-1], _towards(back, end, 1.0))
    if line.radius <= 0 or len(points) < 3:
        return points[0], [Step(point) for point in points[1:]]
    steps: list[Step] = []
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        entry, leave = _distance(before, corner), _distance(corner, after)
        room = min(line.radius, entry / 2, leave / 2)
        if room < 0.05 or _straight(before, corner, after):
            steps.append(Step(corner))
            continue
        steps += [Step(_towards(corner, before, room)), Step(_towards(corner, after, room), corner)]
    steps.append(Step(points[-1]))
    return points[0], steps


def flat(line: Polyline, pieces: int = 6) -> list[Point]:
    """The points of a line whose curves are replaced by so many straight pieces each."""
    at, steps = course(line)
    points = [at]
    for to, control in steps:
        if control is not None:
            for piece in range(1, pieces):
                t = piece / pieces
                points.append(
                    (
                        (1 - t) ** 2 * at[0] + 2 * t * (1 - t) * control[0] + t * t * to[0],
                        (1 - t) ** 2 * at[1] + 2 * t * (1 - t) * control[1] + t * t * to[1],
                    )
                )
        points.append(to)
        at = to
    return points


def cubic(at: Point, control: Point, to: Point) -> tuple[Point, Point]:
    """The two control points of the cubic curve that equals a quadratic one."""
    return (
        (at[0] + (control[0] - at[0]) * 2 / 3, at[1] + (control[1] - at[1]) * 2 / 3),
        (to[0] + (control[0] - to[0]) * 2 / 3, to[1] + (control[1] - to[1]) * 2 / 3),
    )


def written(text: str, limit: int = MAX_TEXT) -> str:
    """A text as files hold it: on one line, no control characters, none that turn its direction, of bounded length;
    letters with their accents are one character where there is one."""
    if len(text) > limit:
        text = text[: limit - 1] + lettering.ELLIPSIS
    if text.isascii() and text.isprintable():
        return text
    return unicodedata.normalize("NFC", text if text.isprintable() else lettering.plain(text))


def _distance(a: Point, b: Point) -> float:
    return float(((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5)


def _towards(a: Point, b: Point, distance: float) -> Point:
    """The point so far from a on the way to b, at most b."""
    length = _distance(a, b)
    share = min(1.0, distance / length) if length else 0.0
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _straight(a: Point, b: Point, c: Point) -> bool:
    return abs((b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])) < 0.01


def bounds(points: Sequence[Point]) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of points."""
    return (
        min(x for x, _ in points),
        min(y for _, y in points),
        max(x for x, _ in points),
        max(y for _, y in points),
    )
