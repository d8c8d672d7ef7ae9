"""Which picture a layer's output is, how many sheets, and what stands over them."""

from __future__ import annotations

import io
from array import array
from math import nan

import pytest
from PIL import Image

from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.ops import Tensor
from convcalc.report.forward_maps import LayerMaps, grey_levels, kernel_sheets, layer_maps, map_sheets
from convcalc.shapes import Shape


@pytest.fixture(scope="module")
def graph() -> Graph:
    return load_graph("lenet5")


@pytest.mark.parametrize(
    ("shape", "maps"),
    [
        ((96, 55, 54), (96, 1, 55, 54)),
        ((10,), (10, 1, 1, 1)),
        ((512, 1, 1), (512, 1, 1, 1)),
        ((1, 1, 40), (40, 1, 1, 1)),
        ((32, 700), (32, 1, 1, 700)),
        ((197, 768), (197, 1, 1, 768)),
        ((32, 1, 700), (32, 1, 1, 700)),
        ((1, 7, 5), (1, 1, 7, 5)),
        ((16, 8, 28, 27), (16, 8, 28, 27)),
        ((16, 2, 3, 28, 27), (16, 6, 28, 27)),
        ((16, 1, 28, 27), (16, 1, 28, 27)),
    ],
)
def test_how_each_shape_is_drawn(shape: Shape, maps: tuple[int, ...]) -> None:
    assert layer_maps(shape) == LayerMaps(*maps)


def sheets(graph: Graph, shape: Shape, values: list[float]) -> list[Image.Image]:
    tensor = Tensor(shape, array("f", values))
    return [
        Image.open(io.BytesIO(data)) for data in map_sheets(graph, graph.nodes[0], "conv1", tensor, "a.png")
    ]


@pytest.mark.parametrize(("maps", "count"), [(4096, 1), (4097, 2), (8193, 3)])
def test_over_4096_maps_make_several_sheets(graph: Graph, maps: int, count: int) -> None:
    found = sheets(graph, (maps, 2, 3), [float(place % 7) for place in range(6 * maps)])
    assert len(found) == count
    vector = sheets(graph, (maps,), [float(place % 7) for place in range(maps)])
    assert len(vector) == count


def test_the_heading_says_what_it_is(graph: Graph) -> None:
    (sheet,) = sheets(graph, (6, 9, 7), [float(place) for place in range(378)])
    assert sheet.info["Title"] == "conv1   6 maps of 9×7"
    (sheet,) = sheets(graph, (5, 9), [float(place) for place in range(45)])
    assert sheet.info["Title"] == "conv1   5 rows of 9"


@pytest.mark.parametrize("shape", [(6, 9, 7), (378,), (18, 21), (3, 2, 7, 9)])
@pytest.mark.parametrize("number", [nan, float("inf"), 0.0, -3.5])
def test_every_value_the_same_is_drawn(graph: Graph, shape: Shape, number: float) -> None:
    (sheet,) = sheets(graph, shape, [number] * 378)
    assert sheet.width >= 600


def test_one_scale_for_all_maps(graph: Graph) -> None:
    """A map of 0 to 1 beside one of 0 to 100 stays dark."""
    (sheet,) = sheets(
        graph,
        (2, 1, 3, 4),
        [place / 11 for place in range(12)] + [100.0 * (place > 0) for place in range(12)],
    )
    colours = {colour: count for count, colour in sheet.getcolors(1 << 24)}
    assert colours[(3, 3, 3)] > 100  # 1 of 100 is 2.55 of 255


def test_many_values_keep_their_contrast() -> None:
    """One value of a million among 20,000 between 0 and 1 leaves them black and white; few values are taken whole."""
    values = [place % 1000 / 999 for place in range(20_000)] + [1e6]
    levels = grey_levels(values, 0.0, 1e6)
    assert 0 <= levels.low <= 0.01
    assert 0.99 <= levels.high <= 1
    assert grey_levels(values[-100:], 0.0, 1e6) == (0.0, 1e6)
    assert grey_levels([0.0] * 20_000 + [5.0], 0.0, 5.0) == (0.0, 5.0)


def kernels(text: str, weights: list[float], tmp_path) -> Image.Image:
    path = tmp_path / "net.yaml"
    path.write_text(text)
    graph = load_graph(str(path))
    node = next(node for node in graph if node.kind == "conv")
    (data,) = kernel_sheets(graph, node, weights, "random weights")
    return Image.open(io.BytesIO(data))


def test_three_channels_are_red_green_and_blue(tmp_path) -> None:
    """One filter of 3×1×2: its first pixel +2 in red and −2 in blue, its second +1 in green. 2 is the whole scale, so
    the pixels are (255, 128, 0) and (128, 191, 128)."""
    sheet = kernels(
        "input: [3, 5, 4]\nlayers: [conv: {filters: 1, kernel: [1, 2], bias: false}]\n",
        [2.0, 0.0, 0.0, 1.0, -2.0, 0.0],
        tmp_path,
    )
    colours = {colour: count for count, colour in sheet.getcolors(1 << 24)}
    assert colours[(255, 128, 0)] == colours[(128, 191, 128)] > 10_000


def test_other_channels_are_grey_side_by_side(tmp_path) -> None:
    """Two filters of 2×1×1, each on its own scale."""
    sheet = kernels(
        "input: [2, 5, 4]\nlayers: [conv: {filters: 2, kernel: 1, bias: false}]\n",
        [4.0, -2.0, 0.1, 0.05],
        tmp_path,
    )
    colours = {colour: count for count, colour in sheet.getcolors(1 << 24)}
    white, quarter, three_quarters = (colours[(level,) * 3] for level in (255, 64, 191))
    assert quarter == three_quarters > 1000
    assert white > 2 * quarter  # 4.0, 0.1, and the paper


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("input: [3, 9, 8, 7]\nlayers: [conv: {filters: 5, kernel: [4, 3, 2], bias: false}]\n", 360),
        ("input: [3, 50]\nlayers: [conv: {filters: 5, kernel: 7, bias: false}]\n", 105),
        ("input: [1, 50]\nlayers: [conv: {filters: 5, kernel: 7, bias: false}]\n", 35),
        ("input: [1, 9, 8]\nlayers: [conv: {filters: 7, kernel: [3, 2], bias: false}]\n", 42),
        ("input: [6, 9, 8]\nlayers: [conv: {depthwise: true, kernel: 1, bias: false}]\n", 6),
    ],
)
def test_kernels_of_every_rank(tmp_path, text: str, count: int) -> None:
    assert kernels(text, [place / count - 0.4 for place in range(count)], tmp_path).width > 600
