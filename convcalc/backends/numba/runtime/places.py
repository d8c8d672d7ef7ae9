"""What the addresses of a step belong to: a buffer, an array of weights or a table, or a thread's scratch memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from convcalc.backends.numba.jit.footprint import Access, Array, KernelCall
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges
from convcalc.backends.numba.runtime.fault import PlanFault, buffer_name, entries
from convcalc.backends.numba.runtime.program import Buffer, ByteSpan, Program, Ref, Step, Word


@dataclass(frozen=True)
class Linked:
    """A step and its record. values: what the words of the record stand for."""

    step: Step
    values: dict[str, Word]
    record: Array


class MemoryPlace(NamedTuple):
    """A buffer or an array to which an address belongs: where it starts, and which of its bytes a step may touch."""

    name: str
    start: int
    readable: Ranges
    writable: Ranges
    buffer: Buffer | None = None


class Places:
    """Finds the place of an access of one step after the other.

    arrays: weights and tables that records point to; threads: for which scratch memory is divided; fault: the error
    for a call of a kernel.
    """

    def __init__(
        self,
        program: Program,
        arrays: Iterable[object],
        threads: int,
        fault: Callable[[KernelCall, str], PlanFault],
    ) -> None:
        self._program = program
        self._threads = threads
        self._fault = fault
        found = [array for array in arrays if isinstance(array, np.ndarray) and array.nbytes]
        found.sort(key=lambda array: (array.ctypes.data, array.nbytes))
        self._arrays = {array.ctypes.data: array for array in found}
        self._starts = np.array(list(self._arrays), np.int64)
        self._own = {id(buffer) for buffer in (*program.buffers, program.scratch)}
        self._linked: Linked | None = None
        self._known: dict[str, MemoryPlace] = {}

    def begin(self, linked: Linked, known: dict[str, MemoryPlace] | None = None) -> None:
        """The next step. known: places of its parameters that are no memory of the program's."""
        self._linked = linked
        self._known = known or {}

    def owns(self, buffer: Buffer) -> bool:
        """Whether it is a buffer of this program, not of one that ran before."""
        return id(buffer) in self._own

    def bytes_at(self, place: MemoryPlace, offsets: Array) -> Array:
        """The bytes of an array at some offsets."""
        found: Array = self._arrays[place.start].reshape(-1).view(np.uint8)[offsets]
        return found

    def find(self, call: KernelCall, access: Access) -> MemoryPlace:
        """The place that the plan gives the parameter, or for an address from a table, the place where it lies."""
        origin = access.parameter if call.origin is None else call.origin.get(access.parameter, "")
        if origin in self._known:
            return self._known[origin]
        value = self._current.values.get(origin, 0)
        if isinstance(value, Ref):
            place = self._in_buffer(call, value.buffer, origin)
        elif isinstance(value, np.ndarray):
            place = self._in_array(call, self._address_of(value, origin), value.nbytes, origin)
        else:
            return self._by_address(call, access)
        self._known[origin] = place
        return place

    @property
    def _current(self) -> Linked:
        assert self._linked is not None
        return self._linked

    def _address_of(self, value: Array, origin: str) -> int:
        if value.dtype != object:
            return int(value.ctypes.data)
        # A table of references: the record points to a copy that holds their addresses.
        return int(self._current.record[self._current.step.kernel.names.index(origin)])

    def _in_array(self, call: KernelCall, address: int, size: int, name: str) -> MemoryPlace:
        array = self._arrays.get(address)
        if array is None or not array.flags.c_contiguous:
            raise self._fault(call, f"{name} is not a contiguous array that the plan keeps alive")
        return MemoryPlace(f"the array '{name}'", address, Ranges.of(0, size), NOTHING)

    def _in_buffer(self, call: KernelCall, buffer: Buffer, origin: str) -> MemoryPlace:
        if buffer is self._program.scratch:
            size = self._program.scratch_bytes
            if call.values.get("scratch_bytes", size) != size or size * self._threads > buffer.size:
                raise self._fault(
                    call,
                    f"scratch memory of {buffer.size:,} bytes is not divided into {size:,} for each thread",
                )
            each = Ranges.of(0, size)
            return MemoryPlace("a thread's scratch memory", buffer.address, each, each, buffer)
        if not self.owns(buffer):  # written by a program that ran before
            return MemoryPlace(
                buffer_name(buffer), buffer.address, Ranges.of(0, buffer.size), NOTHING, buffer
            )
        step = self._current.step
        writable, reads = (_spans(spans, buffer) for spans in (step.writes, step.reads))
        readable = writable | reads
        if not len(readable.starts):
            raise self._fault(
                call, f"{origin} points into {buffer_name(buffer)}, which the step does not declare"
            )
        return MemoryPlace(buffer_name(buffer), buffer.address, readable, writable, buffer)

    def _by_address(self, call: KernelCall, access: Access) -> MemoryPlace:
        address = access.base
        place = int(np.searchsorted(self._starts, address, "right")) - 1
        start = int(self._starts[place]) if place >= 0 else 0
        size = self._arrays[start].nbytes if place >= 0 else 0
        if address < start + size:
            return self._in_array(call, start, size, access.parameter)
        for span in (*self._current.step.reads, *self._current.step.writes):
            buffer = span.buffer
            if span.start <= address - buffer.address < span.stop:
                return self._in_buffer(call, buffer, access.parameter)
        what = access.parameter or entries(access.axes, [0] * len(access.axes))
        raise self._fault(call, f"{what} points to nothing that the step has")


def _spans(spans: Sequence[ByteSpan], buffer: Buffer) -> Ranges:
    own = [span for span in spans if span.buffer is buffer]
    return Ranges.union([span.start for span in own], [span.stop for span in own])
