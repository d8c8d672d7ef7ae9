"""Files, extends, vars, --set, families, defaults and the other keys of a spec."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from convcalc.errors import ConvcalcError, SpecError, UsageError
from convcalc.language import bundled
from convcalc.language.documents import read_spec
from convcalc.language.load import load_graph, parse_input
from tests.language.conftest import reading

BASE = """\
name: base
title: Base
source: Someone 1999
notes: [a note]
input: [3, 8, 8]
vars: {width: 4, depth: 1}
defaults: {conv: {K: 2, P: 1, bias: false}}
blocks:
  unit: {layers: [conv: {kernel: 3}]}
  other: {layers: [tanh]}
layers:
  - conv: {filters: $width, kernel: 3}
  - unit: {repeat: $depth}
labels: [x, y]
weights: base.safetensors
preprocess: {resize: 8, mean: [0.5]}
"""


@pytest.fixture
def family(specs):
    specs.write(BASE, "base.yaml")

    def load(text, **options):
        return load_graph(specs.write(text), **options)

    return load


def test_other_keys_are_inherited_and_some_are_not(family):
    graph = family("name: derived\nextends: base.yaml\n")
    assert (graph.name, graph.title, graph.source, graph.notes) == ("derived", None, "Someone 1999", ())
    assert (graph.labels, graph.weights, graph.preprocess) == (None, None, {"resize": 8, "mean": (0.5,)})
    assert graph.input_shape == (3, 8, 8)
    assert [node.name for node in graph] == ["conv1", "unit1.0.conv1"]


def test_vars_merge(family):
    graph = family("name: d\nextends: base.yaml\nvars: {depth: 3}\n")
    assert graph.variables == {"width": 4, "depth": 3}
    assert len(graph) == 4


def test_blocks_merge_by_name(family):
    graph = family("name: d\nextends: base.yaml\nblocks: {unit: {layers: [other]}}\n")
    assert [node.name for node in graph] == ["conv1", "unit1.0.other1.tanh1"]


def test_layers_replace(family):
    graph = family("name: d\nextends: base.yaml\nlayers: [other, unit]\n")
    assert [node.name for node in graph] == ["other1.tanh1", "unit1.conv1"]


@pytest.mark.parametrize(
    ("defaults", "filters", "padding", "bias"),
    [
        ("{}", 2, 1, False),
        ("", 2, 1, False),
        ("{conv: {bias: true}}", 2, 1, True),
        # a field's two names are one field, whichever file uses which
        ("{conv: {filters: 5}}", 5, 1, False),
        ("{conv: {padding: 0, K: 6}}", 6, 0, False),
        # null is the operator's own default
        ("{conv: {P: null}}", 2, 0, False),
        ("{conv: {K: $(width * 2)}}", 8, 1, False),
    ],
)
def test_defaults_merge_and_reach_into_inherited_blocks(family, defaults, filters, padding, bias):
    graph = family(f"name: d\nextends: base.yaml\ndefaults: {defaults}\nlayers: [unit]\n")
    conv = graph.nodes[0].op
    assert (conv.filters, conv.padding, conv.bias) == (filters, padding, bias)


def test_a_written_field_is_stronger_than_a_default(specs):
    graph = specs.load(
        "defaults: {conv: {S: 2}}\nlayers: [conv: {K: 1, F: 1, stride: 1}, conv: {K: 1, F: 1}]"
    )
    assert [node.op.stride for node in graph] == [1, 2]


def test_a_written_null_is_the_operators_own_default(specs):
    graph = specs.load("defaults: {conv: {S: 2}}\nlayers: [conv: {K: 1, F: 1, S: null}]")
    assert graph.nodes[0].op.stride == 1


def test_a_default_serves_a_required_field(specs):
    graph = specs.load("defaults: {conv: {F: 3}}\nlayers: [conv: 8]")
    assert graph.output_shape == (8, 14, 14)


def test_files_are_relative_to_the_file_that_says_it(specs):
    specs.write(BASE, "lib/base.yaml")
    specs.write("name: middle\nextends: base.yaml\n", "lib/middle.yml")
    path = specs.write("name: top\nextends: ../lib/middle.yml\n", "nets/top.yaml")
    assert load_graph(path).variables == {"width": 4, "depth": 1}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("extends: net.yaml", "extends leads back to where it started", "net.yaml → "),
        ("extends: missing.yaml", "missing.yaml: no such file", "check the path"),
        (
            "extends: base",
            "no architecture 'base'",
            "there is a file base.yaml here: to mean it, write base.yaml",
        ),
        ("extends: alexnett", "no architecture 'alexnett'; did you mean 'alexnet'?", "convcalc list"),
        ("extends: alexnet.yaml", "no such file", "the path"),
        ("extends: [a, b]", "extends needs the name of a spec", "one spec extends one other"),
        ("extends:", "extends needs the name of a spec", None),
        ("extends: ../alexnet", "no architecture '../alexnet'", None),
    ],
)
def test_extends_refused(specs, text, message, hint):
    specs.write(BASE, "base.yaml")
    with pytest.raises(SpecError) as caught:
        load_graph(specs.write(f"name: d\n{text}\n"))
    assert message in caught.value.message
    assert caught.value.mark.line == 2
    assert hint is None or hint in caught.value.hint


def test_longer_circles(specs):
    specs.write("name: a\nextends: b.yaml\n", "a.yaml")
    path = specs.write("name: b\nextends: a.yaml\n", "b.yaml")
    with pytest.raises(SpecError, match="leads back") as caught:
        load_graph(path)
    assert caught.value.mark.file.endswith("a.yaml")


def test_errors_in_what_is_extended_name_its_file(specs):
    specs.write("name: a\nvars: {x: $y}\nblocks: {b: {layers: [relou]}}\ninput: [1, 2]\n", "a.yaml")
    errors = specs.errors(
        "name: d\nextends: a.yaml\ninput: [1, 2]\nlayers: [conv: {kernal: 1, filters: 1, F: 1}]"
    )
    assert [(error.mark.file.rsplit("/")[-1], error.mark.line) for error in errors] == [
        ("a.yaml", 2), ("a.yaml", 3), ("net.yaml", 4)]  # fmt: skip


# -- vars and --set --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "settings", "expected"),
    [
        ("{a: 1, b: $(a + 1), c: '$(b * 2)'}", {}, {"a": 1, "b": 2, "c": 4}),
        ("{c: $(b * 2), b: $(a + 1), a: 1}", {}, {"a": 1, "b": 2, "c": 4}),
        ("{c: $(b * 2), b: $(a + 1), a: 1}", {"a": "3"}, {"a": 3, "b": 4, "c": 8}),
        ("{c: $(b * 2), b: $(a + 1), a: 1}", {"b": "$(a * 5)"}, {"a": 1, "b": 5, "c": 10}),
        ("{a: [1, 2], b: $a}", {"a": "[3]"}, {"a": [3], "b": [3]}),
        ("{a: 1}", {"a": "0.5"}, {"a": 0.5}),
        ("{a: 1}", {"a": "word"}, {"a": "word"}),
        ("{a: 1}", {"a": "null"}, {"a": None}),
        ("{a: 1}", {"a": "'3'"}, {"a": "3"}),
        ("{a: 1}", {"a": ""}, {"a": ""}),
        ("{a: required}", {"a": "2"}, {"a": 2}),
        # an overridden variable's own value is not looked at
        ("{a: $(1 // 0)}", {"a": "2"}, {"a": 2}),
    ],
)
def test_variables(specs, variables, settings, expected):
    text = f"vars: {variables}\n{reading(*expected)}layers: [relu]"
    assert specs.load(text, settings=settings).variables == expected


def test_a_long_chain_of_variables(specs):
    chain = "".join(f"  v{k}: $(v{k + 1} + 1)\n" for k in range(500))
    graph = specs.load(f"vars:\n{chain}  v500: 0\n{reading('v0')}layers: [relu]")
    assert graph.variables["v0"] == 500


@pytest.mark.parametrize(
    ("variables", "message", "hint"),
    [
        ("{a: $a}", "variable a depends on itself", None),
        ("{a: $b, b: $c, c: $a}", "variable a depends on itself", "a → b → c → a"),
        # what merely needs the circle is not blamed
        ("{z: $a, a: $b, b: $a, y: $z}", "variable a depends on itself", "a → b → a"),
        ("{a: $b}", "no variable 'b' here", "known here: a"),
        ("{a: {b: 1}}", "needs a value or a list, not a mapping", None),
        ("[a, b]", "vars needs a mapping of names", None),
        ("{a: $(1 // 0), b: $a}", "division by zero", None),
    ],
)
def test_variables_refused(specs, variables, message, hint):
    error = specs.error(f"vars: {variables}\nlayers: [relu]")
    assert message in error.message
    assert hint is None or hint in error.hint


def test_two_circles_are_two_errors(specs):
    assert len(specs.errors("vars: {a: $b, b: $a, c: $c}\nlayers: [relu]")) == 2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("wdth", "1", "--set wdth: the spec has no variable 'wdth'; did you mean 'width'?"),
        ("width", "[1", "--set width=[1: not valid YAML"),
        ("width", "{a: 1}", "--set width={a: 1}: needs a value"),
        ("width", "required", "--set width=required: needs a value"),
        ("width", "# 3", "--set width=# 3: the spec is empty"),
        ("width", "\ud800", "not UTF-8"),
    ],
)
def test_settings_refused(specs, name, value, message):
    with pytest.raises(UsageError) as caught:
        specs.load("vars: {width: 1}\nlayers: [relu]", settings={name: value})
    assert message in caught.value.message


def test_a_setting_in_error_shows_where(specs):
    error = specs.error("vars: {width: 1}\nlayers: [relu]", settings={"width": "$(1 +)"})
    assert error.mark.file == "--set width"


def test_a_family_can_be_extended_not_shown(specs):
    text = "vars: {depth: required, width: required, x: 1}\nlayers: [relu: {repeat: $depth, name: $width$x}]"
    path = specs.write(text, "family.yaml")
    assert read_spec(path).required == ["depth", "width"]
    with pytest.raises(SpecError, match="t is a family: it needs depth, width") as caught:
        load_graph(path)
    assert "--set depth=" in caught.value.hint
    with pytest.raises(SpecError, match="it needs width"):
        load_graph(path, settings={"depth": "2"})
    member = specs.write("name: m\nextends: family.yaml\nvars: {depth: 2, width: 3}\n", "member.yaml")
    assert not read_spec(member).required
    assert len(load_graph(member)) == 2
    assert len(load_graph(path, settings={"depth": "3", "width": "1"})) == 3


# -- the other keys --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shape"),
    [
        ("[3, 224, 200]", (3, 224, 200)), ("[2, 50]", (2, 50)), ("[1, 2, 3, 4]", (1, 2, 3, 4)),
        ("{channels: 3, height: 224, width: 200}", (3, 224, 200)), ("{width: 9, channels: 3, height: 8}", (3, 8, 9)),
        ("{channels: 2, length: 50}", (2, 50)), ("{channels: 1, depth: 2, height: 3, width: 4}", (1, 2, 3, 4)),
        ("[$c, 4.0, 5]", (6, 4, 5)), ("{channels: $(c / 2), length: 5}", (3, 5)), ("$size", (7, 8)),
    ],
)  # fmt: skip
def test_input(specs, written, shape):
    text = f"input: {written}\nvars: {{c: 6, size: [7, 8]}}\n{reading('c', 'size')}layers: [relu]"
    assert specs.load(text).input_shape == shape


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "the spec has no input"),
        ("3", "input needs channels and 1 to 3 sizes, not 3"),
        ("[]", "input needs channels and 1 to 3 sizes, not a list of 0"),
        ("[3, 0]", "input needs an integer of at least 1, not 0"),
        ("[3, x]", "input needs an integer, not 'x'"),
        ("{channels: 3}", "input needs channels, height and width, not channels"),
        (
            "{channels: 3, height: 4, length: 5}",
            "input needs channels, height and width, not channels, height, length",
        ),
        ("{channels: 3, hieght: 4, width: 5}", "no key 'hieght' in input; did you mean 'height'?"),
        ("{channels: 3, height: 4, width: -5}", "input: width needs an integer of at least 1, not -5"),
        ("[$z, 3]", "no variable 'z' here"),
        ("[9999999999, 3]", "input needs an integer of at most 2,147,483,647"),
    ],
)
def test_input_refused(specs, written, message):
    assert message in specs.error(f"input: {written}\nlayers: [relu]").message


@pytest.mark.parametrize(
    ("text", "current", "shape"),
    [
        ("3x224x224", None, (3, 224, 224)), ("3×8×9", None, (3, 8, 9)), ("224", (3, 8, 8), (3, 224, 224)),
        ("20x30", (3, 8, 8), (3, 20, 30)), ("20x30", (3, 8), (20, 30)), ("50", (2, 8), (2, 50)), ("2X5", None, (2, 5)),
        ("5", (2, 3, 4, 5), (2, 5, 5, 5)), ("4x5x6", (2, 3, 4, 5), (2, 4, 5, 6)), ("1x4x5x6", (2, 3, 4, 5), (1, 4, 5, 6)),
    ],
)  # fmt: skip
def test_parse_input(text, current, shape):
    assert parse_input(text, current) == shape


@pytest.mark.parametrize(
    "text", ["", "x", "3x", "0x3", "-1x3", "axb", "1x2x3x4x5", "3", "1_0x3", "99999999999x3", "٣x3"]
)
def test_parse_input_refused(text):
    with pytest.raises(UsageError, match="--input"):
        parse_input(text)


def test_the_input_can_be_given(specs):
    assert specs.load("- relu", input_shape=(2, 5)).output_shape == (2, 5)
    assert specs.load("- relu", input_shape="9").output_shape == (4, 9, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preprocess: {resize: 0}", "preprocess: resize needs an integer of at least 1, not 0"),
        ("preprocess: {mode: bgr}", "preprocess: mode needs rgb or grey, not 'bgr'"),
        ("preprocess: {men: [1]}", "no key 'men' in preprocess; did you mean 'mean'?"),
        ("preprocess: {std: [0, 1, 1]}", "preprocess: std needs numbers above 0"),
        ("preprocess: {mean: [1, 2]}", "preprocess: mean needs one number or one per colour, not 2"),
        ("preprocess: 224", "preprocess needs a mapping"),
        (
            "labels: imagenet",
            "labels needs imagenet1k, kinetics400, cifar10, digits or a list, not 'imagenet'",
        ),
        ("weights: {sha265: a}", "no key 'sha265' in weights; did you mean 'sha256'?"),
        ("weights: [a]", "weights needs a file name, or url and sha256"),
        ("notes: [a: b]", "notes needs texts"),
        ("title: [a]", "title needs a text"),
        (
            "defaults: {conv: {kernal: 3}}",
            "defaults of conv: no field 'kernal' for conv; did you mean 'kernel'?",
        ),
        ("defaults: {conv: {kernel: 0}}", "defaults of conv: kernel needs an integer of at least 1, not 0"),
        ("defaults: {conv: {kernel: 1, F: 2}}", "defaults of conv: kernel is given twice"),
        ("defaults: {conv: {name: a}}", "defaults of conv: no field 'name' for conv"),
        ("defaults: {covn: {bias: false}}", "no operator 'covn'; did you mean 'conv'?"),
        ("defaults: {conv: 3}", "defaults of 'conv' need a mapping of its fields"),
        ("defaults: 3", "defaults needs a mapping of names"),
        ("layer: [relu]", "no key 'layer' in a spec; did you mean 'layers'?"),
        ("conv: {K: 3}", "no key 'conv' in a spec"),
    ],
)
def test_keys_refused(specs, text, message):
    assert message in specs.error(f"{text}\nlayers: [relu]").message


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (
            "a: 1",
            [
                "no key 'a' in a spec",
                "the spec has no layers",
                "the spec has no input",
            ],
        ),
        ("name:\ninput: [1, 2]\nlayers: [relu]", ["name is empty"]),
        ("[1]", ["a spec is a mapping of keys"]),
        ("relu", ["a spec is a mapping of keys"]),
        ("name: a\ninput: [1, 2]\nlayers: []", ["the network has no layers"]),
        ("name: a\ninput: [1, 2]\nlayers: relu", ["layers needs a list"]),
    ],
)
def test_what_a_spec_needs(tmp_path, text, messages):
    path = tmp_path / "t.yaml"
    path.write_text(text)
    with pytest.raises(ConvcalcError) as caught:
        load_graph(str(path))
    errors = getattr(caught.value, "errors", [caught.value])
    assert sorted(error.message.partition(";")[0] for error in errors) == sorted(messages)


def test_texts_are_as_written(specs):
    graph = specs.load("name: 1.50\ntitle: 2015\nsource: yes\nnotes: one\nlabels: [1.0, no]\nlayers: [relu]")
    assert (graph.name, graph.title, graph.source, graph.notes) == ("1.50", "2015", "yes", ("one",))
    assert graph.labels == ("1.0", "no")


# -- where a spec comes from -----------------------------------------------------------------------------


def test_standard_input(monkeypatch):
    stdin = io.BytesIO(b"name: x\ninput: [1, 2]\nlayers: [relu]\n")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stdin))
    graph = load_graph("-")
    assert (graph.name, graph.directory) == ("x", None)


def test_bundled_names():
    assert load_graph("alexnet").name == "alexnet"
    assert load_graph("torchvision/alexnet").name == "torchvision/alexnet"


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("alexnt", "no architecture 'alexnt'; did you mean 'alexnet'?"),
        ("nothing.yaml", "nothing.yaml: no such file"),
        ("", "no architecture ''"),
        ("a\0b", "no architecture 'a\0b'"),
        ("a\0b.yaml", "cannot be read"),
        ("../architectures/alexnet", "no architecture"),
        ("/etc/passwd", "no architecture '/etc/passwd'"),
    ],
)
def test_no_such_spec(arch, message):
    with pytest.raises(SpecError) as caught:
        load_graph(arch)
    assert message in caught.value.message


def test_a_file_lying_here_is_hinted_at(specs, monkeypatch):
    specs.write("- relu", "mine.yaml")
    monkeypatch.chdir(specs.folder)
    with pytest.raises(SpecError) as caught:
        load_graph("mine")
    assert caught.value.hint == "there is a file mine.yaml here: to mean it, write mine.yaml"
    with pytest.raises(SpecError) as caught:
        load_graph("alexnet.yaml")
    assert caught.value.hint == "the bundled one is called alexnet, without .yaml"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("mynet.py", "there is a file mynet.py here: to mean a PyTorch module in it, write mynet.py:NAME"),
        (
            "net.pb",
            "there is a file net.pb here, but a spec's file name ends in .yaml, a model's in .onnx",
        ),
    ],
)
def test_a_file_of_another_kind_is_hinted_at(tmp_path, monkeypatch, name, hint):
    (tmp_path / name).write_text("x = 1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError) as caught:
        load_graph(name)
    assert caught.value.hint == hint


def test_a_spec_extends_no_module(specs):
    (specs.folder / "mynet.py").write_text("x = 1")
    path = specs.write("extends: mynet.py", "mine.yaml")
    with pytest.raises(SpecError) as caught:
        load_graph(str(path))
    assert "PyTorch" not in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"name: \xff", b"\xff\xfen\0a\0"])
def test_files_that_are_no_text(tmp_path, content):
    path = tmp_path / "t.yaml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="not UTF-8 text"):
        load_graph(str(path))


def test_a_folder_is_no_spec(tmp_path):
    (tmp_path / "t.yaml").mkdir()
    with pytest.raises(SpecError, match="cannot be read"):
        load_graph(str(tmp_path / "t.yaml"))


def test_families_are_left_out_of_the_members():
    assert "torchvision/resnet" in bundled.names()
    assert "torchvision/resnet" not in bundled.members()
    assert "torchvision/resnet50" in bundled.members()
