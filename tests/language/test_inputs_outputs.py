"""Several inputs, several outputs, and inputs that are vectors."""

from __future__ import annotations

import pytest

from convcalc.errors import UsageError
from convcalc.graph import INPUT, Input, Output
from convcalc.language.load import load_graph

TWO = """\
inputs: {left: [2, 9, 7], right: [3, 8, 6]}
layers:
  - conv: {name: a, from: left, K: 5, F: 3}
  - conv: {name: b, from: right, K: 5, F: 2}
  - add: {name: sum, from: [a, b]}
"""


def test_two_inputs(specs):
    """9 − 3 + 1 = 8 − 2 + 1 = 7 rows, 7 − 3 + 1 = 6 − 2 + 1 = 5 columns."""
    graph = specs.load(TWO)
    assert graph.inputs == (Input("left", (2, 9, 7)), Input("right", (3, 8, 6)))
    assert [node.inputs for node in graph] == [(-1,), (-2,), (0, 1)]
    assert [node.output_shape for node in graph] == [(5, 7, 5)] * 3
    assert (graph.input_shape, graph.shape(-2), graph.input_name(-2)) == ((2, 9, 7), (3, 8, 6), "right")
    assert graph.outputs == (Output("sum", 2),)
    assert graph.warnings == ()


def test_one_input_may_have_a_name(specs):
    """It is then what the first layer reads, and `input` still means it."""
    assert (
        specs.wiring("inputs: {image: [2, 9, 7]}\nlayers: [relu, {add: {from: [image, input, relu1]}}]")
        == "relu1(image) add1(image image relu1)"
    )


def test_the_first_layer_of_several_inputs_says_which(specs):
    for layers in ("[relu]", "[{group: [relu]}]", "[{relu: {repeat: 2}}]", "[{add: [[relu], []]}]"):
        error = specs.error(f"inputs: {{left: [2, 9, 7], right: [2, 8, 6]}}\nlayers: {layers}")
        assert error.message.endswith("relu1: the network has 2 inputs: left, right") or (
            error.message.endswith(".0: the network has 2 inputs: left, right")
        )
        assert error.hint == "say which this layer reads: from: left"


def test_groups_blocks_and_branches_may_say_which_within(specs):
    text = """\
        inputs: {left: [2, 9, 7], right: [2, 8, 6]}
        blocks: {twin: {layers: [{relu: {from: right}}, tanh]}}
        layers:
          - group: {name: g, layers: [{relu: {from: left}}, tanh]}
          - twin
          - concat: [[{global_avgpool: {from: left}}], [{global_avgpool: {from: right}}]]
    """
    assert specs.wiring(text) == (
        "g.relu1(left) g.tanh1(g.relu1) twin1.relu1(right) twin1.tanh1(twin1.relu1) "
        "global_avgpool1(left) global_avgpool2(right) concat1(global_avgpool1 global_avgpool2)"
    )


def test_input_is_no_name_where_there_are_several(specs):
    error = specs.error(TWO.replace("from: left", "from: input"))
    assert error.message == "the network has 2 inputs: left, right"
    assert error.hint == "say which: from: left"


def test_an_inputs_name_misspelled(specs):
    error = specs.error(TWO.replace("from: left", "from: lefd"))
    assert error.message == "no earlier layer 'lefd'; did you mean 'left'?"
    assert error.hint.endswith("; the network's inputs are left, right")


def test_a_layer_cannot_have_an_inputs_name(specs):
    error = specs.error(TWO.replace("name: a", "name: right"))
    assert error.message == "'right' is an input of the network"


def test_a_name_within_a_scope_hides_an_inputs(specs):
    layers = "[{group: [{relu: {name: b, from: a}}, {tanh: {from: b}}]}]"
    assert (
        specs.wiring(f"inputs: {{a: [2, 9, 7], b: [2, 8, 6]}}\nlayers: {layers}")
        == "group1.b(a) group1.tanh1(group1.b)"
    )


def test_channels_of_the_input_that_is_read(specs):
    graph = specs.load(TWO.replace("name: b, from: right, K: 5", "name: b, from: right, K: $(channels + 2)"))
    assert graph.nodes[1].output_shape[0] == 5


def test_an_input_that_nothing_reads_is_a_warning(specs):
    graph = specs.load("inputs: {left: [2, 9, 7], right: [3, 8, 6]}\nlayers: [{relu: {from: right}}]")
    assert graph.warnings == ("the input left: no layer reads it",)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{}", "inputs needs names with their shapes"),
        ("[3, 8, 8]", "inputs needs names with their shapes"),
        ("{a.b: [3, 8, 8]}", "'a.b' cannot name an input"),
        ("{a: 3}", "a needs channels and 1 to 3 sizes, not 3"),
        ("{a: [8, 8, 3]}", "a [8, 8, 3]: channels come first: write [3, 8, 8]"),
        ("{a: {channels: 3, hight: 2}}", "no key 'hight' in a; did you mean 'height'?"),
    ],
)
def test_inputs_that_make_no_sense(specs, inputs, message):
    assert message in [error.message for error in specs.errors(f"inputs: {inputs}\nlayers: [relu]")]


def test_input_and_inputs_in_one_file(specs):
    error = specs.error("input: [3, 8, 8]\ninputs: {a: [3, 8, 8]}\nlayers: [relu]")
    assert error.message == "input and inputs say the same thing"


def test_inputs_take_the_place_of_an_inherited_input_and_the_other_way_round(specs):
    specs.write("input: [3, 9, 7]\nlayers: [relu]", "base.yaml")
    child = specs.load("extends: base.yaml\ninputs: {image: [2, 5, 4]}")
    assert child.inputs == (Input("image", (2, 5, 4)),)
    specs.write("inputs: {image: [2, 5, 4]}\nlayers: [relu]", "base.yaml")
    assert specs.load("extends: base.yaml\ninput: [3, 9, 7]").inputs == (Input("input", (3, 9, 7)),)


# -- other shapes than the file's --------------------------------------------------------------------------


def test_another_shape_for_one_of_several_inputs(specs):
    path = specs.write(TWO)
    graph = load_graph(path, input_shape={"left": "2x12x7", "right": (3, 11, 6)})
    assert [entry.shape for entry in graph.inputs] == [(2, 12, 7), (3, 11, 6)]
    assert graph.changes == ("input left 2×12×7", "input right 3×11×6")
    assert load_graph(specs.write("layers: [relu]"), input_shape="input=3x5").input_shape == (4, 3, 5)


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("2x12x7", "--input 2x12x7: the network has 2 inputs: left, right", "say which: --input left=2x12x7"),
        ((2, 12, 7), "--input 2x12x7: the network has 2 inputs: left, right", "say which: --input left=2x12x7"),
        ("lefd=12", "--input lefd=12: the network has no input 'lefd'; did you mean 'left'?",
         "its inputs: left, right"),
    ],
)  # fmt: skip
def test_shapes_without_a_name_or_with_a_wrong_one(specs, given, message, hint):
    with pytest.raises(UsageError) as caught:
        load_graph(specs.write(TWO), input_shape=given)
    assert (caught.value.message, caught.value.hint) == (message, hint)


# -- vectors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["[100]", "{features: 100}", "[$(50 * 2)]"])
def test_a_vector(specs, written):
    """A generator: 100 → 6·4·3 → 6×4×3 → deconvolved, (4 − 1)·2 + 3 = 9 and (3 − 1)·2 + 3 = 7."""
    graph = specs.load(f"""\
        input: {written}
        layers: [dense: 72, reshape: [6, 4, 3], deconv: {{K: 5, F: 3, S: 2}}]
    """)
    assert graph.input_shape == (100,)
    assert graph.output_shape == (5, 9, 7)


def test_another_size_of_a_vector(specs):
    path = specs.write("input: [100]\nlayers: [dense: 7]")
    assert load_graph(path, input_shape="30").input_shape == (30,)
    assert load_graph(path, input_shape=(30,)).warnings == ()


def test_channels_alone_are_no_vector(specs):
    error = specs.error("input: {channels: 100}\nlayers: [relu]")
    assert error.message == "input needs channels, height and width, not channels"
    assert "features alone for a vector" in error.hint


# -- outputs -----------------------------------------------------------------------------------------------

PYRAMID = """\
outputs: {}
layers:
  - conv: {{name: c1, K: 5, F: 3}}
  - group: {{name: head, layers: [{{conv: {{name: boxes, K: 6, F: 1}}}}, relu]}}
  - conv: {{name: scores, from: c1, K: 7, F: 1}}
"""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("[c1, head.boxes, scores]", [("c1", 0), ("head.boxes", 1), ("scores", 3)]),
        ("[head, scores]", [("head", 2), ("scores", 3)]),
        ("{boxes: head.boxes, classes: scores}", [("boxes", 1), ("classes", 3)]),
        ("{same: scores, again: scores}", [("same", 3), ("again", 3)]),
        ("head.boxes", [("head.boxes", 1)]),
        ("{boxes: head.boxes, aux: $(null)}", [("boxes", 1)]),
        ("$(['c1', 'head'])", [("c1", 0), ("head", 2)]),
        ("['c$(1)']", [("c1", 0)]),
    ],
)
def test_outputs(specs, written, expected):
    graph = specs.load(PYRAMID.format(written))
    assert [tuple(output) for output in graph.outputs] == expected
    assert graph.output == expected[0][1]


def test_the_last_layer_is_the_output_without_the_key(specs):
    graph = specs.load(PYRAMID.format("x").replace("outputs: x\n", ""))
    assert graph.outputs == (Output("scores", 3),)


def test_an_output_is_never_called_unread(specs):
    """three-results of the list of faults: three heads on one stem."""
    text = """\
        input: [3, 64, 64]
        outputs: [head1, head2, head3]
        layers:
          - conv: {name: stem, K: 8, F: 3, P: 1, S: 8}
          - conv: {name: head1, K: 4096, F: 1}
          - conv: {name: head2, from: stem, K: 4096, F: 1}
          - conv: {name: head3, from: stem, K: 4096, F: 1}
    """
    graph = specs.load(text)
    assert graph.warnings == ()
    assert graph.last_readers() == [3, 4, 4, 4]
    (warning,) = specs.load(text.replace("[head1, head2, head3]", "[head1, head3]")).warnings
    assert "head2: no layer reads its output" in warning


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[heads]", "no layer 'heads' to be an output; did you mean 'head'?"),
        ("[head.bxes]", "nothing called 'bxes' in head; did you mean 'boxes'?"),
        ("[c1.x]", "nothing called 'x' in c1"),
        ("[input]", "'input' is an input: an output is a layer's"),
        ("[c1, c1]", "there is already an output 'c1'"),
        ("[]", "outputs names no layer"),
        ("[[c1]]", "outputs needs the paths of layers, not a list of 1"),
        ("{a b: c1}", "'a b' cannot name an output"),
        ("[$nothing]", "no variable 'nothing' here"),
    ],
)
def test_outputs_that_make_no_sense(specs, written, message):
    assert specs.error(PYRAMID.format(written)).message == message


def test_a_variable_that_only_outputs_read(specs):
    graph = specs.load("vars: {which: relu1}\noutputs: {out: $which}\nlayers: [relu, tanh]")
    assert graph.outputs == (Output("out", 0),)
    assert INPUT == -1
