"""The checked mode: before a plan runs for the first time, every access of every kernel is held against its buffers.

With the environment variable CONVCALC_CHECKED set (to anything but 0), `check` walks a program's steps as the driver
would and asks each kernel's footprint what it is about to read and write. It refuses, with the layer, the kernel and
the entries of the tables that lead there,

- addresses outside what the step declares to read and write: the buffer, or the part of it that is its view;
- addresses outside the arrays of weights and tables that records point to, and outside a thread's scratch memory;
- memory that is read though no step has written it: a halo too narrow, a pixel left out;
- zeros of a halo written over by what should write real pixels only;
- buffers that are used beside their lifetime, or that share memory while both are alive.

A plan that passes cannot touch foreign memory, whatever numbers it is given. It may still compute the wrong thing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple, NoReturn

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.footprint import Access, Array, Axis, Call, Declared
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges, lattice
from convcalc.backends.numba.runtime.driver import StepTable
from convcalc.backends.numba.runtime.program import Buffer, ByteSpan, Program, Ref, Step, Word
from convcalc.errors import ConvcalcError

MAX_SEARCHED = 1 << 22  # places of a lattice that are searched for the one to name


class PlanFault(ConvcalcError):
    """A plan that would touch memory it must not: a fault of convcalc, never of what it was given."""

    def __init__(self, message: str) -> None:
        super().__init__(
            message,
            hint="this is a fault of convcalc; please report it; --backend reference does not have it",
        )


def enabled() -> bool:
    """Whether plans are to be checked."""
    return os.environ.get("CONVCALC_CHECKED", "0") not in ("", "0")


@dataclass(frozen=True)
class Linked:
    """A step and the record it is given; values: what the record's words stand for."""

    step: Step
    values: dict[str, Word]
    record: Array


def check(
    program: Program, linked: Sequence[Linked], keep: Iterable[object], table: StepTable, names: Sequence[str]
) -> None:
    """Raises PlanFault for the first access that is wrong. names: of the nodes."""
    Checker(program, linked, keep, table, names).run()


class Place(NamedTuple):
    """What an address may belong to: some bytes from `start` on, of a buffer or an array."""

    name: str
    start: int
    readable: Ranges
    writable: Ranges
    buffer: Buffer | None = None


class Checker:
    """Follows a program step by step, and knows which bytes of which buffer have been written."""

    def __init__(
        self,
        program: Program,
        linked: Sequence[Linked],
        keep: Iterable[object],
        table: StepTable,
        names: Sequence[str],
    ) -> None:
        self._program = program
        self._linked = linked
        self._table = table
        self._names = names
        arrays = [array for array in keep if isinstance(array, np.ndarray) and array.nbytes]
        arrays.sort(key=lambda array: (array.ctypes.data, array.nbytes))
        self._arrays = {array.ctypes.data: array for array in arrays}
        self._starts = np.array(list(self._arrays), np.int64)
        self._own = {id(buffer) for buffer in (*program.buffers, program.scratch)}
        self._written: dict[Buffer, Ranges] = {}
        self._zeroed: dict[Buffer, Ranges] = {}
        self._lattices: dict[tuple[object, ...], Ranges] = {}
        self._tables: dict[tuple[object, ...], Array] = {}
        self._seen: dict[tuple[object, ...], Access] = {}  # which keeps arrays whose addresses are keys
        self._current = linked[0] if linked else None
        self._kernels = _kernels(linked)
        self._places: dict[str, Place] = {}

    def run(self) -> None:
        """All steps, in order."""
        self._lifetimes()
        for span in self._program.given:
            self._write(span)
        outside = iter(self._program.outside)
        due = next(outside, None)
        for place, linked in enumerate(self._linked):
            while due is not None and due.mark <= place:
                self._outside(due.reads, due.writes, due.node)
                due = next(outside, None)
            self._step(linked)
        while due is not None:
            self._outside(due.reads, due.writes, due.node)
            due = next(outside, None)
        for span in self._program.wanted:
            self._read(span, "the result")
        self._drive()
        for buffer, ranges in self._written.items():
            buffer.written = ranges

    # --- steps ---------------------------------------------------------------------------------------------------

    def _step(self, linked: Linked) -> None:
        self._current = linked
        for known in (self._lattices, self._tables, self._seen, self._places):
            known.clear()
        self._written.pop(self._program.scratch, None)  # what an earlier step left there means nothing
        step = linked.step
        kernel = step.kernel
        call = Call(kernel, dict(zip(kernel.names, linked.record.tolist(), strict=True)), self, step.items)
        if kernel.touches is None:
            self.refuse(call, "it declares no footprint")
        for span in (*step.reads, *step.writes):
            if not 0 <= span.start <= span.stop <= span.buffer.size:
                self.refuse(call, f"its span {span.start:,} to {span.stop:,} is not in {_named(span.buffer)}")
        try:
            kernel.touches(call)
        except (ArithmeticError, LookupError, MemoryError, ValueError) as error:
            raise self._fault(call, f"its parameters cannot be followed ({error})") from None

    def _outside(self, reads: Sequence[ByteSpan], writes: ByteSpan, node: int) -> None:
        for span in reads:
            self._read(span, f"{self._node(node)}, outside the kernels,")
        self._write(writes)

    def _read(self, span: ByteSpan, who: str) -> None:
        wanted = Ranges.of(span.start, span.stop)
        missing = wanted.first_outside(self._written.get(span.buffer, NOTHING))
        if span.stop > span.buffer.size or missing:
            start, stop = missing or (span.start, span.stop)
            raise PlanFault(
                f"{who} reads bytes {start:,} to {stop:,} of {_named(span.buffer)}, which no step has written"
            )

    def _write(self, span: ByteSpan) -> None:
        if not 0 <= span.start <= span.stop <= span.buffer.size:
            raise PlanFault(f"bytes {span.start:,} to {span.stop:,} are not in {_named(span.buffer)}")
        self._add(span.buffer, Ranges.of(span.start, span.stop))

    def _add(self, buffer: Buffer, ranges: Ranges) -> None:
        self._written[buffer] = self._written.get(buffer, NOTHING) | ranges

    # --- what a footprint says: see footprint.Memory -------------------------------------------------------------

    def access(self, call: Call, access: Access) -> None:
        """Refuses an access that is not in the place its parameter leads to."""
        if access.empty:
            return
        key = (access.parameter, access.base, access.writes, access.used, *_key(access))
        if key in self._seen:  # another tile of filters that reads the same
            return
        self._seen[key] = access
        place = self._place(call, access)
        low, high = (bound - place.start for bound in access.bounds)
        allowed = place.writable if access.writes else place.readable
        exact = None
        if not allowed.holds(low, high):
            exact = self._exact(access, place)
            outside = exact.first_outside(allowed)
            if outside:
                self._refuse_access(call, access, place, outside, _extent(place, allowed))
        if (access.base | access.size) % 4 or any((axis.offsets % 4).any() for axis in access.axes):
            raise self._fault(call, f"{access.parameter} leads between two numbers")
        buffer = place.buffer
        if buffer is None:
            return
        if access.writes:
            self._note(call, access, place, exact or self._exact(access, place))
        elif access.used:
            own = id(buffer) in self._own
            written = self._written.get(buffer, NOTHING) if own else buffer.written
            if not written.holds(low, high):
                exact = exact or self._exact(access, place)
                missing = exact.first_outside(written)
                if missing:
                    self._refuse_access(call, access, place, missing, "which no step has written")

    def entries(self, call: Call, access: Access, kind: type[np.generic]) -> Array:
        """What an array holds there."""
        key = (access.parameter, access.base, kind, *_key(access))
        if key in self._tables:
            return self._tables[key]
        place = self._place(call, access)
        self.access(call, access)
        if place.buffer is not None:
            self.refuse(call, f"{access.parameter} points into {place.name}, where tables are not")
        places = np.arange(access.base - place.start, access.base - place.start + access.size)
        for axis in access.axes:
            places = (axis.offsets[:, None] + places).ravel()
        found = self._arrays[place.start].reshape(-1).view(np.uint8)[places].view(kind)
        self._tables[key] = found.astype(np.int64)
        return self._tables[key]

    def kernel(self, call: Call, parameter: str, address: int) -> Declared:
        """The kernel at an address."""
        if address not in self._kernels:
            self.refuse(call, f"{parameter} is the address of no kernel that the step names")
        return self._kernels[address]

    def refuse(self, call: Call, text: str) -> NoReturn:
        """Parameters that no kernel can run with."""
        raise self._fault(call, text)

    def _fault(self, call: Call, text: str) -> PlanFault:
        assert self._current is not None
        return PlanFault(f"{self._node(self._current.step.node)}: kernel {call.path}: {text}")

    # --- places --------------------------------------------------------------------------------------------------

    def _place(self, call: Call, access: Access) -> Place:
        """What the parameter's address belongs to: as the plan says, or for what a table leads to, as it lies."""
        origin = access.parameter if call.origin is None else call.origin.get(access.parameter, "")
        if origin in self._places:
            return self._places[origin]
        assert self._current is not None
        value = self._current.values.get(origin, 0)
        if isinstance(value, Ref):
            place = self._in_buffer(call, value.buffer, origin)
        elif isinstance(value, np.ndarray):
            place = self._in_array(call, self._address_of(value, origin), value.nbytes, origin)
        else:
            return self._by_address(call, access)
        self._places[origin] = place
        return place

    def _address_of(self, value: Array, origin: str) -> int:
        if value.dtype != object:
            return int(value.ctypes.data)
        assert (
            self._current is not None
        )  # a table of references, which the record's own array has as addresses
        return int(self._current.record[self._current.step.kernel.names.index(origin)])

    def _in_array(self, call: Call, address: int, size: int, name: str) -> Place:
        array = self._arrays.get(address)
        if array is None or not array.flags.c_contiguous:
            self.refuse(call, f"{name} is no array that is kept, one number after the other")
        return Place(f"the array '{name}'", address, Ranges.of(0, size), NOTHING)

    def _in_buffer(self, call: Call, buffer: Buffer, origin: str) -> Place:
        if buffer is self._program.scratch:
            size = self._program.scratch_bytes
            if call.values.get("scratch_bytes", size) != size or size * self._table.threads > buffer.size:
                self.refuse(
                    call, f"scratch memory of {buffer.size:,} bytes is not cut into {size:,} a thread"
                )
            each = Ranges.of(0, size)
            return Place("a thread's scratch memory", buffer.address, each, each, buffer)
        if id(buffer) not in self._own:  # what another program has written
            return Place(_named(buffer), buffer.address, Ranges.of(0, buffer.size), NOTHING, buffer)
        assert self._current is not None
        step = self._current.step
        writable, reads = (_spans(spans, buffer) for spans in (step.writes, step.reads))
        readable = writable | reads
        if not len(readable.starts):
            self.refuse(call, f"{origin} points into {_named(buffer)}, which the step does not declare")
        return Place(_named(buffer), buffer.address, readable, writable, buffer)

    def _by_address(self, call: Call, access: Access) -> Place:
        assert self._current is not None
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
        what = access.parameter or _entries(access.axes, [0] * len(access.axes))
        raise self._fault(call, f"{what} points to nothing that the step has")

    # --- accesses ------------------------------------------------------------------------------------------------

    def _exact(self, access: Access, place: Place) -> Ranges:
        key = _key(access)
        if key not in self._lattices:
            self._lattices[key] = lattice(access.size, [axis.offsets for axis in access.axes])
        return self._lattices[key].moved(access.base - place.start)

    def _note(self, call: Call, access: Access, place: Place, exact: Ranges) -> None:
        """Remembers what was written; a halo's zeros stay."""
        assert place.buffer is not None
        assert self._current is not None
        buffer = place.buffer
        if self._current.step.zeroes:
            self._zeroed[buffer] = self._zeroed.get(buffer, NOTHING) | exact
        elif buffer in self._zeroed and (common := exact.first_common(self._zeroed[buffer])):
            self._refuse_access(call, access, place, common, "whose halo that is")
        if access.used:
            self._add(buffer, exact)

    def _refuse_access(
        self, call: Call, access: Access, place: Place, wrong: tuple[int, int], why: str
    ) -> NoReturn:
        verb = "writes" if access.writes else "reads"
        way = _way(access, wrong[0] + place.start - access.base)
        what = access.parameter or "an address"
        self.refuse(
            call,
            f"{what}{f' with {way}' if way else ''} {verb} bytes {wrong[0]:,} to {wrong[1]:,} of {place.name}, {why}",
        )

    def _node(self, node: int) -> str:
        return self._names[node] if 0 <= node < len(self._names) else "a layer"

    # --- the rest of a plan --------------------------------------------------------------------------------------

    def _lifetimes(self) -> None:
        """Every buffer is used while it is alive, and those alive at once share nothing."""
        for place, linked in enumerate(self._linked):
            for span in (*linked.step.reads, *linked.step.writes):
                buffer = span.buffer
                if id(buffer) in self._own and not buffer.kept and not buffer.first <= place <= buffer.last:
                    raise PlanFault(
                        f"{self._node(linked.step.node)}: {_named(buffer)} is used when it is not alive"
                    )
        buffers = sorted(
            (buffer for buffer in (*self._program.buffers, self._program.scratch) if buffer.size),
            key=lambda buffer: buffer.place,
        )
        for number, buffer in enumerate(buffers):
            for other in buffers[number + 1 :]:
                if other.place >= buffer.place + buffer.size:
                    break
                apart = buffer.last < other.first or other.last < buffer.first
                if buffer.kept or other.kept or not apart:
                    raise PlanFault(f"{_named(buffer)} and {_named(other)} share memory while both are alive")

    def _drive(self) -> None:
        """The driver's own counters have a place for each step and thread."""
        from convcalc.backends.numba.runtime.driver import drive

        table = self._table
        if self._linked and drive.touches:
            arrays = table.arrays
            self._current = Linked(Step(drive, {}, 0, (), ()), dict(arrays), table.record)
            self._places = {
                name: Place(name, array.ctypes.data, Ranges.of(0, array.nbytes), Ranges.of(0, array.nbytes))
                for name, array in arrays.items()
            }
            values = dict(zip(drive.names, table.record.tolist(), strict=True))
            drive.touches(Call(drive, values | {"first": 0, "stop": len(self._linked)}, self))


def _kernels(linked: Sequence[Linked]) -> dict[int, Kernel]:
    values = (value for step in linked for value in step.values.values())
    found = (value for value in values if isinstance(value, Kernel))
    return {kernel.address: kernel for kernel in dict.fromkeys(found)}


def _key(access: Access) -> tuple[object, ...]:
    """Equal for accesses of the same shape. Short axes go by their offsets, long ones by where these are kept."""
    offsets = (axis.offsets for axis in access.axes)
    return access.size, *(
        array.tobytes() if len(array) <= 256 else (array.__array_interface__["data"][0], len(array))
        for array in offsets
    )


def _spans(spans: Sequence[ByteSpan], buffer: Buffer) -> Ranges:
    own = [span for span in spans if span.buffer is buffer]
    return Ranges.union([span.start for span in own], [span.stop for span in own])


def _named(buffer: Buffer) -> str:
    return f"the buffer '{buffer.name}'"


def _extent(place: Place, allowed: Ranges) -> str:
    if not len(allowed.starts):
        return "which is not to be written" if len(place.readable.starts) else "which has none"
    return f"of which the step may use {allowed}"


def _way(access: Access, wanted: int) -> str:
    """The entries of tables whose sum leads to an offset, as far as they can be found."""
    axes = access.axes
    if prod(len(axis.offsets) for axis in axes) > MAX_SEARCHED:
        axes = tuple(axis._replace(offsets=axis.offsets[[0, -1]]) for axis in axes)
    sums = np.zeros(1, np.int64)
    for axis in axes:
        sums = (sums[:, None] + axis.offsets).ravel()
    found = np.flatnonzero((sums <= wanted) & (wanted < sums + access.size))
    if not len(found):
        return ""
    return _entries(
        axes, list(np.unravel_index(found[0], [len(axis.offsets) for axis in axes])) if axes else []
    )


def _entries(axes: Sequence[Axis], places: Sequence[int]) -> str:
    return ", ".join(
        f"{axis.name}[{axis.first + int(place)}] = {int(axis.offsets[place]):,}"
        for axis, place in zip(axes, places, strict=True)
    )
