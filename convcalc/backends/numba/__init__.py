"""The fast backend, for CPUs: `pip install convcalc[fast]`.

    simd.py       vectors and raw addresses for Numba: what kernels are written in
    cache.py      compiled kernels on disk; compiler.py: how they come there
    tile.py       the microkernel: a tile of registers, and the sweep of it over pixels
    kernels_*.py  the kernels: convolutions, Winograd, maps, normalisation, laying out weights
    functions.py  activation functions on vectors
    layout.py     where numbers lie in memory; windows.py: pooling's windows
    rewrite.py    channels-last stretches said channels first
    fusion.py     what is computed together
    moving.py     layers that only move channels
    storage.py    what lives inside what, and halos
    choice.py     which kernel computes a convolution
    lowering.py   from graph to program; lower_*.py: per operator; host.py: what no kernel does
    program.py    steps, lifetimes, memory, and what waits for what
    driver.py     threads that walk the steps
    plan.py       all of it put together
    profile.py    where the time goes

Importing this package imports NumPy and llvmlite, and Numba only where a kernel has to be compiled; nothing else in
convcalc does so before a user asks for this backend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.backends import Compiling, Progress, Run
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.backends.numba.profile import Profile, Row, profile
from convcalc.graph import Graph
from convcalc.weights.load import Weights

__all__ = ["Plan", "Profile", "Row", "prepare", "profile", "run"]


def run(
    graph: Graph,
    weights: Weights,
    values: Sequence[Any],
    *,
    threads: int | None = None,
    progress: Progress | None = None,
    compiling: Compiling | None = None,
) -> Run:
    """The network's output for one input, flat and row-major, channels first.

    progress is told of each node when all are done; compiling, where kernels have to be compiled first, of (kernels
    done, in all, the next one's name). Whoever runs many inputs makes one plan with `prepare` and runs that.
    """
    result = prepare(graph, weights, threads, compiling=compiling).run(values)
    if progress:
        for node in graph:
            progress(node, node.op.macs(node.input_shapes))
    return result
