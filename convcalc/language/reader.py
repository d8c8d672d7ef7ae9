"""Reading of YAML text into nodes that know their line and column.

We loop over the parser's events (libyaml's if available) instead of calling `yaml.load`: it is faster, YAML tags
cannot construct objects, and nesting is limited before it can exhaust the stack.

Scalars are typed by the spec language, not by YAML 1.1: true, false, null, decimal integers, and decimals with an
optional exponent; everything else is text (`no`, `0x10`, `1_000`, dates).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from math import isfinite
from typing import Any

import yaml

from convcalc.errors import Mark, SpecError
from convcalc.graph import MAX_LAYERS
from convcalc.ops import describe

MAX_BYTES = 16 * 2**20
MAX_DEPTH = 100
MAX_NODES = 3_000_000
MAX_KEYS = 10_000  # of one mapping

MAX_DIGITS = 40  # of a number; longer ones are text

_INTEGER = re.compile(r"[+-]?[0-9]+\Z")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\Z")
_WORDS: dict[str, object] = {"true": True, "false": False, "null": None, "": None}


# Reads a file by its path. Raises OSError.
ReadFile = Callable[[str], bytes]


class YamlSource:
    """A YAML text. name: its name in errors. directory: the base folder of relative paths in it. read: reads the files
    that they name; None: from the disk."""

    __slots__ = ("_lines", "directory", "name", "read", "text")

    def __init__(
        self, name: str, text: str, directory: str | None = None, read: ReadFile | None = None
    ) -> None:
        self.name = name
        self.directory = directory
        self.read = read
        self.text = text
        self._lines: list[str] | None = None

    def line(self, number: int) -> str:
        """The text of a line, counted from 0."""
        if self._lines is None:
            self._lines = self.text.splitlines()
        return self._lines[number] if number < len(self._lines) else ""

    def mark(self, line: int, column: int, length: int = 1) -> Mark:
        """A mark from 0-based line and column."""
        return Mark(self.name, line + 1, column + 1, self.line(line), length)


class YamlNode:
    """Base class of YAML nodes with their place: Scalar, Sequence, Mapping. Lines and columns count from 0."""

    __slots__ = ("column", "length", "line", "source")
    source: YamlSource
    line: int
    column: int
    length: int

    @property
    def mark(self) -> Mark:
        """The node's place, for errors."""
        return self.source.mark(self.line, self.column, self.length)

    def error(self, message: str, hint: str | None = None) -> SpecError:
        """An error at this place."""
        return SpecError(message, mark=self.mark, hint=hint)

    @property
    def value(self) -> Any:
        """The node as plain Python values: scalars, lists and dicts."""
        raise NotImplementedError  # pragma: no cover


class Scalar(YamlNode):
    """A word, number or text. plain: whether it was written without quotes."""

    __slots__ = ("plain", "text", "typed")

    def __init__(
        self, source: YamlSource, line: int, column: int, length: int, text: str, plain: bool
    ) -> None:
        self.source, self.line, self.column, self.length = source, line, column, length
        self.text, self.plain = text, plain
        self.typed = type_of(text) if plain else text

    @property
    def value(self) -> Any:
        """The typed value."""
        return self.typed


class Sequence(YamlNode):
    """A list."""

    __slots__ = ("items",)

    def __init__(self, source: YamlSource, line: int, column: int) -> None:
        self.source, self.line, self.column, self.length = source, line, column, 1
        self.items: list[YamlNode] = []

    @property
    def value(self) -> list[Any]:
        """The items' values."""
        return [item.value for item in self.items]


class Mapping(YamlNode):
    """A mapping in the order of the file. entries: values by key. keys: the key nodes by key."""

    __slots__ = ("entries", "keys")

    def __init__(self, source: YamlSource, line: int, column: int) -> None:
        self.source, self.line, self.column, self.length = source, line, column, 1
        self.entries: dict[str, YamlNode] = {}
        self.keys: dict[str, Scalar] = {}

    @property
    def value(self) -> dict[str, Any]:
        """The entries' values."""
        return {key: node.value for key, node in self.entries.items()}


def is_required(node: YamlNode) -> bool:
    """Whether a value is the unquoted word `required`: a user of the spec or block must supply it."""
    return isinstance(node, Scalar) and node.plain and node.text == "required"


def type_of(text: str) -> object:
    """The typed value of a plain scalar's text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "0123456789+-." and len(text) <= MAX_DIGITS:
        if _INTEGER.match(text):
            return int(text)
        if _DECIMAL.match(text) and isfinite(number := float(text)):
            return number
    return text


def read(source: YamlSource, max_items: int = MAX_LAYERS) -> YamlNode:
    """Parse a text and return its root node. Raises SpecError at the place of the first error.

    max_items: maximum length of a list; only a network with too many layers has a longer one.
    """
    try:
        size = len(source.text.encode())
    except UnicodeEncodeError:
        raise SpecError(f"{source.name}: not UTF-8 text") from None
    if size > MAX_BYTES:
        raise SpecError(
            f"{source.name}: the spec is larger than {MAX_BYTES // 2**20} MiB",
            hint="repeat, foreach and blocks say long networks in a few lines",
        )
    _check_written_layers(source, max_items)
    parser: Any = getattr(yaml, "CLoader", yaml.SafeLoader)(source.text)
    try:
        return _build(source, parser.get_event, max_items)
    except yaml.YAMLError as error:
        raise _syntax_error(source, error) from None
    finally:
        parser.dispose()


def _check_written_layers(source: YamlSource, max_items: int) -> None:
    """Raise SpecError for a file with too many layers, without the memory of parsing it first.

    Each line that starts with `- ` at the indentation of the `layers` list is an entry: its contents are indented more.
    """
    text = source.text
    if text.count("\n") <= max_items:
        return
    first = re.search(r"^layers:[ \t]*(?:#.*)?\n(?:[ \t]*(?:#.*)?\n)*( *)- ", text, re.MULTILINE)
    if first is None:
        return
    after = re.compile(r"^[A-Za-z]", re.MULTILINE).search(text, first.end())
    entries = re.compile(rf"^{first.group(1)}- ", re.MULTILINE).finditer(
        text, first.start(1), after.start() if after else len(text)
    )
    excess = next(islice(entries, max_items, None), None)
    if excess is not None:
        line = text.count("\n", 0, excess.start())
        raise _too_many_entries(source.mark(line, len(first.group(1))), max_items)


def _too_many_entries(mark: Mark, max_items: int) -> SpecError:
    return SpecError(
        f"more than {max_items:,} entries in one list", mark=mark, hint="--max-layers raises the limit"
    )


def _build(source: YamlSource, next_event: Callable[[], Any], max_items: int) -> YamlNode:
    root: YamlNode | None = None
    stack: list[Sequence | Mapping] = []
    pending: list[Scalar | None] = []  # for each open mapping, the key whose value comes next
    parent: Sequence | Mapping | None = None
    count = 0
    words: dict[str, str] = {}  # interned texts, to save memory
    while (event := next_event()) is not None:
        kind = type(event)
        if kind is yaml.SequenceEndEvent or kind is yaml.MappingEndEvent:
            if type(stack.pop()) is Mapping:
                pending.pop()
            parent = stack[-1] if stack else None
            continue
        start = event.start_mark
        node: Scalar | Sequence | Mapping
        if kind is yaml.ScalarEvent:
            end = event.end_mark
            length = end.column - start.column if end.line == start.line else 1
            text = event.value
            text = words.setdefault(text, text)
            node = Scalar(
                source, start.line, start.column, length if length > 1 else 1, text, not event.style
            )
        elif kind is yaml.SequenceStartEvent:
            node = Sequence(source, start.line, start.column)
        elif kind is yaml.MappingStartEvent:
            node = Mapping(source, start.line, start.column)
        elif kind is yaml.AliasEvent:
            raise _refused(source, event, "an alias", f"*{event.anchor}")
        else:
            if kind is yaml.DocumentStartEvent and root is not None:
                raise SpecError(
                    "a spec is one document",
                    mark=source.mark(start.line, start.column, 3),
                    hint="put the second network in a file of its own",
                )
            continue
        if event.anchor is not None:
            raise _refused(source, event, "an anchor", f"&{event.anchor}")
        if event.tag is not None:
            raise _refused(source, event, "a tag", str(event.tag))
        count += 1
        if count > MAX_NODES:
            raise node.error(f"the spec has more than {MAX_NODES:,} values")
        if parent is None:
            root = node
        elif type(parent) is Sequence:
            if len(parent.items) >= max_items:
                raise _too_many_entries(node.mark, max_items)
            parent.items.append(node)
        else:
            assert isinstance(parent, Mapping)
            key = pending[-1]
            if key is None:
                pending[-1] = _key(parent, node)  # the next node is its value
                continue
            parent.entries[key.text] = node
            parent.keys[key.text] = key
            pending[-1] = None
        if type(node) is not Scalar:
            if len(stack) >= MAX_DEPTH:
                raise node.error(f"nested more than {MAX_DEPTH} deep", "move inner parts into blocks")
            assert isinstance(node, (Sequence, Mapping))
            parent = node
            stack.append(node)
            if type(node) is Mapping:
                pending.append(None)
    if root is None:
        raise SpecError(
            "the spec is empty", mark=source.mark(0, 0), hint="a spec needs at least name, input and layers"
        )
    return root


def _key(parent: Mapping, node: YamlNode) -> Scalar:
    if not isinstance(node, Scalar):
        hint = (
            'quote an expression that holds { } [ ] or a comma: "$(...)"' if "$" in node.mark.text else None
        )
        raise node.error("a key must be a word", hint)
    if node.text == "<<" and node.plain:
        raise node.error("a merge key (<<) is not part of the spec language", _INSTEAD)
    if len(parent.entries) >= MAX_KEYS:
        raise node.error(f"more than {MAX_KEYS:,} keys in one mapping")
    if node.text in parent.entries:
        first = parent.keys[node.text]
        raise node.error(
            f"{describe(node.text)} is given twice", f"first given at line {first.line + 1}; keep one of them"
        )
    return node


_INSTEAD = "use vars for a value, blocks for layers, defaults for fields that repeat"


def _refused(source: YamlSource, event: Any, what: str, text: str) -> SpecError:
    mark = source.mark(event.start_mark.line, event.start_mark.column, len(text))
    return SpecError(f"{what} ({text}) is not part of the spec language", mark=mark, hint=_INSTEAD)


def _syntax_error(source: YamlSource, error: yaml.YAMLError) -> SpecError:
    """The parser's error at its place, with a clearer message if the mistake is recognized."""
    from convcalc.language import slips

    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).strip()
    mark = getattr(error, "problem_mark", None)
    opened = getattr(error, "context_mark", None)
    if mark is not None:
        line, column = mark.line, mark.column
    else:
        position = getattr(error, "position", 0)
        before = source.text[: position if isinstance(position, int) else 0]
        line, column = before.count("\n"), len(before) - before.rfind("\n") - 1
    last = max(0, len(source.text.splitlines()) - 1)
    if line > last:
        line, column = last, max(0, len(source.line(last)) - 1)
    place = (opened.line, opened.column) if opened is not None else (line, column)
    slip = slips.recognise(source.line, problem, (line, column), place)
    return SpecError(
        f"not valid YAML: {slip.message}", mark=source.mark(slip.line, slip.column), hint=slip.hint
    )
