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
    by_element: whether `emit` takes, between these, the bytes of an element of the kernel's maps: 4, or 2 of bfloat16.

    Kinds of arguments and of the result: `vector`, `float`, `int`, `ints` (a tuple of them, a list for `emit`), and for
    no result `none`. `row` as an argument is a NamedTuple class of ints, for `emit` the number of its fields, and as
    the result one of these tuples, of `emit` a list.
    """

    name: str
    emit: Callable[..., Any]
    arguments: tuple[str, ...]
    result: str
    by_element: bool = False


def inline(function: F) -> F:
    """Marks a function that kernels may call."""
    return cast(F, Inline(function))


def intrinsic(
    signature: str, *, by_element: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares an intrinsic by the function that emits it; a signature reads `vector float -> vector`.

        @intrinsic("int -> float", by_element=True)
        def load_element(builder: ir.IRBuilder, element: int, address: ir.Value) -> ir.Value: ...

    by_element: whether it is another one in kernels whose elements are bfloat16; see `Intrinsic`.
    """
    arguments, result = signature.split("->")

    def declare(emit: Callable[..., Any]) -> Callable[..., Any]:
        made = Intrinsic(emit.__name__.strip("_"), emit, tuple(arguments.split()), result.strip(), by_element)
        return cast(Callable[..., Any], made)

    return declare
