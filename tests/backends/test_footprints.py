"""What kernels say they touch is what they touch: every byte, and no other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import test_numba as layers
from numba_support import Network, any_values, any_weights, by_chance
from traced import Log, kernels, traced

from convcalc.backends.numba.jit.footprint import Access, Call
from convcalc.backends.numba.jit.ranges import NOTHING, Ranges, lattice
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.runtime import linker
from convcalc.backends.numba.runtime.checked import Checker
from convcalc.graph import Graph


class Recorder(Checker):
    """A check that keeps what each step declares."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.declared: list[list[Access]] = []

    def access(self, call: Call, access: Access) -> None:
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


def run_traced(graph: Graph, log: Log) -> list[tuple[str, Touched, Touched]]:
    """For each step of a network's setup and of one run: its kernel, and the bytes it reads and writes, as declared
    and as touched."""
    recorders: list[Recorder] = []
    touched: dict[int, list[Touched]] = {}

    def check(*arguments: Any) -> None:
        recorders.append(Recorder(*arguments))
        recorders[-1].run()

    def run(table: linker.Table, first: int, stop: int) -> None:
        for step in range(first, stop):
            log.take()
            walk(table, step, step + 1)
            touched.setdefault(id(table), []).append(log.take())

    with pytest.MonkeyPatch.context() as patch:
        walk = linker.Table.run
        patch.setenv("CONVCALC_CHECKED", "1")
        patch.setattr(linker, "check", check)
        patch.setattr(linker.Table, "run", run)
        plan: Plan = prepare(graph, any_weights(graph, 1), 1)
        plan.run(any_values(graph, 2))
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


def assert_exact(graph: Graph, log: Log) -> set[str]:
    """The kernels that were tried."""
    steps = run_traced(graph, log)
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
    "depthwise": layers.any_depthwise,
    "deconv": layers.any_deconv,
    "pool": layers.any_pool,
}


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", MAKERS)
def test_generated_layers(kind: str, seed: int, log: Log) -> None:
    assert_exact(by_chance(MAKERS[kind], seed, 300_000), log)


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
    assert_exact(network.graph(), log)
    if len(shape) == 3:
        network = Network(24, *shape[1:])
        network.add("conv", filters=shape[0], kernel=1)
        network.add(kind, **fields)
        if len(network.builder.shape(network.last)) > 1:
            network.add("conv", filters=17, kernel=1, padding=1)
        assert_exact(network.graph(), log)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_winograd(seed: int, fused: bool, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    layers.force_winograd(monkeypatch, fused)
    graph = by_chance(layers.any_winograd, seed, 3_000_000)
    assert "winograd" in assert_exact(graph, log)


@pytest.mark.parametrize("seed", range(8))
def test_moves_and_joins(seed: int, log: Log) -> None:
    assert_exact(layers.moves_of_moves(seed), log)


def test_every_kernel_is_tried(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that others call, `sweep` and `finish`, are tried with these."""
    found = assert_exact(layers.many_kernels(), log)
    for fused in (False, True):
        layers.force_winograd(monkeypatch, fused)
        found |= assert_exact(layers.two_of_winograd(), log)
    assert found == set(kernels()) - {"sweep", "finish"}
