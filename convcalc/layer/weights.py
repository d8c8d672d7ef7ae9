"""Typed weights as an operator's tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convcalc.errors import UsageError
from convcalc.layer.filters import FILTERS
from convcalc.layer.matrices import Matrix
from convcalc.ops import Operator
from convcalc.ops.deconv import Deconv
from convcalc.ops.dense import Dense
from convcalc.shapes import Shape, elements, show


def weights_of(
    op: Operator,
    shape: Shape,
    filters: Sequence[Matrix],
    bias: Sequence[Any],
    *,
    turned: bool,
    shared: bool,
) -> dict[str, list[Any]]:
    """The operator's tensors by name, flat and row-major."""
    weights: dict[str, list[Any]] = {}
    for parameter in op.parameters((shape,)):
        if parameter.name == "bias" and parameter.role == "bias":
            if bias and len(bias) != elements(parameter.shape):
                raise UsageError(f"--bias needs {elements(parameter.shape)} values, not {len(bias)}")
            weights["bias"] = list(bias) or [0] * elements(parameter.shape)
        elif parameter.fan_in is None:
            weights[parameter.name] = [parameter.initial] * elements(parameter.shape)
        elif not filters:
            raise no_weights(op.kind)
        elif isinstance(op, Dense):
            weights[parameter.name] = _dense(filters, parameter.shape)
        else:
            weights[parameter.name] = kernels(op, parameter.shape, filters, turned=turned, shared=shared)
    return weights


def no_weights(kind: str) -> UsageError:
    """The error for an operator that needs weights and has none."""
    return UsageError(
        f"{kind} needs its weights", hint=f"--weights '1 0; 0 1', or a named filter: {', '.join(FILTERS)}"
    )


def _dense(filters: Sequence[Matrix], shape: Shape) -> list[Any]:
    """One row of weights per unit, from one matrix or several."""
    units, features = shape
    rows = [row for matrix in filters for plane in matrix.planes for row in plane]
    if len(rows) != units or any(len(row) != features for row in rows):
        raise UsageError(f"dense needs {show(shape)} weights: a row per unit, a column per feature")
    return [value for row in rows for value in row]


def kernels(
    op: Operator, shape: Shape, filters: Sequence[Matrix], *, turned: bool = False, shared: bool = False
) -> list[Any]:
    """Weights (filters, depth, *kernel) of a convolution, flat; (depth, filters, *kernel) of a deconvolution.

    turned: rotate kernels by 180°; shared: divide a plane that serves several channels by their number.
    """
    transposed = isinstance(op, Deconv)
    count, depth = (shape[1], shape[0]) if transposed else (shape[0], shape[1])
    kernel = shape[2:]
    if len(filters) != count:
        given = f"{len(filters)} {'was' if len(filters) == 1 else 'were'} given"
        raise UsageError(
            f"{count} filters need {count} kernels, {given}", hint="repeat --weights, once for each filter"
        )
    planes: dict[tuple[int, int], list[Any]] = {}
    for index, matrix in enumerate(filters):
        size = matrix.spatial if len(matrix.spatial) == len(kernel) else (matrix.height, matrix.width)
        if size != kernel:
            raise UsageError(
                f"the kernel is {show(kernel)}, the weights given are {show(size)}",
                hint="leave the kernel out: the weights say it",
            )
        if len(matrix.planes) not in (1, depth):
            raise UsageError(
                f"filter {index + 1} has {len(matrix.planes)} planes, the input {depth} channels",
                hint=f"give {depth} planes with | between them, or one for all",
            )
        for channel in range(depth):
            rows = matrix.planes[channel if len(matrix.planes) > 1 else 0]
            values = [value for row in rows for value in row]
            if shared and len(matrix.planes) == 1 and depth > 1:
                values = [value / depth for value in values]
            planes[index, channel] = values[::-1] if turned else values
    order = (
        [(index, channel) for channel in range(depth) for index in range(count)]
        if transposed
        else [(index, channel) for index in range(count) for channel in range(depth)]
    )
    return [value for place in order for value in planes[place]]
