"""Two drawings in one: hand-made columns of boxes, the places worked out by hand."""

from __future__ import annotations

import pytest

from convcalc.render.drawing.beside import APART, HEADING, beside
from convcalc.render.drawing.legend import ROW, Legend, legend_items
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Edge, Item, Placed, Polyline, Rectangle, Scene, Text

HEAD = HEADING + 12


def column(title: str, *boxes: tuple[str, float, float]) -> Scene:
    """Boxes of (name, top, bottom) below one another, each a rectangle and its name, joined by lines."""
    items: list[Item] = []
    placed, edges = [], []
    for number, (name, top, bottom) in enumerate(boxes):
        items += [Rectangle(20, top, 60, bottom - top, "conv"), Text(24, top + 14, name)]
        placed.append(Placed(name, name, 20, top, 80, bottom, (number,)))
        if number:
            points = ((50, boxes[number - 1][2]), (50, top))
            items.append(Polyline(points, arrow=True))
            edges.append(Edge(boxes[number - 1][0], name, points))
    return Scene(100, boxes[-1][2] + 10, title, f"{title}.", tuple(items), tuple(placed), tuple(edges))


A = column("first", ("in", 10, 30), ("conv1", 50, 70), ("fc", 90, 110))
B = column("second", ("in", 10, 30), ("conv1", 50, 70), ("conv2", 90, 110), ("fc", 130, 150))
PAIRS = [("in", "in"), ("conv1", "conv1"), ("fc", "fc")]


def tops(scene: Scene) -> dict[str, float]:
    return {box.name: box.top - HEAD for box in scene.boxes}


def test_what_corresponds_is_on_one_level() -> None:
    drawn = beside(A, B, PAIRS, "down")
    assert tops(drawn) == {
        "A in": 10, "A conv1": 50, "A fc": 130,
        "B in": 10, "B conv1": 50, "B conv2": 90, "B fc": 130,
    }  # fmt: skip
    assert drawn.height == HEAD + 160
    assert faults(drawn).clean


def test_items_move_with_their_boxes_and_lines_grow() -> None:
    drawn = beside(A, B, PAIRS, "down")
    fc = next(item for item in drawn.items if isinstance(item, Text) and item.text == "fc")
    assert fc.y == HEAD + 130 + 14
    line = next(edge for edge in drawn.edges if edge.target == "A fc")
    assert line.points == ((50, HEAD + 70), (50, HEAD + 130))


def test_a_pair_against_the_order_is_left_where_it_is() -> None:
    """conv1 of A corresponds to what stands before conv1 of B: no stretching can put both on one level."""
    drawn = beside(A, B, [("fc", "conv1"), ("conv1", "conv2")], "down")
    assert tops(drawn)["A fc"] == tops(drawn)["B conv1"] == 90
    assert tops(drawn)["A conv1"] == 50


def test_a_frame_around_boxes_grows_with_the_gap_inside() -> None:
    framed = A._replace(items=(Rectangle(10, 45, 80, 70, "frame"), *A.items))
    frame = beside(framed, B, PAIRS, "down").items[2]
    assert isinstance(frame, Rectangle)
    assert (frame.top - HEAD, frame.height) == (45, 110)


def test_no_box_is_cut_in_two() -> None:
    """A branch beside fc spans the level at which fc would have to be moved."""
    branch = Placed("branch", "branch", 85, 60, 99, 105)
    tall = A._replace(boxes=(*A.boxes, branch))
    drawn = beside(tall, B, PAIRS, "down")
    assert next(box.bottom - box.top for box in drawn.boxes if box.name == "A branch") == 45
    assert tops(drawn)["A fc"] == 90


def test_side_by_side_leaves_room_for_both_titles() -> None:
    drawn = beside(column("a title much longer than its drawing is wide", ("in", 10, 30)), B, [], "down")
    assert drawn.boxes[1].left - 20 > 100 + APART
    assert faults(drawn).clean


def test_one_above_the_other() -> None:
    row = Scene(
        300, 60, "row", "", (), (Placed("in", "in", 10, 5, 40, 55), Placed("fc", "fc", 60, 5, 90, 55))
    )
    other = row._replace(boxes=(row.boxes[0], Placed("fc", "fc", 100, 5, 130, 55)))
    drawn = beside(row, other, [("fc", "fc")], "across")
    left = {box.name: box.left for box in drawn.boxes}
    assert left["A fc"] == left["B fc"] == 100
    assert {box.name: box.top for box in drawn.boxes}["B fc"] == 2 * HEAD + 60 + 5
    assert drawn.width == 340


def test_a_legend_wraps_into_rows() -> None:
    legend = Legend("MACs", (("ramp:0", "0"), ("ramp:0.5", "26M"), ("ramp:1", "105M")), "per copy")
    _, wide, tall = legend_items(legend, 5, 7, 1000)
    assert tall == 11
    items, narrow, taller = legend_items(legend, 5, 7, wide * 0.7)
    assert narrow <= wide * 0.7
    assert taller == ROW + 11
    texts = [(item.text, item.y) for item in items if isinstance(item, Text)]
    assert [text for text, _ in texts] == ["MACs", "0", "26M", "105M", "per copy"]
    assert texts[0][1] < texts[-1][1] == pytest.approx(texts[0][1] + ROW)
