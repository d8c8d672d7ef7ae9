"""Graphs as boxes and frames: every layer in one box, every connection between boxes, equal copies framed."""

from __future__ import annotations

import dataclasses
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convcalc import ops
from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.box_words import first_line
from convcalc.analysis.boxes import Boxes, Frame, boxes
from convcalc.graph import Builder, Graph, Output, single_input
from convcalc.language import bundled
from convcalc.language.load import load_graph
from tests.analysis.generated_graphs import graphs

NETWORKS = bundled.members()
CONV, ADD = ops.get("conv")(filters=2, kernel=1), ops.get("add")()


def analysis_of(text: str, tmp_path) -> Analysis:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return analyse(load_graph(str(path)))


def check(analysis: Analysis, drawn: Boxes) -> None:
    """Each layer in one box or one copy of one; each connection between boxes, or within a box, or from a copy to the
    next; no other connection; frames nested, with as many copies as they say."""
    graph = analysis.graph
    home = {-1 - place: place for place in range(len(graph.inputs))}
    copy = dict.fromkeys(home, 0)
    for place, box in enumerate(drawn.boxes):
        assert box.key == place
        assert box.inputs == tuple(dict.fromkeys(box.inputs))
        assert all(source < place for source in box.inputs)
        for number, layers in enumerate((box.layers, *box.copies)):
            assert len(layers) == len(box.layers)
            for layer in layers:
                assert layer not in home
                home[layer], copy[layer] = place, number
    assert len(home) == len(graph) + len(graph.inputs)

    drawn_edges = {(source, box.key) for box in drawn.boxes for source in box.inputs}
    found = set()
    for node in graph:
        for source in node.inputs:
            edge = home[source], home[node.index]
            if edge in drawn_edges:
                found.add(edge)
            elif edge[0] == edge[1] and copy[source] == copy[node.index]:
                pass
            else:  # the end of a copy is read by the beginning of the next
                assert copy[node.index] > 0
                assert any(frame.first <= edge[1] <= edge[0] <= frame.last for frame in drawn.frames)
    assert found == drawn_edges

    around: list[Frame] = []
    for frame in drawn.frames:
        assert frame.first <= frame.last
        assert frame.times > 1
        while around and around[-1].last < frame.first:
            around.pop()
        assert frame.depth == len(around)
        assert not around or frame.last <= around[-1].last
        around.append(frame)
    for box in drawn.boxes:
        times = 1
        for frame in drawn.frames:
            times *= frame.times if frame.first <= box.key <= frame.last else 1
        assert 1 + len(box.copies) == times
        figures = [analysis.layers[layer] for layer in box.layers]
        assert box.macs == sum(layer.macs for layer in figures)
        assert box.params == sum(layer.params for layer in figures)
        assert box.activation_bytes == sum(layer.activation_bytes for layer in figures)
        assert box.words[0]
    assert drawn.outputs == tuple((output.name, home[output.node]) for output in graph.outputs)


def check_frames(analysis: Analysis, drawn: Boxes) -> None:
    """Copies are equal where it counts: operators and spatial sizes; a note tells of other channels."""
    nodes = analysis.graph.nodes
    for box in drawn.boxes:
        frames = [frame for frame in drawn.frames if frame.first <= box.key <= frame.last]
        for layers in box.copies:
            for a, b in zip(box.layers, layers, strict=True):
                assert nodes[a].kind == nodes[b].kind
                assert nodes[a].output_shape[1:] == nodes[b].output_shape[1:]
                if nodes[a].kind == "conv":
                    assert nodes[a].op == nodes[b].op
                if (
                    analysis.layers[a].macs != analysis.layers[b].macs
                    or nodes[a].output_shape != nodes[b].output_shape
                ):
                    assert any("channels" in frame.note for frame in frames)


@pytest.mark.parametrize("name", NETWORKS)
def test_bundled_networks_are_whole_in_boxes(name: str) -> None:
    analysis = analyse(load_graph(name))
    for options in ({}, {"unfold": True}, {"branches": False}, {"depth": 1}, {"depth": 2}):
        drawn = boxes(analysis, **options)
        check(analysis, drawn)
        check_frames(analysis, drawn)
        if "unfold" in options:
            assert drawn.frames == ()


@given(graphs(), st.sampled_from([None, 1, 2, 3]), st.booleans(), st.booleans())
def test_generated_networks_are_whole_in_boxes(
    graph: Graph, depth: int | None, unfold: bool, branches: bool
) -> None:
    analysis = analyse(graph)
    drawn = boxes(analysis, depth=depth, unfold=unfold, branches=branches)
    check(analysis, drawn)
    check_frames(analysis, drawn)


# Counted by hand from the papers' tables: a box for each layer with weights, pooling, join, flatten; with copies
# folded, e.g. ResNet-50: 3 + 4·(5 + 4) + 3, DenseNet-121: 3 + 4·4 + 3·3 + 5.
@pytest.mark.parametrize(
    ("name", "whole", "folded"),
    [
        ("resnet18", 33, 30),
        ("resnet50", 74, 42),
        ("resnet152", 210, 42),
        ("torchvision/densenet121", 249, 33),
        ("torchvision/densenet201", 409, 33),
        ("torchvision/mobilenet_v2", 67, 47),
        ("googlenet", 84, 84),
        ("torchvision/vit_b_16", 96, 19),
    ],
)
def test_counts(name: str, whole: int, folded: int) -> None:
    analysis = analyse(load_graph(name))
    assert len(boxes(analysis, unfold=True).boxes) == whole
    assert len(boxes(analysis).boxes) == folded


def test_dense_blocks_say_how_their_channels_grow() -> None:
    drawn = boxes(analyse(load_graph("torchvision/densenet121")))
    # Huang et al. 2017, table 1: 6, 12, 24, 16 layers of growth 32, halved between the blocks
    assert [(frame.times, frame.note) for frame in drawn.frames] == [
        (6, "96 to 256 channels"),
        (12, "160 to 512 channels"),
        (24, "288 to 1,024 channels"),
        (16, "544 to 1,024 channels"),
    ]


def test_frames_of_a_resnet() -> None:
    drawn = boxes(analyse(load_graph("resnet50")))
    assert [(frame.name, frame.times, frame.note) for frame in drawn.frames] == [
        ("conv2.2–3", 2, ""),
        ("conv3.2–4", 3, ""),
        ("conv4.2–6", 5, ""),
        ("conv5.2–3", 2, ""),
    ]
    first = drawn.frames[0]
    assert [box.words for box in drawn.boxes[first.first : first.last + 1]] == [
        ("conv K64 F1", "bn · relu"),
        ("conv K64 F3 P1", "bn · relu"),
        ("conv K256 F1", "bn"),
        ("add", "relu"),
    ]


def test_blocks_that_alternate_make_one_frame() -> None:
    """Swin's third stage: windows in place and shifted, in turn (Liu et al. 2021, table 7: 18 blocks in Swin-S)."""
    drawn = boxes(analyse(load_graph("torchvision/swin_s")))
    (frame,) = drawn.frames
    assert frame.times == 9
    words = [box.words[0] for box in drawn.boxes[frame.first : frame.last + 1]]
    assert [text for text in words if text.startswith("attention")] == [
        "attention 12 window 7 bias",
        "attention 12 window 7 shift 3 bias",
    ]


@pytest.mark.parametrize(
    ("name", "chain"),
    [("googlenet", True), ("resnet50", True), ("torchvision/densenet121", True), ("unet", False)],
)
def test_without_branches_a_network_is_a_chain_where_it_can_be(name: str, chain: bool) -> None:
    drawn = boxes(analyse(load_graph(name)), branches=False)
    assert all(len(box.inputs) == 1 for box in drawn.boxes[1:]) is chain


def test_modules_have_the_names_of_their_scopes() -> None:
    drawn = boxes(analyse(load_graph("googlenet")), branches=False)
    blocks = [box for box in drawn.boxes if box.kind == "block"]
    assert [box.name for box in blocks] == [
        f"inception{name}" for name in ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]
    ]
    assert blocks[0].words == ("inception3a", "6 conv · maxpool · concat")
    assert blocks[0].shape == (256, 28, 28)


def test_modules_under_far_connections_are_blocks() -> None:
    """A feature pyramid reads the ends of four stages; the residual blocks before them are blocks all the same."""
    drawn = boxes(analyse(load_graph("torchvision/resnet50_fpn")), branches=False)
    blocks = [box.name for box in drawn.boxes if box.kind == "block"]
    first = [
        f"body.layer{stage}.{place}" for stage in (1, 2, 3, 4) for place in (0, 1)
    ]  # 1 stands for its equals
    assert blocks == first


def test_a_network_that_is_one_module_is_no_block() -> None:
    assert len(boxes(analyse(load_graph("inception-module")), branches=False).boxes) == 9


def test_a_copy_that_something_else_reads_is_not_hidden(tmp_path) -> None:
    text = """
        input: [4, 9, 7]
        layers:
          - conv: {name: a, filters: 4, kernel: 3, padding: 1}
          - conv: {name: b, filters: 4, kernel: 3, padding: 1}
          - conv: {name: c, filters: 4, kernel: 3, padding: 1}
          - conv: {name: d, filters: 4, kernel: 3, padding: 1}
          - add: {from: [d, b]}
    """
    analysis = analysis_of(text, tmp_path)
    drawn = boxes(analysis)
    check(analysis, drawn)
    assert [(frame.name, frame.times) for frame in drawn.frames] == [("a–b", 2), ("c–d", 2)]


def test_another_number_of_channels_read_is_told(tmp_path) -> None:
    text = """
        input: [3, 9, 7]
        layers:
          - conv: {filters: 8, kernel: 3, padding: 1}
          - conv: {filters: 8, kernel: 3, padding: 1}
    """
    (frame,) = boxes(analysis_of(text, tmp_path)).frames
    assert (frame.times, frame.note) == (2, "from 3 channels")


def test_vectors_are_equal_in_full(tmp_path) -> None:
    """AlexNet's first two dense layers have 4,096 units each, and very different numbers of weights."""
    drawn = boxes(analyse(load_graph("alexnet")))
    assert drawn.frames == ()


def test_residual_blocks_without_a_scope(tmp_path) -> None:
    """Layers whose names tell nothing of blocks, as in many ONNX files: what is wired alike is framed."""
    block = """
          - conv: {{name: a{0}, filters: 8, kernel: 3, padding: 1}}
          - relu: {{name: r{0}}}
          - conv: {{name: b{0}, filters: 8, kernel: 3, padding: 1}}
          - add: {{name: s{0}, from: [b{0}, {1}]}}
    """
    text = "input: [8, 9, 7]\nlayers:\n  - conv: {name: s0, filters: 8, kernel: 1}"
    text += "".join(block.format(number, f"s{number - 1}").rstrip() for number in range(1, 6)).replace(
        "\n          ", "\n  "
    )
    analysis = analysis_of(text + "\n  - flatten\n  - dense: 5\n", tmp_path)
    drawn = boxes(analysis)
    check(analysis, drawn)
    assert [(frame.name, frame.first, frame.last, frame.times) for frame in drawn.frames] == [
        ("a1–s5", 2, 4, 5)
    ]
    assert len(drawn.boxes) == 2 + 3 + 2


def test_darknet(tmp_path) -> None:
    """Redmon & Farhadi 2018, table 1: 1, 2, 8, 8, 4 residual blocks."""
    drawn = boxes(analyse(load_graph("yolov3")))
    assert [frame.times for frame in drawn.frames][:4] == [2, 8, 8, 4]


def test_tensors_have_their_names() -> None:
    words = [box.words[0] for box in boxes(analyse(load_graph("torchvision/vit_b_16"))).boxes]
    assert [text for text in words if text.startswith("parameter")] == [
        "parameter class_token",
        "parameter pos_embedding",
    ]


def test_common_first_part_is_left_out(tmp_path) -> None:
    text = """
        input: [3, 9, 7]
        layers:
          - group:
              name: net
              layers:
                - conv: {name: a, filters: 8, kernel: 3}
                - conv: {name: b, filters: 5, kernel: 3}
    """
    drawn = boxes(analysis_of(text, tmp_path))
    assert drawn.prefix == "net."
    assert [box.name for box in drawn.boxes] == ["input", "a", "b"]


@pytest.mark.parametrize("scoped", [True, False])
def test_work_grows_with_the_layers(scoped: bool) -> None:
    """Four times the layers take about four times the steps, also where layers read what is far before them."""

    def steps(count: int) -> int:
        builder = Builder(single_input((2, 4, 3)), 100_000)
        value = -1
        sums = [-1]
        for place in range(count):
            scope = f"s.{place}" if scoped else ""
            dot = "." if scope else ""
            value = builder.add(f"{scope}{dot}conv{place}", CONV, (value,), scope=scope)
            value = builder.add(
                f"{scope}{dot}add{place}", ADD, (value, sums[place // 2 * (place % 2)]), scope=scope
            )
            sums.append(value)
        graph = Graph("long", builder.inputs, tuple(builder.nodes), (Output("end", value),))
        analysis = analyse(graph)
        lines = 0

        def trace(frame, event, argument):
            nonlocal lines
            lines += event == "line"
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            boxes(analysis)
        finally:
            sys.settrace(before)
        return lines

    assert steps(1_600) < 5 * steps(400)


@pytest.mark.parametrize(
    ("operator", "words"),
    [
        ("conv: {filters: 64, kernel: 3, stride: 2, padding: 1}", "conv K64 F3 S2 P1"),
        ("conv: {filters: 64, kernel: 1}", "conv K64 F1"),
        ("conv: {filters: 8, kernel: [1, 7], padding: [0, 3]}", "conv K8 F1×7 P0×3"),
        ("conv: {filters: 8, kernel: 2, padding: [[0, 1], [0, 1]]}", "conv K8 F2 P(0,1)×(0,1)"),
        ("conv: {filters: 8, kernel: 3, padding: [[0, 1], [2, 2]]}", "conv K8 F3 P(0,1)×2"),
        ("conv: {filters: 8, kernel: 3, padding: same}", "conv K8 F3 P same"),
        ("conv: {filters: 8, kernel: 3, dilation: 2, groups: 4}", "conv K8 F3 D2 g4"),
        ("conv: {kernel: 3, depthwise: true}", "conv K16 F3 depthwise"),
        ("maxpool: {kernel: 3, stride: 2}", "maxpool F3 S2"),
        ("dense: {units: 10, axis: last}", "dense 10"),
        ("upsample: 2", "upsample 2"),
        ("groupnorm: 4", "gn 4"),
        ("unknown: {op: Einsum, shape: [3, 4]}", "Einsum"),
        ("transpose: [1, 2, 0]", "transpose 1,2,0"),
        ("flatten", "flatten"),
        ("slice: {start: 1, stop: 9, step: 2, axis: 1}", "slice 1:9:2 axis 1"),
        ("slice: {start: 3}", "slice 3:16"),
    ],
)
def test_words(operator: str, words: str, tmp_path) -> None:
    analysis = analysis_of(f"input: [16, 20, 22]\nlayers:\n  - {operator}\n", tmp_path)
    assert first_line(analysis.graph.nodes[0].op) == words
    assert boxes(analysis).boxes[1].words[0] == words


def test_names_are_distinct(tmp_path) -> None:
    """A block whose layers are apart is two boxes; a layer may be called as an input, once the prefix is left out."""
    text = """
        input: [3, 9, 7]
        layers:
          - group:
              name: net
              layers:
                - group: {name: a, layers: [{conv: {name: x, filters: 8, kernel: 3}}]}
                - conv: {name: b, filters: 8, kernel: 3}
    """
    analysis = analysis_of(text, tmp_path)
    nodes = analysis.graph.nodes
    renamed = [
        dataclasses.replace(nodes[0], name="net.a.x"),
        dataclasses.replace(nodes[1], name="net.input"),
    ]
    graph = dataclasses.replace(analysis.graph, nodes=tuple(renamed))
    assert [box.name for box in boxes(analyse(graph)).boxes] == ["input", "a.x", "input (2)"]
