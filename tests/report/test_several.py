"""Networks of several inputs and outputs in every report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import convcalc
from convcalc.errors import UsageError

TWIN = """\
name: twin
inputs: {left: [2, 9, 7], right: [3, 8, 6]}
outputs: {features: a, sum: sum}
layers:
  - conv: {name: a, from: left, K: 5, F: 3}
  - relu
  - conv: {name: b, from: right, K: 5, F: 2}
  - add: {name: sum, from: [relu1, b]}
"""


@pytest.fixture
def net(tmp_path: Path) -> convcalc.Network:
    path = tmp_path / "twin.yaml"
    path.write_text(TWIN)
    return convcalc.load(path)


def test_json(net):
    value = json.loads(net.show().to_text("json"))
    assert value["input"] == [2, 9, 7]
    assert value["inputs"] == [{"name": "left", "shape": [2, 9, 7]}, {"name": "right", "shape": [3, 8, 6]}]
    assert value["outputs"] == [
        {"name": "features", "layer": "a", "shape": [5, 7, 5]},
        {"name": "sum", "layer": "sum", "shape": [5, 7, 5]},
    ]
    assert value["warnings"] == []
    joined = value["layers"][-1]
    assert {name: field["size"] for name, field in joined["receptive_fields"].items()} == {
        "left": [3, 3],
        "right": [2, 2],
    }
    assert joined["receptive_field"] == joined["receptive_fields"]["left"]
    assert value["layers"][2]["inputs"] == ["right"]
    assert list(value["layers"][2]["receptive_fields"]) == ["right"]


def test_outputs_are_marked_and_what_follows_one_has_its_own_row(net):
    text = net.show().to_text("table")
    rows = [line.split() for line in text.splitlines()]
    assert "twin, inputs left 2×9×7, right 3×8×6" in text
    assert ["a", "conv", "K5", "F3", "left", "→", "5×7×5"] in [row[:7] for row in rows]
    assert ["relu1", "relu", "5×7×5"] in [row[:3] for row in rows]
    assert "→ 2 outputs: features (a) 5×7×5, sum 5×7×5" in text


def test_csv_says_which_layers_are_outputs(net):
    header, *lines = net.show().to_text("csv").splitlines()
    assert header.split(",")[-1] == "result"
    assert [line.rsplit(",", 1)[1] for line in lines] == ["features", "", "", "sum"]


def test_equal_heads_are_folded_where_all_are_outputs_and_not_where_one_is(tmp_path):
    text = "name: heads\ninput: [3, 9, 7]\noutputs: {}\nlayers:\n  - relu: {{name: stem}}\n" + "".join(
        f"  - conv: {{{{name: h{n}, from: stem, K: 4, F: 1}}}}\n" for n in range(6)
    )
    path = tmp_path / "heads.yaml"
    path.write_text(text.format("[h0, h1, h2, h3, h4, h5]"))
    # the first reads the row above, the others a layer elsewhere
    assert "×5" in convcalc.load(path).show().to_text("table")
    path.write_text(text.format("[h0, h3, h5]"))
    assert {row.row.times for row in convcalc.load(path).show().record.rows} == {1}


def test_the_field_to_an_output_follows_its_path_only(net):
    assert [row["layer"] for row in net.field(to="features", all=True).rows()] == ["a"]
    assert [row["layer"] for row in net.field(to="b").rows()] == ["b"]
    assert [row["layer"] for row in net.field(to="sum", all=True).rows()] == ["a", "relu1", "b", "sum"]
    with pytest.raises(UsageError, match="twin has no output or layer 'sums'; did you mean 'sum'"):
        net.field(to="sums")
    with pytest.raises(UsageError, match="--layer and --to ask different questions"):
        net.field("a", to="sum")


def test_a_row_on_the_way_holds_no_more_than_the_way(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text("name: net\ninput: [3, 9, 7]\nlayers: [conv: {K: 4, F: 2}, relu, tanh]\n")
    (layer,) = convcalc.load(path).field(to="conv1").layers
    assert [node.name for node in layer.row.nodes] == ["conv1"]


def test_a_unit_sees_both_inputs(net):
    """Unit (3, 2) of the sum: rows 3…5 and columns 2…4 of left, 3…4 and 2…3 of right."""
    found = net.field("sum")
    assert [(sight.origin, sight.seen) for sight in found.sights] == [
        ("left", ((3, 5), (2, 4))),
        ("right", ((3, 4), (2, 3))),
    ]
    value = found.to_dict()
    assert (value["pixels"], value["sights"]["right"]["pixels"]) == (9, 4)
    assert {area["name"]: area["positions"] for area in value["trace"]} == {
        "a": 1, "b": 1, "left": 9, "right": 4
    }  # fmt: skip
    assert "right: it sees 2·2 = 4 pixels" in found.to_text("table")


def test_a_pixel_of_one_input(net):
    """Pixel (5, 5) of left is read by the units 3…5 × 3…4 of a, which has 7×5."""
    areas = {area.name: area.spans for area in net.field(pixel={"left": (5, 5)}).areas}
    assert areas == {"a": ((3, 5), (3, 4)), "relu1": ((3, 5), (3, 4)), "b": None, "sum": ((3, 5), (3, 4))}
    with pytest.raises(UsageError, match="pixel 5,5: twin has 2 inputs: left, right"):
        net.field(pixel=(5, 5))
    with pytest.raises(UsageError, match="twin has no input 'lefd'"):
        net.field(pixel={"lefd": (5, 5)})
    with pytest.raises(UsageError, match="right has no pixel 8,5"):
        net.field(pixel={"right": (8, 5)})


def test_pixels_of_two_inputs_meet(net):
    found = net.field(between=({"left": (3, 3)}, {"right": (2, 2)}))
    assert found.first.name == "sum"
    assert found.first.spans == ((1, 2), (1, 2))  # a reads left 3 in units 1…3, b reads right 2 in 1…2


def test_field_on_the_command_line(convcalc, tmp_path):
    path = tmp_path / "twin.yaml"
    path.write_text(TWIN)
    done = convcalc("field", path, "--pixel", "left:5,5")
    assert "What pixel left (5, 5) reaches" in done.stdout
    done = convcalc("field", path, "--pixel", "5,5")
    assert (done.returncode, done.stderr.splitlines()[1].strip()) == (2, "say which: left:5,5")


def test_inputs_on_the_command_line(convcalc, tmp_path):
    path = tmp_path / "twin.yaml"
    path.write_text(TWIN)
    done = convcalc("show", path, "--input", "left=2x12x8", "--input", "right=3x11x7")
    assert "inputs left 2×12×8, right 3×11×7" in done.stdout
    for arguments, message in (
        (["--input", "12"], "--input 12: the network has 2 inputs: left, right"),
        (["--input", "12", "--input", "13"], "--input 12: of several inputs each needs its name"),
        (["--input", "left=12", "--input", "left=13"], "the input left is given twice: 12 and 13"),
    ):
        done = convcalc("show", path, *arguments)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"Error: {message}")


def test_a_vector_in_every_report(tmp_path):
    path = tmp_path / "generator.yaml"
    path.write_text(
        "name: generator\ninput: {features: 100}\n"
        "layers: [dense: 72, reshape: [6, 4, 3], deconv: {K: 5, F: 3, S: 2}, relu, softmax]\n"
    )
    net = convcalc.load(path)
    assert "input 100" in net.show().to_text("table")
    assert net.explain().to_text("table")
    assert net.field("deconv1").sight.pixels == 100
    assert net.field().to_text("table")
    assert {area.name: area.positions for area in net.field(pixel=(99,)).areas}["dense1"] == 72
    assert net.show().to_dict()["layers"][0]["receptive_field"] is None


@pytest.mark.parametrize(
    ("after", "shown"),
    [
        ("{boxes: c}", ["boxes 5×9×7, the same", "scores 6×9×7 is in A alone"]),
        ("{boxes: c, scores: d, aux: e}",
         ["boxes 5×9×7, the same", "scores 6×9×7, the same", "aux 7×9×7 is in B alone"]),
        ("{classes: d, corners: c, more: e}",
         ["boxes 5×9×7 → corners 5×9×7", "scores 6×9×7 → classes 6×9×7", "more 7×9×7 is in B alone"]),
        ("{scores: e, boxes: d}", ["boxes 5×9×7 → boxes 6×9×7", "scores 6×9×7 → scores 7×9×7"]),
    ],
)  # fmt: skip
def test_outputs_in_a_diff(tmp_path, after, shown):
    layers = "[conv: {name: c, K: 5, F: 1}, conv: {name: d, K: 6, F: 1}, conv: {name: e, K: 7, F: 1}]"
    for name, outputs in (("a", "{boxes: c, scores: d}"), ("b", after)):
        text = f"name: {name}\ninput: [3, 9, 7]\noutputs: {outputs}\nlayers: {layers}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    a, b = (convcalc.load(tmp_path / f"{name}.yaml") for name in "ab")
    diff = a.diff(b)
    assert not diff.same
    lines = [line.strip() for line in diff.to_text("table").splitlines()]
    start = lines.index("outputs, A → B:") + 1
    assert lines[start : start + len(shown)] == shown


def test_inputs_in_a_diff_are_paired_by_name_and_order(tmp_path):
    for name, inputs, origin in (("a", "left: [3, 9, 7], right", "left"), ("b", "x: [3, 9, 7], left", "x")):
        text = (
            f"name: {name}\ninputs: {{{inputs}: [3, 9, 7]}}\nlayers: [add: {{from: [{origin}, {origin}]}}]\n"
        )
        (tmp_path / f"{name}.yaml").write_text(text)
    a, b = (convcalc.load(tmp_path / f"{name}.yaml") for name in "ab")
    (pair,) = a.diff(b).pairs
    assert pair.changes["from"] == (["left", "left"], ["x", "x"])
