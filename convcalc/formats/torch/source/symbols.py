"""Expressions over a class's arguments: from a spec's words to Python's, with names replaced and numbers computed."""

from __future__ import annotations

import ast
import keyword
import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from convcalc.formats.spec.records import Expression
from convcalc.formats.torch.source.site import source_of, tuple_of

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


@dataclass(slots=True)
class _Sum:
    """A sum of multiples of terms, by the text of each, and of a constant."""

    terms: dict[str, tuple[ast.expr, int]]
    constant: int = 0

    @classmethod
    def of(cls, node: ast.expr, factor: int = 1) -> _Sum:
        """The sum that an expression is, times a factor."""
        found = cls({})
        found.add(node, factor)
        return found

    def add(self, node: ast.expr, factor: int) -> None:
        """Add a multiple of an expression."""
        number = _number(node)
        if number is not None:
            self.constant += factor * number
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            self.add(node.left, factor)
            self.add(node.right, -factor if isinstance(node.op, ast.Sub) else factor)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            left, right = _number(node.left), _number(node.right)
            if left is not None:
                self.add(node.right, factor * left)
            elif right is not None:
                self.add(node.left, factor * right)
            else:
                self._add_term(node, factor)
        else:
            self._add_term(node, factor)

    def _add_term(self, node: ast.expr, factor: int) -> None:
        key = ast.dump(node)
        total = self.terms[key][1] + factor if key in self.terms else factor
        if total:
            self.terms[key] = (node, total)
        else:
            self.terms.pop(key, None)

    def divided(self, divisor: int) -> _Sum:
        """The sum divided by a number, which divides all factors unless there are no terms."""
        terms = {key: (node, factor // divisor) for key, (node, factor) in self.terms.items()}
        return _Sum(terms, self.constant // divisor)

    def tree(self) -> ast.expr:
        """The expression: what is added first, then what is subtracted."""
        parts = [(node, factor) for node, factor in self.terms.values()]
        if self.constant or not parts:
            parts.append((ast.Constant(abs(self.constant)), 1 if self.constant >= 0 else -1))
        parts.sort(key=lambda part: part[1] < 0)
        result: ast.expr | None = None
        for node, factor in parts:
            size = abs(factor)
            term = node if size == 1 else ast.BinOp(ast.Constant(size), ast.Mult(), node)
            if result is None:
                result = term if factor > 0 else ast.UnaryOp(ast.USub(), term)
            else:
                result = ast.BinOp(result, ast.Add() if factor > 0 else ast.Sub(), term)
        assert result is not None
        return result


class _Fold(ast.NodeTransformer):
    """Computes what is known: `4 * 64`, `channels + 32 + 32`, `width - width // 2 + width // 2`, conditions."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Sub, ast.Mult)):
            return _Sum.of(node).tree()
        divisor = _number(node.right)
        if isinstance(node.op, ast.FloorDiv) and divisor:
            total = _Sum.of(node.left)
            factors = [total.constant, *(factor for _, factor in total.terms.values())]
            if not any(factor % divisor for factor in factors) or not total.terms:
                return total.divided(divisor).tree()
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        place = _number(node.slice)
        if isinstance(node.value, ast.Tuple) and place is not None and place < len(node.value.elts):
            return node.value.elts[place]
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
    found = replaced(f"({total}) - ({part})", {})
    return None if names_in(found) & names_in(part) else found


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
