"""Footprints: the bytes that a kernel reads and writes, declared beside the kernel.

Kernels use raw addresses, and nothing checks these while they run. A footprint computes them in advance from the same
record. It is a function that reports every access to a `KernelCall`, in the order in which the kernel makes them:

    @copy_row.footprint
    def _(call: KernelCall) -> None:
        pixels = steps("pixel", call.width, 64)
        call.reads("source", call.source, 64, pixels)
        call.writes("target", call.target, 64, pixels)

Each access is a lattice: `size` bytes at a base address plus one offset of every axis. Tables are read by
`call.table` or `call.table_rows`, which report the access and return the entries. `runtime/checked.py` compares
footprints with the buffers of a plan; tests compare them with what compiled kernels touch, and expect them equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np

from convcalc.backends.numba.jit.sizes import BLOCK

Array = np.ndarray[Any, Any]


class AccessAxis(NamedTuple):
    """The offsets in bytes along one axis of an access. name: of the table or stride that they come from."""

    name: str
    offsets: Array  # int64
    first: int = 0  # the index of the first one there


class Access(NamedTuple):
    """`size` bytes at `base` plus one offset of every axis, for all combinations of them.

    parameter: the kernel's parameter that leads there; used: False if what is read affects no result, or if what is
    written has no meaning.
    """

    parameter: str
    base: int
    size: int
    axes: tuple[AccessAxis, ...]
    writes: bool
    used: bool

    @property
    def empty(self) -> bool:
        """Whether nothing is touched."""
        return self.size <= 0 or any(not len(axis.offsets) for axis in self.axes)

    @property
    def bounds(self) -> tuple[int, int]:
        """The first address and the one behind the last."""
        low = self.base + sum(int(axis.offsets.min()) for axis in self.axes)
        high = self.base + sum(int(axis.offsets.max()) for axis in self.axes)
        return low, high + self.size


def steps(name: str, count: int, stride: int, first: int = 0) -> AccessAxis:
    """An axis of `count` equal strides, from the first-th on."""
    return AccessAxis(name, np.arange(first, first + max(0, count), dtype=np.int64) * stride, first)


def entries(name: str, offsets: Array, first: int = 0) -> AccessAxis:
    """An axis of a table's entries, the first of which has the index `first`."""
    return AccessAxis(name, offsets, first)


def lines(rows: Array, height: int, plane: int, row: int) -> AccessAxis:
    """An axis of rows counted through all planes: row r is row r % height of plane r // height."""
    return AccessAxis("row", rows // height * plane + rows % height * row, int(rows[0]) if len(rows) else 0)


def map_axes(
    call: KernelCall,
    prefix: str,
    rows: Array,
    blocks: int,
    size: tuple[int, int] | None = None,
    pixel: int | None = None,
) -> tuple[AccessAxis, ...]:
    """The axes of some rows of some blocks of a map: pixels, rows, blocks.

    size: pixels of a row and rows of a plane, unless the kernel's width and height; pixel: bytes from one pixel to the
    next, unless those of a block.
    """
    width, height = size or (call.width, call.height)
    strides = call.values
    return (
        steps(f"{prefix}_pixel", width, call.pixel_bytes if pixel is None else pixel),
        lines(rows, height, strides[f"{prefix}_plane"], strides[f"{prefix}_row"]),
        steps(f"{prefix}_block", blocks, strides[f"{prefix}_block"]),
    )


class Memory(Protocol):
    """What a footprint is compared with."""

    def access(self, call: KernelCall, access: Access) -> None:
        """Records an access, or refuses it."""

    def entries(self, call: KernelCall, access: Access, kind: type[np.generic]) -> Array:
        """The entries of a table, after its access was found sound."""

    def kernel(self, call: KernelCall, parameter: str, address: int) -> Declared:
        """The kernel at an address; refuses other addresses."""

    def refuse(self, call: KernelCall, text: str) -> None:
        """Refuses parameters with which the kernel cannot run."""


class Declared(Protocol):
    """A kernel with a footprint."""

    name: str
    arguments: tuple[str, ...]
    names: tuple[str, ...]
    element: int
    touches: Footprint | None


class KernelCall:
    """One call of a kernel, with the parameters of its record as attributes, and the arguments of an inner kernel too.

    items: the number of items that the driver hands out. origin: for the parameters of an inner kernel, the names that
    the outer kernel has for what they point to; those not in it point to tables of the inner kernel's own.
    """

    def __init__(
        self,
        kernel: Declared,
        values: Mapping[str, int],
        memory: Memory,
        items: int = 0,
        origin: Mapping[str, str] | None = None,
        along: Mapping[str, tuple[AccessAxis, ...]] | None = None,
        path: str = "",
    ) -> None:
        self.kernel = kernel
        self.values = values
        self.items = items
        self.origin = origin
        self.path = f"{path} → {kernel.name}" if path else kernel.name
        self._along = along or {}
        self._memory = memory

    def __getattr__(self, name: str) -> int:
        return self.values[name]

    @property
    def element_bytes(self) -> int:
        """Of an element of a map."""
        return self.kernel.element

    @property
    def pixel_bytes(self) -> int:
        """Of a pixel of a block of channels."""
        return BLOCK * self.kernel.element

    def reads(self, parameter: str, base: int, size: int, *axes: AccessAxis, used: bool = True) -> None:
        """Reports a read."""
        axes += self._along.get(parameter, ())
        self._memory.access(self, Access(parameter, base, size, axes, False, used))

    def writes(self, parameter: str, base: int, size: int, *axes: AccessAxis, used: bool = True) -> None:
        """Reports a write."""
        axes += self._along.get(parameter, ())
        self._memory.access(self, Access(parameter, base, size, axes, True, used))

    def table(self, parameter: str, base: int, count: int, kind: type[np.generic] = np.int32) -> Array:
        """Reports a read of `count` numbers and returns them as int64."""
        if count <= 0:
            return np.empty(0, np.int64)
        access = Access(parameter, base, np.dtype(kind).itemsize * count, (), False, True)
        return self._memory.entries(self, access, kind)

    def table_rows(self, parameter: str, base: int, row: type[tuple[int, ...]], count: int) -> Array:
        """Reports a read of `count` rows of a table and returns them, an int64 for each field of a row."""
        fields = len(row._fields)  # type: ignore[attr-defined]
        return self.table(parameter, base, fields * count, np.int64).reshape(-1, fields)

    def needs(self, condition: bool, text: str) -> None:
        """Refuses the call unless the condition holds."""
        if not condition:
            self._memory.refuse(self, text)

    def positive(self, *names: str) -> None:
        """Refuses the call unless these parameters, which divide, are at least 1."""
        for name in names:
            self.needs(self.values[name] > 0, f"{name} is {self.values[name]}, and must be at least 1")

    def calls(
        self,
        parameter: str,
        function: int,
        record: int,
        along: Mapping[str, tuple[AccessAxis, ...]] | None = None,
        **arguments: tuple[int, str],
    ) -> None:
        """Reports a call of an inner kernel, whose address a parameter holds, and everything that it touches.

        arguments: all that the inner kernel takes, each with the name of this kernel's parameter that it comes from,
        or "" for a number. along: further axes of some of them, for many calls that differ in nothing else.
        """
        kernel = self._memory.kernel(self, parameter, function)
        self.needs(
            set(arguments) == set(kernel.arguments), f"{kernel.name} takes {', '.join(kernel.arguments)}"
        )
        words = self.table(f"{parameter}_record", record, len(kernel.names), np.int64)
        values = dict(zip(kernel.names, words.tolist(), strict=True))
        values |= {name: value for name, (value, _) in arguments.items()}
        origin = {name: source for name, (_, source) in arguments.items() if source}
        if self.origin is not None:
            origin = {name: self.origin[source] for name, source in origin.items() if source in self.origin}
        inner = KernelCall(kernel, values, self._memory, origin=origin, along=along, path=self.path)
        if kernel.touches is None:
            self._memory.refuse(inner, "it declares no footprint")
        else:
            kernel.touches(inner)


Footprint = Callable[[KernelCall], None]


def shares(call: KernelCall, item_rows: int, rows: int) -> Iterator[tuple[int, Array]]:
    """(blocks, rows) whose products the items cover, where item i is part i // blocks of the rows of block i % blocks.

    A plan has items for all rows of all blocks; with another number of items the last part has fewer blocks.
    """
    call.positive("blocks")
    whole, rest = divmod(call.items, call.blocks)
    for blocks, first, stop in ((call.blocks, 0, whole), (rest, whole, whole + 1)):
        part = np.arange(first * item_rows, min(rows, stop * item_rows), dtype=np.int64)
        if blocks and len(part):
            yield blocks, part
