"""What kernels say they touch is what they touch: every byte, and no other."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import test_numba as layers
from attention_networks import any_attention, three_attentions
from matmul_networks import any_matmul, two_products
from numba_support import Network, any_values, any_weights, by_chance, run_script
from traced import Log, kernels, traced

from convcalc.backends import PRECISIONS, Precision, Winograd
from convcalc.backends.numba.drawing import Drawing
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.jit.footprint import Access, KernelCall
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges, lattice
from convcalc.backends.numba.kernels.draw import draw
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime import driver, linker
from convcalc.backends.numba.runtime.checked import Checker
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.graph import Graph
from convcalc.weights.drawn import Draw, DrawnNumbers


class Recorder(Checker):
    """A check that keeps what each step declares."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.declared: list[list[Access]] = []

    def access(self, call: KernelCall, access: Access) -> None:
        super().access(call, access)
        self.declared[-1].append(access)

    def _step(self, linked: Any) -> None:
        self.declared.append([])
        super()._step(linked)

    def _drive(self) -> None:
        self.declared.append([])
        super()._drive()
        self.declared.pop()  # the driver's own, which is no step


@pytest.fixture(scope="module")
def log() -> Iterator[Log]:
    with traced() as log:
        yield log


Touched = tuple[Ranges, Ranges]


def run_traced(log: Log, compute: Callable[[], object]) -> list[tuple[str, Touched, Touched]]:
    """For each step of what is computed: its kernel, and the bytes it reads and writes, as declared and as touched."""
    recorders: list[Recorder] = []
    touched: dict[int, list[Touched]] = {}

    def check(*arguments: Any) -> None:
        recorders.append(Recorder(*arguments))
        recorders[-1].run()

    def complete(table: linker.StepTable, first: int, stop: int) -> None:
        for step in range(first, stop):
            log.take()
            walk(table, step, step + 1)
            touched.setdefault(id(table), []).append(log.take())

    with pytest.MonkeyPatch.context() as patch:
        walk = linker.StepTable.complete
        patch.setenv("CONVCALC_CHECKED", "1")
        patch.setattr(linker, "check", check)
        patch.setattr(linker.StepTable, "complete", complete)
        compute()
    found = []
    for recorder in recorders:
        steps = zip(recorder._linked, recorder.declared, touched.get(id(recorder._table), []), strict=True)
        for linked, accesses, real in steps:
            start = linked.record.ctypes.data
            reads, writes = Ranges.of(start, start + linked.record.nbytes), NOTHING
            for access in accesses:
                if access.empty:
                    continue
                bytes_there = lattice(access.size, [axis.offsets for axis in access.axes]).moved(access.base)
                if access.writes:
                    writes |= bytes_there
                else:
                    reads |= bytes_there
            found.append((linked.step.kernel.name, (reads, writes), real))

    return found


def assert_exact(
    graph: Graph, log: Log, precision: Precision = "float32", winograd: Winograd = "auto"
) -> set[str]:
    """The kernels that were tried, in a network's setup and one run."""

    def compute() -> None:
        plan: Plan = prepare(graph, any_weights(graph, 1), 1, precision=precision, winograd=winograd)
        plan.run(any_values(graph, 2))

    return assert_all_exact(log, compute)


def assert_all_exact(log: Log, compute: Callable[[], object]) -> set[str]:
    """The kernels of what is computed."""
    steps = run_traced(log, compute)
    for name, declared, real in steps:
        for what, said, done in zip(("reads", "writes"), declared, real, strict=True):
            hidden, idle = done.first_outside(said), said.first_outside(done)
            assert hidden is None, f"{name} {what} {hidden}, which it does not say"
            assert idle is None, f"{name} says that it {what} {idle}, and does not"
    return {name for name, _, _ in steps}


def test_every_kernel_declares_what_it_touches() -> None:
    assert [kernel.name for kernel in kernels().values() if kernel.touches is None] == []


MAKERS = {
    "conv": layers.any_conv,
    "narrow": layers.any_narrow,
    "grouped": layers.any_grouped,
    "depthwise": layers.any_depthwise,
    "excitation": layers.any_excitation,
    "deconv": layers.any_deconv,
    "pool": layers.any_pool,
    "attention": any_attention,
    "matmul": any_matmul,
}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", MAKERS)
def test_generated_layers(kind: str, seed: int, log: Log) -> None:
    graph = by_chance(MAKERS[kind], seed, 300_000)
    assert_exact(graph, log)
    if seed % 3 == 0:
        assert_exact(graph, log, "bf16")


@pytest.mark.parametrize(
    ("kind", "shape", "fields"),
    layers.CASES,
    ids=[f"{case[0]}-{place}" for place, case in enumerate(layers.CASES)],
)
def test_every_operator(
    kind: str, shape: tuple[int, ...], fields: dict[str, Any], log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = Network(*shape)
    network.add(kind, **fields)
    for precision in PRECISIONS:
        assert_exact(network.graph(), log, precision)
    if len(shape) == 3:
        network = Network(24, *shape[1:])
        network.add("conv", filters=shape[0], kernel=1)
        network.add(kind, **fields)
        if len(network.builder.shape(network.last)) > 1:
            network.add("conv", filters=17, kernel=1, padding=1)
        for precision in PRECISIONS:
            assert_exact(network.graph(), log, precision)


@pytest.mark.parametrize("outputs", [2, 4])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_winograd(seed: int, fused: bool, outputs: int, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    layers.force_winograd(monkeypatch, fused, outputs)
    graph = by_chance(layers.any_winograd, seed, 3_000_000)
    assert assert_exact(graph, log) & {"winograd4", "winograd6"}
    assert assert_exact(graph, log, "bf16", "f4") & {"winograd4_bf16", "winograd6_bf16"}


@pytest.mark.parametrize("seed", range(8))
def test_moves_and_joins(seed: int, log: Log) -> None:
    for precision in PRECISIONS:
        assert_exact(layers.moves_of_moves(seed), log, precision)


def random_numbers() -> None:
    """So many that each number of a table is drawn, which all but certainly takes a million and a half."""
    assert draw.address
    Drawing(DrawnNumbers([Draw(name, 1_500_017, 9, 1) for name in "ab"]), 1).finish()


@pytest.mark.parametrize("count", [0, 1, 30, 31, 32, 1247, 1248, 1249, 5001])
def test_few_random_numbers(count: int, log: Log) -> None:
    """Of the table no more than is declared is read."""
    assert draw.address
    steps = run_traced(log, lambda: Drawing(DrawnNumbers([Draw("a", count, 9, 1)]), 1).finish())
    ((_, (may_read, writes), (reads, written)),) = steps
    assert reads.first_outside(may_read) is None
    assert writes.first_outside(written) is None
    assert written.first_outside(writes) is None


UNUSED = {"copy_weights", "grouped16", "grouped16_by2"}  # which have nothing to do in float32


def test_every_kernel_is_tried(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that others call, both sweeps and `finish`, are tried with these."""
    found: set[str] = set()
    for precision in PRECISIONS:
        for graph in (layers.many_kernels(), layers.many_groups(), three_attentions(), two_products()):
            found |= assert_exact(graph, log, precision)
    for fused, outputs in layers.WINOGRADS:
        layers.force_winograd(monkeypatch, fused, outputs)
        for precision in PRECISIONS:
            found |= assert_exact(layers.two_of_winograd(), log, precision, "f4")
    found |= assert_all_exact(log, random_numbers)
    inner = {f"{name}{ending}" for name in ("sweep", "narrow_sweep", "finish") for ending in ("", "_bf16")}
    assert found == set(kernels()) - inner - UNUSED


# --- the driver's own ----------------------------------------------------------------------------------------------


class Notes:
    """Takes note of what a footprint says of arguments and records that are all addresses."""

    def __init__(self) -> None:
        self.reads, self.writes = NOTHING, NOTHING

    def access(self, call: KernelCall, access: Access) -> None:
        places = lattice(access.size, [axis.offsets for axis in access.axes]).moved(access.base)
        if access.writes:
            self.writes |= places
        else:
            self.reads |= places


def said_and_done(
    kernel: Kernel, log: Log, record: np.ndarray | None, *arguments: int
) -> tuple[Ranges, Ranges]:
    """The bytes that a kernel of the driver is said to touch, and those it does when it is called with arguments."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "_address", 0)
        native = driver._PROTOTYPE(kernel.address)
    names = kernel.arguments if record is None else ("record", *kernel.arguments)
    values = dict(zip(names, arguments, strict=True))
    notes = Notes()
    said = NOTHING
    if record is not None:
        values |= dict(zip(kernel.names, record.tolist(), strict=True))
        said = Ranges.of(record.ctypes.data, record.ctypes.data + record.nbytes)
    assert kernel.touches is not None
    kernel.touches(KernelCall(kernel, values, notes))  # type: ignore[arg-type]
    log.take()
    native(*arguments)
    done = log.take()
    return said | notes.reads | notes.writes, done[0] | done[1]


def assert_alike(said: Ranges, done: Ranges) -> None:
    assert done.first_outside(said) is None
    assert said.first_outside(done) is None


def test_walking_a_table(log: Log) -> None:
    """Three steps of nothing, by one thread and the counters of two."""
    nothing = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(lambda *_: None)
    function = ctypes.cast(nothing, ctypes.c_void_p).value or 0
    table = StepTable([driver.StepRow(function, 0, items, 0) for items in (3, 1, 2)], nothing, 2)
    assert_alike(*said_and_done(driver.drive, log, table.record, table.address, 0, 0, 3))


def test_telling_a_helper_and_its_end(log: Log) -> None:
    slot, answer = np.zeros(driver.SLOT, np.int64), np.zeros(1, np.int64)
    slot[0] = driver.WAITING
    said, done = said_and_done(driver.post, log, None, slot.ctypes.data, driver.ENDED, answer.ctypes.data, 0)
    assert_alike(said, done)
    assert (slot[0], answer[0]) == (driver.ENDED, driver.WAITING)
    said, done = said_and_done(driver.worker_loop, log, None, slot.ctypes.data, 0, 0, 0)
    assert done.first_outside(said) is None  # it ended at once


NARROW = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
import test_footprints as tests
from test_footprints import MAKERS, assert_exact, by_chance, layers, traced
with traced() as log, pytest.MonkeyPatch.context() as patch:
    for precision in tests.PRECISIONS:
        for make in MAKERS.values():
            for seed in range(6 if precision == "float32" else 3):
                assert_exact(by_chance(make, seed, 300_000), log, precision)
        for graph in (layers.many_kernels(), layers.many_groups(), tests.three_attentions(), tests.two_products()):
            assert_exact(graph, log, precision)
    for fused, outputs in layers.WINOGRADS:
        layers.force_winograd(patch, fused, outputs)
        for precision in tests.PRECISIONS:
            assert_exact(layers.two_of_winograd(), log, precision, "f4")
    tests.assert_all_exact(log, tests.random_numbers)
"""


@pytest.mark.parametrize("width", [4, 8])
def test_narrower_vectors(width: int) -> None:
    run_script(NARROW, {**os.environ, "CONVCALC_VECTOR": str(width)}, timeout=1200)
