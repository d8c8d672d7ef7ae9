"""Ways to run a graph. Each backend takes the same graph, weights and input and gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from convcalc.graph import Node
from convcalc.shapes import Shape

Backend = Literal["auto", "reference", "numba"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


@dataclass(frozen=True)
class Run:
    """What came out: the network's output, and the seconds each node took (0 where it was fused away)."""

    backend: str
    shape: Shape
    values: Sequence[float]
    seconds: float
    node_seconds: tuple[float, ...]


# Called as work is done: the node at work and how many multiply-accumulates have just been finished.
Progress = Callable[[Node, int], None]

# Called while kernels are compiled, which happens once per machine: how many are done, of how many, the next's name.
Compiling = Callable[[int, int, str], None]
