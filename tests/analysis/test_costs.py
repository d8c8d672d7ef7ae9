"""Accounts of cost against the lecture, hand calculations and counting pairs by brute force."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convcalc.analysis.analyse import analyse
from convcalc.analysis.costs import connections, cost, reductions, total
from convcalc.language.load import load_graph
from convcalc.layer.unroll import Unrolled


def single(tmp_path, layer, shape):
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\ninput: {list(shape)}\nlayers:\n  - {layer}\n", encoding="utf-8")
    return analyse(load_graph(str(path)))


def test_the_lectures_dense_matrix(tmp_path):
    """A 2×2 kernel on 4×4: 16·9 entries, 9·4 of them not zero, 4 different ones."""
    analysis = single(tmp_path, "conv: {filters: 1, kernel: 2}", (1, 4, 4))
    one = cost(analysis, analysis.graph.nodes[0])
    assert (one.dense, one.local, one.active, one.shared, one.per_output) == (144, 36, 36, 4, 4)


def test_padding_connects_to_nothing(tmp_path):
    """A 3×3 kernel with padding 1 on 4×4: 16 outputs of 9 weights; 3·4 − 2 = 10 of 12 taps an axis are real."""
    analysis = single(tmp_path, "conv: {filters: 1, kernel: 3, padding: 1}", (1, 4, 4))
    one = cost(analysis, analysis.graph.nodes[0])
    assert (one.dense, one.local, one.active, one.shared) == (256, 144, 100, 9)


def test_memory_and_intensity_by_hand(tmp_path):
    """conv 5×5, 6 filters on 1×32×32 in float16, batch 3: (1024 + 4704)·3 values, 156 params, 2 bytes each."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "name: n\ninput: [1, 32, 32]\nlayers: [{conv: {filters: 6, kernel: 5}}]\n", encoding="utf-8"
    )
    analysis = analyse(load_graph(str(path)), batch=3, dtype="float16")
    one = cost(analysis, analysis.graph.nodes[0])
    assert one.memory == ((1024 + 4704) * 3 + 156) * 2
    assert one.intensity * one.memory == 2 * 3 * 25 * 4704


def test_an_output_of_inception_costs_what_the_lecture_says():
    """F·F·D: 3·3·192 and 5·5·192 in the naive module, 3·3·96 and 5·5·16 behind 1×1 reductions."""
    for name, three, five in (("inception-naive", 9 * 192, 25 * 192), ("inception-module", 9 * 96, 25 * 16)):
        analysis = analyse(load_graph(name))
        found = {
            n.name.split(".")[-1]: cost(analysis, n).per_output for n in analysis.graph if n.kind == "conv"
        }
        assert (found["conv3x3"], found["conv5x5"]) == (three, five)


def test_reductions_save_what_the_naive_module_takes_more():
    naive = {n.name: n for n in load_graph("inception-naive")}
    graph = load_graph("inception-module")
    found = {one.node.name: one for one in reductions(graph)}
    for reduce, conv in (("reduce3x3", "conv3x3"), ("reduce5x5", "conv5x5")):
        one = found[f"inception.{reduce}"]
        reader = next(n for n in graph if n.name == f"inception.{conv}")
        before = naive[f"inception.{conv}"]
        assert [saving.reader.name for saving in one.savings] == [f"inception.{conv}"]
        assert one.saved == before.op.macs(before.input_shapes) - reader.op.macs(reader.input_shapes)
    assert found["inception.reduce3x3"].net == 192 * 96 * 784 - 9 * 96 * 128 * 784
    assert found["inception.project"].savings == ()


def test_a_projection_pays_in_the_next_module():
    """3a's pool hands on 32 channels, not 192: each 1×1 of 3b reads 256 instead of 416 (Szegedy et al., table 1)."""
    found = {reduction.node.name: reduction for reduction in reductions(load_graph("googlenet"))}
    project = found["inception3a.project"]
    assert {saving.reader.name for saving in project.savings} == {
        f"inception3b.{name}" for name in ("conv1x1", "reduce3x3", "reduce5x5", "project")
    }
    assert project.saved == 160 * (128 + 128 + 32 + 64) * 28 * 28


def test_the_plain_1x1_branch_of_a_module_is_no_reduction():
    """Szegedy et al., figure 2: "#1×1" stands beside "#3×3 reduce", "#5×5 reduce" and "pool proj", also in (a), the
    naive module, which has no reductions. It cuts 192 channels to 64 as one of the module's four outputs."""
    found = {reduction.node.name for reduction in reductions(load_graph("googlenet"))}
    modules = [f"inception{module}" for module in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")]
    branches = ("reduce3x3", "reduce5x5", "project")
    assert found == {f"{module}.{branch}" for module in modules for branch in branches}


def test_a_1x1_branch_behind_its_own_normalisation_is_no_reduction(tmp_path):
    """As in pre-activation modules; and with a pool behind it, it still feeds no convolution of its branch. The one
    that feeds a convolution of its branch is a reduction, and so is one alone between two layers."""
    text = """
input: [16, 4, 4]
layers:
  - concat:
      - - batchnorm
        - relu
        - conv: {name: plain, filters: 4, kernel: 1}
        - maxpool: {kernel: 3, stride: 1, padding: 1}
      - - conv: {name: reduce, filters: 4, kernel: 1}
        - relu
        - conv: {name: three, filters: 8, kernel: 3, padding: 1}
  - conv: {name: between, filters: 6, kernel: 1}
  - conv: {name: last, filters: 8, kernel: 3}
"""
    found = {reduction.node.name: reduction.saved for reduction in reductions(graph_of(tmp_path, text))}
    assert found == {"reduce": 9 * 12 * 8 * 16, "between": 9 * 6 * 8 * 4}


def test_a_modules_account_is_its_layers_sum():
    analysis = analyse(load_graph("inception-module"))
    costs = [cost(analysis, node) for node in analysis.graph]
    module = total(costs)
    assert module.macs == analysis.totals.macs
    assert module.outputs == 256 * 28 * 28
    assert module.memory == sum(one.memory for one in costs)


few = st.integers(1, 3)


@settings(max_examples=80)
@given(data=st.data())
def test_connections_are_pairs_within_the_image(tmp_path_factory, data):
    """Every window's taps are laid down one by one, and those on real pixels counted."""
    size, kernel, stride, dilation = (
        data.draw(st.integers(3, 9)),
        data.draw(few),
        data.draw(few),
        data.draw(few),
    )
    before, after = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 4))
    kind = data.draw(st.sampled_from(["conv", "deconv"]))
    groups = data.draw(st.integers(1, 2))
    layer = (
        f"{kind}: {{filters: {2 * groups}, kernel: {kernel}, stride: {stride}, dilation: {dilation}, "
        f"padding: [[{before}, {after}]], groups: {groups}}}"
    )
    try:
        analysis = single(tmp_path_factory.mktemp("net"), layer, (3 * groups, size))
    except Exception:
        return
    node = analysis.graph.nodes[0]
    output = node.output_shape[1]
    positions, limit = (output, size) if kind == "conv" else (size, output)
    pairs = sum(
        0 <= p * stride + t * dilation - before < limit for p, t in product(range(positions), range(kernel))
    )
    assert connections(node) == pairs * 3 * 2 * groups


def test_huge_windows_do_not_hang(tmp_path):
    analysis = single(tmp_path, "conv: {filters: 1, kernel: 1000000000}", (1, 1_500_000_000))
    assert connections(analysis.graph.nodes[0]) > 0


@pytest.mark.parametrize("name", ["alexnet-paper", "torchvision/mobilenet_v2", "torchvision/inception_v3"])
def test_connections_agree_with_the_matrix(name):
    """Two ways to count the entries of a convolution's matrix: tap by tap, and window by window."""
    for node in load_graph(name):
        if node.kind == "conv":
            assert connections(node) == Unrolled(node.op, node.input_shapes[0]).counts.active


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16"])
def test_the_three_counts_are_in_order(name):
    analysis = analyse(load_graph(name))
    for node in analysis.graph:
        one = cost(analysis, node)
        assert one.dense >= one.active >= one.shared
        assert one.local >= one.active
        if node.kind == "dense":
            assert one.dense == one.local == one.active == one.shared


def graph_of(tmp_path, text):
    path = tmp_path / "net.yaml"
    path.write_text(f"name: net\n{text}", encoding="utf-8")
    return load_graph(str(path))


TWO_PATHS = """
input: [8, 2, 2]
layers:
  - conv: {name: reduce, filters: 4, kernel: 1}
  - concat: [[relu], [tanh]]
  - conv: {name: reader, filters: 3, kernel: 3, padding: 1}
"""


def test_a_reduction_that_comes_twice_saves_twice(tmp_path):
    """reader reads 4 + 4 channels and would read 8 + 8: 3·3·8 MACs fewer for each of 3·2·2 outputs."""
    (one,) = reductions(graph_of(tmp_path, TWO_PATHS))
    assert (one.savings[0].depth, one.savings[0].cut) == (8, 8)
    assert one.saved == 3 * 3 * 8 * 3 * 2 * 2 == 864


@pytest.mark.parametrize(
    ("joins", "copies"),
    [
        ("  - concat: {from: [reduce, reduce, reduce]}\n", 3),
        ("  - concat: [[relu], [tanh]]\n  - concat: [[relu], [tanh]]\n", 4),
        ("  - concat: [[maxpool: {kernel: 1}], [{conv: {filters: 5, kernel: 1}}]]\n", 1),
        ("  - concat: {name: x, from: [reduce, input]}\n  - concat: {from: [reduce, x]}\n", 2),
    ],
)
def test_what_a_reader_is_spared_is_what_it_would_read_more(tmp_path, joins, copies):
    text = f"""
input: [8, 2, 2]
layers:
  - conv: {{name: reduce, filters: 4, kernel: 1}}
{joins}  - conv: {{name: reader, filters: 3, kernel: 1}}
"""
    one = next(one for one in reductions(graph_of(tmp_path, text)) if one.node.name == "reduce")
    wide = graph_of(tmp_path, text.replace("filters: 4", "filters: 8")).nodes[-1]
    saving = next(saving for saving in one.savings if saving.reader.name == "reader")
    assert saving.cut == 4 * copies
    assert saving.saved == wide.op.macs(wide.input_shapes) - saving.reader.op.macs(saving.reader.input_shapes)


def test_weights_used_twice_are_one_kernel(tmp_path):
    """Two uses of one 3×3 kernel on 2 channels, 2 filters: 36 weights, not 72; the connections are made twice."""
    text = """
input: [2, 4, 4]
layers:
  - conv: {name: a, filters: 2, kernel: 3, padding: 1}
  - conv: {name: b, filters: 2, kernel: 3, padding: 1, share: a}
"""
    analysis = analyse(graph_of(tmp_path, text))
    one, two = (cost(analysis, node) for node in analysis.graph)
    assert (one.shared, two.shared) == (36, 0)
    assert one.active == two.active
    assert total([one, two]).shared == analysis.totals.weights
