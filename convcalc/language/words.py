"""The words of the spec language: what is taken, and what may be a name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

from convcalc import ops
from convcalc.errors import SpecError
from convcalc.language import reader
from convcalc.language.functions import FUNCTIONS
from convcalc.language.syntax import WORDS
from convcalc.ops import describe

# The keys that every layer, group and block use takes, each with its description in the schema.
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
    """`a, b, c and 4 more`."""
    shown = list(words)
    text = ", ".join(shown[:most])
    return f"{text} and {len(shown) - most} more" if len(shown) > most else text


def circle(names: Sequence[str], most: int = 8) -> str:
    """`a → b → a`."""
    return " → ".join([*names[:most], *(["…"] if len(names) > most else []), names[0]])


def cut(word: str) -> str:
    """The word, shortened for a message."""
    return word if len(word) <= 60 else word[:57] + "..."


def is_kind(kind: str, blocks: Collection[str]) -> bool:
    """Whether an entry can be of that kind."""
    return kind in blocks or kind in STRUCTURES or kind in ops.names()


def canonical(kind: str, field: str) -> str:
    """A field's own name where `field` is its alias (conv, K: filters); else `field`."""
    if kind in ops.names():
        for info in ops.get(kind).fields().values():
            if info.alias == field:
                return info.name
    return field


def name_problem(name: str, node: reader.Scalar, what: str) -> SpecError | None:
    """Why a variable, parameter or loop variable cannot have this name, if it cannot."""
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
    """Why an output cannot have this name, if it cannot: it may be a path."""
    if all(SEGMENT.match(segment) for segment in name.split(".")) and len(name) <= MAX_SEGMENT:
        return None
    return "a name is letters, digits, _ and -, or a path of such names"


def segment_problem(segment: str) -> str | None:
    """Why a layer, group, branch or block cannot have this name, if it cannot."""
    if segment == "input":
        return "'input' is the network's input"
    if "." in segment:
        return "a name has no dots; groups and blocks make the paths"
    if not SEGMENT.match(segment) or len(segment) > MAX_SEGMENT:
        return "a name is letters, digits, _ and -"
    return None
