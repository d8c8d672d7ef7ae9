"""The words of the spec language: reserved words, the rules for names, and how lists of words are shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.language import reader
from convcalc.language.functions import FUNCTIONS
from convcalc.language.syntax import WORDS
from convcalc.ops import describe

# The keys common to layers, groups and calls of blocks, with their descriptions in the JSON Schema.
COMMON = {
    "name": "path segment; default is kind and ordinal",
    "from": "instead of the layer before: a name or dotted path; a list for joins without branches",
    "if": "when false the entry is not there",
    "repeat": "copies in sequence",
    "copies": "the copies' segments, default $i",
    "first": "fields added or replaced in copy 0",
    "share": "path of a layer whose weights this one uses; of a scope, whose layers' weights those within use",
    "keys": "names in a weights file where they differ",
}
STRUCTURES = ("group", "use", "foreach", "network")

FIXED_IN_FIRST = ("name", "from", "if", "repeat", "copies", "first")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\Z")
MAX_SEGMENT = 200


def listed(words: Iterable[str], most: int = 16) -> str:
    """A list for a message: `a, b, c and 4 more`."""
    shown = list(words)
    text = ", ".join(shown[:most])
    return f"{text} and {len(shown) - most} more" if len(shown) > most else text


def circle(names: Sequence[str], most: int = 8) -> str:
    """A cycle for a message: `a → b → a`."""
    return " → ".join([*names[:most], *(["…"] if len(names) > most else []), names[0]])


def cut(word: str) -> str:
    """The word, shortened to 60 characters for a message."""
    return word if len(word) <= 60 else word[:57] + "..."


def is_kind(kind: str, blocks: Collection[str]) -> bool:
    """Whether the kind is a block, a word of the language or an operator."""
    return kind in blocks or kind in STRUCTURES or kind in ops.names()


def canonical(kind: str, field: str) -> str:
    """The full name of a field given by its alias (K of conv: filters); any other name unchanged."""
    if kind in ops.names():
        for info in ops.get(kind).fields().values():
            if info.alias == field:
                return info.name
    return field


def name_problem(name: str, node: reader.Scalar, what: str) -> SpecError | None:
    """The error for an invalid or reserved name of a variable, parameter, reference or loop variable, or None."""
    from keyword import iskeyword

    if not _IDENTIFIER.match(name):
        return node.error(
            f"{describe(name)} cannot name a {what}",
            "use letters, digits and _, not starting with a digit; no $ where a name is given",
        )
    taken = (
        "a function"
        if name in FUNCTIONS
        else "a word of the language"
        if iskeyword(name) or name in WORDS
        else "the copy's index"
        if name == "i"
        else "the input's channel count"
        if name == "channels"
        else "the input's shape"
        if name == "shape"
        else "a key of every layer"
        if name in COMMON
        else None
    )
    if not taken:
        return None
    return node.error(f"{describe(name)} cannot name a {what}: it is {taken}", "choose another name")


def output_problem(name: str) -> str | None:
    """The reason why an output cannot have this name, or None. Dotted paths are allowed."""
    if all(SEGMENT.match(segment) for segment in name.split(".")) and len(name) <= MAX_SEGMENT:
        return None
    return "a name is letters, digits, _ and -, or a path of such names"


def segment_problem(segment: str) -> str | None:
    """The reason why a layer, group, branch, block or input cannot have this name, or None."""
    if segment == "input":
        return "'input' is the network's input"
    if "." in segment:
        return "a name has no dots; groups and blocks make the paths"
    if not SEGMENT.match(segment) or len(segment) > MAX_SEGMENT:
        return "a name is letters, digits, _ and -"
    return None
