"""Words on the boxes of a drawing: operators in the lecture's letters, as short as they can be without loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from convcalc.graph import Node
from convcalc.ops import FieldInfo, Operator
from convcalc.shapes import compact, show

LETTERS = {"dilation": "D", "groups": "g"}  # beside the aliases K, F, S, P
BARE = frozenset({"units", "rate", "shape", "order", "scale", "size", "rule", "heads", "op"})
UNSAID = frozenset(
    {"eps", "momentum", "rounding", "bias", "in_bias", "out_bias", "affine", "count_include_pad", "initial"}
)
SPAN = frozenset({"start", "stop", "step"})  # written 0:56:2
ALWAYS = frozenset({"filters", "kernel"})
MAX_COUNTED = 3  # kinds of layers told of a folded block
LISTED = frozenset({"order", "axis", "indices"})  # fields that are lists of numbers, not sizes
MAX_LISTED = 8  # values of a field


def kind(op: Operator) -> str:
    """`conv`, `bn`; for an operator that convcalc does not know, its name in its own format."""
    return str(getattr(op, "op", op.kind)) if not op.is_known else op.abbreviation or op.kind


def first_line(op: Operator) -> str:
    """`conv K64 F3 S2 P1`, `dense 4096`, `slice 0:56:2`: the operator and its fields other than the default."""
    fields = op.fields() if op.is_known else {}
    spans = set(fields) >= SPAN
    parts = [kind(op)]
    if spans:
        start, stop, step = (getattr(op, name) for name in ("start", "stop", "step"))
        parts.append(f"{start}:{'' if stop is None else stop}" + (f":{step}" if step != 1 else ""))
    parts += [
        _field(op, name)
        for name, info in fields.items()
        if not (spans and name in SPAN) and _counts(op, info)
    ]
    return " ".join(parts)


def _counts(op: Operator, info: FieldInfo) -> bool:
    """Whether a field is written: its value is not the default, and says something that the drawing does not show."""
    name, value = info.name, getattr(op, info.name)
    if name == op.shape_field or value is None or value is False:
        return False
    if info.kind.names_layer:
        return True
    if name in UNSAID or (name == "scale" and name != op.main) or (name == "axis" and value == "last"):
        return False
    if name == "groups" and getattr(op, "depthwise", False):
        return False
    return name in ALWAYS or value != info.default


def _field(op: Operator, name: str) -> str:
    """`K64`, `g32`, `P same`, `depthwise`, `window 7`; the bare value of the main field."""
    info, value = op.fields()[name], getattr(op, name)
    if value is True or info.kind.names_layer:
        return name
    text = listed(value) if name in LISTED and isinstance(value, tuple) else value_text(value)
    letter = info.alias or LETTERS.get(name, "")
    if name == op.main and (name in BARE or not info.alias):
        return text
    return f"{letter}{' ' * text.isalpha()}{text}" if letter else f"{name} {text}"


def value_text(value: Any) -> str:
    """`3`, `1×7` along the axes, `(0,1)×(0,1)` for padding before and after."""
    if isinstance(value, tuple) and value and all(isinstance(item, tuple) for item in value):
        pairs = [str(item[0]) if len(set(item)) == 1 else f"({','.join(map(str, item))})" for item in value]
        return pairs[0] if len(set(pairs)) == 1 and pairs[0].isdigit() else "×".join(pairs)
    if isinstance(value, (tuple, list)):
        value = compact(tuple(value))
    if isinstance(value, list):
        return show(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def listed(values: Sequence[object]) -> str:
    """`1,2,0`; of more than MAX_LISTED values the first and how many there are."""
    text = ",".join(map(str, values[:MAX_LISTED]))
    return text if len(values) <= MAX_LISTED else f"{text}… ({len(values):,})"


def of_layers(nodes: Sequence[Node]) -> tuple[str, ...]:
    """The lines of a layer and the pointwise layers behind it: `conv K64 F3 P1`, `bn · relu`."""
    first, *behind = nodes
    own = first.op.role == "tensor"  # one of several that look alike: its name tells which
    line = f"{first.kind} {first.name.rpartition('.')[2]}" if own else first_line(first.op)
    words = [word for word, _ in groupby(kind(node.op) for node in behind)]
    return (line, " · ".join(words)) if words else (line,)


def of_block(name: str, nodes: Sequence[Node]) -> tuple[str, ...]:
    """The lines of a folded block: its name, and its layers by kind, without pointwise ones: `3 conv · add`."""
    counted = Counter(kind(node.op) for node in nodes if not node.op.pointwise)
    if not counted:
        return name, f"{len(nodes):,} layers" if len(nodes) > 1 else kind(nodes[0].op)
    parts = [f"{count:,} {word}" if count > 1 else word for word, count in counted.most_common(MAX_COUNTED)]
    return name, " · ".join([*parts, "…"] if len(counted) > MAX_COUNTED else parts)
