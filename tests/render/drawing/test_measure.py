"""What the measure of a drawing finds: scenes with one fault each, placed by hand."""

from __future__ import annotations

import pytest

from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Edge, Item, Placed, Rectangle, Scene, Text

LEFT = Placed("a", "a", 10, 10, 50, 40)
RIGHT = Placed("b", "b", 100, 10, 140, 40)
BELOW = Placed("c", "c", 10, 100, 50, 130)


def scene(
    *items: Item, boxes: tuple[Placed, ...] = (LEFT, RIGHT, BELOW), edges: tuple[Edge, ...] = ()
) -> Scene:
    return Scene(200, 160, "title", "description", items, boxes, edges)


CLEAN = scene(
    Text(12, 28, "conv"),
    Text(60, 60, "free"),
    edges=(Edge("a", "b", ((50, 25), (100, 25))), Edge("a", "c", ((30, 40), (30, 100)))),
)


def test_a_clean_scene_has_no_faults() -> None:
    assert faults(CLEAN).clean
    assert not any(faults(CLEAN))


@pytest.mark.parametrize(
    ("drawn", "which"),
    [
        (scene(Text(190, 20, "leaves it")), "outside"),
        (scene(boxes=(Placed("d", "d", 180, 10, 203, 40),)), "outside"),
        (scene(edges=(Edge("a", "b", ((50, 25), (75, -2), (100, 25))),)), "outside"),
        (scene(Text(60, 60, "one"), Text(70, 62, "other")), "texts"),
        (scene(Text(40, 28, "sticks out")), "on_boxes"),
        (scene(Text(60, 28, "on it"), edges=(Edge("a", "b", ((50, 25), (150, 25))),)), "on_edges"),
        (scene(boxes=(LEFT, Placed("d", "d", 45, 20, 80, 60))), "boxes"),
        (scene(edges=(Edge("c", "x", ((30, 100), (30, 5))),)), "through"),
        (
            scene(edges=(Edge("a", "x", ((70, 45), (70, 90))), Edge("b", "c", ((72, 50), (72, 95))))),
            "along",
        ),
        (
            scene(edges=(Edge("a", "x", ((60, 45), (90, 90))), Edge("b", "c", ((90, 45), (60, 90))))),
            "crossings",
        ),
        (scene(Rectangle(60, 50, 60, 40, "frame"), Text(110, 70, "half out")), "frames"),
        (scene(Rectangle(90, 5, 30, 60, "frame")), "frames"),
    ],
)
def test_each_fault_is_found_and_only_it(drawn: Scene, which: str) -> None:
    found = faults(drawn)._asdict()
    assert {name for name, sentences in found.items() if sentences} == {which}


def test_edges_with_a_common_end_may_share_a_line() -> None:
    """A fork's two edges leave by one stub."""
    edges = (
        Edge("a", "b", ((30, 40), (30, 60), (120, 60), (120, 40))),
        Edge("a", "c", ((30, 40), (30, 100))),
    )
    assert not any(faults(scene(edges=edges)))


def test_edges_further_apart_than_three_pixels_are_two() -> None:
    edges = (Edge("a", "x", ((70, 45), (70, 90))), Edge("b", "c", ((73.5, 45), (73.5, 90))))
    assert not any(faults(scene(edges=edges)))
