"""Layers are counted before any is built: by hand, against what the expansion makes, and without expanding."""

from __future__ import annotations

import pytest

from convcalc.errors import SpecError
from convcalc.graph import MAX_LAYERS
from convcalc.language import bundled
from convcalc.language.bounds import Bounds, EntryCount
from convcalc.language.expansion import Expansion
from convcalc.language.load import load_graph

BLOCKS = """
  two: {layers: [relu, tanh]}
  times: {params: [n], layers: [{relu: {repeat: $n}}]}
  doubled: {params: {m: 3, n: $(2 * m)}, layers: [{relu: {repeat: $n}}]}
  fixed: {layers: [{group: {repeat: $n, layers: [relu]}}]}
  reading: {layers: [{relu: {name: $n$which}}]}
"""


@pytest.fixture
def counted(specs, monkeypatch):
    """What a text's layers come to; the expansion is not run."""

    def count(text: str) -> EntryCount:
        found = []

        def start(self, entries, variables):
            found.append(Bounds(1_000, variables).entries(entries))
            raise SpecError("counted")

        with monkeypatch.context() as patch:
            patch.setattr(Expansion, "start", start)
            assert specs.error(text).message == "counted"
        return found[0]

    return count


@pytest.mark.parametrize(
    ("layers", "least", "steps"),
    [
        ("[relu, relu]", 2, 2),
        ("[{group: {repeat: 3, layers: [relu, relu]}}]", 3 * 2, 1 + 3 + 3 * 2),
        ("[{group: {repeat: $n, layers: [relu, relu]}}]", 2 * 2, 1 + 2 + 2 * 2),
        ("[{group: {if: $(n > 9), layers: [relu, relu]}}]", 0, 1),
        ("[{group: {if: $(n < 9), layers: [relu, relu]}}]", 2, 1 + 2),
        ("[{group: {if: $(channels > 0), layers: [relu, relu]}}]", 0, 1),
        ("[{relu: {repeat: $channels}}]", 0, 1),
        ("[{foreach: {in: $(range(3 * n)), as: k, layers: [relu]}}]", 6, 6 * (1 + 1)),
        ("[{foreach: {in: [5, 6], as: k, layers: [relu]}}]", 2, 2 * (1 + 1)),
        ("[{foreach: {in: [5, 6], as: n, layers: [{relu: {repeat: $n}}]}}]", 5 + 6, 2 + (1 + 5) + (1 + 6)),
        ("[{foreach: {in: [[1, 5], [2, 6]], as: [a, b], index: s, layers: [{relu: {repeat: $(b + s)}}]}}]",
         5 + 7, 2 + (1 + 5) + (1 + 7)),
        ("[{foreach: {in: [1, 2, 3], as: k, layers: [{tanh: {if: $(k > 1)}}]}}]", 2, 3 + 3),
        ("[{group: {repeat: 4, layers: [{relu: {repeat: $i}}]}}]", 0 + 1 + 2 + 3, 1 + 4 + 4 + 6),
        ("[{group: {repeat: 3, layers: [relu], first: {layers: [relu, tanh]}}}]", 2 + 1 + 1, 1 + 3 + 2 + 1 + 1),
        ("[{use: {block: two}}, {use: {block: $which, repeat: 3}}]", 2 + 3 * 2, 1 + 2 + 1 + 3 + 3 * 2),
        ("[times: 5, times: 5, times: 6]", 5 + 5 + 6, 3 * (1 + 1) + 5 + 5 + 6),
        ("[times: $channels]", 0, 1 + 1),  # not the file's n
        ("[doubled, doubled: 1, doubled: {n: 4}]", 6 + 2 + 4, 3 * (1 + 1) + 6 + 2 + 4),
        ("[fixed]", 2, 1 + 1 + 2 + 2),
        ("[{concat: [[relu], [{relu: {if: false}}, relu]]}]", 1 + 1 + 1, 1 + 2 + 1 + 2),
        # a branch that may be missing leaves one, which needs no join
        ("[{concat: [[relu], {if: $(channels > 3), layers: [relu]}]}]", 1, 1 + 2 + 1),
        ("[{concat: {from: [input, input]}}]", 1, 1),
    ],
)  # fmt: skip
def test_least_layers_and_steps_by_hand(counted, layers: str, least: int, steps: int) -> None:
    """A step for every entry, branch, copy and loop item; what only shapes decide counts as nothing."""
    assert counted(f"vars: {{n: 2, which: two}}\nblocks:{BLOCKS}\nlayers: {layers}\n") == (least, steps)


# Networks used up to one of their layers, by the path of the use: they count as nothing, since what lies behind it
# is never built.
CUT_OFF = {
    "torchvision/fcos_resnet50_fpn": "backbone.body.",
    "torchvision/retinanet_resnet50_fpn": "backbone.body.",
    "torchvision/resnet50_fpn": "body.",
}


@pytest.mark.parametrize("name", bundled.members())
def test_no_bundled_network_counts_too_many(name: str, monkeypatch) -> None:
    found = []
    start = Expansion.start
    monkeypatch.setattr(
        Expansion,
        "start",
        lambda self, entries, variables: (
            found.append(Bounds(MAX_LAYERS, variables).entries(entries)) or start(self, entries, variables)
        ),
    )
    graph = load_graph(name)
    cut = [node for node in graph if name in CUT_OFF and node.name.startswith(CUT_OFF[name])]
    assert (len(graph) - len(cut)) * 0.6 <= found[0].layers <= len(graph)


@pytest.mark.parametrize("used", ["b{}", "use: {{block: b{}}}", "use: {{block: $(letter){}}}"])
def test_blocks_that_double_forty_times_are_refused_at_once(used: str, specs) -> None:
    """2 to the 40 layers: no more than the file's few entries are ever looked at."""
    uses = [used.format(n + 1) for n in range(40)]
    blocks = "".join(f"  b{n}: {{layers: [{use}, {use}]}}\n" for n, use in enumerate(uses))
    text = f"vars: {{letter: b}}\nblocks:\n{blocks}  b40: {{layers: [relu]}}\n"
    text += "layers: [relu: {name: $letter}, b0]\n"
    calls = []
    original = Bounds._inner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bounds, "_inner", lambda self, *rest: calls.append(rest) or original(self, *rest))
        error = specs.error(text, max_layers=100_000)
    assert error.message == "more than 100,000 layers"
    assert len(calls) < 200


def doubling(argument: str, last: str) -> str:
    """Blocks with a parameter, each using the next one twice: two to the power of 40 uses of the last."""
    blocks = "".join(
        f"  b{n}: {{params: [n], layers: [b{n + 1}: {argument}, b{n + 1}: {argument}]}}\n" for n in range(40)
    )
    return f"blocks:\n{blocks}  b40: {{params: [n], layers: [{last}]}}\nlayers: [b0: 1]\n"


@pytest.mark.parametrize(
    "text",
    [
        doubling("$(n + 1)", "relu: {repeat: $n}"),
        doubling("$(n + 1)", "conv: {filters: $n, kernel: 1}"),
        "- group: {repeat: 1000, layers: [group: {repeat: 1000, layers: [relu]}]}",
        "- group: {repeat: 1000, layers: [relu: {repeat: $i}]}",
        "- foreach: {in: $(range(1000)), as: a, layers: [foreach: {in: $(range(1000)), as: b, layers: [relu]}]}",
        "- relu: {repeat: 200001}",
        "- relu: {repeat: 199999}\n- add: [[relu], []]",
    ],
)
def test_nothing_is_built_of_a_network_that_is_too_large(text: str, specs, monkeypatch) -> None:
    def build(self, *_):
        raise AssertionError("the expansion has begun")

    monkeypatch.setattr(Expansion, "run", build)
    assert "200,000" in specs.error(text).message


def test_a_network_of_exactly_the_limit_is_built(specs) -> None:
    assert len(specs.load("- relu: {repeat: 99}\n- tanh", max_layers=100)) == 100
    assert specs.error("- relu: {repeat: 100}\n- tanh", max_layers=100).message == "more than 100 layers"


def test_the_place_is_the_repeat_that_does_it(specs) -> None:
    error = specs.error(
        """
        vars: {depths: [6, 65536, 24, 16]}
        blocks:
          unit:
            layers: [relu, relu, relu, relu]
          stage:
            params: [depth]
            layers:
              - unit: {repeat: $depth}
        layers:
          - foreach: {in: $depths, as: depth, layers: [stage: $depth]}
        """
    )
    assert error.message == "65,536 copies of 4 layers, and a network has at most 200,000"
    assert error.mark.text.strip() == "- unit: {repeat: $depth}"
    assert [mark.text.strip() for mark in error.used_at] == [
        "- foreach: {in: $depths, as: depth, layers: [stage: $depth]}"
    ]


def test_counting_leaves_the_specs_own_budget_alone(specs) -> None:
    text = "vars: {many: $(range(300000))}\nlayers: [relu: {if: $(len(many + many) > 0)}]"
    assert len(specs.load(text)) == 1
