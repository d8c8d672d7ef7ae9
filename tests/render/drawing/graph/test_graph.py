"""The graph style: nothing overlaps in any bundled network, no edge is missing, and what stands where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.boxes import Box, Boxes, Frame, boxes
from convcalc.language import bundled
from convcalc.language.load import load_graph
from convcalc.render.drawing.graph.draw import draw
from convcalc.render.drawing.legend import Legend
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scene import Circle, Placed, Polyline, Rectangle, Scene, Text

# Edges that cross because of what the network is: gates between the two legs, and streams that all feed each other.
CROSSINGS = {"attention-unet": 4, "hrnet-w18-small": 25}


def check_edges(drawn: Boxes, scene: Scene) -> None:
    """Each edge of the network is in the scene once, from its box to its box, and each box is."""
    edges = [(drawn.boxes[source].name, box.name) for box in drawn.boxes for source in box.inputs]
    assert sorted((edge.source, edge.target) for edge in scene.edges) == sorted(edges)
    assert [box.name for box in scene.boxes] == [box.name for box in drawn.boxes]
    for edge in scene.edges:
        ends = (edge.source, edge.points[0]), (edge.target, edge.points[-1])
        assert all(any(box.name == name and touches(box, end) for box in scene.boxes) for name, end in ends)


def touches(box: Placed, point: tuple[float, float]) -> bool:
    """Whether a point lies on a box or its border."""
    x, y = point
    return box.left - 0.1 <= x <= box.right + 0.1 and box.top - 0.1 <= y <= box.bottom + 0.1


@pytest.mark.parametrize("name", bundled.members())
def test_nothing_overlaps_in_a_bundled_network(name: str) -> None:
    """With equal runs folded, and folded to the first names."""
    analysis = analyse(load_graph(name))
    for depth in (None, 1):
        drawn = boxes(analysis, depth=depth)
        scene = draw(drawn)
        found = faults(scene)
        assert found.clean, found
        assert len(found.crossings) <= (CROSSINGS.get(name, 0) if depth is None else 0), found.crossings
        check_edges(drawn, scene)
        outlines = [item for item in scene.items if isinstance(item, Rectangle) and item.fill == "frame"]
        assert len(outlines) == sum(3 if frame.times > 1 else 1 for frame in drawn.frames)


def texts(scene: Scene) -> set[str]:
    return {item.text for item in scene.items if isinstance(item, Text)}


@pytest.mark.parametrize(
    "name", ["torchvision/resnet152", "torchvision/densenet201", "torchvision/retinanet_resnet50_fpn"]
)
def test_nothing_overlaps_with_every_copy_drawn(name: str) -> None:
    drawn = boxes(analyse(load_graph(name)), unfold=True)
    scene = draw(drawn)
    assert not any(faults(scene))
    check_edges(drawn, scene)


# Hand-made networks


def box(key: int, *inputs: int, shape: tuple[int, ...] = (3, 8, 9), form: str = "box", **more) -> Box:  # type: ignore[no-untyped-def]
    kind = "conv" if inputs else "input"
    words = more.pop("words", (f"conv K{key}",))
    return Box(
        key,
        more.pop("name", f"layer{key}"),
        kind,
        None,
        words,
        shape,
        inputs,
        form=form,  # type: ignore[arg-type]
        symbol="+" if form == "join" else "",
        **more,
    )


def net(*drawn: Box, frames: tuple[Frame, ...] = (), outputs: tuple[tuple[str, int], ...] = ()) -> Boxes:
    return Boxes("net", "A net", drawn, frames, outputs)


def place(scene: Scene) -> dict[str, Placed]:
    return {box.name: box for box in scene.boxes}


def axis(box: Placed) -> float:
    return round((box.left + box.right) / 2, 6)


@st.composite
def networks(draw_value: st.DrawFn) -> Boxes:
    """Graphs of up to 14 boxes with several inputs and outputs, joins, and sometimes a frame anywhere."""
    count = draw_value(st.integers(1, 14))
    made: list[Box] = []
    for key in range(count):
        reads = draw_value(st.sets(st.integers(0, key - 1), max_size=3)) if key else set()
        form = draw_value(st.sampled_from(["box", "join", "pill"])) if len(reads) > 1 else "box"
        side = draw_value(st.sampled_from([7, 14, 28]))
        words = tuple(
            draw_value(st.lists(st.sampled_from(["conv K64 F3", "bn · relu", "x"]), min_size=1, max_size=3))
        )
        made.append(box(key, *sorted(reads), shape=(5, side, side + 1), form=form, words=words))
    read = {source for made_box in made for source in made_box.inputs}
    ends = tuple((f"out{key}", key) for key in range(count) if key not in read)
    first = draw_value(st.integers(0, count - 1))
    last = draw_value(st.integers(first, count - 1))
    frames = (
        (Frame("block", first, last, draw_value(st.integers(1, 3))),) if draw_value(st.booleans()) else ()
    )
    return net(*made, frames=frames, outputs=ends)


@given(networks())
@settings(max_examples=60)
def test_no_edge_is_missing_and_no_box_is_covered_in_any_network(drawn: Boxes) -> None:
    scene = draw(drawn)
    check_edges(drawn, scene)
    found = faults(scene)
    assert found._replace(along=[], crossings=[]) == ([], [], [], [], [], [], [], [], [])
    words = [item.text for item in scene.items if isinstance(item, Text)]
    for frame in drawn.frames:
        assert frame.times == 1 or any(f"×{frame.times}" in word for word in words)


def test_a_chain_stands_on_one_axis() -> None:
    scene = draw(net(box(0), box(1, 0, words=("conv K64 F3 P1", "bn · relu")), box(2, 1)), columns=1)
    first, second, third = scene.boxes
    assert axis(first) == axis(second) == axis(third)
    assert first.bottom < second.top < second.bottom < third.top
    assert [[y for _, y in edge.points] for edge in scene.edges] == [
        [first.bottom, second.top],
        [second.bottom, third.top],
    ]


RESIDUAL = (box(0), box(1, 0), box(2, 1), box(3, 0, 2, form="join"), box(4, 3))


def test_a_skip_runs_beside_what_it_skips_into_the_side_of_the_join() -> None:
    scene = draw(net(*RESIDUAL), columns=1)
    at = place(scene)
    assert len({axis(at[f"layer{key}"]) for key in range(5)}) == 1
    skip = next(edge for edge in scene.edges if (edge.source, edge.target) == ("layer0", "layer3"))
    join = at["layer3"]
    assert skip.points[-1] == (join.right, (join.top + join.bottom) / 2)
    assert max(x for x, _ in skip.points) > max(at["layer1"].right, at["layer2"].right)


def test_a_projection_stands_beside_the_trunk() -> None:
    scene = draw(net(box(0), box(1, 0), box(2, 1), box(3, 0), box(4, 2, 3, form="join")), columns=1)
    at = place(scene)
    assert axis(at["layer0"]) == axis(at["layer1"]) == axis(at["layer2"]) == axis(at["layer4"])
    assert at["layer3"].left > max(at["layer1"].right, at["layer2"].right)
    middle = (at["layer1"].top + at["layer2"].bottom) / 2
    assert (at["layer3"].top + at["layer3"].bottom) / 2 == pytest.approx(middle)


def test_equal_branches_stand_side_by_side_about_the_axis() -> None:
    scene = draw(net(box(0), box(1, 0), box(2, 0), box(3, 1, 2, form="pill", words=("concat",))), columns=1)
    at = place(scene)
    assert at["layer1"].top == at["layer2"].top
    assert (axis(at["layer1"]) + axis(at["layer2"])) / 2 == pytest.approx(axis(at["layer0"]))


def test_what_a_fork_shares_is_drawn_once() -> None:
    """Lines drawn twice look fatter. A corner's length may be drawn twice, where a rounded corner begins."""
    scene = draw(net(box(0), box(1, 0), box(2, 0), box(3, 0), box(4, 1, 2, 3, form="join")), columns=1)
    lines = [item for item in scene.items if isinstance(item, Polyline)]
    drawn = sum(
        abs(b[0] - a[0]) + abs(b[1] - a[1])
        for line in lines
        for a, b in zip(line.points, line.points[1:], strict=False)
    )
    at = place(scene)
    bus = axis(at["layer3"]) - axis(at["layer1"])
    lengths = sum(
        at["layer4"].top - at["layer0"].bottom - (at[f"layer{key}"].bottom - at[f"layer{key}"].top)
        for key in (1, 2, 3)
    )
    shared = 2 * (10 + 14)  # stub and common arrow, each drawn once for three edges
    assert drawn <= 2 * bus + lengths - shared + 4 * 5 + 1
    assert sum(line.arrow for line in lines) == 4


def test_columns_as_asked() -> None:
    chain = net(box(0), *[box(key, key - 1) for key in range(1, 24)])
    assert len({axis(box) for box in draw(chain, columns=1).boxes}) == 1
    for count in (2, 3):
        assert len({round(axis(box)) for box in draw(chain, columns=count).boxes}) == count
    scene = draw(chain)
    assert 1.2 < scene.width / scene.height < 2.6  # 16:9 is 1.78


def test_the_first_box_of_a_column_keeps_its_skip() -> None:
    """The column begins in the middle of what a skip spans: both lines come from the port at its top."""
    made = [box(0)]
    for block in range(6):
        start = 3 * block
        made += [
            box(start + 1, start),
            box(start + 2, start + 1),
            box(start + 3, start, start + 2, form="join"),
        ]
    scene = draw(net(*made), columns=3)
    assert not any(faults(scene))
    check_edges(net(*made), scene)


def test_each_of_several_inputs_has_its_size_once(tmp_path) -> None:
    spec = tmp_path / "two.yaml"
    spec.write_text(
        "name: two\ninputs: {picture: [3, 9, 11], words: [17]}\nlayers:\n"
        "  - conv: {filters: 5, kernel: 2, from: picture}\n  - flatten: {name: flat}\n"
        "  - dense: {units: 7, from: words, name: known}\n  - concat: {from: [flat, known]}\n",
        encoding="utf-8",
    )
    made = boxes(analyse(load_graph(str(spec))))
    for sizes, shape in (("chw", "3×9×11"), ("hwc", "9×11×3")):
        scene = draw(made, sizes=sizes)
        written = [item.text for item in scene.items if isinstance(item, Text)]
        assert (written.count(shape), written.count("17")) == (1, 1)
        assert faults(scene).clean


def test_sizes_stand_at_the_right_where_they_change() -> None:
    made = net(
        box(0, shape=(3, 11, 13)),
        box(1, 0, shape=(5, 7, 6)),
        box(2, 1, shape=(5, 7, 6)),
        box(3, 2, shape=(10,)),
    )
    scene = draw(made, columns=1)
    found = [item for item in scene.items if isinstance(item, Text) and item.ink == "muted"]
    assert [item.text for item in found] == ["3×11×13", "5×7×6", "10"]
    assert all(item.x > max(box.right for box in scene.boxes) for item in found)
    assert {"11×13×3", "7×6×5", "10"} <= texts(draw(made, sizes="hwc"))


def test_a_repeated_block_has_its_name_and_number_at_the_left_of_its_frame() -> None:
    frame = Frame("conv2.1–3", 1, 3, 3, "96 to 256 channels")
    scene = draw(net(*RESIDUAL, frames=(frame,)), columns=1)
    outlines = [item for item in scene.items if isinstance(item, Rectangle) and item.fill == "frame"]
    assert len(outlines) == 3  # two copies behind it
    last = outlines[-1]
    for text in ("×3", "conv2.1–3", "96 to 256 channels"):
        found = next(item for item in scene.items if isinstance(item, Text) and item.text == text)
        assert found.anchor == "end"
        assert found.x < last.left
    at = place(scene)
    inside = [
        name
        for name, box in at.items()
        if last.left < box.left and last.top < box.top and box.bottom < last.top + last.height
    ]
    assert inside == ["layer1", "layer2", "layer3"]


def test_outputs_have_their_names_if_there_are_several() -> None:
    made = (box(0), box(1, 0), box(2, 0), box(3, 2))
    assert {"small", "large"} <= texts(draw(net(*made, outputs=(("small", 1), ("large", 3)))))
    assert "large" not in texts(draw(net(*made, outputs=(("large", 3),))))


def test_an_output_beside_the_trunk_does_not_bend_it() -> None:
    scene = draw(net(box(0), box(1, 0), box(2, 1), box(3, 0), box(4, 2)), columns=1)
    at = place(scene)
    assert axis(at["layer0"]) == axis(at["layer1"]) == axis(at["layer4"])
    assert at["layer3"].left > at["layer1"].right


def u_net() -> Boxes:
    """Two levels: 1 and 3 are copied to 9 and 7."""
    return net(
        box(0, shape=(3, 40, 48)),
        box(1, 0, shape=(4, 40, 48)),
        box(2, 1, shape=(4, 20, 24)),
        box(3, 2, shape=(8, 20, 24)),
        box(4, 3, shape=(8, 10, 12)),
        box(5, 4, shape=(16, 10, 12)),
        box(6, 5, shape=(8, 20, 24)),
        box(7, 3, 6, shape=(16, 20, 24), form="pill"),
        box(8, 7, shape=(4, 40, 48)),
        box(9, 1, 8, shape=(8, 40, 48), form="pill"),
        box(10, 9, shape=(2, 40, 48)),
    )


def test_a_u_has_level_copies_and_upright_legs() -> None:
    scene = draw(u_net())
    assert not any(faults(scene))
    at = place(scene)
    for source, target in ((1, 9), (3, 7)):
        copied = next(
            edge
            for edge in scene.edges
            if edge.target == f"layer{target}" and edge.source == f"layer{source}"
        )
        (left, y), (right, same) = copied.points
        assert y == same
        assert left < right
    assert len({axis(at[f"layer{key}"]) for key in (0, 1, 2, 3)}) == 1
    assert len({axis(at[f"layer{key}"]) for key in (7, 8, 9, 10)}) == 1
    assert at["layer10"].bottom < at["layer9"].top < at["layer8"].top < at["layer7"].top
    middles = {(at[f"layer{key}"].top + at[f"layer{key}"].bottom) / 2 for key in (4, 5, 6)}
    assert len(middles) == 1
    assert "copy 4×40×48" in texts(scene)


def test_squeeze_and_excitation_is_no_u() -> None:
    """Nested as a U's rungs are, but its smallest maps, one number a channel, never widen again."""
    made = net(
        box(0, shape=(4, 9, 8)),
        box(1, 0, shape=(8, 9, 8)),
        box(2, 1, shape=(8, 1, 1)),
        box(3, 2, shape=(8, 1, 1)),
        box(4, 1, 3, shape=(8, 9, 8), form="join"),
        box(5, 0, 4, shape=(4, 9, 8), form="join"),
    )
    assert len({axis(box) for box in draw(made, columns=1).boxes}) == 1


def test_hostile_names_are_cut_and_stay_in_their_boxes() -> None:
    long = "x" * 10_000 + "</script>\u202e\x07"
    made = net(
        box(0, name=long, words=(long, long)),
        box(1, 0, words=(long,), name="b"),
        box(2, 1, name="c"),
        frames=(Frame(long, 1, 2, 2, long),),
        outputs=((long, 1), (long, 2)),
    )
    scene = draw(made)
    assert not any(faults(scene))
    assert scene.width < 900
    assert all(
        len(item.text) < 200 and item.text.isprintable() for item in scene.items if isinstance(item, Text)
    )
    assert all(len(box.label) < 1_000 and box.label.isprintable() for box in scene.boxes)


def test_colours_marks_and_legend() -> None:
    made = net(*RESIDUAL)
    legend = Legend("MACs", (("ramp:0", "0"), ("ramp:1", "118M")))
    scene = draw(made, colours={1: "ramp:1", 2: "ramp:0.5"}, legend=legend, columns=1)
    fills = {item.fill for item in scene.items if isinstance(item, Rectangle)}
    assert fills == {"ramp:1", "ramp:0.5", "ramp:0"}
    assert {"MACs", "118M"} <= texts(scene)
    assert not any(faults(scene))
    marked = draw(made, marks={0: "same", 1: "changed", 2: "added", 3: "removed", 4: "same"}, columns=1)
    assert {"changed", "added"} <= texts(marked)
    dashed = [item.fill for item in marked.items if isinstance(item, Rectangle) and item.dashed]
    assert dashed == ["added"]
    assert [item.fill for item in marked.items if isinstance(item, Circle)] == ["removed"]


def test_two_rails_break_into_columns_together() -> None:
    """WaveNet's: a chain of blocks, each of which also adds to a sum that runs beside it."""
    made = [box(0), box(1, 0), box(2, 0)]
    for _ in range(14):
        chain, total = made[-1].key, made[-2].key
        made.append(box(len(made), total, chain, form="join"))
        made.append(box(len(made), chain))
    made.append(box(len(made), made[-1].key, made[-2].key, form="join"))
    scene = draw(net(*made))
    assert not any(faults(scene))
    check_edges(net(*made), scene)
    assert scene.width > scene.height
    assert draw(net(*made), columns=1).height > 2 * scene.height


def test_a_skip_over_a_long_trunk_passes_from_column_to_column() -> None:
    made = [box(0), *[box(key, key - 1) for key in range(1, 40)]]
    made.append(box(40, 2, 39, form="join"))
    scene = draw(net(*made))
    assert not any(faults(scene))
    check_edges(net(*made), scene)
    assert scene.height < 1_200


def test_gates_stand_between_the_legs_of_a_u() -> None:
    """Attention U-Net's: 9 and 7 gate what 1 and 3 copy to the joins 10 and 8, and read the right leg for it."""
    made = net(
        box(0, shape=(3, 40, 48)),
        box(1, 0, shape=(4, 40, 48)),
        box(2, 1, shape=(4, 20, 24)),
        box(3, 2, shape=(8, 20, 24)),
        box(4, 3, shape=(8, 10, 12)),
        box(5, 4, shape=(16, 10, 12)),
        box(6, 5, shape=(8, 20, 24)),
        box(7, 6, 3, shape=(8, 20, 24)),
        box(8, 7, 6, shape=(16, 20, 24), form="pill"),
        box(9, 8, shape=(4, 40, 48)),
        box(10, 9, 1, shape=(4, 40, 48)),
        box(11, 10, 9, shape=(8, 40, 48), form="pill"),
        box(12, 11, shape=(2, 40, 48)),
    )
    scene = draw(made)
    assert not any(faults(scene))
    check_edges(made, scene)
    at = place(scene)
    assert len({axis(at[f"layer{key}"]) for key in (0, 1, 2, 3)}) == 1
    assert len({axis(at[f"layer{key}"]) for key in (8, 9, 11, 12)}) == 1
    for left, gate, right in (("layer1", "layer10", "layer11"), ("layer3", "layer7", "layer8")):
        assert axis(at[left]) < axis(at[gate]) < axis(at[right])
        assert len({round(at[name].top + at[name].bottom, 6) for name in (left, gate, right)}) == 1


def test_deep_nesting_wide_forks_and_long_chains_are_drawn() -> None:
    """Skips within skips, 100 deep; a fork of 300; a chain of 1,000."""
    count = 100
    nested = [box(0), *[box(key, key - 1) for key in range(1, count)]]
    nested += [
        box(count + step, count - 2 - step, count + step - 1, form="join") for step in range(count - 2)
    ]
    fork = [box(0), *[box(key, 0) for key in range(1, 301)], box(301, *range(1, 301), form="join")]
    chain = [box(0), *[box(key, key - 1) for key in range(1, 1_000)]]
    for made in (nested, fork, chain):
        scene = draw(net(*made))
        assert len(scene.edges) == sum(len(made_box.inputs) for made_box in made)
    assert 1.2 < scene.width / scene.height < 2.6
