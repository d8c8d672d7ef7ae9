"""Modules in containers: functions as modules, numbered places, loops for copies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from convcalc.formats.torch.source.made import Link
from convcalc.formats.torch.source.site import Call, Form, quoted
from convcalc.formats.torch.source.symbols import (
    is_identifier,
    replaced,
)

MAX_GAP = 16  # placeholders in a row of a numbered container


MAX_GAP = 16  # placeholders in a row of a numbered container
MIN_RUN = 3  # equal modules that are made in a loop


def as_module(found: Form, helpers: set[str]) -> Call:
    """The module of a layer in a Sequential; a function becomes one."""
    if found.in_chain:
        assert found.module is not None
        return found.module
    helpers.add("Lambda")
    call = found.call.replace("{0}", "x")
    for attribute, value in found.stored.items():
        call = re.sub(rf"\bself\.{attribute}\b", f"({value})" if not is_identifier(value) else value, call)
    return Call("Lambda", (f"lambda x: {call}",))


def sequential_of(
    first: Call, call: Call, count: str, start: int, copies: str | None, names: Mapping[str, str]
) -> Call:
    """A Sequential of copies. start: the index of the first that the loop makes: 0, or 1 if `first` differs."""
    left = replaced(f"{count} - {start}", {})
    if copies is not None and copies != "$i":
        items: list[str | Call] = [_pair(copies, names, 0, first)] if start else []
        if left == "1":
            items.append(_pair(copies, names, start, call))
        elif left != "0":
            loop = f"range({count})" if start == 0 else f"range(1, {count})"
            items.append(f"({_label(copies, names)}, {call}) for i in {loop}")
        if len(items) == 1 and left not in ("0", "1"):
            return Call("nn.Sequential", (Call("OrderedDict", tuple(items)),))
        if left not in ("0", "1"):
            items[-1] = f"*({items[-1]})"
        return Call("nn.Sequential", (Call("OrderedDict", (Call("", tuple(items), "[]"),)),))
    index = "i" if re.search(r"\bi\b", str(call)) else "_"
    modules: list[str | Call] = [first] if start else []
    if left == "1" and index == "_":
        modules.append(call)
    elif left != "0":
        loop = f"range({left})" if index == "_" or start == 0 else f"range(1, {count})"
        modules.append(f"*({call} for {index} in {loop})")
    return Call("nn.Sequential", tuple(modules))


def _pair(copies: str, names: Mapping[str, str], index: int, call: Call) -> str:
    """A copy with its segment, for an OrderedDict."""
    return f"({_label(copies, {**names, 'i': str(index)})}, {call})"


def _label(copies: str, names: Mapping[str, str]) -> str:
    """The f-string of a template of segments such as `denselayer$(i + 1)`."""

    def part(match: re.Match[str]) -> str:
        inner = replaced(match[1] or match[2], names)
        return inner if inner.isdecimal() else f"{{{inner}}}"

    text = re.sub(r"\$(?:\(([^)]*)\)|(\w+))", part, copies)
    return f'f"{text}"' if "{" in text else quoted(text)


def filled_slots(links: Sequence[Link]) -> list[Call | str] | None:
    """The modules of a numbered container, with placeholders in gaps; None if the numbers do not rise."""
    slots = numbered(links)
    return None if slots is None else with_loops([link.call for link in slots])


def numbered(links: Sequence[Link]) -> list[Link] | None:
    """The modules at their numbers, with placeholders in gaps; None if the numbers do not rise."""
    slots: list[Link] = []
    for link in links:
        place = int(link.segment) if link.segment.isdecimal() else -1
        if place < len(slots) or place > len(slots) + MAX_GAP:
            return None
        while len(slots) < place:
            sizes = slots[-1].sizes if slots else ()
            slots.append(Link(str(len(slots)), Call("nn.Identity"), sizes=sizes))
        slots.append(link)
    return slots


def with_loops(slots: Sequence[Call]) -> list[Call | str]:
    """The modules with runs of equal ones as loops."""
    found: list[Call | str] = []
    for text, run in groupby(slots, key=str):
        same = list(run)
        if len(same) < MIN_RUN or text.startswith("nn."):
            found += same
        else:
            found.append(f"*({text} for _ in range({len(same)}))")
    return found
