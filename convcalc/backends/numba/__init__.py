"""The fast backend, for CPUs: `pip install convcalc[fast]`.

    jit/       target: the processor; sizes: of registers, blocks and tiles; intrinsics: vectors and raw addresses, in
               which kernels are written; threads: atomic instructions and waiting; declare: how both are declared, and
               emit: the LLVM instructions they are made of; footprint, ranges: the bytes a kernel touches; cache:
               kernels, and their machine code on disk; compiler: makes it, with Numba
    kernels/   tile: the microkernel, a tile of registers, and its sweep over pixels; conv, dense, winograd with its
               transforms, depthwise and grouped with rows, their walk, matmul, attention with its layout, pool, norm,
               pointwise, copies, weights, draw, activations
    layout.py  where numbers lie in memory
    passes/    traits: what the kernels can do for each operator; fixed: values that are the same in every run; then, in
               this order, channels_first: layers computed on values stored in another order; fusion: what is computed
               together; channel_moves: layers that only move channels; algorithm: which kernel computes a convolution;
               placement: what lives inside what, halos
    arrays/    operators that no kernel is worth, by NumPy on whole arrays; registry: which
    lower/     operators: from layers to a program, by a function per operator; lowering: the program in the making
    runtime/   program: steps, lifetimes, memory; linker: addresses, and what waits for what; step_table: the
               table of addresses that results; driver: how threads walk it, and helpers: these threads; checked: every
               access compared with its buffer before a plan runs (CONVCALC_CHECKED=1), with places: what an address
               belongs to, and fault: the error
    plan.py    the pipeline of all that; drawing.py: random weights; profile.py: where the time goes

Maps are kept in float32 or, by `precision="bf16"`, in bfloat16: `jit/intrinsics` says how a kernel is compiled for
either.

Preparing a plan imports NumPy and llvmlite, and Numba only where a kernel has to be compiled; nothing else in
convcalc does so before a user asks for this backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from convcalc.backends import Compiling, Precision, Progress, Run, Take, Values, Winograd, check_known
from convcalc.graph import Graph
from convcalc.processes import processors
from convcalc.weights.load import Weights

if TYPE_CHECKING:
    from convcalc.backends.numba.plan import Plan

__all__ = ["prepare", "run"]


def prepare(
    graph: Graph,
    weights: Weights,
    threads: int | None = None,
    *,
    precision: Precision = "float32",
    winograd: Winograd | None = "auto",
    compiling: Compiling | None = None,
    kept: Sequence[int] = (),
) -> Plan:
    """A plan for a network, see `plan.prepare`. Random weights are drawn while that is imported."""
    from convcalc.backends.numba.drawing import begin_drawing

    check_known(graph)
    drawing = begin_drawing(weights, threads or processors())
    from convcalc.backends.numba import plan

    if drawing is not None:
        drawing.finish()
    return plan.prepare(
        graph, weights, threads, precision=precision, winograd=winograd, compiling=compiling, kept=kept
    )


def run(
    graph: Graph,
    weights: Weights,
    values: Values,
    *,
    threads: int | None = None,
    precision: Precision = "float32",
    winograd: Winograd | None = "auto",
    progress: Progress | None = None,
    compiling: Compiling | None = None,
    kept: Sequence[int] = (),
    take: Take | None = None,
) -> Run:
    """The network's outputs for its input, flat and row-major, channels first, or for its inputs by name.

    precision: in what maps and weights are kept; winograd: which of Winograd's methods may be used, None for none.

    progress is told of each node when all are done; compiling, where kernels have to be compiled first, of (kernels
    done, in all, the next one's name). kept: the nodes whose outputs `take` is given. Whoever runs many inputs makes
    one plan with `prepare` and runs that.
    """
    plan = prepare(
        graph, weights, threads, precision=precision, winograd=winograd, compiling=compiling, kept=kept
    )
    result = plan.run(values, take)
    if progress:
        for node in graph:
            progress(node, node.op.macs(node.input_shapes))
    return result
