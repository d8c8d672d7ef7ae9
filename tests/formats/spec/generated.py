"""Random networks as readers of models may give them: scopes, joins, skips, shared layers, odd and numeric names."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st

from convcalc.graph import Builder, Graph, Input, Node, Output
from convcalc.ops import Operator, get

SEGMENTS = (
    "0", "1", "2", "3", "7", "01", "conv1", "conv2", "relu1", "add1", "block", "layer1", "layer2", "branch", "input",
    "true", "null", "1e5", "0x10", "a-b", "-x", "ü", "two words", "group", "required", "x" * 150, "",
)  # fmt: skip


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> Graph:
    """A network of up to `most` layers on maps of 9 by 7."""
    count = draw(st.integers(1, 3)) if draw(st.booleans()) else 1
    names = ["input"] if count == 1 else ["left", "right", "third"][:count]
    builder = Builder([Input(name, (3, 9, 7)) for name in names], 1_000)
    outputs = [-1 - place for place in range(count)]
    scopes = [""]
    used: set[str] = set()
    ordinals: Counter[tuple[str, str]] = Counter()
    scope = ""
    tidy = draw(st.booleans())  # whether a scope is left for good, as one call of a module is
    closed: set[str] = set()
    for _ in range(draw(st.integers(1, most))):
        move = draw(st.sampled_from(("stay", "stay", "in", "out", "again")))
        if move == "in" and scope.count(".") < 4:
            path = ".".join(filter(None, (scope, draw(st.sampled_from(SEGMENTS)))))
            if path not in used and not path.endswith(".") and not any(path == c for c in closed):
                scope = path
                scopes.append(path)
        elif move == "out" and scope:
            closed.add(scope)
            scope = scope.rpartition(".")[0]
        elif move == "again" and not tidy:
            scope = draw(st.sampled_from(scopes))
        kind = draw(
            st.sampled_from(
                ("conv", "conv", "relu", "batchnorm", "add", "concat", "pool", "share", "parameter")
            )
        )
        inputs, op = _layer(draw, builder, outputs, kind)
        shares = None
        if kind == "share":
            owner = _owner(builder)
            if owner is None:
                continue
            op, inputs, shares = owner.op, owner.inputs[:1], owner.index
        if op is None:
            continue
        ordinals[scope, op.kind] += 1
        name = f"{op.kind}{ordinals[scope, op.kind]}"
        named = draw(st.booleans())
        if named:
            name = draw(st.sampled_from(SEGMENTS)) or name
        path = f"{scope}.{name}" if scope else name
        if path in used or path in scopes or path in names:
            continue
        used.add(path)
        builder.add(path, op, inputs, scope=scope, named=named, shares=shares)
        outputs.append(len(builder.nodes) - 1)
    if not builder.nodes:
        builder.add("relu1", get("relu")(), (-1,))
    last = len(builder.nodes) - 1
    ends = [Output(builder.nodes[last].name, last)]
    if draw(st.booleans()):
        ends = [Output("out", last), Output("other", draw(st.integers(0, last)))]
    return Graph("generated", builder.inputs, tuple(builder.nodes), tuple(ends))


def _layer(
    draw: st.DrawFn, builder: Builder, outputs: list[int], kind: str
) -> tuple[tuple[int, ...], Operator | None]:
    """An operator with the layers that it reads, mostly the last one; None if nothing fits."""
    last = outputs[-1]
    source = last if draw(st.integers(0, 4)) else draw(st.sampled_from(outputs))
    if kind == "conv":
        filters = draw(st.integers(2, 4))
        return (source,), get("conv")(filters=filters, kernel=3, padding=1, bias=draw(st.booleans()))
    if kind == "pool":
        return (source,), get("maxpool")(kernel=3, stride=1, padding=1)
    if kind == "parameter":
        return (), get("parameter")(shape=(3, 9, 7))
    if kind in ("add", "concat"):
        like = [o for o in outputs if kind == "concat" or builder.shape(o)[0] == builder.shape(last)[0]]
        others = draw(st.lists(st.sampled_from(like), min_size=1, max_size=2))
        return (*others, last), get(kind)()
    return (source,), get("batchnorm" if kind == "batchnorm" else "relu")()


def _owner(builder: Builder) -> Node | None:
    return next(
        (node for node in reversed(builder.nodes) if node.kind == "conv" and node.shares is None), None
    )


@st.composite
def block_specs(draw: st.DrawFn) -> str:
    """A spec with blocks that call one another, with parameters, conditions, joins and runs; not always a valid one."""
    lines = ["name: generated", "input: [4, 9, 7]", "blocks:"]
    count = draw(st.integers(1, 3))
    for number in range(count):
        lines += [f"  b{number}:", "    params: {w: 4, k: 3, s: true}"]
        if draw(st.booleans()):
            lines.append("    naming: index")
        lines.append("    layers:")
        for _ in range(draw(st.integers(1, 4))):
            lines += ["      " + line for line in _body_lines(draw, number)]
    lines.append("layers:")
    for place in range(draw(st.integers(2, 7))):
        number = draw(st.integers(0, count - 1))
        fields = [f"name: u{place}", *_arguments(draw)]
        if draw(st.integers(0, 3)) == 0:
            fields.append(f"repeat: {draw(st.integers(1, 4))}")
            if draw(st.booleans()):
                fields.append(f"first: {{k: {draw(st.sampled_from((1, 5)))}}}")
        lines.append(f"  - b{number}: {{{', '.join(fields)}}}")
    return "\n".join(lines) + "\n"


def _arguments(draw: st.DrawFn) -> list[str]:
    found = []
    if draw(st.booleans()):
        found.append(f"w: {draw(st.sampled_from((4, 6, 8, 12)))}")
    if draw(st.booleans()):
        found.append(f"k: {draw(st.sampled_from((1, 3, 5)))}")
    if draw(st.booleans()):
        found.append(f"s: {draw(st.sampled_from(('true', 'false')))}")
    return found


def _body_lines(draw: st.DrawFn, number: int) -> list[str]:
    """An entry of a block's body."""
    conv = "conv: {filters: $w, kernel: $k, padding: $(k // 2)}"
    kind = draw(st.sampled_from(("conv", "wide", "relu", "bn", "residual", "squeeze", "inner", "group")))
    if kind == "inner" and number:
        return [f"- b{draw(st.integers(0, number - 1))}: {{w: $w, k: $k}}"]
    return {
        "conv": [f"- {conv}"],
        "wide": ["- conv: {filters: $(2 * w), kernel: 1}"],
        "relu": ["- relu: {if: $s}"],
        "bn": ["- batchnorm: {if: $(k != 1)}"],
        "residual": [
            "- add:", f"    - - {conv}", "      - relu", "    - - conv: {if: $(channels != w), filters: $w, kernel: 1}",
        ],
        "squeeze": ["- multiply:", "    - []", "    - - global_avgpool", "      - sigmoid"],
        "group": [
            "- group:", f"    name: g{draw(st.integers(0, 99))}", "    layers:", f"      - {conv}",
            "      - relu: {if: $s}",
        ],
    }.get(kind, ["- relu"])  # fmt: skip
