"""A Document as YAML: an entry on a line where it fits, flow style within, keys in a fixed order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from convcalc.formats.spec.records import (
    Block,
    Branch,
    Document,
    Entry,
    Expression,
    Group,
    Layer,
    Required,
    Use,
)
from convcalc.graph import Input
from convcalc.language.input import INPUT_KEYS
from convcalc.language.reader import type_of
from convcalc.shapes import looks_channels_last

WIDTH = 118
MAX_INLINE = 4  # entries of a group on one line
INLINE_WIDTH = 104

_PLAIN = re.compile(r"[A-Za-z0-9_$^][A-Za-z0-9_$.()+/*=<>!% -]*\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FIRST_FIELDS = ("filters", "units", "kernel", "stride", "padding")


class _Path(str):
    """A text that names a layer: a number needs no quotes there."""


def document_text(document: Document) -> str:
    """The document as the text of a spec."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield f"name: {_text(document.name)}"
    for key, value in document.head.items():
        yield from _head_lines(key, value)
    yield from _input_lines(document.inputs)
    if document.outputs:
        paths = {name: _Path(path) for name, path in document.outputs.items()}
        same = all(name == path for name, path in paths.items())
        yield from _wrapped("outputs: ", _flow(list(paths.values()) if same else paths), 2)
    if document.defaults:
        yield "defaults:"
        for kind, fields in document.defaults.items():
            yield f"  {kind}: {_flow(fields)}"
    if document.blocks:
        yield "blocks:"
        for block in document.blocks.values():
            yield from _block_lines(block)
    yield "layers:"
    for entry in document.layers:
        yield from _entry_lines(entry, 2)


def _head_lines(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield f"{key}: {_text(value)}"
    elif isinstance(value, (list, tuple)) and key != "labels" and value and isinstance(value[0], str):
        yield f"{key}:"
        for item in value:
            yield from _text_lines(item)
    else:
        yield from _wrapped(f"{key}: ", _flow(value), 2)


def _text_lines(text: str) -> Iterator[str]:
    """A text as an item of a list, folded over several lines where it is long."""
    line = f"  - {_text(text)}"
    if len(line) <= WIDTH or text != " ".join(text.split()):
        yield line
        return
    yield "  - >-"
    line = "   "
    for word in text.split():
        if len(line) + 1 + len(word) > WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {word}"
    yield line


def _input_lines(inputs: Sequence[Input]) -> Iterator[str]:
    if len(inputs) == 1 and inputs[0].name == "input":
        yield f"input: {_shape(inputs[0].shape)}"
    else:
        yield "inputs:"
        for entry in inputs:
            yield f"  {_scalar(_Path(entry.name))}: {_shape(entry.shape)}"


def _shape(shape: Sequence[int]) -> str:
    if looks_channels_last(tuple(shape)):
        keys = next(keys for keys in INPUT_KEYS if len(keys) == len(shape))
        return _flow(dict(zip(keys, shape, strict=True)))
    return _flow(list(shape))


def _block_lines(block: Block) -> Iterator[str]:
    yield f"  {block.name}:"
    if block.naming:
        yield "    naming: index"
    if block.params:
        needed = all(isinstance(default, Required) for default in block.params.values())
        yield from _wrapped("    params: ", _flow(list(block.params) if needed else block.params), 6)
    if block.refs:
        yield f"    refs: {_flow(list(block.refs))}"
    yield "    layers:"
    for entry in block.layers:
        yield from _entry_lines(entry, 6)


# -- entries ----------------------------------------------------------------------------------------------------


def _entry_lines(entry: Entry, indent: int) -> Iterator[str]:
    dash = f"{' ' * indent}- "
    if isinstance(entry, Group):
        short = _inline(entry)
        if short is not None and len(dash) + len(short) <= INLINE_WIDTH:
            yield dash + short
            return
        yield f"{dash}group:"
        keys = _common(entry) | ({"naming": "index"} if entry.naming else {}) | _last(entry)
        yield from (f"{' ' * (indent + 4)}{key}: {_flow(value)}" for key, value in keys.items())
        yield f"{' ' * (indent + 4)}layers:"
        for inner in entry.layers:
            yield from _entry_lines(inner, indent + 6)
        return
    if isinstance(entry, Layer) and entry.branches is not None:
        yield from _join_lines(entry, indent)
        return
    short = _inline(entry)
    assert short is not None
    if len(dash) + len(short) <= WIDTH:
        yield dash + short
    else:
        kind, _, rest = short.partition(": ")
        yield from _wrapped(f"{dash}{kind}: ", rest, indent + 4)


def _join_lines(entry: Layer, indent: int) -> Iterator[str]:
    keys = _keys(entry)
    yield f"{' ' * indent}- {entry.kind}:"
    inner = indent + 4
    if keys:
        yield from (f"{' ' * inner}{key}: {_flow(value)}" for key, value in keys.items())
        yield f"{' ' * inner}branches:"
        inner += 2
    for branch in entry.branches or ():
        yield from _branch_lines(branch, inner)


def _branch_lines(branch: Branch, indent: int) -> Iterator[str]:
    space = " " * indent
    if branch.name is None and branch.condition is None:
        if not branch.layers:
            yield f"{space}- []"
            return
        for place, entry in enumerate(branch.layers):
            lines = list(_entry_lines(entry, indent + 2))
            if not place:
                lines[0] = f"{space}- {lines[0].lstrip()}"
            yield from lines
        return
    keys: dict[str, Any] = {}
    if branch.name is not None:
        keys["name"] = _Path(branch.name)
    if branch.condition is not None:
        keys["if"] = branch.condition
    if branch.naming:
        keys["naming"] = "index"
    if not branch.layers:
        yield f"{space}- {_flow({**keys, 'layers': []})}"
        return
    inner = [_inline(entry) for entry in branch.layers]
    if len(inner) <= MAX_INLINE and all(inner):
        flow = _flow(keys)[:-1] + f", layers: [{', '.join(_in_flow(text) for text in inner if text)}]}}"
        if indent + 2 + len(flow) <= INLINE_WIDTH:
            yield f"{space}- {flow}"
            return
    for place, (key, value) in enumerate(keys.items()):
        yield f"{space}{'- ' if not place else '  '}{key}: {_flow(value)}"
    yield f"{space}  layers:"
    for entry in branch.layers:
        yield from _entry_lines(entry, indent + 4)


def _inline(entry: Entry) -> str | None:
    """The entry on one line, without its dash; None if it has branches or too many entries within."""
    if isinstance(entry, Group):
        inner = [_inline(layer) for layer in entry.layers]
        if len(inner) > MAX_INLINE or not all(inner) or any(isinstance(e, Group) for e in entry.layers):
            return None
        keys = _common(entry) | ({"naming": "index"} if entry.naming else {}) | _last(entry)
        layers = ", ".join(_in_flow(text) for text in inner if text)
        return f"group: {_flow(keys)[:-1]}{', ' if keys else ''}layers: [{layers}]}}"
    if isinstance(entry, Layer):
        if entry.branches is not None:
            return None
        kind = entry.kind
    else:
        assert isinstance(entry, Use)
        kind = entry.block
    keys = _keys(entry)
    if not keys:
        return kind
    main = _main(entry)
    if main is not None and list(keys) == [main] and not isinstance(keys[main], Mapping):
        return f"{kind}: {_flow(keys[main])}"
    return f"{kind}: {_flow(keys)}"


def _in_flow(text: str) -> str:
    return f"{{{text}}}" if ": " in text else text


def _main(entry: Entry) -> str | None:
    from convcalc import ops

    if not isinstance(entry, Layer):
        return None
    operator = ops.get(entry.kind)
    return None if operator.role == "join" else operator.main


def _keys(entry: Layer | Use) -> dict[str, Any]:
    """All keys of an entry but its branches, in the order of writing."""
    if isinstance(entry, Layer):
        given = entry.fields
    else:  # references may be numbers, as the names of layers
        given = {
            name: _Path(value) if type(value) is str else value for name, value in entry.arguments.items()
        }
    fields = (
        {name: given[name] for name in _FIRST_FIELDS if name in given} if isinstance(entry, Layer) else {}
    )
    return (
        _common(entry)
        | fields
        | {name: value for name, value in given.items() if name not in fields}
        | _last(entry)
    )


def _common(entry: Entry) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if entry.name is not None:
        keys["name"] = _Path(entry.name)
    if entry.origin:
        origin = [_path(source) for source in entry.origin]
        keys["from"] = origin[0] if len(origin) == 1 else origin
    if entry.condition is not None:
        keys["if"] = entry.condition
    if entry.repeat is not None:
        keys["repeat"] = entry.repeat
    if entry.copies is not None:
        keys["copies"] = entry.copies
    return keys


def _last(entry: Entry) -> dict[str, Any]:
    keys: dict[str, Any] = {}
    if entry.share is not None:
        keys["share"] = _path(entry.share)
    if entry.keys:
        words = {name: _Path(word) for name, word in entry.keys.items()}
        keys["keys"] = words[""] if list(words) == [""] else words
    if entry.first:
        keys["first"] = dict(entry.first)
    return keys


def _path(value: str | Expression) -> Any:
    return value if isinstance(value, Expression) else _Path(value)


# -- values -----------------------------------------------------------------------------------------------------


def _flow(value: Any) -> str:
    """A value in flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(_Path(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, Expression):
        text = f"${value.text}" if _NAME.match(value.text) else f"$({value.text})"
        return f'"{text}"' if re.search(r"[,\[\]{}'#:&]", text) else text
    if isinstance(value, Required):
        return "required"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value)
    number = isinstance(value, _Path) and text.isdecimal()
    if number or (_PLAIN.match(text) and text == text.strip() and type_of(text) == text):
        return str(text)
    return json.dumps(str(text), ensure_ascii=False)


def _text(text: str) -> str:
    """A text outside of flow style, where commas and brackets need no quotes."""
    ends = re.search(r": |:\Z| #|[^\x20-\x7e\u00a1-\ud7ff]", text) or text != text.strip()
    if ends or not re.match(r"[A-Za-z0-9_(]", text) or type_of(text) != text:
        return _scalar(text)
    return text


def _wrapped(start: str, flow: str, indent: int) -> Iterator[str]:
    """A flow value after its key, broken after commas where it is too long."""
    line = start
    for place, piece in enumerate(_pieces(flow)):
        if place and len(line) + len(piece.rstrip()) > WIDTH:
            yield line.rstrip()
            line = " " * indent
        line += piece
    yield line


def _pieces(flow: str) -> Iterator[str]:
    """A flow value cut after its commas, but not within quotes or brackets of inner values."""
    depth, quoted, start = 0, False, 0
    for place, character in enumerate(flow):
        if character == '"' and flow[place - 1] != "\\":
            quoted = not quoted
        elif not quoted and character in "[{":
            depth += 1
        elif not quoted and character in "]}":
            depth -= 1
        elif not quoted and character == "," and depth <= 1:
            yield flow[start : place + 2]
            start = place + 2
    yield flow[start:]
