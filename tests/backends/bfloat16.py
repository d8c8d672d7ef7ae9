"""What plans of bfloat16 are compared with: the reference's numbers, and how far rounding may move them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from numba_support import GUARD, any_inputs, any_weights

from convcalc.backends import reference
from convcalc.backends.numba.plan import Plan, prepare
from convcalc.graph import Graph
from convcalc.ops import Tensor
from convcalc.weights.load import Weights

HALF_STEP = 2.0**-8  # what rounding to 8 significant bits is off by at most, as a part of the number
SUMS = 1e-5  # of the largest output, as in float32: products and sums are float32
FACTOR = 4.0  # how much further than trials with noise a network may be off


def nearest(values: Sequence[float]) -> array[float]:
    """Each number to 8 significant bits, the even one of two, by arithmetic. Denormal ones keep 8 bits too."""
    mantissas, exponents = np.frexp(np.asarray(values, np.float64))
    with np.errstate(over="ignore"):  # beyond the largest number there is infinity
        rounded = np.ldexp(np.rint(mantissas * 256) / 256, exponents).astype(np.float32)
    return array("f", rounded.tobytes())


def nearest_weights(graph: Graph, seed: int) -> Weights:
    """Random weights that are bfloat16 already, so that nothing is lost when a plan rounds them."""
    weights = any_weights(graph, seed)
    nodes = tuple({name: nearest(numbers) for name, numbers in own.items()} for own in weights.nodes)
    return Weights(nodes, "random", seed=seed)


def nearest_inputs(graph: Graph, seed: int) -> dict[str, array[float]]:
    """Random inputs that are bfloat16 already."""
    return {name: nearest(numbers) for name, numbers in any_inputs(graph, seed).items()}


def assert_rounded(got: Any, wanted: Any, allowed: float = 0.0) -> None:
    """Each number is off by its own rounding, by what float32 sums are off by, and by `allowed`; what is not finite is
    the same."""
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    assert got.shape == wanted.shape
    finite = np.isfinite(wanted)
    assert np.array_equal(got[~finite], wanted[~finite], equal_nan=True)
    assert np.isfinite(got[finite]).all()
    if not finite.any():
        return
    sizes = np.abs(wanted[finite])
    off = np.abs(got[finite] - wanted[finite])
    worst = int(np.argmax(off - HALF_STEP * sizes))
    limit = 1.01 * HALF_STEP * sizes + SUMS * sizes.max() + allowed
    assert (off <= limit).all(), (
        f"{got[finite][worst]:.6g} instead of {wanted[finite][worst]:.6g}: off by {off[worst]:.3g}, "
        f"and {limit[worst]:.3g} is allowed; the largest is {sizes.max():.3g}"
    )


def bfloat16_kernels(plan: Plan) -> list[str]:
    """The kernels of a plan's steps that compute with elements of bfloat16, in order, without `_bf16`."""
    names = [step.kernel.name for step in plan._program.steps]
    return [name.removesuffix("_bf16") for name in names if name.endswith("_bf16")]


def with_noise(
    graph: Graph, weights: Weights, values: Mapping[str, Sequence[float]], seed: int
) -> dict[int, Tensor]:
    """All values, where every map on the way is off by what two roundings, of a number and of weights, may be."""
    source = Random(seed)
    tensors = reference.inputs_of(graph, values)

    def moved(tensor: Tensor) -> Tensor:
        shape, numbers = tensor
        if len(shape) < 2:
            return tensor
        return Tensor(shape, [number * (1 + 2 * HALF_STEP * source.uniform(-1, 1)) for number in numbers])

    tensors = {value: moved(tensor) for value, tensor in tensors.items()}
    for node in graph:
        inputs = [tensors[value] for value in node.inputs]
        tensors[node.index] = moved(node.op.forward(inputs, weights.nodes[node.index]))
    return tensors


def compare_bfloat16(
    graph: Graph,
    seed: int = 0,
    *,
    layers: bool = True,
    weights: Weights | None = None,
    values: Mapping[str, array[float]] | None = None,
    kept: Sequence[int] = (),
    off: float = 0.0,
    **how: Any,
) -> Plan:
    """Run a graph by the reference and in bfloat16, by one thread and by two, twice each, with canaries around every
    buffer, and expect the same numbers but for rounding, of the nodes `kept` too. Returns the last plan.

    layers: there are several, between which values are rounded. Then an output may be off by FACTOR times what it is
    off by in trials, in which the reference computes with noise of this size on every map. Else inputs and weights are
    bfloat16 already, products of two of them are exact in float32, and all that is rounded is the result. off: a part
    of the largest output that each may be off by besides.
    """
    weights = weights or nearest_weights(graph, seed)
    values = values or nearest_inputs(graph, seed + 1)
    lists = {name: numbers.tolist() for name, numbers in values.items()}
    wanted: dict[int, Tensor] = {}
    outputs = reference.run(graph, weights, lists, threads=1, kept=kept, take=wanted.__setitem__).outputs
    wanted |= {output.node: outputs[output.name] for output in graph.outputs}
    trials = [with_noise(graph, weights, lists, trial) for trial in range(3 * layers)]
    for threads in (1, 2):
        plan = prepare(graph, weights, threads, guard=GUARD, precision="bf16", kept=kept, **how)
        for _ in range(2):
            found: dict[int, Tensor] = {}
            got = plan.run(values, found.__setitem__)
            assert list(got.outputs) == list(outputs)
            assert found.keys() == set(kept)
            for node, (shape, numbers) in (
                *found.items(),
                *((output.node, got.outputs[output.name]) for output in graph.outputs),
            ):
                right = np.asarray(wanted[node].values)
                assert shape == wanted[node].shape
                moved = max((_distance(trial[node].values, right) for trial in trials), default=0.0)
                allowed = off * float(np.max(np.abs(right[np.isfinite(right)]), initial=0.0))
                assert_rounded(numbers, right, FACTOR * moved + allowed)
        assert plan.overrun_buffers() == []
    return plan


def _distance(values: Sequence[float], wanted: np.ndarray) -> float:
    off = np.abs(np.asarray(values) - wanted)
    return float(np.max(off[np.isfinite(off)], initial=0.0))
