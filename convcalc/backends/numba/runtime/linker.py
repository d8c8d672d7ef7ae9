"""Links a program to its arena: makes the driver's table, with addresses in records and what each step waits for."""

from __future__ import annotations

from collections.abc import Sequence

from convcalc.backends.numba.runtime.checked import check, enabled
from convcalc.backends.numba.runtime.driver import StepRow
from convcalc.backends.numba.runtime.places import Linked
from convcalc.backends.numba.runtime.program import Arena, ByteSpan, Program, Ref, record_of
from convcalc.backends.numba.runtime.step_table import StepTable


def link(
    program: Program, arena: Arena, threads: int, names: Sequence[str] = (), barriers: bool = False
) -> StepTable:
    """The driver's table for a program.

    barriers: every step waits for all before it, so that each can be timed. names: of the graph's nodes, for the
    errors of the checked mode (`runtime/checked.py`), which raises PlanFault if the program would touch memory that it
    must not.
    """
    keep: list[object] = [arena, *program.keep]
    rows = []
    linked = []
    for place, step in enumerate(program.steps):
        values = dict(step.values)
        if "scratch" in step.kernel.names:
            values["scratch"] = Ref(program.scratch)
            values["scratch_bytes"] = program.scratch_bytes
        record = record_of(step.kernel, values, keep)
        before = place if barriers else _before(program, place)
        rows.append(StepRow(step.kernel.address, record.ctypes.data, step.items, before))
        linked.append(Linked(step, values, record))
    table = StepTable(rows, keep, threads)
    if enabled():
        check(program, linked, keep, table, names)
    return table


def _before(program: Program, place: int) -> int:
    """How many steps must be complete before step `place` may begin: up to the last one it depends on."""
    step = program.steps[place]
    start = max((outside.mark for outside in program.outside if outside.mark <= place), default=0)
    reads, writes = _places(step.reads), _places(step.writes)
    for earlier in range(place - 1, start - 1, -1):
        other = program.steps[earlier]
        other_writes = _places(other.writes)
        if _meet(reads, other_writes) or _meet(writes, _places(other.reads)):
            return earlier + 1
        if _meet(writes, other_writes):
            own = other.zeroes and any(a.buffer is b.buffer for a in step.writes for b in other.writes)
            if not own:
                return earlier + 1
    return start


Places = list[tuple[int, int]]


def _places(spans: Sequence[ByteSpan]) -> Places:
    return [(span.buffer.place + span.start, span.buffer.place + span.stop) for span in spans]


def _meet(places: Places, others: Places) -> bool:
    return any(a < d and c < b for a, b in places for c, d in others)
