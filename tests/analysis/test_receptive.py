"""Receptive fields by formula against single units followed exactly (windows.py is held to brute force)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convcalc
from convcalc import ops
from convcalc.analysis.analyse import analyse
from convcalc.analysis.receptive import AxisField, Field, _walked, receptive_fields, reported, single, union
from convcalc.analysis.regions import unclipped
from convcalc.graph import INPUT, Builder, Graph, single_input
from convcalc.language.load import load_graph
from convcalc.ops._base import Reach


def field_of(tmp_path: Path, layers: str, size: str = "[1, 96, 90]"):
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: {size}\nlayers:\n{layers}")
    return convcalc.load(str(path)).layers[-1].receptive_field


def test_a_deconvolution_that_only_spreads(tmp_path: Path) -> None:
    # conv S2 F2: unit u sees 2u, 2u+1. deconv F2 S2: unit v reads ⌊v/2⌋, so it sees 2 pixels, one on per unit.
    layers = "  - conv: {K: 1, F: 2, S: 2}\n  - deconv: {K: 1, F: 2, S: 2}\n"
    assert field_of(tmp_path, layers) == ((2, 2), (1, 1), (0, 0), (2, 2))


def test_a_window_behind_a_deconvolution(tmp_path: Path) -> None:
    # the units above in pairs; a window of 3 reaches from one pair into the next: 2 pairs, 4 pixels, at every place;
    # with padding 1, unit 0 reads units −1 and so sees from pixel −2 on
    layers = "  - conv: {K: 1, F: 2, S: 2}\n  - deconv: {K: 1, F: 2, S: 2}\n  - conv: {K: 1, F: 3, P: 1}\n"
    assert field_of(tmp_path, layers) == ((4, 4), (1, 1), (-2, -2), (4, 4))


def test_units_that_see_different_sizes_report_the_largest(tmp_path: Path) -> None:
    # nearest upsampling by 2, then a window of 2: units 0|0, 0|1, 1|1, …: one pixel or two
    layers = "  - upsample: 2\n  - conv: {K: 1, F: 2}\n"
    assert field_of(tmp_path, layers) == ((2, 2), (Fraction(1, 2), Fraction(1, 2)), (0, 0), (1, 1))


@pytest.mark.parametrize(
    ("layer", "size", "stride"),
    [
        # units of a stride-2 window of 3 see 3 pixels; there are ⌊(96 − 3)/2⌋ + 1 = 47 rows of ⌊(90 − 3)/2⌋ + 1 = 44,
        # and all rows see 3 + 46·2 = 95 pixels, all columns 3 + 43·2 = 89
        ("groupnorm: 2", (95, 89), (0, 0)),
        ("instancenorm", (95, 89), (0, 0)),
        ("layernorm: [1, 2]", (95, 89), (0, 0)),
        ("layernorm: channels", (3, 3), (2, 2)),
        ("rmsnorm: last", (3, 89), (2, 0)),
        ("l2norm: 1", (95, 3), (0, 2)),
        ("softmax: last", (3, 89), (2, 0)),
        ("softmax", (3, 3), (2, 2)),
        ("add: [[], [global_avgpool]]", (95, 89), (0, 0)),
        ("maximum: [[], [conv: {K: 1, F: 1}]]", (3, 3), (2, 2)),
    ],
)
def test_statistics_of_all_positions_see_all_of_them(
    tmp_path: Path, layer: str, size: tuple[int, int], stride: tuple[int, int]
) -> None:
    """A normalisation stands in the row of the layer before it, and sees what its statistics are of."""
    field = field_of(tmp_path, f"  - conv: {{K: 4, F: 3, S: 2}}\n  - {layer}\n")
    assert field == (size, stride, (0, 0), size)


UNET = """name: unet
input: {channels: 1, height: 256, width: 256}
defaults: {conv: {filters: 1, kernel: 3, padding: 1}, deconv: {filters: 1, kernel: 2, stride: 2}}
layers:
  - foreach:
      in: [1, 2, 3, 4]
      as: level
      layers:
        - group: {name: down$level, layers: [conv, conv]}
        - maxpool: {kernel: 2, stride: 2}
  - group: {name: bottom, layers: [conv, conv]}
  - foreach:
      in: [4, 3, 2, 1]
      as: level
      layers:
        - deconv: {name: up$level}
        - concat: {from: [down$level, up$level]}
        - group: {name: merge$level, layers: [conv, conv]}
"""


def test_a_unets_fields_from_the_narrowest_unit_to_the_widest(tmp_path: Path) -> None:
    """Of the units in the middle, the pixels at which PyTorch 2.14 has gradients (Ronneberger et al. 2015, figure 1,
    padded; weights above 0, average pools)."""
    path = tmp_path / "unet.yaml"
    path.write_text(UNET, encoding="utf-8")
    fields = {layer.name: layer.receptive_field for layer in convcalc.load(path).layers}
    expected = {
        "up4": (140, 140), "merge4.conv1": (156, 156), "merge4.conv2": (172, 172), "up3": (172, 172),
        "merge3.conv1": (172, 188), "merge3.conv2": (188, 188), "up2": (188, 188), "merge2.conv1": (188, 204),
        "merge2.conv2": (188, 204), "up1": (188, 204), "merge1.conv1": (188, 204), "merge1.conv2": (188, 204),
    }  # fmt: skip
    for name, (smallest, size) in expected.items():
        field = fields[name]
        assert field is not None
        assert (field.smallest, field.size) == ((smallest, smallest), (size, size)), name
        assert field.varies == (smallest < size)


def test_back_on_the_grid_the_period_is_gone() -> None:
    field = Field((0,), (4,), 2, 1)
    up = _walked(field, Reach(1, Fraction(1), Fraction(1, 2), Fraction(-1, 2)))  # deconv F2 S2
    assert (up.period, up.step) == (2, 2)
    down = _walked(up, Reach(1, 2, 2, 0))
    assert down == Field((0,), (4,), 2, 1)


@st.composite
def chains(draw: st.DrawFn) -> list[Reach]:
    """Windows and deconvolutions on one axis, as the operators describe their reach."""
    walks = []
    for _ in range(draw(st.integers(1, 5))):
        kernel, stride = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        before = draw(st.integers(0, 2))
        choice = draw(st.sampled_from(["window", "backwards", "deconvolution", "attention"]))
        if choice == "window":
            walks.append(Reach(1, kernel, stride, -before))
        elif choice == "backwards":
            walks.append(Reach(1, kernel, -stride, -before))
        elif choice == "attention":
            walks.append(Reach(1, kernel, block=kernel, phase=before % kernel))
        else:  # output v reads the units u with v + before − kernel < u·stride ≤ v + before
            size = Fraction(max(kernel, stride), stride)
            walks.append(
                Reach(1, size, Fraction(1, stride), Fraction(before - max(kernel, stride) + 1, stride))
            )
    return walks


@given(chains(), st.integers(0, 40))
def test_every_unit_is_followed_exactly(walks: list[Reach], unit: int) -> None:
    field = behind(walks)
    seen = {unit}
    for walk in reversed(walks):
        bounds = [
            (leader * walk.stride + walk.start, leader * walk.stride + walk.start + walk.size)
            for leader in map(walk.leader, seen)
        ]
        seen = {read for low, high in bounds for read in range(ceil(low), ceil(high))}
    assert (field.first(unit), field.last(unit)) == (min(seen), max(seen))
    assert max(seen) - min(seen) + 1 <= field.size


def behind(walks: list[Reach]) -> Field:
    field = Field((0,), (0,), 1, 1)
    for walk in walks:
        after = _walked(field, walk)
        assert after is not None
        field = after
    return field


def hull(track: AxisField, unit: Sequence[int]) -> tuple[int, int]:
    """The first and last pixel a unit sees, given by its place on each dimension."""
    places = [0 if field.output_axis is None else unit[field.output_axis] for field in track]
    return (
        min(field.first(place) for field, place in zip(track, places, strict=True)),
        max(field.last(place) for field, place in zip(track, places, strict=True)),
    )


@given(chains(), chains(), st.integers(0, 30))
def test_a_union_covers_its_branches(one: list[Reach], two: list[Reach], unit: int) -> None:
    fields = [behind(one), behind(two)]
    joined = union([(field,) for field in fields])
    first, last = min(field.first(unit) for field in fields), max(field.last(unit) for field in fields)
    assert hull(joined, (0, unit)) == (first, last)
    told = single(joined, 50, (1, unit + 1))
    if fields[0].stride == fields[1].stride:
        assert told is not None
        assert (told.first(unit), told.last(unit)) == (first, last)
    else:
        assert told is None


def net_of(tmp_path: Path, layers: str, size: str):
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: {size}\nlayers:\n{layers}")
    return analyse(load_graph(str(path)))


def test_branches_of_different_strides_have_no_field_in_common(tmp_path: Path) -> None:
    # 17 pixels, 9 units: K1 S2 sees pixel 2u, K9 S1 u…u + 8; unit 0 sees 0…8, unit 7 7…15, unit 8 8…16
    net = net_of(
        tmp_path, "  - add: [[{conv: {K: 1, F: 1, S: 2}}], [{conv: {K: 1, F: 9}}]]\n  - relu\n", "[1, 17]"
    )
    assert [layer.receptive_field for layer in net.layers[-2:]] == [None, None]
    assert [hull(net.tracks[INPUT][-1][0], (0, unit)) for unit in (0, 7, 8)] == [(0, 8), (7, 15), (8, 16)]
    (warning,) = net.warnings
    assert "add1: the receptive fields of its branches differ in stride" in warning


def test_fractions_of_a_pixel_are_strides_that_differ_too(tmp_path: Path) -> None:
    # 12 pixels upsampled by 4, and 24 padded ones upsampled by 2: 48 units, ¼ and ½ of a pixel apart
    layers = "  - add: [[upsample: 4], [{pad: {padding: [[6, 6]]}}, {upsample: 2}]]\n"
    net = net_of(tmp_path, layers, "[1, 12]")
    assert net.layers[-1].receptive_field is None
    # unit 20 sees pixel 20//4 = 5 and padded pixel 20//2 = 10, pixel 4 of the image; unit 47 pixels 11 and 23 − 6
    assert [hull(net.tracks[INPUT][-1][0], (0, unit)) for unit in (20, 47)] == [(4, 5), (11, 17)]
    assert "differ in stride" in net.warnings[0]


def test_what_reads_all_units_of_such_a_join_has_a_field_again(tmp_path: Path) -> None:
    layers = "  - add: [[{conv: {K: 1, F: 1, S: 2}}], [{conv: {K: 1, F: 9}}]]\n  - global_avgpool\n"
    net = net_of(tmp_path, layers, "[1, 17]")
    assert net.layers[-1].receptive_field == ((17,), (0,), (0,), (17,))
    assert len(net.warnings) == 1


def test_branches_turned_against_each_other_have_no_field_in_common(tmp_path: Path) -> None:
    layers = "  - add: [[identity], [{transpose: [0, 2, 1]}]]\n"
    net = net_of(tmp_path, layers, "[2, 7, 7]")
    assert net.layers[-1].receptive_field is None
    # unit (1, 4) sees pixels (1, 4) and (4, 1): rows 1…4 and columns 1…4
    assert [hull(track, (0, 1, 4)) for track in net.tracks[INPUT][-1]] == [(1, 4), (1, 4)]
    assert "move along different axes" in net.warnings[0]


def test_units_that_stand_beside_one_another_do_not_see_together(tmp_path: Path) -> None:
    # turned to 9 positions as channels, then one after the other: units 0…8 see branch 1, units 9…17 branch 2
    layers = "  - transpose: [1, 0]\n  - concat: [[identity], [relu]]\n"
    net = net_of(tmp_path, layers, "[2, 9]")
    assert net.layers[-1].receptive_field is None
    assert "beside one another" in net.warnings[0]


TRANSPOSED_CONCAT = """  - conv: {name: every, K: 2, F: 1, S: [1, 2]}
  - conv: {name: wide, from: input, K: 2, F: [1, 4]}
  - concat: {name: both, from: [every, wide]}
  - transpose: {name: turned, order: [1, 0, 2]}
  - transpose: {name: again, order: [0, 2, 1]}
  - conv: {name: padded, K: 6, F: [1, 2], P: [[1, 0], 0]}
"""


def test_a_concatenation_whose_dimension_becomes_a_position_is_not_taken_together(tmp_path: Path) -> None:
    """Of 6×6, channels 0 and 1 see column 2w, channels 2 and 3 columns w…w + 3. Turned twice, a unit of the add is one
    channel of the first input: unit (0, 0, 0) sees column 0 there, and by the padding of the other, which reads
    channels 0 and 1 of column −1, column −2. All channels together it would be −2…3."""
    layers = TRANSPOSED_CONCAT + "  - add: {name: sum, from: [turned, padded]}\n"
    net = net_of(tmp_path, layers, "[2, 6, 6]")
    rows, columns = net.tracks[INPUT][-1]
    assert unclipped(net.graph, len(net.graph.nodes) - 1, [(0, 0)] * 3) == ((0, 5), (-2, 0))
    assert hull((*rows,), (0, 0, 0)) == (0, 5)
    assert columns == ()
    assert net.layers[-1].receptive_field is None
    # before, no field moves along the channels of the concatenation: all together see −2…−2 and −1…2; rows are read all
    assert [hull(track, (0, 0, 0)) for track in net.tracks[INPUT][-2]] == [(0, 5), (-2, 2)]


def test_branches_of_one_stride_apart_along_another_axis_are_told(tmp_path: Path) -> None:
    # channels 0…2 see row r, channels 3…6 rows r…r + 2 of 9; turned, a unit of the add is one of the channels
    layers = (
        "  - conv: {name: narrow, K: 3, F: 1}\n  - conv: {name: wide, from: input, K: 4, F: 3, P: 1}\n"
        "  - concat: {name: both, from: [narrow, wide]}\n  - transpose: {name: turned, order: [1, 0, 2]}\n"
        "  - conv: {name: square, from: input, K: 7, F: 1}\n  - slice: {axis: 1, stop: 7}\n"
        "  - slice: {name: part, axis: 2, stop: 7}\n  - slice: {name: left, from: turned, axis: 2, stop: 7}\n"
        "  - slice: {name: top, from: left, axis: 0, stop: 7}\n"
        "  - add: {name: sum, from: [top, part]}\n"
    )
    net = net_of(tmp_path, layers, "[2, 9, 8]")
    assert net.layers[-2].receptive_field is not None
    assert net.layers[-1].receptive_field is None
    assert any(
        "stand beside one another along an axis that another branch moves on" in text for text in net.warnings
    )


def test_more_windows_than_are_followed_are_not_guessed(tmp_path: Path) -> None:
    # 2,000 units see one pixel each, then windows of 3: units 1,998 and 1,999 see two pixels, and every 2,000 again
    net = net_of(tmp_path, "  - upsample: 2000\n  - conv: {K: 1, F: 3}\n  - relu\n", "[1, 3]")
    assert [layer.receptive_field for layer in net.layers] == [None] * 3
    assert net.warnings == (
        "upsample1: its units see more than 1,024 different windows, so no field is shown from here on",
    )
    fewer = net_of(tmp_path, "  - upsample: 1000\n  - conv: {K: 1, F: 3}\n", "[1, 3]")
    assert fewer.layers[-1].receptive_field == ((2,), (Fraction(1, 1000),), (0,), (1,))
    (track,) = fewer.tracks[INPUT][-1]
    assert [hull(track, (0, unit)) for unit in (997, 998, 999, 1000)] == [(0, 0), (0, 1), (0, 1), (1, 1)]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Windows, upsampling, transposes and joins; branches of equal size whose strides may differ."""
    shape = (2, draw(st.integers(6, 13)), draw(st.integers(6, 13)))
    builder = Builder(single_input(shape), 100)

    def add(kind: str, *inputs: int, **fields: Any) -> int:
        return builder.add(f"{kind}{len(builder.nodes)}", ops.get(kind)(**fields), inputs)

    def window(source: int) -> int:
        sizes = builder.shape(source)[1:]
        kernel = tuple(draw(st.integers(1, min(3, size))) for size in sizes)
        stride = tuple(draw(st.integers(1, 2)) for _ in sizes)
        padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
        return add("conv", source, filters=2, kernel=kernel, stride=stride, padding=padding)

    def fitted(source: int, sizes: Sequence[int]) -> int:
        """A convolution without stride to these sizes, or one with a kernel of 1 and padding."""
        own = builder.shape(source)[1:]
        kernel = tuple(max(1, before - after + 1) for before, after in zip(own, sizes, strict=True))
        padding = tuple((max(0, after - before), 0) for before, after in zip(own, sizes, strict=True))
        return add("conv", source, filters=builder.shape(last)[0], kernel=kernel, padding=padding)

    last = INPUT
    for _ in range(draw(st.integers(1, 5))):
        step = draw(st.sampled_from(["window", "upsample", "transpose", "join", "excite", "turned"]))
        start = last
        if step == "window":
            last = window(last)
        elif step == "upsample":
            last = add("upsample", last, scale=draw(st.integers(2, 3)))
        elif step == "transpose":
            last = add("transpose", last, order=tuple(draw(st.permutations(range(3)))))
        elif step == "join":
            last = window(last)
            other = fitted(start, builder.shape(last)[1:])
            last = add(draw(st.sampled_from(["add", "concat"])), last, other)
        elif step == "excite":
            last = add("multiply", last, add("global_avgpool", last))
        else:
            turned = add("transpose", last, order=(0, 2, 1))
            last = add("add", last, fitted(turned, builder.shape(last)[1:]))
    return Graph.of("net", shape, builder.nodes, last)


@settings(max_examples=300)
@given(graphs(), st.data())
def test_units_behind_joins_and_transposes_are_followed_exactly(graph: Graph, data: st.DataObject) -> None:
    """Every track says what windows.py finds, unit by unit; what is reported says it of each unit alone."""
    tracks, _ = receptive_fields(graph)
    for node in graph:
        walkers = {field.output_axis for track in tracks[node.index] for field in track}
        unit = [data.draw(st.integers(0, size - 1)) for size in node.output_shape]
        box = [
            (place, place) if dimension in walkers else (0, size - 1)
            for dimension, (place, size) in enumerate(zip(unit, node.output_shape, strict=True))
        ]
        window = unclipped(graph, node.index, box)
        if window is None or not all(tracks[node.index]):
            continue
        assert tuple(hull(track, unit) for track in tracks[node.index]) == window
        field = reported(tracks[node.index], graph.input_shape, node.output_shape)
        if field is None:
            continue
        for axis, (low, high) in enumerate(window):
            size = graph.input_shape[axis + 1]
            told = single(tracks[node.index][axis], size, node.output_shape)
            assert told is not None
            place = 0 if told.output_axis is None else unit[told.output_axis]
            assert (told.first(place), told.last(place)) == (low, high) or (
                told.output_axis is None
                and told.first(0) <= max(0, low)
                and told.last(0) >= min(size - 1, high)
            )
            assert told.last(place) - told.first(place) + 1 <= field.size[axis]
            if isinstance(field.stride[axis], int) and told.period == 1:
                assert told.first(place) == field.start[axis] + place * field.stride[axis]


def test_thousands_of_joins_are_one_pass(tmp_path: Path) -> None:
    """Every residual block of a window of 3 sees 2 pixels more, on both sides one: n of them 2n + 1."""
    layers = "  - add: [[], [{conv: {filters: 1, kernel: 3, padding: 1}}]]\n" * 3000
    net = net_of(tmp_path, layers, "[1, 4]")
    assert net.layers[-1].receptive_field == ((6001,), (1,), (-3000,), (6001,))
    assert net.warnings == ()


def test_periods_are_bounded() -> None:
    field = Field((0,), (0,), 1, 1)
    seventh = Reach(1, 1, Fraction(1, 7), 0)
    for _ in range(3):
        after = _walked(field, seventh)
        assert after is not None
        field = after
    assert (field.period, field.size) == (343, 1)
    assert _walked(field, seventh) is None  # 2,401 units
