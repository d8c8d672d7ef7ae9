"""A network as a layer."""

from __future__ import annotations

import pytest

from convcalc.errors import SpecError
from convcalc.language.load import load_graph

BASE = """\
input: [3, 32, 32]
vars: {width: 4}
defaults: {conv: {bias: false}}
layers:
  - conv: {name: stem, K: $width, F: 3}
  - group: {name: stage, layers: [{conv: {name: a, K: $(2 * width), F: 2}}, relu]}
  - flatten
  - dense: {name: head, units: 10}
"""


@pytest.fixture
def with_base(specs):
    specs.write(BASE, "base.yaml")
    return specs


def test_its_layers_live_under_its_name(with_base):
    text = """\
        input: [3, 12, 11]
        layers:
          - network: {name: body, arch: base.yaml}
          - dense: {units: 7}
          - add: {from: [body.stage, body.stage.a]}
    """
    assert with_base.wiring(text) == (
        "body.stem(input) body.stage.a(body.stem) body.stage.relu1(body.stage.a) body.flatten1(body.stage.relu1) "
        "body.head(body.flatten1) dense1(body.head) add1(body.stage.relu1 body.stage.a)"
    )
    graph = with_base.load(text)
    assert graph.nodes[0].output_shape == (4, 10, 9)
    assert [p.name for p in graph.nodes[0].parameters] == ["weight"]  # the other file's defaults
    assert [p.name for p in graph.nodes[5].parameters] == ["weight", "bias"]


@pytest.mark.parametrize(
    ("until", "last"),
    [("stem", "stem"), ("stage.a", "stage.a"), ("stage", "stage.relu1"), ("$which", "stem")],
)
def test_until(with_base, until, last):
    text = "input: [3, 12, 11]\nvars: {which: stem}\nlayers:\n"
    text += f"  - network: {{name: body, arch: base.yaml, until: {until}}}\n"
    text += "  - sigmoid\n  - relu: {name: $which}\n"
    graph = with_base.load(text)
    names = [node.name for node in graph]
    assert names[-2:] == ["sigmoid1", "stem"]
    assert names[-3] == f"body.{last}"
    assert graph.nodes[-2].inputs == (len(names) - 3,)
    assert graph.warnings == ()


def test_until_saves_what_would_not_fit_behind_it(with_base):
    """After the stem a 3×3 map is 1×1, and the stage's 2×2 kernel fits no more."""
    text = "input: [3, 3, 3]\nlayers: [network: {{arch: base.yaml{}}}]"
    assert with_base.load(text.format(", until: stem")).output_shape == (4, 1, 1)
    assert "network1.stage.a" in with_base.error(text.format("")).message


def test_until_within_copies_and_branches(specs):
    specs.write(
        """\
        input: [3, 8, 8]
        layers:
          - conv: {name: c, repeat: 3, K: 4, F: 1}
          - concat: {name: j, branches: [{name: left, layers: [relu]}, {name: right, layers: [tanh]}]}
        """,
        "base.yaml",
    )
    last = {
        until: specs.wiring(f"layers: [network: {{name: n, arch: base.yaml, until: {until}}}]").split()[-1]
        for until in ("c.1", "c", "j.left", "j")
    }
    assert last == {
        "c.1": "n.c.1(n.c.0)",
        "c": "n.c.2(n.c.1)",
        "j.left": "n.j.left.relu1(n.c.2)",
        "j": "n.j.right.tanh1)",  # the join reads two
    }


def test_variables_are_set(with_base):
    text = "vars: {w: 3}\nlayers: [network: {arch: base.yaml, until: stem, set: {width: $(2 * w)}}]"
    assert with_base.load(text).output_shape[0] == 6


def test_a_text_stays_a_text_when_it_is_set(specs):
    specs.write(
        "input: [3, 8, 8]\nvars: {kind: a}\nlayers: [{relu: {if: $(kind == 'true')}}, tanh]", "base.yaml"
    )
    text = "vars: {k: 'true '}\nlayers: [network: {arch: base.yaml, set: {kind: $k}}]"
    assert specs.wiring(text) == "network1.tanh1(input)"


def test_input_within_is_what_it_reads(specs):
    specs.write("input: [3, 8, 8]\nlayers: [relu, add: {from: [relu1, input]}]", "base.yaml")
    assert specs.wiring("layers: [tanh, network: {arch: base.yaml}]") == (
        "tanh1(input) network1.relu1(tanh1) network1.add1(network1.relu1 tanh1)"
    )


def test_nothing_around_it_is_seen_within(specs):
    specs.write("input: [3, 8, 8]\nlayers: [add: {from: [outer, input]}]", "base.yaml")
    error = specs.error("layers: [{relu: {name: outer}}, {network: {arch: base.yaml}}]")
    assert error.message.startswith("no earlier layer 'outer'")
    assert error.mark.file.endswith("base.yaml")
    assert [str(mark).rsplit("/", 1)[-1] for mark in error.used_at] == ["net.yaml:3:34"]


def test_several_inputs(specs):
    specs.write(
        "inputs: {left: [3, 8, 8], right: [3, 8, 8]}\noutputs: [relu1]\n"
        "layers: [{relu: {from: right}}, {add: {from: [left, relu1]}}]",
        "base.yaml",
    )
    text = (
        "layers: [{tanh: {name: a}}, {sigmoid: {name: b}}, {network: {arch: base.yaml, from: [a, b]}}, elu]"
    )
    assert specs.wiring(text) == (
        "a(input) b(a) network1.relu1(b) network1.add1(a network1.relu1) elu1(network1.relu1)"
    )
    error = specs.error("layers: [network: {arch: base.yaml}]")
    assert error.message == "network1: base.yaml has 2 inputs, here is 1"


def test_weights_are_shared_between_two(with_base):
    text = """\
        inputs: {left: [3, 12, 11], right: [3, 12, 11]}
        layers:
          - network: {name: a, arch: base.yaml, from: left}
          - network: {name: b, arch: base.yaml, from: right, share: a}
          - add: {from: [a, b]}
    """
    graph = with_base.load(text)
    shares = {node.name: graph.nodes[node.shares].name for node in graph if node.shares is not None}
    assert shares == {"b.stem": "a.stem", "b.stage.a": "a.stage.a", "b.head": "a.head"}


def test_a_bundled_one(specs):
    text = (
        "input: [3, 64, 64]\nlayers: [network: {name: backbone, arch: torchvision/resnet18, until: layer2}]"
    )
    graph = specs.load(text)
    assert graph.output_shape == (128, 8, 8)
    assert graph.nodes[0].name == "backbone.conv1"


def test_relative_to_the_file_that_says_it(specs):
    specs.write(BASE, "parts/base.yaml")
    specs.write("input: [3, 12, 12]\nlayers: [network: {arch: base.yaml, until: stem}]", "parts/user.yaml")
    assert len(specs.load("extends: parts/user.yaml\nname: t")) == 1


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("network", "network needs arch: the name of a spec, or a path that ends in .yaml"),
        ("network: nowhere.yaml", "nowhere.yaml: no such file"),
        ("network: torchvision/resnt50", "no architecture 'torchvision/resnt50'; did you mean 'torchvision/resnet50'?"),
        ("network: model.onnx", "model.onnx is a model file, and arch takes specs"),
        ("network: {arch: $name}", "arch needs the name of a spec, or a path that ends in .yaml, written out"),
        ("network: torchvision/resnet", "torchvision/resnet is a family: it needs"),
        ("network: {arch: base.yaml, until: stim}", "network1: base.yaml has no layer 'stim'; did you mean 'stem'?"),
        ("network: {arch: base.yaml, set: {widht: 3}}", "base.yaml has no variable 'widht'; did you mean 'width'?"),
        ("network: {arch: base.yaml, set: 3}", "set needs a mapping of variables"),
        ("network: {arch: base.yaml, untill: stem}", "no field 'untill' for network; did you mean 'until'?"),
        ("network: {arch: base.yaml, from: [input, input]}", "network1: base.yaml has 1 input, here are 2"),
    ],
)  # fmt: skip
def test_what_makes_no_sense(with_base, monkeypatch, entry, message):
    error = with_base.error(f"layers: [{entry}]")
    assert error.message.startswith(message) or message in error.message
    assert error.mark.file.endswith("net.yaml")


def test_a_network_within_itself(specs):
    specs.write("input: [3, 8, 8]\nlayers: [network: {arch: b.yaml}]", "a.yaml")
    specs.write("input: [3, 8, 8]\nlayers: [relu, network: {arch: a.yaml}]", "b.yaml")
    with pytest.raises(SpecError, match="a network cannot be a layer within itself") as caught:
        load_graph(str(specs.folder / "a.yaml"))
    assert "a.yaml →" in caught.value.hint
    specs.write("extends: c.yaml\ninput: [3, 8, 8]", "d.yaml")
    specs.write("input: [3, 8, 8]\nlayers: [network: {arch: d.yaml}]", "c.yaml")
    with pytest.raises(SpecError, match="a network cannot be a layer within itself"):
        load_graph(str(specs.folder / "c.yaml"))


def test_networks_that_double_are_counted_before_they_are_built(specs):
    specs.write("input: [3, 8, 8]\nlayers: [relu: {repeat: 100000}]", "n0.yaml")
    specs.write("input: [3, 8, 8]\nlayers: [network: {arch: n0.yaml, repeat: 3}]", "n1.yaml")
    with pytest.raises(SpecError, match="a network has at most 200,000"):
        load_graph(str(specs.folder / "n1.yaml"))


def test_a_network_that_is_used_often_is_read_once(with_base):
    entry = "{network: {name: n$i, arch: base.yaml, until: stem, repeat: 300, set: {width: 3}}}"
    text = "input: [3, 700, 700]\nlayers: [" + entry.replace("n$i", "n") + "]"
    assert len(with_base.load(text)) == 300
    many = ", ".join("{network: {arch: base.yaml, until: stem, set: {width: 3}}}" for _ in range(300))
    assert len(with_base.load(f"input: [3, 700, 700]\nlayers: [{many}]")) == 300


def test_networks_that_double_with_other_settings_are_refused_soon(specs):
    specs.write("input: [3, 8, 8]\nvars: {k: 1}\nlayers: [relu: {name: r$k}]", "n0.yaml")
    for n in range(1, 12):
        use = f"network: {{arch: n{n - 1}.yaml, set: {{k: $(2 * k)}}}}"
        other = f"network: {{arch: n{n - 1}.yaml, set: {{k: $(2 * k + 1)}}}}"
        specs.write(f"input: [3, 8, 8]\nvars: {{k: 1}}\nlayers: [{use}, {other}]", f"n{n}.yaml")
    with pytest.raises(SpecError, match="more than 100 networks as layers"):
        load_graph(str(specs.folder / "n11.yaml"))


def test_networks_that_double_are_refused_before_they_are_built(specs):
    specs.write("input: [3, 8, 8]\nlayers: [relu]", "n0.yaml")
    for n in range(1, 19):
        use = f"network: n{n - 1}.yaml"
        specs.write(f"input: [3, 8, 8]\nlayers: [{use}, {use}]", f"n{n}.yaml")
    with pytest.raises(SpecError, match="more than 200,000 layers"):
        load_graph(str(specs.folder / "n18.yaml"))
