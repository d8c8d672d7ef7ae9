"""Runs: a scope whose members are all uses of one block, numbered and with equal arguments, becomes a repeated use."""

from __future__ import annotations

import re
from typing import Any

from convcalc.formats.spec.parts import Body, Part, Reference

MAX_FIRST = 2  # arguments that copy 0 may have of its own, or as many as there are copies
_NUMBERED = re.compile(r"(.*?)(0|[1-9][0-9]*)\Z")


def fold_runs(body: Body) -> None:
    """Replace groups by repeated uses, inner ones first."""
    for part in body.parts:
        for inner in part.lists():
            fold_runs(inner)
        if part.body is not None and not part.is_use:
            _fold(part, part.body)


def _fold(group: Part, body: Body) -> None:
    parts = body.parts
    first = parts[0]
    if not all(_is_like(part, first) for part in parts) or group.twin is not None:
        return
    copies = _copies([part.segment or "" for part in parts])
    if copies is None:
        return
    rest = parts[-1].fields
    if any(part.fields != rest for part in parts[1:]) or (len(parts) == 1 and copies):
        return
    own = {name: value for name, value in first.fields.items() if rest.get(name, _NONE) != value}
    missing = rest.keys() - first.fields.keys()
    if missing or len(own) > min(MAX_FIRST, len(parts)):
        return
    if len(parts) == 2 and any("kernel" in name for name in own):
        return  # two layers that have little in common are clearer on two lines
    group.kind = first.kind
    group.is_use = True
    group.fields = dict(rest)
    group.first = own
    group.repeat = len(parts)
    group.copies = copies or None


_NONE: Any = object()


def _is_like(part: Part, first: Part) -> bool:
    return (
        part.is_use
        and part.kind == first.kind
        and part.repeat is None
        and not part.origin
        and part.twin is None
        and not any(isinstance(value, Reference) for value in part.fields.values())
    )


def _copies(segments: list[str]) -> str | None:
    """The template of the copies' names: "" if they are their indices, None if they are not numbered in a row."""
    found = [_NUMBERED.match(segment) for segment in segments]
    stems = {match[1] for match in found if match}
    if len(stems) != 1 or not all(found):
        return None
    numbers = [int(match[2]) for match in found if match]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return None
    stem, start = stems.pop(), numbers[0]
    if not stem and not start:
        return ""
    return f"{stem}$(i + {start})" if start else f"{stem}$i"
