"""What the writers of classes hand on: values, modules, and modules in a chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from convcalc.formats.spec.records import Expression
from convcalc.formats.torch.source.site import Call
from convcalc.formats.torch.source.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer gives. place: its number in the flow; sizes: the sources of its dimensions."""

    place: int
    sizes: Sizes
    batched: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """A module that computes an entry from one value. call: its constructor; inputs: paths of further values that it
    reads; sizes: of its output; reads_main: whether it reads that value, or only the further ones;
    others: the sizes of further values that it gives; batched: whether its value
    has a batch axis."""

    call: Call
    sizes: Sizes
    inputs: tuple[str | Expression, ...] = ()
    weighted: bool = True
    reads_main: bool = True
    others: tuple[Sizes, ...] = ()
    batched: bool = True

    @property
    def in_chain(self) -> bool:
        """Whether it reads nothing else."""
        return not self.inputs and self.reads_main


@dataclass(frozen=True, slots=True)
class Link:
    """A module of a chain. segment: its path segment; condition: where it is false, the module is not there; after:
    statements of the constructor that follow it; sizes: of its output."""

    segment: str
    call: Call
    condition: str = ""
    after: tuple[str, ...] = ()
    sizes: Sizes = ()


class NotAChain(Exception):
    """Entries that are not modules called one after another."""


class Resolver(Protocol):
    """A class in the making, in which paths name values."""

    def resolve(self, path: str | Expression) -> Value:
        """The value that a path or reference names. Raises InexpressibleError if it is not at hand."""
