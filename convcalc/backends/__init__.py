"""Ways to run a graph. Each backend takes the same graph, weights and input and gives the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from convcalc.errors import UsageError
from convcalc.graph import Graph, Node
from convcalc.ops import Tensor
from convcalc.shapes import Shape

Backend = Literal["auto", "reference", "numba"]
BACKENDS: tuple[Backend, ...] = get_args(Backend)

# In what maps and weights are kept: sums are float32 in both.
Precision = Literal["float32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# What a run kept in bfloat16: layers' outputs and their weights, the weights of dense layers alone, or nothing.
InBfloat16 = Literal["maps and weights", "dense weights", "nothing"]

# Which of Winograd's methods may compute 3×3 and 5×5 convolutions: `auto` the quickest whose error is near the direct
# sum's, `f2` tiles of 2×2 outputs alone, `f4` tiles of 6×6 pixels in bf16 too.
Winograd = Literal["auto", "f2", "f4"]
WINOGRADS: tuple[Winograd, ...] = get_args(Winograd)


@dataclass(frozen=True)
class Run:
    """The result of a run: the network's outputs by name, in their order, and the seconds that each node took (0 if it
    was fused away). kept: the outputs of layers that were to be kept, by name. precision: the one asked for; the
    reference backend, which knows no other than float32, computes in float64. in_bfloat16: what was really kept in it,
    which depends on the processor too. shape, values: those of the first output."""

    backend: str
    outputs: Mapping[str, Tensor]
    seconds: float
    node_seconds: tuple[float, ...]
    kept: Mapping[str, Tensor] = field(default_factory=dict)
    precision: Precision = "float32"
    in_bfloat16: InBfloat16 = "nothing"

    @property
    def shape(self) -> Shape:
        """The shape of the first output, channels first."""
        return next(iter(self.outputs.values())).shape

    @property
    def values(self) -> Sequence[float]:
        """The values of the first output, flat and row-major."""
        return next(iter(self.outputs.values())).values


def check_known(graph: Graph) -> None:
    """Raise UsageError if the network has unknown operators: it cannot be run."""
    unknown = [node for node in graph if not node.op.is_known]
    if unknown:
        named = ", ".join(f"{node.name} ({node.op.shown_fields()['op']:.40})" for node in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise UsageError(
            f"{graph.name} cannot be run: convcalc does not know the operator of {named}{more}",
            hint="convcalc show counts the other layers",
        )


# The values of the only input, flat and row-major, channels first; or a mapping from input names to such values.
Values = Sequence[Any] | Mapping[str, Sequence[Any]]

# Progress callback: the current node, and the multiply-accumulates finished since the last call.
Progress = Callable[[Node, int], None]

# Called with the index of a node whose output is to be kept and that output, as soon as it is computed. It may raise.
Take = Callable[[int, Tensor], None]

# Callback while kernels are compiled, once per machine: how many are done, how many there are, the next one's name.
Compiling = Callable[[int, int, str], None]
