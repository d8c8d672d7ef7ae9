"""A plan: everything about running a network that does not depend on the image, made once.

graph ── channels_first ── fuse ── find_moves ── choose ──── place ──── lower ──── link ──── drive
         rewritten         layers  what need     kernels     homes,     steps      arena,    threads
         graph                     not be made   and halos   halos                 table
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from threading import Lock
from time import perf_counter
from typing import NamedTuple

import numpy as np

from convcalc.backends import Compiling, InBfloat16, Precision, Run, Take, Values, Winograd, check_known
from convcalc.backends.numba.arrays.registry import has_arrays
from convcalc.backends.numba.jit.cache import Kernel, compile_all
from convcalc.backends.numba.jit.cache import notes as kernel_notes
from convcalc.backends.numba.jit.target import BFLOAT16
from convcalc.backends.numba.kernels.dense import dense
from convcalc.backends.numba.kernels.draw import draw
from convcalc.backends.numba.kernels.weights import copy_weights
from convcalc.backends.numba.layout import Array
from convcalc.backends.numba.lower.deconv import spreads_what_is_not_finite
from convcalc.backends.numba.lower.lowering import KeptValue
from convcalc.backends.numba.lower.operators import Lowered, lower
from convcalc.backends.numba.passes.algorithm import choose
from convcalc.backends.numba.passes.channel_moves import find_moves
from convcalc.backends.numba.passes.channels_first import Rewritten, channels_first
from convcalc.backends.numba.passes.fixed import fixed_nodes
from convcalc.backends.numba.passes.fusion import fuse
from convcalc.backends.numba.passes.placement import place
from convcalc.backends.numba.passes.traits import has_kernel
from convcalc.backends.numba.runtime.driver import drive, post, worker_loop
from convcalc.backends.numba.runtime.helpers import helpers
from convcalc.backends.numba.runtime.linker import link
from convcalc.backends.numba.runtime.program import Arena, ByteSpan, Program
from convcalc.backends.numba.runtime.step_table import StepTable
from convcalc.backends.reference import inputs_of
from convcalc.errors import ConvcalcError
from convcalc.graph import Graph, Output
from convcalc.ops import Tensor
from convcalc.processes import processors
from convcalc.shapes import Shape, show
from convcalc.weights.load import Weights


@dataclass(frozen=True)
class Work:
    """One step of a plan, for a profile: its node, kernel, MACs as the network counts them, bytes touched, seconds.

    kernel: `numpy` for what no kernel does.
    """

    node: int
    kernel: str
    macs: int
    bytes: int
    seconds: float


NOTHING = np.empty(0, np.float64)


class Times(NamedTuple):
    """How long a run's steps took: for each kernel step ticks of the processor's clock, of all threads together, which
    spent them on the step or waiting for it; seconds for each outside.

    taken: seconds in which the caller did something with the values that it was given.
    """

    ticks: Array
    outside: Array
    taken: float = 0.0

    def seconds(self, total: float) -> Array:
        """Seconds of each kernel step, of a run that took so many in all."""
        if self.outside.size:
            total = max(0.0, total - self.outside.sum())
        seconds: Array = self.ticks * (total / max(1, int(self.ticks.sum())))
        return seconds


class Plan:
    """A network ready to run, again and again; one run at a time.

    graph: the network as it was given; precision: the one asked for; in_bfloat16: what is really kept in bfloat16;
    kept: the nodes whose outputs a run can give away; notes: what a user should know, such as operators that run
    slowly; threads: how many are used.
    """

    def __init__(
        self,
        graph: Graph,
        rewritten: Rewritten,
        lowered: Lowered,
        threads: int,
        precision: Precision,
        guard: int,
        compiling: Compiling | None,
        kept: Sequence[int] = (),
        draws: bool = False,
    ) -> None:
        self.graph = graph
        self.precision = precision
        self.kept = tuple(kept)
        self.threads = threads
        self._program = lowered.program
        self._lock = Lock()
        kernels = _kernels((lowered.setup, lowered.program))
        kernels += [draw] if draws else []
        if [kernel for kernel in kernels if not kernel.load()]:
            helpers.stop()  # threads of an earlier plan, beside which no process can be forked to compile
        compile_all(kernels, compiling)
        self.in_bfloat16 = _in_bfloat16(kernels)
        self.notes = (*_notes(rewritten.graph, precision, self.in_bfloat16), *kernel_notes())
        self._setup_arena = Arena(lowered.setup, threads, guard)
        self._names = [node.name for node in rewritten.graph]
        link(lowered.setup, self._setup_arena, threads, self._names).run(0, len(lowered.setup.steps))
        # Weights that were laid out anew need not be kept as they came.
        self._lowered = lowered = replace(lowered, setup=Program())
        self._arena = Arena(lowered.program, threads, guard)
        for ref, numbers in lowered.fixed:
            self._arena.floats(ref, numbers.size)[:] = numbers.ravel()
        self._table = link(lowered.program, self._arena, threads, self._names)
        self._timed: StepTable | None = None
        self._step_nodes = np.array(
            [rewritten.origins[step.node] for step in lowered.program.steps], np.int64
        )
        self._outside_nodes = np.array(
            [rewritten.origins[step.node.index] for step in lowered.outside], np.int64
        )
        self._inputs = [
            self._arena.floats(place, prod(entry.shape))
            for place, entry in zip(lowered.inputs, graph.inputs, strict=True)
        ]
        self._outputs = [
            self._arena.floats(place, prod(graph.shape(output.node)))
            for place, output in zip(lowered.outputs, graph.outputs, strict=True)
        ]

    @property
    def element(self) -> int:
        """Bytes of an element of maps with pixels."""
        return self._lowered.element

    @property
    def weight_bytes(self) -> int:
        """Memory of weights laid out anew; in float32, dense layers use theirs as they are."""
        return self._setup_arena.size

    @property
    def activation_bytes(self) -> int:
        """Memory of everything between input and output."""
        return self._arena.size

    def run(self, values: Values, take: Take | None = None) -> Run:
        """The network's outputs for its input, flat and channels first, or for its inputs by name. take: is given the
        outputs of the nodes that are kept."""
        with self._lock:
            began = perf_counter()
            self._fill(values)
            times = self._walk(self._table, take)
            outputs = {
                output.name: _tensor(self.graph.shape(output.node), numbers)
                for output, numbers in zip(self.graph.outputs, self._outputs, strict=True)
            }
            seconds = perf_counter() - began - times.taken
            return Run(
                "numba", outputs, seconds, self._node_seconds(times, seconds), precision=self.precision,
                in_bfloat16=self.in_bfloat16,
            )  # fmt: skip

    def profile(self, values: Values, runs: int = 5) -> tuple[float, list[Work]]:
        """Seconds of the fastest of some runs in which every step waits for the one before; and its steps."""
        with self._lock:
            if self._timed is None:
                self._timed = link(self._program, self._arena, self.threads, self._names, barriers=True)
            self._fill(values)
            best = float("inf")
            for _ in range(runs):
                began = perf_counter()
                times = self._walk(self._timed)
                seconds = perf_counter() - began
                if seconds < best:
                    best, fastest = seconds, times
            return best, self._work(fastest, best)

    def _work(self, times: Times, seconds: float) -> list[Work]:
        """The steps of a run, those outside the kernels among them, in running order."""
        work = [
            Work(
                node,
                step.kernel.name,
                step.macs,
                step.weight_bytes + _bytes(*step.reads, *step.writes),
                own,
            )
            for step, node, own in zip(
                self._program.steps, self._step_nodes.tolist(), times.seconds(seconds).tolist(), strict=True
            )
        ]
        outside = zip(
            self._lowered.outside,
            self._program.outside,
            self._outside_nodes.tolist(),
            times.outside.tolist(),
            strict=True,
        )
        for step, spans, node, own in reversed(list(outside)):
            if isinstance(step, KeptValue):  # a copy for the caller
                continue
            macs = step.node.op.macs(step.node.input_shapes)
            work.insert(step.mark, Work(node, "numpy", macs, _bytes(*spans.reads, *spans.writes), own))
        return work

    def overrun_buffers(self) -> list[str]:
        """Buffers that something was written beside; only for a plan with guards."""
        return self._arena.overrun_buffers() + self._setup_arena.overrun_buffers()

    def _fill(self, values: Values) -> None:
        given = inputs_of(self.graph, values)
        for entry, value, numbers in zip(
            self.graph.inputs, self.graph.input_indices, self._inputs, strict=True
        ):
            own = given[value].values
            if len(own) != len(numbers):
                place = f"input {entry.name} of " if len(self._inputs) > 1 else ""
                raise ConvcalcError(
                    f"{place}{self.graph.name} takes {show(entry.shape)} = {len(numbers):,} numbers, not {len(own):,}"
                )
            numbers[:] = np.asarray(own, np.float32)

    def _walk(self, table: StepTable, take: Take | None = None) -> Times:
        place = 0
        ticks, outside = [], []
        taken = 0.0
        for step in self._lowered.outside:
            table.run(place, step.mark)
            ticks.append(table.ticks(place, step.mark))
            place = step.mark
            began = perf_counter()
            if isinstance(step, KeptValue):
                if take is not None:
                    take(
                        self.kept[step.position],
                        _tensor(step.shape, self._arena.floats(step.source, prod(step.shape))),
                    )
                taken += perf_counter() - began
                outside.append(0.0)
                continue
            inputs = [self._arena.floats(ref, prod(shape)).reshape(shape) for ref, shape in step.sources]
            count = prod(step.node.output_shape)
            with np.errstate(all="ignore"):  # as in the kernels, ∞ − ∞ is nothing to tell of
                self._arena.floats(step.target, count)[:] = np.ravel(step.function(inputs))
            outside.append(perf_counter() - began)
        table.run(place, len(self._program.steps))
        ticks.append(table.ticks(place, len(self._program.steps)))
        if not outside:  # most networks; joining nothing would take LeNet-5 a twentieth of its time
            return Times(ticks[0], NOTHING)
        return Times(np.concatenate(ticks), np.array(outside, np.float64), taken)

    def _node_seconds(self, times: Times, seconds: float) -> tuple[float, ...]:
        """The run's seconds for each node of the network; 0 where it was fused away."""
        kernels = np.bincount(self._step_nodes, times.seconds(seconds), len(self.graph))
        if times.outside.size:
            kernels = kernels + np.bincount(self._outside_nodes, times.outside, len(self.graph))
        return tuple(kernels.astype(np.float64).tolist())  # of nothing, counts are whole numbers


def _tensor(shape: Shape, numbers: Array) -> Tensor:
    """A copy of numbers of the arena."""
    values = array("f")
    values.frombytes(numbers.view(np.uint8).data)
    return Tensor(shape, values)


def _bytes(*spans: ByteSpan) -> int:
    return sum(span.stop - span.start for span in spans)


def prepare(
    graph: Graph,
    weights: Weights,
    threads: int | None = None,
    *,
    precision: Precision = "float32",
    winograd: Winograd | None = "auto",
    guard: int = 0,
    compiling: Compiling | None = None,
    kept: Sequence[int] = (),
) -> Plan:
    """A plan for a network. precision: in what maps and weights are kept. winograd: which of Winograd's methods may be
    used, None for none of them. guard: bytes of canaries around every buffer, for tests. kept: the nodes whose outputs
    a run can give away. To the passes they are outputs of the network, which nothing is fused over and no other value
    takes the place of.

    compiling is told (kernels done, in all, the next one's name) when kernels have to be compiled.
    """
    check_known(graph)
    count = threads or processors()
    outputs = (*graph.outputs, *(Output(graph.nodes[index].name, index) for index in kept))
    rewritten = channels_first(replace(graph, outputs=outputs) if kept else graph, has_kernel)
    own = tuple(weights.nodes[origin] for origin in rewritten.origins)
    fixed = fixed_nodes(rewritten.graph)
    outside = {
        node.index
        for node in rewritten.graph
        if node.index in fixed or not has_kernel(node) or spreads_what_is_not_finite(node, own[node.index])
    }
    fusion = fuse(rewritten.graph, outside)
    moves = find_moves(fusion)
    dense_element = 2 if precision == "bf16" else 4
    element = dense_element if BFLOAT16 else 4
    plans = choose(fusion, count, winograd, element)
    placement = place(fusion, moves, plans)
    lowered = lower(
        moves, plans, placement, replace(weights, nodes=own), count, element, dense_element, len(kept)
    )
    # The kernel that draws: where it was missing, the next process finds it.
    draws = weights.drawn is not None
    return Plan(graph, rewritten, lowered, count, precision, guard, compiling, kept, draws)


def _kernels(programs: Iterable[Program]) -> list[Kernel]:
    found: dict[Kernel, None] = dict.fromkeys((drive, worker_loop, post))
    for program in programs:
        for step in program.steps:
            for value in (step.kernel, *step.values.values()):
                if isinstance(value, Kernel):
                    found[value] = None
    return list(found)


def _in_bfloat16(kernels: Iterable[Kernel]) -> InBfloat16:
    """What the kernels of a plan keep in bfloat16, by those that compute with such elements."""
    of_bfloat16 = {kernel for kernel in kernels if kernel.element == 2}
    if of_bfloat16 - {dense.bfloat16, copy_weights.bfloat16}:
        return "maps and weights"
    return "dense weights" if of_bfloat16 else "nothing"


def _notes(graph: Graph, precision: Precision, in_bfloat16: InBfloat16) -> tuple[str, ...]:
    notes = []
    if precision == "bf16" and not BFLOAT16:
        kept = "only the weights of dense layers are kept in it, everything else in float32"
        if in_bfloat16 == "nothing":
            kept = "only weights of dense layers would be kept in it, and this network has none that kernels compute"
        notes.append(f"this processor has no dot product of bfloat16 (avx512_bf16): {kept}")
    slow = sorted({node.kind for node in graph if not has_kernel(node) and not has_arrays(node)})
    if slow:
        notes.append(f"{', '.join(slow)}: no fast kernel here, computed as the reference backend does")
    return tuple(notes)
