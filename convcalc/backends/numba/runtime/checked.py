"""The checked mode: before a plan runs for the first time, every access of every kernel is compared with its buffers.

With the environment variable CONVCALC_CHECKED set (to anything but 0), `check` walks the steps of a program as the
driver would and asks each kernel's footprint what it is about to read and write. It refuses the following, and names
the layer, the kernel and the entries of the tables that lead there:

- addresses outside of what the step declares to read and write: a buffer, or the part of it that is a view;
- addresses outside of the arrays of weights and tables that records point to, or of a thread's scratch memory;
- reads of memory that no step has written: a halo that is too narrow, a pixel that was left out;
- writes into the zeros of a halo by a step that should write real pixels only;
- buffers that are used outside their lifetime, or that share memory while both are alive.

A plan that passes cannot touch other memory, whatever its input. It may still compute wrong numbers.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NoReturn

import numpy as np

from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.footprint import Access, Array, Declared, KernelCall
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges, lattice
from convcalc.backends.numba.runtime.driver import drive
from convcalc.backends.numba.runtime.fault import PlanFault, buffer_name, extent, way
from convcalc.backends.numba.runtime.places import Linked, MemoryPlace, Places
from convcalc.backends.numba.runtime.program import Buffer, ByteSpan, Program, Step
from convcalc.backends.numba.runtime.step_table import StepTable


def enabled() -> bool:
    """Whether plans are checked."""
    return os.environ.get("CONVCALC_CHECKED", "0") not in ("", "0")


def check(
    program: Program, linked: Sequence[Linked], keep: Iterable[object], table: StepTable, names: Sequence[str]
) -> None:
    """Raises PlanFault for the first access that is wrong. names: of the graph's nodes."""
    Checker(program, linked, keep, table, names).run()


class Checker:
    """Walks a program step by step and keeps track of the bytes of each buffer that have been written."""

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
        self._places = Places(program, keep, table.threads, self._fault)
        self._written: dict[Buffer, Ranges] = {}
        self._zeroed: dict[Buffer, Ranges] = {}
        self._lattices: dict[tuple[object, ...], Ranges] = {}
        self._tables: dict[tuple[object, ...], Array] = {}
        self._seen: dict[tuple[object, ...], Access] = {}  # which keeps arrays whose addresses are keys
        self._current = linked[0] if linked else None
        self._kernels = _kernels(linked)

    def run(self) -> None:
        """Checks all steps, in order."""
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
        self._places.begin(linked)
        for known in (self._lattices, self._tables, self._seen):
            known.clear()
        self._written.pop(self._program.scratch, None)  # its content does not last from one step to the next
        step = linked.step
        kernel = step.kernel
        call = KernelCall(
            kernel, dict(zip(kernel.names, linked.record.tolist(), strict=True)), self, step.items
        )
        if kernel.touches is None:
            self.refuse(call, "it declares no footprint")
        for span in (*step.reads, *step.writes):
            if not 0 <= span.start <= span.stop <= span.buffer.size:
                self.refuse(
                    call, f"its span {span.start:,} to {span.stop:,} is not in {buffer_name(span.buffer)}"
                )
        try:
            kernel.touches(call)
        except (ArithmeticError, LookupError, MemoryError, ValueError) as error:
            raise self._fault(call, f"its parameters cannot be followed ({error})") from None

    def _outside(self, reads: Sequence[ByteSpan], writes: Sequence[ByteSpan], node: int) -> None:
        for span in reads:
            self._read(span, f"{self._node(node)}, outside the kernels,")
        for span in writes:
            self._write(span)

    def _read(self, span: ByteSpan, who: str) -> None:
        wanted = Ranges.of(span.start, span.stop)
        missing = wanted.first_outside(self._written.get(span.buffer, NOTHING))
        if span.stop > span.buffer.size or missing:
            start, stop = missing or (span.start, span.stop)
            raise PlanFault(
                f"{who} reads bytes {start:,} to {stop:,} of {buffer_name(span.buffer)}, which no step has written"
            )

    def _write(self, span: ByteSpan) -> None:
        if not 0 <= span.start <= span.stop <= span.buffer.size:
            raise PlanFault(f"bytes {span.start:,} to {span.stop:,} are not in {buffer_name(span.buffer)}")
        self._add(span.buffer, Ranges.of(span.start, span.stop))

    def _add(self, buffer: Buffer, ranges: Ranges) -> None:
        self._written[buffer] = self._written.get(buffer, NOTHING) | ranges

    # --- what footprints report: footprint.Memory ----------------------------------------------------------------

    def access(self, call: KernelCall, access: Access) -> None:
        """Refuses an access outside of the place that its parameter leads to."""
        if access.empty:
            return
        key = (access.parameter, access.base, access.writes, access.used, *_key(access))
        if key in self._seen:  # as for tiles of filters that all read the same input
            return
        self._seen[key] = access
        place = self._places.find(call, access)
        low, high = (bound - place.start for bound in access.bounds)
        allowed = place.writable if access.writes else place.readable
        exact = None
        if not allowed.holds(low, high):
            exact = self._exact(access, place)
            outside = exact.first_outside(allowed)
            if outside:
                self._refuse_access(call, access, place, outside, extent(place.readable, allowed))
        unit = (
            2 if call.kernel.element == 2 and access.size % 4 == 2 else 4
        )  # an odd number of elements of bfloat16
        if (access.base | access.size) % unit or any((axis.offsets % unit).any() for axis in access.axes):
            raise self._fault(call, f"{access.parameter} leads to an address that is no multiple of {unit}")
        buffer = place.buffer
        if buffer is None:
            return
        if access.writes:
            self._note(call, access, place, exact or self._exact(access, place))
        elif access.used:
            own = self._places.owns(buffer)
            written = self._written.get(buffer, NOTHING) if own else buffer.written
            if not written.holds(low, high):
                exact = exact or self._exact(access, place)
                missing = exact.first_outside(written)
                if missing:
                    self._refuse_access(call, access, place, missing, "which no step has written")

    def entries(self, call: KernelCall, access: Access, kind: type[np.generic]) -> Array:
        """The numbers of an array."""
        key = (access.parameter, access.base, kind, *_key(access))
        if key in self._tables:
            return self._tables[key]
        place = self._places.find(call, access)
        self.access(call, access)
        if place.buffer is not None:
            self.refuse(call, f"{access.parameter} points into {place.name}, where tables are not")
        places = np.arange(access.base - place.start, access.base - place.start + access.size)
        for axis in access.axes:
            places = (axis.offsets[:, None] + places).ravel()
        found = self._places.bytes_at(place, places).view(kind)
        self._tables[key] = found.astype(np.int64)
        return self._tables[key]

    def kernel(self, call: KernelCall, parameter: str, address: int) -> Declared:
        """The kernel at an address that the step names."""
        if address not in self._kernels:
            self.refuse(call, f"{parameter} is the address of no kernel that the step names")
        return self._kernels[address]

    def refuse(self, call: KernelCall, text: str) -> NoReturn:
        """Raises PlanFault for a call of a kernel."""
        raise self._fault(call, text)

    def _fault(self, call: KernelCall, text: str) -> PlanFault:
        assert self._current is not None
        return PlanFault(f"{self._node(self._current.step.node)}: kernel {call.path}: {text}")

    # --- accesses ------------------------------------------------------------------------------------------------

    def _exact(self, access: Access, place: MemoryPlace) -> Ranges:
        key = _key(access)
        if key not in self._lattices:
            self._lattices[key] = lattice(access.size, [axis.offsets for axis in access.axes])
        return self._lattices[key].moved(access.base - place.start)

    def _note(self, call: KernelCall, access: Access, place: MemoryPlace, exact: Ranges) -> None:
        """Marks bytes as written; refuses writes into the zeros of a halo."""
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
        self, call: KernelCall, access: Access, place: MemoryPlace, wrong: tuple[int, int], why: str
    ) -> NoReturn:
        verb = "writes" if access.writes else "reads"
        steps = way(access, wrong[0] + place.start - access.base)
        by = f" with {steps}" if steps else ""
        what = access.parameter or "an address"
        self.refuse(
            call,
            f"{what}{by} {verb} bytes {wrong[0]:,} to {wrong[1]:,} of {place.name}, {why}",
        )

    def _node(self, node: int) -> str:
        return self._names[node] if 0 <= node < len(self._names) else "a layer"

    # --- the rest of a plan --------------------------------------------------------------------------------------

    def _lifetimes(self) -> None:
        """Checks that buffers are used while they are alive, and that those alive at once share no memory."""
        for place, linked in enumerate(self._linked):
            for span in (*linked.step.reads, *linked.step.writes):
                buffer = span.buffer
                if self._places.owns(buffer) and not buffer.kept and not buffer.first <= place <= buffer.last:
                    raise PlanFault(
                        f"{self._node(linked.step.node)}: {buffer_name(buffer)} is used when it is not alive"
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
                    raise PlanFault(
                        f"{buffer_name(buffer)} and {buffer_name(other)} share memory while both are alive"
                    )

    def _drive(self) -> None:
        """Checks that the driver's counters have a place for each step and thread."""
        table = self._table
        if self._linked and drive.touches:
            arrays = table.arrays
            self._current = Linked(Step(drive, {}, 0, (), ()), dict(arrays), table.record)
            everything = {name: Ranges.of(0, array.nbytes) for name, array in arrays.items()}
            places = {
                name: MemoryPlace(name, array.ctypes.data, everything[name], everything[name])
                for name, array in arrays.items()
            }
            self._places.begin(self._current, places)
            values = dict(zip(drive.names, table.record.tolist(), strict=True))
            values |= {"first": 0, "stop": len(self._linked)}
            for thread in range(table.threads):
                drive.touches(KernelCall(drive, values | {"thread": thread}, self))


def _kernels(linked: Sequence[Linked]) -> dict[int, Kernel]:
    values = (value for step in linked for value in step.values.values())
    found = (value for value in values if isinstance(value, Kernel))
    return {kernel.address: kernel for kernel in dict.fromkeys(found)}


def _key(access: Access) -> tuple[object, ...]:
    """A key that is equal for accesses with the same axes: short axes by their offsets, long ones by the identity of
    the array that holds them."""
    offsets = (axis.offsets for axis in access.axes)
    return access.size, *(
        array.tobytes() if len(array) <= 256 else (array.__array_interface__["data"][0], len(array))
        for array in offsets
    )
