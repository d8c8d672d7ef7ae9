"""Blocks, use, first, foreach and $channels."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import pytest

UNIT = """\
vars: {wide: 8, kind: relu, list: [1, 2]}
blocks:
  unit:
    params: {filters: required, kernel: 1, stride: 1}
    layers:
      - conv: {filters: $filters, kernel: $kernel, stride: $stride}
      - relu
  bare:
    layers: [relu]
  counted:
    naming: index
    params: [filters, act]
    layers: [conv: {filters: $filters, kernel: 1}, use: {block: $act}]
  reading: {layers: [relu: {name: $wide$kind$list}]}
layers:
"""


def shapes(graph):
    return [(node.name, node.output_shape) for node in graph]


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        # a scalar fills the first parameter; a block use is a scope
        ("- unit: 8", [("unit1.conv1", (8, 16, 16)), ("unit1.relu1", (8, 16, 16))]),
        ("- unit: {filters: 2, stride: 2}", [("unit1.conv1", (2, 8, 8)), ("unit1.relu1", (2, 8, 8))]),
        ("- unit: $wide", [("unit1.conv1", (8, 16, 16)), ("unit1.relu1", (8, 16, 16))]),
        ("- bare\n- bare: {name: x}", [("bare1.relu1", (4, 16, 16)), ("x.relu1", (4, 16, 16))]),
        ("- counted: {filters: 3, act: tanh}", [("counted1.0", (3, 16, 16)), ("counted1.1", (3, 16, 16))]),
        ("- counted: {filters: 3, act: bare}", [("counted1.0", (3, 16, 16)), ("counted1.1.relu1", (3, 16, 16))]),
        # use picks a block or operator by variable, and is named after it
        ("- use: {block: $kind}\n- use: relu", [("relu1", (4, 16, 16)), ("relu2", (4, 16, 16))]),
        ("- use: {block: unit, filters: 1, name: u}", [("u.conv1", (1, 16, 16)), ("u.relu1", (1, 16, 16))]),
        # first changes copy 0 only
        ("- conv: {K: 5, F: 2, repeat: 2, first: {stride: 2}}", [("conv1.0", (5, 8, 8)), ("conv1.1", (5, 7, 7))]),
        # aliases are resolved before: F is kernel
        ("- conv: {K: 5, F: 2, repeat: 2, first: {kernel: 4}}", [("conv1.0", (5, 13, 13)), ("conv1.1", (5, 12, 12))]),
        ("- use: {block: conv, K: 5, F: 2, repeat: 2, first: {kernel: 4}}",
         [("conv1.0", (5, 13, 13)), ("conv1.1", (5, 12, 12))]),
        ("- unit: {filters: 2, repeat: 2, first: {stride: 2}}",
         [("unit1.0.conv1", (2, 8, 8)), ("unit1.0.relu1", (2, 8, 8)),
          ("unit1.1.conv1", (2, 8, 8)), ("unit1.1.relu1", (2, 8, 8))]),
        ("- use: {block: relu, repeat: 2, first: {block: tanh}}", [("relu1.0", (4, 16, 16)), ("relu1.1", (4, 16, 16))]),
        ("- group: {repeat: 2, layers: [relu], first: {layers: [tanh, tanh]}}",
         [("group1.0.tanh1", (4, 16, 16)), ("group1.0.tanh2", (4, 16, 16)), ("group1.1.relu1", (4, 16, 16))]),
        # $i is the copy's index
        ("- conv: {filters: $(i + 1), kernel: 1, repeat: 2}", [("conv1.0", (1, 16, 16)), ("conv1.1", (2, 16, 16))]),
        ("- group: {repeat: 2, layers: [conv: {filters: $(i + 1), kernel: 1}]}",
         [("group1.0.conv1", (1, 16, 16)), ("group1.1.conv1", (2, 16, 16))]),
        ("- group: {repeat: 2, layers: [relu: {if: $(i == 1)}, tanh]}",
         [("group1.0.tanh1", (4, 16, 16)), ("group1.1.relu1", (4, 16, 16)), ("group1.1.tanh1", (4, 16, 16))]),
        # the inner repeat's index hides the outer one's
        ("- group: {repeat: 2, layers: [conv: {filters: $(i + 1), kernel: 1, repeat: 1}]}",
         [("group1.0.conv1.0", (1, 16, 16)), ("group1.1.conv1.0", (1, 16, 16))]),
        # $channels is the entry's input's
        ("- conv: {filters: $(2 * channels), kernel: 1}\n- conv: {filters: $(2 * channels), kernel: 1}",
         [("conv1", (8, 16, 16)), ("conv2", (16, 16, 16))]),
        ("- conv: {filters: $(2 * channels), kernel: 1, repeat: 2}", [("conv1.0", (8, 16, 16)), ("conv1.1", (16, 16, 16))]),
        ("- conv: {filters: 7, kernel: 1}\n- conv: {filters: $channels, kernel: 1, from: input}",
         [("conv1", (7, 16, 16)), ("conv2", (4, 16, 16))]),
        ("- conv: {filters: 7, kernel: 1}\n- relu: {if: $(channels == 4), from: input}\n- tanh: {if: $(channels == 7)}",
         [("conv1", (7, 16, 16)), ("relu1", (4, 16, 16))]),
        ("- relu: {repeat: $(channels // 2)}", [("relu1.0", (4, 16, 16)), ("relu1.1", (4, 16, 16))]),
        ("- foreach: {in: $(range(channels)), as: k, layers: [relu: {if: $(k > 2)}]}", [("relu1", (4, 16, 16))]),
        # in a branch's if it is the join's input's; within the branch it follows the branch
        ("- concat:\n    - [conv: {filters: 3, kernel: 1}, conv: {filters: $channels, kernel: 1}]\n"
         "    - {if: $(channels == 4), layers: [conv: {filters: $(channels + 1), kernel: 1}]}\n"
         "    - {if: $(channels == 3), layers: [relu]}",
         [("conv1", (3, 16, 16)), ("conv2", (3, 16, 16)), ("conv3", (5, 16, 16)), ("concat1", (8, 16, 16))]),
        # foreach: in, as, index
        ("- foreach: {in: [2, 3], as: k, index: n, layers: [conv: {filters: $(k + 10 * n), kernel: 1}]}",
         [("conv1", (2, 16, 16)), ("conv2", (13, 16, 16))]),
        ("- foreach: {in: [[2, 1], [3, 2]], as: [k, s], layers: [conv: {filters: $k, kernel: 2, stride: $s}]}",
         [("conv1", (2, 15, 15)), ("conv2", (3, 7, 7))]),
        ("- foreach: {in: [[2, 1], [3, 2]], as: k, layers: [conv: {filters: '$(k[0])', kernel: 1}]}",
         [("conv1", (2, 16, 16)), ("conv2", (3, 16, 16))]),
        ("- foreach: {in: [], as: k, layers: [relu]}\n- tanh", [("tanh1", (4, 16, 16))]),
        ("- foreach: {in: $list, as: a, layers: [foreach: {in: $list, as: b, layers: [relu: {if: $(a == b)}]}]}",
         [("relu1", (4, 16, 16)), ("relu2", (4, 16, 16))]),
        # null as a field's value is the operator's default, whichever way it comes
        ("- conv: {filters: 2, kernel: 2, stride: null}", [("conv1", (2, 15, 15))]),
        ("- unit: {filters: 2, stride: null}", [("unit1.conv1", (2, 16, 16)), ("unit1.relu1", (2, 16, 16))]),
        # a whole float serves as an integer
        ("- conv: {filters: 8.0, kernel: $(6 / 2)}", [("conv1", (8, 14, 14))]),
        ("- relu: {repeat: 2.0}", [("relu1.0", (4, 16, 16)), ("relu1.1", (4, 16, 16))]),
    ],
)  # fmt: skip
def test_layers(specs, layers, expected):
    assert shapes(specs.load(UNIT + layers)) == expected


def test_first_gives_the_first_copy_another_kind(specs):
    graph = specs.load("- use: {block: relu, repeat: 2, first: {block: tanh}}")
    assert [node.kind for node in graph] == ["tanh", "relu"]


SAME = [
    ("- conv: {filters: 8, kernel: 3, stride: 2, padding: 1}", "- conv: {K: 8, F: 3, S: 2, P: 1}"),
    ("- relu", "- relu: {}"),
    ("- relu", "- relu:"),
    ("- dropout: 0.3", "- dropout: {rate: 0.3}"),
    ("- group: [relu, tanh]", "- group: {layers: [relu, tanh]}"),
    ("- add: [[relu], []]", "- add: {branches: [[relu], []]}"),
    ("- add: [[relu], []]", "- add:\n    - - relu\n    - []"),
    ("- add: [[relu], []]", "- add: [{layers: [relu]}, {layers: []}]"),
    ("- conv: {K: 4, F: 1, repeat: 2}", "- group: {name: conv1, naming: index, layers: [conv: {K: 4, F: 1}, conv: {K: 4, F: 1}]}"),
    ("- foreach: {in: [1, 2], as: k, layers: [conv: {K: $k, F: 1}]}", "- conv: {K: 1, F: 1}\n- conv: {K: 2, F: 1}"),
    ("- use: {block: conv, K: 4, F: 1}", "- conv: {K: 4, F: 1}"),
    ("- conv: {K: 4, F: [3, 3]}", "- conv: {K: 4, F: [3, 3], P: valid}"),
    ("- conv: {K: $(2 + 2), F: 1}", "- conv: {K: $(8 // 2), F: 1}"),
    ("- relu: {name: a$(1 + 1)}", "- relu: {name: a2}"),
    ("- relu: {if: $(1 < 2)}", "- relu"),
    ("- relu: {from: input}", "- relu"),
    ("- relu\n- tanh: {from: relu1}", "- relu\n- tanh"),
    ("- 'relu'", '- "relu"'),
    ("- conv: {K: 4, F: 1}", "- {conv: {K: +4, F: 1.0}}"),
    ("- group: {repeat: 1, layers: [relu]}", "- group: {name: group1, layers: [group: {name: '0', layers: [relu]}]}"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_spellings_of_one_network(specs, shapes_of, one, other):
    first, second = shapes_of(specs.load(one)), shapes_of(specs.load(other))
    assert [row[:1] + row[2:4] for row in first] == [row[:1] + row[2:4] for row in second]
    if "valid" not in other:
        assert first == second


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # a block sees its parameters and the file's vars, nothing of its user
        ("blocks: {b: {layers: [conv: {filters: $k, kernel: 1}]}}\nlayers:\n"
         "  - foreach: {in: [1], as: k, layers: [b]}", "no variable 'k' here"),
        ("blocks: {b: {layers: [conv: {filters: $i, kernel: 1}]}}\nlayers:\n  - b: {repeat: 2}", "no variable 'i' here"),
        ("blocks: {b: {params: {x: $y, y: 1}, layers: [relu]}}\nlayers: [b]", "no variable 'y' here"),
        ("blocks: {b: {params: [x], layers: [relu]}}\nlayers: [b]", "block b needs x"),
        ("blocks: {b: {params: [x], layers: [relu]}}\nlayers: [b: {x: 1, z: 2}]", "no parameter 'z' for block b"),
        ("blocks: {b: {layers: [relu]}}\nlayers: [b: 3]", "b takes no bare value"),
        ("blocks: {b: {layers: [b]}}\nlayers: [relu]", "block b uses itself"),
        ("blocks: {b: {layers: [c]}, c: {layers: [b]}}\nlayers: [relu]", "block b uses itself"),
        ("vars: {x: b}\nblocks: {b: {layers: [use: $x]}}\nlayers: [b]", "block b uses itself"),
        ("blocks: {conv: {layers: [relu]}}\nlayers: [relu]", "'conv' cannot name a block: it is an operator"),
        ("blocks: {group: {layers: [relu]}}\nlayers: [relu]", "'group' cannot name a block: it is a word of the language"),
        ("blocks: {a.b: {layers: [relu]}}\nlayers: [relu]", "'a.b' cannot name a block"),
        ("blocks: {b: {params: [name], layers: [relu]}}\nlayers: [relu]", "'name' cannot name a parameter: it is a key"),
        ("blocks: {b: {params: [x, x], layers: [relu]}}\nlayers: [relu]", "parameter 'x' is given twice"),
        ("blocks: {b: [relu]}\nlayers: [relu]", "block b needs a mapping with its layers"),
        ("blocks: {b: {params: [x]}}\nlayers: [relu]", "block b has no layers"),
        ("layers: [use: {block: nothing}]", "no block or operator 'nothing'"),
        ("layers: [use: {block: group, layers: [relu]}]", "no block or operator 'group'"),
        ("layers: [use: {name: a}]", "use needs block"),
        ("vars: {x: 3}\nlayers: [use: $x]", "block needs the name of a block or operator, not 3"),
        ("blocks: {b: {layers: [relu]}}\nvars: {k: b}\nlayers: [relu, use: {block: $k, share: relu1}]",
         "'relu1' is a layer, and share on a scope needs a group, block or network"),
        ("layers: [conv: {K: 1, F: 1, first: {K: 2}}]", "first goes with repeat"),
        ("layers: [conv: {K: 1, F: 1, repeat: 2, first: {name: a}}]", "first cannot change name"),
        ("layers: [conv: {K: 1, F: 1, repeat: 2, first: {karnel: 1}}]", "no field 'karnel' for conv"),
        ("layers: [conv: {K: 1, F: 1, copies: a}]", "copies goes with repeat"),
        ("layers: [conv: {K: $i, F: 1}]", "no variable 'i' here"),
        ("layers: [relu, relu: {from: a$channels}]", "no variable 'channels' here"),
        ("vars: {x: $channels}\nlayers: [relu]", "no variable 'channels' here"),
        ("layers: [foreach: {in: [[1, 2], [3]], as: [a, b], layers: [relu]}]", "item 1 is a list of 1, but as names 2: a, b"),
        ("layers: [foreach: {in: 3, as: a, layers: [relu]}]", "foreach goes through a list, not 3"),
        ("layers: [foreach: {in: [1], as: i, layers: [relu]}]", "'i' cannot name a loop variable: it is the copy's index"),
        ("layers: [foreach: {in: [1], as: [a, a], layers: [relu]}]", "'a' is named twice"),
        ("layers: [foreach: {in: [1], as: a, layers: [relu], name: x}]", "no field 'name' for foreach"),
        ("layers: [foreach: {in: [1], layers: [relu]}]", "foreach needs as"),
        ("vars: {w: 2.5}\nlayers: [conv: {K: $w, F: 1}]", "filters needs an integer, not 2.5"),
        ("vars: {w: null}\nlayers: [conv: {K: 1, F: $w}]", "kernel is null, and it has no default"),
        ("vars: {w: 1}\nlayers: [relu: {if: $w}]", "if needs true or false, not 1"),
        ("vars: {w: -1}\nlayers: [relu: {repeat: $w}]", "repeat needs an integer of at least 0, not -1"),
    ],
)  # fmt: skip
def test_refused(specs, text, message):
    assert message in specs.error(text).message


def test_an_error_names_the_uses_it_came_through(specs):
    error = specs.error(
        """\
        blocks:
          inner:
            params: [k]
            layers:
              - maxpool: $k
          outer:
            layers:
              - inner: 99
        layers:
          - outer
        """
    )
    assert error.message.startswith("outer1.inner1.maxpool1: a window of 99")
    assert error.mark.line == 7
    assert [mark.line for mark in error.used_at] == [10, 12]


@pytest.mark.parametrize("body", ["conv: {filters: $(1 // 0), kernel: 1}", "relu: {if: $(1 // 0 == 1)}",
                                  "foreach: {in: $(1 // 0), as: k, layers: [relu]}", "relu: {from: nowhere}"])  # fmt: skip
def test_every_kind_of_error_in_a_block_does(specs, body):
    error = specs.error(f"blocks: {{b: {{layers: [{body}]}}}}\nlayers: [b]")
    assert [mark.line for mark in error.used_at] == [4]


def test_the_first_shape_error_comes_with_the_network_up_to_it(specs):
    error = specs.error("- relu\n- maxpool: 99\n- maxpool: 98")
    assert [node.name for node in error.graph] == ["relu1"]
    assert error.graph.output_shape == (4, 16, 16)
