"""Expressions over a class's arguments: from a spec's words to Python's, with names replaced and numbers computed."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from convcalc.formats.spec.records import Expression
from convcalc.formats.torch.site import source_of, tuple_of

WORDS = {"true": True, "false": False, "null": None}
# Names that an argument or variable of generated source must not have.
TAKEN = {"self", "torch", "nn", "functional", "range", "zip", "super", "map", "list", "x", "i"}
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Words(ast.NodeTransformer):
    """Replaces a spec's words and names; comparisons with None become `is`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in WORDS:
            return ast.Constant(WORDS[node.id])
        return _parsed(self.names[node.id]) if node.id in self.names else node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        last = node.comparators[-1]
        if len(node.ops) == 1 and isinstance(last, ast.Constant) and last.value is None:
            if isinstance(node.ops[0], ast.Eq):
                node.ops = [ast.Is()]
            elif isinstance(node.ops[0], ast.NotEq):
                node.ops = [ast.IsNot()]
        return node


class _Fold(ast.NodeTransformer):
    """Computes what is known: `4 * 64`, `channels + 32 + 32`, `1 * width`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        left, right = _number(node.left), _number(node.right)
        if left is not None and right is not None:
            value = _computed(node.op, left, right)
            if value is not None:
                return ast.Constant(value)
        if right == 1 and isinstance(node.op, (ast.Mult, ast.FloorDiv)):
            return node.left
        if left == 1 and isinstance(node.op, ast.Mult):
            return node.right
        if right == 0 and isinstance(node.op, (ast.Add, ast.Sub)):
            return node.left
        if left == 0 and isinstance(node.op, ast.Add):
            return node.right
        if isinstance(node.op, ast.Add) and ast.dump(node.left) == ast.dump(node.right):
            return ast.BinOp(ast.Constant(2), ast.Mult(), node.left)
        inner = node.left
        if (
            right is not None
            and isinstance(node.op, ast.Add)
            and isinstance(inner, ast.BinOp)
            and isinstance(inner.op, ast.Add)
        ):
            other = _number(inner.right)
            if other is not None:
                return ast.BinOp(inner.left, ast.Add(), ast.Constant(other + right))
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.test, ast.Constant):
            return node.body if node.test.value else node.orelse
        return node.body if ast.dump(node.body) == ast.dump(node.orelse) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        stop = isinstance(node.op, ast.Or)
        left: list[ast.expr] = []
        for value in node.values:
            if not isinstance(value, ast.Constant):
                left.append(value)
            elif bool(value.value) is stop:
                return value
        if not left:
            return ast.Constant(not stop)
        return left[0] if len(left) == 1 else ast.BoolOp(node.op, left)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        other = node.comparators[0]
        if (
            len(node.ops) > 1
            or not isinstance(node.left, ast.Constant)
            or not isinstance(other, ast.Constant)
        ):
            return node
        equal = node.left.value == other.value
        match node.ops[0]:
            case ast.Eq() | ast.Is():
                return ast.Constant(equal)
            case ast.NotEq() | ast.IsNot():
                return ast.Constant(not equal)
        return node


def _number(node: ast.expr) -> int | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _computed(op: ast.operator, left: int, right: int) -> int | None:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub() if left >= right:
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv() if right:
            return left // right
    return None


def _parsed(text: str) -> ast.expr:
    return ast.parse(text.strip(), mode="eval").body


@cache
def _unparsed(text: str, names: tuple[tuple[str, str], ...], folds: bool) -> str:
    tree = _Words(dict(names)).visit(_parsed(text))
    if folds:
        tree = _Fold().visit(tree)
    return spaced(ast.unparse(ast.fix_missing_locations(tree)))


def spaced(text: str) -> str:
    """The text with double quotes, as a formatter writes it."""
    return re.sub(r"'([^'\"\\]*)'", r'"\1"', text)


def replaced(text: str, names: Mapping[str, str], folds: bool = True) -> str:
    """A source with names replaced by sources and known numbers computed."""
    used = {name: names[name] for name in IDENTIFIER.findall(text) if name in names}
    return _unparsed(text, tuple(sorted(used.items())), folds)


def source(value: Any, names: Mapping[str, str]) -> str:
    """The source of a field's or argument's value, with names of parameters replaced by sources."""
    if isinstance(value, Expression):
        return replaced(value.text, names)
    if isinstance(value, tuple):
        return tuple_of([source(item, names) for item in value])
    return source_of(value)


def has_names(value: Any) -> bool:
    """Whether a value depends on parameters."""
    if isinstance(value, tuple):
        return any(map(has_names, value))
    return isinstance(value, Expression)


def names_in(text: str) -> set[str]:
    """The names that a source reads."""
    return {node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name)} if text else set()


def sum_of(texts: list[str]) -> str:
    """The sum of sources."""
    return replaced(" + ".join(f"({text})" for text in texts), {})


def difference(total: str | None, part: str | None) -> str | None:
    """What is added to a source in another: `32` of `channels + 32` and `channels`; None if it is no such sum."""
    if total is None or part is None:
        return None
    if total.isdecimal() and part.isdecimal():
        return str(int(total) - int(part))
    tree, left = _parsed(total), _parsed(part)
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add) and ast.dump(tree.left) == ast.dump(left):
        return ast.unparse(tree.right)
    return None


def product_of(texts: list[str]) -> str:
    """The product of sources, left as a product: `512 * 7 * 7`."""
    factors = [text for text in texts if text != "1"]
    if len(factors) < 2:
        return factors[0] if factors else "1"
    return _unparsed(" * ".join(f"({text})" for text in factors), (), False)


def is_identifier(text: str) -> bool:
    """Whether Python takes the text for a name, unchanged."""
    return text.isascii() and text.isidentifier() and not keyword.iskeyword(text)


def identifier(text: str, taken: Collection[str] = ()) -> str:
    """A name of letters, digits and `_` made from any text, none of `taken`."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_").lower() or "layer"
    if name[0].isdigit():
        name = f"layer{name}"
    if not is_identifier(name):
        name += "_"
    return unique(name, taken)


def unique(name: str, taken: Collection[str]) -> str:
    """The name, with a number if it is taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}{number}" if not name[-1].isdigit() else f"{name}_{number}"
    return found


def class_name(text: str) -> str:
    """The name of a class made from any text: `inverted_residual` gives InvertedResidual; ResNet stays."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    words = re.findall(r"[A-Za-z0-9]+", plain)
    name = "".join(word[0].upper() + word[1:] for word in words) or "Network"
    return f"Net{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
