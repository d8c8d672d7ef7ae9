"""Ways to run a graph. Each backend takes the same graph, weights and input and gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from convcalc.errors import UsageError
from convcalc.graph import Graph, Node
from convcalc.ops import Tensor
from convcalc.shapes import Shape

Backend = Literal["auto", "reference", "numba"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)


@dataclass(frozen=True)
class Run:
    """What came out: the network's outputs by name, in their order, and the seconds each node took (0 where it was
    fused away). shape, values: the first output's."""

    backend: str
    outputs: Mapping[str, Tensor]
    seconds: float
    node_seconds: tuple[float, ...]

    @property
    def shape(self) -> Shape:
        """The first output's shape, channels first."""
        return next(iter(self.outputs.values())).shape

    @property
    def values(self) -> Sequence[float]:
        """The first output's numbers, flat and row-major."""
        return next(iter(self.outputs.values())).values


def check_known(graph: Graph) -> None:
    """Raise UsageError for a network with layers of operators that are not known: it cannot be run."""
    unknown = [node for node in graph if not node.op.is_known]
    if unknown:
        named = ", ".join(f"{node.name} ({node.op.shown_fields()['op']:.40})" for node in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UsageError(
            f"{graph.name} cannot be run: convcalc does not know the operator of {named}{more}",
            hint="convcalc show counts the other layers",
        )


# What goes in: the numbers of the one input, flat and row-major, channels first; or those of each by its name.
Values = Sequence[Any] | Mapping[str, Sequence[Any]]

# Called as work is done: the node at work and how many multiply-accumulates have just been finished.
Progress = Callable[[Node, int], None]

# Called while kernels are compiled, which happens once per machine: how many are done, of how many, the next's name.
Compiling = Callable[[int, int, str], None]
