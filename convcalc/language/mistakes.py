"""Errors for entries that are not valid, with hints on what was probably meant."""

from __future__ import annotations

from collections.abc import Collection

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.language import foreign, planned, reader
from convcalc.language.synonyms import folded, is_activation, meaning, suggest
from convcalc.language.words import STRUCTURES, cut, is_kind, listed
from convcalc.ops import describe


def several_keys(node: reader.Mapping, blocks: Collection[str]) -> SpecError:
    """The error for an entry with more than one key, usually caused by missing indentation."""
    kinds = list(node.entries)
    first, value = kinds[0], node.entries[kinds[0]]
    others = listed(map(cut, kinds[1:]), 4)
    if not is_kind(first, blocks):
        named = next((kind for kind in kinds if is_kind(kind, blocks)), None)
        if named is None:
            return unknown_kind(first, node.keys[first], blocks, value)
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


def unknown_kind(
    kind: str, key: reader.Scalar, blocks: Collection[str], body: reader.YamlNode | None = None
) -> SpecError:
    """The error for an entry whose kind is not an operator, a block or a word of the language."""
    if "$" in kind:
        return key.error("a layer's kind cannot be an expression", "write use: {block: $kind, ...}")
    word = kind.split(":")[0].split("{")[0].split(" ")[0]
    if word != kind and is_kind(word, blocks):
        return key.error(
            f"no layer or block {describe(kind)}", f"a colon and a space come after the kind: {word}: {{...}}"
        )
    unknown = f"no layer or block {describe(kind)}"
    known = (*ops.names(), *STRUCTURES, *blocks)
    meant = meaning(kind, known, "layer")
    if meant in ops.names():
        return key.error(
            unknown + suggest(kind, known, "layer"), foreign.in_our_words(ops.get(meant), kind, body)
        )
    absence = planned.layer(kind)
    if absence is not None:
        return key.error(f"{describe(kind)} {absence.message}", absence.hint)
    if is_activation(kind):
        return key.error(
            f"{unknown}: an activation is an entry under its own name", f"write - {foreign.activation(body)}"
        )
    if folded(kind) in ("input", "inputlayer", "data", "placeholder"):
        return key.error(
            f"{unknown}: the input is a key of the file",
            "leave the entry out, and write input: [3, 224, 224] beside layers",
        )
    near = suggest(kind, known, "layer")
    hint = None
    if not near:
        own = f"; blocks: {listed(blocks)}" if blocks else ""
        hint = "an entry is one layer with its fields, such as conv: {filters: 8, kernel: 3}" + own
    return key.error(unknown + near, hint)


def unknown_choice(kind: str, node: reader.YamlNode, blocks: Collection[str]) -> SpecError:
    """The error for a `use` that selects neither a block nor an operator."""
    unknown = f"no block or operator {describe(kind)}"
    if kind in STRUCTURES:
        return node.error(unknown, "use picks a block or an operator")
    known = [*blocks, *ops.names()]
    absence = planned.layer(kind)
    if absence is not None and meaning(kind, known, "layer") is None:
        return node.error(f"{describe(kind)} {absence.message}", absence.hint)
    return node.error(unknown + suggest(kind, known, "layer"))


def use_without_block(key: reader.Scalar, fields: foreign.Fields) -> SpecError:
    """The error for a `use` without `block`, or with another tool's name for it."""
    word = next((name for name in fields if meaning(name, ["block"], "field")), None)
    if word is not None:
        return fields[word][0].error(
            f"no field {describe(word)} for use: convcalc calls it 'block'", "write use: {block: $kind, ...}"
        )
    return key.error("use needs block: the name of a block or operator", "write use: {block: $kind, ...}")


def not_for_scopes(name: str, key: reader.Scalar, kind: str) -> SpecError:
    """The error for a key that only layers take, given to a group or a block."""
    return key.error(f"{name} belongs to a layer, not to {kind}", "give it to the layers within")


def bare_value(kind: str, body: reader.YamlNode) -> SpecError:
    """The error for a bare value given to a layer that has no main field."""
    absence = planned.field(kind, "axis")
    if absence is not None:
        return body.error(absence.message, absence.hint)
    return body.error(f"{kind} takes no bare value", f"write {kind}: {{field: value}}, or {kind} alone")
