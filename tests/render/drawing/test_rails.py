"""A network in characters: the rails are read back, and say what each box reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.boxes import Box, Boxes, Frame, boxes
from convcalc.graph import Graph
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.render.drawing import rails
from convcalc.render.layout import cells
from tests.analysis.generated_graphs import graphs

RAILS = set("│├┤╮╯┴┼─ ")


def text(drawn: Boxes, width: int | None = 80, **options: object) -> list[str]:
    return ["".join(span.text for span in line) for line in rails.lines(drawn, width, **options)]  # type: ignore[arg-type]


def decoded(lines: list[str]) -> list[set[int]]:
    """What each box reads, by the picture alone: keys in the order of the lines with a symbol.

    Rails stand in every other column. A level line takes values from rails to the rail of the next symbol."""
    carried: dict[int, int] = {}  # by column, the box whose output the rail carries
    taken: set[int] = set()
    opened: set[int] = set()
    result: list[set[int]] = []
    for line in lines:
        if line.startswith("note:"):
            continue
        symbol = next((place for place in range(0, len(line), 2) if line[place] not in RAILS), None)
        head = line if symbol is None else line[:symbol]
        if symbol is not None and line[symbol] == "┄":  # a frame's line
            symbol = None
            head = line[: line.index("┄")]
        if symbol is not None:
            column = symbol // 2
            read = {carried[column]} if column in carried and column not in opened else set()
            result.append(read | taken)
            taken, opened = set(), set()
            carried[column] = len(result) - 1
            # rails that are not drawn have ended
            for other in list(carried):
                if other != column and line[2 * other : 2 * other + 1] != "│":
                    del carried[other]
            continue
        shown = {place // 2: line[place] for place in range(0, len(head), 2) if head[place] in "│├┤╮╯┴┼"}
        for other in list(carried):
            if other not in shown:
                del carried[other]
        ends = [column for column, character in shown.items() if character in "├┤╮╯"]
        if not ends:
            continue
        first, last = min(ends), max(ends)
        if shown[last] == "╮":
            taken.add(carried[first])
            opened.add(last)
            carried[last] = -1
        elif shown[last] == "╯":
            for column in range(first + 1, last + 1):
                if shown.get(column) in ("┴", "╯"):
                    taken.add(carried.pop(column))
        else:  # ├─┤: one end is the next symbol's rail, the other feeds it and goes on
            taken |= {carried[first], carried[last]} - {-1}
    return result


def check(drawn: Boxes, width: int | None = 80) -> None:
    found = decoded(text(drawn, width))
    assert found == [set(box.inputs) for box in drawn.boxes]


@pytest.mark.parametrize("name", bundled.members())
def test_rails_of_bundled_networks_are_their_connections(name: str) -> None:
    analysis = analyse(load_graph(name))
    check(boxes(analysis))
    check(boxes(analysis, depth=1))
    check(boxes(analysis, unfold=True), None)


@given(graphs(), st.sampled_from([None, 1, 2]), st.booleans(), st.sampled_from([None, 40, 80, 140]))
def test_rails_of_generated_networks_are_their_connections(
    graph: Graph, depth: int | None, unfold: bool, width: int | None
) -> None:
    check(boxes(analyse(graph), depth=depth, unfold=unfold), width)


def box(key: int, *inputs: int, kind: str = "conv", **fields: object) -> Box:
    return Box(key, f"layer{key}", kind, None, (f"conv K{key}",), (key + 2, 5, 7), inputs)._replace(**fields)


def drawing(*found: Box, frames: tuple[Frame, ...] = (), outputs: tuple[tuple[str, int], ...] = ()) -> Boxes:
    return Boxes("net", "", found, frames, outputs)


def test_a_fork_and_a_join() -> None:
    drawn = drawing(
        box(0, kind="input", words=("input",)),
        box(1, 0, kind="pool"),
        box(2, 1),
        box(3, 1, kind="dense"),
        box(4, 2, 3, kind="join", form="join", symbol="+", words=("add", "relu")),
        frames=(Frame("block1–3", 1, 4, 3, "8 to 16 channels"),),
    )
    assert text(drawn, 40) == [
        "○   input                          2×5×7",
        "│   ┄┄ ×3 block1–3 · 8 to 16 channels ┄┄",
        "▼   conv K1                        3×5×7",
        "├─╮",
        "│ ■ conv K2                        4×5×7",
        "▌ │ conv K3                        5×5×7",
        "├─╯",
        "+   add · relu                     6×5×7",
        "    ┄┄┄┄┄┄┄┄┄┄┄┄",
    ]


def test_a_value_read_in_passing_and_one_that_is_crossed() -> None:
    """Box 3 reads 0, which goes on, and 2, over the rail of 1."""
    drawn = drawing(box(0), box(1, 0), box(2, 0), box(3, 0, 2), box(4, 1, 0), box(5, 3, 4))
    lines = text(drawn, 40)
    assert [line[:6].rstrip() for line in lines] == [
        "■   co", "├─╮", "│ ■ co", "├─┼─╮", "│ │ ■", "├─┼─┤", "│ │ ■", "├─╯ │", "■   │", "├───╯", "■   co",
    ]  # fmt: skip
    check(drawn)


def test_boxes_without_inputs_are_not_connected_to_those_above() -> None:
    drawn = drawing(box(0), box(1), box(2, 1))
    assert [line[:1] for line in text(drawn)] == ["■", "", "■", "■"]
    check(drawn)


def test_frames_of_one_box_and_outputs_are_told_in_their_line() -> None:
    drawn = drawing(
        box(0), box(1, 0), box(2, 1), frames=(Frame("conv1–4", 1, 1, 4),), outputs=(("low", 1), ("high", 2))
    )
    lines = text(drawn, None)
    for line, start in zip(lines, ["■   conv K0 ", "■   ×4 conv K1 ", "■   conv K2 "], strict=True):
        assert line.startswith(start)
    assert "→ low" in lines[1]
    assert "→ high" in lines[2]


def test_marks_and_notes() -> None:
    drawn = drawing(box(0), box(1, 0))
    assert text(drawn, 40, marks={0: "same", 1: "changed"}, notes={0: "1.2M", 1: "34"}) == [
        "■     conv K0".ljust(27) + "  1.2M  2×5×7",
        "■   ~ conv K1".ljust(27) + "    34  3×5×7",
    ]


@pytest.mark.parametrize("width", [40, 80, 140])
def test_lines_fit_the_terminal(width: int) -> None:
    for name in ("googlenet", "torchvision/swin_v2_s", "unet"):
        for line in text(boxes(analyse(load_graph(name))), width):
            assert cells(line) <= width


@pytest.mark.parametrize("name", ["x" * 10_000, "\u202eabc\u2066", "a\nb\x1b[31m", "</script>", "漢字" * 90])
@pytest.mark.parametrize("width", [None, 80, 140])
def test_hostile_names_are_cut(name: str, width: int | None) -> None:
    drawn = drawing(
        box(0),
        box(1, 0, kind="block", name=name, words=(name, "2 conv")),
        box(2, 1),
        frames=(Frame(name, 1, 2, 2),),
        outputs=((name, 1), (name, 2)),
    )
    for line in text(drawn, width):
        assert not {"\n", "\x1b", "\u202e", "\u2066"} & set(line)
        assert cells(line) <= (width or 10_000)
    check(drawn, width)


def test_more_rails_than_are_easy_to_follow_are_told() -> None:
    many = drawing(box(0), *(box(key, 0) for key in range(1, 23)), box(23, *range(1, 23)))
    assert text(many)[-1].startswith("note: 22 rails side by side: --depth folds blocks")
    check(many)
    few = drawing(box(0), *(box(key, 0) for key in range(1, 12)), box(12, *range(1, 12)))
    assert not text(few)[-1].startswith("note")
