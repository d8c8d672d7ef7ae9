"""The manual page of an operator, generated from its fields, docstrings and worked example.

The pages are committed in `convcalc/docs/operators/`; a test compares them with the output of this module. Commands
are included without their output, which the test adds.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from convcalc import ops
from convcalc.analysis.analyse import Analysis, analyse
from convcalc.analysis.explain import explain
from convcalc.formats.onnx.writer import form_text
from convcalc.graph import Node
from convcalc.language.load import load_entry
from convcalc.language.networks import NETWORK_FIELDS
from convcalc.language.schema import schema
from convcalc.ops import FieldInfo, Operator
from convcalc.report import words

# Headings of the contents by `role`, in order.
ROLES = {
    "convolution": "convolutions",
    "dense": "dense layers",
    "pooling": "pooling",
    "normalisation": "normalisation",
    "activation": "activations",
    "join": "joins of branches",
    "attention": "attention",
    "tensor": "tensors that are no layer's output",
    "reshape": "shapes and sizes",
    "identity": "others",
}


def operator_page(kind: str) -> str:
    """The Markdown page of an operator. Raises KeyError for an unknown name."""
    operator = ops.get(kind)
    parts = [
        f"# {kind}",
        _markdown(module_doc(operator)),
        _markdown(inspect.getdoc(operator) or ""),
        "## Fields",
        _fields(operator),
        "## Counted",
        _counted(operator),
        "## In ONNX",
        _markdown(form_text(operator)),
        "## Example",
        _example(operator),
    ]
    return "\n\n".join(parts) + "\n"


def contents() -> str:
    """The table of operators in the manual's contents, one row per role."""
    kinds: dict[str, list[str]] = {title: [] for title in ROLES.values()}
    for kind in ops.names():
        kinds[ROLES.get(ops.get(kind).role, "others")].append(f"[{kind}](operators/{kind}.md)")
    rows = [f"| {title} | {', '.join(links)} |" for title, links in kinds.items() if links]
    return "\n".join(["| what for | operators |", "| --- | --- |", *rows]) + "\n"


def field_index() -> str:
    """An index of every key and field of the language, sorted."""
    places: dict[tuple[str, str], list[str]] = {}
    for kind in ops.names():
        for name, info in ops.get(kind).fields().items():
            places.setdefault((name, info.doc), []).append(f"[{kind}](operators/{kind}.md)")
    entries = [(name, ", ".join(kinds), doc) for (name, doc), kinds in places.items()]
    lines = [f"| `{name}` | {where} | {_cell(doc)} |" for name, where, doc in sorted([*entries, *_keys()])]
    return "\n".join(["| field | where | meaning |", "| --- | --- | --- |", *lines]) + "\n"


def _keys() -> Iterator[tuple[str, str, str]]:
    """(name, place, meaning) of the keys that belong to no operator, from the language's schema."""
    whole = schema()
    entries = whole["$defs"]["entry"]["anyOf"][1]["properties"]
    for where, described in (
        ("the file", whole["properties"]),
        ("every entry", entries["identity"]["anyOf"][1]["properties"]),
        ("a block", whole["$defs"]["block"]["properties"]),
        ("a group, a block, a branch", {"naming": whole["$defs"]["block"]["properties"]["naming"]}),
        ("foreach", entries["foreach"]["properties"]),
        ("network", {key: entries["network"]["anyOf"][1]["properties"][key] for key in NETWORK_FIELDS}),
    ):
        for name, part in described.items():
            if "description" in part and (name != "naming" or where.startswith("a group")):
                yield name, where, part["description"]


def module_doc(operator: type[Operator]) -> str:
    """The docstring of the operator's module: what it is, and its source."""
    module = inspect.getmodule(operator)
    return " ".join((inspect.getdoc(module) or "").split())


def _fields(operator: type[Operator]) -> str:
    """The table of fields, and the shortest form of an entry."""
    fields = operator.fields().values()
    if not fields:
        entry = f"`{operator.kind}`" if operator.inputs[1] == 1 else "a list of branches, or names in `from`"
        return f"None of its own: the entry is {entry}, with the keys every entry takes."
    lines = ["| field | values | default | meaning |", "| --- | --- | --- | --- |"]
    for info in fields:
        name = f"`{info.name}`" + (f", `{info.alias}`" if info.alias else "")
        lines.append(f"| {name} | {_cell(values(info.kind.schema))} | {_default(info)} | {_cell(info.doc)} |")
    if operator.role == "join":
        lines += [
            "",
            "Without fields the entry is a list of branches; with one it has `branches`, or names in `from`.",
        ]
    if operator.main:
        lines += ["", f"A bare value fills `{operator.main}`."]
    return "\n".join(lines)


def _default(info: FieldInfo) -> str:
    if info.required:
        return "required"
    if info.default is None:
        return "–"
    if isinstance(info.default, bool):
        return "true" if info.default else "false"
    return f"{info.default:g}" if isinstance(info.default, float) else str(info.default)


def values(schema: Any) -> str:
    """The values that a field takes, in words, from its JSON Schema: `integer ≥ 1, or one per dimension`."""
    if "anyOf" in schema:
        texts = [
            text
            for option in schema["anyOf"]
            for text in ([f"`{word}`" for word in option["enum"]] if "enum" in option else [values(option)])
        ]
        if len(texts) > 1 and schema["anyOf"][1].get("maxItems") == 3:
            pairs = "anyOf" in schema["anyOf"][1]["items"]
            texts[1] = "one or a pair `[before, after]` per dimension" if pairs else "one per dimension"
            texts[2:] = [f"`{word}`" for option in schema["anyOf"][2:] for word in option["enum"]]
        return _listed(texts)
    if isinstance(schema.get("type"), list):  # a name that YAML may parse as a number
        return "name or path of a layer"
    if "enum" in schema:
        return _listed([f"`{word}`" for word in schema["enum"]])
    if schema.get("type") == "boolean":
        return "`true` or `false`"
    if schema.get("type") == "array":
        return f"list of {values(schema['items']).replace('integer', 'integers', 1)}"
    bounds = [
        f"{sign} {schema[key]:g}"
        for key, sign in (("exclusiveMinimum", ">"), ("minimum", "≥"), ("maximum", "≤"))
        if key in schema
    ]
    return " ".join([str(schema.get("type", "any value")), *bounds[:1]]) + "".join(
        f", {b}" for b in bounds[1:]
    )


def _listed(texts: list[str]) -> str:
    """`a, b or c`."""
    return f"{', '.join(texts[:-1])} or {texts[-1]}" if len(texts) > 1 else "".join(texts)


def _counted(operator: type[Operator]) -> str:
    """The shape rule, tensors and MACs, as its methods' docstrings state them."""
    rules = {
        "output": ("output_shape", "the shape of the input"),
        "weights": ("parameters", "none"),
        "MACs": ("macs", "none counted"),
    }
    lines = []
    for what, (method, nothing) in rules.items():
        own = getattr(operator, method)
        text = nothing if own is getattr(Operator, method) else " ".join((inspect.getdoc(own) or "").split())
        if text[1:2].islower():
            text = text[0].lower() + text[1:]
        lines.append(f"- {what}: {_markdown(text.rstrip('.'))}")
    return "\n".join(lines)


def _example(operator: type[Operator]) -> str:
    """A worked entry, and the operator applied to a few numbers if it has such an example."""
    example = operator.worked_example()
    analysis = analyse(load_entry(example.entry, example.input))
    node = analysis.graph.nodes[analysis.graph.output]
    assert node.kind == operator.kind, f"the example of {operator.kind} ends in {node.kind}"
    entries = example.entry if example.entry.startswith("- ") else "- " + example.entry.replace("\n", "\n  ")
    layers = "\n".join(f"  {line}" for line in entries.split("\n"))
    spec = f"input: [{', '.join(map(str, example.input))}]\nlayers:\n{layers}"
    parts = [f"```yaml\n{spec}\n```", f"```text\n{worked(analysis, node)}\n```"]
    tensors = node.op.parameters(node.input_shapes)
    if tensors:
        rows = [
            f"| `{tensor.key(node.name)}` | {words.shape(tensor.shape)} | {tensor.role} |"
            for tensor in tensors
        ]
        parts.append(
            "\n".join(["| key in a weights file | shape | counts as |", "| --- | --- | --- |", *rows])
        )
    if example.apply:
        parts.append(f"```console\n$ convcalc apply {example.apply}\n```")
    return "\n\n".join(parts)


def worked(analysis: Analysis, node: Node) -> str:
    """A layer's heading, then every formula and count, labels aligned."""
    given = "".join([f"{' and '.join(map(words.shape, node.input_shapes))} → "] if node.inputs else [])
    layer = analysis.layers[node.index]
    lines = [(line.what, line.text) for line in explain(analysis, node)]
    for what, count in (("weights", layer.weights), ("biases", layer.biases), ("MACs", layer.macs)):
        if count and what not in {said for said, _ in lines}:
            lines.append((what, words.count(count)))
    if not layer.params and not layer.macs:
        lines.append(("weights, MACs", "none"))
    width = max(len(what) for what, _ in lines)
    heading = f"{node.name}  {words.operator(node.op)}   {given}{words.shape(node.output_shape)}"
    return "\n".join([heading, *(f"    {what:<{width}}  {text}" for what, text in lines)])


def _markdown(text: str) -> str:
    """A docstring as Markdown: asterisks outside code are escaped, as in `(C, *spatial)`."""
    pieces = text.split("`")
    return "`".join(piece if number % 2 else piece.replace("*", "\\*") for number, piece in enumerate(pieces))


def _cell(text: str) -> str:
    """Text in a table's cell."""
    return _markdown(text).replace("|", "\\|").replace("\n", " ")
