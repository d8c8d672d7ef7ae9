"""Names and paths: ordinals, naming, joins, repeats, and what `from`, `share` and `keys` find."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import pytest

CONV = "conv: {filters: 4, kernel: 1}"


@pytest.mark.parametrize(
    ("layers", "wiring"),
    [
        # the default name is kind and ordinal
        ("- relu\n- relu\n- tanh\n- relu", "relu1(input) relu2(relu1) tanh1(relu2) relu3(tanh1)"),
        # all of the kind are counted, named ones too
        ("- relu: {name: a}\n- relu", "a(input) relu2(a)"),
        # what is switched off is not counted
        ("- relu: {if: false}\n- relu", "relu1(input)"),
        # names are text as written
        ("- relu: {name: 01}\n- relu: {name: true}\n- relu: {name: 1.0e}", "E"),
        ("- relu: {name: 01}\n- relu: {name: true}", "01(input) true(01)"),
        # groups are scopes and count anew
        ("- relu\n- group: [relu, relu]\n- relu", "relu1(input) group1.relu1(relu1) group1.relu2(group1.relu1) "
         "relu2(group1.relu2)"),
        ("- group: {name: g, layers: [group: [relu]]}", "g.group1.relu1(input)"),
        # naming: index numbers every present child; a name wins, and its number is used up
        ("- group: {name: f, naming: index, layers: [relu, relu: {name: x}, relu: {if: false}, tanh, group: [relu]]}",
         "f.0(input) f.x(f.0) f.2(f.x) f.3.relu1(f.2)"),
        # a join without name adds no segment; its node has the join's path
        ("- add: [[relu], [tanh]]", "relu1(input) tanh1(input) add1(relu1 tanh1)"),
        ("- add: [[relu], [relu]]\n- relu", "relu1(input) relu2(input) add1(relu1 relu2) relu3(add1)"),
        ("- add: [[relu, add: [[relu], []]], []]\n- tanh",
         "relu1(input) relu2(relu1) add2(relu2 relu1) add1(add2 input) tanh1(add1)"),
        # with a name, a number or repeat it is a scope
        ("- add: {name: j, branches: [[relu], []]}", "j.relu1(input) j(j.relu1 input)"),
        ("- group: {naming: index, layers: [add: [[relu], []]]}", "group1.0.relu1(input) group1.0(group1.0.relu1 input)"),
        ("- add: {repeat: 2, branches: [[relu], []]}",
         "add1.0.relu1(input) add1.0(add1.0.relu1 input) add1.1.relu1(add1.0) add1.1(add1.1.relu1 add1.0)"),
        # branches as group fields
        ("- add: [{name: a, layers: [relu]}, {name: b, naming: index, layers: [relu, tanh]}]",
         "a.relu1(input) b.0(input) b.1(b.0) add1(a.relu1 b.1)"),
        ("- add: [{naming: index, layers: [relu, tanh]}, [relu]]\n- relu",
         "0(input) 1(0) relu2(input) add1(1 relu2) relu3(add1)"),
        # repeat: each copy a scope under the entry's name
        ("- relu: {repeat: 2}\n- relu", "relu1.0(input) relu1.1(relu1.0) relu2(relu1.1)"),
        ("- group: {name: g, repeat: 2, layers: [relu]}", "g.0.relu1(input) g.1.relu1(g.0.relu1)"),
        ("- relu: {name: r, repeat: 2, copies: c$(i + 1)}", "r.c1(input) r.c2(r.c1)"),
        ("- relu: {repeat: 0}\n- tanh", "tanh1(input)"),
        ("- relu\n- tanh\n- relu: {repeat: 0, from: relu1}\n- elu: {}", "relu1(input) tanh1(relu1) elu1(relu1)"),
        # foreach opens no scope
        ("- foreach: {in: [1, 2], as: k, layers: [relu, tanh: {name: t$k}]}",
         "relu1(input) t1(relu1) relu2(t1) t2(relu2)"),
        ("- group: {naming: index, layers: [foreach: {in: [1, 2], as: k, layers: [relu]}, relu]}",
         "group1.0(input) group1.1(group1.0) group1.2(group1.1)"),
        # from
        ("- relu\n- tanh: {from: input}\n- add: {from: [relu1, tanh1]}", "relu1(input) tanh1(input) add1(relu1 tanh1)"),
        ("- relu: {name: a}\n- tanh\n- elu: {from: a}", "a(input) tanh1(a) elu1(a)"),
        ("- group: {name: g, layers: [relu, tanh]}\n- relu\n- elu: {from: g}",
         "g.relu1(input) g.tanh1(g.relu1) relu1(g.tanh1) elu1(g.tanh1)"),
        ("- group: {name: g, layers: [relu, tanh]}\n- elu: {from: g.relu1}",
         "g.relu1(input) g.tanh1(g.relu1) elu1(g.relu1)"),
        ("- relu\n- group: [relu, tanh, elu: {from: relu1}]",
         "relu1(input) group1.relu1(relu1) group1.tanh1(group1.relu1) group1.elu1(group1.relu1)"),
        ("- tanh\n- group: [relu, elu: {from: tanh1}]", "tanh1(input) group1.relu1(tanh1) group1.elu1(tanh1)"),
        ("- group: {name: g, layers: [relu, group: [tanh, elu: {from: g.relu1}]]}",
         "g.relu1(input) g.group1.tanh1(g.relu1) g.group1.elu1(g.relu1)"),
        ("- relu: {repeat: 2}\n- tanh\n- elu: {from: relu1}\n- elu: {from: relu1.0}",
         "relu1.0(input) relu1.1(relu1.0) tanh1(relu1.1) elu1(relu1.1) elu2(relu1.0)"),
        ("- add: {name: j, branches: [[relu], []]}\n- tanh\n- add: {from: [j, j.relu1]}",
         "j.relu1(input) j(j.relu1 input) tanh1(j) add2(j j.relu1)"),
        ("- relu: {name: 0.10}\n", "E"),
        ("- relu: {name: 010}\n- tanh\n- add: {from: [010, tanh1]}", "010(input) tanh1(010) add1(010 tanh1)"),
        ("- foreach: {in: [1], as: k, layers: [relu: {name: a$k}]}\n- tanh\n- add: {from: [a1, $(\"'tanh1'\")]}", "E"),
        # a branch starts from the join's input, which from may name
        ("- relu\n- tanh\n- add: {from: relu1, branches: [[elu: {}], []]}",
         "relu1(input) tanh1(relu1) elu1(relu1) add1(elu1 relu1)"),
        # if on a branch removes it, and one branch left is the result with no join
        ("- add: [[relu], {if: false, layers: [tanh]}]\n- elu: {from: add1}", "relu1(input) elu1(relu1)"),
        ("- concat: [[relu], {if: false, layers: []}, [tanh]]", "relu1(input) tanh1(input) concat1(relu1 tanh1)"),
        # if on a layer removes only the layer, and an emptied list is the identity
        ("- add: [[relu], [tanh: {if: false}]]", "relu1(input) add1(relu1 input)"),
        # a condition that is false asks for nothing else
        ("- relu\n- add: {if: false, from: [nowhere, relu1]}", "relu1(input)"),
        # null, computed, is the default
        ("- foreach: {in: [null], as: n, layers: [relu: {name: $n, from: $n}]}", "relu1(input)"),
    ],
)  # fmt: skip
def test_names_and_wiring(specs, layers, wiring):
    if wiring == "E":
        specs.errors(layers)
    else:
        assert specs.wiring(layers) == wiring


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("- relu: {name: a}\n- tanh: {name: a}", "there is already a layer or scope a"),
        ("- relu: {name: relu2}\n- relu", "there is already a layer or scope relu2"),
        ("- add: [[relu: {name: add1}], []]", "there is already a layer or scope add1"),
        ("- add: [{naming: index, layers: [relu]}, {naming: index, layers: [relu]}]", "already a layer or scope 0"),
        ("- relu: {repeat: 2, copies: c}", "there is already a layer or scope relu1.c"),
        ("- add: [{name: a, layers: [relu]}, {name: a, layers: [relu]}]", "there is already a layer or scope a"),
        ("- group: {name: g, layers: [relu]}\n- relu: {name: g}", "there is already a layer or scope g"),
        ("- relu: {from: tanh1}\n- tanh", "no earlier layer 'tanh1'"),
        ("- relu: {from: relu1}", "no earlier layer 'relu1'"),
        ("- relu\n- tanh: {from: rellu1}", "no earlier layer 'rellu1'; did you mean 'relu1'?"),
        ("- group: {name: g, layers: [relu, tanh: {from: g}]}", "'g' is not complete here"),
        ("- relu\n- tanh: {from: relu1.x}", "nothing called 'x' in relu1"),
        ("- group: {name: g, layers: [relu]}\n- tanh: {from: g.relu2}", "nothing called 'relu2' in g; did you mean"),
        ("- relu\n- tanh: {from: [relu1, input]}", "a list of inputs belongs to a join"),
        ("- relu\n- group: {from: [relu1, input], layers: [tanh]}", "a list of inputs belongs to a join"),
        ("- relu\n- add: {from: [relu1, input], branches: [[tanh], []]}", "a join has branches or a list of inputs"),
        ("- relu\n- add: {from: relu1}", "add1: add needs at least 2 inputs, not 1"),
        ("- add: {from: []}", "from is empty"),
        ("- add: [[], []]", "all branches of this add are the identity"),
        ("- add: [[], [relu: {if: false}]]", "all branches of this add are the identity"),
        ("- add: [{if: false, layers: [relu]}, {if: false, layers: []}]", "every branch of this add is switched off"),
        ("- add: {from: [input, input], repeat: 0}", "no copy of a join of several inputs"),
        ("- relu: {name: input}", "'input' cannot name a layer"),
        ("- relu: {name: a.b}", "'a.b' cannot name a layer"),
        ("- relu: {name: a b}", "'a b' cannot name a layer"),
        ("- foreach: {in: [a.b], as: k, layers: [relu: {name: $k}]}", "'a.b' cannot name a layer"),
        ("- relu: {name: }", "name is empty"),
        ("- relu: {name: [a]}", "name needs a word, not a list of 1"),
        ("- relu: {if: false}", "the network has no layers"),
    ],
)  # fmt: skip
def test_what_cannot_be_named_or_found(specs, layers, message):
    assert message in specs.error(layers).message


def test_a_clash_says_where_the_first_one_stands(specs):
    error = specs.error("- relu: {name: a}\n- tanh\n- elu: {name: a}")
    assert (error.mark.line, error.mark.column) == (6, 15)
    assert "net.yaml:4:3" in error.hint


@pytest.mark.parametrize(
    ("layers", "shares"),
    [
        ("- conv: {name: a, filters: 4, kernel: 1}\n- conv: {filters: 4, kernel: 1, share: a}", {"conv2": "a"}),
        # sharing what is shared is sharing with the first
        ("- conv: {name: a, K: 4, F: 1}\n- conv: {name: b, K: 4, F: 1, share: a}\n- conv: {K: 4, F: 1, share: b}",
         {"b": "a", "conv3": "a"}),
        # stride and padding are no weights
        ("- conv: {name: a, K: 4, F: 3, P: 1}\n- conv: {K: 4, F: 3, S: 2, share: a}", {"conv2": "a"}),
        ("- conv: {name: a, K: 4, F: 1}\n- conv: {name: b, K: 4, F: 1, repeat: 2, share: a}", {"b.0": "a", "b.1": "a"}),
        # all copies use the first one's weights
        ("- conv: {name: c, K: 4, F: 1, repeat: 3, share: c.0, first: {share: null}}", {"c.1": "c.0", "c.2": "c.0"}),
        ("- group: {name: g, layers: [conv: {K: 4, F: 1}]}\n- conv: {K: 4, F: 1, share: g.conv1}",
         {"conv1": "g.conv1"}),
    ],
)  # fmt: skip
def test_share(specs, layers, shares):
    graph = specs.load(layers)
    assert {n.name: graph.nodes[n.shares].name for n in graph if n.shares is not None} == shares


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            "- conv: {K: 4, F: 1}\n- conv: {K: 8, F: 1, share: conv1}",
            "conv2: cannot share the weights of conv1",
        ),
        ("- relu\n- conv: {K: 8, F: 1, share: relu1}", "relu1 is a relu: it has no weights to share"),
        (
            "- group: {name: g, layers: [conv: {K: 4, F: 1}]}\n- conv: {K: 4, F: 1, share: g}",
            "share needs a layer",
        ),
        ("- conv: {K: 4, F: 1, share: input}", "the input has no weights to share"),
        ("- conv: {K: 4, F: 1, share: conv1}", "no earlier layer 'conv1'"),
        ("- group: {share: a, layers: [relu]}", "no earlier layer 'a'"),
        ("- scale: {keys: {wieght: g}}", "scale1: keys names 'wieght'; did you mean 'weight'?"),
        ("- relu: {keys: other}", "relu1: keys, but relu has no weights"),
        ("- group: {keys: a, layers: [relu]}", "keys belongs to a layer, not to group"),
        ("- prelu: {keys: ^a}", "keys '^a' goes up 1 scope, the layer is in 0"),
        ("- group: {layers: [prelu: {keys: ^^^a}]}", "keys '^^^a' goes up 3 scopes, the layer is in 1"),
        ("- group: {layers: [prelu: {keys: ^}]}", "keys '^' is no name"),
    ],
)
def test_share_and_keys_refused(specs, layers, message):
    assert message in specs.error(layers).message


def test_keys(specs):
    graph = specs.load(
        """\
        - group:
            name: g
            layers:
              - scale: {name: s, keys: {weight: layer_scale}}
              - batchnorm: {name: norm1, keys: norm.1}
              - scale
        """
    )
    assert [dict(node.keys) for node in graph] == [{"weight": "g.layer_scale"}, {"": "g.norm.1"}, {}]
    assert [node.scope for node in graph] == ["g", "g", "g"]


def test_keys_of_outer_scopes(specs):
    """RetinaNet's published file has conv.2.weight for today's conv.1.0.weight."""
    graph = specs.load(
        """\
        - group:
            name: head
            layers:
              - group:
                  name: conv
                  naming: index
                  layers:
                    - group: {naming: index, layers: [conv: {K: 3, F: 1, keys: ^0}]}
                    - group: {naming: index, layers: [conv: {K: 4, F: 1, keys: ^2}, prelu: {keys: {weight: ^^slope}}]}
        """
    )
    assert [(node.name, dict(node.keys)) for node in graph] == [
        ("head.conv.0.0", {"": "head.conv.0"}),
        ("head.conv.1.0", {"": "head.conv.2"}),
        ("head.conv.1.1", {"weight": "head.slope"}),
    ]


def test_a_layer_nobody_reads_is_a_warning(specs):
    graph = specs.load("- relu\n- tanh\n- elu: {from: relu1}")
    assert len(graph.warnings) == 1
    assert "net.yaml:5:3: tanh1: no layer reads its output" in graph.warnings[0]
    assert specs.load("- relu\n- add: [[tanh], []]").warnings == ()


def test_what_the_spec_names_or_numbers_is_told_from_what_it_does_not(specs):
    graph = specs.load(
        """\
        - relu
        - relu: {name: relu2}
        - group: {naming: index, layers: [relu, tanh: {name: x}]}
        - elu: {repeat: 2}
        - group: [relu]
        - add: [[relu], []]
        """
    )
    assert [node.name for node in graph if node.named] == [
        "relu2", "group1.0", "group1.x", "elu1.0", "elu1.1",
    ]  # fmt: skip


def test_scopes_that_join_are_known_also_where_only_one_branch_is_left(specs):
    graph = specs.load(
        """\
        - group: {name: a, layers: [add: [[relu], []]]}
        - group: {name: b, layers: [group: {name: c, layers: [add: [[relu], {if: false, layers: []}]]}]}
        - group: {name: d, layers: [relu]}
        """
    )
    assert graph.joining == {"a", "b.c"}
