"""Volumes: lengths worked by hand, windows to the pixel, and nothing on top of anything in every bundled chain."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from pathlib import Path
from types import ModuleType

import pytest

from convcalc.errors import UsageError
from convcalc.render.drawing import lettering, maps, volumes
from convcalc.render.drawing.banks import COMPACT, SLIDE
from convcalc.render.drawing.chain import chain, window
from convcalc.render.drawing.measure import faults
from convcalc.render.drawing.scales import Scale, scale
from convcalc.render.drawing.scene import Placed, Polygon, Scene, Text
from convcalc.render.layout import cells
from tests.render.drawing.chains import bundled, is_drawn, names, written


@pytest.mark.parametrize(
    ("pixels", "side"), [(224, 180), (112, 127), (56, 90), (28, 64), (14, 45), (7, 32), (1, 12)]
)
def test_sides_are_drawn_by_the_square_root(pixels: int, side: int) -> None:
    """180·√(n/224), rounded."""
    assert round(scale(chain(bundled("vgg16"), "volumes")).side(pixels)) == side


@pytest.mark.parametrize(
    ("channels", "depth"), [(3, 3), (64, 12), (96, 15), (256, 25), (512, 35), (1024, 50)]
)
def test_depth_is_drawn_by_the_square_root_of_the_channels(channels: int, depth: int) -> None:
    """1.55·√C, at least 3, rounded."""
    assert round(scale(chain(bundled("vgg16"), "volumes")).depth(channels)) == depth


@pytest.mark.parametrize(("units", "height"), [(4096, 147), (1000, 73), (10, 10)])
def test_bars_are_drawn_by_the_square_root_of_the_units(units: int, height: int) -> None:
    """2.3·√n, at least 10, rounded."""
    assert round(scale(chain(bundled("vgg16"), "volumes")).height(units)) == height


def test_the_logarithm_keeps_the_largest_side_and_brings_small_ones_closer() -> None:
    """180·ln(8)/ln(225) = 69.1 for 7 pixels of 224."""
    lengths = Scale("log", 224, 2.3)
    assert lengths.side(224) == pytest.approx(180)
    assert lengths.side(7) == pytest.approx(69.1, abs=0.05)


def body(scene: Scene, name: str) -> Placed:
    return next(box for box in scene.boxes if box.name == name)


def test_the_sizes_of_alexnets_first_volume() -> None:
    """96×55×55 of 227: side 180·√(55/227) = 88.60, depth 1.55·√96 = 15.19. The width recedes by 0.42 across and 0.24
    up: 37.21 + 15.19 across, 88.60 + 21.26 down."""
    conv1 = body(volumes.draw(bundled("alexnet")), "conv1")
    assert conv1.right - conv1.left == pytest.approx(0.42 * 88.603 + 15.187, abs=0.01)
    assert conv1.bottom - conv1.top == pytest.approx(1.24 * 88.603, abs=0.01)


def test_alexnets_first_window_is_true_to_scale() -> None:
    """11 of 227 pixels: 11/227·180 = 8.72 high on the input's face, and 0.42 of that across. The unit is enlarged to
    4.4."""
    scene = volumes.draw(bundled("alexnet"))
    accents = [item for item in scene.items if isinstance(item, Polygon) and item.fill == "accent"]
    (left, top), (right, _), _, (_, bottom) = accents[0].points
    assert bottom - top == pytest.approx(11 / 227 * 180)
    assert right - left == pytest.approx(0.42 * 11 / 227 * 180)
    (left, top), (right, _), _, (_, bottom) = accents[1].points
    assert bottom - top == pytest.approx(4.4)
    assert right - left == pytest.approx(0.42 * 4.4)


def test_windows_lie_on_the_face_of_what_the_convolution_reads() -> None:
    scene = volumes.draw(bundled("alexnet"))
    accents = [item for item in scene.items if isinstance(item, Polygon) and item.fill == "accent"]
    reads = [("input", "conv1"), ("maxpool1", "conv2"), ("maxpool2", "conv3"), ("conv3", "conv4")]
    for (source, target), pair in zip(reads, zip(accents[::2], accents[1::2], strict=True), strict=False):
        for name, polygon in zip((source, target), pair, strict=True):
            box = body(scene, name)
            for x, y in polygon.points:
                assert box.left <= x <= box.right
                assert box.top <= y <= box.bottom


def test_the_share_of_a_window_counts_dilation_and_each_axis(tmp_path: Path) -> None:
    """A 3×5 kernel with gaps of 2 and 1 spans 5 rows of 40 and 5 columns of 25."""
    spec = (
        "name: n\ninput: {channels: 2, height: 40, width: 25}\nlayers:\n"
        "  - conv: {filters: 7, kernel: [3, 5], dilation: [2, 1]}\n"
    )
    part = chain(written(spec, tmp_path), "volumes").parts[1]
    assert window(part) == (5 / 40, 5 / 25)


def test_maps_that_are_not_square_recede_by_their_width(tmp_path: Path) -> None:
    """20 rows of 80 columns: the height is 180·√(20/80) = 90, the width 180."""
    spec = (
        "name: n\ninput: {channels: 2, height: 20, width: 80}\nlayers:\n  - conv: {filters: 7, kernel: 3}\n"
    )
    box = body(volumes.draw(written(spec, tmp_path)), "input")
    assert box.bottom - box.top == pytest.approx(90 + 0.24 * 180)
    assert box.right - box.left == pytest.approx(0.42 * 180 + 3)


def test_equal_neighbours_are_slabs_under_one_label() -> None:
    """VGG-16's figure: 2, 2, 3, 3 and 3 convolutions. Three slabs of 56×56×256 are 3·24.8 + 2·4 deep."""
    network = chain(bundled("vgg16"), "volumes")
    counted = [part.times for part in network.parts if part.kind == "conv"]
    assert counted == [2, 2, 3, 3, 3]
    box = body(volumes.draw(bundled("vgg16")), "conv3_1")
    assert box.right - box.left == pytest.approx(0.42 * 90 + 3 * 1.55 * 16 + 8)


def test_the_two_dense_layers_of_alexnet_stay_two_bars() -> None:
    parts = chain(bundled("alexnet"), "volumes").parts
    assert [part.shape for part in parts if part.form == "bar"] == [(4096,), (4096,), (1000,)]
    assert [part.form for part in parts if part.title == "flatten"] == ["arrow"]


@pytest.mark.parametrize(("sizes", "text"), [("chw", "96×55×55"), ("hwc", "55×55×96")])
def test_sizes_are_written_channels_first_or_last(sizes: lettering.Sizes, text: str) -> None:
    texts = {
        item.text for item in volumes.draw(bundled("alexnet"), sizes=sizes).items if isinstance(item, Text)
    }
    assert text in texts


@pytest.mark.parametrize("name", names())
def test_nothing_lies_on_anything_in_any_bundled_chain(name: str) -> None:
    """Nor leaves the page, on which text is at least 6 pt when it is made for print 8 cm (226.8 pt) wide."""
    if not is_drawn(name):
        return  # the next test has how many
    for compact, look in ((False, SLIDE), (True, COMPACT)):
        scene = volumes.draw(bundled(name), compact=compact)
        assert faults(scene).clean, faults(scene)
        assert faults(scene).crossings == []
        assert scene.width <= look.room
        assert_no_text_on_solids(scene)
    smallest = min(item.size for item in scene.items if isinstance(item, Text))
    assert 226.8 * smallest / scene.width >= 6


def test_most_bundled_networks_are_drawn_as_volumes() -> None:
    """Of the others are those with several inputs or outputs, skips over everything, and tokens."""
    refused = {name for name in names() if not is_drawn(name)}
    assert {"siamese", "wavenet", "ssd300_vgg16", "torchvision/vit_b_16", "yolov3"} <= refused
    assert len(refused) < len(names()) / 2


def assert_no_text_on_solids(scene: Scene) -> None:
    """No label lies on a volume: all are above or below."""
    texts = [lettering.box(item) for item in scene.items if isinstance(item, Text)]
    for polygon in [item for item in scene.items if isinstance(item, Polygon)]:
        xs, ys = zip(*polygon.points, strict=True)
        for left, top, right, bottom in texts:
            across = min(right, max(xs)) - max(left, min(xs))
            down = min(bottom, max(ys)) - max(top, min(ys))
            assert across <= 0 or down <= 0, polygon


def test_alexnet_and_vgg16_fit_one_bank_and_mobilenet_takes_two() -> None:
    for name, banks in (("alexnet", 1), ("vgg16", 1), ("torchvision/mobilenet_v2", 2)):
        scene = volumes.draw(bundled(name))
        boxes = [box for box in scene.boxes if box.bottom - box.top > 8.1]
        assert len({round((box.top + box.bottom) / 2, 3) for box in boxes}) == banks, name


def test_every_edge_of_the_chain_is_in_the_scene() -> None:
    for name in ("vgg16", "torchvision/mobilenet_v2"):
        scene = volumes.draw(bundled(name))
        drawn = [box.name for box in scene.boxes]
        assert [(edge.source, edge.target) for edge in scene.edges] == list(pairwise(drawn))


def test_a_deconvolution_has_the_window_on_its_output() -> None:
    """The second deconvolution of DCGAN: 5 of 8 pixels of its output come from one of its input."""
    scene = volumes.draw(bundled("dcgan-generator"))
    accents = [item for item in scene.items if isinstance(item, Polygon) and item.fill == "accent"]
    target = body(scene, "3")  # without main., which all names begin with
    side = 180 * sqrt(8 / 64)
    (_, top), _, _, (_, bottom) = accents[3].points
    assert bottom - top == pytest.approx(5 / 8 * side)
    assert all(target.left <= x <= target.right for x, _ in accents[3].points)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("siamese", "siamese has 2 inputs"),
        ("wavenet", "beside the longest path, total48 branches or joins"),
        ("torchvision/fcos_resnet50_fpn", "torchvision/fcos_resnet50_fpn has 15 outputs"),
        ("yolov3-tiny", "yolov3-tiny has 2 outputs"),
        ("torchvision/vit_b_32", "computes on tokens"),
        ("mlp-mixer-b16", "computes on tokens"),
        ("ssd300_vgg16", ""),
    ],
)
def test_what_is_no_chain_of_maps_is_refused(name: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        volumes.draw(bundled(name))
    assert why in caught.value.message
    assert caught.value.hint == "use --style graph"


def test_skips_run_below_the_volumes_nested() -> None:
    """U-Net in one bank: four lanes, the first skip below all others."""
    scene = volumes.draw(bundled("unet"), wrap=False)
    assert faults(scene).clean, faults(scene)
    assert faults(scene).crossings == []
    lanes = [edge for edge in scene.edges if edge.target.endswith(".copy")]
    assert [(edge.source, edge.target) for edge in lanes] == [
        ("down0.conv2", "level0.copy"),
        ("down1.conv2", "level1.copy"),
        ("down2.conv2", "level2.copy"),
        ("down3.conv2", "level3.copy"),
    ]
    heights = [max(y for _, y in edge.points) for edge in lanes]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 4
    lowest = max(box.bottom for box in scene.boxes if not box.name.endswith(".copy"))
    assert heights[0] > lowest


def test_a_skip_between_two_banks_has_the_same_letter_at_both_ends() -> None:
    """FCN-8s, from pool3 and pool4 of its first bank."""
    scene = volumes.draw(bundled("fcn8s"))
    texts = [item.text for item in scene.items if isinstance(item, Text)]
    assert [text for text in texts if len(text) == 1] == ["a", "a", "b", "b"]
    caption = " ".join(texts)
    assert "Lines with the same letter are one (a: conv K21 F1 · crop, b: conv K21 F1 · crop)." in caption


def test_a_run_ends_where_a_skip_begins(tmp_path: Path) -> None:
    """Three equal convolutions, the second of which is added to what follows the third."""
    spec = (
        "name: n\ninput: {channels: 5, height: 12, width: 10}\nlayers:\n"
        "  - conv: {name: a, filters: 5, kernel: 3, padding: 1}\n"
        "  - conv: {name: b, filters: 5, kernel: 3, padding: 1}\n"
        "  - conv: {name: c, filters: 5, kernel: 3, padding: 1}\n"
        "  - add: {from: [b, c]}\n"
        "  - conv: {name: d, filters: 3, kernel: 2}\n"
    )
    network = chain(written(spec, tmp_path, branches=True), "volumes")
    assert [part.times for part in network.parts] == [1, 2, 1, 1, 1]
    assert [(arc.first, arc.last) for arc in network.arcs] == [(1, 3)]


def test_marks_are_written_and_coloured() -> None:
    scene = volumes.draw(bundled("alexnet"), marks={1: "changed", 2: "same", 3: "added"})
    texts = [item.text for item in scene.items if isinstance(item, Text)]
    assert [word for word in texts if word in ("changed", "added", "same")] == ["changed", "added"]
    fills = [item.fill for item in scene.items if isinstance(item, Polygon)]
    assert "changed:face" in fills
    assert "added:front" in fills


def test_colours_of_numbers_shade_the_three_sides() -> None:
    """0.0 is #f1f4f8; a seventh of black is taken for the front: 0.86·f1 = cf."""
    scene = volumes.draw(bundled("alexnet"), colours={1: "ramp:0.0"})
    assert "#cfd2d5" in [item.fill for item in scene.items if isinstance(item, Polygon)]


@pytest.mark.parametrize(
    "name", ["x" * 10_000, "</script><b>", "\u202eabc\u202c", 'a "b" \\c', "a\x1b[31mb\nc"], ids=range(5)
)
def test_hostile_names_are_cut_and_change_nothing(name: str) -> None:
    boxes = bundled("alexnet")._replace(title=name)
    scene = volumes.draw(boxes)
    assert faults(scene).clean
    assert all(item.text.isprintable() for item in scene.items if isinstance(item, Text))
    assert scene.width == volumes.draw(bundled("alexnet")).width


@pytest.mark.parametrize("style", [volumes, maps])
def test_hostile_names_of_layers_are_cut_in_labels(style: ModuleType) -> None:
    boxes = bundled("alexnet")
    evil = [
        box._replace(name="e" * 10_000 + str(box.key), words=("\u202e" + "w" * 10_000, "</script>\x00" * 900))
        for box in boxes.boxes
    ]
    scene = style.draw(boxes._replace(boxes=tuple(evil)))
    assert faults(scene).clean
    assert all(len(box.label) < 400 for box in scene.boxes)
    assert all(item.text.isprintable() for item in scene.items if isinstance(item, Text))
    lines = list(style.lines(boxes._replace(boxes=tuple(evil)), 80))
    assert max(sum(cells(span.text) for span in line) for line in lines) <= 80


def test_the_caption_says_what_is_not_drawn() -> None:
    caption = " ".join(item.text for item in volumes.draw(bundled("vgg16")).items if isinstance(item, Text))
    assert "Not drawn: relu, dropout and softmax." in caption


def test_swins_layers_with_channels_last_are_drawn_channels_first() -> None:
    """Liu et al. 2021, figure 3: stages of C to 8C channels on maps of a quarter to a thirty-second of the image."""
    network = chain(bundled("torchvision/swin_t"), "volumes")
    assert [part.shape for part in network.parts if part.kind == "block"] == [
        *[(96, 56, 56), (192, 28, 28), (192, 28, 28), (384, 14, 14), (384, 14, 14), (768, 7, 7), (768, 7, 7)],
    ]
    scene = volumes.draw(bundled("torchvision/swin_t"))
    caption = " ".join(item.text for item in scene.items if isinstance(item, Text))
    assert "Layers with channels last are written channels first." in caption


def test_a_transpose_of_rows_and_columns_is_refused(tmp_path: Path) -> None:
    spec = (
        "name: n\ninput: {channels: 5, height: 12, width: 10}\nlayers:\n"
        "  - conv: {filters: 4, kernel: 3}\n  - transpose: [0, 2, 1]\n  - conv: {filters: 3, kernel: 2}\n"
    )
    with pytest.raises(UsageError, match="from transpose1 on, n computes on other dimensions"):
        volumes.draw(written(spec, tmp_path))


def test_more_than_400_layers_in_a_row_are_refused() -> None:
    boxes = bundled("alexnet")
    first = boxes.boxes[1]
    many = [first._replace(key=key, inputs=(key - 1,)) for key in range(1, 500)]
    with pytest.raises(UsageError, match="up to 400 layers in a row, and there are 500") as caught:
        volumes.draw(boxes._replace(boxes=(boxes.boxes[0], *many), outputs=(("output", 499),)))
    assert caught.value.hint is not None
    assert "--depth" in caught.value.hint
