"""No text, whatever it holds, yields anything but a Graph or a ConvcalcError, and soon."""

# ruff: noqa: E501 (a table reads best with a case per line)

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convcalc import ops
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph
from convcalc.language import documents, reader
from convcalc.language.bounds import Bounds
from convcalc.language.entries import Entry
from convcalc.language.expansion import Expansion
from convcalc.language.expressions import Names
from convcalc.language.load import load_graph

ROOT = Path(__file__).parent.parent.parent
REAL = sorted((ROOT / "architectures").rglob("*.yaml"), key=lambda path: path.stat().st_size)
MAX_LAYERS = 2_000  # keeps the time of any one case bounded


def outcome(text: str, monkeypatch: pytest.MonkeyPatch) -> object:
    """The Graph or the error of a text; anything else escapes and fails the test."""
    file = documents.File(reader.YamlSource("t.yaml", text), str(ROOT / "architectures"), "t.yaml")
    locate = documents.locate
    counts = []
    start = Expansion.start

    def counted(expansion: Expansion, entries: list[Entry], variables: Names) -> int:
        counts.append(Bounds(expansion.max_layers, Names(variables)).entries(entries))
        return start(expansion, entries, variables)

    with monkeypatch.context() as patch:
        patch.setattr(
            documents, "locate", lambda arch, *rest: file if arch == "t.yaml" else locate(arch, *rest)
        )
        patch.setattr(Expansion, "start", counted)
        try:
            graph = load_graph("t.yaml", max_layers=MAX_LAYERS)
        except ConvcalcError as error:
            shown = str(error)
            assert shown
            assert all(line.isprintable() for line in shown.splitlines())
            return error
    assert isinstance(graph, Graph)
    assert len({node.name for node in graph}) == len(graph)
    assert counts[0].layers <= len(graph), "more layers counted beforehand than there are"
    return graph


WORDS = [
    *ops.names(), "group", "use", "foreach", "network", "refs", "arch", "name", "from", "if", "repeat", "copies", "first", "share", "keys",
    "layers", "branches", "naming", "index", "in", "as", "block", "params", "blocks", "vars", "defaults", "input",
    "extends", "conv1", "relu1", "add1", "unit", "wide", "a.b", "conv1.0", "required", "same", "valid", "last",
    "filters", "kernel", "stride", "padding", "K", "F", "S", "P", "units", "resnet", "null", "true", "false", "x",
]  # fmt: skip
EXPRESSIONS = [
    "$x", "$i", "$channels", "$shape", "$(shape[1:])", "$wide", "$(x)", "$(x + 1)", "$(channels // 2)", "$(1 / 0)", "$(x[0])", "$(range(3))",
    "$(x == 2)", "$(not true)", "$(len(wide))", "$(", "$", "$$", "$(2 ** 99)", "a$x", "$(min([]))", "$(x if true else 2)",
    "$([1, 2][5])", "$(range(10 ** 9))", "$(x +)", "$('a' + 'b')", "$(divisible(channels * 0.5, 8))", "$(-x)",
]  # fmt: skip

scalars = st.one_of(
    st.sampled_from(WORDS),
    st.sampled_from(EXPRESSIONS),
    st.integers(-2, 70).map(str),
    st.sampled_from(["0.5", "1e9", "3.0", "99999999999", "-", "", "''", "'3'"]),
    st.text(max_size=4),
)


def quoted(text: str) -> str:
    """The scalar as YAML, in quotes where it must be."""
    if text and all(c.isalnum() or c in "_.-$" for c in text) and text[0] != "-":
        return text
    return '"' + "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text) + '"'


values = st.recursive(
    scalars.map(quoted),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=12,
)

small = st.sampled_from(
    ["1", "2", "3", "1", "$x", "$channels", "$(x + 1)"] * 4 + ["same", "null", "[1, 2]", "0"]
)
paths = st.sampled_from(["input", "conv1", "relu1", "a", "a.conv1", "add1", "a.0", "group1", "unit1.conv1"])


@st.composite
def entries(draw: st.DrawFn, depth: int = 3, units: bool = True) -> str:
    """An entry that is often right."""
    inner = st.lists(entries(depth - 1, units), max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
    kind = draw(
        st.sampled_from(
            ["conv", "conv", "relu", "relu", "batchnorm", "maxpool", "identity", "use", "scale"]
            + (["unit", "unit"] if units else [])
            + (["group", "add", "concat", "foreach", "multiply"] if depth else [])
        )
    )
    fields: dict[str, str] = {}
    if kind in ("conv", "maxpool"):
        fields |= {"kernel": draw(small)} | ({"filters": draw(small)} if kind == "conv" else {})
    elif kind == "use":
        fields["block"] = draw(
            st.sampled_from(["relu", "unit" if units else "scale", "$kind", "$kind", "wide"])
        )
    elif kind == "group":
        fields["layers"] = draw(inner)
        if draw(st.booleans()):
            fields["naming"] = "index"
    elif kind in ("add", "concat", "multiply"):
        if draw(st.integers(0, 4)):
            fields["branches"] = "[" + ", ".join(draw(st.lists(inner, min_size=1, max_size=3))) + "]"
        else:
            fields["from"] = "[" + ", ".join(draw(st.lists(paths, min_size=1, max_size=3))) + "]"
    elif kind == "foreach":
        items = draw(st.sampled_from(["[1, 2]", "$(range(3))", "[[1, 2], [3, 4]]", "[]", "$x"]))
        names = draw(st.sampled_from(["y", "[y, z]", "x"]))
        return (
            f'{{foreach: {{in: "{items}", as: {names}, layers: {draw(inner)}}}}}'
            if items[0] == "$"
            else (f"{{foreach: {{in: {items}, as: {names}, layers: {draw(inner)}}}}}")
        )
    for key, choices, among in (
        ("name", ["a", "b", "c", "$x", "conv1"], 6),
        ("if", ["true", "false", "$(channels == 4)", "$flag", "$x"], 8),
        ("repeat", ["0", "1", "3", "$x"], 5),
        ("copies", ["c$i", "$(i + 1)", "c"], 3),
        ("first", ["{filters: 8}", "{K: 2, bias: false}", "{}", "{share: null}"], 3),
        ("share", ["conv1", "a", "a.0", "null"], 12),
        ("keys", ["other", "{weight: w}", "{wight: w}"], 12),
        ("from", ["input", "conv1", "a", "null"], 10),
    ):
        allowed = (kind == "conv" or key not in ("share", "keys", "first")) and (
            "repeat" in fields or key not in ("copies", "first")
        )
        if allowed and key not in fields and draw(st.integers(1, among)) == 1:
            fields[key] = draw(st.sampled_from(choices))
    if not fields:
        return kind
    return "{" + kind + ": {" + ", ".join(f"{key}: {_flow(value)}" for key, value in fields.items()) + "}}"


def _flow(value: str) -> str:
    return f'"{value}"' if "$(" in value and value[0] not in "[{" else value


FUZZ = settings(max_examples=250, suppress_health_check=list(HealthCheck))


@FUZZ
@given(st.text(max_size=120))
def test_any_text(text: str) -> None:
    outcome(text, pytest.MonkeyPatch())


@FUZZ
@given(st.lists(st.tuples(st.sampled_from(WORDS), values), max_size=6), st.lists(values, max_size=5))
def test_the_languages_words_in_any_order(keys: list[tuple[str, str]], layers: list[str]) -> None:
    head = "".join(f"{key}: {value}\n" for key, value in keys)
    body = "".join(f"  - {layer}\n" for layer in layers)
    outcome(
        f"{head}name: t\ninput: [4, 8, 8]\nvars: {{x: 2, wide: [1, 2]}}\nlayers:\n{body}",
        pytest.MonkeyPatch(),
    )


@settings(FUZZ, max_examples=500)
@given(st.lists(entries(), min_size=1, max_size=5), st.lists(entries(1, False), max_size=2))
def test_networks_that_are_nearly_right(layers: list[str], block: list[str]) -> None:
    text = "name: t\ninput: [4, 8, 8]\nvars: {x: 2, kind: relu, flag: true}\nblocks:\n  unit:\n    params: {y: 1}\n"
    text += (
        "    layers: [" + ", ".join(block) + "]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)
    )
    outcome(text, pytest.MonkeyPatch())


PIECES = [
    "$",
    "$(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ": ",
    " #",
    "\n",
    "- ",
    "  ",
    "'",
    '"',
    ",",
    "0",
    "null",
    "\t",
    "&a",
    "*a",
    "<<",
    "!t",
    "|",
    "é",
]


@FUZZ
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_real_specs_with_mistakes(source: random.Random, mistakes: int) -> None:
    text = source.choice(REAL).read_text(encoding="utf-8")
    for _ in range(mistakes):
        at = source.randrange(len(text) + 1)
        length = source.choice([0, 0, 1, 1, 2, 8, 40])
        words = [
            source.choice(PIECES),
            source.choice(WORDS),
            "",
            text[at : at + 30],
            source.choice(EXPRESSIONS),
        ]
        text = text[:at] + source.choice(words) + text[at + length :]
    outcome(text, pytest.MonkeyPatch())
