"""Parsing of expressions into syntax trees restricted to the expression language.

Python's own parser builds the tree; any syntax that is not allowed here is refused, with a hint if it is how other
languages write something that exists here.
"""

from __future__ import annotations

import ast
import re

from convcalc.errors import did_you_mean
from convcalc.language.functions import ARGUMENTS, FUNCTIONS, MAX_NUMBER
from convcalc.ops import describe

MAX_TEXT = 2_000
MAX_DEPTH = 50
WORDS: dict[str, object] = {"true": True, "false": False, "null": None}

QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# a number followed directly by letters: 0x10, 1_000, 2a and 1if, but not 1e5
_GLUED = re.compile(r"(?<![A-Za-z0-9_.])[0-9][0-9.]*(?![eE][+-]?[0-9]+(?!\w))[A-Za-z_]\w*")

# Patterns of other languages' syntax (strings, as re compiles and caches them on use), with our way to write it.
_SLIPS = (
    (r"&&|(?<!&)&(?!&)", "'and' is written as the word"),
    (r"\|", "'or' is written as the word"),
    (r"!(?!=)", "'not' is written as the word"),
    (r"\?", "a choice is written: x if condition else y"),
    (r"(?<![=!<>])=(?!=)", "equality is written =="),
    (r"\bis\b", "equality is written =="),
    (r"\^", "powers are written **"),
    (r"\$", "within $( ) a variable is its bare name, without $"),
    (r"\blambda\b|\bfor\b", "there are no loops in an expression; foreach repeats layers"),
    (r"[A-Za-z_)\]]\s*\.", "there are no attributes or methods"),
)
_LANGUAGE = (
    "an expression has numbers, 'text', lists, + - * / // % **, comparisons, and or not, x if c else y, indexing, "
    + " ".join(FUNCTIONS)
)


class ExpressionError(Exception):
    """An error in an expression, with its offset and length in the text."""

    def __init__(self, message: str, offset: int = 0, length: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.message, self.offset, self.length, self.hint = message, offset, length, hint


def parse(text: str, offset: int = 0) -> ast.expr:
    """Parse and check an expression. offset: its position in the template. Raises ExpressionError."""
    if len(text) > MAX_TEXT:
        raise ExpressionError(f"the expression is longer than {MAX_TEXT:,} characters", offset)
    if not text.strip():
        raise ExpressionError("the expression is empty", offset - 2, 3, "write $name or $(width * 2)")
    if "\\" in text or not text.isprintable():
        raise ExpressionError("an expression is one line without backslashes", offset)
    bare = QUOTED.sub(lambda quoted: " " * len(quoted.group()), text)
    glued = _GLUED.search(bare)
    if glued:
        raise ExpressionError(
            f"'{glued.group()}' is neither a number nor a name",
            offset + glued.start(),
            len(glued.group()),
            "numbers are decimal, without _ or units; a product needs its *",
        )
    stripped = text.lstrip()
    offset += len(text) - len(stripped)  # Python refuses leading spaces as indentation
    try:
        tree = ast.parse(stripped, mode="eval").body
    except SyntaxError as error:
        slip = _slip(bare)
        column = min(max(0, (error.offset or 1) - 1), len(stripped) - 1)
        raise ExpressionError(
            f"cannot read {describe(text.strip())} as an expression", offset + column, hint=slip
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise ExpressionError("the expression is nested too deep", offset) from None
    try:
        _check(tree, 0)
    except ExpressionError as error:
        if error.hint is _LANGUAGE:  # a specific hint is better than the general one
            error.hint = _slip(bare) or _LANGUAGE
        error.offset += offset
        raise
    return tree


def _slip(bare: str) -> str | None:
    for pattern, hint in _SLIPS:
        if re.search(pattern, bare):
            return hint
    return None


_BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
_COMPARE = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn)


def _check(node: ast.expr, depth: int) -> None:
    """Raise ExpressionError for syntax outside the language, or nesting deeper than MAX_DEPTH."""
    if depth > MAX_DEPTH:
        raise ExpressionError(
            "the expression is nested too deep", node.col_offset, 1, "name its parts in vars"
        )
    for child in _operands(node):
        _check(child, depth + 1)


def _operands(node: ast.expr) -> list[ast.expr]:
    """The child expressions of a node. Raises ExpressionError if the node is not part of the language."""
    match node:
        case ast.Constant(value=value):
            _check_constant(node, value)
            return []
        case ast.Name(id=name):
            if name in FUNCTIONS:
                raise at(node, f"{name} is a function", f"write {name}(...)")
            return []
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _BINARY):
            return [left, right]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() | ast.Not(), operand=operand):
            return [operand]
        case ast.BoolOp(values=values):
            return values
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            isinstance(op, _COMPARE) for op in ops
        ):
            return [left, *others]
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return [test, body, orelse]
        case ast.List(elts=elements):
            return elements
        case ast.Subscript(value=value, slice=ast.Slice(lower=lower, upper=upper, step=step)):
            return [value, *(bound for bound in (lower, upper, step) if bound is not None)]
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Tuple):
            return [value, index]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            _check_call(node, name, len(arguments))
            return arguments
        case _:
            raise at(node, "this is not part of the expression language", _LANGUAGE)


def _check_constant(node: ast.expr, value: object) -> None:
    if value is None or isinstance(value, bool):
        written = {None: "null", True: "true", False: "false"}[value]
        raise at(node, f"{value} is written {written}")
    if isinstance(value, (int, float)) and value > MAX_NUMBER:
        raise at(node, "the number is too large")
    if not isinstance(value, (int, float, str)):
        raise at(node, "this is not part of the expression language", _LANGUAGE)


def _check_call(node: ast.expr, name: str, given: int) -> None:
    if name not in FUNCTIONS:
        raise at(
            node, f"no function '{name}'{did_you_mean(name, FUNCTIONS)}", "functions: " + ", ".join(FUNCTIONS)
        )
    fewest, most = ARGUMENTS.get(name, (1, None))
    if given < fewest or (most is not None and given > most):
        needs = (
            f"at least {fewest}" if most is None else f"{fewest} or {most}" if most > fewest else str(fewest)
        )
        raise at(node, f"{name} takes {needs} argument{'s' * (not needs.endswith('1'))}, not {given}")


def at(node: ast.expr, message: str, hint: str | None = None) -> ExpressionError:
    """An error located at a part of the expression."""
    # ast counts columns in UTF-8 bytes, not characters: they differ only after a non-ASCII text
    start = getattr(node, "col_offset", 0)
    return ExpressionError(message, start, max(1, (getattr(node, "end_col_offset", 0) or 0) - start), hint)
