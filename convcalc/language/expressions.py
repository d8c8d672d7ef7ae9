"""`$name` and `$(expression)` in a text: compiled once, evaluated with bounded cost.

The evaluator walks the checked syntax tree and never executes code. Texts, lists and numbers are bounded, there are
no loops, and all expressions of one spec share one budget, so evaluation always terminates quickly.

    >>> compile_text("layer$(s + 1)").evaluate(Names({"s": 2}))
    'layer3'
    >>> compile_text("$(2 * width)").evaluate(Names({"width": 32}))
    64
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from convcalc.language.functions import FUNCTIONS, MAX_ITEMS, MAX_LENGTH, MAX_NUMBER, is_number
from convcalc.language.syntax import MAX_TEXT, QUOTED, WORDS, ExpressionError, at, parse
from convcalc.ops import describe

BUDGET = 1_000_000  # operations; about 0.4 s
LAYER_BUDGET = 100  # added for each layer; the bundled networks need about 5

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE = re.compile(r"\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|(\())?")


class Budget:
    """The budget shared by all expressions of one spec: about one unit per operation and per item of a new list."""

    __slots__ = ("left", "whole")

    def __init__(self, whole: int | None = None) -> None:
        self.whole = self.left = BUDGET if whole is None else whole

    def spend(self, cost: int) -> None:
        """Deduct a cost. Raises ExpressionError once the budget is used up."""
        self.left -= cost
        if self.left < 0:
            raise ExpressionError(
                f"the spec's expressions take more than {self.whole:,} operations, "
                f"and {LAYER_BUDGET} for each layer",
                hint="compute long lists once, in vars",
            )


class LayerReference:
    """The value of `$skip` for a block's `refs: [skip]`: a layer outside the block. index: that of a node or an input.
    path: the layer's path, for messages."""

    __slots__ = ("index", "path")
    described = "a reference to a layer"

    def __init__(self, index: int, path: str) -> None:
        self.index = index
        self.path = path


class Names(dict[str, Any]):
    """The variables in scope by name, and the budget of their expressions."""

    __slots__ = ("budget",)

    def __init__(self, values: Mapping[str, Any], budget: Budget | None = None) -> None:
        super().__init__(values)
        self.budget = budget or Budget()

    def inner(self) -> Names:
        """A copy for a nested sequence of entries, with the same budget."""
        self.budget.left -= len(self) >> 6  # copying costs one unit per 64 names
        return Names(self, self.budget)


class Reference(NamedTuple):
    """A reference in a template: the offset of its expression in the text, and its syntax tree."""

    offset: int
    tree: ast.expr


class Template:
    """A text with references. names: the variables it reads.

    A text that is a single reference keeps the value's type; otherwise values are converted to text.
    """

    __slots__ = ("_bare", "_cost", "names", "parts")

    def __init__(self, parts: list[str | Reference]) -> None:
        self.parts = parts
        found = [node for part in parts if isinstance(part, Reference) for node in ast.walk(part.tree)]
        words = {node.id for node in found if isinstance(node, ast.Name)}
        self.names = frozenset(words - FUNCTIONS.keys() - WORDS.keys())
        self._cost = len(found)
        lone = parts[0] if len(parts) == 1 else None
        # fast path: the most common template, $name, is looked up without walking a tree
        self._bare = lone.tree.id if isinstance(lone, Reference) and isinstance(lone.tree, ast.Name) else None

    def evaluate(self, names: Names) -> Any:
        """The template's value with the given variables. Raises ExpressionError."""
        if self._bare is not None and self._bare in names:
            return names[self._bare]
        names.budget.spend(self._cost)
        first = self.parts[0]
        if len(self.parts) == 1 and isinstance(first, Reference):
            return _part(first, names)
        text = ""
        for part in self.parts:
            if isinstance(part, str):
                text += part
                continue
            value = _part(part, names)
            if isinstance(value, list):
                raise ExpressionError(
                    "a list cannot become part of a text", part.offset, hint="pick one: $(list[0])"
                )
            if isinstance(value, LayerReference):
                raise ExpressionError(
                    "a reference to a layer cannot become part of a text",
                    part.offset,
                    hint="it stands alone: from: $skip",
                )
            text += as_text(value)
            if len(text) > MAX_LENGTH:
                raise ExpressionError(f"the text grows beyond {MAX_LENGTH:,} characters")
        return text

    @property
    def bare(self) -> str | None:
        """The variable's name if the text is exactly `$name`, else None."""
        return self._bare

    def offset(self, name: str) -> int:
        """The offset of a variable's first use in the template's text; 0 if it is not used."""
        for part in self.parts:
            if isinstance(part, Reference):
                for node in ast.walk(part.tree):
                    if isinstance(node, ast.Name) and node.id == name:
                        return part.offset + getattr(node, "col_offset", 0)
        return 0


def _part(part: Reference, names: Names) -> Any:
    try:
        return _value(part.tree, names)
    except ExpressionError as error:
        error.offset += part.offset
        raise


def as_text(value: Any) -> str:
    """A value converted to text: 3, 0.5, true, null; floats with an integer value without the .0."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_NUMBER:
        return str(int(value))
    return str(int(value)) if isinstance(value, int) else str(value)


def compile_text(text: str) -> Template | str:
    """The template of a text with references, else the text itself with `$$` replaced. Raises ExpressionError."""
    if "$" not in text:
        return text
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"a text with expressions is at most {MAX_TEXT:,} characters long")
    parts = list(_parts(text))
    if all(isinstance(part, str) for part in parts):
        return "".join(str(part) for part in parts)
    return Template(parts)


def names_in(text: str) -> set[str]:
    """The names used in a text's expressions, found without parsing, so that malformed expressions count too."""
    found: set[str] = set()
    position = 0
    while match := _REFERENCE.search(text, position):
        position = match.end()
        name, parenthesis = match.groups()
        if name:
            found.add(name)
        elif parenthesis:
            try:
                stop = _closing(text, match.start() + 1)
            except ExpressionError:
                stop = len(text)
            found.update(_IDENTIFIER.findall(QUOTED.sub(" ", text[position:stop])))
            position = stop
    return found


def _parts(text: str) -> Iterator[str | Reference]:
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
                hint = f"write {name}" if name in WORDS else f"write $({name}(...))"
                raise ExpressionError(f"'{name}' is not a variable", match.start(), len(match.group()), hint)
            yield Reference(match.start() + 1, ast.Name(name, ast.Load()))
        elif parenthesis:
            stop = _closing(text, match.start() + 1)
            yield Reference(match.end(), parse(text[match.end() : stop], match.end()))
            position = stop + 1
        elif match.group() == "$$":
            yield "$"
        else:
            raise ExpressionError(
                "a lone $",
                match.start(),
                1,
                "write $name"
                if text[position : position + 1] == "{"
                else "write $name or $(expression), or $$ for the sign itself",
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
        f"the expression is cut short: {'a quote' if quote else 'a ('} is not closed",
        start - 1,
        len(text) - start + 1,
    )


def _value(node: ast.expr, names: Names) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name in WORDS:
                return WORDS[name]
            try:
                return names[name]
            except KeyError:
                raise at(node, f"no variable '{name}' here") from None
        case ast.BinOp(left=left, op=op, right=right):
            return _bounded(node, _binary(node, op, _value(left, names), _value(right, names), names.budget))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _boolean(operand, _value(operand, names))
        case ast.UnaryOp(op=op, operand=operand):
            value = _number(operand, _value(operand, names))
            return -value if isinstance(op, ast.USub) else value
        case ast.BoolOp(op=op, values=values):
            stop = isinstance(op, ast.Or)
            for operand in values:
                if _boolean(operand, _value(operand, names)) is stop:
                    return stop
            return not stop
        case ast.Compare(left=left, ops=ops, comparators=others):
            first = _value(left, names)
            for operation, other in zip(ops, others, strict=True):
                second = _value(other, names)
                if not _compare(node, operation, first, second, names.budget):
                    return False
                first = second
            return True
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _boolean(test, _value(test, names)) else orelse, names)
        case ast.List(elts=elements):
            return [_value(element, names) for element in elements]
        case ast.Subscript(value=items, slice=ast.Slice(lower=lower, upper=upper, step=step)):
            bounds = [None if bound is None else _value(bound, names) for bound in (lower, upper, step)]
            return _slice(node, _value(items, names), bounds, names.budget)
        case ast.Subscript(value=items, slice=index):
            return _index(node, _value(items, names), _value(index, names))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _call(node, name, [_value(argument, names) for argument in arguments], names.budget)
    raise AssertionError(f"unchecked syntax {ast.dump(node)}")


def _call(node: ast.expr, name: str, values: list[Any], budget: Budget) -> Any:
    budget.spend(sum(len(value) for value in values if isinstance(value, list)) >> 3)  # 1 per 8 items read
    try:
        result = FUNCTIONS[name](*values)
    except (TypeError, ValueError) as error:
        shown = ", ".join(map(describe, values[:4])) or "nothing"
        raise at(node, f"{name} {error}; it was given {shown}") from None
    if isinstance(result, list):
        budget.spend(len(result))
    return _bounded(node, result)


def _binary(node: ast.expr, op: ast.operator, left: Any, right: Any, budget: Budget) -> Any:
    if isinstance(op, ast.Add) and isinstance(left, list) and isinstance(right, list):
        budget.spend(len(left) + len(right))
        if len(left) + len(right) > MAX_ITEMS:
            raise at(node, f"a list has at most {MAX_ITEMS:,} items")
        return left + right
    if isinstance(op, ast.Add) and isinstance(left, str) and isinstance(right, str):
        if len(left) + len(right) > MAX_LENGTH:
            raise at(node, f"the text grows beyond {MAX_LENGTH:,} characters")
        return left + right
    if isinstance(op, ast.Add) and isinstance(left, str) is not isinstance(right, str):
        raise at(
            node,
            f"+ adds two numbers or joins two texts, not {describe(left)} and {describe(right)}",
            "write a text and a value side by side, without +: merged$k or merged$(k + 1)",
        )
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
                # bits of the result: bounded beforehand
                if abs(b) > 16 and abs(b) * max(1.0, math.log2(abs(a) or 1)) > 1024:
                    raise at(node, "the power is too large")
                return a**b
    except ZeroDivisionError:
        raise at(node, "division by zero") from None
    except OverflowError:
        raise at(node, "the number is too large") from None


def _compare(node: ast.expr, op: ast.cmpop, left: Any, right: Any, budget: Budget) -> bool:
    match op:
        case ast.Eq():
            return _same(node, left, right, budget)
        case ast.NotEq():
            return not _same(node, left, right, budget)
        case ast.In() | ast.NotIn():
            if not isinstance(right, list):
                raise at(node, f"'in' needs a list on its right, not {describe(right)}")
            return any(_same(node, left, item, budget) for item in right) is isinstance(op, ast.In)
    a, b = _number(node, left), _number(node, right)
    match op:
        case ast.Lt():
            return bool(a < b)
        case ast.LtE():
            return bool(a <= b)
        case ast.Gt():
            return bool(a > b)
        case _:
            return bool(a >= b)


def _same(node: ast.expr, left: Any, right: Any, budget: Budget) -> bool:
    """Equality of values and flat lists; true does not equal 1. Nested lists are refused: their cost is unbounded."""
    budget.spend(1)
    if (isinstance(left, LayerReference) and right is not None) or (
        isinstance(right, LayerReference) and left is not None
    ):
        raise at(
            node, "a reference to a layer is compared with nothing but null", "skip != null: it was given"
        )
    if not isinstance(left, list) or not isinstance(right, list):
        return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)
    if len(left) != len(right):
        return False
    if any(isinstance(item, list) for item in (*left, *right)):
        raise at(node, "lists of lists cannot be compared", "compare their items, by index")
    return all(_same(node, a, b, budget) for a, b in zip(left, right, strict=True))


def _index(node: ast.expr, items: Any, index: Any) -> Any:
    if not isinstance(items, list):
        raise at(node, f"only a list can be indexed, not {describe(items)}")
    if isinstance(index, float) and index.is_integer():
        index = int(index)
    if isinstance(index, bool) or not isinstance(index, int):
        raise at(node, f"an index is an integer, not {describe(index)}")
    if not -len(items) <= index < len(items):
        last = f"; its last item is [{len(items) - 1}]" if items else ""
        raise at(node, f"no item [{index}] in a list of {len(items)}{last}")
    return items[index]


def _slice(node: ast.expr, items: Any, bounds: list[Any], budget: Budget) -> list[Any]:
    """A slice with Python's semantics, such as `list[1:]` or `list[::2]`; bounds may lie beyond the list."""
    if not isinstance(items, list):
        raise at(node, f"only a list has slices, not {describe(items)}")
    whole = [int(bound) if isinstance(bound, float) and bound.is_integer() else bound for bound in bounds]
    for bound in whole:
        if bound is not None and (isinstance(bound, bool) or not isinstance(bound, int)):
            raise at(node, f"a slice goes from integer to integer, not {describe(bound)}")
    if whole[2] == 0:
        raise at(node, "a slice's step is not 0")
    budget.spend(len(items) >> 3)
    return items[slice(*whole)]


def _number(node: ast.expr, value: Any) -> Any:
    if not is_number(value):
        hint = "numbers are written without quotes" if isinstance(value, str) and value.isdecimal() else None
        raise at(node, f"arithmetic needs numbers, not {describe(value)}", hint)
    return value


def _boolean(node: ast.expr, value: Any) -> bool:
    if not isinstance(value, bool):
        raise at(node, f"a condition is true or false, not {describe(value)}", "compare: x != 0, x != null")
    return value


def _bounded(node: ast.expr, value: Any) -> Any:
    if isinstance(value, (list, str, bool)):
        return value
    if isinstance(value, complex) or value != value or abs(value) == math.inf:
        raise at(node, "the result is not a number")
    if abs(value) > MAX_NUMBER:
        raise at(node, "the number is too large")
    return value
