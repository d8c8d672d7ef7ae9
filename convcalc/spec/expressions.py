"""`$name` and `$(expression)`: text → a checked syntax tree, and its value with bounded cost.

Python's own parser reads the expression, but nothing is ever executed: a walker accepts a short list of syntax
and computes. Sizes are bounded everywhere (text, lists, numbers), there are no loops, so the cost is linear in
the text.

    >>> compile_text("layer$(s + 1)").evaluate({"s": 2})
    'layer3'
    >>> compile_text("$(2 * width)").evaluate({"width": 32})
    64
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

MAX_TEXT = 2_000
MAX_ITEMS = 1_000_000
MAX_NUMBER = 2**63
MAX_DEPTH = 50

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_GLUED = re.compile(r"(?<![A-Za-z0-9_.])[0-9][0-9.]*(?:[eE][+-]?[0-9]+)?[A-Za-z_]\w*")  # 0x10, 1_000, 1if
_REFERENCE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|(\())?")
WORDS: dict[str, object] = {"true": True, "false": False, "null": None}


class ExpressionError(Exception):
    """What is wrong with an expression, and the offset in the text where it stands."""

    def __init__(self, message: str, offset: int = 0, length: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.offset, self.length, self.hint = message, offset, length, hint


class Template:
    """A text with references. `names` are the variables it reads; evaluate gives its value.

    A lone reference keeps its type; within text it becomes text.
    """

    __slots__ = ("names", "parts", "text")

    def __init__(self, text: str, parts: list[str | tuple[int, str, ast.expr]]) -> None:
        self.text = text
        self.parts = parts
        self.names = (
            frozenset(
                node.id
                for part in parts
                if not isinstance(part, str)
                for node in ast.walk(part[2])
                if isinstance(node, ast.Name)
            )
            - frozenset(FUNCTIONS)
            - frozenset(WORDS)
        )

    def evaluate(self, names: Mapping[str, Any]) -> Any:
        """The value, given the variables'. Raises ExpressionError."""
        if len(self.parts) == 1 and not isinstance(self.parts[0], str):
            return self._part(self.parts[0], names)
        texts = []
        for part in self.parts:
            if isinstance(part, str):
                texts.append(part)
            else:
                value = self._part(part, names)
                if isinstance(value, list):
                    raise ExpressionError("a list cannot become part of a text", part[0])
                texts.append(as_text(value))
        return "".join(texts)

    def _part(self, part: tuple[int, str, ast.expr], names: Mapping[str, Any]) -> Any:
        offset, _, tree = part
        try:
            return _value(tree, names)
        except ExpressionError as error:
            error.offset += offset
            raise


def as_text(value: Any) -> str:
    """A value within a text: 3, 0.5, true, null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_NUMBER:
        return str(int(value))
    return str(value)


def compile_text(text: str) -> Template | str:
    """The template of a text that holds `$`, else the text itself. Raises ExpressionError."""
    if "$" not in text:
        return text
    parts = list(_parts(text))
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    return Template(text, parts)


def _parts(text: str) -> Iterator[str | tuple[int, str, ast.expr]]:
    position = 0
    while position < len(text):
        match = _REFERENCE.search(text, position)
        if not match:
            yield text[position:]
            return
        if match.start() > position:
            yield text[position : match.start()]
        position = match.end()
        name, parenthesis = match.groups()
        if name:
            if name in WORDS or name in FUNCTIONS:
                raise ExpressionError(f"'{name}' is not a variable", match.start(), len(match.group()))
            yield match.start() + 1, name, ast.Name(name, ast.Load())
        elif parenthesis:
            stop = _closing(text, match.start() + 1)
            inner = text[match.end() : stop]
            yield match.end(), inner, parse(inner, match.end())
            position = stop + 1
        elif match.group() == "$$":
            yield "$"
        else:
            raise ExpressionError(
                "a lone $", match.start(), 1, "write $name or $(expression), or $$ for the sign itself"
            )


def _closing(text: str, start: int) -> int:
    depth, quote = 0, ""
    for position in range(start, len(text)):
        character = text[position]
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return position
    raise ExpressionError(
        "the expression is cut short: a ( is not closed",
        start - 1,
        len(text) - start + 1,
        'quote an expression that holds a comma, brackets or " #": "$(...)"',
    )


def parse(text: str, offset: int = 0) -> ast.expr:
    """The checked tree of an expression. Raises ExpressionError, offset counted from the template's start."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT:,} characters", offset)
    if not text.strip():
        raise ExpressionError("the expression is empty", offset)
    if "\\" in text or "\0" in text or "\n" in text:
        raise ExpressionError("an expression is one line without backslashes", offset)
    glued = _GLUED.search(_QUOTED.sub(lambda quoted: " " * len(quoted.group()), text))
    if glued:
        raise ExpressionError("numbers are plain decimals", offset + glued.start(), len(glued.group()))
    stripped = text.lstrip()
    offset += len(text) - len(stripped)
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        column = min(max(0, (error.offset or 1) - 1), len(stripped) - 1)
        raise ExpressionError(
            f"cannot read {_listed([text.strip()])} as an expression", offset + column
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError("the expression is nested too deep", offset) from None
    try:
        _check(tree, 0)
    except ExpressionError as error:
        error.offset += offset
        raise
    return tree


_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARE = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)


def _check(node: ast.expr, depth: int) -> None:
    """Refuse any syntax that is not part of the language."""
    if depth > MAX_DEPTH:
        raise ExpressionError("the expression is nested too deep", node.col_offset)
    children: list[ast.expr]
    match node:
        case ast.Constant(value=value):
            if isinstance(value, bool) or value is None:
                raise _at(node, f"write {as_text(value)}, not {value}")
            if not isinstance(value, (int, float, str)) or (isinstance(value, int) and value > MAX_NUMBER):
                raise _at(node, "not a number or text of the language")
            return
        case ast.Name():
            return
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _BINARY):
            children = [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            children = [operand]
        case ast.BoolOp(values=values):
            children = values
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, _COMPARE) for op in ops
        ):
            children = [left, *others]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            children = [test, body, orelse]
        case ast.List(elts=elements):
            children = elements
        case ast.Subscript(value=value, slice=index) if not isinstance(index, (ast.Slice, ast.Tuple)):
            children = [value, index]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            if name not in FUNCTIONS:
                from convcalc.errors import did_you_mean

                raise _at(
                    node,
                    f"no function '{name}'{did_you_mean(name, FUNCTIONS)}",
                    "functions: " + ", ".join(FUNCTIONS),
                )
            children = arguments
        case _:
            raise _at(
                node,
                "this is not part of the expression language",
                "numbers, 'text', lists, + - * / // % **, comparisons, and or not, x if c else y, "
                "indexing and " + ", ".join(FUNCTIONS),
            )
    for child in children:
        _check(child, depth + 1)


def _at(node: ast.expr, message: str, hint: str | None = None) -> ExpressionError:
    # ast counts columns in UTF-8 bytes; expressions are ASCII but for texts, so this is near enough there
    return ExpressionError(
        message, node.col_offset, max(1, (node.end_col_offset or 0) - node.col_offset), hint
    )


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name in WORDS:
                return WORDS[name]
            try:
                return names[name]
            except KeyError:
                raise _at(node, f"no variable '{name}'") from None
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(node, _binary(node, op, _value(left, names), _value(right, names)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _boolean(operand, _value(operand, names))
        case ast.UnaryOp(op=op, operand=operand):
            value = _number(operand, _value(operand, names))
            return -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            stop = isinstance(op, ast.Or)
            for value in values:
                if _boolean(value, _value(value, names)) is stop:
                    return stop
            return not stop
        case ast.Compare(left=left, ops=ops, comparators=others):
            first = _value(left, names)
            for operation, other in zip(ops, others, strict=True):
                second = _value(other, names)
                if not _compare(node, operation, first, second):
                    return False
                first = second
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _boolean(test, _value(test, names)) else orelse, names)
        case ast.List(elts=elements):
            return [_value(element, names) for element in elements]
        case ast.Subscript(value=value, slice=index):
            return _index(node, _value(value, names), _value(index, names))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            values = [_value(argument, names) for argument in arguments]
            try:
                return _bounded(node, FUNCTIONS[name](*values))
            except (TypeError, ValueError, OverflowError):
                raise _at(node, f"{name} does not take {_listed(values)}") from None
    raise AssertionError(f"unchecked syntax {ast.dump(node)}")


def _binary(node: ast.expr, op: ast.operator, left: Any, right: Any) -> Any:
    for kind in (list, str):
        if isinstance(op, ast.Add) and isinstance(left, kind) and isinstance(right, kind):
            if len(left) + len(right) > MAX_ITEMS:
                raise _at(node, f"longer than {MAX_ITEMS:,}")
            return left + right
    a, b = _number(node, left), _number(node, right)
    try:
        match op:
            case ast.Add():
                return a + b
            case ast.Sub():
                return a - b
            case ast.Mult():
                return a * b
            case ast.Div():
                return a / b
            case ast.FloorDiv():
                return a // b
            case ast.Mod():
                return a % b
            case _:
                if abs(b) * max(1.0, math.log2(abs(a) or 1)) > 1024:
                    raise _at(node, "the power is too large")
                return a**b
    except ZeroDivisionError:
        raise _at(node, "division by zero") from None
    except OverflowError:
        raise _at(node, "the number is too large") from None


def _compare(node: ast.expr, op: ast.cmpop, left: Any, right: Any) -> bool:
    if isinstance(op, (ast.Eq, ast.NotEq)):
        return (left == right) is isinstance(op, ast.Eq)
    if isinstance(op, (ast.In, ast.NotIn)):
        if not isinstance(right, list):
            raise _at(node, "'in' needs a list on its right")
        return (left in right) is isinstance(op, ast.In)
    a, b = (_number(node, left), _number(node, right))
    match op:
        case ast.Lt():
            return bool(a < b)
        case ast.LtE():
            return bool(a <= b)
        case ast.Gt():
            return bool(a > b)
        case _:
            return bool(a >= b)


def _index(node: ast.expr, items: Any, index: Any) -> Any:
    if not isinstance(items, list):
        raise _at(node, "only a list can be indexed")
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int):
        raise _at(node, "an index is an integer")
    if not -len(items) <= index < len(items):
        raise _at(node, f"index {index} of a list of {len(items)}")
    return items[index]


def _number(node: ast.expr, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _at(node, f"arithmetic needs numbers, not {_listed([value])}")
    return value


def _boolean(node: ast.expr, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _at(node, f"a condition is true or false, not {_listed([value])}")
    return value


def _bounded(node: ast.expr, value: Any) -> Any:
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise _at(node, "the result is not a number")
    if isinstance(value, (int, float)) and abs(value) > MAX_NUMBER:
        raise _at(node, "the number is too large")
    return value


def _listed(values: list[Any]) -> str:
    shown = []
    for value in values[:4]:
        text = (
            f"'{value}'"
            if isinstance(value, str)
            else f"a list of {len(value)}"
            if isinstance(value, list)
            else as_text(value)
        )
        shown.append(text if len(text) <= 40 else text[:37] + "...")
    return ", ".join(shown) or "no arguments"


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    items = values[0] if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not items or any(isinstance(item, bool) or not isinstance(item, (int, float)) for item in items):
        raise TypeError
    return items


def _one(value: Any) -> Any:
    return _numbers((value,))[0] if not isinstance(value, list) else _numbers(())


def _round(value: Any, digits: Any = None) -> Any:
    if digits is not None and (isinstance(digits, bool) or not isinstance(digits, int) or abs(digits) > 20):
        raise TypeError
    return round(_one(value), digits)


def _range(*bounds: Any) -> list[int]:
    if not 1 <= len(bounds) <= 3 or any(isinstance(b, bool) or int(b) != b for b in bounds):
        raise TypeError
    numbers = range(*(int(b) for b in bounds))
    if len(numbers) > MAX_ITEMS:
        raise ValueError
    return list(numbers)


def _length(value: Any) -> int:
    if not isinstance(value, (list, str)):
        raise TypeError
    return len(value)


def divisible(value: Any, divisor: Any) -> int:
    """The nearest multiple of the divisor, at least one, never below 90 % of the value.

    The rule of the MobileNet papers' code (Sandler et al. 2018) for channel counts.
    """
    number, step = _one(value), _one(divisor)
    if step < 1 or int(step) != step:
        raise ValueError
    step = int(step)
    nearest = max(step, int(number + step / 2) // step * step)
    return nearest + step if nearest < 0.9 * number else nearest


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": lambda *values: min(_numbers(values)),
    "max": lambda *values: max(_numbers(values)),
    "round": _round,
    "floor": lambda value: math.floor(_one(value)),
    "ceil": lambda value: math.ceil(_one(value)),
    "abs": lambda value: abs(_one(value)),
    "len": _length,
    "sum": lambda *values: sum(_numbers(values)) if values != ([],) else 0,
    "range": _range,
    "divisible": divisible,
}
