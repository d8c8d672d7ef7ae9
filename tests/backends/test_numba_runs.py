"""Runs of the Numba backend: threads and their helpers, several plans, wrong use, and the cache of compiled kernels."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from numba_support import Network, any_inputs, any_values, any_weights, assert_close

from convcalc.backends import numba as backend
from convcalc.backends import reference
from convcalc.backends.numba import plan as planning
from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.profile import Peaks, Profile, Rate, Row, profile_network
from convcalc.backends.numba.runtime import driver
from convcalc.backends.numba.runtime.helpers import helpers, other_processors
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.errors import ConvcalcError
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights

ROOT = Path(__file__).parent.parent.parent
HERE = Path(__file__).parent


@pytest.fixture(scope="module", autouse=True)
def no_threads_left() -> Iterator[None]:
    """Other tests fork, which a process with threads should not."""
    yield
    helpers.stop()


# --- threads, batches, wrong use -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_every_run_gives_the_same_bits(threads: int) -> None:
    graph = load_graph("googlenet", input_shape=(3, 64, 64))
    weights, values = random_weights(graph, 1), any_values(graph, 1)
    plan = prepare(graph, weights, threads)
    first = plan.run(values).values
    assert all(plan.run(values).values == first for _ in range(20))
    assert prepare(graph, weights, threads).run(values).values == first


def test_fewer_items_than_threads_and_shares_that_do_not_come_out_even() -> None:
    network = Network(37)
    for units in (7 * 16, 16, 5):  # items of 16 units: 7, 1 and 1
        network.add("dense", units=units)
    graph = network.graph()
    weights, values = any_weights(graph, 1), any_values(graph, 2)
    wanted = prepare(graph, weights, 1).run(values).values
    assert_close(wanted, reference.run(graph, weights, values, threads=1).values)
    for threads in (2, 3, 6, 11):
        assert prepare(graph, weights, threads).run(values).values == wanted


def test_two_plans_at_once() -> None:
    graph = load_graph("resnet18", input_shape=(3, 64, 64))
    weights, values = random_weights(graph, 1), any_values(graph, 1)
    wanted = prepare(graph, weights, 2).run(values).values
    results: list[bool] = []

    def work() -> None:
        plan = prepare(graph, weights, 2)
        results.extend(plan.run(values).values == wanted for _ in range(20))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 60


def test_helpers_sleep_wake_and_end() -> None:
    graph = load_graph("lenet5")
    weights, values = random_weights(graph, 1), any_values(graph, 1)
    plan = prepare(graph, weights, 3)
    wanted = plan.run(values).values
    for pause in (0, 0.0002, 0.001, 0.003, 0.02):  # seconds: while helpers look, as they fall asleep, asleep
        for _ in range(20):
            time.sleep(pause)
            assert plan.run(values).values == wanted
    helpers.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "convcalc"]
    assert plan.run(values).values == wanted


def test_a_helper_wakes_on_another_processor() -> None:
    """The system may put a thread where its waker is, and the two would take turns."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(allowed) < 2:  # nowhere to move to
        assert other_processors() == frozenset()
        return
    here = min(allowed)
    network = Network(16, 9, 8)
    network.add("conv", filters=24, kernel=3)
    plan = prepare(network.graph(), any_weights(network.graph(), 1), 2)
    try:
        os.sched_setaffinity(0, {here})
        assert other_processors() == frozenset()  # no other one is allowed
        os.sched_setaffinity(0, allowed)
        helpers.stop()
        for _ in range(3):
            plan.run(any_values(network.graph(), 1))
            time.sleep(0.02)  # until it sleeps
        (helper,) = helpers._helpers
        may = os.sched_getaffinity(helper._thread.native_id or 0)
        assert may < allowed
        assert len(may) == len(allowed) - 1
        assert os.sched_getaffinity(0) == allowed  # the caller is left where it was
    finally:
        os.sched_setaffinity(0, allowed)
        helpers.stop()


def test_helpers_let_go_of_a_plan() -> None:
    graph = load_graph("lenet5")
    weights, values = random_weights(graph, 1), any_values(graph, 1)
    plan = prepare(graph, weights, 2)
    plan.run(values)
    gone = weakref.ref(plan)
    table = weakref.ref(plan._table)
    del plan
    other = prepare(graph, weights, 2)
    deadline = time.monotonic() + 10
    while (gone() or table()) and time.monotonic() < deadline:
        other.run(values)  # a helper that came too late lets go at the next run
        gc.collect()
    assert gone() is None
    assert table() is None


def test_run_reports_as_the_reference_does() -> None:
    graph = load_graph("lenet5")
    done: dict[str, int] = {}
    run = backend.run(
        graph, random_weights(graph, 1), any_values(graph, 1), threads=1,
        progress=lambda node, macs: done.__setitem__(node.name, macs),
    )  # fmt: skip
    assert run.backend == "numba"
    assert run.shape == graph.output_shape
    assert len(run.node_seconds) == len(graph)
    assert sum(run.node_seconds) <= run.seconds * 1.01
    assert done == {node.name: node.op.macs(node.input_shapes) for node in graph}


def test_an_input_of_another_size_is_refused() -> None:
    graph = load_graph("lenet5")
    with pytest.raises(ConvcalcError, match="numbers, not 3"):
        prepare(graph, random_weights(graph, 1), 1).run([1.0, 2.0, 3.0])


def test_a_profile_names_every_layer_that_multiplies() -> None:
    graph = load_graph("resnet18", input_shape=(3, 64, 64))
    profile = profile_network(graph, random_weights(graph, 1), any_values(graph, 1), threads=1, runs=2)
    assert sum(row.macs for row in profile.rows) == sum(node.op.macs(node.input_shapes) for node in graph)
    assert all(row.seconds >= 0 and row.bytes > 0 for row in profile.rows)
    assert profile.peak_flops > 0
    assert profile.peak_bytes > 0
    assert profile.seconds > 0


def test_a_step_takes_the_time_of_all_threads() -> None:
    """A helper is at the first of two steps when thread 0 arrives, which then waits for it: both times are the first
    step's."""
    begun = threading.Event()

    def work(milliseconds: int, *_: int) -> None:
        begun.set()
        time.sleep(milliseconds / 1000)

    kernel = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(work)
    address = ctypes.cast(kernel, ctypes.c_void_p).value or 0
    table = StepTable([driver.StepRow(address, 200, 1, 0), driver.StepRow(address, 20, 1, 1)], kernel, 2)
    walk = driver.native(driver.drive)
    helper = threading.Thread(target=walk, args=(table.address, 1, 0, 2))
    helper.start()
    assert begun.wait(10)
    walk(table.address, 0, 0, 2)
    helper.join()
    first, second = table.ticks(0, 2)
    assert first > 3 * second > 0  # some 400 and 40 ms


def test_what_no_kernel_computes_has_its_own_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between kernels, and twice in a row at the end, by a clock that only these advance, by a second each."""
    network = Network(20, 9, 7)
    network.add("conv", filters=17, kernel=3)
    slow = network.add("exp")
    network.add("conv", filters=20, kernel=1)
    last = [network.add("exp"), network.add("exp")]
    graph = network.graph()
    plan = prepare(graph, any_weights(graph, 1), 2)
    now = [0.0]
    monkeypatch.setattr(planning, "perf_counter", lambda: now[0])
    for step in plan._lowered.outside:
        function = step.function

        def advancing(inputs: Any, function: Any = function) -> Any:
            now[0] += 1.0
            return function(inputs)

        object.__setattr__(step, "function", advancing)
    run = plan.run(any_values(graph, 2))
    wanted = [float(node in (slow, *last)) for node in range(len(graph))]
    assert (run.seconds, list(run.node_seconds)) == (3.0, wanted)
    seconds, work = plan.profile(any_values(graph, 2), 2)
    assert [step.node for step in work if step.kernel == "numpy"] == [slow, *last]
    assert [step.node for step in work] == sorted(step.node for step in work)
    assert all(step.seconds == float(step.kernel == "numpy") for step in work)
    assert seconds == 3.0


@pytest.mark.parametrize("threads", [1, 2])
def test_no_layer_is_above_its_roof(threads: int) -> None:
    """Small layers stay in the cache, where memory's rate is no roof; Winograd's have none."""
    for name, size in (("lenet5", 32), ("torchvision/squeezenet1_1", 64), ("resnet18", 64)):
        graph = load_graph(name, input_shape=str(size))
        profile = profile_network(
            graph, random_weights(graph, 1), any_values(graph, 1), threads=threads, runs=2
        )
        assert {row.name for row in profile.rows if row.macs} == {
            node.name for node in graph if node.op.macs(node.input_shapes)
        }
        for row in profile.rows:
            share = profile.share(row)
            assert (share is None) == any("winograd" in kernel for kernel in row.kernels)
            assert share is None or 0 <= share <= 1


def test_the_roof_is_that_of_the_cache_a_layer_fits_into() -> None:
    peaks = Peaks(100e9, (Rate(1_000, 80e9), Rate(10_000, 40e9), Rate(1_000_000, 10e9)))
    assert [peaks.rate(size).bytes_per_second for size in (10, 1_000, 9_999, 10_000, 5_000_000)] == [
        80e9, 80e9, 80e9, 40e9, 10e9,
    ]  # fmt: skip
    row = Row("small", "dense", ("dense",), seconds=1e-6, macs=15_000, bytes=60_000)  # 60 GB/s, 30 GFLOP/s
    assert Profile((row,), 1e-6, 1, peaks).share(row) == pytest.approx(30e9 / 20e9)  # ½ FLOP/byte · 40 GB/s
    raised = Profile((row,), 1e-6, 1, peaks.raised([row]))
    assert raised.share(row) == pytest.approx(1.0)
    assert raised.peaks.rates == (Rate(1_000, 80e9), Rate(10_000, 60e9), Rate(1_000_000, 10e9))
    tiles = Row("tiles", "conv", ("winograd_input6", "winograd6"), seconds=1e-6, macs=400_000, bytes=60_000)
    assert Profile((tiles,), 1e-6, 1, peaks).share(tiles) is None


# --- the cache of compiled kernels ---------------------------------------------------------------------------------

SCRIPT = """
import sys
from convcalc.backends.numba.plan import prepare
from convcalc.backends.numba.profile import Peaks, Profile, Rate, Row
from convcalc.language.load import load_graph
from convcalc.weights.load import random_weights
graph = load_graph("lenet5")
said = []
plan = prepare(graph, random_weights(graph, 1), 1, compiling=lambda *state: said.append(state))
print(len(said), sum(plan.run([0.5] * 1024).values), "numba" in sys.modules)
"""


def start(cache: Path, *arguments: str, script: str = SCRIPT, **extra: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "CONVCALC_CACHE": str(cache), **extra}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment,
    )  # fmt: skip


def finish(process: subprocess.Popen[str]) -> list[str]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


def test_two_processes_may_compile_at_once_and_a_third_need_not(tmp_path: Path) -> None:
    both = [start(tmp_path / "cache") for _ in range(2)]
    first, second = (finish(process) for process in both)
    assert int(first[0]) > 1
    third = finish(start(tmp_path / "cache"))
    assert third[0] == "0"
    assert third[2] == "False", "Numba is only for compiling"
    assert first[1] == second[1] == third[1]
    files = list((tmp_path / "cache").rglob("*.kernel"))
    symbols = [json.loads(file.read_bytes().partition(b"\n")[0])["symbol"] for file in files]
    assert symbols == [f"convcalc.{file.stem}" for file in files], (
        "as they are loaded together, whoever made them"
    )
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    damaged = finish(start(tmp_path / "cache"))
    assert damaged[1] == third[1]


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    assert int(finish(start(tmp_path / "file" / "cache"))[0]) > 1


NARROW = """
import sys
sys.path.insert(0, sys.argv[1])
import test_numba as tests
from numba_support import by_chance, compare
for seed in range(25):
    compare(by_chance(tests.any_conv, seed), seed)
makers = (tests.any_narrow, tests.any_grouped, tests.any_depthwise, tests.any_excitation, tests.any_deconv)
for make in (*makers, tests.any_pool):
    for seed in range(6):
        compare(by_chance(make, seed), seed)
for kind, shape, fields in tests.CASES:
    network = tests.Network(*shape)
    network.add(kind, **fields)
    compare(network.graph())
tests.choice._winograd_cycles = lambda *_: 0.0
for seed in range(4):
    network = tests.Network(33, 11, 9 + seed)
    network.add("conv", filters=40, kernel=5 if seed == 3 else 3, padding=1)
    for winograd in ("f2", "f4"):
        compare(network.graph(), close=3e-5, winograd=winograd)
"""


@pytest.mark.parametrize("width", [4, 8])
def test_narrower_vectors(width: int, tmp_path: Path) -> None:
    finish(start(tmp_path, str(HERE), script=NARROW, CONVCALC_VECTOR=str(width)))


SIAMESE = """\
name: pair
inputs: {left: [3, 9, 7], right: [3, 9, 7], features: [5]}
outputs: {left_map: conv1, sum: add1, features: copy, again: conv1}
layers:
  - identity: {name: copy, from: features}
  - conv: {from: left, filters: 20, kernel: 3, padding: [[1, 1], [2, 0]]}
  - relu
  - conv: {name: other, from: right, filters: 20, kernel: 3, padding: [[1, 1], [2, 0]], share: conv1}
  - add: {from: [other, relu1]}
  - relu
"""


def test_several_inputs_and_outputs_of_a_spec(tmp_path: Path) -> None:
    """An output that an activation reads, one that is a copy of an input, one twice; the last layer is none of them."""
    path = tmp_path / "pair.yaml"
    path.write_text(SIAMESE)
    graph = load_graph(str(path))
    weights, values = random_weights(graph), any_inputs(graph, 3)
    wanted = reference.run(graph, weights, {name: list(numbers) for name, numbers in values.items()})
    got = prepare(graph, weights, 2).run(values)
    assert list(got.outputs) == ["left_map", "sum", "features", "again"]
    for name, (shape, numbers) in got.outputs.items():
        assert shape == wanted.outputs[name].shape
        assert_close(numbers, wanted.outputs[name].values)
    assert min(got.outputs["left_map"].values) < 0  # not overwritten by the relu that reads it
    assert list(got.outputs["features"].values) == list(values["features"])
    assert (got.shape, list(got.values)) == ((20, 9, 7), list(got.outputs["left_map"].values))


def test_an_input_of_another_size_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pair.yaml"
    path.write_text(SIAMESE)
    graph = load_graph(str(path))
    values = any_inputs(graph, 3)
    plan = prepare(graph, random_weights(graph), 1)
    with pytest.raises(ConvcalcError, match=r"input features of pair takes 5 = 5 numbers, not 4"):
        plan.run({**values, "features": values["features"][:4]})
    with pytest.raises(ConvcalcError, match="left, right, features"):
        plan.run(values["left"])


def test_a_profile_counts_every_layer_that_an_output_needs(tmp_path: Path) -> None:
    path = tmp_path / "pair.yaml"
    path.write_text(SIAMESE)
    graph = load_graph(str(path))
    plan = prepare(graph, random_weights(graph), 2)
    work = plan.profile(any_inputs(graph, 3), 1)[1]
    assert {step.node: step.macs for step in work if step.macs} == {1: 20 * 27 * 63, 3: 20 * 27 * 63}
