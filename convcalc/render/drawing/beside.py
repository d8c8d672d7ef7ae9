"""Two drawings in one, with what corresponds on one level."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from convcalc.render.drawing import lettering
from convcalc.render.drawing.legend import Legend, legend_items
from convcalc.render.drawing.scene import (
    Circle,
    Item,
    Picture,
    Placed,
    Point,
    Rectangle,
    Scene,
    Text,
    moved,
    shifted,
)

Direction = Literal["down", "across"]
HEADING = 13.0
MARGIN = 16.0
APART = 36.0  # between the two drawings


class _Span(NamedTuple):
    """What a box takes along the direction in which the drawings are aligned."""

    low: float
    high: float


def beside(
    a: Scene, b: Scene, pairs: Iterable[tuple[str, str]], direction: Direction, legend: Legend | None = None
) -> Scene:
    """Two drawings in one, each under its title: side by side if they run `down`, one above the other if `across`.

    pairs: names of boxes of A and B that correspond; those that keep the order of both are put on one level, by
    stretching the gaps between boxes. legend: below both.
    """
    first, second = _levelled(a, b, list(pairs), direction)
    head = HEADING + 12
    wide_a = max(first.width, _heading_width(a.title))
    wide_b = max(second.width, _heading_width(b.title))
    if direction == "down":
        offset = (wide_a + APART, head)
        width, height = wide_a + APART + wide_b, head + max(first.height, second.height)
        starts = (MARGIN, offset[0] + MARGIN), (HEADING + 6, HEADING + 6)
    else:
        offset = (0.0, 2 * head + first.height)
        width, height = max(wide_a, wide_b), offset[1] + second.height
        starts = (MARGIN, MARGIN), (HEADING + 6, offset[1] - head + HEADING + 6)
    items: list[Item] = [
        Text(x, y, title, HEADING, bold=True)
        for x, y, title in zip(*starts, (_heading(a.title), _heading(b.title)), strict=True)
    ]
    left, right = shifted(_told(first, "A"), 0, head), shifted(_told(second, "B"), *offset)
    items += [*left.items, *right.items]
    if legend is not None:
        rows, wide, tall = legend_items(legend, MARGIN, height, max(width - 2 * MARGIN, 200))
        items += rows
        width, height = max(width, wide + 2 * MARGIN), height + tall + MARGIN
    return Scene(
        width,
        height,
        f"{a.title} and {b.title}",
        f"A: {a.description} B: {b.description}",
        tuple(items),
        (*left.boxes, *right.boxes),
        (*left.edges, *right.edges),
    )


def _heading(title: str) -> str:
    return lettering.cut(title, 420, HEADING, bold=True)


def _heading_width(title: str) -> float:
    return lettering.width(_heading(title), HEADING, bold=True) + 2 * MARGIN


def _told(scene: Scene, letter: str) -> Scene:
    """The scene with the letter of its network before every name: both networks have a conv1."""
    return scene._replace(
        boxes=tuple([box._replace(name=f"{letter} {box.name}") for box in scene.boxes]),
        edges=tuple(
            [
                edge._replace(source=f"{letter} {edge.source}", target=f"{letter} {edge.target}")
                for edge in scene.edges
            ]
        ),
    )


def _levelled(
    a: Scene, b: Scene, pairs: Sequence[tuple[str, str]], direction: Direction
) -> tuple[Scene, Scene]:
    """Both scenes, stretched between boxes so that those of each pair begin at the same place."""
    spans = _spans(a.boxes, direction), _spans(b.boxes, direction)
    cuts = [_free_starts(list(found.values())) for found in spans]
    shifts: tuple[list[Point], list[Point]] = ([], [])  # from a place on, moved so far
    moved_by = [0.0, 0.0]
    reached = [-1.0, -1.0]
    for pair in pairs:
        found = [spans[side].get(name) for side, name in enumerate(pair)]
        if found[0] is None or found[1] is None:
            continue
        starts = [span.low for span in found if span is not None]
        if any(starts[side] <= reached[side] for side in (0, 1)):
            continue  # against the order, or beside the last one
        places = [start + by for start, by in zip(starts, moved_by, strict=True)]
        behind = 0 if places[0] < places[1] else 1
        lack = abs(places[0] - places[1])
        if lack > 0 and starts[behind] not in cuts[behind]:
            continue  # another box lies across this level
        if lack > 0:
            moved_by[behind] += lack
            shifts[behind].append((starts[behind], moved_by[behind]))
        reached = starts
    return _stretched(a, shifts[0], direction), _stretched(b, shifts[1], direction)


def _spans(boxes: Iterable[Placed], direction: Direction) -> Mapping[str, _Span]:
    if direction == "down":
        return {box.name: _Span(box.top, box.bottom) for box in boxes}
    return {box.name: _Span(box.left, box.right) for box in boxes}


def _free_starts(spans: Sequence[_Span]) -> set[float]:
    """The starts of boxes that no other box lies across."""
    free: set[float] = set()
    reached = float("-inf")
    for span in sorted(spans):
        if span.low >= reached:
            free.add(span.low)
        reached = max(reached, span.high)
    return free


def _stretched(scene: Scene, shifts: Sequence[Point], direction: Direction) -> Scene:
    """The scene with everything from each place of `shifts` on moved by its distance."""
    if not shifts:
        return scene
    places = [place for place, _ in shifts]

    def moved_by(place: float) -> float:
        index = bisect_right(places, place + 1e-6) - 1
        return shifts[index][1] if index >= 0 else 0.0

    total = shifts[-1][1]
    if direction == "down":
        return _mapped(scene, moved_by, down=True)._replace(height=scene.height + total)
    return _mapped(scene, moved_by, down=False)._replace(width=scene.width + total)


def _mapped(scene: Scene, moved_by: Callable[[float], float], *, down: bool) -> Scene:
    def point(place: Point) -> Point:
        x, y = place
        return (x, y + moved_by(y)) if down else (x + moved_by(x), y)

    def item(drawn: Item) -> Item:
        if isinstance(drawn, Rectangle | Picture):
            low, size = (drawn.top, drawn.height) if down else (drawn.left, drawn.width)
            grown = size + moved_by(low + size) - moved_by(low)
            placed = moved(drawn, *((0, moved_by(low)) if down else (moved_by(low), 0)))
            assert isinstance(placed, Rectangle | Picture)
            return placed._replace(height=grown) if down else placed._replace(width=grown)
        if isinstance(drawn, Text | Circle):
            by = moved_by(drawn.y if down else drawn.x)
            return moved(drawn, *((0, by) if down else (by, 0)))
        return drawn._replace(points=tuple([point(place) for place in drawn.points]))

    return scene._replace(
        items=tuple([item(drawn) for drawn in scene.items]),
        boxes=tuple(
            [
                box._replace(top=box.top + moved_by(box.top), bottom=box.bottom + moved_by(box.top))
                if down
                else box._replace(left=box.left + moved_by(box.left), right=box.right + moved_by(box.left))
                for box in scene.boxes
            ]
        ),
        edges=tuple(
            [edge._replace(points=tuple([point(place) for place in edge.points])) for edge in scene.edges]
        ),
    )
