"""A program: the steps of a network, in order, and the memory that they use.

Steps refer to buffers, because nothing has an address before the arena is laid out. Once the last step is known,
buffers get places such that those alive at the same time do not overlap. Then `linker` turns references into addresses
and determines how many steps must be complete before each one: up to the last one that touches the same memory, unless
both only read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges
from convcalc.backends.numba.layout import Array, Layout

ALIGN = 64
CANARY = 0x7FC0_5A5A  # a NaN, so that the output shows where it was read


@dataclass(eq=False)
class Buffer:
    """Bytes of the arena, in use from step `first` to step `last`."""

    size: int
    name: str
    kept: bool = False  # in use during the whole program
    first: int = -1
    last: int = -1
    place: int = -1  # in its arena
    base: int = 0  # the arena's address
    written: Ranges = NOTHING  # the bytes that a checked program has written

    @property
    def address(self) -> int:
        """Its address, once the arena is laid out."""
        return self.base + self.place


class Ref(NamedTuple):
    """A place in a buffer."""

    buffer: Buffer
    offset: int = 0


class ByteSpan(NamedTuple):
    """The bytes start:stop of a buffer, which a step reads or writes."""

    buffer: Buffer
    start: int
    stop: int


@dataclass(frozen=True)
class MapView:
    """A map in a buffer, or some of its channel blocks."""

    buffer: Buffer
    layout: Layout
    offset: int = 0  # bytes before its first block

    @property
    def corner(self) -> Ref:
        """The first padded pixel."""
        return Ref(self.buffer, self.offset)

    @property
    def real(self) -> Ref:
        """The first real pixel."""
        return Ref(self.buffer, self.offset + self.layout.first)

    @property
    def span(self) -> ByteSpan:
        """All its bytes."""
        return ByteSpan(self.buffer, self.offset, self.offset + self.layout.size)

    def strides(self, prefix: str) -> dict[str, Word]:
        """The parameters by which most kernels address a map."""
        return {
            prefix: self.real,
            f"{prefix}_block": self.layout.block,
            f"{prefix}_plane": self.layout.plane,
            f"{prefix}_row": self.layout.row,
        }


Word = int | float | Ref | Array | Kernel


@dataclass(eq=False)
class Step:
    """One call of a kernel: its parameters, its items, and the memory that it reads and writes."""

    kernel: Kernel
    values: dict[str, Word]
    items: int
    reads: Sequence[ByteSpan]
    writes: Sequence[ByteSpan]
    node: int = -1
    macs: int = 0  # as the network counts them
    weight_bytes: int = 0
    zeroes: bool = False  # it fills a halo, disjoint from what other steps write into the buffer


class Outside(NamedTuple):
    """Something computed outside the kernels, or read by the caller, before step `mark`."""

    mark: int
    reads: Sequence[ByteSpan]
    writes: Sequence[ByteSpan]
    node: int


@dataclass(eq=False)
class Program:
    """Steps in order, and their buffers. Each thread has scratch_bytes of `scratch`, for kernels that have parameters
    of these names.

    given: filled in before a run; wanted: read after it.
    """

    steps: list[Step] = field(default_factory=list)
    buffers: list[Buffer] = field(default_factory=list)
    scratch: Buffer = field(default_factory=lambda: Buffer(0, "scratch", kept=True))
    scratch_bytes: int = 0
    outside: list[Outside] = field(default_factory=list)
    given: list[ByteSpan] = field(default_factory=list)
    wanted: list[ByteSpan] = field(default_factory=list)
    keep: list[object] = field(default_factory=list)  # arrays that records point into

    def buffer(self, size: int, name: str, kept: bool = False) -> Buffer:
        """A new buffer."""
        made = Buffer(-(-size // ALIGN) * ALIGN, name, kept)
        self.buffers.append(made)
        return made

    def add(self, step: Step) -> None:
        """Appends a step."""
        for span in (*step.reads, *step.writes):
            self.touch(span.buffer)
        self.steps.append(step)

    def add_outside(self, reads: Sequence[ByteSpan], writes: Sequence[ByteSpan], node: int) -> None:
        """Notes that something is computed or read outside the kernels before the next step."""
        for span in (*reads, *writes):
            self.touch(span.buffer)
        self.outside.append(Outside(len(self.steps), reads, writes, node))

    def touch(self, buffer: Buffer) -> None:
        """Extends a buffer's lifetime to the next step."""
        now = len(self.steps)
        buffer.first = now if buffer.first < 0 else buffer.first
        buffer.last = now

    def need_scratch(self, size: int) -> None:
        """Reserves at least so many bytes for each thread, rounded up to an odd number of cache lines."""
        self.scratch_bytes = max(self.scratch_bytes, (-(-size // ALIGN) | 1) * ALIGN)


class Arena:
    """The memory of a program. guard: bytes of canaries around every buffer; then buffers share no memory."""

    def __init__(self, program: Program, threads: int, guard: int = 0) -> None:
        program.scratch.size = program.scratch_bytes * threads
        buffers = [*program.buffers, program.scratch]
        self.size = _lay_apart(buffers, guard) if guard else _lay_out(buffers)
        self._words: Array = np.empty(self.size // 4 + ALIGN // 4, np.uint32)
        self.base = -(-self._words.ctypes.data // ALIGN) * ALIGN
        self._lead = (self.base - self._words.ctypes.data) // 4
        self._buffers = buffers
        self._guard = guard
        for buffer in buffers:
            buffer.base = self.base
        if guard:
            self._words[:] = CANARY

    def floats(self, ref: Ref, count: int) -> Array:
        """`count` floats from a place on, as an array that shares the memory."""
        start = self._lead + (ref.buffer.place + ref.offset) // 4
        return self._words[start : start + count].view(np.float32)

    def overrun_buffers(self) -> list[str]:
        """The names of the buffers around which a canary was overwritten; only with guards."""
        found = []
        for buffer in self._buffers:
            start = self._lead + buffer.place // 4
            stop = start + buffer.size // 4
            zones = (
                self._words[start - self._guard // 4 : start],
                self._words[stop : stop + self._guard // 4],
            )
            if any((zone != CANARY).any() for zone in zones):
                found.append(buffer.name)
        return found


def _lay_apart(buffers: Sequence[Buffer], guard: int) -> int:
    place = guard
    for buffer in buffers:
        buffer.place = place
        place += buffer.size + guard
    return place


def _lay_out(buffers: Sequence[Buffer]) -> int:
    """Gives every buffer a place, largest first, each in the first gap that it fits into; returns the total size."""
    placed: list[Buffer] = []
    end = 0
    for buffer in sorted(buffers, key=lambda buffer: -buffer.size):
        others = sorted(
            (
                other
                for other in placed
                if buffer.kept or other.kept or (other.first <= buffer.last and buffer.first <= other.last)
            ),
            key=lambda other: other.place,
        )
        place = 0
        for other in others:
            if place + buffer.size <= other.place:
                break
            place = max(place, other.place + other.size)
        buffer.place = place
        placed.append(buffer)
        end = max(end, place + buffer.size)
    return end


def record_of(kernel: Kernel, values: Mapping[str, Word], keep: list[object]) -> Array:
    """A kernel's record. It and the arrays that it points into go to `keep`."""
    record = kernel.record(values, lambda value: word(value, keep))
    keep.append(record)
    return record


def word(value: Word, keep: list[object]) -> int:
    """What a record holds for a value that is no float: the number, or the address of what it names, which goes to
    `keep`."""
    if isinstance(value, Kernel):
        return value.address
    if isinstance(value, Ref):
        return value.buffer.address + value.offset
    if isinstance(value, np.ndarray):
        if value.dtype == object:  # a table of references
            value = np.array([word(entry, keep) for entry in value.ravel()], np.int64)
        keep.append(value)
        return int(value.ctypes.data)
    return int(value)
