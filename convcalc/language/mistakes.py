"""What a person meant by an entry that is none: errors with their hints."""

from __future__ import annotations

from collections.abc import Collection

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.language import reader
from convcalc.language.values import NONE, Value
from convcalc.language.words import KIND_SYNONYMS, STRUCTURES, cut, is_kind, listed, segment_problem, suggest
from convcalc.ops import FieldError, describe, whole


def several_keys(node: reader.Mapping, blocks: Collection[str]) -> SpecError:
    """An entry with more than one key: a missing indent, mostly."""
    kinds = list(node.entries)
    first, value = kinds[0], node.entries[kinds[0]]
    others = listed(map(cut, kinds[1:]), 4)
    if not is_kind(first, blocks):
        named = next((kind for kind in kinds if is_kind(kind, blocks)), None)
        if named is None:
            return unknown_kind(first, node.keys[first], blocks)
        return node.keys[first].error(
            f"{describe(first)} stands beside {named}, not in it", f"write {named}: {{{cut(first)}: ...}}"
        )
    second = node.keys[kinds[1]]
    if isinstance(value, reader.Scalar) and value.plain and not value.text:
        return second.error(
            f"the fields of {first} stand beside it, not under it",
            f"indent {others} further than {first}, or write {first}: {{{cut(kinds[1])}: ..., ...}}",
        )
    if is_kind(kinds[1], blocks):
        return second.error(
            f"an entry is one layer, here are {first} and {others}",
            "start each layer on a line of its own with '- '",
        )
    return second.error(
        f"{others} stand{'s' * (len(kinds) == 2)} beside {first}, not in it",
        f"name every field: {first}: {{..., {cut(kinds[1])}: ...}}",
    )


def unknown_kind(kind: str, key: reader.Scalar, blocks: Collection[str]) -> SpecError:
    """An entry whose kind is neither operator, block nor a word of the language."""
    if "$" in kind:
        return key.error("a layer's kind cannot be an expression", "write use: {block: $kind, ...}")
    word = kind.split(":")[0].split("{")[0].split(" ")[0]
    if word != kind and is_kind(word, blocks):
        return key.error(
            f"no layer or block {describe(kind)}", f"a colon and a space come after the kind: {word}: {{...}}"
        )
    meant = suggest(kind, (*ops.names(), *STRUCTURES, *blocks), KIND_SYNONYMS)
    hint = None
    if not meant:
        own = f"; blocks: {listed(blocks)}" if blocks else ""
        hint = "an entry is one layer with its fields, such as conv: {filters: 8, kernel: 3}" + own
    return key.error(f"no layer or block {describe(kind)}{meant}", hint)


def common_key(name: str, key: reader.Scalar, value: Value) -> SpecError | None:
    """What is wrong with the constant value of a key that every entry takes, if anything."""
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
