"""Orthogonal lines: paths without needless points, and what of each is drawn where several share a part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from convcalc.render.drawing.scene import Point, Polyline

RADIUS = 5.0
CLOSE = 0.01

Path = tuple[Point, ...]


def simplified(points: Sequence[Point]) -> Path:
    """The path without repeated points and without points on a straight line between their neighbours."""
    path: list[Point] = []
    for point in points:
        if path and abs(path[-1][0] - point[0]) < CLOSE and abs(path[-1][1] - point[1]) < CLOSE:
            continue
        while len(path) > 1 and _straight(path[-2], path[-1], point):
            path.pop()
        path.append(point)
    return tuple(path)


def _straight(a: Point, b: Point, c: Point) -> bool:
    return any(abs(a[across] - b[across]) < CLOSE and abs(b[across] - c[across]) < CLOSE for across in (0, 1))


def strokes(edges: Sequence[tuple[int, int, Path]]) -> list[Polyline]:
    """The lines of edges (source, target, path). What edges share, at a fork or a join, is drawn once: lines drawn
    twice look fatter."""
    leaving: dict[int, _Drawn] = {}
    entering: dict[int, _Drawn] = {}
    lines = []
    for source, target, path in edges:
        from_source, to_target = leaving.setdefault(source, {}), entering.setdefault(target, {})
        start = _shared(path, from_source) if from_source else 0.0
        end = _shared(path[::-1], to_target) if to_target else 0.0
        length = sum([abs(x1 - x0) + abs(y1 - y0) for (x0, y0), (x1, y1) in pairwise(path)])
        if start + end < length - CLOSE:
            # Beginning a radius early leaves room for the rounded corner at the place where the lines part.
            kept = _part(path, max(0.0, start - RADIUS), length - max(0.0, end - RADIUS))
            lines.append(Polyline(kept, radius=RADIUS, arrow=end == 0.0))
        for drawn in (from_source, to_target):
            _add(path, drawn)
    return lines


# What is drawn already: by which coordinate stays the same and its value, spans of the other, none touching another.
_Drawn = dict[tuple[int, float], list[tuple[float, float]]]


def _line(start: Point, end: Point) -> tuple[int, float]:
    across = 0 if abs(start[0] - end[0]) < CLOSE else 1  # the coordinate that stays
    return across, round(start[across], 1)


def _add(path: Path, drawn: _Drawn) -> None:
    for start, end in pairwise(path):
        line = _line(start, end)
        low, high = sorted((start[1 - line[0]], end[1 - line[0]]))
        apart = []
        for span in drawn.get(line, ()):
            if span[1] < low - CLOSE or span[0] > high + CLOSE:
                apart.append(span)
            else:
                low, high = min(low, span[0]), max(high, span[1])
        drawn[line] = [*apart, (low, high)]


def _shared(path: Path, drawn: _Drawn) -> float:
    """How far along its start the path is drawn already, in pixels."""
    total = 0.0
    for start, end in pairwise(path):
        line = _line(start, end)
        at, goal = start[1 - line[0]], end[1 - line[0]]
        reached = at
        for low, high in drawn.get(line, ()):
            if low - CLOSE <= at <= high + CLOSE:
                reached = min(goal, high) if goal > at else max(goal, low)
        total += abs(reached - at)
        if abs(goal - reached) > CLOSE:
            break
    return total


def _part(path: Path, start: float, end: float) -> Path:
    """The part of a path between two distances along it."""
    points: list[Point] = []
    walked = 0.0
    for a, b in pairwise(path):
        length = abs(b[0] - a[0]) + abs(b[1] - a[1])
        low, high = max(start - walked, 0.0), min(end - walked, length)
        if length > 0 and low < high:
            begin, stop = _between(a, b, low / length), _between(a, b, high / length)
            if not points:
                points.append(begin)
            points.append(stop)
        walked += length
    return simplified(points)


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share
