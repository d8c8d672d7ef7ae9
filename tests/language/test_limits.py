"""Limits: each a clear error, never a hang or a traceback (design 1.6)."""

from __future__ import annotations

import contextlib

import pytest

from convcalc.errors import SpecErrors


def nested(depth, inner="relu", times=2):
    """Blocks b0, b1, …, each using the next one twice: two to the power of depth uses of the last."""
    uses = [", ".join([f"b{k + 1}"] * times) for k in range(depth)]
    blocks = "".join(f"  b{k}: {{layers: [{used}]}}\n" for k, used in enumerate(uses))
    return f"blocks:\n{blocks}  b{depth}: {{layers: [{inner}]}}\nlayers: [b0]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- group: {repeat: 501, layers: [relu, relu]}", "more than 1,000 layers"),
        ("- relu: {repeat: 1001}", "1,001 copies, and a network has at most 1,000 layers"),
        ("- relu: {repeat: 1000000000000}", "repeat needs an integer of at most"),
        ("- relu: {repeat: $(10 ** 12)}", "repeat needs an integer of at most 2,147,483,647"),
        (nested(50), "expands into too many entries"),
        ("- relu\n" * 1001, "more than 1,000 layers"),
        # what expands to nothing is bounded too
        (nested(50, "relu: {if: false}"), "expands into too many entries"),
        ("- group: {repeat: 1000, layers: [group: {repeat: 1000, layers: []}]}", "expands into too many entries"),
        ("- foreach: {in: $(range(1000)), as: a, layers: [foreach: {in: $(range(1000)), as: b, layers: []}]}",
         "expands into too many entries"),
        (nested(80, times=1), "nested more than 60 deep"),
        (nested(400, times=1), "nested more than 60 deep"),
        (nested(10_000, times=1), "nested more than 60 deep"),
        ("blocks: {b: {layers: []}}\nlayers: [group: {repeat: 1000, layers: [b: {repeat: 1000}]}]", "too many entries"),
        ("- conv: {filters: 99999999999, kernel: 1}", "filters needs an integer of at most 2,147,483,647"),
        ("- conv: {filters: 2147483647, kernel: 1, P: 2147483647}", "has more than 9,007,199,254,740,992 values"),
        ("- conv: {filters: $(" + "1 + " * 600 + "1), kernel: 1}", "at most 2,000 characters"),
    ],
)  # fmt: skip
def test_limits(specs, text, message):
    assert message in specs.error(text, max_layers=1_000).message


def test_the_limit_of_layers_can_be_raised(specs):
    assert len(specs.load("- relu: {repeat: 3}", max_layers=3)) == 3
    error = specs.error("- relu: {repeat: 3}", max_layers=2)
    assert error.message == "3 copies, and a network has at most 2 layers"
    assert "--max-layers" in error.hint


def test_first_within_first_is_read_once(specs):
    """The layers of copy 0 and of the others are compiled together, not twice per level."""
    text = "relu"
    for _ in range(25):
        text = f"group: {{repeat: 1, first: {{naming: index}}, layers: [{text}]}}"
    assert len(specs.load(f"- {text}")) == 1


def test_costly_expressions_in_a_loop_end(specs, monkeypatch):
    monkeypatch.setattr("convcalc.language.expressions.BUDGET", 1_000_000)
    error = specs.error("- group: {repeat: 1000, layers: [relu: {if: $(sum(range(100000)) > 1)}]}")
    assert "operations" in error.message


def test_too_many_variables(specs):
    chain = "".join(f"  v{k}: {k}\n" for k in range(1001))
    assert specs.error(f"vars:\n{chain}layers: [relu]").message == "more than 1,000 variables"


def test_too_many_parameters(specs):
    names = ", ".join(f"p{k}" for k in range(201))
    assert (
        "more than 200 parameters"
        in specs.error(f"blocks: {{b: {{params: [{names}], layers: [relu]}}}}\nlayers: [relu]").message
    )


def test_a_hundred_errors_are_enough(specs):
    errors = specs.errors("layers:\n" + "  - nothing\n" * 5_000)
    assert len(errors) == 100
    text = str(SpecErrors(errors))
    assert text.count("no layer or block 'nothing'") == 20
    assert text.endswith("and 80 more errors")


def test_long_words_are_cut(specs):
    assert len(specs.error("- " + "x" * 50_000).message) < 200
    assert len(specs.error("- conv: {" + "x" * 50_000 + ": 3, K: 1, F: 1}").message) < 200


@pytest.mark.parametrize("count", [10, 2_000])
def test_every_kind_of_network_grows_with_its_layers(specs, count):
    third = count // 2
    for text in (
        "layers:\n" + "  - conv: {filters: 4, kernel: 3, padding: 1}\n  - relu\n" * third,
        "layers:\n" + "  - add: [[relu], []]\n" * third,
        f"- relu: {{repeat: {2 * third}}}",
        f"- foreach: {{in: $(range({third})), as: k, layers: [relu, tanh]}}",
    ):
        assert len(specs.load(text)) == 2 * third


def test_a_long_circle_is_not_told_in_full(specs):
    blocks = "".join(f"  b{k}: {{layers: [b{(k + 1) % 500}]}}\n" for k in range(500))
    error = specs.error(f"blocks:\n{blocks}layers: [b0]")
    assert error.hint == "b0 → b1 → b2 → b3 → b4 → b5 → b6 → b7 → … → b0; repeat makes copies in sequence"


@pytest.mark.parametrize("used", ["b{}", "use: {{block: b{}}}", "use: {{block: $(letter){}}}"])
def test_blocks_that_double_forty_times_are_refused_at_once(used, tmp_path):
    """2 to the 40 layers: counted, not expanded; no more than the file's few entries are ever looked at."""
    from convcalc.errors import SpecError
    from convcalc.language.bounds import Bounds
    from convcalc.language.load import load_graph

    uses = [used.format(n + 1) for n in range(40)]
    blocks = "".join(f"  b{n}: {{layers: [{use}, {use}]}}\n" for n, use in enumerate(uses))
    path = tmp_path / "doubling.yaml"
    path.write_text(
        "name: x\ninput: [1, 3, 2]\nvars: {letter: b}\n"
        f"blocks:\n{blocks}  b40: {{layers: [relu]}}\nlayers: [relu, b0]\n"
    )
    calls = []
    original = Bounds._inner
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bounds, "_inner", lambda self, *rest: calls.append(rest) or original(self, *rest))
        with pytest.raises(SpecError, match="expands into too many entries"):
            load_graph(str(path))
    assert len(calls) < 200


@pytest.mark.parametrize(
    ("layers", "least"),
    [
        ("[relu, relu]", 2),
        ("[{group: {repeat: 3, layers: [relu, relu]}}]", 1 + 3 + 3 * 2),
        ("[{group: {repeat: $n, layers: [relu, relu]}}]", 1 + 2 + 2 * 2),
        ("[{group: {if: $(n > 9), layers: [relu, relu]}}]", 1),
        ("[{group: {if: $(n < 9), layers: [relu, relu]}}]", 1 + 2),
        ("[{group: {if: $(channels > 0), layers: [relu, relu]}}]", 1),
        ("[{foreach: {in: $(range(3 * n)), as: k, layers: [relu]}}]", 6 * (1 + 1)),
        ("[{foreach: {in: [5, 6], as: n, layers: [{group: {repeat: $n, layers: [relu]}}]}}]", 2 * (1 + 1)),
        ("[{use: {block: two}}, {use: {block: $which, repeat: 3}}]", 1 + 2 + 1 + 3 + 3 * 2),
        ("[times: 5, times: 5]", 2 * (1 + 1)),
        ("[fixed]", 1 + 1 + 2 + 2),
        ("[{foreach: {in: [5, 6], as: k, layers: [relu]}}]", 2 * (1 + 1)),
        ("[{concat: [[relu], [{relu: {if: false}}, relu]]}]", 1 + 1 + 2),
    ],
)
def test_least_steps_by_hand(layers, least, tmp_path):
    """One step per entry, per copy and per item of a loop; what a block's user or a loop decides counts as nothing."""
    from convcalc.errors import SpecError
    from convcalc.language.bounds import Bounds
    from convcalc.language.expansion import Expansion
    from convcalc.language.load import load_graph

    path = tmp_path / "net.yaml"
    blocks = (
        "{two: {layers: [relu, tanh]}, times: {params: [n], layers: [{relu: {repeat: $n}}]}, "
        "fixed: {layers: [{group: {repeat: $n, layers: [relu]}}]}}"
    )
    path.write_text(
        f"name: x\ninput: [1, 3, 2]\nvars: {{n: 2, which: two}}\nblocks: {blocks}\nlayers: {layers}\n"
    )
    found = []
    original = Expansion.run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Expansion,
            "run",
            lambda self, entries, *rest: (
                found.append(Bounds(1000, self.variables).steps(entries)) or original(self, entries, *rest)
            ),
        )
        with contextlib.suppress(SpecError):
            load_graph(str(path))
    assert found[0] == least
