"""Random weights drawn by the kernel have the bits of the plain loop, whoever draws and however many."""

from __future__ import annotations

import os
import sys
import threading
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import any_values, run_script

from convcalc.backends import numba, reference
from convcalc.backends.numba import drawing
from convcalc.backends.numba.drawing import Drawing, begin_drawing
from convcalc.backends.numba.jit.cache import Kernel
from convcalc.backends.numba.kernels.draw import DrawnTensor, draw
from convcalc.backends.numba.runtime.fault import PlanFault
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.backends.numba.runtime.linker import link
from convcalc.graph import Graph
from convcalc.language.load import load_graph
from convcalc.processes import forked
from convcalc.weights import drawn as drawn_weights
from convcalc.weights.drawn import Draw, DrawnNumbers
from convcalc.weights.initialise import he_normal
from convcalc.weights.load import random_weights


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


# Around registers, around the 1,248 numbers that 624 words give, and around many of these
COUNTS = (0, 1, 2, 3, 15, 16, 31, 32, 33, 623, 624, 625, 1247, 1248, 1249, 1279, 1281, 2496, 2497, 70_001)


def by_loop(entry: Draw, monkeypatch: pytest.MonkeyPatch) -> array[float]:
    """The numbers by the loop of plain Python."""
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "numpy")
        made = he_normal(entry.name, (entry.size,), entry.fan_in, entry.seed)
    assert isinstance(made, array)
    return made


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_bits_are_those_of_the_loop(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for kernel in drawing.NEEDED:
        assert kernel.address
    wanted = [Draw(f"conv{n}.weight", n, 1 + n % 7, 3 + n % 2) for n in COUNTS]
    numbers = DrawnNumbers(wanted)
    Drawing(numbers, threads).finish()
    assert not numbers.pending
    for place, entry in enumerate(wanted):
        own = memoryview(numbers[place])  # type: ignore[arg-type]
        assert (own.format, len(own)) == ("f", entry.size)
        assert own.tobytes() == by_loop(entry, monkeypatch).tobytes(), entry


def network(tmp_path: Path) -> Graph:
    (tmp_path / "net.yaml").write_text(
        "input: [3, 7, 5]\nlayers:\n  - conv: {filters: 21, kernel: 3, padding: 1}\n  - batchnorm\n  - relu\n"
        "  - deconv: {filters: 4, kernel: 2}\n  - flatten\n  - dense: 9\n"
    )
    return load_graph(str(tmp_path / "net.yaml"))


def test_a_plan_has_its_weights_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel alone draws, once, and everybody who asks for the weights gets what it drew."""
    graph = network(tmp_path)
    assert draw.address
    expected = [he_normal(e.name, (e.size,), e.fan_in, e.seed) for e in random_weights(graph, 4).drawn.wanted]  # type: ignore[union-attr]
    monkeypatch.setattr(drawn_weights, "_drawn", None)
    weights = random_weights(graph, 4)
    assert weights.drawn is not None
    plan = numba.prepare(graph, weights, 2)
    assert begin_drawing(weights, 2) is None
    assert numba.prepare(graph, weights, 1, precision="bf16").precision == "bf16"
    assert [memoryview(weights.drawn[place]).tolist() for place in range(3)] == [list(e) for e in expected]  # type: ignore[arg-type]
    assert weights.nodes[0]["weight"] is weights.drawn[0]
    values = any_values(graph, 3)
    wanted = reference.run(graph, weights, values, threads=1).values
    assert list(plan.run(values).values) == pytest.approx(list(wanted), rel=1e-5, abs=1e-5)


def test_without_the_kernel_on_the_disk_nobody_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is compiled with those that the network runs by, and the next process has it."""
    graph = network(tmp_path)
    weights = random_weights(graph)
    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(draw, "_address", 0)
        patch.setattr("convcalc.backends.numba.jit.cache._read", lambda *_: None)
        drawing = begin_drawing(weights, 2)
        assert drawing is not None
        drawing.finish()
        assert not draw.loaded
    assert weights.drawn is not None
    assert not weights.drawn.pending
    assert isinstance(weights.drawn[0], array), "not by the kernel"
    assert threading.active_count() == before, "beside a thread no process can be forked to compile"
    compiled: list[Kernel] = []
    monkeypatch.setattr(
        "convcalc.backends.numba.plan.compile_all", lambda kernels, *_: compiled.extend(kernels)
    )
    numba.prepare(graph, weights, 1)
    assert draw in compiled


def test_what_is_drawn_once_is_shared_by_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference backend draws before it forks."""
    graph = network(tmp_path)
    weights = random_weights(graph)
    assert weights.drawn is not None
    pending: list[bool] = []

    def fork(*arguments: object) -> object:
        pending.append(weights.drawn.pending)  # type: ignore[union-attr]
        return forked(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("convcalc.backends.reference.forked", fork)
    reference.run(graph, weights, any_values(graph, 3))
    assert pending == [False]


@pytest.mark.parametrize("distance", [1, -1, 16, 1 << 20])
@pytest.mark.parametrize("field", range(len(DrawnTensor._fields)), ids=DrawnTensor._fields)
def test_a_wrong_entry_is_refused(field: int, distance: int) -> None:
    """An address that is 4 · distance bytes off, a table that is shorter, a count that is larger or smaller."""
    assert draw.address
    made = Drawing(DrawnNumbers([Draw("a", 1_001, 9, 0), Draw("b", 35, 9, 0), Draw("c", 700, 4, 1)]), 2)
    made.finish()
    link(made._program, made._arena, 2)
    rows = made._program.steps[0].values["tensors"]
    assert isinstance(rows, np.ndarray)
    for row in rows:
        right = row[field]
        if isinstance(right, int):
            row[field] = right + distance
        elif isinstance(right, np.ndarray):
            row[field] = right[: -abs(distance)].copy() if abs(distance) < right.size else right[:1].copy()
        else:
            row[field] = right._replace(offset=right.offset + 4 * distance)
        with pytest.raises(PlanFault):
            link(made._program, made._arena, 2)
        row[field] = right


NARROW = """
import sys
sys.path.insert(0, sys.argv[1])
import pytest
import test_drawing as tests
with pytest.MonkeyPatch.context() as patch:
    tests.test_the_bits_are_those_of_the_loop(2, patch)
"""


@pytest.mark.parametrize("width", [4, 8])
def test_narrower_vectors(width: int) -> None:
    run_script(NARROW, {**os.environ, "CONVCALC_VECTOR": str(width)})
