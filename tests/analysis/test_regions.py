"""Which pixels a unit sees and which units a pixel reaches, against brute force: poke each pixel, see what moves.

The networks run in the operators' own plain Python with positive weights on positive numbers, so that whatever
reads a poked pixel moves. Every element of every layer is compared with every pixel of every channel.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.analysis.regions import count, hull, merged, reached, seen, simplified, spatial, unclipped
from convcalc.graph import INPUT
from convcalc.language.load import load_graph
from convcalc.ops._base import Tensor


def network(tmp_path, text, name="net"):
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"name: {name}\n{text}", encoding="utf-8")
    return load_graph(str(path))


def run(graph, values):
    """Every layer's values; all weights 1, biases 0, statistics 0 and 1."""
    outputs = {INPUT: Tensor(graph.input_shape, values)}
    for node in graph:
        weights = {
            p.name: [0 if p.role == "bias" or p.name == "running_mean" else 1] * prod(p.shape)
            for p in node.parameters
        }
        outputs[node.index] = node.op.forward([outputs[i] for i in node.inputs], weights)
    return outputs


def poked(graph):
    """Per pixel (channel first) and layer, the places of the elements that moved."""
    size = prod(graph.input_shape)
    plain = [Fraction(3 + (7 * i) % 11, 4) for i in range(size)]
    before = run(graph, plain)
    moved = {}
    for index, pixel in enumerate(product(*map(range, graph.input_shape))):
        values = list(plain)
        values[index] += 10**9
        after = run(graph, values)
        for node in graph:
            places = product(*map(range, node.output_shape))
            pairs = zip(places, before[node.index].values, after[node.index].values, strict=True)
            moved[pixel, node.index] = {place for place, old, new in pairs if old != new}
    return moved


def cell(place):
    """The region of one element."""
    return (tuple(((n, n),) for n in place),)


def members(region):
    """The places in a region."""
    places = set()
    for box in region:
        places |= set(product(*([n for low, high in spans for n in range(low, high + 1)] for spans in box)))
    return places


def check(graph, exact=True):
    moved = poked(graph)
    pixels = list(product(*map(range, graph.input_shape)))
    for pixel in pixels:
        for node, region in zip(graph, reached(graph, cell(pixel)), strict=True):
            found, truth = members(region), moved[pixel, node.index]
            assert truth <= found, (pixel, node.name)
            if exact:
                assert truth == found, (pixel, node.name)
            assert count(region) == len(found)
    for node in graph:
        for place in product(*map(range, node.output_shape)):
            region = seen(graph, node.index, cell(place)).get(INPUT, ())
            truth = {pixel for pixel in pixels if place in moved[pixel, node.index]}
            found = members(region)
            assert truth <= found, (place, node.name)
            if exact:
                assert truth == found, (place, node.name)
            assert count(spatial(region)) == len({pixel[1:] for pixel in found})
            window = unclipped(graph, node.index, [(n, n) for n in place])
            for pixel in truth:  # the window with its padding holds whatever is seen
                assert window is not None
                assert all(low <= p <= high for p, (low, high) in zip(pixel[1:], window, strict=True))


NETS = {
    "strides and uneven padding": """
input: [2, 7, 9]
layers:
  - conv: {filters: 2, kernel: [3, 2], stride: [2, 1], padding: [[1, 0], [0, 2]]}
  - relu
  - maxpool: {kernel: 2, stride: [1, 2], rounding: ceil}
  - conv: {filters: 1, kernel: 3, padding: 1}
""",
    "dilation": """
input: [1, 9, 8]
layers:
  - conv: {filters: 1, kernel: 3, dilation: [2, 3], padding: [1, 2]}
  - conv: {filters: 1, kernel: [2, 1], dilation: [3, 1], stride: [2, 1], padding: 1}
""",
    "branches": """
input: [2, 6, 7]
layers:
  - concat:
      name: both
      branches:
        - - conv: {filters: 1, kernel: 1}
        - - conv: {filters: 2, kernel: 1}
          - conv: {filters: 2, kernel: 3, padding: 1}
        - - maxpool: {kernel: 3, stride: 1, padding: [[0, 2], [2, 0]]}
  - add:
      branches:
        - - conv: {filters: 5, kernel: [1, 3], padding: [0, 1]}
        - - identity
  - slice: {start: 1, stop: 3}
  - conv: {filters: 1, kernel: 2, stride: 2}
""",
    "deconvolution": """
input: [1, 5, 4]
layers:
  - conv: {filters: 2, kernel: 3, stride: 2, padding: 1}
  - deconv: {filters: 1, kernel: [3, 2], stride: [2, 3], padding: [1, 0], output_padding: [1, 1]}
  - conv: {filters: 1, kernel: 2}
""",
    "dilated deconvolution with holes": """
input: [1, 4, 3]
layers:
  - deconv: {filters: 1, kernel: 2, stride: [3, 2], dilation: [2, 3]}
  - conv: {filters: 1, kernel: [2, 1]}
""",
    "a U": """
input: [1, 8, 6]
layers:
  - conv: {name: down, filters: 2, kernel: 3, padding: 1}
  - maxpool: 2
  - conv: {filters: 2, kernel: 3, padding: 1}
  - upsample: {name: up, scale: 2}
  - concat: {name: skip, from: [down, up]}
  - conv: {filters: 1, kernel: 1}
""",
    "squeeze and excitation": """
input: [2, 4, 5]
layers:
  - conv: {name: features, filters: 2, kernel: 2}
  - multiply:
      branches:
        - - identity
        - - global_avgpool
          - conv: {filters: 2, kernel: 1}
  - conv: {filters: 1, kernel: 2}
""",
    "flattened": """
input: [2, 5, 4]
layers:
  - conv: {filters: 2, kernel: 2, stride: [2, 1]}
  - flatten
  - reshape: [3, 4]
  - dense: {units: 2, axis: last}
  - transpose: [1, 0]
""",
    "pixels no window covers": """
input: [1, 10, 9]
layers:
  - conv: {filters: 1, kernel: 2, stride: 3}
  - conv: {filters: 1, kernel: 3, padding: 1}
  - adaptive_avgpool: 2
""",
    "one dimension": """
input: [1, 11]
layers:
  - conv: {filters: 1, kernel: 3, stride: 2, padding: 2}
  - upsample: {scale: 3, mode: bilinear}
  - pad: {padding: [[2, 1]]}
  - conv: {filters: 1, kernel: 4, stride: 3}
""",
    "margins that repeat": """
input: [2, 5, 4]
layers:
  - pad: {padding: [[3, 1], [0, 2]], mode: reflect, channels: [1, 0]}
  - conv: {filters: 2, kernel: [2, 3], stride: [2, 1]}
  - pad: {padding: [[2, 0], [1, 4]], mode: replicate}
  - pad: {padding: [[1, 0], [3, 2]], mode: circular}
""",
    "backwards and round": """
input: [3, 6, 5]
layers:
  - slice: {axis: 1, start: -1, step: -2}
  - roll: {shift: [1, -2], axis: [0, 2]}
  - conv: {filters: 2, kernel: 2, stride: [1, 2], padding: [[0, 1], [1, 0]]}
  - slice: {axis: 2, step: -1}
  - crop: {size: [2, 2], offset: [1, 0]}
  - maxpool: {kernel: [1, 2]}
""",
    "resampled": """
input: [1, 5, 7]
layers:
  - upsample: {size: [7, 4], mode: bilinear, align_corners: true}
  - conv: {filters: 1, kernel: [2, 1]}
  - upsample: {scale: [0.75, 1.5]}
  - reduce: {mode: sum, axis: 1}
""",
    "three dimensions": """
input: [1, 3, 4, 3]
layers:
  - conv: {filters: 1, kernel: [1, 2, 3], stride: [1, 2, 1], padding: [0, 1, 1]}
  - avgpool: {kernel: [2, 1, 2], stride: 1}
""",
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_against_poking_every_pixel(tmp_path, name):
    check(network(tmp_path, NETS[name]))


def test_a_shuffle_says_too_much_never_too_little(tmp_path):
    text = """
input: {channels: 4, height: 4, width: 3}
layers:
  - conv: {filters: 4, kernel: [3, 2], groups: 2, padding: [1, 0]}
  - channel_shuffle: 2
  - conv: {filters: 6, kernel: 1, groups: 2}
"""
    check(network(tmp_path, text), exact=False)


@pytest.mark.parametrize("shift", [[0, 0], [1, 2], [1, 0]])
def test_windows_of_attention_are_never_left(tmp_path, shift):
    """Every unit of a window reads the whole window; which of it moves the result, the scores decide."""
    text = f"""
input: [2, 6, 7]
layers:
  - conv: {{filters: 2, kernel: [2, 1]}}
  - attention: {{heads: 1, axis: channels, window: [2, 3], shift: {shift}}}
  - maxpool: {{kernel: 2, stride: [2, 1]}}
  - attention: {{heads: 2, axis: channels, window: [1, 4]}}
"""
    graph = network(tmp_path, text)
    check(graph, exact=False)
    rows = (1, 3) if shift[0] else (0, 2)  # of the image: the window's two rows, and one more that they read
    found = seen(graph, 1, cell((0, rows[0], 0)))[INPUT]
    assert hull(found)[1] == rows


small = st.integers(1, 3)


@st.composite
def windows(draw, kind):
    kernel = [draw(small), draw(small)]
    fields = {"kernel": kernel, "stride": [draw(small), draw(small)]}
    if kind != "deconv":
        limit = [1 if kind == "maxpool" and k < 3 else k - 1 for k in kernel]
        limit = [min(most, k - 1) for most, k in zip(limit, kernel, strict=True)]
        fields["padding"] = [[draw(st.integers(0, m)), draw(st.integers(0, m))] for m in limit]
        fields["rounding"] = draw(st.sampled_from(["floor", "ceil"]))
    if kind in ("conv", "deconv"):
        fields["dilation"] = [draw(st.integers(1, 2)), draw(st.integers(1, 2))]
        fields["filters"] = draw(st.integers(1, 2))
    return {kind: fields}


@settings(max_examples=60)
@given(data=st.data())
def test_random_chains(tmp_path_factory, data):
    layers = [
        data.draw(windows(data.draw(st.sampled_from(["conv", "maxpool", "deconv", "avgpool"]))))
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    shape = [1, data.draw(st.integers(3, 7)), data.draw(st.integers(3, 7))]
    lines = "".join(f"  - {layer}\n".replace("'", "") for layer in layers)
    try:
        graph = network(tmp_path_factory.mktemp("net"), f"input: {shape}\nlayers:\n{lines}")
    except Exception:
        return  # a window that does not fit
    if max(prod(node.output_shape) for node in graph) > 200:
        return
    check(graph)


def test_alexnet_by_hand():
    """Rows of conv5's unit 2: 2…4 of conv4's 7 = 2…6 of conv3's 9 = 2…8 of the pool's 11, and so on outwards."""
    graph = load_graph("alexnet")
    conv5 = next(node for node in graph if node.name == "conv5")
    unit = ((0, 255), (2, 2), (2, 2))
    found = seen(graph, conv5.index, (tuple((span,) for span in unit),))
    rows = {graph.input_name(i): hull(region)[1] for i, region in found.items()}
    assert rows["conv4"] == (2, 4)
    assert rows["conv3"] == (2, 6)
    assert rows["maxpool2"] == (2, 8)
    assert rows["conv2"] == (4, 18)
    assert rows["maxpool1"] == (4, 22)
    assert rows["conv1"] == (8, 46)
    assert rows["input"] == (32, 194)  # 163 pixels
    assert unclipped(graph, conv5.index, unit) == ((32, 194), (32, 194))


def test_the_padding_is_part_of_the_window():
    """vgg16's first unit: two 3×3 windows with padding 1 begin two pixels outside of the image."""
    graph = load_graph("vgg16")
    second = [node for node in graph if node.kind == "conv"][1]
    unit = ((0, 63), (0, 0), (0, 0))
    assert unclipped(graph, second.index, unit) == ((-2, 2), (-2, 2))
    assert hull(seen(graph, second.index, (tuple((s,) for s in unit),))[INPUT])[1:] == ((0, 2), (0, 2))


spans = st.lists(st.tuples(st.integers(-5, 9), st.integers(-5, 9)), max_size=5)
boxes = st.lists(st.tuples(spans.map(merged), spans.map(merged)), max_size=6)


@given(boxes)
def test_simplified_regions_hold_the_same(region):
    found = simplified(region)
    assert members(found) == members(region)
    assert count(found) == len(members(region))


def test_a_huge_axis_does_not_hang(tmp_path):
    text = """
input: [1, 1000000000]
layers:
  - conv: {filters: 1, kernel: 3, stride: 5}
  - conv: {filters: 1, kernel: 3, dilation: 4, stride: 3}
  - flatten
  - dense: 2
"""
    graph = network(tmp_path, text)
    region = seen(graph, 3, ((((0, 1),),),))[INPUT]
    assert hull(region)[1][1] < 10**9
    assert len(reached(graph, cell((0, 500_000_000)))) == 4


def test_a_unit_behind_thousands_of_joins_is_followed_in_one_pass(tmp_path):
    """Each window of 3 adds a pixel on both sides: 2·2000 + 1, of an image of 9."""
    layers = "  - add: [[], [{conv: {filters: 1, kernel: 3, padding: 1}}]]\n" * 2000
    graph = network(tmp_path, f"input: [1, 9]\nlayers:\n{layers}")
    assert unclipped(graph, len(graph) - 1, [(0, 0), (4, 4)]) == ((-1996, 2004),)
    assert hull(spatial(seen(graph, len(graph) - 1, cell((0, 4)))[INPUT])) == ((0, 8),)
