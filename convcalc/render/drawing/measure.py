"""What overlaps in a scene: texts, boxes and edges. Tests ask for it over every bundled network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from convcalc.render.drawing import lettering
from convcalc.render.drawing.scene import Edge, Placed, Point, Rectangle, Scene, Text

Rect = tuple[float, float, float, float]  # left, top, right, bottom
Segment = tuple[Point, Point]
Thing = TypeVar("Thing")
Other = TypeVar("Other")
FRAME = "frame"  # the fill of frames
TOUCH = 0.5  # pixels that two things may share
NEAR = 3.0  # parallel edges closer than this look like one


class Faults(NamedTuple):
    """What overlaps, each as a sentence; a clean scene has none but perhaps crossings."""

    outside: list[str]  # leaves the page
    texts: list[str]  # text on text
    on_boxes: list[str]  # text on a box that it does not belong to, or half on its own
    on_edges: list[str]  # text on an edge
    boxes: list[str]  # a box on a box
    through: list[str]  # an edge through a box
    along: list[str]  # edges without a common end, one along the other
    frames: list[str]  # text or a box across the border of a frame
    crossings: list[str]  # edges without a common end that cross

    @property
    def clean(self) -> bool:
        """Whether nothing overlaps. Crossings do not count: some networks have no drawing without."""
        return not any(self[:-1])


def faults(scene: Scene) -> Faults:
    """Everything that overlaps in a scene."""
    texts = [(item, lettering.box(item)) for item in scene.items if isinstance(item, Text)]
    boxes = [(box, (box.left, box.top, box.right, box.bottom)) for box in scene.boxes]
    edges = [(edge, _extent(edge)) for edge in scene.edges]
    return Faults(
        outside=list(_outside(scene, texts)),
        texts=[
            f"{a.text!r} on {b.text!r}" for (a, first), (b, second) in _near(texts) if _meet(first, second)
        ],
        on_boxes=[
            f"{text.text!r} on the border of {box.name}"
            for (text, rect), (box, area) in _near_of(texts, boxes)
            if _meet(rect, area) and not _within(rect, area)
        ],
        on_edges=[
            f"{text.text!r} on {edge.source} to {edge.target}"
            for (text, rect), (edge, _) in _near_of(texts, edges)
            if any(_hits(segment, rect) for segment in pairwise(edge.points))
        ],
        boxes=[f"{a.name} on {b.name}" for (a, first), (b, second) in _near(boxes) if _meet(first, second)],
        through=[
            f"{edge.source} to {edge.target} through {box.name}"
            for (edge, _), (box, area) in _near_of(edges, boxes)
            if box.name not in (edge.source, edge.target)
            and any(_hits(segment, area) for segment in pairwise(edge.points))
        ],
        along=list(_pairs(edges, _along, "along")),
        frames=list(_across_frames(scene, texts, boxes)),
        crossings=list(_pairs(edges, _cross, "crosses")),
    )


def _near(things: Sequence[tuple[Thing, Rect]]) -> Iterator[tuple[tuple[Thing, Rect], tuple[Thing, Rect]]]:
    """The pairs of things whose rectangles, enlarged by NEAR, share a point."""
    ordered = sorted(things, key=lambda thing: thing[1][0])
    open_things: list[tuple[Thing, Rect]] = []
    for thing in ordered:
        left, top, _, bottom = thing[1]
        open_things = [other for other in open_things if other[1][2] + NEAR > left]
        for other in open_things:
            if other[1][1] < bottom + NEAR and top < other[1][3] + NEAR:
                yield other, thing
        open_things.append(thing)


def _near_of(
    first: Sequence[tuple[Thing, Rect]], second: Sequence[tuple[Other, Rect]]
) -> Iterator[tuple[tuple[Thing, Rect], tuple[Other, Rect]]]:
    """The pairs of a thing of each kind whose rectangles share a point, to half a pixel."""
    ordered = sorted(second, key=lambda thing: thing[1][0])
    open_things: list[tuple[Other, Rect]] = []
    place = 0
    for thing in sorted(first, key=lambda thing: thing[1][0]):
        left, top, right, bottom = thing[1]
        while place < len(ordered) and ordered[place][1][0] <= right + TOUCH:
            open_things.append(ordered[place])
            place += 1
        open_things = [other for other in open_things if other[1][2] + TOUCH >= left]
        for other in open_things:
            if other[1][1] <= bottom + TOUCH and top <= other[1][3] + TOUCH:
                yield thing, other


def _across_frames(
    scene: Scene, texts: Sequence[tuple[Text, Rect]], boxes: Sequence[tuple[Placed, Rect]]
) -> Iterator[str]:
    areas = [
        (item, (item.left, item.top, item.left + item.width, item.top + item.height))
        for item in scene.items
        if isinstance(item, Rectangle) and item.fill == FRAME
    ]
    named: list[tuple[str, Rect]] = [(repr(text.text), rect) for text, rect in texts]
    named += [(box.name, rect) for box, rect in boxes]
    for (name, rect), (_, area) in _near_of(named, areas):
        if _meet(rect, area) and not _within(rect, area):
            yield f"{name} on the border of a frame"


def _outside(scene: Scene, texts: Sequence[tuple[Text, Rect]]) -> Iterator[str]:
    for text, rect in texts:
        if not _within(rect, (0, 0, scene.width, scene.height)):
            yield f"{text.text!r} leaves the page"
    for box in scene.boxes:
        if not _within((box.left, box.top, box.right, box.bottom), (0, 0, scene.width, scene.height)):
            yield f"{box.name} leaves the page"
    for edge in scene.edges:
        if any(not (0 <= x <= scene.width and 0 <= y <= scene.height) for x, y in edge.points):
            yield f"{edge.source} to {edge.target} leaves the page"


def _pairs(edges: Sequence[tuple[Edge, Rect]], test, word: str) -> Iterator[str]:  # type: ignore[no-untyped-def]
    """Pairs of edges without a common end for which `test` holds for two of their segments."""
    for (a, _), (b, _) in _near(edges):
        if {a.source, a.target} & {b.source, b.target}:
            continue
        if any(test(p, q) for p in pairwise(a.points) for q in pairwise(b.points)):
            yield f"{a.source} to {a.target} {word} {b.source} to {b.target}"


def _extent(edge: Edge) -> Rect:
    xs, ys = [x for x, _ in edge.points], [y for _, y in edge.points]
    return min(xs), min(ys), max(xs), max(ys)


def _meet(a: Rect, b: Rect, least: float = TOUCH) -> bool:
    """Whether two rectangles share more than `least` pixels each way."""
    across = min(a[2], b[2]) - max(a[0], b[0])
    down = min(a[3], b[3]) - max(a[1], b[1])
    return across > least and down > least


def _within(inner: Rect, outer: Rect) -> bool:
    return (
        inner[0] >= outer[0] - TOUCH
        and inner[1] >= outer[1] - TOUCH
        and inner[2] <= outer[2] + TOUCH
        and inner[3] <= outer[3] + TOUCH
    )


def _hits(segment: Segment, rect: Rect) -> bool:
    """Whether a segment enters a rectangle by more than TOUCH (Liang and Barsky 1984)."""
    (x, y), (x1, y1) = segment
    left, top, right, bottom = rect[0] + TOUCH, rect[1] + TOUCH, rect[2] - TOUCH, rect[3] - TOUCH
    low, high = 0.0, 1.0
    for step, room in ((x - x1, x - left), (x1 - x, right - x), (y - y1, y - top), (y1 - y, bottom - y)):
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            low = max(low, room / step)
        else:
            high = min(high, room / step)
    return low < high


def _along(a: Segment, b: Segment) -> bool:
    """Whether two segments, both level or both upright, lie beside one another closer than NEAR for more than NEAR."""
    for across in (0, 1):
        down = 1 - across
        if abs(a[0][across] - a[1][across]) < TOUCH and abs(b[0][across] - b[1][across]) < TOUCH:
            ends = sorted((a[0][down], a[1][down])), sorted((b[0][down], b[1][down]))
            shared = min(ends[0][1], ends[1][1]) - max(ends[0][0], ends[1][0])
            return abs(a[0][across] - b[0][across]) < NEAR and shared > NEAR
    return False


def _cross(a: Segment, b: Segment) -> bool:
    """Whether two segments cross at a point inside both."""

    def side(p: Point, q: Point, r: Point) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(*a, b[0]) * side(*a, b[1]) < 0 and side(*b, a[0]) * side(*b, a[1]) < 0
