"""Statements of generated source broken into lines as ruff's formatter breaks them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from convcalc.formats.torch.source.site import Call

WIDTH = 110
INDENT = "    "


def statement(start: str, value: str | Call, depth: int, end: str = "") -> list[str]:
    """The lines of `start value end` at an indentation depth; a long call is broken within its parentheses."""
    pad = INDENT * depth
    line = f"{pad}{start}{value}{end}"
    if not isinstance(value, Call) or (len(line) <= WIDTH and not _stays_open(value)):
        return [line]
    lines = [f"{pad}{start}{value.name}{value.brackets[0]}"]
    inner = INDENT * (depth + 1)
    body = f"{inner}{', '.join(map(str, value.arguments))}"
    starred = any(str(argument).startswith("*") for argument in value.arguments)
    if len(body) <= WIDTH and value.brackets == "()" and not _stays_open(value):
        lines.append(body)
    else:
        comma = "" if starred and len(value.arguments) == 1 else ","
        for argument in value.arguments:
            if isinstance(argument, Call):
                lines += statement("", argument, depth + 1, comma)
            else:
                lines += _argument(argument, depth + 1, comma)
    lines.append(f"{pad}{value.brackets[1]}{end}")
    return lines


def _argument(text: str, depth: int, comma: str) -> list[str]:
    """The lines of an argument; a long generator is broken before its `for`."""
    pad, inner = INDENT * depth, INDENT * (depth + 1)
    loop = re.fullmatch(r"\*\((.*) (for \w+ in range\(.*\))\)", text)
    if len(pad) + len(text) + len(comma) <= WIDTH or loop is None:
        return [f"{pad}{text}{comma}"]
    return [f"{pad}*(", f"{inner}{loop[1]}", f"{inner}{loop[2]}", f"{pad}){comma}"]


def _stays_open(call: Call) -> bool:
    """Whether a call takes a line for each argument however short it is: containers of several layers."""
    return any(isinstance(argument, Call) and _stays_open(argument) for argument in call.arguments) or (
        call.name in CONTAINERS
        and len(call.arguments) > 1
        and any(isinstance(a, Call) for a in call.arguments)
    )


CONTAINERS = {"nn.Sequential", "super().__init__"}


def signature(start: str, arguments: Sequence[str], depth: int) -> list[str]:
    """The lines of a `def` with arguments."""
    pad, inner = INDENT * depth, INDENT * (depth + 1)
    line = f"{pad}{start}({', '.join(arguments)}):"
    if len(line) <= WIDTH:
        return [line]
    body = f"{inner}{', '.join(arguments)}"
    if len(body) <= WIDTH:
        return [f"{pad}{start}(", body, f"{pad}):"]
    return [f"{pad}{start}(", *(f"{inner}{argument}," for argument in arguments), f"{pad}):"]
