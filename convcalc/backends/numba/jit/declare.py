"""How functions are declared that kernels may call: those that are inlined, and intrinsics, made of LLVM instructions.

This module only declares; `compiler` translates for Numba when a kernel has to be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])
SYMBOL = "convcalc."  # followed by a kernel's name: the symbol of its machine code


@dataclass(frozen=True, eq=False)
class Inline:
    """A function that kernels may call; LLVM inlines it where that pays."""

    function: Callable[..., Any]


@dataclass(frozen=True, eq=False)
class Intrinsic:
    """A function whose body is LLVM instructions, which `emit` adds to a builder for the values of the arguments.
    half: what takes its place in kernels whose elements are bfloat16, if anything.

    Kinds of arguments and of the result: `vector`, `float`, `int`, `ints` (a tuple of them, a list for `emit`), and for
    no result `none`. `row` as an argument is a NamedTuple class of ints, for `emit` the number of its fields, and as
    the result one of these tuples, of `emit` a list.
    """

    name: str
    emit: Callable[..., Any]
    arguments: tuple[str, ...]
    result: str
    half: Intrinsic | None = None


def inline(function: F) -> F:
    """Marks a function that kernels may call."""
    return cast(F, Inline(function))


def intrinsic(
    signature: str, half: Callable[..., Any] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares an intrinsic by the function that emits it; a signature reads `vector float -> vector`.

    half: the function that emits it in kernels whose elements are bfloat16.
    """
    before, result = signature.split("->")
    kinds = tuple(before.split()), result.strip()

    def declare(emit: Callable[..., Any]) -> Callable[..., Any]:
        name = emit.__name__.strip("_")
        made = Intrinsic(name, emit, *kinds, Intrinsic(name, half, *kinds) if half else None)
        return cast(Callable[..., Any], made)

    return declare
