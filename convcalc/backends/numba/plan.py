"""A plan: everything about running a network that does not depend on the image, made once.

graph + weights ── fusion ── storage ── lowering ── program ── arena ── table ── driver
                   layers    homes,     steps       order,     memory   rows     threads
                             halos                  lifetimes
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from threading import Lock
from time import perf_counter

import numpy as np

from convcalc.backends import Compiling, Run
from convcalc.backends.numba.arrays.registry import array_function, has_arrays
from convcalc.backends.numba.jit.cache import Kernel, compile_all
from convcalc.backends.numba.jit.cache import notes as kernel_notes
from convcalc.backends.numba.layout import triple
from convcalc.backends.numba.lower.conv import lower_conv, lower_dense
from convcalc.backends.numba.lower.deconv import deconv_halo, lower_deconv
from convcalc.backends.numba.lower.fallback import is_host, spreads_what_is_no_number
from convcalc.backends.numba.lower.lowering import Lowering
from convcalc.backends.numba.lower.maps import (
    lower_across,
    lower_activation,
    lower_add,
    lower_affine,
    lower_concat,
    lower_flatten,
    lower_lrn,
    lower_move,
    lower_multiply,
    lower_pool,
    lower_transpose,
)
from convcalc.backends.numba.passes.channels_first import channels_first
from convcalc.backends.numba.passes.fusion import PASSING, Layer
from convcalc.backends.numba.passes.placement import ACTIVATIONS
from convcalc.backends.numba.runtime.driver import StepTable, drive, post, worker_loop
from convcalc.backends.numba.runtime.linker import link
from convcalc.backends.numba.runtime.program import Arena, Program, Ref
from convcalc.backends.workers import processors
from convcalc.errors import ConvcalcError, UsageError
from convcalc.graph import Graph
from convcalc.ops import Tensor
from convcalc.shapes import show
from convcalc.weights.load import Weights

LOWER: dict[str, Callable[[Lowering, Layer], None]] = {
    "conv": lower_conv,
    "deconv": lower_deconv,
    "dense": lower_dense,
    "maxpool": lower_pool,
    "avgpool": lower_pool,
    "global_avgpool": lower_pool,
    "adaptive_avgpool": lower_pool,
    "upsample": lower_pool,
    "pad": lower_pool,
    "batchnorm": lower_affine,
    "scale": lower_affine,
    "lrn": lower_lrn,
    "softmax": lower_across,
    "layernorm": lower_across,
    "add": lower_add,
    "multiply": lower_multiply,
    "concat": lower_concat,
    "slice": lower_move,
    "channel_shuffle": lower_move,
    "flatten": lower_flatten,
    "reshape": lower_flatten,
    "transpose": lower_transpose,
    **dict.fromkeys(ACTIVATIONS, lower_activation),
}
KNOWN = frozenset(LOWER) | PASSING


@dataclass(frozen=True)
class Work:
    """One step of a plan, for a profile: its node, kernel, MACs as the network counts them, and bytes touched."""

    node: int
    kernel: str
    macs: int
    bytes: int
    ticks: int


class Plan:
    """A network ready to run, again and again; one run at a time.

    graph: the network as it was given; origins: its node for each node of the graph that is run.

    notes: what a user should know, such as operators that run slowly. threads: how many are used.
    """

    def __init__(
        self,
        graph: Graph,
        low: Lowering,
        origins: Sequence[int],
        threads: int,
        guard: int,
        compiling: Compiling | None,
    ) -> None:
        self.graph = graph
        self.threads = threads
        self.notes = _notes(low.graph)
        self._host = low.host
        self._lock = Lock()
        output = low.flat(low.fusion.output, low.graph.nodes[-1]) if graph.nodes else Ref(low.input)
        low.program.touch(output.buffer)
        low.program.wanted.append(low.flat_span(output, prod(graph.output_shape)))
        output.buffer.kept = True
        compile_all(_kernels((low.setup, low.program)), compiling)
        self.notes += kernel_notes()
        self._setup_arena = Arena(low.setup, threads, guard)
        self._names = [node.name for node in low.graph]
        link(low.setup, self._setup_arena, threads, self._names).run(0, len(low.setup.steps))
        self._arena = Arena(low.program, threads, guard)
        self._program = low.program
        self._keep = (low.weights, low.setup)
        self._table = link(low.program, self._arena, threads, self._names)
        self._timed: StepTable | None = None
        self._step_nodes = np.array([origins[step.node] for step in low.program.steps], np.int64)
        self._input = self._arena.floats(Ref(low.input), prod(graph.input_shape))
        self._output = self._arena.floats(output, prod(graph.output_shape))

    @property
    def weight_bytes(self) -> int:
        """Memory of weights laid out anew; dense layers use theirs as they are."""
        return self._setup_arena.size

    @property
    def activation_bytes(self) -> int:
        """Memory of everything between input and output."""
        return self._arena.size

    def run(self, values: Sequence[float]) -> Run:
        """The network's output for one input, flat and channels first."""
        with self._lock:
            began = perf_counter()
            self._fill(values)
            self._walk(self._table)
            result = array("f")
            result.frombytes(self._output.view(np.uint8).data)
            seconds = perf_counter() - began
            outputs = {self.graph.outputs[0].name: Tensor(self.graph.output_shape, result)}
            return Run("numba", outputs, seconds, self._node_seconds(self._table, seconds))

    def profile(self, values: Sequence[float], runs: int = 5) -> tuple[float, list[Work]]:
        """Seconds of the fastest of some runs in which every step waits for the one before; and its steps."""
        with self._lock:
            if self._timed is None:
                self._timed = link(self._program, self._arena, self.threads, self._names, barriers=True)
            self._fill(values)
            best, steps = float("inf"), [0] * len(self._program.steps)
            for _ in range(runs):
                began = perf_counter()
                self._walk(self._timed)
                seconds = perf_counter() - began
                if seconds < best:
                    best, steps = seconds, np.diff(self._timed.clock).tolist()
            work = [
                Work(
                    node,
                    step.kernel.name,
                    step.macs,
                    step.weight_bytes + sum(span.stop - span.start for span in (*step.reads, *step.writes)),
                    ticks,
                )
                for step, node, ticks in zip(
                    self._program.steps, self._step_nodes.tolist(), steps, strict=True
                )
            ]
            return best, work

    def overrun_buffers(self) -> list[str]:
        """Buffers that something was written beside; only for a plan with guards."""
        return self._arena.overrun_buffers() + self._setup_arena.overrun_buffers()

    def _fill(self, values: Sequence[float]) -> None:
        if len(values) != len(self._input):
            raise ConvcalcError(
                f"{self.graph.name} takes {show(self.graph.input_shape)} = {len(self._input):,} numbers, "
                f"not {len(values):,}"
            )
        self._input[:] = np.asarray(values, np.float32)

    def _walk(self, table: StepTable) -> None:
        place = 0
        for step in self._host:
            table.run(place, step.mark)
            place = step.mark
            inputs = [self._arena.floats(ref, prod(shape)).reshape(shape) for ref, shape in step.sources]
            count = prod(step.node.output_shape)
            with np.errstate(all="ignore"):  # as in the kernels, ∞ − ∞ is nothing to tell of
                self._arena.floats(step.target, count)[:] = np.ravel(step.function(inputs))
        table.run(place, len(self._program.steps))

    def _node_seconds(self, table: StepTable, seconds: float) -> tuple[float, ...]:
        """The run's seconds shared out by the clock's ticks."""
        ticks = np.diff(table.clock)
        shares = np.bincount(self._step_nodes, ticks, len(self.graph))
        return tuple((shares * (seconds / max(1, int(ticks.sum())))).tolist())


def prepare(
    graph: Graph,
    weights: Weights,
    threads: int | None = None,
    *,
    winograd: bool = True,
    guard: int = 0,
    compiling: Compiling | None = None,
) -> Plan:
    """A plan for a network. guard: bytes of canaries around every buffer, for tests.

    compiling is told (kernels done, in all, the next one's name) when kernels have to be compiled.
    """
    if len(graph.inputs) > 1 or len(graph.outputs) > 1:
        raise UsageError(
            f"the numba backend does not run networks of several inputs or outputs yet, and {graph.name} has "
            f"{len(graph.inputs)} and {len(graph.outputs)}",
            hint="--backend reference runs them",
        )
    count = threads or processors()
    rewritten = channels_first(graph, lambda node: not is_host(node, KNOWN))
    own = tuple(weights.nodes[origin] for origin in rewritten.origins)
    host = {
        node.index
        for node in rewritten.graph
        if is_host(node, KNOWN) or spreads_what_is_no_number(node, own[node.index])
    }
    low = Lowering(rewritten.graph, replace(weights, nodes=own), count, winograd, host)
    for layer in low.fusion.layers:
        node = layer.node
        if node.kind == "deconv" and layer.value not in host:
            before, after = deconv_halo(node.op.axes(node.input_shapes))
            low.storage.need(low.fusion.alias[node.inputs[0]], triple(before, 0), triple(after, 0))
    for layer in low.fusion.layers:
        if layer.node.index in host:
            function = array_function(layer.node, low.weights.nodes[layer.node.index])
            low.add_host(layer.node, layer.value, low.fusion.sources(layer), function)
        else:
            LOWER[layer.node.kind](low, layer)
    return Plan(graph, low, rewritten.origins, count, guard, compiling)


def _kernels(programs: Iterable[Program]) -> list[Kernel]:
    found: dict[Kernel, None] = dict.fromkeys((drive, worker_loop, post))
    for program in programs:
        for step in program.steps:
            for value in (step.kernel, *step.values.values()):
                if isinstance(value, Kernel):
                    found[value] = None
    return list(found)


def _notes(graph: Graph) -> tuple[str, ...]:
    slow = sorted({node.kind for node in graph if is_host(node, KNOWN) and not has_arrays(node)})
    if not slow:
        return ()
    return (f"{', '.join(slow)}: no fast kernel here, computed as the reference backend does",)
