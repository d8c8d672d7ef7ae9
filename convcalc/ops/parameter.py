"""A learned or fixed tensor (class tokens and positional embeddings: Devlin et al. 2018; Dosovitskiy et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from convcalc.ops._base import (
    AxisReach,
    Example,
    Inputs,
    Operator,
    Order,
    Parameter,
    Reordered,
    Tensor,
    Working,
)
from convcalc.ops._fields import flag, integers, number
from convcalc.ops._working import product
from convcalc.shapes import Shape


@dataclass(frozen=True, kw_only=True)
class LearnedTensor(Operator):
    """A learned tensor of the given shape. It has no input; the next layer reads it unless that layer has a `from`.
    Its key in a weights file is the layer's path itself, as for a bare Parameter in PyTorch. With `fixed` its values
    are chosen before training, as the codes that LeNet-5's outputs are compared with: a buffer, not a parameter.
    """

    kind: ClassVar[str] = "parameter"
    torch_module: ClassVar[str] = "Parameter"
    role: ClassVar[str] = "tensor"
    main: ClassVar[str | None] = "shape"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)
    example: ClassVar[Example | None] = Example("parameter: {name: class_token, shape: [1, 768]}")

    shape: tuple[int, ...] = integers(minimum=1, doc="the tensor's shape")
    initial: float = number(0.0, doc="initial value for training")
    fixed: bool = flag(
        False, doc="not trained: a buffer, which weights files hold but no count of parameters"
    )

    def output_shape(self, inputs: Inputs) -> Shape:
        """The given `shape`."""
        return self.shape

    def parameters(self, inputs: Inputs) -> tuple[Parameter, ...]:
        """The tensor; it counts as weights, however it is used, or as a buffer if it is fixed."""
        return (Parameter("", self.shape, "buffer" if self.fixed else "weight", initial=self.initial),)

    def reach(self, inputs: Inputs, index: int = 0) -> tuple[AxisReach, ...]:
        """Nothing."""
        return ()

    def working(self, inputs: Inputs) -> tuple[Working, ...]:
        """`1·768 = 768`."""
        count = f"{prod(self.shape):,}"
        what = "buffers" if self.fixed else "weights"
        return (Working(what, f"{product(self.shape)} = {count}" if len(self.shape) > 1 else count),)

    def reordered(self, order: Order) -> Reordered | None:
        """The same operator, with its output stored in sequence."""
        return Reordered(self, tuple(range(len(self.shape))))

    def forward(self, inputs: Sequence[Tensor], weights: Mapping[str, Sequence[Any]]) -> Tensor:
        """The tensor."""
        return Tensor(self.shape, list(weights[""]))
