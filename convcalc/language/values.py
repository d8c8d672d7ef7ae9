"""Compiled values of YAML nodes: constants, or expressions evaluated with the current variables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from convcalc.errors import Mark, SpecError, did_you_mean
from convcalc.language import reader
from convcalc.language.expressions import LayerReference, Names, Template, as_text, compile_text, names_in
from convcalc.language.syntax import ExpressionError
from convcalc.language.words import listed
from convcalc.ops import FieldError, describe, whole

NONE = Names({})
# Names that are not predefined, with the expression for the size of a layer's input that they suggest.
SIZES = {"height": "$(shape[-2])", "width": "$(shape[-1])", "length": "$(shape[-1])", "depth": "$(shape[-3])"}


class Value:
    """A compiled value. constant: whether it reads no variables, so that `evaluate` may be given NONE."""

    __slots__ = ("_compiled", "_names", "constant", "node")

    def __init__(self, node: reader.YamlNode, compiled: Any, constant: bool) -> None:
        self.node = node
        self._compiled = compiled
        self._names: frozenset[str] | None = frozenset() if constant else None
        self.constant = constant

    def evaluate(self, names: Names) -> Any:
        """The value with the given variables. Raises SpecError at the expression's place."""
        compiled = self._compiled
        if self.constant:
            return compiled
        if isinstance(compiled, list):
            return [item.evaluate(names) for item in compiled]
        try:
            return compiled.evaluate(names)
        except ExpressionError as error:
            raise expression_error(self.node, error) from None

    def templates(self) -> Iterator[tuple[reader.YamlNode, Template]]:
        """Every expression in the value, with its node."""
        if isinstance(self._compiled, Template):
            yield self.node, self._compiled
        elif not self.constant:
            for item in self._compiled:
                yield from item.templates()

    def bare_names(self) -> Iterator[tuple[reader.YamlNode, str]]:
        """The variables that form a whole text, as in `$skip`, with their nodes."""
        for node, template in self.templates():
            if template.bare is not None:
                yield node, template.bare

    def names(self) -> frozenset[str]:
        """The variables that the value reads."""
        if self._names is None:
            self._names = frozenset().union(*(template.names for _, template in self.templates()))
        return self._names

    def check_names(self, known: Collection[str]) -> None:
        """Raise SpecError if the value reads a variable that is not in `known`."""
        if self.constant:
            return
        for node, template in self.templates():
            for name in template.names:
                if name not in known:
                    raise _unknown(name, known, node, template)


def _unknown(name: str, known: Collection[str], node: reader.YamlNode, template: Template) -> SpecError:
    if name == "i":
        hint: str | None = "$i is the copy's index, within an entry that has repeat"
    elif name == "channels":
        hint = "$channels is the channel count of a layer's input: it is known within layers only"
    elif name == "shape":
        hint = "$shape is the shape of a layer's input: it is known within layers only"
    elif name in SIZES:
        hint = f"of a layer's input, $channels is the channel count and {SIZES[name]} the {name}"
    else:
        hint = f"known here: {listed(sorted(known))}" if known else "the spec has no vars"
    return SpecError(
        f"no variable '{name}' here{did_you_mean(name, sorted(known))}",
        mark=inner_mark(node, template.offset(name), len(name)),
        hint=hint,
    )


def compile_value(node: reader.YamlNode) -> Value:
    """Compile a scalar or (nested) list. Raises SpecError for a malformed expression or a mapping."""
    if isinstance(node, reader.Scalar):
        if "$" not in node.text:
            return Value(node, node.typed, True)
        try:
            compiled = compile_text(node.text)
        except ExpressionError as error:
            raise expression_error(node, error) from None
        return Value(node, compiled, isinstance(compiled, str))
    if isinstance(node, reader.Sequence):
        items = [compile_value(item) for item in node.items]
        if all(item.constant for item in items):
            return Value(node, [item.evaluate(NONE) for item in items], True)
        return Value(node, items, False)
    hint = 'quote an expression that holds { or a comma: "$(...)"' if "$(" in node.mark.text else None
    raise node.error("needs a value or a list, not a mapping", hint)


def names_within(nodes: Iterable[reader.YamlNode]) -> frozenset[str]:
    """The names in all expressions within the nodes, at any depth."""
    found: set[str] = set()
    texts: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, reader.Scalar):
            if "$" in node.text and node.text not in texts:
                texts.add(node.text)
                found |= names_in(node.text)
        elif isinstance(node, reader.Sequence):
            stack += node.items
        elif isinstance(node, reader.Mapping):
            stack += node.entries.values()
            # YAML splits {filters: $(max(a, b))} at the comma, so a key may be the rest of an expression
            found.update(*(names_in(f"$({key}") for key in node.entries if ")" in key))
    return frozenset(found)


def inner_mark(node: reader.YamlNode, offset: int, length: int) -> Mark:
    """A mark for part of a scalar's text; the node's own mark if the text spans several lines."""
    if not isinstance(node, reader.Scalar) or node.length < len(node.text):
        return node.mark
    shift = max(0, offset) + (0 if node.plain else 1)
    return node.source.mark(node.line, node.column + shift, max(1, min(length, node.length - shift)))


def expression_error(node: reader.YamlNode, error: ExpressionError) -> SpecError:
    """An expression's error at its place in the file, with a hint if YAML cut the text short."""
    mark = inner_mark(node, error.offset, error.length)
    hint = error.hint
    if "cut short" in error.message:
        rest = (
            mark.text[node.column + node.length :] if isinstance(node, reader.Scalar) and node.plain else ""
        )
        if rest.startswith(" ") and rest.lstrip().startswith("#"):
            hint = "' #' starts a comment; quote the expression if the # belongs to it"
        elif rest.lstrip()[:1] in (",", "]", "}", "[", "{") and rest:
            hint = f"within {{ }} and [ ] a '{rest.lstrip()[0]}' ends the value: quote the expression, \"$(...)\""
        elif rest.startswith(":"):
            hint = "a ':' ends the value: quote the expression, \"$(...)\""
        else:
            hint = "close it; an expression stands on one line"
    return SpecError(error.message, mark=mark, hint=hint)


def is_cut(node: reader.YamlNode | None) -> bool:
    """Whether YAML ended an unquoted value inside an expression, as in {filters: $(max(a, b))}."""
    return (
        isinstance(node, reader.Scalar) and node.plain and "$(" in node.text and open_brackets(node.text) > 0
    )


def open_brackets(text: str) -> int:
    """The number of opening parentheses minus closing ones."""
    return text.count("(") - text.count(")")


def boolean(value: Value, names: Names, what: str) -> bool:
    """The value as a boolean. Raises SpecError."""
    result = value.evaluate(names)
    if not isinstance(result, bool):
        hint = "write a condition, such as $(stride != 1)"
        if isinstance(result, str) and result.lower() in ("true", "false", "yes", "no", "on", "off"):
            hint = "true and false are written so, without quotes"
        raise value.node.error(f"{what} needs true or false, not {describe(result)}", hint)
    return result


def integer(value: Value, names: Names, what: str) -> int:
    """The value as an integer of at least 0. Raises SpecError."""
    try:
        return whole(value.evaluate(names))
    except FieldError as error:
        raise value.node.error(f"{what} {error}") from None


def text(value: Value, names: Names, what: str) -> str | None:
    """The value as text: constants as written, None for null. Raises SpecError for a list or an empty text."""
    node = value.node
    result = value.evaluate(names)
    if value.constant and isinstance(node, reader.Scalar):
        if not node.text:
            raise node.error(f"{what} is empty")
        return None if result is None else node.text
    if result is None:
        return None
    if isinstance(result, (list, dict, LayerReference)) or result == "":
        raise node.error(f"{what} needs a word, not {describe(result)}")
    return as_text(result)
