"""The checked mode refuses a plan before it runs, whatever in it is wrong, and says where."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import test_numba as layers
from attention_networks import three_attentions
from matmul_networks import two_products
from numba_support import Network, any_values, any_weights

from convcalc.backends import PRECISIONS, Precision
from convcalc.backends.numba import plan as planning
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.sizes import PIXELS
from convcalc.backends.numba.kernels.conv import TileRow, direct
from convcalc.backends.numba.kernels.pointwise import finish
from convcalc.backends.numba.kernels.tile import narrow_sweep, sweep
from convcalc.backends.numba.lower import dense as dense_lowering
from convcalc.backends.numba.lower.operators import Lowered
from convcalc.backends.numba.passes.channels_first import Rewritten
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime import program as memory
from convcalc.backends.numba.runtime.fault import PlanFault
from convcalc.backends.numba.runtime.linker import link
from convcalc.backends.numba.runtime.program import Buffer, Program, Ref, Step
from convcalc.graph import Graph

Change = Callable[[Lowered], object]


def changed(
    graph: Graph, change: Change, patch: pytest.MonkeyPatch, precision: Precision = "float32"
) -> Plan:
    """A plan that is changed after it was made and before it is checked."""

    def make(graph: Graph, rewritten: Rewritten, low: Lowered, *others: Any) -> Plan:
        change(low)
        return Plan(graph, rewritten, low, *others)

    with patch.context() as inner:
        inner.setattr(planning, "Plan", make)
        return prepare(graph, any_weights(graph, 1), 2, guard=1024, precision=precision, winograd="f4")


def refused(graph: Graph, change: Change, patch: pytest.MonkeyPatch, precision: Precision = "float32") -> str:
    """What the refusal says; empty where the plan is accepted, which then runs and does no harm."""
    try:
        plan = changed(graph, change, patch, precision)
    except PlanFault as fault:
        return str(fault)
    values = plan.run(any_values(graph, 2)).values
    assert plan.overrun_buffers() == []
    assert not np.isnan(values).any(), "something was read that nothing had written"
    return ""


# --- every parameter of every kernel -------------------------------------------------------------------------------

# Parameters that say what is computed and not where, or into how many parts it is cut
FREE = {
    "low", "high", "largest", "empty", "mode", "function", "slope", "size", "factor", "beta", "k", "eps", "fused",
    "next_weights",
}  # fmt: skip


def programs(low: Lowered) -> tuple[Program, Program]:
    return low.setup, low.program


def moved(value: Any, distance: int) -> Any:
    """A parameter a little wrong: of a table the first or last entry, of other arrays the length."""
    if isinstance(value, Ref):
        return value._replace(offset=value.offset + 4 * distance)
    if isinstance(value, int):
        return value + distance
    if isinstance(value, np.ndarray) and value.dtype in (np.float32, np.uint16):  # bfloat16
        return value[: -abs(distance)].copy()
    if isinstance(value, np.ndarray) and value.size:
        table = value.copy()
        place = -1 if distance > 0 else 0
        table.flat[place] = (
            moved(table.flat[place], distance) if table.dtype == object else table.flat[place] + distance
        )
        return table
    return None


def three_dimensions() -> Graph:
    """Maps of several planes and blocks."""
    network = Network(20, 3, 4, 5)
    network.add("conv", filters=40, kernel=(2, 3, 2), padding="same")
    network.add("maxpool", kernel=2, stride=1)
    network.add("lrn", size=3)
    network.add("layernorm")
    start = network.add("batchnorm")
    network.add("prelu")
    network.add("add", start, network.last)
    network.add("conv", filters=40, kernel=1)
    network.add("channel_shuffle", groups=4)
    network.add("softmax")
    network.add("flatten")
    return network.graph()


def networks() -> Iterator[tuple[Graph, tuple[bool, int] | None]]:
    """Each with how Winograd's method is forced, or None where it is not."""
    yield layers.many_kernels(), None
    yield three_dimensions(), None
    yield three_attentions(), None
    yield two_products(), None
    for how in layers.WINOGRADS:
        yield layers.two_of_winograd(), how


# What only ever makes a kernel do less within what it may touch: then it computes something else, but safely.
SAFE = {
    ("pack_weights", "group_filters"),  # filters of a group read its channels, whichever group that is
    ("lrn", "channels"),  # of a block that is there
    ("activate", "item_rows"),  # in place: rows left out are as they were
}


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_wrong_parameter_of_any_kernel_is_refused(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each address, stride, count and table is refused somewhere; and what is accepted does no harm."""
    monkeypatch.setattr(dense_lowering, "ITEM_NUMBERS", 64)  # so that weights are rounded in several parts
    wanted, found = set(), set()
    for graph, how in networks():
        if how is not None:
            layers.force_winograd(monkeypatch, *how)
        steps: list[tuple[int, int, Step]] = []

        def look(low: Lowered, steps: list[tuple[int, int, Step]] = steps) -> None:
            for which, own in enumerate(programs(low)):
                steps += [(which, place, step) for place, step in enumerate(own.steps)]

        changed(graph, look, monkeypatch, precision)
        for which, place, step in steps:
            if precision == "bf16" and step.kernel.element == 4 and step.kernel is not direct:
                continue  # the same as in float32
            for parameter, value in step.values.items():
                kind = (step.kernel.name.removesuffix("_bf16"), parameter)
                if parameter in FREE or kind in found | SAFE or moved(value, 1) is None:
                    continue
                if parameter.endswith("_record"):  # of a kernel that this one calls: below
                    continue
                wanted.add(kind)
                for distance in (1, -1, 16, -16, 100_000):

                    def change(
                        low: Lowered, at: tuple[Any, ...] = (which, place, parameter, distance)
                    ) -> None:
                        values = programs(low)[at[0]].steps[at[1]].values
                        values[at[2]] = moved(values[at[2]], at[3])

                    if refused(graph, change, monkeypatch, precision):
                        found.add(kind)
                        break
    assert wanted - found == set()


# --- tables, counts, spans, buffers --------------------------------------------------------------------------------


def small() -> Graph:
    """Convolutions of every form, on few pixels."""
    network = Network(3, 5, 4)
    network.add("conv", filters=20, kernel=3, padding=1)
    network.add("silu")
    start = network.add("conv", filters=56, kernel=(2, 3), padding="same")
    network.add("conv", filters=56, kernel=1)
    network.add("add", start, network.last)
    start = network.add("conv", filters=56, kernel=(3, 1), padding="same", groups=7)  # tiles of half a block
    network.add("conv", filters=56, kernel=(1, 2), padding="same", groups=7)
    network.add("add", start, network.last)
    network.add("conv", depthwise=True, kernel=3, stride=2, padding=1)
    network.add("gelu")
    network.add("deconv", filters=18, kernel=2, stride=2)
    network.add("maxpool", kernel=2)
    network.add("slice", start=1, stop=9)
    network.add("flatten")
    network.add("dense", units=5)
    return network.graph()


def entries(program: Program) -> Iterator[tuple[np.ndarray, int]]:
    """Every entry that leads somewhere of the tables that kernels read: of pixels, runs, taps, windows and tiles."""
    for array in program.keep:
        if isinstance(array, np.ndarray) and array.dtype == np.int32:
            yield from ((array, place) for place in range(_read(array)))
    for step in program.steps:
        for name, value in step.values.items():
            if name in (
                "depths",
                "heights",
                "widths",
            ):  # (start, stop, divisor): from a start too far, nothing is read
                yield from ((value, place) for place in range(1, value.size, 3))
            elif name == "tile_table":  # blocks only says whether a tile is one block wide
                free, columns = TileRow._fields.index("blocks"), len(TileRow._fields)
                yield from ((value, place) for place in range(value.size) if place % columns != free)
            elif isinstance(value, np.ndarray) and value.dtype == np.int32:
                yield from ((value, place) for place in range(_read(value)))


def _read(table: np.ndarray) -> int:
    """How many entries are read for certain: a table of pixels is continued by copies of its last entry."""
    continued = table.size > PIXELS and len(set(table[-PIXELS - 1 :].tolist())) == 1
    return table.size - PIXELS * continued


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_address_far_off_is_refused_in_every_entry_of_every_table(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    lows: list[Lowered] = []
    plan = changed(small(), lows.append, monkeypatch, precision)
    tried = 0
    for program, arena in zip(programs(lows[0]), (plan._setup_arena, plan._arena), strict=True):
        for table, place in islice(entries(program), 0, None, 1 if precision == "float32" else 3):
            right = table.flat[place]
            table.flat[place] = right + (1 << 16)
            with pytest.raises(PlanFault):
                link(program, arena, 2)
            table.flat[place] = right
            tried += 1
        link(program, arena, 2)
    assert tried > (200 if precision == "float32" else 70)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("inner", [sweep, narrow_sweep, finish], ids=["sweep", "narrow_sweep", "finish"])
def test_a_wrong_parameter_of_a_kernel_that_kernels_call_is_refused(
    inner: Kernel, precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    lows: list[Lowered] = []
    records: list[np.ndarray] = []
    make = Kernel.record

    def record_noted(kernel: Kernel, *arguments: Any) -> np.ndarray:
        made = make(kernel, *arguments)
        if kernel.name.removesuffix("_bf16") == inner.name:
            records.append(made)
        return made

    with monkeypatch.context() as patch:
        patch.setattr(Kernel, "record", record_noted)
        plan = changed(small(), lows.append, monkeypatch, precision)
    program = lows[0].program
    found = set()
    for record in records:
        for place, name in enumerate(inner.names):
            for distance in (4, -4, 64, -64, 1, -1, 1 << 20):
                right = record[place]
                record[place] = right + distance
                try:
                    link(program, plan._arena, 2)
                except PlanFault:
                    found.add(name)
                record[place] = right
    free = FREE | {"wide"} if precision == "float32" else FREE  # which is no wider than elements are
    assert set(inner.names) - found <= free


@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_item_too_few_is_refused(precision: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of a map that no item computes is read by a later step, or is the result."""
    graph = layers.many_kernels()
    steps: list[Step] = []
    changed(graph, lambda low: steps.extend(low.program.steps), monkeypatch, precision)
    accepted = set()
    for place, step in enumerate(steps):

        def change(low: Lowered, place: int = place) -> None:
            low.program.steps[place].items -= 1

        if not refused(graph, change, monkeypatch, precision):
            accepted.add(step.kernel.name.removesuffix("_bf16"))
    assert accepted <= {"activate", "combine"}  # which work in place


@pytest.mark.parametrize("precision", PRECISIONS)
def test_what_a_step_does_not_declare_is_refused(
    precision: Precision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a span, of what is read and of what is written."""
    graph = small()
    steps: list[Step] = []
    changed(graph, lambda low: steps.extend(low.program.steps), monkeypatch, precision)
    for place, step in enumerate(steps):
        for which in ("reads", "writes"):
            for number, span in enumerate(getattr(step, which)):

                def change(
                    low: Lowered,
                    at: tuple[int, str, int, int] = (
                        place,
                        which,
                        number,
                        (span.start + span.stop) // 128 * 64,
                    ),
                ) -> None:
                    step = low.program.steps[at[0]]
                    spans = list(getattr(step, at[1]))
                    spans[at[2]] = spans[at[2]]._replace(stop=at[3])
                    setattr(step, at[1], spans)

                others = [other for other in (*step.reads, *step.writes) if other.buffer is span.buffer]
                if step.kernel.name.removesuffix("_bf16") != "gather" and (
                    which == "writes" or len(others) == 1
                ):
                    assert refused(graph, change, monkeypatch, precision), (step.kernel.name, which)


def test_a_halo_that_nobody_zeroes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        halo = next(
            step for step in low.program.steps if step.zeroes and step.writes[0].buffer.name == "silu1"
        )
        halo.items = 0

    said = refused(small(), change, monkeypatch)
    assert said.startswith(
        "conv2: kernel direct → sweep: source with source_pixels[0] = 0, runs[0] = 0 reads bytes"
    )
    assert "of the buffer 'silu1', which no step has written" in said


def test_numbers_written_into_a_halo_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        step = next(step for step in low.program.steps if step.kernel.name == "direct")
        step.values["target"] = step.values["target"]._replace(offset=-64)

    assert "whose halo that is" in refused(small(), change, monkeypatch)


def test_buffers_that_share_memory_while_both_are_alive_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def share(low: Lowered) -> None:
        first, second = [buffer for buffer in low.program.buffers if buffer.name in ("silu1", "conv2")]
        monkeypatch.setattr(memory, "_lay_apart", lambda buffers, guard: lay(buffers, guard, first, second))

    def lay(buffers: Any, guard: int, first: Buffer, second: Buffer) -> int:
        size = apart(buffers, guard)
        second.place = first.place
        return size

    apart = memory._lay_apart
    said = refused(small(), share, monkeypatch)
    assert "the buffer 'silu1' and the buffer 'conv2' share memory while both are alive" in said


def test_a_buffer_used_after_its_life_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        next(buffer for buffer in low.program.buffers if buffer.name == "silu1").last -= 1

    assert "is used when it is not alive" in refused(small(), change, monkeypatch)


def test_too_little_scratch_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        low.program.scratch_bytes //= 2

    layers.force_winograd(monkeypatch, True)
    assert "a thread's scratch memory" in refused(layers.two_of_winograd(), change, monkeypatch)


def test_results_that_nothing_wrote_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        del low.program.steps[-1]

    assert "the result reads bytes 0 to 20" in refused(small(), change, monkeypatch)


def test_layers_outside_the_kernels_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(4, 5, 6)
    network.add("relu")
    network.add("upsample", scale=2, mode="bilinear")

    def change(low: Lowered) -> None:
        del low.program.steps[-1]

    assert "upsample1, outside the kernels, reads bytes" in refused(network.graph(), change, monkeypatch)


# --- when it is on -------------------------------------------------------------------------------------------------


def test_only_the_checked_mode_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fault that does no harm, as with guards no buffer shares its memory with another."""

    def change(low: Lowered) -> None:
        next(buffer for buffer in low.program.buffers if buffer.name == "silu1").last -= 1

    assert refused(small(), change, monkeypatch)
    for off in ("0", ""):
        monkeypatch.setenv("CONVCALC_CHECKED", off)
        assert not refused(small(), change, monkeypatch)


def test_a_fault_is_an_error_of_one_line_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(low: Lowered) -> None:
        low.program.steps[-1].values["features"] += 1

    first, second = refused(small(), change, monkeypatch).splitlines()
    # 8 channels of 3×2 pixels make 48 features: 5 rows of them are 960 bytes, and 5 of 49 are 980
    assert first == (
        "dense14: kernel dense: weights reads bytes 960 to 980 of the array 'weights', "
        "of which the step may use 0 to 960"
    )
    assert "--backend reference" in second
