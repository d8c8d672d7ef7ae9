"""A node of the spec as a value: constant, or computed from variables each time it is needed."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from typing import Any

from convcalc.errors import Mark, SpecError, did_you_mean
from convcalc.ops.fields import FieldError, whole
from convcalc.spec import reader
from convcalc.spec.expressions import ExpressionError, Template, compile_text


class Value:
    """A compiled value. `constant` tells whether it reads no variable; then `evaluate` needs none."""

    __slots__ = ("_compiled", "constant", "node")

    def __init__(self, node: reader.Node, compiled: Any, constant: bool) -> None:
        self.node = node
        self._compiled = compiled
        self.constant = constant

    def evaluate(self, names: Mapping[str, Any]) -> Any:
        """The value, given the variables'. Raises SpecError at the expression's place."""
        compiled = self._compiled
        if self.constant:
            return compiled
        if isinstance(compiled, list):
            return [item.evaluate(names) for item in compiled]
        try:
            return compiled.evaluate(names)
        except ExpressionError as error:
            raise expression_error(self.node, error) from None

    def templates(self) -> list[tuple[reader.Node, Template]]:
        """Every expression in it, with its node."""
        if self.constant:
            return []
        if isinstance(self._compiled, list):
            return [pair for item in self._compiled for pair in item.templates()]
        return [(self.node, self._compiled)]

    def names(self) -> set[str]:
        """The variables it reads."""
        return {name for _, template in self.templates() for name in template.names}

    def check_names(self, known: Collection[str]) -> None:
        """Raise SpecError for a variable that is not known where the value stands."""
        for node, template in self.templates():
            for name in sorted(template.names - set(known)):
                offset = name_offset(template, name)
                raise SpecError(
                    f"no variable '{name}' here{did_you_mean(name, known)}",
                    mark=inner_mark(node, offset, len(name)),
                    hint=f"known here: {', '.join(sorted(known))}" if known else None,
                )


def name_offset(template: Template, name: str) -> int:
    """Where in the template's text the name stands."""
    for part in template.parts:
        if not isinstance(part, str):
            for found in ast.walk(part[2]):
                if isinstance(found, ast.Name) and found.id == name:
                    return part[0] + getattr(found, "col_offset", 0)
    return 0


def compile_value(node: reader.Node) -> Value:
    """A scalar or (nested) list as a value. Raises SpecError; a mapping is none."""
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
            return Value(node, [item.evaluate({}) for item in items], True)
        return Value(node, items, False)
    raise node.error("needs a value or a list, not a mapping")


def inner_mark(node: reader.Node, offset: int, length: int) -> Mark:
    """A mark within a scalar's text."""
    if not isinstance(node, reader.Scalar) or node.length < len(node.text):
        return node.mark
    shift = offset + (0 if node.plain else 1)
    return node.source.mark(node.line, node.column + shift, max(1, min(length, node.length - shift)))


def expression_error(node: reader.Node, error: ExpressionError) -> SpecError:
    """An expression's error at its place in the file, with a hint where YAML cut the text short."""
    hint = error.hint
    mark = inner_mark(node, error.offset, error.length)
    rest = mark.text[node.column + node.length :]
    if "cut short" in error.message and rest.lstrip().startswith("#") and rest.startswith(" "):
        hint = "' #' starts a comment; quote the expression if the # belongs to it"
    return SpecError(error.message, mark=mark, hint=hint)


def boolean(value: Value, names: Mapping[str, Any], what: str) -> bool:
    """The value as true or false, or SpecError."""
    result = value.evaluate(names)
    if not isinstance(result, bool):
        from convcalc.ops.fields import describe

        raise value.node.error(f"{what} needs true or false, not {describe(result)}")
    return result


def integer(value: Value, names: Mapping[str, Any], what: str, maximum: int) -> int:
    """The value as an integer from 0 to maximum, or SpecError."""
    try:
        return whole(value.evaluate(names), 0, maximum)
    except FieldError as error:
        raise value.node.error(f"{what} {error}") from None


def text(value: Value, names: Mapping[str, Any], what: str) -> str:
    """The value as a word: a text as written, or a number's digits."""
    node = value.node
    if value.constant and isinstance(node, reader.Scalar):
        if not node.text and node.plain:
            raise node.error(f"{what} is missing")
        result = value.evaluate(names)
        return result if isinstance(result, str) else node.text
    result = value.evaluate(names)
    if isinstance(result, (list, dict)) or result is None:
        from convcalc.ops.fields import describe

        raise node.error(f"{what} needs a word, not {describe(result)}")
    from convcalc.spec.expressions import as_text

    return as_text(result)
