"""Checks of branches and of the keys common to all entries. Each returns an error, or None if there is none."""

from __future__ import annotations

import re
from collections.abc import Collection

from convcalc.errors import SpecError
from convcalc.language import reader
from convcalc.language.values import NONE, Value
from convcalc.language.words import cut, is_kind, segment_problem
from convcalc.ops import FieldError, describe, whole


def no_branches(
    kind: str, label: str, key: reader.Scalar, node: reader.YamlNode, blocks: Collection[str]
) -> SpecError | None:
    """The error for `branches` that is not a list of branches, or for its first invalid item; None if all are valid."""
    if not isinstance(node, reader.Sequence):
        names = _names_of_layers(kind, [node], blocks)
        return node.error(
            f"{label}branches needs a list of branches", names or "a branch is a list of layers: - - relu"
        )
    if not node.items:
        return key.error(f"{label}no branches", "a branch is a list of layers")
    if (names := _names_of_layers(kind, node.items, blocks)) is not None:
        return node.error(f"{label}a branch is a list of layers, not the name of one", names)
    for item in node.items:
        is_list = isinstance(item, reader.Sequence)
        if is_list or (
            isinstance(item, reader.Mapping) and not {"layers", "naming"}.isdisjoint(item.entries)
        ):
            continue
        empty = isinstance(item, reader.Scalar) and item.value is None
        return item.error(
            f"{label}a branch is a list of layers, or {{name, naming, if, layers}}",
            "write [] for the identity" if empty else "a branch of one layer is a list of one: - - relu",
        )
    return None


def _names_of_layers(kind: str, items: list[reader.YamlNode], blocks: Collection[str]) -> str | None:
    """A hint on joining layers by name, if all items are names of layers rather than branches; else None."""
    names = [item.text for item in items if isinstance(item, reader.Scalar) and item.text]
    if len(names) < len(items) or any(is_kind(name, blocks) for name in names):
        return None
    if all(re.fullmatch("-?[0-9]+", name) for name in names):
        return f"layers are read by their names: {kind}: {{from: [conv1, relu2]}}"
    listing = ", ".join(map(cut, names[:8])) + (", ..." if len(names) > 8 else "")
    return f"to join layers by their names write {kind}: {{from: [{listing}{', ...' * (len(names) == 1)}]}}"


def common_key(name: str, key: reader.Scalar, value: Value) -> SpecError | None:
    """The error for an invalid constant value of a common key; None if it is valid."""
    node = value.node
    plain = value.evaluate(NONE)
    if name == "if":
        if isinstance(plain, bool):
            return None
        return node.error(
            f"if needs true or false, not {describe(plain)}", "write a condition, such as if: $(stride != 1)"
        )
    if name == "repeat":
        try:
            whole(plain)
        except FieldError as error:
            return node.error(f"repeat {error}")
        return None
    if not isinstance(node, reader.Scalar):
        return node.error(f"{name} needs a word, not {describe(plain)}")
    if not node.text:
        return key.error(f"{name} is empty", f"leave {name} out, or write a word")
    if name in ("name", "copies") and plain is not None and (reason := segment_problem(node.text)):
        return node.error(f"{describe(node.text)} cannot name a layer", reason)
    return None
